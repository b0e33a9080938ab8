//! Answers RCPT: where a recipient leads, by asking the account database what the expander of `mail/flow` wants to know.
//! The same question is asked again at the end of the message (`message.rs`); there its size is the commit's business.

use std::time::Instant;

use mailwright_flow::address::{Recipient, Sender, sender};
use mailwright_flow::{Decision, Expander, Key, Lookup, Quota, Reason, SendersPolicy, Step};
use mailwright_smtp::{Answer, ForwardPath};
use mailwright_store::{AccountId, Recipient as Found, Senders, Store};

use super::Driver;
use crate::metrics;

impl Driver {
    /// Decides on one RCPT (RFC 5321 §4.1.1.3).
    pub(super) async fn rcpt(&mut self, path: &ForwardPath) -> Answer {
        let (from, size) = match self.session.envelope() {
            Some(envelope) => (sender(&envelope.reverse_path), envelope.parameters.size),
            None => (None, None),
        };
        let full = &self.context.full;
        let room = |account| full.size(account, size, Instant::now());
        match self.routing(from, &[]).expand(path, room).await {
            Decision::Deliver { accounts, .. } => {
                metrics::recipient("accepted");
                tracing::debug!(recipient = %path, mailboxes = accounts.len(), "recipient accepted");
                Answer::Accept
            }
            Decision::Reject(reason) => {
                metrics::recipient(reason.code());
                tracing::info!(recipient = %path, reason = reason.code(), "recipient refused");
                Answer::Reject(reason.reply())
            }
        }
    }

    /// How this session's recipients are followed; `marks` are the message's `Delivered-To:` fields, once it has come.
    pub(super) fn routing<'a>(&'a self, from: Sender, marks: &'a [String]) -> Routing<'a> {
        let (store, hostname) = (&*self.context.store, self.settings.config.hostname.as_str());
        Routing { store, hostname, from, relaying: self.relaying(), deferring: true, marks }
    }
}

/// How recipients are followed.
pub(crate) struct Routing<'a> {
    pub(crate) store: &'a Store,
    pub(crate) hostname: &'a str,
    pub(crate) from: Sender,
    /// Addresses on other hosts may be named.
    pub(crate) relaying: bool,
    /// Full mailboxes behind an alias wait in the queue.
    pub(crate) deferring: bool,
    /// Where the message has been.
    pub(crate) marks: &'a [String],
}

impl Routing<'_> {
    /// Follows a recipient to its mailboxes, each of which must have room for the octets that `room` says, and to other hosts.
    /// A database that fails is a temporary refusal.
    pub(crate) async fn expand(&self, path: &ForwardPath, room: impl Fn(AccountId) -> u64) -> Decision {
        let recipient = match path {
            ForwardPath::Mailbox(mailbox) => Recipient::of_mailbox(mailbox),
            ForwardPath::Postmaster => match postmaster_domain(self.store, self.hostname).await {
                Ok(domain) => Recipient::of(path, &domain),
                Err(error) => return failed(&error),
            },
        };
        let mut expander = match recipient {
            Ok(recipient) => Expander::new(recipient, self.from.clone(), None),
            Err(reason) => return Decision::Reject(reason),
        };
        expander = expander.relaying(self.relaying).marked(self.marks);
        if self.deferring {
            expander = expander.deferring();
        }
        loop {
            match expander.step() {
                Step::Done(decision) => return decision,
                Step::Lookup(key) => match lookup(self.store, &key, &room).await {
                    Ok(found) => expander.answer(found),
                    Err(error) => return failed(&error),
                },
            }
        }
    }
}

/// Follows a recipient of the queue, which names addresses of ours alone.
pub(crate) async fn expand(
    store: &Store,
    hostname: &str,
    path: &ForwardPath,
    from: Sender,
    room: impl Fn(AccountId) -> u64,
) -> Decision {
    let routing = Routing { store, hostname, from, relaying: false, deferring: false, marks: &[] };
    routing.expand(path, room).await
}

fn failed(error: &mailwright_store::Error) -> Decision {
    tracing::error!(%error, "recipient lookup failed");
    Decision::Reject(Reason::Internal)
}

/// The domain of `<Postmaster>`: RFC 5321 §4.5.1 wants it accepted without one. The host name or the nearest domain above it
/// that is served here.
async fn postmaster_domain(store: &Store, hostname: &str) -> mailwright_store::Result<String> {
    let mut domain = hostname;
    loop {
        let found = store.accounts().lookup_recipient(&format!("postmaster@{domain}")).await?;
        if !matches!(found, Found::NoSuchDomain) {
            return Ok(domain.to_owned());
        }
        match domain.split_once('.') {
            Some((_, above)) if above.contains('.') => domain = above,
            _ => return Ok(hostname.to_owned()),
        }
    }
}

pub(crate) async fn lookup(
    store: &Store,
    key: &Key,
    room: &impl Fn(AccountId) -> u64,
) -> mailwright_store::Result<Lookup> {
    let address = match key {
        Key::Address(address) => address.to_string(),
        Key::CatchAll(domain) => format!("@{domain}"),
    };
    store.accounts().lookup_recipient(&address).await.map(|found| convert(found, room))
}

fn convert(found: Found, room: &impl Fn(AccountId) -> u64) -> Lookup {
    match found {
        Found::Mailbox { account, active, quota, used, forward, keep_copy } => {
            // The octets that must fit differ by mailbox, so they count as used before the expander asks.
            let wanted = room(account).saturating_sub(1);
            let quota = Quota { limit: quota, used: used.saturating_add(wanted) };
            Lookup::Mailbox { account_id: account.0, enabled: active, quota, forward, keep_copy }
        }
        Found::Alias { enabled, targets, senders, member_addresses } => Lookup::Alias {
            enabled,
            targets,
            senders: match senders {
                Senders::Anyone => SendersPolicy::Anyone,
                Senders::Members => SendersPolicy::Members,
                Senders::Domain => SendersPolicy::Domain,
            },
            member_addresses,
        },
        Found::DomainAlias { domain } => Lookup::DomainAlias { domain },
        Found::NoSuchAddress => Lookup::NoSuchAddress,
        Found::NoSuchDomain => Lookup::NoSuchDomain,
        Found::ParkedDomain => Lookup::ParkedDomain,
    }
}

#[cfg(test)]
mod tests {
    use mailwright_smtp::Mailbox;
    use mailwright_store::Change;

    use super::*;
    use crate::tests::{accounts, alias, apply, domain, mailbox};

    async fn store() -> (Store, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Default::default()).await.unwrap();
        apply(&store, accounts()).await;
        (store, directory)
    }

    fn path(text: &str) -> ForwardPath {
        match text {
            "postmaster" => ForwardPath::Postmaster,
            text => ForwardPath::Mailbox(Mailbox::parse(text).unwrap()),
        }
    }

    /// How many mailboxes, or the reason.
    async fn decide(store: &Store, hostname: &str, to: &str, size: Option<u64>) -> Result<usize, Reason> {
        match expand(store, hostname, &path(to), None, |_| size.unwrap_or(0)).await {
            Decision::Deliver { accounts, .. } => Ok(accounts.len()),
            Decision::Reject(reason) => Err(reason),
        }
    }

    #[tokio::test]
    async fn postmaster_belongs_to_the_nearest_domain_above_the_host() {
        let (store, _directory) = store().await;
        for (hostname, expected) in [
            ("example.test", Ok(1)),
            ("mail.example.test", Ok(1)),
            ("a.b.c.example.test", Ok(1)),
            ("example.org", Ok(1)),
            ("mail.elsewhere.example", Err(Reason::NoRelay)),
            ("test", Err(Reason::NoRelay)),
            ("parked.test", Err(Reason::ParkedDomain)),
        ] {
            assert_eq!(decide(&store, hostname, "postmaster", None).await, expected, "{hostname}");
        }
    }

    #[tokio::test]
    async fn database_rows_become_decisions() {
        let (store, _directory) = store().await;
        let mut caught = domain("caught.test", vec!["also.test".into()], false);
        caught.catch_all = Some("carol@example.test".into());
        let anyone = Senders::Anyone;
        apply(
            &store,
            vec![
                Change::PutDomain(caught),
                mailbox("small@example.test", Some(100), true),
                alias("mixed@example.test", &["alice@example.test", "mallory@example.test"], anyone),
                alias("dead@example.test", &["mallory@example.test"], anyone),
                alias("full@example.test", &["alice@example.test", "small@example.test"], anyone),
            ],
        )
        .await;
        for (to, size, expected) in [
            ("alice@example.test", None, Ok(1)),
            ("team@example.test", None, Ok(2)),
            ("team+detail@example.org", None, Ok(2)),
            ("anybody@caught.test", None, Ok(1)),
            ("anybody@also.test", None, Ok(1)),
            ("small@example.test", Some(99), Ok(1)),
            ("small@example.test", Some(101), Err(Reason::OverQuota)),
            ("full@example.test", Some(101), Err(Reason::OverQuota)),
            ("mixed@example.test", None, Ok(1)),
            ("dead@example.test", None, Err(Reason::DisabledMailbox)),
            ("mallory@example.test", None, Err(Reason::DisabledMailbox)),
            ("nobody@example.test", None, Err(Reason::UnknownUser)),
            ("alice@parked.test", None, Err(Reason::ParkedDomain)),
            ("alice@elsewhere.example", None, Err(Reason::NoRelay)),
        ] {
            assert_eq!(decide(&store, "mail.example.test", to, size).await, expected, "{to} {size:?}");
        }
    }

    #[tokio::test]
    async fn removed_domains_and_mailboxes_take_nothing() {
        let (store, _directory) = store().await;
        let target = |name: &str| mailwright_store::Target { name: name.into(), managed_by: None };
        apply(&store, vec![Change::DisableMailbox(target("bob@example.test"))]).await;
        assert_eq!(decide(&store, "x", "bob@example.test", None).await, Err(Reason::DisabledMailbox));
        apply(&store, vec![Change::DisableDomain(target("example.test"))]).await;
        for to in ["alice@example.test", "alice@example.org"] {
            let refused = decide(&store, "x", to, None).await;
            assert!(refused.is_err(), "{to}: {refused:?}");
        }
        apply(&store, vec![Change::PutDomain(domain("example.test", vec!["example.org".into()], false))])
            .await;
        assert_eq!(
            decide(&store, "x", "alice@example.test", None).await,
            Ok(1),
            "declared again, it is served again"
        );
    }
}
