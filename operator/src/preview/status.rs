//! Previews in the status of a MailRepository: the latest ones, in an order that does not change by itself.

use mailwright_crds::mail_repository::{MAX_PREVIEWS, PreviewStatus};

use super::decide::{Memory, Posted};

/// What was posted last.
pub fn of(memory: &Memory) -> Vec<PreviewStatus> {
    let mut posted: Vec<_> = memory.posted.iter().filter(|(_, posted)| posted.posted_at.is_some()).collect();
    posted.sort_by_key(|(reference, posted)| (std::cmp::Reverse(posted.posted_at), (*reference).clone()));
    let one = |(reference, posted): &(&String, &Posted)| PreviewStatus {
        reference: (*reference).clone(),
        commit: posted.commit.clone(),
        digest: posted.digest.clone(),
        posted_at: posted.posted_at.map(Into::into),
    };
    posted.iter().take(MAX_PREVIEWS).map(one).collect()
}

/// What a status knows of what was posted; the rest is found out by looking again, and a comment by its mark.
pub fn recall(posted: &[PreviewStatus]) -> Memory {
    let one = |it: &PreviewStatus| {
        let known = Posted {
            commit: it.commit.clone(),
            digest: it.digest.clone(),
            posted_at: it.posted_at.map(|at| at.get()),
            ..Posted::default()
        };
        (it.reference.clone(), known)
    };
    Memory { posted: posted.iter().map(one).collect() }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};

    use super::super::Posted;
    use super::*;

    #[test]
    fn the_latest_come_first_and_what_was_never_posted_does_not() {
        let mut memory = Memory::default();
        for number in 0..30_i64 {
            let posted = Posted {
                commit: format!("c{number}"),
                digest: "d".to_owned(),
                posted_at: (number > 0).then(|| Utc.timestamp_opt(1_790_000_000 + number / 2, 0).unwrap()),
                ..Posted::default()
            };
            memory.posted.insert(format!("refs/pull/{number}/head"), posted);
        }
        let status = of(&memory);
        assert_eq!(status.len(), MAX_PREVIEWS);
        assert_eq!(of(&recall(&status)), status, "a new leader goes on with what the status says");
        assert!(
            recall(&status).posted.values().all(|posted| posted.tried.is_empty()),
            "and looks at all of it"
        );
        assert_eq!((status[0].commit.as_str(), status[1].commit.as_str()), ("c28", "c29"));
        memory.posted.retain(|reference, _| reference == "refs/pull/0/head");
        assert!(of(&memory).is_empty());
    }
}
