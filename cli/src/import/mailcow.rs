//! mailcow: its database as `mysqldump` writes it, or what its API answers to `get/domain/all`, `get/alias-domain/all`,
//! `get/mailbox/all` and `get/alias/all`, a file each. The API tells no passwords. Leaves out what mailcow keeps beside accounts:
//! mail, Sieve, calendars, rules of its filter, and administrators.

mod api;

use std::collections::BTreeMap;

use mailwright_crds::Senders;

use super::domains::{Domains, State};
use super::limits::Limits;
use super::sql::{Dump, Row, Wanted};
use super::{Found, FoundAlias, FoundMailbox, Place};

const TABLES: &[Wanted] = &[
    ("domain", &["domain", "backupmx", "active", "mailboxes", "aliases", "defquota", "maxquota", "quota"]),
    ("alias_domain", &["alias_domain", "target_domain", "active"]),
    ("mailbox", &["username", "password", "name", "quota", "kind", "authsource", "active"]),
    ("alias", &["address", "goto", "internal", "active"]),
    ("sender_acl", &["logged_in_as", "send_as"]),
    ("spamalias", &["address"]),
    ("bcc_maps", &["local_dest"]),
    ("recipient_maps", &["old_dest"]),
    ("sieve_filters", &["username"]),
    ("imapsync", &["user2"]),
    ("app_passwd", &["mailbox"]),
];

/// Tables that say of somebody what no manifest can.
const UNTOLD: [(&str, &str, &str); 6] = [
    ("spamalias", "address", "is an address for a while; it is left out"),
    ("bcc_maps", "local_dest", "has copies made of its mail, which cannot be declared"),
    ("recipient_maps", "old_dest", "is mapped to another recipient; declare an Alias"),
    ("sieve_filters", "username", "has a Sieve script, which is not carried over"),
    ("imapsync", "user2", "has mail copied from another server, which cannot be declared"),
    ("app_passwd", "mailbox", "has a password for one program, which is not carried over"),
];

/// Where mail goes that goes nowhere: mailcow's words for dropping and for teaching its filter.
const NOWHERE: [&str; 3] = ["null@localhost", "spam@localhost", "ham@localhost"];

/// Quotas of domains are in mebibytes in the database, and in bytes in the API, as those of mailboxes everywhere.
const QUOTA_UNIT: u64 = 1 << 20;

/// A mailbox's state, as the column `active` has it.
const NO_LOGIN: &str = "2";

/// What was read, whichever way it came.
#[derive(Debug, Default)]
pub struct Export {
    domains: Vec<(Place, String, State, Limits)>,
    alias_domains: Vec<(Place, String, String, bool)>,
    mailboxes: Vec<Mailbox>,
    aliases: Vec<(Place, String, FoundAlias)>,
    send_as: Vec<(Place, String, String)>,
}

/// One row or object about a mailbox.
#[derive(Debug)]
struct Mailbox {
    place: Place,
    address: String,
    password: Option<String>,
    name: Option<String>,
    quota: Option<u64>,
    kind: String,
    source: String,
    active: String,
}

impl Export {
    /// Takes in a file: a dump, or one answer of the API.
    pub fn take(&mut self, found: &mut Found, file: &str, text: &str) {
        if text.trim_start().starts_with(['[', '{']) {
            return api::take(self, found, file, text);
        }
        let dump = Dump::read(found, file, text, TABLES);
        if !dump.has("mailbox") || !dump.has("domain") {
            return found.note(
                &Place::new(file, 1),
                "this is neither a dump of mailcow's database (with the tables domain and mailbox) nor an answer of its API",
            );
        }
        self.take_dump(&dump);
        for (table, column, what) in UNTOLD {
            for row in dump.rows(table) {
                found.note(&row.place, format!("{} {what}", row.text(column)));
            }
        }
    }

    /// Tells what all files together mean.
    pub fn finish(self, found: &mut Found) {
        let mut domains = Domains::default();
        for (place, name, state, limits) in &self.domains {
            domains.take(found, place, name, *state);
            found.limit(place, name, *limits);
        }
        for (place, name, real, active) in &self.alias_domains {
            domains.alias(found, place, name, real, *active);
        }
        let mut send_as = senders(found, self.send_as);
        for mailbox in self.mailboxes.into_iter().filter(|it| domains.serves(&it.address)) {
            let also = send_as.remove(&mailbox.address.to_ascii_lowercase()).unwrap_or_default();
            take_mailbox(found, &domains, mailbox, also);
        }
        for (place, address, mut alias) in self.aliases.into_iter().filter(|(_, it, _)| domains.serves(it)) {
            alias.targets.retain(|target| {
                let is_somewhere = !NOWHERE.contains(&target.as_str());
                if !is_somewhere {
                    found.note(
                        &place,
                        format!("{address} leads to {target}, which drops its mail; it is left out"),
                    );
                }
                is_somewhere
            });
            alias.disabled |= domains.is_off(&address);
            if !alias.targets.is_empty() {
                found.alias(&place, &address, alias);
            }
        }
    }

    fn take_dump(&mut self, dump: &Dump) {
        for row in dump.rows("domain") {
            let state = state(row.flag("backupmx", false), row.flag("active", true));
            let number = |column: &str| row.get(column).and_then(|text| text.parse::<u64>().ok());
            let bytes = |column: &str| number(column).and_then(|number: u64| number.checked_mul(QUOTA_UNIT));
            let limits = limits(
                [number("mailboxes"), number("aliases")],
                [bytes("defquota"), bytes("maxquota"), bytes("quota")],
            );
            self.domains.push((row.place.clone(), row.text("domain").to_owned(), state, limits));
        }
        for row in dump.rows("alias_domain") {
            let (name, real) = (row.text("alias_domain").to_owned(), row.text("target_domain").to_owned());
            self.alias_domains.push((row.place.clone(), name, real, row.flag("active", true)));
        }
        self.mailboxes.extend(dump.rows("mailbox").iter().map(mailbox));
        for row in dump.rows("alias") {
            let alias = alias(row.text("goto"), row.flag("internal", false), row.flag("active", true));
            self.aliases.push((row.place.clone(), row.text("address").to_owned(), alias));
        }
        for row in dump.rows("sender_acl") {
            let (who, as_whom) = (row.text("logged_in_as").to_owned(), row.text("send_as").to_owned());
            self.send_as.push((row.place.clone(), who, as_whom));
        }
    }
}

/// 0 is what a domain has of which nothing was said.
fn limits(counts: [Option<u64>; 2], bytes: [Option<u64>; 3]) -> Limits {
    let [mailboxes, aliases] = counts.map(|count| count.filter(|count| *count > 0));
    let [default_quota, max_quota, in_all] = bytes.map(|bytes| bytes.filter(|bytes| *bytes > 0));
    Limits { mailboxes, aliases, default_quota, max_quota, in_all }
}

fn state(is_relayed: bool, is_active: bool) -> State {
    match (is_relayed, is_active) {
        (true, _) => State::Relayed,
        (false, true) => State::Served,
        (false, false) => State::Off,
    }
}

fn mailbox(row: &Row) -> Mailbox {
    Mailbox {
        place: row.place.clone(),
        address: row.text("username").to_owned(),
        password: Some(row.text("password").to_owned()),
        name: row.get("name").map(str::to_owned),
        quota: row.get("quota").and_then(|quota| quota.parse().ok()),
        kind: row.text("kind").to_owned(),
        source: row.text("authsource").to_owned(),
        active: row.get("active").unwrap_or("1").to_owned(),
    }
}

fn alias(goto: &str, is_internal: bool, is_active: bool) -> FoundAlias {
    let targets = goto.split(',').map(str::trim).filter(|target| !target.is_empty());
    FoundAlias {
        targets: targets.map(str::to_ascii_lowercase).collect(),
        senders: if is_internal { Senders::Domain } else { Senders::Anyone },
        disabled: !is_active,
    }
}

fn take_mailbox(found: &mut Found, domains: &Domains, mailbox: Mailbox, send_as: Vec<String>) {
    let (place, address) = (&mailbox.place, mailbox.address.as_str());
    if !mailbox.kind.is_empty() {
        return found.note(
            place,
            format!("{address} is no person but a {} of the calendar; it is left out", mailbox.kind),
        );
    }
    let elsewhere = !matches!(mailbox.source.as_str(), "" | "mailcow");
    let password_hash = match mailbox.password {
        _ if elsewhere => {
            found.note(
                place,
                format!(
                    "{address} logs in by {}: give them a password: mailwright passwd {address}",
                    mailbox.source
                ),
            );
            None
        }
        _ if mailbox.active == NO_LOGIN => {
            found.note(
                place,
                format!("{address} gets mail and may not log in: it is declared without a password"),
            );
            None
        }
        Some(stored) => found.password(place, address, &stored),
        None => None,
    };
    let taken = FoundMailbox {
        display_name: mailbox.name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
        password_hash,
        quota: mailbox.quota.filter(|quota| *quota > 0),
        disabled: mailbox.active == "0" || domains.is_off(address),
        send_as,
    };
    found.mailbox(place, address, taken);
}

/// Who may send as whom; whole domains and everybody cannot be said.
fn senders(found: &mut Found, pairs: Vec<(Place, String, String)>) -> BTreeMap<String, Vec<String>> {
    let mut senders: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (place, who, as_whom) in pairs {
        let who = who.to_ascii_lowercase();
        if as_whom == "*" || as_whom.starts_with('@') {
            found.note(&place, format!("{who} may send as {as_whom}: declare the addresses in sendAs"));
        } else if let Some(address) = found.address(&place, &as_whom).filter(|address| *address != who) {
            let addresses = senders.entry(who).or_default();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    senders
}

#[cfg(test)]
mod tests;
