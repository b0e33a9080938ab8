//! AUTHENTICATE PLAIN (RFC 3501 §6.2.2, RFC 4616 §2) with an initial response (RFC 4959 §3).

use super::ask::Password;
use super::login::Login;
use super::task::Done;
use crate::response::Code;
use base64::prelude::{BASE64_STANDARD, Engine};

/// The mechanisms that are offered under TLS.
pub(super) fn is_known(mechanism: &str) -> bool {
    mechanism == "PLAIN"
}

/// Reads the client's response: BASE64 of `[authzid] NUL authcid NUL passwd`. `*` cancels (RFC 3501 §6.2.2), `=` is an empty
/// initial response (RFC 4959 §3).
pub(super) fn plain(response: &[u8]) -> Result<Login, Done> {
    if response == b"*" {
        return Err(Done::bad("AUTHENTICATE cancelled"));
    }
    let response = if response == b"=" { b"".as_slice() } else { response };
    let message = BASE64_STANDARD.decode(response).map_err(|_| Done::bad("The response is not BASE64"))?;
    let mut parts = message.splitn(3, |octet| *octet == 0);
    let (Some(authorize), Some(user), Some(password)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Done::bad("The response is not that of SASL PLAIN"));
    };
    if user.is_empty() || password.contains(&0) {
        return Err(Done::bad("The response is not that of SASL PLAIN"));
    }
    if !authorize.is_empty() && authorize != user {
        return Err(Done::no(Some(Code::AuthorizationFailed), "Acting for another user is not offered"));
    }
    match String::from_utf8(user.to_vec()) {
        Ok(user) => Ok(Login { user, password: Password::new(password.to_vec()) }),
        Err(_) => Err(Done::no(Some(Code::AuthenticationFailed), "Authentication failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(message: &[u8], expected: Result<(&str, &[u8]), &str>) {
        let found = plain(BASE64_STANDARD.encode(message).as_bytes());
        let found = found.as_ref().map(|login| (login.user.as_str(), login.password.as_bytes()));
        assert_eq!(found.map_err(|done| done.text.as_ref()), expected, "{message:?}");
    }

    #[test]
    fn responses() {
        const NOT_PLAIN: &str = "The response is not that of SASL PLAIN";
        // RFC 4616 §4's example.
        check(b"\0tim\0tanstaaftanstaaf", Ok(("tim", b"tanstaaftanstaaf")));
        check(b"alice\0alice\0pw", Ok(("alice", b"pw")));
        check(b"Ursel\0Kurt\0xipj3plmq", Err("Acting for another user is not offered"));
        check(b"\0alice\0", Ok(("alice", b"")));
        check("\0jürgen\0pässwort".as_bytes(), Ok(("jürgen", "pässwort".as_bytes())));
        check(b"", Err(NOT_PLAIN));
        check(b"alice\0pw", Err(NOT_PLAIN));
        check(b"\0\0pw", Err(NOT_PLAIN));
        check(b"\0alice\0p\0w", Err(NOT_PLAIN));
        check(b"\0\xff\0pw", Err("Authentication failed"));
    }

    #[test]
    fn cancelled_and_not_base64() {
        let text = |response: &[u8]| plain(response).map(drop).map_err(|done| done.text.into_owned());
        assert_eq!(text(b"*"), Err("AUTHENTICATE cancelled".to_owned()));
        assert_eq!(text(b"!"), Err("The response is not BASE64".to_owned()));
        assert_eq!(text(b"="), Err("The response is not that of SASL PLAIN".to_owned()));
        assert_eq!(text(b" "), Err("The response is not BASE64".to_owned()));
    }

    proptest! {
        #[test]
        fn any_response_is_decided(response in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(login) = plain(&response) {
                prop_assert!(!login.user.is_empty());
            }
        }
    }
}
