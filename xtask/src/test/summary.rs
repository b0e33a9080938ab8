//! The table at the end: a row per stage, its counts and its time, and the closing line.

use super::stage::Outcome;
use std::time::Duration;

/// One stage that ran.
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// How it went.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// The table with its closing line, and whether all went well.
pub fn render(rows: &[Row]) -> (String, bool) {
    let mut text = format!(
        "{:<10} {:<8} {:>8} {:>8} {:>8} {:>9}\n",
        "stage", "result", "passed", "failed", "skipped", "time"
    );
    let mut sum = Outcome { passed: 0, failed: 0, skipped: 0 };
    let mut total = Duration::ZERO;
    for Row { name, outcome, took } in rows {
        let Outcome { passed, failed, skipped } = *outcome;
        let result = if failed == 0 { "ok" } else { "FAILED" };
        text += &format!("{name:<10} {result:<8} {passed:>8} {failed:>8} {skipped:>8} {:>9}\n", clock(*took));
        sum.passed += passed;
        sum.failed += failed;
        sum.skipped += skipped;
        total += *took;
    }
    text += &format!("{:<10} {:<8} {:>8} {:>8} {:>8} {:>9}\n\n", "", "", "", "", "", clock(total));
    text += &format!("{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.skipped);
    (text, sum.failed == 0)
}

/// Minutes and seconds, or tenths of a second where that says more.
fn clock(took: Duration) -> String {
    match took.as_secs() {
        seconds @ 60.. => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{:.1}s", took.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &'static str, passed: usize, failed: usize, skipped: usize, seconds: u64) -> Row {
        Row { name, outcome: Outcome { passed, failed, skipped }, took: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_closing_line_adds_up_the_rows() {
        let (text, passed) = render(&[row("fmt", 1, 0, 0, 2), row("test", 800, 0, 3, 125)]);
        assert!(passed);
        assert_eq!(text.lines().last(), Some("801 passed, 0 failed, 3 skipped"));
        let expected = "test       ok            800        0        3    2m 05s";
        assert_eq!(text.lines().nth(2), Some(expected));
    }

    #[test]
    fn one_failure_fails_the_run() {
        let (text, passed) = render(&[row("fmt", 0, 1, 0, 1), row("test", 800, 0, 0, 1)]);
        assert!(!passed);
        assert!(text.contains("fmt        FAILED"), "{text}");
    }

    #[test]
    fn times_are_readable() {
        assert_eq!(clock(Duration::from_millis(1250)), "1.2s");
        assert_eq!(clock(Duration::from_secs(60)), "1m 00s");
        assert_eq!(clock(Duration::from_secs(3725)), "62m 05s");
    }
}
