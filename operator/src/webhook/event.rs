//! What happened: the references that an event of GitHub, GitLab, Gitea, Forgejo or the generic form is about.
//!
//! Only what is needed is read, and nothing is believed: what is named here is fetched from the repository afterwards.

use http::{HeaderMap, header};
use serde::Deserialize;

use super::{Provider, Push, Refusal, Verdict, form, text};

/// Longer names of references exist in no forge.
const MAX_NAME: usize = 255;
/// References of one generic webhook.
const MAX_NAMES: usize = 100;

/// The fields that any of the forges sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "ref")]
    reference: Option<String>,
    refs: Vec<String>,
    ref_type: Option<String>,
    after: Option<String>,
    commit: Option<String>,
    number: Option<u64>,
    pull_request: Option<PullRequest>,
    object_attributes: Option<MergeRequest>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PullRequest {
    head: Head,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Head {
    sha: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MergeRequest {
    iid: Option<u64>,
    last_commit: Option<Commit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Commit {
    id: Option<String>,
}

/// Reads an event whose sender is known.
pub(super) fn read(provider: Provider, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let name = match provider {
        Provider::GitHub => text(headers, "x-github-event"),
        Provider::GitLab => text(headers, "x-gitlab-event"),
        Provider::Gitea => text(headers, "x-forgejo-event").or_else(|| text(headers, "x-gitea-event")),
        Provider::Generic => Some("push"),
    };
    let Some(name) = name else { return Verdict::Refused(Refusal::Form) };
    if name == "ping" {
        return Verdict::Ping;
    }
    let kind = kind(provider, name);
    if kind == Kind::Other {
        return Verdict::Ignored;
    }
    let Some(event) = parse(provider, headers, body) else { return Verdict::Refused(Refusal::Form) };
    Verdict::Accepted(push(kind, event, delivery(provider, headers)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Push,
    /// The head of this pull request, under a name that the forge gives it.
    Pull(&'static str),
    Other,
}

fn kind(provider: Provider, name: &str) -> Kind {
    match (provider, name) {
        (Provider::GitLab, "Push Hook" | "Tag Push Hook" | "System Hook") => Kind::Push,
        (Provider::GitLab, "Merge Request Hook") => Kind::Pull("merge-requests"),
        (Provider::GitLab, _) => Kind::Other,
        (_, "push" | "create" | "delete") => Kind::Push,
        (_, "pull_request" | "pull_request_sync") => Kind::Pull("pull"),
        _ => Kind::Other,
    }
}

fn parse(provider: Provider, headers: &HeaderMap, body: &[u8]) -> Option<Event> {
    if body.trim_ascii().is_empty() {
        return Some(Event::default());
    }
    let kind = text(headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    // What curl says of anything that it is given does not count.
    let may_be_form = matches!(provider, Provider::GitHub | Provider::Gitea);
    if may_be_form && kind.starts_with("application/x-www-form-urlencoded") {
        return serde_json::from_slice(&form::field(body, "payload")?).ok();
    }
    serde_json::from_slice(body).ok()
}

fn push(kind: Kind, event: Event, delivery: Option<String>) -> Push {
    let (references, commit) = match kind {
        Kind::Pull(names) => {
            let (number, commit) = match event.object_attributes {
                Some(request) => (request.iid, request.last_commit.unwrap_or_default().id),
                None => (event.number, event.pull_request.unwrap_or_default().head.sha),
            };
            (number.map(|number| format!("refs/{names}/{number}/head")).into_iter().collect(), commit)
        }
        Kind::Push | Kind::Other => {
            let full = |name: String| match event.ref_type.as_deref() {
                Some("tag") if !name.starts_with("refs/") => format!("refs/tags/{name}"),
                Some("branch") if !name.starts_with("refs/") => format!("refs/heads/{name}"),
                _ => name,
            };
            let names = event.reference.into_iter().chain(event.refs).take(MAX_NAMES);
            (names.map(full).collect::<Vec<_>>(), event.after.or(event.commit))
        }
    };
    Push {
        references: references.into_iter().filter(|name| is_name(name)).collect(),
        commit: commit.filter(|commit| is_commit(commit)),
        delivery,
    }
}

/// The name of the delivery, which forges keep when they deliver once more.
fn delivery(provider: Provider, headers: &HeaderMap) -> Option<String> {
    /// Names are UUIDs.
    const LONGEST: usize = 128;
    let names: &[&str] = match provider {
        Provider::GitHub => &["x-github-delivery"],
        Provider::GitLab => &["idempotency-key", "x-gitlab-event-uuid"],
        Provider::Gitea => &["x-forgejo-delivery", "x-gitea-delivery"],
        Provider::Generic => &[],
    };
    let found = names.iter().find_map(|name| text(headers, name))?;
    let fits = found.len() <= LONGEST && found.bytes().all(|byte| byte.is_ascii_graphic());
    (fits && !found.is_empty()).then(|| found.to_owned())
}

/// A name that may be shown in a log.
fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME && name.starts_with("refs/") && !name.chars().any(|c| c.is_control() || c == ' ')
}

/// A SHA-1 or SHA-256 that is not the one of nothing, which stands for a deleted reference.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0')
}
