//! `mailwright up`: apply, serve, follow. One process with everything, and no cluster.

mod follow;
mod preview;
mod ready;
mod repository;
mod webhook;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use mailwright_operator::platform::Platform as _;
use mailwright_operator::platform::local::Local;
use mailwright_operator::repository::{Follow, Revision};
use mailwright_operator::{Operator, Pass};
use mailwright_server::{Management, Roles, Server};
use mailwright_store::{Options, Store};

use repository::Book;

use crate::args::Up;
use crate::command::{serve, source};
use crate::connect::Connection;
use crate::{following, report, terminal};

/// Everything from the first plan to the last session.
pub async fn run(data: &Path, options: Up) -> Result<ExitCode> {
    let opened = source::open(&options.source, &data.join("git"), Some(data))?;
    let source::Opened { follow, repository, location, options: reading } = opened;
    let interval = repository.as_ref().and_then(|it| it.interval).unwrap_or(options.interval);
    ready::banner(follow.source().id(), &options.listen.addresses());
    let platform = Local::open(data)?;
    let branch = options.source.branch.as_deref();
    let settings = preview::settings(&options.preview, &location, branch, repository.as_ref())?;
    let webhooks =
        webhook::Webhooks::listen(&options.webhook, follow.source(), repository.as_ref(), &platform).await?;
    let store = Arc::new(Store::open(data, Options::default()).await?);
    following::note(data, follow.source().id())?;
    let accounts = Connection::Offline(Arc::new(Management::new(Arc::clone(&store))));
    let mut operator = Operator::new(accounts, platform.clone(), platform.fingerprint_key()?);
    operator.act_as("up");
    operator.set_approval(options.approval.into());
    let (adoption, tokens, drift) = options.treat.settings();
    operator.treat(adoption, tokens.clone(), drift);
    let mut book =
        Book::open(repository, options.approve.clone(), source::last(data), operator.accounts()).await?;
    book.beside(tokens, webhooks.path());
    book.obeyed_by(&mut operator);

    let (follow, first) = first_pass(&mut operator, follow, &mut book).await?;
    let Some(serving) = operator.serving().await? else {
        store.close().await;
        if let Some(waiting) = first.as_ref().and_then(waiting) {
            bail!("nothing is in force yet, so there is nothing to serve: {waiting}");
        }
        bail!(
            "no MailServer is in force, so there is nothing to serve; declare one as examples/quickstart/server.yaml does"
        );
    };
    let config = serve::config(&serving, &options.listen);
    let server = match Server::start(config.clone(), Roles::ALL, Arc::clone(&store), data).await {
        Ok(server) => server,
        Err(error) => {
            store.close().await;
            return Err(error.into());
        }
    };
    ready::print(&server, &serving, &platform, webhooks.url());

    let accounts = operator.accounts();
    let previews = preview::Previews::start(settings, &location, reading, accounts, data, interval)?;
    let mut follower =
        follow::Follower::new(operator, follow, book, config, interval, webhooks, first.as_ref());
    follower.tell_previews(previews);
    follower.run(&server).await?;

    eprintln!(
        "stopping; sessions get up to {} s to finish, Ctrl-C again stops at once",
        options.grace.as_secs()
    );
    serve::finish(server, &store, options.grace).await;
    Ok(ExitCode::SUCCESS)
}

/// What the first plan waits for, when nothing of it may be applied before it is approved.
fn waiting(first: &Pass) -> Option<String> {
    let guard = first.plan.held().find_map(|operation| operation.held.as_ref())?;
    Some(format!("{guard}; {}", first.plan.remedy(guard)))
}

/// Reads, plans, applies and shows. A source that cannot be read now is no reason not to serve what was applied before.
async fn first_pass(
    operator: &mut Operator<Connection, Local>,
    follow: Follow,
    book: &mut Book,
) -> Result<(Follow, Option<Pass>)> {
    if book.is_suspended() {
        book.write(operator, None).await;
        return Ok((follow, None));
    }
    let (mut follow, read) = source::load(follow).await;
    match read {
        Ok(revision) => book.take(operator, revision.unwrap_or_else(Revision::empty)),
        Err(trouble) => {
            book.refuse(trouble.clone());
            book.write(operator, None).await;
            if operator.serving().await?.is_none() {
                return Err(trouble.into());
            }
            eprintln!("warning: {trouble}");
            let (back, last) = source::blocking(follow, Follow::load_last).await;
            follow = back;
            let Some(last) = last else { return Ok((follow, None)) };
            book.keep(operator, last, trouble);
        }
    }
    let pass = {
        let _progress = terminal::progress("applying the plan");
        operator.pass(chrono::Utc::now()).await?
    };
    book.settle(&mut follow)?;
    book.write(operator, Some(Ok(&pass))).await;
    report::first(&pass);
    Ok((follow, Some(pass)))
}
