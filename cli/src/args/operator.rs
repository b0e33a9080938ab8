//! The command line of the operator process. The chart sets all of it through the environment and flags; a developer runs
//! it on a laptop against the cluster of the current kubeconfig context.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use mailwright_operator::kubernetes::options::{LEASE_NAME, ManagementEndpoint, PORT};

use super::interval;

/// `mailwright operator`
///
/// Watches MailServers, MailDomains, Mailboxes and Aliases, makes the pods, Services and keys they need, and writes their
/// status. Several replicas may run: one leads, the others wait and take over within 15 seconds when it dies.
///
/// In a pod it finds the API server by itself. Elsewhere it uses KUBECONFIG or ~/.kube/config.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  In the cluster, all namespaces (what the chart runs):
    helm install mailwright charts/mailwright -n mailwright --create-namespace

  On a laptop, with the mail pod's management port forwarded:
    kubectl port-forward -n mail pod/example-0 9443 &
    mailwright operator --namespace mailwright --image ghcr.io/mailwright/mailwright:0.1.0 \\
      --watch-namespace mail --management-endpoint mail/example=127.0.0.1:9443

Exit codes: 0 after SIGTERM or Ctrl-C, once the lease is given back; 1 when leadership was lost or something is
wrong with the options. A process that led and lost it never writes again: it ends, and Kubernetes restarts it.")]
pub struct Operator {
    /// Reconcile only this namespace; may be given more than once [default: all, which takes a ClusterRole]
    #[arg(
        long = "watch-namespace",
        env = "MAILWRIGHT_WATCH_NAMESPACES",
        value_name = "NAMESPACE",
        value_delimiter = ','
    )]
    pub watch_namespaces: Vec<String>,
    /// The operator's own namespace, of its Lease and its certificate authority [default: the pod's, or the context's]
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// What tells this process from the other replicas; no two may share it [default: host name and process id]
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pub pod_name: Option<String>,
    /// Image of mail pods whose MailServer names none: that of this operator, so that both are one version
    #[arg(long, env = "MAILWRIGHT_IMAGE", value_name = "IMAGE")]
    pub image: String,
    /// Address and port of /metrics, /livez and /readyz; in a pod 0.0.0.0:8080
    #[arg(
        long,
        env = "MAILWRIGHT_LISTEN",
        value_name = "ADDRESS",
        default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT))
    )]
    pub listen: SocketAddr,
    /// Directory for copies of the Git repositories that MailRepositories follow [default: mailwright in the directory for
    /// temporary files]
    #[arg(long, env = "MAILWRIGHT_CACHE", value_name = "DIRECTORY")]
    pub cache: Option<std::path::PathBuf>,
    /// ServiceAccount in whose name is applied for a MailRepository that names none; it is looked for in the namespace of the
    /// MailRepository [default: such a MailRepository is refused]
    #[arg(long, env = "MAILWRIGHT_DEFAULT_SERVICE_ACCOUNT", value_name = "NAME")]
    pub default_service_account: Option<String>,
    /// Address and port for webhooks of the forges that MailRepositories are on, without TLS: put an Ingress in front; in a pod
    /// 0.0.0.0:9292 [default: none are taken]
    #[arg(long, env = "MAILWRIGHT_WEBHOOK_LISTEN", value_name = "ADDRESS")]
    pub webhook_listen: Option<SocketAddr>,
    /// Address of the pod: the other replicas hand on there what they are sent while this one leads [default: that of
    /// --webhook-listen, when it is one address]
    #[arg(long, env = "POD_IP", value_name = "IP")]
    pub pod_ip: Option<IpAddr>,
    /// Reach the management API of a MailServer there instead of through its Service; for an operator outside the
    /// cluster; may be given more than once
    #[arg(
        long = "management-endpoint",
        env = "MAILWRIGHT_MANAGEMENT_ENDPOINTS",
        value_name = "NS/NAME=HOST:PORT",
        value_delimiter = ','
    )]
    pub management_endpoints: Vec<ManagementEndpoint>,
    /// Name of the Lease by which replicas agree who leads
    #[arg(long, default_value = LEASE_NAME, value_name = "NAME")]
    pub lease_name: String,
    /// A replica takes over when it saw no renewal for this long
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = interval)]
    pub lease_duration: Duration,
    /// A leader that could not renew for this long stops; shorter than the lease duration
    #[arg(long, default_value = "7s", value_name = "TIME", value_parser = interval)]
    pub renew_deadline: Duration,
    /// Time between two looks at the Lease
    #[arg(long, default_value = "1500ms", value_name = "TIME", value_parser = interval)]
    pub retry_period: Duration,
    /// Kubeconfig file [default: KUBECONFIG, then ~/.kube/config, then the pod's service account]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}
