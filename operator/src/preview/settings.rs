//! What `spec.previews` of a MailRepository means, with the token of its Secret: whose API, which repository there, which branch.

use std::fmt;

use mailwright_crds::mail_repository::{ForgeUrl, PreviewProvider, Previews};

use super::forge::{Api, Provider};
use crate::source::SecretValue;

/// The key of the Secret with the token.
pub const TOKEN: &str = "token";

/// What a round works with.
#[derive(Clone)]
pub struct Settings {
    /// The references, as patterns.
    pub refs: Vec<String>,
    /// The branch that pull requests are merged into; `None` when no branch is followed.
    pub branch: Option<String>,
    /// What distinguishes this repository's comments.
    pub mark: String,
    /// Where to post; `None` when nothing is posted.
    pub target: Option<Target>,
}

/// Where to post, and what.
#[derive(Clone)]
pub struct Target {
    /// The repository at its forge.
    pub api: Api,
    /// The token.
    pub token: SecretValue,
    /// Whether a comment is written.
    pub comment: bool,
    /// Whether a commit status is set.
    pub status: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let api = self.target.as_ref().map(|target| &target.api);
        f.debug_struct("Settings").field("refs", &self.refs).field("api", &api).finish_non_exhaustive()
    }
}

/// Why previews cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Nobody to post to.
    #[error("previews are posted to somebody: set previews.provider and previews.secretRef")]
    NoTarget,
    /// No token.
    #[error("there is no usable token for previews: one line of text, in the key {TOKEN} of the Secret")]
    NoToken,
    /// An URL that no token is sent to.
    #[error(
        "previews.apiURL is no URL of an API: write an https one, like https://git.example.test/api/v1 (http is for loopback)"
    )]
    NoUrl,
    /// The URL names no repository of a forge.
    #[error(
        "the repository's url names no project of a forge; previews need one like https://git.example.test/company/mail.git"
    )]
    NoProject,
    /// Nobody knows where the API is.
    #[error("Gitea and Forgejo are everywhere: set previews.apiURL, like https://git.example.test/api/v1")]
    NoApi,
}

/// Where somebody wants to post, and with what.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Whose API it is.
    pub provider: Provider,
    /// Where it is, when that is told.
    pub api: Option<&'a str>,
    /// The token, when there is one.
    pub token: Option<SecretValue>,
    /// Whether a comment is written.
    pub comment: bool,
    /// Whether a commit status is set.
    pub status: bool,
}

impl Settings {
    /// The settings of a repository at `url` of which `branch` is followed.
    pub fn new(
        refs: Vec<String>,
        url: &str,
        branch: Option<&str>,
        wanted: Option<Wanted<'_>>,
    ) -> Result<Self, SettingsError> {
        let target = wanted.map(|wanted| target(url, wanted)).transpose()?;
        Ok(Self { refs, branch: branch.map(str::to_owned), mark: bare(url), target })
    }

    /// The settings that a MailRepository declares. `token_of` reads a key of a Secret by name.
    pub fn of(
        previews: &Previews,
        url: &str,
        branch: Option<&str>,
        token_of: impl FnOnce(&str) -> Option<SecretValue>,
    ) -> Result<Self, SettingsError> {
        let refs = previews.refs.iter().map(|pattern| pattern.as_str().to_owned()).collect();
        if !previews.comment && !previews.status {
            return Self::new(refs, url, branch, None);
        }
        let (Some(provider), Some(secret)) = (previews.provider, &previews.secret_ref) else {
            return Err(SettingsError::NoTarget);
        };
        let provider = match provider {
            PreviewProvider::GitHub => Provider::GitHub,
            PreviewProvider::GitLab => Provider::GitLab,
            PreviewProvider::Gitea => Provider::Gitea,
        };
        let wanted = Wanted {
            provider,
            api: previews.api_url.as_ref().map(|url| url.as_str()),
            token: token_of(secret.name.as_str()),
            comment: previews.comment,
            status: previews.status,
        };
        Self::new(refs, url, branch, Some(wanted))
    }
}

fn target(url: &str, wanted: Wanted<'_>) -> Result<Target, SettingsError> {
    let Wanted { provider, api, token, comment, status } = wanted;
    let base = match (api, provider) {
        // The rule for URLs that a MailRepository is checked by holds for a command line too.
        (Some(url), _) => match serde_json::from_value::<ForgeUrl>(url.into()) {
            Ok(url) => url.as_str().trim_end_matches('/').to_owned(),
            Err(_) => return Err(SettingsError::NoUrl),
        },
        (None, Provider::GitHub) => "https://api.github.com".to_owned(),
        (None, Provider::GitLab) => "https://gitlab.com/api/v4".to_owned(),
        (None, Provider::Gitea) => return Err(SettingsError::NoApi),
    };
    let token = token.filter(is_token).ok_or(SettingsError::NoToken)?;
    let project = project(url, provider).ok_or(SettingsError::NoProject)?;
    Ok(Target { api: Api { provider, base, project }, token, comment, status })
}

/// An URL without the user and the password that may be in it.
fn bare(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            format!("{scheme}://{}/{path}", host.rsplit('@').next().unwrap_or_default())
        }
        None => url.to_owned(),
    }
}

/// One line that can stand in a header.
fn is_token(value: &SecretValue) -> bool {
    let text = value.expose().trim_ascii();
    !text.is_empty() && text.iter().all(u8::is_ascii_graphic)
}

/// The project in a repository's URL: its last two parts, at GitLab all of them.
fn project(url: &str, provider: Provider) -> Option<String> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url.split_once(':')?.1,
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').collect();
    let skip = match provider {
        Provider::GitLab => 0,
        Provider::GitHub | Provider::Gitea => parts.len().saturating_sub(2),
    };
    let parts = &parts[skip..];
    let plain = |part: &&str| {
        !part.is_empty()
            && !matches!(*part, "." | "..")
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    (parts.len() >= 2 && parts.iter().all(plain)).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(previews: Value, url: &str, token: Option<&str>) -> Result<Settings, SettingsError> {
        let previews: Previews = serde_json::from_value(previews).unwrap();
        Settings::of(&previews, url, Some("main"), |name| {
            assert_eq!(name, "forge");
            token.map(SecretValue::new)
        })
    }

    #[test]
    fn projects_are_read_from_urls() {
        for (url, two, all) in [
            ("https://git.example.test/company/mail.git", Some("company/mail"), Some("company/mail")),
            (
                "https://git.example.test/forge/company/mail/",
                Some("company/mail"),
                Some("forge/company/mail"),
            ),
            ("ssh://git@git.example.test:2222/company/mail.git", Some("company/mail"), Some("company/mail")),
            ("git@git.example.test:company/sub/mail.git", Some("sub/mail"), Some("company/sub/mail")),
            ("https://git.example.test/mail.git", None, None),
            ("https://git.example.test", None, None),
            ("https://git.example.test/a b/mail", None, None),
            ("https://git.example.test/../mail", None, None),
            ("/srv/mail.git", None, None),
        ] {
            assert_eq!(project(url, Provider::Gitea).as_deref(), two, "{url}");
            assert_eq!(project(url, Provider::GitHub).as_deref(), two, "{url}");
            assert_eq!(project(url, Provider::GitLab).as_deref(), all, "{url}");
        }
    }

    #[test]
    fn a_mark_holds_no_credentials() {
        for (url, expected) in [
            ("https://u:p@git.example.test/a/b.git", "https://git.example.test/a/b.git"),
            ("https://git.example.test/a@b", "https://git.example.test/a@b"),
            ("git@git.example.test:a/b.git", "git@git.example.test:a/b.git"),
            ("/srv/mail.git", "/srv/mail.git"),
        ] {
            assert_eq!(bare(url), expected);
        }
    }

    #[test]
    fn where_to_post_is_what_is_declared_or_known() {
        let url = "https://git.example.test/company/mail.git";
        for (provider, api, base) in [
            ("GitHub", None, "https://api.github.com"),
            ("GitHub", Some("https://git.example.test/api/v3/"), "https://git.example.test/api/v3"),
            ("GitLab", None, "https://gitlab.com/api/v4"),
            ("Gitea", Some("http://127.0.0.1:3000/api/v1"), "http://127.0.0.1:3000/api/v1"),
        ] {
            let mut previews =
                json!({"provider": provider, "refs": ["refs/pull/*/head"], "secretRef": {"name": "forge"}});
            if let Some(api) = api {
                previews["apiURL"] = json!(api);
            }
            let settings = settings(previews, url, Some("t0ken\n")).unwrap();
            assert_eq!((settings.branch.as_deref(), settings.refs.len()), (Some("main"), 1));
            assert!(!format!("{settings:?}").contains("t0ken"));
            let target = settings.target.unwrap();
            assert_eq!((target.api.base.as_str(), target.comment, target.status), (base, true, true));
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let url = "https://git.example.test/company/mail.git";
        let whole =
            json!({"provider": "GitHub", "refs": ["refs/pull/*/head"], "secretRef": {"name": "forge"}});
        for (key, url, token, expected) in [
            ("provider", url, Some("t"), SettingsError::NoTarget),
            ("secretRef", url, Some("t"), SettingsError::NoTarget),
            ("", url, None, SettingsError::NoToken),
            ("", url, Some(" \n"), SettingsError::NoToken),
            ("", url, Some("two\nlines"), SettingsError::NoToken),
            ("", "/srv/mail.git", Some("t"), SettingsError::NoProject),
        ] {
            let mut previews = whole.clone();
            previews.as_object_mut().unwrap().remove(key);
            assert_eq!(settings(previews, url, token).unwrap_err(), expected, "{key} {url} {token:?}");
        }
        let mut gitea = whole.clone();
        gitea["provider"] = json!("Gitea");
        assert_eq!(settings(gitea, url, Some("t")).unwrap_err(), SettingsError::NoApi);
        let silent = json!({"refs": ["refs/pull/*/head"], "comment": false, "status": false});
        assert!(settings(silent, "/srv/mail.git", None).unwrap().target.is_none());
    }
}
