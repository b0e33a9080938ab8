//! What was measured, as a table for people, as JSON and as the table of docs/performance.md.

pub mod markdown;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::args::Compare;
use crate::figure::{Aim, FIGURES, Spec, Taken, median};
use crate::side::Side;

/// The name of our side.
const OURS: &str = "Mailwright";

/// Figures of both sides.
#[derive(Default)]
pub struct Results {
    values: BTreeMap<(&'static str, &'static str), Vec<f64>>,
    versions: BTreeMap<&'static str, String>,
}

/// One line of the table.
pub struct Row {
    spec: &'static Spec,
    ours: f64,
    peer: Option<f64>,
}

impl Row {
    /// How many times better ours is.
    fn factor(&self) -> Option<f64> {
        self.peer.map(|peer| self.spec.factor(self.ours, peer))
    }

    /// Whether the aim was reached, when there is one and something to compare with.
    fn reached(&self) -> Option<bool> {
        Some(self.factor()? >= self.spec.aim?.factor())
    }
}

impl Results {
    /// Adds the figures of one run on one side.
    pub fn add(&mut self, side: &Side, figures: &[Taken]) {
        for figure in figures {
            eprintln!("{:>18}  {:<22} {:>12}", side.name, figure.name, number(figure.value));
            self.values.entry((side.name, figure.name)).or_default().push(figure.value);
        }
        // The longer one names more programs.
        let version = self.versions.entry(side.name).or_default();
        if side.version.len() > version.len() {
            version.clone_from(&side.version);
        }
    }

    /// Prints the table, writes the files that were asked for, and says which aims were missed.
    pub fn finish(&self, options: &Compare) -> Result<()> {
        let rows = self.rows();
        println!("{:<62} {:>12} {:>12} {:>10} {:>8}", "", "ours", "peer", "better by", "aim");
        for row in &rows {
            println!(
                "{:<62} {:>12} {:>12} {:>10} {:>8}",
                format!("{}, {}", row.spec.title, row.spec.unit),
                number(row.ours),
                row.peer.map(number).unwrap_or_default(),
                row.factor().map(factor).unwrap_or_default(),
                row.spec.aim.map(aim).unwrap_or_default(),
            );
        }
        for row in rows.iter().filter(|row| row.reached() == Some(false)) {
            let kind = if matches!(row.spec.aim, Some(Aim::Required(_))) {
                "REQUIRED, missed"
            } else {
                "aim missed"
            };
            println!(
                "{kind}: {} is {} better, not {}",
                row.spec.name,
                row.factor().map(factor).unwrap_or_default(),
                row.spec.aim.map(aim).unwrap_or_default()
            );
        }
        if let Some(file) = &options.json {
            std::fs::write(file, serde_json::to_string_pretty(&self.json(&rows))?)
                .with_context(|| file.display().to_string())?;
        }
        if let Some(file) = &options.markdown {
            markdown::write(file, &rows, &self.versions, options)?;
        }
        Ok(())
    }

    fn rows(&self) -> Vec<Row> {
        let value = |side, spec: &Spec| {
            let of = |(name, figure): &(&str, &str)| *figure == spec.name && (*name == OURS) == side;
            let values = self.values.iter().find(|(key, _)| of(key));
            values.and_then(|(_, values)| median(values))
        };
        let row = |spec| Some(Row { spec, ours: value(true, spec)?, peer: value(false, spec) });
        FIGURES.iter().filter_map(row).collect()
    }

    fn json(&self, rows: &[Row]) -> Value {
        let figures: Vec<Value> = rows
            .iter()
            .map(|row| {
                json!({
                    "name": row.spec.name, "title": row.spec.title, "unit": row.spec.unit, "ours": row.ours,
                    "peer": row.peer, "betterBy": row.factor(), "aim": row.spec.aim.map(Aim::factor),
                    "reached": row.reached(),
                })
            })
            .collect();
        json!({ "versions": self.versions, "figures": figures })
    }
}

/// Three significant figures are more than two runs agree on.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn factor(value: f64) -> String {
    format!("{}×", number(value))
}

fn aim(aim: Aim) -> String {
    format!("≥ {}×", aim.factor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_long_as_they_are_worth() {
        for (value, expected) in [(1234.56, "1235"), (12.345, "12.3"), (1.234, "1.23"), (0.0, "0.00")] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn an_aim_is_reached_or_missed() {
        let spec = FIGURES.iter().find(|spec| spec.name == "inbound.cpu").unwrap();
        let row = |ours, peer| Row { spec, ours, peer };
        assert_eq!(row(1.0, Some(4.0)).reached(), Some(true));
        assert_eq!(row(1.1, Some(4.0)).reached(), Some(false));
        assert_eq!(row(1.0, None).reached(), None);
    }
}
