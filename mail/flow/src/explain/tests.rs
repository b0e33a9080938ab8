//! Decisions told in words, as golden text.

use std::collections::BTreeMap;

use super::*;
use crate::address::Recipient;
use crate::route::{Quota, SendersPolicy};

fn lookup(key: &Key) -> Lookup {
    let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mailbox = |account_id, enabled, forward: &[&str], keep_copy| Lookup::Mailbox {
        account_id,
        enabled,
        quota: if account_id == 9 { Quota { limit: Some(1), used: 1 } } else { Quota::default() },
        forward: own(forward),
        keep_copy,
    };
    let alias = |enabled, targets: &[&str]| Lookup::Alias {
        enabled,
        targets: own(targets),
        senders: SendersPolicy::Anyone,
        member_addresses: Vec::new(),
    };
    let entries = BTreeMap::from([
        ("alice@example.test", mailbox(1, true, &[], true)),
        ("gone@example.test", mailbox(2, false, &[], true)),
        ("bob@example.test", mailbox(3, true, &["bob@example.org"], true)),
        ("carol@example.test", mailbox(4, true, &["carol@example.org"], false)),
        ("full@example.test", mailbox(9, true, &[], true)),
        (
            "team@example.test",
            alias(
                true,
                &["alice@example.test", "bob@example.test", "gone@example.test", "full@example.test"],
            ),
        ),
        ("off@example.test", alias(false, &["alice@example.test"])),
    ]);
    let domains = BTreeMap::from([
        ("example.test", Lookup::NoSuchAddress),
        ("firm.test", Lookup::DomainAlias { domain: "example.test".to_owned() }),
        ("parked.test", Lookup::ParkedDomain),
    ]);
    let entry = entries.get(key.to_string().as_str()).or_else(|| domains.get(key.domain()));
    entry.cloned().unwrap_or(Lookup::NoSuchDomain)
}

fn check(to: &str, relaying: bool, expected: &[&str]) {
    let expander = Expander::new(Recipient::parse(to).unwrap(), None, None).relaying(relaying).deferring();
    let explanation = explain(expander, lookup);
    assert_eq!(explanation.to_string().lines().collect::<Vec<_>>(), expected, "{to}");
}

#[test]
fn ours() {
    check(
        "alice+x@firm.test",
        false,
        &[
            "alice+x@firm.test: its domain is another name of example.test",
            "alice@firm.test: its domain is another name of example.test",
            "alice+x@example.test: no such address in this domain",
            "alice@example.test: a mailbox",
            "stored in 1 mailbox(es)",
            "reply: 250 2.1.5 recipient ok",
        ],
    );
    check(
        "team@example.test",
        false,
        &[
            "team@example.test: an alias of alice@example.test, bob@example.test, gone@example.test, full@example.test",
            "alice@example.test: a mailbox",
            "bob@example.test: a mailbox that forwards to bob@example.org and keeps a copy",
            "gone@example.test: a mailbox that is disabled",
            "full@example.test: a mailbox that is full",
            "bob@example.org: not a domain of this server",
            "stored in 2 mailbox(es)",
            "queued for bob@example.org by way of team@example.test, bob@example.test",
            "queued for full@example.test, whose mailbox is full",
            "nothing for gone@example.test: this address is disabled",
            "reply: 250 2.1.5 recipient ok",
        ],
    );
    check(
        "carol@example.test",
        false,
        &[
            "carol@example.test: a mailbox that forwards to carol@example.org and keeps none",
            "carol@example.org: not a domain of this server",
            "queued for carol@example.org by way of carol@example.test",
            "reply: 250 2.1.5 recipient ok",
        ],
    );
}

#[test]
fn refused() {
    for (to, found, refused, reply) in [
        (
            "off@example.test",
            "an alias that is disabled",
            "this address is disabled",
            "550 5.2.1 this address is disabled",
        ),
        (
            "x@parked.test",
            "a domain that takes no mail",
            "this domain accepts no mail",
            "556 5.1.10 this domain accepts no mail",
        ),
        (
            "x@example.org",
            "not a domain of this server",
            "not ours, and the sender may not relay",
            "550 5.7.1 relay access denied",
        ),
        (
            "full@example.test",
            "a mailbox that is full",
            "the mailbox is full",
            "452 4.2.2 the mailbox is full",
        ),
    ] {
        check(
            to,
            false,
            &[&format!("{to}: {found}"), &format!("refused: {refused}"), &format!("reply: {reply}")],
        );
    }
}

#[test]
fn others() {
    check(
        "X@example.org",
        true,
        &[
            "x@example.org: not a domain of this server",
            "queued for X@example.org",
            "reply: 250 2.1.5 recipient ok",
        ],
    );
}
