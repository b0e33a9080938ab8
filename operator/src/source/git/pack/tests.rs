//! Packs made by hand and by Git, in pieces, and beyond every limit.

use std::io::Write;
use std::process::Command;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use git2::{ObjectType, Repository};
use proptest::prelude::*;

use super::*;

/// An empty pack (gitformat-pack(5)): header, no objects, SHA-1 of the header.
const EMPTY: &[u8] =
    b"PACK\0\0\0\x02\0\0\0\0\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e";

const SMALL: Limits =
    Limits { bytes: 10_000, objects: 300, object: 2_000, inflated: 5_000, depth: 5, named: 3 };

const BLOB: u8 = 3;
const OFFSET_DELTA: u8 = 6;
const NAMED_DELTA: u8 = 7;

/// One object that announces `size`.
fn entry(kind: u8, size: u64, base: &[u8], data: &[u8]) -> Vec<u8> {
    let mut head = vec![(kind << 4) | (size & 15) as u8];
    let mut size = size >> 4;
    while size > 0 {
        *head.last_mut().unwrap() |= 128;
        head.push((size & 127) as u8);
        size >>= 7;
    }
    head.extend_from_slice(base);
    let mut encoder = ZlibEncoder::new(head, Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

fn blob(size: usize) -> Vec<u8> {
    entry(BLOB, size as u64, &[], &vec![0; size])
}

/// A delta of a small base to a result of this size; its instructions do not matter here.
fn delta(kind: u8, base: &[u8], result: u64) -> Vec<u8> {
    let mut data = vec![1];
    let mut size = result;
    while size > 127 {
        data.push((size & 127) as u8 | 128);
        size >>= 7;
    }
    data.extend([size as u8, 1, b'x']);
    entry(kind, data.len() as u64, base, &data)
}

fn pack(entries: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(entries.len()).unwrap().to_be_bytes();
    [b"PACK\0\0\0\x02".to_vec(), count.to_vec(), entries.concat(), vec![0; 20]].concat()
}

fn scan(bytes: &[u8], piece: usize, limits: Limits) -> Result<(), String> {
    let mut scanner = Scanner::new(limits);
    let pieces = bytes.chunks(piece).try_for_each(|piece| scanner.input(piece));
    pieces.and_then(|()| scanner.finish()).map_err(|error| error.to_string())
}

/// The objects of a pack, and what is said of them.
type Case = (Vec<Vec<u8>>, Result<(), String>);

#[test]
fn each_limit_is_told_with_a_remedy() {
    let file = "take it out of the branch: manifests are small";
    let chain = |length: usize| {
        // Every delta points at the one before it.
        let mut entries = vec![blob(10)];
        for _ in 0..length {
            let back = entries.last().unwrap().len() as u8;
            entries.push(delta(OFFSET_DELTA, &[back], 10));
        }
        entries
    };
    let named = |count: usize| vec![delta(NAMED_DELTA, &[7; 20], 10); count];
    let table: [Case; 14] = [
        (vec![], Ok(())),
        (vec![blob(0), blob(2_000), blob(15), blob(16)], Ok(())),
        (
            vec![blob(2_001)],
            Err(format!("a file of 2001 bytes in the commit (the limit is 2000) is refused; {file}")),
        ),
        (
            vec![entry(BLOB, 1 << 40, &[], b"x")],
            Err(format!(
                "a file of 1099511627776 bytes in the commit (the limit is 2000) is refused; {file}"
            )),
        ),
        // What says that it is small, and is not.
        (
            vec![entry(BLOB, 10, &[], &[0; 5_000_000])],
            Err("the pack cannot be stored: an object is larger than it says".to_owned()),
        ),
        (
            vec![entry(BLOB, 10, &[], b"short")],
            Err("the pack cannot be stored: an object is smaller than it says".to_owned()),
        ),
        (
            vec![blob(2_000); 3],
            Err("a fetch that unpacks to more than 5000 bytes is refused; follow a smaller repository"
                .to_owned()),
        ),
        (
            vec![blob(1); 301],
            Err("a fetch of more than 300 objects is refused; follow a smaller repository".to_owned()),
        ),
        (chain(5), Ok(())),
        (
            chain(6),
            Err("a pack with more than 5 deltas on each other is refused; run git gc on the server"
                .to_owned()),
        ),
        (named(3), Ok(())),
        (
            named(4),
            Err("a pack with more than 3 named bases is refused; run git gc on the server".to_owned()),
        ),
        (
            vec![blob(10), delta(NAMED_DELTA, &[7; 20], 1 << 30)],
            Err(format!("a file of 1073741824 bytes in the commit (the limit is 2000) is refused; {file}")),
        ),
        (
            vec![delta(OFFSET_DELTA, &[100], 10)],
            Err("the pack cannot be stored: a delta has no base".to_owned()),
        ),
    ];
    for (entries, expected) in table {
        let bytes = pack(&entries);
        for piece in [1, 7, 4096] {
            assert_eq!(scan(&bytes, piece, SMALL), expected, "{} entries in {piece}", entries.len());
        }
    }
    let long = pack(&vec![entry(BLOB, 100, &[], &[0; 100]); 200]);
    let long = [long, vec![0; 10_000]].concat();
    assert_eq!(
        scan(&long, 64, Limits { inflated: 50_000, ..SMALL }),
        Err("the pack cannot be stored: there is something behind its end".to_owned())
    );
    assert_eq!(
        scan(&long, 20_000, SMALL),
        Err("a fetch of more than 10000 bytes is refused; follow a smaller repository".to_owned())
    );
}

#[test]
fn what_is_no_pack_is_refused_at_its_header() {
    for bytes in [&b""[..], b"PACK", b"<html>not a pack</html>", b"PACK\0\0\0\x09\0\0\0\0"] {
        assert_eq!(scan(bytes, 5, SMALL), Err("the server sent no pack".to_owned()), "{bytes:?}");
    }
    let damaged = [
        (pack(&[vec![0x00]]), "an object of an unknown kind"),
        (pack(&[vec![0x50]]), "an object of an unknown kind"),
        (pack(&[vec![0xff; 12]]), "an object of an impossible size"),
        (pack(&[[vec![0x61], vec![0xff; 12]].concat()]), "a delta has no base"),
        (pack(&[vec![0x31, 0xff, 0xff, 0xff]]), "an object is not compressed as it should be"),
        (pack(&[blob(10)])[..20].to_vec(), "it ends early"),
    ];
    for (bytes, expected) in damaged {
        assert_eq!(scan(&bytes, 3, SMALL), Err(format!("the pack cannot be stored: {expected}")));
    }
}

fn store(bytes: &[u8], piece: usize) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let repository = Repository::init_bare(directory.path()).unwrap();
    let odb = repository.odb().unwrap();
    let mut sink = PackSink::new(&odb).unwrap();
    let written = bytes.chunks(piece).try_for_each(|piece| sink.write(piece));
    written.and_then(|()| sink.finish()).map_err(|error| error.to_string())
}

#[test]
fn packs_are_stored_in_any_pieces_and_never_when_damaged() {
    for piece in [1, 5, 12, 13, 100] {
        assert_eq!(store(EMPTY, piece), Ok(()), "{piece}");
    }
    let mut damaged = EMPTY.to_vec();
    damaged[20] ^= 1;
    for bytes in [&EMPTY[..20], &damaged, &pack(&[blob(1)])] {
        assert!(store(bytes, 7).is_err(), "{bytes:?}");
    }
}

/// What Git packs, deltas and all, passes and is found again.
#[test]
fn what_git_packs_is_stored() {
    let directory = tempfile::tempdir().unwrap();
    let source = Repository::init_bare(directory.path().join("source")).unwrap();
    let text: String = (0..5_000).map(|n| format!("line {n} {}\n", n * 7919)).collect();
    let ids: Vec<_> = (0..60).map(|n| source.blob(format!("{text}{n}").as_bytes()).unwrap()).collect();
    let list: String = ids.iter().map(|id| format!("{id}\n")).collect();
    for arguments in [&["--delta-base-offset"][..], &[]] {
        let mut git = Command::new("git");
        git.args(["pack-objects", "--stdout", "-q", "--depth=50"]).args(arguments);
        git.current_dir(source.path()).stdin(std::process::Stdio::piped());
        let mut child = git.stdout(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        let packed = child.wait_with_output().unwrap().stdout;
        assert!(packed.len() < 200_000, "deltas were made: {}", packed.len());
        let target = tempfile::tempdir().unwrap();
        let target = Repository::init_bare(target.path()).unwrap();
        let odb = target.odb().unwrap();
        let mut sink = PackSink::new(&odb).unwrap();
        packed.chunks(1000).for_each(|piece| sink.write(piece).unwrap());
        sink.finish().unwrap();
        for id in &ids {
            assert_eq!(odb.refresh().and_then(|()| odb.read_header(*id)).unwrap().1, ObjectType::Blob);
        }
    }
}

proptest! {
    #[test]
    fn pieces_make_no_difference_and_nothing_panics(
        sizes in prop::collection::vec(0usize..300, 0..8), flip in any::<prop::sample::Index>(), piece in 1usize..100, turn in 0u8..3,
    ) {
        let mut bytes = pack(&sizes.iter().map(|size| blob(*size)).collect::<Vec<_>>());
        let at = flip.index(bytes.len());
        bytes[at] ^= turn;
        // Which of two faults is met first depends on the pieces.
        prop_assert_eq!(scan(&bytes, piece, SMALL).is_ok(), scan(&bytes, usize::MAX, SMALL).is_ok());
        prop_assert!(turn > 0 || scan(&bytes, piece, SMALL).is_ok());
    }
}
