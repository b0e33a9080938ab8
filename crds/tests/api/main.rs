//! The public face of the package: fields, definitions, secrets, and the verdicts of Kubernetes' own validation code.

#[cfg(test)]
mod definitions;
#[cfg(test)]
mod fields;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod statuses;
