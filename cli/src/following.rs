//! The note in the data directory of which source a running `mailwright up` follows, so that `mailwright apply` does not
//! fight it with another one. It means something only while the process runs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Writes the note.
pub fn note(data: &Path, source: &str) -> Result<()> {
    let path = place(data);
    std::fs::write(&path, canonical(source)).with_context(|| format!("cannot write {}", path.display()))
}

/// Takes the note away; a process without a source follows nothing.
pub fn forget(data: &Path) {
    let _ = std::fs::remove_file(place(data));
}

/// Refuses a source that the running process does not follow.
pub fn check(data: &Path, source: &str) -> Result<()> {
    let Ok(followed) = std::fs::read_to_string(place(data)) else { return Ok(()) };
    if followed != canonical(source) {
        bail!(
            "the running process follows {followed} and would undo this; change the manifests there, or stop it first"
        );
    }
    Ok(())
}

fn place(data: &Path) -> PathBuf {
    data.join("following")
}

/// The same directory by any path is the same source.
fn canonical(source: &str) -> String {
    match std::fs::canonicalize(source) {
        Ok(path) => path.display().to_string(),
        Err(_) => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_source_is_refused_while_one_is_followed() {
        let data = tempfile::tempdir().unwrap();
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let text = |directory: &tempfile::TempDir| directory.path().display().to_string();
        check(data.path(), &text(&one)).unwrap();
        note(data.path(), &text(&one)).unwrap();
        check(data.path(), &format!("{}/.", text(&one))).unwrap();
        let refused = check(data.path(), &text(&other)).unwrap_err().to_string();
        assert!(refused.contains(&text(&one)) && refused.contains("stop it"), "{refused}");
        forget(data.path());
        check(data.path(), &text(&other)).unwrap();
    }
}
