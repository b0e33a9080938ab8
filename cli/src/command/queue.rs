//! `mailwright queue`: what waits to leave, and what a postmaster does about it.

mod table;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use mailwright_server::ManagementClient;
use mailwright_server::management::{QueueFilter, QueueState};

use crate::args::mail::{self, PlanFormat, Queue, QueueFilters, QueueSelect, QueueVerb};
use crate::terminal;

/// Does what was asked for, on the running server: a queue that nobody runs goes nowhere.
pub async fn run(data: &Path, options: Queue) -> Result<ExitCode> {
    let client = ManagementClient::new(data);
    match options.verb {
        QueueVerb::List(options) => {
            let filter = QueueFilter { limit: Some(options.limit), ..filter(&options.filters) };
            let listing = client.queue_list(&filter).await?;
            for warning in &listing.warnings {
                eprintln!("warning: {warning}");
            }
            show(options.output, &listing, || table::list(&listing, chrono::Utc::now()))?;
        }
        QueueVerb::Show(options) => {
            let message = client.queue_show(&options.id).await?;
            show(options.output, &message, || table::message(&message, chrono::Utc::now()))?;
        }
        QueueVerb::Flush(options) => {
            let changed = client.queue_flush(&selection(&options)?).await?;
            show(options.output, &changed, || table::changed("tried now", changed.recipients))?;
        }
        QueueVerb::Hold(options) => {
            let changed = client.queue_hold(&selection(&options)?).await?;
            show(options.output, &changed, || table::changed("held", changed.recipients))?;
        }
        QueueVerb::Release(options) => {
            let changed = client.queue_release(&selection(&options)?).await?;
            show(options.output, &changed, || table::changed("released", changed.recipients))?;
        }
        QueueVerb::Delete(options) => {
            let changed = client.queue_delete(&selection(&options)?).await?;
            show(options.output, &changed, || table::changed("deleted", changed.recipients))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a body as it is for programs, or what `text` makes of it.
pub fn show(format: PlanFormat, body: &impl serde::Serialize, text: impl FnOnce() -> String) -> Result<()> {
    terminal::print(&match format {
        PlanFormat::Json => format!("{}\n", serde_json::to_string_pretty(body)?),
        PlanFormat::Text => text(),
    });
    Ok(())
}

/// A change of the whole queue is asked for by name, never by a forgotten filter.
fn selection(options: &QueueSelect) -> Result<QueueFilter> {
    match (options.filters.is_everything(), options.all) {
        (true, false) => bail!(
            "say which messages: an ID, --sender, --recipient, --domain, --state, --older-than; or --all for the whole queue"
        ),
        (false, true) => bail!("--all is the whole queue; leave it out to use the filters"),
        _ => Ok(filter(&options.filters)),
    }
}

fn filter(filters: &QueueFilters) -> QueueFilter {
    QueueFilter {
        ids: filters.ids.clone(),
        sender: filters.sender.clone(),
        recipient: filters.recipient.clone(),
        domain: filters.domain.clone(),
        state: filters.state.map(|state| match state {
            mail::QueueState::Queued => QueueState::Queued,
            mail::QueueState::Active => QueueState::Active,
            mail::QueueState::Deferred => QueueState::Deferred,
            mail::QueueState::Held => QueueState::Held,
        }),
        older_than: filters.older_than.map(|time| time.as_secs()),
        limit: None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_whole_queue_is_changed_only_when_asked_for() {
        let select = |all, sender: Option<&str>| {
            let filters = QueueFilters { sender: sender.map(str::to_owned), ..Default::default() };
            selection(&QueueSelect { filters, all, output: PlanFormat::Text })
        };
        assert!(select(false, None).unwrap_err().to_string().contains("--all"));
        assert!(select(true, Some("<>")).is_err());
        assert_eq!(select(true, None).unwrap(), QueueFilter::default());
        assert_eq!(select(false, Some("<>")).unwrap().sender.as_deref(), Some("<>"));
    }

    #[test]
    fn filters_arrive() {
        let filters = QueueFilters {
            ids: vec!["a1".into()],
            domain: Some("example.org".into()),
            state: Some(mail::QueueState::Held),
            older_than: Some(Duration::from_secs(3600)),
            ..Default::default()
        };
        let filter = filter(&filters);
        assert_eq!((filter.ids, filter.domain.as_deref()), (vec!["a1".to_owned()], Some("example.org")));
        assert_eq!(
            (filter.state, filter.older_than, filter.limit),
            (Some(QueueState::Held), Some(3600), None)
        );
    }
}
