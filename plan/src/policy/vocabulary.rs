//! What a policy can speak of: its variables with their types, which are those of the schemas, and its own functions.

use std::sync::LazyLock;

use mailwright_crds::{Kind, PolicyKind, schema};
use serde_json::{Value as Json, json};

use crate::cel::{Signature, Type, World};

/// The functions beside those of the language. The scene answers them.
pub(super) static FUNCTIONS: [Signature; 5] = [
    function("external", Type::Bool),
    function("label", Type::Text),
    function("annotation", Type::Text),
    function("domainOf", Type::Text),
    function("localPart", Type::Text),
];

const fn function(name: &'static str, gives: Type) -> Signature {
    Signature { name, method: false, takes: &[Type::Text], gives }
}

/// What can be seen of: what is judged, and what is around it.
const KINDS: [Kind; 4] = [Kind::MailServer, Kind::MailDomain, Kind::Mailbox, Kind::Alias];

static SCHEMAS: LazyLock<[Json; 4]> = LazyLock::new(|| KINDS.map(whole));

/// The schema of an object as a policy sees it: no status, and of the metadata what people write.
fn whole(kind: Kind) -> Json {
    let texts = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let text = json!({"type": "string"});
    json!({"type": "object", "properties": {
        "apiVersion": text,
        "kind": text,
        "metadata": {"type": "object", "properties": {
            "name": text, "namespace": text, "labels": texts, "annotations": texts,
        }},
        "spec": schema::schema(kind)["properties"]["spec"],
    }})
}

fn object(kind: Kind) -> Type {
    KINDS.iter().position(|it| *it == kind).map_or(Type::Any, |index| Type::of(&SCHEMAS[index]))
}

/// Calls `then` with everything that a policy for these kinds may name.
pub(super) fn world<R>(kinds: &[PolicyKind], then: impl FnOnce(&World<'_>) -> R) -> R {
    let of_kinds = || Type::one_of(kinds.iter().map(|kind| object(kind.kind())).collect());
    let variables = [
        ("object", of_kinds()),
        ("oldObject", of_kinds()),
        ("domain", object(Kind::MailDomain)),
        ("server", object(Kind::MailServer)),
        ("now", Type::Time),
    ];
    then(&World { variables: &variables, functions: &FUNCTIONS })
}
