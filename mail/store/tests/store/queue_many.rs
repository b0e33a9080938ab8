//! A queue of a hundred thousand: what is due is found along an index, whatever waits behind it.

use mailwright_store::{QueueFilter, Settled, Settlement};

use crate::queue::{outgoing, recipient};
use crate::support::*;

const RECIPIENTS: usize = 100_000;

/// Ten messages of ten thousand recipients each, all of them due much later, and one that is due now.
async fn filled() -> Home {
    let home = Home::new().await;
    for number in 0..RECIPIENTS / 10_000 {
        let mut later = outgoing(&["x@x.test"], message(number));
        later.recipients = (0..10_000).map(|n| recipient(&format!("u{n}@d{}.test", n % 500))).collect();
        later.next_attempt = START + 86_400;
        home.store.queue().enqueue(later).await.unwrap();
    }
    home
}

#[tokio::test]
async fn what_is_due_is_found_behind_a_hundred_thousand() {
    let home = filled().await;
    let queue = home.store.queue();
    assert_eq!(queue.stats().await.unwrap().queued, RECIPIENTS as u64);
    for _ in 0..20 {
        queue.enqueue(outgoing(&["now@here.test"], message(1))).await.unwrap();
        assert_eq!(queue.next_due(&[]).await.unwrap(), Some(START));
        let taken = queue.due(START, 50, START + 600, &[]).await.unwrap();
        assert_eq!(taken.len(), 1);
        let results = vec![(taken[0].recipients[0].id, Settled::Done)];
        let settlement =
            Settlement { lease: taken[0].lease, message: taken[0].message.id, results, delivery: None };
        assert!(queue.settle(settlement).await.unwrap().complete);
        assert!(queue.due(START, 50, START + 600, &[]).await.unwrap().is_empty());
    }
    // All of them at once come in the slices that were asked for.
    let taken = queue.due(START + 86_400, 250, START + 90_000, &[]).await.unwrap();
    assert_eq!(taken.iter().map(|due| due.recipients.len()).sum::<usize>(), 250);
    let domain = QueueFilter { domain: Some("d7.test".into()), limit: 0, ..QueueFilter::default() };
    assert_eq!(queue.hold(&domain).await.unwrap().recipients, RECIPIENTS as u64 / 500);
    let removed = queue.delete(&QueueFilter::default()).await.unwrap();
    assert_eq!(removed.recipients, RECIPIENTS as u64);
    home.sound().await;
}
