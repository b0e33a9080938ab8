//! Pure planning: desired resources + observed state → a printable [`Plan`], its DNS records, statuses and exports.
//!
//! Nothing here reads a clock, a file or a database: `now` and every fact is an argument, so the CLI, the server and
//! the tests print and apply the same plan. What leaves this crate as serde data ([`Observed`], [`Operation`],
//! [`Change`], [`Batch`], [`Outcome`]) is also the wire format of the management API.
//!
//! Way in: [`Catalog`] is filled by a source, [`plan()`] compares it with an [`Observed`], [`simulate`] says what
//! applying does.

pub mod adopt;
pub mod approval;
pub mod catalog;
pub mod dns;
pub mod export;
pub mod history;
pub mod nearby;
pub mod observed;
pub mod operation;
pub mod partition;
pub mod policy;
pub mod problem;
pub mod provenance;
pub mod reference;
pub mod render;
pub mod right;
pub mod settings;
pub mod simulate;
pub mod state;
pub mod status;
pub mod undo;

mod alias;
mod allow;
mod cel;
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
mod shared;
mod unique;
mod universe;

pub use approval::Approval;
pub use catalog::{Catalog, Changes, Entry, Lines, SecretId, SecretState};
pub use credential::{fingerprint, rotation};
pub use digest::{digest as digest_of, short as short_digest};
pub use field::diff as field_changes;
pub use guard::PROTECTED as PROTECTED_LOCAL_PARTS;
pub use observed::Observed;
pub use operation::{
    Action, Batch, BatchReply, Change, CredentialChange, CredentialSource, FailureReason, Fence, FieldChange,
    Guard, Kept, Material, Operation, Outcome, Plan, Risk, Verdict,
};
pub use planner::{plan, validate};
pub use problem::{Problem, ProblemCode, Severity};
pub use provenance::Provenance;
pub use reference::{Kind, ObjectRef, Origin, Text, Texts};
pub use server::declare as declared_server;
pub use settings::{Adoption, DriftPolicy, Guards, Settings};
pub use shared::Shared;
pub use state::State;
