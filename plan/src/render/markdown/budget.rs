//! What of a long page is left out: each section gets its share of the room, small ones are whole, and a section that is
//! cut says of how many items.

use std::fmt::Write as _;

/// Items under a title.
pub struct Section {
    /// The title.
    pub title: &'static str,
    /// Whether it has to be opened to be read.
    pub folded: bool,
    /// Its items, each ending in a line end.
    pub items: Vec<String>,
}

/// Room for a section's title, its folding and what says how much was left out.
const FRAME: usize = 160;

impl Section {
    fn size(&self) -> usize {
        FRAME + self.items.iter().map(String::len).sum::<usize>()
    }
}

/// Writes the sections that have items behind what is there, in no more than `limit` octets altogether.
pub fn write(out: &mut String, sections: &[Section], limit: usize) {
    let sections: Vec<&Section> = sections.iter().filter(|section| !section.items.is_empty()).collect();
    let room = limit.saturating_sub(out.len());
    for (section, share) in sections.iter().zip(shares(&sections, room)) {
        write_section(out, section, share);
    }
}

/// What each section gets: the smallest first, so that what it does not need goes to the larger ones.
fn shares(sections: &[&Section], room: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sections.len()).collect();
    order.sort_by_key(|index| sections[*index].size());
    let (mut shares, mut left) = (vec![0; sections.len()], room);
    for (done, index) in order.iter().enumerate() {
        let share = sections[*index].size().min(left / (sections.len() - done));
        shares[*index] = share;
        left -= share;
    }
    shares
}

fn write_section(out: &mut String, section: &Section, share: usize) {
    let Some(mut left) = share.checked_sub(FRAME) else { return };
    let count = section.items.len();
    let (open, close) = match section.folded {
        true => (format!("<details><summary>{} ({count})</summary>\n\n", section.title), "\n</details>\n\n"),
        false => (format!("#### {}\n\n", section.title), "\n"),
    };
    out.push_str(&open);
    let mut written = 0;
    for item in &section.items {
        let Some(rest) = left.checked_sub(item.len()) else { break };
        left = rest;
        out.push_str(item);
        written += 1;
    }
    if written < count {
        let _ = writeln!(out, "- and {} more, which do not fit here", count - written);
    }
    out.push_str(close);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(title: &'static str, items: usize, size: usize) -> Section {
        Section {
            title,
            folded: false,
            items: (0..items).map(|_| format!("{}\n", "x".repeat(size - 1))).collect(),
        }
    }

    #[test]
    fn small_sections_are_whole_and_large_ones_share_the_rest() {
        let sections =
            [section("A", 1000, 100), section("B", 2, 50), section("C", 0, 10), section("D", 500, 100)];
        let mut out = "head\n".to_owned();
        write(&mut out, &sections, 10_000);
        assert!(out.len() <= 10_000 && out.len() > 9_000, "{}", out.len());
        let position = |title: &str| out.find(&format!("#### {title}\n")).unwrap();
        assert!(position("A") < position("B") && position("B") < position("D"));
        assert!(!out.contains("#### C"), "an empty section is not there");
        assert!(!out[position("B")..position("D")].contains("more"), "B is whole");
        for (from, to, items) in [("A", "B", 1000), ("D", "", 500)] {
            let part = &out[position(from)..if to.is_empty() { out.len() } else { position(to) }];
            let shown = part.lines().filter(|line| line.starts_with('x')).count();
            assert!(part.contains(&format!("- and {} more", items - shown)), "{from}: {shown}");
            assert!(shown > 40, "{from}: {shown}");
        }
    }

    #[test]
    fn a_page_is_never_longer_than_it_may_be() {
        for limit in [0, 10, 100, 161, 200, 1000, 100_000] {
            for (items, size) in [(0, 2), (1, 2), (3, 90), (300, 200), (1, 5000)] {
                for folded in [false, true] {
                    let sections = [Section { folded, ..section("A", items, size) }, section("B", 40, 30)];
                    let mut out = String::new();
                    write(&mut out, &sections, limit);
                    assert!(out.len() <= limit, "{limit} {items} {size}: {}", out.len());
                }
            }
        }
    }
}
