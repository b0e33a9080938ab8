//! Messages made of known parts: every section must be found where it was put.

use super::*;

/// A part that is written and known.
#[derive(Debug, Clone)]
enum Known {
    Leaf(Vec<u8>),
    Multipart(Vec<Known>),
    Message(Box<Known>),
}

/// Bodies that try to look like structure. A boundary of these messages is never among them.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        Just(b"".to_vec()),
        Just(b"--".to_vec()),
        Just(b"--x--".to_vec()),
        Just(b"Content-Type: multipart/mixed; boundary=no".to_vec()),
        Just(b"text \xff\x80".to_vec()),
        Just(b"-".to_vec()),
    ];
    proptest::collection::vec(line, 0..5).prop_map(|lines| lines.join(b"\r\n".as_slice()))
}

fn known() -> impl Strategy<Value = Known> {
    body().prop_map(Known::Leaf).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 1..4).prop_map(Known::Multipart),
            inner.prop_map(|known| Known::Message(Box::new(known))),
        ]
    })
}

/// The part's header fields, which name its place, and its body.
fn write(known: &Known, path: &str) -> Vec<u8> {
    match known {
        Known::Leaf(body) => {
            [format!("Content-Type: a/b\r\nX-Path: {path}\r\n\r\n").as_bytes(), body].concat()
        }
        Known::Message(inner) => {
            let head =
                format!("X-Path: {path}\r\nContent-Type: message/rfc822\r\n\r\nSubject: in {path}\r\n");
            [head.as_bytes(), &write(inner, &format!("{path}m"))].concat()
        }
        Known::Multipart(parts) => {
            let head = format!(
                "Content-Type: multipart/mixed; boundary=\"={path}=\"\r\nX-Path: {path}\r\n\r\npreamble"
            );
            let mut text = head.into_bytes();
            for (at, part) in parts.iter().enumerate() {
                text.extend_from_slice(format!("\r\n--={path}=\r\n").as_bytes());
                text.extend(write(part, &format!("{path}.{at}")));
            }
            text.extend_from_slice(format!("\r\n--={path}=--\r\nepilogue").as_bytes());
            text
        }
    }
}

fn section(index: &Index, raw: &[u8], part: &[u32], text: Option<SectionText>) -> Option<Vec<u8>> {
    index.section(raw, &Section { part: part.to_vec(), text }).map(|octets| octets.into_owned())
}

/// Looks for the part under these numbers; `whole` says that the numbers end at the message that it is.
fn look(index: &Index, raw: &[u8], known: &Known, numbers: &[u32], whole: bool, path: &str) {
    let own = if whole { [numbers, &[1]].concat() } else { numbers.to_vec() };
    match known {
        Known::Leaf(body) => {
            assert_eq!(section(index, raw, &own, None).as_ref(), Some(body), "{own:?}");
            assert_eq!(
                section(index, raw, &[own.as_slice(), &[1]].concat(), None),
                None,
                "{own:?} has no parts"
            );
        }
        Known::Message(inner) => {
            let header = section(index, raw, &own, Some(SectionText::Header))
                .expect("an attached message has a header");
            assert!(header.starts_with(format!("Subject: in {path}\r\n").as_bytes()), "{own:?}");
            let text = section(index, raw, &own, Some(SectionText::Text)).expect("and a text");
            assert_eq!(section(index, raw, &own, None), Some([header, text].concat()), "{own:?}");
            look(index, raw, inner, &own, true, &format!("{path}m"));
        }
        Known::Multipart(parts) => {
            for (at, part) in parts.iter().enumerate() {
                let child = [numbers, &[u32::try_from(at).unwrap() + 1]].concat();
                let path = format!("{path}.{at}");
                let mime = section(index, raw, &child, Some(SectionText::Mime)).expect("a part has a header");
                let named = format!("X-Path: {path}\r\n");
                assert!(mime.windows(named.len()).any(|window| window == named.as_bytes()), "{child:?}");
                look(index, raw, part, &child, false, &path);
            }
            let beyond = [numbers, &[u32::try_from(parts.len()).unwrap() + 1]].concat();
            assert_eq!(section(index, raw, &beyond, None), None, "{beyond:?}");
        }
    }
}

proptest! {
    #[test]
    fn every_part_is_where_it_was_put(known in known()) {
        let raw = write(&known, "r");
        let decoded = Index::decode(&index(&raw).encode()).unwrap();
        look(&decoded, &raw, &known, &[], true, "r");
        keeps_its_promises(&raw);
    }
}
