//! What a Git server and the proxy before it ask for, as values out of Secrets.
//!
//! The keys are those that people have in such Secrets already: `username` and `password`, `bearerToken`, `identity`,
//! `known_hosts`, `ca.crt`; for a proxy `address`, `username` and `password`.

use reqwest::Url;

use super::super::{Secret, SecretValue};

/// What a repository's server asks for. Empty: whatever the user of this process has configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credentials {
    /// For http and https.
    pub http: Option<HttpCredentials>,
    /// For ssh; with it the client inside this process is used and no program.
    pub ssh: Option<SshCredentials>,
    /// Certificate authorities in PEM besides the system's.
    pub ca: Option<SecretValue>,
    /// The proxy to go through; the variables of the environment when absent.
    pub proxy: Option<Proxy>,
}

/// How to log in over http.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpCredentials {
    /// A password or token; the user is the URL's, or one that hosts do not look at.
    Token(SecretValue),
    /// User and password.
    Basic {
        /// The user.
        username: String,
        /// The password, often a token.
        password: SecretValue,
    },
    /// `Authorization: Bearer`.
    Bearer(SecretValue),
}

/// How to log in over ssh, and who must answer there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshCredentials {
    /// The private key, in OpenSSH's or PKCS #8 form; none for a server that lets everyone in.
    pub identity: Option<SecretValue>,
    /// Opens the private key.
    pub passphrase: Option<SecretValue>,
    /// Lines as in `~/.ssh/known_hosts`.
    pub known_hosts: SecretValue,
}

/// A proxy that is asked to CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `http://proxy.example.test:3128`, without credentials.
    pub address: Url,
    /// User and password, if it asks for them.
    pub login: Option<(String, SecretValue)>,
}

/// What is wrong with a Secret of credentials; it never repeats a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// None of the keys that are looked for.
    #[error(
        "it has none of username and password, bearerToken, identity and known_hosts, or ca.crt; add one"
    )]
    Nothing,
    /// A key that needs another beside it.
    #[error("it has {0} but no {1}; add {1}")]
    Lone(&'static str, &'static str),
    /// Two ways of logging in.
    #[error("it has both {0} and {1}; keep the one that the server asks for")]
    Both(&'static str, &'static str),
    /// Bytes where text should be.
    #[error("{0} is not text; write it again")]
    NotText(&'static str),
    /// Not the address of a proxy.
    #[error("address is not one of a proxy; write http://proxy.example.org:3128")]
    Proxy,
}

impl Credentials {
    /// Reads a Secret; keys that mean nothing here are ignored.
    pub fn from_secret(secret: &Secret) -> Result<Credentials, CredentialsError> {
        let value = |key: &str| secret.values.get(key).filter(|value| !value.expose().is_empty()).cloned();
        let (identity, known_hosts) = (value("identity"), value("known_hosts"));
        let (username, password) = (text(secret, "username")?, value("password"));
        let bearer = value("bearerToken");
        let mut credentials = Credentials { ca: value("ca.crt"), ..Credentials::default() };
        match (identity, known_hosts, &bearer, &username) {
            (Some(_), _, Some(_), _) => return Err(CredentialsError::Both("identity", "bearerToken")),
            (Some(_), _, _, Some(_)) => return Err(CredentialsError::Both("identity", "username")),
            (_, _, Some(_), Some(_)) => return Err(CredentialsError::Both("bearerToken", "username")),
            (Some(_), None, _, _) => return Err(CredentialsError::Lone("identity", "known_hosts")),
            (Some(identity), Some(known_hosts), _, _) => {
                credentials.ssh =
                    Some(SshCredentials { identity: Some(identity), passphrase: password, known_hosts });
            }
            (None, known_hosts, _, _) => {
                credentials.ssh = known_hosts.map(|known_hosts| SshCredentials {
                    identity: None,
                    passphrase: None,
                    known_hosts,
                });
                credentials.http = match (bearer, username, password) {
                    (Some(_), _, Some(_)) => return Err(CredentialsError::Both("bearerToken", "password")),
                    (Some(token), _, None) => Some(HttpCredentials::Bearer(token)),
                    (None, Some(username), Some(password)) => {
                        Some(HttpCredentials::Basic { username, password })
                    }
                    (None, Some(_), None) => return Err(CredentialsError::Lone("username", "password")),
                    (None, None, Some(token)) => Some(HttpCredentials::Token(token)),
                    (None, None, None) => None,
                };
            }
        }
        let nothing = credentials == Credentials::default();
        if nothing { Err(CredentialsError::Nothing) } else { Ok(credentials) }
    }
}

impl Proxy {
    /// Reads a Secret: `address`, and `username` and `password` if the proxy asks.
    pub fn from_secret(secret: &Secret) -> Result<Proxy, CredentialsError> {
        let address = text(secret, "address")?.ok_or(CredentialsError::Proxy)?;
        let proxy = Proxy::parse(&address)?;
        let password = secret.values.get("password").cloned();
        Ok(match (text(secret, "username")?, password) {
            (Some(username), Some(password)) => Proxy { login: Some((username, password)), ..proxy },
            (Some(_), None) => return Err(CredentialsError::Lone("username", "password")),
            (None, Some(_)) => return Err(CredentialsError::Lone("password", "username")),
            (None, None) => proxy,
        })
    }

    /// An address, which may hold user and password.
    pub fn parse(address: &str) -> Result<Proxy, CredentialsError> {
        let mut url = Url::parse(address.trim()).map_err(|_| CredentialsError::Proxy)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(CredentialsError::Proxy);
        }
        let user = decoded(url.username());
        let password = decoded(url.password().unwrap_or_default());
        let login = (!user.is_empty()).then(|| (user, SecretValue::new(password)));
        // Neither fails for a scheme that has an authority.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_path("");
        url.set_query(None);
        url.set_fragment(None);
        Ok(Proxy { address: url, login })
    }
}

fn decoded(text: &str) -> String {
    super::super::git::location::decoded(text)
}

/// A value that is text, without the line end that editors leave.
fn text(secret: &Secret, key: &'static str) -> Result<Option<String>, CredentialsError> {
    let Some(value) = secret.values.get(key) else { return Ok(None) };
    let text = std::str::from_utf8(value.expose()).map_err(|_| CredentialsError::NotText(key))?.trim();
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(values: &[(&str, &str)]) -> Secret {
        let values = values.iter().map(|(key, value)| ((*key).to_owned(), SecretValue::new(*value)));
        Secret { values: values.collect() }
    }

    /// Which parts were found, or what is wrong.
    fn read(values: &[(&str, &str)]) -> String {
        match Credentials::from_secret(&secret(values)) {
            Err(error) => error.to_string(),
            Ok(Credentials { http, ssh, ca, .. }) => {
                let http = match http {
                    None => "",
                    Some(HttpCredentials::Token(_)) => "token ",
                    Some(HttpCredentials::Basic { .. }) => "basic ",
                    Some(HttpCredentials::Bearer(_)) => "bearer ",
                };
                let ssh = match ssh {
                    None => "",
                    Some(SshCredentials { passphrase: Some(_), .. }) => "ssh with passphrase ",
                    Some(SshCredentials { identity: Some(_), .. }) => "ssh ",
                    Some(SshCredentials { .. }) => "ssh without identity ",
                };
                format!("{http}{ssh}{}", if ca.is_some() { "ca" } else { "" }).trim().to_owned()
            }
        }
    }

    #[test]
    fn secrets_are_read_by_their_keys() {
        let table: [(&[(&str, &str)], &str); 16] = [
            (&[("username", "git"), ("password", "p")], "basic"),
            (&[("username", "git\n"), ("password", "p"), ("ca.crt", "x")], "basic ca"),
            (&[("password", "p")], "token"),
            (&[("bearerToken", "p")], "bearer"),
            (&[("identity", "k"), ("known_hosts", "h")], "ssh"),
            (&[("identity", "k"), ("known_hosts", "h"), ("password", "p")], "ssh with passphrase"),
            (&[("known_hosts", "h")], "ssh without identity"),
            (&[("ca.crt", "x"), ("identity.pub", "ignored")], "ca"),
            (&[("identity", "k")], "it has identity but no known_hosts; add known_hosts"),
            (&[("username", "git")], "it has username but no password; add password"),
            (&[("username", "g"), ("password", "")], "it has username but no password; add password"),
            (
                &[("bearerToken", "t"), ("username", "g"), ("password", "p")],
                "it has both bearerToken and username; keep the one that the server asks for",
            ),
            (
                &[("bearerToken", "t"), ("password", "p")],
                "it has both bearerToken and password; keep the one that the server asks for",
            ),
            (
                &[("identity", "k"), ("known_hosts", "h"), ("bearerToken", "t")],
                "it has both identity and bearerToken; keep the one that the server asks for",
            ),
            (
                &[("identity", "k"), ("known_hosts", "h"), ("username", "t")],
                "it has both identity and username; keep the one that the server asks for",
            ),
            (
                &[("tls.crt", "x")],
                "it has none of username and password, bearerToken, identity and known_hosts, or ca.crt; add one",
            ),
        ];
        for (values, expected) in table {
            assert_eq!(read(values), expected, "{values:?}");
        }
    }

    #[test]
    fn proxies_are_read_and_shown_without_passwords() {
        type Case = (&'static [(&'static str, &'static str)], Result<(&'static str, bool), CredentialsError>);
        let table: [Case; 8] = [
            (&[("address", "http://proxy:3128\n")], Ok(("http://proxy:3128/", false))),
            (&[("address", "http://a:hunter2@proxy/x?y")], Ok(("http://proxy/", true))),
            (
                &[("address", "https://p"), ("username", "a"), ("password", "hunter2")],
                Ok(("https://p/", true)),
            ),
            (&[("address", "socks5://proxy")], Err(CredentialsError::Proxy)),
            (&[("address", "proxy:3128")], Err(CredentialsError::Proxy)),
            (&[("username", "a")], Err(CredentialsError::Proxy)),
            (
                &[("address", "http://p"), ("username", "a")],
                Err(CredentialsError::Lone("username", "password")),
            ),
            (
                &[("address", "http://p"), ("password", "hunter2")],
                Err(CredentialsError::Lone("password", "username")),
            ),
        ];
        for (values, expected) in table {
            let read = Proxy::from_secret(&secret(values));
            assert!(!format!("{read:?}").contains("hunter2"), "{read:?}");
            let read = read.map(|proxy| (proxy.address.to_string(), proxy.login.is_some()));
            assert_eq!(read, expected.map(|(address, login)| (address.to_owned(), login)));
        }
    }

    #[test]
    fn nothing_shows_a_value() {
        let all = [
            secret(&[("username", "git"), ("password", "hunter2"), ("ca.crt", "hunter2")]),
            secret(&[("bearerToken", "hunter2")]),
            secret(&[("identity", "hunter2"), ("known_hosts", "hunter2"), ("password", "hunter2")]),
        ];
        for secret in all {
            let shown = format!("{:?}", Credentials::from_secret(&secret).unwrap());
            assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
        }
    }
}
