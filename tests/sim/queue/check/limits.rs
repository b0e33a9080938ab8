//! No host sees more connections at once than its destination may have.

use crate::queue::life::PER_DESTINATION;
use crate::queue::world::Log;

/// Checks a history that has ended.
pub fn check(seed: u64, log: &Log) {
    for (host, (open, most)) in &log.open {
        assert!(*most <= PER_DESTINATION, "seed {seed}: {most} connections to {host} at once");
        assert_eq!(*open, 0, "seed {seed}: a connection to {host} was left open");
    }
}
