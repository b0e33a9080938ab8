//! Words, numbers, texts and signs of an expression (cel-spec, langdef.md §Syntax).

use super::{At, Fault};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Int(u64),
    Double(f64),
    Sign(&'static str),
    End,
}

/// Two characters before one, so that the longest is taken.
const SIGNS: [&str; 25] = [
    "&&", "||", "==", "!=", "<=", ">=", "(", ")", "[", "]", "{", "}", ".", ",", ":", "?", "+", "-", "*", "/",
    "%", "!", "<", ">", "=",
];

/// Everything in order, each with its place; the last one is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(At, Token)>, Fault> {
    let mut lexer = Lexer { rest: text, at: At { line: 1, column: 1 } };
    let mut found = Vec::new();
    loop {
        lexer.skip_space();
        let at = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        found.push((at, token));
        if end {
            return Ok(found);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    at: At,
}

impl Lexer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        self.at = match next {
            '\n' => At { line: self.at.line + 1, column: 1 },
            _ => At { column: self.at.column + 1, ..self.at },
        };
        Some(next)
    }

    fn skip(&mut self, sign: &str) {
        for _ in sign.chars() {
            self.take();
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(next) = self.peek().filter(|next| wanted(*next)) {
            taken.push(next);
            self.take();
        }
        taken
    }

    fn skip_space(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if !self.rest.starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn token(&mut self) -> Result<Token, Fault> {
        let at = self.at;
        let Some(first) = self.peek() else { return Ok(Token::End) };
        if first.is_ascii_digit() {
            return self.number();
        }
        if first.is_ascii_alphabetic() || first == '_' {
            let name = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
            return match (name.as_str(), self.peek()) {
                ("r" | "R", Some('"' | '\'')) => self.text(true),
                ("b" | "B" | "br" | "bR" | "rb", Some('"' | '\'')) => {
                    Err(Fault::new(at, "bytes are not part of policies; write a text"))
                }
                _ => Ok(Token::Name(name)),
            };
        }
        if matches!(first, '"' | '\'') {
            return self.text(false);
        }
        match SIGNS.into_iter().find(|sign| self.rest.starts_with(sign)) {
            Some("=") => Err(Fault::new(at, "one = compares nothing; write ==")),
            Some(sign) => {
                self.skip(sign);
                Ok(Token::Sign(sign))
            }
            None => Err(Fault::new(at, format!("{first:?} means nothing here"))),
        }
    }

    fn number(&mut self) -> Result<Token, Fault> {
        let at = self.at;
        if self.rest.starts_with("0x") || self.rest.starts_with("0X") {
            self.take();
            self.take();
            let digits = self.take_while(|c| c.is_ascii_hexdigit());
            let number = u64::from_str_radix(&digits, 16).map_err(|_| too_large(at))?;
            return self.no_suffix(Token::Int(number));
        }
        let mut digits = self.take_while(|c| c.is_ascii_digit());
        let mut following = self.rest.chars();
        let fraction =
            following.next() == Some('.') && following.next().is_some_and(|next| next.is_ascii_digit());
        if fraction {
            self.take();
            digits.push('.');
            digits.push_str(&self.take_while(|c| c.is_ascii_digit()));
        }
        let exponent = matches!(self.peek(), Some('e' | 'E'));
        if exponent {
            self.take();
            digits.push('e');
            digits.push_str(&self.take_while(|c| c.is_ascii_digit() || matches!(c, '+' | '-')));
        }
        let token = match fraction || exponent {
            true => digits.parse().ok().filter(|number: &f64| number.is_finite()).map(Token::Double),
            false => digits.parse().ok().map(Token::Int),
        };
        self.no_suffix(token.ok_or_else(|| too_large(at))?)
    }

    /// `5Gi`, `10GB`, `5u`: what was meant is no number.
    fn no_suffix(&mut self, number: Token) -> Result<Token, Fault> {
        let at = self.at;
        let suffix = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
        match suffix.as_str() {
            "" => Ok(number),
            "u" | "U" => Err(Fault::new(at, "unsigned numbers are not part of policies; leave the u out")),
            _ => Err(Fault::new(
                at,
                format!("{suffix} belongs to no number; a quantity is written quantity('10Gi')"),
            )),
        }
    }

    /// A text in one or three quotes of either kind.
    fn text(&mut self, raw: bool) -> Result<Token, Fault> {
        let at = self.at;
        let quote = self.take().unwrap_or('"');
        let long = [quote, quote].iter().collect::<String>();
        let long = self.rest.starts_with(&long);
        if long {
            self.take();
            self.take();
        }
        let end: String = std::iter::repeat_n(quote, if long { 3 } else { 1 }).collect();
        let open = || Fault::new(at, format!("the text that begins here has no end: {end} is missing"));
        let mut text = String::new();
        loop {
            if self.rest.starts_with(&end) {
                self.skip(&end);
                return Ok(Token::Text(text));
            }
            match self.take().ok_or_else(open)? {
                '\n' if !long => return Err(open()),
                '\\' if !raw => text.push(self.escape()?),
                '\\' => {
                    text.push('\\');
                    text.push(self.take().ok_or_else(open)?);
                }
                other => text.push(other),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let at = self.at;
        let unknown =
            || Fault::new(at, "no such escape; a backslash itself is written \\\\, or begin the text with r");
        let named = self.take().ok_or_else(unknown)?;
        let digits = match named {
            'a' => return Ok('\u{7}'),
            'b' => return Ok('\u{8}'),
            'f' => return Ok('\u{c}'),
            'n' => return Ok('\n'),
            'r' => return Ok('\r'),
            't' => return Ok('\t'),
            'v' => return Ok('\u{b}'),
            '\\' | '"' | '\'' | '`' | '?' => return Ok(named),
            'x' | 'X' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='3' => (2, 8),
            _ => return Err(unknown()),
        };
        let mut code = if digits.1 == 8 { named.to_digit(8).unwrap_or(0) } else { 0 };
        for _ in 0..digits.0 {
            let digit = self.take().and_then(|c| c.to_digit(digits.1)).ok_or_else(unknown)?;
            code = code * digits.1 + digit;
        }
        char::from_u32(code).ok_or_else(unknown)
    }
}

fn too_large(at: At) -> Fault {
    Fault::new(at, "this is no number of 64 bits")
}
