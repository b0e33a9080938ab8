//! A Unix socket beside the TCP listeners: for a program of this machine that the file's mode lets in.

use std::fs::Permissions;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::{ACCEPT_PAUSE, Admission};
use crate::config::Protocol;
use crate::metrics;

/// The owner and the group may connect: an MTA in front runs under an account of its own and is put into our group.
pub(crate) const MODE: u32 = 0o660;
/// What stands for the address of a peer that has none, in limits and trace fields.
pub(crate) const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An open socket; closed, and its file removed, when dropped.
pub(crate) struct LocalListening {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Drop for LocalListening {
    fn drop(&mut self) {
        self.task.abort();
        // The next start removes what is left here.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Opens a socket with this mode, at no moment with another one. The caller holds the lock of the data directory, so what
/// lies in the way is an earlier process's and not in use.
pub(crate) fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let directory = path.with_extension("new");
    remove(&directory)?;
    std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
    let made = directory.join("s");
    // Nobody can enter until the mode is right; then the socket moves to its place.
    let bound = UnixListener::bind(&made).and_then(|listener| {
        std::fs::set_permissions(&made, Permissions::from_mode(mode))?;
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

/// Accepts until dropped, within the same limits as the TCP listeners.
pub(crate) fn listen<P: Send + 'static>(
    listener: UnixListener,
    path: &Path,
    protocol: Protocol,
    admission: Admission<P>,
    mut serve: impl FnMut(UnixStream, P) + Send + 'static,
) -> LocalListening {
    let task = tokio::spawn(async move {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%protocol, %error, "accept failed");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match (admission.enter)(LOCAL) {
                Ok(permit) => serve(stream, permit),
                Err(full) => {
                    metrics::refused(protocol, full.name());
                    tracing::info!(%protocol, limit = full.name(), "connection refused");
                    let _ = stream.try_write(&(admission.goodbye)());
                }
            }
        }
    });
    LocalListening { path: path.to_owned(), task }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::AsyncReadExt;

    use super::super::gate::Gate;
    use super::*;

    #[tokio::test]
    async fn the_socket_has_its_mode_its_limits_and_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lmtp.sock");
        std::fs::write(&path, "left by a crash").unwrap();
        let listener = bind(&path, MODE).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
        let gate = Arc::new(Gate::default());
        let admission = Admission {
            enter: Box::new(move |peer| gate.enter(peer, 10, 1)),
            goodbye: Box::new(|| b"421 busy\r\n".to_vec()),
        };
        let listening = listen(listener, &path, Protocol::Lmtp, admission, |stream, permit| {
            tokio::spawn(async move {
                let (_stream, _permit) = (stream, permit);
                std::future::pending::<()>().await;
            });
        });
        let _first = UnixStream::connect(&path).await.unwrap();
        let mut second = UnixStream::connect(&path).await.unwrap();
        let mut text = String::new();
        second.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "421 busy\r\n");
        drop(listening);
        assert!(!path.exists());
    }
}
