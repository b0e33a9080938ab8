//! A client that asks in the name of a ServiceAccount: what it may do is what that account may do, and the audit log names both.
//! Everything else of the request, the fence of leadership too, is as with the client it is made of.
//!
//! Source: Kubernetes, "User impersonation"; the groups of a ServiceAccount are added by the API server.

use http::{HeaderName, HeaderValue, Request};
use kube_client::Client;
use kube_client::client::Body;
use tower::service_fn;

/// The header of the one in whose name is asked.
const IMPERSONATE_USER: HeaderName = HeaderName::from_static("impersonate-user");

/// The user name of a ServiceAccount.
pub fn user(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// A client that asks in the name of this ServiceAccount; `None` when the name is none that an HTTP header can carry, which no
/// name of an object is.
pub fn impersonating(client: &Client, namespace: &str, name: &str) -> Option<Client> {
    let user = HeaderValue::from_str(&user(namespace, name)).ok()?;
    let client = client.clone();
    let service = service_fn(move |request: Request<Body>| {
        let (client, user) = (client.clone(), user.clone());
        async move {
            let (mut parts, body) = request.into_parts();
            parts.headers.insert(IMPERSONATE_USER, user);
            client.send(Request::from_parts(parts, body)).await
        }
    });
    Some(Client::new(service, namespace.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http::Response;

    use super::*;

    #[tokio::test]
    async fn every_request_names_the_account() {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&seen);
        let service = service_fn(move |request: Request<Body>| {
            let header = request.headers().get(IMPERSONATE_USER).map(|it| it.to_str().unwrap().to_owned());
            told.lock().unwrap().push(header.unwrap_or_default());
            async { Ok::<_, kube_client::Error>(Response::new(Body::empty())) }
        });
        let plain = Client::new(service, "x");
        let named = impersonating(&plain, "mail", "deployer").unwrap();
        for client in [&named, &plain] {
            client.send(Request::builder().uri("/version").body(Body::empty()).unwrap()).await.unwrap();
        }
        assert_eq!(*seen.lock().unwrap(), ["system:serviceaccount:mail:deployer", ""]);
        assert!(impersonating(&plain, "mail", "a\nb").is_none());
    }
}
