//! Keys and certificates of SSH.

use chrono::{DateTime, Utc};
use mailwright_operator::source::Commit;

use crate::tools::{Bench, keys, tag_verdict, verdict};

/// 2024-01-15, when the commits of these tests are made.
const TIME: i64 = 1_705_276_800;

/// What Git says of a commit, given a file of allowed signers.
fn git_accepts(bench: &Bench, file: &str, id: &str) -> bool {
    let path = bench.path("allowed_signers");
    std::fs::write(&path, file).unwrap();
    let option = format!("gpg.ssh.allowedSignersFile={}", path.display());
    bench.run("git", &["-c", &option, "verify-commit", id], b"", None).is_ok()
}

/// What ssh-keygen says of the signature and the payload that we cut, in the namespace of Git at the commit's time.
fn ssh_keygen_accepts(bench: &Bench, principal: &str, commit: &Commit) -> bool {
    let signed = commit.signed.as_ref().unwrap();
    let (allowed, signature) = (bench.path("allowed_signers"), bench.path("signature"));
    std::fs::write(&signature, &signed.signature).unwrap();
    let time = commit.info.committed_at.format("verify-time=%Y%m%d%H%M%SZ").to_string();
    let (allowed, signature) = (allowed.display().to_string(), signature.display().to_string());
    let arguments =
        ["-Y", "verify", "-n", "git", "-f", &allowed, "-I", principal, "-s", &signature, "-O", &time];
    bench.run("ssh-keygen", &arguments, &signed.payload, None).is_ok()
}

/// Where ours is stricter than Git's.
enum Git {
    Same,
    Accepts,
}

fn check(bench: &Bench, file: &str, id: &str, expected: Result<&str, &str>, git: &Git) {
    let commit = bench.commit(id);
    let ours = verdict(keys("allowed_signers", file), &commit, Utc::now());
    assert_eq!(ours.as_deref().map_err(String::as_str), expected, "{file}");
    let accepted = matches!(git, Git::Accepts) || expected.is_ok();
    assert_eq!(git_accepts(bench, file, id), accepted, "git says otherwise: {file}");
    if let (Ok(principal), true) = (expected, commit.signed.is_some()) {
        assert!(ssh_keygen_accepts(bench, principal, &commit), "ssh-keygen says otherwise: {file}");
    }
}

#[test]
fn every_kind_of_key_signs() {
    let bench = Bench::new();
    let table: [&[&str]; 6] = [
        &["-t", "ed25519"],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "4096"],
    ];
    let mut all = String::new();
    let mut commits = Vec::new();
    for (number, kind) in table.iter().enumerate() {
        let key = bench.ssh_key(&format!("key{number}"), kind);
        let line = format!("alice@example.test {}\n", bench.public(&key));
        let id = bench.ssh_commit(&key, TIME);
        check(&bench, &line, &id, Ok("alice@example.test"), &Git::Same);
        if !all.is_empty() {
            check(&bench, &all, &id, Err("UnknownKey"), &Git::Same);
        }
        all.push_str(&line);
        commits.push(id);
    }
    for id in &commits {
        check(&bench, &all, id, Ok("alice@example.test"), &Git::Same);
    }
    let short = bench.ssh_key("short", &["-t", "rsa", "-b", "1024"]);
    let line = format!("alice@example.test {}\n", bench.public(&short));
    check(&bench, &line, &bench.ssh_commit(&short, TIME), Err("UnsupportedSignature"), &Git::Accepts);
}

#[test]
fn lines_allow_and_refuse_as_for_git() {
    let bench = Bench::new();
    let key = bench.ssh_key("key", &["-t", "ed25519"]);
    let other = bench.ssh_key("other", &["-t", "ed25519"]);
    let (public, other) = (bench.public(&key), bench.public(&other));
    let id = bench.ssh_commit(&key, TIME);
    let table = [
        (format!("alice@example.test {public}"), Ok("alice@example.test")),
        (
            format!("# all\n\n*@example.test {other}\n*@example.test {public} laptop"),
            Ok("alice@example.test"),
        ),
        (format!("bob@example.test,carol@example.test {public}"), Ok("bob@example.test")),
        (format!("\"bob@example.test\" {public}"), Ok("bob@example.test")),
        (format!("a@b namespaces=\"git\" {public}"), Ok("a@b")),
        (format!("a@b namespaces=\"file,g?t\" {public}"), Ok("a@b")),
        (format!("a@b namespaces=\"file\" {public}"), Err("NotAllowed")),
        (format!("a@b namespaces=\"*,!git\" {public}"), Err("NotAllowed")),
        (format!("a@b valid-after=\"20240115Z\",valid-before=\"20240116Z\" {public}"), Ok("a@b")),
        (format!("a@b valid-before=\"20240115Z\" {public}"), Ok("a@b")),
        (format!("a@b valid-before=\"20240114235959Z\" {public}"), Err("ExpiredKey")),
        (format!("a@b valid-after=\"202401150001Z\" {public}"), Err("NotYetValid")),
        (format!("a@b valid-before=\"20200101Z\" {public}\nc@d {public}"), Ok("c@d")),
        (format!("a@b cert-authority {public}"), Err("UnknownKey")),
        (format!("a@b {other}"), Err("UnknownKey")),
    ];
    for (file, expected) in table {
        check(&bench, &file, &id, expected, &Git::Same);
    }
    // To Git a principal is a name; here a line that excludes the committer does not speak for the committer.
    let negated = format!("!alice@example.test,*@example.test {public}");
    check(&bench, &negated, &id, Err("NotAllowed"), &Git::Accepts);
}

/// The lines that ssh-keygen takes are those that we take.
#[test]
fn files_are_read_as_ssh_keygen_reads_them() {
    let bench = Bench::new();
    let key = bench.ssh_key("key", &["-t", "ed25519"]);
    let public = bench.public(&key);
    let id = bench.ssh_commit(&key, TIME);
    let wrong = [
        "a@b".to_owned(),
        format!("\"a@b {public}"),
        "a@b ssh-ed25519 AAAA".to_owned(),
        format!("a@b no-such {public}"),
        format!("a@b namespaces=git {public}"),
        format!("a@b namespaces=\"git {public}"),
        format!("a@b namespaces=\"git\",namespaces=\"git\" {public}"),
        format!("a@b namespaces=\"git\", {public}"),
        format!("a@b valid-after=\"tomorrow\" {public}"),
        format!("a@b valid-after=\"20250102Z\",valid-before=\"20250101Z\" {public}"),
    ];
    for file in wrong {
        let data = [("allowed_signers".to_owned(), file.clone().into_bytes())].into();
        let error = mailwright_operator::source::verify::Keys::parse(&data).unwrap_err().to_string();
        assert!(error.starts_with("allowed_signers, line 1: "), "{error}");
        assert!(!git_accepts(&bench, &file, &id), "{file}");
    }
}

#[test]
fn certificates_are_believed_by_their_authority() {
    let bench = Bench::new();
    let authority = bench.ssh_key("authority", &["-t", "ecdsa"]);
    let rsa = bench.ssh_key("rsa", &["-t", "rsa", "-b", "3072"]);
    let (ca, rsa_ca) = (bench.public(&authority), bench.public(&rsa));
    let signed = |name: &str, by: &str, options: &[&str]| {
        let key = bench.ssh_key(name, &["-t", "ed25519"]);
        let public = format!("{key}.pub");
        let mut arguments = vec!["-q", "-s", by, "-I", "id"];
        arguments.extend(options);
        arguments.push(&public);
        bench.ssh_keygen(&arguments);
        bench.ssh_commit(&format!("{key}-cert.pub"), TIME)
    };
    let window = ["-n", "alice@example.test,bob@example.test", "-V", "20240101Z:20240201Z"];
    let good = signed("good", &authority, &window);
    let by_rsa = signed("by-rsa", &rsa, &["-t", "rsa-sha2-512", "-n", "alice@example.test"]);
    let late = signed("late", &authority, &["-n", "alice@example.test", "-V", "20240201Z:20250101Z"]);
    let over = signed("over", &authority, &["-n", "alice@example.test", "-V", "20230101Z:20240101Z"]);
    let host = signed("host", &authority, &["-h", "-n", "alice@example.test"]);
    let nobody = signed("nobody", &authority, &[]);
    let forced =
        signed("forced", &authority, &["-n", "alice@example.test", "-O", "force-command=/bin/false"]);
    let all = format!("*@example.test cert-authority {ca}\n");
    let table = [
        (&good, all.clone(), Ok("alice@example.test"), Git::Same),
        (&good, format!("bob@example.test cert-authority {ca}\n"), Ok("bob@example.test"), Git::Same),
        (&good, format!("carol@example.test cert-authority {ca}\n"), Err("WrongCertificate"), Git::Same),
        (&good, format!("*@example.test {ca}\n"), Err("UnknownKey"), Git::Same),
        (&good, format!("*@example.test cert-authority {rsa_ca}\n"), Err("UnknownKey"), Git::Same),
        (
            &good,
            format!("*@example.test cert-authority,namespaces=\"file\" {ca}\n"),
            Err("NotAllowed"),
            Git::Same,
        ),
        (
            &good,
            format!("*@example.test cert-authority,valid-before=\"20240110Z\" {ca}\n"),
            Err("ExpiredKey"),
            Git::Same,
        ),
        (&by_rsa, format!("*@example.test cert-authority {rsa_ca}\n"), Ok("alice@example.test"), Git::Same),
        (&late, all.clone(), Err("NotYetValid"), Git::Same),
        (&over, all.clone(), Err("ExpiredKey"), Git::Same),
        (&host, all.clone(), Err("WrongCertificate"), Git::Same),
        (&nobody, all.clone(), Err("WrongCertificate"), Git::Same),
        (&forced, all, Err("WrongCertificate"), Git::Accepts),
    ];
    for (id, file, expected, git) in table {
        check(&bench, &file, id, expected, &git);
    }
}

#[test]
fn what_was_tampered_with_is_refused() {
    let bench = Bench::new();
    let key = bench.ssh_key("key", &["-t", "ed25519"]);
    let file = format!("alice@example.test {}\n", bench.public(&key));
    let good = bench.ssh_commit(&key, TIME);
    let raw = String::from_utf8(bench.object("commit", &good)).unwrap();
    let unsigned = String::from_utf8(bench.commit(&good).signed.unwrap().payload).unwrap();
    // The signature made for another purpose.
    let payload = bench.path("payload");
    std::fs::write(&payload, &unsigned).unwrap();
    bench.ssh_keygen(&["-q", "-Y", "sign", "-n", "file", "-f", &key, &payload.display().to_string()]);
    let foreign = std::fs::read_to_string(bench.path("payload.sig")).unwrap();
    let foreign =
        unsigned.replacen("\n\n", &format!("\ngpgsig {}\n\n", foreign.trim_end().replace('\n', "\n ")), 1);
    let damaged = {
        // A letter in the middle of the signature's last line.
        let end = raw.find(" -----END SSH").unwrap();
        let at = end - 20;
        let letter = if raw.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{letter}{}", &raw[..at], &raw[at + 1..])
    };
    let table = [
        (raw.clone(), Ok("alice@example.test")),
        (raw.replace("\n\nchange", "\n\nanother change"), Err("WrongSignature")),
        (raw.replace("committer alice", "committer bob"), Err("WrongSignature")),
        (damaged, Err("WrongSignature")),
        (foreign, Err("WrongNamespace")),
        (unsigned, Err("Unsigned")),
    ];
    for (content, expected) in table {
        let id = bench.store("commit", content.as_bytes());
        check(&bench, &file, &id, expected, &Git::Same);
    }
}

#[test]
fn tags_are_judged_as_git_does() {
    let bench = Bench::new();
    let key = bench.ssh_key("key", &["-t", "ed25519"]);
    let other = bench.ssh_key("other", &["-t", "ed25519"]);
    let head = bench.commit(&bench.ssh_commit(&key, TIME));
    let file = format!("alice@example.test {}\n", bench.public(&key));
    let allowed = bench.path("allowed_signers");
    std::fs::write(&allowed, &file).unwrap();
    let option = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
    for (name, key, expected) in [
        ("v1", Some(&key), Ok("alice@example.test")),
        ("v2", Some(&other), Err("UnknownKey")),
        ("v3", None, Err("Unsigned")),
    ] {
        match key {
            Some(key) => {
                let signing = format!("user.signingkey={key}");
                bench.git(&[
                    "-c",
                    "gpg.format=ssh",
                    "-c",
                    &signing,
                    "tag",
                    "-s",
                    name,
                    "-m",
                    "release\n\nof it",
                ]);
            }
            None => drop(bench.git(&["tag", "-a", name, "-m", "release"])),
        }
        let ours = tag_verdict(keys("allowed_signers", file.as_str()), name, bench.tag(name), &head);
        assert_eq!(ours.as_deref().map_err(String::as_str), expected, "{name}");
        let git = bench.run("git", &["-c", &option, "verify-tag", name], b"", None);
        assert_eq!(git.is_ok(), expected.is_ok(), "{name}: {git:?}");
    }
}

/// No key of this kind can sign without its device, so its signature is put together here, and ssh-keygen says that it is one.
#[test]
fn keys_of_security_devices_sign() {
    use signature::Signer;
    use ssh_key::private::Ed25519Keypair;
    use ssh_key::public::{Ed25519PublicKey, KeyData, SkEd25519};
    use ssh_key::{Algorithm, HashAlg, LineEnding, PublicKey, Signature, SshSig};

    let bench = Bench::new();
    bench.git(&["commit", "-q", "--allow-empty", "-m", "change"]);
    let unsigned = bench.object("commit", "HEAD");
    let pair = Ed25519Keypair::from_seed(&[7; 32]);
    let public = KeyData::SkEd25519(SkEd25519::new(Ed25519PublicKey(pair.public.0), "ssh:"));
    let sign = |flags: u8| {
        let data = SshSig::signed_data("git", HashAlg::Sha512, &unsigned).unwrap();
        let digest = |bytes: &[u8]| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
        // OpenSSH PROTOCOL.u2f: hash of the application, flags, counter, hash of the message.
        let device =
            [digest(b"ssh:").as_ref(), &[flags], &9_u32.to_be_bytes(), digest(&data).as_ref()].concat();
        let made = pair.sign(&device);
        let bytes = [made.as_bytes(), &[1], &9_u32.to_be_bytes()].concat();
        let made = Signature::new(Algorithm::SkEd25519, bytes).unwrap();
        let armour = SshSig::new(public.clone(), "git", HashAlg::Sha512, made)
            .unwrap()
            .to_pem(LineEnding::LF)
            .unwrap();
        let header = format!("\ngpgsig {}\n\n", armour.trim_end().replace('\n', "\n "));
        bench.store(
            "commit",
            String::from_utf8(unsigned.clone()).unwrap().replacen("\n\n", &header, 1).as_bytes(),
        )
    };
    let file = format!("alice@example.test {}\n", PublicKey::from(public.clone()).to_openssh().unwrap());
    check(&bench, &file, &sign(1), Ok("alice@example.test"), &Git::Same);
    check(&bench, &file, &sign(5), Err("WrongSignature"), &Git::Same);
}

#[test]
fn the_time_is_the_commits() {
    let bench = Bench::new();
    let key = bench.ssh_key("key", &["-t", "ed25519"]);
    let file = format!("a@b valid-after=\"20240101Z\",valid-before=\"20240201Z\" {}\n", bench.public(&key));
    let before: DateTime<Utc> = DateTime::from_timestamp(TIME - 30 * 86400, 0).unwrap();
    let commit = bench.commit(&bench.ssh_commit(&key, TIME));
    let at = |now| verdict(keys("allowed_signers", file.as_str()), &commit, now);
    assert_eq!(
        at(Utc::now()).as_deref(),
        Ok("a@b"),
        "the window has closed since, and the commit was made within"
    );
    assert_eq!(at(before).unwrap_err(), "NotYetValid", "the commit's time has not come");
}
