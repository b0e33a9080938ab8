//! SMTP in: 20 sessions, one recipient per message out of 50. A message counts as stored when STATUS (MESSAGES) of the
//! recipients has grown by it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{CLIENTS, Load, messages, together};
use crate::account::{POOL, address, pool};
use crate::client::imap::Imap;
use crate::client::smtp::Smtp;
use crate::figure::{Taken, taken};
use crate::process::Tree;
use crate::side::Side;

/// Between two looks whether all is stored.
const LOOK: Duration = Duration::from_millis(10);
/// Mail that is not there after this long is lost.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at the memory: adding it up takes the machine's time.
const SAMPLE: Duration = Duration::from_millis(250);

pub(super) async fn separate(load: &Load<'_>) -> Result<Vec<Taken>> {
    let stored = send(load, 2000, 4096, true).await?;
    Ok(vec![
        taken("inbound.accepted", stored.accepted),
        taken("inbound.stored", stored.stored),
        taken("inbound.cpu", stored.cpu),
        taken("inbound.memory", stored.memory),
    ])
}

pub(super) async fn many(load: &Load<'_>) -> Result<Vec<Taken>> {
    let stored = send(load, 2000, 4096, false).await?;
    Ok(vec![taken("inbound-many.stored", stored.stored), taken("inbound-many.cpu", stored.cpu)])
}

pub(super) async fn big(load: &Load<'_>) -> Result<Vec<Taken>> {
    let stored = send(load, 1000, 65536, true).await?;
    Ok(vec![taken("inbound-64k.stored", stored.stored), taken("inbound-64k.cpu", stored.cpu)])
}

async fn send(load: &Load<'_>, count: usize, size: usize, separate: bool) -> Result<Stored> {
    Stored::measure(load.side, load.scale.of(count), size, separate).await
}

/// What one load of incoming mail showed.
#[derive(Debug)]
pub struct Stored {
    accepted: f64,
    stored: f64,
    cpu: f64,
    memory: f64,
}

impl Stored {
    /// Sends so many messages of a size and waits until all are stored.
    pub async fn measure(side: &Side, count: usize, size: usize, separate: bool) -> Result<Stored> {
        let mut counted = Counted::start(side).await?;
        tokio::task::block_in_place(|| side.tree.rest());
        let sampler = Sampler::start(side.tree.clone());
        let (cpu, start) = (side.tree.cpu(), Instant::now());
        let (next, messages, endpoint) = (Arc::new(AtomicUsize::new(0)), messages(size), side.smtp);
        let accepted = together(CLIENTS.min(count), |_| {
            let (next, messages) = (Arc::clone(&next), Arc::clone(&messages));
            async move {
                let mut open = None;
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    let mut session = match open.take() {
                        Some(session) => session,
                        None => Smtp::connect(endpoint).await?,
                    };
                    let to = address(&pool(n));
                    session.send("sender@example.org", &to, &messages[n % messages.len()]).await?;
                    match separate {
                        true => session.quit().await?,
                        false => open = Some(session),
                    }
                }
                match open {
                    Some(session) => session.quit().await,
                    None => Ok(()),
                }
            }
        })
        .await?;
        counted.wait(count).await?;
        let seconds = start.elapsed().as_secs_f64();
        let cpu = side.tree.cpu() - cpu;
        counted.end().await?;
        let each = count as f64;
        Ok(Stored {
            accepted: each / accepted,
            stored: each / seconds,
            cpu: cpu / each * 1000.0,
            memory: sampler.most(),
        })
    }
}

/// Sessions that ask how many messages each account of the pool has.
struct Counted {
    sessions: Vec<(Imap, usize)>,
}

impl Counted {
    async fn start(side: &Side) -> Result<Counted> {
        let mut sessions = Vec::new();
        for n in 0..POOL {
            let mut session = Imap::login(side.imap, &pool(n)).await?;
            let before = session.messages("INBOX").await?;
            sessions.push((session, before));
        }
        Ok(Counted { sessions })
    }

    /// Waits until `count` messages, dealt out in turn, have come.
    async fn wait(&mut self, count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        for (n, (session, before)) in self.sessions.iter_mut().enumerate() {
            let expected = *before + count / POOL + usize::from(n < count % POOL);
            loop {
                let found = session.messages("INBOX").await?;
                if found == expected {
                    break;
                }
                if found > expected || Instant::now() > deadline {
                    bail!("{} has {found} messages instead of {expected}", pool(n));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    async fn end(self) -> Result<()> {
        for (session, _) in self.sessions {
            session.logout().await?;
        }
        Ok(())
    }
}

/// Looks at the memory of a server now and then.
struct Sampler {
    most: Arc<std::sync::Mutex<f64>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl Sampler {
    fn start(tree: Tree) -> Sampler {
        let sampler = Sampler { most: Arc::default(), stop: Arc::default() };
        let (most, stop) = (Arc::clone(&sampler.most), Arc::clone(&sampler.stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let now = tree.pss();
                let mut most = most.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                *most = most.max(now);
                drop(most);
                std::thread::sleep(SAMPLE);
            }
        });
        sampler
    }

    fn most(&self) -> f64 {
        *self.most.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
