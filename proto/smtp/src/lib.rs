//! SMTP (RFC 5321) and LMTP (RFC 2033) as sans-IO state machines: the grammar, the reply, the receiving server session and
//! the sending client session.
//!
//! Bytes and the time go in, bytes and questions come out. Sockets, clocks, DNS, policy and storage belong to the
//! driver (mail/server); what to do with an accepted message belongs to mail/flow.
//!
//! A reader's way in: [`server::Session`] (the state diagram), then one file per verb in `server/`; [`client::Session`] for the
//! other side.

pub mod address;
pub mod reply;

pub mod client;
pub mod dsn;
pub mod grammar;
mod input;
pub mod sasl;
pub mod server;

pub use address::{AddressLiteral, Domain, ForwardPath, LocalPart, Mailbox, ReversePath};
pub use dsn::{Notify, OriginalRecipient, Ret};
pub use reply::{Enhanced, Reply};
pub use sasl::SaslData;
pub use server::{
    Answer, Ask, BodyType, Config, Envelope, Helo, Kind, Limits, MailParameters, Output, Peer,
    RcptParameters, Session, Timeouts, Tls, Transfer,
};
