//! What a session knows about its client and about the message in hand.
//!
//! RFC 5321 §2.3.1 (envelope), §4.1.1.1 (EHLO argument); RFC 3848 §1 and RFC 6531 §4.3 (names for the `with` clause).

use std::net::IpAddr;

use crate::address::{Domain, ForwardPath, ReversePath};
use crate::dsn::{Notify, OriginalRecipient, Ret};

/// The other end of the connection, as the driver knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub ip: IpAddr,
    /// Its verified reverse name, if the driver looked it up.
    pub name: Option<String>,
}

impl Peer {
    /// A peer of which only the address is known.
    pub fn new(ip: IpAddr) -> Peer {
        Peer { ip, name: None }
    }
}

/// The TLS connection, as the driver negotiated it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.3`.
    pub version: String,
    /// `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The name the client asked for (SNI).
    pub server_name: Option<String>,
    /// The driver knows what a login can be bound to (RFC 5056), which the `-PLUS` mechanisms need.
    pub channel_binding: bool,
}

/// The argument of EHLO or HELO.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Helo {
    /// What the grammar asks for: a domain or an address literal.
    Domain(Domain),
    /// Anything else in printable ASCII without spaces: accepted (RFC 5321 §4.1.4: a server must not refuse mail for it).
    Other(String),
}

/// The type of the body that the client declared (RFC 6152 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyType {
    /// `BODY=7BIT`, also without the parameter.
    #[default]
    SevenBit,
    /// `BODY=8BITMIME`.
    EightBitMime,
}

/// The parameters of MAIL.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MailParameters {
    /// `SIZE=`: octets the client means to send (RFC 1870 §6).
    pub size: Option<u64>,
    /// `BODY=` (RFC 6152 §2).
    pub body: BodyType,
    /// `SMTPUTF8` (RFC 6531 §3.4).
    pub smtputf8: bool,
    /// `RET=` (RFC 3461 §4.3).
    pub ret: Option<Ret>,
    /// `ENVID=`, decoded (RFC 3461 §4.4).
    pub envelope_id: Option<String>,
    /// `AUTH=` (RFC 4954 §5): who the client says sent it, decoded, or `<>`. A claim, and believed of nobody.
    pub auth: Option<String>,
}

/// The parameters of one RCPT.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RcptParameters {
    /// `NOTIFY=` (RFC 3461 §4.1).
    pub notify: Option<Notify>,
    /// `ORCPT=` (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
}

/// The envelope of the message in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The sender.
    pub reverse_path: ReversePath,
    /// The parameters of MAIL.
    pub parameters: MailParameters,
    /// The accepted recipients, in their order; a path given twice is here twice.
    pub recipients: Vec<ForwardPath>,
    /// The parameters of each recipient, in the same order.
    pub recipient_parameters: Vec<RcptParameters>,
}

/// The facts of the transfer that `Received:` reports (RFC 5321 §4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Who sent it.
    pub peer: Peer,
    /// How it called itself.
    pub helo: Option<Helo>,
    /// It said EHLO.
    pub esmtp: bool,
    /// It spoke LMTP.
    pub lmtp: bool,
    /// It has logged in (RFC 4954); who that was is no affair of a trace field.
    pub authenticated: bool,
    /// The TLS connection, if there is one.
    pub tls: Option<Tls>,
    /// The message was announced with SMTPUTF8.
    pub smtputf8: bool,
    /// The declared type of the body.
    pub body: BodyType,
}
