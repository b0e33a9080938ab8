//! `kubectl mailwright dns`: the records that the operator wrote into the MailDomain's status.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use mailwright_crds::DomainName;
use mailwright_plan::dns;

use super::objects::{Reader, full_name};
use crate::args::DnsFormat;
use crate::args::kubectl::Dns;
use crate::terminal;

/// Prints the records of the domain.
pub async fn run(reader: &Reader, namespace: &str, options: &Dns) -> Result<ExitCode> {
    let wanted = DomainName::canonical(options.domain.trim_end_matches('.'))
        .with_context(|| format!("{} is not a domain", options.domain))?
        .to_string();
    let Some(found) = reader.domain(namespace, &wanted).await? else {
        bail!("no MailDomain declares {wanted}; `kubectl get maildomains -A` lists them");
    };
    let records: Vec<dns::Record> =
        serde_json::from_value(found["status"]["dnsRecords"].clone()).unwrap_or_default();
    if records.is_empty() {
        let name = full_name(&found);
        let (namespace, name) = name.split_once('/').unwrap_or_default();
        bail!(
            "the operator has not worked out the records of {wanted} yet; kubectl mailwright -n {namespace} why mdom/{name}"
        );
    }
    terminal::print(&match options.format {
        DnsFormat::Zone => dns::zone(&wanted, &records),
        DnsFormat::Json => format!("{}\n", serde_json::to_string_pretty(&records)?),
        DnsFormat::Table => format!("{}\n{}\n", terminal::bold(&wanted), dns::table(&records)),
    });
    Ok(ExitCode::SUCCESS)
}
