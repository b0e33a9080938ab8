//! How long a change needs from the API server to the mail server: a quota that an open session is told of, a password that a
//! login needs, an address that takes mail. The change is sent as kubectl sends it, without kubectl's own start.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mailwright_tests::cluster::Refusal;
use mailwright_tests::harness::wire::Wire;
use serde_json::json;

use super::bed::Bed;
use super::objects::{HASHES, PASSWORDS, Population, name};
use crate::figure::median;
use crate::tally::Figures;

/// The ports of a pod whose MailServer says nothing else.
const SMTP: u16 = 2525;
const IMAP: u16 = 1143;

/// Between two questions: shorter than what is measured, long enough to leave the processor to the others.
const INTERVAL: Duration = Duration::from_millis(5);

/// What takes longer is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two changes: a pass that the last one caused is over.
const PAUSE: Duration = Duration::from_millis(700);

/// Makes each change so often; medians and worst, in milliseconds.
pub fn take(bed: &Bed, population: &Population, times: usize, figures: &mut Figures) -> Result<()> {
    let mut series = |names: [&'static str; 2], one: &dyn Fn(usize) -> Result<Duration>| -> Result<()> {
        let mut taken = Vec::new();
        for n in 0..times {
            std::thread::sleep(PAUSE);
            taken.push(one(n).with_context(|| format!("{}, number {n}", names[0]))?.as_secs_f64() * 1000.0);
        }
        let worst = taken.iter().copied().fold(0.0, f64::max);
        figures.add(names[0], median(&taken).unwrap_or_default());
        figures.add(names[1], worst);
        Ok(())
    };
    series(["live.quota", "live.quota.worst"], &|n| quota(bed, population, n))?;
    series(["live.password", "live.password.worst"], &|n| password(bed, population, n))?;
    series(["live.new", "live.new.worst"], &|n| new(bed, population, n))
}

/// `spec.quota` of a Mailbox, seen by a session that asks for it.
fn quota(bed: &Bed, population: &Population, n: usize) -> Result<Duration> {
    let who = population.without_secret(n);
    let mut session = login(bed, n, &population.address(who), PASSWORDS[0])?.context("the first password")?;
    let mib = 2048 + n;
    let start = Instant::now();
    let fields = json!({"spec": {"quota": format!("{mib}Mi")}});
    bed.api().patch(&population.mailbox_path(&name(who)), &fields).map_err(refused)?;
    let expected = format!(" {} MESSAGE ", mib * 1024);
    until(start, || {
        let answer = session.imap("q", "GETQUOTAROOT INBOX")?;
        Ok(answer
            .lines()
            .any(|line| line.starts_with("* QUOTA ") && line.contains(&expected))
            .then(Instant::now))
    })
}

/// A Secret of a Mailbox, seen by the first login that the old password is refused to. Refusing takes the server a while on
/// purpose, so what counts is when that login was sent.
fn password(bed: &Bed, population: &Population, n: usize) -> Result<Duration> {
    let who = population.with_secret(n);
    let address = population.address(who);
    let start = Instant::now();
    let fields = json!({"stringData": {"password": HASHES[1]}});
    bed.api().patch(&population.secret_path(&name(who)), &fields).map_err(refused)?;
    let took = until(start, || {
        let sent = Instant::now();
        Ok(login(bed, n, &address, PASSWORDS[0])?.is_none().then_some(sent))
    })?;
    login(bed, n, &address, PASSWORDS[1])?.context("the new password is refused")?;
    Ok(took)
}

/// A Mailbox that is created, seen by the first RCPT that is accepted.
fn new(bed: &Bed, population: &Population, n: usize) -> Result<Duration> {
    let who = population.new_one(n);
    let address = population.address(who);
    let start = Instant::now();
    bed.api().create(&population.collection("mailboxes"), &population.mailbox(who)).map_err(refused)?;
    until(start, || {
        let mut session = connect(bed, n, SMTP)?;
        session.reply()?;
        for command in ["EHLO client.example.org", "MAIL FROM:<bench@example.org>"] {
            session.smtp(command)?;
        }
        let reply = session.smtp(&format!("RCPT TO:<{address}>"))?;
        Ok(reply.starts_with("250").then(Instant::now))
    })
}

/// Asks until there is an answer; how long after `start` that was.
fn until(start: Instant, mut ask: impl FnMut() -> Result<Option<Instant>>) -> Result<Duration> {
    loop {
        if let Some(at) = ask()? {
            return Ok(at - start);
        }
        if start.elapsed() > PATIENCE {
            bail!("not in force after {PATIENCE:?}");
        }
        std::thread::sleep(INTERVAL);
    }
}

/// From an address of its own each time, so that one refusal does not slow the next.
fn connect(bed: &Bed, n: usize, port: u16) -> Result<Wire> {
    let client = Ipv4Addr::new(127, 32, u8::try_from(n % 250)?, 1);
    Ok(Wire::connect_between(IpAddr::V4(client), SocketAddr::new(bed.pod().address(), port))?)
}

/// A session that is logged in; `None` when the password is refused.
fn login(bed: &Bed, n: usize, address: &str, password: &str) -> Result<Option<Wire>> {
    let mut session = connect(bed, n, IMAP)?;
    session.line()?;
    let answer = session.imap("a", &format!("LOGIN {address} {password}"))?;
    Ok(answer.lines().last().is_some_and(|line| line.starts_with("a OK")).then_some(session))
}

fn refused(refusal: Refusal) -> anyhow::Error {
    anyhow::anyhow!("the API server refuses: {refusal:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_answer() {
        let start = Instant::now();
        let mut turns = 0;
        let took = until(start, || {
            turns += 1;
            Ok((turns == 3).then_some(start + Duration::from_millis(42)))
        });
        assert_eq!((took.unwrap(), turns), (Duration::from_millis(42), 3));
        assert!(until(start, || bail!("no")).is_err());
    }
}
