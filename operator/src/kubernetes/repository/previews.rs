//! Previews of one MailRepository: rounds of [`crate::preview`] beside its worker, which tells what is in force and waits for nothing of
//! them. They have their own copy of the repository, so that neither waits for the other's fetch.
//!
//! What was posted is in the status, so a new leader goes on there; what it cannot know is found again by the comment's mark.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use mailwright_crds::MailRepository;
use mailwright_crds::mail_repository::PreviewStatus;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::kubernetes::metrics;
use crate::preview::{self, Base, Round, Told};
use crate::repository::{self, Prepared, Trouble};
use crate::secrets::Secrets;
use crate::source::{Decryption, Options, Source};

/// What proposed changes are planned against: what is in force, as it was when it was last looked at.
pub type Ground = Arc<dyn Base + Send + Sync>;

/// A forge is asked no more often than this, however often the repository is: an hour has 5000 requests at GitHub.
const FLOOR: Duration = Duration::from_secs(5);
/// Nor because something changed in the cluster, which it may do all the time.
const AFTER_CHANGES: Duration = Duration::from_secs(60);
/// After something failed, or waits for its turn.
const AFTER_FAILURES: Duration = Duration::from_secs(30);

/// The previews of one MailRepository.
#[derive(Default)]
pub struct Previews {
    state: State,
    ground: Option<Ground>,
    /// When the next round begins.
    due: Option<Instant>,
    /// Before this no round does.
    rests: Option<Instant>,
    trouble: Option<Trouble>,
    /// What the last round could not do.
    said: Vec<String>,
}

#[derive(Default)]
enum State {
    /// None are declared, or not as they can be made.
    #[default]
    Off,
    Idle(Box<Round>),
    Under(JoinHandle<(Box<Round>, Told)>),
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct News {
    /// What was posted, for the status; `None` when that is as before.
    pub posted: Option<Vec<PreviewStatus>>,
    /// What failed and did not fail at the last round.
    pub failures: Vec<String>,
}

impl Previews {
    /// Makes previews as they are declared now, and goes on after those that the status lists.
    pub fn declare(
        &mut self,
        repository: &MailRepository,
        secrets: &Secrets,
        prepared: &Prepared,
        options: Options,
        posted: &[PreviewStatus],
    ) {
        let made = repository::previews(repository, secrets).and_then(|settings| {
            let Some(settings) = settings else { return Ok(None) };
            let source = Source::open(&prepared.location, apart(options))?;
            Ok(Some(Round::new(settings, source, preview::status::recall(posted))))
        });
        (self.state, self.trouble) = match made {
            Ok(None) => (State::Off, None),
            Ok(Some(round)) => (State::Idle(Box::new(round)), None),
            Err(trouble) => (State::Off, Some(trouble.beside())),
        };
    }

    /// Why they are not made.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    /// What is in force.
    pub fn stand_on(&mut self, ground: Option<Ground>) {
        self.ground = ground.or(self.ground.take());
    }

    /// Has a round begin: `now`, because the repository was looked at, or some time later, because something changed around it.
    pub fn ask(&mut self, now: bool) {
        let pause = if now { FLOOR } else { AFTER_CHANGES };
        let earliest = self.rests.map_or_else(Instant::now, |at| at - FLOOR + pause);
        self.due = Some(self.due.map_or(earliest, |due| due.min(earliest)));
    }

    /// Has none begin until [`Self::ask`].
    pub fn rest(&mut self) {
        self.due = None;
    }

    /// Begins rounds when they are due, and says what one came to. May be dropped at any time and called again.
    pub async fn next(&mut self) -> News {
        loop {
            if let State::Under(under) = &mut self.state {
                let ended = under.await;
                return self.end(ended.ok());
            }
            let (Some(due), Some(ground), State::Idle(_)) = (self.due, &self.ground, &self.state) else {
                return std::future::pending().await;
            };
            let ground = Arc::clone(ground);
            sleep_until(due).await;
            if let State::Idle(mut round) = std::mem::take(&mut self.state) {
                self.due = None;
                self.state = State::Under(tokio::task::spawn_blocking(move || {
                    let told = round.run(&*ground, Utc::now());
                    (round, told)
                }));
            }
        }
    }

    fn end(&mut self, ended: Option<(Box<Round>, Told)>) -> News {
        let now = Instant::now();
        self.rests = Some(now + FLOOR);
        let Some((round, told)) = ended else {
            self.state = State::Off;
            let failures = vec![
                "a round of previews did not come back; change the MailRepository to have them again"
                    .to_owned(),
            ];
            return News { posted: None, failures };
        };
        let posted = (!told.posted.is_empty()).then(|| preview::status::of(&round.memory));
        self.state = State::Idle(round);
        metrics::previewed(told.posted.len(), told.failures.len());
        for (open, digest) in &told.posted {
            tracing::info!(reference = %open.reference, commit = %open.commit, %digest, "preview posted");
        }
        if told.later > 0 || !told.failures.is_empty() {
            let pause = if told.failures.is_empty() { FLOOR } else { AFTER_FAILURES };
            self.due = Some(now + told.wait.unwrap_or_default().max(pause));
        }
        if let Some(wait) = told.wait {
            self.rests = Some(now + wait.max(FLOOR));
        }
        let failures = told.failures.iter().filter(|failure| !self.said.contains(failure)).cloned().collect();
        self.said = told.failures;
        News { posted, failures }
    }
}

/// A copy of its own, and nothing is decrypted: a pull request is a stranger's.
fn apart(options: Options) -> Options {
    Options { cache: options.cache.join("previews"), decryption: Decryption::sealed(), ..options }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_seconds(previews: &Previews) -> Option<u64> {
        let pause = previews.due?.saturating_duration_since(Instant::now());
        Some((pause + Duration::from_millis(500)).as_secs())
    }

    #[tokio::test]
    async fn a_forge_is_left_alone_between_rounds() {
        let mut previews = Previews::default();
        assert_eq!(in_seconds(&previews), None, "nobody asked");
        previews.ask(false);
        assert_eq!(in_seconds(&previews), Some(0), "the first round");
        previews.rest();
        assert_eq!(in_seconds(&previews), None);
        previews.rests = Some(Instant::now() + FLOOR);
        previews.ask(false);
        assert_eq!(in_seconds(&previews), Some(60), "something changed around it");
        previews.ask(true);
        assert_eq!(in_seconds(&previews), Some(5), "the repository was looked at");
        previews.ask(false);
        assert_eq!(in_seconds(&previews), Some(5), "the earlier one counts");
        previews.rest();
        previews.rests = Some(Instant::now() + Duration::from_secs(600));
        previews.ask(true);
        assert_eq!(in_seconds(&previews), Some(600), "the forge said so");
    }

    #[tokio::test]
    async fn a_round_that_breaks_off_is_told() {
        let mut previews = Previews {
            state: State::Under(tokio::spawn(async { panic!("a round") })),
            ..Previews::default()
        };
        let news = previews.next().await;
        assert!(news.posted.is_none() && news.failures[0].contains("did not come back"), "{news:?}");
        assert!(matches!(previews.state, State::Off));
    }

    #[test]
    fn nothing_is_decrypted_and_the_copy_is_its_own() {
        let options = Options { cache: "/cache/u1".into(), ..Options::default() };
        let apart = apart(options);
        assert!(apart.cache.ends_with("u1/previews") && apart.decryption.stays_sealed());
    }
}
