//! What the API server's answers mean to whoever reads and writes keys and Secrets, in our own words: its own may repeat
//! what was sent, and that may be a password.

use std::future::Future;
use std::time::Duration;

/// How long one request may take. An API server that is slower than this is asked again.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a refusal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiErrorKind {
    /// There is no such object, or no such kind.
    NotFound,
    /// There is one of this name already.
    Exists,
    /// It was changed in between: read it again and decide anew.
    Conflict,
    /// The operator's role lacks a right, or a policy refuses.
    Forbidden,
    /// The namespace is being deleted; nothing new is made in it.
    Terminating,
    /// The object breaks a rule; trying the same again is of no use.
    Invalid,
    /// No answer, or one that asks to come back later.
    Busy,
}

/// Why the API server did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} {object}: {why}")]
pub struct ApiError {
    /// What was tried: `read`, `create`, `write`, `list`, `delete`.
    pub action: &'static str,
    /// The object, as `Secret namespace/name`.
    pub object: String,
    /// What it means.
    pub kind: ApiErrorKind,
    /// What the answer was and what to do.
    pub why: String,
}

impl ApiError {
    /// Reads an answer.
    pub fn new(action: &'static str, object: impl Into<String>, error: &kube_client::Error) -> Self {
        let (kind, why) = match error {
            kube_client::Error::Api(status) => of_status(status.code, &status.reason, &status.message),
            kube_client::Error::SerdeError(_) => {
                (ApiErrorKind::Invalid, "the answer cannot be understood".to_owned())
            }
            _ => (ApiErrorKind::Busy, "the API server does not answer; it is tried again".to_owned()),
        };
        Self { action, object: object.into(), kind, why }
    }

    /// An object that was there a moment ago is not.
    pub fn vanished(object: String) -> Self {
        let why = "it was removed at the same time; it is tried again".to_owned();
        Self { action: "read", object, kind: ApiErrorKind::Conflict, why }
    }

    fn late(action: &'static str, object: String) -> Self {
        let why = format!("no answer within {} s; it is tried again", PATIENCE.as_secs());
        Self { action, object, kind: ApiErrorKind::Busy, why }
    }
}

/// Only fixed words and the status come out: the message is looked at, and never repeated.
fn of_status(code: u16, reason: &str, message: &str) -> (ApiErrorKind, String) {
    let (kind, why) = match (code, reason) {
        (404, _) => (ApiErrorKind::NotFound, "it does not exist"),
        (409, "AlreadyExists") => (ApiErrorKind::Exists, "it exists already"),
        (409, _) => (ApiErrorKind::Conflict, "it was changed at the same time; it is tried again"),
        (403, _) if message.contains("being terminated") => {
            (ApiErrorKind::Terminating, "its namespace is being deleted")
        }
        (401 | 403, _) => (
            ApiErrorKind::Forbidden,
            "the API server forbids it; compare the operator's role with the one in the chart, and look for \
             admission policies and quotas",
        ),
        (422, _) if message.contains("immutable") => {
            (ApiErrorKind::Invalid, "it is immutable; delete it, and it is made anew")
        }
        (413, _) => (ApiErrorKind::Invalid, "it is too large"),
        (400..=499, _) if code != 408 && code != 429 => {
            (ApiErrorKind::Invalid, "the API server finds it invalid")
        }
        _ => (ApiErrorKind::Busy, "the API server is busy; it is tried again"),
    };
    (kind, format!("{why} (HTTP {code})"))
}

/// A request that is given up when its answer takes longer than this. What came of it nobody knows.
pub async fn within<T>(
    patience: Duration,
    request: impl Future<Output = kube_client::Result<T>>,
) -> kube_client::Result<T> {
    let late =
        || kube_client::Error::Service(format!("the API server did not answer in {patience:?}").into());
    tokio::time::timeout(patience, request).await.unwrap_or_else(|_| Err(late()))
}

/// One request with its time limit.
pub async fn ask<T>(
    action: &'static str,
    object: impl Into<String>,
    request: impl Future<Output = kube_client::Result<T>>,
) -> Result<T, ApiError> {
    let object = object.into();
    match tokio::time::timeout(PATIENCE, request).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(ApiError::new(action, object, &error)),
        Err(_) => Err(ApiError::late(action, object)),
    }
}

/// A request for something that may not be there: 404 is `None`.
pub async fn absent<T>(
    request: impl Future<Output = kube_client::Result<T>>,
) -> kube_client::Result<Option<T>> {
    match request.await {
        Ok(found) => Ok(Some(found)),
        Err(kube_client::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_and_never_repeated() {
        use ApiErrorKind::{Busy, Conflict, Exists, Forbidden, Invalid, NotFound, Terminating};
        let cases = [
            (404, "NotFound", "", NotFound),
            (409, "AlreadyExists", "", Exists),
            (409, "Conflict", "", Conflict),
            (403, "Forbidden", "because it is being terminated", Terminating),
            (403, "Forbidden", "exceeded quota", Forbidden),
            (401, "Unauthorized", "", Forbidden),
            (422, "Invalid", "field is immutable when `immutable` is set", Invalid),
            (422, "Invalid", "data[x]: Invalid value", Invalid),
            (413, "RequestEntityTooLarge", "", Invalid),
            (400, "BadRequest", "", Invalid),
            (408, "Timeout", "", Busy),
            (429, "TooManyRequests", "", Busy),
            (500, "InternalError", "", Busy),
            (503, "ServiceUnavailable", "", Busy),
        ];
        for (code, reason, message, expected) in cases {
            let (kind, why) = of_status(code, reason, &format!("{message} SENTINEL"));
            assert_eq!(kind, expected, "{code} {reason} {message}");
            assert!(why.contains(&format!("HTTP {code}")) && !why.contains("SENTINEL"), "{why}");
        }
    }

    #[test]
    fn an_error_says_what_was_tried() {
        let error = ApiError::late("write", "Secret a/b".into());
        assert_eq!((error.kind, error.to_string().contains("tried again")), (ApiErrorKind::Busy, true));
        assert!(error.to_string().starts_with("cannot write Secret a/b: "), "{error}");
        let broken = serde_json::from_str::<u8>("\"SENTINEL\"").unwrap_err();
        let error = ApiError::new("read", "Secret a/b", &kube_client::Error::SerdeError(broken));
        assert!(!format!("{error} {error:?}").contains("SENTINEL"), "{error:?}");
    }
}
