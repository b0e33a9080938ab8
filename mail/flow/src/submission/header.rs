//! What submission needs to know of a header: who it names as author and sender, and what is missing.
//!
//! RFC 5322 §3.4 (addresses), §3.6.2 (From, Sender), §3.6.6 (Resent-), §4.4 (obsolete routes); RFC 6854 §2.1 (groups).

use crate::address::Address;
use crate::header::fields;

/// Facts of one header. An author is `None` when it is written in no way that names an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderFacts {
    /// The addresses in From.
    pub from: Vec<Option<Address>>,
    /// The addresses in Sender.
    pub sender: Vec<Option<Address>>,
    /// The addresses in the Resent-From fields.
    pub resent_from: Vec<Option<Address>>,
    /// The addresses in the Resent-Sender fields.
    pub resent_sender: Vec<Option<Address>>,
    /// There is more than one From or Sender, or a From that names nobody: readers would differ on who wrote it.
    pub is_ambiguous: bool,
    /// It has a Date.
    pub has_date: bool,
    /// It has a Message-ID.
    pub has_message_id: bool,
    /// The message begins with its text.
    pub headless: bool,
}

/// Addresses of one field that are read; a From with more is nobody's.
const MAX_ADDRESSES: usize = 100;

impl HeaderFacts {
    /// The facts of a message.
    pub fn of(message: &[u8]) -> HeaderFacts {
        let mut facts =
            HeaderFacts { headless: crate::MessageFacts::of(message).headless, ..Default::default() };
        if facts.headless {
            return facts;
        }
        let (mut from, mut sender) = (0, 0);
        for field in fields(message) {
            let mut add = |list: fn(&mut HeaderFacts) -> &mut Vec<Option<Address>>| {
                let named = addresses(&field.text());
                facts.is_ambiguous |= named.is_empty() || named.len() > MAX_ADDRESSES;
                list(&mut facts).extend(named.iter().map(|text| Address::parse(text)));
            };
            if field.is("From") {
                from += 1;
                add(|facts| &mut facts.from);
            } else if field.is("Sender") {
                sender += 1;
                add(|facts| &mut facts.sender);
            } else if field.is("Resent-From") {
                add(|facts| &mut facts.resent_from);
            } else if field.is("Resent-Sender") {
                add(|facts| &mut facts.resent_sender);
            } else if field.is("Date") {
                facts.has_date = true;
            } else if field.is("Message-ID") {
                facts.has_message_id = true;
            }
        }
        facts.is_ambiguous |= from > 1 || sender > 1;
        facts
    }
}

/// The addr-specs of an address list, display names, comments, group names and routes left out.
///
/// ```text
/// address-list = (address *("," address)) / obs-addr-list                      RFC 5322 §3.4
/// address      = mailbox / group
/// mailbox      = [display-name] angle-addr / addr-spec
/// group        = display-name ":" [group-list] ";" [CFWS]
/// angle-addr   = [CFWS] "<" [obs-route] addr-spec ">" [CFWS]
/// ```
pub fn addresses(text: &str) -> Vec<String> {
    let mut list = Vec::new();
    let (mut plain, mut angle) = (String::new(), None::<String>);
    let mut in_angle = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let token = token(rest);
        let part = &rest[..token];
        rest = &rest[token..];
        match first {
            '(' => plain.push(' '),
            '<' => {
                in_angle = true;
                angle = Some(String::new());
            }
            '>' => in_angle = false,
            ',' | ';' if !in_angle => flush(&mut list, &mut plain, &mut angle),
            // The name of a group, or a route inside the brackets.
            ':' if in_angle => angle = Some(String::new()),
            ':' => plain.clear(),
            _ => match &mut angle {
                Some(angle) if in_angle => angle.push_str(part),
                Some(_) => {}
                None => plain.push_str(part),
            },
        }
    }
    flush(&mut list, &mut plain, &mut angle);
    list
}

/// Octets of the first token: a quoted string, a comment, a domain literal, or one character.
fn token(text: &str) -> usize {
    let close = match text.as_bytes().first() {
        Some(b'"') => b'"',
        Some(b'(') => b')',
        Some(b'[') => b']',
        _ => return text.chars().next().map_or(0, char::len_utf8),
    };
    let (mut depth, mut quoted) = (0usize, false);
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            _ if quoted => quoted = false,
            b'\\' => quoted = true,
            b'(' if close == b')' => depth += 1,
            octet if octet == close && (at > 0 || close != b'"') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}

fn flush(list: &mut Vec<String>, plain: &mut String, angle: &mut Option<String>) {
    let plain = std::mem::take(plain);
    let text = angle.take().unwrap_or(plain);
    let had_something = !text.trim().is_empty();
    if had_something {
        list.push(squeeze(&text));
    }
}

/// White space around dots and the `@` goes (RFC 5322 §4.4); other white space stays and makes it no address.
fn squeeze(text: &str) -> String {
    let mut out = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in text.trim().chars() {
        let joins = |c: char| matches!(c, '.' | '@');
        if !quoted && c.is_ascii_whitespace() {
            if !out.ends_with([' ', '.', '@']) {
                out.push(' ');
            }
            continue;
        }
        if !quoted && joins(c) && out.ends_with(' ') {
            out.pop();
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(addresses(text), expected, "{text:?}");
    }

    #[test]
    fn lists() {
        check("", &[]);
        check("alice@example.test", &["alice@example.test"]);
        check("Alice <alice@example.test>", &["alice@example.test"]);
        check("\"A, B\" <a@example.test>, b@example.test", &["a@example.test", "b@example.test"]);
        check("a@example.test (Alice <c@example.org>)", &["a@example.test"]);
        check("(x(y)\\)z) a . b @ example . test", &["a.b@example.test"]);
        check("\"a b\"@example.test", &["\"a b\"@example.test"]);
        check("\"a\\\" b\" <a@example.test>", &["a@example.test"]);
        check("<@one.test,@two.test:a@example.test>", &["a@example.test"]);
        check(
            "team: a@example.test, Bob <b@example.test>;, c@example.test",
            &["a@example.test", "b@example.test", "c@example.test"],
        );
        check("undisclosed:;", &[]);
        check("a@[192.0.2.1]", &["a@[192.0.2.1]"]);
        check("a@[IPv6:2001:db8::1]", &["a@[IPv6:2001:db8::1]"]);
        check("=?utf-8?q?=22ceo=40example=2Etest=22?= <a@example.test>", &["a@example.test"]);
        check("two words", &["two words"]);
        check("a@example.test <b@example.test>", &["b@example.test"]);
        check("\"ends", &["\"ends"]);
        check("<a@example.test", &["a@example.test"]);
    }

    #[test]
    fn facts() {
        let of = |text: &str| HeaderFacts::of(text.as_bytes());
        let address = |text: &str| Address::parse(text);
        let all = of(
            "Date: x\r\nFROM: A\r\n <a@example.test>\r\nMessage-Id: <1@x>\r\nSender: b@example.test\r\n\r\nFrom: z@z.test\r\n",
        );
        assert_eq!(all.from, [address("a@example.test")]);
        assert_eq!(all.sender, [address("b@example.test")]);
        assert!(all.has_date && all.has_message_id && !all.is_ambiguous && !all.headless);
        for (text, ambiguous) in [
            ("Subject: x\r\n\r\n", false),
            ("From: a@x.test\r\nFrom: a@x.test\r\n\r\n", true),
            ("From: a@x.test\r\nFrom : b@x.test\r\n\r\n", true),
            ("From:\r\n\r\n", true),
            ("From: nobody:;\r\n\r\n", true),
            ("Sender: a@x.test\r\nSender: a@x.test\r\n\r\n", true),
            ("Resent-From: a@x.test\r\nResent-From: b@x.test\r\n\r\n", false),
        ] {
            assert_eq!(of(text).is_ambiguous, ambiguous, "{text:?}");
        }
        assert_eq!(of("From: nobody here\r\n\r\n").from, [None]);
        assert!(of("just text\r\n").headless);
    }

    proptest! {
        #[test]
        fn any_text(text in "\\PC{0,60}") {
            let _ = addresses(&text);
        }

        /// What is written in any of these dresses is read back.
        #[test]
        fn dressed(local in "[a-z]{1,8}", name in "[A-Za-z ,:;<>@()]{0,12}", dress in 0..4usize) {
            let address = format!("{local}@example.test");
            let quoted = format!("\"{name}\"");
            let text = match dress {
                0 => address.clone(),
                1 => format!("{quoted} <{address}>"),
                2 => format!("<{address}>"),
                _ => format!("team: {quoted} <{address}>;"),
            };
            prop_assert_eq!(addresses(&text), [address]);
        }
    }
}
