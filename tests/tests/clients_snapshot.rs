//! `mailwright snapshot` of an installation that has secrets, and `mailwright plan --against` it where there is no installation: the
//! plan of the live state, and nothing in the file that anybody could log in with.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::process::Command;

use mailwright_tests::harness::{Server, is_private, mailwright, run, run_with_input};
use serde_json::Value;

/// A first password that a Secret declares.
const DECLARED: &str = "sentinel-declared-Zx93kQ";
/// A password that its owner set.
const OWN: &str = "sentinel-own-Qk39xZ-owner";
/// A hash that a manifest declares; of "mailwright", by openssl passwd -6.
const HASH: &str = "$6$sentinelsalt$";

/// `mailwright` where nothing of the installation is.
fn elsewhere(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let nowhere = server.scratch().join("nowhere");
    let output = run(Command::new(mailwright()).arg("--data").arg(&nowhere).args(arguments));
    assert!(!nowhere.exists(), "a plan against a file makes no installation");
    (output.code, output.all())
}

fn hash() -> String {
    let made =
        run(Command::new("openssl").args(["passwd", "-6", "-salt", "sentinelsalt", "mailwright"])).ok();
    made.stdout.trim().to_owned()
}

#[test]
fn a_plan_offline_is_that_of_the_live_state_and_the_file_has_no_secret() {
    if !mailwright_tests::harness::need(&["openssl", "python3"]) {
        return;
    }
    let mut server = Server::example("quickstart");
    let secret = format!(
        "  credentials: {{secretRef: {{name: dave}}}}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: dave}}\nstringData: \
         {{password: {DECLARED}}}\n"
    );
    server.manifests.mailbox("dave@example.test", &secret);
    let hash = hash();
    assert!(hash.starts_with(HASH), "{hash}");
    server.manifests.mailbox("erin@example.test", &format!("  credentials: {{passwordHash: {hash}}}\n"));
    server.start();
    let mut passwd = Command::new(mailwright());
    passwd.args(["passwd", "bob@example.test", "--stdin", "--data"]).arg(server.data());
    run_with_input(&mut passwd, &format!("{OWN}\n")).ok();
    for (user, password) in [("dave", DECLARED), ("erin", "mailwright"), ("bob", OWN)] {
        let login = server.script("login.py", &[&format!("{user}@example.test"), password]).ok().stdout;
        assert!(login.starts_with("in"), "{user}: {login}");
    }

    let file = server.scratch().join("state.json");
    let state = file.display().to_string();
    server.cli(&["snapshot", "-o", &state]).ok();
    assert!(is_private(&file));
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        server.cli(&["snapshot"]).ok().stdout.matches("@example.test").count(),
        text.matches("@example.test").count()
    );
    let observed: Value = serde_json::from_str(&server.cli(&["observe", "-o", "json"]).ok().stdout).unwrap();
    let fingerprints = observed["mailboxes"].as_array().unwrap().iter();
    let fingerprints = fingerprints.filter_map(|row| row["credential"]["fingerprint"].as_str());
    let mut secrets: Vec<&str> = vec![DECLARED, OWN, &hash, HASH, "$6$", "$argon2", "$2", "scram", "SCRAM"];
    let known = secrets.len();
    secrets.extend(fingerprints);
    assert!(secrets.len() > known, "nobody has a fingerprint: {observed:#}");
    for secret in &secrets {
        assert!(!text.contains(secret), "{secret} is in the file");
    }

    // One comes, one goes, one changes: as CI sees a pull request.
    let dir = server.scratch().join("pull-request");
    run(Command::new("cp").arg("-r").arg(server.manifests.dir()).arg(&dir)).ok();
    let at = dir.display().to_string();
    assert_eq!(elsewhere(&server, &["plan", "--against", &state, &at]).0, Some(0));
    std::fs::remove_file(dir.join("mailbox-erin-example-test.yaml")).unwrap();
    let frank = "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: frank}\nspec: {address: frank@example.test}\n";
    std::fs::write(dir.join("frank.yaml"), frank).unwrap();
    let dave = std::fs::read_to_string(dir.join("mailbox-dave-example-test.yaml")).unwrap();
    std::fs::write(
        dir.join("mailbox-dave-example-test.yaml"),
        dave.replacen("spec:\n", "spec:\n  quota: 2Gi\n", 1),
    )
    .unwrap();
    let live: Value =
        serde_json::from_str(&server.cli(&["plan", &at, "-o", "json"]).exits(2).stdout).unwrap();
    server.stop();
    let (code, told) = elsewhere(&server, &["plan", "--against", &state, &at, "-o", "json"]);
    let offline: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!((code, &offline["digest"], &offline["summary"]), (Some(2), &live["digest"], &live["summary"]));
    let (_, markdown) = elsewhere(&server, &["plan", "--against", &state, &at, "-o", "markdown"]);
    let markdown = markdown.replace("\u{200b}", "");
    for expected in ["frank", "erin", "2Gi"] {
        assert!(markdown.contains(expected), "{markdown}");
    }
    for secret in &secrets {
        assert!(!told.contains(secret) && !markdown.contains(secret), "{secret}");
    }

    // What is wrong with the file is told, and no plan is made of it.
    std::fs::write(&file, text.replacen("bob@example.test", "eve@example.test", 1)).unwrap();
    let (code, told) = elsewhere(&server, &["plan", "--against", &state, &at]);
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("checksum") && told.contains("mailwright snapshot"), "{told}");
}
