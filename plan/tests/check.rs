//! What is wrong between objects: each problem with its place, its words and its remedy, in one table for each kind.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use mailwright_plan::{Observed, plan, validate};
use support::{BASE, check, check_on, instead, running, with};

/// One line beside the sound base, and the problem it makes in `more.yaml:1`.
fn line(line: &str, problem: &str) {
    let expected = format!("more.yaml:1: {problem}");
    check(&with(line), &expected.lines().collect::<Vec<_>>());
}

#[test]
fn a_sound_repository_has_no_problems() {
    check(BASE, &[]);
    check_on(&running(BASE), BASE, &[]);
}

#[test]
fn mailboxes() {
    line(
        "Mailbox carol {address: carol@three.test}",
        "spec.address: there is no MailDomain for three.test; declare one",
    );
    line(
        "Mailbox carol {address: carol@ome.test}",
        "spec.address: there is no MailDomain for ome.test; did you mean one.test?",
    );
    line(
        "Mailbox carol {address: carol@eins.test}",
        "spec.address: eins.test is another name of one.test, not a domain of its own; write carol@one.test: it \
         answers for carol@eins.test too",
    );
    line(
        "Mailbox carol {address: carol@parked.test}",
        "spec.address: parked.test is parked and takes no mail; remove parked from the MailDomain, or this object",
    );
    line(
        "Mailbox carol {address: alice@one.test}",
        "spec.address: alice@one.test is already declared by Mailbox default/alice at base.yaml:5; remove one of the two",
    );
}

#[test]
fn mailboxes_against_aliases_and_limits() {
    // A mailbox goes before an alias, so it is the alias that yields.
    check(
        &with("Mailbox carol {address: postmaster@one.test}"),
        &[
            "base.yaml:7: spec.address: postmaster@one.test is already declared by Mailbox default/carol at more.yaml:1; \
         remove one of the two",
        ],
    );
    line(
        "Mailbox carol {address: carol@one.test, sendAs: [carol@two.test, carol@eins.test, carol@three.test]}",
        "spec.sendAs[2]: carol@three.test is not at a domain that is served here; name addresses at one of the declared \
         domains",
    );
    let limited = instead("aliases: [eins.test]}", "limits: {mailboxes: 3, aliases: 2, maxQuota: 1Gi}}");
    let people = "# more.yaml\nMailbox carol {address: carol@one.test, quota: 1025Mi}\nMailbox dave {address: dave@one.test}\n";
    // Carol takes no place, since she is not applied.
    check(
        &(limited.clone() + people),
        &[
            "more.yaml:1: spec.quota: 1025Mi is above the 1Gi that one.test allows; write at most 1Gi, or raise \
         spec.limits.maxQuota of the MailDomain",
        ],
    );
    check(
        &(limited.clone() + &people.replace("1025Mi", "1Gi")),
        &["more.yaml:2: spec.address: one.test may have 3 mailboxes and would have 4; remove one, or raise \
         spec.limits.mailboxes of the MailDomain"],
    );
    let lists = "# more.yaml\nAlias a {address: a@one.test, targets: [bob@one.test]}\nAlias b {address: b@one.test, targets: [bob@one.test]}\n";
    check(
        &(limited + lists),
        &["more.yaml:2: spec.address: one.test may have 2 aliases and would have 3; remove one, or \
                                 raise spec.limits.aliases of the MailDomain"],
    );
}

#[test]
fn what_exists_stays_within_a_lowered_limit() {
    let lowered =
        instead("aliases: [eins.test]}", "aliases: [eins.test], limits: {mailboxes: 1, aliases: 0}}");
    check_on(&running(BASE), &lowered, &[]);
    let more = format!("{lowered}# more.yaml\nMailbox carol {{address: carol@one.test}}\n");
    check_on(
        &running(BASE),
        &more,
        &["more.yaml:1: spec.address: one.test may have 1 mailboxes and would have 3; \
                                       remove one, or raise spec.limits.mailboxes of the MailDomain"],
    );
}

#[test]
fn aliases() {
    line(
        "Alias team {address: team@one.test, targets: [alice@one.test, bbo@one.test]}",
        "spec.targets[1]: there is no mailbox and no alias bbo@one.test; declare it, or take it out",
    );
    line(
        "Alias team {address: team@one.test, targets: [alise@one.test]}",
        "spec.targets[0]: there is no mailbox and no alias alise@one.test; did you mean alice@one.test?",
    );
    line(
        "Alias team {address: team@one.test, targets: [someone@example.com, alise@one.test]}",
        "spec.targets[1]: there is no mailbox and no alias alise@one.test; did you mean alice@one.test?",
    );
    line(
        "Alias team {address: team@one.test, targets: [alice@on.test]}",
        "warning: spec.targets[0]: alice@on.test is not at a domain that is served here: mail for it leaves; did you mean \
         an address at one.test?",
    );
    line(
        "Alias all {address: '@three.test', targets: [alice@one.test]}",
        "spec.address: there is no MailDomain for three.test; declare one",
    );
    check(
        &with(
            "Alias team {address: team@one.test, targets: [alice+list@one.test, bob@eins.test, postmaster@two.test]}",
        ),
        &[],
    );
    check(&with("Alias all {address: '@one.test', targets: [alice@one.test]}"), &[]);
}

#[test]
fn forwards() {
    let forward = |targets: &str| {
        format!("Mailbox carol {{address: carol@one.test, forward: {{targets: [{targets}]}}}}")
    };
    check(&with(&forward("bob@one.test, carol@example.com")), &[]);
    line(
        &forward("bbo@one.test"),
        "spec.forward.targets[0]: there is no mailbox and no alias bbo@one.test; declare it, or take it out",
    );
    line(
        &forward("bob@example.com, bob@two.tset"),
        "warning: spec.forward.targets[1]: bob@two.tset is not at a domain that is served here: mail for it leaves; did \
         you mean an address at two.test?",
    );
    let given_up = "warning: spec.forward.targets[0]: eins.test is served here no more: mail for bob@eins.test leaves for \
                    another server; take it out, unless another server has the domain now";
    let before = running(&with(&forward("bob@eins.test")));
    let after =
        format!("{}# more.yaml\n{}\n", instead(", aliases: [eins.test]}", "}"), forward("bob@eins.test"));
    check_on(&before, &after, &[&format!("more.yaml:1: {given_up}")]);
}

#[test]
fn loops_go_through_forwards_and_aliases() {
    let remedy = "take one of these out of the targets of the one before it";
    let carol =
        |rest: &str| format!("Mailbox carol {{address: carol@one.test, forward: {{targets: [{rest}]}}}}");
    let dave = "Mailbox dave {address: dave@one.test, forward: {targets: [carol@one.test], keepCopy: false}}";
    check(
        &with(&format!("{}\n{dave}", carol("dave@one.test"))),
        &[
            &format!(
                "more.yaml:1: spec.forward.targets: forward loop carol@one.test→dave@one.test→carol@one.test; {remedy}"
            ),
            &format!(
                "more.yaml:2: spec.forward.targets: forward loop dave@one.test→carol@one.test→dave@one.test; {remedy}"
            ),
        ],
    );
    check(
        &with(&format!(
            "{}\nAlias team {{address: team@one.test, targets: [bob@one.test, carol@one.test]}}",
            carol("team@eins.test")
        )),
        &[
            &format!(
                "more.yaml:1: spec.forward.targets: forward loop carol@one.test→team@one.test→carol@one.test; {remedy}"
            ),
            &format!(
                "more.yaml:2: spec.targets: alias loop team@one.test→carol@one.test→team@one.test; {remedy}"
            ),
        ],
    );
    // The same address by another name is the same address.
    line(
        &carol("carol@eins.test"),
        &format!("spec.forward.targets: forward loop carol@one.test→carol@one.test; {remedy}"),
    );
    line(
        &carol("carol+x@one.test"),
        &format!("spec.forward.targets: forward loop carol@one.test→carol@one.test; {remedy}"),
    );
    // A mailbox that is switched off forwards nothing.
    let off = dave.replace("forward", "enabled: false, forward");
    check(&with(&format!("{}\n{off}", carol("dave@one.test"))), &[]);
}

#[test]
fn loops_are_printed_from_each_of_their_aliases() {
    let ring = "Alias a {address: a@one.test, targets: [b@one.test, alice@one.test]}\n\
                Alias b {address: b@one.test, targets: [c@eins.test]}\n\
                Alias c {address: c@one.test, targets: [a+x@one.test]}\n\
                Alias d {address: d@one.test, targets: [a@one.test]}";
    let remedy = "take one of these out of the targets of the one before it";
    check(
        &with(ring),
        &[
            &format!(
                "more.yaml:1: spec.targets: alias loop a@one.test→b@one.test→c@one.test→a@one.test; {remedy}"
            ),
            &format!(
                "more.yaml:2: spec.targets: alias loop b@one.test→c@one.test→a@one.test→b@one.test; {remedy}"
            ),
            &format!(
                "more.yaml:3: spec.targets: alias loop c@one.test→a@one.test→b@one.test→c@one.test; {remedy}"
            ),
            "more.yaml:4: spec.targets[0]: the Alias a@one.test at more.yaml:1 is not applied; mend that first",
        ],
    );
}

#[test]
fn domains_and_servers() {
    line(
        "MailDomain three {serverRef: {name: mian}, domain: three.test}",
        "spec.serverRef.name: there is no MailServer default/mian; the MailServers are default/main",
    );
    line(
        "MailDomain team/three {serverRef: {name: main}, domain: three.test}",
        "spec.serverRef.name: there is no MailServer team/main; the MailServers are default/main",
    );
    line(
        "MailDomain three {serverRef: {name: main}, domain: one.test}",
        "spec.domain: one.test is already declared by MailDomain default/one at base.yaml:2; remove one of the two",
    );
    line(
        "MailDomain three {serverRef: {name: main}, domain: eins.test}",
        "spec.domain: eins.test is already declared by MailDomain default/one at base.yaml:2; remove one of the two",
    );
    line(
        "MailDomain three {serverRef: {name: main}, domain: three.test, aliases: [drei.test, eins.test, two.test]}",
        "spec.aliases[1]: eins.test is already declared by MailDomain default/one at base.yaml:2; remove one of the \
         two\nmore.yaml:1: spec.aliases[2]: two.test is already declared by MailDomain default/two at base.yaml:3; remove \
         one of the two",
    );
    line(
        "MailDomain three {serverRef: {name: main}, domain: three.test, catchAll: alice@three.test}",
        "spec.catchAll: there is no mailbox and no alias alice@three.test; declare it, or take it out",
    );
    line(
        "MailServer other {hostname: mx.example.test}",
        "metadata.name: an installation has one MailServer, and MailServer default/main at base.yaml:1 is it; remove \
         one of the two",
    );
    check(
        &with("MailDomain three {serverRef: {name: main}, domain: three.test, catchAll: alice@one.test}"),
        &[],
    );
    check(
        "MailDomain one {serverRef: {name: main}, domain: one.test}",
        &["mail.yaml:1: spec.serverRef.name: there is no MailServer default/main; declare it"],
    );
}

#[test]
fn of_two_servers_the_one_that_domains_name_is_it() {
    check(
        &format!("# a.yaml\nMailServer another {{hostname: mx.example.test}}\n{BASE}"),
        &[
            "a.yaml:1: metadata.name: an installation has one MailServer, and MailServer default/main at base.yaml:1 is it; \
             remove one of the two",
        ],
    );
}

#[test]
fn catch_alls_are_declared_once() {
    let both = instead("aliases: [eins.test]}", "catchAll: bob@one.test}");
    check(
        &format!("{both}# more.yaml\nAlias all {{address: '@one.test', targets: [alice@one.test]}}\n"),
        &[
            "more.yaml:1: spec.address: unknown addresses of one.test already go where MailDomain default/one at base.yaml:2 \
         says; use either catchAll of the MailDomain or an Alias for @one.test",
        ],
    );
}

#[test]
fn secrets_are_warnings() {
    line(
        "Mailbox carol {address: carol@one.test, credentials: {secretRef: {name: none}}}",
        "warning: spec.credentials.secretRef.name: there is no Secret default/none; until it is there, the password stays \
         as it is",
    );
    check(
        &with(
            "Mailbox team/carol {address: carol@one.test, credentials: {secretRef: {name: some}}}\nSecret some {password: x}",
        ),
        &[
            "more.yaml:1: warning: spec.credentials.secretRef.name: there is no Secret team/some; until it is there, the \
           password stays as it is",
        ],
    );
    let tls = |more: &str| {
        instead("{hostname: mail.example.test}", "{hostname: mail.example.test, tls: {secretName: tls}}")
            + more
    };
    check(
        &tls(""),
        &[
            "base.yaml:1: warning: spec.tls.secretName: there is no Secret default/tls; until it is there, a certificate that is in use stays in use; without one there is no TLS",
        ],
    );
    check(
        &tls("Secret tls {tls.crt: x}\n"),
        &["base.yaml:1: warning: spec.tls.secretName: the Secret default/tls has no \
                                                tls.key; until it is there, a certificate that is in use stays in use; without one there is no TLS"],
    );
    check(&tls("Secret tls {tls.crt: x, tls.key: y}\n"), &[]);
    check(
        &tls("Secret tls {tls.crt: x, tls.key: ''}\n"),
        &[
            "base.yaml:1: warning: spec.tls.secretName: the key tls.key of the Secret default/tls cannot be used: it is \
           empty; until it is there, a certificate that is in use stays in use; without one there is no TLS",
        ],
    );
}

#[test]
fn an_object_declared_twice_is_applied_nowhere() {
    let twice = with(
        "Mailbox carol {address: carol@one.test}\n# again.yaml\nMailbox carol {address: carol@two.test}",
    );
    let remedy = "rename or remove all but one; until then none of them is applied";
    check(
        &twice,
        &[
            &format!(
                "again.yaml:1: metadata.name: Mailbox default/carol is declared again at more.yaml:1; {remedy}"
            ),
            &format!(
                "more.yaml:1: metadata.name: Mailbox default/carol is declared again at again.yaml:1; {remedy}"
            ),
        ],
    );
    let half_broken = with("Mailbox carol {address: carol@one.test}\n# again.yaml\nwrong Mailbox carol");
    check(
        &half_broken,
        &[
            "again.yaml:1: cannot be understood",
            &format!(
                "again.yaml:1: metadata.name: Mailbox default/carol is declared again at more.yaml:1; {remedy}"
            ),
            &format!(
                "more.yaml:1: metadata.name: Mailbox default/carol is declared again at again.yaml:1; {remedy}"
            ),
        ],
    );
    check(&with("Mailbox team/alice {address: alice@two.test}"), &[]);
}

#[test]
fn an_error_takes_along_what_depends_on_it_and_nothing_else() {
    let broken =
        instead("serverRef: {name: main}, domain: two.test}", "serverRef: {name: none}, domain: two.test}");
    let more = "# more.yaml\nMailbox carol {address: carol@two.test}\nAlias team {address: team@one.test, targets: [carol@two.test]}\n\
                Alias other {address: other@one.test, targets: [bob@one.test]}\n";
    check(
        &(broken + more),
        &[
            "base.yaml:3: spec.serverRef.name: there is no MailServer default/none; the MailServers are default/main",
            "base.yaml:8: spec.address: the MailDomain two.test at base.yaml:3 is not applied; mend that first",
            "more.yaml:1: spec.address: the MailDomain two.test at base.yaml:3 is not applied; mend that first",
            "more.yaml:2: spec.targets[0]: the MailDomain two.test at base.yaml:3 is not applied; mend that first",
        ],
    );
}

#[test]
fn a_domain_that_runs_serves_on_while_its_object_is_wrong() {
    let broken = instead("domain: two.test}", "domain: two.test, catchAll: nobody@two.test}");
    let more = "# more.yaml\nMailbox carol {address: carol@two.test}\n";
    check_on(
        &running(BASE),
        &(broken + more),
        &[
            "base.yaml:3: spec.catchAll: there is no mailbox and no alias nobody@two.test; declare it, or take it out",
        ],
    );
}

#[test]
fn a_domain_is_not_parked_under_its_people() {
    let parked = instead("domain: two.test}", "domain: two.test, parked: true}");
    check_on(
        &running(BASE),
        &parked,
        &[
            "base.yaml:3: spec.parked: two.test cannot be parked while postmaster@two.test and others take mail in it; remove \
         its addresses first",
            "base.yaml:8: spec.address: two.test is parked and takes no mail; remove parked from the MailDomain, or this object",
        ],
    );
    let emptied: String =
        parked.lines().filter(|line| !line.contains("postmaster2")).map(|line| format!("{line}\n")).collect();
    check_on(&running(BASE), &emptied, &[]);
}

#[test]
fn problems_stand_on_the_line_of_their_field() {
    let mut catalog = support::catalog(&with(
        "Alias team {address: team@one.test, targets: [alice@one.test, no@one.test]}",
    ));
    let mut entry = catalog.get(&support::object("Alias", "team")).unwrap().clone();
    let lines = [("spec.targets".to_owned(), 6), ("spec.targets[1]".to_owned(), 8)].into();
    entry.lines = mailwright_plan::Lines::new(&lines, &mailwright_plan::Lines::default());
    catalog.apply(entry);
    let problems = validate(&catalog, &support::settings("git", support::start()));
    assert!(problems[0].to_string().starts_with("more.yaml:8: spec.targets[1]: "), "{}", problems[0]);
}

#[test]
fn every_domain_is_told_that_it_wants_a_postmaster() {
    let repository = with("MailDomain three {serverRef: {name: main}, domain: three.test}");
    let planned = plan(
        &support::catalog(&repository),
        &Observed::default(),
        &support::settings("git", support::start()),
    );
    let found: Vec<String> = planned.problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "more.yaml:1: warning: spec.domain: nobody gets mail for postmaster@three.test (RFC 5321 §4.5.1); declare a \
         Mailbox or an Alias postmaster@three.test, or a catch-all"
        ]
    );
    assert_eq!(planned.errors().count(), 0);
}
