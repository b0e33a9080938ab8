//! What is, for the next scrape: the leader, the MailServers, how many objects are in which condition, the process. Rendered
//! anew for each scrape, so nothing outlives what it speaks of. Leaves out what happens, which is counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use mailwright_crds::Kind;
use mailwright_crds::condition::conditions_of;
use mailwright_crds::kind::PACKAGE_VERSION;
use serde_json::Value;

use crate::kubernetes::lease::LeaderState;

/// The words of a condition's status.
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];
/// How much a DNS record matters, as MailDomain's status says.
const REQUIREMENTS: [&str; 3] = ["Required", "Recommended", "Optional"];
/// Clock ticks a second in /proc on every Linux that Rust knows.
const TICKS: f64 = 100.0;
/// Bytes of a page in /proc/self/statm; what larger pages do to one number on a dashboard is no reason to ask the system.
const PAGE: u64 = 4096;

/// What is.
#[derive(Debug)]
pub struct Figures {
    /// Who leads.
    pub leader: LeaderState,
    /// Whether everything that is watched has been listed once.
    pub synced: bool,
    /// Installations that wait for a pass.
    pub waiting: usize,
    /// By `namespace/name`.
    pub servers: BTreeMap<String, ServerFigures>,
    /// Objects by kind and condition.
    pub objects: ObjectCounts,
    /// By plural: whether the installed definition is as new as the binary.
    pub definitions: BTreeMap<&'static str, bool>,
}

/// What a MailServer says of itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerFigures {
    /// Whether its management API answers.
    pub reachable: bool,
    /// Messages in the queue; none while nobody answers.
    pub queued: Option<u64>,
    /// When the oldest of them came in.
    pub oldest_queued: Option<DateTime<Utc>>,
    /// When the certificate that clients see ends.
    pub certificate_ends: Option<DateTime<Utc>>,
}

/// How many objects there are, and in which conditions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectCounts {
    objects: BTreeMap<Kind, usize>,
    conditions: BTreeMap<(Kind, String, &'static str), usize>,
    dns: BTreeMap<&'static str, usize>,
}

impl ObjectCounts {
    /// None.
    pub const fn new() -> ObjectCounts {
        ObjectCounts { objects: BTreeMap::new(), conditions: BTreeMap::new(), dns: BTreeMap::new() }
    }

    /// Counts one object by its status.
    pub fn add(&mut self, kind: Kind, status: &Value) {
        *self.objects.entry(kind).or_default() += 1;
        let mut ready = false;
        for condition in status["conditions"].as_array().into_iter().flatten() {
            let (Some(type_), Some(word)) = (condition["type"].as_str(), condition["status"].as_str()) else {
                continue;
            };
            let Some(word) = STATUSES.into_iter().find(|status| *status == word) else { continue };
            ready |= type_ == "Ready";
            *self.conditions.entry((kind, type_.to_owned(), word)).or_default() += 1;
        }
        if !ready {
            *self.conditions.entry((kind, "Ready".to_owned(), "Unknown")).or_default() += 1;
        }
        for record in status["dnsRecords"].as_array().into_iter().flatten() {
            let word = record["requirement"].as_str().unwrap_or_default();
            if let Some(requirement) = REQUIREMENTS.into_iter().find(|requirement| *requirement == word) {
                *self.dns.entry(requirement).or_default() += 1;
            }
        }
    }
}

/// What the system says of this process, under the names that every Prometheus client library uses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Process {
    /// Memory in use.
    pub resident_bytes: u64,
    /// Processor time used.
    pub cpu_seconds: f64,
    /// Files and connections that are open.
    pub open_files: u64,
}

impl Process {
    /// Of this process; zeros where there is no /proc.
    pub fn of_this() -> Process {
        let read = |file| std::fs::read_to_string(file).unwrap_or_default();
        let open_files = std::fs::read_dir("/proc/self/fd").map_or(0, |files| files.count() as u64);
        Process::parse(&read("/proc/self/statm"), &read("/proc/self/stat"), open_files)
    }

    fn parse(statm: &str, stat: &str, open_files: u64) -> Process {
        let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
        // The name in parentheses may hold blanks; the times are the 12th and 13th field after it.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Process { resident_bytes: pages * PAGE, cpu_seconds: ticks as f64 / TICKS, open_files }
    }
}

impl Figures {
    /// Nothing known yet.
    pub const fn new() -> Figures {
        Figures {
            leader: LeaderState { term: 0, is_leader: false, until: None, webhooks: None },
            synced: false,
            waiting: 0,
            servers: BTreeMap::new(),
            objects: ObjectCounts::new(),
            definitions: BTreeMap::new(),
        }
    }

    /// In Prometheus' text format.
    pub fn render(&self, process: &Process) -> String {
        let mut page = Page(String::new());
        page.gauge("mailwright_build_info", "Which version runs; always 1");
        page.line("mailwright_build_info", &[("version", PACKAGE_VERSION), ("component", "operator")], 1.0);
        self.itself(&mut page);
        self.of_servers(&mut page);
        self.of_objects(&mut page);
        page.gauge("process_resident_memory_bytes", "Memory in use");
        page.line("process_resident_memory_bytes", &[], process.resident_bytes as f64);
        page.head("process_cpu_seconds_total", "counter", "Processor time used");
        page.line("process_cpu_seconds_total", &[], process.cpu_seconds);
        page.gauge("process_open_fds", "Files and connections that are open");
        page.line("process_open_fds", &[], process.open_files as f64);
        page.0
    }

    fn itself(&self, page: &mut Page) {
        page.gauge("mailwright_operator_leader", "1 while this replica leads");
        page.line("mailwright_operator_leader", &[], truth(self.leader.is_leader));
        page.gauge(
            "mailwright_operator_leader_term",
            "The Lease's transition number under which this replica led last",
        );
        page.line("mailwright_operator_leader_term", &[], self.leader.term as f64);
        page.gauge("mailwright_operator_synced", "1 once everything that is watched was listed");
        page.line("mailwright_operator_synced", &[], truth(self.synced));
        page.gauge("mailwright_operator_mailservers_waiting", "MailServers that wait for a pass");
        page.line("mailwright_operator_mailservers_waiting", &[], self.waiting as f64);
        let name = "mailwright_operator_definition_current";
        page.gauge(name, "1 while the installed CustomResourceDefinition is as new as this operator");
        for (plural, current) in &self.definitions {
            page.line(name, &[("resource", plural)], truth(*current));
        }
    }

    fn of_servers(&self, page: &mut Page) {
        type Figure = fn(&ServerFigures) -> Option<f64>;
        let table: [(&str, &str, Figure); 4] = [
            (
                "mailwright_mailserver_reachable",
                "1 while the management API of a MailServer answers",
                |says| Some(truth(says.reachable)),
            ),
            ("mailwright_mailserver_queue_messages", "Messages that wait to leave a MailServer", |says| {
                says.queued.map(|queued| queued as f64)
            }),
            (
                "mailwright_mailserver_queue_oldest_timestamp_seconds",
                "When the oldest message in the queue of a MailServer came in; absent while the queue is empty",
                |says| says.oldest_queued.map(seconds),
            ),
            (
                "mailwright_mailserver_certificate_expiry_timestamp_seconds",
                "When the certificate ends that clients of a MailServer see",
                |says| says.certificate_ends.map(seconds),
            ),
        ];
        for (name, help, figure) in table {
            page.gauge(name, help);
            for (server, says) in &self.servers {
                if let Some(value) = figure(says) {
                    page.line(name, &[("mailserver", server)], value);
                }
            }
        }
    }

    /// Every combination, so that a rule on `False` has a zero to compare with.
    fn of_objects(&self, page: &mut Page) {
        let (name, counts) = ("mailwright_operator_objects", &self.objects);
        page.gauge(name, "Resources by kind");
        for kind in Kind::ALL {
            let count = counts.objects.get(&kind).copied().unwrap_or(0);
            page.line(name, &[("kind", kind.as_str())], count as f64);
        }
        let name = "mailwright_operator_object_conditions";
        page.gauge(name, "Resources by kind, condition and its status");
        for kind in Kind::ALL {
            for info in conditions_of(kind) {
                let type_ = info.type_.to_string();
                for status in STATUSES {
                    let count = counts.conditions.get(&(kind, type_.clone(), status)).copied().unwrap_or(0);
                    let labels = [("kind", kind.as_str()), ("condition", &type_), ("status", status)];
                    page.line(name, &labels, count as f64);
                }
            }
        }
        let name = "mailwright_operator_dns_records";
        page.gauge(name, "DNS records to publish, by how much they matter and what is known of them");
        for requirement in REQUIREMENTS {
            let count = counts.dns.get(requirement).copied().unwrap_or(0);
            // Whether a record is published is looked up by nobody yet.
            page.line(name, &[("requirement", requirement), ("state", "Unverified")], count as f64);
        }
    }
}

impl Default for Figures {
    fn default() -> Figures {
        Figures::new()
    }
}

fn truth(value: bool) -> f64 {
    if value { 1.0 } else { 0.0 }
}

fn seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp() as f64
}

/// Prometheus' text format.
struct Page(String);

impl Page {
    fn gauge(&mut self, name: &str, help: &str) {
        self.head(name, "gauge", help);
    }

    fn head(&mut self, name: &str, type_: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {type_}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let label = |(name, value): &(&str, &str)| {
            format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
        };
        let labels: Vec<String> = labels.iter().map(label).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The lines of `text` that begin so.
    fn lines<'a>(text: &'a str, begins: &str) -> Vec<&'a str> {
        text.lines().filter(|line| line.starts_with(begins)).collect()
    }

    fn status(conditions: &[(&str, &str)]) -> Value {
        let conditions: Vec<Value> =
            conditions.iter().map(|(type_, status)| json!({"type": type_, "status": status})).collect();
        json!({ "conditions": conditions })
    }

    #[test]
    fn objects_are_counted_by_condition() {
        let mut counts = ObjectCounts::new();
        counts.add(Kind::Mailbox, &status(&[("Ready", "True"), ("Accepted", "True")]));
        counts.add(Kind::Mailbox, &status(&[("Ready", "False"), ("Accepted", "True"), ("Later", "True")]));
        counts.add(Kind::Mailbox, &Value::Null);
        counts.add(Kind::Alias, &status(&[("Ready", "Nonsense")]));
        let page = Figures { objects: counts, ..Figures::new() }.render(&Process::default());
        for line in [
            "mailwright_operator_objects{kind=\"Mailbox\"} 3",
            "mailwright_operator_objects{kind=\"MailServer\"} 0",
            "mailwright_operator_object_conditions{kind=\"Mailbox\",condition=\"Ready\",status=\"True\"} 1",
            "mailwright_operator_object_conditions{kind=\"Mailbox\",condition=\"Ready\",status=\"False\"} 1",
            "mailwright_operator_object_conditions{kind=\"Mailbox\",condition=\"Ready\",status=\"Unknown\"} 1",
            "mailwright_operator_object_conditions{kind=\"Mailbox\",condition=\"Accepted\",status=\"True\"} 2",
            "mailwright_operator_object_conditions{kind=\"Alias\",condition=\"Ready\",status=\"Unknown\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "{line} is not in {page}");
        }
        assert!(!page.contains("Later"), "only conditions that are ours are labels");
    }

    #[test]
    fn dns_records_are_counted() {
        let mut counts = ObjectCounts::new();
        let record = |requirement: &str| json!({"requirement": requirement});
        let records = [record("Required"), record("Required"), record("Optional"), record("else"), json!(7)];
        counts.add(Kind::MailDomain, &json!({ "dnsRecords": records }));
        let page = Figures { objects: counts, ..Figures::new() }.render(&Process::default());
        assert_eq!(
            lines(&page, "mailwright_operator_dns_records"),
            [
                "mailwright_operator_dns_records{requirement=\"Required\",state=\"Unverified\"} 2",
                "mailwright_operator_dns_records{requirement=\"Recommended\",state=\"Unverified\"} 0",
                "mailwright_operator_dns_records{requirement=\"Optional\",state=\"Unverified\"} 1",
            ]
        );
    }

    #[test]
    fn a_server_that_does_not_answer_has_no_figures() {
        let ends = DateTime::from_timestamp(2_000_000_000, 0);
        let says =
            ServerFigures { reachable: true, queued: Some(3), oldest_queued: ends, certificate_ends: ends };
        let mut figures = Figures::new();
        figures.servers.insert("mail/a".to_owned(), says);
        figures.servers.insert("mail/b".to_owned(), ServerFigures::default());
        let page = figures.render(&Process::default());
        assert_eq!(
            lines(&page, "mailwright_mailserver_"),
            [
                "mailwright_mailserver_reachable{mailserver=\"mail/a\"} 1",
                "mailwright_mailserver_reachable{mailserver=\"mail/b\"} 0",
                "mailwright_mailserver_queue_messages{mailserver=\"mail/a\"} 3",
                "mailwright_mailserver_queue_oldest_timestamp_seconds{mailserver=\"mail/a\"} 2000000000",
                "mailwright_mailserver_certificate_expiry_timestamp_seconds{mailserver=\"mail/a\"} 2000000000",
            ]
        );
        figures.servers.clear();
        assert!(lines(&figures.render(&Process::default()), "mailwright_mailserver_").is_empty());
    }

    #[test]
    fn the_process_is_read_from_proc() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 250 0 0 20 0";
        let expected = Process { resident_bytes: 3 * PAGE, cpu_seconds: 4.0, open_files: 9 };
        assert_eq!(Process::parse("10 3 1 1 0 1 0\n", stat, 9), expected);
        assert_eq!(Process::parse("", "", 0), Process::default());
        assert!(Process::of_this().resident_bytes > 0);
    }

    #[test]
    fn labels_are_quoted() {
        let mut page = Page(String::new());
        page.line("x", &[("a", "\"\\\n")], 1.5);
        assert_eq!(page.0, "x{a=\"\\\"\\\\\\n\"} 1.5\n");
    }
}
