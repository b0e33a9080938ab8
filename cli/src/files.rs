//! Manifests on their way to a directory: into an empty one, and readable by their owner alone, since hashes of passwords may be in
//! them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Writes files by their paths below a directory that is empty or not there.
pub fn write(directory: &Path, files: &BTreeMap<String, String>) -> Result<()> {
    let mut there = directory.read_dir().into_iter().flatten();
    if there.next().is_some() {
        bail!("{} is not empty; give a directory that is", directory.display());
    }
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for (name, text) in files {
        let path = directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
        }
        let file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn into_an_empty_directory_and_for_the_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let files =
            BTreeMap::from([("a/b.yaml".to_owned(), "x".to_owned()), ("c.yaml".to_owned(), "y".to_owned())]);
        let into = home.path().join("new");
        write(&into, &files).unwrap();
        assert_eq!(fs::read_to_string(into.join("a/b.yaml")).unwrap(), "x");
        assert_eq!(fs::metadata(into.join("c.yaml")).unwrap().permissions().mode() & 0o777, 0o600);
        let again = write(&into, &files).unwrap_err().to_string();
        assert!(again.contains("is not empty"), "{again}");
    }
}
