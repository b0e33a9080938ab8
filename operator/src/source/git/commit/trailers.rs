//! The trailers of a commit message: which lines are some, and what they say, as in Git's `trailer.c`.
//!
//! A block of trailers is the last paragraph, never the first, and either all of its lines are trailers, or one was written
//! by Git itself and a quarter are. Trailers may be continued on lines that begin with white space. Comments and what
//! `git merge` leaves behind are not looked at. Settings of `trailer.*` are left out: they belong to a person's machine.

/// Trailers of one message: a commit with a hundred co-authors is below it.
const MAX_TRAILERS: usize = 200;
/// Characters of one value; an approval names a digest.
const MAX_VALUE: usize = 1000;
/// What Git itself writes at the end of messages.
const GENERATED: [&str; 2] = ["Signed-off-by: ", "(cherry picked from commit "];
/// What `git commit --cleanup=scissors` cuts at.
const SCISSORS: &str = "# ------------------------ >8 ------------------------";

/// Keys and values in their order.
pub(super) fn parse(message: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = message.lines().collect();
    let lines = &lines[..end(&lines)];
    let mut trailers: Vec<(String, String)> = Vec::new();
    let mut continues = false;
    for line in &lines[start(lines)..] {
        if line.starts_with(char::is_whitespace) && continues {
            if let Some((_, value)) = trailers.last_mut() {
                *value = format!("{value} {}", line.trim());
            }
            continue;
        }
        continues = false;
        if line.starts_with('#') {
            continue;
        }
        if let Some((key, value)) = split(line) {
            trailers.push((key.trim_end().to_owned(), value.trim().to_owned()));
            continues = true;
        }
    }
    trailers.truncate(MAX_TRAILERS);
    for (_, value) in &mut trailers {
        *value = value.trim().chars().filter(|c| !c.is_control()).take(MAX_VALUE).collect();
    }
    trailers
}

/// Key and value of a line that is a trailer: letters, digits and hyphens, perhaps white space, a colon.
fn split(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let name = key.trim_end_matches([' ', '\t']);
    let valid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    // White space is allowed once words have ended, so only behind the name, and never before it.
    valid.then_some((name, value))
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

/// The number of lines before comments, empty lines and lists of conflicts at the end.
fn end(lines: &[&str]) -> usize {
    let lines = &lines[..lines.iter().position(|line| *line == SCISSORS).unwrap_or(lines.len())];
    let (mut run, mut conflicts) = (None, false);
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with('#') || line.is_empty() {
            run = run.or(Some(number));
        } else if *line == "Conflicts:" {
            (run, conflicts) = (run.or(Some(number)), true);
        } else if !(conflicts && line.starts_with('\t')) {
            (run, conflicts) = (None, false);
        }
    }
    run.unwrap_or(lines.len())
}

/// The line at which the trailers begin; the number of lines when there are none.
fn start(lines: &[&str]) -> usize {
    let title = lines.iter().position(|line| !line.starts_with('#') && is_blank(line)).unwrap_or(lines.len());
    let (mut trailers, mut others, mut continued) = (0_usize, 0_usize, 0_usize);
    let (mut generated, mut seen) = (false, false);
    for number in (title..lines.len()).rev() {
        let line = lines[number];
        if line.starts_with('#') {
            others += std::mem::take(&mut continued);
        } else if is_blank(line) {
            if !seen {
                continue;
            }
            others += continued;
            let block = (generated && trailers * 3 >= others) || (trailers > 0 && others == 0);
            return if block { number + 1 } else { lines.len() };
        } else {
            seen = true;
            let by_git = GENERATED.iter().any(|prefix| line.starts_with(prefix));
            if by_git || split(line).is_some() {
                generated |= by_git;
                trailers += 1;
                continued = 0;
            } else if line.starts_with(char::is_whitespace) {
                continued += 1;
            } else {
                others += 1 + std::mem::take(&mut continued);
            }
        }
    }
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is expected is also what the real program says: `operator/tests/verify/trailers.rs` compares.
    #[test]
    fn trailers_are_what_git_takes_for_some() {
        let none: &[(&str, &str)] = &[];
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", none),
            ("Key: the title is never a trailer", none),
            ("title\n\nKey: value\n", &[("Key", "value")]),
            ("title\n\nKey : value\nA-2:b:c\n\n\n", &[("Key", "value"), ("A-2", "b:c")]),
            ("title\n\nKey: one\n  two\n\tthree\nB:\n", &[("Key", "one two three"), ("B", "")]),
            ("title\n\nwords\nKey: value\n", none),
            (
                "title\n\nwords\nmore words\nKey: value\nSigned-off-by: alice\n",
                &[("Key", "value"), ("Signed-off-by", "alice")],
            ),
            ("title\n\na\nb\nc\nd\nSigned-off-by: alice\n", none),
            ("title\n\nKey: early\n\nbody\n", none),
            ("title\n\nKey: value\n# comment\n\nConflicts:\n\ta.yaml\n", &[("Key", "value")]),
            ("title\n\nA: b\n# ------------------------ >8 ------------------------\nC: d\n", &[("A", "b")]),
            ("title\n\nSchlüssel: Wert\n", none),
            ("title\n\n: no key\n", none),
        ];
        for (message, expected) in table {
            let found = parse(message);
            let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(found, *expected, "{message:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many = format!("title\n\n{}", "K: v\n".repeat(MAX_TRAILERS + 50));
        assert_eq!(parse(&many).len(), MAX_TRAILERS);
        let long = format!("title\n\nK: {}\n", "v".repeat(MAX_VALUE * 2));
        assert_eq!(parse(&long)[0].1.len(), MAX_VALUE);
    }
}
