//! The way to the account database of one MailServer: which address and which certificates, under which fence, and whether
//! it is the database that is bound.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mailwright_crds::MailServer;
use mailwright_crds::well_known::ACCEPT_DATABASE_ANNOTATION;
use mailwright_plan::Fence;
use mailwright_plan::partition::ServerKey;
use mailwright_plan::status::DatabaseProblem;
use serde_json::json;

use super::Installation;
use crate::accounts::{AccountsError, AccountsErrorKind, ClientIdentity, Connector, Health, Remote, Target};
use crate::kubernetes::binding::{self, Binding, Claim};
use crate::kubernetes::options::Options;
use crate::kubernetes::status::Wanted;
use crate::workload::{MANAGEMENT_PORT, names};

/// The longest wait for an answer to a question that costs the pod nothing.
const QUICK: Duration = Duration::from_secs(5);

/// The way to one installation.
pub(in crate::kubernetes) struct Way<C: Connector> {
    connector: C,
    key: ServerKey,
    address: String,
    name: String,
    with: Option<(Fence, Arc<ClientIdentity>)>,
    bound: Option<String>,
}

impl<C: Connector> Way<C> {
    pub(in crate::kubernetes) fn new(connector: C, options: &Options, key: &ServerKey) -> Self {
        let name = names::management_host(&key.namespace, &key.name);
        let outside = options.management_endpoints.get(&key.to_string()).cloned();
        let address = outside.unwrap_or_else(|| format!("{name}:{MANAGEMENT_PORT}"));
        Self { connector, key: key.clone(), address, name, with: None, bound: None }
    }

    /// The database that is bound, as far as this process knows.
    pub(super) fn bound(&self) -> Option<&str> {
        self.bound.as_deref()
    }

    /// What every write carries.
    pub(super) fn fence(&self) -> Option<Fence> {
        self.with.as_ref().map(|(fence, _)| fence.clone())
    }

    /// Another connection, when the fence or the certificates are others than before.
    pub(in crate::kubernetes) fn connect(
        &mut self,
        fence: Fence,
        identity: &Arc<ClientIdentity>,
    ) -> Option<C::Remote> {
        if self.with.as_ref().is_some_and(|(with, by)| *with == fence && by == identity) {
            return None;
        }
        self.with = Some((fence.clone(), Arc::clone(identity)));
        let target = Target {
            server: self.key.to_string(),
            address: self.address.clone(),
            name: self.name.clone(),
            identity: Arc::clone(identity),
            fence,
        };
        Some(self.connector.connect(target))
    }
}

impl<C: Connector> Installation<C> {
    /// Makes sure that the database answers and is the bound one. What is wrong is said as the MailServer will say it.
    pub(super) async fn reach(
        &mut self,
        server: &MailServer,
        now: DateTime<Utc>,
    ) -> Result<(), DatabaseProblem> {
        let waiting = |why: &str| DatabaseProblem::Unreachable(why.to_owned());
        let identity = self.keyring.identity(now).await;
        let identity =
            identity.map_err(|error| waiting(&format!("the operator has no certificate: {error}")))?;
        let bound = self.way.bound.clone().or_else(|| self.kept_database());
        let fence = Fence { term: self.shared.leading().term, database: bound.clone() };
        if let Some(remote) = self.way.connect(fence.clone(), &identity) {
            self.operator.reach(Some(remote), Some(fence));
        }
        let Some(remote) = self.operator.accounts().clone() else {
            return Err(waiting("there is no connection"));
        };
        let found = quick(remote.identity()).await.map_err(|error| problem(&error))?.database;
        let annotations = server.metadata.annotations.as_ref();
        let accepted = annotations.and_then(|all| all.get(ACCEPT_DATABASE_ANNOTATION)).map(String::as_str);
        match binding::decide(Claim { bound: bound.as_deref(), accepted, found: &found }) {
            Binding::Replaced { message } => {
                return Err(DatabaseProblem::Replaced(message.replace("NAME", &self.key.name)));
            }
            Binding::Bound => {}
            Binding::Bind => {
                self.bind(server, &found).await?;
                let fence = Fence { term: self.shared.leading().term, database: Some(found.clone()) };
                let remote = self.way.connect(fence.clone(), &identity).or(Some(remote));
                self.operator.reach(remote, Some(fence));
            }
        }
        self.way.bound = Some(found);
        Ok(())
    }

    /// Notes the database in the status before anything is written to it: whatever happens then, no other is taken for it.
    async fn bind(&self, server: &MailServer, found: &str) -> Result<(), DatabaseProblem> {
        let refused = |why: String| {
            DatabaseProblem::Unreachable(format!("the database {found} cannot be bound: {why}"))
        };
        let mut status = self.kept(&self.key.object());
        if !status.is_object() {
            status = json!({"observedGeneration": -1, "conditions": [], "endpoints": []});
        }
        status["databaseID"] = json!(found);
        let uid = server.metadata.uid.as_deref().unwrap_or_default();
        let wanted = Wanted::new(self.key.object(), uid, &status);
        self.shared.put_alone(&wanted).await.map_err(|error| refused(error.to_string()))?;
        tracing::info!(server = %self.key, database = found, "the account database is bound");
        Ok(())
    }
}

/// What a running server is up to.
pub(super) async fn health<R: Remote>(remote: &R) -> Result<Health, AccountsError> {
    quick(remote.health()).await
}

async fn quick<T>(question: impl Future<Output = Result<T, AccountsError>>) -> Result<T, AccountsError> {
    let late = || AccountsError::unreachable(format!("no answer within {} s", QUICK.as_secs()));
    tokio::time::timeout(QUICK, question).await.unwrap_or_else(|_| Err(late()))
}

/// An error of the database as the MailServer says it.
pub(super) fn problem(error: &AccountsError) -> DatabaseProblem {
    let message = error.message.clone();
    match error.kind {
        AccountsErrorKind::Unreachable => DatabaseProblem::Unreachable(message),
        AccountsErrorKind::Fenced => {
            DatabaseProblem::Unreachable(format!("another operator leads: {message}"))
        }
        AccountsErrorKind::WrongDatabase => DatabaseProblem::Replaced(message),
        AccountsErrorKind::StorageFull => DatabaseProblem::StorageFull(message),
        AccountsErrorKind::Refused => DatabaseProblem::Failed(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_words() {
        for (kind, expected) in [
            (AccountsErrorKind::Unreachable, DatabaseProblem::Unreachable("x".into())),
            (AccountsErrorKind::Fenced, DatabaseProblem::Unreachable("another operator leads: x".into())),
            (AccountsErrorKind::WrongDatabase, DatabaseProblem::Replaced("x".into())),
            (AccountsErrorKind::StorageFull, DatabaseProblem::StorageFull("x".into())),
            (AccountsErrorKind::Refused, DatabaseProblem::Failed("x".into())),
        ] {
            assert_eq!(problem(&AccountsError::new(kind, "x")), expected);
        }
    }
}
