//! The messages that are sent: words in plain text with CRLF, of a given size, the same for both servers.

use std::fmt::Write as _;

/// A word that is in the subject of one message in a hundred.
pub const RARE_SUBJECT: &str = "heliotrope";
/// A word that is in the text of one message in a hundred.
pub const RARE_TEXT: &str = "marzipan";

const WORDS: [&str; 32] = [
    "order", "harbour", "window", "letter", "meeting", "invoice", "garden", "station", "report", "copper",
    "summer", "ticket", "bridge", "market", "number", "yellow", "kitchen", "planet", "friday", "answer",
    "travel", "budget", "silver", "museum", "teacher", "river", "engine", "basket", "paper", "winter",
    "concert", "valley",
];

/// The n-th message of this size in octets, or a little above.
pub fn message(n: usize, size: usize) -> Vec<u8> {
    let mut random = Random(n as u64 * 2 + 1);
    let mut text = String::with_capacity(size + 100);
    let subject = if n.is_multiple_of(100) { RARE_SUBJECT } else { random.word() };
    let _ = write!(
        text,
        "From: Sender {n} <sender{n}@example.org>\r\nTo: Reader <reader@example.test>\r\nSubject: The {subject} and the \
         {}, part {n}\r\nDate: Fri, 20 Nov 2026 12:{:02}:{:02} +0000\r\nMessage-ID: <{n}.{size}@example.org>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n",
        random.word(),
        n / 60 % 60,
        n % 60,
    );
    if n % 100 == 50 {
        let _ = write!(text, "{RARE_TEXT} ");
    }
    let mut column = 0;
    while text.len() + 2 < size {
        let word = random.word();
        text.push_str(word);
        column += word.len() + 1;
        if column > 64 {
            text.push_str("\r\n");
            column = 0;
        } else {
            text.push(' ');
        }
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// Enough randomness for words.
struct Random(u64);

impl Random {
    fn word(&mut self) -> &'static str {
        // Knuth's MMIX constants; the high bits are the random ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        WORDS[(self.0 >> 59) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_their_size_and_line_ends() {
        for (n, size) in [(0, 4096), (1, 4096), (50, 65536), (100, 4096)] {
            let message = message(n, size);
            assert!((size..size + 24).contains(&message.len()), "{} for {size}", message.len());
            assert!(message.ends_with(b"\r\n") && message.is_ascii());
            let text = String::from_utf8(message).unwrap();
            assert_eq!(text.replace("\r\n", "").find(['\r', '\n']), None);
            assert!(text.lines().all(|line| line.len() < 90 && !line.starts_with('.')));
            assert_eq!(text.contains(RARE_SUBJECT), n % 100 == 0);
            assert_eq!(text.contains(RARE_TEXT), n % 100 == 50);
        }
    }
}
