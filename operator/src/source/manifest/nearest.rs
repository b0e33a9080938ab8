//! The word that was probably meant.

/// The candidate nearest to `word`, when it is near enough to be a slip: a third of its letters, any case.
pub(super) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (distance, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (candidate.len() / 3).max(1)).then_some(candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words, whatever their case.
fn distance(a: &str, b: &str) -> usize {
    /// A longer word is no slip of a field or kind, and the table is quadratic.
    const MAX_WORD: usize = 64;
    let letters = |text: &str| text.chars().flat_map(char::to_lowercase).take(MAX_WORD).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            rows[i][j] = match (i, j) {
                (0, _) => j,
                (_, 0) => i,
                _ => {
                    let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
                    let best = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                    let swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
                    if swapped { best.min(rows[i - 2][j - 2] + 1) } else { best }
                }
            };
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let kinds = ["MailServer", "MailDomain", "Mailbox", "Alias", "Secret", "List"];
        let table = [
            ("Mailbx", Some("Mailbox")),
            ("mailbox", Some("Mailbox")),
            ("MailBoxes", Some("Mailbox")),
            ("Maildomain", Some("MailDomain")),
            ("Alais", Some("Alias")),
            ("Secrets", Some("Secret")),
            ("ConfigMap", None),
            ("Namespace", None),
            ("Service", None),
            ("Deployment", None),
            ("ServiceAccount", None),
            ("SealedSecret", None),
            ("", None),
        ];
        for (word, expected) in table {
            assert_eq!(nearest(word, kinds), expected, "{word}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), kinds), None);
    }
}
