//! How many connections the process's file descriptors allow. A server that runs out of them cannot open its own database
//! files any more, so a part is kept back from the connections. Systems start a process with few (1024, for programs that
//! count on small numbers) and let it have more when it asks: what the configured connections need is asked for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors kept for the database and its readers, spooled messages, blobs, HTTP and logs.
const RESERVED: u32 = 300;
/// Connections that are allowed in any case: a server with fewer is of no use, and says so when it runs out.
const LEAST: u32 = 50;

/// The configured number of connections, or what the descriptors leave of it. Raises the limit of open files as far as
/// these connections need it and the system allows.
pub(crate) fn affordable(connections: u32) -> u32 {
    if let Some(raised) = raised(getrlimit(Resource::Nofile), connections)
        && let Err(error) = setrlimit(Resource::Nofile, raised)
    {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
    match getrlimit(Resource::Nofile).current {
        Some(limit) => {
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            connections.min(limit.saturating_sub(RESERVED).max(LEAST))
        }
        None => connections,
    }
}

/// The limit that so many connections need; `None` when the one in force is enough or cannot be raised.
fn raised(limit: Rlimit, connections: u32) -> Option<Rlimit> {
    let needed = u64::from(connections) + u64::from(RESERVED);
    let current = limit.current.filter(|current| *current < needed)?;
    let most = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    (most > current).then_some(Rlimit { current: Some(most), ..limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_needed_and_allowed() {
        let none = None::<u64>;
        for (current, maximum, connections, expected) in [
            (Some(1024), Some(524_288), 2000, Some(2300)),
            (Some(1024), Some(2048), 2000, Some(2048)),
            (Some(1024), none, 2000, Some(2300)),
            (Some(1024), Some(1024), 2000, None),
            (Some(2300), Some(524_288), 2000, None),
            (none, none, 2000, None),
            (Some(1024), none, u32::MAX, Some((1 << 32) - 1 + 300)),
        ] {
            let limit = Rlimit { current, maximum };
            let raised = raised(limit, connections);
            assert_eq!(raised.and_then(|raised| raised.current), expected, "{limit:?} {connections}");
            assert!(raised.is_none_or(|raised| raised.maximum == maximum));
        }
    }

    /// One test for all that looks at the limit of this process: it is the other tests' as well.
    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(affordable(1), 1);
        let limit = getrlimit(Resource::Nofile);
        let lowered = 5000;
        if limit.maximum.is_none_or(|maximum| maximum >= 6000) {
            setrlimit(Resource::Nofile, Rlimit { current: Some(lowered), ..limit }).unwrap();
            assert_eq!(affordable(5500), 5500, "more than the limit allowed");
            assert_eq!(getrlimit(Resource::Nofile).current, Some(5800), "and no more than that");
        }
        if let Some(maximum) = limit.maximum.and_then(|maximum| u32::try_from(maximum).ok()) {
            assert_eq!(affordable(u32::MAX), maximum.saturating_sub(RESERVED).max(LEAST));
        }
    }
}
