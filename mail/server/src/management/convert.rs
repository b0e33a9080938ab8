//! Between the plan's wire types and the store's rows, in both directions and without loss: what a plan puts in, the next
//! observation shows.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mailwright_plan::history::Before;
use mailwright_plan::observed::{
    AliasDeclared, AliasRow, CredentialRow, DeletionPolicy, DomainDeclared, DomainLimits, DomainRow, Forward,
    MailboxDeclared, MailboxRow, Management, Owner, Senders, ServerDeclared, ServerRow, SetBy,
};
use mailwright_plan::{Change, Kind, ObjectRef, Observed, Origin, Shared, Texts};
use mailwright_store as store;
use serde::{Deserialize, Serialize};

use super::ManagementError;

/// The part of a domain that the store keeps without looking into it.
#[derive(Serialize, Deserialize)]
struct DomainSettings {
    limits: DomainLimits,
    dns: serde_json::Value,
}

/// A row whose opaque part is not what was written.
fn damaged(name: &str, error: &serde_json::Error) -> ManagementError {
    ManagementError::internal(format!("the settings of {name} in the database are damaged: {error}"))
}

/// What a writer proves.
pub(super) fn fence(fence: &mailwright_plan::Fence) -> store::Fence {
    store::Fence { epoch: fence.term, database: fence.database.clone() }
}

/// All rows for a planner.
pub(super) fn observed(accounts: store::Accounts) -> Result<Observed, ManagementError> {
    let store::Accounts { change_counter, servers, domains, mailboxes, aliases } = accounts;
    let texts = &mut Texts::default();
    Ok(Observed {
        change_counter: u64::try_from(change_counter).unwrap_or_default(),
        servers: servers.into_iter().map(|it| server(it, texts)).collect::<Result<_, _>>()?,
        domains: domains.into_iter().map(|it| domain(it, texts)).collect::<Result<_, _>>()?,
        mailboxes: compact(mailboxes.into_iter().map(|it| mailbox(it, texts))),
        aliases: compact(aliases.into_iter().map(|it| alias(it, texts))),
    })
}

/// Rows that are kept: collected in place of larger ones, they would keep the room of those.
fn compact<T>(rows: impl Iterator<Item = T>) -> Vec<T> {
    let mut rows: Vec<T> = rows.collect();
    rows.shrink_to_fit();
    rows
}

fn server(server: store::Server, texts: &mut Texts) -> Result<ServerRow, ManagementError> {
    let store::ServerRow { name, settings, owner } = server.row;
    let declared: ServerDeclared =
        serde_json::from_value(settings).map_err(|error| damaged(&name, &error))?;
    Ok(ServerRow {
        declared: declared.into(),
        owner: owner.map(|owner| from_ownership(Kind::MailServer, owner, texts)),
    })
}

fn domain(domain: store::Domain, texts: &mut Texts) -> Result<DomainRow, ManagementError> {
    let row = domain.row;
    let DomainSettings { limits, dns } =
        serde_json::from_value(row.settings).map_err(|error| damaged(&row.name, &error))?;
    Ok(DomainRow {
        declared: DomainDeclared {
            domain: row.name,
            server: row.server,
            aliases: row.aliases,
            parked: row.parked,
            catch_all: row.catch_all,
            limits,
            dns,
        }
        .into(),
        owner: row.owner.map(|owner| from_ownership(Kind::MailDomain, owner, texts)),
        removed_at: domain.disabled_at.and_then(time),
    })
}

fn mailbox(mailbox: store::Mailbox, texts: &mut Texts) -> MailboxRow {
    let row = mailbox.row;
    MailboxRow {
        account_id: mailbox.id.0,
        declared: MailboxDeclared {
            address: row.address,
            display_name: Some(row.display_name).filter(|name| !name.is_empty()),
            quota: row.quota,
            send_as: row.send_as,
            forward: Some(Forward { targets: row.forward, keep_copy: row.keep_copy })
                .filter(|forward| !forward.targets.is_empty()),
            enabled: row.enabled,
            deletion_policy: match row.deletion_policy {
                store::DeletionPolicy::Disable => DeletionPolicy::Disable,
                store::DeletionPolicy::Retain => DeletionPolicy::Retain,
                store::DeletionPolicy::Delete => DeletionPolicy::Delete,
            },
            retain_for: u64::try_from(row.retain_for_seconds).unwrap_or_default(),
            legal_hold: row.legal_hold,
        }
        .into(),
        owner: row.owner.map(|owner| from_ownership(Kind::Mailbox, owner, texts)),
        removed_at: mailbox.disabled_at.and_then(time),
        credential: mailbox.credential.map(|credential| CredentialRow {
            fingerprint: credential.fingerprint,
            set_by: match credential.set_by {
                store::SetBy::Declared => SetBy::Declared,
                store::SetBy::Owner => SetBy::Owner,
            },
        }),
        used_bytes: mailbox.used_bytes,
    }
}

fn alias(alias: store::Alias, texts: &mut Texts) -> AliasRow {
    let row = alias.row;
    AliasRow {
        declared: AliasDeclared {
            address: row.address,
            targets: row.targets,
            senders: match row.senders {
                store::Senders::Anyone => Senders::Anyone,
                store::Senders::Members => Senders::Members,
                store::Senders::Domain => Senders::Domain,
            },
            enabled: row.enabled,
        }
        .into(),
        owner: row.owner.map(|owner| from_ownership(Kind::Alias, owner, texts)),
    }
}

/// A row before its change, as planners know it.
pub(super) fn before(before: store::Before) -> Result<Before, ManagementError> {
    let texts = &mut Texts::default();
    Ok(match before {
        store::Before::Server { row } => Before::Server(server(store::Server { row }, texts)?),
        store::Before::Domain { row, disabled_at } => {
            Before::Domain(domain(store::Domain { row, disabled_at }, texts)?)
        }
        store::Before::Mailbox { row, disabled_at } => {
            let row = store::Mailbox {
                id: store::AccountId(0),
                row,
                credential: None,
                disabled_at,
                retain_until: None,
                used_bytes: 0,
                last_login: None,
                created_at: 0,
            };
            let row = mailbox(row, texts);
            Before::Mailbox { declared: row.declared, owner: row.owner, removed_at: row.removed_at }
        }
        store::Before::Alias { row } => Before::Alias(alias(store::Alias { row }, texts)),
    })
}

fn time(seconds: store::UnixTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}

/// A source has few namespaces and files beside its rows: these share them.
fn from_ownership(kind: Kind, owner: store::Ownership, texts: &mut Texts) -> Shared<Owner> {
    let (namespace, name) = owner.object.split_once('/').unwrap_or(("default", &owner.object));
    Owner {
        object: ObjectRef { kind, namespace: texts.share(namespace), name: name.into() },
        origin: Origin::new(texts.share(&owner.origin_file), owner.origin_line),
        managed_by: owner.managed_by,
        applied: owner.applied,
        former: owner.former,
    }
    .into()
}

fn to_ownership(owner: &Owner) -> store::Ownership {
    store::Ownership {
        managed_by: owner.managed_by.clone(),
        object: format!("{}/{}", owner.object.namespace, owner.object.name),
        origin_file: owner.origin.file.to_string(),
        origin_line: owner.origin.line,
        applied: owner.applied.clone(),
        former: owner.former.clone(),
    }
}

/// The hashes of a batch's passwords by fingerprint.
pub(super) type Hashes = BTreeMap<String, store::NewPassword>;

/// One change for the store; `None` when it names a password that was not handed over.
pub(super) fn change(
    change: &Change,
    source_id: &str,
    password: Option<store::NewPassword>,
) -> Option<store::Change> {
    let target = |name: &str| store::Target { name: name.to_owned(), managed_by: Some(source_id.to_owned()) };
    Some(match change {
        Change::PutServer { declared, owner } => store::Change::PutServer(store::ServerRow {
            name: declared.name.clone(),
            settings: serde_json::to_value(declared).ok()?,
            owner: Some(to_ownership(owner)),
        }),
        Change::PutDomain { declared, owner } => store::Change::PutDomain(domain_row(declared, owner)?),
        Change::PutMailbox { declared, owner, credential } => {
            let credential = match credential {
                None => None,
                Some(credential) => {
                    let store::NewPassword { hash, scram } = password?;
                    Some(store::NewCredential {
                        hash,
                        scram,
                        fingerprint: credential.fingerprint.clone(),
                        management: match credential.management {
                            Management::Initial => store::Management::Initial,
                            Management::Enforced => store::Management::Enforced,
                        },
                    })
                }
            };
            store::Change::PutMailbox { row: mailbox_row(declared, owner), credential }
        }
        Change::PutAlias { declared, owner } => store::Change::PutAlias(alias_row(declared, owner)),
        Change::DisableDomain { domain } => store::Change::DisableDomain(target(domain)),
        Change::DisableMailbox { address } => store::Change::DisableMailbox(target(address)),
        Change::DeleteServer { name } => store::Change::DeleteServer(target(name)),
        Change::DeleteDomain { domain } => store::Change::DeleteDomain(target(domain)),
        Change::DeleteMailbox { address } => {
            store::Change::DeleteMailbox { target: target(address), ignore_retention: false }
        }
        Change::DeleteAlias { address } => store::Change::DeleteAlias(target(address)),
        Change::Release { kind: Kind::MailServer, key } => store::Change::ReleaseServer(target(key)),
        Change::Release { kind: Kind::MailDomain, key } => store::Change::ReleaseDomain(target(key)),
        Change::Release { kind: Kind::Mailbox, key } => store::Change::ReleaseMailbox(target(key)),
        Change::Release { kind: Kind::Alias, key } => store::Change::ReleaseAlias(target(key)),
        Change::Release { kind: Kind::MailRepository, .. } | Change::Object { .. } => return None,
    })
}

fn domain_row(declared: &DomainDeclared, owner: &Owner) -> Option<store::DomainRow> {
    let settings = DomainSettings { limits: declared.limits, dns: declared.dns.clone() };
    Some(store::DomainRow {
        name: declared.domain.clone(),
        server: declared.server.clone(),
        aliases: declared.aliases.clone(),
        parked: declared.parked,
        catch_all: declared.catch_all.clone(),
        settings: serde_json::to_value(settings).ok()?,
        owner: Some(to_ownership(owner)),
    })
}

fn mailbox_row(declared: &MailboxDeclared, owner: &Owner) -> store::MailboxRow {
    store::MailboxRow {
        address: declared.address.clone(),
        display_name: declared.display_name.clone().unwrap_or_default(),
        quota: declared.quota,
        enabled: declared.enabled,
        send_as: declared.send_as.clone(),
        forward: declared.forward.as_ref().map(|forward| forward.targets.clone()).unwrap_or_default(),
        keep_copy: declared.forward.as_ref().is_none_or(|forward| forward.keep_copy),
        deletion_policy: match declared.deletion_policy {
            DeletionPolicy::Disable => store::DeletionPolicy::Disable,
            DeletionPolicy::Retain => store::DeletionPolicy::Retain,
            DeletionPolicy::Delete => store::DeletionPolicy::Delete,
        },
        retain_for_seconds: i64::try_from(declared.retain_for).unwrap_or(i64::MAX),
        legal_hold: declared.legal_hold,
        owner: Some(to_ownership(owner)),
    }
}

fn alias_row(declared: &AliasDeclared, owner: &Owner) -> store::AliasRow {
    store::AliasRow {
        address: declared.address.clone(),
        targets: declared.targets.clone(),
        senders: match declared.senders {
            Senders::Anyone => store::Senders::Anyone,
            Senders::Members => store::Senders::Members,
            Senders::Domain => store::Senders::Domain,
        },
        enabled: declared.enabled,
        owner: Some(to_ownership(owner)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_survive_both_ways() {
        for kind in Kind::PLANNED {
            let owner = Owner {
                managed_by: "https://git.example.test/mail.git".into(),
                object: ObjectRef { kind, namespace: "team-a".into(), name: "x".into() },
                origin: Origin::new("deep/er/file.yaml", 4711),
                applied: Some("0123456789abcdef".into()),
                former: Some("elsewhere".into()),
            };
            assert_eq!(*from_ownership(kind, to_ownership(&owner), &mut Texts::default()), owner);
        }
    }

    #[test]
    fn a_damaged_row_is_named() {
        let settings = serde_json::json!({"hostname": 7});
        let row = store::ServerRow { name: "mail/main".into(), settings, owner: None };
        let accounts = store::Accounts { servers: vec![store::Server { row }], ..Default::default() };
        let error = observed(accounts).unwrap_err();
        assert!(error.message.contains("mail/main"), "{error}");
    }

    #[test]
    fn times_outside_the_calendar_are_left_out() {
        assert_eq!(time(0).map(|time| time.to_rfc3339()), Some("1970-01-01T00:00:00+00:00".into()));
        assert_eq!(time(i64::MAX), None);
    }
}
