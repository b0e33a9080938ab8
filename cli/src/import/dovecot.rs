//! Dovecot's passwd-file (`user:password:uid:gid:gecos:home:shell:extra fields`): who has a mailbox, their password and quota.
//! Leaves out where mail lies and as which user it was kept.

use super::{Found, FoundMailbox, Place, lines};

/// Fields before the extra ones; home directories with colons do not exist in the format.
const FIXED_FIELDS: usize = 7;

/// Reads one file. `domain` is what users without one get, `scheme` the scheme of passwords that name none
/// (`default_password_scheme` or `scheme=` of the passdb).
pub fn read(found: &mut Found, file: &str, text: &str, domain: Option<&str>, scheme: Option<&str>) {
    for (number, line) in lines(found, file, text) {
        if !line.trim().is_empty() && !line.starts_with('#') {
            user(found, &Place::new(file, number), line, domain, scheme);
        }
    }
}

fn user(found: &mut Found, place: &Place, line: &str, domain: Option<&str>, scheme: Option<&str>) {
    let fields: Vec<&str> = line.splitn(FIXED_FIELDS + 1, ':').collect();
    let [name, rest @ ..] = fields.as_slice() else { return };
    if rest.is_empty() || name.is_empty() {
        return found.note(place, "no line of a passwd-file: user:password:… is expected");
    }
    let address = match (name.contains('@'), domain) {
        (true, _) => (*name).to_owned(),
        (false, Some(domain)) => format!("{name}@{domain}"),
        (false, None) => {
            return found.note(place, format!("{name:?} has no domain: say which with --domain"));
        }
    };
    let Some(address) = found.address(place, &address) else { return };
    let mut mailbox = FoundMailbox {
        password_hash: password(found, place, &address, rest[0], scheme),
        display_name: rest.get(3).map(|gecos| gecos.trim().to_owned()).filter(|name| !name.is_empty()),
        ..FoundMailbox::default()
    };
    for extra in fields.get(FIXED_FIELDS).into_iter().flat_map(|extra| extra.split_whitespace()) {
        extra_field(found, place, &address, extra, &mut mailbox);
    }
    found.mailbox(place, &address, mailbox);
}

fn password(
    found: &mut Found,
    place: &Place,
    who: &str,
    stored: &str,
    scheme: Option<&str>,
) -> Option<String> {
    match (stored, scheme) {
        ("" | "!" | "*" | "x", _) => {
            found.note(place, format!("{who} has no password here: mailwright passwd {who}"));
            None
        }
        (stored, Some(scheme)) if !stored.starts_with(['{', '$']) => {
            found.password(place, who, &format!("{{{scheme}}}{stored}"))
        }
        (stored, _) => found.password(place, who, stored),
    }
}

/// Extra fields; what has no meaning here is passed over, what limits somebody is told.
fn extra_field(found: &mut Found, place: &Place, who: &str, extra: &str, mailbox: &mut FoundMailbox) {
    let (name, value) = extra.split_once('=').unwrap_or((extra, ""));
    match name.strip_prefix("userdb_").unwrap_or(name) {
        "quota_rule" | "quota_storage_size" => match quota(value) {
            Ok(bytes) => mailbox.quota = bytes,
            Err(why) => found.note(place, format!("the quota of {who} ({value}) {why}")),
        },
        "nologin" | "disabled" if value != "n" && value != "no" => mailbox.disabled = true,
        "allow_nets" => {
            found.note(place, format!("{who} may log in from {value} alone there; here from everywhere"));
        }
        "mail" | "home" | "uid" | "gid" | "mail_path" | "mail_home" | "nopassword" => {}
        other => found.note(place, format!("{other} of {who} is not carried over")),
    }
}

/// `*:storage=5G`, `*:bytes=1000`, and since Dovecot 2.4 the size alone; 0 is no limit.
fn quota(rule: &str) -> Result<Option<u64>, &'static str> {
    const PARTS: &str = "has more to it than a size for everything; only that can be declared";
    let limit = match rule.split_once(':') {
        Some(("*", limit)) if !limit.contains(':') => limit,
        Some(_) => return Err(PARTS),
        None => rule,
    };
    let (amount, unit) = match limit.split_once('=') {
        Some(("storage", amount)) => (amount, 1024),
        Some(("bytes", amount)) => (amount, 1),
        Some(_) => return Err(PARTS),
        None => (limit, 1),
    };
    let digits = amount.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match amount[digits.len()..].to_ascii_uppercase().trim_end_matches("IB") {
        "" => unit,
        "B" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return Err("has a unit that is not known"),
    };
    let number: u64 = digits.parse().map_err(|_| "is no number")?;
    let bytes = number.checked_mul(factor).ok_or("is too large")?;
    Ok(Some(bytes).filter(|bytes| *bytes > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SSHA: &str = "{SSHA}8xBdU+Fa1wyMBs6rbaMyhhaqJv1nZmY=";

    fn read_all(text: &str) -> Found {
        let mut found = Found::default();
        read(&mut found, "passwd", text, Some("one.test"), None);
        found
    }

    #[test]
    fn users_with_their_passwords_and_quotas() {
        let text = format!(
            "# people\nalice@two.test:{SSHA}:5000:5000:Alice A.:/var/mail/alice::userdb_quota_rule=*:storage=5G\n\
             bob:{SSHA}\ncarol@one.test:{SSHA}::::::userdb_quota_rule=*:bytes=1000 nologin=y\n"
        );
        let found = read_all(&text);
        let rows: Vec<(&str, Option<u64>, Option<&str>, bool)> = found
            .mailboxes
            .iter()
            .map(|(address, (_, it))| (address.as_str(), it.quota, it.display_name.as_deref(), it.disabled))
            .collect();
        assert_eq!(
            rows,
            [
                ("alice@two.test", Some(5 << 30), Some("Alice A."), false),
                ("bob@one.test", None, None, false),
                ("carol@one.test", Some(1000), None, true),
            ]
        );
        assert!(found.mailboxes.values().all(|(_, it)| it.password_hash.as_deref() == Some(SSHA)));
        assert!(found.notes.is_empty(), "{:?}", found.notes);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let text = format!(
            "nothing\n:{SSHA}\nalice::\nbob:{{NTLM}}00:::::\ncarol:{SSHA}::::::userdb_quota_rule=Trash:storage=1G\n\
             dave:{SSHA}::::::allow_nets=127.0.0.1 proxy=y\n"
        );
        let found = read_all(&text);
        let lines: Vec<usize> = found.notes.iter().map(|note| note.place.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 5, 6, 6], "{:?}", found.notes);
        assert_eq!(found.mailboxes.len(), 4, "who can be declared is declared");
    }

    #[test]
    fn quotas() {
        for (rule, expected) in [
            ("*:storage=1", Ok(Some(1024))),
            ("*:storage=2M", Ok(Some(2 << 20))),
            ("*:bytes=7", Ok(Some(7))),
            ("1GiB", Ok(Some(1 << 30))),
            ("*:storage=0", Ok(None)),
            ("*:messages=3", Err(())),
            ("*:storage=5G:messages=3", Err(())),
            ("*:storage=99999999999T", Err(())),
            ("*:storage=x", Err(())),
            ("*:storage=5Q", Err(())),
            ("", Err(())),
        ] {
            assert_eq!(quota(rule).map_err(|_| ()), expected, "{rule}");
        }
    }

    #[test]
    fn a_default_scheme_belongs_to_passwords_without_one() {
        let mut found = Found::default();
        read(&mut found, "p", "a@one.test:5f4dcc3b5aa765d61d8327deb882cf99::\n", None, Some("PLAIN-MD5"));
        let hash = found.mailboxes["a@one.test"].1.password_hash.clone();
        assert_eq!(hash.as_deref(), Some("{PLAIN-MD5}5f4dcc3b5aa765d61d8327deb882cf99"));
    }
}
