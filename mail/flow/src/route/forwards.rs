//! Forwards and addresses on other hosts: with and without a copy, and every way a loop can close.

use super::tests::{Directory, example, expand, run};
use super::*;
use crate::address::Address;

impl Directory {
    /// A mailbox that forwards.
    fn forwards(self, address: &str, account_id: AccountId, targets: &[&str], keep_copy: bool) -> Directory {
        let forward = targets.iter().map(|text| (*text).to_owned()).collect();
        let quota = Quota::default();
        self.with(address, Lookup::Mailbox { account_id, enabled: true, quota, forward, keep_copy })
    }
}

/// The decision in short: accounts, then `address` or `address via a b` of others, then what is deferred; or the reason.
fn short(decision: &Decision) -> String {
    match decision {
        Decision::Reject(reason) => reason.code().to_owned(),
        Decision::Deliver { accounts, remote, deferred, .. } => {
            let mut words: Vec<String> = accounts.iter().map(ToString::to_string).collect();
            words.extend(remote.iter().map(|target| match target.via.is_empty() {
                true => target.address.clone(),
                false => format!("{} via {}", target.address, target.via.join(" ")),
            }));
            words.extend(deferred.iter().map(|address| format!("later {address}")));
            words.join(", ")
        }
    }
}

fn check(directory: &Directory, to: &str, expected: &str) {
    let (decision, _) = expand(directory, to, Address::parse("x@elsewhere.test"), None);
    assert_eq!(short(&decision), expected, "{to}");
}

#[test]
fn copies() {
    let directory = example()
        .forwards("keeps@example.test", 20, &["Out@Elsewhere.test", "bob@example.test"], true)
        .forwards("sends@example.test", 21, &["out@elsewhere.test"], false)
        .forwards("nested@example.test", 22, &["sends@example.test", "keeps@example.test"], false)
        .forwards("gone-on@example.test", 23, &["nobody@example.test"], false)
        .forwards("detail@example.test", 24, &["alice+fwd@example.test"], false)
        .alias("list@example.test", &["sends@example.test", "alice@example.test", "Member@Other.test"]);
    check(&directory, "keeps@example.test", "20, 2, Out@elsewhere.test via keeps@example.test");
    check(&directory, "sends@example.test", "out@elsewhere.test via sends@example.test");
    check(&directory, "sends+x@example.test", "out@elsewhere.test via sends@example.test");
    check(&directory, "sends@example.org", "out@elsewhere.test via sends@example.test");
    check(
        &directory,
        "nested@example.test",
        "20, 2, out@elsewhere.test via nested@example.test sends@example.test, \
         Out@elsewhere.test via nested@example.test keeps@example.test",
    );
    check(&directory, "gone-on@example.test", "unknown_user");
    check(&directory, "detail@example.test", "1");
    check(
        &directory,
        "list@example.test",
        "1, Member@other.test via list@example.test, out@elsewhere.test via list@example.test sends@example.test",
    );
    check(&directory, "foreign@example.test", "x@elsewhere.test via foreign@example.test");
}

#[test]
fn circles_end_with_a_copy() {
    let directory = example()
        .forwards("me@example.test", 20, &["me@example.test"], false)
        .forwards("ping@example.test", 21, &["pong@example.test"], false)
        .forwards("pong@example.test", 22, &["ping@example.test"], false)
        .forwards("both@example.test", 23, &["other@example.test"], true)
        .forwards("other@example.test", 24, &["both@example.test"], true)
        .alias("ring@example.test", &["member@example.test"])
        .forwards("member@example.test", 25, &["ring@example.test"], false)
        .forwards("out@example.test", 26, &["out+x@example.org", "away@elsewhere.test"], false);
    check(&directory, "me@example.test", "20");
    check(&directory, "ping@example.test", "21");
    check(&directory, "pong@example.test", "22");
    check(&directory, "both@example.test", "23, 24");
    check(&directory, "ring@example.test", "25");
    check(&directory, "member@example.test", "25");
    check(&directory, "out@example.test", "26, away@elsewhere.test via out@example.test");
}

/// A loop over another host: the copy that left carries marks, and comes back with them.
#[test]
fn circles_over_another_host_end() {
    let directory = example()
        .forwards("sends@example.test", 20, &["out@elsewhere.test"], false)
        .forwards("keeps@example.test", 21, &["out@elsewhere.test"], true)
        .alias("list@example.test", &["out@elsewhere.test", "alice@example.test"])
        .alias("@catch.test", &["out@elsewhere.test"]);
    for (to, first, second) in [
        ("sends@example.test", "out@elsewhere.test via sends@example.test", "20"),
        ("keeps@example.test", "21, out@elsewhere.test via keeps@example.test", "21"),
        ("list@example.test", "1, out@elsewhere.test via list@example.test", "alias_loop"),
        ("any@catch.test", "out@elsewhere.test via any@catch.test", "alias_loop"),
        ("alice@example.test", "1", "1"),
    ] {
        let fresh = expand(&directory, to, None, None).0;
        assert_eq!(short(&fresh), first, "{to}");
        let Decision::Deliver { remote, .. } = fresh else { panic!("it is delivered") };
        let via = remote.first().map(|target| target.via.clone()).unwrap_or_default();
        let message = [loop_marks(&via), b"Subject: x\r\n\r\n".to_vec()].concat();
        let facts = crate::MessageFacts::of(&message);
        assert_eq!(facts.delivered_to, via);
        let back = Expander::new(Recipient::parse(to).unwrap(), None, None).marked(&facts.delivered_to);
        assert_eq!(short(&run(&directory, &mut { back }).0), second, "{to} come back");
    }
}

#[test]
fn marks_are_one_line_each() {
    let via = ["a@x.test".to_owned(), "b@x.test\r\nX: y".to_owned()];
    let marks = String::from_utf8(loop_marks(&via)).unwrap();
    assert_eq!(marks, "Delivered-To: b@x.testX: y\r\nDelivered-To: a@x.test\r\n");
    assert_eq!(loop_marks(&[]), b"");
}

/// A mark is compared as addresses are, and a stranger's mark is nobody's.
#[test]
fn marks_of_others() {
    let directory = example().forwards("sends@example.test", 20, &["out@elsewhere.test"], false);
    for (mark, expected) in [
        ("Sends@Example.TEST", "20"),
        ("out@elsewhere.test", "out@elsewhere.test via sends@example.test"),
        ("sends@example.org", "out@elsewhere.test via sends@example.test"),
    ] {
        let marks = [mark.to_owned()];
        let mut expander =
            Expander::new(Recipient::parse("sends@example.test").unwrap(), None, None).marked(&marks);
        assert_eq!(short(&run(&directory, &mut expander).0), expected, "{mark}");
    }
}

#[test]
fn relaying() {
    let directory = example();
    for (to, may_relay, expected) in [
        ("Some.One+x@Elsewhere.test", true, "Some.One+x@elsewhere.test"),
        ("\"a b\"@elsewhere.test", true, "\"a b\"@elsewhere.test"),
        ("x@Bücher.example", true, "x@xn--bcher-kva.example"),
        ("x@elsewhere.test", false, "no_relay"),
        ("nobody@example.test", true, "unknown_user"),
        ("nobody@parked.test", true, "parked_domain"),
        ("alice@example.test", true, "1"),
    ] {
        let recipient = Recipient::parse(to).unwrap();
        let mut expander = Expander::new(recipient, None, None).relaying(may_relay);
        assert_eq!(short(&run(&directory, &mut expander).0), expected, "{to} {may_relay}");
    }
}

/// With a queue, a full member holds back nobody; alone it is refused so that the client keeps the message.
#[test]
fn full_members_wait() {
    let full = Quota { limit: Some(1), used: 1 };
    let forwarding = |keep_copy| Lookup::Mailbox {
        account_id: 30,
        enabled: true,
        quota: full,
        forward: vec!["out@elsewhere.test".to_owned()],
        keep_copy,
    };
    let directory = example()
        .with("keeps-full@example.test", forwarding(true))
        .with("sends-full@example.test", forwarding(false))
        .alias("both@example.test", &["alice@example.test", "keeps-full@example.test"])
        .alias("only@example.test", &["full@example.test"])
        .alias("away@example.test", &["sends-full@example.test"]);
    for (to, expected, deferring) in [
        ("crowded@example.test", "over_quota", "1, later full@example.test"),
        ("both@example.test", "over_quota", "1, later keeps-full@example.test"),
        ("only@example.test", "over_quota", "over_quota"),
        ("full@example.test", "over_quota", "over_quota"),
        ("keeps-full@example.test", "over_quota", "over_quota"),
        (
            "away@example.test",
            "out@elsewhere.test via away@example.test sends-full@example.test",
            "out@elsewhere.test via away@example.test sends-full@example.test",
        ),
    ] {
        let expander = Expander::new(Recipient::parse(to).unwrap(), None, None);
        assert_eq!(short(&run(&directory, &mut expander.clone()).0), expected, "{to}");
        assert_eq!(short(&run(&directory, &mut expander.deferring()).0), deferring, "{to} deferring");
    }
}
