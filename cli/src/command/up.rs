//! `mailwright up`: apply, serve, follow. One process with everything, and no cluster.

mod follow;
mod ready;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, bail};
use mailwright_operator::platform::Platform as _;
use mailwright_operator::platform::local::Local;
use mailwright_operator::source::Source;
use mailwright_operator::{Operator, Pass};
use mailwright_server::{Management, Roles, Server};
use mailwright_store::{Options, Store};

use crate::args::Up;
use crate::command::{serve, source};
use crate::connect::Connection;
use crate::{following, report, terminal};

/// Everything from the first plan to the last session.
pub async fn run(data: &Path, options: Up) -> Result<ExitCode> {
    let source = source::open(&options.source, &data.join("git"))?;
    ready::banner(source.id(), &options.listen.addresses());
    let platform = Local::open(data)?;
    let store = Arc::new(Store::open(data, Options::default()).await?);
    following::note(data, source.id())?;
    let accounts = Connection::Offline(Arc::new(Management::new(Arc::clone(&store))));
    let mut operator = Operator::new(accounts, platform.clone(), platform.fingerprint_key()?);
    operator.approve(options.approve.clone());

    let (source, first) = first_pass(&mut operator, source).await?;
    let Some(serving) = operator.serving().await? else {
        store.close().await;
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
    ready::print(&server, &serving, &platform);

    let mut follower = follow::Follower::new(operator, source, config, options.interval, first.as_ref());
    follower.run(&server).await?;

    eprintln!(
        "stopping; sessions get up to {} s to finish, Ctrl-C again stops at once",
        options.grace.as_secs()
    );
    serve::finish(server, &store, options.grace).await;
    Ok(ExitCode::SUCCESS)
}

/// Reads, plans, applies and shows. A source that cannot be read now is no reason not to serve what was applied before.
async fn first_pass(
    operator: &mut Operator<Connection, Local>,
    source: Source,
) -> Result<(Source, Option<Pass>)> {
    let (source, snapshot) = source::load(source).await;
    match snapshot {
        Ok(snapshot) => operator.take(&snapshot.unwrap_or_default()),
        Err(error) if operator.serving().await?.is_some() => {
            eprintln!("warning: {error}");
            return Ok((source, None));
        }
        Err(error) => return Err(error.into()),
    }
    let pass = {
        let _progress = terminal::progress("applying the plan");
        operator.pass(chrono::Utc::now()).await?
    };
    report::first(&pass);
    Ok((source, Some(pass)))
}
