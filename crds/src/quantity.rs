//! Kubernetes quantities as byte counts: `50Mi`, `1.5Gi`, `2G`. Only what makes sense for bytes is accepted: no milli,
//! no exponent, no sign.

use crate::scalar::{Refusal, Scalar, quote, scalar_traits};

/// More than any disk, and far from the edge of 64 bits, so that sums of quotas cannot overflow.
pub const MAX_BYTES: u64 = 1 << 60;

/// What the pattern allows before a unit: twelve digits. A number with more is written in bytes.
const MAX_NUMBER_WITH_UNIT: u64 = 1_000_000_000_000;

/// A positive number of bytes, as written and as counted.
#[derive(Debug, Clone)]
pub struct Quantity {
    text: String,
    bytes: u64,
}

impl Quantity {
    /// A default of whole mebibytes.
    pub(crate) fn mebibytes(number: u16) -> Quantity {
        Quantity { text: format!("{number}Mi"), bytes: u64::from(number) << 20 }
    }

    /// A default of whole gibibytes.
    pub(crate) fn gibibytes(number: u16) -> Quantity {
        Quantity { text: format!("{number}Gi"), bytes: u64::from(number) << 30 }
    }

    /// The number of bytes; a fraction of a byte counts as a whole one, as in Kubernetes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The text as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The shortest exact way to write a number of bytes: `5Gi`, `1500M`, `1234567`.
    pub fn from_bytes(bytes: u64) -> Result<Quantity, Refusal> {
        let fits = |unit: &str, factor: u64| unit.is_empty() || bytes / factor < MAX_NUMBER_WITH_UNIT;
        let exact = UNITS
            .iter()
            .rev()
            .filter(|(unit, factor)| bytes > 0 && bytes.is_multiple_of(*factor) && fits(unit, *factor));
        let texts = exact.map(|(unit, factor)| format!("{}{unit}", bytes / factor));
        Quantity::parse(&texts.min_by_key(String::len).unwrap_or_else(|| bytes.to_string()))
    }
}

/// Two quantities are the same when they count the same bytes: `1Gi` is `1024Mi`.
impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> std::cmp::Ordering {
        self.bytes.cmp(&other.bytes)
    }
}

/// The suffixes for whole multiples of a byte, smallest first.
const UNITS: [(&str, u64); 13] = [
    ("", 1),
    ("k", 1_000),
    ("Ki", 1 << 10),
    ("M", 1_000_000),
    ("Mi", 1 << 20),
    ("G", 1_000_000_000),
    ("Gi", 1 << 30),
    ("T", 1_000_000_000_000),
    ("Ti", 1 << 40),
    ("P", 1_000_000_000_000_000),
    ("Pi", 1 << 50),
    ("E", 1_000_000_000_000_000_000),
    ("Ei", 1 << 60),
];

impl Scalar for Quantity {
    const WHAT: &'static str = "a quantity";
    const PATTERN: &'static str =
        "^([0-9]{1,19}|[0-9]{1,12}(\\.[0-9]{1,6})?(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))$";
    const MAX_LENGTH: u32 = 21;
    const RULES: &'static [(&'static str, &'static str)] = &[(
        "isQuantity(self) && quantity(self).isGreaterThan(quantity('0')) && !quantity(self).isGreaterThan(quantity('1Ei'))",
        "must be a quantity of bytes above 0 and at most 1Ei, like 500Mi or 5Gi",
    )];

    fn parse(text: &str) -> Result<Quantity, Refusal> {
        let bytes = bytes_of(text)?;
        if bytes == 0 {
            return Err(
                Refusal::new("a quantity of 0 bytes holds nothing").remedy("write a size like 500Mi or 5Gi")
            );
        }
        if bytes > MAX_BYTES {
            return Err(
                Refusal::new(format!("{text} is more than 1Ei")).remedy("write a size like 500Mi or 5Gi")
            );
        }
        Ok(Quantity { text: text.to_owned(), bytes })
    }

    fn as_text(&self) -> &str {
        &self.text
    }
}

scalar_traits!(Quantity);

/// Reads number and suffix; rounds a fraction of a byte up.
fn bytes_of(text: &str) -> Result<u64, Refusal> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let Some((_, factor)) = UNITS.iter().find(|(unit, _)| *unit == suffix) else {
        return Err(unknown_suffix(text, number, suffix));
    };
    // With a suffix fewer digits do, and no evaluator of the CEL rule meets a number beyond 128 bits.
    let most = if suffix.is_empty() { 19 } else { 12 };
    let malformed = number.ends_with('.') || (suffix.is_empty() && number.contains('.'));
    if malformed || !digits(whole, 1..=most) || !digits(fraction, 0..=6) {
        return Err(Refusal::new(format!("{} is not a quantity", quote(text)))
            .remedy("write digits and a suffix, like 500Mi, 1.5Gi or 2G"));
    }
    let scale = 10u128.pow(fraction.len() as u32);
    let mantissa: u128 = format!("{whole}{fraction}").parse().unwrap_or(u128::MAX);
    let bytes = mantissa.saturating_mul(u128::from(*factor)).div_ceil(scale);
    Ok(u64::try_from(bytes).unwrap_or(u64::MAX))
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names the suffix that was probably meant: `5GB`, `5 Gi`, `5gi`, `500m`.
fn unknown_suffix(text: &str, number: &str, suffix: &str) -> Refusal {
    let bare = suffix.trim().trim_end_matches(['b', 'B', 'y', 't', 'e', 's']).to_ascii_lowercase();
    let meant = UNITS.iter().find(|(unit, _)| !unit.is_empty() && unit.to_ascii_lowercase() == bare);
    let refusal = Refusal::new(format!("{} is not a quantity of bytes", quote(text)));
    match meant {
        Some((unit, _)) if !number.is_empty() => refusal.remedy(format!("write {number}{unit}")),
        _ => refusal.remedy("write a positive number with one of k, M, G, T (1000) or Ki, Mi, Gi, Ti (1024)"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_written_exactly_and_shortly(bytes in 1..=MAX_BYTES) {
            let quantity = Quantity::from_bytes(bytes).unwrap();
            prop_assert_eq!(quantity.bytes(), bytes);
            prop_assert!(quantity.as_str().len() <= 19);
        }

        #[test]
        fn multiples_of_a_small_unit_are_written_so_that_they_are_read(number in 1..=MAX_BYTES >> 10) {
            prop_assert_eq!(Quantity::from_bytes(number << 10).unwrap().bytes(), number << 10);
        }

        #[test]
        fn whole_multiples_are_written_with_a_unit(number in 1..1000u64, unit in 1..11usize) {
            let (suffix, factor) = UNITS[unit];
            let quantity = Quantity::from_bytes(number * factor).unwrap();
            let written = format!("{number}{suffix}");
            prop_assert!(quantity.as_str().len() <= written.len());
            prop_assert_eq!(Quantity::parse(&written).unwrap(), quantity);
        }

        #[test]
        fn order_is_that_of_bytes_whatever_the_units(a in 1..1_000_000u64, b in 1..1_000_000u64, u in 0..7usize, v in 0..7usize) {
            let quantity = |number: u64, unit: usize| Quantity::parse(&format!("{number}{}", UNITS[unit].0)).unwrap();
            let (one, other) = (quantity(a, u), quantity(b, v));
            prop_assert_eq!(one.cmp(&other), (a * UNITS[u].1).cmp(&(b * UNITS[v].1)));
        }

        #[test]
        fn fractions_of_a_byte_are_rounded_up(whole in 0..1000u64, millionths in 0..1_000_000u64) {
            prop_assume!(whole + millionths > 0);
            let quantity = Quantity::parse(&format!("{whole}.{millionths:06}Ki")).unwrap();
            let exact = (u128::from(whole) * 1_000_000 + u128::from(millionths)) * 1024;
            prop_assert_eq!(u128::from(quantity.bytes()), exact.div_ceil(1_000_000));
        }
    }
}
