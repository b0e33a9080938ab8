//! iRedMail's `vmail` database, as `mysqldump` or `pg_dump` write it: domains, mailboxes, aliases and forwards. Leaves out what
//! iRedMail keeps elsewhere: mail, mailing lists of mlmmj, administrators, and an OpenLDAP backend.

use std::collections::{BTreeMap, BTreeSet};

use mailwright_crds::Senders;

use super::domains::{Domains, State};
use super::limits::Limits;
use super::sql::{Dump, Row, Wanted};
use super::{Found, FoundAlias, FoundMailbox, Place};

/// Quotas are in mebibytes.
const QUOTA_UNIT: u64 = 1 << 20;

const TABLES: &[Wanted] = &[
    ("domain", &["domain", "backupmx", "active", "mailboxes", "aliases", "maxquota", "settings"]),
    ("alias_domain", &["alias_domain", "target_domain", "active"]),
    (
        "mailbox",
        &[
            "username",
            "password",
            "name",
            "quota",
            "active",
            "enablesmtp",
            "enableimap",
            "enabledeliver",
            "allow_nets",
        ],
    ),
    ("alias", &["address", "goto", "accesspolicy", "active"]),
    ("forwardings", &["address", "forwarding", "is_maillist", "active"]),
    ("maillists", &["address"]),
    ("sender_bcc_domain", &["domain"]),
    ("sender_bcc_user", &["username"]),
    ("recipient_bcc_domain", &["domain"]),
    ("recipient_bcc_user", &["username"]),
    ("sender_relayhost", &["account"]),
];

/// Tables that say of somebody what no manifest can.
const UNTOLD: [(&str, &str, &str); 5] = [
    ("sender_bcc_domain", "domain", "copies of what is sent"),
    ("sender_bcc_user", "username", "copies of what is sent"),
    ("recipient_bcc_domain", "domain", "copies of what comes in"),
    ("recipient_bcc_user", "username", "copies of what comes in"),
    ("sender_relayhost", "account", "a relay host of its own"),
];

/// Reads a dump.
pub fn read(found: &mut Found, file: &str, text: &str) {
    let dump = Dump::read(found, file, text, TABLES);
    if !dump.has("mailbox") || !dump.has("domain") {
        return found.note(
            &Place::new(file, 1),
            "this is no dump of iRedMail's vmail database: the tables domain and mailbox are not in it",
        );
    }
    let domains = domains(found, &dump);
    for row in dump.rows("mailbox").iter().filter(|row| domains.serves(row.text("username"))) {
        mailbox(found, &domains, row);
    }
    aliases(found, &domains, &dump);
    for (table, column, what) in UNTOLD {
        for row in dump.rows(table) {
            found.note(&row.place, format!("{} has {what}, which cannot be declared", row.text(column)));
        }
    }
}

fn domains(found: &mut Found, dump: &Dump) -> Domains {
    let mut domains = Domains::default();
    for row in dump.rows("domain") {
        let state = match (row.flag("backupmx", false), row.flag("active", true)) {
            (true, _) => State::Relayed,
            (false, true) => State::Served,
            (false, false) => State::Off,
        };
        domains.take(found, &row.place, row.text("domain"), state);
        found.limit(&row.place, row.text("domain"), limits(row));
    }
    for row in dump.rows("alias_domain") {
        let (name, real) = (row.text("alias_domain"), row.text("target_domain"));
        domains.alias(found, &row.place, name, real, row.flag("active", true));
    }
    domains
}

/// 0 is no limit, -1 that there may be none at all. Quotas of single mailboxes are in `settings`, as `default_user_quota:1024;`;
/// `maxquota` is the quota of the whole domain.
fn limits(row: &Row) -> Limits {
    let count = |column: &str| match row.get(column)?.trim().parse::<i64>().ok()? {
        0 => None,
        number => Some(u64::try_from(number).unwrap_or(0)),
    };
    let bytes =
        |text: &str| text.trim().parse::<u64>().ok()?.checked_mul(QUOTA_UNIT).filter(|bytes| *bytes > 0);
    let setting = |name: &str| {
        let mut settings = row.text("settings").split(';').filter_map(|pair| pair.split_once(':'));
        settings.find(|(key, _)| key.trim() == name).and_then(|(_, value)| bytes(value))
    };
    Limits {
        mailboxes: count("mailboxes"),
        aliases: count("aliases"),
        default_quota: setting("default_user_quota"),
        max_quota: setting("max_user_quota"),
        in_all: row.get("maxquota").and_then(bytes),
    }
}

fn mailbox(found: &mut Found, domains: &Domains, row: &Row) {
    let address = row.text("username");
    let quota: Option<u64> = row.get("quota").and_then(|quota| quota.parse().ok());
    for (column, what) in
        [("enablesmtp", "send mail"), ("enableimap", "read mail with IMAP"), ("enabledeliver", "get mail")]
    {
        if !row.flag(column, true) {
            found.note(&row.place, format!("{address} may not {what} there; here they may"));
        }
    }
    if let Some(networks) = row.get("allow_nets").filter(|networks| !networks.is_empty()) {
        found.note(
            &row.place,
            format!("{address} may log in from {networks} alone there; here from everywhere"),
        );
    }
    let mailbox = FoundMailbox {
        display_name: row.get("name").map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned),
        password_hash: found.password(&row.place, address, row.text("password")),
        quota: quota.and_then(|quota| quota.checked_mul(QUOTA_UNIT)).filter(|quota| *quota > 0),
        disabled: !row.flag("active", true) || domains.is_off(address),
        ..FoundMailbox::default()
    };
    found.mailbox(&row.place, address, mailbox);
}

/// Members of alias accounts, addresses of their own and forwards of mailboxes, and catch-alls (a domain as address) are one table
/// since 0.9.7; before, members are a list in the alias itself.
fn aliases(found: &mut Found, domains: &Domains, dump: &Dump) {
    let lists: BTreeSet<&str> = dump.rows("maillists").iter().map(|row| row.text("address")).collect();
    let mut all: BTreeMap<String, (Place, FoundAlias)> = BTreeMap::new();
    for row in dump.rows("forwardings") {
        let (address, target) = (row.text("address"), row.text("forwarding"));
        if row.flag("is_maillist", false) || lists.contains(address) {
            continue;
        }
        if !row.flag("active", true) {
            found.note(&row.place, format!("{address} to {target} is switched off; it is left out"));
            continue;
        }
        let alias = all.entry(key(address)).or_insert_with(|| (row.place.clone(), FoundAlias::default()));
        alias.1.targets.push(target.to_owned());
    }
    for row in dump.rows("alias") {
        let address = row.text("address");
        let alias = all.entry(key(address)).or_insert_with(|| (row.place.clone(), FoundAlias::default()));
        let members = row.text("goto").split(',').map(str::trim).filter(|member| !member.is_empty());
        alias.1.targets.extend(members.map(str::to_owned));
        alias.1.disabled = !row.flag("active", true);
        let policy = row.text("accesspolicy").to_ascii_lowercase();
        alias.1.senders = senders(found, &row.place, address, &policy);
    }
    for row in dump.rows("maillists") {
        found.note(&row.place, format!("{} is a mailing list of mlmmj; it is left out", row.text("address")));
    }
    for (address, (place, mut alias)) in all {
        if domains.serves(&address) {
            alias.disabled |= domains.is_off(&address);
            found.alias(&place, &address, alias);
        }
    }
}

/// A domain alone is its catch-all.
fn key(address: &str) -> String {
    let address = address.to_ascii_lowercase();
    if address.contains('@') { address } else { format!("@{address}") }
}

/// Who may write to an alias account; of what is narrower than can be said, the narrowest that can.
fn senders(found: &mut Found, place: &Place, address: &str, policy: &str) -> Senders {
    let (senders, instead) = match policy {
        "" | "public" => return Senders::Anyone,
        "domain" => return Senders::Domain,
        "membersonly" | "members" => return Senders::Members,
        "subdomain" => (Senders::Domain, "the domain alone, without those below it,"),
        _ => (Senders::Members, "its members"),
    };
    found.note(place, format!("who may send to {address} is {policy:?} there; here {instead} may"));
    senders
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRUCTURE: &str = "CREATE TABLE `domain` (`domain` varchar(255), `backupmx` tinyint(1), `active` tinyint(1));\n\
        CREATE TABLE `alias_domain` (`alias_domain` varchar(255), `target_domain` varchar(255), `active` tinyint(1));\n\
        CREATE TABLE `mailbox` (`username` varchar(255), `password` varchar(255), `name` varchar(255), `quota` bigint, \
        `enablesmtp` tinyint(1), `allow_nets` text, `active` tinyint(1));\n\
        CREATE TABLE `alias` (`address` varchar(255), `accesspolicy` varchar(30), `active` tinyint(1));\n\
        CREATE TABLE `forwardings` (`address` varchar(255), `forwarding` varchar(255), `is_maillist` tinyint(1), `active` tinyint(1));\n\
        INSERT INTO `domain` VALUES ('one.test',0,1),('off.test',0,0),('far.test',1,1);\n";

    fn imported(rows: &str) -> Found {
        let mut found = Found::default();
        read(&mut found, "vmail.sql", &format!("{STRUCTURE}{rows}"));
        found
    }

    fn notes(found: &Found) -> Vec<String> {
        found.notes.iter().map(ToString::to_string).filter(|note| !note.starts_with("vmail.sql:6:")).collect()
    }

    #[test]
    fn mailboxes_with_their_quotas_and_what_limits_them() {
        type Row<'a> = (&'a str, Option<&'a str>, Option<u64>, bool, bool);
        let found = imported(
            "INSERT INTO `mailbox` VALUES ('Alice@one.test','{SSHA}8xBdU+Fa1wyMBs6rbaMyhhaqJv1nZmY=',' Alice ',1024,1,NULL,1),\
             ('bob@one.test','{NTLM}00','',0,1,NULL,0);\n\
             INSERT INTO `mailbox` VALUES ('carol@off.test','{SSHA}8xBdU+Fa1wyMBs6rbaMyhhaqJv1nZmY=','',1,0,'192.0.2.0/24',1);\n\
             INSERT INTO `mailbox` VALUES ('dave@far.test','{SSHA}8xBdU+Fa1wyMBs6rbaMyhhaqJv1nZmY=','',1,1,NULL,1);\n",
        );
        let rows: Vec<Row<'_>> = found
            .mailboxes
            .iter()
            .map(|(address, (_, it))| {
                (
                    address.as_str(),
                    it.display_name.as_deref(),
                    it.quota,
                    it.password_hash.is_some(),
                    it.disabled,
                )
            })
            .collect();
        assert_eq!(
            rows,
            [
                ("alice@one.test", Some("Alice"), Some(1 << 30), true, false),
                ("bob@one.test", None, None, false, true),
                ("carol@off.test", None, Some(1 << 20), true, true),
            ]
        );
        let notes = notes(&found);
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert!(
            notes[0].starts_with("vmail.sql:7: the password of bob@one.test is stored as NTLM"),
            "{notes:?}"
        );
        assert_eq!(notes[1], "vmail.sql:8: carol@off.test may not send mail there; here they may");
        assert!(notes[2].contains("from 192.0.2.0/24 alone"), "{notes:?}");
    }

    #[test]
    fn aliases_forwards_and_catch_alls_are_one_table() {
        let found = imported(
            "INSERT INTO `alias` VALUES ('all@one.test','domain',1),('board@one.test','moderatorsonly',1),('old@one.test','',0),\
             ('nobody@one.test','public',1);\n\
             INSERT INTO `forwardings` VALUES ('all@one.test','alice@one.test',0,1),('all@one.test','x@two.example',0,1),\
             ('board@one.test','alice@one.test',0,1),('old@one.test','alice@one.test',0,1),('alice@one.test','alice@one.test',0,1),\
             ('one.test','alice@one.test',0,1),('news@one.test','news@one.test',1,1),('info@one.test','alice@one.test',0,0),\
             ('x@off.test','alice@one.test',0,1),('x@far.test','alice@one.test',0,1);\n",
        );
        let rows: Vec<(&str, usize, Senders, bool)> = found
            .aliases
            .iter()
            .map(|(address, (_, it))| (address.as_str(), it.targets.len(), it.senders, it.disabled))
            .collect();
        assert_eq!(
            rows,
            [
                ("@one.test", 1, Senders::Anyone, false),
                ("alice@one.test", 1, Senders::Anyone, false),
                ("all@one.test", 2, Senders::Domain, false),
                ("board@one.test", 1, Senders::Members, false),
                ("old@one.test", 1, Senders::Anyone, true),
                ("x@off.test", 1, Senders::Anyone, true),
            ]
        );
        assert_eq!(
            notes(&found),
            [
                "vmail.sql:8: info@one.test to alice@one.test is switched off; it is left out",
                "vmail.sql:7: who may send to board@one.test is \"moderatorsonly\" there; here its members may",
                "vmail.sql:7: nobody@one.test has no target that can be declared; it is left out",
            ]
        );
    }

    #[test]
    fn members_within_the_alias_as_before_0_9_7() {
        let mut found = Found::default();
        let text = "CREATE TABLE domain (domain text);\nCREATE TABLE mailbox (username text);\n\
                    CREATE TABLE alias (address text, goto text, active int);\nINSERT INTO domain VALUES ('one.test');\n\
                    INSERT INTO alias VALUES ('all@one.test','a@two.example, b@two.example',1),('one.test','c@two.example',1);\n";
        read(&mut found, "vmail.sql", text);
        let targets = |address: &str| found.aliases[address].1.targets.clone();
        assert_eq!(targets("all@one.test"), ["a@two.example", "b@two.example"]);
        assert_eq!(targets("@one.test"), ["c@two.example"]);
        assert!(found.notes.is_empty(), "{:?}", found.notes);
    }

    #[test]
    fn what_cannot_be_said_is_told() {
        let found = imported(
            "CREATE TABLE maillists (address text);\nINSERT INTO maillists VALUES ('news@one.test');\n\
             INSERT INTO forwardings VALUES ('news@one.test','news@one.test',1,1);\n\
             CREATE TABLE sender_bcc_user (username text);\nINSERT INTO sender_bcc_user VALUES ('alice@one.test');\n\
             CREATE TABLE sender_relayhost (account text);\nINSERT INTO sender_relayhost VALUES ('@one.test');\n\
             INSERT INTO alias_domain VALUES ('eins.test','one.test',1),('uno.test','one.test',0);\n",
        );
        assert!(found.aliases.is_empty() && found.domains["one.test"] == ["eins.test"]);
        let notes = notes(&found).join("\n");
        for told in [
            "mailing list of mlmmj",
            "copies of what is sent",
            "a relay host of its own",
            "\"uno.test\", another name",
        ] {
            assert!(notes.contains(told), "{told}: {notes}");
        }
        let mut other = Found::default();
        read(&mut other, "x.sql", "CREATE TABLE wp_posts (id int);\n");
        assert!(other.notes[0].message.contains("no dump of iRedMail's vmail database"), "{:?}", other.notes);
    }
}
