//! LOGIN (RFC 3501 §6.2.3) and the end of AUTHENTICATE: who is it?

use super::ask::{Answer, Ask, Password};
use super::capability;
use super::task::{Context, Done, State, Step};
use crate::response::{Code, Condition};

#[derive(Debug)]
pub(super) struct Login {
    pub user: String,
    pub password: Password,
}

impl Login {
    pub(super) fn run(&mut self) -> Step {
        Step::Ask(Ask::Login { user: self.user.clone(), password: self.password.clone() })
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        match answer {
            Answer::Done => enter(cx),
            other => Done::unexpected(other).into(),
        }
    }
}

/// The client is who it says. The capabilities are told with the OK, so that it need not ask (RFC 3501 §6.2.3).
pub(super) fn enter(cx: &mut Context<'_>) -> Step {
    *cx.state = State::Authenticated;
    let code = Code::Capability(capability::after_login(cx.config));
    Done { condition: Condition::Ok, code: Some(code), text: "Logged in".into() }.into()
}
