//! Owns what people see: colours only on a terminal, tables, progress, errors with their causes.

use std::io::{IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::time::Duration;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::ColorWhen;

static COLOUR: OnceLock<ColorWhen> = OnceLock::new();

/// A spinner appears only after this long, so that quick work stays quiet.
const QUIET: Duration = Duration::from_secs(1);

/// Keeps what `--color` said for the rest of the process.
pub fn remember_colour(when: ColorWhen) {
    let _ = COLOUR.set(when);
}

/// Whether standard output gets colours.
pub fn colour_on_stdout() -> bool {
    decide(COLOUR.get().copied().unwrap_or(ColorWhen::Auto), std::io::stdout().is_terminal())
}

/// Whether standard error gets colours.
pub fn colour_on_stderr(when: ColorWhen) -> bool {
    decide(when, std::io::stderr().is_terminal())
}

fn decide(when: ColorWhen, terminal: bool) -> bool {
    match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no error, and a server goes on without one.
pub fn print(text: &str) {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("error: cannot write to standard output: {error}");
        }
        _ => {}
    }
}

/// `text` in bold where colours are wanted.
pub fn bold(text: &str) -> String {
    if colour_on_stdout() { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// Prints an error and each cause on a line of its own.
pub fn print_error(error: &anyhow::Error) {
    let colour = colour_on_stderr(COLOUR.get().copied().unwrap_or(ColorWhen::Auto));
    let label = if colour { "\x1b[1;31merror\x1b[0m" } else { "error" };
    eprintln!("{label}: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// A table as kubectl draws it: upper-case headers, columns separated by blanks, no lines.
pub fn plain_table<R: AsRef<[String]>>(header: &[String], rows: &[R]) -> String {
    let columns = header.len();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row.as_ref().get(column).map_or(0, |cell| cell.chars().count()));
        cells.chain([header[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    let mut lines = vec![line(header)];
    lines.extend(rows.iter().map(|row| line(row.as_ref())));
    lines.join("\n") + "\n"
}

/// A boxed table for people, as wide as the terminal.
pub fn boxed_table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    if !std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if !header.is_empty() {
        table.set_header(header.iter().copied());
    }
    table.add_rows(rows);
    table.to_string()
}

/// A spinner on standard error that shows itself when the work takes longer than a second.
pub fn progress(message: &'static str) -> Progress {
    let bar = ProgressBar::hidden();
    if std::io::stderr().is_terminal() {
        let shown = bar.clone();
        std::thread::spawn(move || {
            std::thread::sleep(QUIET);
            if !shown.is_finished() {
                shown.set_draw_target(indicatif::ProgressDrawTarget::stderr());
                shown.enable_steady_tick(Duration::from_millis(120));
            }
        });
    }
    bar.set_style(ProgressStyle::default_spinner());
    bar.set_message(message);
    Progress(bar)
}

/// A running [`progress`]; ends when dropped.
pub struct Progress(ProgressBar);

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let header = ["NAME".to_owned(), "READY".to_owned()];
        let rows = [vec!["alice".to_owned(), "True".to_owned()], vec!["bo".to_owned(), String::new()]];
        assert_eq!(plain_table(&header, &rows), "NAME    READY\nalice   True\nbo\n");
    }

    #[test]
    fn colour_follows_the_terminal_unless_told() {
        assert!(decide(ColorWhen::Always, false));
        assert!(!decide(ColorWhen::Never, true));
        assert!(!decide(ColorWhen::Auto, false));
    }
}
