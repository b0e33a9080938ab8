//! Folder names and their limits.

/// Bytes of a whole name: mbsync, Maildir and mbox exports make path names of them (PATH_MAX is 4096), and modified
/// UTF-7 may take nearly three times the bytes.
pub const NAME_MAX: usize = 1024;
/// Levels of a name; nobody nests deeper by hand, and a rename walks them.
pub const DEPTH_MAX: usize = 32;
/// Folders of an account; LIST answers them all at once.
pub const FOLDERS_MAX: u64 = 10_000;
/// Subscriptions of an account; LSUB answers them all at once.
pub const SUBSCRIPTIONS_MAX: u64 = 10_000;

/// The one folder whose name is case-insensitive (RFC 3501 §5.1).
pub(super) const INBOX: &str = "INBOX";

/// Why a folder name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or an empty level ("a//b", "/a").
    #[error("mailbox name has an empty level")]
    Empty,
    /// Too many bytes.
    #[error("mailbox name is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// Too many levels.
    #[error("mailbox name has more than {limit} levels")]
    TooDeep {
        /// The limit.
        limit: usize,
    },
    /// Control characters or LIST wildcards.
    #[error("mailbox name contains {0:?}, which is not allowed")]
    Character(char),
}

/// The canonical name: INBOX as a first level in capitals, everything else as given.
pub(crate) fn canonical(name: &str) -> Result<String, NameError> {
    if name.len() > NAME_MAX {
        return Err(NameError::TooLong { limit: NAME_MAX });
    }
    if name.split('/').any(str::is_empty) {
        return Err(NameError::Empty);
    }
    if name.split('/').count() > DEPTH_MAX {
        return Err(NameError::TooDeep { limit: DEPTH_MAX });
    }
    // RFC 3501 §6.3.8: the wildcards of LIST would make such a folder impossible to name alone.
    if let Some(bad) = name.chars().find(|c| c.is_control() || matches!(c, '*' | '%')) {
        return Err(NameError::Character(bad));
    }
    match name.split_once('/') {
        Some((first, rest)) if first.eq_ignore_ascii_case(INBOX) => Ok(format!("{INBOX}/{rest}")),
        None if name.eq_ignore_ascii_case(INBOX) => Ok(INBOX.into()),
        _ => Ok(name.into()),
    }
}

/// The name and its superiors, outermost first: `a`, `a/b`, `a/b/c`.
pub(super) fn lineage(name: &str) -> impl Iterator<Item = &str> {
    let ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
    ends.map(move |end| &name[..end])
}

/// The range of names that are inferiors of `name`: `/` is followed by `0`.
pub(super) fn inferiors(name: &str) -> (String, String) {
    (format!("{name}/"), format!("{name}0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_canonical_or_refused() {
        for (given, expected) in [
            ("inbox", Ok("INBOX")),
            ("InBox/Sub", Ok("INBOX/Sub")),
            ("Inboxes", Ok("Inboxes")),
            ("a/inbox", Ok("a/inbox")),
            ("Entwürfe/2026", Ok("Entwürfe/2026")),
            ("with space & \"quotes\"", Ok("with space & \"quotes\"")),
            ("", Err(NameError::Empty)),
            ("/a", Err(NameError::Empty)),
            ("a/", Err(NameError::Empty)),
            ("a//b", Err(NameError::Empty)),
            ("a*", Err(NameError::Character('*'))),
            ("a/%", Err(NameError::Character('%'))),
            ("a\r\nb", Err(NameError::Character('\r'))),
            ("nul\0", Err(NameError::Character('\0'))),
        ] {
            assert_eq!(canonical(given).as_deref(), expected.as_ref().map(|s| *s), "{given:?}");
        }
    }

    #[test]
    fn length_and_depth_are_limited() {
        assert!(canonical(&"n".repeat(NAME_MAX)).is_ok());
        assert_eq!(canonical(&"n".repeat(NAME_MAX + 1)), Err(NameError::TooLong { limit: NAME_MAX }));
        let deep = |levels: usize| vec!["d"; levels].join("/");
        assert!(canonical(&deep(DEPTH_MAX)).is_ok());
        assert_eq!(canonical(&deep(DEPTH_MAX + 1)), Err(NameError::TooDeep { limit: DEPTH_MAX }));
    }

    #[test]
    fn lineage_and_inferiors() {
        assert_eq!(lineage("a/b/c").collect::<Vec<_>>(), ["a", "a/b", "a/b/c"]);
        assert_eq!(lineage("INBOX").collect::<Vec<_>>(), ["INBOX"]);
        let (low, high) = inferiors("a");
        for (name, inside) in
            [("a/b", true), ("a/", true), ("a", false), ("a b", false), ("a0", false), ("ab", false)]
        {
            assert_eq!(*name >= *low && *name < *high, inside, "{name}");
        }
    }
}
