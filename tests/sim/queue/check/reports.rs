//! Reports have the null sender, speak of messages and never of other reports, go to the sender, come once for each message,
//! recipient and kind, and not at all where nobody wants them.

use std::collections::{BTreeMap, BTreeSet};

use crate::queue::mail::{Arrived, Mail, Report, read};
use crate::queue::world::Log;

/// Checks a history that has ended.
pub fn check(seed: u64, mails: &[Mail], log: &Log, inboxes: &BTreeMap<String, Vec<String>>) {
    let mut arrived: Vec<(String, Report)> = Vec::new();
    for taken in &log.taken {
        if let Arrived::Report(report) = read(&taken.raw) {
            assert_eq!(taken.reverse_path, "", "seed {seed}: a report has a sender: {report:?}");
            arrived.push((taken.recipient.clone(), report));
        }
    }
    for (address, raw) in inboxes.iter().flat_map(|(address, all)| all.iter().map(move |raw| (address, raw)))
    {
        if let Arrived::Report(report) = read(raw) {
            assert!(raw.contains("Return-Path: <>\r\n"), "seed {seed}: a report has a sender: {raw}");
            arrived.push((address.clone(), report));
        }
    }
    let mut seen: BTreeMap<(String, String, String), BTreeSet<String>> = BTreeMap::new();
    for (to, report) in arrived {
        let name = report.about.trim_start_matches('<').split('@').next().unwrap_or_default();
        let Some(mail) = mails.iter().find(|mail| mail.name == name) else {
            panic!("seed {seed}: a report about what nobody sent, or about a report: {report:?}");
        };
        assert_eq!(mail.from, to, "seed {seed}: a report went astray: {report:?}");
        assert!(!mail.never, "seed {seed}: NOTIFY=NEVER: {report:?}");
        for (recipient, action, _) in &report.recipients {
            assert!(mail.to.contains(recipient), "seed {seed}: a report about a stranger: {report:?}");
            let kind = (name.to_owned(), recipient.clone(), action.clone());
            let ids = seen.entry(kind).or_default();
            ids.insert(report.id.clone());
            assert_eq!(ids.len(), 1, "seed {seed}: told twice: {report:?}");
        }
    }
}
