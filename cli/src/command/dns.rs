//! `mailwright dns`: the records to publish, as zone file, table or JSON.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use mailwright_crds::DomainName;
use mailwright_operator::accounts::Accounts as _;
use mailwright_operator::platform::local::Local;
use mailwright_operator::zones;
use mailwright_plan::dns;

use crate::args::{Dns, DnsFormat};
use crate::connect::Connection;
use crate::terminal;

/// Columns for a value in the table.
const LONGEST_VALUE: usize = 50;

/// Prints the records of one domain, or of all in service.
pub async fn run(data: &Path, options: Dns) -> Result<ExitCode> {
    let observed = Connection::open(data).await?.observe().await?;
    let mut zones = zones::zones(&observed, &Local::at(data))?;
    if let Some(domain) = &options.domain {
        let wanted = DomainName::canonical(domain.trim_end_matches('.')).map(|name| name.to_string());
        zones.retain(|zone| wanted.as_ref().is_ok_and(|wanted| zone.domain == *wanted));
        if zones.is_empty() {
            bail!("{domain} is not served here; `mailwright get maildomains` lists the domains");
        }
    }
    match options.format {
        DnsFormat::Zone => {
            for zone in &zones {
                terminal::print(&dns::zone(&zone.domain, &zone.records));
            }
        }
        DnsFormat::Json => terminal::print(&format!("{}\n", serde_json::to_string_pretty(&zones)?)),
        DnsFormat::Table => {
            for zone in &zones {
                terminal::print(&format!("{}\n", terminal::bold(&zone.domain)));
                terminal::print(&format!("{}\n", dns::table(&shortened(&zone.records))));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Keys fill lines and tell people nothing: the table shows how a long value begins, the other formats show it whole.
fn shortened(records: &[dns::Record]) -> Vec<dns::Record> {
    let shorten = |record: &dns::Record| {
        let mut record = record.clone();
        if record.value.chars().count() > LONGEST_VALUE {
            record.value = record.value.chars().take(LONGEST_VALUE - 1).chain(['…']).collect();
        }
        record
    };
    records.iter().map(shorten).collect()
}
