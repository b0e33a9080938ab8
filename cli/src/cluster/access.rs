//! Owns how this process finds its API server: the kubeconfig and context that were named, KUBECONFIG, ~/.kube/config, or
//! the service account of the pod it runs in. Leaves out every request.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use kube_client::config::{KubeConfigOptions, Kubeconfig};
use kube_client::{Client, Config};

/// Which cluster was asked for; nothing is the one kubectl would use.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// `--kubeconfig`
    pub kubeconfig: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
}

impl Access {
    /// Where the API server is and how to log in.
    pub async fn config(&self) -> Result<Config> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        match (&self.kubeconfig, &self.context) {
            (Some(file), _) => named(file, &options).await,
            (None, Some(context)) => Config::from_kubeconfig(&options)
                .await
                .with_context(|| format!("cannot use the context {context:?}; `kubectl config get-contexts` lists them")),
            (None, None) => Config::infer().await.context(
                "there is no cluster to talk to; name one with --kubeconfig or --context, set KUBECONFIG, or run in a pod \
                 with a service account",
            ),
        }
    }

    /// A client, and the namespace of the context.
    pub async fn client(&self) -> Result<(Client, String)> {
        let config = self.config().await?;
        let namespace = config.default_namespace.clone();
        Ok((Client::try_from(config).context("cannot use the kubeconfig")?, namespace))
    }
}

async fn named(file: &Path, options: &KubeConfigOptions) -> Result<Config> {
    let kubeconfig = Kubeconfig::read_from(file)
        .with_context(|| format!("cannot read the kubeconfig {}", file.display()))?;
    Config::from_custom_kubeconfig(kubeconfig, options)
        .await
        .with_context(|| format!("cannot use the kubeconfig {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KUBECONFIG: &str = "apiVersion: v1
kind: Config
clusters:
  - {name: one, cluster: {server: 'https://127.0.0.1:1'}}
  - {name: two, cluster: {server: 'https://127.0.0.1:2'}}
users: [{name: me, user: {}}]
contexts:
  - {name: one, context: {cluster: one, user: me}}
  - {name: two, context: {cluster: two, user: me, namespace: mail}}
current-context: one
";

    async fn check(context: Option<&str>, expected: Result<(&str, &str), &str>) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config");
        std::fs::write(&file, KUBECONFIG).unwrap();
        let access = Access { kubeconfig: Some(file), context: context.map(str::to_owned) };
        match (access.config().await, expected) {
            (Ok(config), Ok((server, namespace))) => {
                assert_eq!(config.cluster_url.to_string(), server);
                assert_eq!(config.default_namespace, namespace);
            }
            (Err(error), Err(says)) => assert!(format!("{error:#}").contains(says), "{error:#}"),
            (result, expected) => {
                panic!("{:?} instead of {expected:?}", result.map(|config| config.cluster_url))
            }
        }
    }

    #[tokio::test]
    async fn contexts_choose_the_cluster_and_the_namespace() {
        check(None, Ok(("https://127.0.0.1:1/", "default"))).await;
        check(Some("two"), Ok(("https://127.0.0.1:2/", "mail"))).await;
        check(Some("three"), Err("three")).await;
    }

    #[tokio::test]
    async fn a_kubeconfig_that_is_not_there_is_named() {
        let access = Access { kubeconfig: Some("/nonexistent/kubeconfig".into()), context: None };
        let error = access.config().await.unwrap_err();
        assert!(format!("{error:#}").contains("/nonexistent/kubeconfig"), "{error:#}");
    }
}
