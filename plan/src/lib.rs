//! Pure planning: desired resources + observed state → a printable [`Plan`], its DNS records, statuses and exports.
//!
//! Nothing here reads a clock, a file or a database: `now` and every fact is an argument, so the CLI, the server and
//! the tests print and apply the same plan. What leaves this crate as serde data ([`Observed`], [`Operation`],
//! [`Change`], [`Batch`], [`Outcome`]) is also the wire format of the management API.

pub mod observed;
pub mod operation;
pub mod problem;
pub mod reference;

pub use observed::Observed;
pub use operation::{Action, Batch, BatchReply, Change, Guard, Operation, Outcome, Plan, Risk, Verdict};
pub use problem::{Problem, ProblemCode, Severity};
pub use reference::{Kind, ObjectRef, Origin};
