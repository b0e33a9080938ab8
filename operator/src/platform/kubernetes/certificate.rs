//! The Secrets of a MailServer that the operator writes: the certificate in force, and the last good login at the
//! smarthost. They belong to the MailServer and go with it.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1 as core;
use mailwright_crds::{Kind, ObjectMeta};

use super::ServerObject;
use crate::certificate::PemPair;
use crate::kubernetes::keyring::Keyring;
use crate::kubernetes::names;
use crate::kubernetes::secret::{self, SecretName};
use crate::kubernetes::status::manager;
use crate::platform::PlatformError;
use crate::relay::RelayLogin;

/// The field manager.
const MANAGER: &str = manager(Kind::MailServer);

/// The Secret with the pair in force.
fn tls(server: &ServerObject) -> SecretName {
    SecretName::new(&server.namespace, names::name(&server.name, "-tls"))
}

fn login(server: &ServerObject) -> SecretName {
    SecretName::new(&server.namespace, names::name(&server.name, "-relay-login"))
}

/// The pair in force.
pub async fn read(keyring: &Keyring, server: &ServerObject) -> Result<Option<PemPair>, PlatformError> {
    let found = keyring.kept.get(&keyring.client, &tls(server), Some(&server.object())).await?;
    Ok(found.and_then(|found| {
        let text = |key| found.text(key).map(str::to_owned);
        Some(PemPair { certificate: text("tls.crt")?, key: text("tls.key")? })
    }))
}

/// Puts a pair in force.
pub async fn write(keyring: &Keyring, server: &ServerObject, pair: &PemPair) -> Result<(), PlatformError> {
    let data = [("tls.crt", pair.certificate.as_bytes()), ("tls.key", pair.key.as_bytes())];
    put(keyring, server, &tls(server), "kubernetes.io/tls", &data).await
}

/// The login that was good last.
pub async fn read_login(
    keyring: &Keyring,
    server: &ServerObject,
) -> Result<Option<RelayLogin>, PlatformError> {
    let found = keyring.kept.get(&keyring.client, &login(server), Some(&server.object())).await?;
    Ok(found.and_then(|found| {
        let text = |key| found.text(key).map(str::to_owned);
        let [host, secret, username, password] = ["host", "secret", "username", "password"].map(text);
        Some(RelayLogin { host: host?, secret: secret?, username: username?, password: password? })
    }))
}

/// Keeps a login.
pub async fn write_login(
    keyring: &Keyring,
    server: &ServerObject,
    kept: &RelayLogin,
) -> Result<(), PlatformError> {
    let data = [
        ("host", kept.host.as_bytes()),
        ("secret", kept.secret.as_bytes()),
        ("username", kept.username.as_bytes()),
        ("password", kept.password.as_bytes()),
    ];
    put(keyring, server, &login(server), "Opaque", &data).await
}

/// Forgets it.
pub async fn forget_login(keyring: &Keyring, server: &ServerObject) -> Result<(), PlatformError> {
    let name = login(server);
    let found = keyring.kept.get(&keyring.client, &name, Some(&server.object())).await?;
    if let Some(found) = found.filter(|found| names::is_ours(&found.labels)) {
        keyring.kept.drop(&name);
        secret::delete(&keyring.client, &found).await?;
    }
    Ok(())
}

/// Writes a Secret of the MailServer, unless one of this name belongs to somebody else.
async fn put(
    keyring: &Keyring,
    server: &ServerObject,
    name: &SecretName,
    type_: &str,
    data: &[(&str, &[u8])],
) -> Result<(), PlatformError> {
    let there = keyring.kept.get(&keyring.client, name, Some(&server.object())).await?;
    if there.is_some_and(|there| !names::is_ours(&there.labels)) {
        return Err(PlatformError::NotOurs { object: name.to_string() });
    }
    let object = object(server, name, type_, data);
    // Whatever becomes of the request, what was known may be over.
    keyring.kept.drop(name);
    let found = secret::apply(&keyring.client, &object, MANAGER).await?;
    keyring.kept.put(name, Some(found), Some(&server.object()));
    Ok(())
}

fn object(server: &ServerObject, name: &SecretName, type_: &str, data: &[(&str, &[u8])]) -> core::Secret {
    let data: BTreeMap<String, ByteString> =
        data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec()))).collect();
    core::Secret {
        metadata: ObjectMeta {
            namespace: Some(name.namespace.clone()),
            name: Some(name.name.clone()),
            labels: Some(names::of_server(&server.name)),
            owner_references: Some(vec![server.as_owner()]),
            ..ObjectMeta::default()
        },
        data: Some(data),
        type_: Some(type_.to_owned()),
        ..core::Secret::default()
    }
}
