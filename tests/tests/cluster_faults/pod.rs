//! An operator that dies at every question to the pod: before it was delivered, and after it was answered but before the answer
//! came. Among them are all that change the account database and what is pushed to the server.

use super::bench::{Bench, LONG};
use super::converges::differences;
use super::crash::{QUIET, calm, counter, give_lease_back, leads};
use super::gate::Silent;
use std::time::Instant;

/// More questions than any life has before everything is as declared.
const QUESTIONS: usize = 60;

/// What a life left behind in the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wrote {
    rows: bool,
    pushed: bool,
}

/// Lives until a question; `None` when all was done before it.
fn live(bench: &Bench, question: usize, silent: Silent) -> Option<Wrote> {
    let written = || (counter(bench).unwrap_or_default(), bench.pushed());
    let (rows, pushed) = written();
    give_lease_back(bench);
    bench.gate.arm(question, silent);
    let mut operator = bench.operator();
    let (start, mut quiet_since) = (Instant::now(), Instant::now());
    while !bench.gate.is_silent() {
        if bench.is_converged().is_err() || !leads(&operator) {
            quiet_since = Instant::now();
        }
        if quiet_since.elapsed() > QUIET {
            operator.kill();
            return None;
        }
        assert!(start.elapsed() < LONG, "question {question} never comes: {:#?}", bench.is_converged());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    operator.kill();
    let now = written();
    Some(Wrote { rows: now.0 != rows, pushed: now.1 != pushed })
}

/// Dies at every question from this one until none is left: how many there are, and those that changed something.
fn die_at_every_question(bench: &Bench, mut question: usize) -> (usize, Vec<(usize, Wrote)>) {
    let mut writes = Vec::new();
    loop {
        let Some(before) = live(bench, question, Silent::Before) else { return (question, writes) };
        assert!(!before.rows && !before.pushed, "question {question} was not delivered, and yet {before:?}");
        let Some(after) = live(bench, question, Silent::After) else { return (question, writes) };
        let wrote = after.rows || after.pushed;
        writes.extend(wrote.then_some((question, after)));
        // The same number is another question once something is done.
        question += usize::from(!wrote);
        assert!(question < QUESTIONS, "it never ends");
    }
}

#[test]
fn a_crash_at_any_question_to_the_pod_leads_to_the_same_end() {
    let Some(bench) = Bench::new(1) else { return };
    bench.install();
    let (questions, first) = die_at_every_question(&bench, 1);
    bench.change();
    // Saying hello, and asking how it is, come first again.
    let (later_questions, later) = die_at_every_question(&bench, first[0].0 - 1);
    println!("{questions} questions with {first:?}, then {later_questions} with {later:?}");
    let rows = |all: &[(usize, Wrote)]| all.iter().filter(|(_, it)| it.rows).count();
    let pushes = |all: &[(usize, Wrote)]| all.iter().filter(|(_, it)| it.pushed).count();
    assert_eq!((rows(&first), pushes(&first), rows(&later)), (1, 1, 1), "{first:?} {later:?}");
    let Some(calm) = calm() else { return };
    assert_eq!(differences(&calm, &bench.picture()), Vec::<String>::new());
}
