//! Mailbox: its row, its checks, its operations and what they mean for mail.

use std::collections::BTreeMap;

use mailwright_crds::well_known::LEGAL_HOLD_LABEL;
use mailwright_crds::{Mailbox, MailboxSpec, Resource};

use crate::credential;
use crate::domain::domain_of;
use crate::draft::{Candidate, Draft, Standing};
use crate::effect::{Effect, Views, Way, list};
use crate::field;
use crate::observed::{DeletionPolicy, Forward, MailboxDeclared, MailboxRow, Owner, SetBy};
use crate::operate::{self, Running, Wish};
use crate::operation::{Action, Change, CredentialSource, FieldChange, Kept, Operation};
use crate::problem::{Problem, ProblemCode};
use crate::reference::Kind;
use crate::universe::Universe;

/// What a plan shows of a password.
const REDACTED: &str = "[redacted]";
/// The default of `retainFor` in seconds: what a new mailbox is compared with.
const DEFAULT_RETENTION: u64 = 720 * 3600;

/// The row that a Mailbox asks for, before its domain's default quota.
pub(crate) fn declare(mailbox: &Mailbox) -> MailboxDeclared {
    let spec = &mailbox.spec;
    let hold = mailbox.metadata.labels.as_ref().and_then(|labels| labels.get(LEGAL_HOLD_LABEL));
    MailboxDeclared {
        address: spec.address.as_str().to_owned(),
        display_name: spec.display_name.as_ref().map(|name| name.as_str().to_owned()),
        quota: spec.quota.as_ref().map(|quota| quota.bytes()),
        send_as: spec.send_as.iter().map(|address| address.as_str().to_owned()).collect(),
        forward: spec.forward.as_ref().map(Forward::of),
        enabled: spec.enabled,
        deletion_policy: spec.deletion_policy,
        retain_for: spec.retain_for.as_secs(),
        // What somebody misspelled still keeps the mail.
        legal_hold: hold.is_some_and(|value| value != "false"),
    }
}

pub(crate) fn check(draft: &Draft<'_>, universe: &Universe<'_>, problems: &mut Vec<Problem>) {
    for candidate in &draft.mailboxes {
        let declared = &candidate.declared;
        problems.extend(crate::alias::check_domain(candidate, "spec.address", &declared.address, universe));
        problems.extend(check_quota(candidate, universe));
        for (index, address) in declared.send_as.iter().enumerate() {
            let field = format!("spec.sendAs[{index}]");
            if universe.domain(domain_of(address)).is_none() {
                problems.push(candidate.error(
                    &field,
                    ProblemCode::UnknownDomain,
                    format!("{address} is not at a domain that is served here"),
                    "name addresses at one of the declared domains".to_owned(),
                ));
            }
        }
        let targets = declared.forward.iter().flat_map(|forward| &forward.targets);
        for (index, target) in targets.enumerate() {
            let field = format!("spec.forward.targets[{index}]");
            problems.extend(crate::alias::check_target(candidate, &field, target, universe));
        }
        problems.extend(spec(candidate).and_then(|spec| credential::check(draft.catalog, candidate, spec)));
    }
}

fn check_quota(candidate: &Candidate<'_, MailboxDeclared>, universe: &Universe<'_>) -> Option<Problem> {
    let quota = candidate.declared.quota?;
    let domain = universe.domains.get(domain_of(&candidate.declared.address))?;
    let limit = domain.limits.max_quota.filter(|limit| quota > *limit)?;
    let (quota, limit) = (field::bytes(quota), field::bytes(limit));
    Some(candidate.error(
        "spec.quota",
        ProblemCode::QuotaAboveLimit,
        format!("{quota} is above the {limit} that {} allows", domain.domain),
        format!("write at most {limit}, or raise spec.limits.maxQuota of the MailDomain"),
    ))
}

fn spec<'a>(candidate: &Candidate<'a, MailboxDeclared>) -> Option<&'a MailboxSpec> {
    match &candidate.entry.resource {
        Resource::Mailbox(mailbox) => Some(&mailbox.spec),
        _ => None,
    }
}

/// Creates, updates, disables, releases and deletes mailboxes.
pub(crate) fn operate(
    draft: &Draft<'_>,
    universe: &Universe<'_>,
    operations: &mut Vec<Operation>,
    kept: &mut Vec<Kept>,
) {
    let rows: BTreeMap<&str, &MailboxRow> =
        draft.observed.mailboxes.iter().map(|row| (row.declared.address.as_str(), row)).collect();
    for candidate in &draft.mailboxes {
        let row = rows.get(candidate.declared.address.as_str()).copied();
        operations.extend(put(draft, universe, candidate, row));
    }
    for (address, row) in rows {
        let Some(owner) = &row.owner else { continue };
        match draft.standing(Kind::Mailbox, address, Some(owner)) {
            Standing::Kept(reason) if row.removed_at.is_none() => {
                kept.push(Kept { object: owner.object.clone(), subject: address.to_owned(), reason });
            }
            Standing::Removed => {
                kept.extend(held_by_law(draft, row, owner));
                if let Some((action, change)) = removal(draft, row) {
                    operations.push(operate::unwanted(owner, address, action, change));
                }
            }
            _ => {}
        }
    }
}

/// A mailbox whose deletion would be due, but for a legal hold.
fn held_by_law(draft: &Draft<'_>, row: &MailboxRow, owner: &Owner) -> Option<Kept> {
    let due = row.declared.deletion_policy == DeletionPolicy::Delete
        && row.retain_until().is_some_and(|until| draft.settings.now >= until);
    (due && row.declared.legal_hold).then(|| Kept {
        object: owner.object.clone(),
        subject: row.declared.address.clone(),
        reason: format!(
            "a legal hold keeps its mail; to lift it, declare it once without the label {LEGAL_HOLD_LABEL}"
        ),
    })
}

/// What the removal of its object does to an account, by the policy that was applied last.
fn removal(draft: &Draft<'_>, row: &MailboxRow) -> Option<(Action, Change)> {
    let address = row.declared.address.clone();
    match (row.declared.deletion_policy, row.removed_at) {
        (DeletionPolicy::Retain, None) => {
            Some((Action::Release, Change::Release { kind: Kind::Mailbox, key: address }))
        }
        (_, None) => Some((Action::Disable, Change::DisableMailbox { address })),
        (_, Some(_)) => draft.is_due(row).then_some((Action::Delete, Change::DeleteMailbox { address })),
    }
}

fn put(
    draft: &Draft<'_>,
    universe: &Universe<'_>,
    candidate: &Candidate<'_, MailboxDeclared>,
    row: Option<&MailboxRow>,
) -> Vec<Operation> {
    let mut declared = candidate.declared.clone();
    let domain = universe.domains.get(domain_of(&declared.address));
    // Written only where it changes: rows that stay as they are declared are shared with the declaration.
    if let (None, Some(quota)) = (declared.quota, domain.and_then(|domain| domain.limits.default_quota)) {
        declared.quota = Some(quota);
    }
    let running = row.map(|row| Running {
        declared: &row.declared,
        owner: row.owner.as_ref(),
        enabled: row.declared.enabled,
        removed: row.removed_at.is_some(),
    });
    let key = &draft.settings.fingerprint_key;
    let password = row.and_then(|row| row.credential.as_ref());
    let credential =
        spec(candidate).and_then(|spec| credential::change(draft.catalog, key, candidate, spec, password));
    let mut beside = Vec::new();
    if let Some(credential) = &credential {
        let field = match credential.source {
            CredentialSource::Secret { .. } => "spec.credentials.secretRef",
            CredentialSource::PasswordHash => "spec.credentials.passwordHash",
        };
        let from = password.map(|_| REDACTED.into());
        beside.push(FieldChange { field: field.into(), from, to: Some(REDACTED.into()) });
    }
    let (subject, enabled) = (declared.address.clone(), declared.enabled);
    let wish = Wish { declared, enabled, beside };
    operate::put(
        candidate,
        draft.settings,
        &subject,
        running.as_ref(),
        wish,
        blank,
        |declared, owner, all| Change::PutMailbox {
            declared,
            owner,
            credential: credential.clone().filter(|_| all),
        },
    )
}

fn blank() -> MailboxDeclared {
    MailboxDeclared {
        address: String::new(),
        display_name: None,
        quota: None,
        send_as: Vec::new(),
        forward: None,
        enabled: true,
        deletion_policy: DeletionPolicy::Disable,
        retain_for: DEFAULT_RETENTION,
        legal_hold: false,
    }
}

/// What an operation on a mailbox means.
pub(crate) fn effect(views: &Views<'_>, operation: &Operation) -> Effect {
    let mut effect = Effect::default();
    let row = views.before.mailbox(&operation.subject);
    match &operation.change {
        Change::PutMailbox { declared, credential, .. } => {
            match row {
                None => created(views, declared, credential.is_some(), &mut effect),
                Some(row) => updated(views, row, declared, &mut effect),
            }
            if operation.action == Action::Adopt {
                effect.says(format!("{} is managed by {} from now on", declared.address, views.source_id));
            }
            if row.is_some() && credential.is_some() {
                password(row, &declared.address, &mut effect);
            }
        }
        Change::DisableMailbox { address } => {
            let alias = views.after.alias(address);
            effect.takes(match alias {
                Some(_) => format!("{address} can no longer log in; its Alias gets mail for it"),
                None => format!("{address} stops accepting mail (550 5.2.1) and can no longer log in"),
            });
            effect.says(removed_mail(row));
            if alias.is_none() {
                lost_targets(views, address, &mut effect);
            }
        }
        Change::DeleteMailbox { address } => {
            let used = row.map_or(0, |row| row.used_bytes);
            let amount = if used == 0 { "no mail".to_owned() } else { format!("{} of mail", human(used)) };
            effect.destroys(format!("{address} is deleted for good with {amount}"));
        }
        Change::Release { key, .. } => {
            effect.says(format!("{key} goes on as it is, managed by nobody"));
        }
        _ => {}
    }
    effect
}

fn removed_mail(row: Option<&MailboxRow>) -> String {
    if row.is_some_and(|row| row.declared.legal_hold) {
        return "its mail is kept by a legal hold".to_owned();
    }
    match row.map(|row| (row.declared.deletion_policy, field::duration(row.declared.retain_for))) {
        Some((DeletionPolicy::Delete, period)) => format!("its mail is kept for {period} and deleted then"),
        Some((_, period)) => format!("its mail is kept, for {period} at least"),
        None => "its mail is kept".to_owned(),
    }
}

fn created(views: &Views<'_>, declared: &MailboxDeclared, has_password: bool, effect: &mut Effect) {
    let address = &declared.address;
    if !declared.enabled {
        effect.says(format!("{address} is set up, but takes no mail and no login until it is enabled"));
        return;
    }
    effect.says(format!("{address} starts accepting mail"));
    forward(views, address, None, declared.forward.as_ref(), effect);
    if !has_password {
        effect.says(format!(
            "nobody can log in as {address} until it has a password: mailwright passwd {address}"
        ));
    }
    if let Some(other) = views.before.catch_all(domain_of(address)) {
        effect.takes(format!("the catch-all, {other}, no longer gets mail for {address}"));
    }
}

fn updated(views: &Views<'_>, row: &MailboxRow, declared: &MailboxDeclared, effect: &mut Effect) {
    let address = &declared.address;
    match (row.is_active(), declared.enabled) {
        (true, false) => {
            effect.takes(format!("{address} stops accepting mail (550 5.2.1) and can no longer log in"));
            effect.says("its mail is kept".to_owned());
            lost_targets(views, address, effect);
        }
        (false, true) => {
            effect.says(format!("{address} accepts mail and logins again, with the mail it had"))
        }
        (false, false) if row.removed_at.is_some() => {
            effect.says(format!("{address} is declared again with its mail, but stays disabled"));
        }
        _ => {}
    }
    if let Some(quota) = declared.quota.filter(|quota| *quota < row.used_bytes) {
        let (quota, used) = (field::bytes(quota), human(row.used_bytes));
        effect.takes(format!(
            "{address} holds {used}, above its new quota of {quota}: new mail is refused (452 4.2.2)"
        ));
    }
    if declared.enabled {
        forward(views, address, row.declared.forward.as_ref(), declared.forward.as_ref(), effect);
    }
    match (row.declared.legal_hold, declared.legal_hold) {
        (true, false) => {
            effect.takes(format!("the legal hold of {address} is lifted: its mail may be deleted"))
        }
        (false, true) => {
            effect.says(format!("the mail of {address} is under a legal hold: it is not deleted"))
        }
        _ => {}
    }
    let gone: Vec<&String> =
        row.declared.send_as.iter().filter(|other| !declared.send_as.contains(other)).collect();
    if !gone.is_empty() {
        effect.takes(format!("{} no longer counts as an address of {address}", list(&gone)));
    }
}

/// Where a mailbox's mail goes from now on. Whoever gets another's mail is somebody's to know.
fn forward(
    views: &Views<'_>,
    address: &str,
    before: Option<&Forward>,
    after: Option<&Forward>,
    effect: &mut Effect,
) {
    let old = before.map(|forward| forward.targets.as_slice()).unwrap_or_default();
    let Some(forward) = after else {
        if before.is_some() {
            effect.takes(format!(
                "mail for {address} no longer goes to {}: it stays in its mailbox",
                list(old)
            ));
        }
        return;
    };
    let gone: Vec<&String> = old.iter().filter(|target| !forward.targets.contains(target)).collect();
    let new = forward.targets.iter().any(|target| !old.contains(target));
    let kept = if forward.keep_copy { "is kept" } else { "is not kept" };
    if new || before.is_some_and(|before| before.keep_copy != forward.keep_copy) {
        let Way { here, away } = Way::of(&views.after, &forward.targets);
        let mut parts = Vec::new();
        if !here.is_empty() {
            parts.push(format!("goes to {}", list(&here)));
        }
        if !away.is_empty() {
            parts.push(format!("leaves for {}", list(&away)));
        }
        parts.push(kept.to_owned());
        let last = parts.pop().unwrap_or_default();
        effect.takes(format!("mail for {address} {} and {last}", parts.join(", ")));
    }
    if !gone.is_empty() {
        effect.takes(format!("mail for {address} no longer goes to {}", list(&gone)));
    }
}

fn password(row: Option<&MailboxRow>, address: &str, effect: &mut Effect) {
    match row.and_then(|row| row.credential.as_ref()).map(|credential| credential.set_by) {
        Some(SetBy::Owner) => effect.takes(format!("the password that its owner gave {address} is replaced")),
        Some(SetBy::Declared) => {
            effect.takes(format!("the password of {address} changes to the declared one"))
        }
        None => effect.says(format!("{address} gets the declared password")),
    }
}

/// The aliases that lose a recipient with this address.
pub(crate) fn lost_targets(views: &Views<'_>, address: &str, effect: &mut Effect) {
    for alias in views.before.aliases_to(address) {
        let Some(row) = views.after.alias(alias).filter(|row| row.declared.enabled) else { continue };
        if !views.before.reaches_somebody(alias)
            || !row.declared.targets.iter().any(|target| target == address)
        {
            continue;
        }
        effect.takes(match views.after.reaches_somebody(alias) {
            true => format!("mail for {alias} no longer reaches {address}"),
            false => format!("{alias} loses its last target: mail for it is refused"),
        });
    }
}

/// A number of bytes for reading, not for writing back: `1.5 GiB`.
fn human(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        for (bytes, text) in [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (5 << 30, "5.0 GiB")] {
            assert_eq!(human(bytes), text);
        }
    }
}
