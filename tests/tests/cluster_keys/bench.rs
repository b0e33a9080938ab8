//! What the tests of this binary share: a namespace with a MailServer and a MailDomain, and keyrings of operators that
//! ask as a service account, so that the audit log has their reads too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use kube_client::config::{KubeConfigOptions, Kubeconfig};
use kube_client::{Api, Client, Config};
use mailwright_crds::ObjectRef;
use mailwright_operator::kubernetes::keyring::Keyring;
use mailwright_operator::platform::kubernetes::{DomainObject, Kubernetes, ServerObject};
use mailwright_tests::cluster::{ControlPlane, Kubectl, Mark, Write};

/// One test's place in the cluster.
pub struct Bench {
    pub plane: &'static ControlPlane,
    pub kubectl: Kubectl,
    pub namespace: String,
    pub client: Client,
    user: String,
}

impl Bench {
    /// A namespace of its own with the MailServer `mail` and the MailDomain `example` for example.test; `None` where there
    /// is no control plane.
    pub async fn new() -> Option<Bench> {
        let plane = ControlPlane::shared()?;
        plane.install_crds();
        let kubectl = plane.kubectl();
        let namespace = kubectl.namespace("keys");
        kubectl.run(&["create", "serviceaccount", "operator", "--namespace", &namespace]).ok();
        let subject = format!("--serviceaccount={namespace}:operator");
        kubectl
            .run(&["create", "clusterrolebinding", &namespace, "--clusterrole=cluster-admin", &subject])
            .ok();
        let client = client(plane.service_account(&namespace, "operator").path()).await;
        let user = format!("system:serviceaccount:{namespace}:operator");
        let bench = Bench { plane, kubectl, namespace, client, user };
        bench.apply("MailServer", "mail", "{hostname: mail.example.test}");
        bench.apply("MailDomain", "example", "{domain: example.test, serverRef: {name: mail}}");
        Some(bench)
    }

    /// Applies one of our kinds.
    pub fn apply(&self, kind: &str, name: &str, spec: &str) {
        let namespace = &self.namespace;
        self.kubectl.apply(&format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"
        ));
    }

    /// The keyring of an operator that has just started.
    pub async fn keyring(&self) -> Arc<Keyring> {
        Keyring::open(self.client.clone(), &self.namespace).await.unwrap()
    }

    /// A platform with a keyring of its own.
    pub async fn platform(&self) -> (Arc<Keyring>, Kubernetes) {
        let keyring = self.keyring().await;
        let platform = keyring.platform(self.server());
        platform.set_domains(self.domains());
        (keyring, platform)
    }

    /// The MailServer as it is now.
    pub fn server(&self) -> ServerObject {
        let uid = self.uid("mailserver/mail");
        ServerObject { namespace: self.namespace.clone(), name: "mail".into(), uid }
    }

    /// The MailDomain as it is now, with an alias domain.
    pub fn domains(&self) -> BTreeMap<String, DomainObject> {
        let uid = Some(self.uid("maildomain/example"));
        let object = DomainObject {
            namespace: self.namespace.clone(),
            name: "example".into(),
            uid,
            of_repository: false,
        };
        ["example.test", "alias.test"].map(|domain| (domain.to_owned(), object.clone())).into()
    }

    fn uid(&self, what: &str) -> String {
        self.kubectl.get(&self.namespace, what)["metadata"]["uid"].as_str().unwrap().to_owned()
    }

    /// Tells a keyring about a Secret as the watch would.
    pub async fn see(&self, keyring: &Keyring, name: &str) -> BTreeSet<ObjectRef> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &self.namespace);
        match api.get_metadata_opt(name).await.unwrap() {
            Some(found) => keyring.seen(&found.metadata),
            None => keyring.gone(&mailwright_crds::ObjectMeta {
                namespace: Some(self.namespace.clone()),
                name: Some(name.to_owned()),
                ..Default::default()
            }),
        }
    }

    /// The names of the Secrets here that begin so.
    pub fn secrets(&self, prefix: &str) -> Vec<String> {
        let all = self.kubectl.list(&self.namespace, "secrets");
        let names = all.iter().filter_map(|secret| secret["metadata"]["name"].as_str());
        names.filter(|name| name.starts_with(prefix)).map(str::to_owned).collect()
    }

    /// A Secret of somebody.
    pub fn give(&self, name: &str, key: &str, value: &str) {
        let namespace = &self.namespace;
        self.kubectl.apply(&format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: {namespace}}}\nstringData: {{{key}: {value:?}}}\n"
        ));
    }

    /// Removes a Secret.
    pub fn take_away(&self, name: &str) {
        self.kubectl.run(&["delete", "secret", name, "--namespace", &self.namespace]).ok();
    }

    /// The end of the audit log.
    pub fn mark(&self) -> Mark {
        self.plane.audit().mark()
    }

    /// What operators of this test asked since, in words: `get secrets mail-tls`.
    pub fn asked(&self, mark: Mark) -> Vec<String> {
        let of_us = |write: &Write| write.user == self.user;
        let all = self.plane.audit().since(mark).into_iter().filter(of_us);
        all.map(|write| format!("{} {} {}", write.verb, write.resource, write.name).trim().to_owned())
            .collect()
    }
}

/// A client for a kubeconfig.
async fn client(path: &Path) -> Client {
    let config = Kubeconfig::read_from(path).unwrap();
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// Calls a platform as a pass does: on a thread that may block.
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}
