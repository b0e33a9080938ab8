//! The carrier for http and https: each request is one POST, each answer its body (gitprotocol-http(5)).

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use reqwest::Url;
use reqwest::blocking::{Client, RequestBuilder, Response};
use reqwest::redirect::Policy;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::super::{Credentials, HttpCredentials, SecretValue};
use super::GitError;
use super::fetch::Patience;
use super::location::HttpLocation;
use super::upload_pack::{VERSION_REQUEST, remote_text};

/// A repository moves seldom, and never this often at once.
const MAX_REDIRECTS: usize = 5;
/// Git's servers look for this beginning.
const USER_AGENT: &str = concat!("git/2.0 (mailwright/", env!("CARGO_PKG_VERSION"), ")");
/// The user that goes with a token when the URL names none; hosts look at the token only.
const TOKEN_USER: &str = "x-access-token";

/// A server and how to speak to it; kept between polls, so that connections are used again.
#[derive(Debug)]
pub(super) struct HttpServer {
    client: Client,
    location: HttpLocation,
    credentials: Option<HttpCredentials>,
}

/// One conversation.
pub(super) struct HttpCarrier<'a> {
    server: &'a HttpServer,
    /// The repository's URL after redirects.
    base: Url,
    answer: Response,
}

impl HttpServer {
    /// `ca_file` is a PEM file with more certificate authorities than the system's.
    pub(super) fn new(
        location: HttpLocation,
        given: &Credentials,
        ca_file: Option<&Path>,
        patience: Patience,
    ) -> Result<Self, GitError> {
        let credentials = login(&location, given.http.as_ref());
        if credentials.is_some() && !location.may_carry_credentials() {
            return Err(GitError::Refused("credentials are never sent over http; use https".to_owned()));
        }
        let mut client = Client::builder()
            .tls_backend_preconfigured(tls(given.ca.as_ref(), ca_file)?)
            .user_agent(USER_AGENT)
            .connect_timeout(patience.connect)
            .timeout(patience.silence)
            .redirect(redirects());
        if let Some(proxy) = &given.proxy {
            client = client.proxy(through(proxy)?);
        }
        Ok(HttpServer { client: client.build().map_err(unreachable)?, location, credentials })
    }

    /// Opens a conversation: `GET …/info/refs?service=git-upload-pack`.
    pub(super) fn connect(&self) -> Result<HttpCarrier<'_>, GitError> {
        let mut url = self.location.url.clone();
        url.set_path(&format!("{}/info/refs", url.path().trim_end_matches('/')));
        url.set_query(Some("service=git-upload-pack"));
        let request = self.client.get(url).header("Git-Protocol", VERSION_REQUEST);
        let answer = self.authorised(request, &self.location.url).send().map_err(unreachable)?;
        let answer =
            checked(answer, "application/x-git-upload-pack-advertisement", self.credentials.is_some())?;
        let mut base = answer.url().clone();
        base.set_query(None);
        let path = base.path().strip_suffix("/info/refs").unwrap_or(base.path()).to_owned();
        base.set_path(&path);
        Ok(HttpCarrier { server: self, base, answer })
    }

    /// Adds the credentials, but for the server they were given for only.
    fn authorised(&self, request: RequestBuilder, to: &Url) -> RequestBuilder {
        match &self.credentials {
            Some(credentials) if to.origin() == self.location.url.origin() => {
                let text = |value: &SecretValue| String::from_utf8_lossy(value.expose()).trim().to_owned();
                match credentials {
                    HttpCredentials::Basic { username, password } => {
                        request.basic_auth(username, Some(text(password)))
                    }
                    HttpCredentials::Token(token) => request.basic_auth(TOKEN_USER, Some(text(token))),
                    HttpCredentials::Bearer(token) => request.bearer_auth(text(token)),
                }
            }
            _ => request,
        }
    }
}

impl HttpCarrier<'_> {
    pub(super) fn send(&mut self, request: Vec<u8>) -> Result<(), GitError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}/git-upload-pack", self.base.path()));
        let post = self.server.client.post(url);
        let post = self
            .server
            .authorised(post, &self.base)
            .header("Git-Protocol", VERSION_REQUEST)
            .header("Content-Type", "application/x-git-upload-pack-request")
            .header("Accept", "application/x-git-upload-pack-result")
            .body(request);
        let answer = post.send().map_err(unreachable)?;
        let credentials = self.server.credentials.is_some();
        self.answer = checked(answer, "application/x-git-upload-pack-result", credentials)?;
        Ok(())
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, GitError> {
        self.answer
            .read(buffer)
            .map_err(|error| GitError::Unreachable(remote_text(error.to_string().as_bytes())))
    }
}

/// What is sent: what was given, else what the URL holds.
fn login(location: &HttpLocation, given: Option<&HttpCredentials>) -> Option<HttpCredentials> {
    let user = location.user.clone();
    match (given, user, location.password.clone()) {
        (Some(HttpCredentials::Token(token)), Some(username), _) => {
            Some(HttpCredentials::Basic { username, password: token.clone() })
        }
        (Some(given), ..) => Some(given.clone()),
        (None, user, Some(password)) => {
            Some(HttpCredentials::Basic { username: user.unwrap_or_else(|| TOKEN_USER.to_owned()), password })
        }
        // `https://TOKEN@host/…`: the token stands for the user, as hosts document it.
        (None, Some(username), None) => {
            Some(HttpCredentials::Basic { username, password: SecretValue::default() })
        }
        (None, None, None) => None,
    }
}

fn through(proxy: &super::super::Proxy) -> Result<reqwest::Proxy, GitError> {
    let wrong =
        |_| GitError::Refused("the proxy's address cannot be used; write http://host:port".to_owned());
    let all = reqwest::Proxy::all(proxy.address.clone()).map_err(wrong)?;
    Ok(match &proxy.login {
        Some((user, password)) => all.basic_auth(user, &String::from_utf8_lossy(password.expose())),
        None => all,
    })
}

pub(super) fn tls(ca: Option<&SecretValue>, ca_file: Option<&Path>) -> Result<ClientConfig, GitError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let wrong = |reason: String| {
            GitError::Refused(format!(
                "the CA file {} cannot be used ({reason}); give a PEM file",
                path.display()
            ))
        };
        let certificates = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        }
    }
    if let Some(ca) = ca {
        let wrong = || GitError::Refused("ca.crt cannot be used; give certificates in PEM".to_owned());
        let before = roots.len();
        for certificate in CertificateDer::pem_slice_iter(ca.expose()) {
            let certificate = certificate.map_err(|_| wrong())?;
            roots.add(certificate).map_err(|_| wrong())?;
        }
        if roots.len() == before {
            return Err(wrong());
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| GitError::Refused(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Redirects within a few steps, never from https to http.
fn redirects() -> Policy {
    Policy::custom(|attempt| {
        let downgrade = attempt.url().scheme() != "https"
            && attempt.previous().last().is_some_and(|previous| previous.scheme() == "https");
        if downgrade {
            attempt.error("the server redirects from https to http")
        } else if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("the server redirects in circles")
        } else {
            attempt.follow()
        }
    })
}

/// The status and type of an answer, in words.
fn checked(answer: Response, expected: &str, credentials: bool) -> Result<Response, GitError> {
    let status = answer.status();
    let reason = match status.as_u16() {
        200 => {
            let kind = answer
                .headers()
                .get("content-type")
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            if kind.split(';').next().unwrap_or_default().trim() == expected {
                return Ok(answer);
            }
            "the server answers, but not with Git's smart protocol; check the URL".to_owned()
        }
        401 | 403 if credentials => {
            format!("the server refused the credentials ({status}); check user and token")
        }
        401 | 403 => format!("the server asks for credentials ({status}); give a token"),
        404 | 410 => {
            format!("there is no such repository, or it is private ({status}); check the URL and the token")
        }
        429 => {
            let text = "the server asks for fewer requests (429); use a longer interval";
            return Err(GitError::Busy(text.to_owned()));
        }
        407 => format!("the proxy asks for credentials ({status}); give it user and password"),
        _ => return Err(GitError::Unreachable(format!("the server answered {status}"))),
    };
    Err(GitError::Refused(reason))
}

/// The innermost reason of a failed request; the URL is left out.
fn unreachable(error: reqwest::Error) -> GitError {
    let error = error.without_url();
    if error.is_timeout() {
        return GitError::silent();
    }
    let mut reason: &dyn std::error::Error = &error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    match reason.to_string() {
        text if text.contains("proxy authorization required") => GitError::Refused(
            "the proxy asks for credentials (407); give it user and password, or others".to_owned(),
        ),
        text if text.contains("tunnel error") => {
            GitError::Unreachable("the proxy does not connect to the server; ask who runs it".to_owned())
        }
        text => GitError::Unreachable(remote_text(text.as_bytes())),
    }
}
