//! `mailwright snapshot`: the state without its secrets as a file, and reading it back for `mailwright plan --against`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use mailwright_operator::accounts::Accounts as _;
use mailwright_plan::State;
use mailwright_plan::state::LONGEST;

use crate::args::SnapshotTo;
use crate::connect::Connection;
use crate::terminal;

/// Writes the state of the running installation, or of what is in the data directory.
pub async fn run(data: &Path, options: SnapshotTo) -> Result<ExitCode> {
    let connection = Connection::open(data).await?;
    let database = connection.database().await?;
    let state = State::of(&connection.observe().await?, database, chrono::Utc::now());
    match &options.output {
        None => terminal::print(&state.write()),
        Some(file) => {
            write(file, &state.write()).with_context(|| format!("cannot write {}", file.display()))?
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Addresses and names are nobody else's on this machine, so the file is its owner's; never half a file under its name.
fn write(path: &Path, text: &str) -> Result<()> {
    let name = path.file_name().context("a directory is no file")?.to_string_lossy();
    let fresh = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = File::options().write(true).create(true).truncate(true).mode(0o600).open(&fresh);
    let written = written.and_then(|mut file| {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let moved = written.and_then(|()| std::fs::rename(&fresh, path));
    if moved.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    Ok(moved?)
}

/// The installation that a file tells of.
pub fn read(path: &Path) -> Result<Connection> {
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let longest = u64::try_from(LONGEST).unwrap_or(u64::MAX);
    file.take(longest.saturating_add(1))
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {} as text", path.display()))?;
    let state = State::read(&text).with_context(|| path.display().to_string())?;
    Ok(Connection::Told(Arc::new(state.observed)))
}

#[cfg(test)]
mod tests {
    use mailwright_plan::Observed;

    use super::*;

    #[test]
    fn a_file_is_its_owners_and_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        std::fs::write(&path, "what was there before, and longer than what comes").unwrap();
        let state = State::of(&Observed::default(), None, chrono::DateTime::UNIX_EPOCH);
        write(&path, &state.write()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(
            matches!(read(&path).unwrap(), Connection::Told(observed) if *observed == Observed::default())
        );
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
        assert!(write(&directory.path().join("none/state.json"), "").is_err());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str, bytes: &[u8]| {
            let path = directory.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            format!("{:#}", read(&path).err().unwrap())
        };
        for (name, bytes, expected) in [
            ("mail.yaml", &b"kind: Mailbox"[..], "mail.yaml: this is no state of an installation"),
            ("binary", &[0xff, 0xfe], "cannot read"),
            ("cut", b"{\"format\": \"mailwright-state\", \"ver", "cut: it is damaged"),
        ] {
            let error = at(name, bytes);
            assert!(error.contains(expected), "{error}");
        }
        let missing = format!("{:#}", read(&directory.path().join("none")).err().unwrap());
        assert!(missing.contains("cannot read") && missing.contains("none"), "{missing}");
    }
}
