//! SPDX licence expressions, as far as manifests use them: `AND`, `OR`, `WITH`, parentheses, and cargo's old slash.
//!
//! `AND` binds tighter than `OR` (SPDX 2.3, annex D.4); the slash of old manifests means `OR`.

use std::fmt;

/// Why an expression cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Error {
    /// A licence was expected and something else came.
    Expected(String),
    /// A licence was expected and nothing came.
    Ended,
    /// Something is left after a whole expression.
    Left(String),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Expected(token) => write!(out, "{token:?} where a licence is expected"),
            Error::Ended => write!(out, "ends where a licence is expected"),
            Error::Left(token) => write!(out, "{token:?} where the expression should end"),
        }
    }
}

/// Whether somebody who accepts the licences of `allowed` can take a work under `expression`.
pub fn allows(expression: &str, allowed: &[&str]) -> Result<bool, Error> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut tokens = Tokens { words: spaced.split_whitespace().collect(), at: 0, allowed };
    let verdict = tokens.any_of()?;
    match tokens.peek() {
        None => Ok(verdict),
        Some(token) => Err(Error::Left(token.to_owned())),
    }
}

struct Tokens<'a> {
    words: Vec<&'a str>,
    at: usize,
    allowed: &'a [&'a str],
}

impl<'a> Tokens<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn any_of(&mut self) -> Result<bool, Error> {
        let mut verdict = self.all_of()?;
        while self.take("OR") {
            verdict |= self.all_of()?;
        }
        Ok(verdict)
    }

    fn all_of(&mut self) -> Result<bool, Error> {
        let mut verdict = self.one()?;
        while self.take("AND") {
            verdict &= self.one()?;
        }
        Ok(verdict)
    }

    fn one(&mut self) -> Result<bool, Error> {
        if self.take("(") {
            let verdict = self.any_of()?;
            return if self.take(")") { Ok(verdict) } else { Err(Error::Ended) };
        }
        let word = self.peek().ok_or(Error::Ended)?;
        if matches!(word, "OR" | "AND" | "WITH" | ")") {
            return Err(Error::Expected(word.to_owned()));
        }
        self.at += 1;
        if !self.take("WITH") {
            return Ok(self.allowed.contains(&word));
        }
        let exception = self.peek().ok_or(Error::Ended)?;
        self.at += 1;
        Ok(self.allowed.contains(&format!("{word} WITH {exception}").as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: &[&str] = &["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];

    fn check(expression: &str, expected: Result<bool, Error>) {
        assert_eq!(allows(expression, ALLOWED), expected, "{expression}");
    }

    #[test]
    fn operators_bind_as_spdx_says() {
        check("MIT", Ok(true));
        check("GPL-3.0-only", Ok(false));
        check("MIT OR GPL-3.0-only", Ok(true));
        check("MIT AND GPL-3.0-only", Ok(false));
        check("GPL-3.0-only AND MIT OR ISC", Ok(true));
        check("GPL-3.0-only AND (MIT OR ISC)", Ok(false));
        check("(MIT OR GPL-3.0-only) AND ISC", Ok(true));
        check("GPL-3.0-only/MIT", Ok(true));
    }

    #[test]
    fn an_exception_is_part_of_the_licence() {
        check("Apache-2.0 WITH LLVM-exception", Ok(true));
        check("Apache-2.0", Ok(false));
        check("MIT WITH LLVM-exception", Ok(false));
    }

    #[test]
    fn what_is_not_an_expression_is_an_error() {
        check("", Err(Error::Ended));
        check("MIT OR", Err(Error::Ended));
        check("(MIT", Err(Error::Ended));
        check("OR MIT", Err(Error::Expected("OR".to_owned())));
        check("MIT ISC", Err(Error::Left("ISC".to_owned())));
        check("MIT)", Err(Error::Left(")".to_owned())));
        check("Apache-2.0 WITH", Err(Error::Ended));
    }
}
