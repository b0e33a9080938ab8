//! The command line against a running server: what is shown, exit codes, and what it says when nothing runs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::harness::{Server, mailwright, need, run, wire};
use std::process::Command;
use std::time::Duration;

fn dir(server: &Server) -> String {
    server.manifests.dir().display().to_string()
}

#[test]
fn get_and_describe_show_every_resource() {
    let server = Server::quickstart();
    server.cli(&["get", "mailboxes"]).ok().says("NAME").says("ADDRESS").says("alice@example.test");
    server.cli(&["get", "mdom"]).ok().says("example.test").says("example.org");
    server.cli(&["get", "msrv", "quickstart"]).ok().says("mail.example.test");
    server.cli(&["get", "aliases"]).ok().says("team@example.test");
    server.cli(&["describe", "mailbox", "alice"]).ok().says("alice@example.test").says("Ready");
    let json = server.cli(&["get", "mailbox", "bob", "-o", "json"]).ok().stdout;
    let bob: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(json.contains("observedGeneration") && json.contains("bob@example.test"), "{bob}");
    server.cli(&["get", "mailbox", "nobody"]).exits(1).says("nobody");
    server.cli(&["get", "teapots"]).exits(1).says("teapots");
}

#[test]
fn exit_codes_tell_nothing_to_do_changes_errors() {
    let mut server = Server::quickstart();
    server.cli(&["plan", &dir(&server)]).ok();
    server.cli(&["apply", &dir(&server)]).ok();
    server.cli(&["validate", &dir(&server)]).ok();
    server.stop();

    server.manifests.mailbox("dave@example.test", "");
    server.cli(&["validate", &dir(&server)]).ok();
    server.manifests.write("wrong.yaml", "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata:\n  name: Wrong_Name\nspec:\n  adress: x@example.test\n  targets: nobody\n  enabled: perhaps\n");
    let said = server.cli(&["validate", &dir(&server)]).exits(1).all();
    for expected in [
        "wrong.yaml:4",
        "wrong.yaml:6",
        "wrong.yaml:7",
        "wrong.yaml:8",
        "adress",
        "address",
        "targets",
        "enabled",
    ] {
        assert!(said.contains(expected), "all problems at once, with {expected:?}:\n{said}");
    }
    server.manifests.write("wrong.yaml", "apiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata:\n  name: loop\nspec:\n  address: loop@example.test\n  targets: [loop@example.test]\n");
    server.cli(&["validate", &dir(&server)]).exits(1).says("wrong.yaml").says("loop");
}

#[test]
fn commands_that_need_the_process_say_so_when_it_is_not_there() {
    let server = Server::example("quickstart");
    for arguments in [vec!["get", "mailboxes"], vec!["describe", "mailbox", "alice"], vec!["export"]] {
        let said = server.cli(&arguments).exits(1).stderr;
        assert!(said.contains("mailwright up"), "{arguments:?} says what to do:\n{said}");
    }
}

#[test]
fn the_zone_loads_in_a_real_name_server() {
    if !need(&["named-checkzone"]) {
        return;
    }
    for (example, host, domains) in [
        ("quickstart", "mail.example.test", vec!["example.test", "example.org"]),
        ("company", "mail.example.com", vec!["example.com", "example.org", "example.net"]),
    ] {
        let mut server = Server::example(example);
        server.start();
        for domain in domains {
            let mut zone = server.cli(&["dns", domain, "--format", "zone"]).ok().stdout;
            assert!(zone.contains("MX"), "{zone}");
            if host.ends_with(domain) {
                // The records are those for mail; the host's own address is the zone owner's affair.
                zone += &format!("{host}. A 127.0.0.1\n");
            }
            let path = server.scratch().join(format!("{domain}.zone"));
            std::fs::write(&path, zone).unwrap();
            run(Command::new("named-checkzone").args(["-k", "fail", domain]).arg(&path)).ok().says("OK");
        }
        let json = server.cli(&["dns", "--format", "json"]).ok().stdout;
        let records: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(json.contains("Required") && json.contains("purpose"), "{records}");
    }
}

#[test]
fn export_is_the_running_state_and_plans_to_nothing() {
    let mut server = Server::quickstart();
    let exported = server.cli(&["export"]).ok().stdout;
    for expected in
        ["kind: MailServer", "kind: MailDomain", "kind: Mailbox", "kind: Alias", "alice@example.test"]
    {
        assert!(exported.contains(expected), "{expected}:\n{exported}");
    }
    let copy = server.scratch().join("export");
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::write(copy.join("all.yaml"), exported).unwrap();
    server.cli(&["validate", &copy.display().to_string()]).ok();
    server.stop();
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish"] {
        run(Command::new(mailwright()).args(["completions", shell])).ok().says("mailwright");
    }
    let help = run(Command::new(mailwright()).arg("--help")).ok().stdout;
    for command in
        ["up", "serve", "validate", "plan", "apply", "diff", "get", "describe", "dns", "passwd", "export"]
    {
        assert!(help.contains(&format!("\n  {command}")), "{command} is in the help:\n{help}");
    }
}

#[test]
fn output_can_be_cut_off_by_a_pipe() {
    let mut server = Server::example("company");
    server.start();
    for command in ["export", "dns", "get all -o yaml", "completions bash"] {
        let pipe = format!(
            "'{}' {command} --data '{}' | head -n 1",
            mailwright().display(),
            server.data().display()
        );
        let said = run(Command::new("sh").args(["-c", &pipe])).ok();
        assert_eq!(said.stdout.lines().count(), 1, "{command}");
        assert_eq!(said.stderr, "", "{command} ends quietly when its reader does");
    }
}

#[test]
fn ctrl_c_drains_and_ends_with_success() {
    let mut server = Server::quickstart();
    let mut session = wire::smtp(server.ports.smtp).unwrap();
    server.running().signal("INT");
    let goodbye = session.reply().unwrap();
    assert!(goodbye.starts_with("421"), "an idle session is told: {goodbye}");
    let status = server.running().wait(Duration::from_secs(30));
    assert!(status.success(), "{status}");
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let mut server = Server::quickstart();
    let mut command = Command::new(mailwright());
    command.args(["up", &dir(&server), "--data"]).arg(server.data());
    let second = run(&mut command);
    assert_eq!(second.code, Some(1), "{}", second.all());
    assert!(wire::smtp(server.ports.smtp).is_ok(), "the first goes on");
    assert!(server.stop().success());
}

#[test]
fn serve_runs_the_roles_it_is_given() {
    let mut server = Server::quickstart();
    let text = "X-Id: earlier\r\n\r\nHello.\r\n";
    wire::deliver(server.ports.smtp, "carol@example.org", &["alice@example.test"], text).unwrap();
    server.stop();
    server.start_serving(&["--roles", "imap,api"]);
    assert!(wire::Wire::connect(server.ports.smtp).is_err(), "no mx role, no SMTP");
    if need(&["python3"]) {
        server.script("read_all.py", &["alice@example.test"]).ok().says("earlier");
    }
}

#[test]
fn logs_can_be_json() {
    let mut server = Server::example("quickstart");
    server.options = ["--log-format", "json", "--log", "debug"].map(str::to_owned).to_vec();
    server.start();
    wire::smtp(server.ports.smtp).unwrap();
    server.stop();
    let log = server.logs();
    let events: Vec<_> = log.lines().filter(|line| line.starts_with('{')).collect();
    assert!(!events.is_empty(), "nothing was logged:\n{log}");
    for event in events {
        let event: serde_json::Value = serde_json::from_str(event).unwrap();
        assert!(event["level"].is_string() && event["timestamp"].is_string(), "{event}");
    }
}
