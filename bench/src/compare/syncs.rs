//! fsync and fdatasync per stored message: both servers run under strace, which counts those two calls and nothing else.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Bench, one};
use crate::figure::taken;
use crate::load::Stored;
use crate::report::Results;

const STRACE: &str = "/usr/bin/strace";
const COUNT: usize = 400;

pub(super) fn take(bench: &Bench<'_>, directory: &str, results: &mut Results) -> Result<()> {
    if !Path::new(STRACE).exists() {
        eprintln!("skipped: calls of fsync, because {STRACE} is missing");
        return Ok(());
    }
    // `-D`: strace is no parent, so that the server is stopped as ever. With `--seccomp-bpf` other calls are not even seen.
    let log = bench.place.path().join(format!("{directory}-calls"));
    let calls = log.to_string_lossy();
    let under = [STRACE, "-D", "-ff", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-o", &calls];
    let sides = bench.start(&["syncs"], directory, &under.map(str::to_owned))?;
    for side in &sides {
        let count = bench.options.scale().of(COUNT);
        let before = calls_of(&log)?;
        bench.runtime.block_on(Stored::measure(side, count, 4096, false)).context("syncs")?;
        let calls = calls_of(&log)? - before;
        results.add(side, &one(taken("syncs.stored", calls as f64 / count as f64)));
    }
    Ok(())
}

/// Calls in the logs so far: a file per process, a line per call.
fn calls_of(log: &Path) -> Result<usize> {
    let (Some(directory), Some(name)) = (log.parent(), log.file_name()) else { return Ok(0) };
    let mut calls = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&*name.to_string_lossy()) {
            let text = std::fs::read_to_string(entry.path())?;
            calls += text.lines().filter(|line| line.contains("sync(")).count();
        }
    }
    Ok(calls)
}
