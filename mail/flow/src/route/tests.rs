//! The expander against a directory in memory: tables of who gets what, and properties over random directories.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::address::Address;

/// Answers lookups as the database does.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    domains: BTreeMap<String, Lookup>,
    entries: BTreeMap<String, Lookup>,
}

impl Directory {
    fn lookup(&self, key: &Key) -> Lookup {
        let of_domain = || self.domains.get(key.domain()).cloned().unwrap_or(Lookup::NoSuchDomain);
        self.entries.get(&key.to_string()).cloned().unwrap_or_else(of_domain)
    }

    fn serve(mut self, domain: &str) -> Directory {
        self.domains.insert(domain.to_owned(), Lookup::NoSuchAddress);
        self
    }

    fn domain(mut self, domain: &str, answer: Lookup) -> Directory {
        self.domains.insert(domain.to_owned(), answer);
        self
    }

    pub(super) fn with(mut self, address: &str, answer: Lookup) -> Directory {
        self.entries.insert(address.to_owned(), answer);
        self
    }

    fn mailbox(self, address: &str, account_id: AccountId) -> Directory {
        self.with(address, mailbox(account_id, true, Quota::default()))
    }

    pub(super) fn alias(self, address: &str, targets: &[&str]) -> Directory {
        self.guarded(address, targets, SendersPolicy::Anyone, &[])
    }

    fn guarded(self, address: &str, targets: &[&str], senders: SendersPolicy, members: &[&str]) -> Directory {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        self.with(
            address,
            Lookup::Alias { enabled: true, targets: own(targets), senders, member_addresses: own(members) },
        )
    }
}

fn mailbox(account_id: AccountId, enabled: bool, quota: Quota) -> Lookup {
    Lookup::Mailbox { account_id, enabled, quota, forward: Vec::new(), keep_copy: true }
}

pub(super) fn example() -> Directory {
    let full = Quota { limit: Some(100), used: 100 };
    let nearly = Quota { limit: Some(100), used: 90 };
    Directory::default()
        .serve("example.test")
        .serve("catch.test")
        .domain("example.org", Lookup::DomainAlias { domain: "Example.TEST".to_owned() })
        .domain("a.test", Lookup::DomainAlias { domain: "b.test".to_owned() })
        .domain("b.test", Lookup::DomainAlias { domain: "a.test".to_owned() })
        .domain("parked.test", Lookup::ParkedDomain)
        .mailbox("alice@example.test", 1)
        .mailbox("bob@example.test", 2)
        .mailbox("bob+vip@example.test", 3)
        .mailbox("exact@example.org", 4)
        .mailbox("carol@catch.test", 5)
        .with("gone@example.test", mailbox(6, false, full))
        .with("full@example.test", mailbox(7, true, full))
        .with("nearly@example.test", mailbox(8, true, nearly))
        .alias("@catch.test", &["alice@example.test"])
        .alias("team@example.test", &["bob@example.test", "alice@example.test"])
        .alias("nested@example.test", &["team@example.test", "Alice+x@example.org", "carol@catch.test"])
        .alias("loop@example.test", &["pool@example.test"])
        .alias("pool@example.test", &["loop@example.test"])
        .alias("self@example.test", &["self@example.test", "bob@example.test"])
        .alias("left@example.test", &["middle@example.test", "right@example.test"])
        .alias("right@example.test", &["middle@example.test"])
        .alias("middle@example.test", &["alice@example.test"])
        .alias("some@example.test", &["gone@example.test", "nobody@example.test", "alice@example.test"])
        .alias("none@example.test", &["gone@example.test", "nobody@example.test"])
        .alias("crowded@example.test", &["alice@example.test", "full@example.test"])
        .alias("foreign@example.test", &["x@elsewhere.test"])
        .alias("broken@example.test", &["not an address"])
        .alias("empty@example.test", &[])
        .guarded(
            "members@example.test",
            &["alice@example.test"],
            SendersPolicy::Members,
            &["Bob@example.test", "x"],
        )
        .guarded("inner@example.test", &["alice@example.test"], SendersPolicy::Domain, &[])
        .alias("outer@example.test", &["inner@example.test", "bob@example.test"])
        .with(
            "off@example.test",
            Lookup::Alias {
                enabled: false,
                targets: vec!["alice@example.test".to_owned()],
                senders: SendersPolicy::Anyone,
                member_addresses: vec![],
            },
        )
}

pub(super) fn run(directory: &Directory, expander: &mut Expander) -> (Decision, Vec<String>) {
    let mut asked = Vec::new();
    loop {
        match expander.step() {
            Step::Done(decision) => return (decision, asked),
            Step::Lookup(key) => {
                assert_eq!(expander.step(), Step::Lookup(key.clone()), "the same until it is answered");
                asked.push(key.to_string());
                expander.answer(directory.lookup(&key));
            }
        }
    }
}

pub(super) fn expand(
    directory: &Directory,
    to: &str,
    sender: Sender,
    size: Option<u64>,
) -> (Decision, Vec<String>) {
    run(directory, &mut Expander::new(Recipient::parse(to).unwrap(), sender, size))
}

fn check(to: &str, expected: Result<&[AccountId], Reason>) {
    check_from(to, Some("x@elsewhere.test"), expected);
}

fn check_from(to: &str, from: Option<&str>, expected: Result<&[AccountId], Reason>) {
    let sender = from.map(|text| Address::parse(text).unwrap());
    let got = match expand(&example(), to, sender, None).0 {
        Decision::Deliver { accounts, original, .. } => {
            assert_eq!(original, Recipient::parse(to).unwrap());
            Ok(accounts)
        }
        Decision::Reject(reason) => Err(reason),
    };
    assert_eq!(got, expected.map(<[AccountId]>::to_vec), "{to} from {from:?}");
}

#[test]
fn mailboxes_and_details() {
    check("alice@example.test", Ok(&[1]));
    check("ALICE@EXAMPLE.TEST", Ok(&[1]));
    check("alice+anything@example.test", Ok(&[1]));
    check("bob+vip@example.test", Ok(&[3]));
    check("bob+VIP@example.test", Ok(&[3]));
    check("bob+other@example.test", Ok(&[2]));
    check("nobody@example.test", Err(Reason::UnknownUser));
    check("nobody+x@example.test", Err(Reason::UnknownUser));
    check("gone@example.test", Err(Reason::DisabledMailbox));
    check("alice@elsewhere.test", Err(Reason::NoRelay));
    check("alice@parked.test", Err(Reason::ParkedDomain));
}

#[test]
fn quota() {
    check("full@example.test", Err(Reason::OverQuota));
    for (size, expected) in [(None, true), (Some(10), true), (Some(11), false), (Some(u64::MAX), false)] {
        let (decision, _) = expand(&example(), "nearly@example.test", None, size);
        assert_eq!(decision != Decision::Reject(Reason::OverQuota), expected, "{size:?}");
    }
    for (limit, used, size, fits) in [
        (None, u64::MAX, u64::MAX, true),
        (Some(0), 0, 0, false),
        (Some(1), 0, 1, true),
        (Some(1), 1, 0, false),
        (Some(u64::MAX), 1, u64::MAX, true),
    ] {
        assert_eq!(Quota { limit, used }.takes(size), fits, "{limit:?} {used} {size}");
    }
}

#[test]
fn aliases() {
    check("team@example.test", Ok(&[2, 1]));
    check("team+x@example.test", Ok(&[2, 1]));
    check("nested@example.test", Ok(&[1, 5, 2]));
    check("left@example.test", Ok(&[1]));
    check("off@example.test", Err(Reason::DisabledMailbox));
    check("broken@example.test", Err(Reason::UnknownUser));
    check("empty@example.test", Err(Reason::UnknownUser));
    check("none@example.test", Err(Reason::DisabledMailbox));
}

#[test]
fn loops_end() {
    check("loop@example.test", Err(Reason::AliasLoop));
    check("pool@example.test", Err(Reason::AliasLoop));
    check("self@example.test", Ok(&[2]));
    check("x@a.test", Err(Reason::AliasLoop));
    let (decision, asked) = expand(&example(), "x@a.test", None, None);
    assert_eq!((decision, asked.len()), (Decision::Reject(Reason::AliasLoop), MAX_DOMAIN_STEPS + 1));
}

#[test]
fn domain_aliases_and_catch_all() {
    check("alice@example.org", Ok(&[1]));
    check("exact@example.org", Ok(&[4]));
    check("exact+x@example.org", Ok(&[4]));
    check("nobody@example.org", Err(Reason::UnknownUser));
    check("carol@catch.test", Ok(&[5]));
    check("anyone@catch.test", Ok(&[1]));
    check("anyone+x@catch.test", Ok(&[1]));
    let off = Lookup::Alias {
        enabled: false,
        targets: vec![],
        senders: SendersPolicy::Anyone,
        member_addresses: vec![],
    };
    let (decision, _) = expand(&example().with("@catch.test", off), "anyone@catch.test", None, None);
    assert_eq!(decision, Decision::Reject(Reason::UnknownUser));
    let (decision, _) =
        expand(&example().alias("@catch.test", &["nobody@catch.test"]), "x@catch.test", None, None);
    assert_eq!(decision, Decision::Reject(Reason::AliasLoop));
}

/// The order of the contract: exact, without detail, domain alias, catch-all.
#[test]
fn order_of_lookups() {
    for (to, expected) in [
        ("alice@example.test", &["alice@example.test"][..]),
        ("nobody@example.test", &["nobody@example.test", "@example.test"]),
        ("no+x@example.test", &["no+x@example.test", "no@example.test", "@example.test"]),
        (
            "no+x@example.org",
            &["no+x@example.org", "no@example.org", "no+x@example.test", "no@example.test", "@example.test"],
        ),
        ("no@elsewhere.test", &["no@elsewhere.test"]),
    ] {
        assert_eq!(expand(&example(), to, None, None).1, expected, "{to}");
    }
}

#[test]
fn members_that_get_nothing() {
    let (decision, _) = expand(&example(), "some@example.test", None, None);
    let skip = |address: &str, reason| Skipped { address: address.to_owned(), reason };
    let skipped = vec![
        skip("gone@example.test", Reason::DisabledMailbox),
        skip("nobody@example.test", Reason::UnknownUser),
    ];
    let original = Recipient::parse("some@example.test").unwrap();
    assert_eq!(
        decision,
        Decision::Deliver { accounts: vec![1], remote: vec![], deferred: vec![], original, skipped }
    );
    // A full mailbox could take its copy later: nobody gets it now, the sender tries again.
    check("crowded@example.test", Err(Reason::OverQuota));
}

#[test]
fn senders() {
    for (from, expected) in [
        (Some("bob@example.test"), Ok(&[1][..])),
        (Some("Bob+x@example.test"), Ok(&[1])),
        (Some("alice@example.test"), Err(Reason::SenderNotPermitted)),
        (None, Err(Reason::SenderNotPermitted)),
    ] {
        check_from("members@example.test", from, expected);
    }
    for (from, expected) in [
        (Some("anyone@example.test"), Ok(&[1][..])),
        (Some("anyone@example.org"), Ok(&[1])),
        (Some("anyone@elsewhere.test"), Err(Reason::SenderNotPermitted)),
        (Some("anyone@a.test"), Err(Reason::SenderNotPermitted)),
        (None, Err(Reason::SenderNotPermitted)),
    ] {
        check_from("inner@example.test", from, expected);
    }
    check_from("outer@example.test", Some("anyone@example.org"), Ok(&[2, 1]));
    check_from("outer@example.test", Some("x@elsewhere.test"), Ok(&[2]));
}

#[test]
fn too_deep() {
    let chain = |length: usize| {
        let mut directory = example();
        for at in 0..length {
            let next = format!("chain{}@example.test", at + 1);
            directory = directory.alias(&format!("chain{at}@example.test"), &[&next]);
        }
        directory.mailbox(&format!("chain{length}@example.test"), 9)
    };
    let expand = |length| expand(&chain(length), "chain0@example.test", None, None).0;
    assert!(matches!(expand(MAX_DEPTH), Decision::Deliver { accounts, .. } if accounts == [9]));
    assert_eq!(expand(MAX_DEPTH + 1), Decision::Reject(Reason::AliasLoop));
}

#[test]
fn too_large() {
    let mut directory = example();
    let lists: Vec<String> = (0..20).map(|list| format!("list{list}@example.test")).collect();
    for (at, list) in lists.iter().enumerate() {
        let targets: Vec<String> = (0..500).map(|member| format!("m{at}x{member}@example.test")).collect();
        directory = directory.alias(list, &targets.iter().map(String::as_str).collect::<Vec<_>>());
    }
    directory = directory.alias("all@example.test", &lists.iter().map(String::as_str).collect::<Vec<_>>());
    let (decision, asked) = expand(&directory, "all@example.test", None, None);
    assert_eq!(decision, Decision::Reject(Reason::ExpansionTooLarge));
    assert!(asked.len() <= MAX_LOOKUPS);
}

/// A driver that answers without having been asked changes nothing.
#[test]
fn answers_without_questions() {
    let mut expander = Expander::new(Recipient::parse("alice@example.test").unwrap(), None, None);
    expander.answer(Lookup::NoSuchDomain);
    let (decision, _) = run(&example(), &mut expander);
    expander.answer(Lookup::NoSuchDomain);
    assert_eq!(expander.step(), Step::Done(decision.clone()));
    assert!(matches!(decision, Decision::Deliver { .. }));
}

fn any_lookup() -> impl Strategy<Value = Lookup> {
    let address = "[a-d](\\+[a-d])?@[xy]\\.test";
    let senders =
        prop_oneof![Just(SendersPolicy::Anyone), Just(SendersPolicy::Members), Just(SendersPolicy::Domain)];
    prop_oneof![
        (1..9i64, any::<bool>(), any::<bool>()).prop_map(|(account_id, enabled, full)| {
            let quota = Quota { limit: full.then_some(1), used: 1 };
            mailbox(account_id, enabled, quota)
        }),
        (
            any::<bool>(),
            proptest::collection::vec(address, 0..4),
            senders,
            proptest::collection::vec(address, 0..2)
        )
            .prop_map(|(enabled, targets, senders, member_addresses)| Lookup::Alias {
                enabled,
                targets,
                senders,
                member_addresses
            }),
        "[xyz]\\.test".prop_map(|domain| Lookup::DomainAlias { domain }),
        Just(Lookup::NoSuchAddress),
        Just(Lookup::NoSuchDomain),
        Just(Lookup::ParkedDomain),
    ]
}

proptest! {
    /// Whatever the database says: it ends, no mailbox comes out twice, and a decision to deliver delivers to somebody.
    #[test]
    fn always_ends(answers in proptest::collection::vec(any_lookup(), 1..40), to in "[a-d](\\+[a-d])?@[xy]\\.test") {
        let mut expander = Expander::new(Recipient::parse(&to).unwrap(), Address::parse("a@x.test"), Some(1));
        let mut lookups = 0;
        let decision = loop {
            match expander.step() {
                Step::Done(decision) => break decision,
                Step::Lookup(_) => expander.answer(answers[lookups % answers.len()].clone()),
            }
            lookups += 1;
            prop_assert!(lookups <= MAX_LOOKUPS);
        };
        if let Decision::Deliver { accounts, remote, skipped, .. } = decision {
            let mut once = accounts.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), accounts.len());
            prop_assert!(!accounts.is_empty() || !remote.is_empty());
            prop_assert!(skipped.iter().all(|member| !member.reason.is_temporary()));
        }
    }
}
