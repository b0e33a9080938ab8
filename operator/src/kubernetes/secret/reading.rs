//! Reading the Secrets that are due, and making the passwords that are asked for in them.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1 as core;
use kube_client::core::params::ListParams;
use mailwright_crds::{Kind, ObjectMeta, ObjectRef};

use super::found::{self, Found};
use super::generate::{self, Step};
use super::{Held, Known, NOT_OURS, Refreshed, SecretName, Vault};
use crate::kubernetes::api::{ApiError, ApiErrorKind};
use crate::kubernetes::names;
use crate::kubernetes::status::manager;
use crate::secrets::Secrets;

/// From so many on, the Secrets of a namespace are read together: a page of hundreds costs the API server about as much
/// as a few single ones.
const TOGETHER: usize = 20;
/// Requests at a time, so that a start with thousands of Secrets does not crowd out everybody else.
const AT_ONCE: usize = 8;
/// The field manager of generated passwords.
const MANAGER: &str = manager(Kind::Mailbox);

/// One request, or a few pages of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Read {
    /// One Secret.
    One(SecretName),
    /// These Secrets of a namespace.
    Many(String, BTreeSet<SecretName>),
}

/// How to read these Secrets.
pub(super) fn reads(due: &BTreeSet<SecretName>) -> Vec<Read> {
    let mut by_namespace: BTreeMap<&str, BTreeSet<SecretName>> = BTreeMap::new();
    for name in due {
        by_namespace.entry(&name.namespace).or_default().insert(name.clone());
    }
    let mut reads = Vec::new();
    for (namespace, names) in by_namespace {
        match names.len() >= TOGETHER {
            true => reads.push(Read::Many(namespace.to_owned(), names)),
            false => reads.extend(names.into_iter().map(Read::One)),
        }
    }
    reads
}

/// What became of one Secret.
type Reading = (SecretName, Result<Option<Found>, Trouble>);

/// Why a Secret cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    why: String,
    /// Whether it may pass without anybody doing anything.
    again: bool,
    /// Whether the Secret is somebody else's.
    not_ours: bool,
    /// Whether it says nothing of the Secret: what was known of it holds on.
    silent: bool,
}

impl Trouble {
    fn lasting(why: impl Into<String>) -> Self {
        Self { why: why.into(), again: false, not_ours: false, silent: false }
    }
}

impl From<ApiError> for Trouble {
    fn from(error: ApiError) -> Self {
        use ApiErrorKind::{Busy, Conflict, Exists};
        let silent = matches!(error.kind, Busy | Conflict | Exists);
        Self { why: error.to_string(), again: true, not_ours: false, silent }
    }
}

impl Vault {
    /// Reads what is due, makes passwords that are missing, and says whom that touches. What fails stays due.
    pub async fn refresh(&self) -> Refreshed {
        let _one_at_a_time = self.reading.lock().await;
        let due = std::mem::take(&mut self.state().due);
        if due.is_empty() {
            return Refreshed::default();
        }
        let readings = stream::iter(reads(&due)).map(|read| self.read(read)).buffer_unordered(AT_ONCE);
        let readings: Vec<Reading> = readings.collect::<Vec<_>>().await.into_iter().flatten().collect();
        let settled = stream::iter(readings).map(|(name, found)| async move {
            let settled = match found {
                Ok(found) => self.settle(&name, found).await,
                Err(why) => Err(why),
            };
            (name, settled)
        });
        let settled: Vec<Reading> = settled.buffer_unordered(AT_ONCE).collect().await;
        self.take_in(settled)
    }

    /// What these Secrets hold, from memory or read again. Only those that somebody refers to are given.
    pub async fn recall(&self, wanted: &BTreeSet<(String, String)>) -> Secrets {
        let mut secrets = Secrets::default();
        let mut unread = BTreeSet::new();
        {
            let state = self.state();
            for (namespace, name) in wanted {
                let name = SecretName::new(namespace, name);
                match state.known.get(&name).and_then(Known::held).and_then(|held| held.values.as_ref()) {
                    Some(values) => secrets.insert(&name.namespace, &name.name, values.clone()),
                    None if state.references.is_wanted(&name) => drop(unread.insert(name)),
                    None => {}
                }
            }
        }
        let readings = stream::iter(reads(&unread)).map(|read| self.read(read)).buffer_unordered(AT_ONCE);
        for (name, found) in readings.collect::<Vec<_>>().await.into_iter().flatten() {
            match found {
                Ok(Some(found)) => secrets.insert(&name.namespace, &name.name, found.secret),
                Ok(None) => {}
                Err(trouble) => tracing::warn!(secret = %name, why = trouble.why, "a Secret cannot be read"),
            }
        }
        secrets
    }

    async fn read(&self, read: Read) -> Vec<Reading> {
        match read {
            Read::One(name) => {
                let found = found::get(&self.client, &name).await.map_err(Trouble::from);
                vec![(name, found)]
            }
            Read::Many(namespace, names) => {
                let selectors = ListParams::default().fields(NOT_OURS);
                match found::list(&self.client, &namespace, &selectors).await {
                    Err(error) => {
                        names.into_iter().map(|name| (name, Err(Trouble::from(error.clone())))).collect()
                    }
                    Ok(listed) => {
                        let listed = listed.into_iter().filter(|found| names.contains(&found.name));
                        let mut listed: BTreeMap<SecretName, Found> =
                            listed.map(|found| (found.name.clone(), found)).collect();
                        names.iter().map(|name| (name.clone(), Ok(listed.remove(name)))).collect()
                    }
                }
            }
        }
    }

    /// Makes the passwords that Mailboxes ask for in this Secret. Answers the Secret as it is now.
    async fn settle(&self, name: &SecretName, found: Option<Found>) -> Result<Option<Found>, Trouble> {
        let asking: Vec<(ObjectRef, String, Option<String>)> = {
            let state = self.state();
            let asking = state.references.generating(name);
            asking
                .map(|(object, key, token)| (object.clone(), key.to_owned(), token.map(str::to_owned)))
                .collect()
        };
        let mut found = found;
        for (mailbox, key, token) in asking {
            found = self.generate(name, found, &mailbox.name, &key, token.as_deref()).await?;
        }
        Ok(found)
    }

    async fn generate(
        &self,
        name: &SecretName,
        found: Option<Found>,
        mailbox: &str,
        key: &str,
        token: Option<&str>,
    ) -> Result<Option<Found>, Trouble> {
        let step = generate::decide(name, found.as_ref(), mailbox, key, token);
        let written = match step {
            Step::Keep => return Ok(found),
            Step::NotOurs => {
                let why = format!("{name} was not made by Mailwright");
                return Err(Trouble { not_ours: true, ..Trouble::lasting(why) });
            }
            Step::Refuse(why) => return Err(Trouble::lasting(why)),
            Step::Create => {
                let object = generated(name, None, mailbox, key, token)?;
                found::create(&self.client, &object, MANAGER).await
            }
            Step::Write => {
                let object = generated(name, found.as_ref(), mailbox, key, token)?;
                found::apply(&self.client, &object, MANAGER).await
            }
        };
        // When somebody else was first, what they wrote is read and judged at the next call.
        Ok(Some(written?))
    }

    fn take_in(&self, settled: Vec<Reading>) -> Refreshed {
        let mut state = self.state();
        let mut refreshed = Refreshed::default();
        for (name, found) in settled {
            let before = state.known.remove(&name);
            if !state.references.is_wanted(&name) {
                continue;
            }
            let now = match found {
                Ok(None) => Known::Absent,
                Ok(Some(found)) => Known::Present(Held::of(found, &self.fingerprint_key)),
                Err(trouble) => {
                    tracing::warn!(secret = %name, why = trouble.why, "a Secret cannot be used");
                    if trouble.again {
                        refreshed.again += 1;
                        state.due.insert(name.clone());
                    }
                    match before.clone() {
                        Some(before) if trouble.silent => before,
                        _ => Known::Troubled { why: trouble.why, not_ours: trouble.not_ours },
                    }
                }
            };
            if before.as_ref() != Some(&now) {
                refreshed.changed.extend(state.references.users(&name).cloned());
            }
            state.known.insert(name, now);
        }
        refreshed
    }
}

/// The Secret as it is to be: with a new password, and with everything of ours that it had before.
fn generated(
    name: &SecretName,
    found: Option<&Found>,
    mailbox: &str,
    key: &str,
    token: Option<&str>,
) -> Result<core::Secret, Trouble> {
    let password =
        generate::password().ok_or_else(|| Trouble::lasting("the system has no entropy for a password"))?;
    let kept = found.map(|found| found.secret.values.clone()).unwrap_or_default();
    let mut data: BTreeMap<String, ByteString> =
        kept.iter().map(|(key, value)| (key.clone(), ByteString(value.expose().to_vec()))).collect();
    data.insert(key.to_owned(), ByteString(password.into_bytes()));
    let mut annotations = BTreeMap::from([(names::MAILBOX.to_owned(), mailbox.to_owned())]);
    annotations.extend(token.map(|token| (names::ROTATED.to_owned(), token.to_owned())));
    Ok(core::Secret {
        metadata: ObjectMeta {
            namespace: Some(name.namespace.clone()),
            name: Some(name.name.clone()),
            resource_version: found.map(|found| found.version.clone()),
            labels: Some(names::labels([(names::MAILBOX, names::label(mailbox))])),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        },
        data: Some(data),
        type_: found.is_none().then(|| "Opaque".to_owned()),
        ..core::Secret::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_read_one_by_one_and_many_together() {
        let names = |namespace: &str, count: usize| -> BTreeSet<SecretName> {
            (0..count).map(|number| SecretName::new(namespace, format!("s{number:02}"))).collect()
        };
        let due: BTreeSet<SecretName> =
            names("few", TOGETHER - 1).into_iter().chain(names("many", TOGETHER)).collect();
        let reads = reads(&due);
        assert_eq!(reads.iter().filter(|read| matches!(read, Read::One(_))).count(), TOGETHER - 1);
        assert_eq!(reads.last(), Some(&Read::Many("many".into(), names("many", TOGETHER))));
        assert!(super::reads(&BTreeSet::new()).is_empty());
    }

    #[test]
    fn a_password_is_written_with_all_that_was_there_and_on_top_of_what_was_read() {
        let found = Found {
            name: SecretName::new("team", "s"),
            version: "7".into(),
            uid: "u".into(),
            type_: "Opaque".into(),
            immutable: false,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            secret: crate::source::Secret {
                values: [("old".to_owned(), crate::source::SecretValue::new("kept"))].into(),
            },
        };
        for (found, token, version, keys) in
            [(None, None, None, vec!["new"]), (Some(&found), Some("1"), Some("7"), vec!["new", "old"])]
        {
            let object = generated(&SecretName::new("team", "s"), found, "alice", "new", token).unwrap();
            let metadata = &object.metadata;
            assert_eq!(metadata.resource_version.as_deref(), version);
            assert_eq!(object.data.unwrap().keys().collect::<Vec<_>>(), keys);
            let annotations = metadata.annotations.as_ref().unwrap();
            assert_eq!(annotations.get(names::ROTATED).map(String::as_str), token);
            assert_eq!(annotations[names::MAILBOX], "alice");
        }
    }
}
