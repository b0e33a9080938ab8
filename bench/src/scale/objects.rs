//! Owns what is declared: one MailServer, domains, Mailboxes with hashes and with Secrets, Aliases. Pure.

use serde_json::{Value, json};

use crate::args::Scale;

/// The MailServer.
pub const SERVER: &str = "mail";

/// Salted SHA-256 of [`PASSWORDS`]: hashes that cost nothing, so that everything else is measured.
pub const HASHES: [&str; 2] = [
    "{SSHA256}nzUellIyF4VoqZpf8XOrLMqP8XokKvsF6Mrla46sekC5rXSO",
    "{SSHA256}Ol7z+7QzaL5o9QO7tjVx66CHn6amJ1VjtKdJyXhvN4XfLXPZ",
];

/// Their passwords.
pub const PASSWORDS: [&str; 2] = ["bench-password", "bench-password-2"];

/// One in so many Mailboxes has its password in a Secret.
const WITH_SECRET: usize = 20;

/// There is one Alias for so many Mailboxes.
const WITH_ALIAS: usize = 10;

/// What is declared.
#[derive(Debug, Clone)]
pub struct Population {
    namespace: String,
    mailboxes: usize,
    domains: usize,
}

impl Population {
    /// So many, in a namespace.
    pub fn new(options: &Scale, namespace: &str) -> Population {
        let (mailboxes, domains) = (options.mailboxes.max(1), options.domains.max(1));
        Population { namespace: namespace.to_owned(), mailboxes, domains }
    }

    /// Mailboxes and Aliases.
    pub fn total(&self) -> usize {
        self.mailboxes + self.aliases()
    }

    fn aliases(&self) -> usize {
        // Each domain has its postmaster.
        (self.mailboxes / WITH_ALIAS).max(self.domains)
    }

    /// The collections that are waited for.
    pub fn collections(&self) -> Vec<String> {
        ["mailboxes", "aliases"].map(|plural| self.collection(plural)).into()
    }

    /// Where the MailServer is.
    pub fn server_path(&self) -> String {
        format!("{}/{SERVER}", self.collection("mailservers"))
    }

    /// Where a Mailbox is.
    pub fn mailbox_path(&self, name: &str) -> String {
        format!("{}/{name}", self.collection("mailboxes"))
    }

    /// Where a Secret is.
    pub fn secret_path(&self, name: &str) -> String {
        format!("/api/v1/namespaces/{}/secrets/{name}", self.namespace)
    }

    /// Where objects of a kind are created.
    pub fn collection(&self, plural: &str) -> String {
        format!("/apis/mailwright.dev/v1alpha1/namespaces/{}/{plural}", self.namespace)
    }

    /// The MailServer and the domains, each with where it is created.
    pub fn settings(&self) -> Vec<(String, Value)> {
        let spec = json!({
            "hostname": "mail.example.test", "service": {"type": "ClusterIP"},
            "auth": {"plaintextOnLoopback": true},
        });
        let mut all = vec![(self.collection("mailservers"), object("MailServer", SERVER, spec))];
        all.extend((0..self.domains).map(|n| {
            let spec = json!({"serverRef": {"name": SERVER}, "domain": domain(n), "limits": {"defaultQuota": "1Gi"}});
            (self.collection("maildomains"), object("MailDomain", &format!("domain{n}"), spec))
        }));
        all
    }

    /// Everything that is counted, each with where it is created: a Secret before the Mailbox that refers to it.
    pub fn objects(&self) -> impl Iterator<Item = (String, Value)> + '_ {
        let mailboxes = (0..self.mailboxes).flat_map(|n| self.mailbox_with_secret(n));
        mailboxes.chain((0..self.aliases()).map(|n| (self.collection("aliases"), self.alias(n))))
    }

    fn mailbox_with_secret(&self, n: usize) -> Vec<(String, Value)> {
        let mailbox = (self.collection("mailboxes"), self.mailbox(n));
        if !has_secret(n) {
            return vec![mailbox];
        }
        let secrets = format!("/api/v1/namespaces/{}/secrets", self.namespace);
        vec![(secrets, secret(&name(n), HASHES[0])), mailbox]
    }

    /// A Mailbox; a first one beyond the others is as good as any.
    pub fn mailbox(&self, n: usize) -> Value {
        let credentials = match has_secret(n) {
            true => json!({"secretRef": {"name": name(n)}, "management": "Enforced"}),
            false => json!({"passwordHash": HASHES[0]}),
        };
        let spec = json!({"address": self.address(n), "displayName": format!("User {n}"), "credentials": credentials});
        object("Mailbox", &name(n), spec)
    }

    fn alias(&self, n: usize) -> Value {
        let local = if n < self.domains { "postmaster".to_owned() } else { format!("team{n:05}") };
        let (one, other) = (n % self.mailboxes, (n * 7 + 1) % self.mailboxes);
        let mut targets = vec![self.address(one), self.address(other)];
        targets.dedup();
        let spec = json!({"address": format!("{local}@{}", domain(n % self.domains)), "targets": targets});
        object("Alias", &format!("alias{n:05}"), spec)
    }

    /// The address of a Mailbox.
    pub fn address(&self, n: usize) -> String {
        format!("{}@{}", name(n), domain(n % self.domains))
    }

    /// The n-th Mailbox that has a Secret, as far as there are so many.
    pub fn with_secret(&self, n: usize) -> usize {
        (n * WITH_SECRET) % self.mailboxes.next_multiple_of(WITH_SECRET)
    }

    /// The n-th Mailbox without one.
    pub fn without_secret(&self, n: usize) -> usize {
        (n * WITH_SECRET + 1) % self.mailboxes
    }

    /// A Mailbox that does not exist yet.
    pub fn new_one(&self, n: usize) -> usize {
        self.mailboxes.next_multiple_of(WITH_SECRET) + n * WITH_SECRET + 1
    }
}

/// The name of a Mailbox, of its Secret, and its local part.
pub fn name(n: usize) -> String {
    format!("user{n:05}")
}

fn has_secret(n: usize) -> bool {
    n.is_multiple_of(WITH_SECRET)
}

fn domain(n: usize) -> String {
    format!("d{n}.example.test")
}

/// A Secret with a hash as a password.
pub fn secret(name: &str, hash: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"password": hash}})
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn population(mailboxes: usize, domains: usize) -> Population {
        Population { namespace: "mail".to_owned(), mailboxes, domains }
    }

    fn counts(population: &Population) -> [usize; 3] {
        let all: Vec<(String, Value)> = population.objects().collect();
        let names: BTreeSet<String> =
            all.iter().map(|(path, it)| format!("{path}/{}", it["metadata"]["name"])).collect();
        assert_eq!(names.len(), all.len(), "no two objects are the same");
        let addresses: BTreeSet<String> =
            all.iter().filter_map(|(_, it)| it["spec"]["address"].as_str().map(str::to_owned)).collect();
        assert_eq!(addresses.len(), population.total(), "no two addresses are the same");
        ["Mailbox", "Alias", "Secret"].map(|kind| all.iter().filter(|(_, it)| it["kind"] == kind).count())
    }

    #[test]
    fn as_many_as_were_asked_for() {
        for (mailboxes, domains, expected) in
            [(10_000, 10, [10_000, 1_000, 500]), (20, 2, [20, 2, 1]), (1, 1, [1, 1, 1])]
        {
            assert_eq!(counts(&population(mailboxes, domains)), expected);
        }
    }

    #[test]
    fn those_that_are_changed_are_there_and_those_that_are_new_are_not() {
        let population = population(20, 2);
        for n in 0..3 {
            let (with, without, new) =
                (population.with_secret(n), population.without_secret(n), population.new_one(n));
            assert!(with < 20 && has_secret(with), "{with}");
            assert!(without < 20 && !has_secret(without), "{without}");
            assert!(new >= 20 && !has_secret(new), "{new}");
        }
    }

    #[test]
    fn a_secret_comes_before_its_mailbox() {
        let kinds: Vec<String> = population(1, 1).objects().map(|(_, it)| it["kind"].to_string()).collect();
        assert_eq!(kinds, ["\"Secret\"", "\"Mailbox\"", "\"Alias\""]);
    }
}
