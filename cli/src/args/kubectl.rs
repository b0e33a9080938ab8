//! The command line of the kubectl plugin: what somebody with a kubeconfig asks of mail in a cluster.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::{DnsFormat, Global, PlanOutput};

/// The name by which kubectl finds the plugin.
pub const EXECUTABLE: &str = "kubectl-mailwright";

/// Mail in a Kubernetes cluster: what runs, what is wrong and why, what a change would do.
///
/// Put the executable (or a link to it) on the PATH as `kubectl-mailwright`; then `kubectl mailwright status` works.
/// `mailwright kubectl status` is the same. Clusters and namespaces are chosen as with kubectl.
#[derive(Debug, Parser)]
#[command(name = "kubectl-mailwright", bin_name = "kubectl mailwright", version, max_term_width = 100)]
pub struct Plugin {
    /// Logging and colours.
    #[command(flatten)]
    pub global: Global,
    /// What is asked.
    #[command(flatten)]
    pub kubectl: Kubectl,
}

/// `mailwright kubectl`
#[derive(Debug, Args)]
pub struct Kubectl {
    /// Which cluster and namespace.
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// What is asked.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Which cluster and namespace, as kubectl has it.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    /// Kubeconfig file [default: KUBECONFIG, then ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace [default: that of the context]
    #[arg(short, long, global = true, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// What can be asked.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show mail servers, domains, and everything that is not Ready
    #[command(after_help = "Exit codes: 0 everything is Ready, 2 something is not, 1 an error.")]
    Status(Status),
    /// Print the DNS records to publish for a domain
    Dns(Dns),
    /// Look at the mail that waits to leave, and act on it; as `mailwright queue`, run in the mail pod
    #[command(after_help = "Examples:
  kubectl mailwright -n mail queue list
  kubectl mailwright -n mail queue --server example flush --domain example.org")]
    Queue(InPod),
    /// Show where mail would go, without sending any; as `mailwright trace`, run in the mail pod
    #[command(after_help = "Examples:
  kubectl mailwright -n mail trace --from alice@example.test --to sales@example.test")]
    Trace(InPod),
    /// Explain why a resource is not Ready, and what to do next; or why an address is as it is: the file, the commit, who signed it
    #[command(after_help = "Examples:
  kubectl mailwright why mailbox/alice
  kubectl mailwright -n mail why msrv/example
  kubectl mailwright -n mail why alice@example.test

An address or a domain is looked up in the mail pod, as by `mailwright why`: also one that has no resource, because a
MailRepository with sink: Database declares it.

Exit codes: 0 it is Ready (or there), 2 it is not, 1 an error.")]
    Why(Why),
    /// Show what was done to an address, a domain or by a revision; as `mailwright history`, run in the mail pod
    #[command(after_help = "Examples:
  kubectl mailwright -n mail history alice@example.test
  kubectl mailwright -n mail history --server example --revision 5b1f0c2f9d3a")]
    History(InPod),
    /// Let the plan of this digest be applied, for the MailRepository or MailServer that waits with it
    #[command(
        after_help = "It writes the annotation mailwright.dev/approve, with the rights of whoever calls it. An approval lifts nothing of \
any other plan."
    )]
    Approve(Approve),
    /// Show what `kubectl apply -f` would change in the account database, and what that does to mail
    #[command(
        after_help = "The manifests are laid over the resources in the cluster and compared with what the mail pod has \
in its database,
by the planner that the operator runs. Writes nothing.

Exit codes: 0 nothing to do, 2 there are changes, 1 an error, 3 a guard holds something back until its plan is approved."
    )]
    Plan(Plan),
}

/// `kubectl mailwright status`
#[derive(Debug, Args)]
pub struct Status {
    /// Every namespace
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

/// `kubectl mailwright dns`
#[derive(Debug, Args)]
pub struct Dns {
    /// The mail domain
    pub domain: String,
    /// Output format
    #[arg(long, short = 'o', alias = "output", default_value = "table")]
    pub format: DnsFormat,
}

/// A command that runs in the mail pod.
#[derive(Debug, Args)]
pub struct InPod {
    /// The MailServer, when the namespace has several
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// What the command is given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<String>,
}

/// `kubectl mailwright why`
#[derive(Debug, Args)]
pub struct Why {
    /// Kind and name: mailbox/alice, mdom/example, or `mailbox alice`; or an address or a domain
    #[arg(value_name = "KIND/NAME", num_args = 1..=2, required = true)]
    pub object: Vec<String>,
    /// The MailServer that an address is on, when the namespace has several
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
}

impl Why {
    /// The address or domain that is meant instead of a resource: a kind has neither an `@` nor a full stop.
    pub fn address(&self) -> Option<&str> {
        match self.object.as_slice() {
            [word] if !word.contains('/') && word.contains(['@', '.']) => Some(word),
            _ => None,
        }
    }
}

/// `kubectl mailwright approve`
#[derive(Debug, Args)]
pub struct Approve {
    /// The digest that the plan prints, at least its first 16 characters
    #[arg(value_name = "DIGEST")]
    pub digest: String,
}

/// `kubectl mailwright plan`
#[derive(Debug, Args)]
pub struct Plan {
    /// Directory of manifests [default: none; what the operator has still to do, or holds back]
    #[arg(value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// The MailServer to plan for, when there are several
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// Show the plan as if the one with this digest were approved
    #[arg(long, value_name = "DIGEST")]
    pub approve: Option<String>,
    /// Output format
    #[arg(short, long, default_value = "text")]
    pub output: PlanOutput,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Kubectl {
        let words = ["kubectl-mailwright"].into_iter().chain(line.split_whitespace());
        Plugin::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}")).kubectl
    }

    #[test]
    fn the_command_line_is_consistent() {
        Plugin::command().debug_assert();
    }

    #[test]
    fn what_runs_in_the_pod_gets_its_arguments_untouched() {
        for (line, namespace, server, arguments) in [
            ("-n mail queue list --domain example.org", Some("mail"), None, "list --domain example.org"),
            ("queue -n mail list", Some("mail"), None, "list"),
            ("queue --server a list -o json", None, Some("a"), "list -o json"),
            ("queue delete --sender <>", None, None, "delete --sender <>"),
        ] {
            let parsed = parse(line);
            assert_eq!(parsed.cluster.namespace.as_deref(), namespace, "{line}");
            let Verb::Queue(in_pod) = parsed.verb else { panic!("{line}") };
            assert_eq!(
                (in_pod.server.as_deref(), in_pod.arguments.join(" ").as_str()),
                (server, arguments),
                "{line}"
            );
        }
        let Verb::Trace(in_pod) = parse("trace --from a@example.test --to b@example.test").verb else {
            panic!()
        };
        assert_eq!(in_pod.arguments.join(" "), "--from a@example.test --to b@example.test");
    }

    #[test]
    fn why_takes_a_resource_or_an_address() {
        for (line, address) in [
            ("why mailbox/alice", None),
            ("why mailbox alice", None),
            ("why mdom/example.test", None),
            ("why alice@example.test", Some("alice@example.test")),
            ("why example.test", Some("example.test")),
            ("why @example.test", Some("@example.test")),
        ] {
            let Verb::Why(why) = parse(line).verb else { panic!("{line}") };
            assert_eq!(why.address(), address, "{line}");
        }
    }

    #[test]
    fn the_cluster_is_named_before_or_after_the_verb() {
        for line in ["--context c -n m status -A", "status --all-namespaces --namespace m --context c"] {
            let parsed = parse(line);
            assert_eq!(
                (parsed.cluster.context.as_deref(), parsed.cluster.namespace.as_deref()),
                (Some("c"), Some("m"))
            );
            assert!(matches!(parsed.verb, Verb::Status(Status { all_namespaces: true })));
        }
    }
}
