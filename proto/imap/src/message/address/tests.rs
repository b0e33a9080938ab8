//! Address lists: RFC 5322's examples, groups, and what real mail gets wrong.

use super::*;
use proptest::prelude::*;

/// `name|route|mailbox|host` per address, `-` for NIL.
fn show(list: &[Address]) -> Vec<String> {
    let text = |part: &Option<Vec<u8>>| match part {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => "-".to_owned(),
    };
    list.iter()
        .map(|a| format!("{}|{}|{}|{}", text(&a.name), text(&a.route), text(&a.mailbox), text(&a.host)))
        .collect()
}

fn check(field: &str, expected: &[&str]) {
    assert_eq!(show(&parse(field.as_bytes())), expected, "{field:?}");
}

#[test]
fn plain_forms() {
    check("alice@example.test", &["-|-|alice|example.test"]);
    check("<alice@example.test>", &["-|-|alice|example.test"]);
    check("Alice <alice@example.test>", &["Alice|-|alice|example.test"]);
    check(
        "\"Alice A.\" <alice@example.test>, bob@example.org",
        &["Alice A.|-|alice|example.test", "-|-|bob|example.org"],
    );
    check("alice@example.test (Alice)", &["Alice|-|alice|example.test"]);
    check("=?utf-8?q?Andr=C3=A9?= <andre@example.test>", &["=?utf-8?q?Andr=C3=A9?=|-|andre|example.test"]);
    check("", &[]);
    check(" ,, ,", &[]);
}

/// RFC 5322 appendix A.1.2, A.1.3, A.5 and A.6.1.
#[test]
fn rfc_5322_appendix_a() {
    check("\"Joe Q. Public\" <john.q.public@example.com>", &["Joe Q. Public|-|john.q.public|example.com"]);
    check(
        "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
        &["Mary Smith|-|mary|x.test", "-|-|jdoe|example.org", "Who?|-|one|y.test"],
    );
    check(
        "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
        &["-|-|boss|nil.test", "Giant; \"Big\" Box|-|sysservices|example.net"],
    );
    check(
        "A Group:Ed Jones <joe@where.test>,joe@where.test,John <jdoe@one.test>;",
        &[
            "-|-|A Group|-",
            "Ed Jones|-|joe|where.test",
            "-|-|joe|where.test",
            "John|-|jdoe|one.test",
            "-|-|-|-",
        ],
    );
    check("Undisclosed recipients:;", &["-|-|Undisclosed recipients|-", "-|-|-|-"]);
    check("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", &["Pete|-|pete|silly.test"]);
    check(
        "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
        &["Mary Smith|@node.test|mary|example.net", "-|-|jdoe|test.example"],
    );
}

#[test]
fn groups_end() {
    check("a:b@c.test", &["-|-|a|-", "-|-|b|c.test", "-|-|-|-"]);
    check("a: b@c.test;, d@e.test", &["-|-|a|-", "-|-|b|c.test", "-|-|-|-", "-|-|d|e.test"]);
    check("x@y.test; z@y.test", &["-|-|x|y.test", "-|-|z|y.test"]);
}

#[test]
fn odd_local_parts_and_domains() {
    check("\"with space\"@example.test", &["-|-|with space|example.test"]);
    check("a.\"b c\".d@example.test", &["-|-|a.b c.d|example.test"]);
    check("user@[192.0.2.1]", &["-|-|user|[192.0.2.1]"]);
    check("<user@[IPv6:2001:db8::1]>", &["-|-|user|[IPv6:2001:db8::1]"]);
    check("<@a.test,@b.test:u@c.test>", &["-|@a.test,@b.test|u|c.test"]);
    check("jürgen@example.test", &["-|-|jürgen|example.test"]);
}

#[test]
fn broken_lists_still_say_something() {
    check("alice", &["-|-|alice|MISSING_DOMAIN"]);
    check("Alice A", &["-|-|Alice A|MISSING_DOMAIN"]);
    check("alice@", &["-|-|alice|MISSING_DOMAIN"]);
    check("Alice <alice", &["Alice|-|alice|MISSING_DOMAIN"]);
    check("Alice <>", &["Alice|-||MISSING_DOMAIN"]);
    check("\"unclosed <a@b.test>", &["-|-|unclosed <a@b.test>|MISSING_DOMAIN"]);
    check("(only a comment", &[]);
    check("a@b.test c@d.test, e@f.test", &["-|-|a|b.test", "-|-|e|f.test"]);
    check("<a@b.test> <c@d.test>", &["-|-|a|b.test", "-|-|c|d.test"]);
    check(":;", &["-|-||-", "-|-|-|-"]);
    check("a\r\n @b.test", &["-|-|a|b.test"]);
}

#[test]
fn lists_are_bounded() {
    let list = parse("a@b.test,".repeat(MAX_ADDRESSES * 2).as_bytes());
    assert_eq!(list.len(), MAX_ADDRESSES);
    assert_eq!(parse("(".repeat(1_000_000).as_bytes()), []);
}

proptest! {
    #[test]
    fn anything_ends(field in "[a@<>,;:()\" \\\\\\[\\]\r\n]{0,60}") {
        let list = parse(field.as_bytes());
        // Every group that begins also ends, so that ENVELOPE stays readable.
        let begins = list.iter().filter(|a| a.host.is_none() && a.mailbox.is_some()).count();
        let ends = list.iter().filter(|a| a.host.is_none() && a.mailbox.is_none()).count();
        prop_assert_eq!(begins, ends);
    }
}
