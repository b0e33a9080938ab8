//! Approvals as an operator knows them: those that were told, those that commits bring, and which of them let a plan through.
//!
//! Pure. What an approval means is `mailwright_plan::approval`; who tells of one (a flag, an annotation, the management
//! interface) is elsewhere.

use mailwright_plan::approval::{self, Given, Via};
use mailwright_plan::{Plan, Provenance};

use crate::source::{CommitInfo, Snapshot};

/// Approvals that are told of and remembered: half of what a plan looks at, so that commits have their say as well.
const MAX_TOLD: usize = approval::MAX_APPROVALS / 2;

/// The approvals in force and the origin of what is planned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Approvals {
    told: Vec<Given>,
    by_commit: Vec<Given>,
    provenance: Provenance,
}

impl Approvals {
    /// What somebody told; what was told before counts no more.
    pub(crate) fn tell(&mut self, given: impl IntoIterator<Item = impl Into<Given>>) {
        self.told = given.into_iter().map(Into::into).take(MAX_TOLD).collect();
    }

    /// The same beside what was told before, of which the oldest goes when there is too much.
    pub(crate) fn tell_also(&mut self, given: impl IntoIterator<Item = Given>) {
        self.told.extend(given);
        let too_many = self.told.len().saturating_sub(MAX_TOLD);
        self.told.drain(..too_many);
    }

    /// What commits say; what those before said counts no more.
    pub(crate) fn take_commits<'a>(
        &mut self,
        commits: impl IntoIterator<Item = &'a CommitInfo>,
        verified_only: bool,
    ) {
        self.by_commit = of_commits(commits, verified_only);
    }

    /// Notes where what is declared comes from.
    pub(crate) fn take_origin(&mut self, snapshot: &Snapshot) {
        let commit = snapshot.commit.as_deref();
        self.provenance = Provenance {
            revision: snapshot.revision.clone(),
            commit: commit.map(|commit| commit.id.clone()),
            author: commit.map(|commit| commit.author.clone()),
            signer: commit.and_then(|commit| commit.signer.as_ref()).map(signer),
            committed_at: commit.map(|commit| commit.committed_at),
            actor: std::mem::take(&mut self.provenance.actor),
            ..Provenance::default()
        };
    }

    /// Who applies, for the history.
    pub(crate) fn act_as(&mut self, actor: &str) {
        self.provenance.actor = actor.to_owned();
    }

    /// Every digest that somebody approved, once.
    pub(crate) fn digests(&self) -> Vec<String> {
        let mut digests: Vec<String> = Vec::new();
        for given in self.told.iter().chain(&self.by_commit) {
            if !digests.contains(&given.digest) {
                digests.push(given.digest.clone());
            }
        }
        digests
    }

    /// Where the operations of a plan come from.
    pub(crate) fn provenance(&self, plan: &Plan) -> Provenance {
        let accepted = plan.approval.accepted.as_ref();
        // A commit tells who approved, which a digest that was told beside it does not.
        let approved = self.by_commit.iter().chain(&self.told).find(|given| Some(&given.digest) == accepted);
        Provenance { digest: plan.digest.clone(), approved: approved.cloned(), ..self.provenance.clone() }
    }
}

/// The approvals in the trailers of commits, the first of them first. A trailer that is no digest approves nothing and is told.
pub(crate) fn of_commits<'a>(
    commits: impl IntoIterator<Item = &'a CommitInfo>,
    verified_only: bool,
) -> Vec<Given> {
    let mut found = Vec::new();
    for commit in commits {
        let said = commit.trailers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(approval::TRAILER));
        for (_, value) in said {
            if verified_only && commit.signer.is_none() {
                tracing::warn!(
                    commit = commit.id,
                    "an approval in a commit that nobody signed does not count"
                );
                continue;
            }
            match approval::parse(value) {
                Ok(digest) => found.push(given(commit, digest)),
                Err(error) => {
                    tracing::warn!(commit = commit.id, %error, "an approval in a commit is not understood")
                }
            }
        }
    }
    found.truncate(approval::MAX_APPROVALS);
    found
}

/// Whoever signed is surer to be the approver than whoever is written as the author.
fn given(commit: &CommitInfo, digest: String) -> Given {
    let by = commit.signer.as_ref().map_or_else(|| commit.author.clone(), signer);
    Given { digest, by: Some(by), via: Via::Trailer { commit: commit.id.clone() } }
}

fn signer(signer: &crate::source::Signer) -> String {
    format!("{} {}", signer.principal, signer.key)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;
    use mailwright_plan::approval::Standing;

    use super::*;
    use crate::source::Signer;

    const DIGEST: &str = "0123456789abcdef";
    const OTHER: &str = "fedcba9876543210";

    fn commit(id: &str, trailers: &[(&str, &str)], signed: bool) -> CommitInfo {
        let signer = Signer { principal: "alice@example.test".into(), key: "SHA256:abc".into() };
        CommitInfo {
            id: id.into(),
            author: "alice <alice@example.test>".into(),
            committed_at: DateTime::UNIX_EPOCH,
            subject: "approve".into(),
            trailers: trailers.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            signer: signed.then_some(signer),
        }
    }

    #[test]
    fn trailers_approve_when_they_are_digests_and_signed_where_they_must_be() {
        let own = ("Mailwright-Approve", DIGEST);
        for (trailers, signed, verified_only, expected) in [
            (vec![own], false, false, vec!["0123456789abcdef alice <alice@example.test>"]),
            (vec![own], true, true, vec!["0123456789abcdef alice@example.test SHA256:abc"]),
            (vec![own], false, true, vec![]),
            (
                vec![("mailwright-approve", " 0123456789ABCDEF ")],
                true,
                true,
                vec!["0123456789abcdef alice@example.test SHA256:abc"],
            ),
            (vec![("Mailwright-Approve", "0123456789abcde")], true, false, vec![]),
            (vec![("Mailwright-Approve", "yes")], true, false, vec![]),
            (vec![("Signed-off-by", DIGEST)], true, false, vec![]),
            (
                vec![own, ("Mailwright-Approve", OTHER)],
                false,
                false,
                vec![
                    "0123456789abcdef alice <alice@example.test>",
                    "fedcba9876543210 alice <alice@example.test>",
                ],
            ),
        ] {
            let found = of_commits([&commit("1a2b", &trailers, signed)], verified_only);
            let found: Vec<String> = found
                .iter()
                .map(|given| format!("{} {}", given.digest, given.by.as_deref().unwrap_or_default()))
                .collect();
            assert_eq!(found, expected, "{trailers:?} {signed} {verified_only}");
        }
    }

    #[test]
    fn two_plans_are_approved_at_once_and_the_one_that_counts_is_told() {
        let mut approvals = Approvals::default();
        approvals.act_as("up");
        approvals.tell([DIGEST.to_owned()]);
        approvals.take_commits([&commit("1a2b", &[("Mailwright-Approve", OTHER)], true)], true);
        assert_eq!(approvals.digests(), [DIGEST, OTHER]);
        approvals.tell([DIGEST.to_owned(), OTHER.to_owned()]);
        assert_eq!(approvals.digests(), [DIGEST, OTHER], "what is approved twice is told once");
        let plan = |accepted: Option<&str>| Plan {
            digest: accepted.unwrap_or("none").repeat(4),
            approval: Standing { accepted: accepted.map(str::to_owned), ..Standing::default() },
            ..Plan::default()
        };
        for (accepted, expected) in [
            (Some(DIGEST), Some("--approve")),
            (Some(OTHER), Some("trailer of commit 1a2b by alice@example.test SHA256:abc")),
            (None, None),
        ] {
            let provenance = approvals.provenance(&plan(accepted));
            assert_eq!(provenance.approved.map(|given| given.to_string()).as_deref(), expected);
            assert_eq!(provenance.actor, "up");
        }
        let many = (0..2 * MAX_TOLD).map(|number| Given::from(format!("{number:016x}")));
        approvals.tell_also(many);
        assert_eq!(approvals.digests().len(), MAX_TOLD + 1, "the oldest are forgotten, the commits' stay");
        assert_eq!(approvals.digests().last().map(String::as_str), Some(OTHER));
        approvals.tell(None::<String>);
        approvals.take_commits([], true);
        assert_eq!(approvals.digests(), Vec::<String>::new(), "an approval is not remembered by itself");
    }

    #[test]
    fn the_origin_is_that_of_the_last_snapshot() {
        let mut approvals = Approvals::default();
        approvals.act_as("apply");
        let commit = Some(Arc::new(commit("1a2b", &[], true)));
        let snapshot = Snapshot { revision: "main@sha1:1a2b".into(), commit, ..Snapshot::default() };
        approvals.take_origin(&snapshot);
        let provenance = approvals.provenance(&Plan { digest: "d".into(), ..Plan::default() });
        assert_eq!(provenance.revision, "main@sha1:1a2b");
        assert_eq!(provenance.signer.as_deref(), Some("alice@example.test SHA256:abc"));
        assert_eq!((provenance.digest.as_str(), provenance.actor.as_str()), ("d", "apply"));
        assert_eq!(provenance.committed_at, Some(DateTime::UNIX_EPOCH));
        approvals.take_origin(&Snapshot { revision: "blake3:00".into(), ..Snapshot::default() });
        let provenance = approvals.provenance(&Plan::default());
        assert_eq!((provenance.commit, provenance.actor.as_str()), (None, "apply"));
    }
}
