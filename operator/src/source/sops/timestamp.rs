//! Times without quotes, which YAML 1.1 readers take for times: the MAC of `sops` has them in the form of RFC 3339 §5.6.

use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat};

/// The time that a text without quotes is to `sops` (`2006-1-2`, with a time after `T`, `t` or a space), written anew.
pub(super) fn rewritten(text: &str) -> Option<String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits != 4 {
        return None;
    }
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((&text[at..=at], &text[at + 1..]))),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year = number(parts.next()?, 4)?;
    let (month, day) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let (clock, offset) = match time {
        None => ("0:0:0", 0),
        Some((" ", clock)) => (clock, 0),
        Some((_, clock)) => zone(clock)?,
    };
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let nanos = nanoseconds(fraction, clock.contains('.'))?;
    let mut parts = whole.split(':');
    let mut part = || number(parts.next()?, 2);
    let time = date.and_hms_nano_opt(part()?, part()?, part()?, nanos).filter(|_| parts.next().is_none())?;
    let time: DateTime<FixedOffset> = time.and_local_timezone(FixedOffset::east_opt(offset)?).single()?;
    let shown = time.to_rfc3339_opts(SecondsFormat::Nanos, true);
    // Go leaves out zeros at the end of a fraction, and the point when nothing is left.
    let (head, tail) = shown.split_once('.')?;
    let (fraction, zone) = tail.split_at(9);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{head}{point}{fraction}{zone}"))
}

/// One to `length` digits.
fn number(text: &str, length: usize) -> Option<u32> {
    let fits = (1..=length).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.parse().ok())?
}

fn nanoseconds(fraction: &str, has_point: bool) -> Option<u32> {
    if !has_point {
        return Some(0);
    }
    let digits = number(fraction, 9)?;
    let scale = u32::try_from(9 - fraction.len()).ok()?;
    Some(digits * 10u32.pow(scale))
}

/// The clock without its zone, and the zone in seconds east.
fn zone(text: &str) -> Option<(&str, i32)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = text.rfind(['+', '-'])?;
    let (hours, minutes) = text[at + 1..].split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
    let seconds = number(hours, 2)? * 3600 + number(minutes, 2)? * 60;
    let seconds = i32::try_from(seconds).ok()?;
    Some((&text[..at], if text[at..].starts_with('-') { -seconds } else { seconds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Go's reader of YAML makes of them.
    #[test]
    fn times_are_written_as_sops_writes_them() {
        for (text, expected) in [
            ("2001-12-14", Some("2001-12-14T00:00:00Z")),
            ("2001-1-4", Some("2001-01-04T00:00:00Z")),
            ("2001-12-14T21:59:43.10-05:00", Some("2001-12-14T21:59:43.1-05:00")),
            ("2001-12-14t21:59:43Z", Some("2001-12-14T21:59:43Z")),
            ("2001-12-14 1:2:3.000000001", Some("2001-12-14T01:02:03.000000001Z")),
            ("2001-12-14T21:59:43+00:00", Some("2001-12-14T21:59:43Z")),
            ("2001-12-14T21:59:43", None),
            ("2001-12-14 21:59:43 -05:00", None),
            ("2001-13-14", None),
            ("2001-02-30", None),
            ("2001", None),
            ("2001-12-14-1", None),
            ("20011-12-14", None),
            ("10.0.0.1", None),
            ("2001-12-14T", None),
            ("2001-ä", None),
        ] {
            assert_eq!(rewritten(text).as_deref(), expected, "{text}");
        }
    }
}
