//! Dates: INTERNALDATE and SEARCH dates of RFC 3501 §9, and the day of a Date field (RFC 5322 §3.3).
//!
//! A day is its number since 1970-01-01 in the proleptic Gregorian calendar; nothing here reads a clock.

/// `date-month` of RFC 3501 §9.
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const SECONDS_PER_DAY: i64 = 86_400;

/// The number of a day, or `None` where the calendar has no such day.
pub fn day_number(year: u32, month: u32, day: u32) -> Option<i64> {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let length = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if day == 0 || day > length || year > 9999 {
        return None;
    }
    // Years from March on, in eras of 400 years.
    let shifted = i64::from(year) - i64::from(month <= 2);
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year, month and day of a day's number.
pub fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted_month + 2) / 5 + 1)
}

/// The day, in UTC, of a time in seconds since 1970.
pub fn day_of(seconds: i64) -> i64 {
    seconds.div_euclid(SECONDS_PER_DAY)
}

/// `date-time` of RFC 3501 §9, in UTC and without the quotes.
pub fn format_date_time(seconds: i64) -> String {
    let (year, month, day) = civil(day_of(seconds).clamp(-719_528, 2_932_896));
    let second = seconds.rem_euclid(SECONDS_PER_DAY);
    let name = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{day:2}-{name}-{year:04} {hour:02}:{minute:02}:{:02} +0000", second % 60)
}

/// `date-text` of RFC 3501 §9: `1-Feb-1994`.
pub fn parse_date(text: &[u8]) -> Option<i64> {
    let mut parts = text.split(|b| *b == b'-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 || !(1..=2).contains(&day.len()) {
        return None;
    }
    day_number(digits(year)?, month_number(month)?, digits(day)?)
}

/// `date-time` of RFC 3501 §9 without its quotes, as seconds since 1970.
pub fn parse_date_time(text: &[u8]) -> Option<i64> {
    if text.len() != 26 || text[11] != b' ' || text[20] != b' ' || text[14] != b':' || text[17] != b':' {
        return None;
    }
    let day = parse_date(text[..11].strip_prefix(b" ").unwrap_or(&text[..11]))?;
    let (hour, minute, second) = (digits(&text[12..14])?, digits(&text[15..17])?, digits(&text[18..20])?);
    let zone = i64::from(digits(&text[22..24])?) * 60 + i64::from(digits(&text[24..26])?);
    let zone = match text[21] {
        b'+' => zone,
        b'-' => -zone,
        _ => return None,
    };
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(day * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second) - zone * 60)
}

/// The day that a Date field writes, whatever its zone: what SENTON compares (RFC 3501 §6.4.4 "disregarding time and
/// timezone"). Day name, comments and two-digit years (RFC 5322 §4.3) are taken.
pub fn parse_field_day(field: &[u8]) -> Option<i64> {
    let mut words = field
        .split(|b| b.is_ascii_whitespace() || matches!(b, b',' | b'-'))
        .filter(|word| !word.is_empty() && digits(word).is_some() | word.is_ascii());
    let mut day = words.next()?;
    while digits(day).is_none() {
        day = words.next()?;
    }
    let (month, year) = (words.next()?, words.next()?);
    let number = digits(year)?;
    let year = match year.len() {
        2 if number < 50 => number + 2000,
        2 | 3 => number + 1900,
        4 => number,
        _ => return None,
    };
    day_number(year, month_number(month.get(..3)?)?, digits(day)?)
}

/// A Date field in seconds since 1970 (RFC 5322 §3.3, §4.3): day name, comments, seconds and zone may be missing, and a
/// zone that is unknown is UTC.
pub fn parse_field(field: &[u8]) -> Option<i64> {
    let day = parse_field_day(field)?;
    let mut words = field.split(|b| b.is_ascii_whitespace()).filter(|word| !word.is_empty());
    let Some(time) = words.by_ref().find(|word| word.contains(&b':')) else {
        return Some(day * SECONDS_PER_DAY);
    };
    let mut parts = time.split(|b| *b == b':').map(digits);
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if hour > 23 || minute > 59 || second > 60 || parts.next().is_some() {
        return None;
    }
    let zone = words.next().map_or(0, zone_minutes);
    Some(day * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second) - zone * 60)
}

/// `zone` and `obs-zone` (RFC 5322 §3.3, §4.3).
fn zone_minutes(zone: &[u8]) -> i64 {
    if let (Some(sign @ (b'+' | b'-')), 5) = (zone.first(), zone.len()) {
        let minutes = digits(&zone[1..]).map_or(0, |zone| i64::from(zone / 100 * 60 + zone % 100));
        return if *sign == b'-' { -minutes } else { minutes };
    }
    let hours = match zone.to_ascii_uppercase().as_slice() {
        b"EDT" => -4,
        b"EST" | b"CDT" => -5,
        b"CST" | b"MDT" => -6,
        b"MST" | b"PDT" => -7,
        b"PST" => -8,
        _ => 0,
    };
    hours * 60
}

fn month_number(name: &[u8]) -> Option<u32> {
    let at = MONTHS.iter().position(|month| month.as_bytes().eq_ignore_ascii_case(name))?;
    u32::try_from(at + 1).ok()
}

fn digits(text: &[u8]) -> Option<u32> {
    if text.is_empty() || text.len() > 4 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn date_fields() {
        for (field, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 +0000", Some(0)),
            ("1 Jan 1970 01:00 +0100", Some(0)),
            ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", Some(837_595_405)),
            ("Wed, 17 Jul 96 02:23:25 PDT", Some(837_595_405)),
            ("17-Jul-1996 09:23:25 GMT", Some(837_595_405)),
            ("1 Jan 1970", Some(0)),
            ("1 Jan 1970 00:00:00", Some(0)),
            ("1 Jan 1970 24:00:00 +0000", None),
            ("1 Jan 1970 00:00:00:00", None),
            ("1 Jan 1970 x:y", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse_field(field.as_bytes()), expected, "{field:?}");
        }
    }

    #[test]
    fn known_days() {
        for (year, month, day, number) in [
            (1970, 1, 1, 0),
            (1969, 12, 31, -1),
            (2000, 2, 29, 11_016),
            (2000, 3, 1, 11_017),
            (1996, 7, 17, 9_694),
            (2026, 11, 20, 20_777),
        ] {
            assert_eq!(day_number(year, month, day), Some(number));
            assert_eq!(civil(number), (year.into(), month.into(), day.into()));
        }
        for (year, month, day) in
            [(2001, 2, 29), (1900, 2, 29), (2000, 13, 1), (2000, 0, 1), (2000, 4, 31), (2000, 1, 0)]
        {
            assert_eq!(day_number(year, month, day), None, "{year}-{month}-{day}");
        }
    }

    /// RFC 3501 §6.3.11's APPEND and §7.4.2's INTERNALDATE.
    #[test]
    fn date_times() {
        for (text, seconds) in [
            ("17-Jul-1996 02:44:25 -0700", Some(837_596_665)),
            ("17-Jul-1996 09:44:25 +0000", Some(837_596_665)),
            (" 7-Feb-1994 21:52:25 -0800", Some(760_686_745)),
            ("07-Feb-1994 21:52:25 -0800", Some(760_686_745)),
            ("01-Jan-1970 00:00:00 +0000", Some(0)),
            ("01-jan-1970 00:00:60 +0000", Some(60)),
            ("01-Jan-1970 24:00:00 +0000", None),
            ("32-Jan-1970 00:00:00 +0000", None),
            ("1-Jan-1970 00:00:00 +0000", None),
            ("01-Jan-1970 00:00:00 UT", None),
            ("01-Jan-1970 00:00:00 *0000", None),
            ("", None),
        ] {
            assert_eq!(parse_date_time(text.as_bytes()), seconds, "{text:?}");
        }
        assert_eq!(format_date_time(837_596_665), "17-Jul-1996 09:44:25 +0000");
        assert_eq!(format_date_time(760_686_745), " 8-Feb-1994 05:52:25 +0000");
    }

    #[test]
    fn search_dates() {
        for (text, day) in [
            ("1-Feb-1994", day_number(1994, 2, 1)),
            ("01-feb-1994", day_number(1994, 2, 1)),
            ("31-Feb-1994", None),
            ("1-Feb-94", None),
            ("1-Feb", None),
            ("1-Feb-1994-", None),
            ("001-Feb-1994", None),
            ("February", None),
        ] {
            assert_eq!(parse_date(text.as_bytes()), day, "{text:?}");
        }
    }

    #[test]
    fn days_of_date_fields() {
        for (field, day) in [
            ("Fri, 21 Nov 1997 09:55:06 -0600", day_number(1997, 11, 21)),
            ("21 Nov 97 09:55:06 GMT", day_number(1997, 11, 21)),
            ("Thu,\t13\tFeb\t1969 23:32 -0330 (Newfoundland Time)", day_number(1969, 2, 13)),
            ("1 January 05", day_number(2005, 1, 1)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", day_number(1994, 11, 6)),
            ("yesterday", None),
            ("", None),
            ("1 Foo 2000", None),
            ("99 Jan 2000", None),
            ("1 Ja 2000", None),
        ] {
            assert_eq!(parse_field_day(field.as_bytes()), day, "{field:?}");
        }
    }

    proptest! {
        #[test]
        fn written_times_come_back(seconds in -60_000_000_000i64..250_000_000_000) {
            prop_assert_eq!(parse_date_time(format_date_time(seconds).as_bytes()), Some(seconds));
        }

        #[test]
        fn any_octets_are_decided(text in proptest::collection::vec(any::<u8>(), 0..30), seconds in any::<i64>()) {
            let _ = (parse_date(&text), parse_field_day(&text));
            if let Some(seconds) = parse_date_time(&text) {
                prop_assert!(parse_date_time(format_date_time(seconds).as_bytes()).is_some());
            }
            prop_assert_eq!(format_date_time(seconds).len(), 26);
        }
    }
}
