//! ESMTP parameters of MAIL and RCPT (RFC 5321 §4.1.1.11 and §4.1.2).

use crate::dsn::{self, Notify, OriginalRecipient, Ret};
use crate::server::{BodyType, MailParameters, RcptParameters};

/// Digits of a SIZE value (RFC 1870 §3: `1*20DIGIT`).
const SIZE_DIGITS: usize = 20;

/// Why parameters were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// A keyword or a value that this server does not know: 555 (RFC 5321 §4.1.1.11).
    #[error("parameter not recognized")]
    Unknown,
    /// Known and badly written, or given twice: 501.
    #[error("{0}")]
    Syntax(&'static str),
}

/// The parameters of MAIL; `text` begins behind the path.
pub fn mail_parameters(text: &str) -> Result<MailParameters, ParameterError> {
    let mut parameters = MailParameters::default();
    let mut seen = [false; 6];
    for parameter in split(text)? {
        let (keyword, value) = parameter?;
        let index = match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => {
                parameters.size = Some(size(value)?);
                0
            }
            "BODY" => {
                parameters.body = body(value)?;
                1
            }
            "SMTPUTF8" => {
                // RFC 6531 §3.4 item 2: the parameter takes no value.
                if value.is_some() {
                    return Err(ParameterError::Syntax("SMTPUTF8 takes no value"));
                }
                parameters.smtputf8 = true;
                2
            }
            "RET" => {
                parameters.ret = Some(read(value, Ret::parse, "RET is FULL or HDRS")?);
                3
            }
            "ENVID" => {
                parameters.envelope_id = Some(read(value, envelope_id, "ENVID needs xtext")?);
                4
            }
            "AUTH" => {
                parameters.auth = Some(read(value, dsn::decode_xtext, "AUTH needs xtext")?);
                5
            }
            _ => return Err(ParameterError::Unknown),
        };
        once(&mut seen, index)?;
    }
    Ok(parameters)
}

/// The parameters of RCPT, those of RFC 3461 §4.
pub fn rcpt_parameters(text: &str) -> Result<RcptParameters, ParameterError> {
    let mut parameters = RcptParameters::default();
    let mut seen = [false; 2];
    for parameter in split(text)? {
        let (keyword, value) = parameter?;
        let index = match keyword.to_ascii_uppercase().as_str() {
            "NOTIFY" => {
                let words = "NOTIFY is NEVER or some of SUCCESS, FAILURE, DELAY";
                parameters.notify = Some(read(value, Notify::parse, words)?);
                0
            }
            "ORCPT" => {
                parameters.original = Some(read(value, OriginalRecipient::parse, "ORCPT is type;xtext")?);
                1
            }
            _ => return Err(ParameterError::Unknown),
        };
        once(&mut seen, index)?;
    }
    Ok(parameters)
}

fn once(seen: &mut [bool], index: usize) -> Result<(), ParameterError> {
    match std::mem::replace(&mut seen[index], true) {
        true => Err(ParameterError::Syntax("a parameter is given twice")),
        false => Ok(()),
    }
}

fn read<T>(
    value: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
    wrong: &'static str,
) -> Result<T, ParameterError> {
    value.and_then(parse).ok_or(ParameterError::Syntax(wrong))
}

/// RFC 3461 §4.4: xtext of at most 100 characters, which stand for printable ones.
fn envelope_id(value: &str) -> Option<String> {
    dsn::decode_xtext(value).filter(|id| value.len() <= dsn::ENVELOPE_ID_MAX && !id.is_empty())
}

type Parameter<'a> = (&'a str, Option<&'a str>);

/// ```text
/// esmtp-param    = esmtp-keyword ["=" esmtp-value]                  RFC 5321 §4.1.2
/// esmtp-keyword  = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
/// esmtp-value    = 1*(%d33-60 / %d62-126)
/// ```
/// RFC 6531 §3.3 lets UTF-8 into values; none of ours has any, so ASCII is enough.
fn split(text: &str) -> Result<impl Iterator<Item = Result<Parameter<'_>, ParameterError>>, ParameterError> {
    if !text.is_empty() && !text.starts_with(' ') {
        return Err(ParameterError::Syntax("something is glued to the path"));
    }
    Ok(text.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let keyword_fits = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let value_fits = |v: &str| !v.is_empty() && v.chars().all(|c| matches!(c, '!'..='<' | '>'..='~'));
        if keyword_fits && value.is_none_or(value_fits) {
            Ok((keyword, value))
        } else {
            Err(ParameterError::Syntax("not a parameter"))
        }
    }))
}

/// `size-value ::= 1*20DIGIT` (RFC 1870 §3). Twenty digits may not fit 64 bits: then it is too big for anyone.
fn size(value: Option<&str>) -> Result<u64, ParameterError> {
    let digits = value.ok_or(ParameterError::Syntax("SIZE needs a value"))?;
    if digits.len() > SIZE_DIGITS || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(ParameterError::Syntax("SIZE needs a number"));
    }
    Ok(digits.parse().unwrap_or(u64::MAX))
}

/// `body-value ::= "7BIT" / "8BITMIME"` (RFC 6152 §2); BINARYMIME (RFC 3030 §3) is not offered.
fn body(value: Option<&str>) -> Result<BodyType, ParameterError> {
    let value = value.ok_or(ParameterError::Syntax("BODY needs a value"))?;
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(BodyType::SevenBit),
        "8BITMIME" => Ok(BodyType::EightBitMime),
        _ => Err(ParameterError::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, size: Option<u64>, body: BodyType, smtputf8: bool) {
        assert_eq!(
            mail_parameters(text),
            Ok(MailParameters { size, body, smtputf8, ..MailParameters::default() }),
            "{text}"
        );
    }

    #[test]
    fn parameters() {
        use BodyType::{EightBitMime, SevenBit};
        check("", None, SevenBit, false);
        check("  ", None, SevenBit, false);
        // RFC 1870 §6 and RFC 6152 §3, the examples.
        check(" SIZE=500000", Some(500_000), SevenBit, false);
        check(" BODY=8BITMIME", None, EightBitMime, false);
        check(" body=8bitmime size=0 smtputf8", Some(0), EightBitMime, true);
        check(" BODY=7BIT  SIZE=00000000000000000007 ", Some(7), SevenBit, false);
        check(" SIZE=18446744073709551615", Some(u64::MAX), SevenBit, false);
        check(" SIZE=99999999999999999999", Some(u64::MAX), SevenBit, false);
    }

    #[test]
    fn refused() {
        use ParameterError::{Syntax, Unknown};
        for (text, error) in [
            ("SIZE=1", Syntax("something is glued to the path")),
            ("\tSIZE=1", Syntax("something is glued to the path")),
            (" SIZE", Syntax("SIZE needs a value")),
            (" SIZE=", Syntax("not a parameter")),
            (" SIZE=-1", Syntax("SIZE needs a number")),
            (" SIZE=1k", Syntax("SIZE needs a number")),
            (" SIZE=000000000000000000001", Syntax("SIZE needs a number")),
            (" SIZE=1 size=2", Syntax("a parameter is given twice")),
            (" SMTPUTF8 SMTPUTF8", Syntax("a parameter is given twice")),
            (" BODY=7BIT BODY=7BIT", Syntax("a parameter is given twice")),
            (" SMTPUTF8=yes", Syntax("SMTPUTF8 takes no value")),
            (" BODY", Syntax("BODY needs a value")),
            (" BODY=BINARYMIME", Unknown),
            (" RET=ALL", Syntax("RET is FULL or HDRS")),
            (" RET", Syntax("RET is FULL or HDRS")),
            (" RET=FULL RET=FULL", Syntax("a parameter is given twice")),
            (" ENVID=a+zz", Syntax("ENVID needs xtext")),
            (" ENVID=+0D+0A", Syntax("ENVID needs xtext")),
            (" AUTH", Syntax("AUTH needs xtext")),
            (" NOTIFY=NEVER", Unknown),
            (" x", Unknown),
            (" -x", Syntax("not a parameter")),
            (" =", Syntax("not a parameter")),
            (" a=b=c", Syntax("not a parameter")),
            (" a_b=c", Syntax("not a parameter")),
            (" é", Syntax("not a parameter")),
            (" x=é", Syntax("not a parameter")),
            (" x=a\tb", Syntax("not a parameter")),
        ] {
            assert_eq!(mail_parameters(text), Err(error), "{text}");
        }
    }

    /// RFC 3461 §4 and §10, RFC 4954 §5: the values of their examples.
    #[test]
    fn notifications_and_claims() {
        let parsed = mail_parameters(" RET=HDRS ENVID=QQ314159 AUTH=e+3Dmc2@example.com").unwrap();
        assert_eq!((parsed.ret, parsed.envelope_id.as_deref()), (Some(Ret::Headers), Some("QQ314159")));
        assert_eq!(parsed.auth.as_deref(), Some("e=mc2@example.com"));
        assert_eq!(mail_parameters(" AUTH=<>").unwrap().auth.as_deref(), Some("<>"));
        let long = format!(" ENVID={}", "x".repeat(101));
        assert_eq!(mail_parameters(&long), Err(ParameterError::Syntax("ENVID needs xtext")));
        let parsed = rcpt_parameters(" NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob@Example.COM").unwrap();
        assert_eq!(parsed.notify, Some(Notify::On { success: true, failure: true, delay: false }));
        assert_eq!(parsed.original.unwrap().address(), "Bob@Example.COM");
    }

    #[test]
    fn parameters_of_rcpt() {
        assert_eq!(rcpt_parameters(""), Ok(RcptParameters::default()));
        assert_eq!(rcpt_parameters(" "), Ok(RcptParameters::default()));
        for (text, error) in [
            (" SIZE=1", ParameterError::Unknown),
            (" =", ParameterError::Syntax("not a parameter")),
            ("x", ParameterError::Syntax("something is glued to the path")),
            (" NOTIFY=NEVER notify=NEVER", ParameterError::Syntax("a parameter is given twice")),
            (" NOTIFY", ParameterError::Syntax("NOTIFY is NEVER or some of SUCCESS, FAILURE, DELAY")),
            (" NOTIFY=MAYBE", ParameterError::Syntax("NOTIFY is NEVER or some of SUCCESS, FAILURE, DELAY")),
            (" ORCPT=rfc822", ParameterError::Syntax("ORCPT is type;xtext")),
        ] {
            assert_eq!(rcpt_parameters(text), Err(error), "{text}");
        }
    }
}
