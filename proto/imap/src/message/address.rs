//! Address lists (RFC 5322 §3.4 and the obsolete forms of §4.4) as ENVELOPE writes them (RFC 3501 §7.4.2).
//!
//! Takes anything: what is no address becomes one without a domain, so that a reader still sees it.

/// Addresses of one field that the index keeps: more than any list that people write by hand.
pub const MAX_ADDRESSES: usize = 5000;
/// ENVELOPE needs a host, for NIL would mean a group; Dovecot's word, which clients know.
pub const MISSING_DOMAIN: &[u8] = b"MISSING_DOMAIN";

/// One `address` of RFC 3501 §7.4.2. A group begins with `mailbox` alone and ends with nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// The display name, encoded words as they are.
    pub name: Option<Vec<u8>>,
    /// The source route (RFC 5322 §4.4 `obs-route`).
    pub route: Option<Vec<u8>>,
    /// The local part without quotes, or the group's name.
    pub mailbox: Option<Vec<u8>>,
    /// The domain.
    pub host: Option<Vec<u8>>,
}

/// Reads an address list, folded or not.
pub fn parse(field: &[u8]) -> Vec<Address> {
    let mut parser = Parser { text: field, at: 0, comment: None };
    let mut list = Vec::new();
    let mut in_group = false;
    while list.len() < MAX_ADDRESSES {
        let words = parser.words();
        match parser.next() {
            Some(b'<') => list.push(parser.angle(words)),
            Some(b'@') => list.push(parser.bare(words)),
            Some(b':') if !in_group => {
                list.push(Address { mailbox: Some(join(&words, b" ")), ..Address::default() });
                in_group = true;
            }
            Some(b';') => {
                parser.lone(words, &mut list);
                if in_group {
                    list.push(Address::default());
                }
                in_group = false;
            }
            Some(_) => parser.lone(words, &mut list),
            None => {
                parser.lone(words, &mut list);
                break;
            }
        }
    }
    if in_group {
        list.push(Address::default());
    }
    list
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    /// The last comment since the last separator: the name where there is no other (RFC 5322 §3.4, note on `(name)`).
    comment: Option<Vec<u8>>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let octet = self.peek()?;
        self.at += 1;
        Some(octet)
    }

    /// Atoms (dots and 8-bit included) and quoted strings up to something that structures the list.
    fn words(&mut self) -> Vec<Vec<u8>> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut apart = true;
        while let Some(octet) = self.peek() {
            match octet {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.at += 1;
                    apart = true;
                }
                b'(' => {
                    let comment = self.comment_text();
                    self.comment = Some(comment);
                    apart = true;
                }
                b'<' | b'>' | b'@' | b',' | b';' | b':' => break,
                b'"' => {
                    let word = self.quoted();
                    put(&mut words, word, apart);
                    apart = false;
                }
                b'[' => {
                    let word = self.domain_literal();
                    put(&mut words, word, apart);
                    apart = false;
                }
                _ => {
                    let word = self.atom();
                    put(&mut words, word, apart);
                    apart = false;
                }
            }
        }
        words
    }

    fn atom(&mut self) -> Vec<u8> {
        let start = self.at;
        self.at += 1;
        while let Some(octet) = self.peek() {
            if octet.is_ascii_whitespace() || b"()<>@,;:\"[".contains(&octet) {
                break;
            }
            self.at += 1;
        }
        self.text[start..self.at].to_vec()
    }

    /// A quoted string without its quotes (RFC 5322 §3.2.4); line ends of folding go.
    fn quoted(&mut self) -> Vec<u8> {
        self.at += 1;
        let mut text = Vec::new();
        while let Some(octet) = self.next() {
            match octet {
                b'"' => break,
                b'\\' => text.extend(self.next()),
                b'\r' | b'\n' => {}
                _ => text.push(octet),
            }
        }
        text
    }

    /// A comment without its outer parentheses (RFC 5322 §3.2.2); nesting needs no recursion.
    fn comment_text(&mut self) -> Vec<u8> {
        self.at += 1;
        let mut text = Vec::new();
        let mut depth = 1usize;
        while let Some(octet) = self.next() {
            match octet {
                b'(' => depth += 1,
                b')' => depth -= 1,
                b'\\' => {
                    text.extend(self.next());
                    continue;
                }
                b'\r' | b'\n' => continue,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            text.push(octet);
        }
        text.trim_ascii().to_vec()
    }

    fn domain_literal(&mut self) -> Vec<u8> {
        let start = self.at;
        while let Some(octet) = self.next() {
            if octet == b']' {
                break;
            }
        }
        self.text[start..self.at].iter().copied().filter(|b| !b.is_ascii_whitespace()).collect()
    }

    /// `<` was read: an optional route, local part, `@`, domain, `>`.
    fn angle(&mut self, name: Vec<Vec<u8>>) -> Address {
        let comment = self.comment.take();
        let mut route = None;
        let mut local = self.words();
        if local.is_empty() && self.peek() == Some(b'@') {
            route = self.route();
            local = self.words();
        }
        let host = match self.peek() {
            Some(b'@') => {
                self.at += 1;
                domain(self.words())
            }
            _ => Vec::new(),
        };
        while !matches!(self.peek(), None | Some(b'>' | b',' | b';')) {
            self.at += 1;
        }
        if self.peek() == Some(b'>') {
            self.at += 1;
        }
        let name = if name.is_empty() { comment } else { Some(join(&name, b" ")) };
        // A comment behind the address belongs to it, and words there are nobody's.
        let _ = self.words();
        self.comment = None;
        if self.peek() == Some(b',') {
            self.at += 1;
        }
        Address { name, route, mailbox: Some(join(&local, b"")), host: Some(or_missing(host)) }
    }

    /// `@a,@b:` up to the colon (RFC 5322 §4.4 `obs-route`), or nothing where no colon follows.
    fn route(&mut self) -> Option<Vec<u8>> {
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|b| matches!(b, b':' | b'>' | b'<' | b'"'))?;
        if rest[end] != b':' {
            return None;
        }
        self.at += end + 1;
        Some(rest[..end].iter().copied().filter(|b| !b.is_ascii_whitespace()).collect())
    }

    /// `@` was read: the words before are the local part. What follows the domain without a comma is nobody's.
    fn bare(&mut self, local: Vec<Vec<u8>>) -> Address {
        let host = domain(self.words());
        let name = self.comment.take();
        while !matches!(self.peek(), None | Some(b',' | b';')) {
            self.at += 1;
        }
        Address { name, route: None, mailbox: Some(join(&local, b"")), host: Some(or_missing(host)) }
    }

    /// Words that no domain followed.
    fn lone(&mut self, words: Vec<Vec<u8>>, list: &mut Vec<Address>) {
        let name = self.comment.take();
        if !words.is_empty() {
            let mailbox = Some(join(&words, b" "));
            list.push(Address { name, route: None, mailbox, host: Some(MISSING_DOMAIN.to_vec()) });
        }
    }
}

/// Adds a word, or continues the last one where nothing stood between (`a."b c"@…`).
fn put(words: &mut Vec<Vec<u8>>, word: Vec<u8>, apart: bool) {
    match words.last_mut() {
        Some(last) if !apart => last.extend(word),
        _ => words.push(word),
    }
}

/// The first of several words, with those that a dot connects to it (RFC 5322 §4.4 `obs-domain`).
fn domain(words: Vec<Vec<u8>>) -> Vec<u8> {
    let mut host: Vec<u8> = Vec::new();
    for word in words {
        if !host.is_empty() && !host.ends_with(b".") && !word.starts_with(b".") {
            break;
        }
        host.extend(word);
    }
    host
}

fn join(words: &[Vec<u8>], between: &[u8]) -> Vec<u8> {
    words.join(between)
}

fn or_missing(host: Vec<u8>) -> Vec<u8> {
    if host.is_empty() { MISSING_DOMAIN.to_vec() } else { host }
}

#[cfg(test)]
mod tests;
