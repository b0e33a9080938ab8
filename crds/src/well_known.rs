//! Names that people and programs meet on objects: annotations, labels, finalizers and field managers. What each of them
//! makes happen is said where it is read.

/// The annotation that suspends reconciling when its value is `disabled`.
pub const RECONCILE_ANNOTATION: &str = "mailwright.dev/reconcile";
/// The annotation whose change asks for reconciling at once; its value comes back in `status.lastHandledReconcileAt`.
pub const REQUESTED_AT_ANNOTATION: &str = "mailwright.dev/requestedAt";
/// On a MailServer: the digest of the plan whose held operations are approved.
pub const APPROVE_ANNOTATION: &str = "mailwright.dev/approve";
/// On a MailServer: the identity of the account database that is to be served from now on.
pub const ACCEPT_DATABASE_ANNOTATION: &str = "mailwright.dev/accept-database";
/// On a Mailbox with `credentials.generate`: any new value asks for a new password.
pub const ROTATE_ANNOTATION: &str = "mailwright.dev/rotate";
/// On a generated Secret: the value of [`ROTATE_ANNOTATION`] that its password was made for.
pub const ROTATED_ANNOTATION: &str = "mailwright.dev/rotated";
/// On an object whose row another source manages: the token of that source, which lets it be taken over.
pub const ADOPT_ANNOTATION: &str = "mailwright.dev/adopt";
/// On children of a MailServer: the digest of what was last applied.
pub const APPLIED_ANNOTATION: &str = "mailwright.dev/applied";

/// On children and keys: the MailServer that they belong to.
pub const SERVER_LABEL: &str = "mailwright.dev/server";
/// On DKIM Secrets: `true`.
pub const DKIM_LABEL: &str = "mailwright.dev/dkim";
/// On DKIM Secrets: the domain.
pub const DOMAIN_LABEL: &str = "mailwright.dev/domain";
/// On generated Secrets: the Mailbox whose password it holds.
pub const MAILBOX_LABEL: &str = "mailwright.dev/mailbox";

/// On a Mailbox: its mail must not be deleted. Any value but `false` holds.
pub const LEGAL_HOLD_LABEL: &str = "mailwright.dev/legal-hold";

/// On a MailDomain as long as Mailboxes or Aliases of it exist.
pub const ADDRESSES_FINALIZER: &str = "mailwright.dev/addresses";
/// The field manager of finalizers.
pub const FINALIZER_MANAGER: &str = "mailwright-finalizer";

/// On objects that a MailRepository declares: its name. They are its inventory.
pub const REPOSITORY_LABEL: &str = "mailwright.dev/repository";
/// On the same objects: its namespace.
pub const REPOSITORY_NAMESPACE_LABEL: &str = "mailwright.dev/repository-namespace";
/// On the same objects: the file, the line and the revision that they were last written from.
pub const SOURCE_ANNOTATION: &str = "mailwright.dev/source";
/// On the same objects: the digest of what the repository declares of them.
pub const SOURCE_DIGEST_ANNOTATION: &str = "mailwright.dev/source-digest";
