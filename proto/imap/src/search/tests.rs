//! Search keys against one message, step by step.

use super::*;
use crate::message::index;
use crate::sequence::Bound;
use proptest::prelude::*;

const RAW: &str = "From: =?utf-8?q?J=C3=BCrgen?= <juergen@example.test>\r\nTo: Alice <alice@example.test>, bob@example.org\r\n\
Subject: =?utf-8?b?R3LDvMOfZQ==?= from afar\r\nDate: Wed, 17 Jul 1996 23:30:00 -0700\r\nX-Empty:\r\nX-Tuid: AbC123\r\n\
Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble-word\r\n\
--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nStra=DFe soft=\r\nbreak\r\n\
--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+R2VoZWltPC9iPg==\r\n\
--b\r\nContent-Type: application/pdf; name=secretfile.pdf\r\n\r\nbinary-word\r\n\
--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: reportedaction\r\n\r\n\
--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: innersubject\r\n\r\ninnerbody\r\n--b--\r\n";

/// Evaluates in one go, and checks that the smallest steps lead to the same answer.
fn looked(key: &SearchKey, facts: &Facts<'_>) -> Option<bool> {
    let mut look = Look::default();
    look.allow(usize::MAX);
    let known = key.evaluate(facts, &mut look);
    let mut look = Look::default();
    let mut steps = 0;
    let slowly = loop {
        look.allow(1);
        match key.evaluate(facts, &mut look) {
            None if look.paused() => steps += 1,
            answer => break answer,
        }
        assert!(steps < 1000, "{key:?} comes to no end");
    };
    assert_eq!(slowly, known, "{key:?} in {steps} steps");
    known
}

/// Evaluates with everything there, and checks that less gives the same answer or none.
fn evaluate(mut key: SearchKey) -> bool {
    let index = index(RAW.as_bytes());
    let keywords = ["$Junk".to_owned(), "Work".to_owned()];
    key.resolve(9, 50, &keywords);
    let message = |have, raw| MessageFacts {
        internal_date: 837_596_665,
        save_date: 837_596_665 + 86_400,
        email_id: [1; 16],
        thread_id: Some([2; 16]),
        size: RAW.len() as u64,
        index: &index,
        have,
        raw,
    };
    let facts = |message| Facts {
        sequence: 3,
        uid: 30,
        flags: flags::SEEN | flags::RECENT | 1 << 6,
        modseq: 70,
        message,
    };
    let full = looked(&key, &facts(Some(message(Need::Raw, RAW.as_bytes())))).expect("known with everything");
    let steps = [
        (None, facts(None)),
        (Some(Need::Meta), facts(Some(message(Need::Meta, b"")))),
        (Some(Need::Header), facts(Some(message(Need::Header, &RAW.as_bytes()[..index.header_size()])))),
    ];
    for (have, facts) in steps {
        let known = looked(&key, &facts);
        assert!(known.is_none_or(|known| known == full), "{key:?} with {have:?}");
        assert!(known.is_some() || key.need() > have, "{key:?} needs {:?} only", key.need());
    }
    full
}

fn check(key: SearchKey, expected: bool) {
    assert_eq!(evaluate(key.clone()), expected, "{key:?}");
}

fn needle(text: &str) -> Needle {
    Needle::new(text)
}

#[test]
fn rows() {
    check(SearchKey::All, true);
    check(SearchKey::Flags { mask: flags::SEEN, set: true }, true);
    check(SearchKey::Flags { mask: flags::SEEN, set: false }, false);
    check(SearchKey::Flags { mask: flags::RECENT, set: true }, true);
    check(SearchKey::Keyword { name: "work".into(), set: true }, true);
    check(SearchKey::Keyword { name: "$junk".into(), set: true }, false);
    check(SearchKey::Keyword { name: "unheard".into(), set: true }, false);
    check(SearchKey::Keyword { name: "unheard".into(), set: false }, true);
    let set = |low, high| SequenceSet::new(vec![(Bound::Number(low), high)]);
    check(SearchKey::Sequence(set(1, Bound::Number(3))), true);
    check(SearchKey::Sequence(set(4, Bound::Largest)), false);
    check(SearchKey::Uid(set(30, Bound::Largest)), true);
    check(SearchKey::Uid(set(60, Bound::Largest)), false);
}

#[test]
fn dates_and_sizes() {
    let july = |day| date::parse_date(format!("{day}-Jul-1996").as_bytes()).unwrap();
    use crate::date;
    for (sent, order, day, expected) in [
        (false, DateOrder::Before, 18, true),
        (false, DateOrder::Before, 17, false),
        (false, DateOrder::On, 17, true),
        (false, DateOrder::Since, 17, true),
        (false, DateOrder::Since, 18, false),
        (true, DateOrder::On, 17, true),
        (true, DateOrder::Before, 17, false),
        (true, DateOrder::Since, 17, true),
    ] {
        check(SearchKey::Date { sent, order, day: july(day) }, expected);
    }
    let size = u32::try_from(RAW.len()).unwrap();
    check(SearchKey::Size { larger: true, size }, false);
    check(SearchKey::Size { larger: true, size: size - 1 }, true);
    check(SearchKey::Size { larger: false, size }, false);
    check(SearchKey::Size { larger: false, size: size + 1 }, true);
}

#[test]
fn fields() {
    check(SearchKey::Subject(needle("grüße FROM")), true);
    check(SearchKey::Subject(needle("gruesse")), false);
    check(SearchKey::Address(AddressField::From, needle("JÜRGEN <juergen@")), true);
    check(SearchKey::Address(AddressField::To, needle("bob@example.org")), true);
    check(SearchKey::Address(AddressField::To, needle("juergen")), false);
    check(SearchKey::Address(AddressField::Cc, needle("")), false);
    check(SearchKey::Address(AddressField::Bcc, needle("x")), false);
    let header = |name: &str, text| SearchKey::Header { name: name.into(), text: needle(text) };
    check(header("x-tuid", "abc123"), true);
    check(header("X-TUID", "other"), false);
    check(header("X-Empty", ""), true);
    check(header("X-Missing", ""), false);
}

#[test]
fn bodies() {
    for (text, in_body, in_text) in [
        ("straße softbreak", true, true),
        ("<b>geheim</b>", true, true),
        ("binary-word", false, false),
        ("reportedaction", true, true),
        ("innerbody", true, true),
        ("innersubject", true, true),
        ("preamble-word", false, false),
        ("secretfile", false, true),
        ("x-tuid: abc", false, true),
        ("grüße", false, true),
        ("", true, true),
    ] {
        check(SearchKey::Body(needle(text)), in_body);
        check(SearchKey::Text(needle(text)), in_text);
    }
}

#[test]
fn combinations() {
    let no = || Box::new(SearchKey::Flags { mask: flags::DELETED, set: true });
    let yes = || Box::new(SearchKey::Body(needle("innerbody")));
    check(SearchKey::Not(yes()), false);
    check(SearchKey::Or(no(), yes()), true);
    check(SearchKey::Or(no(), no()), false);
    check(SearchKey::And(vec![*yes(), *no()]), false);
    check(SearchKey::And(vec![*yes(), *yes()]), true);
    check(SearchKey::And(vec![]), true);
}

#[test]
fn the_row_alone_may_decide() {
    let key = SearchKey::And(vec![
        SearchKey::Text(needle("x")),
        SearchKey::Flags { mask: flags::SEEN, set: false },
    ]);
    let facts = Facts { sequence: 1, uid: 1, flags: flags::SEEN, modseq: 1, message: None };
    assert_eq!(key.need(), Some(Need::Raw));
    assert_eq!(looked(&key, &facts), Some(false));
    let key = SearchKey::Or(Box::new(key), Box::new(SearchKey::All));
    assert_eq!(looked(&key, &facts), Some(true));
}

fn keys() -> impl Strategy<Value = SearchKey> {
    let leaf = prop_oneof![
        Just(SearchKey::All),
        any::<bool>().prop_map(|set| SearchKey::Flags { mask: flags::SEEN, set }),
        (0u32..2000, any::<bool>()).prop_map(|(size, larger)| SearchKey::Size { larger, size }),
        "[a-z]{0,2}".prop_map(|text| SearchKey::Text(Needle::new(&text))),
        "[a-z]{0,2}"
            .prop_map(|text| SearchKey::Header { name: b"X-Tuid".to_vec(), text: Needle::new(&text) }),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| SearchKey::Not(Box::new(key))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| SearchKey::Or(Box::new(a), Box::new(b))),
            proptest::collection::vec(inner, 0..4).prop_map(SearchKey::And),
        ]
    })
}

proptest! {
    #[test]
    fn not_is_the_opposite(key in keys()) {
        prop_assert_eq!(evaluate(SearchKey::Not(Box::new(key.clone()))), !evaluate(key));
    }
}
