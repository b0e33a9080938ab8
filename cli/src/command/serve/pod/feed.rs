//! What a pod's settings come from, and the last good of each: the configuration file, the certificate, what was pushed. One that
//! cannot be used is told and changes nothing.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use mailwright_operator::Serving;
use mailwright_operator::certificate::PemPair;
use mailwright_operator::relay::RelayLogin;
use mailwright_plan::observed::ServerDeclared;
use mailwright_server::files::{self, Content, Watched};
use mailwright_server::management::{Facts, Pushed, PushedKey, digest, read_pushed};
use mailwright_server::{Certificate, Secret, ServerConfig, SigningKey};
use serde::Deserialize;

use crate::args::Listen;
use crate::command::serve::settings;

/// The version of the file's form that this program reads.
const VERSION: u32 = 1;
/// Where the last good configuration file is kept in the data directory, for a start at which the file is not usable.
const KEPT: &str = "server.json";

/// The configuration file.
#[derive(Deserialize)]
struct File {
    server: ServerDeclared,
}

/// What every version of it says.
#[derive(Deserialize)]
struct Form {
    version: u32,
}

/// The sources and what was last good of them.
pub(super) struct Feed {
    data: PathBuf,
    listen: Listen,
    config: Watched,
    tls: Option<Watched>,
    declared: Option<ServerDeclared>,
    certificate: Option<PemPair>,
    pushed: Pushed,
    facts: Facts,
    changed: bool,
}

impl Feed {
    pub(super) fn new(data: &Path, config: &Path, tls: Option<&Path>, listen: Listen) -> Feed {
        Feed {
            data: data.to_owned(),
            listen,
            config: Watched::new(vec![config.to_owned()]),
            tls: tls
                .map(|directory| Watched::new(vec![directory.join("tls.crt"), directory.join("tls.key")])),
            declared: None,
            certificate: None,
            pushed: Pushed::default(),
            facts: Facts::default(),
            changed: false,
        }
    }

    /// The settings to start with: of the file, or of the last one that was good.
    pub(super) fn first(&mut self) -> Result<ServerConfig> {
        self.look();
        self.read_pushed();
        if self.declared.is_none() {
            self.take_kept();
        }
        self.changed = false;
        match (self.config(), &self.facts.config_error) {
            (Some(config), _) => Ok(config),
            (None, Some(error)) => bail!("{error}; without a configuration there is nothing to serve"),
            (None, None) => bail!("there is no configuration"),
        }
    }

    /// Looks at the files.
    pub(super) fn look(&mut self) {
        if let Some(contents) = self.config.look()
            && let Some(content) = contents.first()
        {
            self.take_config(content);
        }
        if let Some(contents) = self.tls.as_mut().and_then(Watched::look) {
            self.take_certificate(&contents);
        }
    }

    /// Reads what was pushed last.
    pub(super) fn read_pushed(&mut self) {
        match read_pushed(&self.data) {
            Ok(pushed) => {
                let pushed = pushed.unwrap_or_default();
                self.changed |= pushed != self.pushed;
                self.pushed = pushed;
            }
            Err(error) => {
                tracing::error!(%error, "cannot read what was pushed; keys and policies stay as they are");
            }
        }
    }

    /// Whether something changed since this was last asked.
    pub(super) fn take_change(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// For the health of the server.
    pub(super) fn facts(&self) -> Facts {
        self.facts.clone()
    }

    /// Notes that the server refused the settings.
    pub(super) fn refused(&mut self, error: &str) {
        self.facts.config_error = Some(error.to_owned());
    }

    /// All of it as the server wants it; `None` before there was a good configuration.
    pub(super) fn config(&self) -> Option<ServerConfig> {
        let server = self.declared.clone()?;
        let serving = Serving {
            certificate: self.certificate.clone(),
            domains: Vec::new(),
            mta_sts: self.pushed.mta_sts.clone(),
            relay_login: self.relay_login(&server),
            dkim: Default::default(),
            login_example: None,
            server,
        };
        let dkim = self.pushed.dkim.iter();
        let dkim = dkim.map(|(domain, keys)| (domain.clone(), keys.iter().map(signing_key).collect()));
        Some(ServerConfig { lenient: true, dkim: dkim.collect(), ..settings::config(&serving, &self.listen) })
    }

    fn take_config(&mut self, content: &Content) {
        self.changed = true;
        match parse(content) {
            Ok((declared, bytes)) => {
                self.facts.config_digest = Some(digest(bytes));
                self.facts.config_error = None;
                self.declared = Some(declared);
                if let Err(error) = files::replace(&self.data.join(KEPT), bytes) {
                    tracing::warn!(%error, "cannot keep the configuration for a start without it");
                }
            }
            Err(error) => {
                let error = format!("the configuration file is not usable: {error}");
                let last =
                    if self.declared.is_some() { "the last good one stays" } else { "there is no other" };
                tracing::error!(%error, "{last}");
                self.facts.config_error = Some(error);
            }
        }
    }

    fn take_kept(&mut self) {
        let kept = std::fs::read(self.data.join(KEPT)).map_err(|_| files::Missing::Absent);
        if let Ok((declared, bytes)) = parse(&kept) {
            tracing::warn!("starting with the configuration that was last good");
            self.facts.config_digest = Some(digest(bytes));
            self.declared = Some(declared);
        }
    }

    fn take_certificate(&mut self, contents: &[Content]) {
        self.changed = true;
        match certificate(contents) {
            Ok(pair) => {
                self.certificate = Some(pair);
                self.facts.certificate_error = None;
            }
            Err(error) => {
                let error = format!("the certificate is not usable: {error}");
                let last = match self.certificate {
                    Some(_) => "the last one stays in force",
                    None => "there is no TLS and no login until there is one",
                };
                tracing::error!(%error, "{last}");
                self.facts.certificate_error = Some(error);
            }
        }
    }

    /// The login that was pushed, if it is for the host and the Secret that are declared.
    fn relay_login(&self, server: &ServerDeclared) -> Option<RelayLogin> {
        let relay = server.relay.as_ref()?;
        let login = self.pushed.relay_login.as_ref()?;
        let (namespace, _) = server.name.split_once('/')?;
        let secret = format!("{namespace}/{}", relay.secret()?);
        (login.host == relay.host && login.secret == secret).then(|| RelayLogin {
            host: login.host.clone(),
            secret,
            username: login.username.clone(),
            password: login.password.clone(),
        })
    }
}

fn signing_key(key: &PushedKey) -> SigningKey {
    SigningKey {
        selector: key.selector.clone(),
        algorithm: key.algorithm.into(),
        pem: Secret::new(key.private_pem.clone()),
    }
}

fn parse(content: &Content) -> Result<(ServerDeclared, &[u8]), String> {
    let bytes = content.as_ref().map_err(ToString::to_string)?;
    // Apart from the rest: what a later version holds need not be understood to be refused.
    let Form { version } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if version != VERSION {
        return Err(format!("its form is version {version}, this program reads {VERSION}"));
    }
    let File { server } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    Ok((server, bytes))
}

fn certificate(contents: &[Content]) -> Result<PemPair, String> {
    let text = |index: usize, name: &str| match contents.get(index) {
        Some(Ok(bytes)) => String::from_utf8(bytes.clone()).map_err(|_| format!("{name} is not PEM")),
        Some(Err(error)) => Err(format!("{name}: {error}")),
        None => Err(format!("{name} was not read")),
    };
    let pair = PemPair { certificate: text(0, "tls.crt")?, key: text(1, "tls.key")? };
    let certificate = Certificate { chain_pem: pair.certificate.clone(), key_pem: pair.key.clone() };
    certificate.check().map(|()| pair)
}

#[cfg(test)]
mod tests;
