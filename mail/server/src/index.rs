//! The MIME index of a message about to be stored, made where it holds up nobody else.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use mailwright_store::{Digest, Index};
use tokio::sync::Semaphore;

/// Largest message that is indexed on the session's own thread; a larger one would hold up its neighbours.
const INLINE: usize = 64 * 1024;

/// Indexes made at once, one per core: anybody may send messages, and the threads they are made on are everybody's.
static CORES: LazyLock<Arc<Semaphore>> =
    LazyLock::new(|| Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(1, usize::from))));

/// What a message is stored with; `None` when the indexing thread died.
pub(crate) async fn index(raw: Bytes) -> Option<Index> {
    let inline = raw.len() <= INLINE;
    let work = move || {
        let index = mailwright_imap::message::index(&raw);
        let mailwright_imap::Digest { preview, thread_id } = mailwright_imap::message::digest(&raw, &index);
        let digest = Some(Digest { preview, thread: thread_id });
        Index { mime: Bytes::from(index.encode()), digest }
    };
    if inline { Some(work()) } else { in_turn(Arc::clone(&CORES), work).await }
}

/// Does a piece of work apart from the runtime, when it is its turn.
async fn in_turn<T: Send + 'static>(
    turns: Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let turn = turns.acquire_owned().await.ok()?;
    let work = move || {
        // The turn ends with the work, also when nobody waits for it any more.
        let _turn = turn;
        work()
    };
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use mailwright_imap::message::Index as Mime;

    use super::*;

    #[tokio::test]
    async fn small_and_large_messages_have_the_same_index() {
        let header = "Subject: hello\r\nFrom: alice@example.test\r\n\r\n";
        for body in [10, INLINE, 4 * INLINE] {
            let raw = Bytes::from(format!("{header}{}\r\n", "x".repeat(body)));
            let index = Mime::decode(&index(raw).await.unwrap().mime).unwrap();
            assert_eq!(index.header_size(), header.len(), "{body}");
        }
    }
    #[tokio::test]
    async fn large_messages_take_turns() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let turns = Arc::new(Semaphore::new(2));
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let started: Vec<_> = (0..20)
            .map(|number| {
                let (running, most) = (Arc::clone(&running), Arc::clone(&most));
                let work = move || {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    running.fetch_sub(1, Ordering::SeqCst);
                    number
                };
                tokio::spawn(in_turn(Arc::clone(&turns), work))
            })
            .collect();
        for (number, work) in started.into_iter().enumerate() {
            assert_eq!(work.await.unwrap(), Some(number));
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
        let dies = || -> usize { panic!("on purpose") };
        assert_eq!(in_turn(Arc::clone(&turns), dies).await, None);
        assert_eq!(turns.available_permits(), 2, "a turn comes back");
    }
}
