//! One message on its way: the envelope, pipelined where the server offers it, the text by DATA or BDAT, and the fate of
//! each recipient.
//!
//! RFC 5321 §3.3; RFC 2920 §3.1 (which commands may be pipelined, and what follows when all recipients are refused);
//! RFC 3030 §2; RFC 2033 §4.2 (a reply for each recipient).

use std::collections::VecDeque;
use std::time::Duration;

use super::text::Writer;
use super::{Capabilities, Fate, Limits, Message, Output, Problem, Session, Stage, State, Timeouts, command};
use crate::reply::Reply;

/// A message on its way.
#[derive(Debug)]
pub(super) struct Transaction {
    message: Message,
    /// `None` while nothing is decided, which after a RCPT means that it was accepted.
    fates: Vec<Option<Fate>>,
    next: Next,
    /// What was sent and has no reply yet.
    sent: VecDeque<Sent>,
    text: Text,
    /// MAIL was accepted and no end came.
    open: bool,
}

/// The next command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    /// Nothing more: the text has its turn, or all is lost.
    Nothing,
}

/// A command that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Rset,
    Mail,
    Rcpt(usize),
    Data,
    /// A chunk of BDAT that is not the last.
    Chunk,
    /// The end of the text: for all recipients, or in LMTP for this one.
    End(Option<usize>),
    /// The dot of a message that goes to nobody (RFC 2920 §3.1).
    Lost,
}

/// How far the text is.
#[derive(Debug)]
enum Text {
    /// Not begun, or given up.
    Closed,
    /// Being sent; whether by BDAT, and whether the driver was asked for a piece.
    Open { writer: Writer, chunks: bool, asked: bool },
}

impl Session {
    pub(super) fn begin(&mut self, message: Message) {
        let fates = command::fates(&message, &self.capabilities);
        let next = if self.dirty { Next::Rset } else { Next::Mail };
        let next = if fates.contains(&None) { next } else { Next::Nothing };
        self.state = State::Transaction(Box::new(Transaction {
            message,
            fates,
            next,
            sent: VecDeque::new(),
            text: Text::Closed,
            open: false,
        }));
        self.go_on();
    }

    pub(super) fn transaction_replied(&mut self, reply: Reply) {
        let State::Transaction(transaction) = &mut self.state else { return };
        match transaction.replied(reply, &mut self.out) {
            Ok(()) => self.go_on(),
            Err(problem) => self.fail(problem),
        }
    }

    /// Sends what can be sent; at the end, tells the result and asks for the next message.
    fn go_on(&mut self) {
        let State::Transaction(transaction) = &mut self.state else { return };
        let chunking = self.config.chunking && !self.config.lmtp;
        transaction.issue(&self.capabilities, chunking, &self.config.limits, &mut self.out);
        self.deadline = self.now + transaction.patience(&self.config.timeouts);
        if transaction.is_finished() {
            self.dirty = transaction.open;
            let fates = transaction.fates.drain(..).flatten().collect();
            self.events.push_back(Output::Result(fates));
            self.ready();
        }
    }
}

impl Transaction {
    /// The pieces of text; ignored when the driver was not asked.
    pub(super) fn body(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Text::Open { writer, chunks, asked } = &mut self.text else { return };
        if !std::mem::take(asked) {
            return;
        }
        if !*chunks {
            return writer.write(piece, out);
        }
        let mut chunk = Vec::with_capacity(piece.len() + 1);
        writer.write(piece, &mut chunk);
        if !chunk.is_empty() {
            out.extend_from_slice(format!("BDAT {}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(&chunk);
            self.sent.push_back(Sent::Chunk);
        }
    }

    /// The end of the text; false when the driver was not asked.
    pub(super) fn body_end(&mut self, lmtp: bool, out: &mut Vec<u8>) -> bool {
        let Text::Open { writer, chunks, asked: true } = &mut self.text else { return false };
        let mut rest = Vec::new();
        writer.finish(&mut rest);
        if *chunks {
            out.extend_from_slice(format!("BDAT {} LAST\r\n", rest.len()).as_bytes());
        }
        out.extend_from_slice(&rest);
        self.text = Text::Closed;
        if lmtp {
            let accepted = self.undecided();
            self.sent.extend(accepted.into_iter().map(|at| Sent::End(Some(at))));
        } else {
            self.sent.push_back(Sent::End(None));
        }
        true
    }

    /// Whether the driver is to bring text now; then it counts as asked.
    pub(super) fn asks_for_body(&mut self, limits: &Limits) -> bool {
        match &mut self.text {
            Text::Open { asked, .. } if !*asked && self.sent.len() < limits.window => {
                *asked = true;
                true
            }
            _ => false,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        match self.sent.front() {
            Some(Sent::Rset | Sent::Mail) => Stage::Mail,
            Some(Sent::Rcpt(_)) => Stage::Rcpt,
            Some(Sent::Data | Sent::Chunk | Sent::Lost) => Stage::Data,
            Some(Sent::End(_)) => Stage::End,
            None => match self.text {
                Text::Open { .. } => Stage::Data,
                Text::Closed => Stage::Mail,
            },
        }
    }

    /// The fates when the connection has failed: what was decided before stays.
    pub(super) fn failed(self, stage: Stage, problem: &Problem) -> Vec<Fate> {
        let lost = || match problem {
            Problem::Refused(reply) => Fate::Refused { stage, reply: reply.clone() },
            problem => Fate::Unanswered { stage, problem: problem.clone() },
        };
        self.fates.into_iter().map(|fate| fate.unwrap_or_else(lost)).collect()
    }

    fn patience(&self, timeouts: &Timeouts) -> Duration {
        match self.sent.front() {
            Some(Sent::Rset | Sent::Mail) => timeouts.mail,
            Some(Sent::Rcpt(_)) => timeouts.rcpt,
            Some(Sent::Data) => timeouts.data,
            Some(Sent::End(_) | Sent::Lost) => timeouts.end,
            Some(Sent::Chunk) | None => timeouts.block,
        }
    }

    fn is_finished(&self) -> bool {
        self.sent.is_empty() && self.next == Next::Nothing && matches!(self.text, Text::Closed)
    }

    /// Recipients that nobody has refused.
    fn undecided(&self) -> Vec<usize> {
        (0..self.fates.len()).filter(|at| self.fates[*at].is_none()).collect()
    }

    /// Decides for all that are undecided.
    fn decide(&mut self, fate: &Fate) {
        for undecided in self.fates.iter_mut().filter(|fate| fate.is_none()) {
            *undecided = Some(fate.clone());
        }
    }

    /// The transaction leads nowhere: nothing more is sent for it.
    fn refuse(&mut self, stage: Stage, reply: Reply) {
        self.decide(&Fate::Refused { stage, reply });
        self.next = Next::Nothing;
        self.text = Text::Closed;
    }
}

/// Commands.
impl Transaction {
    /// Sends commands as far as the server lets us.
    fn issue(&mut self, server: &Capabilities, chunking: bool, limits: &Limits, out: &mut Vec<u8>) {
        let window = if server.pipelining { limits.window } else { 1 };
        let chunks = chunking && server.chunking && server.pipelining;
        while self.sent.len() < window && self.next != Next::Nothing {
            let (line, sent, next) = match self.next {
                Next::Rset => ("RSET".to_owned(), Sent::Rset, Next::Mail),
                Next::Mail => (command::mail(&self.message, server), Sent::Mail, self.rcpt_from(0)),
                Next::Rcpt(at) => {
                    let line = command::rcpt(&self.message.recipients[at], server);
                    (line, Sent::Rcpt(at), self.rcpt_from(at + 1))
                }
                // Without a pipeline, and with chunks, who was accepted is known before the text begins.
                Next::Data if (chunks || window == 1) && !self.sent.is_empty() => return,
                Next::Data if self.sent.is_empty() && self.undecided().is_empty() => {
                    self.next = Next::Nothing;
                    return;
                }
                Next::Data if chunks => {
                    self.text = Text::Open { writer: Writer::new(false), chunks: true, asked: false };
                    self.next = Next::Nothing;
                    return;
                }
                Next::Data => ("DATA".to_owned(), Sent::Data, Next::Nothing),
                Next::Nothing => return,
            };
            out.extend_from_slice(line.as_bytes());
            out.extend_from_slice(b"\r\n");
            self.sent.push_back(sent);
            self.next = next;
        }
    }

    /// The next recipient that is to be named, or DATA.
    fn rcpt_from(&self, from: usize) -> Next {
        (from..self.fates.len()).find(|at| self.fates[*at].is_none()).map_or(Next::Data, Next::Rcpt)
    }
}

/// Replies.
impl Transaction {
    fn replied(&mut self, reply: Reply, out: &mut Vec<u8>) -> Result<(), Problem> {
        let Some(sent) = self.sent.pop_front() else {
            // RFC 5321 §4.5.3.2.5 leaves a client no way to stop a text that is refused before its end but to go.
            return Err(match reply.is_negative() {
                true => Problem::Refused(reply),
                false => Problem::Garbage("a reply that nobody asked for"),
            });
        };
        let garbage = |of| Err(Problem::Garbage(of));
        match (sent, reply.code() / 100) {
            (Sent::Rset, 2) | (Sent::Chunk, 2) => {}
            (Sent::Rset, 4 | 5) => return Err(Problem::Refused(reply)),
            (Sent::Rset, _) => return garbage("a reply that RSET does not have"),
            (Sent::Mail, 2) => self.open = true,
            (Sent::Mail, 4 | 5) => self.refuse(Stage::Mail, reply),
            (Sent::Mail, _) => return garbage("a reply that MAIL does not have"),
            (Sent::Rcpt(_), 2) => {}
            (Sent::Rcpt(at), 4 | 5) => {
                self.fates[at].get_or_insert(Fate::Refused { stage: Stage::Rcpt, reply });
            }
            (Sent::Rcpt(_), _) => return garbage("a reply that RCPT does not have"),
            (Sent::Data, 3) if reply.code() == 354 => self.text_may_come(out),
            (Sent::Data | Sent::Chunk, 4 | 5) => self.refuse(Stage::Data, reply),
            (Sent::Data, _) => return garbage("a reply that DATA does not have"),
            (Sent::Chunk, _) => return garbage("a reply that BDAT does not have"),
            (Sent::End(to), 2) => self.ended(to, &Fate::Accepted(reply)),
            (Sent::End(to), 4 | 5) => self.ended(to, &Fate::Refused { stage: Stage::End, reply }),
            (Sent::Lost, 2 | 4 | 5) => self.open = false,
            (Sent::End(_) | Sent::Lost, _) => {
                return garbage("a reply that the end of a message does not have");
            }
        }
        Ok(())
    }

    fn text_may_come(&mut self, out: &mut Vec<u8>) {
        if self.undecided().is_empty() {
            // RFC 2920 §3.1: DATA was accepted although all recipients were refused: an empty message ends it.
            out.extend_from_slice(b".\r\n");
            self.sent.push_back(Sent::Lost);
        } else {
            self.text = Text::Open { writer: Writer::new(true), chunks: false, asked: false };
        }
    }

    fn ended(&mut self, to: Option<usize>, fate: &Fate) {
        // The reply to the rest of a message whose chunk was refused ends nothing (RFC 3030 §2).
        self.open = self.open && self.undecided().is_empty() && !fate.is_accepted();
        match to {
            Some(at) => {
                self.fates[at].get_or_insert_with(|| fate.clone());
            }
            None => self.decide(fate),
        }
    }
}
