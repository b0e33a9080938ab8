//! A small client of `git upload-pack`, sans-IO: bytes in, bytes out, no sockets.
//!
//! It asks for protocol version 2 (gitprotocol-v2(5)) and understands version 0 (gitprotocol-pack(5)) from servers that
//! know no other. It finds one reference and fetches its newest commit at depth 1, over any carrier that can send a
//! request and read what comes back. It leaves out pushing, bundles, partial clones and the history.
//!
//! ```text
//! Greeting ─ version 2 ─→ Capabilities ─→ LsRefs ─┐
//!    └────── version 0 ─→ Advertisement ──────────┴→ Found ─fetch()→ Shallow → Acknowledgment → Pack → Done
//!                                                                └──→ Sections (version 2) ──────↗
//! ```

use super::pkt_line::{Decoder, Encoder, Packet};

/// What a server may say before the pack: a reference is about 70 bytes, so close to a million of them.
const MAX_TALK: usize = 64 * 1024 * 1024;
/// Characters of a server's own error text that are shown.
const MAX_REMOTE_TEXT: usize = 300;
/// How this client names itself.
const AGENT: &str = concat!("agent=mailwright/", env!("CARGO_PKG_VERSION"));

/// The value of `Git-Protocol` (HTTP) and `GIT_PROTOCOL` (ssh) that asks for version 2.
pub(super) const VERSION_REQUEST: &str = "version=2";

/// Why there is nothing to fetch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtocolError {
    /// The server reported an error.
    #[error("the server says: {0}")]
    Remote(String),
    /// What came is not the protocol.
    #[error("the answer is not Git's protocol ({0}); check the URL")]
    Malformed(&'static str),
    /// The branch or tag is not there.
    #[error("there is no branch or tag {0}; it may have been deleted or renamed")]
    NoReference(String),
    /// A repository without commits, or without a default branch.
    #[error("the repository has no default branch; push a commit, or name a branch")]
    NoDefault,
    /// Something this client does not do.
    #[error("the repository {0}, which is not supported")]
    Unsupported(&'static str),
    /// The server talks too much.
    #[error("the server sent more than {MAX_TALK} bytes without a pack")]
    TooMuch,
}

/// A commit, as 40 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CommitId(String);

impl CommitId {
    pub(super) fn parse(text: &str) -> Option<CommitId> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (text.len() == 40 && text.bytes().all(hex)).then(|| CommitId(text.to_owned()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A reference and the commit it points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Its full name, `refs/heads/main`.
    pub name: String,
    pub commit: CommitId,
}

/// What the client wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// More bytes from the server.
    Wait,
    /// Send this request; over HTTP it is the body of one POST.
    Send(Vec<u8>),
    /// This is what the reference points at. Call [`UploadPack::fetch`] if it is news, or stop.
    Found(Head),
    /// A piece of the pack.
    Pack(Vec<u8>),
    /// The pack is complete.
    Done,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct UploadPack {
    wanted: Option<String>,
    decoder: Decoder,
    talked: usize,
    version: Version,
    capabilities: Vec<String>,
    refs: Vec<Ref>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Zero,
    Two,
}

#[derive(Debug)]
struct Ref {
    name: String,
    commit: CommitId,
    /// Where a symbolic reference leads.
    target: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    /// Before the first line; over HTTP a service line and a flush come first.
    Greeting,
    /// Version 2: what the server can do.
    Capabilities,
    /// Version 0: the references, the first with the capabilities.
    Advertisement,
    /// Version 2: the answer to ls-refs.
    LsRefs,
    /// The reference is known and `fetch` was not called.
    Found(Head),
    /// A request is to be sent before the next state.
    Sending(Vec<u8>, Box<State>),
    /// Version 0: which commits become shallow.
    Shallow,
    /// Version 0: ACK or NAK.
    Acknowledgment,
    /// Version 2: the name of the next section.
    Section,
    /// Version 2: a section of no interest.
    Skipping,
    /// Bands of pack, progress and errors.
    Pack,
    Done,
}

impl UploadPack {
    /// Looks for a branch, a tag or a full reference name; `None` is the server's default branch.
    pub(super) fn new(wanted: Option<String>) -> UploadPack {
        UploadPack {
            wanted,
            decoder: Decoder::default(),
            talked: 0,
            version: Version::Zero,
            capabilities: Vec::new(),
            refs: Vec::new(),
            state: State::Greeting,
        }
    }

    /// Bytes from the server.
    pub(super) fn input(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        if !matches!(self.state, State::Pack) {
            self.talked = self.talked.saturating_add(bytes.len());
            if self.talked > MAX_TALK {
                return Err(ProtocolError::TooMuch);
            }
        }
        self.decoder.input(bytes);
        Ok(())
    }

    /// What to do next. After the carrier's end, `Wait` means that the answer broke off.
    pub(super) fn poll(&mut self) -> Result<Output, ProtocolError> {
        loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Sending(request, next) => {
                    self.state = *next;
                    return Ok(Output::Send(request));
                }
                State::Found(head) => {
                    self.state = State::Found(head.clone());
                    return Ok(Output::Found(head));
                }
                State::Done => return Ok(Output::Done),
                state => self.state = state,
            }
            let packet =
                self.decoder.next().map_err(|_| ProtocolError::Malformed("bad length of a packet"))?;
            let Some(packet) = packet else { return Ok(Output::Wait) };
            if let Some(output) = self.packet(packet)? {
                return Ok(output);
            }
        }
    }

    fn packet(&mut self, packet: Packet) -> Result<Option<Output>, ProtocolError> {
        if let Packet::Line(line) = &packet
            && self.state != State::Pack
            && let Some(text) = line.strip_prefix(b"ERR ")
        {
            return Err(ProtocolError::Remote(remote_text(text)));
        }
        match self.state {
            State::Greeting => self.greeting(packet)?,
            State::Capabilities => self.capability(packet)?,
            State::Advertisement => self.advertised(packet)?,
            State::LsRefs => self.listed(packet)?,
            State::Shallow => match packet {
                Packet::Line(line) if line.starts_with(b"shallow ") || line.starts_with(b"unshallow ") => {}
                Packet::Flush => self.state = State::Acknowledgment,
                _ => return Err(ProtocolError::Malformed("no list of shallow commits")),
            },
            State::Acknowledgment => match packet {
                Packet::Line(line) if line.starts_with(b"ACK ") || line.starts_with(b"NAK") => {
                    self.state = State::Pack
                }
                _ => return Err(ProtocolError::Malformed("neither ACK nor NAK")),
            },
            State::Section => match packet {
                Packet::Line(line) if trimmed(&line) == b"packfile" => self.state = State::Pack,
                Packet::Line(_) => self.state = State::Skipping,
                _ => return Err(ProtocolError::Malformed("no packfile section")),
            },
            State::Skipping => match packet {
                Packet::Line(_) => {}
                Packet::Delimiter => self.state = State::Section,
                _ => return Err(ProtocolError::Malformed("no packfile section")),
            },
            State::Pack => return self.band(packet),
            State::Found(_) | State::Sending(..) | State::Done => {}
        }
        Ok(None)
    }

    fn greeting(&mut self, packet: Packet) -> Result<(), ProtocolError> {
        match packet {
            Packet::Line(line) if line.starts_with(b"# service=git-upload-pack") => {}
            Packet::Line(line) if line.starts_with(b"# ") => {
                return Err(ProtocolError::Malformed("another service answered"));
            }
            Packet::Flush => {}
            Packet::Line(line) if trimmed(&line) == b"version 2" => {
                self.version = Version::Two;
                self.state = State::Capabilities;
            }
            Packet::Line(line) if trimmed(&line) == b"version 1" => self.state = State::Advertisement,
            packet @ Packet::Line(_) => {
                self.state = State::Advertisement;
                self.advertised(packet)?;
            }
            Packet::Delimiter | Packet::ResponseEnd => {
                return Err(ProtocolError::Malformed("no advertisement"));
            }
        }
        Ok(())
    }

    fn capability(&mut self, packet: Packet) -> Result<(), ProtocolError> {
        match packet {
            Packet::Line(line) => self.capabilities.push(text(&line)?),
            Packet::Flush => {
                self.check_object_format()?;
                if !self.capabilities.iter().any(|c| c == "ls-refs" || c.starts_with("ls-refs=")) {
                    return Err(ProtocolError::Unsupported("is served without ls-refs"));
                }
                self.state = State::Sending(self.ls_refs(), Box::new(State::LsRefs));
            }
            _ => return Err(ProtocolError::Malformed("no list of capabilities")),
        }
        Ok(())
    }

    /// gitprotocol-v2(5), "ls-refs".
    fn ls_refs(&self) -> Vec<u8> {
        let mut request = self.command("ls-refs").line("peel").line("symrefs");
        for name in self.names() {
            request = request.line(&format!("ref-prefix {name}"));
        }
        request.flush().finish()
    }

    fn command(&self, name: &str) -> Encoder {
        let mut request = Encoder::default().line(&format!("command={name}")).line(AGENT);
        if self.capabilities.iter().any(|capability| capability.starts_with("object-format=")) {
            request = request.line("object-format=sha1");
        }
        request.delimiter()
    }

    /// The names that are tried, the best first.
    fn names(&self) -> Vec<String> {
        match self.wanted.as_deref() {
            None => vec!["HEAD".to_owned()],
            Some(name) if name.starts_with("refs/") => vec![name.to_owned()],
            Some(name) => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        }
    }

    /// gitprotocol-pack(5), "Reference Discovery": `<id> <name>`, the first with NUL and capabilities.
    fn advertised(&mut self, packet: Packet) -> Result<(), ProtocolError> {
        let line = match packet {
            Packet::Line(line) => text(&line)?,
            Packet::Flush => return self.found(),
            _ => return Err(ProtocolError::Malformed("no list of references")),
        };
        let line = match line.split_once('\0') {
            Some((line, capabilities)) => {
                self.capabilities = capabilities.split(' ').map(str::to_owned).collect();
                self.check_object_format()?;
                line.to_owned()
            }
            None => line,
        };
        if line.starts_with("shallow ") {
            return Ok(());
        }
        let (id, name) = line.split_once(' ').ok_or(ProtocolError::Malformed("no reference"))?;
        let commit = CommitId::parse(id).ok_or(ProtocolError::Malformed("no object id"))?;
        // `refs/tags/v1^{}` follows an annotated tag and gives its commit.
        if let Some(tag) = name.strip_suffix("^{}") {
            if let Some(last) = self.refs.last_mut().filter(|last| last.name == tag) {
                last.commit = commit;
            }
        } else if self.names().iter().any(|wanted| wanted == name) {
            let head = format!("symref={name}:");
            let target = self.capabilities.iter().find_map(|capability| capability.strip_prefix(&head));
            self.refs.push(Ref { name: name.to_owned(), commit, target: target.map(str::to_owned) });
        }
        Ok(())
    }

    /// gitprotocol-v2(5), "ls-refs": `<id> <name>` and attributes.
    fn listed(&mut self, packet: Packet) -> Result<(), ProtocolError> {
        let line = match packet {
            Packet::Line(line) => text(&line)?,
            Packet::Flush => return self.found(),
            _ => return Err(ProtocolError::Malformed("no list of references")),
        };
        let mut words = line.split(' ');
        let (id, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if id == "unborn" || !self.names().iter().any(|wanted| wanted == name) {
            return Ok(());
        }
        let mut commit = CommitId::parse(id).ok_or(ProtocolError::Malformed("no object id"))?;
        let mut target = None;
        for attribute in words {
            if let Some(name) = attribute.strip_prefix("symref-target:") {
                target = Some(name.to_owned());
            } else if let Some(id) = attribute.strip_prefix("peeled:") {
                commit = CommitId::parse(id).ok_or(ProtocolError::Malformed("no object id"))?;
            }
        }
        self.refs.push(Ref { name: name.to_owned(), commit, target });
        Ok(())
    }

    fn check_object_format(&self) -> Result<(), ProtocolError> {
        let mut formats =
            self.capabilities.iter().filter_map(|c| c.strip_prefix("object-format=")).peekable();
        if formats.peek().is_some() && formats.all(|format| format != "sha1") {
            return Err(ProtocolError::Unsupported("uses SHA-256 object names"));
        }
        Ok(())
    }

    fn found(&mut self) -> Result<(), ProtocolError> {
        let names = self.names();
        let best = names.iter().find_map(|name| self.refs.iter().find(|found| found.name == *name));
        let Some(found) = best else {
            return Err(match &self.wanted {
                Some(name) => ProtocolError::NoReference(name.clone()),
                None => ProtocolError::NoDefault,
            });
        };
        let name = found.target.clone().unwrap_or_else(|| found.name.clone());
        self.state = State::Found(Head { name, commit: found.commit.clone() });
        Ok(())
    }

    /// Asks for the commit that was found, without what `known` already has.
    pub(super) fn fetch(&mut self, known: Option<&CommitId>) -> Result<(), ProtocolError> {
        let State::Found(head) = &self.state else { return Ok(()) };
        self.state = match self.version {
            Version::Zero => self.fetch_zero(&head.commit, known)?,
            Version::Two => self.fetch_two(&head.commit, known),
        };
        Ok(())
    }

    /// gitprotocol-pack(5), "Packfile Negotiation".
    fn fetch_zero(&self, commit: &CommitId, known: Option<&CommitId>) -> Result<State, ProtocolError> {
        let can = |capability: &str| self.capabilities.iter().any(|known| known == capability);
        if !can("side-band-64k") {
            return Err(ProtocolError::Unsupported("is served without side-band-64k"));
        }
        let mut want = format!("want {} side-band-64k", commit.as_str());
        for capability in ["ofs-delta", "no-progress"].into_iter().filter(|capability| can(capability)) {
            want = want + " " + capability;
        }
        if self.capabilities.iter().any(|capability| capability.starts_with("agent=")) {
            want = want + " " + AGENT;
        }
        let mut request = Encoder::default().line(&want);
        let shallow = can("shallow");
        if shallow {
            request = deepen(request, known);
        }
        request = request.flush();
        if let Some(known) = known {
            request = request.line(&format!("have {}", known.as_str()));
        }
        let next = if shallow { State::Shallow } else { State::Acknowledgment };
        Ok(State::Sending(request.line("done").finish(), Box::new(next)))
    }

    /// gitprotocol-v2(5), "fetch".
    fn fetch_two(&self, commit: &CommitId, known: Option<&CommitId>) -> State {
        let features = self.capabilities.iter().find_map(|capability| capability.strip_prefix("fetch="));
        let mut request = self.command("fetch").line("ofs-delta").line("no-progress");
        if features.is_some_and(|features| features.split(' ').any(|feature| feature == "shallow")) {
            request = deepen(request, known);
        }
        request = request.line(&format!("want {}", commit.as_str()));
        if let Some(known) = known {
            request = request.line(&format!("have {}", known.as_str()));
        }
        State::Sending(request.line("done").flush().finish(), Box::new(State::Section))
    }

    /// gitprotocol-pack(5), "Packfile Data": band 1 is the pack, 2 progress, 3 a fatal error.
    fn band(&mut self, packet: Packet) -> Result<Option<Output>, ProtocolError> {
        let line = match packet {
            Packet::Line(line) => line,
            Packet::Flush => {
                self.state = State::Done;
                return Ok(None);
            }
            _ => return Err(ProtocolError::Malformed("a mark within the pack")),
        };
        match line.split_first() {
            Some((1, data)) => Ok(Some(Output::Pack(data.to_vec()))),
            Some((2, _)) | None => Ok(None),
            Some((3, text)) => Err(ProtocolError::Remote(remote_text(text))),
            Some(_) if line.starts_with(b"ERR ") => Err(ProtocolError::Remote(remote_text(&line[4..]))),
            Some(_) => Err(ProtocolError::Malformed("an unknown band")),
        }
    }
}

/// One commit deep; what is known is as shallow here.
fn deepen(request: Encoder, known: Option<&CommitId>) -> Encoder {
    let request = match known {
        Some(known) => request.line(&format!("shallow {}", known.as_str())),
        None => request,
    };
    request.line("deepen 1")
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

fn text(line: &[u8]) -> Result<String, ProtocolError> {
    let text = std::str::from_utf8(trimmed(line));
    text.map(str::to_owned).map_err(|_| ProtocolError::Malformed("text that is not UTF-8"))
}

/// A server's text as it may be shown: one line, printable, short.
pub(super) fn remote_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let printable = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    printable.take(MAX_REMOTE_TEXT).collect()
}

#[cfg(test)]
mod tests;
