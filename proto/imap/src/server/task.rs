//! What a verb is made of: steps that ask, write or end, and what they may touch.

use super::ask::{Answer, Ask, Refusal};
use super::config::Config;
use super::modes::Modes;
use super::view::View;
use super::{
    append, authenticate, close, copy, expunge, fetch, list, login, manage, metadata, quota, refusal, search,
    select, sort, status, store, thread,
};
use crate::grammar::AppendHead;
use crate::response::{Code, Condition, Out};
use std::borrow::Cow;

/// The states of RFC 3501 §3; logout is an activity of the session.
#[derive(Debug)]
pub(super) enum State {
    NotAuthenticated,
    Authenticated,
    Selected(View),
}

impl State {
    pub(super) fn view(&mut self) -> Option<&mut View> {
        match self {
            State::Selected(view) => Some(view),
            _ => None,
        }
    }
}

/// What a verb may look at and change.
pub(super) struct Context<'a> {
    pub state: &'a mut State,
    pub out: &'a mut Out,
    /// What the client switched on.
    pub modes: &'a mut Modes,
    /// The running command's, for responses that name it (RFC 4466 §2.6.2).
    pub tag: &'a str,
    /// Set when the store has news of the selected mailbox.
    pub changed: &'a mut bool,
    /// The server's settings.
    pub config: &'a Config,
}

impl Context<'_> {
    /// HIGHESTMODSEQ for a client that wants it; the number is put in when the reply is written, for what comes before the
    /// reply counts.
    pub(super) fn with_highest_modseq(&mut self, done: Done) -> Done {
        if !self.modes.condstore {
            return done;
        }
        // A look at the store comes before the reply, whether its signal was heard yet or not.
        *self.changed = true;
        done.with(Code::HighestModseq(0))
    }

    /// A CONDSTORE enabling command was seen (RFC 7162 §3.1). In a selected mailbox the first one is answered with its
    /// HIGHESTMODSEQ (§3.1.2.1), for the client may have ignored SELECT's.
    pub(super) fn enable_condstore_for(&mut self, command: bool) {
        if !command || self.modes.condstore {
            return;
        }
        self.modes.condstore = true;
        if let Some(view) = self.state.view() {
            view.modes.condstore = true;
            let code = Code::HighestModseq(view.modseq());
            self.out.status("*", Condition::Ok, Some(&code), "Highest");
        }
    }
}

/// What a verb does next.
#[derive(Debug)]
pub(super) enum Step {
    /// Ask, and go on with the answer.
    Ask(Ask),
    /// Run again, after the output so far was sent if there is much of it.
    Again,
    /// Run again, after the driver gave others their turn: what was done is all that one step may cost.
    Yield,
    /// A challenge was written: read the client's response.
    Challenge,
    /// Read a message of this APPEND, and how many came before it.
    Receive(AppendHead, u32),
    /// The command is over.
    Done(Done),
}

/// How a command ends: its tagged status line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    pub condition: Condition,
    pub code: Option<Code>,
    pub text: Cow<'static, str>,
}

impl Done {
    pub(super) fn ok(text: &'static str) -> Done {
        Done { condition: Condition::Ok, code: None, text: text.into() }
    }

    pub(super) fn no(code: Option<Code>, text: &'static str) -> Done {
        Done { condition: Condition::No, code, text: text.into() }
    }

    pub(super) fn bad(text: impl Into<Cow<'static, str>>) -> Done {
        Done { condition: Condition::Bad, code: None, text: text.into() }
    }

    pub(super) fn refused(reason: Refusal) -> Done {
        let (code, text) = refusal::reply(reason);
        Done::no(code, text)
    }

    /// For an answer that no driver should give: NO with what it refused, or SERVERBUG.
    pub(super) fn unexpected(answer: Answer) -> Done {
        match answer {
            Answer::Refused(reason) => Done::refused(reason),
            _ => Done::refused(Refusal::Internal),
        }
    }

    pub(super) fn with(self, code: Code) -> Done {
        Done { code: Some(code), ..self }
    }
}

impl From<Done> for Step {
    fn from(done: Done) -> Step {
        Step::Done(done)
    }
}

/// A command that is being executed.
#[derive(Debug)]
pub(super) enum Task {
    AppendEnd(append::AppendEnd),
    AppendStart(append::AppendStart),
    Authenticate(authenticate::Authenticate),
    Close(close::Close),
    Copy(copy::Copy),
    Expunge(expunge::Expunge),
    Fetch(Box<fetch::Fetch>),
    List(list::List),
    Login(login::Login),
    Manage(manage::Manage),
    Metadata(Box<metadata::Metadata>),
    Quota(quota::Quota),
    Search(Box<search::Search>),
    Select(select::Select),
    Sort(Box<sort::Sort>),
    Status(status::Status),
    Store(store::Store),
    Thread(Box<thread::Thread>),
}

impl Task {
    /// The first step, and every one after [`Step::Again`].
    pub(super) fn run(&mut self, cx: &mut Context<'_>) -> Step {
        match self {
            Task::AppendEnd(task) => task.run(),
            Task::AppendStart(task) => task.run(cx),
            Task::Authenticate(task) => task.run(),
            Task::Close(task) => task.run(cx),
            Task::Copy(task) => task.run(cx),
            Task::Expunge(task) => task.run(cx),
            Task::Fetch(task) => task.run(cx),
            Task::List(task) => task.run(cx),
            Task::Login(task) => task.run(),
            Task::Manage(task) => task.run(),
            Task::Metadata(task) => task.run(),
            Task::Quota(task) => task.run(),
            Task::Search(task) => task.run(cx),
            Task::Select(task) => task.run(cx),
            Task::Sort(task) => task.run(cx),
            Task::Thread(task) => task.run(cx),
            Task::Status(task) => task.run(),
            Task::Store(task) => task.run(cx),
        }
    }

    /// The step after [`Step::Ask`] was answered.
    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        match self {
            Task::AppendEnd(task) => task.answer(cx, answer),
            Task::AppendStart(task) => task.answer(answer),
            Task::Authenticate(task) => task.answer(cx, answer),
            Task::Close(task) => task.answer(cx, answer),
            Task::Copy(task) => task.answer(cx, answer),
            Task::Expunge(task) => task.answer(cx, answer),
            Task::Fetch(task) => task.answer(cx, answer),
            Task::List(task) => task.answer(cx, answer),
            Task::Login(task) => task.answer(cx, answer),
            Task::Manage(task) => task.answer(cx, answer),
            Task::Search(task) => task.answer(cx, answer),
            Task::Sort(task) => task.answer(cx, answer),
            Task::Thread(task) => task.answer(cx, answer),
            Task::Metadata(task) => task.answer(cx, answer),
            Task::Quota(task) => task.answer(cx, answer),
            Task::Select(task) => task.answer(cx, answer),
            Task::Status(task) => task.answer(cx, answer),
            Task::Store(task) => task.answer(cx, answer),
        }
    }

    /// Whether the command tells what the session knows of messages, so that news of the mailbox should come before it. Not
    /// STORE: old flags told ahead of it would look like its result.
    pub(super) fn tells_what_is_known(&self) -> bool {
        matches!(self, Task::Fetch(_) | Task::Search(_) | Task::Sort(_) | Task::Thread(_))
    }

    /// Whether EXPUNGE may be sent at its end: not during FETCH, STORE and SEARCH by number (RFC 3501 §7.4.1).
    pub(super) fn may_expunge(&self) -> bool {
        match self {
            Task::Fetch(task) => task.uid,
            Task::Search(task) => task.uid,
            Task::Sort(task) => task.uid,
            Task::Thread(task) => task.uid,
            Task::Store(task) => task.uid,
            _ => true,
        }
    }
}
