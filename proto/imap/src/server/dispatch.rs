//! From a command to its execution and from there to its one tagged reply.

use super::append::{AppendStart, LineEnds};
use super::authenticate::{self, Authenticate};
use super::capability::Privacy;
use super::config::COMMANDS_BEFORE_LOGIN;
use super::reader::{Event, RawLine, Refused};
use super::sync::{Sync, SyncStep};
use super::task::{Context, Done, State, Step, Task};
use super::{
    Activity, Advance, Answer, Ask, End, Phase, Receiving, Refusal, Running, Session, close, copy, expunge,
    fetch, list, login, manage, metadata, quota, search, select, sort, status, store, thread,
};
use crate::grammar::{self, AppendHead, Command, ParseError};
use crate::response::{Code, Condition};

/// What the states of RFC 3501 §3 let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Any,
    NotAuthenticated,
    Authenticated,
    /// Authenticated and not selected (RFC 5161 §3.1).
    OnlyAuthenticated,
    Selected,
}

fn class(command: &Command) -> Class {
    match command {
        Command::Capability | Command::Noop | Command::Logout | Command::Id => Class::Any,
        Command::StartTls | Command::Authenticate { .. } | Command::Login { .. } => Class::NotAuthenticated,
        Command::Enable(_) => Class::OnlyAuthenticated,
        Command::Check
        | Command::Close
        | Command::Unselect
        | Command::Expunge(_)
        | Command::Search { .. }
        | Command::Sort { .. }
        | Command::Thread { .. }
        | Command::Fetch { .. }
        | Command::Store { .. }
        | Command::Copy { .. } => Class::Selected,
        _ => Class::Authenticated,
    }
}

impl Session {
    /// Reads on to the next command.
    pub(super) fn next_command(&mut self) -> Advance {
        match self.reader.next(self.bounds()) {
            Event::More => return Advance::Blocked(self.wait()),
            Event::Continue => self.out.put("+ OK").end(),
            Event::Command(input) => self.command(&input),
            Event::Append(head) => self.append(head),
            Event::Refused(tag, why) => {
                let done = Done::bad(match why {
                    Refused::LineTooLong => "The command is too long",
                    Refused::LiteralTooBig => "The literal is too big",
                    Refused::BareLineEnd => "Lines end with CRLF",
                });
                self.reply(tag.as_deref().unwrap_or("*"), &done);
            }
            // The reader tells of a message only after one was accepted.
            Event::Body(_) | Event::BodyEnd { .. } => {}
        }
        Advance::Again
    }

    fn command(&mut self, input: &[u8]) {
        let parsed = grammar::parse(input, self.modes.utf8_names());
        let tag = parsed.tag.unwrap_or_else(|| "*".to_owned());
        match parsed.command {
            Ok(command) => match self.wrong_state(class(&command)) {
                Some(why) => self.reply(&tag, &Done::bad(why)),
                None => self.start(tag, command),
            },
            Err(ParseError::BadCharset) => {
                self.reply_after(tag, Done::no(Some(Code::BadCharset), "This charset is not supported"));
            }
            Err(error @ ParseError::Mailbox(_)) => {
                let done = Done {
                    condition: Condition::No,
                    code: Some(Code::Cannot),
                    text: error.to_string().into(),
                };
                self.reply_after(tag, done);
            }
            Err(error) => self.reply(&tag, &Done::bad(error.to_string())),
        }
    }

    fn wrong_state(&self, class: Class) -> Option<&'static str> {
        match (class, &self.state) {
            (Class::Any, _)
            | (Class::NotAuthenticated, State::NotAuthenticated)
            | (Class::Authenticated, State::Authenticated | State::Selected(_))
            | (Class::OnlyAuthenticated, State::Authenticated)
            | (Class::Selected, State::Selected(_)) => None,
            (_, State::NotAuthenticated) => Some("Log in first"),
            (Class::NotAuthenticated, _) => Some("Logged in already"),
            (Class::OnlyAuthenticated, _) => Some("Not while a mailbox is selected"),
            (Class::Selected, _) => Some("Select a mailbox first"),
        }
    }

    /// Commands without a question to the driver are over at once; the others become a task.
    fn start(&mut self, tag: String, command: Command) {
        match command {
            Command::Capability => {
                let names = self.capabilities();
                self.out.untagged(format_args!("CAPABILITY {names}"));
                self.reply_after(tag, Done::ok("CAPABILITY completed"));
            }
            Command::Noop => self.look(tag, Done::ok("NOOP completed")),
            Command::Check => self.look(tag, Done::ok("CHECK completed")),
            Command::Logout => {
                self.out.status("*", Condition::Bye, None, "Logging out");
                self.reply(&tag, &Done::ok("LOGOUT completed"));
                self.activity = Activity::Closing;
            }
            Command::Id => {
                self.out.untagged("ID (\"name\" \"Mailwright\")");
                self.reply_after(tag, Done::ok("ID completed"));
            }
            Command::Namespace => {
                // One personal namespace with no prefix (RFC 2342 §5).
                self.out.untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
                self.reply_after(tag, Done::ok("NAMESPACE completed"));
            }
            Command::Enable(names) => {
                // What is not known, or needs no enabling, is left out (RFC 5161 §3.2).
                let enabled = names.iter().filter_map(|name| self.modes.enable(name));
                let enabled: Vec<&str> = enabled.collect();
                self.out.put("* ENABLED").put(if enabled.is_empty() { "" } else { " " });
                self.out.put(enabled.join(" ")).end();
                self.reply_after(tag, Done::ok("ENABLE completed"));
            }
            Command::Idle => {
                self.out.put("+ idling").end();
                // A first look, so that nothing from before is missed.
                self.changed(self.now);
                self.activity = Activity::Idle { tag };
            }
            Command::Compress { mechanism } => self.compress(&tag, &mechanism),
            Command::SetQuota => {
                let done = Done::no(Some(Code::NoPerm), "Quotas are set where the mailbox is declared");
                self.reply_after(tag, done);
            }
            Command::StartTls => self.start_tls(&tag),
            Command::Authenticate { mechanism, initial } => self.authenticate(tag, mechanism, initial),
            Command::Login { user, password } => match (self.privacy(), user) {
                (Privacy::StartTls | Privacy::None, _) => self.reply_private(&tag),
                (Privacy::Tls | Privacy::Loopback { .. }, Some(user)) => {
                    self.begin(tag, Task::Login(login::Login { user, password }))
                }
                (Privacy::Tls | Privacy::Loopback { .. }, None) => {
                    let done = Done::no(Some(Code::AuthenticationFailed), "Authentication failed");
                    self.login_failed(tag, done);
                }
            },
            other => {
                if let Some(task) = task(other) {
                    self.begin(tag, task);
                }
            }
        }
    }

    /// COMPRESS (RFC 4978 §3): what follows the OK is compressed, in both directions.
    fn compress(&mut self, tag: &str, mechanism: &str) {
        if mechanism != "DEFLATE" {
            return self.reply(tag, &Done::bad("This algorithm is not supported"));
        }
        if self.compressed {
            let done = Done::no(Some(Code::CompressionActive), "DEFLATE is active already");
            return self.reply(tag, &done);
        }
        self.reply(tag, &Done::ok("DEFLATE active"));
        self.compressed = true;
        self.activity = Activity::Compressing;
    }

    fn start_tls(&mut self, tag: &str) {
        if !matches!(self.privacy(), Privacy::StartTls | Privacy::Loopback { starttls: true }) {
            return self.reply(tag, &Done::bad("TLS is not available or started already"));
        }
        self.reply(tag, &Done::ok("Begin TLS negotiation now"));
        self.activity = Activity::Handshake { told: false };
    }

    /// A password is not taken in the clear (RFC 3501 §6.2.3, RFC 5530 §3 PRIVACYREQUIRED).
    fn reply_private(&mut self, tag: &str) {
        self.reply(tag, &Done::no(Some(Code::PrivacyRequired), "Start TLS before you log in"));
    }

    fn authenticate(&mut self, tag: String, mechanism: String, initial: Option<Vec<u8>>) {
        let bound = self.peer.tls.as_ref().is_some_and(|tls| tls.channel_binding);
        let known = authenticate::MECHANISMS.contains(&mechanism.as_str());
        let known = known || (bound && mechanism == authenticate::BOUND_MECHANISM);
        if !known {
            return self.reply(&tag, &Done::no(Some(Code::Cannot), "This mechanism is not supported"));
        }
        if !matches!(self.privacy(), Privacy::Tls | Privacy::Loopback { .. }) {
            return self.reply_private(&tag);
        }
        match initial.map(|text| authenticate::initial(&text)).transpose() {
            Ok(initial) => {
                self.begin(tag, Task::Authenticate(Authenticate::Begin { mechanism, initial }));
            }
            Err(done) => self.reply(&tag, &done),
        }
    }

    pub(super) fn next_sasl(&mut self, tag: String) -> Advance {
        let line = match self.reader.raw_line(self.config.limits.line) {
            RawLine::More => {
                self.activity = Activity::Sasl { tag };
                return Advance::Blocked(self.wait());
            }
            RawLine::Line(line) => authenticate::response(&line),
            RawLine::TooLong | RawLine::Bare => Err(Done::bad("The response is not BASE64")),
        };
        match line {
            Ok(response) => self.begin(tag, Task::Authenticate(Authenticate::Response(response))),
            Err(done) => self.reply(&tag, &done),
        }
        Advance::Again
    }

    fn append(&mut self, head: AppendHead) {
        let class = if head.replace.is_some() { Class::Selected } else { Class::Authenticated };
        if let Some(why) = self.wrong_state(class) {
            self.reader.refuse_message();
            return self.reply(&head.tag, &Done::bad(why));
        }
        let tag = head.tag.clone();
        self.begin(tag, Task::AppendStart(AppendStart { head, before: 0 }));
    }

    fn begin(&mut self, tag: String, task: Task) {
        let phase = match task.tells_what_is_known() && self.changed {
            // The client's numbers were chosen before it: nothing is expunged here (RFC 3501 §7.4.1).
            true => Phase::Before(Sync::new(false, true), task),
            false => Phase::Task(task),
        };
        self.activity = Activity::Running(Running { tag, phase });
    }

    /// NOOP and CHECK look at the mailbox in any case.
    fn look(&mut self, tag: String, done: Done) {
        self.changed(self.now);
        self.reply_after(tag, done);
    }

    /// Makes one step of a command, with the answer that it waited for, if it did.
    pub(super) fn step(&mut self, mut running: Running, answer: Option<Answer>) {
        let mut cx = Context {
            state: &mut self.state,
            out: &mut self.out,
            modes: &mut self.modes,
            tag: &running.tag,
            changed: &mut self.changed,
            config: &self.config,
        };
        match &mut running.phase {
            Phase::Before(sync, _) | Phase::After(sync, _) => {
                let step = match answer {
                    Some(answer) => sync.answer(&mut cx, answer),
                    None => sync.run(&mut cx),
                };
                self.after_sync_step(running, step);
            }
            Phase::Task(task) => {
                let step = match answer {
                    Some(answer) => task.answer(&mut cx, answer),
                    None => task.run(&mut cx),
                };
                self.after_task_step(running, step);
            }
        }
    }

    fn after_sync_step(&mut self, running: Running, step: SyncStep) {
        match (step, running.phase) {
            (SyncStep::Ask(ask), phase) => self.ask(Running { phase, ..running }, ask),
            (SyncStep::Again, phase) => self.activity = Activity::Running(Running { phase, ..running }),
            (SyncStep::Done, Phase::Before(_, task)) => {
                self.activity = Activity::Running(Running { phase: Phase::Task(task), ..running });
            }
            (SyncStep::Done, Phase::After(_, End::Idle)) => {
                self.activity = Activity::Idle { tag: running.tag }
            }
            (SyncStep::Done, Phase::After(_, End::Reply(done))) => self.reply(&running.tag, &done),
            (SyncStep::Gone, phase) => {
                match phase {
                    Phase::After(_, End::Reply(done)) => self.reply(&running.tag, &done),
                    Phase::After(_, End::Idle) => {}
                    _ => self.reply(&running.tag, &Done::refused(Refusal::NonExistent)),
                }
                self.bye(None, "The selected mailbox was deleted");
            }
            // A sync step belongs to a sync phase.
            (SyncStep::Done, Phase::Task(_)) => self.reply(&running.tag, &Done::refused(Refusal::Internal)),
        }
    }

    fn after_task_step(&mut self, running: Running, step: Step) {
        match step {
            Step::Ask(ask) => self.ask(running, ask),
            Step::Again => self.activity = Activity::Running(running),
            // Work without an end in sight is not finished for a server that ends.
            Step::Yield if self.draining => self.reply(&running.tag, &Done::refused(Refusal::Unavailable)),
            Step::Yield => {
                self.yielding = true;
                self.activity = Activity::Running(running);
            }
            Step::Challenge => self.activity = Activity::Sasl { tag: running.tag },
            Step::Receive(head, before) => {
                self.reader.accept_message();
                if !head.unasked {
                    self.out.put("+ OK").end();
                }
                self.activity =
                    Activity::Receiving(Receiving { head, before, lines: LineEnds::default(), nul: false });
            }
            Step::Done(done) => {
                let Phase::Task(task) = running.phase else { return self.reply(&running.tag, &done) };
                match &task {
                    Task::AppendStart(append) => {
                        self.reader.refuse_message();
                        self.discarding = append.before > 0;
                    }
                    Task::Login(_) | Task::Authenticate(_) if done.condition == Condition::No => {
                        return self.login_failed(running.tag, done);
                    }
                    _ => {}
                }
                let sync = Sync::new(task.may_expunge(), self.changed);
                self.activity = Activity::Running(Running {
                    tag: running.tag,
                    phase: Phase::After(sync, End::Reply(done)),
                });
            }
        }
    }

    fn ask(&mut self, running: Running, ask: Ask) {
        self.question = Some(ask);
        self.activity = Activity::Asking(running);
    }

    /// The reply to a failed login waits, longer each time; the last one ends the session.
    fn login_failed(&mut self, tag: String, done: Done) {
        let counts = !matches!(done.code, Some(Code::Unavailable | Code::ServerBug));
        if !counts {
            return self.reply(&tag, &done);
        }
        self.auth_failures += 1;
        let until = self.now + self.config.limits.auth_delay * self.auth_failures;
        self.activity = Activity::Pause { until, tag, done };
    }

    pub(super) fn end_pause(&mut self) {
        if let Activity::Pause { tag, done, .. } = std::mem::replace(&mut self.activity, Activity::Command) {
            self.reply(&tag, &done);
            if self.auth_failures >= self.config.limits.auth_failures {
                self.bye(None, "Too many failed logins");
            }
        }
    }

    /// The tagged reply, after the news of the selected mailbox.
    pub(super) fn reply_after(&mut self, tag: String, done: Done) {
        let phase = Phase::After(Sync::new(true, self.changed), End::Reply(done));
        self.activity = Activity::Running(Running { tag, phase });
    }

    /// The tagged reply.
    pub(super) fn reply(&mut self, tag: &str, done: &Done) {
        let known = self.state.view().map(|view| view.modseq());
        let code = match (&done.code, known) {
            (Some(Code::HighestModseq(_)), Some(known)) => Some(Code::HighestModseq(known)),
            (Some(Code::HighestModseq(_)), None) => None,
            (code, _) => code.clone(),
        };
        self.out.status(tag, done.condition, code.as_ref(), &done.text);
        self.activity = Activity::Command;
        match done.condition {
            Condition::Bad => self.bad_commands += 1,
            _ => self.bad_commands = 0,
        }
        self.commands_before_login += u32::from(matches!(self.state, State::NotAuthenticated));
        if self.bad_commands >= self.config.limits.bad_commands {
            self.bye(None, "Too many invalid commands");
        } else if self.commands_before_login >= COMMANDS_BEFORE_LOGIN {
            self.bye(None, "Too many commands before login");
        }
    }
}

/// The task of a command that has one.
fn task(command: Command) -> Option<Task> {
    let manage = |ask| Task::Manage(manage::Manage::new(ask));
    Some(match command {
        Command::Select { name, read_only, parameters } => {
            Task::Select(select::Select::new(name, read_only, parameters))
        }
        Command::Create { name, uses } => Task::Manage(manage::Manage::create(name, &uses)),
        Command::GetQuota { root } => Task::Quota(quota::Quota::Named(root)),
        Command::GetQuotaRoot(name) => Task::Quota(quota::Quota::Of(name)),
        Command::GetMetadata(get) => Task::Metadata(Box::new(metadata::Metadata::Get(get))),
        Command::SetMetadata { mailbox, entries } => {
            Task::Metadata(Box::new(metadata::Metadata::Set { mailbox, entries }))
        }
        Command::Delete(name) => manage(Ask::Delete { name }),
        Command::Rename { from, to } => manage(Ask::Rename { from, to }),
        Command::Subscribe(name) => manage(Ask::Subscribe { name }),
        Command::Unsubscribe(name) => manage(Ask::Unsubscribe { name }),
        Command::List(command) => Task::List(list::List::new(command, false)),
        Command::Lsub(command) => Task::List(list::List::new(command, true)),
        Command::Status { name, items } => Task::Status(status::Status { name, items }),
        Command::Close => Task::Close(close::Close::new(true)),
        Command::Unselect => Task::Close(close::Close::new(false)),
        Command::Expunge(uids) => Task::Expunge(expunge::Expunge { uids }),
        Command::Search { uid, search } => Task::Search(Box::new(search::Search::new(uid, search))),
        Command::Sort { uid, sort } => Task::Sort(Box::new(sort::Sort::new(uid, sort))),
        Command::Thread { uid, thread } => Task::Thread(Box::new(thread::Thread::new(uid, thread))),
        Command::Fetch { uid, set, items, changed_since, vanished } => {
            Task::Fetch(Box::new(fetch::Fetch::new(uid, set, items, changed_since, vanished)))
        }
        Command::Store { uid, set, operation, silent, flags, unchanged_since } => {
            let stage = store::Stage::Start;
            Task::Store(store::Store { uid, set, operation, silent, flags, unchanged_since, stage })
        }
        Command::Copy { uid, set, target, remove } => Task::Copy(copy::Copy { uid, set, target, remove }),
        _ => return None,
    })
}
