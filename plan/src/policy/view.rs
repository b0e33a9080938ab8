//! Objects and rows as policies see them: as a manifest with its defaults, without what is secret and without a status.

use mailwright_crds::{API_VERSION, Kind, Resource, schema};
use serde_json::{Map, Value as Json, json};

use crate::export::{self, Row};

/// A declared object.
pub(super) fn object(resource: &Resource) -> Json {
    // Plain data always has a JSON form; a missing spec would be told by the policy as a missing field.
    let spec = match resource {
        Resource::MailServer(object) => serde_json::to_value(&object.spec),
        Resource::MailDomain(object) => serde_json::to_value(&object.spec),
        Resource::Mailbox(object) => serde_json::to_value(&object.spec),
        Resource::Alias(object) => serde_json::to_value(&object.spec),
    };
    let mut spec = spec.unwrap_or_default();
    if let Some(Json::String(hash)) = spec.pointer_mut("/credentials/passwordHash") {
        *hash = scheme(hash);
    }
    let metadata = resource.metadata();
    let texts = |texts: &Option<std::collections::BTreeMap<String, String>>| {
        let entries = texts.iter().flatten().map(|(key, value)| (key.clone(), Json::String(value.clone())));
        Json::Object(entries.collect())
    };
    let mut seen = Map::new();
    seen.insert("name".to_owned(), json!(resource.name()));
    seen.insert("namespace".to_owned(), json!(resource.namespace()));
    seen.insert("labels".to_owned(), texts(&metadata.labels));
    seen.insert("annotations".to_owned(), texts(&metadata.annotations));
    let mut whole = Map::new();
    whole.insert("apiVersion".to_owned(), json!(API_VERSION));
    whole.insert("kind".to_owned(), json!(resource.kind().as_str()));
    whole.insert("metadata".to_owned(), Json::Object(seen));
    whole.insert("spec".to_owned(), spec);
    Json::Object(whole)
}

/// What runs. Labels and annotations are not kept in the account database, and no password is.
pub(super) fn row(kind: Kind, row: Row<'_>) -> Json {
    let mut whole = export::one(row);
    if let Some(metadata) = whole.get_mut("metadata").and_then(Json::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(mailwright_crds::DEFAULT_NAMESPACE));
        metadata.insert("labels".to_owned(), json!({}));
        metadata.insert("annotations".to_owned(), json!({}));
    }
    schema::apply_defaults(kind, &mut whole);
    whole
}

/// The scheme of a password hash with its parameters, `$argon2id$v=19$m=65536,t=3,p=4$…`: neither salt nor hash.
fn scheme(hash: &str) -> String {
    if hash.starts_with('{') {
        return hash.split_inclusive('}').next().unwrap_or_default().to_owned() + "…";
    }
    let mut parts = hash.split('$').skip(1);
    let id = parts.next().unwrap_or_default();
    let parameter = |part: &&str| {
        let assigned = |it: &str| {
            it.split_once('=').is_some_and(|(name, number)| {
                name.chars().all(|c| c.is_ascii_lowercase())
                    && !number.is_empty()
                    && number.chars().all(|c| c.is_ascii_digit())
            })
        };
        let cost = id.starts_with('2') && part.len() == 2 && part.chars().all(|c| c.is_ascii_digit());
        cost || part.split(',').all(assigned)
    };
    let kept: Vec<&str> = std::iter::once(id).chain(parts.take_while(parameter)).collect();
    format!("${}$…", kept.join("$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_hash_only_the_scheme_is_seen() {
        for (hash, expected) in [
            ("$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaA", "$argon2id$v=19$m=65536,t=3,p=4$…"),
            ("$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW", "$2b$12$…"),
            ("$6$saltsalt$hash", "$6$…"),
            ("$6$rounds=5000$saltsalt$hash", "$6$rounds=5000$…"),
            ("$5$12$hash", "$5$…"),
            ("{SSHA512}c2VjcmV0", "{SSHA512}…"),
            ("{CRYPT}$6$saltsalt$hash", "{CRYPT}…"),
            ("$6$", "$6$…"),
            ("odd", "$$…"),
        ] {
            assert_eq!(scheme(hash), expected, "{hash}");
        }
    }
}
