//! Manifests of what an importer found: what several systems say in their own ways becomes a MailServer, MailDomains, Mailboxes and
//! Aliases that pass `mailwright validate`. What does not is left out and told.

use std::collections::{BTreeMap, BTreeSet};

use mailwright_crds::{API_VERSION, DisplayName, Kind, Quantity, Scalar as _, Senders, check_manifest};
use mailwright_plan::{Catalog, Entry, Origin, Settings, validate};
use serde_json::{Map, Value, json};

use super::{Found, FoundMailbox, MAX_OF_MAILBOX, Note, Place, limits};

/// How often what is left out may take others with it: longer chains of aliases are not followed in delivery either.
const MAX_ROUNDS: usize = 32;

/// One object on its way to a file.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file it goes to.
    pub file: String,
    /// The whole manifest.
    pub value: Value,
    place: Place,
    kind: Kind,
}

/// Everything that can be declared, and what could not.
#[derive(Debug)]
pub struct Imported {
    /// Text by file: `server.yaml` and one file for each domain.
    pub files: BTreeMap<String, String>,
    /// Mailboxes and aliases in it.
    pub mailboxes: usize,
    /// Aliases in it, catch-alls among them.
    pub aliases: usize,
    /// What was left out, by place.
    pub notes: Vec<Note>,
}

/// Turns what was found into manifests of a server called `hostname`.
pub fn manifests(mut found: Found, hostname: &str) -> Imported {
    let forwards = settle(&mut found);
    let limits = limits::settle(&mut found);
    let mut documents = documents(&found, &forwards, &limits, hostname);
    let mut notes = std::mem::take(&mut found.notes);
    for _ in 0..MAX_ROUNDS {
        let wrong = wrong(&documents);
        if wrong.is_empty() {
            break;
        }
        for (index, message) in wrong.iter().rev() {
            let left_out = documents.remove(*index);
            notes.push(Note { place: left_out.place, message: format!("{message}; it is left out") });
        }
    }
    notes.sort();
    notes.dedup();
    let count = |kind| documents.iter().filter(|it| it.kind == kind).count();
    let (mailboxes, aliases) = (count(Kind::Mailbox), count(Kind::Alias));
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for document in documents {
        let text = files.entry(document.file).or_default();
        if !text.is_empty() {
            text.push_str("---\n");
        }
        // Plain data without maps as keys: it always has a YAML form.
        text.push_str(&serde_yaml::to_string(&document.value).unwrap_or_default());
    }
    Imported { files, mailboxes, aliases, notes }
}

/// What a mailbox hands on, by its address: the targets, and whether it keeps a copy.
type Forwards = BTreeMap<String, (Vec<String>, bool)>;

/// An alias of an address that has a mailbox is a forward of it; one that means itself alone says nothing. An alias domain has no
/// addresses of its own.
fn settle(found: &mut Found) -> Forwards {
    let mut forwards = Forwards::new();
    let both: Vec<String> =
        found.aliases.keys().filter(|key| found.mailboxes.contains_key(*key)).cloned().collect();
    for address in both {
        let Some((place, alias)) = found.aliases.remove(&address) else { continue };
        let others: Vec<String> =
            alias.targets.iter().filter(|target| **target != address).cloned().collect();
        if others.is_empty() || alias.disabled {
            continue;
        }
        if alias.senders != Senders::Anyone {
            found.note(
                &place,
                format!("not everybody may send to {address}, which has a mailbox: here everybody may"),
            );
        }
        if others.len() > MAX_OF_MAILBOX {
            let message =
                format!("{address} forwards to {} addresses, {MAX_OF_MAILBOX} are possible", others.len());
            found.note(
                &place,
                format!("{message}: forward to an Alias with them; its mail stays in the mailbox"),
            );
            continue;
        }
        let keeps = others.len() < alias.targets.len();
        forwards.insert(address, (others, keeps));
    }
    let mut notes = Vec::new();
    for (address, (place, alias)) in &mut found.aliases {
        let targets = &mut alias.targets;
        let before = targets.len();
        targets.retain(|target| target != address);
        if targets.is_empty() {
            let message = format!("{address} leads to itself and has no mailbox; it is left out");
            notes.push(Note { place: place.clone(), message });
        } else if targets.len() < before {
            let message =
                format!("{address} also leads to itself and has no mailbox: that target is left out");
            notes.push(Note { place: place.clone(), message });
        }
    }
    found.notes.extend(notes);
    found.aliases.retain(|_, (_, alias)| !alias.targets.is_empty());
    alias_domains(found);
    forwards
}

fn alias_domains(found: &mut Found) {
    let addresses = found.mailboxes.keys().chain(found.aliases.keys());
    let used: BTreeSet<String> =
        addresses.filter_map(|address| Some(address.rsplit_once('@')?.1.to_owned())).collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut notes = Vec::new();
    for (domain, aliases) in &mut found.domains {
        aliases.sort();
        aliases.dedup();
        aliases.retain(|alias| {
            let message = if used.contains(alias) {
                format!("{alias} means {domain} and has addresses of its own, which stay; the rest of it is left out")
            } else if !taken.insert(alias.clone()) {
                format!("{alias} means more than one domain; {domain} is left out of them")
            } else {
                return true;
            };
            notes.push(Note { place: Place::new(alias, 0), message });
            false
        });
    }
    found.notes.extend(notes);
    found.domains.retain(|domain, _| !taken.contains(domain));
}

fn documents(
    found: &Found,
    forwards: &Forwards,
    limits: &BTreeMap<String, Value>,
    hostname: &str,
) -> Vec<Document> {
    let mut names = Names::default();
    let nowhere = Place::new("server.yaml", 0);
    let server = json!({"hostname": hostname});
    let mut documents = vec![document(Kind::MailServer, "mail", "server.yaml", server, &nowhere)];
    for (domain, aliases) in &found.domains {
        let mut spec = json!({"serverRef": {"name": "mail"}, "domain": domain});
        if !aliases.is_empty() {
            spec["aliases"] = json!(aliases);
        }
        if let Some(limits) = limits.get(domain) {
            spec["limits"] = limits.clone();
        }
        let name = names.of(Kind::MailDomain, domain);
        documents.push(document(Kind::MailDomain, &name, &file(domain), spec, &Place::new(domain, 0)));
    }
    for (address, (place, mailbox)) in &found.mailboxes {
        let spec = mailbox_spec(address, mailbox, forwards.get(address));
        let name = names.of(Kind::Mailbox, address);
        documents.push(document(Kind::Mailbox, &name, &file(domain_of(address)), spec, place));
    }
    for (address, (place, alias)) in &found.aliases {
        let name = names.of(Kind::Alias, address);
        let mut spec = json!({"address": address, "targets": alias.targets});
        if alias.senders != Senders::Anyone {
            spec["senders"] = json!(alias.senders);
        }
        if alias.disabled {
            spec["enabled"] = json!(false);
        }
        documents.push(document(Kind::Alias, &name, &file(domain_of(address)), spec, place));
    }
    documents
}

fn mailbox_spec(address: &str, mailbox: &FoundMailbox, forward: Option<&(Vec<String>, bool)>) -> Value {
    let mut spec = Map::new();
    spec.insert("address".to_owned(), json!(address));
    let name = mailbox.display_name.as_ref().filter(|name| DisplayName::parse(name).is_ok());
    let quota = mailbox.quota.and_then(|bytes| Quantity::from_bytes(bytes).ok());
    let fields = [
        ("displayName", name.map(|name| json!(name))),
        ("credentials", mailbox.password_hash.as_ref().map(|hash| json!({"passwordHash": hash}))),
        ("quota", quota.map(|quota| json!(quota.as_str()))),
        ("enabled", mailbox.disabled.then(|| json!(false))),
        ("sendAs", (!mailbox.send_as.is_empty()).then(|| json!(mailbox.send_as))),
        ("forward", forward.map(|(targets, keeps)| json!({"targets": targets, "keepCopy": keeps}))),
    ];
    spec.extend(fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    Value::Object(spec)
}

fn document(kind: Kind, name: &str, file: &str, spec: Value, place: &Place) -> Document {
    let metadata = json!({"name": name});
    let value = json!({"apiVersion": API_VERSION, "kind": kind.as_str(), "metadata": metadata, "spec": spec});
    Document { file: file.to_owned(), value, place: place.clone(), kind }
}

/// Domains are letters, digits, dots and hyphens: good names of files as they are.
fn file(domain: &str) -> String {
    format!("{domain}.yaml")
}

fn domain_of(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

/// Names of objects, made of what they are about.
#[derive(Default)]
struct Names(BTreeSet<(Kind, String)>);

/// A name has at most 253 characters; addresses have 254.
const MAX_NAME: usize = 200;

impl Names {
    fn of(&mut self, kind: Kind, key: &str) -> String {
        let plain: String =
            key.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
        let base: String = plain.trim_matches('-').chars().take(MAX_NAME).collect();
        let base = match (base.is_empty(), key.starts_with('@')) {
            (true, _) => "unnamed".to_owned(),
            (_, true) => format!("catch-all-{base}"),
            _ => base,
        };
        let mut name = base.clone();
        let mut number = 1;
        while !self.0.insert((kind, name.clone())) {
            number += 1;
            name = format!("{base}-{number}");
        }
        name
    }
}

/// The documents that cannot be declared, by their number, with the reason.
fn wrong(documents: &[Document]) -> Vec<(usize, String)> {
    let mut wrong: BTreeMap<usize, String> = BTreeMap::new();
    let mut catalog = Catalog::new();
    let mut by_object = BTreeMap::new();
    let mut entries = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        match check_manifest(document.kind, &document.value) {
            Ok(resource) => {
                let entry = Entry::new(resource, Origin::new("import", 1 + index as u32));
                by_object.insert(entry.object(), index);
                entries.push(entry);
            }
            Err(violations) => {
                let text: Vec<String> = violations.iter().map(|it| it.message.clone()).collect();
                wrong.insert(index, text.join("; "));
            }
        }
    }
    catalog.replace_file("import", entries);
    let settings = Settings::new("import", chrono::DateTime::UNIX_EPOCH);
    for problem in validate(&catalog, &settings).into_iter().filter(|problem| problem.is_error()) {
        let object = problem.object.as_ref();
        if let Some(index) = object.and_then(|object| by_object.get(object)) {
            wrong.entry(*index).or_insert_with(|| problem.message.clone());
        }
    }
    wrong.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::super::postfix::{self, Map};
    use super::*;

    fn import(mailboxes: &str, aliases: &str) -> Imported {
        let mut found = Found::default();
        postfix::read(&mut found, "mailboxes", mailboxes, Map::Mailboxes, None, &[]);
        postfix::read(&mut found, "aliases", aliases, Map::Aliases, None, &[]);
        manifests(found, "mail.one.test")
    }

    #[test]
    fn aliases_of_mailboxes_become_forwards() {
        let imported = import(
            "alice@one.test x\nbob@one.test x\ncarol@one.test x\n",
            "alice@one.test alice@one.test, bob@one.test\nbob@one.test carol@two.example\ncarol@one.test carol@one.test\n",
        );
        let text = &imported.files["one.test.yaml"];
        assert!(imported.notes.is_empty(), "{:?}", imported.notes);
        assert_eq!((imported.mailboxes, imported.aliases), (3, 0));
        let part = |name: &str| {
            let documents: Vec<&str> = text.split("---\n").collect();
            documents
                .into_iter()
                .find(|it| it.contains(&format!("name: {name}-one-test\n")))
                .unwrap()
                .to_owned()
        };
        assert!(part("alice").contains("keepCopy: true") && part("alice").contains("- bob@one.test"));
        assert!(part("bob").contains("keepCopy: false") && part("bob").contains("- carol@two.example"));
        assert!(!part("carol").contains("forward"));
    }

    #[test]
    fn who_forwards_to_too_many_keeps_their_mailbox() {
        let many: Vec<String> = (0..101).map(|number| format!("a{number}@two.example")).collect();
        let imported = import("alice@one.test x\n", &format!("alice@one.test {}\n", many.join(" ")));
        assert_eq!((imported.mailboxes, imported.notes.len()), (1, 1));
        assert!(imported.notes[0].message.contains("forwards to 101 addresses"), "{:?}", imported.notes);
        assert!(!imported.files["one.test.yaml"].contains("forward"));
    }

    #[test]
    fn what_would_not_validate_is_left_out_and_told() {
        let imported = import(
            "alice@one.test x\n",
            "a@one.test b@one.test\nb@one.test a@one.test\nc@one.test nobody@one.test\nd@one.test c@one.test\n\
             e@one.test alice@one.test\nf@one.test f@one.test\n",
        );
        assert_eq!(imported.aliases, 1);
        let lines: Vec<usize> = imported.notes.iter().map(|note| note.place.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 6], "{:?}", imported.notes);
        assert!(imported.notes[0].message.contains("alias loop"), "{}", imported.notes[0]);
    }

    #[test]
    fn alias_domains_have_no_addresses_of_their_own() {
        let imported = import(
            "alice@one.test x\n",
            "@eins.test @one.test\n@uno.test @one.test\ninfo@uno.test alice@one.test\n",
        );
        assert!(
            imported.files["one.test.yaml"].contains("aliases:\n  - eins.test\n"),
            "{:?}",
            imported.files
        );
        assert_eq!(
            imported.files.keys().collect::<Vec<_>>(),
            ["one.test.yaml", "server.yaml", "uno.test.yaml"]
        );
        assert_eq!(imported.notes.len(), 1);
    }

    #[test]
    fn names_are_apart_and_valid() {
        let imported = import("a.b@one.test x\na-b@one.test x\n", "@one.test a-b@one.test\n");
        let text = &imported.files["one.test.yaml"];
        for name in ["name: a-b-one-test\n", "name: a-b-one-test-2\n", "name: catch-all-one-test\n"] {
            assert!(text.contains(name), "{text}");
        }
        assert!(imported.notes.is_empty(), "{:?}", imported.notes);
    }
}
