//! `mailwright plan`: what applying would change, against the running installation, the data directory, or the state in a
//! file. Writes nothing.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_operator::Operator;
use mailwright_operator::platform::Platform as _;
use mailwright_operator::platform::local::Local;
use mailwright_operator::repository::{Follow, Revision};

use crate::args::{Plan, PlanAgainst};
use crate::command::{snapshot, source};
use crate::connect::Connection;
use crate::report;

/// Plans and prints.
pub async fn run(data: &Path, options: PlanAgainst) -> Result<ExitCode> {
    let PlanAgainst { plan: options, against } = options;
    let connection = match &against {
        Some(file) => snapshot::read(file)?,
        None => Connection::look(data).await?,
    };
    let operator = ready(connection, data, &options).await?.operator;
    let plan = operator.plan(chrono::Utc::now()).await?;
    report::plan(&plan, options.output)?;
    Ok(report::exit_code(&plan))
}

/// An operator that has read the source, and the source, to be told what was applied.
pub struct Ready {
    /// The operator.
    pub operator: Operator<Connection, Local>,
    /// The way through the source's revisions.
    pub follow: Follow,
    /// The one that was read.
    pub revision: Revision,
}

/// Reads the source for an operator.
pub async fn ready(connection: Connection, data: &Path, options: &Plan) -> Result<Ready> {
    let source::Opened { follow, repository, .. } =
        source::open(&options.source, &data.join("git"), Some(data))?;
    let (follow, revision) = source::load(follow).await;
    let revision = revision?.unwrap_or_else(Revision::empty);
    let platform = Local::at(data);
    let key = if connection.is_elsewhere() { [0; 32] } else { platform.fingerprint_key()? };
    let mut operator = Operator::new(connection, platform, key);
    operator.set_approval(options.approval.into());
    let (adoption, tokens, drift) = options.treat.settings();
    operator.treat(adoption, tokens.clone(), drift);
    if let Some(followed) = repository.filter(source::Followed::is_declared) {
        let mut rules = followed.rules;
        rules.adoption_tokens.extend(tokens);
        operator.obey(rules);
    }
    operator.approve(options.approve.clone());
    operator.take_revision(&revision);
    Ok(Ready { operator, follow, revision })
}
