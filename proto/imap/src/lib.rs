//! IMAP (RFC 3501 §1) as a sans-IO state machine, with the message index that FETCH needs.
//!
//! Owns the grammar, the server session, sequence numbers, mailbox names and the MIME index of a message. Leaves out
//! sockets, TLS, clocks, accounts and storage: bytes and `Instant`s come in, bytes and [`Ask`]s go out.
//! RFCs: 3501, 2177 (IDLE), 2342 (NAMESPACE), 2971 (ID), 3348 (CHILDREN), 3691 (UNSELECT), 4315 (UIDPLUS), 4959 (SASL-IR),
//! 5161 (ENABLE), 5530 (response codes), 6154 (SPECIAL-USE), 6851 (MOVE), 7888 (LITERAL+); for messages 5322, 2045–2047.

pub mod date;
pub mod flags;
pub mod grammar;
pub mod mailbox;
pub mod message;
pub mod response;
pub mod search;
pub mod sequence;
pub mod server;
pub mod sort;
pub mod thread;

pub use flags::Keyword;
pub use mailbox::MailboxName;
pub use server::{
    Answer, Append, Ask, Changes, Config, Digest, Limits, ListEntry, Message, Need, Output, Password, Peer,
    Quota, Refusal, Row, Selected, Session, SpecialUse, Status, StoreOperation, Tls,
};
