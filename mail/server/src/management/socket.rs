//! The Unix socket of the management interface: only the server's own user may open it, at no moment of its making.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::Router;
use tokio::net::UnixListener;
use tokio::sync::oneshot;

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
    let listener = bind(path)?;
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

/// Binds in a directory that nobody else can enter, narrows the mode, and only then moves the socket to its place.
fn bind(path: &Path) -> io::Result<UnixListener> {
    let directory = path.with_extension("new");
    remove(&directory)?;
    std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
    let made = directory.join("s");
    let bound = UnixListener::bind(&made).and_then(|listener| {
        std::fs::set_permissions(&made, Permissions::from_mode(0o600))?;
        std::fs::rename(&made, path)?;
        Ok(listener)
    });
    remove(&directory)?;
    bound
}

fn remove(directory: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_its_owners_alone_and_replaces_a_stale_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mailwright.sock");
        for _ in 0..2 {
            let _listener = bind(&path).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(tokio::net::UnixStream::connect(&path).await.is_ok());
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
    }
}
