//! The ssh client inside this process: one connection, one channel, one `git-upload-pack`.
//!
//! Used when identity and known_hosts are given as values, where no program and no home directory are. It does
//! public keys, nothing else: no agent, no passwords, no forwarding. The conversation blocks its thread, as the others
//! do; what the connection needs done in the meantime is done while it waits.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{self, AuthResult, Handle, Handler, Msg};
use russh::keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{Channel, ChannelMsg, Disconnect, Preferred};
use tokio::runtime::Runtime;

use super::super::super::{Proxy, SshCredentials};
use super::super::GitError;
use super::super::fetch::Patience;
use super::super::location::SshLocation;
use super::super::upload_pack::{VERSION_REQUEST, remote_text};
use super::known_hosts::KnownHost;
use super::{command_line, said, tunnel};

/// What is kept of the other end's messages.
const MAX_STDERR: usize = 4096;
/// Whom hosts of repositories expect where the URL names nobody.
const DEFAULT_USER: &str = "git";

/// One conversation with `git-upload-pack` on another machine.
pub(in super::super) struct SessionCarrier {
    runtime: Runtime,
    handle: Handle<Host>,
    channel: Channel<Msg>,
    /// What was received and not yet read.
    piece: Vec<u8>,
    messages: String,
    patience: Patience,
}

impl SessionCarrier {
    /// Connects, checks the host, logs in and starts the program.
    pub(in super::super) fn connect(
        location: &SshLocation,
        credentials: &SshCredentials,
        proxy: Option<&Proxy>,
        patience: Patience,
    ) -> Result<SessionCarrier, GitError> {
        let identity = credentials.identity.as_ref().map(|_| identity(credentials)).transpose()?;
        let (user, host) =
            location.destination.rsplit_once('@').unwrap_or((DEFAULT_USER, &location.destination));
        let port = location.port.unwrap_or(22);
        let lines = String::from_utf8_lossy(credentials.known_hosts.expose()).into_owned();
        let known = KnownHost::new(&lines, host, port);
        let config = Arc::new(config(&known)?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| GitError::Unreachable(format!("no connection can be made: {error}")))?;
        let verdict = Arc::new(Mutex::new(None));
        let handler = Host { known, verdict: verdict.clone() };
        let stream = timely(&runtime, patience.connect, tunnel::connect(host, port, proxy))??;
        let handle = timely(&runtime, patience.silence, client::connect_stream(config, stream, handler))?;
        let refused = verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut handle = match (refused, handle) {
            (Some(refused), _) => return Err(refused),
            (None, handle) => handle.map_err(told)?,
        };
        let logged_in = timely(&runtime, patience.silence, log_in(&mut handle, user, identity))?;
        logged_in?;
        let command = command_line(location);
        let channel = timely(&runtime, patience.silence, async {
            let channel = handle.channel_open_session().await?;
            // A server that does not take it answers in version 0.
            channel.set_env(false, "GIT_PROTOCOL", VERSION_REQUEST).await?;
            channel.exec(true, command).await?;
            Ok::<_, russh::Error>(channel)
        })?;
        let channel = channel.map_err(told)?;
        Ok(SessionCarrier { runtime, handle, channel, piece: Vec::new(), messages: String::new(), patience })
    }

    pub(in super::super) fn send(&mut self, request: Vec<u8>) -> Result<(), GitError> {
        let sent = timely(&self.runtime, self.patience.silence, self.channel.data_bytes(request))?;
        sent.map_err(|_| self.ended())
    }

    /// Some bytes of the answer; 0 at its end.
    pub(in super::super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GitError> {
        while self.piece.is_empty() {
            match timely(&self.runtime, self.patience.silence, self.channel.wait())? {
                Some(ChannelMsg::Data { data }) => self.piece = data.to_vec(),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MAX_STDERR.saturating_sub(self.messages.len());
                    self.messages += &String::from_utf8_lossy(&data[..data.len().min(room)]);
                }
                Some(ChannelMsg::Failure) => {
                    return Err(GitError::Refused(
                        "the server does not run git-upload-pack; check the account and the path".to_owned(),
                    ));
                }
                Some(ChannelMsg::Close) | None => return Ok(0),
                Some(_) => {}
            }
        }
        let length = self.piece.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.piece[..length]);
        self.piece.drain(..length);
        Ok(length)
    }

    /// Why the conversation ended early.
    pub(in super::super) fn ended(&mut self) -> GitError {
        said(self.messages.trim())
    }
}

/// Says goodbye, without waiting for an answer.
impl Drop for SessionCarrier {
    fn drop(&mut self) {
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        let _ = timely(&self.runtime, self.patience.connect, goodbye);
    }
}

/// Waits for something, but not for ever.
fn timely<T>(
    runtime: &Runtime,
    limit: std::time::Duration,
    work: impl Future<Output = T>,
) -> Result<T, GitError> {
    let work = async { tokio::time::timeout(limit, work).await };
    runtime.block_on(work).map_err(|_| GitError::silent())
}

fn config(known: &KnownHost) -> Result<client::Config, GitError> {
    let algorithms = known.algorithms()?;
    let mut preferred = Preferred::default();
    if !algorithms.is_empty() {
        preferred.key = algorithms.into();
    }
    Ok(client::Config { preferred, nodelay: true, ..client::Config::default() })
}

async fn log_in(
    handle: &mut Handle<Host>,
    user: &str,
    identity: Option<Arc<PrivateKey>>,
) -> Result<(), GitError> {
    let result = match identity {
        Some(key) => handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key, None)).await,
        None => handle.authenticate_none(user).await,
    };
    match result.map_err(told)? {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { .. } => Err(GitError::Refused(format!(
            "the server refused {user} with this identity; add its public key to the repository's deploy keys"
        ))),
    }
}

/// The private key. What is wrong is said without any of it.
fn identity(credentials: &SshCredentials) -> Result<Arc<PrivateKey>, GitError> {
    let refused = |text: &str| GitError::Refused(text.to_owned());
    let text = |value: &super::super::super::SecretValue| {
        zeroize::Zeroizing::new(String::from_utf8_lossy(value.expose()).into_owned())
    };
    let passphrase = credentials.passphrase.as_ref().map(text);
    let passphrase = passphrase.as_ref().map(|passphrase| passphrase.trim_end_matches(['\r', '\n']));
    let identity = credentials.identity.as_ref().map(text).unwrap_or_default();
    let key = decode_secret_key(&identity, passphrase).map_err(|error| match error {
        russh::keys::Error::KeyIsEncrypted => {
            refused("identity is encrypted; add its passphrase as password, or give a key without one")
        }
        _ if passphrase.is_some() => refused("identity cannot be read with the given password; check both"),
        _ => refused("identity is no private key that can be read; make one with ssh-keygen -t ed25519"),
    })?;
    if key.algorithm().is_rsa() {
        return Err(refused(
            "identity is an RSA key, which is not used here; make one with ssh-keygen -t ed25519",
        ));
    }
    Ok(Arc::new(key))
}

/// What went wrong below Git.
fn told(error: russh::Error) -> GitError {
    match error {
        russh::Error::NoCommonAlgo { kind, .. } => GitError::Refused(format!(
            "the server and this client have no common algorithm ({kind:?}); update the server, and for a host key \
             add its Ed25519 key to known_hosts"
        )),
        other => GitError::Unreachable(remote_text(other.to_string().as_bytes())),
    }
}

/// Checks who answers.
struct Host {
    known: KnownHost,
    /// Why the host was refused.
    verdict: Arc<Mutex<Option<GitError>>>,
}

impl Handler for Host {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let checked = match shown {
            PublicKeyOrCertificate::PublicKey { key, .. } => self.known.check(key),
            PublicKeyOrCertificate::Certificate(_) => {
                Err(GitError::HostKey("the server shows a certificate, which was not asked for".to_owned()))
            }
        };
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        *verdict = checked.err();
        Ok(verdict.is_none())
    }
}

#[cfg(test)]
mod tests;
