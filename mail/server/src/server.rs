//! One running server: listeners by role, reload without restart, and an orderly end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mailwright_store::Store;

use crate::config::{Endpoint, Protocol, Roles, ServerConfig};
use crate::management::Management;

/// A running server. Dropping it aborts its tasks; [`Server::shutdown`] ends them in order.
pub struct Server {}

/// Why a server did not start or a reload was refused; a refused reload changes nothing.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port could not be opened.
    #[error("cannot listen on {address} for {protocol}: {source}; {remedy}")]
    Bind {
        /// What was to be spoken there.
        protocol: Protocol,
        /// Where.
        address: std::net::SocketAddr,
        /// The system's reason.
        source: std::io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The management socket could not be made.
    #[error(
        "cannot make the management socket {path}: {source}; look at the permissions of the data directory"
    )]
    Socket {
        /// The socket.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A certificate is not usable.
    #[error("certificate {position} is not usable: {reason}")]
    Certificate {
        /// Its place in the configuration, from 1.
        position: usize,
        /// What is wrong.
        reason: String,
    },
    /// The data directory cannot hold temporary files.
    #[error("cannot make {path}: {source}; look at the permissions and free space of the data directory")]
    Temporary {
        /// The directory.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Server {
    /// Opens the listeners of `roles` (api also the management socket `data_dir/mailwright.sock`) and serves.
    pub async fn start(
        config: ServerConfig,
        roles: Roles,
        store: Arc<Store>,
        data_dir: &Path,
    ) -> Result<Server, StartError> {
        let _ = (config, roles, store, data_dir);
        todo!()
    }

    /// Takes a new configuration without a restart: new certificates, limits and policies hold for new connections,
    /// changed ports are opened before the old ones close; open sessions go on.
    pub async fn reload(&self, config: ServerConfig) -> Result<(), StartError> {
        let _ = config;
        todo!()
    }

    /// The open listeners with their real ports, in the order smtp, imap, imaps, http.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint> {
        todo!()
    }

    /// The management interface of this server.
    #[must_use]
    pub fn management(&self) -> Arc<Management> {
        todo!()
    }

    /// Stops accepting, says 421 and `* BYE` between two commands, lets messages in hand finish, and after `grace`
    /// closes what is left. Answers how many sessions had to be cut off.
    pub async fn shutdown(self, grace: Duration) -> usize {
        let _ = grace;
        todo!()
    }
}
