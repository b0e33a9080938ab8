//! How the changes of a repository are applied: where, whether, how much at once, and what when something is wrong.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::words::{words, words_schema};

words! {
    /// Where the manifests of a repository go, in a cluster.
    Sink = Resources {
        /// They become resources of the cluster, applied in the name of the ServiceAccount.
        Resources,
        /// They go straight into the account database of the MailServer that serverRef names.
        Database,
    }
}
words_schema!(closed Sink);

words! {
    /// Whether the plan is applied.
    RepositoryMode = Apply {
        /// It is applied, as far as guards, approval and policies let it.
        Apply,
        /// It is told in the status and never applied.
        Plan,
    }
}
words_schema!(closed RepositoryMode);

words! {
    /// What comes of changes that were made behind the repository's back.
    DriftPolicy = Repair {
        /// They are undone.
        Repair,
        /// They are told in the status and left as they are.
        Report,
    }
}
words_schema!(closed DriftPolicy);

words! {
    /// Which rows of the account database the repository takes over that it did not make, when it declares them.
    Adoption = Unmanaged {
        /// Those that nobody manages. Those of another source with its token alone, in the annotation mailwright.dev/adopt.
        Unmanaged,
        /// None, not even those that nobody manages.
        Never,
        /// Those that are as they are declared, whoever manages them: nothing changes but who does.
        IfIdentical,
        /// All. For one push, not for good.
        Force,
    }
}
words_schema!(closed Adoption);

words! {
    /// Which plans wait until somebody approves their digest.
    ApprovalMode = OnGuard {
        /// None; what a guard holds back stays back until the repository says otherwise.
        Never,
        /// Those of which a guard holds something back.
        OnGuard,
        /// Every plan that changes something.
        Always,
    }
}
words_schema!(closed ApprovalMode);

words! {
    /// Whether what is wrong in the repository holds back what is right.
    FailurePolicy = Isolate {
        /// A broken file or object keeps its last good state, and everything else is applied.
        Isolate,
        /// Nothing is applied as long as any file or object is broken, or a policy denies one, or a guard holds one back.
        Atomic,
    }
}
words_schema!(closed FailurePolicy);

/// How much one plan may remove without an approval.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RepositoryGuards {
    /// The largest number of objects that are removed, switched off or deleted.
    #[serde(default = "max_removed")]
    #[schemars(range(min = 0, max = 10_000_000))]
    pub max_removed: i32,
    /// Their largest share of all objects of the repository, in per cent. One object is never too many.
    #[serde(default = "max_removed_percent")]
    #[schemars(range(min = 0, max = 100))]
    pub max_removed_percent: i32,
}

impl Default for RepositoryGuards {
    fn default() -> RepositoryGuards {
        RepositoryGuards { max_removed: max_removed(), max_removed_percent: max_removed_percent() }
    }
}

/// A list of more than a screenful is no longer read before it is applied.
fn max_removed() -> i32 {
    20
}

/// Of a large installation nobody removes a tenth on purpose without knowing it.
fn max_removed_percent() -> i32 {
    10
}
