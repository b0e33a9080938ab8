//! `mailwright kubectl`, and the executable called as `kubectl-mailwright`: one arm per question.

use std::process::ExitCode;

use anyhow::Result;

use crate::args::kubectl::{InPod, Kubectl, Verb};
use crate::cluster::access::Access;
use crate::cluster::objects::Reader;
use crate::cluster::{approve, dns, exec, plan, status, why};

/// Answers.
pub async fn run(arguments: Kubectl) -> Result<ExitCode> {
    let Kubectl { cluster, verb } = arguments;
    let access = Access { kubeconfig: cluster.kubeconfig.clone(), context: cluster.context.clone() };
    let (client, of_context) = access.client().await?;
    let namespace = cluster.namespace.clone().unwrap_or(of_context);
    let reader = Reader(client);
    match verb {
        Verb::Status(options) => status::run(&reader, &namespace, &options).await,
        Verb::Dns(options) => dns::run(&reader, &namespace, &options).await,
        Verb::Queue(in_pod) => exec::run(&reader, &cluster, &namespace, "queue", &in_pod).await,
        Verb::Trace(in_pod) => exec::run(&reader, &cluster, &namespace, "trace", &in_pod).await,
        Verb::History(in_pod) => exec::run(&reader, &cluster, &namespace, "history", &in_pod).await,
        Verb::Why(options) => match options.address() {
            Some(address) => {
                let in_pod = InPod {
                    server: options.server.clone(),
                    arguments: vec!["--".to_owned(), address.to_owned()],
                };
                exec::run(&reader, &cluster, &namespace, "why", &in_pod).await
            }
            None => why::run(&reader, &namespace, &options).await,
        },
        Verb::Approve(options) => approve::run(&reader, &namespace, &options.digest).await,
        Verb::Plan(options) => plan::run(&reader, &cluster, &namespace, &options).await,
    }
}
