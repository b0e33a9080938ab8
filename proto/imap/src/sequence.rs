//! Sequence sets (RFC 3501 §9 `sequence-set`): of message sequence numbers or of UIDs, which the command says.

use std::fmt::Write;

/// A number of a sequence set; `*` is the largest in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `nz-number`
    Number(u32),
    /// `*`
    Largest,
}

impl Bound {
    /// The number, where `*` is `largest`.
    fn resolve(self, largest: u32) -> u32 {
        match self {
            Bound::Number(number) => number,
            Bound::Largest => largest,
        }
    }
}

/// Ranges as the client wrote them, in any order, possibly overlapping; or `$` (RFC 5182 §2.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceSet {
    ranges: Vec<(Bound, Bound)>,
    saved: bool,
}

impl SequenceSet {
    /// Ranges from the grammar; a single number is a range of one.
    pub fn new(ranges: Vec<(Bound, Bound)>) -> SequenceSet {
        SequenceSet { ranges, saved: false }
    }

    /// `$`: what the last SEARCH saved; whoever knows that puts it in.
    pub fn saved() -> SequenceSet {
        SequenceSet { ranges: Vec::new(), saved: true }
    }

    /// Whether this is `$`.
    pub fn is_saved(&self) -> bool {
        self.saved
    }

    /// Ascending ranges of numbers.
    pub fn of(ranges: &[(u32, u32)]) -> SequenceSet {
        let number = |(low, high): &(u32, u32)| (Bound::Number(*low), Bound::Number(*high));
        SequenceSet::new(ranges.iter().map(number).collect())
    }

    /// The ranges in the client's order.
    pub fn as_written(&self) -> &[(Bound, Bound)] {
        &self.ranges
    }

    /// Ascending ranges that neither touch nor overlap. `2:4` and `4:2` are the same, and `5:*` holds `*` even where that is
    /// below 5 (RFC 3501 §9 `seq-range`).
    pub fn ranges(&self, largest: u32) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = self
            .ranges
            .iter()
            .map(|(a, b)| (a.resolve(largest), b.resolve(largest)))
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        merged
    }

    /// The same set with numbers only, sorted: what [`SequenceSet::contains`] needs.
    pub fn resolved(&self, largest: u32) -> SequenceSet {
        SequenceSet::of(&self.ranges(largest))
    }

    /// Whether a resolved set holds the number.
    pub fn contains(&self, number: u32) -> bool {
        let at = self.ranges.partition_point(|(_, high)| high.resolve(0) < number);
        self.ranges.get(at).is_some_and(|(low, _)| low.resolve(0) <= number)
    }

    /// Whether `*` stands in it.
    pub fn has_star(&self) -> bool {
        self.ranges.iter().any(|(low, high)| *low == Bound::Largest || *high == Bound::Largest)
    }

    /// The largest number that the client wrote out.
    pub fn largest_number(&self) -> Option<u32> {
        let number = |bound: &Bound| match bound {
            Bound::Number(number) => Some(*number),
            Bound::Largest => None,
        };
        self.ranges.iter().flat_map(|(a, b)| [number(a), number(b)]).flatten().max()
    }
}

/// Writes ascending numbers as a set: `1:3,7` (RFC 4315 §3 for COPYUID). The order of the numbers is kept where it falls.
pub fn compress(numbers: impl IntoIterator<Item = u32>) -> String {
    let mut text = String::new();
    let mut open: Option<(u32, u32)> = None;
    let put = |text: &mut String, (low, high): (u32, u32)| {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = if low == high { write!(text, "{comma}{low}") } else { write!(text, "{comma}{low}:{high}") };
    };
    for number in numbers {
        match &mut open {
            Some((_, high)) if high.checked_add(1) == Some(number) => *high = number,
            _ => {
                if let Some(range) = open.replace((number, number)) {
                    put(&mut text, range);
                }
            }
        }
    }
    if let Some(range) = open {
        put(&mut text, range);
    }
    text
}

/// Ascending ranges as a set: `1:3,7`.
pub fn written(ranges: &[(u32, u32)]) -> String {
    let mut text = String::new();
    for (low, high) in ranges {
        let comma = if text.is_empty() { "" } else { "," };
        let _ = if low == high { write!(text, "{comma}{low}") } else { write!(text, "{comma}{low}:{high}") };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const N: fn(u32) -> Bound = Bound::Number;

    #[test]
    fn ranges_are_sorted_and_merged() {
        let check = |set: &[(Bound, Bound)], largest, expected: &[(u32, u32)]| {
            assert_eq!(SequenceSet::new(set.to_vec()).ranges(largest), expected, "{set:?} of {largest}");
        };
        check(&[(N(2), N(4))], 9, &[(2, 4)]);
        check(&[(N(4), N(2))], 9, &[(2, 4)]);
        check(&[(N(5), N(5)), (N(1), N(2)), (N(3), N(3))], 9, &[(1, 3), (5, 5)]);
        check(&[(N(1), N(6)), (N(2), N(3))], 9, &[(1, 6)]);
        check(&[(N(5), Bound::Largest)], 9, &[(5, 9)]);
        check(&[(N(5), Bound::Largest)], 3, &[(3, 5)]);
        check(&[(Bound::Largest, Bound::Largest)], 3, &[(3, 3)]);
        check(&[(N(u32::MAX), N(u32::MAX)), (N(1), N(1))], 3, &[(1, 1), (u32::MAX, u32::MAX)]);
        // RFC 3501 §9: "2,4:7,9,12:*" of a mailbox of 15, and "*:4,5:7" of one of 10.
        let rfc = [(N(2), N(2)), (N(4), N(7)), (N(9), N(9)), (N(12), Bound::Largest)];
        check(&rfc, 15, &[(2, 2), (4, 7), (9, 9), (12, 15)]);
        check(&[(Bound::Largest, N(4)), (N(5), N(7))], 10, &[(4, 10)]);
    }

    #[test]
    fn largest_number_ignores_the_star() {
        assert_eq!(SequenceSet::new(vec![(N(3), Bound::Largest), (N(1), N(2))]).largest_number(), Some(3));
        assert_eq!(SequenceSet::new(vec![(Bound::Largest, Bound::Largest)]).largest_number(), None);
    }

    #[test]
    fn compressed() {
        for (numbers, expected) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[1, 2, 3], "1:3"),
            (&[1, 3, 4, 9], "1,3:4,9"),
            (&[u32::MAX - 1, u32::MAX], "4294967294:4294967295"),
            (&[5, 4], "5,4"),
        ] {
            assert_eq!(compress(numbers.iter().copied()), expected);
        }
    }

    proptest! {
        #[test]
        fn ranges_hold_what_the_set_holds(set in proptest::collection::vec((1u32..50, 1u32..50), 1..8), probe in 1u32..60) {
            let ranges = SequenceSet::new(set.iter().map(|(a, b)| (N(*a), N(*b))).collect()).ranges(50);
            let expected = set.iter().any(|(a, b)| (*a.min(b)..=*a.max(b)).contains(&probe));
            prop_assert_eq!(ranges.iter().any(|(a, b)| (*a..=*b).contains(&probe)), expected);
            let resolved = SequenceSet::new(set.iter().map(|(a, b)| (N(*a), N(*b))).collect()).resolved(50);
            prop_assert_eq!(resolved.contains(probe), expected);
            prop_assert!(ranges.windows(2).all(|w| w[0].1 + 1 < w[1].0));
        }
    }
}
