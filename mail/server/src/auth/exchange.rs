//! SASL exchanges against the account database: what the machine asks for, looked up and checked.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::sasl::server::{Server, Step};
use super::sasl::{Bindings, Exchange, Response, Turn};
use super::scram::Record;
use super::{Account, Authenticator, LoginError, canonical};

impl Authenticator {
    /// Begins an AUTH command; `None` for a mechanism that is not offered. `bindings` are those of the TLS connection.
    pub(crate) fn begin(&self, mechanism: &str, bindings: Option<Bindings>) -> Option<Exchange> {
        let server = Server::start(mechanism, bindings)?;
        Some(Exchange { server, found: None, user: String::new(), started: Instant::now() })
    }

    /// Takes a response (`None`: the command had no initial one) and says what comes next.
    pub(crate) async fn advance(
        &self,
        exchange: &mut Exchange,
        peer: IpAddr,
        response: Option<Response>,
        base_delay: Duration,
    ) -> Turn {
        let mut step = exchange.server.respond(response);
        loop {
            step = match step {
                Step::Challenge(challenge) => return Turn::Challenge(challenge),
                Step::Malformed => return Turn::Failed(LoginError::Malformed),
                Step::Verify { user, password } => {
                    return match self.login(peer, &user, password, base_delay).await {
                        Ok(account) => Turn::Done(account),
                        Err(error) => Turn::Failed(error),
                    };
                }
                Step::Lookup { user } => match self.record(exchange, peer, user).await {
                    Ok(record) => exchange.server.found(record),
                    Err(error) => return self.end(exchange, peer, Err(error)),
                },
                Step::Wrong => {
                    let failed = self.failed(peer, exchange.started, base_delay);
                    return self.end(exchange, peer, Err(failed));
                }
                Step::Done => {
                    let account = self.proven(exchange, peer, base_delay);
                    return self.end(exchange, peer, account);
                }
            };
        }
    }

    /// The SCRAM record of a user. Unknown users, and those that have none yet, get one that nobody knows the password of.
    async fn record(
        &self,
        exchange: &mut Exchange,
        peer: IpAddr,
        user: String,
    ) -> Result<Record, LoginError> {
        exchange.started = Instant::now();
        if self.throttle.is_blocked(peer, exchange.started) {
            return Err(LoginError::Unavailable);
        }
        exchange.found = self.lookup(&user).await?;
        let record = exchange.found.as_ref().and_then(|login| {
            let own = login.scram.as_deref().and_then(Record::parse);
            // An imported hash may be a record itself.
            own.or_else(|| login.hash.as_deref().and_then(Record::parse))
        });
        // One salt for all the ways to write a name, as for a real one.
        let name = canonical(&user).unwrap_or_else(|| user.clone());
        exchange.user = user;
        match record {
            Some(record) => Ok(record),
            None => {
                exchange.found = None;
                Ok(Record::decoy(&self.decoy_secret().await?, &name))
            }
        }
    }

    /// The client has proved itself.
    fn proven(
        &self,
        exchange: &mut Exchange,
        peer: IpAddr,
        base_delay: Duration,
    ) -> Result<Account, LoginError> {
        match exchange.found.take() {
            Some(login) if login.active => {
                self.note_login(&login);
                Ok(Account::of(login))
            }
            Some(_) => Err(LoginError::Disabled),
            // A decoy's password, which nobody knows.
            None => Err(self.failed(peer, exchange.started, base_delay)),
        }
    }

    fn end(&self, exchange: &Exchange, peer: IpAddr, result: Result<Account, LoginError>) -> Turn {
        super::report(&result, &exchange.user, peer);
        match result {
            Ok(account) => Turn::Done(account),
            Err(error) => Turn::Failed(error),
        }
    }

    /// Of this installation, so that a decoy's salt is the same tomorrow.
    async fn decoy_secret(&self) -> Result<[u8; 8], LoginError> {
        let secret = self.decoy.get_or_try_init(|| async {
            let secret = self.store.accounts().decoy_secret().await?;
            Ok::<_, mailwright_store::Error>(secret.to_le_bytes())
        });
        secret.await.copied().map_err(|error| {
            tracing::error!(%error, "login lookup failed");
            LoginError::Unavailable
        })
    }
}

#[cfg(test)]
mod tests;
