//! `mailwright apply`: one pass, without serving. A running process takes new settings at once.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::args::Plan;
use crate::command::{plan, source};
use crate::connect::Connection;
use crate::{following, report, terminal};

/// Plans, applies and prints.
pub async fn run(data: &Path, options: Plan) -> Result<ExitCode> {
    let connection = Connection::make(data).await?;
    if let Connection::Running(_) = &connection {
        following::check(data, &source::named(&options.source)?)?;
    }
    let plan::Ready { mut operator, mut follow, revision } =
        plan::ready(connection.clone(), data, &options).await?;
    operator.act_as("apply");
    let pass = {
        let _progress = terminal::progress("applying the plan");
        operator.pass(chrono::Utc::now()).await?
    };
    if follow.settle(&revision) && follow.remembers() {
        follow.last().write(&source::last(data))?;
    }
    // A plan of a hundred thousand operations is a long text: what it was made of is not needed beside it.
    drop((operator, follow, revision));
    report::plan(&pass.plan, options.output)?;
    let failed = report::failures(&pass.outcomes);
    if let Connection::Running(client) = &connection {
        client.reconcile().await?;
    }
    Ok(if failed { ExitCode::FAILURE } else { report::exit_code(&pass.plan) })
}
