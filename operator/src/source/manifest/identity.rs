//! What a document is: a resource, a Secret, a Namespace, a List, something of another system, or unknown.
//!
//! A repository for Kubernetes often holds a ConfigMap or a kustomization beside the mail manifests. They
//! are ignored with a warning. Anything that could be a misspelt mail manifest is an error: were it ignored, the
//! object would look removed.

use mailwright_crds::kind::GROUP;
use mailwright_crds::{API_VERSION, Kind};

use super::super::object::ObjectKind;
use super::super::yaml::Node;
use super::Finding;
use super::nearest::nearest;

/// What a document is.
#[derive(Debug, PartialEq)]
pub(super) enum Identity {
    /// A manifest of a kind that is read here.
    Object(ObjectKind),
    /// Manifests in `items`.
    List,
    /// A manifest for something else: ignored, and said so.
    Foreign(Finding),
    /// It could be anything, also a mail manifest with a slip.
    Unknown(Vec<Finding>),
}

const KINDS: [&str; 9] = [
    "MailServer",
    "MailDomain",
    "Mailbox",
    "Alias",
    "MailRepository",
    "MailPolicy",
    "MailPolicyTest",
    "Secret",
    "List",
];

/// Tells a document apart by `apiVersion` and `kind`; `file` is its path.
pub(super) fn identify(node: &Node, file: &str) -> Identity {
    if node.entries().is_none() {
        let message = format!("a manifest is a mapping, and this is {}", node.kind());
        return unknown([Finding::error(&[], message, REMEDY)]);
    }
    let mut findings = Vec::new();
    let api = text(node, "apiVersion", API_VERSION, &mut findings);
    let kind = text(node, "kind", "Mailbox, MailDomain, Alias, MailServer or Secret", &mut findings);
    match (api, kind) {
        (Some(api), Some(kind)) => known_kind(api, kind),
        _ if is_kustomization(file) => foreign("Kustomization"),
        _ => Identity::Unknown(findings),
    }
}

const REMEDY: &str = "write a manifest, or move the file out of the path";

fn text<'a>(node: &'a Node, key: &str, example: &str, findings: &mut Vec<Finding>) -> Option<&'a str> {
    match node.get(key) {
        Some(value) => value.as_str().filter(|text| !text.is_empty()).or_else(|| {
            let message = format!("must be a string and is {}", value.kind());
            findings.push(Finding::error(&[key], message, format!("write {key}: {example}")));
            None
        }),
        None => {
            let remedy =
                format!("write {key}: {example}, or move the file out of the path if it is no manifest");
            findings.push(Finding::error(&[key], "is missing", remedy));
            None
        }
    }
}

fn known_kind(api: &str, kind: &str) -> Identity {
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    let ours = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
    match (group, version, ours) {
        (GROUP, _, Some(Kind::MailRepository)) if api == API_VERSION => repository(),
        (GROUP, _, Some(kind)) if api == API_VERSION => Identity::Object(ObjectKind::Resource(kind)),
        (GROUP, _, None) if api == API_VERSION && kind == "MailPolicy" => {
            Identity::Object(ObjectKind::Policy)
        }
        (GROUP, _, None) if api == API_VERSION && kind == "MailPolicyTest" => {
            Identity::Object(ObjectKind::PolicyTest)
        }
        ("", "v1", None) if kind == "Secret" => Identity::Object(ObjectKind::Secret),
        ("", "v1", None) if kind == "Namespace" => Identity::Object(ObjectKind::Namespace),
        ("", "v1", None) if kind == "List" => Identity::List,
        (GROUP, _, None) if is_list_of_ours(kind) => Identity::List,
        (GROUP, _, None) => unknown([misspelt(kind)]),
        (_, _, Some(kind)) => unknown([wrong_version(api, kind.as_str(), API_VERSION)]),
        _ if kind == "Secret" => unknown([wrong_version(api, kind, "v1")]),
        _ if group.contains("mailwright") || nearest(group, [GROUP]).is_some() => {
            unknown([wrong_version(api, kind, API_VERSION)])
        }
        _ if nearest(kind, KINDS).is_some() && kind != "List" => unknown([misspelt(kind)]),
        _ => foreign(kind),
    }
}

/// `MailboxList` and its like, as an API server gives them.
fn is_list_of_ours(kind: &str) -> bool {
    let item = kind.strip_suffix("List").unwrap_or_default();
    Kind::ALL.into_iter().any(|known| known.as_str() == item)
}

fn is_kustomization(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    matches!(name.as_str(), "kustomization.yaml" | "kustomization.yml")
}

fn misspelt(kind: &str) -> Finding {
    let remedy = match nearest(kind, KINDS) {
        Some(meant) => format!("write kind: {meant}"),
        None => "the kinds are MailServer, MailDomain, Mailbox and Alias".to_owned(),
    };
    Finding::error(&["kind"], format!("{:?} is no kind of Mailwright", shorten(kind)), remedy)
}

fn wrong_version(api: &str, kind: &str, right: &str) -> Finding {
    let message = format!("{:?} is not the apiVersion of {}", shorten(api), shorten(kind));
    let remedy =
        format!("write apiVersion: {right}, or move the file out of the path if it is for another system");
    Finding::error(&["apiVersion"], message, remedy)
}

fn foreign(kind: &str) -> Identity {
    let kind = shorten(kind);
    Identity::Foreign(match kind.as_str() {
        "Kustomization" => Finding::warning(
            &[],
            "a Kustomization is not evaluated: the manifests are read as they stand in their files",
            "write its changes into the manifests, or give a path that holds the rendered ones",
        ),
        _ => Finding::warning(
            &[],
            format!("{kind} is not a resource of Mailwright and is ignored"),
            "move it out of the path to silence this",
        ),
    })
}

/// A repository does not say how it is itself followed and guarded.
fn repository() -> Identity {
    Identity::Foreign(Finding::warning(
        &[],
        "a MailRepository in a followed repository is not read: who can push could switch off its own guards",
        "apply it to the cluster, or give it to `mailwright up` with --config, from where only its owners write",
    ))
}

fn unknown(findings: impl Into<Vec<Finding>>) -> Identity {
    Identity::Unknown(findings.into())
}

/// Enough of a word to recognise it.
fn shorten(word: &str) -> String {
    /// Longer than every kind and group in use.
    const SHOWN: usize = 80;
    match word.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &word[..at]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(text: &str, file: &str) -> String {
        let documents = super::super::super::yaml::parse(text.as_bytes()).unwrap();
        let show =
            |finding: &Finding| format!("{}; {}", finding.message, finding.remedy.as_deref().unwrap_or("-"));
        match identify(documents[0].root.as_ref().unwrap(), file) {
            Identity::Object(kind) => kind.to_string(),
            Identity::List => "a list".to_owned(),
            Identity::Foreign(finding) => format!("ignored: {}", show(&finding)),
            Identity::Unknown(findings) => findings.iter().map(show).collect::<Vec<_>>().join(" | "),
        }
    }

    #[test]
    fn manifests_are_told_apart() {
        let other = "or move the file out of the path if it is for another system";
        let table = [
            ("mailwright.dev/v1alpha1", "Mailbox", "Mailbox".to_owned()),
            ("v1", "Secret", "Secret".to_owned()),
            ("v1", "Namespace", "Namespace".to_owned()),
            ("v1", "List", "a list".to_owned()),
            ("mailwright.dev/v1alpha1", "MailboxList", "a list".to_owned()),
            ("mailwright.dev/v1alpha1", "Mailbx", "\"Mailbx\" is no kind of Mailwright; write kind: Mailbox".to_owned()),
            (
                "mailwright.dev/v1alpha1",
                "MailRepository",
                "ignored: a MailRepository in a followed repository is not read: who can push could switch off its own \
                 guards; apply it to the cluster, or give it to `mailwright up` with --config, from where only its \
                 owners write"
                    .to_owned(),
            ),
            (
                "mailwright.dev/v1",
                "Alias",
                format!("\"mailwright.dev/v1\" is not the apiVersion of Alias; write apiVersion: {API_VERSION}, {other}"),
            ),
            ("v1", "Mailbox", format!("\"v1\" is not the apiVersion of Mailbox; write apiVersion: {API_VERSION}, {other}")),
            (
                "mailwrite.dev/v1alpha1",
                "Thing",
                format!("\"mailwrite.dev/v1alpha1\" is not the apiVersion of Thing; write apiVersion: {API_VERSION}, {other}"),
            ),
            ("v2", "Secret", format!("\"v2\" is not the apiVersion of Secret; write apiVersion: v1, {other}")),
            ("v1", "secret", "\"secret\" is no kind of Mailwright; write kind: Secret".to_owned()),
            ("v1", "Malbox", "\"Malbox\" is no kind of Mailwright; write kind: Mailbox".to_owned()),
        ];
        for (api, kind, expected) in table {
            let text = format!("apiVersion: {api}\nkind: {kind}\n");
            assert_eq!(identity(&text, "a.yaml"), expected, "{text}");
        }
    }

    #[test]
    fn manifests_for_other_systems_are_ignored_with_a_word() {
        for (api, kind) in [
            ("v1", "ConfigMap"),
            ("apps/v1", "Deployment"),
            ("bitnami.com/v1alpha1", "SealedSecret"),
            ("kustomize.config.k8s.io/v1beta1", "Kustomization"),
        ] {
            let text = format!("apiVersion: {api}\nkind: {kind}\n");
            assert!(identity(&text, "a.yaml").starts_with("ignored: "), "{text}");
            assert!(identity(&text, "a.yaml").contains(kind), "{text}");
        }
        assert!(
            identity("resources: [a.yaml]", "mail/kustomization.yaml")
                .starts_with("ignored: a Kustomization")
        );
    }

    #[test]
    fn what_is_no_manifest_says_what_is_missing() {
        let table = [
            ("replicas: 1", "is missing; write apiVersion: mailwright.dev/v1alpha1, or move"),
            ("- a", "a manifest is a mapping, and this is a list; write a manifest, or move"),
            ("text", "a manifest is a mapping, and this is a string"),
            (
                "{apiVersion: 1, kind: Mailbox}",
                "must be a string and is a number; write apiVersion: mailwright",
            ),
            ("{apiVersion: v1, kind: }", "must be a string and is nothing; write kind: Mailbox"),
        ];
        for (text, expected) in table {
            assert!(identity(text, "values.yaml").starts_with(expected), "{}", identity(text, "values.yaml"));
        }
    }
}
