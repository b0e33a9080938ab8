//! Whether a ServiceAccount may do what a plan does: asked of the API server by SubjectAccessReview, one question for each verb,
//! kind and namespace, and only when there is something to apply. Not knowing is no, and nothing is applied then. As which accounts it
//! may act at all is the operator's own right to impersonate them, the same as for `sink: Resources`, where the API server looks at it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec, SubjectAccessReview,
    SubjectAccessReviewSpec, SubjectAccessReviewStatus,
};
use kube_client::{Api, Client};
use kube_core::params::PostParams;
use mailwright_crds::Kind;
use mailwright_crds::kind::GROUP;
use mailwright_plan::right::{Denied, Right};

use crate::kubernetes::api::{self, ApiError};
use crate::operator::{Absence, Removal};

/// Questions under way at once: each costs the API server a walk over role bindings.
const CONCURRENCY: usize = 8;

/// A ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Account {
    /// The user that the API server takes it for.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// The groups that it is in.
    pub fn groups(&self) -> Vec<String> {
        let own = format!("system:serviceaccounts:{}", self.namespace);
        vec!["system:serviceaccounts".to_owned(), own, "system:authenticated".to_owned()]
    }

    /// The command that gives it a right.
    fn remedy(&self, right: &Right) -> String {
        let Account { namespace, name } = self;
        let there = &right.namespace;
        let all =
            [Kind::MailDomain, Kind::Mailbox, Kind::Alias].map(|kind| format!("{}.{GROUP}", kind.plural()));
        format!(
            "give it the right, as with kubectl create role mailwright-{name} -n {there} --verb=create,update,delete \
             --resource={} and kubectl create rolebinding mailwright-{name} -n {there} --role=mailwright-{name} \
             --serviceaccount={namespace}:{name}",
            all.join(",")
        )
    }
}

/// The question about one right.
fn question(account: &Account, right: &Right) -> SubjectAccessReview {
    let attributes = ResourceAttributes {
        group: Some(GROUP.to_owned()),
        namespace: Some(right.namespace.clone()),
        resource: Some(right.kind.plural().to_owned()),
        verb: Some(right.verb.as_str().to_owned()),
        ..ResourceAttributes::default()
    };
    SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(account.user()),
            groups: Some(account.groups()),
            resource_attributes: Some(attributes),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    }
}

/// Whether the operator may act as an account.
fn own_question(account: &Account) -> SelfSubjectAccessReview {
    let attributes = ResourceAttributes {
        namespace: Some(account.namespace.clone()),
        name: Some(account.name.clone()),
        resource: Some("serviceaccounts".to_owned()),
        verb: Some("impersonate".to_owned()),
        ..ResourceAttributes::default()
    };
    SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    }
}

/// What an answer says: allowed, or not. An authorizer that failed has not said yes.
fn allows(answer: Option<&SubjectAccessReviewStatus>) -> bool {
    answer.is_some_and(|answer| answer.allowed && answer.denied != Some(true))
}

/// Those of the rights that were not given.
fn denied(account: &Account, answers: impl IntoIterator<Item = (Right, bool)>) -> Denied {
    let missing = answers.into_iter().filter(|(_, allowed)| !allowed).map(|(right, _)| right);
    let rights: BTreeMap<Right, String> =
        missing.map(|right| (right.clone(), account.remedy(&right))).collect();
    Denied { who: format!("ServiceAccount {}/{}", account.namespace, account.name), rights }
}

/// Nobody said what is allowed.
fn unknown(error: ApiError) -> String {
    format!("nothing is applied before it is known what is allowed: {error}")
}

/// Asks for one ServiceAccount.
pub struct Reviewer {
    client: Client,
    account: Account,
}

impl Reviewer {
    /// Asks with the operator's own rights.
    pub fn new(client: Client, account: Account) -> Reviewer {
        Reviewer { client, account }
    }

    /// Whether the operator may act as the account; an error says why not.
    async fn may_act(&self) -> Result<(), String> {
        let api: Api<SelfSubjectAccessReview> = Api::all(self.client.clone());
        let Account { namespace, name } = &self.account;
        let (parameters, question) = (PostParams::default(), own_question(&self.account));
        let asked = api.create(&parameters, &question);
        let answer =
            api::ask("ask", format!("whether the operator may act as {}", self.account.user()), asked);
        let answer = answer.await.map_err(unknown)?;
        match allows(answer.status.as_ref()) {
            true => Ok(()),
            false => Err(format!(
                "the operator may not act as the ServiceAccount {namespace}/{name}; name another in serviceAccountName, or list it in \
                 repositories.serviceAccounts of the chart; nothing changes until then"
            )),
        }
    }

    async fn ask(&self, right: Right) -> Result<(Right, bool), ApiError> {
        let api: Api<SubjectAccessReview> = Api::all(self.client.clone());
        let question = question(&self.account, &right);
        let parameters = PostParams::default();
        let asked = api.create(&parameters, &question);
        let answer = api::ask("ask", format!("whether {} may {right}", self.account.user()), asked).await?;
        Ok((right, allows(answer.status.as_ref())))
    }
}

impl Absence for Reviewer {
    /// A revision is read whole: what it does not declare is gone.
    async fn verify(&self, removals: &[Removal]) -> Vec<bool> {
        vec![true; removals.len()]
    }

    async fn denied(&self, rights: &BTreeSet<Right>) -> Result<Denied, String> {
        self.may_act().await?;
        let asked = rights.iter().cloned().map(|right| self.ask(right));
        let answers: Vec<(Right, bool)> = futures::stream::iter(asked)
            .buffer_unordered(CONCURRENCY)
            .try_collect()
            .await
            .map_err(unknown)?;
        Ok(denied(&self.account, answers))
    }
}

#[cfg(test)]
mod tests {
    use mailwright_plan::right::Verb;

    use super::*;

    fn account() -> Account {
        Account { namespace: "mail".into(), name: "deployer".into() }
    }

    fn right(namespace: &str, kind: Kind, verb: Verb) -> Right {
        Right { namespace: namespace.into(), kind, verb }
    }

    #[test]
    fn a_question_names_the_account_as_the_api_server_does() {
        for (right, verb, resource) in [
            (right("sales", Kind::Mailbox, Verb::Create), "create", "mailboxes"),
            (right("sales", Kind::Alias, Verb::Update), "update", "aliases"),
            (right("mail", Kind::MailDomain, Verb::Delete), "delete", "maildomains"),
        ] {
            let asked = question(&account(), &right).spec;
            assert_eq!(asked.user.as_deref(), Some("system:serviceaccount:mail:deployer"));
            assert_eq!(
                asked.groups.unwrap(),
                ["system:serviceaccounts", "system:serviceaccounts:mail", "system:authenticated"]
            );
            let attributes = asked.resource_attributes.unwrap();
            assert_eq!(
                [attributes.verb, attributes.group, attributes.resource, attributes.namespace],
                [verb, GROUP, resource, &right.namespace].map(|it| Some(it.to_owned()))
            );
            assert_eq!((attributes.name, attributes.subresource), (None, None));
        }
    }

    #[test]
    fn the_operator_asks_for_itself_about_one_account() {
        let asked = own_question(&account()).spec.resource_attributes.unwrap();
        assert_eq!(
            [asked.verb, asked.resource, asked.namespace, asked.name],
            ["impersonate", "serviceaccounts", "mail", "deployer"].map(|it| Some(it.to_owned()))
        );
        assert_eq!(asked.group, None, "the core group");
    }

    #[test]
    fn only_yes_is_yes() {
        let answer = |allowed, denied, error: Option<&str>| SubjectAccessReviewStatus {
            allowed,
            denied,
            evaluation_error: error.map(str::to_owned),
            ..SubjectAccessReviewStatus::default()
        };
        for (answer, expected) in [
            (None, false),
            (Some(answer(false, None, None)), false),
            (Some(answer(false, None, Some("a webhook does not answer"))), false),
            (Some(answer(true, Some(true), None)), false),
            (Some(answer(true, Some(false), None)), true),
            (Some(answer(true, None, None)), true),
        ] {
            assert_eq!(allows(answer.as_ref()), expected, "{answer:?}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_what_gives_it() {
        let (create, update) =
            (right("sales", Kind::Mailbox, Verb::Create), right("sales", Kind::Mailbox, Verb::Update));
        let found = denied(&account(), [(create.clone(), false), (update, true)]);
        assert_eq!((found.who.as_str(), found.rights.len()), ("ServiceAccount mail/deployer", 1));
        let remedy = &found.rights[&create];
        for part in
            ["-n sales ", "mailboxes.mailwright.dev,aliases.mailwright.dev", "--serviceaccount=mail:deployer"]
        {
            assert!(remedy.contains(part), "{remedy}");
        }
        assert_eq!(denied(&account(), []).rights.len(), 0);
    }
}
