//! The set of open listeners: which a configuration wants, which stay open over a reload, what is served on each.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::StartError;
use crate::config::{Endpoint, Protocol, Roles, ServerConfig, TlsMode};
use crate::connection::Connection;
use crate::context::Context;
use crate::listener::gate::Permit;
use crate::listener::local::{self, LocalListening};
use crate::listener::{self, Admission, Key, Listening};
use crate::{http, imap, smtp};

/// The open listeners.
#[derive(Default)]
pub(super) struct Listeners {
    open: Vec<Open>,
    local: Option<LocalListening>,
}

struct Open {
    key: Key,
    address: SocketAddr,
    /// Closes the listener when dropped.
    _service: Service,
}

enum Service {
    Mail(#[expect(dead_code, reason = "held for its drop")] Listening),
    Http(#[expect(dead_code, reason = "held for its drop")] oneshot::Sender<()>),
}

/// Sockets that are open and not served yet, and why others are not.
#[derive(Default)]
pub(super) struct Opened {
    sockets: Vec<(Key, TcpListener)>,
    failed: Vec<(Protocol, StartError)>,
}

impl Opened {
    /// What is not open, in words.
    pub(super) fn error(&self) -> Option<String> {
        let texts: Vec<String> = self.failed.iter().map(|(_, error)| error.to_string()).collect();
        (!texts.is_empty()).then(|| texts.join("; "))
    }
}

impl Listeners {
    /// Opens what the configuration wants beyond what is open already. On an error nothing has changed.
    pub(super) fn open(&self, config: &ServerConfig, roles: Roles) -> Result<Opened, StartError> {
        let mut opened = Opened::default();
        for key in wanted(config, roles) {
            if self.open.iter().any(|open| open.key == key) {
                continue;
            }
            match listener::bind(&key) {
                Ok(socket) => opened.sockets.push((key, socket)),
                // [::] beside 0.0.0.0 on a machine that has no IPv6.
                Err(StartError::Bind { address, source, .. })
                    if config.bind.len() > 1 && listener::lacks_family(address, &source) => {}
                Err(error) if config.lenient => opened.failed.push((key.protocol, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(opened)
    }

    /// Closes what the configuration no longer wants. A protocol whose new port could not be opened keeps its old one.
    pub(super) fn close_unwanted(&mut self, config: &ServerConfig, roles: Roles, opened: &Opened) {
        let wanted = wanted(config, roles);
        let failed = |protocol| opened.failed.iter().any(|(failed, _)| *failed == protocol);
        self.local = self.local.take().filter(|_| wants_local(config, roles));
        self.open.retain(|open| wanted.contains(&open.key) || failed(open.key.protocol));
    }

    /// Opens the Unix socket for LMTP at `path`, if the configuration wants it and it is not open.
    pub(super) fn open_local(
        &mut self,
        path: &Path,
        roles: Roles,
        context: &Arc<Context>,
    ) -> Result<(), StartError> {
        if self.local.is_some() || !wants_local(&context.settings.load().config, roles) {
            return Ok(());
        }
        let socket = local::bind(path, local::MODE).map_err(|source| super::socket_error(path, source))?;
        let shared = Arc::clone(context);
        let admission = admission(Protocol::Lmtp, context);
        let listening = local::listen(socket, path, Protocol::Lmtp, admission, move |stream, permit| {
            let stall = shared.settings.load().config.limits.write_stall;
            let peer = SocketAddr::new(local::LOCAL, 0);
            smtp_session(&shared, Protocol::Lmtp, Connection::local(stream, stall), peer, permit);
        });
        self.local = Some(listening);
        Ok(())
    }

    pub(super) fn close_all(&mut self) {
        self.local = None;
        self.open.clear();
    }

    /// Serves the opened sockets and publishes the endpoints.
    pub(super) fn serve(&mut self, opened: Opened, context: &Arc<Context>) -> Result<(), StartError> {
        for (key, socket) in opened.sockets {
            let bound = |source| StartError::Bind {
                protocol: key.protocol,
                address: SocketAddr::new(key.ip, key.port),
                source,
                remedy: "look at the system's limits",
            };
            let address = socket.local_addr().map_err(bound)?;
            let service = match key.protocol {
                Protocol::Http => Service::Http(http::serve(Arc::clone(context), socket)),
                _ => Service::Mail(mail(key.protocol, socket, Arc::clone(context))),
            };
            self.open.push(Open { key, address, _service: service });
        }
        self.open.sort_by_key(|open| (open.key.protocol, open.address));
        let tls = context.settings.load().tls;
        let endpoint = |open: &Open| Endpoint {
            protocol: open.key.protocol,
            address: open.address,
            tls: match open.key.protocol {
                Protocol::Http => TlsMode::None,
                Protocol::Imaps | Protocol::Submissions => TlsMode::Implicit,
                _ if tls => TlsMode::StartTls,
                _ => TlsMode::None,
            },
        };
        context.set_endpoints(self.open.iter().map(endpoint).collect());
        Ok(())
    }
}

/// The listeners of a configuration in this process's roles.
fn wanted(config: &ServerConfig, roles: Roles) -> Vec<Key> {
    let ports = config.listeners;
    let tls = !config.certificates.is_empty();
    let clear = config.plaintext_on_loopback;
    let protocols = [
        (Protocol::Smtp, ports.smtp.filter(|_| roles.mx)),
        // Without a certificate nobody could log in, except where loopback may do without.
        (Protocol::Submission, ports.submission.filter(|_| roles.submission && (tls || clear))),
        (Protocol::Submissions, ports.submissions.filter(|_| roles.submission && tls)),
        (Protocol::Lmtp, ports.lmtp.filter(|_| roles.lmtp)),
        (Protocol::Imap, ports.imap.filter(|_| roles.imap)),
        // Without a certificate no handshake could succeed.
        (Protocol::Imaps, ports.imaps.filter(|_| roles.imap && tls)),
        (Protocol::Http, ports.http.filter(|_| roles.api)),
    ];
    let on_all = |(protocol, port): (Protocol, Option<u16>)| {
        config.bind.iter().filter_map(move |ip| Some(Key { protocol, ip: *ip, port: port? }))
    };
    protocols.into_iter().flat_map(on_all).collect()
}

/// The Unix socket goes with the port.
fn wants_local(config: &ServerConfig, roles: Roles) -> bool {
    roles.lmtp && config.listeners.lmtp.is_some()
}

fn mail(protocol: Protocol, socket: TcpListener, context: Arc<Context>) -> Listening {
    let admission = admission(protocol, &context);
    listener::listen(socket, protocol, admission, move |stream, peer, permit| {
        spawn(&context, protocol, stream, peer, permit);
    })
}

fn admission(protocol: Protocol, context: &Arc<Context>) -> Admission<Permit> {
    let limits = Arc::clone(context);
    let named = Arc::clone(context);
    Admission {
        enter: Box::new(move |peer| {
            let settings = limits.settings.load();
            limits.gate.enter(peer, settings.connections, settings.config.limits.connections_per_address)
        }),
        goodbye: Box::new(move || match protocol {
            Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => {
                smtp::goodbye(&named.settings.load().config.hostname)
            }
            Protocol::Imap => imap::GOODBYE.to_vec(),
            // Before a handshake there is nothing to be said; the close is the answer.
            Protocol::Imaps | Protocol::Submissions | Protocol::Http => Vec::new(),
        }),
    }
}

/// Starts the task of one session.
fn spawn(context: &Arc<Context>, protocol: Protocol, stream: TcpStream, peer: SocketAddr, permit: Permit) {
    match protocol {
        Protocol::Smtp | Protocol::Submission | Protocol::Submissions | Protocol::Lmtp => {
            let stall = context.settings.load().config.limits.write_stall;
            smtp_session(context, protocol, Connection::new(stream, stall), peer, permit);
        }
        Protocol::Imap | Protocol::Imaps | Protocol::Http => {
            let handle = context.registry.enter(protocol, peer);
            let (id, shared) = (handle.id(), Arc::clone(context));
            let task = tokio::spawn(imap::serve(shared, stream, peer, protocol, handle, permit));
            context.registry.started(id, task.abort_handle());
        }
    }
}

fn smtp_session(
    context: &Arc<Context>,
    protocol: Protocol,
    connection: Connection,
    peer: SocketAddr,
    permit: Permit,
) {
    let handle = context.registry.enter(protocol, peer);
    let (id, shared) = (handle.id(), Arc::clone(context));
    let task = tokio::spawn(smtp::serve(shared, connection, peer, protocol, handle, permit));
    context.registry.started(id, task.abort_handle());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::certificate;

    fn listed(change: impl FnOnce(&mut ServerConfig), roles: Roles) -> Vec<String> {
        let mut config = ServerConfig::new("mail.example.test");
        config.certificates = vec![certificate(&["mail.example.test"])];
        change(&mut config);
        let text = |key: &Key| format!("{} {}", key.protocol, SocketAddr::new(key.ip, key.port));
        wanted(&config, roles).iter().map(text).collect()
    }

    #[test]
    fn roles_ports_addresses_and_certificates_decide_what_listens() {
        let only = |mx, imap, api| Roles { mx, imap, api, ..Roles::NONE };
        let both = |config: &mut ServerConfig| config.bind.push("::1".parse().unwrap());
        assert_eq!(
            listed(|_| {}, Roles::ALL),
            [
                "smtp 127.0.0.1:2525",
                "submission 127.0.0.1:1587",
                "submissions 127.0.0.1:1465",
                "imap 127.0.0.1:1143",
                "imaps 127.0.0.1:1993",
                "http 127.0.0.1:8080"
            ]
        );
        let submission = Roles { submission: true, ..Roles::NONE };
        assert!(listed(|config| config.certificates.clear(), submission).is_empty());
        let clear = |config: &mut ServerConfig| {
            config.certificates.clear();
            config.plaintext_on_loopback = true;
        };
        assert_eq!(listed(clear, submission), ["submission 127.0.0.1:1587"]);
        let lmtp = |config: &mut ServerConfig| config.listeners.lmtp = Some(2400);
        assert_eq!(listed(lmtp, Roles { lmtp: true, ..Roles::NONE }), ["lmtp 127.0.0.1:2400"]);
        assert_eq!(listed(|_| {}, only(true, false, false)), ["smtp 127.0.0.1:2525"]);
        assert_eq!(listed(|_| {}, only(false, false, true)), ["http 127.0.0.1:8080"]);
        assert_eq!(
            listed(|config| config.certificates.clear(), only(false, true, false)),
            ["imap 127.0.0.1:1143"]
        );
        assert_eq!(
            listed(|config| config.listeners.imap = None, only(false, true, false)),
            ["imaps 127.0.0.1:1993"]
        );
        assert_eq!(listed(both, only(true, false, false)), ["smtp 127.0.0.1:2525", "smtp [::1]:2525"]);
        assert!(listed(|config| config.bind.clear(), Roles::ALL).is_empty());
    }
}
