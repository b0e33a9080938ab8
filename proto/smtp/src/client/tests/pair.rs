//! The client machine against the server machine, cut into any pieces: what one sends the other stores.

use proptest::prelude::*;

use super::*;
use crate::server;
use crate::{Enhanced, ForwardPath};

/// A server whose policy goes by names: `nobody` is refused, `full` has no room at the end (LMTP), `virus` in a text is refused.
struct Server {
    session: server::Session,
    spool: Vec<u8>,
    stored: Vec<(Vec<String>, String)>,
    out: Vec<u8>,
    closed: bool,
}

impl Server {
    fn new(kind: server::Kind, now: Instant) -> Server {
        let mut config = server::Config::new("mx.example.org");
        config.kind = kind;
        let peer = server::Peer::new("192.0.2.1".parse().unwrap());
        let session = server::Session::new(Arc::new(config), peer, now);
        Server { session, spool: Vec::new(), stored: Vec::new(), out: Vec::new(), closed: false }
    }

    fn run(&mut self, now: Instant) {
        loop {
            match self.session.poll() {
                server::Output::Send(octets) => self.out.extend(octets),
                server::Output::Body(octets) => self.spool.extend(octets),
                server::Output::Discard => self.spool.clear(),
                server::Output::Ask(ask) => {
                    let answer = self.answer(&ask);
                    self.session.answer(now, answer);
                }
                server::Output::StartTls => unreachable!("not offered"),
                server::Output::Wait { .. } => return,
                server::Output::Close => {
                    self.closed = true;
                    return;
                }
            }
        }
    }

    fn answer(&mut self, ask: &server::Ask) -> server::Answer {
        let no = |code| Reply::new(code, Enhanced(0, 1, 1), "no");
        match ask {
            server::Ask::Rcpt { forward_path: ForwardPath::Mailbox(to), .. }
                if to.to_string().starts_with("nobody") =>
            {
                server::Answer::Reject(no(550))
            }
            server::Ask::Message { .. } => {
                let text = String::from_utf8(mem::take(&mut self.spool)).unwrap();
                let to: Vec<String> =
                    self.session.envelope().unwrap().recipients.iter().map(ToString::to_string).collect();
                if text.contains("virus") {
                    return server::Answer::Reject(no(554));
                }
                let lmtp = self.session.config().kind == server::Kind::Lmtp;
                let replies = to.iter().map(|to| match to.contains("full") && lmtp {
                    true => no(452),
                    false => Reply::new(250, Enhanced(2, 0, 0), "ok"),
                });
                let replies = replies.collect();
                self.stored.push((to, text));
                if lmtp { server::Answer::PerRecipient(replies) } else { server::Answer::Accept }
            }
            _ => server::Answer::Accept,
        }
    }
}

/// Runs both until both have closed.
fn converse(kind: server::Kind, given: Vec<(Message, Vec<u8>)>, cuts: &[usize]) -> (Driver, Server) {
    let config = Config { lmtp: kind == server::Kind::Lmtp, ..config() };
    let mut client = Driver::new(config, given);
    let mut server = Server::new(kind, client.now);
    let mut cuts = cuts.iter().cycle();
    let (mut up, mut down): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
    while !client.closed {
        up.extend(mem::take(&mut client.sent).into_bytes());
        server.run(client.now);
        down.extend(mem::take(&mut server.out));
        let cut = *cuts.next().unwrap();
        let piece: Vec<u8> = up.drain(..cut.min(up.len())).collect();
        server.session.input(client.now, &piece);
        let piece: Vec<u8> = down.drain(..cut.min(down.len())).collect();
        client.session.input(client.now, &piece);
        client.run();
        assert!(server.closed || server.session.wants_input());
    }
    assert!(client.failed.is_none(), "{:?}", client.failed);
    (client, server)
}

fn recipients() -> impl Strategy<Value = Vec<String>> {
    proptest::collection::vec("(nobody|full|user)[0-9]@x\\.test", 1..6)
}

fn texts() -> impl Strategy<Value = String> {
    "([.a-z]{0,6}\r\n|virus\r\n|\\.\r\n){0,8}"
}

proptest! {
    #[test]
    fn what_is_sent_is_stored(
        messages in proptest::collection::vec((recipients(), texts()), 1..4),
        cuts in proptest::collection::vec(1..40usize, 1..20),
        lmtp in any::<bool>(),
        piece in 1..30usize,
    ) {
        let kind = if lmtp { server::Kind::Lmtp } else { server::Kind::Mx };
        let given = messages.iter().map(|(to, text)| {
            message(&to.iter().map(String::as_str).collect::<Vec<_>>(), text)
        });
        let (mut client, server) = converse(kind, given.collect(), &cuts);
        client.piece = piece;
        let mut stored = server.stored.iter();
        for ((to, text), fates) in messages.iter().zip(&client.results) {
            prop_assert_eq!(fates.len(), to.len());
            let taken: Vec<String> =
                to.iter().filter(|to| !to.starts_with("nobody")).map(|to| format!("<{to}>")).collect();
            for (to, fate) in to.iter().zip(fates) {
                let expected = match () {
                    () if to.starts_with("nobody") => "RCPT 550",
                    () if text.contains("virus") => "end of message 554",
                    () if lmtp && to.starts_with("full") => "end of message 452",
                    () => "accepted 250",
                };
                prop_assert_eq!(short(fate), expected);
            }
            if !taken.is_empty() && !text.contains("virus") {
                prop_assert_eq!(stored.next(), Some(&(taken, text.clone())));
            }
        }
        prop_assert_eq!(stored.next(), None);
        prop_assert_eq!(client.results.len(), messages.len());
    }
}
