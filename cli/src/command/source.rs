//! What `up`, `validate`, `plan` and `apply` share: opening the source of manifests and reading it off the event loop.

use std::path::Path;

use anyhow::Result;
use mailwright_operator::source::{Options, SecretValue, Snapshot, Source, SourceError};

use crate::args::SourceArgs;
use crate::terminal;

/// Opens the source that the command line names; remote repositories are cached in `cache`.
pub fn open(arguments: &SourceArgs, cache: &Path) -> Result<Source> {
    let options = Options {
        branch: arguments.branch.clone(),
        path: arguments.path.clone(),
        cache: cache.to_owned(),
        token: std::env::var("MAILWRIGHT_GIT_TOKEN").ok().map(SecretValue::new),
        ..Options::default()
    };
    Ok(Source::open(&arguments.source, options)?)
}

/// Reads the source, with a spinner when it takes longer. `None`: nothing changed since it was read last.
pub async fn load(source: Source) -> (Source, Result<Option<Snapshot>, SourceError>) {
    let _progress = terminal::progress("reading manifests");
    blocking(source, Source::load).await
}

/// Runs blocking work on the source where it holds up nothing else. A panic in there is passed on.
pub async fn blocking<T: Send + 'static>(
    mut source: Source,
    work: impl FnOnce(&mut Source) -> T + Send + 'static,
) -> (Source, T) {
    let task = tokio::task::spawn_blocking(move || {
        let result = work(&mut source);
        (source, result)
    });
    match task.await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
