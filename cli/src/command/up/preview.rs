//! Previews of `mailwright up`: a task beside the follower, which tells it what was applied and waits for nothing of it.
//!
//! It has its own way to the repository with its own cache, so neither waits for the other's fetch. What was posted is kept in
//! the data directory, so that a start anew says nothing twice.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mailwright_crds::mail_repository::PreviewStatus;
use mailwright_operator::Operator;
use mailwright_operator::accounts::Accounts as _;
use mailwright_operator::platform::local::Local;
use mailwright_operator::preview::round::Against;
use mailwright_operator::preview::settings::{Settings, Wanted};
use mailwright_operator::preview::{self, Memory, Provider, Round, Stage, Told};
use mailwright_operator::repository;
use mailwright_operator::source::{Decryption, Options, Source};
use tokio::sync::{Notify, watch};

use crate::args::preview::Preview;
use crate::command::source::{Followed, secret_file};
use crate::connect::Connection;

/// A forge is asked no more often than this, however often the repository is: an hour has 5000 requests at GitHub.
const FLOOR: Duration = Duration::from_secs(5);
/// What was posted, for the next start.
const KEPT: &str = "previews.json";

/// What previews are planned against: the rules in force, and the revision that was worked on last.
#[derive(Debug, Clone)]
struct InForce {
    stage: Stage,
    followed: String,
}

/// The follower's end of previews; does nothing when none were asked for.
#[derive(Debug, Default)]
pub struct Previews(Option<Ends>);

#[derive(Debug)]
struct Ends {
    in_force: watch::Sender<Option<InForce>>,
    posted: watch::Receiver<Vec<PreviewStatus>>,
    look: Arc<Notify>,
}

/// What the command line, or `spec.previews`, says of previews of the repository at `location`.
pub fn settings(
    options: &Preview,
    location: &str,
    branch: Option<&str>,
    followed: Option<&Followed>,
) -> Result<Option<Settings>> {
    let declared = match followed {
        Some(followed) => repository::previews(&followed.object, &followed.secrets)?,
        None => None,
    };
    match (declared, options.provider) {
        (Some(_), Some(_)) => {
            bail!("spec.previews says who is told of previews; leave out --preview-provider")
        }
        (Some(settings), None) => Ok(Some(settings)),
        (None, _) => of_flags(options, location, branch),
    }
}

fn of_flags(options: &Preview, location: &str, branch: Option<&str>) -> Result<Option<Settings>> {
    let (Some(provider), Some(file)) = (options.provider, &options.token_file) else { return Ok(None) };
    let token = secret_file(file).with_context(|| format!("--preview-token-file {}", file.display()))?;
    let provider = Provider::from(provider);
    let refs = match options.refs.as_slice() {
        [] => vec![provider.heads().to_owned()],
        given => given.to_vec(),
    };
    let wanted =
        Wanted { provider, api: options.api.as_deref(), token: Some(token), comment: true, status: true };
    let settings = Settings::new(refs, location, branch, Some(wanted));
    Ok(Some(settings.with_context(|| format!("--preview-token-file {}", file.display()))?))
}

impl Previews {
    /// Starts the task. `options` are those of the source that is followed.
    pub fn start(
        settings: Option<Settings>,
        location: &str,
        options: Options,
        accounts: &Connection,
        data: &Path,
        interval: Duration,
    ) -> Result<Previews> {
        let Some(settings) = settings else { return Ok(Previews::default()) };
        let options =
            Options { cache: data.join("git").join("previews"), decryption: Decryption::sealed(), ..options };
        let source = Source::open(location, options)?;
        if matches!(source, Source::Directory(_)) {
            bail!(
                "a directory has no pull requests; follow a Git repository, or leave out --preview-provider"
            );
        }
        let kept = data.join(KEPT);
        let round = Round::new(settings, source, recall(&kept));
        let (sender, in_force) = watch::channel(None);
        let (told, mut posted) = watch::channel(preview::status::of(&round.memory));
        posted.mark_changed();
        let look = Arc::new(Notify::new());
        let accounts = accounts.clone();
        let task = Task { round, kept, in_force, told, look: Arc::clone(&look), accounts };
        tokio::spawn(task.run(interval.max(FLOOR)));
        Ok(Previews(Some(Ends { in_force: sender, posted, look })))
    }

    /// What was posted, once that is something else.
    pub async fn posted(&mut self) -> Vec<PreviewStatus> {
        if let Some(ends) = &mut self.0
            && ends.posted.changed().await.is_ok()
        {
            return ends.posted.borrow_and_update().clone();
        }
        pending().await
    }

    /// The follower has worked on a revision.
    pub fn worked(&self, operator: &Operator<Connection, Local>, revision: &str) {
        if let Some(ends) = &self.0 {
            let in_force = InForce { stage: operator.stage(), followed: revision.to_owned() };
            ends.in_force.send_replace(Some(in_force));
        }
    }

    /// Something was pushed.
    pub fn look(&self) {
        if let Some(ends) = &self.0 {
            ends.look.notify_one();
        }
    }
}

/// The task's end.
struct Task {
    round: Round,
    kept: PathBuf,
    in_force: watch::Receiver<Option<InForce>>,
    told: watch::Sender<Vec<PreviewStatus>>,
    look: Arc<Notify>,
    accounts: Connection,
}

impl Task {
    /// Until the follower is gone.
    async fn run(mut self, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut said = Vec::new();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.look.notified() => {}
                changed = self.in_force.changed() => if changed.is_err() { return },
            }
            let Some(in_force) = self.in_force.borrow_and_update().clone() else { continue };
            let observed = match self.accounts.observe().await {
                Ok(observed) => observed,
                Err(error) => {
                    tracing::warn!(%error, "no previews: the account database gives no answer");
                    continue;
                }
            };
            let before = self.round.memory.clone();
            let now = chrono::Utc::now();
            let work = tokio::task::spawn_blocking(move || {
                let InForce { stage, followed } = in_force;
                let told =
                    self.round.run(&Against { stage: &stage, observed: &observed, followed: &followed }, now);
                (self, told)
            });
            let Ok((task, told)) = work.await else {
                return tracing::error!(
                    "previews ended: a round did not come back; start anew to have them again"
                );
            };
            self = task;
            if self.round.memory != before {
                keep(&self.kept, &self.round.memory);
                let posted = preview::status::of(&self.round.memory);
                self.told.send_if_modified(|before| std::mem::replace(before, posted.clone()) != posted);
            }
            said = tell(&told, said);
            if let Some(wait) = told.wait {
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// What a round did, once: what fails again and again is said again only when it is something else.
fn tell(told: &Told, said: Vec<String>) -> Vec<String> {
    for (open, digest) in &told.posted {
        tracing::info!(reference = %open.reference, commit = %open.commit, %digest, "preview posted");
    }
    if told.later > 0 {
        tracing::info!(waiting = told.later, "more previews are due than one round makes");
    }
    for failure in told.failures.iter().filter(|failure| !said.contains(failure)) {
        tracing::warn!("preview: {failure}");
    }
    told.failures.clone()
}

/// What was posted before; one that cannot be read is as good as none: comments are found by their mark.
fn recall(path: &Path) -> Memory {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn keep(path: &Path, memory: &Memory) {
    let fresh = path.with_extension("json.new");
    let text = serde_json::to_string_pretty(memory).unwrap_or_default();
    let kept = std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path));
    if let Err(error) = kept {
        tracing::warn!(%error, "cannot keep what was posted in {}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use mailwright_operator::preview::Posted;

    use super::*;

    #[test]
    fn what_was_posted_is_kept() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(KEPT);
        assert_eq!(recall(&path), Memory::default());
        let mut memory = Memory::default();
        memory.posted.insert("refs/pull/7/head".to_owned(), Posted { comment: Some(9), ..Posted::default() });
        keep(&path, &memory);
        assert_eq!(recall(&path), memory);
        std::fs::write(&path, "{\"posted\": ").unwrap();
        assert_eq!(recall(&path), Memory::default(), "half a file is none");
        keep(&data.path().join("none").join(KEPT), &memory);
    }

    #[test]
    fn the_command_line_makes_the_same_settings() {
        let data = tempfile::tempdir().unwrap();
        let file = data.path().join("token");
        std::fs::write(&file, "t0ken\n").unwrap();
        let options = |provider, api: Option<&str>, refs: &[&str]| Preview {
            provider,
            api: api.map(str::to_owned),
            refs: refs.iter().map(|name| (*name).to_owned()).collect(),
            token_file: Some(file.clone()),
        };
        use crate::args::preview::Forge::{GitHub, GitLab, Gitea};
        let url = "https://git.example.test/company/mail.git";
        let of = |options: &Preview| settings(options, url, Some("main"), None);
        assert!(of(&options(None, None, &[])).unwrap().is_none());
        for (provider, api, refs, expected) in [
            (GitHub, None, &[][..], "refs/pull/*/head"),
            (GitLab, None, &[], "refs/merge-requests/*/head"),
            (Gitea, Some("https://git.example.test/api/v1"), &["refs/heads/try-*"], "refs/heads/try-*"),
        ] {
            let settings = of(&options(Some(provider), api, refs)).unwrap().unwrap();
            assert_eq!(
                (settings.refs, settings.branch.as_deref()),
                (vec![expected.to_owned()], Some("main"))
            );
        }
        let error = format!("{:#}", of(&options(Some(Gitea), None, &[])).unwrap_err());
        assert!(error.contains("set previews.apiURL") && !error.contains("t0ken"), "{error}");
        let error =
            format!("{:#}", of(&options(Some(Gitea), Some("http://git.example.test"), &[])).unwrap_err());
        assert!(error.contains("https"), "{error}");
    }
}
