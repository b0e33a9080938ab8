//! The Unix socket of the management interface: only the server's own user may open it, at no moment of its making.

use std::io;
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::sync::oneshot;

use crate::listener::local;

/// The owner alone: whoever may connect may do everything.
const MODE: u32 = 0o600;

/// The open socket; the file goes with it.
pub(crate) struct Socket {
    path: PathBuf,
    _stop: oneshot::Sender<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The next start removes what is left here.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Opens the socket and serves on it until the result is dropped. The caller holds the lock of the data directory, so what
/// lies in the way is an earlier process's and not in use.
pub(crate) fn serve(path: &Path, router: Router) -> io::Result<Socket> {
    let listener = local::bind(path, MODE)?;
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(async move {
            let _ = stopped.await;
        });
        if let Err(error) = served.await {
            tracing::error!(%error, "the management socket ended");
        }
    });
    Ok(Socket { path: path.to_owned(), _stop: stop })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_owners_alone_and_replaces_a_stale_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mailwright.sock");
        std::fs::write(&path, "left by a crash").unwrap();
        let _socket = serve(&path, Router::new()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(tokio::net::UnixStream::connect(&path).await.is_ok());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
    }
}
