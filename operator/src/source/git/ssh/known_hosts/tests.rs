//! Lines as ssh-keygen writes them, and keys that are and are not in them.

use super::*;

const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=";
/// The hash of `example.com`, as OpenSSH made it.
const HASHED: &str = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=";

fn key(text: &str) -> PublicKey {
    PublicKey::from_openssh(text).unwrap()
}

/// What is said of a key that a host shows; empty when it is the host's.
fn check(lines: &str, host: &str, port: u16, shown: &str) -> String {
    KnownHost::new(lines, host, port)
        .check(&key(shown))
        .map_err(|error| error.to_string())
        .err()
        .unwrap_or_default()
}

#[test]
fn hosts_are_found_in_every_form_of_line() {
    let table = [
        (format!("example.com {ONE}"), "example.com", 22, true),
        (format!("example.com {ONE} a comment"), "EXAMPLE.com", 22, true),
        (format!("example.com\t{ONE}\r"), "example.com", 22, true),
        (format!("other,example.com,10.0.0.1 {ONE}"), "10.0.0.1", 22, true),
        (format!("[example.com]:2222 {ONE}"), "example.com", 2222, true),
        (format!("[::1]:2222 {ONE}"), "::1", 2222, true),
        (format!("{HASHED} {ONE}"), "example.com", 22, true),
        (format!("*.example.com {ONE}"), "git.example.com", 22, true),
        (format!("git?.example.com {ONE}"), "git1.example.com", 22, true),
        (format!("# example.com {TWO}\n\nexample.com {TWO}\nexample.com {ONE}"), "example.com", 22, true),
        (format!("example.com {ECDSA}\nexample.com {ONE}"), "example.com", 22, true),
        // Not meant, so not known.
        (format!("example.com {ONE}"), "example.com", 2222, false),
        (format!("[example.com]:2222 {ONE}"), "example.com", 22, false),
        (format!("{HASHED} {ONE}"), "example.org", 22, false),
        (format!("*.example.com,!git.example.com {ONE}"), "git.example.com", 22, false),
        (format!("#example.com {ONE}"), "example.com", 22, false),
        (format!("@cert-authority example.com {ONE}"), "example.com", 22, false),
        (format!("|1|not base64|x {ONE}"), "example.com", 22, false),
        (format!("|2|x|x {ONE}"), "example.com", 22, false),
        ("example.com ssh-ed25519 broken".to_owned(), "example.com", 22, false),
        ("example.com".to_owned(), "example.com", 22, false),
        (String::new(), "example.com", 22, false),
    ];
    for (lines, host, port, known) in table {
        let said = check(&lines, host, port, ONE);
        assert_eq!(said.is_empty(), known, "{lines}: {said}");
        assert!(known || said.contains("is not in known_hosts"), "{said}");
    }
}

#[test]
fn a_refusal_names_the_fingerprint_and_the_remedy() {
    let fingerprint = |text| key(text).fingerprint(HashAlg::Sha256).to_string();
    let (one, two) = (fingerprint(ONE), fingerprint(TWO));
    assert!(one.starts_with("SHA256:") && one != two);
    assert_eq!(
        check("", "git.example.test", 2222, ONE),
        format!(
            "the host key of [git.example.test]:2222 is not in known_hosts (ssh-ed25519 {one}); when the server's owner \
             confirms the fingerprint, add this line: [git.example.test]:2222 {ONE}"
        )
    );
    assert_eq!(
        check(&format!("# x\nexample.com {TWO}"), "example.com", 22, ONE),
        format!(
            "the host key of example.com has changed to ssh-ed25519 {one}, and line 2 of known_hosts has ssh-ed25519 \
             {two}; someone may be listening in: replace the line only when the server's owner confirms the new \
             fingerprint"
        )
    );
    // Revoked counts more than known, and wherever it stands.
    for lines in
        [format!("example.com {ONE}\n@revoked * {ONE}"), format!("@revoked * {ONE}\n@revoked * {TWO}")]
    {
        let said = check(&lines, "example.com", 22, ONE);
        assert!(
            said.contains("is marked @revoked in line ") && said.ends_with("ask its owner for the new key"),
            "{said}"
        );
        assert!(said.contains(&one), "{said}");
    }
    // A revoked key is no reason to think that another one has changed.
    let said = check(&format!("@revoked example.com {TWO}"), "example.com", 22, ONE);
    assert!(said.contains("is not in known_hosts"), "{said}");
}

#[test]
fn a_server_is_asked_for_the_kinds_that_are_known() {
    let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7";
    let names = |lines: &str| {
        let known = KnownHost::new(lines, "x", 22).algorithms();
        known.map(|known| known.iter().map(|kind| kind.as_str().to_owned()).collect::<Vec<_>>())
    };
    assert_eq!(names("").unwrap(), Vec::<String>::new());
    assert_eq!(names(&format!("x {ONE}\nx {TWO}")).unwrap(), ["ssh-ed25519"]);
    let both = names(&format!("x {ECDSA}\nx {ONE}\n@revoked x {TWO}")).unwrap();
    assert!(both.contains(&"ecdsa-sha2-nistp256".to_owned()) && both.len() == 2, "{both:?}");
    assert_eq!(names(&format!("x {ECDSA}\n@revoked x {ONE}")).unwrap(), ["ecdsa-sha2-nistp256"]);
    assert_eq!(
        names(&format!("x {rsa}")).unwrap(),
        Vec::<String>::new(),
        "a line that cannot be read is passed over"
    );
}

#[test]
fn wildcards_match_as_in_a_shell() {
    let table = [
        ("*", "", true),
        ("*", "x", true),
        ("a*b*c", "a-b-b-c", true),
        ("a*b*c", "a-b-b", false),
        ("?", "", false),
        ("??", "ab", true),
        ("ab", "abc", false),
        ("*a*a*a*a*a*a*a*b", &"a".repeat(2000), false),
    ];
    for (pattern, name, expected) in table {
        assert_eq!(wildcard(pattern.as_bytes(), name.as_bytes()), expected, "{pattern}");
    }
}
