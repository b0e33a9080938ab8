//! `mailwright undo`: the way back from a revision. Nothing is applied: manifests are the truth, so what undoes is a commit that
//! reverts, and this says what it would do to mail and how to make it.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use chrono::Utc;
use mailwright_operator::Operator;
use mailwright_operator::accounts::Accounts as _;
use mailwright_operator::platform::Platform as _;
use mailwright_operator::platform::local::Local;
use mailwright_operator::source::revert::{self, Revert};
use mailwright_operator::source::{Options, Reference, Source};
use mailwright_plan::history::{Query, Record};
use mailwright_plan::{Plan, undo};

use crate::args::history::Undo;
use crate::command::history;
use crate::connect::Connection;
use crate::{report, terminal};

/// Records that are looked through: those of a large revision, and of what came after it.
const LOOKED_AT: usize = 1_000_000;

/// Plans the way back and prints it, with what to run.
pub async fn run(data: &Path, options: Undo) -> Result<ExitCode> {
    let connection = Connection::open(data).await?;
    let query = Query { revision: Some(options.revision.clone()), ..Query::default() };
    let done = history::read(&connection, query, LOOKED_AT, |_| true).await?;
    let done: Vec<Record> = done.into_iter().filter(Record::changes_a_row).collect();
    let Some(first) = done.iter().map(|record| record.id).min() else {
        bail!(
            "nothing is known of what {} did; `mailwright history` lists the revisions that are remembered",
            options.revision
        );
    };
    one_revision(&done, &options.revision)?;
    let ours: std::collections::HashSet<i64> = done.iter().map(|record| record.id).collect();
    let later = history::read(&connection, Query::default(), LOOKED_AT, |record| record.id > first).await?;
    let since: Vec<Record> = later.into_iter().filter(|record| !ours.contains(&record.id)).collect();
    let observed = connection.observe().await?;
    let plan = undo::undo(&done, &since, &observed, Utc::now());
    let commit = done.iter().find_map(|record| record.commit.clone());
    match (&options.repository, &commit) {
        (None, _) => {
            report::plan(&plan, options.output)?;
            eprint!("{}", advice(&done, commit.as_deref()));
            Ok(report::exit_code(&plan))
        }
        (Some(_), None) => bail!("this revision was no commit; {}", advice(&done, None).trim()),
        (Some(repository), Some(commit)) => {
            in_repository(connection, data, repository, commit, &options).await
        }
    }
}

/// A beginning that several revisions share undoes none of them.
fn one_revision(done: &[Record], given: &str) -> Result<()> {
    let mut revisions: Vec<&str> = done.iter().map(|record| record.revision.as_str()).collect();
    revisions.sort_unstable();
    revisions.dedup();
    if revisions.len() > 1 {
        bail!("{given} names more than one revision ({}); give more of it", revisions.join(", "));
    }
    Ok(())
}

/// What to run where no clone is at hand.
fn advice(done: &[Record], commit: Option<&str>) -> String {
    let places = undo::places(done);
    let places: Vec<String> = places.iter().take(20).map(ToString::to_string).collect();
    match commit {
        Some(commit) => format!(
            "\nTo undo it, in a clone of the repository:\n\n    git revert {commit}\n    git push\n\nor give the clone with \
             --repository to see the patch and what it does, and --write to have the commit made on a branch.\n"
        ),
        None => format!(
            "\nTo undo it, change the manifests back; what it declared stands or stood at {}.\n",
            places.join(", ")
        ),
    }
}

/// The patch, the plan of the manifests after it, and the commit if it is wanted.
async fn in_repository(
    connection: Connection,
    data: &Path,
    repository: &Path,
    commit: &str,
    options: &Undo,
) -> Result<ExitCode> {
    let (place, id, write) = (repository.to_owned(), commit.to_owned(), options.write);
    let prepared = tokio::task::spawn_blocking(move || {
        let prepared = revert::prepare(&place, &id)?;
        let branch = if write { Some(revert::write(&place, &prepared, &id)?) } else { None };
        Ok::<_, revert::RevertError>((prepared, branch))
    });
    let (prepared, branch) = prepared.await.context("the work was interrupted")??;
    let plan = planned(connection, data, repository, &prepared, options).await?;
    if options.output == crate::args::PlanOutput::Text {
        terminal::print(&format!("{}\n", prepared.patch));
    }
    report::plan(&plan, options.output)?;
    match branch {
        Some(branch) => eprint!(
            "\nThe commit {} is on the branch {branch}. It is not signed; where commits are verified, sign it:\n\n    git switch \
             {branch} && git commit --amend -S --no-edit\n    git push origin {branch}\n",
            prepared.commit
        ),
        None => {
            eprint!("\nTo undo it: git revert {commit}, or --write to have the commit made on a branch.\n")
        }
    }
    Ok(report::exit_code(&plan))
}

/// What the manifests after the revert would change, guards and all.
async fn planned(
    connection: Connection,
    data: &Path,
    repository: &Path,
    prepared: &Revert,
    options: &Undo,
) -> Result<Plan> {
    let reference = Reference::Named("HEAD".to_owned());
    let settings = Options { reference, path: options.path.clone(), ..Options::default() };
    let location = repository.to_string_lossy().into_owned();
    let revision = prepared.commit.clone();
    let read =
        tokio::task::spawn_blocking(move || Source::open(&location, settings)?.load_revision(&revision));
    let snapshot = read.await.context("the work was interrupted")??;
    let platform = Local::at(data);
    let key = platform.fingerprint_key()?;
    let mut operator = Operator::new(connection, platform, key);
    operator.take(&snapshot);
    Ok(operator.plan(Utc::now()).await?)
}
