//! Which hosts are tried: tables of answers, and properties over random ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn records(list: &[(u16, &str)]) -> MxAnswer {
    let exchange =
        |(preference, host): &(u16, &str)| Exchange { preference: *preference, host: (*host).to_owned() };
    MxAnswer::Records(list.iter().map(exchange).collect())
}

fn ours() -> Ourselves {
    Ourselves {
        names: vec!["mx.example.test".to_owned(), "MX2.example.test".to_owned()],
        addresses: vec!["192.0.2.25:25".parse().unwrap()],
    }
}

fn check(answer: MxAnswer, expected: Result<&[&str], MxProblem>) {
    let got = candidates("example.org", &answer, &ours(), 7);
    let got = got.map(|hosts| hosts.into_iter().map(|host| host.name).collect::<Vec<_>>());
    assert_eq!(
        got,
        expected.map(|hosts| hosts.iter().map(|host| (*host).to_owned()).collect()),
        "{answer:?}"
    );
}

#[test]
fn answers() {
    check(records(&[(20, "b.example.org."), (10, "A.example.org")]), Ok(&["a.example.org", "b.example.org"]));
    check(records(&[(10, "a.example.org"), (20, "a.example.org.")]), Ok(&["a.example.org"]));
    check(MxAnswer::NoRecords, Ok(&["example.org"]));
    check(MxAnswer::NoSuchDomain, Err(MxProblem::NoSuchDomain));
    check(MxAnswer::Failed, Err(MxProblem::Temporary));
    check(records(&[]), Err(MxProblem::NoHost));
    check(records(&[(10, "192.0.2.1")]), Err(MxProblem::NoHost));
    check(records(&[(10, "-bad-.test"), (20, "good.test")]), Ok(&["good.test"]));
}

/// RFC 7505 §3: a lone record that names the root; beside others it is nonsense that is passed over.
#[test]
fn null_mx() {
    for host in [".", ""] {
        check(records(&[(0, host)]), Err(MxProblem::NullMx));
        check(records(&[(10, host)]), Err(MxProblem::NullMx));
        check(records(&[(0, host), (10, "a.example.org")]), Ok(&["a.example.org"]));
    }
}

/// RFC 5321 §5.1: "all records with a preference equal or numerically larger" than ours are discarded.
#[test]
fn ourselves() {
    check(records(&[(10, "mx.example.test")]), Err(MxProblem::PointsToUs));
    check(records(&[(10, "MX.Example.Test."), (20, "b.test")]), Err(MxProblem::PointsToUs));
    check(records(&[(10, "mx2.example.test"), (10, "b.test")]), Err(MxProblem::PointsToUs));
    check(
        records(&[(5, "a.test"), (10, "mx.example.test"), (10, "b.test"), (20, "c.test")]),
        Ok(&["a.test"]),
    );
    let implicit = candidates("mx.example.test", &MxAnswer::NoRecords, &ours(), 0);
    assert_eq!(implicit, Err(MxProblem::PointsToUs));
}

#[test]
fn equal_preferences_are_shuffled() {
    let answer =
        records(&[(10, "a.test"), (10, "b.test"), (10, "c.test"), (5, "first.test"), (20, "last.test")]);
    let orders: BTreeSet<Vec<String>> = (0..64)
        .map(|seed| candidates("example.org", &answer, &ours(), seed).unwrap())
        .map(|hosts| hosts.into_iter().map(|host| host.name).collect())
        .collect();
    assert_eq!(orders.len(), 6, "each order of three comes up");
    for order in &orders {
        assert_eq!((order[0].as_str(), order[4].as_str()), ("first.test", "last.test"));
    }
    let again = |seed| candidates("example.org", &answer, &ours(), seed);
    assert_eq!(again(3), again(3), "the same seed, the same order");
}

#[test]
fn many_hosts_are_cut() {
    let names: Vec<String> = (0..100).map(|at| format!("h{at}.test")).collect();
    let list: Vec<(u16, &str)> =
        names.iter().enumerate().map(|(at, name)| (at as u16, name.as_str())).collect();
    let hosts = candidates("example.org", &records(&list), &ours(), 1).unwrap();
    assert_eq!((hosts.len(), hosts[0].name.as_str()), (MAX_HOSTS, "h0.test"));
}

fn found(list: &[(u16, &str, AddressAnswer)]) -> Vec<(Host, AddressAnswer)> {
    let host = |(preference, name, answer): &(u16, &str, AddressAnswer)| {
        (Host { name: (*name).to_owned(), preference: *preference }, answer.clone())
    };
    list.iter().map(host).collect()
}

fn ips(list: &[&str]) -> AddressAnswer {
    AddressAnswer::Addresses(list.iter().map(|ip| ip.parse().unwrap()).collect())
}

fn check_hops(list: &[(u16, &str, AddressAnswer)], port: u16, expected: Result<&[&str], MxProblem>) {
    let got = hops(&found(list), port, &ours(), 1);
    let got =
        got.map(|hops| hops.iter().map(|hop| format!("{}={}", hop.host, hop.address)).collect::<Vec<_>>());
    assert_eq!(got, expected.map(|hops| hops.iter().map(|hop| (*hop).to_owned()).collect()), "{list:?}");
}

#[test]
fn connections() {
    use AddressAnswer::{Failed, None};
    let one = || ips(&["192.0.2.1"]);
    let us = || ips(&["192.0.2.25"]);
    check_hops(
        &[(1, "a", one()), (2, "b", ips(&["2001:db8::1"]))],
        25,
        Ok(&["a=192.0.2.1:25", "b=[2001:db8::1]:25"]),
    );
    check_hops(&[(1, "a", None), (2, "b", one())], 25, Ok(&["b=192.0.2.1:25"]));
    check_hops(&[(1, "a", Failed), (2, "b", one())], 25, Ok(&["b=192.0.2.1:25"]));
    check_hops(&[(1, "a", Failed), (2, "b", None)], 25, Err(MxProblem::Temporary));
    check_hops(&[(1, "a", None)], 25, Err(MxProblem::NoHost));
    check_hops(&[], 25, Err(MxProblem::NoHost));
    check_hops(&[(1, "a", us()), (2, "b", one())], 25, Err(MxProblem::PointsToUs));
    check_hops(
        &[(1, "a", one()), (2, "b", us()), (3, "c", ips(&["192.0.2.3"]))],
        25,
        Ok(&["a=192.0.2.1:25"]),
    );
    check_hops(&[(1, "a", Failed), (2, "b", us())], 25, Err(MxProblem::Temporary));
    // Another port of our address is another server.
    check_hops(&[(1, "a", us())], 2525, Ok(&["a=192.0.2.25:2525"]));
    let many: Vec<String> = (1..100).map(|at| format!("192.0.2.{at}")).collect();
    let many = ips(&many.iter().map(String::as_str).filter(|ip| *ip != "192.0.2.25").collect::<Vec<_>>());
    assert_eq!(hops(&found(&[(1, "a", many)]), 25, &ours(), 1).unwrap().len(), MAX_ADDRESSES);
}

proptest! {
    /// Whatever the zone says: sorted, no host twice, never ourselves or anything behind us.
    #[test]
    fn any_zone(list in proptest::collection::vec((0..5u16, "(a|b|c|mx\\.example|\\.|[0-9.]{1,4})(\\.test)?\\.?"), 0..12), seed in any::<u64>()) {
        let list: Vec<(u16, &str)> = list.iter().map(|(preference, host)| (*preference, host.as_str())).collect();
        if let Ok(hosts) = candidates("example.org", &records(&list), &ours(), seed) {
            prop_assert!(!hosts.is_empty() && hosts.is_sorted_by_key(|host| host.preference));
            let names: BTreeSet<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
            prop_assert_eq!(names.len(), hosts.len());
            prop_assert!(!names.contains("mx.example.test"));
            let own = list.iter().filter(|(_, host)| host.trim_end_matches('.') == "mx.example.test").map(|(at, _)| *at).min();
            prop_assert!(own.is_none_or(|own| hosts.iter().all(|host| host.preference < own)));
        }
    }
}
