//! Every message that was taken ends delivered or bounced, for each of its recipients: never silently gone, never bounced twice,
//! never bounced although it is known to have arrived, and never delivered twice but where a reply or the process was lost.

use std::collections::{BTreeMap, BTreeSet};

use crate::queue::mail::{Arrived, Mail, read};
use crate::queue::world::{Expect, Log, World};

/// What became of one recipient of one message.
#[derive(Debug, Default)]
struct Fate {
    /// Lives in which a host took it and said so.
    told: Vec<usize>,
    /// Times a host took it and could not say so.
    untold: usize,
    /// Copies in a mailbox here.
    stored: usize,
    /// Reports of its failure, by their Message-ID, with the status.
    bounced: BTreeSet<(String, String)>,
}

/// Checks a history that has ended.
pub fn check(seed: u64, world: &World, mails: &[Mail], log: &Log, inboxes: &BTreeMap<String, Vec<String>>) {
    let fates = fates(log, inboxes);
    let nothing = Fate::default();
    for mail in mails {
        for to in &mail.to {
            let fate = fates.get(&(mail.name.clone(), to.clone())).unwrap_or(&nothing);
            let place = format!("seed {seed}: {} from <{}> to {to}: {fate:?}", mail.name, mail.from);
            once(&place, fate, log);
            if mail.given == Some(true) {
                ended(&place, fate, world, mail, to);
            }
        }
    }
}

/// Nothing happens twice without a reason.
fn once(place: &str, fate: &Fate, log: &Log) {
    assert!(fate.bounced.len() <= 1, "{place}: bounced twice");
    assert!(fate.stored <= 1, "{place}: stored twice");
    let lives: BTreeSet<&usize> = fate.told.iter().collect();
    assert_eq!(lives.len(), fate.told.len(), "{place}: sent again although the host had said that it has it");
    // Only a life that ended before it could write it down may bounce what arrived.
    let known = fate.stored > 0 || fate.told.contains(&log.lives);
    assert!(!known || fate.bounced.is_empty(), "{place}: bounced although it arrived");
}

fn ended(place: &str, fate: &Fate, world: &World, mail: &Mail, to: &str) {
    let arrived = fate.stored > 0 || !fate.told.is_empty() || fate.untold > 0;
    let silent = mail.from.is_empty() || mail.never;
    let domain = to.rsplit_once('@').map_or("", |(_, domain)| domain);
    let expect = match (to, world.zones.get(domain)) {
        ("bob@example.test", _) => Expect::Arrives,
        (_, Some(zone)) => zone.expect,
        (_, None) => Expect::Bounces("5.1.1"),
    };
    match expect {
        Expect::Arrives => assert!(arrived && fate.bounced.is_empty(), "{place}: it must arrive"),
        Expect::Bounces(_) if silent => {
            assert!(!arrived && fate.bounced.is_empty(), "{place}: it must vanish")
        }
        Expect::Bounces(status) => {
            let statuses: Vec<&str> = fate.bounced.iter().map(|(_, status)| status.as_str()).collect();
            assert!(!arrived && statuses == [status], "{place}: it must bounce with {status}");
        }
        Expect::Either if silent => assert!(fate.bounced.is_empty(), "{place}: nobody wants to know"),
        Expect::Either => assert!(arrived || fate.bounced.len() == 1, "{place}: silently gone"),
    }
}

fn fates(log: &Log, inboxes: &BTreeMap<String, Vec<String>>) -> BTreeMap<(String, String), Fate> {
    let mut fates: BTreeMap<(String, String), Fate> = BTreeMap::new();
    let mut report = |raw: &str| {
        let Arrived::Report(report) = read(raw) else { return };
        let about = report.about.trim_start_matches('<').split('@').next().unwrap_or_default().to_owned();
        for (recipient, action, status) in report.recipients {
            if action == "failed" {
                let fate = fates.entry((about.clone(), recipient)).or_default();
                fate.bounced.insert((report.id.clone(), status));
            }
        }
    };
    log.taken.iter().for_each(|taken| report(&taken.raw));
    inboxes.values().flatten().for_each(|raw| report(raw));
    for taken in &log.taken {
        if let Arrived::Message(name) = read(&taken.raw) {
            let fate = fates.entry((name, taken.recipient.clone())).or_default();
            match taken.told {
                true => fate.told.push(taken.life),
                false => fate.untold += 1,
            }
        }
    }
    for (address, raw) in inboxes.iter().flat_map(|(address, all)| all.iter().map(move |raw| (address, raw)))
    {
        if let Arrived::Message(name) = read(raw) {
            fates.entry((name, address.clone())).or_default().stored += 1;
        }
    }
    fates
}
