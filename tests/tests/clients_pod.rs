//! A mail server as a pod runs it: empty at first, fed by files that change under it, ended by a signal in the middle of its work.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_operator::certificate::self_signed;
use mailwright_tests::harness::pod::accounts;
use mailwright_tests::harness::{PATIENCE, Pod, need, run, skip, wait_for, wire};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// What a changed file is promised to be in force within.
const PROMISED: Duration = Duration::from_secs(2);

/// A message for alice.
const MESSAGE: &str = "From: carol@example.org\r\nTo: alice@example.test\r\nSubject: hello\r\n\r\nHello.";

fn deliver(pod: &Pod, to: &str) -> String {
    wire::deliver(pod.ports.smtp, "carol@example.org", &[to], MESSAGE).unwrap()
}

/// The name in the greeting.
fn hostname(pod: &Pod) -> String {
    let greeting = wire::Wire::connect(pod.ports.smtp).unwrap().reply().unwrap();
    greeting.split(' ').nth(1).unwrap().to_owned()
}

fn logged_in(pod: &Pod, user: &str) -> wire::Wire {
    let mut imap = wire::Wire::connect(pod.ports.imap).unwrap();
    imap.line().unwrap();
    let answer = imap.imap("l", &format!("LOGIN {user}@example.test mailwright")).unwrap();
    assert!(answer.contains("l OK"), "{answer}");
    imap
}

/// How many messages are in an INBOX.
fn messages(pod: &Pod, user: &str) -> usize {
    let answer = logged_in(pod, user).imap("s", "STATUS INBOX (MESSAGES)").unwrap();
    let count = answer.split("MESSAGES ").nth(1).unwrap().split(')').next().unwrap();
    count.parse().unwrap()
}

#[test]
fn an_empty_pod_is_ready_and_serves_what_it_is_given() {
    let mut pod = Pod::ready();
    let health = pod.wait(pod.operator().health()).unwrap();
    assert_eq!((health.pushed_digest, health.listener_error, health.config_error), (None, None, None));
    assert!(health.config_digest.is_some() && health.certificate.is_some(), "{:?}", health.certificate);
    assert!(deliver(&pod, "alice@example.test").starts_with("550 5.7.1"), "nobody lives here yet");
    pod.populate(1);
    assert!(deliver(&pod, "alice@example.test").starts_with("250"));
    assert_eq!(messages(&pod, "alice"), 1);
    let before = pod.wait(pod.operator().identity()).unwrap();
    assert!(pod.stop().success());
    pod.start();
    assert_eq!(pod.wait(pod.operator().identity()).unwrap(), before, "the same database for ever");
    assert_eq!(messages(&pod, "alice"), 1);
}

#[test]
fn changed_files_are_in_force_within_two_seconds() {
    let pod = Pod::ready();
    let mut session = wire::smtp(pod.ports.smtp).unwrap();
    let until = |what: &str, mut so: Box<dyn FnMut() -> bool + '_>| {
        let began = Instant::now();
        wait_for(what, PATIENCE, || so().then_some(()));
        began.elapsed()
    };
    pod.configure(|server| server["hostname"] = json!("mx.example.test"));
    let took = until("the new name", Box::new(|| hostname(&pod) == "mx.example.test"));
    println!("a new name was in force after {took:?}");
    let renewed = self_signed(&["localhost".to_owned()], chrono::Utc::now()).unwrap();
    let expected = mailwright_operator::certificate::inspect(&renewed).unwrap().fingerprint;
    pod.show(&renewed);
    let shown = || pod.wait(pod.operator().health()).unwrap().certificate.unwrap().fingerprint;
    let again = until("the new certificate", Box::new(|| shown() == expected));
    println!("a new certificate was in force after {again:?}");
    // A busy machine is given ten times what is promised.
    assert!(took < PROMISED * 10 && again < PROMISED * 10);
    assert!(session.smtp("NOOP").unwrap().starts_with("250"), "who was there stays");
    let digest = mailwright_server::management::digest;
    let settings = pod.settings(|server| server["hostname"] = json!("mx.example.test"));
    let health = pod.wait(pod.operator().health()).unwrap();
    assert_eq!(
        health.config_digest,
        Some(digest(settings.as_bytes())),
        "the operator can tell that it is in force"
    );
}

#[test]
fn a_broken_file_keeps_the_last_good_settings_over_a_restart_too() {
    let mut pod = Pod::ready();
    pod.configure(|server| server["hostname"] = json!("mx.example.test"));
    wait_for("the new name", PATIENCE, || (hostname(&pod) == "mx.example.test").then_some(()));
    pod.publish("config", &[("server.json", "{\"version\": 1, \"server\": {\"hostname\": 7}}")]);
    let error = wait_for("the mistake to be told", PATIENCE, || {
        pod.wait(pod.operator().health()).unwrap().config_error
    });
    assert!(error.contains("configuration file is not usable") && error.contains("line 1"), "{error}");
    assert!(pod.logs().contains("configuration file is not usable"));
    assert_eq!(hostname(&pod), "mx.example.test");
    assert!(pod.stop().success());
    pod.start();
    assert_eq!(hostname(&pod), "mx.example.test", "the last good one was kept");
    assert!(pod.wait(pod.operator().health()).unwrap().config_error.is_some());
    pod.configure(|_| {});
    wait_for("the mistake to be mended", PATIENCE, || (hostname(&pod) == "mail.example.test").then_some(()));
    assert_eq!(pod.wait(pod.operator().health()).unwrap().config_error, None);
}

#[test]
fn a_port_that_is_taken_keeps_nothing_else_from_being_served() {
    let mut pod = Pod::new();
    let taken = std::net::TcpListener::bind(("0.0.0.0", pod.ports.imap)).unwrap();
    pod.start();
    pod.populate(1);
    let error = pod.wait(pod.operator().health()).unwrap().listener_error.unwrap();
    assert!(error.contains(&pod.ports.imap.to_string()) && error.contains("another program"), "{error}");
    assert!(deliver(&pod, "alice@example.test").starts_with("250"));
    // A reload with other news does not make it worse, and the old SMTP port stays while the new one is taken.
    let other = std::net::TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    pod.configure(|server| server["listeners"]["smtp"]["port"] = json!(port));
    wait_for("the second port to be told", PATIENCE, || {
        let error = pod.wait(pod.operator().health()).unwrap().listener_error?;
        error.contains(&port.to_string()).then_some(())
    });
    assert!(deliver(&pod, "alice@example.test").starts_with("250"));
    drop((taken, other));
    wait_for("both to be open", PATIENCE, || {
        pod.wait(pod.operator().health()).unwrap().listener_error.is_none().then_some(())
    });
    assert_eq!(messages(&pod, "alice"), 2);
    let reply = wire::deliver(port, "carol@example.org", &["alice@example.test"], MESSAGE).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    assert!(wire::Wire::connect(pod.ports.smtp).is_err(), "the old one is closed now");
}

/// What a listener says; "" when it is closed.
fn greeting(port: u16) -> String {
    wire::Wire::connect(port).and_then(|mut wire| wire.line()).unwrap_or_default()
}

#[test]
fn a_signal_lets_everybody_finish_and_tells_the_others() {
    let mut pod = Pod::ready();
    pod.populate(1);
    let (smtp, http) = (pod.ports.smtp, pod.ports.http);
    let mut busy = wire::smtp(smtp).unwrap();
    for command in ["MAIL FROM:<carol@example.org>", "RCPT TO:<alice@example.test>", "DATA"] {
        assert!(busy.smtp(command).unwrap().starts_with(['2', '3']));
    }
    busy.send(b"Subject: in the middle\r\n\r\nHello,\r\n").unwrap();
    let mut between = wire::smtp(smtp).unwrap();
    assert!(between.smtp("MAIL FROM:<carol@example.org>").unwrap().starts_with("250"));
    let mut idle = logged_in(&pod, "alice");
    idle.imap("s", "SELECT INBOX").unwrap();
    idle.send(b"i IDLE\r\n").unwrap();
    assert!(idle.line().unwrap().starts_with('+'));
    let operator = pod.operator();
    let mut running = pod.take_running();
    running.signal("TERM");
    assert!(between.reply().unwrap().starts_with("421 4.3.2"), "between two commands");
    assert!(idle.line().unwrap().starts_with("* BYE"));
    assert!(wire::http_get(http, "/readyz").unwrap().starts_with("HTTP/1.1 503"));
    assert!(wire::http_get(http, "/livez").unwrap().starts_with("HTTP/1.1 200"), "it is not to be killed");
    assert!(pod.wait(operator.health()).unwrap().draining, "the operator can still ask");
    assert!(greeting(smtp).starts_with("421 4.3.2"), "newcomers are told");
    busy.send(b"goodbye.\r\n").unwrap();
    assert!(busy.smtp(".").unwrap().starts_with("250"), "a message in hand is finished");
    assert!(busy.reply().unwrap().starts_with("421"));
    assert!(running.wait(PATIENCE).success());
    assert_eq!(greeting(smtp), "");
    pod.start();
    assert_eq!(messages(&pod, "alice"), 1);
}

#[test]
fn a_second_signal_stops_at_once_and_the_grace_is_kept() {
    for (options, second) in [(vec!["--grace", "1h"], true), (vec!["--grace", "500ms"], false)] {
        let mut pod = Pod::new();
        pod.options = options.into_iter().map(str::to_owned).collect();
        pod.start();
        pod.populate(1);
        let mut busy = wire::smtp(pod.ports.smtp).unwrap();
        for command in ["MAIL FROM:<carol@example.org>", "RCPT TO:<alice@example.test>", "DATA"] {
            assert!(busy.smtp(command).unwrap().starts_with(['2', '3']));
        }
        busy.send(b"Subject: never ending\r\n\r\n").unwrap();
        let mut running = pod.take_running();
        running.signal("TERM");
        wait_for("the drain", PATIENCE, || greeting(pod.ports.smtp).starts_with("421").then_some(()));
        if second {
            running.signal("TERM");
        }
        assert!(running.wait(PATIENCE).success());
        pod.start();
        assert_eq!(messages(&pod, "alice"), 0, "what was not acknowledged is not there");
    }
}

#[test]
fn keys_and_policies_that_were_pushed_outlive_the_operator() {
    let mut pod = Pod::ready();
    let policy = "version: STSv1\r\nmode: testing\r\nmx: mail.example.test\r\nmax_age: 86400\r\n";
    let pushed =
        json!({"fence": {"term": 1}, "dkim": {}, "mtaSts": {"example.test": policy}, "relayLogin": null});
    pod.wait(pod.operator().put_serving(&pushed)).unwrap();
    let asked = |pod: &Pod| {
        let mut http = wire::Wire::connect(pod.ports.http).unwrap();
        let request = "GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.test\r\nConnection: close\r\n\r\n";
        http.send(request.as_bytes()).unwrap();
        http.rest()
    };
    wait_for("the policy", PATIENCE, || asked(&pod).contains("STSv1").then_some(()));
    let digest = pod.wait(pod.operator().health()).unwrap().pushed_digest;
    assert!(digest.is_some() && pod.stop().success());
    pod.start();
    assert!(asked(&pod).contains("STSv1"), "nobody pushed it again");
    assert_eq!(pod.wait(pod.operator().health()).unwrap().pushed_digest, digest);
}

/// Health probes have places of their own, whatever the limits of mail are.
#[test]
fn probes_are_answered_when_every_connection_is_taken() {
    let pod = Pod::new();
    pod.configure(|server| {
        server["limits"]["connections"] = json!(1);
        server["limits"]["connectionsPerAddress"] = json!(1);
    });
    let mut pod = pod;
    pod.start();
    let _only = wire::smtp(pod.ports.smtp).unwrap();
    assert!(greeting(pod.ports.smtp).starts_with("421"));
    for path in ["/readyz", "/livez", "/metrics"] {
        assert!(wire::http_get(pod.ports.http, path).unwrap().starts_with("HTTP/1.1 200"), "{path}");
    }
    pod.wait(pod.operator().health()).unwrap();
}

/// A script that runs the words after it where only the data and /tmp can be written, as this user and with few processes.
fn confined(data: &Path) -> Vec<String> {
    let script = format!(
        "mount --make-rprivate / && mount -t tmpfs tmpfs /tmp-of-pod 2>/dev/null; mount --bind {0} {0} && \
         mount -o remount,bind,ro / && exec prlimit --nofile=1024:1024 --nproc=200 setpriv --reuid 65532 --regid 65532 \
         --groups 65532 --bounding-set=-all --no-new-privs \"$@\"",
        data.display()
    );
    ["unshare", "--mount", "--", "sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
}

/// The restricted profile: another user than root, a volume that belongs to a group, a root that cannot be written to.
#[test]
fn a_restricted_pod_writes_to_its_volume_alone() {
    if !need(&["unshare", "setpriv", "prlimit", "chown"]) {
        return;
    }
    // Below /var, because the namespace's root is read-only and a test's directory must be readable to others.
    let home = tempfile::Builder::new().prefix("mailwright-pod-").tempdir_in("/var/tmp").unwrap();
    let data = home.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let owned = run(Command::new("sh").args([
        "-c",
        &format!(
            "chown root:65532 {0} && chmod 2770 {0} && chmod 755 {1}",
            data.display(),
            home.path().display()
        ),
    ]));
    if owned.code != Some(0) {
        return skip("only root can give a directory away");
    }
    let mut pod = Pod::new();
    pod.wrapper = confined(&data);
    let probe = run(Command::new(&pod.wrapper[0]).args(&pod.wrapper[1..]).args([
        "sh",
        "-c",
        "touch /var/x || exit 7",
    ]));
    if probe.code != Some(7) {
        return skip("no mount namespace can be made here (root may)");
    }
    let open = format!("chmod -R a+rX {}", pod.home().display());
    run(Command::new("sh").args(["-c", &open])).ok();
    pod.keep_data(&data);
    pod.start();
    pod.populate(1);
    for _ in 0..3 {
        assert!(deliver(&pod, "alice@example.test").starts_with("250"));
    }
    let large = format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(100_000));
    let reply = wire::deliver(pod.ports.smtp, "carol@example.org", &["bob@example.test"], &large).unwrap();
    assert!(reply.starts_with("250"), "{reply}");
    // More logins at once than there may be threads.
    std::thread::scope(|scope| {
        for _ in 0..150 {
            scope.spawn(|| logged_in(&pod, "alice").imap("n", "NOOP").unwrap());
        }
    });
    assert_eq!((messages(&pod, "alice"), messages(&pod, "bob")), (3, 1));
    assert!(pod.stop().success());
    assert!(!pod.logs().contains("Read-only file system"), "nothing else was tried to be written");
    assert!(!pod.logs().contains("panicked"));
}

/// A volume that is full: mail and accounts are refused for now, what is there is served, and it recovers.
#[test]
fn a_full_volume_is_told_and_recovers() {
    let home = tempfile::tempdir().unwrap();
    let mount = run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=32m", "tmpfs"]).arg(home.path()));
    if mount.code != Some(0) {
        return skip("no tmpfs can be mounted here (root may)");
    }
    let _volume = Unmount(home.path());
    let mut pod = Pod::new();
    pod.keep_data(home.path());
    pod.start();
    pod.populate(1);
    assert!(deliver(&pod, "alice@example.test").starts_with("250"));
    let client = pod.operator();
    assert!(!pod.wait(client.health()).unwrap().storage_full);
    let ballast = home.path().join("ballast");
    let fill = format!("dd if=/dev/zero of={} bs=4096 2>/dev/null; true", ballast.display());
    run(Command::new("sh").args(["-c", &fill])).ok();

    let health = pod.wait(client.health()).unwrap();
    assert!(health.storage_full && health.free_bytes < Some(1 << 20), "{:?}", health.free_bytes);
    let refused = pod.wait(client.apply(&accounts(2, &["carol"]))).unwrap_err();
    assert_eq!(serde_json::to_value(refused.code).unwrap(), Value::from("storageFull"), "{refused}");
    let keys = json!({"fence": {"term": 1}, "mtaSts": {"example.test": "x".repeat(100_000)}});
    let refused = pod.wait(client.put_serving(&keys)).unwrap_err();
    assert_eq!(serde_json::to_value(refused.code).unwrap(), Value::from("storageFull"), "{refused}");
    assert!(deliver(&pod, "alice@example.test").starts_with("452 4.3.1"));
    assert_eq!(messages(&pod, "alice"), 1, "what is there is served");
    assert!(wire::http_get(pod.ports.http, "/readyz").unwrap().starts_with("HTTP/1.1 200"));

    // Started again on the full volume it serves the same.
    assert!(pod.stop().success());
    pod.start();
    assert!(pod.wait(client.health()).unwrap().storage_full);
    assert_eq!(messages(&pod, "alice"), 1);
    std::fs::remove_file(ballast).unwrap();
    assert!(deliver(&pod, "alice@example.test").starts_with("250"), "it recovers by itself");
    pod.wait(client.apply(&accounts(2, &["carol"]))).unwrap();
    assert!(!pod.wait(client.health()).unwrap().storage_full);
    pod.kill();
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        run(Command::new("umount").arg("-l").arg(self.0));
    }
}
