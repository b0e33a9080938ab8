//! Owns how passes and plans are told: in full the first time, briefly while following, and the exit codes of one-shot
//! commands.

use std::process::ExitCode;

use anyhow::Result;
use mailwright_operator::Pass;
use mailwright_plan::{Outcome, Plan, Verdict, render};

use crate::args::PlanOutput;
use crate::terminal;

/// The plan on standard output.
pub fn plan(plan: &Plan, format: PlanOutput) -> Result<()> {
    match format {
        PlanOutput::Text => terminal::print(&render::text(plan, terminal::colour_on_stdout())),
        PlanOutput::Json => terminal::print(&format!("{}\n", render::json(plan))),
        PlanOutput::Markdown => terminal::print(&render::markdown(plan, &render::Page::default())),
    }
    Ok(())
}

/// 0 nothing to do, 2 changes, 1 error, 3 refused by a guard.
pub fn exit_code(plan: &Plan) -> ExitCode {
    ExitCode::from(render::exit(plan) as u8)
}

/// The first pass of `up`: the plan in full, then what failed.
pub fn first(pass: &Pass) {
    terminal::print(&render::text(&pass.plan, terminal::colour_on_stdout()));
    failures(&pass.outcomes);
    certificate(pass);
    terminal::print("\n");
}

fn certificate(pass: &Pass) {
    if let Some(problem) = &pass.certificate_problem {
        eprintln!("warning: the declared certificate is not in force: {problem}");
    }
}

/// What could not be applied, on standard error. Answers whether there was anything.
pub fn failures(outcomes: &[Outcome]) -> bool {
    let mut any = false;
    for outcome in outcomes {
        if let Verdict::Failed { message, .. } = &outcome.verdict {
            eprintln!("failed: {} {}: {message}", outcome.object, outcome.subject);
            any = true;
        }
    }
    any
}

/// Tells passes while following, and nothing twice: a plan that holds the same operations back and finds the same
/// problems is told once.
#[derive(Debug, Default)]
pub struct Reporter {
    told: Option<String>,
    source_error: Option<String>,
    certificate_problem: Option<String>,
}

impl Reporter {
    /// Starts from what the first pass told.
    pub fn after(pass: Option<&Pass>) -> Reporter {
        Reporter {
            told: pass.map(|pass| fingerprint(&pass.plan)),
            source_error: None,
            certificate_problem: pass.and_then(|pass| pass.certificate_problem.clone()),
        }
    }

    /// One more pass.
    pub fn pass(&mut self, pass: &Pass) {
        let fingerprint = fingerprint(&pass.plan);
        if !pass.outcomes.is_empty() || self.told.as_ref() != Some(&fingerprint) {
            terminal::print(&format!(
                "{} {}\n",
                chrono::Local::now().format("%H:%M:%S"),
                terminal::bold("manifests changed")
            ));
            terminal::print(&render::text(&pass.plan, terminal::colour_on_stdout()));
        }
        failures(&pass.outcomes);
        if self.certificate_problem != pass.certificate_problem {
            certificate(pass);
            self.certificate_problem.clone_from(&pass.certificate_problem);
        }
        self.told = Some(fingerprint);
    }

    /// The source could not be read: told when it begins, and when the reason changes.
    pub fn source_fails(&mut self, error: &str) {
        if self.source_error.as_deref() != Some(error) {
            tracing::warn!("{error}");
            self.source_error = Some(error.to_owned());
        }
    }

    /// The source can be read (again).
    pub fn source_works(&mut self) {
        if self.source_error.take().is_some() {
            tracing::info!("the manifests can be read again");
        }
    }
}

/// What a person would have to be told again: held operations and problems. Applied operations are told anyway.
fn fingerprint(plan: &Plan) -> String {
    let held: Vec<String> =
        plan.held().map(|operation| format!("{:?} {}", operation.action, operation.subject)).collect();
    let problems: Vec<String> = plan.problems.iter().map(ToString::to_string).collect();
    format!("{held:?}{problems:?}")
}
