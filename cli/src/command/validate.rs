//! `mailwright validate`: everything that can be known without a database, all problems at once.

use std::process::ExitCode;

use anyhow::Result;
use mailwright_operator::Operator;
use mailwright_operator::platform::local::Local;
use mailwright_plan::{Severity, render};

use crate::args::{PlanFormat, Validate};
use crate::command::source;
use crate::connect::Connection;
use crate::terminal;

/// Checks and prints: nothing wrong is exit code 0, any error is 1.
pub async fn run(options: Validate) -> Result<ExitCode> {
    let cache = std::env::temp_dir().join(format!("mailwright-validate-{}", std::process::id()));
    let opened = source::open(&options.source, &cache, None)?;
    let rules = opened.repository.filter(source::Followed::is_declared).map(|followed| followed.rules);
    let (_, snapshot) = source::load(opened.follow).await;
    let _ = std::fs::remove_dir_all(&cache);
    let snapshot = snapshot?.map(|revision| revision.snapshot).unwrap_or_default();
    let mut operator = Operator::new(Connection::Absent, Local::at(&cache), [0; 32]);
    if let Some(rules) = rules {
        operator.obey(rules);
    }
    operator.take(&snapshot);
    let problems = operator.validate();

    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    match options.output {
        PlanFormat::Json => terminal::print(&format!("{}\n", serde_json::to_string_pretty(&problems)?)),
        PlanFormat::Text => {
            terminal::print(&render::problems(&problems, terminal::colour_on_stdout()));
            terminal::print(&format!(
                "{} files, {} objects: {errors} errors, {} warnings\n",
                snapshot.files.len(),
                snapshot.objects.len(),
                problems.len() - errors,
            ));
        }
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
