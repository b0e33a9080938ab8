//! Mailu's `config-export --secrets`, as YAML or JSON: domains with their alternatives, users, aliases. What the export leaves out has
//! Mailu's default, so it means that here too. Leaves out what Mailu keeps beside accounts: mail, fetched accounts, tokens, relays.

use std::collections::HashMap;

use serde_json::Value;

use super::limits::Limits;
use super::{Found, FoundMailbox, Place};

/// The quota of a user without one in the export: Mailu's default (DEFAULT_QUOTA), which `config-export` leaves out without `--full`.
const DEFAULT_QUOTA: u64 = 1_000_000_000;
/// What stands where a secret would, without `--secrets`.
const HIDDEN: &str = "<hidden>";

/// Reads an export.
pub fn read(found: &mut Found, file: &str, text: &str) {
    // JSON is YAML, but for escapes that only JSON has.
    let value: Result<Value, String> = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| format!("line {}", error.line())),
        false => serde_yaml::from_str(text)
            .map_err(|error| error.location().map_or_else(String::new, |at| format!("line {}", at.line()))),
    };
    let beginning = Place::new(file, 1);
    let config = match value {
        Ok(Value::Object(config)) if config.contains_key("user") || config.contains_key("domain") => config,
        Ok(_) => {
            return found.note(
                &beginning,
                "this is no export of Mailu: neither `domain` nor `user` is in it; make it with `flask mailu config-export --secrets`",
            );
        }
        Err(at) => {
            let message = format!("this is neither YAML nor JSON ({at}); nothing of it is imported");
            return found.note(&beginning, message);
        }
    };
    let lines = Lines::of(text);
    let items = |section: &'static str| {
        let items = config.get(section).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        items.iter().enumerate().map(|(index, item)| (lines.place(file, section, index), Item(item)))
    };
    for (place, item) in items("domain") {
        domain(found, &place, item);
    }
    for (place, item) in items("user") {
        user(found, &place, item);
    }
    for (place, item) in items("alias") {
        alias(found, &place, item);
    }
    for (place, item) in items("relay") {
        let name = item.text("name");
        found.note(&place, format!("{name:?} is relayed to another host, not served; it is left out"));
    }
    for section in config.keys().filter(|key| !["domain", "user", "alias", "relay"].contains(&key.as_str())) {
        found.note(&beginning, format!("the section {section:?} is not known; it is left out"));
    }
}

fn domain(found: &mut Found, place: &Place, item: Item<'_>) {
    let name = item.text("name");
    if found.domain(place, name).is_none() {
        return;
    }
    for alternative in item.list("alternatives") {
        let alternative = alternative.as_str().or_else(|| alternative.get("name")?.as_str());
        found.alias_domain(place, alternative.unwrap_or_default(), name);
    }
    // -1 is no limit for counts, 0 for bytes.
    let limits = Limits {
        mailboxes: item.number("max_users"),
        aliases: item.number("max_aliases"),
        max_quota: item.number("max_quota_bytes").filter(|bytes| *bytes > 0),
        ..Limits::default()
    };
    found.limit(place, name, limits);
}

fn user(found: &mut Found, place: &Place, item: Item<'_>) {
    let address = item.text("email");
    let quota = item.number("quota_bytes").unwrap_or(DEFAULT_QUOTA);
    let mailbox = FoundMailbox {
        display_name: Some(item.text("displayed_name").trim().to_owned()).filter(|name| !name.is_empty()),
        password_hash: password(found, place, address, item),
        quota: Some(quota).filter(|quota| *quota > 0),
        disabled: !item.flag("enabled", true),
        ..FoundMailbox::default()
    };
    found.mailbox(place, address, mailbox);
    if item.flag("forward_enabled", false) {
        let own = item.flag("forward_keep", true).then(|| address.to_owned());
        let targets: Vec<String> = item.texts("forward_destination").into_iter().chain(own).collect();
        found.alias(place, address, targets.as_slice());
    }
    let untold = [
        (item.flag("reply_enabled", false), "an answer for absences, which is not carried over"),
        (item.flag("allow_spoofing", false), "the right to send as anybody: declare the addresses in sendAs"),
        (
            !item.flag("enable_imap", true) && !item.flag("enable_pop", true),
            "no right to read mail there; here they may",
        ),
        (!item.list("tokens").is_empty(), "passwords for single programs, which are not carried over"),
        (!item.list("fetches").is_empty(), "mail fetched from other servers, which cannot be declared"),
    ];
    for (_, what) in untold.into_iter().filter(|(is_so, _)| *is_so) {
        found.note(place, format!("{address} has {what}"));
    }
}

fn password(found: &mut Found, place: &Place, who: &str, item: Item<'_>) -> Option<String> {
    // password_hash and hash_scheme are what versions before 1.8 wrote.
    let stored = match item.text("password") {
        "" => item.text("password_hash"),
        stored => stored,
    };
    let scheme = item.text("hash_scheme");
    match stored {
        "" | HIDDEN => {
            found.note(
                place,
                format!(
                    "{who} has no password here: export with config-export --secrets, or mailwright passwd {who}"
                ),
            );
            None
        }
        clear if item.flag("hash_password", false) => {
            found.password(place, who, &format!("{{PLAIN}}{clear}"))
        }
        bare if !bare.starts_with(['{', '$']) && !scheme.is_empty() => {
            found.password(place, who, &format!("{{{scheme}}}{bare}"))
        }
        stored => found.password(place, who, stored),
    }
}

/// A wildcard is a pattern of SQL's LIKE; `%` before the domain is a catch-all, and nothing else can be declared.
fn alias(found: &mut Found, place: &Place, item: Item<'_>) {
    let address = item.text("email");
    let targets = item.texts("destination");
    let pattern = address.rsplit_once('@').filter(|_| item.flag("wildcard", false));
    match pattern {
        Some(("%", domain)) => found.alias(place, &format!("@{domain}"), targets.as_slice()),
        Some((local, _)) if local.contains(['%', '_']) => {
            found.note(
                place,
                format!("{address:?} stands for a pattern of addresses: declare them one by one"),
            );
        }
        _ => found.alias(place, address, targets.as_slice()),
    }
}

/// One object of a section.
#[derive(Clone, Copy)]
struct Item<'a>(&'a Value);

impl<'a> Item<'a> {
    fn text(self, field: &str) -> &'a str {
        self.0.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn flag(self, field: &str, absent: bool) -> bool {
        self.0.get(field).and_then(Value::as_bool).unwrap_or(absent)
    }

    fn number(self, field: &str) -> Option<u64> {
        self.0.get(field).and_then(Value::as_u64)
    }

    fn list(self, field: &str) -> &'a [Value] {
        self.0.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Addresses as a list, or as text with commas.
    fn texts(self, field: &str) -> Vec<String> {
        let listed = self.list(field).iter().filter_map(Value::as_str);
        let split = self.text(field).split(',');
        listed.chain(split).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect()
    }
}

/// On which line each object of a section names itself; in JSON, which has one line, objects are numbered.
struct Lines(HashMap<&'static str, Vec<usize>>);

impl Lines {
    fn of(text: &str) -> Lines {
        let mut lines: HashMap<&'static str, Vec<usize>> = HashMap::new();
        let mut section = None;
        // How far in the objects of the section begin: what is further in belongs to one of them.
        let mut indent = None;
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            if trimmed.len() == line.len() && !line.starts_with('-') && line.ends_with(':') {
                let known = ["domain", "user", "alias", "relay"];
                section = known.into_iter().find(|name| line.strip_suffix(':') == Some(*name));
                indent = None;
            } else if let (Some(section), true) = (section, trimmed.starts_with("- ")) {
                let depth = line.len() - trimmed.len();
                if depth == *indent.get_or_insert(depth) {
                    lines.entry(section).or_default().push(index + 1);
                }
            }
        }
        Lines(lines)
    }

    fn place(&self, file: &str, section: &str, index: usize) -> Place {
        let line = self.0.get(section).and_then(|lines| lines.get(index)).copied();
        Place::new(file, line.unwrap_or(index + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSHA: &str = "{SSHA}8xBdU+Fa1wyMBs6rbaMyhhaqJv1nZmY=";

    fn imported(text: &str) -> Found {
        let mut found = Found::default();
        read(&mut found, "mailu.yml", text);
        found
    }

    fn notes(found: &Found) -> Vec<String> {
        found.notes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_export_with_secrets() {
        let found = imported(&format!(
            "domain:\n\n  - name: One.test\n    alternatives:\n      - eins.test\n    max_users: 10\n\nuser:\n\n  - email: alice@one.test\n    \
             displayed_name: Alice\n    password: '{SSHA}'\n    quota_bytes: 3221225472\n    forward_enabled: true\n    \
             forward_destination:\n      - alice@two.example\n  - email: bob@one.test\n    password: '{SSHA}'\n    \
             enabled: false\n    quota_bytes: 0\n    forward_enabled: true\n    forward_keep: false\n    forward_destination: \
             [alice@one.test]\n  - email: carol@one.test\n    password: secret\n    hash_password: true\n\nalias:\n\n  - email: \
             '%@one.test'\n    wildcard: true\n    destination:\n      - alice@one.test\n  - email: all@one.test\n    \
             destination: [alice@one.test, bob@one.test]\n"
        ));
        let rows: Vec<(&str, Option<&str>, Option<u64>, bool)> = found
            .mailboxes
            .iter()
            .map(|(address, (_, it))| (address.as_str(), it.display_name.as_deref(), it.quota, it.disabled))
            .collect();
        assert_eq!(
            rows,
            [
                ("alice@one.test", Some("Alice"), Some(3 << 30), false),
                ("bob@one.test", None, None, true),
                ("carol@one.test", None, Some(1_000_000_000), false),
            ]
        );
        assert!(found.mailboxes.values().all(|(_, it)| it.password_hash.is_some()));
        assert!(!format!("{found:?}").contains("secret"), "a password in clear is hashed");
        let targets = |address: &str| found.aliases[address].1.targets.clone();
        assert_eq!(targets("alice@one.test"), ["alice@two.example", "alice@one.test"]);
        assert_eq!(targets("bob@one.test"), ["alice@one.test"]);
        assert_eq!(targets("@one.test"), ["alice@one.test"]);
        assert_eq!(targets("all@one.test").len(), 2);
        assert_eq!(found.domains["one.test"], ["eins.test"]);
        assert!(found.notes.is_empty(), "{:?}", found.notes);
    }

    #[test]
    fn what_cannot_be_said_is_told_at_its_line() {
        let found = imported(
            "domain:\n  - name: one.test\n  - name: 'no domain'\nuser:\n  - email: alice@one.test\n    password: <hidden>\n    \
             fetches:\n      - host: x.example\n    tokens:\n      - id: 1\n    reply_enabled: true\n  - email: bob@one.test\n    \
             password: $bcrypt-sha512$x\n    enable_imap: false\n    allow_spoofing: true\n    enable_pop: false\nalias:\n  - email: \
             s_les%@one.test\n    wildcard: true\n    destination: [alice@one.test]\nrelay:\n  - name: far.test\n    smtp: x\nmore: 1\n",
        );
        let notes = notes(&found);
        let expected = [
            (3, "no domain"),
            (5, "has no password here: export with config-export --secrets"),
            (5, "an answer for absences"),
            (5, "passwords for single programs"),
            (5, "mail fetched from other servers"),
            (12, "is stored as bcrypt-sha512"),
            (12, "send as anybody"),
            (12, "no right to read mail"),
            (18, "a pattern of addresses"),
            (22, "relayed to another host"),
            (1, "\"more\" is not known"),
        ];
        for (note, (line, told)) in notes.iter().zip(expected) {
            assert!(
                note.starts_with(&format!("mailu.yml:{line}: ")) && note.contains(told),
                "{told}: {notes:#?}"
            );
        }
        assert_eq!(notes.len(), expected.len(), "{notes:#?}");
    }

    #[test]
    fn json_is_read_too_and_other_files_are_told() {
        let found = imported(&format!(
            r#"{{"domain":[{{"name":"one.test"}}],"user":[{{"email":"alice@one.test","password_hash":"5f4dcc3b5aa765d61d8327deb882cf99","hash_scheme":"PLAIN-MD5"}},{{"email":"b\u0020e@one.test","password":"{SSHA}"}}]}}"#
        ));
        let hash = found.mailboxes["alice@one.test"].1.password_hash.clone();
        assert_eq!(hash.as_deref(), Some("{PLAIN-MD5}5f4dcc3b5aa765d61d8327deb882cf99"));
        assert_eq!(found.notes.iter().map(|it| it.place.line).collect::<Vec<_>>(), [2], "{:?}", found.notes);
        for text in ["", "- a\n", "x: 1\n", "a: [\n", "{"] {
            let found = imported(text);
            assert_eq!((found.notes.len(), found.mailboxes.len()), (1, 0), "{text}");
        }
    }
}
