//! Pure planning: desired resources and observed state to a printable plan.
