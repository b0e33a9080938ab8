//! Writes what is generated from the code; `tidy` holds the tree against the same list.

use crate::workspace;
use anyhow::{Context, Result};

/// Writes every generated file whose content differs.
pub fn write() -> Result<bool> {
    let root = workspace::root();
    let mut written = 0;
    for (path, text) in mailwright_crds::generated() {
        let target = root.join(&path);
        if std::fs::read_to_string(&target).is_ok_and(|old| old == text) {
            continue;
        }
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(&target, text).with_context(|| format!("cannot write {}", target.display()))?;
        println!("wrote {path}");
        written += 1;
    }
    if written == 0 {
        println!("every generated file is fresh");
    }
    Ok(true)
}
