//! Statements for many rows at once: each round trip to the database costs more than a row does.
//!
//! Their parameters are `?`, taken one after the other through a whole script. SQLite searches a list for the name of each numbered
//! one, which with a thousand of them takes longer than the rows, so that only what all rows share has a number: the last ones.

/// How many rows such a statement writes: their parameters are far from SQLite's limit of 32,766.
pub(crate) const MANY: usize = 50;

/// `(?, ?), (?, ?)`: so many rows, each of what this says of its number.
pub(crate) fn tuples(rows: usize, of: impl Fn(usize) -> String) -> String {
    (0..rows).map(|row| format!("({})", of(row))).collect::<Vec<_>>().join(", ")
}

/// `?, ?, ?`
pub(crate) fn parameters(number: usize) -> String {
    vec!["?"; number].join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_parameters_of_its_own() {
        assert_eq!(tuples(2, |row| format!("{row}, {}", parameters(2))), "(0, ?, ?), (1, ?, ?)");
        assert_eq!(tuples(1, |_| parameters(1)), "(?)");
    }
}
