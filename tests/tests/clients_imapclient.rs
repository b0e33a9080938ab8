//! IMAPClient of Python against the running executable: sorting, threads, CONDSTORE, ESEARCH, QRESYNC. It comes from the
//! package index into `target/clients/python` (`cargo xtask test --only install`).

use mailwright_tests::harness::{Server, need, root, skip};
use std::process::Command;

#[test]
fn imapclient_takes_the_tour() {
    if !need(&["python3"]) {
        return;
    }
    let packages = root().join("target/clients/python");
    let mut probe = Command::new("python3");
    let there = probe.args(["-c", "import imapclient"]).env("PYTHONPATH", &packages).output();
    if !there.is_ok_and(|output| output.status.success()) {
        return skip("IMAPClient is not installed (cargo xtask test --only install)");
    }
    let server = Server::quickstart();
    let mut python = Command::new("python3");
    python.arg("-B").arg(root().join("tests/clients/imapclient_tour.py"));
    python.args(server.script_arguments()).env("PYTHONPATH", &packages).env("PYTHONUNBUFFERED", "1");
    let output = mailwright_tests::harness::run(&mut python).ok();
    assert!(output.stdout.contains("QRESYNC tells what vanished"), "{}", output.stdout);
}
