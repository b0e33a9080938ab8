//! Known answers of both algorithms, and hostile chains.

use super::*;
use proptest::prelude::*;

/// `(Message-ID, References, Subject, date)`; numbers from 1 on.
type Given<'a> = (&'a str, &'a str, &'a str, i64);

fn threads(algorithm: Algorithm, messages: &[Given<'_>]) -> String {
    let mut threader = Threader::new(algorithm);
    for (number, (id, references, subject, date)) in (1..).zip(messages) {
        let id = format!("<{id}@x>");
        let references: Vec<Vec<u8>> =
            references.split_whitespace().map(|id| format!("{id}@x").into_bytes()).collect();
        let entry = Entry {
            number,
            date: *date,
            subject: Some(subject.as_bytes()),
            message_id: (id != "<@x>").then_some(id.as_bytes()),
            references: &references,
        };
        threader.add(&entry).unwrap();
    }
    threader.finish()
}

fn check(messages: &[Given<'_>], expected: &str) {
    assert_eq!(threads(Algorithm::References, messages), expected, "{messages:?}");
}

#[test]
fn nothing() {
    check(&[], "");
    assert_eq!(threads(Algorithm::OrderedSubject, &[]), "");
}

#[test]
fn chains_and_branches() {
    check(&[("a", "", "x", 1), ("b", "a", "Re: x", 2), ("c", "a b", "Re: x", 3)], "(1 2 3)");
    check(&[("a", "", "x", 1), ("b", "a", "Re: x", 3), ("c", "a", "Re: x", 2)], "(1 (3)(2))");
    // RFC 5256 §4 THREAD: "(2)(3 6 (4 23)(44 7 96))", in small.
    check(
        &[
            ("lone", "", "other", 0),
            ("a", "", "x", 1),
            ("c", "a b", "Re: x", 3),
            ("e", "a b d", "Re: x", 5),
            ("b", "a", "Re: x", 2),
            ("f", "a b d e", "Re: x", 6),
            ("d", "a b", "Re: x", 4),
        ],
        "(1)(2 5 (3)(7 4 6))",
    );
    // Whatever order they come in.
    check(&[("c", "a b", "Re: x", 3), ("b", "a", "Re: x", 2), ("a", "", "x", 1)], "(3 2 1)");
}

/// RFC 5256 §3 REFERENCES, step 3.
#[test]
fn missing_messages() {
    // A missing parent with one child makes room for it.
    check(&[("b", "a", "x", 1)], "(1)");
    // With two it stays, but has no number.
    check(&[("b", "a", "x", 1), ("c", "a", "y", 2)], "((1)(2))");
    // Below the top it never stays.
    check(&[("a", "", "x", 1), ("c", "a b", "Re: x", 2), ("d", "a b", "Re: x", 3)], "(1 (2)(3))");
    check(&[("d", "a b c", "x", 1), ("e", "a b", "y", 2), ("f", "a", "z", 3)], "((1)(2)(3))");
}

/// Step 1: loops are not made, doubles have no name, presumed links give way.
#[test]
fn odd_references() {
    check(&[("a", "b", "x", 1), ("b", "a", "y", 2)], "(2 1)");
    check(&[("a", "a", "x", 1)], "(1)");
    check(&[("a", "", "x", 1), ("a", "", "y", 2), ("b", "a", "Re: x", 3)], "(1 3)(2)");
    // c presumes that a is below z; a itself knows of no parent, and comes later.
    check(&[("c", "z a", "p", 1), ("z", "", "q", 2), ("a", "", "r", 3)], "(2)(3 1)");
    check(&[("a", "", "r", 1), ("z", "", "q", 2), ("c", "z a", "p", 3)], "(2 1 3)");
    check(&[("", "", "x", 1), ("", "", "y", 2)], "(1)(2)");
}

/// Step 5.
#[test]
fn subjects_are_gathered() {
    // A reply goes below the original, whichever came first.
    check(&[("a", "", "x", 1), ("b", "", "Re: x", 2)], "(1 2)");
    check(&[("b", "", "Re: x", 1), ("a", "", "x", 2)], "(2 1)");
    // Two originals, or two replies, become siblings.
    check(&[("a", "", "x", 1), ("b", "", "x", 2)], "((1)(2))");
    check(&[("a", "", "Re: x", 1), ("b", "", "Re: x", 2), ("c", "", "fwd: x", 3)], "((1)(2)(3))");
    // Below a missing parent there is room for more.
    check(&[("b", "a", "x", 1), ("c", "a", "x", 2), ("d", "", "x", 3)], "((1)(2)(3))");
    check(
        &[("b", "a", "x", 1), ("c", "a", "x", 2), ("e", "d", "x", 3), ("f", "d", "x", 4)],
        "((1)(2)(3)(4))",
    );
    // The empty subject gathers nothing.
    check(&[("a", "", "", 1), ("b", "", "Re:", 2)], "(1)(2)");
}

#[test]
fn dates_order_threads_and_siblings() {
    check(&[("a", "", "x", 9), ("b", "", "y", 3), ("c", "b", "Re: y", 20)], "(2 3)(1)");
    check(&[("a", "", "x", 5), ("b", "", "y", 5)], "(1)(2)");
    // A missing parent is as old as its first child.
    check(&[("a", "m", "x", 9), ("b", "m", "x", 2), ("c", "", "y", 3)], "((2)(1))(3)");
}

/// RFC 5256 §3 ORDEREDSUBJECT.
#[test]
fn ordered_subject() {
    let check = |messages: &[Given<'_>], expected| {
        assert_eq!(threads(Algorithm::OrderedSubject, messages), expected);
    };
    check(&[("", "", "x", 1), ("", "", "y", 2), ("", "", "Re: X", 3)], "(1 3)(2)");
    check(
        &[("", "", "x", 5), ("", "", "Re: x", 1), ("", "", "fwd: x", 7), ("", "", "y", 2)],
        "(2 (1)(3))(4)",
    );
}

/// A chain in which everybody refers to everybody, and one that is as long as a mailbox.
#[test]
fn hostile_chains_end() {
    let mut threader = Threader::new(Algorithm::References);
    let mut add = |number: u32, id: String, references: Vec<Vec<u8>>| {
        let entry = Entry {
            number,
            date: 0,
            subject: Some(b"x"),
            message_id: Some(id.as_bytes()),
            references: &references,
        };
        threader.add(&entry)
    };
    const CHAIN: u32 = 60_000;
    // From the end, so that every link is presumed before its message comes.
    for number in (1..=CHAIN).rev() {
        add(number, format!("<{number}@x>"), vec![format!("{}@x", number - 1).into_bytes()]).unwrap();
    }
    let everybody: Vec<Vec<u8>> = (1..1000).map(|n| format!("{n}@x").into_bytes()).collect();
    for number in 0..200 {
        add(CHAIN + 1 + number, format!("<m{number}@x>"), everybody.clone()).unwrap();
    }
    let threads = threader.finish();
    assert!(threads.starts_with("(1 2 3 4 "), "{}", &threads[..40]);
    let numbers = threads.split(|c: char| !c.is_ascii_digit()).filter(|word| !word.is_empty()).count();
    assert_eq!(numbers, CHAIN as usize + 200);
}

#[test]
fn memory_is_counted() {
    let mut threader = Threader::new(Algorithm::References);
    let subject = "long ".repeat(1000);
    let mut number = 0;
    let added = loop {
        number += 1;
        let subject = format!("{number} {subject}");
        let references: Vec<Vec<u8>> = (0..1000).map(|n| format!("{number}.{n}@x").into_bytes()).collect();
        let entry = Entry {
            number,
            date: 0,
            subject: Some(subject.as_bytes()),
            message_id: None,
            references: &references,
        };
        if threader.add(&entry) == Err(TooMuch) {
            break number;
        }
    };
    assert!((100..5000).contains(&added), "{added}");
}

proptest! {
    /// Every message is in the answer once, parentheses match, and sorting by number changes nothing.
    #[test]
    fn every_message_once(
        messages in prop::collection::vec((0u8..12, prop::collection::vec(0u8..12, 0..5), 0u8..5, any::<bool>(), 0i64..4), 0..30),
        references in any::<bool>(),
    ) {
        let algorithm = if references { Algorithm::References } else { Algorithm::OrderedSubject };
        let mut threader = Threader::new(algorithm);
        for (number, (id, refs, subject, reply, date)) in (1..).zip(&messages) {
            let id = format!("<{id}@x>");
            let refs: Vec<Vec<u8>> = refs.iter().map(|id| format!("{id}@x").into_bytes()).collect();
            let subject = format!("{}{}", if *reply { "Re: " } else { "" }, ["", "a", "b", "c", "d"][*subject as usize]);
            threader.add(&Entry {
                number,
                date: *date,
                subject: Some(subject.as_bytes()),
                message_id: Some(id.as_bytes()),
                references: &refs,
            }).unwrap();
        }
        let text = threader.finish();
        let mut depth = 0i32;
        for c in text.chars() {
            depth += match c { '(' => 1, ')' => -1, _ => 0 };
            prop_assert!(depth >= 0, "{}", text);
        }
        prop_assert_eq!(depth, 0, "{}", text);
        let mut numbers: Vec<usize> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (1..=messages.len()).collect::<Vec<_>>(), "{}", text);
        prop_assert!(!text.contains("( ") && !text.contains("()") && !text.contains("  "), "{}", text);
    }
}
