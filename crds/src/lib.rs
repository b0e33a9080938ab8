//! API types of mailwright.dev: kinds, schema, defaults, CEL rules, conditions. Pure: no client, no I/O, no clock.
//!
//! [`check_manifest`] is the one way from a parsed manifest to a [`Resource`]; [`generated`] is what `cargo xtask generate`
//! writes.

// kube's printer columns repeat `type_` and `priority`, one pair for each column; the lint takes them for one list.
#![allow(clippy::duplicated_attributes)]

pub mod address;
pub mod alias;
pub mod columns;
pub mod condition;
pub mod domain;
pub mod duration;
pub mod kind;
pub mod label;
pub mod mail_domain;
pub mod mail_repository;
pub mod mail_server;
pub mod mailbox;
pub mod name;
pub mod namespaces;
pub mod network;
pub mod password_hash;
pub mod pod;
pub mod policy;
pub mod quantity;
pub mod scalar;
pub mod schema;
pub mod text;
pub mod timestamp;
pub mod well_known;

mod check;
mod generate;
mod rules;
mod violation;
mod words;

pub use address::{Address, AliasAddress};
pub use alias::{Alias, AliasSpec, AliasStatus, Senders};
pub use check::{check_manifest, check_object, check_repository, check_update};
pub use condition::{Condition, ConditionStatus, ConditionType, Reason};
pub use domain::DomainName;
pub use duration::Duration;
pub use generate::generated;
pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
pub use kind::{API_VERSION, DEFAULT_NAMESPACE, Kind, ObjectRef, Resource};
pub use mail_domain::{MailDomain, MailDomainSpec, MailDomainStatus};
pub use mail_repository::{MailRepository, MailRepositorySpec, MailRepositoryStatus};
pub use mail_server::{MailServer, MailServerSpec, MailServerStatus};
pub use mailbox::{Mailbox, MailboxSpec, MailboxStatus};
pub use name::{DisplayName, NamespaceName, ObjectName, SecretKey};
pub use namespaces::AllowedNamespaces;
pub use password_hash::PasswordHash;
pub use policy::{MAX_POLICIES, Policy, PolicyAction, PolicyKind};
pub use quantity::Quantity;
pub use scalar::{Refusal, Scalar};
pub use schema::check_policy;
pub use text::{Text, Texts};
pub use timestamp::Timestamp;
pub use violation::{Segment, Violation};
