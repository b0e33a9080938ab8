//! Lines of allowed signers: what they mean, and which of them are wrong.

use super::*;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILWSGI7niIoUYd4JFMYoD4Z0qKPB/q2EfxL9sJK6AU0P";
const ECDSA: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBJ+fgc9fWvEByBWmVRB1sQ48NhxIuajdVpxzly9il4QM9QBepcSa2CmYstQ5iA5Yw0lUiY+dAPtzrFOuXlVUfey7AJq8ZeI+F3siacIWZXablzXYzZ8iQTcRsSuLlKQrXw==";

/// A file as it is understood.
fn shown(text: &str) -> String {
    let entries = match parse(text.as_bytes()) {
        Ok(entries) => entries,
        Err(error) => return error.to_string(),
    };
    let shown = |entry: &Entry| {
        let time = |time: Option<DateTime<Utc>>| time.map_or("-".to_owned(), |time| time.to_rfc3339());
        format!(
            "{} {} {} {} {} {} {}",
            entry.line,
            entry.principals,
            if entry.authority { "authority" } else { "key" },
            entry.namespaces.as_deref().unwrap_or("-"),
            time(entry.valid_after),
            time(entry.valid_before),
            entry.key.algorithm(),
        )
    };
    entries.iter().map(shown).collect::<Vec<_>>().join("\n")
}

#[test]
fn lines_are_understood() {
    let table: &[(&str, &str)] = &[
        ("", ""),
        ("# comment\n\n   # another\r\n", ""),
        (&format!("a@b {ED25519}"), "1 a@b key - - - ssh-ed25519"),
        (&format!("\n  a@b,*@c\t {ED25519} a comment \"with quotes\r\n"), "2 a@b,*@c key - - - ssh-ed25519"),
        (&format!("\"a b,!c d\" {ED25519}"), "1 a b,!c d key - - - ssh-ed25519"),
        (&format!("a@b cert-authority {ECDSA}"), "1 a@b authority - - - ecdsa-sha2-nistp384"),
        (
            &format!("a@b Cert-Authority,namespaces=\"git,file\" {ED25519}"),
            "1 a@b authority git,file - - ssh-ed25519",
        ),
        (
            &format!("a@b valid-after=\"20250102Z\",valid-before=\"202503040506\" {ED25519}"),
            "1 a@b key - 2025-01-02T00:00:00+00:00 2025-03-04T05:06:00+00:00 ssh-ed25519",
        ),
        (
            &format!("a@b valid-before=\"20250304050607Z\" {ED25519}\nc@d {ECDSA}"),
            "1 a@b key - - 2025-03-04T05:06:07+00:00 ssh-ed25519\n2 c@d key - - - ecdsa-sha2-nistp384",
        ),
        (&format!("a@b namespaces=\"a \\\" b\" {ED25519}"), "1 a@b key a \" b - - ssh-ed25519"),
    ];
    for (text, expected) in table {
        assert_eq!(shown(text), *expected, "{text}");
    }
}

#[test]
fn wrong_lines_are_named() {
    let form = "the form is \"principals [options] key-type base64-key\"";
    let known = "there are cert-authority, namespaces=\"…\", valid-after=\"…\" and valid-before=\"…\"";
    let format_of_times = "is no time; write YYYYMMDDZ, YYYYMMDDHHMMZ or YYYYMMDDHHMMSSZ";
    let certificate = format!("a@b ssh-ed25519-cert-v01@openssh.com x {}", &ED25519[12..]);
    let option = |option: &str| format!("a@b {option} {ED25519}");
    let table: &[(String, String)] = &[
        ("a@b".to_owned(), "there is no key behind the principals and options".to_owned()),
        (format!("\"a@b {ED25519}"), "a quote has no end".to_owned()),
        (
            format!("\"\" {ED25519}"),
            "there are no principals; begin with an address such as alice@example.test".to_owned(),
        ),
        (ED25519.to_owned(), "there is no key behind the principals and options".to_owned()),
        ("a@b ssh-ed25519 AAAA".to_owned(), format!("there is no key that can be read; {form}")),
        (certificate, format!("there is no key that can be read; {form}")),
        (option("no-such"), format!("the option \"no-such\" is not known; {known}")),
        (option("namespaces=git"), "the value of namespaces is not in quotes".to_owned()),
        (option("namespaces=\"git"), "a quote has no end".to_owned()),
        (option("namespaces=\"a\",namespaces=\"b\""), "the option namespaces is there twice".to_owned()),
        (option("namespaces=\"git\"x"), "options are divided by commas".to_owned()),
        (option("namespaces=\"git\","), "options are divided by commas".to_owned()),
        (option("valid-after=\"tomorrow\""), format!("valid-after {format_of_times}")),
        (option("valid-before=\"20251301Z\""), format!("valid-before {format_of_times}")),
        (
            option("valid-after=\"20250102Z\",valid-before=\"20250101Z\""),
            "valid-before is not later than valid-after".to_owned(),
        ),
        (option(&"x".repeat(MAX_LINE)), "it is longer than 16 KiB".to_owned()),
    ];
    for (text, expected) in table {
        assert_eq!(shown(&format!("# first\n{text}\n")), format!("line 2: {expected}"), "{text}");
    }
    assert_eq!(parse(b"a@b \xff").unwrap_err().to_string(), "line 1: it is not UTF-8");
    let large = vec![b'#'; MAX_BYTES + 1];
    assert!(parse(&large).unwrap_err().to_string().contains("larger than 4 MiB"));
}

#[test]
fn little_of_a_wrong_line_is_repeated() {
    assert!(shown(&format!("a@b {} {ED25519}", "s".repeat(1000))).len() < 300);
}

#[test]
fn an_entry_stands_for_addresses() {
    let entries = parse(format!("!bob@b.test,*@b.test,alice@a.test {ED25519}").as_bytes()).unwrap();
    assert_eq!(entries[0].first_principal(), "*@b.test");
    assert_eq!(entries[0].stands_for("carol@b.test"), pattern::Match::Yes);
    assert_eq!(entries[0].stands_for("bob@b.test"), pattern::Match::Negated);
    assert_eq!(entries[0].stands_for("bob@c.test"), pattern::Match::No);
    assert_eq!(entries[0].fingerprint(), "SHA256:".to_owned() + &entries[0].fingerprint()[7..]);
}

proptest::proptest! {
    #[test]
    fn random_lines_never_panic(text in ".{0,200}") {
        let _ = parse(text.as_bytes());
        let _ = parse(format!("a@b {text} {ED25519}").as_bytes());
    }
}
