//! Private keys as people give them. The connection itself is tested against a real sshd (`tests/source_git/session.rs`).

use std::path::Path;
use std::process::Command;

use super::*;
use crate::source::SecretValue;

fn made(directory: &Path, name: &str, kind: &str, passphrase: &str, more: &[&str]) -> SecretValue {
    let path = directory.join(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(&path).args(more);
    assert!(keygen.status().unwrap().success());
    SecretValue::new(std::fs::read(path).unwrap())
}

#[test]
fn identities_are_read_or_refused_without_being_shown() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name, kind, passphrase, more: &[&str]| made(directory.path(), name, kind, passphrase, more);
    let plain = make("plain", "ed25519", "", &[]);
    let locked = make("locked", "ed25519", "hunter2", &[]);
    let ecdsa = make("ecdsa", "ecdsa", "", &[]);
    let rsa = make("rsa", "rsa", "", &["-b", "2048"]);
    let table = [
        (plain.clone(), None, ""),
        (plain, Some("unused"), ""),
        (ecdsa, None, ""),
        (locked.clone(), Some("hunter2\n"), ""),
        (locked.clone(), None, "identity is encrypted; add its passphrase as password"),
        (locked, Some("hunter3"), "identity cannot be read with the given password; check both"),
        (rsa, None, "make one with ssh-keygen -t ed25519"),
        (SecretValue::new("hunter2"), None, "identity is no private key that can be read; make one with"),
        (
            SecretValue::new(vec![0xff, 0xfe]),
            None,
            "identity is no private key that can be read; make one with",
        ),
    ];
    for (key, passphrase, expected) in table {
        let credentials = SshCredentials {
            identity: Some(key),
            passphrase: passphrase.map(SecretValue::new),
            known_hosts: SecretValue::default(),
        };
        let said = identity(&credentials).map_err(|error| error.to_string()).err().unwrap_or_default();
        assert_eq!(said.is_empty(), expected.is_empty(), "{said}");
        assert!(said.contains(expected) && !said.contains("hunter"), "{said}");
    }
}
