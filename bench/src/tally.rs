//! Owns figures that have an aim instead of a peer: the table for people and for a page, JSON for programs. Leaves out which
//! figures there are, which each subcommand says.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::report::{markdown, number};

/// One figure.
#[derive(Debug)]
pub struct Spec {
    name: &'static str,
    title: &'static str,
    unit: &'static str,
    /// The most that is aimed at.
    aim: Option<f64>,
}

/// A figure that is only told.
pub const fn plain(name: &'static str, title: &'static str, unit: &'static str) -> Spec {
    Spec { name, title, unit, aim: None }
}

/// A figure that should be no more than `aim`.
pub const fn aimed(name: &'static str, title: &'static str, unit: &'static str, aim: f64) -> Spec {
    Spec { name, title, unit, aim: Some(aim) }
}

/// What was measured.
#[derive(Debug)]
pub struct Figures {
    specs: &'static [Spec],
    taken: Vec<(&'static str, f64)>,
}

/// How they are told.
#[derive(Debug, Default)]
pub struct Told<'a> {
    /// What stands above the table, a line each.
    pub lines: Vec<String>,
    /// Where JSON is written to.
    pub json: Option<&'a Path>,
    /// The page whose table is replaced.
    pub markdown: Option<&'a Path>,
}

impl Figures {
    /// None yet of these, which are in the order of the table.
    pub fn new(specs: &'static [Spec]) -> Figures {
        Figures { specs, taken: Vec::new() }
    }

    /// Adds one and says it.
    pub fn add(&mut self, name: &'static str, value: f64) {
        eprintln!("{name:<22} {:>12}", number(value));
        self.taken.push((name, value));
    }

    /// Prints the table and writes the files that were asked for.
    pub fn finish(&self, told: &Told<'_>) -> Result<()> {
        let table = self.table(&told.lines);
        println!("{table}");
        if let Some(file) = told.markdown {
            markdown::put(file, &table)?;
        }
        if let Some(file) = told.json {
            let figures = json!({"about": told.lines, "figures": self.json()});
            std::fs::write(file, format!("{figures:#}\n")).with_context(|| file.display().to_string())?;
        }
        Ok(())
    }

    fn rows(&self) -> impl Iterator<Item = (&'static Spec, f64)> + '_ {
        let value =
            |spec: &Spec| self.taken.iter().find(|(name, _)| *name == spec.name).map(|(_, value)| *value);
        self.specs.iter().filter_map(move |spec| Some((spec, value(spec)?)))
    }

    fn json(&self) -> Vec<Value> {
        let row = |(spec, value): (&Spec, f64)| {
            json!({
                "name": spec.name, "title": spec.title, "unit": spec.unit, "value": value, "aim": spec.aim,
                "reached": spec.aim.map(|aim| value <= aim),
            })
        };
        self.rows().map(row).collect()
    }

    fn table(&self, lines: &[String]) -> String {
        let mut text: String = lines.iter().map(|line| format!("- {line}\n")).collect();
        text.push_str("\n| figure | | aim | |\n|---|---|---|---|\n");
        for (spec, value) in self.rows() {
            let aim = spec.aim.map(|aim| format!("≤ {aim}")).unwrap_or_default();
            let verdict = match spec.aim.map(|aim| value <= aim) {
                Some(true) => "reached",
                Some(false) => "**missed**",
                None => "",
            };
            let _ =
                writeln!(text, "| {}, {} | {} | {aim} | {verdict} |", spec.title, spec.unit, number(value));
        }
        text
    }
}

/// How many cores there are, for a line above the table.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// For tests of lists of figures: each name once.
#[cfg(test)]
pub fn assert_unique(specs: &[Spec]) {
    let names: std::collections::BTreeSet<_> = specs.iter().map(|spec| spec.name).collect();
    assert_eq!(names.len(), specs.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPECS: &[Spec] =
        &[aimed("a.writes", "writes per object", "writes", 3.0), aimed("a.memory", "memory", "MiB", 150.0)];

    #[test]
    fn the_table_says_what_was_taken_and_judges_aims() {
        let specs: &[Spec] = const { &[plain("a.lease", "writes of its Lease", "writes")] };
        let mut figures = Figures::new(SPECS);
        figures.add("a.memory", 151.0);
        figures.add("a.writes", 1.0);
        let table = figures.table(&["mailwright 0.1.0".to_owned()]);
        assert_eq!(
            table,
            "- mailwright 0.1.0\n\n| figure | | aim | |\n|---|---|---|---|\n\
             | writes per object, writes | 1.00 | ≤ 3 | reached |\n\
             | memory, MiB | 151 | ≤ 150 | **missed** |\n"
        );
        assert_eq!(figures.json().len(), 2);
        let mut figures = Figures::new(specs);
        assert_eq!(figures.json().len(), 0);
        figures.add("a.lease", 7.0);
        assert!(figures.table(&[]).ends_with("| writes of its Lease, writes | 7.00 |  |  |\n"));
    }
}
