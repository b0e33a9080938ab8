//! Plans as Markdown: golden pages, pages of hostile manifests and of thousands of operations, and that none of it is more
//! than text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

mod support;

use std::fmt::Write as _;

use mailwright_crds::Text;
use mailwright_plan::render::{self, Page};
use mailwright_plan::{Guard, Observed, Plan, Settings, plan};
use support::{BASE, running, with};

fn settings() -> Settings {
    support::settings("git", support::start())
}

/// Something in each section: removed, held, changed, created, wrong, kept.
fn everything() -> Plan {
    let before = with(
        "Mailbox carol {address: carol@two.test, credentials: {secretRef: {name: p}}}\n\
         Mailbox dave {address: dave@two.test}\nMailbox erin {address: erin@two.test}\nSecret p {password: one}\n# other.yaml\n\
         Mailbox frank {address: frank@two.test}",
    );
    let after = BASE
        .replace("postmaster2 ", "renamed ")
        .replace("bob@one.test}", "bob@one.test, quota: 1Gi}")
        + "# more.yaml\nMailbox carol {address: carol@two.test, credentials: {secretRef: {name: p}}}\nSecret p {password: two}\n\
           Alias team {address: team@two.test, targets: [nobody@two.test]}\nMailbox gina {address: gina@two.test, credentials: {secretRef: {name: none}}}\n\
           # other.yaml\nbroken frank: [\n";
    plan(&support::catalog(&after), &running(&before), &settings())
}

fn page_files() -> Option<String> {
    Some("https://git.example.test/company/mail/src/commit/1f2e3d".to_owned())
}

fn page() -> Page {
    Page { files: page_files(), notes: vec!["Planned for `1f2e3d`.".to_owned()], ..Page::default() }
}

fn golden(name: &str, text: &str) {
    insta::with_settings!({prepend_module_to_snapshot => false, omit_expression => true}, {
        insta::assert_snapshot!(name, text);
    });
}

#[test]
fn pages_are_as_they_are() {
    golden("everything_markdown", &render::markdown(&everything(), &page()));
    let nothing = plan(&support::catalog(BASE), &running(BASE), &settings());
    golden("nothing_markdown", &render::markdown(&nothing, &Page::default()));
}

#[test]
fn the_same_plan_has_the_same_page() {
    let once = render::markdown(&everything(), &page());
    assert_eq!(once, render::markdown(&everything(), &page()));
    let wire: Plan = serde_json::from_str(&serde_json::to_string(&everything()).unwrap()).unwrap();
    assert_eq!(once, render::markdown(&wire, &page()));
}

#[test]
fn summaries_are_one_line_of_words_of_our_own() {
    let held = {
        let before = with("Mailbox carol {address: carol@two.test}\nMailbox dave {address: dave@two.test}");
        plan(&support::catalog(BASE), &running(&before), &settings())
    };
    let gone = with("Mailbox carol {address: carol@two.test}");
    let gone = plan(&support::catalog(BASE), &running(&gone), &settings());
    let first = plan(&support::catalog(BASE), &Observed::default(), &settings());
    for (plan, expected) in [
        (&everything(), "1 to create, 3 to update, 2 held back, 2 errors, somebody loses access"),
        (&held, "2 held back"),
        (&gone, "1 to disable, somebody loses access"),
        (&first, "8 to create"),
        (&Plan::default(), "nothing to do"),
    ] {
        assert_eq!(render::summary(plan), expected);
    }
}

/// What a pull request from a stranger may hold: each line is what they want the comment to do.
const HOSTILE: &[&str] = &[
    "</details><script>alert(1)</script>",
    "@admin @company/security @everyone",
    "x](https://evil.example) [y](javascript:alert(1))",
    "``` \n\n# Approved\n\n/approve\n/merge\nfixes #1, closes company/mail#2",
    "![track](https://evil.example/pixel.png)",
    "a | b | c\n---|---|---\n",
    "\u{202e}gnp.tset",
    "<!-- mailwright-plan -->",
    "<details><summary>`",
    "`",
    "$`\\href{https://evil.example}{x}`$ &#64;admin",
];

/// A page without its code spans and where links lead; those lead to files and nowhere else.
fn outside_code(page: &str) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some(start) = rest.find('`') {
        out.push_str(&rest[..start]);
        let fence = rest[start..].bytes().take_while(|byte| *byte == b'`').count();
        let inner = &rest[start + fence..];
        let mut at = 0;
        let end = loop {
            let found = at + inner[at..].find('`').unwrap_or_else(|| panic!("a span without end: {rest}"));
            let run = inner[found..].bytes().take_while(|byte| *byte == b'`').count();
            if run == fence {
                break found;
            }
            at = found + run;
        };
        assert!(!inner[..end].contains('\n'), "a span over two lines: {:?}", &inner[..end]);
        rest = &inner[end + fence..];
    }
    out.push_str(rest);
    while let Some(start) = out.find("](") {
        let end = start + out[start..].find(')').unwrap();
        let files = page_files().unwrap();
        let path = out[start + 2..end].strip_prefix(&format!("{files}/")).unwrap();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%#".contains(&byte);
        assert!(path.bytes().all(plain), "{path}");
        out.replace_range(start..=end, "");
    }
    out
}

#[test]
fn a_strangers_text_is_only_text() {
    let mut text = BASE.to_owned();
    for (number, hostile) in HOSTILE.iter().enumerate() {
        // A manifest takes no line ends here; other texts may have them.
        let name = serde_json::to_string(&hostile.replace(char::is_control, " ")).unwrap();
        let _ = writeln!(text, "Mailbox m{number} {{address: m{number}@one.test, displayName: {name}}}");
    }
    let mut plan = plan(&support::catalog(&text), &running(BASE), &settings());
    assert_eq!(plan.operations.len(), HOSTILE.len());
    // Whatever a planner puts into words comes from somewhere; here all of it comes from a stranger.
    for (operation, hostile) in plan.operations.iter_mut().zip(HOSTILE) {
        operation.effect.push((*hostile).to_owned());
        operation.changes.last_mut().unwrap().to = Some((*hostile).into());
        operation.subject.push_str(hostile);
        append(&mut operation.object.name, hostile);
        append(&mut operation.origin.as_mut().unwrap().file, hostile);
    }
    plan.operations[0].drift = true;
    plan.operations[1].held = Some(Box::new(Guard::LastTarget { alias: HOSTILE[3].to_owned() }));
    plan.operations[2].held = Some(Box::new(Guard::Protected { address: HOSTILE[1].to_owned() }));
    plan.problems = everything().problems;
    for (problem, hostile) in plan.problems.iter_mut().zip(HOSTILE) {
        problem.message.push_str(hostile);
        problem.remedy = Some((*hostile).to_owned());
        append(&mut problem.origin.as_mut().unwrap().file, hostile);
    }
    let page = render::markdown(&plan, &page());
    let outside = outside_code(&page);
    for forbidden in
        ["script", "@", "evil", "Approved\n", "/approve", "fixes", "<!--", "pixel", "\u{202e}", "$"]
    {
        assert!(!outside.contains(forbidden), "{forbidden}: {outside}");
    }
    let ours = ["<details>", "<summary>", "</summary>", "</details>"];
    let markup = ours.iter().fold(outside, |text, ours| text.replace(ours, ""));
    assert!(!markup.contains(['<', '>', '|']), "{markup}");
    for line in page.lines() {
        let line = line.trim_start();
        let known = ["- ", "#### ", "### ", "<details>", "</details>", "Digest ", "Planned "];
        assert!(line.is_empty() || known.iter().any(|start| line.starts_with(start)), "{line}");
    }
}

#[test]
fn a_large_plan_is_cut_with_a_count() {
    let mut before = BASE.to_owned();
    for number in 0..900 {
        let _ = writeln!(before, "Mailbox gone{number} {{address: gone{number}@one.test}}");
    }
    let mut after = BASE.to_owned();
    for number in 0..2000 {
        let _ = writeln!(after, "Mailbox new{number} {{address: new{number}@one.test}}");
    }
    let mut settings = settings();
    let (catalog, observed) = (support::catalog(&after), running(&before));
    let held = plan(&catalog, &observed, &settings);
    settings.guards.approved = vec![held.digest.clone()];
    let approved = plan(&catalog, &observed, &settings);
    for (plan, removed) in [(&held, "#### Held back\n"), (&approved, "#### Removes access\n")] {
        let whole = render::markdown(plan, &page());
        assert!(whole.len() <= render::PAGE && whole.len() > render::PAGE / 2, "{}", whole.len());
        assert_eq!(whole.matches(" more, which do not fit here").count(), 2, "{removed}");
        for part in [removed, "<details><summary>Adds or changes without risk (2000)</summary>"] {
            assert!(whole.contains(part), "{part}");
        }
        outside_code(&whole);
        let short = render::markdown(plan, &Page { limit: 3000, ..page() });
        assert!(
            short.len() <= 3000 && short.contains(removed) && short.contains("do not fit here"),
            "{short}"
        );
    }
}

#[test]
fn no_password_is_on_a_page() {
    let page = render::markdown(&everything(), &page());
    for secret in ["one", "two"] {
        assert!(!page.contains(&mailwright_plan::fingerprint(&support::KEY, secret.as_bytes())));
    }
    assert!(page.contains("spec.credentials"), "that it changes is said");
}

fn append(text: &mut Text, more: &str) {
    *text = format!("{text}{more}").into();
}
