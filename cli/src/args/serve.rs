//! Owns the options of what serves: where to listen, which roles, and what a pod is fed from. Leaves out serving.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::interval;

/// Where a server listens on this machine; ports come from the manifests.
#[derive(Debug, Clone, Args)]
pub struct Listen {
    /// Address to listen on; may be given more than once [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub bind: Vec<IpAddr>,
    /// Unix socket for LMTP, where the MTA in front can reach it [default: lmtp.sock in the data directory]
    #[arg(long, value_name = "FILE")]
    pub lmtp_socket: Option<PathBuf>,
}

impl Listen {
    /// Loopback unless told otherwise.
    pub fn addresses(&self) -> Vec<IpAddr> {
        if self.bind.is_empty() { vec![IpAddr::V4(Ipv4Addr::LOCALHOST)] } else { self.bind.clone() }
    }
}

/// `mailwright serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Roles to serve
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Role::ALL)]
    pub roles: Vec<Role>,
    /// Where to listen.
    #[command(flatten)]
    pub listen: Listen,
    /// How long Ctrl-C or SIGTERM waits for sessions to finish [default: 10s, with --config 50s]
    #[arg(long, value_name = "TIME", value_parser = interval)]
    pub grace: Option<Duration>,
    /// What a pod is fed from.
    #[command(flatten)]
    pub pod: PodArgs,
}

/// The files of a mail server that an operator runs: each is followed, and a change is in force within two seconds.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "In a pod")]
pub struct PodArgs {
    /// Serve with the settings of this file (server.json of an operator) instead of those applied to the data directory
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory with the certificate to show: tls.crt and tls.key
    #[arg(long, value_name = "DIR", requires = "config")]
    pub tls: Option<PathBuf>,
    /// Directory with the certificates of the management port: ca.crt, tls.crt and tls.key
    #[arg(long, value_name = "DIR", requires = "config")]
    pub management: Option<PathBuf>,
    /// Where the management port listens; may be given more than once (default: port 9443 of all addresses, IPv4 and IPv6)
    #[arg(long, value_name = "IP:PORT", requires = "management")]
    pub management_listen: Vec<SocketAddr>,
}

impl PodArgs {
    /// Every address of the machine unless told otherwise: the port lets nobody in without the operator's certificate.
    pub fn management_addresses(&self) -> Vec<SocketAddr> {
        match self.management_listen.as_slice() {
            [] => [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)]
                .map(|ip| SocketAddr::new(ip, MANAGEMENT_PORT))
                .to_vec(),
            given => given.to_vec(),
        }
    }
}

/// The management port of a pod.
const MANAGEMENT_PORT: u16 = 9443;

/// What a process serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Mail from other servers, by SMTP
    Mx,
    /// Mail from your own users, by SMTP with a login
    Submission,
    /// Mail from another MTA in front, by LMTP
    Lmtp,
    /// Mailboxes, by IMAP
    Imap,
    /// Mail to other servers, out of the queue
    Queue,
    /// Health, metrics and the policies clients fetch, by HTTP
    Api,
}

impl Role {
    /// Everything in one process.
    pub const ALL: [Role; 6] = [Role::Mx, Role::Submission, Role::Lmtp, Role::Imap, Role::Queue, Role::Api];
}
