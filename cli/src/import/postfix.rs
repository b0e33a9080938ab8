//! Postfix's virtual maps as text (postmap(1) sources): `virtual_mailbox_domains`, `virtual_mailbox_maps`,
//! `virtual_alias_domains` and `virtual_alias_maps` (virtual(5)). Leaves out maps of patterns, which no list of addresses can say.

use super::{Found, FoundMailbox, Note, Place, lines};

/// Which table a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Map {
    /// `virtual_mailbox_maps`: addresses that have a mailbox; what it is called does not matter.
    Mailboxes,
    /// `virtual_alias_maps`: addresses with where their mail goes.
    Aliases,
    /// `virtual_mailbox_domains` or `virtual_alias_domains`: domains, a value or none behind each.
    Domains,
}

/// One entry of a table: its place, its key, its value.
type Entry = (Place, String, String);

/// Reads one table. `origin` is what addresses without a domain get, as `myorigin` in Postfix; `known` are the mailboxes that
/// stand elsewhere too, with their passwords.
pub fn read(found: &mut Found, file: &str, text: &str, map: Map, origin: Option<&str>, known: &[String]) {
    if let Some(refusal) = pattern_map(file, text) {
        found.notes.push(refusal);
        return;
    }
    for (place, key, value) in entries(found, file, text) {
        match map {
            Map::Domains => drop(found.domain(&place, &key)),
            Map::Mailboxes => mailbox(found, &place, &key, origin, known),
            Map::Aliases => alias(found, &place, &key, &value, origin),
        }
    }
}

/// regexp_table(5) and pcre_table(5): the first entry is a pattern between slashes, or an `if`.
fn pattern_map(file: &str, text: &str) -> Option<Note> {
    let mut numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let (line, first) = numbered.find(|(_, line)| !line.is_empty() && !line.starts_with('#'))?;
    let is_pattern = first.starts_with('/') || first.starts_with("!/") || first.starts_with("if /");
    is_pattern.then(|| Note {
        place: Place::new(file, line),
        message: "this is a table of patterns (regexp or pcre), which cannot be told as addresses: declare them as Aliases \
                  or catch-alls; nothing of it is imported"
            .to_owned(),
    })
}

/// Logical lines (postmap(1)): a line that begins with white space continues the one before, comments and empty lines are
/// skipped even in between.
fn entries(found: &mut Found, file: &str, text: &str) -> Vec<Entry> {
    let mut logical: Vec<(Place, String)> = Vec::new();
    for (number, line) in lines(found, file, text) {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let continues = line.starts_with([' ', '\t']);
        match logical.last_mut().filter(|_| continues) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(trimmed);
            }
            None if continues => {
                found.note(&Place::new(file, number), "continues no line before it; it is left out");
            }
            None => logical.push((Place::new(file, number), trimmed.to_owned())),
        }
    }
    let split = |(place, line): (Place, String)| match line.split_once([' ', '\t']) {
        Some((key, value)) => (place, key.to_owned(), value.trim().to_owned()),
        None => (place, line, String::new()),
    };
    logical.into_iter().map(split).collect()
}

fn mailbox(found: &mut Found, place: &Place, key: &str, origin: Option<&str>, known: &[String]) {
    if key.starts_with('@') {
        return found.note(
            place,
            format!("{key} gives every address of a domain a mailbox; declare the people instead"),
        );
    }
    let known = |address: &String| known.binary_search(&address.to_ascii_lowercase()).is_ok();
    if let Some(address) = qualified(found, place, key, origin).filter(|address| !known(address)) {
        found.mailbox(place, &address, FoundMailbox::default());
    }
}

fn alias(found: &mut Found, place: &Place, key: &str, value: &str, origin: Option<&str>) {
    // In virtual_alias_domains style tables a domain stands alone as a key.
    if !key.contains('@') && key.contains('.') {
        drop(found.domain(place, key));
        return;
    }
    let targets: Vec<&str> = value.split([',', ' ', '\t']).filter(|target| !target.is_empty()).collect();
    if let (Some(name), [target]) = (key.strip_prefix('@'), targets.as_slice())
        && let Some(real) = target.strip_prefix('@')
    {
        return found.alias_domain(place, name, real);
    }
    if key.starts_with('@') {
        let targets = targets_of(found, place, &targets, origin);
        return found.alias(place, key, targets.as_slice());
    }
    let Some(address) = qualified(found, place, key, origin) else { return };
    let targets = targets_of(found, place, &targets, origin);
    found.alias(place, &address, targets.as_slice());
}

fn targets_of(found: &mut Found, place: &Place, targets: &[&str], origin: Option<&str>) -> Vec<String> {
    let mut good = Vec::new();
    for target in targets {
        if target.starts_with(['|', '/', '"', ':']) {
            found
                .note(place, format!("{target:?} is no address: commands, files and lists are not imported"));
        } else if target.starts_with('@') {
            found.note(
                place,
                format!("{target} keeps the local part and stands for a whole domain; it is left out"),
            );
        } else {
            good.extend(qualified(found, place, target, origin));
        }
    }
    good
}

fn qualified(found: &mut Found, place: &Place, name: &str, origin: Option<&str>) -> Option<String> {
    match (name.contains('@'), origin) {
        (true, _) => Some(name.to_owned()),
        (false, Some(origin)) => Some(format!("{name}@{origin}")),
        (false, None) => {
            found.note(
                place,
                format!("{name:?} has no domain: say which with --origin, as myorigin in Postfix"),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &str, map: Map, origin: Option<&str>) -> Found {
        let mut found = Found::default();
        read(&mut found, "virtual", text, map, origin, &[]);
        found
    }

    #[test]
    fn aliases_in_all_their_forms() {
        let text = "# comment\n\
            Sales@One.test  alice@one.test,\n   bob@two.test\n\
            # between\n\tcarol@one.test\n\n\
            @one.test bob@one.test\n@eins.test @one.test\n\
            two.test anything\ninfo alice\n";
        let found = read_all(text, Map::Aliases, Some("one.test"));
        let aliases: Vec<(&str, usize, &[String])> = found
            .aliases
            .iter()
            .map(|(key, (place, alias))| (key.as_str(), place.line, alias.targets.as_slice()))
            .collect();
        let strings = |all: &[&str]| -> Vec<String> { all.iter().map(|it| (*it).to_owned()).collect() };
        assert_eq!(
            aliases,
            [
                ("@one.test", 7, strings(&["bob@one.test"]).as_slice()),
                ("info@one.test", 10, strings(&["alice@one.test"]).as_slice()),
                (
                    "sales@one.test",
                    2,
                    strings(&["alice@one.test", "bob@two.test", "carol@one.test"]).as_slice()
                ),
            ]
        );
        assert_eq!(found.domains["one.test"], ["eins.test"]);
        assert!(found.domains.contains_key("two.test") && found.notes.is_empty(), "{:?}", found.notes);
    }

    #[test]
    fn bad_lines_are_told_one_by_one_with_their_place() {
        let text = "\tlost\nx@one.test |/bin/true\ny@one.test\n@\nbob alice\nz@one.test @two.test\n@a.test @a.test\n";
        let found = read_all(text, Map::Aliases, None);
        let lines: Vec<usize> = found.notes.iter().map(|note| note.place.line).collect();
        assert_eq!(lines, [1, 2, 2, 3, 4, 5, 6, 6, 7], "{:?}", found.notes);
        assert!(found.aliases.is_empty());
    }

    #[test]
    fn tables_of_patterns_are_refused_whole() {
        for text in ["/^sales@/ alice@one.test\n", "# c\n!/x/ y\n", "if /x/\nendif\n"] {
            let found = read_all(text, Map::Aliases, None);
            assert_eq!((found.notes.len(), found.aliases.len()), (1, 0), "{text}");
            assert!(found.notes[0].message.contains("patterns"));
        }
    }

    #[test]
    fn mailboxes_and_domains() {
        let found = read_all("alice@one.test one/alice/\n@two.test x\nbob y\n", Map::Mailboxes, None);
        assert_eq!(found.mailboxes.keys().collect::<Vec<_>>(), ["alice@one.test"]);
        assert_eq!(found.notes.iter().map(|it| it.place.line).collect::<Vec<_>>(), [2, 3]);
        let found = read_all("One.test OK\ntwo.test\nno_domain x\n", Map::Domains, None);
        assert_eq!(found.domains.keys().collect::<Vec<_>>(), ["one.test", "two.test"]);
        assert_eq!(found.notes.len(), 1);
    }
}
