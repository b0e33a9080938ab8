//! Routes of addresses in tables: aliases, catch-alls, alias domains, loops.

use serde_json::json;

use super::*;
use crate::observed::Observed;

/// A state in short: addresses with targets are aliases, others mailboxes; `!` before an address is out of service.
fn state(domains: &[(&str, &[&str], Option<&str>)], addresses: &[(&str, &[&str])]) -> Observed {
    let mut observed = Observed::default();
    for (domain, aliases, catch_all) in domains {
        let declared = json!({"domain": domain.trim_start_matches('!'), "server": "default/main", "aliases": aliases,
            "parked": domain.starts_with('!'), "catchAll": catch_all, "limits": {}, "dns": {}});
        observed.domains.push(
            serde_json::from_value(json!({"declared": declared, "owner": null, "removedAt": null})).unwrap(),
        );
    }
    for (address, targets) in addresses {
        let (enabled, address) = (!address.starts_with('!'), address.trim_start_matches('!'));
        if targets.is_empty() {
            let declared = json!({"address": address, "displayName": null, "quota": null, "sendAs": [],
                "enabled": enabled, "deletionPolicy": "Disable", "retainFor": 1});
            let row = json!({"accountId": 1, "declared": declared, "owner": null, "removedAt": null,
                "credential": null, "usedBytes": 0});
            observed.mailboxes.push(serde_json::from_value(row).unwrap());
        } else {
            let declared =
                json!({"address": address, "targets": targets, "senders": "Anyone", "enabled": enabled});
            observed
                .aliases
                .push(serde_json::from_value(json!({"declared": declared, "owner": null})).unwrap());
        }
    }
    observed
}

#[test]
fn mail_goes_where_delivery_takes_it() {
    let observed = state(
        &[
            ("a.test", &["alias.test"], None),
            ("b.test", &[], Some("bob@a.test")),
            ("!parked.test", &[], None),
        ],
        &[
            ("alice@a.test", &[]),
            ("bob@a.test", &[]),
            ("!gone@a.test", &[]),
            ("al+ice@a.test", &[]),
            ("team@a.test", &["alice@a.test", "bob@a.test", "nobody@a.test"]),
            ("all@a.test", &["team@a.test", "all@a.test"]),
            ("!off@a.test", &["alice@a.test"]),
            ("old@a.test", &["gone@a.test"]),
            ("loop@a.test", &["pool@a.test"]),
            ("pool@a.test", &["loop@a.test"]),
            ("@a.test", &["alice@a.test"]),
            ("tagged@a.test", &["bob+list@alias.test"]),
            ("x@parked.test", &["alice@a.test"]),
        ],
    );
    let routes = Routes::new(&observed);
    for (address, expected) in [
        ("alice@a.test", &["alice@a.test"][..]),
        ("alice+tag@a.test", &["alice@a.test"]),
        ("al+ice@a.test", &["al+ice@a.test"]),
        ("alice@alias.test", &["alice@a.test"]),
        ("team@a.test", &["alice@a.test", "bob@a.test"]),
        ("all@a.test", &["alice@a.test", "bob@a.test"]),
        ("gone@a.test", &[]),
        ("off@a.test", &[]),
        ("old@a.test", &[]),
        ("loop@a.test", &[]),
        ("unknown@a.test", &["alice@a.test"]),
        ("unknown@b.test", &["bob@a.test"]),
        ("tagged@a.test", &["bob@a.test"]),
        ("x@parked.test", &[]),
        ("alice@elsewhere.test", &[]),
        ("no address", &[]),
    ] {
        let found: Vec<&str> = routes.route(address).mailboxes.into_iter().collect();
        assert_eq!(found, expected, "{address}");
        let leaves = address == "alice@elsewhere.test";
        assert_eq!(routes.reaches_somebody(address), leaves || !expected.is_empty(), "{address}");
    }
    assert_eq!(routes.catch_all("alias.test").as_deref(), Some("alice@a.test"));
    assert_eq!(routes.catch_all("b.test").as_deref(), Some("bob@a.test"));
    assert_eq!(routes.catch_all("parked.test"), None);
    assert_eq!(routes.aliases_to("alice@a.test"), ["@a.test", "team@a.test", "x@parked.test"]);
}

#[test]
fn forwards_lead_on_and_a_copy_stays_where_it_should() {
    let addresses =
        ["keeps@a.test", "sends@a.test", "away@a.test", "turns@a.test", "back@a.test", "bob@a.test"];
    let mut observed = state(&[("a.test", &[], None)], &addresses.map(|address| (address, &[][..])));
    for (row, (targets, keep_copy)) in observed.mailboxes.iter_mut().zip([
        (&["bob@a.test"][..], true),
        (&["bob@a.test"], false),
        (&["x@elsewhere.test"], false),
        (&["back@a.test"], false),
        (&["turns@a.test"], false),
    ]) {
        let targets = targets.iter().map(ToString::to_string).collect();
        row.declared.forward = Some(crate::observed::Forward { targets, keep_copy });
    }
    let routes = Routes::new(&observed);
    for (address, expected, leaves) in [
        ("keeps@a.test", &["bob@a.test", "keeps@a.test"][..], false),
        ("sends@a.test", &["bob@a.test"], false),
        ("away@a.test", &[], true),
        // A loop that a database has from before it was a mistake: somebody keeps the mail.
        ("turns@a.test", &["back@a.test"], false),
    ] {
        let route = routes.route(address);
        assert_eq!(route.mailboxes.into_iter().collect::<Vec<_>>(), expected, "{address}");
        assert_eq!(route.leaves, leaves, "{address}");
        assert!(routes.reaches_somebody(address), "{address}");
    }
}

#[test]
fn the_path_names_every_row_that_decided() {
    let observed = state(
        &[("a.test", &[], None)],
        &[("alice@a.test", &[]), ("team@a.test", &["alice@a.test", "x@a.test"])],
    );
    let path = Routes::new(&observed).route("team@a.test").path;
    let expected =
        [(Kind::MailDomain, "a.test"), (Kind::Mailbox, "alice@a.test"), (Kind::Alias, "team@a.test")];
    assert_eq!(path, BTreeSet::from(expected));
}

#[test]
fn addresses_lose_their_detail_once() {
    for (address, plain) in [
        ("alice+tag@a.test", Some("alice@a.test")),
        ("alice+a+b@a.test", Some("alice@a.test")),
        ("alice@a.test", None),
        ("+tag@a.test", None),
        ("alice", None),
    ] {
        assert_eq!(plain_address(address).as_deref(), plain);
    }
}
