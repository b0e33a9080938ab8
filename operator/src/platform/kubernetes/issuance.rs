//! Certificates from cert-manager: a Certificate that asks for one, where cert-manager is installed. What it issues is in a
//! Secret that is then read as any other.

use kube_client::Api;
use kube_client::core::DynamicObject;
use mailwright_crds::Kind;
use mailwright_plan::observed::Issuer;
use serde_json::{Value, json};

use super::ServerObject;
use crate::kubernetes::api;
use crate::kubernetes::apis::Foreign;
use crate::kubernetes::keyring::Keyring;
use crate::kubernetes::names;
use crate::kubernetes::secret::issued_secret;
use crate::kubernetes::status::manager;
use crate::platform::{Issuance, PlatformError};

/// The field manager.
const MANAGER: &str = manager(Kind::MailServer);

/// Asks for a certificate for a host name.
pub async fn request(
    keyring: &Keyring,
    server: &ServerObject,
    hostname: &str,
    issuer: &Issuer,
) -> Result<Issuance, PlatformError> {
    if !keyring.apis().serves(Foreign::Certificate).await? {
        return Ok(Issuance::Unavailable(
            "cert-manager is not installed (the API server has no cert-manager.io/v1): install it, or set \
             spec.tls.secretName; until then the server keeps the certificate it has or makes its own"
                .to_owned(),
        ));
    }
    let desired = certificate(server, hostname, issuer);
    let resource = Foreign::Certificate.resource();
    keyring.published.put(&keyring.client, &resource, &desired, MANAGER).await?;
    let name = issued_secret(&server.name);
    let pending = match keyring.vault().is_there(&server.namespace, &name) {
        true => String::new(),
        false => pending(keyring, server).await?,
    };
    Ok(Issuance::Secret { name, pending })
}

/// Removes what was asked for.
pub async fn release(keyring: &Keyring, server: &ServerObject) -> Result<(), PlatformError> {
    if keyring.apis().serves(Foreign::Certificate).await? {
        let resource = Foreign::Certificate.resource();
        keyring.published.remove(&keyring.client, &resource, &server.namespace, &server.name).await?;
    }
    Ok(())
}

/// What cert-manager says about it.
async fn pending(keyring: &Keyring, server: &ServerObject) -> Result<String, PlatformError> {
    let resource = Foreign::Certificate.resource();
    let api: Api<DynamicObject> = Api::namespaced_with(keyring.client.clone(), &server.namespace, &resource);
    let object = format!("Certificate {}/{}", server.namespace, server.name);
    let live = api::ask("read", object.clone(), api.get_opt(&server.name)).await?;
    Ok(said(&object, &live.map(|live| live.data).unwrap_or_default()))
}

/// The message of its `Ready` condition.
fn said(object: &str, certificate: &Value) -> String {
    let conditions = certificate["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    match ready.and_then(|ready| ready["message"].as_str()).filter(|message| !message.is_empty()) {
        Some(message) => format!("{object} is not issued yet; cert-manager says: {message}"),
        None => {
            format!(
                "{object} is not issued yet, and cert-manager has said nothing; see that its controller runs"
            )
        }
    }
}

fn certificate(server: &ServerObject, hostname: &str, issuer: &Issuer) -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {
            "namespace": server.namespace,
            "name": server.name,
            "labels": names::of_server(&server.name),
            "ownerReferences": [server.as_owner()],
        },
        "spec": {
            "secretName": issued_secret(&server.name),
            "dnsNames": [hostname],
            "issuerRef": {"name": issuer.name, "kind": issuer.kind, "group": issuer.group},
            "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        },
    })
}
