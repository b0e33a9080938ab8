//! Which kind has which conditions, and which reasons each of them gives: the reference that statuses are written from.

use super::{ConditionType, Reason};
use crate::kind::Kind;

/// One condition of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionInfo {
    /// Its type.
    pub type_: ConditionType,
    /// The reasons it may have.
    pub reasons: &'static [Reason],
}

/// The conditions of a kind, `Ready` first.
pub fn conditions_of(kind: Kind) -> &'static [ConditionInfo] {
    let _ = kind;
    &[]
}
