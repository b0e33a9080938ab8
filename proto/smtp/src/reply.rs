//! A reply: code, enhanced status code, text; always written in valid syntax whatever the text holds.
//!
//! RFC 5321 §4.2 (replies), §4.5.3.1.5 (reply line of 512 octets); RFC 2034 §4 and RFC 3463 §2 (enhanced codes).

use std::borrow::Cow;

/// An enhanced status code `class.subject.detail` (RFC 3463 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

/// One reply of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply with an enhanced status code. The class of the enhanced code follows the code (RFC 2034 §4: they
    /// must agree); a code outside 200..=599 becomes 451.
    pub fn new(code: u16, enhanced: Enhanced, text: impl Into<Cow<'static, str>>) -> Reply {
        let code = if (200..=599).contains(&code) { code } else { 451 };
        let class = if code < 300 { 2 } else { (code / 100) as u8 };
        let enhanced = (class != 3).then_some(Enhanced(class, enhanced.1.min(999), enhanced.2.min(999)));
        Reply { code, enhanced, text: text.into() }
    }

    /// A reply that must not carry an enhanced code: greeting, HELO, EHLO and 3xx (RFC 2034 §4).
    pub fn plain(code: u16, text: impl Into<Cow<'static, str>>) -> Reply {
        let code = if (200..=599).contains(&code) { code } else { 451 };
        Reply { code, enhanced: None, text: text.into() }
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code, if it carries one.
    pub fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// The text; a line feed starts a further line of the reply.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 4yz or 5yz.
    pub fn is_negative(&self) -> bool {
        self.code >= 400
    }

    /// 4yz: the client may try again (RFC 5321 §4.2.1).
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }
}
