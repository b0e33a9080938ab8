//! `scale`: thousands of Mailboxes as resources of a real API server, kept by the operator as a process, and what that costs
//! the operator, the API server and whoever waits. Leaves out the node: the mail pod runs as a process beside it.

mod bed;
mod live;
pub mod objects;
mod progress;
mod report;
mod writes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::args::Scale;
use crate::process::{Resident, Tree};
use crate::tally::{Figures, Told};
use bed::Bed;
use objects::Population;
use progress::Progress;

use writes::Writes;

/// The longest that all of it may take to be Ready: what is slower than that is not measured but broken.
const PATIENCE: Duration = Duration::from_secs(540);

/// What is left over after the last status: the echo of our own writes, freed memory.
const REST: Duration = Duration::from_secs(10);

/// Measures and reports.
pub fn run(options: &Scale) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let Some(mut bed) = Bed::start()? else { return Ok(()) };
    let population = Population::new(options, bed.namespace());
    let mut figures = Figures::new(report::FIGURES);
    prepare(&runtime, &bed, &population)?;
    first_sync(&runtime, &bed, &population, options, &mut figures)?;
    idle(&bed, &population, options, &mut figures);
    restart(&mut bed, &population, &mut figures)?;
    live::take(&bed, &population, options.changes, &mut figures).with_context(|| bed.operator().log())?;
    bed.at_end(&mut figures);
    let told = Told {
        lines: report::about(options, &bed.versions()),
        json: options.json.as_deref(),
        markdown: options.markdown.as_deref(),
    };
    figures.finish(&told)
}

/// The MailServer with its pod, and the domains, before anything is counted.
fn prepare(runtime: &Runtime, bed: &Bed, population: &Population) -> Result<()> {
    let settings = population.settings();
    runtime.block_on(create_all(&bed.client(runtime), settings, 1))?;
    bed.wait_ready(&population.server_path(), PATIENCE)?;
    bed.trees().iter().for_each(Tree::rest);
    Ok(())
}

/// Everything is created as fast as the API server takes it, until everything is Ready.
fn first_sync(
    runtime: &Runtime,
    bed: &Bed,
    population: &Population,
    options: &Scale,
    figures: &mut Figures,
) -> Result<()> {
    let client = bed.client(runtime);
    let progress = Arc::new(Progress::default());
    for path in population.collections() {
        runtime.spawn(progress::follow(client.clone(), path, Arc::clone(&progress)));
    }
    let before = bed.costs();
    figures.add("api.before", before.api.now);
    figures.add("operator.empty", before.operator.now);
    let mark = bed.mark();
    let start = Instant::now();
    runtime.block_on(create_all(&client, population.objects(), options.creators))?;
    let creating = start.elapsed();
    eprintln!("created {} in {creating:.1?}; {} Ready", population.total(), progress.ready());
    let ready = wait_ready(&progress, population.total(), start)?;
    figures.add("first.creating", creating.as_secs_f64());
    figures.add("first.ready", ready.as_secs_f64());
    std::thread::sleep(REST);
    bed.trees().iter().for_each(Tree::rest);
    let writes = Writes::of(&bed.audit_since(mark));
    eprintln!("writes of the first sync:\n{writes}");
    figures.add("first.writes", writes.of_objects() as f64 / population.total() as f64);
    figures.add("first.events", writes.events() as f64);
    let after = bed.costs();
    figures.add("operator.most", after.operator.most);
    figures.add("operator.settled", after.operator.now);
    figures.add("operator.cpu", after.operator_cpu - before.operator_cpu);
    figures.add("api.most", after.api.most);
    figures.add("api.settled", after.api.now);
    figures.add("api.cpu", after.api_cpu - before.api_cpu);
    figures.add("etcd.settled", after.etcd.now);
    figures.add("server.settled", bed.mail_server().map_or(0.0, |memory: Resident| memory.now));
    Ok(())
}

fn wait_ready(progress: &Progress, total: usize, start: Instant) -> Result<Duration> {
    let mut said = Instant::now();
    loop {
        let ready = progress.ready();
        if ready >= total {
            return Ok(progress.last().map_or_else(|| start.elapsed(), |last| last - start));
        }
        if start.elapsed() > PATIENCE {
            bail!("{ready} of {total} are Ready after {PATIENCE:?}; one that is not: {}", progress.unready());
        }
        if said.elapsed() > Duration::from_secs(5) {
            eprintln!("{ready} of {total} are Ready after {:.0?}", start.elapsed());
            said = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn create_all(
    client: &kube_client::Client,
    objects: impl IntoIterator<Item = (String, Value)>,
    creators: usize,
) -> Result<()> {
    let creating = futures::stream::iter(objects).map(|(path, object)| {
        let client = client.clone();
        async move { bed::create(&client, &path, &object).await }
    });
    creating.buffer_unordered(creators.max(1)).try_collect::<()>().await
}

/// Nothing is changed, and nothing should be written.
fn idle(bed: &Bed, population: &Population, options: &Scale, figures: &mut Figures) {
    let window = Duration::from_secs(options.idle);
    let (mark, before) = (bed.mark(), bed.costs());
    eprintln!("nothing is changed for {window:?}");
    std::thread::sleep(window);
    let writes = Writes::of(&bed.audit_since(mark));
    let after = bed.costs();
    eprintln!("writes of the idle window:\n{writes}");
    figures.add("idle.writes", writes.without_lease() as f64 / population.total() as f64);
    figures.add("idle.lease", writes.of_lease() as f64);
    let share = |cpu: f64| cpu / window.as_secs_f64().max(1.0) * 100.0;
    figures.add("idle.cpu", share(after.operator_cpu - before.operator_cpu));
    figures.add("idle.api", share(after.api_cpu - before.api_cpu));
}

/// The operator is ended and started again with an empty memory.
fn restart(bed: &mut Bed, population: &Population, figures: &mut Figures) -> Result<()> {
    let mark = bed.mark();
    let synced = bed.restart_operator(PATIENCE)?;
    figures.add("restart.synced", synced.as_secs_f64());
    std::thread::sleep(REST);
    let writes = Writes::of(&bed.audit_since(mark));
    eprintln!("writes of the restart:\n{writes}");
    figures.add("restart.writes", writes.without_lease() as f64 / population.total() as f64);
    let costs = bed.costs();
    figures.add("restart.most", costs.operator.most);
    figures.add("restart.settled", costs.operator.now);
    Ok(())
}
