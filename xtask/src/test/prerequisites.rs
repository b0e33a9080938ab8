//! The programs that the client tests run, where they come from, and installing them on Debian as root.
//!
//! Elsewhere the missing ones are named, and the tests that need one skip that part and say so. Under `CI=true` a missing
//! program is a failure: a green run must mean that everything ran.

use super::stage::Outcome;
use super::{node, python};
use crate::{forge, kubernetes, sops, workspace};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// One thing that tests need.
struct Need {
    /// The program, or for data a name of our own.
    name: &'static str,
    /// Any one of these commands succeeding means that it is there.
    probes: &'static [&'static str],
    /// The Debian package; a pattern where the name carries a version.
    package: &'static str,
    /// What is shown with it.
    why: &'static str,
}

const NEEDS: &[Need] = &[
    Need {
        name: "msmtp",
        probes: &["command -v msmtp"],
        package: "msmtp",
        why: "submission by a real client, SCRAM too",
    },
    Need {
        name: "swaks",
        probes: &["command -v swaks"],
        package: "swaks",
        why: "mail in by SMTP, with STARTTLS and pipelining",
    },
    Need {
        name: "Net::SSLeay",
        probes: &["perl -MNet::SSLeay -e 1"],
        package: "libnet-ssleay-perl",
        why: "TLS for swaks",
    },
    Need {
        name: "make",
        probes: &["command -v make"],
        package: "make",
        why: "the allocator is built with it",
    },
    Need { name: "curl", probes: &["command -v curl"], package: "curl", why: "smtp:// and imaps:// URLs" },
    Need {
        name: "mbsync",
        probes: &["command -v mbsync"],
        package: "isync",
        why: "a mailbox there and back, with flags",
    },
    Need { name: "mutt", probes: &["command -v mutt"], package: "mutt", why: "a mail reader on a terminal" },
    Need {
        name: "script",
        probes: &["command -v script"],
        package: "bsdutils",
        why: "the terminal that mutt wants",
    },
    Need {
        name: "named-checkzone",
        probes: &["command -v named-checkzone"],
        package: "bind9-utils",
        why: "the DNS records in a real name server's parser",
    },
    Need {
        name: "named",
        probes: &["test -x /usr/sbin/named"],
        package: "bind9",
        why: "the name server behind mail that leaves",
    },
    Need {
        name: "postfix",
        probes: &["test -x /usr/sbin/postfix -a -x /usr/sbin/smtp-sink"],
        package: "postfix",
        why: "the next hop and the smarthost of mail that leaves",
    },
    Need {
        name: "saslpasswd2",
        probes: &["test -x /usr/sbin/saslpasswd2"],
        package: "sasl2-bin",
        why: "logins at that smarthost",
    },
    Need {
        name: "SASL's mechanisms",
        probes: &["ls /usr/lib/*/sasl2/libplain.so"],
        package: "libsasl2-modules",
        why: "PLAIN, LOGIN and SCRAM at that smarthost",
    },
    Need {
        name: "doveadm",
        probes: &["command -v doveadm"],
        package: "dovecot-core",
        why: "password hashes made by another server",
    },
    Need {
        name: "dovecot's IMAP and LMTP",
        probes: &["test -x /usr/lib/dovecot/imap -a -x /usr/lib/dovecot/lmtp"],
        package: "^dovecot-(imapd|lmtpd)$",
        why: "the other side of the side-by-side run",
    },
    Need {
        name: "sshd",
        probes: &["test -x /usr/sbin/sshd"],
        package: "openssh-server",
        why: "a Git repository over ssh",
    },
    Need {
        name: "ssh",
        probes: &["command -v ssh"],
        package: "openssh-client",
        why: "a Git repository over ssh",
    },
    Need {
        name: "openssl",
        probes: &["command -v openssl"],
        package: "openssl",
        why: "certificates from outside",
    },
    Need {
        name: "promtool",
        probes: &["command -v promtool"],
        package: "prometheus",
        why: "the alerts and the dashboard of the charts",
    },
    Need {
        name: "gpg",
        probes: &["command -v gpg && command -v gpg-agent"],
        package: "gnupg",
        why: "commits signed with OpenPGP",
    },
    Need { name: "git", probes: &["command -v git"], package: "git", why: "repositories of manifests" },
    Need { name: "python3", probes: &["command -v python3"], package: "python3", why: "imaplib and smtplib" },
    Need {
        name: "offlineimap",
        probes: &["command -v offlineimap"],
        package: "offlineimap3",
        why: "a mailbox there and back, by another program",
    },
    Need {
        name: "neomutt",
        probes: &["command -v neomutt"],
        package: "neomutt",
        why: "another mail reader on a terminal",
    },
    Need { name: "node", probes: &["command -v node"], package: "nodejs", why: "imapflow and nodemailer" },
    Need { name: "npm", probes: &["command -v npm"], package: "npm", why: "imapflow and nodemailer" },
    Need {
        name: "dkimpy",
        probes: &["/usr/bin/python3 -c 'import dkim'", "python3 -c 'import dkim'"],
        package: "python3-dkim",
        why: "our signatures in another verifier",
    },
    Need {
        name: "PyNaCl",
        probes: &["/usr/bin/python3 -c 'import nacl'", "python3 -c 'import nacl'"],
        package: "python3-nacl",
        why: "Ed25519 for dkimpy",
    },
    Need {
        name: "opendkim",
        probes: &["test -x /usr/sbin/opendkim"],
        package: "opendkim",
        why: "our signatures in a third verifier",
    },
    Need {
        name: "containerd",
        probes: &["command -v containerd"],
        package: "containerd",
        why: "containers on a node of Kubernetes",
    },
    Need {
        name: "runc",
        probes: &["test -x /usr/sbin/runc"],
        package: "runc",
        why: "starting these containers",
    },
    Need {
        name: "CNI's bridge",
        probes: &["test -x /usr/lib/cni/bridge -a -x /usr/lib/cni/portmap"],
        package: "containernetworking-plugins",
        why: "the network of pods",
    },
    Need {
        name: "iptables",
        probes: &["test -x /usr/sbin/iptables"],
        package: "iptables",
        why: "Services, by kube-proxy",
    },
    Need {
        name: "ipset",
        probes: &["test -x /usr/sbin/ipset -o -x /sbin/ipset"],
        package: "ipset",
        why: "enforcing NetworkPolicies, by kube-router",
    },
    Need {
        name: "ip",
        probes: &["test -x /usr/sbin/ip -o -x /sbin/ip"],
        package: "iproute2",
        why: "a node's network",
    },
    Need {
        name: "nsenter",
        probes: &["command -v nsenter && command -v unshare"],
        package: "util-linux",
        why: "a node's own namespaces",
    },
    Need {
        name: "static C library",
        probes: &["ls /usr/lib/*/libc.a"],
        package: "libc6-dev",
        why: "the process that holds a pod's namespaces",
    },
    Need {
        name: "Python's e-mail test data",
        probes: &[
            "python3 -c 'import test.test_email'",
            "/usr/bin/python3 -c 'import test.test_email'",
            "ls /usr/lib/python3*/test/test_email/data/msg_01.txt",
        ],
        package: r"^libpython3\.[0-9]+-testsuite$",
        why: "a message of every kind, there and back",
    },
];

/// Installs what is missing, or says what is.
pub fn install(forbidden: bool) -> Result<Outcome> {
    let missing: Vec<&Need> = NEEDS.iter().filter(|need| !need.is_there()).collect();
    if !missing.is_empty() && !forbidden && is_root() && Path::new("/etc/debian_version").exists() {
        apt(&missing)?;
    }
    // After the programs: npm is one of them.
    let packages = python::install(&workspace::root(), forbidden)?.len()
        + node::install(&workspace::root(), forbidden)?.len()
        + kubernetes::install(&workspace::root(), forbidden)?.len()
        + sops::install(&workspace::root(), forbidden)?.len()
        + forge::install(&workspace::root(), forbidden)?.len();
    let missing: Vec<&Need> = missing.into_iter().filter(|need| !need.is_there()).collect();
    if missing.is_empty() && packages == 0 {
        println!("every program that the tests use is there");
        return Ok(Outcome::of(true));
    }
    for need in &missing {
        println!("missing: {} ({}); Debian package {}", need.name, need.why, need.package);
    }
    Ok(match (missing.len() + packages, std::env::var("CI").as_deref()) {
        (0, _) => Outcome::of(true),
        (_, Ok("true")) => Outcome::of(false),
        (count, _) => {
            println!("the tests that use them will skip that part and say so");
            Outcome::of(true).with_skips(count)
        }
    })
}

impl Need {
    fn is_there(&self) -> bool {
        self.probes.iter().any(|probe| {
            let mut command = Command::new("sh");
            command.args(["-c", probe]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Installs the packages of `missing`. Services that a package would start stay off: tests start what they need.
fn apt(missing: &[&Need]) -> Result<()> {
    let packages = missing.iter().map(|need| need.package);
    println!("installing {}", packages.clone().collect::<Vec<_>>().join(" "));
    run(Command::new("apt-get").args(["-qq", "update"]))?;
    run(Command::new("apt-get")
        .args(["-qq", "-y", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0", "install"])
        .args(packages))
}

fn run(command: &mut Command) -> Result<()> {
    command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().context("cannot run apt-get")?;
    if !status.success() {
        bail!("apt-get failed ({status}); see above");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_a_shell_command() {
        let need = |probes| Need { name: "x", probes, package: "x", why: "x" };
        assert!(need(&["false", "true"]).is_there());
        assert!(!need(&["false", "command -v no-such-program-here"]).is_there());
    }

    #[test]
    fn every_need_has_a_package_and_a_reason() {
        for need in NEEDS {
            assert!(
                !need.probes.is_empty() && !need.package.is_empty() && !need.why.is_empty(),
                "{}",
                need.name
            );
        }
    }
}
