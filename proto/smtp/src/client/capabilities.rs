//! What a server said it can do (RFC 5321 §4.1.1.1, the EHLO reply).

use crate::reply::Reply;

/// Mechanisms that are remembered: more exist nowhere.
const MECHANISMS_MAX: usize = 32;

/// The extensions a server offers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// PIPELINING (RFC 2920).
    pub pipelining: bool,
    /// SIZE (RFC 1870): the largest message, if it says one.
    pub size: Option<Option<u64>>,
    /// 8BITMIME (RFC 6152).
    pub eight_bit_mime: bool,
    /// SMTPUTF8 (RFC 6531).
    pub smtputf8: bool,
    /// DSN (RFC 3461).
    pub dsn: bool,
    /// CHUNKING (RFC 3030).
    pub chunking: bool,
    /// STARTTLS (RFC 3207).
    pub starttls: bool,
    /// ENHANCEDSTATUSCODES (RFC 2034).
    pub enhanced_status_codes: bool,
    /// AUTH (RFC 4954): the mechanisms in upper case.
    pub auth: Vec<String>,
}

impl Capabilities {
    /// Reads the lines behind the first. Unknown keywords are passed over (RFC 5321 §4.1.1.1).
    pub(super) fn of(reply: &Reply) -> Capabilities {
        let mut found = Capabilities::default();
        for line in reply.text().split('\n').skip(1) {
            // `AUTH=LOGIN` is what servers said before RFC 2554 for clients that still exist.
            let line = line.to_ascii_uppercase().replacen("AUTH=", "AUTH ", 1);
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or_default() {
                "PIPELINING" => found.pipelining = true,
                // RFC 1870 §4: zero is no limit.
                "SIZE" => {
                    found.size =
                        Some(words.next().and_then(|size| size.parse().ok()).filter(|size| *size > 0));
                }
                "8BITMIME" => found.eight_bit_mime = true,
                "SMTPUTF8" => found.smtputf8 = true,
                "DSN" => found.dsn = true,
                "CHUNKING" => found.chunking = true,
                "STARTTLS" => found.starttls = true,
                "ENHANCEDSTATUSCODES" => found.enhanced_status_codes = true,
                "AUTH" => {
                    for mechanism in words {
                        if found.auth.len() < MECHANISMS_MAX && !found.auth.iter().any(|m| m == mechanism) {
                            found.auth.push(mechanism.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Capabilities {
        Capabilities::of(&Reply::plain(250, text.to_owned()))
    }

    #[test]
    fn keywords() {
        assert_eq!(of("pipelining"), Capabilities::default(), "the first line is a greeting");
        let all = of(
            "mx\nPIPELINING\nSIZE 1000\n8BITMIME\nSMTPUTF8\nDSN\nCHUNKING\nstarttls\nENHANCEDSTATUSCODES\nXYZ 1\n\nAUTH PLAIN login",
        );
        let expected = Capabilities {
            pipelining: true,
            size: Some(Some(1000)),
            eight_bit_mime: true,
            smtputf8: true,
            dsn: true,
            chunking: true,
            starttls: true,
            enhanced_status_codes: true,
            auth: vec!["PLAIN".into(), "LOGIN".into()],
        };
        assert_eq!(all, expected);
    }

    #[test]
    fn sizes_and_mechanisms() {
        for (line, size) in [
            ("SIZE", Some(None)),
            ("SIZE 0", Some(None)),
            ("SIZE x", Some(None)),
            ("SIZE 7", Some(Some(7))),
            ("SIZES 7", None),
        ] {
            assert_eq!(of(&format!("mx\n{line}")).size, size, "{line}");
        }
        assert_eq!(of("mx\nAUTH=PLAIN LOGIN\nAUTH PLAIN").auth, ["PLAIN", "LOGIN"]);
        let many: String = (0..100).map(|n| format!(" M{n}")).collect();
        assert_eq!(of(&format!("mx\nAUTH{many}")).auth.len(), MECHANISMS_MAX);
    }
}
