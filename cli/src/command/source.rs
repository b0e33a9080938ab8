//! What `up`, `validate`, `plan` and `apply` share: opening the source of manifests and reading it off the event loop.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mailwright_crds::{API_VERSION, Kind, MailRepository, check_repository};
use mailwright_operator::repository::{Follow, PlanRules, Prepared, Revision, Trouble};
use mailwright_operator::secrets::Secrets;
use mailwright_operator::source::verify::Last;
use mailwright_operator::source::{
    Config, Credentials, Decryption, HttpCredentials, Options, Reference, SecretValue, Source,
};
use serde_json::{Value, json};

use crate::args::{Keys, SourceArgs};
use crate::terminal;

/// A source, and how it is followed when it is a repository.
pub struct Opened {
    /// The way through its revisions.
    pub follow: Follow,
    /// The repository; `None` for a directory.
    pub repository: Option<Followed>,
    /// Where it is, and how it was opened, for whoever opens it once more.
    pub location: String,
    /// The same.
    pub options: Options,
}

/// A repository that is followed, by the file of --config or by the command line.
pub struct Followed {
    /// What is declared.
    pub object: MailRepository,
    /// How its plans are made and applied.
    pub rules: PlanRules,
    /// How often it is asked; `None` where the command line says.
    pub interval: Option<Duration>,
    /// Whether it is left alone.
    pub suspended: bool,
    /// The Secrets that were declared with it.
    pub secrets: Secrets,
}

impl Followed {
    /// Whether a file declares it; otherwise the command line says what counts.
    pub fn is_declared(&self) -> bool {
        self.interval.is_some()
    }
}

/// The file in the data directory with the revision that was applied last.
const LAST: &str = "repository.json";

/// Where the revision that was applied last is kept.
pub fn last(data: &Path) -> PathBuf {
    data.join(LAST)
}

/// What the command line calls the source.
pub fn named(arguments: &SourceArgs) -> Result<String> {
    match (&arguments.config, &arguments.source) {
        (Some(config), _) => Ok(Config::read(config)?.repository.spec.url.as_str().to_owned()),
        (None, Some(source)) => Ok(source.clone()),
        (None, None) => bail!("name a directory or a repository, or a file with --config"),
    }
}

/// Opens the source that the command line names; remote repositories are cached in `cache`, and `data` is where it is kept what was
/// applied last.
pub fn open(arguments: &SourceArgs, cache: &Path, data: Option<&Path>) -> Result<Opened> {
    if let Some(config) = &arguments.config {
        return configured(config, cache, data);
    }
    let location = named(arguments)?;
    let options = options(arguments, cache)?;
    let source = Source::open(&location, options.clone())?;
    let repository = match &source {
        Source::Directory(_) => None,
        Source::Git(_) => in_memory(arguments, source.id()),
    };
    let repository = repository.map(|object| Followed {
        rules: PlanRules::new(&object),
        object,
        interval: None,
        suspended: false,
        secrets: Secrets::default(),
    });
    Ok(Opened { follow: Follow::plainly(source), repository, location, options })
}

fn configured(config: &Path, cache: &Path, data: Option<&Path>) -> Result<Opened> {
    let Config { repository, secrets } = Config::read(config)?;
    let prepared = Prepared::new(&repository, &secrets, cache)?;
    let source = Source::open(&prepared.location, prepared.options.clone())?;
    let last = match data {
        Some(data) => Last::read(&last(data))?,
        None => Last::default(),
    };
    Ok(Opened {
        follow: Follow::new(source, &prepared, last),
        repository: Some(Followed {
            object: repository,
            rules: prepared.rules,
            interval: Some(prepared.interval),
            suspended: prepared.suspended,
            secrets,
        }),
        location: prepared.location,
        options: prepared.options,
    })
}

/// The spec that the flags come to, so that `mailwright get mailrepositories` shows what is followed. Who gives flags has the
/// repository at hand and takes it as it is: rewritten history too.
fn in_memory(arguments: &SourceArgs, id: &str) -> Option<MailRepository> {
    let url = if id.contains("://") {
        id.to_owned()
    } else {
        format!("file://{}", std::path::absolute(id).ok()?.display())
    };
    let mut spec = json!({"url": url, "allowRewind": true});
    if let Some(branch) = &arguments.branch {
        spec["ref"] = json!({"branch": branch});
    }
    if let Some(path) = &arguments.path {
        spec["path"] = json!(path);
    }
    let manifest = |spec: Value| json!({"apiVersion": API_VERSION, "kind": Kind::MailRepository.as_str(), "metadata": {"name": "up"}, "spec": spec});
    check_repository(&manifest(spec)).ok()
}

/// How it is opened.
pub fn options(arguments: &SourceArgs, cache: &Path) -> Result<Options> {
    Ok(Options {
        reference: arguments.branch.clone().map(Reference::Named).unwrap_or_default(),
        path: arguments.path.clone(),
        cache: cache.to_owned(),
        credentials: Credentials {
            http: std::env::var("MAILWRIGHT_GIT_TOKEN")
                .ok()
                .map(SecretValue::new)
                .map(HttpCredentials::Token),
            ..Credentials::default()
        },
        decryption: decryption(&arguments.keys)?,
        ..Options::default()
    })
}

/// The keys of the command line.
pub fn decryption(keys: &Keys) -> Result<Decryption> {
    let read = |path: &PathBuf| {
        let bytes = secret_file(path).with_context(|| format!("--age-key-file {}", path.display()))?;
        Ok((path.display().to_string(), bytes))
    };
    let read: Vec<(String, SecretValue)> = keys.age_key_file.iter().map(read).collect::<Result<_>>()?;
    Ok(Decryption::from_keys(read.iter().map(|(place, value)| (place.as_str(), value)))?)
}

/// A file that holds a key or a token; more than any of them has is not read.
pub fn secret_file(path: &Path) -> Result<SecretValue> {
    /// Fifty age keys take 10 KiB.
    const LONGEST: u64 = 128 * 1024;
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(SecretValue::new(bytes))
}

/// Reads the source, with a spinner when it takes longer. `None`: nothing changed since it was read last.
pub async fn load(follow: Follow) -> (Follow, Result<Option<Revision>, Trouble>) {
    let _progress = terminal::progress("reading manifests");
    blocking(follow, |follow| follow.load(chrono::Utc::now())).await
}

/// Runs blocking work on the source where it holds up nothing else. A panic in there is passed on.
pub async fn blocking<S: Send + 'static, T: Send + 'static>(
    mut source: S,
    work: impl FnOnce(&mut S) -> T + Send + 'static,
) -> (S, T) {
    let task = tokio::task::spawn_blocking(move || {
        let result = work(&mut source);
        (source, result)
    });
    match task.await {
        Ok(done) => done,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
