//! Who may send as whom, in envelope and header.

use super::*;

fn identity() -> Identity {
    Identity::new(
        [
            "Alice@example.test",
            "office@example.test",
            "alice+vip@example.org",
            "not an address",
            "@whole.test",
        ],
        [("Firm.test", "example.test"), ("other.test", "elsewhere.test")],
    )
}

#[test]
fn envelope_senders() {
    for (sender, allowed) in [
        ("alice@example.test", true),
        ("ALICE@EXAMPLE.TEST", true),
        ("alice+shop@example.test", true),
        ("office@example.test", true),
        ("office+x@example.test", true),
        ("alice@firm.test", true),
        ("alice+x@FIRM.test", true),
        ("alice+vip@example.org", true),
        ("anyone@whole.test", true),
        ("alice@example.org", false),
        ("bob@example.test", false),
        ("bob+alice@example.test", false),
        ("alice@other.test", false),
        ("alice@sub.example.test", false),
        ("alice@elsewhere.test", false),
        ("+alice@example.test", false),
    ] {
        let expected = if allowed { Ok(()) } else { Err(Reason::SenderNotYours) };
        assert_eq!(may_send(&Address::parse(sender), &identity()), expected, "{sender}");
    }
    assert_eq!(may_send(&None, &identity()), Ok(()), "the null sender");
    assert_eq!(Reason::SenderNotYours.reply().to_string(), "553 5.7.1 this sender address is not yours");
    let nobody = Identity::new([""; 0], [("", ""); 0]);
    assert_eq!(may_send(&Address::parse("alice@example.test"), &nobody), Err(Reason::SenderNotYours));
}

#[test]
fn header_authors() {
    for (header, expected) in [
        ("From: Alice <alice@example.test>\r\n", Ok(())),
        ("From: alice@firm.test, office@example.test\r\n", Ok(())),
        ("Subject: x\r\n", Ok(())),
        ("From: bob@example.test\r\n", Err(Reason::AuthorNotYours)),
        ("From: alice@example.test, bob@example.test\r\n", Err(Reason::AuthorNotYours)),
        ("From: \"alice@example.test\" <bob@example.test>\r\n", Err(Reason::AuthorNotYours)),
        ("From: alice\r\n", Err(Reason::AuthorNotYours)),
        ("From: bob@example.test\r\nSender: alice@example.test\r\n", Err(Reason::AuthorNotYours)),
        ("From: alice@example.test\r\nSender: bob@example.test\r\n", Err(Reason::AuthorNotYours)),
        ("From: alice@example.test\r\nFrom: alice@example.test\r\n", Err(Reason::HeaderAmbiguous)),
        ("From: \r\n", Err(Reason::HeaderAmbiguous)),
        ("From: bob@example.org\r\nResent-From: alice@example.test\r\n", Ok(())),
        ("From: alice@example.test\r\nResent-From: bob@example.org\r\n", Err(Reason::AuthorNotYours)),
        (
            "From: x@example.org\r\nResent-From: alice@example.test\r\nResent-Sender: bob@example.org\r\n",
            Err(Reason::AuthorNotYours),
        ),
    ] {
        let facts = HeaderFacts::of(format!("{header}\r\n").as_bytes());
        assert_eq!(may_sign(&facts, &identity()), expected, "{header:?}");
    }
}

#[test]
fn domains_that_sign() {
    for (header, own, trusted) in [
        ("From: alice@example.test\r\n", Some("example.test"), Some("example.test")),
        ("From: Alice <alice@FIRM.test>\r\n", Some("firm.test"), Some("firm.test")),
        ("From: bob@example.test\r\n", None, Some("example.test")),
        ("From: bob@example.org\r\nResent-From: alice@example.test\r\n", None, Some("example.org")),
        ("Subject: x\r\n", None, None),
        ("From: nobody\r\n", None, None),
    ] {
        let facts = HeaderFacts::of(format!("{header}\r\n").as_bytes());
        assert_eq!(signing_domain(&facts, Some(&identity())), own, "{header:?}");
        assert_eq!(signing_domain(&facts, None), trusted, "{header:?} from a trusted network");
    }
}
