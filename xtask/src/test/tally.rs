//! Counts tests from the closing lines of libtest (`test result: ok. 3 passed; 0 failed; 1 ignored; …`).

use super::stage::Outcome;

/// What the lines read so far add up to.
#[derive(Debug, Default)]
pub struct Tally {
    passed: usize,
    failed: usize,
    ignored: usize,
}

impl Tally {
    /// Takes one line of output; lines that close no test binary count nothing.
    pub fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for part in counts.split(';') {
            let mut words = part.split_whitespace();
            let (Some(Ok(count)), Some(what)) = (words.next().map(str::parse::<usize>), words.next()) else {
                continue;
            };
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }

    /// The sum; a command that failed for another reason than a test counts as one failure, and so does one that
    /// succeeded without running a test.
    pub fn outcome(&self, clean: bool) -> Outcome {
        let silent = self.failed == 0 && (!clean || self.passed == 0);
        Outcome { passed: self.passed, failed: self.failed + usize::from(silent), skipped: self.ignored }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], clean: bool, expected: (usize, usize, usize)) {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        let Outcome { passed, failed, skipped } = tally.outcome(clean);
        assert_eq!((passed, failed, skipped), expected, "{lines:?}");
    }

    const TAIL: &str = "0 measured; 0 filtered out; finished in 0.01s";

    #[test]
    fn several_binaries_add_up() {
        let first = format!("test result: ok. 3 passed; 0 failed; 1 ignored; {TAIL}");
        let second = format!("test result: FAILED. 2 passed; 4 failed; 0 ignored; {TAIL}");
        check(&["running 4 tests", &first, "", &second], false, (5, 4, 1));
    }

    #[test]
    fn lines_that_only_look_alike_count_nothing() {
        check(&["test result: unknown", "the test result: ok. 3 passed;", "test a ... ok"], false, (0, 1, 0));
    }

    #[test]
    fn no_test_at_all_is_a_failure() {
        check(&[&format!("test result: ok. 0 passed; 0 failed; 0 ignored; {TAIL}")], true, (0, 1, 0));
    }

    #[test]
    fn a_failure_to_compile_after_some_passed_is_a_failure() {
        check(&[&format!("test result: ok. 9 passed; 0 failed; 0 ignored; {TAIL}")], false, (9, 1, 0));
    }
}
