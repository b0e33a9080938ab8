//! The side-by-side run at a hundredth of its size and a handful of resources, so that both keep working: every figure is taken, none is judged.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The executable under test: `MAILWRIGHT_BIN`, or the one that cargo built beside this test.
fn mailwright() -> PathBuf {
    if let Some(path) = std::env::var_os("MAILWRIGHT_BIN") {
        return PathBuf::from(path);
    }
    Path::new(env!("CARGO_BIN_EXE_mailwright-bench")).with_file_name("mailwright")
}

/// The figures that a run of these groups takes, with whether the peer has them too.
fn figures(arguments: &[&str]) -> Vec<(String, bool)> {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_mailwright-bench"))
        .args(["compare", "--runs", "1", "--divide", "100", "--tls", "--json"])
        .arg(&json)
        .arg("--mailwright")
        .arg(mailwright())
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for line in said.lines().filter(|line| line.starts_with("skipped")) {
        eprintln!("{line}");
    }
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let named = |figure: &serde_json::Value| {
        assert!(figure["ours"].as_f64().is_some_and(|ours| ours >= 0.0), "{figure}");
        (figure["name"].as_str().unwrap().to_owned(), figure["peer"].is_number())
    };
    figures["figures"].as_array().unwrap().iter().map(named).collect()
}

#[test]
fn every_group_but_the_slow_ones_gives_its_figures() {
    let groups = "inbound,inbound-many,inbound-64k,append,large,store,login,notify,idle";
    let ours = figures(&["--alone", "--only", groups]);
    assert_eq!(ours.len(), 26, "{ours:?}");
    assert!(ours.iter().all(|(_, peer)| !peer));
}

#[test]
fn the_peer_takes_the_same_load() {
    let root = std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
    let there = ["/usr/sbin/postfix", "/usr/lib/dovecot/imap", "/usr/lib/dovecot/lmtp"]
        .iter()
        .all(|program| Path::new(program).exists());
    if !root || !there {
        assert!(std::env::var_os("CI").is_none(), "Postfix and Dovecot are missing, or this is not root");
        return eprintln!("skipped: needs root, postfix, dovecot-imapd and dovecot-lmtpd");
    }
    let both = figures(&["--only", "inbound,append,large"]);
    assert_eq!(both.len(), 14, "{both:?}");
    assert!(both.iter().all(|(_, peer)| *peer), "{both:?}");
}

#[test]
fn a_handful_of_resources_gives_all_figures_of_scale() {
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_mailwright-bench"))
        .args(["scale", "--mailboxes", "40", "--domains", "2", "--idle", "3", "--changes", "1", "--json"])
        .arg(&json)
        .env("MAILWRIGHT_BIN", mailwright())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    if !json.exists() {
        // The programs of Kubernetes are missing; under CI the run would have failed.
        return eprintln!("{said}");
    }
    let figures: serde_json::Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    let of = |name: &str| {
        let mut all = figures["figures"].as_array().unwrap().iter();
        all.find(|figure| figure["name"] == name).and_then(|figure| figure["value"].as_f64())
    };
    assert_eq!(figures["figures"].as_array().unwrap().len(), 29, "{figures:#}");
    // Counts do not depend on the machine.
    assert_eq!((of("idle.writes"), of("restart.writes")), (Some(0.0), Some(0.0)), "{said}");
    assert!(of("first.writes").is_some_and(|writes| writes <= 3.0), "{said}");
}
