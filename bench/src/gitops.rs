//! `gitops`: a Git repository of a hundred thousand accounts, followed by `mailwright` as a process: from nothing, a line at a
//! time, and when nothing changes. The repository is served over HTTP by Git itself. Beside it, a smaller one whose accounts are
//! objects of an API server.

mod program;
mod report;
mod repository;
mod resources;

use std::time::Duration;

use anyhow::{Context as _, Result};
use mailwright_tests::harness::GitServer;

use crate::args::Gitops;
use crate::figure::median;
use crate::ports;
use crate::side::mailwright::executable;
use crate::tally::{Figures, Told};
use program::{Place, Up, size};
use repository::{Declared, Repository};

/// So many lines change in the one larger commit.
const MANY: usize = 1000;

/// Measures and reports.
pub fn run(options: &Gitops) -> Result<()> {
    let Some(server) = GitServer::start() else { return Ok(()) };
    let home = match &options.directory {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let declared = Declared::new(options);
    eprintln!("writing {} objects in {} files", declared.total(), declared.files());
    let mut repository = Repository::make(&server.path(), &declared, &mail_server()?)?;
    let place = Place {
        executable: executable(options.mailwright.as_deref())?,
        data: home.path().join("data"),
        url: server.url(),
        scratch: home.path().to_owned(),
    };
    let mut figures = Figures::new(report::FIGURES);
    from_nothing(&place, &declared, &mut figures)?;
    following(&place, &mut repository, options.changes.max(1), &mut figures)?;
    figures.add("database.size", size(&place.data)?);
    if options.resources > 0 {
        resources::take(options.resources, &mut figures).context("the Resources sink")?;
    }
    figures.finish(&Told {
        lines: report::about(options, &declared, &place.version()?),
        json: options.json.as_deref(),
        markdown: options.markdown.as_deref(),
    })
}

/// The MailServer, on ports that are free: the defaults may be in use.
fn mail_server() -> Result<String> {
    let [smtp, imap, imaps, http, submission, submissions] = ports::free();
    Ok(format!(
        "  hostname: mail.example.test\n  tls: {{selfSigned: {{}}}}\n  listeners:\n    smtp: {{port: {smtp}}}\n    imap: \
         {{port: {imap}}}\n    imaps: {{port: {imaps}}}\n    http: {{port: {http}}}\n    submission: {{port: \
         {submission}}}\n    submissions: {{port: {submissions}}}\n"
    ))
}

fn from_nothing(place: &Place, declared: &Declared, figures: &mut Figures) -> Result<()> {
    let cold = place.apply().context("the first apply")?;
    figures.add("cold.wall", cold.wall.as_secs_f64());
    figures.add("cold.cpu", cold.cpu);
    figures.add("cold.memory", cold.memory);
    figures.add("cold.object", cold.wall.as_secs_f64() * 1000.0 / declared.total() as f64);
    let again = place.apply().context("the second apply")?;
    figures.add("again.wall", again.wall.as_secs_f64());
    figures.add("again.memory", again.memory);
    Ok(())
}

fn following(
    place: &Place,
    repository: &mut Repository,
    changes: usize,
    figures: &mut Figures,
) -> Result<()> {
    let start = std::time::Instant::now();
    let up = Up::start(place)?;
    figures.add("up.ready", start.elapsed().as_secs_f64());
    up.tree().rest();
    let lines = repeated(&up, changes, |number| repository.change_line(number * 997))?;
    figures.add("line.wall", median(&lines.walls).unwrap_or_default());
    figures.add("line.worst", lines.walls.iter().copied().fold(0.0, f64::max));
    figures.add("line.cpu", lines.cpu);
    let nothing = repeated(&up, changes, |_| repository.change_nothing())?;
    figures.add("nothing.wall", median(&nothing.walls).unwrap_or_default());
    figures.add("nothing.worst", nothing.walls.iter().copied().fold(0.0, f64::max));
    figures.add("nothing.cpu", nothing.cpu);
    let commit = repository.change_many(MANY)?;
    figures.add("thousand.wall", milliseconds(up.push(&commit)?));
    up.tree().rest();
    let memory = up.memory()?;
    figures.add("up.memory", memory.most);
    figures.add("up.settled", memory.now);
    Ok(())
}

/// What the same change cost several times, in milliseconds.
struct Repeated {
    walls: Vec<f64>,
    /// Processor time of one of them.
    cpu: f64,
}

fn repeated(up: &Up, times: usize, mut change: impl FnMut(usize) -> Result<String>) -> Result<Repeated> {
    let (mut walls, mut cpu) = (Vec::new(), 0.0);
    for number in 0..times {
        let commit = change(number)?;
        let before = up.tree().cpu();
        walls.push(milliseconds(up.push(&commit)?));
        up.tree().rest();
        cpu += up.tree().cpu() - before;
    }
    Ok(Repeated { walls, cpu: cpu * 1000.0 / times as f64 })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
