//! Words, names, strings and symbols of a dump, with the line each stands on. Leaves out what they mean.

use super::literal::unescaped;

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword, a bare name or a number.
    Word(&'a str),
    /// A quoted name: `` `x` `` or `"x"`.
    Name(String),
    /// A string.
    Text(String),
    /// Anything else.
    Symbol(char),
    /// Nothing more, or a string or comment that never ends.
    End,
}

/// Reads tokens.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    backslashes: bool,
}

impl<'a> Scanner<'a> {
    /// `backslashes`: whether they escape in plain strings, as in MySQL.
    pub(super) fn new(text: &'a str, backslashes: bool) -> Scanner<'a> {
        Scanner { text, at: 0, line: 1, backslashes }
    }

    /// The line that is being read, from 1.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The line of the next token.
    pub(super) fn line_of_next(&mut self) -> usize {
        self.skip_blank();
        self.line
    }

    pub(super) fn token(&mut self) -> Token<'a> {
        self.skip_blank();
        let Some(first) = self.rest().chars().next() else { return Token::End };
        match first {
            '\'' => self.string(self.backslashes).map_or(Token::End, Token::Text),
            '$' if !self.backslashes => self.dollars().map_or(Token::End, Token::Text),
            '`' | '"' => self.quoted(first).map_or(Token::End, Token::Name),
            c if is_word(c) => {
                let length = self.rest().find(|c: char| !is_word(c)).unwrap_or(self.rest().len());
                let word = &self.rest()[..length];
                self.at += length;
                match (word, self.rest().starts_with('\'')) {
                    ("E" | "e", true) => self.string(true).map_or(Token::End, Token::Text),
                    // _binary'…', N'…', X'…', B'…': the string alone is told.
                    (_, true) => self.string(self.backslashes).map_or(Token::End, Token::Text),
                    (word, false) if word.starts_with('_') && self.next_is_string() => self.token(),
                    (word, false) => Token::Word(word),
                }
            }
            symbol => {
                self.take(symbol.len_utf8());
                Token::Symbol(symbol)
            }
        }
    }

    /// To behind the next semicolon; `false` when there is none.
    pub(super) fn skip_statement(&mut self) -> bool {
        loop {
            match self.token() {
                Token::Symbol(';') => return true,
                Token::End => return false,
                _ => {}
            }
        }
    }

    /// The values of a row whose parenthesis was read: the first literal of each, NULL as `None`. `None` when the text ends.
    pub(super) fn values(&mut self) -> Option<Vec<Option<String>>> {
        let mut values = Vec::new();
        let mut value: Option<Option<String>> = None;
        let (mut depth, mut is_negative) = (1_usize, false);
        loop {
            match self.token() {
                Token::End => return None,
                Token::Symbol('(') => depth += 1,
                Token::Symbol(')') if depth > 1 => depth -= 1,
                Token::Symbol(symbol @ (',' | ')')) if depth == 1 => {
                    values.push(value.take().flatten());
                    is_negative = false;
                    if symbol == ')' {
                        return Some(values);
                    }
                }
                Token::Symbol('-') if value.is_none() => is_negative = true,
                Token::Word(word) if value.is_none() && depth == 1 => {
                    let is_null = word.eq_ignore_ascii_case("null");
                    let sign = if is_negative { "-" } else { "" };
                    value = Some((!is_null).then(|| format!("{sign}{word}")));
                }
                Token::Text(text) if value.is_none() && depth == 1 => value = Some(Some(text)),
                _ => {}
            }
        }
    }

    /// To behind the end of the line.
    pub(super) fn end_line(&mut self) {
        self.raw_line();
    }

    /// The rest of the line as it stands; `None` at the end.
    pub(super) fn raw_line(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        if rest.is_empty() {
            return None;
        }
        let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        self.take(length);
        let line = rest[..length].trim_end_matches('\n');
        Some(line.strip_suffix('\r').unwrap_or(line))
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take(&mut self, length: usize) {
        let taken = &self.rest()[..length];
        self.line += taken.bytes().filter(|byte| *byte == b'\n').count();
        self.at += length;
    }

    /// White space and comments. What MySQL hides in `/*!…*/` is none of the statements that are read.
    fn skip_blank(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank > 0 {
                self.take(blank);
                continue;
            }
            let length = if rest.starts_with("--") || rest.starts_with('#') {
                rest.find('\n').unwrap_or(rest.len())
            } else if rest.starts_with("/*") {
                rest.find("*/").map_or(rest.len(), |end| end + 2)
            } else {
                return;
            };
            self.take(length);
        }
    }

    fn next_is_string(&mut self) -> bool {
        self.skip_blank();
        self.rest().starts_with('\'')
    }

    /// A string whose quote is next; `None` when it never ends.
    fn string(&mut self, backslashes: bool) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((index, c)) = chars.next() {
            match c {
                '\\' if backslashes => {
                    let (_, escaped) = chars.next()?;
                    match unescaped(escaped) {
                        Some(c) => text.push(c),
                        None => text.extend(['\\', escaped]),
                    }
                }
                '\'' if chars.next_if(|(_, next)| *next == '\'').is_some() => text.push('\''),
                '\'' => {
                    self.take(index + 1);
                    return Some(text);
                }
                other => text.push(other),
            }
        }
        self.take(self.rest().len());
        None
    }

    /// PostgreSQL's `$tag$…$tag$`, in which functions stand, and a lone dollar.
    fn dollars(&mut self) -> Option<String> {
        let rest = self.rest();
        let tag = rest[1..].find('$').map(|end| &rest[..end + 2]);
        let Some(tag) = tag.filter(|tag| tag[1..tag.len() - 1].chars().all(is_word)) else {
            self.take(1);
            return Some("$".to_owned());
        };
        let body = &rest[tag.len()..];
        match body.find(tag) {
            Some(end) => {
                self.take(end + 2 * tag.len());
                Some(body[..end].to_owned())
            }
            None => {
                self.take(rest.len());
                None
            }
        }
    }

    /// A quoted name; its quote doubled stands for itself.
    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((index, c)) = chars.next() {
            if c != quote {
                text.push(c);
            } else if chars.next_if(|(_, next)| *next == quote).is_some() {
                text.push(quote);
            } else {
                self.take(index + 1);
                return Some(text);
            }
        }
        self.take(self.rest().len());
        None
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}
