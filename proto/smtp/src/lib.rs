//! SMTP (RFC 5321) as a sans-IO state machine: the grammar, the reply and the receiving server session.
//!
//! Bytes and the time go in, bytes and questions come out. Sockets, clocks, DNS, policy and storage belong to the
//! driver (mail/server); what to do with an accepted message belongs to mail/flow. Submission, LMTP and the client
//! sit beside `server` when their issue comes.
//!
//! A reader's way in: [`server::Session`] (the state diagram), then one file per verb in `server/`.

pub mod address;
pub mod reply;

pub mod grammar;
pub mod server;

pub use address::{AddressLiteral, Domain, ForwardPath, LocalPart, Mailbox, ReversePath};
pub use reply::{Enhanced, Reply};
pub use server::{
    Answer, Ask, BodyType, Config, Envelope, Helo, Limits, MailParameters, Output, Peer, Session, Timeouts,
    Tls, Transfer,
};
