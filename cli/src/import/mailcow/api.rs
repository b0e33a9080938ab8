//! Answers of mailcow's API as JSON: which of the four a file is is told by what its objects have. Numbers come as numbers or as
//! text, and a single object stands without a list.

use serde_json::Value;

use super::{Export, Mailbox, alias, limits, state};
use crate::import::{Found, Place};

/// Takes in one answer.
pub(super) fn take(export: &mut Export, found: &mut Found, file: &str, text: &str) {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            let place = Place::new(file, error.line());
            return found
                .note(&place, "this is no JSON as the API answers it; nothing of the file is imported");
        }
    };
    let items = match value {
        Value::Array(items) => items,
        single => vec![single],
    };
    let mut passwords_are_missing = false;
    for (index, item) in items.iter().enumerate() {
        let place = Place::new(file, index + 1);
        if item.get("domain_name").is_some() {
            let state = state(flag(item, "backupmx", false), flag(item, "active", true));
            let number = |field: &str| text_of(item, field).parse().ok();
            let limits = limits(
                ["max_num_mboxes_for_domain", "max_num_aliases_for_domain"].map(number),
                ["def_quota_for_mbox", "max_quota_for_mbox", "max_quota_for_domain"].map(number),
            );
            export.domains.push((place, text_of(item, "domain_name"), state, limits));
        } else if item.get("alias_domain").is_some() {
            let (name, real) = (text_of(item, "alias_domain"), text_of(item, "target_domain"));
            export.alias_domains.push((place, name, real, flag(item, "active", true)));
        } else if item.get("goto").is_some() {
            let alias =
                alias(&text_of(item, "goto"), flag(item, "internal", false), flag(item, "active", true));
            export.aliases.push((place, text_of(item, "address"), alias));
        } else if item.get("username").is_some() && item.get("quota").is_some() {
            passwords_are_missing = true;
            export.mailboxes.push(mailbox(place, item));
        } else {
            found
                .note(&place, "this is no domain, alias domain, mailbox or alias of the API; it is left out");
        }
    }
    if passwords_are_missing {
        found.note(
            &Place::new(file, 0),
            "the API tells no passwords: import a dump of the database to keep them, or set new ones with mailwright passwd",
        );
    }
}

fn mailbox(place: Place, item: &Value) -> Mailbox {
    let active = if item.get("active_int").is_some() { "active_int" } else { "active" };
    Mailbox {
        place,
        address: text_of(item, "username"),
        password: None,
        name: Some(text_of(item, "name")),
        quota: text_of(item, "quota").parse().ok(),
        kind: text_of(item, "kind"),
        source: text_of(item, "authsource"),
        active: match item.get(active) {
            None => "1".to_owned(),
            Some(_) => text_of(item, active),
        },
    }
}

/// A field as text, whichever type it came as; empty when it is not there.
fn text_of(item: &Value, field: &str) -> String {
    match item.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(is_on)) => u8::from(*is_on).to_string(),
        _ => String::new(),
    }
}

fn flag(item: &Value, field: &str, absent: bool) -> bool {
    match text_of(item, field).as_str() {
        "" => absent,
        "0" | "false" => false,
        _ => true,
    }
}
