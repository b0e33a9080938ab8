//! Tables and properties for the text readers: every smuggling variant, every cut.

use proptest::prelude::*;

use super::*;

/// The text, what was left behind the end, and the fault, for any cut of the input.
fn read(pieces: &[&[u8]]) -> (Result<Vec<u8>, Fault>, Option<Vec<u8>>) {
    let (mut dots, mut cleaner) = (DotReader::default(), Cleaner::default());
    let (mut clean, mut fault, mut left) = (Vec::new(), Ok(()), None::<Vec<u8>>);
    for piece in pieces {
        if let Some(left) = &mut left {
            left.extend_from_slice(piece);
            continue;
        }
        let mut text = Vec::new();
        let (used, end) = dots.read(piece, &mut text);
        if fault != Err(Fault::Bare) {
            fault = cleaner.pass(&text, &mut clean).max(fault);
        }
        if end {
            left = Some(piece[used..].to_vec());
        }
    }
    if fault.is_ok() && left.is_some() {
        fault = cleaner.finish(&mut clean);
    }
    (fault.map(|()| clean), left)
}

fn check(input: &str, text: Result<&str, Fault>, left: Option<&str>) {
    let expected = (text.map(|t| t.as_bytes().to_vec()), left.map(|l| l.as_bytes().to_vec()));
    let input = input.as_bytes();
    assert_eq!(read(&[input]), expected, "{input:?}");
    for cut in 0..=input.len() {
        let (head, tail) = input.split_at(cut);
        assert_eq!(read(&[head, tail]), expected, "{input:?} cut at {cut}");
    }
    let single: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(read(&single), expected, "{input:?} octet by octet");
}

/// RFC 5321 §4.1.1.4 and §4.5.2.
#[test]
fn ends_and_dots() {
    check(".\r\nQUIT", Ok(""), Some("QUIT"));
    check("a\r\n.\r\n", Ok("a\r\n"), Some(""));
    check("\r\n.\r\n", Ok("\r\n"), Some(""));
    check("..\r\n.\r\n", Ok(".\r\n"), Some(""));
    check(".a\r\n..b\r\n...\r\n.\r\n", Ok("a\r\n.b\r\n..\r\n"), Some(""));
    check("a.\r\n.\r\n", Ok("a.\r\n"), Some(""));
    check("a\r\n.\r\n.\r\n", Ok("a\r\n"), Some(".\r\n"));
    check("a", Ok("a"), None);
    check("a\r\n", Ok("a\r\n"), None);
    check("a\r\n.", Ok("a\r\n"), None);
    check("a\r\n.\r", Ok("a\r\n"), None);
}

/// Each variant that some server took for an end of data; here it is refused text, and the true end is found behind it.
#[test]
fn smuggling() {
    for end in [
        "\n.\n",
        "\n.\r\n",
        "\r.\r\n",
        "\r\n.\n",
        "\r\n.\r",
        "\r.\r",
        "\n.\r",
        "\r.\n",
        "\n\n.\r\n",
        "\r\r\n.\n",
        "\r\n.\r\r\n",
        "\r\n\0.\r\n",
        "\r\n..\n.\r\n",
    ] {
        let fault = if end.contains('\0') { Fault::Nul } else { Fault::Bare };
        let input = format!("a{end}MAIL FROM:<x@y>\r\n.\r\nQUIT\r\n");
        let (text, left) = read(&[input.as_bytes()]);
        assert_eq!((text, left), (Err(fault), Some(b"QUIT\r\n".to_vec())), "{end:?}");
        check(&input, Err(fault), Some("QUIT\r\n"));
    }
}

/// `CRLF.CR CRLF` does not end the message, `CRLF.CR CRLF.CRLF` does.
#[test]
fn a_false_end_is_followed_by_a_true_one() {
    let mut out = Vec::new();
    let mut dots = DotReader::default();
    assert_eq!(dots.read(b"a\r\n.\r\r\n.\r\nX", &mut out), (10, true));
    assert_eq!(out, b"a\r\n\r\r\n");
}

#[test]
fn cleaner() {
    let pass = |pieces: &[&[u8]]| {
        let (mut cleaner, mut out) = (Cleaner::default(), Vec::new());
        pieces
            .iter()
            .try_for_each(|piece| cleaner.pass(piece, &mut out))
            .and_then(|()| cleaner.finish(&mut out))
            .map(|()| out)
    };
    assert_eq!(pass(&[]), Ok(vec![]));
    assert_eq!(pass(&[b"a\r\n"]), Ok(b"a\r\n".to_vec()));
    assert_eq!(pass(&[b"a\r", b"\nb"]), Ok(b"a\r\nb\r\n".to_vec()));
    assert_eq!(pass(&[b"\r\n\r\n"]), Ok(b"\r\n\r\n".to_vec()));
    assert_eq!(pass(&[b"\xff\x80\t\x7f"]), Ok(b"\xff\x80\t\x7f\r\n".to_vec()));
    assert_eq!(pass(&[b"a\r"]), Err(Fault::Bare));
    assert_eq!(pass(&[b"a\r", b"b"]), Err(Fault::Bare));
    assert_eq!(pass(&[b"\n"]), Err(Fault::Bare));
    assert_eq!(pass(&[b"a\0b"]), Err(Fault::Nul));
    assert_eq!(pass(&[b"a\0\n"]), Err(Fault::Bare));
}

/// The dot-stuffing a client does (RFC 5321 §4.5.2).
fn stuffed(lines: &[String]) -> String {
    let stuff =
        |line: &String| if line.starts_with('.') { format!(".{line}\r\n") } else { format!("{line}\r\n") };
    lines.iter().map(stuff).collect::<String>() + ".\r\n"
}

proptest! {
    #[test]
    fn there_and_back(lines in proptest::collection::vec("[.a\u{e9}]{0,4}", 0..8), rest in "[.a\r\n]{0,4}") {
        let text: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let (got, left) = read(&[(stuffed(&lines) + &rest).as_bytes()]);
        prop_assert_eq!(got, Ok(text.into_bytes()));
        prop_assert_eq!(left, Some(rest.into_bytes()));
    }

    /// Any cut of any input gives the same, and what is given out has only CRLF line ends.
    #[test]
    fn cuts_do_not_matter(input in "[.a\r\n\0]{0,24}", cuts in proptest::collection::vec(1..5usize, 1..24)) {
        let (mut rest, mut pieces) = (input.as_bytes(), Vec::new());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at((*cut).min(rest.len()));
            pieces.push(head);
            rest = tail;
        }
        let whole = read(&[input.as_bytes()]);
        prop_assert_eq!(&read(&pieces), &whole);
        if let (Ok(text), Some(_)) = whole {
            let text = String::from_utf8(text).unwrap();
            prop_assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']));
            prop_assert!(text.is_empty() || text.ends_with("\r\n"));
        }
    }
}
