//! The beginning: the greeting, EHLO, LHLO or HELO, and STARTTLS.
//!
//! RFC 5321 §3.1, §3.2 and §4.1.1.1; RFC 2033 §4.1 (LHLO); RFC 3207 §4.

use super::{Capabilities, Output, Problem, Session, StartTls, State};
use crate::reply::Reply;

impl Session {
    pub(super) fn greeted(&mut self, reply: Reply) {
        match reply.code() {
            220 => self.say_hello(false),
            code if code >= 400 => self.fail(Problem::Refused(reply)),
            _ => self.fail(Problem::Garbage("a greeting that is none")),
        }
    }

    pub(super) fn say_hello(&mut self, helo: bool) {
        let verb = match (self.config.lmtp, helo) {
            (true, _) => "LHLO",
            (false, true) => "HELO",
            (false, false) => "EHLO",
        };
        // Whatever the configuration holds, it is one word of one line.
        let name: String = self.config.hello.chars().filter(char::is_ascii_graphic).take(255).collect();
        self.state = State::Hello { helo };
        self.say(&format!("{verb} {name}"), self.config.timeouts.greeting);
    }

    pub(super) fn hello_answered(&mut self, helo: bool, reply: Reply) {
        match reply.code() {
            250 if helo => self.greeted_both_ways(Capabilities::default()),
            250 => self.greeted_both_ways(Capabilities::of(&reply)),
            // RFC 5321 §3.2 and §4.1.4: a server that does not know EHLO is asked again with HELO.
            500 | 501 | 502 | 504 if !helo && !self.config.lmtp => self.say_hello(true),
            code if code >= 400 => self.fail(Problem::Refused(reply)),
            _ => self.fail(Problem::Garbage("a reply that EHLO does not have")),
        }
    }

    /// Both sides are introduced: encrypt, log in, or be ready.
    fn greeted_both_ways(&mut self, capabilities: Capabilities) {
        self.capabilities = capabilities;
        let offered = self.capabilities.starttls;
        match (self.tls, self.config.starttls) {
            (false, StartTls::Required) if !offered => self.fail(Problem::NoStartTls),
            (false, StartTls::Required | StartTls::IfOffered) if offered => {
                self.state = State::StartTls;
                self.say("STARTTLS", self.config.timeouts.greeting);
            }
            _ => self.log_in(),
        }
    }

    pub(super) fn starttls_answered(&mut self, reply: Reply) {
        match reply.code() {
            220 => {
                // RFC 3207 §5: replies that an attacker put behind this one must not be read under TLS.
                self.input.clear();
                self.state = State::Handshake;
                self.deadline = self.now + self.config.timeouts.handshake;
                self.events.push_back(Output::StartTls);
            }
            // RFC 3207 §4: 454, or a server that does not know what it offers.
            code if code >= 400 && self.config.starttls == StartTls::IfOffered => self.log_in(),
            code if code >= 400 => self.fail(Problem::Refused(reply)),
            _ => self.fail(Problem::Garbage("a reply that STARTTLS does not have")),
        }
    }
}
