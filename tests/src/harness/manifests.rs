//! A directory of manifests that a test may edit while the server follows it.

use super::{Ports, root};
use std::path::{Path, PathBuf};

/// A directory of manifests.
#[derive(Debug)]
pub struct Manifests {
    dir: PathBuf,
}

impl Manifests {
    /// A copy of `examples/<name>` in `dir`, its MailServer listening on `ports`.
    pub fn example(name: &str, dir: PathBuf, ports: &Ports) -> Self {
        copy(&root().join("examples").join(name), &dir);
        let manifests = Self { dir };
        let server = manifests.read("server.yaml");
        manifests.write(
            "server.yaml",
            &server.replacen("\nspec:\n", &format!("\nspec:\n{}", ports.listeners()), 1),
        );
        manifests
    }

    /// Where they are.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The text of one file.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Writes one file as an editor does: under another name, then renamed.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.dir.join(name);
        let fresh = path.with_extension("new");
        std::fs::create_dir_all(path.parent().expect("a file is in a directory")).expect("a directory");
        std::fs::write(&fresh, text).expect("a manifest can be written");
        std::fs::rename(fresh, path).expect("a manifest can be renamed");
    }

    /// Changes one file by replacing `old` with `new`.
    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "{name} does not contain {old:?}");
        self.write(name, &text.replace(old, new));
    }

    /// Removes one file.
    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.dir.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// A Mailbox in a file of its own, `mailbox-<local>.yaml`, with `spec` appended (two spaces of indentation).
    pub fn mailbox(&self, address: &str, spec: &str) {
        let name = address.replace(['@', '.', '_'], "-");
        let text = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata:\n  name: {name}\nspec:\n  address: \
             {address}\n{spec}"
        );
        self.write(&mailbox_file(address), &text);
    }

    /// Removes the file that [`Self::mailbox`] wrote.
    pub fn remove_mailbox(&self, address: &str) {
        self.remove(&mailbox_file(address));
    }
}

fn mailbox_file(address: &str) -> String {
    format!("mailbox-{}.yaml", address.replace(['@', '.'], "-"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let entry = entry.expect("a directory can be read");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("an entry has a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("a file can be copied")),
        }
    }
}
