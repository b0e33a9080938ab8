//! IMAP APPEND with synchronising literals, each client into its own INBOX.

use anyhow::Result;

use super::{CLIENTS, Load, messages, together};
use crate::account::pool;
use crate::client::imap::Imap;
use crate::figure::{Taken, taken};

pub(super) async fn append(load: &Load<'_>) -> Result<Vec<Taken>> {
    let many = clients(load, CLIENTS, 4000).await?;
    let one = clients(load, 1, 500).await?;
    Ok(vec![taken("append.clients20", many), taken("append.clients1", one)])
}

async fn clients(load: &Load<'_>, clients: usize, count: usize) -> Result<f64> {
    let (each, messages, endpoint) = (load.scale.of(count).div_ceil(clients), messages(4096), load.side.imap);
    let mut sessions = Vec::new();
    for n in 0..clients {
        sessions.push(Some(Imap::login(endpoint, &pool(n)).await?));
    }
    let sessions = std::sync::Arc::new(std::sync::Mutex::new(sessions));
    let seconds = together(clients, |n| {
        let session = sessions.lock().ok().and_then(|mut sessions| sessions[n].take());
        let messages = std::sync::Arc::clone(&messages);
        async move {
            let Some(mut session) = session else { anyhow::bail!("no session") };
            for k in 0..each {
                session.append("INBOX", &messages[(n + k) % messages.len()]).await?;
            }
            Ok(())
        }
    })
    .await?;
    Ok((each * clients) as f64 / seconds)
}
