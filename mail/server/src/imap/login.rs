//! Answers about who it is: LOGIN and AUTHENTICATE (RFC 3501 §6.2), out of [`crate::auth`].

use std::time::Instant;

use mailwright_imap::{Answer, Password, Refusal};
use zeroize::Zeroizing;

use super::{Driver, User};
use crate::auth::sasl::{Bindings, Exchange, Turn};
use crate::auth::{Account, LoginError};
use crate::metrics::LoggedIn;

/// What a connection keeps until somebody is logged in.
#[derive(Default)]
pub(super) struct Door {
    /// Of the TLS connection, for SCRAM.
    pub(super) bindings: Option<Bindings>,
    /// The AUTHENTICATE in progress.
    exchange: Option<Exchange>,
}

impl Driver {
    pub(super) async fn login(&mut self, user: &str, password: &Password) -> Answer {
        let base = self.settings.config.limits.auth_delay;
        match self.context.auth.login(self.peer.ip(), user, secret(password), base).await {
            Ok(account) => self.enter(account).await,
            Err(error) => self.keep_out(error).await,
        }
    }

    /// Begins an AUTHENTICATE; one that was cancelled is forgotten with the next.
    pub(super) async fn authenticate(&mut self, mechanism: &str, initial: Option<&Password>) -> Answer {
        let bindings = self.door.as_ref().and_then(|door| door.bindings.clone());
        let Some(exchange) = self.context.auth.begin(mechanism, bindings) else {
            return Answer::Refused(Refusal::Cannot);
        };
        self.advance(exchange, initial).await
    }

    pub(super) async fn respond(&mut self, response: &Password) -> Answer {
        match self.door.as_mut().and_then(|door| door.exchange.take()) {
            Some(exchange) => self.advance(exchange, Some(response)).await,
            None => Answer::Refused(Refusal::Internal),
        }
    }

    async fn advance(&mut self, mut exchange: Exchange, response: Option<&Password>) -> Answer {
        let base = self.settings.config.limits.auth_delay;
        let response = response.map(secret);
        match self.context.auth.advance(&mut exchange, self.peer.ip(), response, base).await {
            Turn::Challenge(challenge) => {
                self.door.get_or_insert_default().exchange = Some(exchange);
                Answer::Challenge(challenge)
            }
            Turn::Done(account) => self.enter(account).await,
            Turn::Failed(error) => self.keep_out(error).await,
        }
    }

    /// The answer to a failure is held back here; whoever hangs up meanwhile gains nothing, because the next connection's
    /// answer waits longer.
    async fn keep_out(&mut self, error: LoginError) -> Answer {
        match error {
            LoginError::Credentials { answer_at } => {
                tokio::select! {
                    () = tokio::time::sleep_until(answer_at.into()) => {}
                    () = self.handle.end() => self.session.shutdown(Instant::now()),
                }
                Answer::Refused(Refusal::AuthenticationFailed)
            }
            LoginError::Disabled => Answer::Refused(Refusal::AccountDisabled),
            LoginError::Unavailable => Answer::Refused(Refusal::Unavailable),
            LoginError::Malformed => Answer::Malformed,
        }
    }

    /// Lets an account in. What changed while its password was checked is looked at again once the registry knows of the
    /// session: from then on it hears of every change.
    async fn enter(&mut self, account: Account) -> Answer {
        self.handle.set_user(Some(&account));
        if !self.context.auth.holds(&account).await.unwrap_or(false) {
            // Disabled or given another password: the next attempt is told which.
            self.handle.set_user(None);
            return Answer::Refused(Refusal::Unavailable);
        }
        self.door = None;
        self.user = Some(User { account: account.id, _counted: LoggedIn::new() });
        Answer::Done
    }
}

fn secret(password: &Password) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(password.as_bytes().to_vec())
}
