//! Records as a zone file, as a table and as JSON.

use std::fmt::Write as _;

use super::{Record, is_within};

/// A zone file that loads by itself: the records with their purposes as comments, and the SOA and NS records that every
/// zone needs. Records that belong into another zone are comments.
pub fn zone(domain: &str, records: &[Record]) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "; Suggested records of {domain}\n\
         $ORIGIN {domain}.\n\
         $TTL 3600\n\
         \n\
         ; These two only make the file load by itself: leave them out where the zone exists already.\n\
         {domain}. 3600 IN SOA ns.invalid. hostmaster.{domain}. 1 7200 3600 1209600 3600\n\
         {domain}. 3600 IN NS ns.invalid.\n"
    );
    let mut heading = String::new();
    for record in records {
        let next = format!("; {}: {}", record.requirement.as_str(), record.purpose);
        if next != heading {
            let _ = write!(out, "\n{next}\n");
            heading = next;
        }
        let line = format!("{}. {} IN {} {}", record.name, record.ttl, record.type_, record.value);
        match is_within(&record.name, domain) {
            true => out.push_str(&line),
            false => {
                let _ = write!(out, "; in another zone: {line}");
            }
        }
        out.push('\n');
    }
    out
}

/// Longer values are cut in a table: a key is pasted from the zone file, not read.
const MAX_CELL: usize = 64;

/// Aligned columns: name, type, value, how much it matters, what it is for.
pub fn table(records: &[Record]) -> String {
    let header = ["NAME", "TYPE", "VALUE", "NEED", "PURPOSE"].map(str::to_owned);
    let rows = records.iter().map(|record| {
        let need = record.requirement.as_str().to_owned();
        [record.name.clone(), record.type_.clone(), cut(&record.value), need, record.purpose.clone()]
    });
    let rows: Vec<[String; 5]> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells: String =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        format!("{}\n", cells.trim_end())
    };
    rows.iter().map(line).collect()
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(MAX_CELL) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

/// An array of records.
pub fn json(records: &[Record]) -> String {
    format!("{:#}", serde_json::json!(records))
}
