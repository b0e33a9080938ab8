//! `kubectl mailwright dns`: the records that the operator wrote into the MailDomain's status.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use mailwright_crds::{DomainName, Kind};
use mailwright_plan::dns;
use serde_json::Value;

use super::objects::{Reader, full_name, of_kind, text};
use crate::args::DnsFormat;
use crate::args::kubectl::Dns;
use crate::terminal;

/// Prints the records of the domain. Looks into all namespaces when the chosen one has no such domain.
pub async fn run(reader: &Reader, namespace: &str, options: &Dns) -> Result<ExitCode> {
    let wanted = DomainName::canonical(options.domain.trim_end_matches('.'))
        .with_context(|| format!("{} is not a domain", options.domain))?
        .to_string();
    let resource = of_kind(Kind::MailDomain);
    let here = reader.list(resource, Some(namespace), "").await?;
    let found = match find(&here, &wanted) {
        Some(found) => Some(found.clone()),
        // Without the right to look elsewhere this namespace is all there is.
        None => reader.list(resource, None, "").await.ok().and_then(|all| find(&all, &wanted).cloned()),
    };
    let Some(found) = found else {
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

/// The MailDomain that declares a domain, as its own or as an alias.
fn find<'a>(objects: &'a [Value], wanted: &str) -> Option<&'a Value> {
    let declares = |object: &&Value| {
        let aliases = object["spec"]["aliases"].as_array().into_iter().flatten().filter_map(Value::as_str);
        text(object, "/spec/domain") == wanted || aliases.into_iter().any(|alias| alias == wanted)
    };
    objects.iter().find(declares)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_domain_is_found_by_any_of_its_names() {
        let objects = [
            json!({"metadata": {"name": "a"}, "spec": {"domain": "example.test"}}),
            json!({"metadata": {"name": "b"}, "spec": {"domain": "example.org", "aliases": ["example.net"]}}),
        ];
        for (wanted, name) in [("example.test", Some("a")), ("example.net", Some("b")), ("other.test", None)]
        {
            assert_eq!(find(&objects, wanted).map(|object| text(object, "/metadata/name")), name, "{wanted}");
        }
    }
}
