//! One connection to a destination at a time: makes it, sends what waits, keeps it a while for what comes, and ends.

use std::net::IpAddr;
use std::sync::Arc;

use mailwright_flow::queue::mx::{self, AddressAnswer, Hop, Host, MxProblem};
use mailwright_flow::queue::outcome::{Outcome, Stage};
use tokio::time::timeout;

use super::attempt::{self, After};
use super::net::{Answer, Link, Net, Peer, Security};
use super::runner::{Job, Shared};
use super::schedule::Destination;
use super::settle::{self, Result};

/// Connections that are tried for one message, over all hosts of its destination.
const MOST_HOPS: usize = 20;

/// A connection that is ready, and the hosts that could be tried instead.
pub(super) struct Open<L> {
    pub(super) link: L,
    pub(super) peer: Peer,
    pub(super) others: Vec<Peer>,
    /// Messages were sent on it.
    pub(super) used: bool,
}

/// Puts a message in the line of its destination.
pub(super) fn assign<N: Net>(shared: &Arc<Shared<N>>, destination: &Destination, job: Job) {
    let most = shared.settings.load().per_destination;
    let start = shared.schedule().push(destination, job, most);
    if start {
        spawn(shared, destination);
    }
}

pub(super) fn spawn<N: Net>(shared: &Arc<Shared<N>>, destination: &Destination) {
    tokio::spawn(work(Arc::clone(shared), destination.clone()));
}

async fn work<N: Net>(shared: Arc<Shared<N>>, destination: Destination) {
    // The semaphore is never closed.
    let Ok(_place) = shared.connections.acquire().await else { return };
    let mut open: Option<Open<N::Link>> = None;
    while let Some(job) = next(&shared, &destination, open.is_some()).await {
        if shared.is_stopping() {
            shared.give_back(&job).await;
            continue;
        }
        match attempt::attempt(&shared, &destination, job, open.take()).await {
            After::Open(kept) => open = Some(kept),
            After::Closed => {}
            After::Leave => return,
        }
    }
    if let Some(open) = open {
        open.link.close().await;
    }
}

/// The next message; waits a while for it when there is a connection worth keeping. `None`: the worker is counted out.
async fn next<N: Net>(shared: &Arc<Shared<N>>, destination: &Destination, connected: bool) -> Option<Job> {
    if let Some(job) = shared.schedule().take(destination) {
        return Some(job);
    }
    let keep = shared.settings.load().keep;
    // Others wait for a place: it is worth more to them.
    if connected && !keep.is_zero() && !shared.is_stopping() && shared.connections.available_permits() > 0 {
        let wake = shared.schedule().rest(destination);
        let mut stopped = shared.stopped();
        if let Some(wake) = wake {
            tokio::select! {
                _ = timeout(keep, wake.notified()) => {}
                _ = stopped.changed() => {}
            }
            shared.schedule().resume(destination);
        }
    }
    let mut schedule = shared.schedule();
    let job = schedule.leave(destination);
    if job.is_none() && connected {
        schedule.disconnected(destination);
    }
    job
}

/// The hosts to try, in order.
pub(super) async fn peers<N: Net>(
    shared: &Shared<N>,
    destination: &Destination,
) -> std::result::Result<Vec<Peer>, MxProblem> {
    let settings = shared.settings.load_full();
    let (hosts, port, security) = match (destination, &settings.relay) {
        (Destination::Relay, Some(relay)) => {
            let host = Host { name: relay.host.clone(), preference: 0 };
            (vec![host], relay.port, relay.security)
        }
        // The smarthost was taken away by a reload: what is left for it is due again soon.
        (Destination::Relay, None) => return Err(MxProblem::Temporary),
        (Destination::Domain(domain), _) if literal(domain).is_some() => {
            let host = Host { name: domain.clone(), preference: 0 };
            (vec![host], settings.remote_port, Security::Opportunistic)
        }
        (Destination::Domain(domain), _) => {
            let answer = shared.net.mx(domain).await;
            let hosts = mx::candidates(domain, &answer, &settings.ours, shared.seed())?;
            (hosts, settings.remote_port, Security::Opportunistic)
        }
    };
    let mut found = Vec::new();
    for host in hosts {
        let answer = match literal(&host.name) {
            Some(address) => AddressAnswer::Addresses(vec![address]),
            None => shared.net.addresses(&host.name).await,
        };
        found.push((host, answer));
    }
    let relay = *destination == Destination::Relay;
    let hops = mx::hops(&found, port, &settings.ours, shared.seed()).map_err(|problem| match problem {
        // A smarthost without an address is a mistake of ours, in a manifest or in DNS: nobody's mail bounces for it.
        MxProblem::NoHost if relay => MxProblem::Temporary,
        problem => problem,
    })?;
    let peer = |hop: Hop| Peer { host: name(&hop.host), address: hop.address, security, relay };
    Ok(hops.into_iter().take(MOST_HOPS).map(peer).collect())
}

/// An address where a name is expected: a smarthost's, or an address literal (RFC 5321 §4.1.3).
fn literal(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    let text = inner.unwrap_or(host);
    let text = text.strip_prefix("IPv6:").or_else(|| text.strip_prefix("ipv6:")).unwrap_or(text);
    text.parse().ok()
}

/// The host's name as a certificate would have it.
fn name(host: &str) -> String {
    literal(host).map_or_else(|| host.to_owned(), |address| address.to_string())
}

/// Connects to the first of the hosts that takes a connection. `Err`: what that means for every message that waits.
pub(super) async fn connect<N: Net>(
    shared: &Shared<N>,
    peers: Vec<Peer>,
) -> std::result::Result<Open<N::Link>, Result> {
    let mut refused: Option<Result> = None;
    let mut note = |result: Result| {
        // What may still succeed outweighs what never will.
        let keep = matches!(refused, Some(Result { outcome: Outcome::Deferred(_), .. }))
            && !matches!(result.outcome, Outcome::Deferred(_));
        if !keep {
            refused = Some(result);
        }
    };
    let mut peers = peers.into_iter();
    while let Some(peer) = peers.next() {
        let rests = shared.hosts().rests(peer.address, shared.now()).map(str::to_owned);
        if let Some(reason) = rests {
            note(Result::of(Outcome::lost(Stage::Connect, &reason), Some(&peer)));
            continue;
        }
        match shared.net.connect(&peer).await {
            Ok(link) => {
                shared.hosts().succeeded(peer.address);
                settle::reachable(shared, &peer);
                return Ok(Open { link, peer, others: peers.collect(), used: false });
            }
            Err(answer) => {
                let outcome = answer.outcome();
                settle::unreachable(shared, &peer, &answer, &outcome);
                let reason = outcome.verdict().map_or_else(String::new, settle::words);
                shared.hosts().failed(peer.address, shared.now(), &reason);
                note(Result::of(outcome, Some(&peer)));
            }
        }
    }
    Err(refused.unwrap_or_else(|| Result::of(Outcome::of_problem(MxProblem::NoHost), None)))
}

/// Whether a connection that was kept had ended before the message began: then nothing was tried.
pub(super) fn is_stale(answers: &[Answer]) -> bool {
    let stale = |answer: &Answer| match answer {
        Answer::Lost { stage, .. } => *stage <= Stage::Mail,
        Answer::Reply(stage, reply) => *stage <= Stage::Mail && reply.code() == 421,
        _ => false,
    };
    !answers.is_empty() && answers.iter().all(stale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_known_in_every_form() {
        for (host, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("[192.0.2.1]", Some("192.0.2.1")),
            ("[IPv6:2001:db8::1]", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("mx.example.test", None),
            ("[mx]", None),
            ("", None),
        ] {
            assert_eq!(literal(host).map(|ip| ip.to_string()).as_deref(), expected, "{host}");
        }
        assert_eq!(name("[IPv6:2001:db8::1]"), "2001:db8::1");
        assert_eq!(name("mx.example.test"), "mx.example.test");
    }
}
