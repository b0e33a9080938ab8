//! Where a repository is: what the user wrote, taken apart, with the credentials kept out of everything that is shown.

use std::fmt;
use std::path::{Path, PathBuf};

use reqwest::Url;

use super::super::SecretValue;

/// A repository's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// A repository on this machine.
    Local(PathBuf),
    /// Smart HTTP.
    Http(HttpLocation),
    /// `git-upload-pack` on another machine.
    Ssh(SshLocation),
}

/// An http or https URL, without its user part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HttpLocation {
    pub url: Url,
    pub user: Option<String>,
    pub password: Option<SecretValue>,
}

/// `ssh://user@host:port/path` or `user@host:path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SshLocation {
    /// `user@host` or `host`.
    pub destination: String,
    pub port: Option<u16>,
    pub path: String,
}

/// What is wrong with a location. It never repeats the location: credentials may be in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LocationError {
    /// Not an URL.
    #[error("not a valid URL; write https://host/repository.git or user@host:repository.git")]
    Invalid,
    /// A scheme that is not fetched from.
    #[error("the scheme {0} is not supported; use https, ssh or file")]
    Scheme(String),
    /// A host or path that a program would take for an option.
    #[error("host and path may not begin with a hyphen; check the URL")]
    Option,
    /// Credentials that anyone on the way could read.
    #[error("credentials are never sent over http; use https")]
    Plaintext,
    /// A file URL of another machine.
    #[error("a file URL names a path of this machine; write file:///path")]
    FileHost,
}

impl Location {
    /// Takes apart an URL or `host:path`; `None` when it looks like neither.
    pub(crate) fn parse(text: &str) -> Option<Result<Location, LocationError>> {
        if let Some((scheme, _)) = text.split_once("://") {
            return Some(match scheme.to_ascii_lowercase().as_str() {
                "https" | "http" => http(text).map(Location::Http),
                "ssh" | "git+ssh" | "ssh+git" => ssh(text).map(Location::Ssh),
                "file" => file(text).map(Location::Local),
                other => Err(LocationError::Scheme(other.chars().take(20).collect())),
            });
        }
        let (host, path) = text.split_once(':')?;
        let is_host = !host.is_empty() && !path.is_empty() && !host.contains(['/', '\\', ' ']);
        is_host.then(|| ssh_location(host.to_owned(), None, path.to_owned()).map(Location::Ssh))
    }
}

/// As it may be shown, logged and stored: no user, no password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Local(path) => path.display().fmt(f),
            Location::Http(http) => http.url.fmt(f),
            Location::Ssh(SshLocation { destination, port, path }) => {
                let host = destination.rsplit('@').next().unwrap_or_default();
                write!(f, "ssh://{host}")?;
                if let Some(port) = port {
                    write!(f, ":{port}")?;
                }
                let slash = if path.starts_with('/') { "" } else { "/" };
                write!(f, "{slash}{path}")
            }
        }
    }
}

fn http(text: &str) -> Result<HttpLocation, LocationError> {
    let mut url = Url::parse(text).map_err(|_| LocationError::Invalid)?;
    let user = Some(decoded(url.username())).filter(|user| !user.is_empty());
    let password = url.password().map(|password| SecretValue::new(decoded(password)));
    // Neither fails for a scheme that has an authority.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    let location = HttpLocation { url, user, password };
    if location.password.is_some() && !location.may_carry_credentials() {
        return Err(LocationError::Plaintext);
    }
    Ok(location)
}

impl HttpLocation {
    /// Over https, or to this very machine.
    pub(crate) fn may_carry_credentials(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        self.url.scheme() == "https" || matches!(host, "localhost" | "127.0.0.1" | "[::1]")
    }
}

fn ssh(text: &str) -> Result<SshLocation, LocationError> {
    let url = Url::parse(text).map_err(|_| LocationError::Invalid)?;
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(LocationError::Invalid)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let user = decoded(url.username());
    let destination = if user.is_empty() { host.to_owned() } else { format!("{user}@{host}") };
    let path = decoded(url.path());
    // `/~user/…` is relative to that user's home, as Git has it.
    let path = if path.starts_with("/~") { path[1..].to_owned() } else { path };
    ssh_location(destination, url.port(), path)
}

fn ssh_location(destination: String, port: Option<u16>, path: String) -> Result<SshLocation, LocationError> {
    let host = destination.rsplit('@').next().unwrap_or_default();
    if destination.starts_with('-') || host.starts_with('-') || path.starts_with('-') {
        return Err(LocationError::Option);
    }
    let control = |text: &str| text.is_empty() || text.chars().any(char::is_control);
    if control(host) || control(&path) || path == "/" || destination.contains(char::is_whitespace) {
        return Err(LocationError::Invalid);
    }
    Ok(SshLocation { destination, port, path })
}

fn file(text: &str) -> Result<PathBuf, LocationError> {
    let url = Url::parse(text).map_err(|_| LocationError::Invalid)?;
    if url.host_str().is_some_and(|host| !host.is_empty() && host != "localhost") {
        return Err(LocationError::FileHost);
    }
    Ok(PathBuf::from(decoded(url.path())))
}

/// `%41` is `A`.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a directory is a repository without a work tree.
pub(crate) fn is_bare_repository(path: &Path) -> bool {
    path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match Location::parse(text) {
            None => "no location".to_owned(),
            Some(Err(error)) => format!("error: {error}"),
            Some(Ok(location)) => location.to_string(),
        }
    }

    #[test]
    fn locations_are_shown_without_credentials() {
        let table = [
            ("https://example.org/mail.git", "https://example.org/mail.git"),
            ("https://alice:hunter2@example.org:8443/a/b.git/", "https://example.org:8443/a/b.git"),
            ("https://token@example.org/mail?x=hunter2#y", "https://example.org/mail"),
            ("HTTPS://EXAMPLE.org/Mail", "https://example.org/Mail"),
            ("http://example.org/mail.git", "http://example.org/mail.git"),
            ("http://a:b@localhost:3000/mail", "http://localhost:3000/mail"),
            ("ssh://git@example.org:2222/srv/mail.git", "ssh://example.org:2222/srv/mail.git"),
            ("ssh://example.org/~alice/mail.git", "ssh://example.org/~alice/mail.git"),
            ("git@example.org:team/mail.git", "ssh://example.org/team/mail.git"),
            ("example.org:/srv/mail.git", "ssh://example.org/srv/mail.git"),
            ("file:///srv/mail%20x.git", "/srv/mail x.git"),
            ("file://localhost/srv/mail.git", "/srv/mail.git"),
            ("./mail", "no location"),
            ("/srv/a:b", "no location"),
            ("mail", "no location"),
            (":mail", "no location"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_repeating_it() {
        let table = [
            ("http://a:hunter2@example.org/x", "credentials are never sent over http; use https"),
            ("ftp://example.org/x", "the scheme ftp is not supported; use https, ssh or file"),
            ("ext::sh -c hunter2://x", "the scheme ext::sh -c hunter2 is not supported"),
            ("ssh://-oProxyCommand=x/y", "host and path may not begin with a hyphen"),
            ("-oProxyCommand=x:y", "host and path may not begin with a hyphen"),
            ("git@-x:y", "host and path may not begin with a hyphen"),
            ("example.org:-x", "host and path may not begin with a hyphen"),
            ("ssh://example.org", "not a valid URL"),
            ("https://", "not a valid URL"),
            ("https://alice:hunter2@/x", "not a valid URL"),
            ("file://other/x", "a file URL names a path of this machine"),
        ];
        for (text, expected) in table {
            assert!(shown(text).starts_with(&format!("error: {expected}")), "{text}: {}", shown(text));
        }
    }

    #[test]
    fn users_and_passwords_are_kept_apart() {
        let Some(Ok(Location::Http(http))) = Location::parse("https://al%40ice:p%3Aw@example.org/x") else {
            panic!("no http location")
        };
        assert_eq!(http.user.as_deref(), Some("al@ice"));
        assert_eq!(http.password.as_ref().map(SecretValue::expose), Some(&b"p:w"[..]));
        assert!(!format!("{http:?}").contains("p:w"));
        let Some(Ok(Location::Ssh(ssh))) = Location::parse("ssh://git@[::1]:22/x y") else {
            panic!("no ssh")
        };
        assert_eq!((ssh.destination.as_str(), ssh.port, ssh.path.as_str()), ("git@::1", Some(22), "/x y"));
    }
}
