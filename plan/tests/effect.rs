//! What plans say about mail: for each change of a repository the operations, their risk and their words.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::observed::{CredentialRow, SetBy};
use mailwright_plan::{Observed, Plan, Risk, plan};
use support::{BASE, instead, running, with};

fn planned(observed: &Observed, repository: &str) -> Plan {
    plan(&support::catalog(repository), observed, &support::settings("git", support::start()))
}

/// The operations as `risk action subject`, each followed by its effects.
fn told(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (operation, brief) in plan.operations.iter().zip(support::brief(plan)) {
        let risk = match operation.risk {
            Risk::None => "none",
            Risk::Access => "access",
            Risk::Data => "data",
        };
        lines.push(format!("{risk} {}", brief.replace(" held", "")));
        lines.extend(operation.effect.iter().map(|effect| format!("  {effect}")));
    }
    lines
}

fn check(before: &str, after: &str, expected: &[&str]) {
    assert_eq!(told(&planned(&running(before), after)), expected, "{after}");
}

const NOBODY: &str =
    "  nobody can log in as carol@one.test until it has a password: mailwright passwd carol@one.test";

#[test]
fn forwards() {
    let forwards = |rest: &str| with(&format!("Mailbox carol {{address: carol@one.test{rest}}}"));
    let plain = forwards("");
    let kept = forwards(", forward: {targets: [bob@example.org]}");
    let sent = forwards(", forward: {targets: [bob@example.org], keepCopy: false}");
    let both = forwards(", forward: {targets: [bob@example.org, alice@one.test]}");
    let update = "access update carol@one.test";
    check(&plain, &kept, &[update, "  mail for carol@one.test leaves for bob@example.org and is kept"]);
    check(&plain, &sent, &[update, "  mail for carol@one.test leaves for bob@example.org and is not kept"]);
    check(&kept, &sent, &[update, "  mail for carol@one.test leaves for bob@example.org and is not kept"]);
    check(
        &kept,
        &both,
        &[update, "  mail for carol@one.test goes to alice@one.test, leaves for bob@example.org and is kept"],
    );
    check(&both, &kept, &[update, "  mail for carol@one.test no longer goes to alice@one.test"]);
    check(
        &sent,
        &plain,
        &[update, "  mail for carol@one.test no longer goes to bob@example.org: it stays in its mailbox"],
    );
    check(
        BASE,
        &kept,
        &[
            "access create carol@one.test",
            "  carol@one.test starts accepting mail",
            "  mail for carol@one.test leaves for bob@example.org and is kept",
            NOBODY,
        ],
    );
}

#[test]
fn new_mailboxes() {
    let carol = "Mailbox carol {address: carol@one.test}";
    check(
        BASE,
        &with(carol),
        &["none create carol@one.test", "  carol@one.test starts accepting mail", NOBODY],
    );
    let hashed = "Mailbox carol {address: carol@one.test, credentials: {passwordHash: '{SSHA512}c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0c2FsdHNhbHRzYWx0'}}";
    check(BASE, &with(hashed), &["none create carol@one.test", "  carol@one.test starts accepting mail"]);
    check(
        BASE,
        &with("Mailbox carol {address: carol@one.test, enabled: false}"),
        &[
            "none create carol@one.test",
            "  carol@one.test is set up, but takes no mail and no login until it is enabled",
        ],
    );
    let caught = instead("aliases: [eins.test]}", "catchAll: bob@one.test}");
    check(
        &caught,
        &format!("{caught}# more.yaml\n{carol}\n"),
        &[
            "access create carol@one.test",
            "  carol@one.test starts accepting mail",
            NOBODY,
            "  the catch-all, bob@one.test, no longer gets mail for carol@one.test",
        ],
    );
}

#[test]
fn changed_mailboxes() {
    let carol = |rest: &str| with(&format!("Mailbox carol {{address: carol@one.test{rest}}}"));
    check(&carol(""), &carol(", displayName: Carol, quota: 1Gi"), &["none update carol@one.test"]);
    check(
        &carol(", sendAs: [a@one.test, b@one.test]"),
        &carol(", sendAs: [b@one.test, c@one.test]"),
        &["access update carol@one.test", "  a@one.test no longer counts as an address of carol@one.test"],
    );
    check(
        &carol(""),
        &carol(", enabled: false"),
        &[
            "access disable carol@one.test",
            "  carol@one.test stops accepting mail (550 5.2.1) and can no longer log in",
            "  its mail is kept",
        ],
    );
    check(
        &carol(", enabled: false"),
        &carol(""),
        &[
            "none enable carol@one.test",
            "  carol@one.test accepts mail and logins again, with the mail it had",
        ],
    );
    let mut full = running(&carol(""));
    full.mailboxes.iter_mut().for_each(|row| row.used_bytes = 3 << 20);
    assert_eq!(
        told(&planned(&full, &carol(", quota: 2Mi"))),
        [
            "access update carol@one.test",
            "  carol@one.test holds 3.0 MiB, above its new quota of 2Mi: new mail is refused (452 4.2.2)"
        ]
    );
    assert_eq!(told(&planned(&full, &carol(", quota: 4Mi"))), ["none update carol@one.test"]);
}

#[test]
fn removed_mailboxes_and_who_misses_them() {
    let crowd = "Mailbox carol {address: carol@one.test, deletionPolicy: Delete, retainFor: 48h}\n\
                 Mailbox dave {address: dave@one.test}\n\
                 Mailbox erin {address: erin@one.test, deletionPolicy: Retain}\n\
                 Alias team {address: team@one.test, targets: [carol@one.test, alice@one.test]}\n\
                 Alias carols {address: carols@one.test, targets: [carol@one.test]}";
    let without = |name: &str| {
        let left: Vec<&str> =
            crowd.lines().filter(|line| !line.contains(&format!("Mailbox {name}"))).collect();
        with(&left.join("\n"))
    };
    check(
        &with(crowd),
        &without("carol"),
        &[
            "access disable carol@one.test",
            "  carol@one.test stops accepting mail (550 5.2.1) and can no longer log in",
            "  its mail is kept for 48h and deleted then",
            "  carols@one.test loses its last target: mail for it is refused",
            "  mail for team@one.test no longer reaches carol@one.test",
        ],
    );
    check(
        &with(crowd),
        &without("dave"),
        &[
            "access disable dave@one.test",
            "  dave@one.test stops accepting mail (550 5.2.1) and can no longer log in",
            "  its mail is kept, for 720h at least",
        ],
    );
    check(
        &with(crowd),
        &without("erin"),
        &["none release erin@one.test", "  erin@one.test goes on as it is, managed by nobody"],
    );
}

#[test]
fn the_end_of_retention() {
    let settings = |hours| support::settings("git", support::start() + chrono::Duration::hours(hours));
    let removed =
        running(&with("Mailbox carol {address: carol@one.test, deletionPolicy: Delete, retainFor: 48h}"));
    let mut removed = support::after(&removed, BASE, "git", support::start());
    for (used, amount) in [(0, "no mail"), (1500, "1.5 KiB of mail"), (999, "999 bytes of mail")] {
        removed.mailboxes.iter_mut().for_each(|row| row.used_bytes = used);
        assert_eq!(told(&plan(&support::catalog(BASE), &removed, &settings(47))), [""; 0]);
        assert_eq!(
            told(&plan(&support::catalog(BASE), &removed, &settings(48))),
            [
                "data delete carol@one.test".to_owned(),
                format!("  carol@one.test is deleted for good with {amount}")
            ]
        );
    }
}

#[test]
fn passwords() {
    let carol = "Mailbox carol {address: carol@one.test, credentials: {secretRef: {name: p}}}\nSecret p {password: one}";
    let none = "Mailbox carol {address: carol@one.test}";
    let other = carol.replace("one}", "two}");
    check(
        &with(none),
        &with(carol),
        &["none update carol@one.test", "  carol@one.test gets the declared password"],
    );
    check(
        &with(carol),
        &with(&other),
        &["access update carol@one.test", "  the password of carol@one.test changes to the declared one"],
    );
    let mut changed = running(&with(carol));
    for row in &mut changed.mailboxes {
        row.credential = Some(CredentialRow { fingerprint: None, set_by: SetBy::Owner });
    }
    assert_eq!(told(&planned(&changed, &with(&other))), [""; 0]);
    let enforced = other.replace("{name: p}}", "{name: p}, management: Enforced}");
    assert_eq!(
        told(&planned(&changed, &with(&enforced))),
        ["access update carol@one.test", "  the password that its owner gave carol@one.test is replaced"]
    );
}

#[test]
fn aliases() {
    let team = |rest: &str| with(&format!("Alias team {{address: team@one.test, {rest}}}"));
    check(
        BASE,
        &team("targets: [alice@one.test, bob@one.test]"),
        &["none create team@one.test", "  mail for team@one.test goes to alice@one.test and bob@one.test"],
    );
    check(
        BASE,
        &team("targets: [alice@one.test], enabled: false"),
        &["none create team@one.test", "  mail for team@one.test is refused"],
    );
    check(
        &team("targets: [alice@one.test]"),
        &team("targets: [bob@one.test]"),
        &[
            "access update team@one.test",
            "  mail for team@one.test also goes to bob@one.test",
            "  mail for team@one.test no longer goes to alice@one.test",
        ],
    );
    check(
        &team("targets: [alice@one.test]"),
        &team("targets: [alice@one.test], senders: Members"),
        &["access update team@one.test", "  only its members may send to team@one.test (550 5.7.2)"],
    );
    check(
        &team("targets: [alice@one.test], senders: Domain"),
        &team("targets: [alice@one.test]"),
        &["none update team@one.test", "  everybody may send to team@one.test"],
    );
    check(
        &team("targets: [alice@one.test]"),
        &team("targets: [alice@one.test], enabled: false"),
        &["access disable team@one.test", "  mail for team@one.test is refused (550 5.1.1)"],
    );
    check(
        &team("targets: [alice@one.test], enabled: false"),
        &team("targets: [alice@one.test]"),
        &["none enable team@one.test", "  mail for team@one.test goes to alice@one.test"],
    );
    check(
        &team("targets: [alice@one.test]"),
        BASE,
        &["access delete team@one.test", "  team@one.test stops accepting mail (550 5.1.1)"],
    );
}

#[test]
fn catch_alls() {
    let all = with("Alias all {address: '@one.test', targets: [bob@one.test]}");
    check(
        BASE,
        &all,
        &["none create @one.test", "  mail for unknown addresses of one.test goes to bob@one.test"],
    );
    check(
        &all,
        BASE,
        &["access delete @one.test", "  mail for unknown addresses of one.test is refused (550 5.1.1)"],
    );
    let team = "Alias team {address: team@one.test, targets: [alice@one.test]}";
    check(
        &format!("{all}{team}\n"),
        &all,
        &["access delete team@one.test", "  mail for team@one.test goes to the catch-all, bob@one.test"],
    );
    check(
        &all,
        &format!("{all}{team}\n"),
        &[
            "access create team@one.test",
            "  mail for team@one.test goes to alice@one.test",
            "  the catch-all, bob@one.test, no longer gets mail for team@one.test",
        ],
    );
    let domain = instead("aliases: [eins.test]}", "aliases: [eins.test], catchAll: bob@one.test}");
    check(
        &all,
        &domain,
        &[
            "none update one.test",
            "  mail for unknown addresses of one.test goes to bob@one.test",
            "access delete @one.test",
            "  mail for unknown addresses of one.test goes to bob@one.test",
        ],
    );
}

#[test]
fn domains() {
    let three = |rest: &str| {
        with(&format!("MailDomain three {{serverRef: {{name: main}}, domain: three.test{rest}}}"))
    };
    let dns = "  the DNS records of three.test change: publish what `mailwright dns three.test` prints";
    check(BASE, &three(""), &["none create three.test", "  mail for addresses at three.test is accepted"]);
    check(
        BASE,
        &three(", parked: true"),
        &["none create three.test", "  three.test takes no mail, and its DNS records say so"],
    );
    check(
        &three(""),
        &three(", parked: true"),
        &["access update three.test", "  three.test takes no mail any more (556 5.1.10)", dns],
    );
    check(
        &three(", parked: true"),
        &three(""),
        &["none update three.test", "  mail for addresses at three.test is accepted", dns],
    );
    check(&three(""), &three(", dmarc: {policy: Reject}"), &["none update three.test", dns]);
    check(&three(""), &three(", limits: {maxQuota: 1Gi}"), &["none update three.test"]);
    check(
        &three(", aliases: [a.test]"),
        &three(", aliases: [b.test]"),
        &[
            "access update three.test",
            "  addresses at b.test mean the same as at three.test",
            "  mail for addresses at a.test is refused (550 5.7.1)",
        ],
    );
    check(
        &three(", catchAll: alice@one.test"),
        &three(", catchAll: bob@one.test"),
        &[
            "access update three.test",
            "  mail for unknown addresses of three.test goes to bob@one.test instead of alice@one.test",
        ],
    );
    check(
        &three(", catchAll: alice@one.test"),
        &three(""),
        &[
            "access update three.test",
            "  mail for unknown addresses of three.test is refused; alice@one.test got it so far",
        ],
    );
    check(
        &three(""),
        BASE,
        &[
            "access delete three.test",
            "  three.test is no longer served: all mail for it is refused (550 5.7.1)",
        ],
    );
}

#[test]
fn servers() {
    let server = |spec: &str| {
        instead("{hostname: mail.example.test}", &format!("{{hostname: mail.example.test{spec}}}"))
    };
    check(
        BASE,
        &instead("hostname: mail.", "hostname: mx."),
        &[
            "access update mx.example.test",
            "  MX records, mail clients and the certificate must name mx.example.test instead of mail.example.test",
        ],
    );
    check(
        BASE,
        &server(", listeners: {imap: {enabled: false, port: 1143}, smtp: {port: 25}}"),
        &[
            "access update mail.example.test",
            "  nobody can use imap on port 1143 any more",
            "  smtp moves from port 2525 to 25",
        ],
    );
    check(
        &server(", listeners: {imap: {enabled: false, port: 1143}}"),
        BASE,
        &["none update mail.example.test", "  imap is offered on port 1143"],
    );
    check(
        BASE,
        &server(", limits: {messageSize: 10Mi}"),
        &["none update mail.example.test", "  messages larger than 10Mi are refused (552 5.3.4)"],
    );
    check(BASE, &server(", limits: {connections: 100}"), &["none update mail.example.test"]);
    let tls = server(", tls: {secretName: tls}");
    check(BASE, &tls, &["none update mail.example.test", "  the certificate comes from the Secret tls"]);
    check(
        &tls,
        BASE,
        &[
            "none update mail.example.test",
            "  the certificate is self-signed: mail clients will ask about it",
        ],
    );
}

#[test]
fn adopting() {
    let mut adrift = running(BASE);
    adrift.mailboxes[0].owner = None;
    adrift.aliases[0].owner = None;
    adrift.domains[0].owner = None;
    adrift.servers[0].owner = None;
    assert_eq!(
        told(&planned(&adrift, BASE)),
        [
            "none adopt mail.example.test",
            "  mail.example.test is managed by git from now on",
            "none adopt one.test",
            "  one.test is managed by git from now on",
            "none adopt alice@one.test",
            "  alice@one.test is managed by git from now on",
            "none adopt postmaster@one.test",
            "  postmaster@one.test is managed by git from now on",
        ]
    );
}

#[test]
fn renaming_is_no_news_for_mail() {
    check(BASE, &instead("Mailbox alice ", "Mailbox alice-smith "), &["none update alice@one.test"]);
    check(
        BASE,
        &BASE.replace("# base.yaml", "# elsewhere.yaml"),
        &[
            "none update mail.example.test",
            "none update one.test",
            "none update parked.test",
            "none update two.test",
            "none update alice@one.test",
            "none update bob@one.test",
            "none update postmaster@one.test",
            "none update postmaster@two.test",
        ],
    );
    check(BASE, &BASE.replace("# base.yaml\n", "# base.yaml\n\n\n"), &[]);
}

#[test]
fn a_mailbox_that_returns_disabled_says_so() {
    let carol = with("Mailbox carol {address: carol@one.test}");
    let gone = support::after(&running(&carol), BASE, "git", support::start());
    let off = with("Mailbox carol {address: carol@one.test, enabled: false}");
    let planned = plan(&support::catalog(&off), &gone, &support::settings("git", support::start()));
    assert_eq!(support::brief(&planned), ["update carol@one.test"]);
    assert_eq!(
        planned.operations[0].effect,
        ["carol@one.test is declared again with its mail, but stays disabled"]
    );
    // Off before and off now: there is no other field to show either.
    let gone = support::after(&running(&off), BASE, "git", support::start());
    let planned = plan(&support::catalog(&off), &gone, &support::settings("git", support::start()));
    assert_eq!(planned.operations[0].effect.len(), 1);
}
