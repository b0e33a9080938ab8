//! Durations as Go and Kubernetes write them: `720h`, `1h30m`, `500ms`.

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

/// Ten years: longer is a slip of the unit, and every sum of two stays far inside 64 bits of nanoseconds.
pub const MAX_DURATION: std::time::Duration = std::time::Duration::from_secs(87_600 * 3600);

/// A span of time, as written and as counted.
#[derive(Debug, Clone)]
pub struct Duration {
    text: String,
    value: std::time::Duration,
}

impl Duration {
    /// A default of whole hours.
    pub(crate) fn hours(hours: u16) -> Duration {
        Duration { text: format!("{hours}h"), value: std::time::Duration::from_secs(u64::from(hours) * 3600) }
    }

    /// A default of whole minutes.
    pub(crate) fn minutes(minutes: u8) -> Duration {
        Duration {
            text: format!("{minutes}m"),
            value: std::time::Duration::from_secs(u64::from(minutes) * 60),
        }
    }

    /// A default of whole seconds.
    pub(crate) fn seconds(seconds: u8) -> Duration {
        Duration { text: format!("{seconds}s"), value: std::time::Duration::from_secs(seconds.into()) }
    }

    /// The span.
    pub fn get(&self) -> std::time::Duration {
        self.value
    }

    /// Whole seconds, for wire formats that count them.
    pub fn as_secs(&self) -> u64 {
        self.value.as_secs()
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Two durations are the same when they last as long: `1h` is `60m`.
impl PartialEq for Duration {
    fn eq(&self, other: &Duration) -> bool {
        self.value == other.value
    }
}

impl Eq for Duration {}

impl PartialOrd for Duration {
    fn partial_cmp(&self, other: &Duration) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Duration {
    fn cmp(&self, other: &Duration) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}

/// The units and their nanoseconds.
const UNITS: [(&str, u128); 4] =
    [("ms", 1_000_000), ("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000)];

impl Scalar for Duration {
    const WHAT: &'static str = "a duration";
    const PATTERN: &'static str = "^([0-9]{1,9}(\\.[0-9]{1,6})?(ms|s|m|h)){1,4}$";
    const MAX_LENGTH: u32 = 72;
    const RULES: &'static [(&'static str, &'static str)] = &[(
        "duration(self) <= duration('87600h')",
        "must be a duration of at most 87600h, like 720h or 1h30m",
    )];

    fn parse(text: &str) -> Result<Duration, Refusal> {
        let nanos = nanos_of(text).ok_or_else(|| not_a_duration(text))?;
        let value = u64::try_from(nanos).map_or(std::time::Duration::MAX, std::time::Duration::from_nanos);
        if value > MAX_DURATION {
            return Err(Refusal::new(format!("{text} is more than ten years")).remedy("write at most 87600h"));
        }
        Ok(Duration { text: text.to_owned(), value })
    }

    fn as_text(&self) -> &str {
        &self.text
    }
}

scalar_traits!(Duration);

/// Sums the parts; `None` when one is malformed or there are none.
fn nanos_of(text: &str) -> Option<u128> {
    let mut rest = text;
    let mut total = 0u128;
    let mut parts = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let (unit, nanos) = UNITS.iter().find(|(unit, _)| tail.starts_with(unit))?;
        total = total.checked_add(part(number)?.checked_mul(*nanos)? / MICRO)?;
        rest = &tail[unit.len()..];
        parts += 1;
    }
    (1..=4).contains(&parts).then_some(total)
}

const MICRO: u128 = 1_000_000;

/// A number with at most six decimals, in millionths.
fn part(number: &str) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let fits = (1..=9).contains(&whole.len()) && fraction.len() <= 6 && !number.ends_with('.');
    if !fits || !digits(whole) || !digits(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<6}").parse().ok()
}

/// Names what was probably meant by days and weeks, which Go does not know.
fn not_a_duration(text: &str) -> Refusal {
    let refusal = Refusal::new(format!("{} is not a duration", quote(text)));
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let hours = match unit.trim() {
        "d" | "day" | "days" => 24,
        "w" | "week" | "weeks" => 168,
        "y" | "year" | "years" => 8760,
        _ => return refusal.remedy("write numbers with h, m, s or ms, like 720h or 1h30m"),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(hours)) {
        Some(hours) => refusal.remedy(format!("days, weeks and years vary: write {hours}h")),
        None => refusal.remedy("write hours, like 720h"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_add_up(hours in 0..80_000u64, minutes in 0..10_000u64, seconds in 0..10_000u64, millis in 0..10_000u64) {
            let text = format!("{hours}h{minutes}m{seconds}s{millis}ms");
            let expected = ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
            prop_assert_eq!(Duration::parse(&text).unwrap().get().as_millis(), u128::from(expected));
        }

        #[test]
        fn decimals_are_exact(seconds in 0..100_000u64, micros in 0..1_000_000u64) {
            let duration = Duration::parse(&format!("{seconds}.{micros:06}s")).unwrap();
            prop_assert_eq!(duration.get(), std::time::Duration::from_micros(seconds * 1_000_000 + micros));
            prop_assert_eq!(duration.as_secs(), seconds);
        }

        #[test]
        fn order_is_that_of_time(a in 0..1_000_000u64, b in 0..1_000_000u64) {
            let (one, other) = (Duration::parse(&format!("{a}s")).unwrap(), Duration::parse(&format!("{b}000ms")).unwrap());
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
        }
    }

    #[test]
    fn defaults_are_what_their_text_says() {
        let short =
            [Duration::minutes(1), Duration::minutes(90), Duration::seconds(60), Duration::seconds(5)];
        for duration in [1, 168, 720, 8766].map(Duration::hours).into_iter().chain(short) {
            assert_eq!(Duration::parse(duration.as_str()).unwrap(), duration);
        }
    }
}
