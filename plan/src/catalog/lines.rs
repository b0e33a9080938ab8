//! Owns where the fields of an object stand. There may be a hundred thousand objects of a few shapes, so the paths of a shape are
//! one text that objects share. Leaves out how lines are found (the sources').

use std::collections::BTreeMap;
use std::sync::Arc;

/// Lines of the fields of one object, by path (`spec.targets[2]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The paths in order, each with a line feed behind it: a path has none.
    paths: Arc<str>,
    /// The line of each.
    lines: Arc<[u32]>,
}

impl Default for Lines {
    fn default() -> Self {
        Self { paths: Arc::from(""), lines: Arc::from([]) }
    }
}

impl Lines {
    /// These, with the paths of `like` if they are the same. A path with a line feed in it is left out.
    pub fn new(found: &BTreeMap<String, u32>, like: &Lines) -> Lines {
        let found = || found.iter().filter(|(path, _)| !path.contains('\n'));
        let paths: String = found().flat_map(|(path, _)| [path.as_str(), "\n"]).collect();
        let paths = if *like.paths == *paths { Arc::clone(&like.paths) } else { paths.into() };
        Lines { paths, lines: found().map(|(_, line)| *line).collect() }
    }

    /// The line of a field.
    pub fn get(&self, path: &str) -> Option<u32> {
        let index = self.paths.split('\n').position(|known| known == path)?;
        self.lines.get(index).copied()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u32)> {
        self.paths.split('\n').zip(self.lines.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(found: &[(&str, u32)], like: &Lines) -> Lines {
        Lines::new(&found.iter().map(|(path, line)| ((*path).to_owned(), *line)).collect(), like)
    }

    #[test]
    fn fields_are_found_and_nothing_else_is() {
        let of = lines(&[("spec.b[0]", 7), ("spec.a", 3), ("spec.b", 6), ("x\ny", 9)], &Lines::default());
        for (path, expected) in [
            ("spec.a", Some(3)),
            ("spec.b", Some(6)),
            ("spec.b[0]", Some(7)),
            ("spec.c", None),
            ("spec", None),
            ("", None),
            ("x\ny", None),
            ("x", None),
        ] {
            assert_eq!(of.get(path), expected, "{path:?}");
        }
        assert_eq!(of.iter().collect::<Vec<_>>(), [("spec.a", 3), ("spec.b", 6), ("spec.b[0]", 7)]);
        assert_eq!(Lines::default().get(""), None);
        assert_eq!(Lines::default().iter().count(), 0);
    }

    #[test]
    fn objects_of_one_shape_share_it() {
        let one = lines(&[("spec.a", 3), ("spec.b", 4)], &Lines::default());
        let same = lines(&[("spec.a", 8), ("spec.b", 9)], &one);
        assert!(Arc::ptr_eq(&one.paths, &same.paths));
        assert_eq!((same.get("spec.a"), same.get("spec.b")), (Some(8), Some(9)));
        assert_ne!(lines(&[("spec.a", 3)], &one), one);
    }
}
