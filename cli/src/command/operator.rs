//! `mailwright operator`: the operator of a Kubernetes cluster, until a signal. Turns the command line into its options;
//! everything it does is `mailwright_operator::kubernetes`.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use mailwright_operator::kubernetes::options::LeaseTimes;
use mailwright_operator::kubernetes::process::{self, Place};
use mailwright_operator::kubernetes::{self, Options};
use tokio::sync::watch;

use crate::args::operator::Operator;
use crate::cluster::access::Access;
use crate::cluster::remote::Pods;
use crate::command::serve::StopSignal;

/// Runs until SIGTERM, Ctrl-C or the loss of leadership.
pub async fn run(arguments: Operator) -> Result<ExitCode> {
    let access = Access { kubeconfig: arguments.kubeconfig.clone(), context: arguments.context.clone() };
    let config = access.config().await?;
    let options = options(arguments, config.default_namespace.clone())?;
    tracing::info!(identity = %options.identity, namespace = %options.namespace, "starting");
    let (tell, stop) = watch::channel(false);
    let mut signal = StopSignal::new()?;
    tokio::spawn(async move {
        signal.wait().await;
        let _ = tell.send(true);
    });
    let told = options.clone();
    let work = |place: Place| kubernetes::work::work(place, told, Pods);
    process::run(config, &options, stop, work).await?;
    Ok(ExitCode::SUCCESS)
}

/// The options, with what was not said filled in.
fn options(arguments: Operator, context_namespace: String) -> Result<Options> {
    let lease = LeaseTimes {
        duration: arguments.lease_duration,
        renew_deadline: arguments.renew_deadline,
        retry: arguments.retry_period,
    };
    let identity = arguments.pod_name.unwrap_or_else(this_process);
    let usual = Options::new(identity, arguments.image);
    let reached = |listen: SocketAddr| {
        let own = Some(listen.ip()).filter(|address| !address.is_unspecified());
        arguments.pod_ip.or(own).map(|address| SocketAddr::new(address, listen.port()))
    };
    let webhook_reached = arguments.webhook_listen.and_then(reached);
    lease.check().context("--lease-duration, --renew-deadline and --retry-period")?;
    Ok(Options {
        watch_namespaces: arguments.watch_namespaces.into_iter().filter(|name| !name.is_empty()).collect(),
        namespace: arguments.namespace.unwrap_or(context_namespace),
        lease_name: arguments.lease_name,
        lease,
        listen: arguments.listen,
        management_endpoints: arguments
            .management_endpoints
            .into_iter()
            .map(|endpoint| (endpoint.server, endpoint.address))
            .collect(),
        cache: arguments.cache.unwrap_or_else(|| usual.cache.clone()),
        webhook_listen: arguments.webhook_listen,
        webhook_reached,
        default_service_account: arguments.default_service_account.filter(|name| !name.is_empty()),
        ..usual
    })
}

/// A name that no other process has, where no pod gives one.
fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "operator" } else { host.trim() };
    format!("{host}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn parse(line: &str) -> Result<Options> {
        let words = ["mailwright", "operator"].into_iter().chain(line.split_whitespace());
        match Arguments::try_parse_from(words)?.command {
            Command::Operator(arguments) => options(*arguments, "context".to_owned()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_said_is_filled_in() {
        let options = parse("--image localhost/mailwright:test").unwrap();
        assert!(options.watch_namespaces.is_empty() && options.management_endpoints.is_empty());
        assert_eq!(options.namespace, "context");
        assert_eq!(options.image, "localhost/mailwright:test");
        assert_eq!(options.lease, LeaseTimes::default());
        assert_eq!(options.listen.to_string(), "127.0.0.1:8080");
        assert!(options.cache.ends_with("mailwright") && options.default_service_account.is_none());
        assert!(options.identity.ends_with(&format!("-{}", std::process::id())), "{}", options.identity);
    }

    #[test]
    fn what_is_said_counts() {
        let options = parse(
            "--image i --watch-namespace a,b --watch-namespace c --namespace ops --pod-name op-1 --listen 0.0.0.0:9 \
             --management-endpoint a/s=127.0.0.1:9443 --lease-duration 4s --renew-deadline 3s --retry-period 500ms \
             --cache /var/cache/mailwright --default-service-account mail-deployer --webhook-listen 0.0.0.0:9292",
        )
        .unwrap();
        assert_eq!(options.watch_namespaces.iter().map(String::as_str).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!((options.namespace.as_str(), options.identity.as_str()), ("ops", "op-1"));
        assert_eq!(options.management_endpoints["a/s"], "127.0.0.1:9443");
        assert_eq!(options.lease.duration.as_secs(), 4);
        assert_eq!(options.cache, std::path::Path::new("/var/cache/mailwright"));
        assert_eq!(options.default_service_account.as_deref(), Some("mail-deployer"));
        assert_eq!(options.webhook_listen.map(|address| address.port()), Some(9292));
    }

    #[test]
    fn other_replicas_reach_the_webhooks_of_this_one() {
        for (line, expected) in [
            ("", None),
            ("--pod-ip 10.0.0.7", None),
            ("--webhook-listen 0.0.0.0:9292", None),
            ("--webhook-listen 0.0.0.0:9292 --pod-ip 10.0.0.7", Some("10.0.0.7:9292")),
            ("--webhook-listen [::]:9292 --pod-ip fd00::7", Some("[fd00::7]:9292")),
            ("--webhook-listen 127.0.0.1:9293", Some("127.0.0.1:9293")),
        ] {
            let options = parse(&format!("--image i {line}")).unwrap();
            assert_eq!(options.webhook_reached.map(|it| it.to_string()).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (line, says) in [
            ("", "--image <IMAGE>"),
            ("--image i --management-endpoint a=b", "namespace/name=host:port"),
            (
                "--image i --lease-duration 5s",
                "the renew deadline (7s) must be shorter than the lease's duration (5s)",
            ),
        ] {
            let error = format!("{:#}", parse(line).unwrap_err());
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
