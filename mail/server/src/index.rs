//! The MIME index of a message about to be stored, made where it holds up nobody else.

use bytes::Bytes;

/// Largest message that is indexed on the session's own thread; a larger one would hold up its neighbours.
const INLINE: usize = 64 * 1024;

/// The encoded index of a message; `None` when the indexing thread died.
pub(crate) async fn index(raw: Bytes) -> Option<Bytes> {
    let inline = raw.len() <= INLINE;
    let work = move || Bytes::from(mailwright_imap::message::index(&raw).encode());
    if inline { Some(work()) } else { tokio::task::spawn_blocking(work).await.ok() }
}

#[cfg(test)]
mod tests {
    use mailwright_imap::message::Index;

    use super::*;

    #[tokio::test]
    async fn small_and_large_messages_have_the_same_index() {
        let header = "Subject: hello\r\nFrom: alice@example.test\r\n\r\n";
        for body in [10, INLINE, 4 * INLINE] {
            let raw = Bytes::from(format!("{header}{}\r\n", "x".repeat(body)));
            let index = Index::decode(&index(raw).await.unwrap()).unwrap();
            assert_eq!(index.header_size(), header.len(), "{body}");
        }
    }
}
