//! The API server's audit log: who wrote what, and what was refused to whom. `tests/kubernetes/audit.yaml` says what is in it.

use chrono::{DateTime, Utc};
use serde_json::Value;
use std::fmt;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

/// The verbs that change something.
const WRITES: &[&str] = &["create", "update", "patch", "delete", "deletecollection"];

/// Resources that are questions in the form of an object, and tokens: creating one changes nothing.
const QUESTIONS: &[&str] = &[
    "subjectaccessreviews",
    "selfsubjectaccessreviews",
    "localsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "selfsubjectreviews",
    "tokenreviews",
    "serviceaccounts/token",
];

/// A place in the log; by default its beginning.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(u64);

/// One request that was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// Who asked: `admin`, `system:serviceaccount:<namespace>:<name>`.
    pub user: String,
    /// With which program.
    pub agent: String,
    /// `create`, `update`, `patch`, `delete`, `deletecollection`; of reads `get`, `list`, `watch`.
    pub verb: String,
    /// `mailboxes`, `mailboxes/status`.
    pub resource: String,
    /// Its API group, empty for the core one.
    pub group: String,
    /// The namespace, empty where there is none.
    pub namespace: String,
    /// The object, empty for a list.
    pub name: String,
    /// HTTP's answer.
    pub code: u64,
    /// Whether nothing was to be stored (`dryRun=All`).
    pub dry_run: bool,
    /// The whole event.
    pub event: Value,
}

/// The log of one API server.
#[derive(Debug, Clone)]
pub struct Audit {
    path: PathBuf,
}

impl Audit {
    /// The log in `path`, which need not exist yet.
    pub fn new(path: PathBuf) -> Audit {
        Audit { path }
    }

    /// The end of the log now.
    pub fn mark(&self) -> Mark {
        Mark(std::fs::metadata(&self.path).map_or(0, |meta| meta.len()))
    }

    /// Everything that was answered since `mark`, reads too.
    pub fn since(&self, mark: Mark) -> Vec<Write> {
        let mut text = String::new();
        if let Ok(mut file) = std::fs::File::open(&self.path) {
            file.seek(SeekFrom::Start(mark.0)).expect("a file can be read from anywhere");
            file.read_to_string(&mut text).expect("the log is text");
        }
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().filter_map(parse).collect()
    }

    /// What changed something since `mark`; refused writes count, dry runs and questions do not.
    pub fn writes_since(&self, mark: Mark) -> Vec<Write> {
        self.since(mark).into_iter().filter(Write::is_write).collect()
    }

    /// What was refused for want of a permission since `mark`.
    pub fn forbidden_since(&self, mark: Mark) -> Vec<Write> {
        self.since(mark).into_iter().filter(|entry| entry.code == 403).collect()
    }

    /// The whole log as it is, for those who look for a word that must not be in it.
    pub fn text(&self) -> String {
        std::fs::read_to_string(&self.path).unwrap_or_default()
    }
}

impl Write {
    /// When its first octets were there.
    pub fn received(&self) -> Option<DateTime<Utc>> {
        self.event.get("requestReceivedTimestamp")?.as_str()?.parse().ok()
    }

    fn is_write(&self) -> bool {
        WRITES.contains(&self.verb.as_str()) && !self.dry_run && !QUESTIONS.contains(&self.resource.as_str())
    }

    /// Whether a controller of Kubernetes itself asked, not a program under test and not the test.
    pub fn is_of_kubernetes(&self) -> bool {
        self.user.starts_with("system:serviceaccount:kube-system:")
            || (self.user.starts_with("system:") && !self.user.starts_with("system:serviceaccount:"))
    }
}

impl fmt::Display for Write {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Write { user, agent, verb, resource, group, namespace, name, code, .. } = self;
        write!(out, "{verb} {resource}.{group} {namespace}/{name}: {code} ({user}, {agent})")
    }
}

fn parse(line: &str) -> Option<Write> {
    let event: Value = serde_json::from_str(line).ok()?;
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let resource = match (text("/objectRef/resource"), text("/objectRef/subresource")) {
        (resource, subresource) if subresource.is_empty() => resource,
        (resource, subresource) => format!("{resource}/{subresource}"),
    };
    Some(Write {
        user: text("/user/username"),
        agent: text("/userAgent"),
        verb: text("/verb"),
        resource,
        group: text("/objectRef/apiGroup"),
        namespace: text("/objectRef/namespace"),
        name: text("/objectRef/name"),
        code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
        dry_run: text("/requestURI").contains("dryRun=All"),
        event,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(user: &str, verb: &str, resource: (&str, &str), uri: &str, code: u64) -> String {
        let event = json!({
            "verb": verb, "requestURI": uri, "user": {"username": user}, "userAgent": "mailwright/0.1.0",
            "objectRef": {"resource": resource.0, "subresource": resource.1, "apiGroup": "mailwright.dev",
                          "namespace": "mail", "name": "alice"},
            "responseStatus": {"code": code},
        });
        format!("{event}\n")
    }

    fn log(lines: &[String]) -> (tempfile::TempDir, Audit) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("audit.log");
        std::fs::write(&path, lines.concat()).unwrap();
        (home, Audit::new(path))
    }

    const START: Mark = Mark(0);
    const OPERATOR: &str = "system:serviceaccount:mailwright:operator";

    #[test]
    fn what_changes_something_is_a_write() {
        for (verb, resource, uri, expected) in [
            ("create", ("mailboxes", ""), "/x", true),
            ("patch", ("mailboxes", "status"), "/x?fieldManager=a&force=true", true),
            ("delete", ("mailboxes", ""), "/x", true),
            ("get", ("mailboxes", ""), "/x", false),
            ("watch", ("mailboxes", ""), "/x", false),
            ("patch", ("mailboxes", ""), "/x?dryRun=All", false),
            ("create", ("subjectaccessreviews", ""), "/x", false),
            ("create", ("serviceaccounts", "token"), "/x", false),
        ] {
            let (_home, audit) = log(&[line(OPERATOR, verb, resource, uri, 200)]);
            assert_eq!(audit.writes_since(START).len(), usize::from(expected), "{verb} {resource:?} {uri}");
            assert_eq!(audit.since(START).len(), 1);
        }
    }

    #[test]
    fn an_entry_says_who_did_what() {
        let (_home, audit) = log(&[line(OPERATOR, "patch", ("mailboxes", "status"), "/x", 403)]);
        let refused = audit.forbidden_since(START);
        let expected = "patch mailboxes/status.mailwright.dev mail/alice: 403 \
                        (system:serviceaccount:mailwright:operator, mailwright/0.1.0)";
        assert_eq!(refused.iter().map(Write::to_string).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn a_mark_hides_what_was_before_and_half_a_line_is_not_read() {
        let first = line("admin", "create", ("mailboxes", ""), "/x", 201);
        let (_home, audit) = log(std::slice::from_ref(&first));
        let mark = audit.mark();
        assert_eq!(audit.writes_since(mark), []);
        let second = line("admin", "delete", ("mailboxes", ""), "/x", 200);
        for (text, verbs) in [(&second[..20], vec![]), (&second[..], vec!["delete"])] {
            std::fs::write(&audit.path, format!("{first}{text}")).unwrap();
            let seen: Vec<_> = audit.writes_since(mark).into_iter().map(|write| write.verb).collect();
            assert_eq!(seen, verbs);
        }
    }

    #[test]
    fn kubernetes_itself_is_told_apart() {
        for (user, expected) in [
            ("system:serviceaccount:kube-system:generic-garbage-collector", true),
            ("system:apiserver", true),
            ("system:kube-scheduler", true),
            (OPERATOR, false),
            ("admin", false),
        ] {
            let (_home, audit) = log(&[line(user, "update", ("pods", ""), "/x", 200)]);
            assert_eq!(audit.writes_since(START)[0].is_of_kubernetes(), expected, "{user}");
        }
    }

    #[test]
    fn a_log_that_is_not_there_yet_is_empty() {
        let audit = Audit::new("/nonexistent/audit.log".into());
        assert_eq!((audit.mark(), audit.since(START), audit.text()), (START, vec![], String::new()));
    }
}
