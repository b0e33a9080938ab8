//! A small client of `git upload-pack`, sans-IO: bytes in, bytes out, no sockets.
//!
//! It asks for protocol version 2 (gitprotocol-v2(5)) and understands version 0 (gitprotocol-pack(5)) from servers that
//! know no other. It lists references and fetches one commit to some depth, over any carrier that can send a request and
//! read what comes back. It leaves out pushing, bundles, and what to choose and to keep (`reference`, `history`).
//!
//! ```text
//! Greeting ─ version 2 ─→ Capabilities ─→ LsRefs ─┐
//!    └────── version 0 ─→ Advertisement ──────────┴→ Listed ─fetch()→ Shallow → Acknowledgment → Pack → Done
//!                                                                └──→ Sections (version 2) ──────↗
//! ```

use super::super::CommitId;
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
    /// A commit that no reference points at, from a server that gives no others.
    #[error(
        "the server does not give the commit {0} by its id; name a branch or tag that points at it, or set \
         uploadpack.allowReachableSHA1InWant on the server"
    )]
    Unadvertised(CommitId),
    /// Something this client does not do.
    #[error("the repository {0}, which is not supported")]
    Unsupported(&'static str),
    /// The server talks too much.
    #[error("the server sent more than {MAX_TALK} bytes without a pack")]
    TooMuch,
}

/// What is asked about first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// The references whose names begin with one of these.
    Refs(Vec<String>),
    /// Nothing: this commit (or tag) is to be fetched whatever points at it.
    Commit(CommitId),
}

/// A reference of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RemoteRef {
    /// Its full name, `refs/heads/main`.
    pub name: String,
    /// What it points at: a commit, or an annotated tag.
    pub object: CommitId,
    /// The commit that an annotated tag leads to.
    pub peeled: Option<CommitId>,
    /// Where a symbolic reference leads.
    pub target: Option<String>,
}

/// What is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Want {
    /// A commit or an annotated tag.
    pub object: CommitId,
    /// Commits that are here with all their files.
    pub have: Vec<CommitId>,
    /// Commits that are here without their parents.
    pub shallow: Vec<CommitId>,
    /// Generations of commits.
    pub depth: u32,
    /// Whether commits without their files will do; a server that cannot leave them out sends them.
    pub commits_only: bool,
}

/// What the client wants next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Output {
    /// More bytes from the server.
    Wait,
    /// Send this request; over HTTP it is the body of one POST.
    Send(Vec<u8>),
    /// The references that were asked for. Call [`UploadPack::fetch`] if there is news, or stop.
    Listed(Vec<RemoteRef>),
    /// A piece of the pack.
    Pack(Vec<u8>),
    /// The pack is complete.
    Done,
}

/// One conversation.
#[derive(Debug)]
pub(super) struct UploadPack {
    ask: Ask,
    decoder: Decoder,
    talked: usize,
    version: Version,
    capabilities: Vec<String>,
    refs: Vec<RemoteRef>,
    /// Version 0: whether a reference points at the commit that is asked for.
    advertised: bool,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Zero,
    Two,
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
    /// The references are known and `fetch` was not called.
    Listed,
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
    pub(super) fn new(ask: Ask) -> UploadPack {
        UploadPack {
            ask,
            decoder: Decoder::default(),
            talked: 0,
            version: Version::Zero,
            capabilities: Vec::new(),
            refs: Vec::new(),
            advertised: false,
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
                State::Listed => {
                    self.state = State::Listed;
                    return Ok(Output::Listed(self.refs.clone()));
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
            return Err(self.refused(text));
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
            State::Listed | State::Sending(..) | State::Done => {}
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
                let Ask::Refs(prefixes) = &self.ask else {
                    self.state = State::Listed;
                    return Ok(());
                };
                if !self.capabilities.iter().any(|c| c == "ls-refs" || c.starts_with("ls-refs=")) {
                    return Err(ProtocolError::Unsupported("is served without ls-refs"));
                }
                self.state = State::Sending(self.ls_refs(prefixes), Box::new(State::LsRefs));
            }
            _ => return Err(ProtocolError::Malformed("no list of capabilities")),
        }
        Ok(())
    }

    /// gitprotocol-v2(5), "ls-refs".
    fn ls_refs(&self, prefixes: &[String]) -> Vec<u8> {
        let request = self.command("ls-refs").line("peel").line("symrefs");
        let ask = |request: Encoder, prefix: &String| request.line(&format!("ref-prefix {prefix}"));
        prefixes.iter().fold(request, ask).flush().finish()
    }

    fn command(&self, name: &str) -> Encoder {
        let mut request = Encoder::default().line(&format!("command={name}")).line(AGENT);
        if self.capabilities.iter().any(|capability| capability.starts_with("object-format=")) {
            request = request.line("object-format=sha1");
        }
        request.delimiter()
    }

    /// A server may list more than was asked for.
    fn is_asked_for(&self, name: &str) -> bool {
        match &self.ask {
            Ask::Refs(prefixes) => prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())),
            Ask::Commit(_) => false,
        }
    }

    /// gitprotocol-pack(5), "Reference Discovery": `<id> <name>`, the first with NUL and capabilities.
    fn advertised(&mut self, packet: Packet) -> Result<(), ProtocolError> {
        let line = match packet {
            Packet::Line(line) => text(&line)?,
            Packet::Flush => {
                self.state = State::Listed;
                return Ok(());
            }
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
        let object = CommitId::parse(id).ok_or(ProtocolError::Malformed("no object id"))?;
        self.advertised |= matches!(&self.ask, Ask::Commit(wanted) if *wanted == object);
        // `refs/tags/v1^{}` follows an annotated tag and gives its commit.
        if let Some(tag) = name.strip_suffix("^{}") {
            if let Some(last) = self.refs.last_mut().filter(|last| last.name == tag) {
                last.peeled = Some(object);
            }
        } else if self.is_asked_for(name) {
            let head = format!("symref={name}:");
            let target = self.capabilities.iter().find_map(|capability| capability.strip_prefix(&head));
            let target = target.map(str::to_owned);
            self.refs.push(RemoteRef { name: name.to_owned(), object, peeled: None, target });
        }
        Ok(())
    }

    /// gitprotocol-v2(5), "ls-refs": `<id> <name>` and attributes.
    fn listed(&mut self, packet: Packet) -> Result<(), ProtocolError> {
        let line = match packet {
            Packet::Line(line) => text(&line)?,
            Packet::Flush => {
                self.state = State::Listed;
                return Ok(());
            }
            _ => return Err(ProtocolError::Malformed("no list of references")),
        };
        let mut words = line.split(' ');
        let (id, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if id == "unborn" || !self.is_asked_for(name) {
            return Ok(());
        }
        let parse = |id| CommitId::parse(id).ok_or(ProtocolError::Malformed("no object id"));
        let (object, mut peeled, mut target) = (parse(id)?, None, None);
        for attribute in words {
            if let Some(name) = attribute.strip_prefix("symref-target:") {
                target = Some(name.to_owned());
            } else if let Some(id) = attribute.strip_prefix("peeled:") {
                peeled = Some(parse(id)?);
            }
        }
        self.refs.push(RemoteRef { name: name.to_owned(), object, peeled, target });
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

    /// Asks for a commit or tag, once the references are known.
    pub(super) fn fetch(&mut self, want: &Want) -> Result<(), ProtocolError> {
        if self.state == State::Listed {
            self.state = match self.version {
                Version::Zero => self.fetch_zero(want)?,
                Version::Two => self.fetch_two(want),
            };
        }
        Ok(())
    }

    /// gitprotocol-pack(5), "Packfile Negotiation".
    fn fetch_zero(&self, want: &Want) -> Result<State, ProtocolError> {
        let can = |capability: &str| self.capabilities.iter().any(|known| known == capability);
        if !can("side-band-64k") {
            return Err(ProtocolError::Unsupported("is served without side-band-64k"));
        }
        let unadvertised = matches!(self.ask, Ask::Commit(_)) && !self.advertised;
        if unadvertised && !can("allow-reachable-sha1-in-want") && !can("allow-tip-sha1-in-want") {
            return Err(ProtocolError::Unadvertised(want.object.clone()));
        }
        let mut first = format!("want {} side-band-64k", want.object);
        let filter = want.commits_only && can("filter");
        let wished = ["ofs-delta", "no-progress"].into_iter().filter(|capability| can(capability));
        for capability in wished.chain(filter.then_some("filter")) {
            first = first + " " + capability;
        }
        if self.capabilities.iter().any(|capability| capability.starts_with("agent=")) {
            first = first + " " + AGENT;
        }
        let mut request = Encoder::default().line(&first);
        let shallow = can("shallow");
        if shallow {
            request = deepen(request, want);
        }
        if filter {
            request = request.line(COMMITS_ONLY);
        }
        let request = have(request.flush(), want).line("done").finish();
        let next = if shallow { State::Shallow } else { State::Acknowledgment };
        Ok(State::Sending(request, Box::new(next)))
    }

    /// gitprotocol-v2(5), "fetch".
    fn fetch_two(&self, want: &Want) -> State {
        let features = self.capabilities.iter().find_map(|capability| capability.strip_prefix("fetch="));
        let can =
            |feature| features.is_some_and(|features| features.split(' ').any(|known| known == feature));
        let mut request = self.command("fetch").line("ofs-delta").line("no-progress");
        if can("shallow") {
            request = deepen(request, want);
        }
        if want.commits_only && can("filter") {
            request = request.line(COMMITS_ONLY);
        }
        let request = have(request.line(&format!("want {}", want.object)), want);
        State::Sending(request.line("done").flush().finish(), Box::new(State::Section))
    }

    /// A server's own words; what Git says of a commit that it does not give out is put in ours.
    fn refused(&self, text: &[u8]) -> ProtocolError {
        let text = remote_text(text);
        match &self.ask {
            Ask::Commit(id) if text.contains("not our ref") => ProtocolError::Unadvertised(id.clone()),
            _ => ProtocolError::Remote(text),
        }
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
            Some((3, text)) => Err(self.refused(text)),
            Some(_) if line.starts_with(b"ERR ") => Err(self.refused(&line[4..])),
            Some(_) => Err(ProtocolError::Malformed("an unknown band")),
        }
    }
}

/// gitprotocol-v2(5), "filter": git-rev-list(1) knows it as "no trees, so no files".
const COMMITS_ONLY: &str = "filter tree:0";

fn deepen(request: Encoder, want: &Want) -> Encoder {
    let shallow = |request: Encoder, id: &CommitId| request.line(&format!("shallow {id}"));
    want.shallow.iter().fold(request, shallow).line(&format!("deepen {}", want.depth))
}

fn have(request: Encoder, want: &Want) -> Encoder {
    want.have.iter().fold(request, |request, id| request.line(&format!("have {id}")))
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
