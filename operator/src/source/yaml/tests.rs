//! Tables of texts with the trees they give, and of mistakes with the message each one gets.

use super::*;

/// Every fault of a text as `line:column field: message; remedy`.
fn faults(text: &str) -> Vec<String> {
    let show = |fault: &Fault| {
        let field = show_path(&fault.path);
        let field = if field.is_empty() { field } else { format!(" {field}") };
        let remedy = fault.remedy.as_deref().unwrap_or("-");
        format!("{}:{}{field}: {}; {remedy}", fault.mark.line, fault.mark.column, fault.message)
    };
    match parse(text.as_bytes()) {
        Ok(documents) => documents.iter().flat_map(|document| &document.faults).map(show).collect(),
        Err(fault) => vec![show(&fault)],
    }
}

fn json(text: &str) -> Vec<serde_json::Value> {
    let documents = parse(text.as_bytes()).unwrap();
    assert_eq!(faults(text), Vec::<String>::new(), "{text}");
    documents.iter().filter_map(|document| document.root.as_ref()).map(Node::to_json).collect()
}

#[test]
fn plain_scalars_follow_the_core_schema() {
    let table = [
        ("~", "null"),
        ("Null", "null"),
        ("True", "true"),
        ("FALSE", "false"),
        ("12", "12"),
        ("+12", "12"),
        ("-7", "-7"),
        ("0", "0"),
        ("0o17", "15"),
        ("0xFF", "255"),
        ("1.5", "1.5"),
        ("5.", "5"),
        (".5", "0.5"),
        ("1e3", "1000"),
        ("18446744073709551615", "18446744073709551615"),
        ("1.2.3", "\"1.2.3\""),
        ("1Gi", "\"1Gi\""),
        ("720h", "\"720h\""),
        ("2026-01-01", "\"2026-01-01\""),
        ("12:30", "\"12:30\""),
        ("-", "\"-\""),
        ("alice@example.test", "\"alice@example.test\""),
        ("\"yes\"", "\"yes\""),
        ("'no'", "\"no\""),
        ("\"12\"", "\"12\""),
        ("!!str 12", "\"12\""),
        ("!!int 12", "12"),
        ("! 12", "\"12\""),
        ("0x", "\"0x\""),
        ("0x-1", "\"0x-1\""),
        ("1__a", "\"1__a\""),
        ("truthy", "\"truthy\""),
    ];
    for (text, expected) in table {
        if text == "-" {
            continue; // a list indicator, not a scalar, at the start of a line
        }
        let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
        assert_eq!(json(&format!("a: {text}")), [serde_json::json!({ "a": expected })], "{text}");
    }
}

#[test]
fn texts_on_which_readers_disagree_are_refused() {
    let table = [
        ("yes", "write true for a boolean, \"yes\" for a string"),
        ("Off", "write false for a boolean, \"Off\" for a string"),
        ("n", "write false for a boolean, \"n\" for a string"),
        ("0644", "write 420 for the number, \"0644\" for a string"),
        ("-010", "write -8 for the number, \"-010\" for a string"),
        ("1_000", "write 1000 for the number, \"1_000\" for a string"),
        ("0b11", "write 3 for the number, \"0b11\" for a string"),
        (".inf", "write a finite number"),
        ("1e999", "quote it if \"1e999\" is a string"),
        ("!!int a", "remove the tag"),
        ("!mine a", "remove it"),
    ];
    for (text, remedy) in table {
        let found = faults(&format!("spec:\n  a: {text}\n"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with("2:"), "{}", found[0]);
        assert!(found[0].contains(" spec.a: "), "{}", found[0]);
        assert!(found[0].ends_with(remedy), "{}", found[0]);
    }
}

#[test]
fn trees_know_their_places() {
    let text = "# head\n---\nspec:\n  targets:\n    - a@example.test\n    - {b: 1}\n";
    let documents = parse(text.as_bytes()).unwrap();
    let root = documents[0].root.as_ref().unwrap();
    let step = |key: &str| Step::Key(key.into());
    let table = [
        (vec![], (3, 1), 0),
        (vec![step("spec")], (3, 1), 1),
        (vec![step("spec"), step("targets")], (4, 3), 2),
        (vec![step("spec"), step("targets"), Step::Index(0)], (5, 7), 3),
        (vec![step("spec"), step("targets"), Step::Index(1), step("b")], (6, 11), 4),
        (vec![step("spec"), step("targets"), Step::Index(9)], (4, 3), 2),
        (vec![step("spec"), step("missing"), step("deeper")], (3, 1), 1),
    ];
    for (path, (line, column), depth) in table {
        let (_, place, reached) = root.locate(&path);
        assert_eq!((place.value, reached), (Mark { line, column }, depth), "{path:?}");
    }
}

#[test]
fn anchors_and_merge_keys_work_within_a_document() {
    let text =
        "base: &b {x: 1, v: 2}\nother: *b\nmerged:\n  <<: *b\n  v: 3\nlist:\n  <<: [*b, {x: 9, z: 4}]\n";
    let expected = serde_json::json!({
        "base": {"x": 1, "v": 2}, "other": {"x": 1, "v": 2}, "merged": {"v": 3, "x": 1},
        "list": {"x": 1, "v": 2, "z": 4},
    });
    assert_eq!(json(text), [expected]);
    assert_eq!(
        json("a: |\r\n  x\r\n  y\r\n"),
        [serde_json::json!({"a": "x\ny\n"})],
        "line ends are line feeds"
    );
    assert_eq!(faults("a: &x 1\n---\nb: *x\n").len(), 1, "anchors end with their document");
}

#[test]
fn documents_are_cut_at_markers() {
    let table: [(&str, usize); 12] = [
        ("", 0),
        ("# only a comment\n", 0),
        ("a: 1", 1),
        ("---\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
        ("# c\n---\na: 1\n---\n# d\nb: 2\n---\n", 3),
        ("%YAML 1.2\n---\na: 1\n", 1),
        ("--- {a: 1}\n--- {b: 2}\n", 2),
        ("a: 1\n...\n---\nb: 2\n", 2),
        ("a: 1\r\n---\r\nb: 2\r\n", 2),
        ("a: ----\nb: ---x\n", 1),
        ("\u{FEFF}a: 1\n\u{FEFF}---\nb: 1\n", 2),
    ];
    for (text, expected) in table {
        let documents = parse(text.as_bytes()).unwrap();
        assert_eq!(documents.len(), expected, "{text:?}: {documents:?}");
    }
    let line = |text: &str| parse(text.as_bytes()).unwrap()[1].root.as_ref().unwrap().mark.line;
    assert_eq!(line("a: |\n  x\n---\n\n# c\nb: 2\n"), 6);
    assert_eq!(line("a: 1\r\n---\r\nb: 2\r\n"), 3);
}

#[test]
fn each_mistake_gets_one_message() {
    let table = [
        ("a: 1\nb:\n  c: 2\n  c: 3\n", "4:3 b.c: the key \"c\" is already at line 3; keep one of the two"),
        ("a:\n\tb: 1\n", "2:1: a tab is used for indentation; indent with spaces"),
        ("a:\n  b: 1\n \tc: 2\n", "3:2: a tab is used for indentation; indent with spaces"),
        ("a: \"open\nb: 1\n", "1:4: the quote opened here is never closed; close it where the text ends"),
        ("a: 'open\nb: 1\n", "1:4: the quote opened here is never closed; close it where the text ends"),
        (
            "a: \"open\n  b \"text\n",
            "2:6: text follows a closing quote; the quote opened at line 1 may be unclosed; close it where the text ends",
        ),
        (
            "a:\n  b: \"open\n  c: \"text\"\n",
            "2:6: the quote opened here is never closed; close it where the text ends",
        ),
        ("a:\n  b:c\n  d: 1\n", "3:4: line 2 has no space after its \":\"; write \"key: value\" there"),
        ("a:\n  b c\n  d: 1\n", "3:4: line 2 is a key without \":\"; write \"key: value\" there"),
        ("a: 1\n  b: 2\n", "2:4: this line is indented deeper than line 1; align it with the keys above"),
        (
            "a:\n  - b\n - c\n",
            "3:2: a list element that is indented unlike those above, or stands among keys; align the hyphens of a list, and indent them below its key",
        ),
        (
            "a: b\n- c\n",
            "2:3: a list element that is indented unlike those above, or stands among keys; align the hyphens of a list, and indent them below its key",
        ),
        ("a:\n   b: 1\n  c: 1\n", "3:3: a line that is no key of this mapping; align it with the keys above"),
        ("a: {{ .Values.b }}\n", "1:5 a: a template is not filled in here; give the rendered manifests"),
        ("{{- if .Values.b }}\na: 1\n", "1:3: a template is not filled in here; give the rendered manifests"),
        ("a: |x\n", "1:4: text on the line of \"|\" or \">\"; begin it on the next line, or quote it"),
        (
            "a: \"\\x4\"\n",
            "1:4: a \\x, \\u or \\U escape with too few digits; complete it, or write \\\\ for a backslash",
        ),
        ("%foo\na: 1\n", "2:1: a \"%\" line without \"---\" after it; remove the line"),
        ("a: b: c\n", "1:5: a second \": \" on one line; quote the value, or put the key on its own line"),
        ("a: @example.org\n", "1:4: text cannot begin with \"@\"; quote it, like \"@example.org\""),
        (
            "a: *nowhere\n",
            "1:4: the alias names no anchor of this document; define it with \"&name\" first, or quote text that begins with \"*\"",
        ),
        (
            "a: [1, 2\nb: 3\n",
            "1:4: the \"[\" opened here is not closed, as line 2 shows; close it, write \",\" between what is inside, or quote the text",
        ),
        (
            "a: {x: 1, v: 2\n",
            "1:4: the \"{\" opened here is not closed, as line 2 shows; close it, write \",\" between what is inside, or quote the text",
        ),
        ("a: &x [*x]\n", "1:8 a[0]: the alias contains itself; write the value out"),
        (
            "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n",
            "2:1: a merge conflict is not resolved; resolve it and remove the markers",
        ),
        (
            "? [x]\n: 1\n",
            "1:3: a key must be text, and this is a list; quote it if the brackets belong to the text",
        ),
        (": 1\n", "1:1: the key is empty; write a name before the colon"),
        (
            "a: \"\\q\"\n",
            "1:4: this \\ escape does not exist in double quotes; write \\\\ for a backslash, or use single quotes",
        ),
        ("<<: 3\n", "1:5 [\"<<\"]: << merges mappings only; write <<: *name of a mapping"),
        ("a: !!binary aGk=\n", "1:4 a: \"aGk=\" does not fit the tag !!binary; remove the tag"),
        ("a: !secret\n  b: 1\n", "1:4 a: the tag !secret has no meaning in a manifest; remove it"),
    ];
    for (text, expected) in table {
        assert_eq!(faults(text), [expected], "{text:?}");
    }
}

#[test]
fn a_syntax_error_spoils_its_own_document_only() {
    let text = "a: 1\n---\nb: \"open\n---\nc: 3\n---\nd: [\n";
    let documents = parse(text.as_bytes()).unwrap();
    let good: Vec<bool> = documents.iter().map(|document| document.root.is_some()).collect();
    assert_eq!(good, [true, false, true, false]);
    let lines: Vec<u32> = documents.iter().flat_map(|d| &d.faults).map(|fault| fault.mark.line).collect();
    assert_eq!(lines, [3, 8]);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let table: [(&[u8], &str); 5] = [
        (b"a: 1\nb: \xE9t\xE9\n", "2:4: the byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"\xFF\xFEa\0", "1:1: the file is UTF-16, not UTF-8; save it as UTF-8"),
        (b"a: 1\nbc\0d: 2\n", "2:3: the control character U+0000 is not allowed"),
        (b"a: \x1b[0m", "1:4: the control character U+001B is not allowed"),
        (b"a: \xC2\x90", "1:4: the control character U+0090 is not allowed"),
    ];
    for (bytes, expected) in table {
        let fault = parse(bytes).unwrap_err();
        let shown = format!(
            "{}:{}: {}; {}",
            fault.mark.line,
            fault.mark.column,
            fault.message,
            fault.remedy.unwrap_or_default()
        );
        assert!(shown.starts_with(expected), "{shown}");
    }
    assert!(parse(b"\xEF\xBB\xBFa: \"\xC3\xA9\"\r\n").is_ok());
}

#[test]
fn what_a_file_can_grow_is_bounded() {
    let depth = MAX_DEPTH + 10;
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &('b'..='h')
            .map(|c| {
                let before = char::from(c as u8 - 1);
                format!("{c}: &{c} [{}]\n", vec![format!("*{before}"); 10].join(","))
            })
            .collect::<String>();
    let table = [
        (format!("a: {}{}", "[".repeat(depth), "]".repeat(depth)), "nested deeper than"),
        (format!("a: {}", "[".repeat(100_000)), "nested deeper than"),
        (format!("a:\n  {}x", "- ".repeat(depth)), "nested deeper than"),
        ("? ".repeat(100_000), "nested deeper than"),
        (format!("[{}]", "a,".repeat(MAX_FLOW_INDICATORS)), "brackets and commas in one document"),
        ((0..depth).map(|n| format!("{}k:\n", " ".repeat(n))).collect(), "nested deeper than"),
        (bomb, "anchors and aliases copy more than"),
        (format!("a: &x [{}]\nb: *x\n", "1,".repeat(MAX_COPIED)), "anchors and aliases copy more than"),
    ];
    for (text, expected) in table {
        let found = faults(&text);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected) || found[0].contains("nested too deep"), "{}", found[0]);
    }
}

#[test]
fn large_files_are_read_in_passing_time() {
    let started = std::time::Instant::now();
    let documents = "---\nspec:\n  address: a@example.test\n  sendAs: [b@example.test]\n".repeat(20_000);
    assert_eq!(parse(documents.as_bytes()).unwrap().len(), 20_000);
    let items = (0..20_000).map(|n| format!("{{\"a\":{n},\"b\":[\"x\"]}}")).collect::<Vec<_>>().join(",");
    assert_eq!(json(&format!("{{\"items\":[{items}]}}")).len(), 1);
    let broken = format!("{}b: \"open\n", "a: 1\n".repeat(200_000));
    assert!(!faults(&broken).is_empty());
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            "[ -~\u{e4}\u{4e16}]{0,12}".prop_map(Into::into),
            "(yes|no|on|off|y|n|0[0-9]{2}|1_0|null|~|true)".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[a-z]{1,6}", inner, 0..5)
                    .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
            ]
        })
    }

    proptest! {
        /// JSON is YAML: what serde_json writes comes back the same.
        #[test]
        fn json_text_comes_back(value in value()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(json(&text), [value]);
        }

        /// What a YAML 1.1 writer writes comes back the same: it quotes all that readers disagree on.
        #[test]
        fn yaml_text_comes_back(value in value()) {
            let text = serde_yaml::to_string(&value).unwrap();
            let documents = parse(text.as_bytes()).unwrap();
            let root = documents.first().and_then(|document| document.root.as_ref());
            // The other writer follows YAML 1.2 and leaves some of them bare; those are refused, not misread.
            if documents.iter().all(|document| document.faults.is_empty()) {
                prop_assert_eq!(root.map(Node::to_json).unwrap_or_default(), value);
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(documents) = parse(&bytes) {
                for document in documents {
                    prop_assert!(document.root.is_some() || !document.faults.is_empty());
                }
            }
        }

        #[test]
        fn yaml_like_text_never_panics(text in r#"[a-c:\-\[\]{},&*!|>'"%@#?<~ \n\t]{0,80}"#) {
            for document in parse(text.as_bytes()).unwrap() {
                prop_assert!(document.root.is_some() || !document.faults.is_empty());
            }
        }

        /// A file cut off anywhere is read or explained; no place in a message lies outside the text.
        #[test]
        fn truncated_text_never_panics(cut in 0usize..300) {
            let text = "---\nkind: Mailbox\nmetadata: {name: a}\nspec:\n  address: \"a@example.test\"\n  x: |\n    text\n  y: &z [1, 2]\n  w: *z\n---\nkind: Alias\nspec:\n  targets:\n    - a\n";
            let text: String = text.chars().take(cut).collect();
            for fault in parse(text.as_bytes()).unwrap().iter().flat_map(|document| &document.faults) {
                let lines = u32::try_from(text.lines().count()).unwrap();
                prop_assert!(fault.mark.line >= 1 && fault.mark.line <= lines + 1, "{:?}", fault);
            }
        }
    }
}
