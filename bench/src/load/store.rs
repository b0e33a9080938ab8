//! STORE of one flag of one message, each client in its own INBOX.

use anyhow::Result;

use super::{CLIENTS, Load, messages, together};
use crate::account::pool;
use crate::client::imap::Imap;
use crate::figure::{Taken, taken};

/// Messages that the commands go through.
const MESSAGES: usize = 50;

pub(super) async fn flags(load: &Load<'_>) -> Result<Vec<Taken>> {
    let (each, endpoint, filling) = (load.scale.of(400), load.side.imap, messages(4096));
    let mut sessions = Vec::new();
    for n in 0..CLIENTS {
        let mut session = Imap::login(endpoint, &pool(n)).await?;
        if session.messages("INBOX").await? < MESSAGES {
            session.append_all("INBOX", &filling[..MESSAGES]).await?;
        }
        session.command("SELECT INBOX").await?;
        sessions.push(Some(session));
    }
    let sessions = std::sync::Arc::new(std::sync::Mutex::new(sessions));
    let seconds = together(CLIENTS, |n| {
        let session = sessions.lock().ok().and_then(|mut sessions| sessions[n].take());
        async move {
            let Some(mut session) = session else { anyhow::bail!("no session") };
            for k in 0..each {
                let sign = if (k / MESSAGES).is_multiple_of(2) { '+' } else { '-' };
                session.command(&format!("STORE {} {sign}FLAGS (\\Flagged)", k % MESSAGES + 1)).await?;
            }
            Ok(())
        }
    })
    .await?;
    Ok(vec![taken("store.clients20", (each * CLIENTS) as f64 / seconds)])
}
