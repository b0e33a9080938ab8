//! Owns the leader election as a state machine. Filled in next.

/// What the rest of the process knows of the leader election; told through a `tokio::sync::watch`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeaderState {
    /// The Lease's transition number under which this process leads, or led last. It grows with every change of leader,
    /// and a database refuses what comes under a smaller one than it has seen.
    pub term: u64,
    /// Whether this process leads now. False for good once leadership was lost: the process then ends.
    pub is_leader: bool,
}
