//! Our DKIM signatures before other people's verifiers: dkimpy (RSA and Ed25519) and OpenDKIM (RSA).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use mailwright_crds::mail_domain::DkimAlgorithm as Declared;
use mailwright_operator::dkim;
use mailwright_server::dkim::Signers;
use mailwright_server::{DkimAlgorithm, Secret, SigningKey};
use mailwright_tests::harness::{need, root, skip};

const DOMAIN: &str = "example.test";
/// Python of Debian, which has Debian's packages.
const PYTHON: &str = "/usr/bin/python3";

/// Keys, their records, and a place for messages.
struct Bench {
    signers: Signers,
    records: BTreeMap<String, String>,
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        let (mut keys, mut records) = (Vec::new(), BTreeMap::new());
        for (selector, declared, algorithm, name) in [
            ("202611r", Declared::Rsa2048, DkimAlgorithm::RsaSha256, "rsa"),
            ("202611e", Declared::Ed25519, DkimAlgorithm::Ed25519Sha256, "ed25519"),
        ] {
            let key = dkim::generate(selector.to_owned(), declared).unwrap();
            let public = base64(&key.public);
            records
                .insert(format!("{selector}._domainkey.{DOMAIN}"), format!("v=DKIM1; k={name}; p={public}"));
            let pem = Secret::new(key.private_pem.clone());
            keys.push(SigningKey { selector: selector.to_owned(), algorithm, pem });
        }
        let (signers, errors) = Signers::new(&BTreeMap::from([(DOMAIN.to_owned(), keys)]));
        assert!(errors.is_empty(), "{errors:?}");
        Bench { signers, records, directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        [self.signers.sign(DOMAIN, message, now as i64), message.to_vec()].concat()
    }

    /// What dkimpy says of each message.
    fn dkimpy(&self, messages: &[Vec<u8>]) -> Vec<String> {
        let records = self.path("records.json");
        std::fs::write(&records, serde_json::to_vec(&self.records).unwrap()).unwrap();
        let mut python = Command::new(PYTHON);
        python.arg(root().join("tests/clients/dkim_verify.py")).arg(&records);
        for (at, message) in messages.iter().enumerate() {
            let path = self.path(&format!("{at}.eml"));
            std::fs::write(&path, message).unwrap();
            python.arg(path);
        }
        let output = python.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    }
}

fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |bits: u32| char::from(ALPHABET[(bits & 63) as usize]);
    let mut out = String::new();
    for chunk in octets.chunks(3) {
        let bits =
            chunk.iter().fold(0, |bits, octet| (bits << 8) | u32::from(*octet)) << (8 * (3 - chunk.len()));
        let letters = [18, 12, 6, 0].map(|shift| letter(bits >> shift));
        out.extend(letters.iter().take(chunk.len() + 1));
        out.extend(std::iter::repeat_n('=', 3 - chunk.len()));
    }
    out
}

/// Messages whose header or body has a habit that canonical forms are about.
fn messages() -> Vec<Vec<u8>> {
    let header = "From: Alice <alice@example.test>\r\nTo: bob@example.org\r\nSubject: Hi\r\nDate: Fri, 20 Nov 2026 08:04:05 +0000\r\n";
    let folded = "From: Alice\r\n\t<alice@example.test>\r\nSubject: one\r\n two  three \r\n\tfour\r\nTo:  a@example.org,\r\n b@example.org\r\n\
        References: <1@x>\r\n <2@x>\r\nDate: Fri, 20 Nov 2026 08:04:05 +0000\r\n";
    let eight_bit = "From: \"J\u{f6}rg\" <alice@example.test>\r\nSubject: Gr\u{fc}\u{df}e\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Transfer-Encoding: 8bit\r\n";
    let long = "x".repeat(900);
    [
        format!("{header}\r\nHello\r\n"),
        format!("{header}\r\n"),
        format!("{header}\r\n\r\n"),
        format!("{header}\r\n\r\n\r\n\r\n"),
        format!("{header}\r\nHello\r\n\r\n\r\n"),
        format!("{header}\r\n  leading and trailing \t \r\n\t tabs\tand   runs\r\n \r\n"),
        format!("{folded}\r\nfolded\r\n"),
        format!("{eight_bit}\r\nGr\u{fc}\u{df}e aus K\u{f6}ln\r\n"),
        format!("{header}X-Long: {long}\r\n\r\n{}", format!("{long}\r\n").repeat(200)),
        format!("Received: from a\r\n\tby b; now\r\n{header}\r\n..\r\n.\r\n"),
        format!("{header}To: second@example.org\r\nCc:\r\n\r\ntwo To fields\r\n"),
    ]
    .map(String::into_bytes)
    .to_vec()
}

#[test]
fn dkimpy_verifies_both_signatures() {
    if !has_dkimpy() {
        return skip("dkimpy is not installed (cargo xtask test --only install)");
    }
    let bench = Bench::new();
    let signed: Vec<Vec<u8>> = messages().iter().map(|message| bench.sign(message)).collect();
    for (verdict, message) in bench.dkimpy(&signed).iter().zip(&signed) {
        assert_eq!(verdict, "pass pass", "{}", String::from_utf8_lossy(message));
    }
    // The same with a change that counts, and with a second From.
    let text = String::from_utf8(signed[0].clone()).unwrap();
    let second = text.replace("To: bob", "From: mallory@example.test\r\nTo: bob");
    let changed = [text.replace("Hello", "Hallo"), text.replace("Subject: Hi", "Subject: Ho"), second];
    for verdict in bench.dkimpy(&changed.map(String::into_bytes)) {
        assert_eq!(verdict.matches("fail").count(), 2, "{verdict}");
    }
}

#[test]
fn opendkim_verifies_the_rsa_signature() {
    if !need(&["opendkim"]) {
        return;
    }
    let bench = Bench::new();
    let (keys, conf) = (bench.path("keys"), bench.path("conf"));
    let line = |(name, record): (&String, &String)| format!("{name} {record}\n");
    std::fs::write(
        &keys,
        bench.records.iter().filter(|(name, _)| name.contains("202611r")).map(line).collect::<String>(),
    )
    .unwrap();
    std::fs::write(&conf, format!("Mode v\nTestPublicKeys {}\n", keys.display())).unwrap();
    for (at, message) in messages().iter().enumerate() {
        // It knows no Ed25519: the RSA signature is the first field. It reads lines as Unix has them.
        let signed = String::from_utf8_lossy(&bench.sign(message)).replace("\r\n", "\n");
        let second = signed.match_indices("DKIM-Signature:").nth(1).unwrap().0;
        let rest = signed.len() - message_length(message);
        let one = format!("{}{}", &signed[..second], &signed[rest..]);
        let path = bench.path(&format!("{at}.eml"));
        std::fs::write(&path, one).unwrap();
        let said = opendkim(&conf, &path);
        assert!(said.contains("2048-bit key) succeeded"), "{at}: {said}");
    }
}

fn message_length(message: &[u8]) -> usize {
    String::from_utf8_lossy(message).replace("\r\n", "\n").len()
}

fn opendkim(conf: &Path, message: &Path) -> String {
    let program = if Path::new("/usr/sbin/opendkim").exists() { "/usr/sbin/opendkim" } else { "opendkim" };
    let output = Command::new(program).arg("-x").arg(conf).arg("-t").arg(message).arg("-v").output().unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

fn has_dkimpy() -> bool {
    let probe = Command::new(PYTHON).args(["-c", "import dkim, nacl"]).output();
    probe.is_ok_and(|output| output.status.success())
}
