//! What a repository has to do with the forge it is on: webhooks that tell of pushes, and previews of proposed changes.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::reference::{MAX_REFERENCE, is_ref_name};
use crate::mail_server::SecretName;
use crate::scalar::{Refusal, Scalar, quote, scalar_traits};
use crate::schema::matches;
use crate::words::{words, words_schema};

/// Who tells of pushes. The path that a forge sends them to is in the status.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// Whose words they are.
    pub provider: WebhookProvider,
    /// A Secret in the same namespace with the key token: what the forge proves itself with.
    pub secret_ref: SecretName,
}

words! {
    /// Whose webhooks are taken.
    WebhookProvider {
        /// GitHub: an HMAC in X-Hub-Signature-256.
        GitHub,
        /// GitLab: the token in X-Gitlab-Token.
        GitLab,
        /// Gitea and Forgejo: an HMAC in X-Gitea-Signature.
        Gitea,
        /// Anybody: an HMAC-SHA-256 of time and body in X-Mailwright-Signature (docs/gitops.md).
        Generic,
    }
}
words_schema!(closed WebhookProvider);

/// Which proposed changes get a plan, and where it is told.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!(self.comment || self.status) || (has(self.provider) && has(self.secretRef))")
    .message("a comment or a status is posted to somebody: set provider and secretRef, or comment: false and status: false"))]
#[x_kube(validation = Rule::new("!has(self.provider) || self.provider != 'Gitea' || has(self.apiURL)")
    .message("Gitea and Forgejo are everywhere: set apiURL, like https://git.example.org/api/v1"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Previews {
    /// Whose API the plan is told to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<PreviewProvider>,
    /// The references whose commits get a plan; `*` stands for anything but a slash.
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 16))]
    pub refs: Vec<RefPattern>,
    /// Where the API is, when it is not the one of github.com or gitlab.com.
    #[serde(default, rename = "apiURL", skip_serializing_if = "Option::is_none")]
    pub api_url: Option<ForgeUrl>,
    /// A Secret in the same namespace with the key token, which may post statuses and comments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretName>,
    /// Whether the plan is posted as a comment.
    #[serde(default = "yes")]
    pub comment: bool,
    /// Whether the outcome is posted as a status of the commit.
    #[serde(default = "yes")]
    pub status: bool,
}

fn yes() -> bool {
    true
}

words! {
    /// Whose API previews are told to.
    PreviewProvider {
        /// GitHub, also one's own.
        GitHub,
        /// GitLab, also one's own.
        GitLab,
        /// Gitea or Forgejo.
        Gitea,
    }
}
words_schema!(closed PreviewProvider);

/// References with a `*` for what varies: `refs/pull/*/head`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefPattern(String);

impl RefPattern {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for RefPattern {
    const WHAT: &'static str = "references, in full";
    const PATTERN: &'static str = "^refs/[^\\x00-\\x20\\x7F~^:?\\[\\\\]+$";
    const MAX_LENGTH: u32 = MAX_REFERENCE;
    const RULES: &'static [(&'static str, &'static str)] = &[super::reference::RULE];

    fn parse(text: &str) -> Result<RefPattern, Refusal> {
        if text.chars().count() > MAX_REFERENCE as usize
            || !matches(Self::PATTERN, text)
            || !is_ref_name(text)
        {
            return Err(Refusal::new(format!("{} does not name references in full", quote(text)))
                .remedy("write them like refs/pull/*/head or refs/heads/preview-*"));
        }
        Ok(RefPattern(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(RefPattern);

/// The base of a forge's API: https, or http of this very machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForgeUrl(String);

impl ForgeUrl {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for ForgeUrl {
    const WHAT: &'static str = "the URL of an API";
    const PATTERN: &'static str = "^(https://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])|\
        http://(localhost|127\\.0\\.0\\.1|\\[::1\\]))(:[0-9]{1,5})?(/[!$%&'()*+,./0-9:;=@A-Z_a-z~-]*)?$";
    const MAX_LENGTH: u32 = 1024;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<ForgeUrl, Refusal> {
        if text.chars().count() > Self::MAX_LENGTH as usize || !matches(Self::PATTERN, text) {
            return Err(Refusal::new(
                "this is not the https URL of an API (it is not shown: it may hold a token)",
            )
            .remedy("write one like https://git.example.org/api/v1, and put the token into a Secret"));
        }
        Ok(ForgeUrl(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(ForgeUrl);
