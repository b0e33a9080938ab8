//! A mailbox of 10,000 messages of 4 KiB that nobody has read yet; each run has its own.

use anyhow::{Result, bail};
use tokio::task::JoinSet;

use super::{Load, timed};
use crate::account::large as account;
use crate::client::imap::Imap;
use crate::figure::{Taken, median, taken};
use crate::message::{RARE_SUBJECT, RARE_TEXT, message};

const MESSAGES: usize = 10_000;
const BODIES: usize = 1000;
const SIZE: usize = 4096;
/// Filling is no figure: several clients, many messages at a time.
const FILLERS: usize = 8;
const AT_ONCE: usize = 50;

/// Reading again is repeated: a tenth of a second is short beside what else a machine does.
const AGAIN: usize = 5;

const ENVELOPES: &str = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)";

pub(super) async fn large(load: &Load<'_>) -> Result<Vec<Taken>> {
    let name = account(load.run);
    let count = fill(load, &name).await?;
    let mut client = Imap::login(load.side.imap, &name).await?;
    let (select, _) = timed(client.command("SELECT INBOX")).await?;
    let (first, response) = timed(client.command(ENVELOPES)).await?;
    expect("envelopes", count_of(&response, b"ENVELOPE ("), count)?;
    let mut warm = Vec::new();
    for _ in 0..AGAIN {
        warm.push(timed(client.command(ENVELOPES)).await?.0);
    }
    let mut other = Imap::login(load.side.imap, &name).await?;
    let (again, _) = timed(other.command("SELECT INBOX")).await?;
    let some = BODIES.min(count);
    let (bodies, response) = timed(other.command(&format!("FETCH 1:{some} BODY.PEEK[]"))).await?;
    expect("bodies", count_of(&response, b"BODY[] {"), some)?;
    let (subject, response) = timed(other.command(&format!("SEARCH HEADER Subject {RARE_SUBJECT}"))).await?;
    expect("subjects found", found(&response), count.div_ceil(100))?;
    let (text, response) = timed(other.command(&format!("SEARCH TEXT {RARE_TEXT}"))).await?;
    expect("texts found", found(&response), (count + 49) / 100)?;
    let (store, _) = timed(other.command("STORE 1:* +FLAGS (\\Seen)")).await?;
    client.logout().await?;
    other.logout().await?;
    Ok(vec![
        taken("large.select", select),
        taken("large.again", again),
        taken("large.fetch", first),
        taken("large.warm", median(&warm).unwrap_or_default()),
        taken("large.bodies", (some * SIZE) as f64 / 1e6 / (bodies / 1000.0)),
        taken("large.subject", subject),
        taken("large.text", text),
        taken("large.store", store),
    ])
}

/// Fills the mailbox and returns how many messages it has.
async fn fill(load: &Load<'_>, name: &str) -> Result<usize> {
    let each = load.scale.of(MESSAGES).div_ceil(FILLERS);
    let mut tasks = JoinSet::new();
    for filler in 0..FILLERS {
        let mut client = Imap::login(load.side.imap, name).await?;
        tasks.spawn(async move {
            let numbers: Vec<usize> = (filler * each..(filler + 1) * each).collect();
            for part in numbers.chunks(AT_ONCE) {
                let part: Vec<Vec<u8>> = part.iter().map(|n| message(*n, SIZE)).collect();
                client.append_all("INBOX", &part).await?;
            }
            client.logout().await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(each * FILLERS)
}

/// A figure of an answer that is not the right one is no figure.
fn expect(what: &str, found: usize, expected: usize) -> Result<()> {
    if found != expected {
        bail!("{found} {what} instead of {expected}");
    }
    Ok(())
}

fn count_of(response: &[u8], part: &[u8]) -> usize {
    response.windows(part.len()).filter(|window| *window == part).count()
}

/// The numbers that SEARCH found.
fn found(response: &[u8]) -> usize {
    let text = String::from_utf8_lossy(response);
    let line = text.lines().find_map(|line| line.strip_prefix("* SEARCH"));
    line.map_or(0, |numbers| numbers.split_whitespace().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted() {
        assert_eq!(found(b"* SEARCH 1 5 9\r\nbench1 OK done\r\n"), 3);
        assert_eq!(found(b"* SEARCH\r\nbench1 OK done\r\n"), 0);
        assert_eq!(count_of(b"x ENVELOPE (a) ENVELOPE (b)", b"ENVELOPE ("), 2);
        assert!(expect("things", 1, 2).is_err());
    }
}
