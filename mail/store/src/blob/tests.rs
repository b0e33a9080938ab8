//! Blobs apart from the database.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::*;
use crate::crash::Crash;

fn blobs(directory: &Path) -> Arc<Blobs> {
    Arc::new(Blobs::open(directory, Arc::new(Crash::new(None))).unwrap())
}

fn noise(len: usize) -> Bytes {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes.into()
}

#[tokio::test]
async fn every_place_gives_the_bytes_back() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = blobs(dir.path());
    let text = Bytes::from("Subject: hello\r\n\r\n".repeat(100));
    let cases = [
        (Bytes::new(), Place::Plain),
        (Bytes::from_static(b"x"), Place::Plain),
        (text, Place::Zstd),
        (noise(INLINE_MAX), Place::Plain),
        (noise(INLINE_MAX + 1), Place::File),
        (Bytes::from(vec![b'a'; INLINE_RAW_MAX]), Place::Zstd),
        (Bytes::from(vec![b'a'; INLINE_RAW_MAX + 1]), Place::File),
    ];
    for (raw, place) in cases {
        let blob = prepare(&blobs, &raw).await.unwrap();
        assert_eq!((blob.place, blob.size), (place, raw.len() as i64));
        let data = blob.data.clone().unwrap_or_default();
        let back = read(&blobs, place as i64, blob.hash.as_bytes(), blob.size, data).await.unwrap();
        assert_eq!(back.as_ref(), Some(&raw));
    }
}

#[tokio::test]
async fn the_same_large_bytes_are_one_file() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = blobs(dir.path());
    let raw = noise(INLINE_MAX * 2);
    let first = prepare(&blobs, &raw).await.unwrap();
    let second = prepare(&blobs, &raw).await.unwrap();
    assert!(first.hash == second.hash);
    assert_eq!(blobs.written.load(Ordering::Relaxed), 1);
    assert_eq!(std::fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_pinned_file_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = blobs(dir.path());
    let raw = noise(INLINE_MAX * 2);
    let (first, second) = (prepare(&blobs, &raw).await.unwrap(), prepare(&blobs, &raw).await.unwrap());
    let hash = first.hash;
    assert!(!blobs.remove(hash));
    drop(first);
    assert!(!blobs.remove(hash) && !blobs.has_released());
    drop(second);
    assert!(blobs.take_released() == [hash]);
    assert!(blobs.remove(hash) && blobs.remove(hash));
    assert_eq!(blobs.removed.load(Ordering::Relaxed), 1);
    assert_eq!(blobs.read(hash).await.unwrap(), None);
}

#[tokio::test]
async fn damaged_rows_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let blobs = blobs(dir.path());
    let hash = Hash::of(b"x");
    for (place, hash, size, data) in [
        (0, hash.as_bytes(), 2, b"x".to_vec()),
        (1, hash.as_bytes(), 9, b"not zstd".to_vec()),
        (3, hash.as_bytes(), 1, b"x".to_vec()),
        (2, &hash.as_bytes()[1..], 1, Vec::new()),
    ] {
        let result = read(&blobs, place, hash, size, data).await;
        assert!(matches!(result, Err(Error::Damaged(_))), "place {place} size {size}");
    }
}

#[test]
fn opening_clears_half_written_files_and_lists_whole_ones() {
    let dir = tempfile::tempdir().unwrap();
    drop(blobs(dir.path()));
    std::fs::write(dir.path().join("tmp/7"), "half").unwrap();
    let hash = Hash::of(b"whole");
    std::fs::create_dir(path_of(dir.path(), hash).parent().unwrap()).unwrap();
    std::fs::write(path_of(dir.path(), hash), "whole").unwrap();
    let blobs = blobs(dir.path());
    assert!(!dir.path().join("tmp/7").exists());
    let shard = &hash.to_hex()[..2];
    std::fs::write(dir.path().join(shard).join("stranger"), "").unwrap();
    assert!(blobs.list(shard).unwrap().into_iter().eq([hash]));
    assert!(shards().count() == 256 && blobs.list("no").unwrap().is_empty());
}

proptest! {
    #[test]
    fn compression_goes_there_and_back(raw in proptest::collection::vec(any::<u8>(), 0..4000), times in 1..9usize) {
        let raw = raw.repeat(times);
        match compress(&raw) {
            Some(packed) => {
                prop_assert!(packed.len() < raw.len());
                prop_assert_eq!(decompress(&packed, raw.len()).unwrap(), raw);
            }
            None => prop_assert!(times < 3 || raw.len() < 200),
        }
    }

    #[test]
    fn random_bytes_never_decompress_into_trouble(packed in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(raw) = decompress(&packed, 1000) {
            prop_assert!(raw.len() <= 1000);
        }
    }

    #[test]
    fn hashes_print_and_parse(bytes in any::<[u8; 32]>()) {
        let hash = Hash(bytes);
        prop_assert!(Hash::from_hex(&hash.to_hex()) == Some(hash));
        prop_assert!(Hash::from_bytes(hash.as_bytes()).unwrap() == hash);
    }
}
