//! Where the operations of a batch come from: revision, commit, who wrote and who signed it, which plan, who let it through.
//! It is written down beside every applied operation and never decides anything.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::approval::Given;

/// The origin of one batch. A writer of an earlier version sends none; what is not known is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Provenance {
    /// What was read: `main@sha1:<40 hex>` of a repository, `blake3:<32 hex>` of a directory; empty for objects of a cluster.
    pub revision: String,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who wrote it: `alice <alice@example.test>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Whose signature on it was verified, and with which key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// When it was committed, as it says itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed_at: Option<DateTime<Utc>>,
    /// The digest of the plan.
    pub digest: String,
    /// The approval that let the plan through, if it needed one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approved: Option<Given>,
    /// What applied it: `up`, `apply`, `operator`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub actor: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::Via;

    #[test]
    fn it_travels_whole_and_in_part() {
        let whole = Provenance {
            revision: "main@sha1:1a2b".into(),
            commit: Some("1a2b".into()),
            author: Some("alice <alice@example.test>".into()),
            signer: Some("alice@example.test SHA256:abc".into()),
            committed_at: DateTime::from_timestamp(1_800_000_000, 0),
            digest: "0123".into(),
            approved: Some(Given { digest: "0123".into(), by: Some("bob".into()), via: Via::Command }),
            actor: "up".into(),
        };
        for provenance in [whole, Provenance::default()] {
            let wire = serde_json::to_string(&provenance).unwrap();
            assert_eq!(serde_json::from_str::<Provenance>(&wire).unwrap(), provenance, "{wire}");
        }
        assert_eq!(serde_json::from_str::<Provenance>("{\"later\": 1}").unwrap(), Provenance::default());
    }
}
