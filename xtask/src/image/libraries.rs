//! The shared libraries of an executable, as the loader of this machine finds them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The libraries and the loader, in the order of their paths; none for a static executable.
pub(super) fn of(binary: &Path) -> Result<Vec<PathBuf>> {
    // Not opened by the loader below when it is missing: then ldd would say that it is static.
    std::fs::metadata(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let output = Command::new("ldd").arg(binary).output().context("cannot run ldd: install libc-bin")?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        if [said.as_ref(), complaint.as_ref()].iter().any(|text| is_static(text)) {
            return Ok(Vec::new());
        }
        bail!("ldd {}: {}", binary.display(), complaint.trim());
    }
    paths(&said).with_context(|| format!("the libraries of {}", binary.display()))
}

fn is_static(text: &str) -> bool {
    text.contains("not a dynamic executable") || text.contains("statically linked")
}

/// `\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)`, `\t/lib64/ld-linux-x86-64.so.2 (0x…)`, `\tlinux-vdso.so.1 (0x…)`.
fn paths(said: &str) -> Result<Vec<PathBuf>> {
    if is_static(said) {
        return Ok(Vec::new());
    }
    let missing: Vec<&str> = said.lines().filter(|line| line.contains("not found")).map(str::trim).collect();
    if !missing.is_empty() {
        bail!("{}", missing.join(", "));
    }
    let words = said.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    let mut paths: Vec<PathBuf> = words.map(PathBuf::from).collect();
    paths.sort();
    paths.dedup();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_is_one_of_them_and_the_kernels_page_is_none() {
        let said = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f3a)\n\
                    \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f39)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f3b)\n";
        let expected = [
            "/lib/x86_64-linux-gnu/libc.so.6",
            "/lib/x86_64-linux-gnu/libm.so.6",
            "/lib64/ld-linux-x86-64.so.2",
        ];
        assert_eq!(paths(said).unwrap(), expected.map(PathBuf::from));
        assert_eq!(paths("\tstatically linked\n").unwrap(), Vec::<PathBuf>::new());
    }

    #[test]
    fn a_library_that_is_missing_is_named() {
        let error = paths("\tlibfoo.so.1 => not found\n").unwrap_err();
        assert!(error.to_string().contains("libfoo.so.1 => not found"), "{error}");
    }

    #[test]
    fn this_test_needs_a_libc() {
        let libraries = of(&std::env::current_exe().unwrap()).unwrap();
        assert!(libraries.iter().any(|path| path.to_string_lossy().contains("libc.so")), "{libraries:?}");
        assert!(of(Path::new("no-such-binary")).unwrap_err().to_string().contains("no-such-binary"));
    }
}
