//! `mailwright plan`: what applying would change, against the running installation or the data directory. Writes nothing.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use mailwright_operator::Operator;
use mailwright_operator::platform::Platform as _;
use mailwright_operator::platform::local::Local;

use crate::args::Plan;
use crate::command::source;
use crate::connect::Connection;
use crate::report;

/// Plans and prints.
pub async fn run(data: &Path, options: Plan) -> Result<ExitCode> {
    let connection = Connection::look(data).await?;
    let operator = operator(connection, data, &options).await?;
    let plan = operator.plan(chrono::Utc::now()).await?;
    report::plan(&plan, options.output)?;
    Ok(report::exit_code(&plan))
}

/// An operator that has read the source.
pub async fn operator(
    connection: Connection,
    data: &Path,
    options: &Plan,
) -> Result<Operator<Connection, Local>> {
    let source = source::open(&options.source, &data.join("git"))?;
    let (_, snapshot) = source::load(source).await;
    let platform = Local::at(data);
    let key = if connection.is_absent() { [0; 32] } else { platform.fingerprint_key()? };
    let mut operator = Operator::new(connection, platform, key);
    operator.approve(options.approve.clone());
    operator.take(&snapshot?.unwrap_or_default());
    Ok(operator)
}
