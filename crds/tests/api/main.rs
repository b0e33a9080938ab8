//! The public face of the package: fields, definitions, secrets, and the verdicts of Kubernetes' own validation code.

mod definitions;
mod fields;
mod kubernetes;
mod laws;
mod secrets;
