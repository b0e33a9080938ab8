//! Owns the set-up of structured logging: text or JSON lines on standard error.

use tracing_subscriber::EnvFilter;

use crate::args::{Global, LogFormat};
use crate::terminal;

/// What is logged when nothing else is asked for.
const DEFAULT_FILTER: &str =
    "warn,mailwright=info,mailwright_operator=info,mailwright_server=info,mailwright_store=info";

/// Starts logging. A filter that cannot be read falls back to the default and says so.
pub fn start(global: &Global) {
    let asked = global.log.as_deref().unwrap_or(DEFAULT_FILTER);
    let (filter, problem) = match EnvFilter::try_new(asked) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(DEFAULT_FILTER), Some(error)),
    };
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match global.log_format {
        LogFormat::Json => lines.json().flatten_event(true).init(),
        LogFormat::Text => {
            lines.with_ansi(terminal::colour_on_stderr(global.color)).with_target(false).init()
        }
    }
    terminal::remember_colour(global.color);
    if let Some(error) = problem {
        tracing::warn!(%error, "--log {asked:?} is not a filter; logging at the default level");
    }
}
