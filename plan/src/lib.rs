//! Pure planning: desired resources + observed state → a printable [`Plan`], its DNS records, statuses and exports.
//!
//! Nothing here reads a clock, a file or a database: `now` and every fact is an argument, so the CLI, the server and
//! the tests print and apply the same plan. What leaves this crate as serde data ([`Observed`], [`Operation`],
//! [`Change`], [`Batch`], [`Outcome`]) is also the wire format of the management API.
//!
//! Way in: [`Catalog`] is filled by a source, [`plan()`] compares it with an [`Observed`], [`simulate`] says what
//! applying does.

pub mod catalog;
pub mod dns;
pub mod export;
pub mod observed;
pub mod operation;
pub mod partition;
pub mod problem;
pub mod reference;
pub mod render;
pub mod settings;
pub mod simulate;
pub mod status;

mod alias;
mod allow;
mod check;
mod credential;
mod digest;
mod domain;
mod draft;
mod effect;
mod field;
mod guard;
mod immutable;
mod limit;
mod mailbox;
mod mention;
mod operate;
mod order;
mod planner;
mod reach;
mod routes;
mod server;
mod unique;
mod universe;

pub use catalog::{Catalog, Entry, SecretId, SecretState};
pub use credential::{fingerprint, rotation};
pub use digest::short as short_digest;
pub use guard::PROTECTED as PROTECTED_LOCAL_PARTS;
pub use observed::Observed;
pub use operation::{
    Action, Batch, BatchReply, Change, CredentialChange, CredentialSource, FailureReason, Fence, FieldChange,
    Guard, Kept, Material, Operation, Outcome, Plan, Risk, Verdict,
};
pub use planner::{plan, validate};
pub use problem::{Problem, ProblemCode, Severity};
pub use reference::{Kind, ObjectRef, Origin};
pub use server::declare as declared_server;
pub use settings::{Guards, Settings};
