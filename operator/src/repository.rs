//! A followed repository, on any platform: how its MailRepository says it is fetched, verified, planned and applied, and the
//! status that tells what came of it. `mailwright up` uses it; the API server's side of a cluster is not in here.
//!
//! [`Prepared`] is what spec and Secrets come to, [`Follow`] reads revision after revision, [`judge()`] writes the status. A
//! revision that cannot be fetched, verified or read changes nothing: what was read before stays in force.

mod follow;
mod forge;
mod judge;
mod prepared;
mod trouble;

pub use follow::{Follow, Revision};
pub use forge::{hook, place, previews, webhook_path};
pub use judge::{Applied, Beside, Seen, judge};
pub use prepared::{PlanRules, Prepared};
pub use trouble::Trouble;

use crate::source::CommitInfo;

pub use mailwright_crds::well_known::APPROVE_ANNOTATION;

/// The digests that commits approve by their trailers, the newest commit first; with `verified_only` those of signed ones.
pub fn approvals<'a>(commits: impl IntoIterator<Item = &'a CommitInfo>, verified_only: bool) -> Vec<String> {
    let mut found = Vec::new();
    for given in crate::approvals::of_commits(commits, verified_only) {
        if !found.contains(&given.digest) {
            found.push(given.digest);
        }
    }
    found
}
