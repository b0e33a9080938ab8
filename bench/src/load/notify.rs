//! How long after the 250 of a delivery a client in IDLE hears EXISTS.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::{Load, messages};
use crate::account::{address, pool};
use crate::client::imap::Imap;
use crate::client::smtp::Smtp;
use crate::figure::{Taken, median, taken};

/// An account that no other load writes to at the same time.
const ACCOUNT: usize = 49;
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn exists(load: &Load<'_>) -> Result<Vec<Taken>> {
    let mut reader = Imap::login(load.side.imap, &pool(ACCOUNT)).await?;
    reader.command("SELECT INBOX").await?;
    reader.idle().await?;
    let (to, messages, mut delays) = (address(&pool(ACCOUNT)), messages(4096), Vec::new());
    for n in 0..load.scale.of(20) {
        let mut sender = Smtp::connect(load.side.smtp).await?;
        let heard = async {
            reader.news(b" EXISTS").await?;
            Ok::<_, anyhow::Error>(Instant::now())
        };
        let said = async {
            sender.send("sender@example.org", &to, &messages[n]).await?;
            Ok::<_, anyhow::Error>(Instant::now())
        };
        let both = async { tokio::try_join!(heard, said) };
        let (heard, said) = tokio::time::timeout(PATIENCE, both).await.context("no EXISTS")??;
        // It may well come first.
        delays.push(heard.saturating_duration_since(said).as_secs_f64() * 1000.0);
        sender.quit().await?;
    }
    Ok(vec![taken("notify.exists", median(&delays).unwrap_or_default())])
}
