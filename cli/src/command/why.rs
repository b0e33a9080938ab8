//! `mailwright why`: why an address or a domain is as it is: what holds now, where it is declared, which commit of whom did it
//! last, who signed and who approved it, when and by which plan. What holds is told as `kubectl mailwright why` tells it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use mailwright_crds::Kind;
use mailwright_operator::accounts::{Accounts as _, Record as Resource};
use mailwright_plan::Observed;
use mailwright_plan::history::{PASSWORD, Query, Record};
use mailwright_plan::observed::{DeletionPolicy, MailboxDeclared, MailboxRow, Owner};

use crate::args::history::Why;
use crate::cluster::why::explain::{Link, explain};
use crate::command::{get, history};
use crate::connect::Connection;
use crate::terminal;

/// Records that are looked through for the last change and the last password.
const LOOKED_AT: usize = 200;

/// Asks and explains. 2 when nothing of the name is there now.
pub async fn run(data: &Path, options: Why) -> Result<ExitCode> {
    let connection = Connection::open(data).await?;
    let subject = options.subject.to_lowercase();
    let query = Query { key: Some(subject.clone()), ..Query::default() };
    let records = history::read(&connection, query, LOOKED_AT, |_| true).await?;
    let observed = connection.observe().await?;
    let rows = Row::find(&observed, &subject);
    if rows.is_empty() && records.is_empty() {
        bail!("there is no {subject}, and nothing is known of one; `mailwright get all` lists what there is");
    }
    let mut told: Vec<String> = rows.iter().map(|row| row.text() + &origin(Some(row), &records)).collect();
    if rows.is_empty() {
        told.push(format!("{subject} is not there any more\n{}", origin(None, &records)));
    }
    for row in &rows {
        if let Some(owner) = row.owner {
            told.extend(state(&chained(&connection, owner).await, owner));
        }
    }
    terminal::print(&told.join("\n"));
    Ok(if rows.is_empty() { ExitCode::from(2) } else { ExitCode::SUCCESS })
}

/// The object of a row with what it may depend on, as far as they are kept here.
async fn chained(connection: &Connection, owner: &Owner) -> Vec<Resource> {
    let above = |kind: Kind| matches!(kind, Kind::MailDomain | Kind::MailServer);
    let mut keys = connection.record_keys().await.unwrap_or_default();
    keys.retain(|key| *key == owner.object || above(key.kind));
    connection.records(keys).await.unwrap_or_default()
}

/// A row of an address or a domain.
struct Row<'a> {
    name: &'a str,
    kind: Kind,
    owner: Option<&'a Owner>,
    state: String,
    /// Until when it is kept, and what comes then; of an account that is out of service.
    kept: Option<String>,
}

impl<'a> Row<'a> {
    /// The rows of this name, first the one that answers for it. An Alias may stand over the account of somebody who left.
    fn find(observed: &'a Observed, subject: &str) -> Vec<Row<'a>> {
        let mailboxes = observed.mailboxes.iter().map(Row::mailbox);
        let aliases = observed.aliases.iter().map(|row| Row {
            name: &row.declared.address,
            kind: Kind::Alias,
            owner: row.owner.as_deref(),
            state: standing(row.declared.enabled, None),
            kept: None,
        });
        let domains = observed.domains.iter().map(|row| Row {
            name: &row.declared.domain,
            kind: Kind::MailDomain,
            owner: row.owner.as_deref(),
            state: standing(true, row.removed_at),
            kept: None,
        });
        let servers = observed.servers.iter().map(|row| Row {
            name: &row.declared.name,
            kind: Kind::MailServer,
            owner: row.owner.as_deref(),
            state: "in force".to_owned(),
            kept: None,
        });
        let all = mailboxes.chain(aliases).chain(domains).chain(servers);
        let mut rows: Vec<Row<'a>> = all.filter(|row| row.name == subject).collect();
        rows.sort_by_key(|row| row.kept.is_some());
        rows
    }

    fn mailbox(row: &'a MailboxRow) -> Row<'a> {
        Row {
            name: &row.declared.address,
            kind: Kind::Mailbox,
            owner: row.owner.as_deref(),
            state: standing(row.declared.enabled, row.removed_at),
            kept: row.retain_until().map(|until| kept(&row.declared, until)),
        }
    }

    fn text(&self) -> String {
        let object = match self.owner {
            Some(owner) => {
                format!("{} {}/{}", self.kind.singular(), owner.object.namespace, owner.object.name)
            }
            None => format!("{} that nothing declares", self.kind.singular()),
        };
        let mut text = format!("{}: {object}, {}\n", self.name, self.state);
        text += &self.kept.as_deref().map(|kept| line("kept", kept)).unwrap_or_default();
        text
    }
}

/// Whether a row is in force, and why not.
fn standing(enabled: bool, removed_at: Option<DateTime<Utc>>) -> String {
    match (enabled, removed_at) {
        (_, Some(at)) => format!("out of service since {}, because nothing declares it any more", time(at)),
        (false, None) => "disabled by its manifest".to_owned(),
        (true, None) => "in service".to_owned(),
    }
}

/// What becomes of the mail of an account that was taken out of service, and of its password.
fn kept(declared: &MailboxDeclared, until: DateTime<Utc>) -> String {
    let back = "declaring the Mailbox again brings it back";
    match (declared.legal_hold, declared.deletion_policy) {
        (true, _) => format!("by a legal hold, for as long as it lasts; {back}"),
        (false, DeletionPolicy::Delete) => {
            format!("until {}, then it is deleted (deletionPolicy Delete); {back}", time(until))
        }
        (false, _) => format!("until somebody runs mailwright purge, from {} on; {back}", time(until)),
    }
}

fn line(label: &str, value: &str) -> String {
    format!("  {:<13}{value}\n", format!("{label}:"))
}

/// Where it is declared, or was, and who did what to it last.
fn origin(row: Option<&Row<'_>>, records: &[Record]) -> String {
    let mut text = String::new();
    // An Alias and the account below it have one history: each is told its own part.
    let of_it = |record: &&Record| row.is_none_or(|row| record.kind.is_none_or(|kind| kind == row.kind));
    let last = records.iter().filter(of_it).find(|record| record.changes_a_row());
    let owner = row.and_then(|row| row.owner);
    // The history knows the line of then as well; the row's own is never older.
    let place = owner.and_then(|owner| owner.origin.clone().known());
    if let Some(place) = place.or_else(|| last.and_then(|record| record.origin.clone())) {
        let is_declared = owner.is_some() && row.is_some_and(|row| row.kept.is_none());
        text += &line(if is_declared { "declared at" } else { "stood at" }, &place.to_string());
    }
    if let Some(owner) = owner {
        text += &line("source", &owner.managed_by);
    }
    match last {
        Some(last) => text += &told(last),
        None => text += &line("history", "none is kept of its last change"),
    }
    if let Some(password) = records.iter().filter(of_it).find(|record| record.action == PASSWORD) {
        text += &line("password", &format!("set by its owner at {}", time(password.at)));
    }
    text
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn told(record: &Record) -> String {
    let what = history::changes(record);
    let what = if what.is_empty() { record.action.clone() } else { format!("{} ({what})", record.action) };
    let mut text = line("last change", &what);
    text += &line("applied", &format!("{} by {}", time(record.at), record.actor));
    if !record.revision.is_empty() {
        text += &line("revision", &record.revision);
    }
    if let Some(commit) = &record.commit {
        let at = record.committed_at.map(|at| format!(", committed {}", time(at)));
        text += &line("commit", &format!("{commit}{}", at.unwrap_or_default()));
    }
    if let Some(author) = &record.author {
        text += &line("author", author);
    }
    if record.commit.is_some() {
        text += &line("signed by", record.signer.as_deref().unwrap_or("nobody whose signature was verified"));
    }
    if !record.digest.is_empty() {
        text += &line("plan", &record.digest);
    }
    if let Some(approved) = &record.approved {
        text += &line("approved by", approved);
    }
    text
}

/// What holds, as far as statuses are kept here: in a pod they are the cluster's.
fn state(resources: &[Resource], owner: &Owner) -> Option<String> {
    let start = resources.iter().find(|resource| resource.object == owner.object)?;
    let mut chain = vec![link(start)];
    let above = |kind: Kind, is: &dyn Fn(&Resource) -> bool| {
        resources.iter().find(|resource| resource.object.kind == kind && is(resource))
    };
    let address = start.spec["address"].as_str().unwrap_or_default();
    let domain = address.rsplit('@').next().unwrap_or_default().to_lowercase();
    if matches!(start.object.kind, Kind::Mailbox | Kind::Alias) {
        chain.extend(above(Kind::MailDomain, &|it| it.spec["domain"] == domain.as_str()).map(link));
    }
    if start.object.kind != Kind::MailServer {
        chain.extend(above(Kind::MailServer, &|_| true).map(link));
    }
    let (text, _) = explain(&chain);
    // The next step is for those who have kubectl.
    Some(format!("{}\n", text.split("\n\nNext: ").next().unwrap_or(&text).trim_end()))
}

fn link(resource: &Resource) -> Link {
    Link {
        kind: resource.object.kind,
        object: get::object(resource),
        events: Vec::new(),
        parts: Vec::new(),
        missing: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ADDRESS: &str = "grace@example.test";

    fn owner(kind: &str, file: &str) -> Value {
        json!({"managedBy": "standalone", "object": {"kind": kind, "namespace": "default", "name": "grace"},
               "origin": {"file": file, "line": 3}})
    }

    fn mailbox(policy: &str, legal_hold: bool, removed_at: Option<&str>) -> Value {
        json!({"accountId": 7, "owner": owner("Mailbox", "mail/grace.yaml"), "removedAt": removed_at, "usedBytes": 0,
               "declared": {"address": ADDRESS, "sendAs": [], "enabled": true, "deletionPolicy": policy,
                            "retainFor": 86_400, "legalHold": legal_hold}})
    }

    fn alias() -> Value {
        json!({"owner": owner("Alias", "mail/left.yaml"),
               "declared": {"address": ADDRESS, "domain": "example.test", "targets": ["alice@example.test"],
                            "senders": "Anyone", "enabled": true}})
    }

    fn record(kind: &str, action: &str, file: &str, subject: &str) -> Record {
        let record = json!({
            "id": 1, "at": "2026-11-21T08:00:00Z", "actor": "up", "source": "standalone", "revision": "main@sha1:ab12",
            "commit": format!("commit-of-{subject}"), "author": format!("{subject} <{subject}@example.test>"),
            "signer": format!("{subject}@example.test SHA256:{subject}"), "committedAt": null, "digest": "41c0",
            "approved": null, "action": action, "risk": "none", "kind": kind, "key": ADDRESS, "object": null,
            "origin": {"file": file, "line": 9}, "changes": [], "before": null});
        serde_json::from_value(record).expect("a record")
    }

    fn explained(mailboxes: &[Value], aliases: &[Value], records: &[Record]) -> Vec<String> {
        let observed = json!({"changeCounter": 1, "servers": [], "domains": [], "mailboxes": mailboxes, "aliases": aliases});
        let observed: Observed = serde_json::from_value(observed).expect("a state");
        Row::find(&observed, ADDRESS).iter().map(|row| row.text() + &origin(Some(row), records)).collect()
    }

    #[test]
    fn an_alias_over_a_kept_account_is_told_with_it() {
        let records = [
            record("Alias", "create", "mail/left.yaml", "bob"),
            record("Mailbox", "password", "", "nobody"),
            record("Mailbox", "disable", "mail/grace.yaml", "carol"),
            record("Mailbox", "create", "mail/grace.yaml", "alice"),
        ];
        let told = explained(&[mailbox("Delete", false, Some("2026-11-21T08:00:00Z"))], &[alias()], &records);
        let [alias, account] = &told[..] else { panic!("{told:?}") };
        for expected in [
            "grace@example.test: alias default/grace, in service\n",
            "  declared at: mail/left.yaml:3\n",
            "  commit:      commit-of-bob\n",
            "  author:      bob <bob@example.test>\n",
            "  signed by:   bob@example.test SHA256:bob\n",
        ] {
            assert!(alias.contains(expected), "{expected}\n{alias}");
        }
        for expected in [
            "mailbox default/grace, out of service since 2026-11-21 08:00:00 UTC, because nothing declares it",
            "  kept:        until 2026-11-22 08:00:00 UTC, then it is deleted (deletionPolicy Delete); declaring",
            "  stood at:    mail/grace.yaml:3\n",
            "  last change: disable\n",
            "  commit:      commit-of-carol\n",
            "  signed by:   carol@example.test SHA256:carol\n",
            "  password:    set by its owner at 2026-11-21 08:00:00 UTC\n",
        ] {
            assert!(account.contains(expected), "{expected}\n{account}");
        }
        assert!(!alias.contains("carol") && !alias.contains("password:"), "{alias}");
    }

    #[test]
    fn until_when_an_account_is_kept() {
        let left = Some("2026-11-21T08:00:00Z");
        for (account, expected) in [
            (mailbox("Disable", false, None), None),
            (
                mailbox("Disable", false, left),
                Some("until somebody runs mailwright purge, from 2026-11-22 08:00:00 UTC on;"),
            ),
            (mailbox("Delete", false, left), Some("until 2026-11-22 08:00:00 UTC, then it is deleted")),
            (mailbox("Delete", true, left), Some("by a legal hold, for as long as it lasts;")),
        ] {
            let told = explained(&[account], &[], &[]).concat();
            assert_eq!(told.contains("  kept: "), expected.is_some(), "{told}");
            assert!(told.contains(expected.unwrap_or("in service")), "{expected:?}\n{told}");
        }
    }
}
