//! The built `mailwright` as a child process, for tests that talk to it as its users do: by sockets, programs and commands.
//!
//! Owns: free ports, a directory of manifests and one of data per test, starting, waiting, stopping, logs. Leaves out what
//! is tested; each file in `tests/` is one subject. Everything is on 127.0.0.1 and gone when the test ends.

mod client;
mod followed;
mod git;
mod gitea;
pub mod load;
mod manifests;
mod needs;
pub mod pod;
mod ports;
mod process;
mod sink;
mod sshd;
pub mod tls;
pub mod wire;

pub use client::{Output, email_test_data, run, run_with_input, script};
pub use followed::{Followed, condition, git};
pub use git::{GitServer, Secured};
pub use gitea::{Gitea, WorkingCopy};
pub use manifests::Manifests;
pub use needs::{need, need_node, skip};
pub use pod::Pod;
pub use ports::{Ports, free_port};
pub use process::{Running, Server, is_private, mailwright};
pub use sink::{Sink, Taken};
pub use sshd::Sshd;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a program of a test may take before it is taken for hung. Debug builds on a busy machine are slow.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Asks `probe` every 20 ms until it answers or `patience` is over.
///
/// # Panics
/// When the answer never comes, naming `what` was waited for.
pub fn wait_for<T>(what: &str, patience: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = probe() {
            return answer;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
