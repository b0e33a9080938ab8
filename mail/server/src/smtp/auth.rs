//! AUTH (RFC 4954): hands the exchange to the authenticator, and holds back what failed as IMAP's login does.

use std::time::Instant;

use mailwright_smtp::{Answer, Enhanced, Reply, SaslData};
use zeroize::Zeroizing;

use super::Driver;
use crate::auth::sasl::{self, Bindings, Turn};
use crate::auth::{Account, LoginError};

impl Driver {
    /// AUTH with its initial response.
    pub(super) async fn auth(&mut self, mechanism: &str, initial: Option<SaslData>) -> Answer {
        self.exchange = self.context.auth.begin(mechanism, self.bindings.clone());
        match self.exchange {
            Some(_) => self.advance(initial).await,
            None => Answer::Reject(Reply::new(504, Enhanced(5, 5, 4), "no such mechanism here")),
        }
    }

    /// The client's response to a challenge.
    pub(super) async fn auth_response(&mut self, response: SaslData) -> Answer {
        self.advance(Some(response)).await
    }

    async fn advance(&mut self, response: Option<SaslData>) -> Answer {
        let Some(mut exchange) = self.exchange.take() else { return Answer::Reject(unavailable()) };
        let response = response.map(|data| Zeroizing::new(data.into_bytes()));
        let base = self.settings.config.limits.auth_delay;
        match self.context.auth.advance(&mut exchange, self.peer, response, base).await {
            Turn::Challenge(challenge) => {
                self.exchange = Some(exchange);
                Answer::Challenge(challenge.into())
            }
            Turn::Done(account) => self.enter(account).await,
            Turn::Failed(error) => self.refused(error).await,
        }
    }

    /// The login is registered before it is looked at again: whoever changes the password meanwhile ends this session or is
    /// seen here.
    async fn enter(&mut self, account: Account) -> Answer {
        self.handle.set_user(Some(&account));
        if !self.context.auth.holds(&account).await.unwrap_or(false) {
            self.handle.set_user(None);
            return Answer::Reject(unavailable());
        }
        let login = account.address.clone();
        self.account = Some(account);
        Answer::Authenticated { login }
    }

    async fn refused(&mut self, error: LoginError) -> Answer {
        let reply = match error {
            LoginError::Credentials { answer_at } => {
                tokio::select! {
                    () = tokio::time::sleep_until(answer_at.into()) => {}
                    () = self.handle.end() => self.session.shutdown(Instant::now()),
                }
                Reply::new(535, Enhanced(5, 7, 8), "authentication credentials invalid")
            }
            // RFC 5248 §2.4.
            LoginError::Disabled => Reply::new(525, Enhanced(5, 7, 13), "this account is disabled"),
            LoginError::Malformed => Reply::new(501, Enhanced(5, 5, 2), "not a response of this mechanism"),
            LoginError::Unavailable => unavailable(),
        };
        Answer::Reject(reply)
    }
}

/// RFC 4954 §6.
fn unavailable() -> Reply {
    Reply::new(454, Enhanced(4, 7, 0), "temporary authentication failure, try again later")
}

/// What the machine may offer: what every TLS connection can do, and less on one that cannot be bound to.
pub(crate) fn mechanisms() -> Vec<String> {
    let bound = Bindings { exporter: Some([0; 32]), end_point: None };
    sasl::mechanisms(Some(&bound)).iter().map(|name| (*name).to_owned()).collect()
}
