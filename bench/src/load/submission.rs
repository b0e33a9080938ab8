//! Submission over TLS with AUTH, signing, the queue, and the relay to the sink: a message counts when the sink has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::{CLIENTS, Load, messages, together};
use crate::account::{PASSWORD, address, pool};
use crate::client::smtp::Smtp;
use crate::figure::{Taken, taken};

const LOOK: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) async fn relayed(load: &Load<'_>) -> Result<Vec<Taken>> {
    let sink = load.sink.context("submission needs a sink")?;
    let endpoint = load.side.submission.context("no submission on this side")?;
    let count = load.scale.of(1000);
    let (before, signed, cpu) = (sink.messages(), sink.signed(), load.side.tree.cpu());
    let (next, messages, start) = (Arc::new(AtomicUsize::new(0)), messages(4096), Instant::now());
    together(CLIENTS.min(count), |client| {
        let (next, messages) = (Arc::clone(&next), Arc::clone(&messages));
        async move {
            let from = address(&pool(client));
            let mut session = Smtp::connect(endpoint).await?;
            session.login(&from, PASSWORD).await?;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= count {
                    return session.quit().await;
                }
                // The header's From is foreign in the pool of messages: who submits writes their own.
                let message = own(&messages[n % messages.len()], &from);
                session.send(&from, &format!("reader{n}@example.net"), &message).await?;
            }
        }
    })
    .await?;
    while sink.messages() < before + count {
        if start.elapsed() > PATIENCE {
            bail!("only {} of {count} messages were relayed", sink.messages() - before);
        }
        tokio::time::sleep(LOOK).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    if sink.signed() - signed != count {
        bail!("only {} of {count} messages were signed", sink.signed() - signed);
    }
    let cpu = (load.side.tree.cpu() - cpu) / count as f64 * 1000.0;
    Ok(vec![taken("submission.relayed", count as f64 / seconds), taken("submission.cpu", cpu)])
}

/// The message with this address in its first line, which is From.
fn own(message: &[u8], from: &str) -> Vec<u8> {
    let rest = message.iter().position(|byte| *byte == b'\r').unwrap_or_default();
    let mut own = format!("From: <{from}>").into_bytes();
    own.extend_from_slice(&message[rest..]);
    own
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_first_line_becomes_ones_own() {
        let own = super::own(b"From: x <x@example.org>\r\nTo: y\r\n\r\n", "a@example.test");
        assert_eq!(own, b"From: <a@example.test>\r\nTo: y\r\n\r\n");
    }
}
