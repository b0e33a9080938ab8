//! What an error of the API server means for a child, and what is said of it. Pure; when it is tried again is
//! [`super::attempts`].

use kube_client::Error;

use crate::workload::ChildKind;

/// The longest part of a server's message that is repeated: a refused StatefulSet names every field of its spec.
const LONGEST_MESSAGE: usize = 1024;

/// What an error means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Of a moment: a conflict, too many requests, a timeout, no connection.
    Transient(String),
    /// The server refused the object: it will again, unless somebody changes something.
    Refused(String),
    /// The server does not know a field of the object, and fails over that. Some versions do; no repetition helps.
    UnknownField(String),
    /// The server failed.
    Internal(String),
    /// The namespace is going, and everything in it.
    NamespaceGoing,
}

/// The name of this kind of object and why the server does not take it, with the next step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `StatefulSet mail`.
    pub child: String,
    /// What kind of problem it is.
    pub fault: Fault,
    /// What is wrong and what to do.
    pub message: String,
}

/// Kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It passes by itself; tried again soon.
    Transient,
    /// The server refused the object; tried again seldom, in case somebody mends the cause.
    Refused,
    /// The server does not know a field of it; not tried again until it changes or somebody asks.
    GivenUp,
    /// The object belongs to somebody else.
    NotOurs,
}

/// Classifies an error.
pub fn classify(error: &Error) -> Failure {
    let Error::Api(status) = error else {
        return Failure::Transient(shortened(&error.to_string()));
    };
    let message = shortened(&status.message);
    let going = status.details.iter().flat_map(|details| &details.causes);
    let going = going.filter(|cause| cause.reason == "NamespaceTerminating").count() > 0;
    match status.code {
        403 if going => Failure::NamespaceGoing,
        // 404 of a write is its namespace.
        404 if status.details.as_ref().is_some_and(|details| details.kind == "namespaces") => {
            Failure::NamespaceGoing
        }
        408 | 409 | 429 | 502 | 503 | 504 => Failure::Transient(message),
        400..=499 => Failure::Refused(message),
        _ if message.contains("field not declared in schema") => Failure::UnknownField(message),
        _ => Failure::Internal(message),
    }
}

fn shortened(message: &str) -> String {
    match message.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// What to do about a refused object, in words.
pub fn remedy(kind: ChildKind, name: &str, namespace: &str, message: &str) -> String {
    let says = |words: &str| message.contains(words);
    let step = match kind {
        ChildKind::StatefulSet if says("updates to statefulset spec for fields other than") => format!(
            "a field of it never changes: run `kubectl delete statefulset {name} -n {namespace} --cascade=orphan`; the pod \
             keeps running and the operator makes the StatefulSet anew around it"
        ),
        ChildKind::Service if says("may not change once set") => format!(
            "a field of it never changes: run `kubectl delete service {name} -n {namespace}`; the operator makes it anew, and \
             it may get another address"
        ),
        ChildKind::Service if says("port is already allocated") || says("valid ports is") => {
            "declare another port in spec.service.nodePorts, or none and the cluster chooses".to_owned()
        }
        _ if says("exceeded quota") => {
            format!(
                "raise the ResourceQuota of the namespace {namespace}, or ask for less in spec.template.resources"
            )
        }
        _ if says("cannot patch resource")
            || says("cannot create resource")
            || says("cannot delete resource") =>
        {
            "give the operator's ServiceAccount the rights of its chart".to_owned()
        }
        _ => "change the MailServer, or what refuses it; it is tried again".to_owned(),
    };
    format!("the API server refused {} {name}: {message}; {step}", kind.as_str())
}

/// That a MailServer can have no children at all, as the problem of each of them.
pub fn impossible(server: &str, message: String) -> Problem {
    Problem { child: format!("MailServer {server}"), fault: Fault::Refused, message }
}

/// That the server fails over an object.
pub fn failing(title: &str, message: &str) -> String {
    format!("the API server failed over {title}: {message}; its log may say why; it is tried again")
}

/// That the server does not know a field of an object, and that it was given up.
pub fn unknown_field(title: &str, message: &str) -> String {
    format!(
        "this API server does not know a field of {title}, and it is not tried again: {message}; upgrade Kubernetes or take \
         an older operator, then change the MailServer or its annotation mailwright.dev/requestedAt"
    )
}

#[cfg(test)]
mod tests {
    use kube_core::Status;
    use serde_json::json;

    use super::*;

    fn error(code: u16, message: &str) -> Error {
        Error::Api(Box::new(Status { code, message: message.to_owned(), ..Status::default() }))
    }

    #[test]
    fn codes_mean_what_the_api_conventions_say() {
        for code in [408, 409, 429, 502, 503, 504] {
            assert_eq!(classify(&error(code, "later")), Failure::Transient("later".to_owned()), "{code}");
        }
        for code in [400, 401, 403, 404, 405, 413, 415, 422] {
            assert_eq!(classify(&error(code, "no")), Failure::Refused("no".to_owned()), "{code}");
        }
        for code in [500, 501, 507] {
            assert_eq!(classify(&error(code, "oops")), Failure::Internal("oops".to_owned()), "{code}");
        }
        let unknown = "failed to create typed patch object: .spec.x: field not declared in schema";
        assert_eq!(classify(&error(500, unknown)), Failure::UnknownField(unknown.to_owned()));
        let cut = Error::ReadEvents(std::io::Error::other("the connection ended"));
        assert!(
            matches!(classify(&cut), Failure::Transient(message) if message.contains("connection ended"))
        );
    }

    #[test]
    fn a_namespace_that_goes_is_no_refusal() {
        let status = |code: u16, kind: &str, cause: &str| {
            let details = json!({"kind": kind, "causes": [{"reason": cause}]});
            let status: Status = serde_json::from_value(json!({"code": code, "details": details})).unwrap();
            Error::Api(Box::new(status))
        };
        assert_eq!(classify(&status(403, "services", "NamespaceTerminating")), Failure::NamespaceGoing);
        assert_eq!(classify(&status(404, "namespaces", "")), Failure::NamespaceGoing);
        assert_eq!(classify(&status(403, "services", "Other")), Failure::Refused(String::new()));
        assert_eq!(classify(&status(404, "services", "")), Failure::Refused(String::new()));
    }

    #[test]
    fn a_refusal_names_the_next_step() {
        let long = "é".repeat(LONGEST_MESSAGE + 1);
        let Failure::Refused(short) = classify(&error(422, &long)) else { panic!("refused") };
        assert_eq!(short.chars().count(), LONGEST_MESSAGE + 1);
        for (kind, message, step) in [
            (
                ChildKind::StatefulSet,
                "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
                "kubectl delete statefulset mail -n post --cascade=orphan",
            ),
            (ChildKind::StatefulSet, "pods \"x\" is forbidden: exceeded quota: q", "raise the ResourceQuota"),
            (ChildKind::Service, "cannot patch resource \"services\"", "the rights of its chart"),
            (ChildKind::Service, "nodePort: provided port is already allocated", "spec.service.nodePorts"),
            (
                ChildKind::Service,
                "spec.loadBalancerClass: may not change once set",
                "kubectl delete service mail -n post",
            ),
            (ChildKind::ConfigMap, "admission webhook \"x\" denied the request", "change the MailServer"),
        ] {
            let said = remedy(kind, "mail", "post", message);
            assert!(said.contains(step) && said.contains(message), "{said}");
        }
    }
}
