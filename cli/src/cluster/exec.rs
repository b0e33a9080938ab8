//! Owns running a command of this executable in a mail pod, by `kubectl exec`: kubectl knows every way to log in to a
//! cluster, and a person who may exec there is trusted with the pod's mail anyway. Leaves out what the command does.

use std::ffi::OsString;
use std::process::{ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use mailwright_crds::Kind;
use mailwright_operator::workload::names;
use serde_json::Value;
use tokio::process::Command;

use super::objects::{PODS, Reader, of_kind, text};
use crate::args::kubectl::{ClusterArgs, InPod};

/// Runs `mailwright <verb> <arguments>` in the pod, on this terminal. Its exit code is ours.
pub async fn run(
    reader: &Reader,
    cluster: &ClusterArgs,
    namespace: &str,
    verb: &str,
    in_pod: &InPod,
) -> Result<ExitCode> {
    let server = server(reader, namespace, in_pod.server.as_deref()).await?;
    let arguments = [&[verb.to_owned()], in_pod.arguments.as_slice()].concat();
    let mut command = kubectl(cluster, &server, &arguments);
    let status = command.status().await.context(NO_KUBECTL)?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// What `mailwright <arguments>` prints in the pod.
pub async fn output(
    reader: &Reader,
    cluster: &ClusterArgs,
    server: &Value,
    arguments: &[&str],
) -> Result<Vec<u8>> {
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
    let mut command = kubectl(cluster, server, &arguments);
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output().await.context(NO_KUBECTL)?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let (namespace, pod) = (text(server, "/metadata/namespace"), names::pod(text(server, "/metadata/name")));
    let state = reader.get(PODS, namespace, &pod);
    match state.await {
        Ok(None) => {
            bail!(
                "there is no pod {namespace}/{pod}; kubectl mailwright why msrv/{}",
                text(server, "/metadata/name")
            )
        }
        _ => bail!("`mailwright {}` in the pod {namespace}/{pod}: {said}", arguments.join(" ")),
    }
}

const NO_KUBECTL: &str = "cannot run kubectl; put it on the PATH, or name it in KUBECTL";

fn kubectl(cluster: &ClusterArgs, server: &Value, arguments: &[String]) -> Command {
    let mut command = Command::new(std::env::var_os("KUBECTL").unwrap_or_else(|| "kubectl".into()));
    command.args(words(cluster, server, arguments));
    command
}

/// The words of `kubectl exec`.
fn words(cluster: &ClusterArgs, server: &Value, arguments: &[String]) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(file) = &cluster.kubeconfig {
        words.extend(["--kubeconfig".into(), file.clone().into_os_string()]);
    }
    if let Some(context) = &cluster.context {
        words.extend(["--context".into(), context.into()]);
    }
    let pod = format!("pod/{}", names::pod(text(server, "/metadata/name")));
    let exec = [
        "--namespace",
        text(server, "/metadata/namespace"),
        "exec",
        &pod,
        "--container",
        names::CONTAINER,
        "--quiet",
    ];
    words.extend(exec.map(OsString::from));
    words.extend(["--", "mailwright", "--data", names::DATA_DIR].map(OsString::from));
    words.extend(arguments.iter().map(OsString::from));
    words
}

/// The MailServer that is meant: the one of this name, or the only one of the namespace.
pub async fn server(reader: &Reader, namespace: &str, name: Option<&str>) -> Result<Value> {
    choose(reader.list(of_kind(Kind::MailServer), Some(namespace), "").await?, namespace, name)
}

fn choose(mut servers: Vec<Value>, namespace: &str, name: Option<&str>) -> Result<Value> {
    let names: Vec<String> = servers.iter().map(|server| text(server, "/metadata/name").to_owned()).collect();
    if let Some(name) = name {
        servers.retain(|server| text(server, "/metadata/name") == name);
    }
    match (servers.pop(), servers.is_empty(), name) {
        (Some(server), true, _) => Ok(server),
        (Some(_), false, _) => bail!(
            "the namespace {namespace} has several MailServers: choose one of {} with --server",
            names.join(", ")
        ),
        (None, _, Some(name)) if !names.is_empty() => {
            bail!("there is no MailServer {name} in the namespace {namespace}; there is {}", names.join(", "))
        }
        (None, ..) => bail!("there is no MailServer in the namespace {namespace}; choose another with -n"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server_named(name: &str) -> Value {
        json!({"metadata": {"namespace": "mail", "name": name}})
    }

    #[test]
    fn kubectl_is_given_the_same_cluster() {
        let cluster = ClusterArgs {
            kubeconfig: Some("/tmp/k".into()),
            context: Some("c".to_owned()),
            namespace: Some("ignored".to_owned()),
        };
        let line = |cluster: &ClusterArgs| {
            let arguments = ["queue".to_owned(), "list".to_owned(), "--sender".to_owned(), "<>".to_owned()];
            let words = words(cluster, &server_named("example"), &arguments);
            words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
        };
        let exec = "--namespace mail exec pod/example-0 --container mailwright --quiet -- mailwright --data \
                    /var/lib/mailwright queue list --sender <>";
        assert_eq!(line(&cluster), format!("--kubeconfig /tmp/k --context c {exec}"));
        assert_eq!(line(&ClusterArgs::default()), exec);
    }

    #[test]
    fn the_server_is_the_only_one_or_the_one_that_is_named() {
        let servers = |names: &[&str]| names.iter().map(|name| server_named(name)).collect::<Vec<_>>();
        for (names, chosen, expected) in [
            (&["a"][..], None, Ok("a")),
            (&["a", "b"], Some("b"), Ok("b")),
            (&["a", "b"], None, Err("choose one of a, b with --server")),
            (&["a", "b"], Some("c"), Err("there is a, b")),
            (&[], None, Err("choose another with -n")),
            (&[], Some("a"), Err("choose another with -n")),
        ] {
            match (choose(servers(names), "mail", chosen), expected) {
                (Ok(server), Ok(name)) => assert_eq!(text(&server, "/metadata/name"), name),
                (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{error}"),
                (result, expected) => panic!("{result:?} instead of {expected:?}"),
            }
        }
    }
}
