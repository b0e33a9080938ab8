//! `mailwright import`: manifests out of another mail system's files. Reads, writes and prints; what it means is `import`'s.

use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};

use crate::args::import::{From, Import, Into};
use crate::import::manifests::{self, Imported};
use crate::import::postfix::Map;
use crate::import::{Found, dovecot, iredmail, mailcow, mailu, postfix};
use crate::{files, terminal};

/// Octets of one file: a million lines of a hundred.
const MAX_FILE: u64 = 256 << 20;

/// Imports; exit code 2 when something could not be carried over.
pub fn run(options: Import) -> Result<ExitCode> {
    let mut found = Found::default();
    let into = match options.from {
        From::Postfix(options) => {
            let origin = options.origin.as_deref();
            // Passwords first: a mailbox that stands in both tables is one with its password.
            read(&options.passwd, |file, text| {
                dovecot::read(&mut found, file, text, origin, options.scheme.as_deref());
            })?;
            let with_passwords: Vec<String> = found.mailboxes.keys().cloned().collect();
            let tables = [
                (&options.domains, Map::Domains),
                (&options.mailboxes, Map::Mailboxes),
                (&options.aliases, Map::Aliases),
            ];
            for (files, map) in tables {
                read(files, |file, text| {
                    postfix::read(&mut found, file, text, map, origin, &with_passwords);
                })?;
            }
            options.into
        }
        From::DovecotPasswd(options) => {
            read(&options.files, |file, text| {
                dovecot::read(&mut found, file, text, options.domain.as_deref(), options.scheme.as_deref());
            })?;
            options.into
        }
        From::Iredmail(options) => {
            read(&options.files, |file, text| iredmail::read(&mut found, file, text))?;
            options.into
        }
        From::Mailu(options) => {
            read(&options.files, |file, text| mailu::read(&mut found, file, text))?;
            options.into
        }
        From::Mailcow(options) => {
            let mut export = mailcow::Export::default();
            read(&options.files, |file, text| export.take(&mut found, file, text))?;
            export.finish(&mut found);
            options.into
        }
    };
    let imported = manifests::manifests(found, &into.hostname);
    files::write(&into.into, &imported.files)?;
    report(&into, &imported);
    Ok(if imported.notes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

fn read(files: &[PathBuf], mut take: impl FnMut(&str, &str)) -> Result<()> {
    for path in files {
        let file = fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let mut text = String::new();
        let octets = file.take(MAX_FILE + 1).read_to_string(&mut text);
        let octets = octets.with_context(|| format!("cannot read {} as UTF-8 text", path.display()))?;
        if octets as u64 > MAX_FILE {
            bail!("{} is larger than {MAX_FILE} octets; import it in parts", path.display());
        }
        take(&path.display().to_string(), &text);
    }
    Ok(())
}

fn report(into: &Into, imported: &Imported) {
    for note in &imported.notes {
        eprintln!("{note}");
    }
    terminal::print(&format!(
        "{} mailboxes and {} aliases in {} files below {}; {} could not be carried over\n",
        imported.mailboxes,
        imported.aliases,
        imported.files.len(),
        into.into.display(),
        imported.notes.len(),
    ));
}
