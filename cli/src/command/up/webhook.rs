//! Webhooks of `mailwright up`: a listener of its own, and when to look at the repository because of one.
//!
//! Own, and not a route of the mail server's HTTP: that one is public, takes no body and is opened by the manifests, which
//! may not open a way to themselves.

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use mailwright_operator::platform::local::Local;
use mailwright_operator::repository;
use mailwright_operator::source::Source;
use mailwright_operator::webhook::{self, Again, Delivery, Hook, Receiver, Token};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::args::webhook::Webhook;
use crate::command::source::{Followed, secret_file};

/// What tells of pushes; nothing ever, when no listener was asked for.
#[derive(Debug, Default)]
pub struct Webhooks {
    listening: Option<Listening>,
    again: Again,
}

#[derive(Debug)]
struct Listening {
    told: mpsc::Receiver<Delivery>,
    /// Where the forge sends to.
    url: String,
    path: String,
}

impl Webhooks {
    /// Listens, when the command line or `spec.webhook` says so.
    pub async fn listen(
        options: &Webhook,
        source: &Source,
        followed: Option<&Followed>,
        platform: &Local,
    ) -> Result<Webhooks> {
        let declared = match followed.filter(|followed| followed.object.spec.webhook.is_some()) {
            Some(followed) => {
                repository::hook(&followed.object, &followed.secrets, &platform.webhook_key()?)?
            }
            None => None,
        };
        let (address, hook) = match (options.listen, declared, &options.token_file) {
            (None, None, _) => return Ok(Webhooks::default()),
            (None, Some(_), _) => bail!(
                "spec.webhook takes webhooks, and nothing says where: give --webhook-listen, like 127.0.0.1:9292"
            ),
            (Some(_), Some(_), Some(_)) => {
                bail!("spec.webhook names the token of the webhooks; leave out --webhook-token-file")
            }
            (Some(address), Some(hook), None) => (address, hook),
            (Some(_), None, None) => bail!(
                "webhooks are signed: give --webhook-token-file, or declare spec.webhook in the file of --config"
            ),
            (Some(address), None, Some(file)) => (address, told_by_flags(options, file, source, platform)?),
        };
        let path = hook.path.clone();
        let (receiver, told) = Receiver::new().context("the system has no entropy")?;
        receiver.set([hook]);
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.with_context(|| format!("cannot listen on {address} for webhooks; choose another"))?;
        let url = url(listener.local_addr()?, &path);
        tokio::spawn(async move {
            if let Err(error) = receiver.serve(listener).await {
                tracing::error!(%error, "webhooks are taken no more; the interval stays");
            }
        });
        Ok(Webhooks { listening: Some(Listening { told, url, path }), again: Again::default() })
    }

    /// The path of it, which nobody can guess.
    pub fn path(&self) -> Option<&str> {
        self.listening.as_ref().map(|listening| listening.path.as_str())
    }

    /// What a forge has to be told.
    pub fn url(&self) -> Option<&str> {
        self.listening.as_ref().map(|listening| listening.url.as_str())
    }

    /// Waits until the repository should be looked at because of a webhook.
    pub async fn told(&mut self) {
        let Some(listening) = &mut self.listening else { return pending().await };
        let next = self.again.next();
        let later = async {
            match next {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            delivery = listening.told.recv() => match delivery {
                // One look is enough for all that wait.
                Some(_) => {
                    while listening.told.try_recv().is_ok() {}
                    self.again.pushed(Instant::now());
                }
                None => pending().await,
            },
            () = later => self.again.passed(),
        }
    }

    /// The repository was looked at, and whether there was something new.
    pub fn looked(&mut self, news: bool) {
        if news {
            self.again.seen();
        }
    }
}

/// The webhook of the command line.
fn told_by_flags(options: &Webhook, file: &Path, source: &Source, platform: &Local) -> Result<Hook> {
    if matches!(source, Source::Directory(_)) {
        bail!("a directory is looked at twice a second and has no webhooks; leave out --webhook-listen");
    }
    let value = secret_file(file).with_context(|| format!("--webhook-token-file {}", file.display()))?;
    let token = Token::new(&value).with_context(|| format!("{} is empty", file.display()))?;
    let path = webhook::path(&platform.webhook_key()?, "", source.id(), "");
    Ok(Hook { repository: source.id().to_owned(), path, provider: options.provider.into(), token })
}

fn url(address: SocketAddr, path: &str) -> String {
    format!("http://{address}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_one_that_can_be_copied() {
        let path = "/hook/0a";
        assert_eq!(url("127.0.0.1:9292".parse().unwrap(), path), "http://127.0.0.1:9292/hook/0a");
        assert_eq!(url("[::1]:9292".parse().unwrap(), path), "http://[::1]:9292/hook/0a");
    }
}
