//! Known trace fields, and the property that nothing from outside breaks out of them.

use std::net::IpAddr;

use mailwright_smtp::{BodyType, Domain, Mailbox, Peer, Tls};
use proptest::prelude::*;

use super::*;

fn transfer(helo: Option<Helo>) -> Transfer {
    Transfer {
        peer: Peer::new("192.0.2.1".parse().unwrap()),
        helo,
        esmtp: true,
        lmtp: false,
        authenticated: false,
        tls: None,
        smtputf8: false,
        body: BodyType::SevenBit,
    }
}

fn tls() -> Option<Tls> {
    Some(Tls {
        version: "TLSv1.3".to_owned(),
        cipher: "TLS13_AES_256_GCM_SHA384".to_owned(),
        server_name: None,
        channel_binding: false,
    })
}

fn to(text: &str) -> ForwardPath {
    ForwardPath::Mailbox(Mailbox::parse(text).unwrap())
}

fn domain(text: &str) -> Option<Helo> {
    Some(Helo::Domain(Domain::Name(text.to_owned())))
}

fn date() -> DateTime<FixedOffset> {
    DateTime::parse_from_rfc3339("2026-11-20T08:04:05+01:00").unwrap()
}

fn write(from: &str, recipients: &[ForwardPath], transfer: &Transfer) -> String {
    let reverse_path = match from {
        "" => ReversePath::Null,
        from => ReversePath::Mailbox(Mailbox::parse(from).unwrap()),
    };
    let trace = Trace {
        reverse_path: &reverse_path,
        recipients,
        transfer,
        hostname: "mx.example.test",
        id: "4f2a-1",
        date: date(),
    };
    String::from_utf8(trace.write()).unwrap()
}

#[test]
fn one_recipient_under_tls() {
    let transfer = Transfer {
        peer: Peer { ip: "2001:db8::1".parse().unwrap(), name: Some("out.example.org".to_owned()) },
        tls: tls(),
        ..transfer(domain("client.example.org"))
    };
    assert_eq!(
        write("alice@example.org", &[to("Bob+x@example.test")], &transfer),
        "Return-Path: <alice@example.org>\r\n\
         Received: from client.example.org (out.example.org [IPv6:2001:db8::1])\r\n\
         \tby mx.example.test with ESMTPS id 4f2a-1\r\n\
         \t(TLSv1.3 TLS13_AES_256_GCM_SHA384)\r\n\
         \tfor <Bob+x@example.test>;\r\n\
         \tFri, 20 Nov 2026 08:04:05 +0100\r\n"
    );
}

/// RFC 5321 §7.2: several recipients do not learn of each other; `<postmaster>` alone is no path of the grammar.
#[test]
fn no_for_clause() {
    let plain = "Return-Path: <>\r\n\
                 Received: from [192.0.2.1] ([192.0.2.1])\r\n\
                 \tby mx.example.test with ESMTP id 4f2a-1;\r\n\
                 \tFri, 20 Nov 2026 08:04:05 +0100\r\n";
    assert_eq!(write("", &[to("a@b"), to("c@d")], &transfer(None)), plain);
    assert_eq!(write("", &[ForwardPath::Postmaster], &transfer(None)), plain);
    assert_eq!(write("", &[], &transfer(None)), plain);
}

#[test]
fn names_of_the_client() {
    for (helo, expected) in [
        (domain("a.example"), "Received: from a.example ([192.0.2.1])\r\n"),
        (
            Some(Helo::Domain(Domain::Literal("192.0.2.9".parse::<std::net::Ipv4Addr>().unwrap().into()))),
            "Received: from [192.0.2.9] ([192.0.2.1])\r\n",
        ),
        (Some(Helo::Other("my_pc".to_owned())), "Received: from [192.0.2.1] ([192.0.2.1]) (HELO my_pc)\r\n"),
        (
            Some(Helo::Other("a)b(\\".to_owned())),
            "Received: from [192.0.2.1] ([192.0.2.1]) (HELO a\\)b\\(\\\\)\r\n",
        ),
        (Some(Helo::Other("\r\nX: y".to_owned())), "Received: from [192.0.2.1] ([192.0.2.1]) (HELO X:y)\r\n"),
    ] {
        let written = write("", &[], &transfer(helo));
        assert_eq!(written.split_inclusive("\r\n").nth(1), Some(expected));
    }
    let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();
    let written = write("", &[], &Transfer { peer: Peer::new(mapped), ..transfer(None) });
    assert!(written.contains("from [192.0.2.7] ([192.0.2.7])"), "{written}");
}

/// RFC 3848 §1 and RFC 6531 §4.3.
#[test]
fn protocols() {
    for (esmtp, lmtp, smtputf8, under_tls, authenticated, expected) in [
        (false, false, false, false, false, "SMTP"),
        (true, false, false, false, false, "ESMTP"),
        (true, false, false, true, false, "ESMTPS"),
        (false, false, false, true, false, "ESMTPS"),
        (true, false, false, false, true, "ESMTPA"),
        (true, false, false, true, true, "ESMTPSA"),
        (true, false, true, false, false, "UTF8SMTP"),
        (true, false, true, true, false, "UTF8SMTPS"),
        (true, false, true, true, true, "UTF8SMTPSA"),
        (true, true, false, false, false, "LMTP"),
        (true, true, false, true, false, "LMTPS"),
        (true, true, true, false, false, "UTF8LMTP"),
    ] {
        let tls = if under_tls { tls() } else { None };
        let transfer = Transfer { esmtp, lmtp, smtputf8, authenticated, tls, ..transfer(None) };
        let written = write("", &[], &transfer);
        assert!(written.contains(&format!(" with {expected} id ")), "{written}");
    }
}

#[test]
fn prefix_of_a_message_without_header() {
    let (transfer, path) = (transfer(None), ReversePath::Null);
    let trace = Trace {
        reverse_path: &path,
        recipients: &[],
        transfer: &transfer,
        hostname: "mx.example.test",
        id: "1",
        date: date(),
    };
    for (raw, separated) in
        [("Subject: x\r\n\r\n", false), ("\r\nhello\r\n", false), ("hello\r\n", true), ("", true)]
    {
        let prefix = trace.prefix(&MessageFacts::of(raw.as_bytes()));
        assert_eq!(prefix.ends_with(b"\r\n\r\n"), separated, "{raw:?}");
        assert!(prefix.starts_with(&trace.write()));
    }
}

/// Two fields, no more, whatever the names hold; every line within RFC 5322 §2.1.1.
fn check_shape(text: &str) -> Result<(), TestCaseError> {
    prop_assert!(text.ends_with("\r\n"));
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    prop_assert!(lines[0].starts_with("Return-Path: <"));
    prop_assert!(lines[1].starts_with("Received: from "));
    for line in &lines {
        prop_assert!(line.len() <= 998, "{}", line.len());
        prop_assert!(!line.contains(|c: char| c.is_control() && c != '\t'), "{line:?}");
        prop_assert!(!line.trim().is_empty());
    }
    prop_assert!(lines[2..].iter().all(|line| line.starts_with('\t')));
    let mut depth = 0;
    let mut quoted = false;
    for c in text.chars() {
        match c {
            _ if quoted => quoted = false,
            '\\' => quoted = true,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        prop_assert!(depth >= 0);
    }
    prop_assert_eq!(depth, 0);
    Ok(())
}

proptest! {
    #[test]
    fn nothing_breaks_out(
        helo in proptest::option::of("[\u{0}-\u{7f}é]{0,300}"),
        name in proptest::option::of("[\u{0}-\u{7f}é]{0,300}"),
        cipher in "[\u{0}-\u{7f}]{0,20}",
        id in "[\u{0}-\u{7f}é]{0,20}",
    ) {
        let transfer = Transfer {
            peer: Peer { ip: "192.0.2.1".parse().unwrap(), name },
            helo: helo.map(Helo::Other),
            tls: Some(Tls { version: cipher.clone(), cipher, server_name: None,channel_binding: false }),
            ..transfer(None)
        };
        let path = ReversePath::Mailbox(Mailbox::parse("alice@example.org").unwrap());
        let trace = Trace {
            reverse_path: &path,
            recipients: &[],
            transfer: &transfer,
            hostname: "mx.example.test",
            id: &id,
            date: date(),
        };
        check_shape(&String::from_utf8(trace.write()).unwrap())?;
    }

    /// Addresses are written in quotes where they need them.
    #[test]
    fn addresses_stay_in_place(local in "[ -~é]{1,31}") {
        let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
        let Ok(mailbox) = Mailbox::parse(&format!("\"{quoted}\"@example.org")) else { return Ok(()) };
        let written = write(&mailbox.to_string(), &[ForwardPath::Mailbox(mailbox.clone())], &transfer(domain("a.example")));
        let lines: Vec<&str> = written.split_terminator("\r\n").collect();
        prop_assert_eq!(lines[0], format!("Return-Path: <{mailbox}>"));
        prop_assert_eq!(lines[3], format!("\tfor <{mailbox}>;"));
        prop_assert_eq!(lines.len(), 5);
    }
}
