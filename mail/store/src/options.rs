//! What a caller may choose when it opens a store, and the two hooks a simulation needs: clock and crash.

use std::sync::Arc;

/// Seconds since 1970-01-01T00:00:00Z; what the database keeps.
pub type UnixTime = i64;

/// The clock; a simulation gives its own.
pub type Clock = Arc<dyn Fn() -> UnixTime + Send + Sync>;

/// Asked at every named crash point; `true` means the process dies here.
pub type CrashHook = Arc<dyn Fn(&'static str) -> bool + Send + Sync>;

/// How a store is opened. `Options::default()` is right for serving.
#[derive(Clone)]
pub struct Options {
    /// Connections that read beside the writer.
    pub readers: u32,
    /// Most jobs in one commit.
    pub group: usize,
    /// The clock; the system's by default.
    pub clock: Clock,
    /// The fault hook; none in production.
    pub crash: Option<CrashHook>,
    /// Largest size of the database in pages of 4 KiB; the write that would pass it is refused as `NoSpace`.
    pub max_pages: Option<u32>,
    /// Octets of the disk that new messages leave free, for changes and removals; 16 MiB or an eighth of a small disk if not said.
    pub reserve: Option<u64>,
    /// Size of the write-ahead log in bytes at which the writer waits a moment for the readers to let it be emptied.
    pub max_wal: u64,
}

/// Four readers keep two cores busy; more only queue at the page cache.
pub const DEFAULT_READERS: u32 = 4;
/// A group of 256 deliveries already makes the fsync negligible; longer groups only add latency to the first of them.
pub const DEFAULT_GROUP: usize = 256;
/// Sixteen times the size at which SQLite empties the log by itself (1000 pages): only a store that is read without a
/// pause gets there, and there it would grow for ever.
pub const DEFAULT_MAX_WAL: u64 = 64 * 1024 * 1024;

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: DEFAULT_READERS,
            group: DEFAULT_GROUP,
            clock: Arc::new(|| chrono::Utc::now().timestamp()),
            crash: None,
            max_pages: None,
            reserve: None,
            max_wal: DEFAULT_MAX_WAL,
        }
    }
}
