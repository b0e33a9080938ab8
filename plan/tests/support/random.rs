//! Random repositories and random earlier states, made so that references mostly resolve and names mostly differ.

use std::collections::BTreeSet;

use chrono::Duration;
use mailwright_plan::observed::{CredentialRow, MailboxRow, SetBy};
use mailwright_plan::{Catalog, Observed, Plan, Settings, plan, simulate};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const DOMAINS: [&str; 3] = ["one.test", "two.test", "three.test"];
const LOCALS: [&str; 6] = ["alice", "bob", "carol", "postmaster", "abuse", "sales"];

/// A few people, each usually with their own address, so that references mostly resolve.
const PEOPLE: [&str; 6] =
    ["alice@one.test", "bob@one.test", "carol@two.test", "dave@two.test", "erin@one.test", "sales@two.test"];

/// One line of a repository in the language of [`support`].
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        1 => (select(vec!["main", "main", "other"]), select(vec!["mail.one.test", "mx.two.test"]))
            .prop_map(|(name, host)| format!("MailServer {name} {{hostname: {host}}}")),
        6 => domain(),
        14 => mailbox(),
        10 => alias(),
        2 => select(vec!["Secret s {p: one}", "Secret s {p: two}"]).prop_map(str::to_owned),
        1 => select(vec!["wrong Mailbox alice", "wrong Alias list0", "wrong MailDomain one",
            "broken alice@one.test", "broken list1: [", "unreadable"]).prop_map(str::to_owned),
    ]
}

fn domain() -> impl Strategy<Value = String> {
    let alias = prop_oneof![3 => Just(String::new()), 2 => select(vec!["a.test", "b.test", "a.test, b.test", "three.test"]).prop_map(str::to_owned)];
    let extra = select(vec![
        "",
        "",
        ", catchAll: alice@one.test",
        ", limits: {mailboxes: 3, maxQuota: 1Gi, defaultQuota: 1Gi}",
        ", limits: {aliases: 2}",
        ", dmarc: {policy: Reject}",
    ]);
    (0..DOMAINS.len(), alias, extra, prop::bool::weighted(0.05)).prop_map(|(index, alias, extra, parked)| {
        let name = ["one", "two", "three"][index];
        let alias = if alias == DOMAINS[index] { String::new() } else { alias };
        let rest = if parked { ", parked: true".to_owned() } else { format!(", aliases: [{alias}]{extra}") };
        format!("MailDomain {name} {{serverRef: {{name: main}}, domain: {}{rest}}}", DOMAINS[index])
    })
}

fn address() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => select(PEOPLE.to_vec()).prop_map(str::to_owned),
        1 => (select(LOCALS.to_vec()), select(DOMAINS.to_vec())).prop_map(|(local, domain)| format!("{local}@{domain}")),
    ]
}

fn mailbox() -> impl Strategy<Value = String> {
    let extra = select(vec![
        "",
        "",
        "",
        ", enabled: false",
        ", quota: 2Gi",
        ", deletionPolicy: Delete, retainFor: 1h",
        ", deletionPolicy: Retain",
        ", forward: {targets: [erin@elsewhere.test]}",
        ", forward: {targets: [dave@two.test, team@one.test], keepCopy: false}",
        ", credentials: {secretRef: {name: s, key: p}}",
        ", credentials: {secretRef: {name: s, key: p}, management: Enforced}",
    ]);
    let suspended = select(vec!["", "", "", "", "", "", "", "suspended "]);
    (0..PEOPLE.len(), prop::option::weighted(0.15, address()), extra, suspended).prop_map(
        |(who, other, extra, suspended)| {
            let (name, _) = PEOPLE[who].split_once('@').unwrap();
            let address = other.unwrap_or_else(|| PEOPLE[who].to_owned());
            let extra = if extra.contains(&address) { "" } else { extra };
            let extra = if extra.contains(&address) { "" } else { extra };
            format!("Mailbox {suspended}{name} {{address: {address}{extra}}}")
        },
    )
}

fn alias() -> impl Strategy<Value = String> {
    let role = (select(vec!["postmaster", "abuse", "team", "info"]), select(DOMAINS[..2].to_vec()));
    let own = prop_oneof![
        8 => role.prop_map(|(local, domain)| format!("{local}@{domain}")),
        1 => address(),
        1 => select(DOMAINS.to_vec()).prop_map(|domain| format!("'@{domain}'")),
    ];
    let target = prop_oneof![9 => address(), 1 => Just("team@one.test".to_owned()), 1 => Just("info@one.test".to_owned()),
        1 => Just("erin@elsewhere.test".to_owned())];
    (0..7u8, own, prop::collection::btree_set(target, 1..3), prop::bool::weighted(0.9)).prop_map(
        |(number, own, mut targets, enabled)| {
            targets.remove(&own);
            if targets.is_empty() {
                targets
                    .insert(if own == "dave@two.test" { "bob@one.test" } else { "dave@two.test" }.to_owned());
            }
            let targets: Vec<String> = targets.into_iter().collect();
            format!(
                "Alias list{number} {{address: {own}, targets: [{}], enabled: {enabled}}}",
                targets.join(", ")
            )
        },
    )
}

/// A repository in up to three files, usually with a server and a domain, and usually with each name once.
pub fn repository() -> impl Strategy<Value = String> {
    let lines = prop::collection::vec((0..3u8, line()), 0..18);
    (prop::bool::weighted(0.9), prop::bool::weighted(0.9), lines).prop_map(move |(sound, unique, lines)| {
        let sound = if sound { SOUND } else { "" };
        let mut text = format!("# sound.yaml\n{sound}");
        let mut seen: BTreeSet<String> = sound.lines().map(name_of).collect();
        for file in 0..3 {
            text.push_str(&format!("# file{file}.yaml\n"));
            for (_, line) in lines.iter().filter(|(at, _)| *at == file) {
                if seen.insert(name_of(line)) || !unique {
                    text.push_str(&format!("{line}\n"));
                }
            }
        }
        text
    })
}

/// A few lines that take the place of others or are added, most of them about people.
pub fn edits() -> impl Strategy<Value = Vec<(Index, bool, String)>> {
    let line = prop_oneof![5 => mailbox(), 4 => alias(), 1 => line()];
    prop::collection::vec((any::<Index>(), prop::bool::weighted(0.6), line), 0..3)
}

/// A repository after such edits.
pub fn edited(repository: &str, edits: &[(Index, bool, String)]) -> String {
    let mut lines: Vec<String> = repository.lines().map(str::to_owned).collect();
    for (at, replaces, line) in edits {
        let same = lines.iter().position(|other| name_of(other) == name_of(line));
        let at = at.index(lines.len());
        match same {
            Some(same) => lines[same] = line.clone(),
            None if *replaces && !lines[at].starts_with('#') => lines[at] = line.clone(),
            None => lines.push(line.clone()),
        }
    }
    lines.join("\n")
}

const SOUND: &str = "MailServer main {hostname: mail.one.test}\n\
    MailDomain one {serverRef: {name: main}, domain: one.test}\n\
    MailDomain two {serverRef: {name: main}, domain: two.test}\n\
    Alias list0 {address: postmaster@one.test, targets: [alice@one.test]}\n";

fn name_of(line: &str) -> String {
    line.replace("suspended ", "").split(' ').take(2).collect()
}

/// What happened before: repositories of two sources applied one after the other, passwords changed, rows released.
pub fn history() -> impl Strategy<Value = Vec<(&'static str, String, u8)>> {
    prop::collection::vec((select(vec!["git", "git", "other"]), repository(), 0..4u8), 0..4)
}

pub fn approving(catalog: &Catalog, observed: &Observed, mut settings: Settings) -> (Plan, Settings) {
    let planned = plan(catalog, observed, &settings);
    settings.guards.approved = vec![planned.digest];
    (plan(catalog, observed, &settings), settings)
}

pub fn earlier(history: &[(&'static str, String, u8)], pick: &Index) -> Observed {
    let (mut observed, mut now) = (Observed::default(), super::start());
    for (source, repository, approve) in history {
        now += Duration::hours(2);
        let catalog = super::catalog(repository);
        let settings = super::settings(source, now);
        let planned = match approve {
            0 => plan(&catalog, &observed, &settings),
            _ => approving(&catalog, &observed, settings).0,
        };
        observed = simulate::apply(&observed, &planned, now);
    }
    if !observed.mailboxes.is_empty() {
        let row: &mut MailboxRow = pick.get_mut(&mut observed.mailboxes);
        match row.account_id % 3 {
            0 => row.owner = None,
            1 => row.credential = Some(CredentialRow { fingerprint: None, set_by: SetBy::Owner }),
            _ => row.used_bytes = 3 << 30,
        }
    }
    observed
}

/// The same declarations, taken in in another order and partly twice.
pub fn shuffled(repository: &str, seed: usize) -> Catalog {
    let straight = super::catalog(repository);
    let mut catalog = straight.clone();
    let mut entries: Vec<_> = straight.entries().cloned().collect();
    for entry in &entries {
        catalog.delete(&entry.object());
    }
    let length = entries.len().max(1);
    entries.rotate_left(seed % length);
    if seed.is_multiple_of(2) {
        entries.reverse();
    }
    let mut by_file: Vec<(String, Vec<_>)> = Vec::new();
    for entry in entries {
        match by_file.iter_mut().find(|(file, _)| *file == entry.origin.file) {
            Some((_, list)) => list.push(entry),
            None => by_file.push((entry.origin.file.to_string(), vec![entry])),
        }
    }
    // Taking a file in anew forgets what was broken in it, so that is told again.
    for (file, list) in by_file {
        catalog.replace_file(&file, list);
    }
    for (object, origins) in straight.broken_objects() {
        origins.iter().for_each(|origin| catalog.set_broken_object(object.clone(), origin.clone()));
    }
    for (file, broken) in straight.broken_files() {
        catalog.set_broken_file(file.clone(), broken.text.clone());
    }
    straight.problems().iter().for_each(|problem| catalog.add_problem(problem.clone()));
    catalog
}

/// Everything but the counter, which counts writes and so depends on the way.
pub fn state(observed: &Observed) -> Observed {
    let mut state = Observed { change_counter: 0, ..observed.clone() };
    // Numbers follow the order of creation, which an interruption may change.
    state.mailboxes.iter_mut().for_each(|row| row.account_id = 0);
    state
}

/// Enough in every run to find what is common; `PROPTEST_CASES` asks for more.
pub fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150)
}
