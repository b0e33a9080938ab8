//! What a server costs: processor time and memory of a tree of processes, out of /proc.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

/// Ticks of utime and stime in a second: USER_HZ, which is 100 on every Linux that Debian builds.
const TICKS: f64 = 100.0;

/// The processes of a server: some roots and whatever descends from them.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    roots: Vec<u32>,
}

impl Tree {
    /// With these roots.
    pub fn new(roots: Vec<u32>) -> Tree {
        Tree { roots }
    }

    /// All processes alive now.
    pub fn members(&self) -> BTreeSet<u32> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for pid in pids() {
            if let Some(stat) = Stat::of(pid) {
                children.entry(stat.parent).or_default().push(pid);
            }
        }
        let mut members = BTreeSet::new();
        let mut open = self.roots.clone();
        while let Some(pid) = open.pop() {
            if members.insert(pid) {
                open.extend(children.get(&pid).into_iter().flatten());
            }
        }
        members
    }

    /// Seconds of processor time since they started, with those of children that have ended and were waited for.
    pub fn cpu(&self) -> f64 {
        let ticks: u64 = self.members().into_iter().filter_map(Stat::of).map(|stat| stat.ticks).sum();
        ticks as f64 / TICKS
    }

    /// Waits until they have nothing to do any more: what a load leaves behind is not the next one's. A server that never
    /// rests is measured as it is.
    pub fn rest(&self) {
        for _ in 0..100 {
            let before = self.cpu();
            std::thread::sleep(Duration::from_millis(300));
            if self.cpu() - before < 0.02 {
                return;
            }
        }
    }

    /// MiB of memory: each page divided by the number of processes that share it.
    pub fn pss(&self) -> f64 {
        let kib: u64 = self.members().into_iter().filter_map(pss).sum();
        kib as f64 / 1024.0
    }
}

fn pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn pss(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// Memory of one process in MiB, pages that it shares among them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Resident {
    /// Now.
    pub now: f64,
    /// The most since it started.
    pub most: f64,
}

impl Resident {
    /// Of a process that is there.
    pub fn of(pid: u32) -> Option<Resident> {
        Resident::parse(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
    }

    fn parse(status: &str) -> Option<Resident> {
        let kib = |name: &str| -> Option<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        Some(Resident { now: kib("VmRSS:")? / 1024.0, most: kib("VmHWM:")? / 1024.0 })
    }
}

/// What is used of a process's `stat` file under `/proc`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    parent: u32,
    ticks: u64,
}

impl Stat {
    fn of(pid: u32) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// proc(5): the name in parentheses may hold anything, the numbers come after the last one.
    fn parse(text: &str) -> Option<Stat> {
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        // utime, stime, cutime, cstime are the fields 14 to 17, the state after the name is 3.
        let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
        Some(Stat { parent: u32::try_from(number(1)?).ok()?, ticks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_parentheses_do_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 7 42 42 0 -1 4194560 1 2 3 4 10 20 30 40 20 0 1 0";
        assert_eq!(Stat::parse(stat), Some(Stat { parent: 7, ticks: 100 }));
        assert_eq!(Stat::parse("42 (a) S 7"), None);
    }

    #[test]
    fn memory_now_and_at_most() {
        let status = "Name:\tx\nVmHWM:\t    4096 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(Resident::parse(status), Some(Resident { now: 1.0, most: 4.0 }));
        assert_eq!(Resident::parse("Name:\tx\n"), None);
        assert!(Resident::of(std::process::id()).is_some_and(|memory| memory.most >= memory.now));
    }

    #[test]
    fn this_process_costs_something_and_children_belong_to_it() {
        let me = std::process::id();
        let tree = Tree::new(vec![me]);
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        assert!(tree.members().contains(&child.id()));
        assert!(tree.pss() > 0.5);
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!tree.members().contains(&child.id()));
        assert!(tree.cpu() >= 0.0 && tree.members().contains(&me));
    }
}
