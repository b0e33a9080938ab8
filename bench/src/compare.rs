//! The side-by-side run: starts both servers, puts the same loads on them in turn, prints medians and ratios.

mod syncs;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;

use crate::account::Account;
use crate::args::Compare;
use crate::figure::{FIGURES, Spec, Taken};
use crate::load::{self, Load};
use crate::report::Results;
use crate::side::mailwright::CERTIFICATE;
use crate::side::{Setup, Side, mailwright, peer};
use crate::sink::Sink;

/// Measures and reports.
pub fn run(options: &Compare) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let program = mailwright::executable(options.mailwright.as_deref())?;
    let place = Place::new(options.directory.as_deref())?;
    let mut results = Results::default();
    let groups = groups(options);
    let sink = runtime.block_on(Sink::start())?;
    let bench = Bench {
        options,
        runtime: &runtime,
        program,
        place: &place,
        sink,
        accounts: options.scale().accounts(),
    };
    if options.alone {
        eprintln!("skipped: Postfix and Dovecot, as asked");
    }
    let (fresh, shared): (Vec<&str>, Vec<&str>) =
        groups.into_iter().partition(|group| load::wants_fresh(group));
    for (number, group) in fresh.into_iter().enumerate() {
        let directory = format!("fresh{number}");
        if group == "syncs" {
            syncs::take(&bench, &directory, &mut results)?;
        } else {
            let sides = bench.start(&[group], &directory, &[])?;
            bench.measure(&sides, group, &mut results)?;
        }
    }
    if !shared.is_empty() {
        let sides = bench.start(&shared, "shared", &[])?;
        for group in &shared {
            bench.measure(&sides, group, &mut results)?;
        }
        if options.stay {
            eprintln!("{} stays; press Enter to end", place.path().display());
            std::io::stdin().read_line(&mut String::new())?;
        }
    }
    results.finish(options)
}

/// The wanted groups in the order of the table.
fn groups(options: &Compare) -> Vec<&'static str> {
    let mut groups: Vec<&'static str> = FIGURES.iter().map(Spec::group).collect();
    groups.dedup();
    groups.retain(|group| options.wants(group));
    groups
}

/// What all parts of a run share.
struct Bench<'a> {
    options: &'a Compare,
    runtime: &'a Runtime,
    program: PathBuf,
    place: &'a Place,
    sink: Sink,
    accounts: Vec<Account>,
}

impl Bench<'_> {
    /// Starts both servers for these groups in a directory of their own.
    fn start(&self, groups: &[&str], directory: &str, under: &[String]) -> Result<Vec<Side>> {
        let relay = groups.contains(&"submission").then(|| self.sink.address.port());
        let setup = Setup {
            directory: self.place.path().join(directory),
            accounts: &self.accounts,
            tls: self.options.tls,
            relay,
            under: under.to_vec(),
        };
        let mut sides = vec![mailwright::start(&self.program, &setup)?];
        if self.options.alone {
            return Ok(sides);
        }
        let missing = peer::missing(relay.is_some());
        if !missing.is_empty() {
            eprintln!("skipped: Postfix and Dovecot, because {} is missing", missing.join(", "));
            return Ok(sides);
        }
        let data = setup.directory.join("mailwright/data");
        sides.push(peer::start(&setup, &CERTIFICATE.map(|file| data.join(file)))?);
        Ok(sides)
    }

    /// All runs of one group on both servers, in turn.
    fn measure(&self, sides: &[Side], group: &str, results: &mut Results) -> Result<()> {
        for run in 0..load::runs(group, self.options.scale().runs) {
            for side in sides {
                sides.iter().for_each(|side| side.tree.rest());
                let load = Load { side, sink: Some(&self.sink), scale: self.options.scale(), run };
                let figures = self
                    .runtime
                    .block_on(load.take(group))
                    .with_context(|| format!("{group} on {}", side.name))?;
                results.add(side, &figures);
            }
        }
        Ok(())
    }
}

/// Where the servers keep their data.
enum Place {
    Temporary(tempfile::TempDir),
    Given(PathBuf),
}

impl Place {
    fn new(given: Option<&Path>) -> Result<Place> {
        let Some(given) = given else { return Ok(Place::Temporary(tempfile::tempdir()?)) };
        std::fs::create_dir_all(given)?;
        Ok(Place::Given(given.canonicalize()?))
    }

    fn path(&self) -> &Path {
        match self {
            Place::Temporary(directory) => directory.path(),
            Place::Given(path) => path,
        }
    }
}

/// One figure for a side.
fn one(figure: Taken) -> [Taken; 1] {
    [figure]
}
