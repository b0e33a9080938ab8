//! What extensions keep: several messages at once (RFC 3502), replacing (RFC 8508), annotations (RFC 5464), digests, quotas.

use bytes::Bytes;
use mailwright_store::mailbox::{ANNOTATION_MAX, ANNOTATIONS_MAX};
use mailwright_store::{Append, Digest, Error, Index, Need, SpecialUse};

use crate::support::*;

#[tokio::test]
async fn messages_of_one_append_are_kept_together_or_not_at_all() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let three: Vec<Append> = (0..3).map(|number| append(message(number), 0, &[])).collect();
    let appended = mail.append_all(alice, "Sent", three.clone(), None).await.unwrap();
    assert_eq!(appended.iter().map(|appended| appended.uid).collect::<Vec<_>>(), [1, 2, 3]);
    let keywords: Vec<String> = (0..59).map(|number| format!("k{number}")).collect();
    let failing = Append { keywords, ..append(large(1), 0, &[]) };
    let failed = mail.append_all(alice, "Sent", [three, vec![failing]].concat(), None).await;
    assert!(matches!(failed, Err(Error::Limit { .. })), "{failed:?}");
    let status = mail.status(alice, "Sent").await.unwrap();
    assert_eq!((status.messages, status.uid_next), (3, 4));
    home.sound().await;
}

#[tokio::test]
async fn a_replaced_message_goes_with_what_replaces_it() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    mail.append_all(alice, "Drafts", vec![append(large(1), 0, &[])], None).await.unwrap();
    let drafts = mail.status(alice, "Drafts").await.unwrap().folder;
    let before = mail.quota(alice).await.unwrap();
    assert_eq!((before.messages, before.bytes), (1, 100_000));
    let new = mail.append_all(alice, "Drafts", vec![append(message(1), 0, &[])], Some((drafts, 1))).await;
    assert_eq!(new.unwrap()[0].uid, 2);
    let gone = mail.append_all(alice, "Drafts", vec![append(message(2), 0, &[])], Some((drafts, 1))).await;
    assert!(matches!(gone, Err(Error::Cannot(_))), "{gone:?}");
    let nowhere =
        mail.append_all(alice, "Nowhere", vec![append(message(3), 0, &[])], Some((drafts, 2))).await;
    assert!(matches!(nowhere, Err(Error::NoSuchFolder)), "{nowhere:?}");
    let after = mail.quota(alice).await.unwrap();
    assert_eq!((after.messages, after.bytes), (1, message(1).len() as u64));
    assert_eq!(mail.changes(drafts, 0).await.unwrap().rows.len(), 1);
    home.sound().await;
}

#[tokio::test]
async fn digests_follow_their_messages() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let digest = Digest { preview: "Hello".into(), thread: [7; 16] };
    let index = Index { mime: Bytes::from_static(b"index"), digest: Some(digest.clone()) };
    let with = Append { index: index.clone(), ..append(message(1), 0, &[]) };
    mail.append_all(alice, "Sent", vec![with, append(message(2), 0, &[])], None).await.unwrap();
    let mut delivery = delivery(&[alice], message(3));
    delivery.index = index;
    mail.deliver(delivery).await.unwrap();
    for (name, expected) in [("Sent", vec![1]), ("INBOX", vec![1])] {
        let folder = mail.status(alice, name).await.unwrap().folder;
        let digests = mail.digests(folder, &[1, 2]).await.unwrap();
        assert_eq!(digests.keys().copied().collect::<Vec<_>>(), expected, "{name}");
        assert_eq!(digests[&1], digest);
    }
    let sent = mail.status(alice, "Sent").await.unwrap().folder;
    mail.copy(sent, &[1], "Archive").await.unwrap();
    let archive = mail.status(alice, "Archive").await.unwrap().folder;
    assert_eq!(mail.digests(archive, &[1]).await.unwrap()[&1], digest);
    let hash = |fetched: mailwright_store::Fetched| fetched.messages[0].hash;
    let need = Need { index: true, ..Need::default() };
    let (one, other) =
        (mail.fetch(sent, &[1], need).await.unwrap(), mail.fetch(archive, &[1], need).await.unwrap());
    let one = hash(one);
    assert!(one.is_some() && one == hash(other), "a copy has the hash of its source");
    home.sound().await;
}

#[tokio::test]
async fn annotations_follow_their_folder() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let set = |name: &str, value: &[u8]| vec![(name.to_owned(), Some(value.to_vec()))];
    mail.create(alice, "work").await.unwrap();
    mail.annotate(alice, Some("work"), set("/private/comment", b"a\0b")).await.unwrap();
    mail.annotate(alice, None, set("/private/x", b"server")).await.unwrap();
    mail.rename(alice, "work", "play").await.unwrap();
    let found = mail.annotations(alice, Some("play")).await.unwrap();
    assert_eq!(found, [("/private/comment".to_owned(), b"a\0b".to_vec())]);
    assert!(matches!(mail.annotations(alice, Some("work")).await, Err(Error::NoSuchFolder)));
    assert!(mail.annotations(alice, Some("INBOX")).await.unwrap().is_empty());
    assert_eq!(mail.annotations(alice, None).await.unwrap().len(), 1);
    mail.annotate(alice, Some("play"), vec![("/private/comment".into(), None)]).await.unwrap();
    assert!(mail.annotations(alice, Some("play")).await.unwrap().is_empty());
    mail.annotate(alice, Some("play"), set("/private/comment", b"again")).await.unwrap();
    mail.delete(alice, "play").await.unwrap();
    mail.create(alice, "play").await.unwrap();
    assert!(mail.annotations(alice, Some("play")).await.unwrap().is_empty());
    home.sound().await;
}

#[tokio::test]
async fn annotations_are_limited_and_set_together() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let too_large = vec![
        ("/private/a".to_owned(), Some(vec![b'x'; 10])),
        ("/private/b".to_owned(), Some(vec![b'x'; ANNOTATION_MAX + 1])),
    ];
    assert!(matches!(mail.annotate(alice, None, too_large).await, Err(Error::Limit { .. })));
    let flood = |from: u64, to: u64| {
        (from..to).map(|n| (format!("/private/{n}"), Some(vec![b'x']))).collect::<Vec<_>>()
    };
    mail.annotate(alice, None, flood(0, ANNOTATIONS_MAX)).await.unwrap();
    let one_more = mail.annotate(alice, Some("INBOX"), flood(0, 1)).await;
    assert!(matches!(one_more, Err(Error::Limit { .. })), "{one_more:?}");
    let octets = (0..17).map(|n| (format!("/private/{n}"), Some(vec![b'x'; ANNOTATION_MAX]))).collect();
    assert!(matches!(mail.annotate(alice, None, octets).await, Err(Error::Limit { .. })));
    let kept = mail.annotations(alice, None).await.unwrap();
    assert!(kept.len() as u64 == ANNOTATIONS_MAX && kept.iter().all(|(_, value)| value.len() == 1));
}

#[tokio::test]
async fn a_special_use_is_given_once() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mail = home.store.mail();
    let taken = mail.create_for(alice, "Outbox", SpecialUse::Sent).await;
    assert!(matches!(taken, Err(Error::SpecialUseTaken)), "{taken:?}");
    mail.delete(alice, "Sent").await.unwrap();
    let outbox = mail.create_for(alice, "Outbox", SpecialUse::Sent).await.unwrap();
    let folders = mail.list(alice).await.unwrap().folders;
    let sent: Vec<_> =
        folders.iter().filter(|f| f.special_use == Some(SpecialUse::Sent)).map(|f| f.id).collect();
    assert_eq!(sent, [outbox]);
}
