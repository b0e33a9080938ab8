//! The corners of the language, as tables: what an expression says, what it is refused for, what it may cost; and the same beside
//! another implementation.

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;

static OBJECT: LazyLock<Json> = LazyLock::new(|| {
    json!({
        "quota": "1536Mi", "name": "Zoë 𝒳", "enabled": true, "number": 3, "half": 0.5, "nothing": null,
        "targets": ["a@example.test", "b@example.org"], "empty": [],
        "labels": {"team": "contractors", "expires": "2026-12-31", "": "empty", "a.b/c": "dotted"},
        "forward": {"targets": ["c@example.org"], "keepCopy": true},
    })
});
static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({"type": "object", "properties": {
        "quota": {"type": "string"}, "name": {"type": "string"}, "enabled": {"type": "boolean"},
        "number": {"type": "integer"}, "half": {"type": "number"}, "nothing": {"type": "string"},
        "missing": {"type": "string"}, "targets": texts, "empty": texts,
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "forward": {"type": "object", "properties": {"targets": texts, "keepCopy": {"type": "boolean"}}},
    }})
});

struct Tests;

impl<'a> Host<'a> for Tests {
    fn variable(&self, name: &str) -> Option<Value<'a>> {
        match name {
            "it" => Some(Value::of(&OBJECT)),
            "none" => Some(Value::Null),
            _ => None,
        }
    }

    fn call(&self, name: &str, args: &[Value<'a>]) -> Option<Result<Value<'a>, String>> {
        (name == "twice").then(|| match args {
            [Value::Int(number)] => Ok(Value::Int(number * 2)),
            _ => Err("twice takes a number".to_owned()),
        })
    }
}

fn world<R>(then: impl FnOnce(&World<'_>) -> R) -> R {
    let variables = [("it", Type::of(&SCHEMA)), ("none", Type::of(&SCHEMA)), ("any", Type::Any)];
    let functions = [Signature { name: "twice", method: false, takes: &[Type::Int], gives: Type::Int }];
    then(&World { variables: &variables, functions: &functions })
}

/// What an expression says: its truth or text, or the first fault of reading, checking and evaluating.
fn said(text: &str) -> String {
    let show = |fault: Fault| format!("{}:{} {}", fault.at.line, fault.at.column, fault.message);
    let expression = match parse(text) {
        Ok(expression) => expression,
        Err(fault) => return show(fault),
    };
    if let Err(fault) = world(|world| check(&expression, world)) {
        return show(fault);
    }
    match evaluate(&expression, &Tests).value {
        Ok(Value::Bool(value)) => value.to_string(),
        Ok(Value::Int(number)) => number.to_string(),
        Ok(Value::Double(number)) => format!("{number:?}"),
        Ok(Value::Text(text)) => text.as_str().to_owned(),
        Ok(other) => other.what().to_owned(),
        Err(fault) => show(fault),
    }
}

#[track_caller]
fn check_table(table: &[(&str, &str)]) {
    for (text, expected) in table {
        assert_eq!(said(text), *expected, "{text}");
    }
}

#[test]
fn quantities_are_compared_as_bytes() {
    check_table(&[
        ("quantity(it.quota) <= quantity('10Gi')", "true"),
        ("quantity(it.quota) == quantity('1.5Gi')", "true"),
        ("quantity('1G') < quantity('1Gi')", "true"),
        ("quantity('1Ei') > quantity('1048575Ti')", "true"),
        ("quantity('10Gi').isGreaterThan(quantity('9999Mi'))", "true"),
        ("quantity('1Ki').compareTo(quantity('1024'))", "0"),
        ("quantity('1Gi').sub(quantity('2Gi')).isLessThan(quantity('0'))", "true"),
        ("string(quantity('512Mi').add(quantity('512Mi')))", "1Gi"),
        ("quantity('2Ki').asInteger()", "2048"),
        ("string(max(quantity('1Gi'), min(quantity('2Gi'), quantity('3Gi'))))", "2Gi"),
        ("isQuantity('10GB') || isQuantity('') || isQuantity('-1Gi')", "false"),
        ("quantity('10GB')", "1:1 \"10GB\" is not a quantity of bytes; write 10G"),
        // As texts 9Gi is more than 10Gi: nobody means that.
        (
            "it.quota <= quantity('10Gi')",
            "1:10 a text <= a quantity has no meaning: write quantity(…) around the text too",
        ),
        ("10Gi > 5", "1:3 Gi belongs to no number; a quantity is written quantity('10Gi')"),
    ]);
}

#[test]
fn what_is_absent_is_asked_for_first() {
    check_table(&[
        ("has(it.quota)", "true"),
        ("has(it.missing)", "false"),
        ("has(it.nothing)", "false"),
        ("has(it.forward.keepCopy) && it.forward.keepCopy", "true"),
        ("!has(it.missing) || it.missing == ''", "true"),
        ("it.missing == ''", "1:4 it.missing is not there; ask has(it.missing) first"),
        ("it.missing == '' || it.enabled", "true"),
        ("it.enabled || it.missing == ''", "true"),
        ("it.missing == '' && false", "false"),
        ("it.missing == '' && true", "1:4 it.missing is not there; ask has(it.missing) first"),
        ("has(none.quota)", "1:10 none is null and has no quota; ask none != null first"),
        ("none != null && has(none.quota)", "false"),
        ("none == null && null == null && it != null", "true"),
        ("has(it.labels.team) && !has(it.labels.boss)", "true"),
        ("'team' in it.labels && !('boss' in it.labels)", "true"),
        ("it.labels['team']", "contractors"),
        ("it.labels['boss']", "1:10 there is no key \"boss\" in the mapping; ask for it with in first"),
        ("it.labels['a.b/c'] + it.labels['']", "dottedempty"),
        ("has(it.qouta)", "1:8 it has no field qouta; write quota"),
        ("it.forward.targts == []", "1:12 it.forward has no field targts; write targets"),
        ("it['qouta'] == ''", "1:3 it has no field qouta; write quota"),
        ("has(it)", "1:1 has takes a field: has(object.spec.quota)"),
        ("itt.quota == ''", "1:1 there is no variable itt; write it"),
        ("object == 1", "1:1 there is no variable object; there are it, none, any"),
    ]);
}

#[test]
fn lists_and_mappings_are_looked_through() {
    check_table(&[
        ("it.targets.all(t, t.endsWith('@example.test') || t.endsWith('@example.org'))", "true"),
        ("it.targets.exists(t, t == 'b@example.org')", "true"),
        ("it.targets.exists_one(t, t.contains('example'))", "false"),
        ("it.targets.filter(t, t.endsWith('.org')).size()", "1"),
        ("it.targets.map(t, t.split('@')[1]).join(', ')", "example.test, example.org"),
        ("it.targets.map(t, t.endsWith('.org'), t.size())", "a list"),
        ("it.empty.all(t, false) && !it.empty.exists(t, true) && size(it.empty) == 0", "true"),
        ("it.empty[0]", "1:9 there is no element 0 in a list of 0"),
        ("it.targets[-1]", "1:11 there is no element -1 in a list of 2"),
        ("'a@example.test' in it.targets", "true"),
        ("it.labels.all(key, key != 'secret')", "true"),
        ("it.targets == ['a@example.test', 'b@example.org']", "true"),
        ("it.targets + ['c'] == ['a@example.test', 'b@example.org', 'c']", "true"),
        ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1,}", "true"),
        ("{'a': 1, 'a': 2} == {}", "1:10 this key is in the mapping already"),
        ("it.labels == {'team': 'contractors'}", "false"),
        ("[[1, 2], [3]].exists(l, l.exists(n, n == 3))", "true"),
        // The inner one is meant, as in every language.
        ("[1].exists(n, [2].exists(n, n == 2) && n == 1)", "true"),
        // What decides, decides.
        ("it.targets.exists(t, t.split('@')[9] == '' || t.startsWith('b'))", "true"),
        ("[0, 1].all(n, 1 / n == 1)", "1:17 a division by zero"),
        ("[0, 2].all(n, 1 / n == 1)", "false"),
        ("it.targets.all(it.quota, true)", "1:12 all takes a plain name first: list.all(it, it != '')"),
        ("it.targets.all(t)", "1:12 all takes a name and what is asked of it: list.all(it, it != '')"),
        ("it.enabled.all(t, true)", "1:12 only a list or a mapping has elements, and this is true or false"),
        ("1 in it.targets", "1:3 a number in a list has no meaning: what is in it is a text"),
    ]);
}

#[test]
fn texts_are_characters_and_not_bytes() {
    check_table(&[
        ("it.name.size()", "5"),
        ("size('ü𝒳')", "2"),
        ("it.name.substring(4)", "𝒳"),
        ("it.name.substring(0, 3)", "Zoë"),
        ("it.name.substring(3, 9)", "1:9 there is no such part of a text of 5 characters"),
        ("it.name.indexOf('𝒳')", "4"),
        ("'x'.indexOf('y')", "-1"),
        ("'ABC ü'.lowerAscii() + 'ü'.upperAscii()", "abc üü"),
        ("'  a b '.trim()", "a b"),
        ("'a-b-c'.replace('-', '.')", "a.b.c"),
        ("'über' < 'zebra'", "false"),
        ("'a'.split('')[0] + 'ü'.split('')[0]", "aü"),
        (r"'\u00fc\U0001D4B3\x41\101\n' == 'ü𝒳AA\n'", "true"),
        (r"r'\d' == '\\d' && '''a'b''' == 'a\'b'", "true"),
        ("\"\"\"a\nb\"\"\".size()", "3"),
        (r"'\d'", "1:3 no such escape; a backslash itself is written \\\\, or begin the text with r"),
        (r"'\ud800'", "1:3 no such escape; a backslash itself is written \\\\, or begin the text with r"),
        ("'open", "1:1 the text that begins here has no end: ' is missing"),
        ("'a\nb'", "1:1 the text that begins here has no end: ' is missing"),
        ("b'bytes'", "1:1 bytes are not part of policies; write a text"),
    ]);
}

#[test]
fn patterns_are_bounded() {
    check_table(&[
        ("it.quota.matches('^[0-9]+Mi$')", "true"),
        ("matches('ü', '^.$')", "true"),
        (r"'a1'.matches(r'^\w\d$')", "true"),
        ("'x'.matches('(a')", "1:13 not a regular expression: unclosed group"),
        (
            "'x'.matches('((a{1,99}){1,99}){1,99}')",
            "1:13 the pattern is too large once it is compiled: fewer repetitions of repetitions",
        ),
        // Linear whatever the pattern: no catastrophe to be had.
        ("'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!'.matches('^(a+)+$')", "false"),
        ("'x'.matches(it.name)", "1:16 the pattern of matches is a text in the policy itself"),
        ("it.number.matches('x')", "1:4 matches looks at a text, and this is a number"),
    ]);
    assert!(
        said(&format!("'x'.matches('{}')", "a".repeat(501))).ends_with("a pattern has at most 500 bytes")
    );
}

#[test]
fn numbers_times_and_durations() {
    check_table(&[
        ("1 + 2 * 3 - 4 / 2 % 3", "5"),
        ("-(-3) == 3 && !!true && 0x1F == 31", "true"),
        ("7 / -2", "-3"),
        ("1.5e2 + 0.5", "150.5"),
        ("1 < 1.5 && 2.0 == 2", "true"),
        ("9223372036854775807 + 1", "1:21 the result of + is no number of 64 bits"),
        ("-9223372036854775808 == -9223372036854775807 - 1", "true"),
        ("-(-9223372036854775807 - 1)", "1:1 the result of - is no number of 64 bits"),
        ("9223372036854775808", "1:1 this is no number of 64 bits"),
        ("1 / 0", "1:3 a division by zero"),
        ("5u", "1:2 unsigned numbers are not part of policies; leave the u out"),
        ("int('12') + int(2.9) + twice(3)", "20"),
        ("int('x')", "1:1 this is no whole number of 64 bits"),
        ("double('0.5') == it.half && string(12) + string(true) == '12true'", "true"),
        ("timestamp(it.labels.expires) < timestamp('2027-01-01T00:00:00Z')", "true"),
        ("timestamp('2026-12-31') - timestamp('2026-12-30') == duration('24h')", "true"),
        ("string(timestamp('2026-02-28T12:00:00+02:00') + duration('24h'))", "2026-03-01T10:00:00Z"),
        ("timestamp('2026-12-31').getFullYear() + timestamp('2026-12-31').getMonth()", "2037"),
        ("duration('1h30m').getMinutes()", "90"),
        ("timestamp('soon')", "1:1 \"soon\" is no time; write it like 2026-12-31 or 2026-12-31T12:00:00Z"),
        ("duration('1 year')", "1:1 \"1 year\" is no duration; write it like 8760h or 1h30m"),
        (
            "it.labels.expires < timestamp('2027-01-01')",
            "1:19 a text < a time has no meaning: write timestamp(…) around the text",
        ),
    ]);
}

#[test]
fn what_is_wrong_is_said_before_an_object_is_there() {
    check_table(&[
        ("it.enabled ? 'yes' : 'no'", "yes"),
        ("it.number > 1 // a comment", "true"),
        ("it.number\n  > 1 &&\n  it.nmber", "3:6 it has no field nmber; write number"),
        ("it.quota + 1", "1:10 a text + a number has no meaning"),
        ("it.quota == 1", "1:10 a text == a number has no meaning: they are never equal"),
        ("!it.quota", "1:5 this is a text, and not true or false"),
        ("it.quota && true", "1:4 this is a text, and not true or false"),
        ("it.name.startWith('Z')", "1:9 there is no function startWith; write startsWith"),
        ("startsWith(it.name, 'Z')", "1:1 startsWith is written text.startsWith(text)"),
        (
            "it.name.startsWith(1)",
            "1:9 startsWith does not take a text and a number; write text.startsWith(text)",
        ),
        ("size(1)", "1:1 size does not take a number; write size(text) or size(list) or size(mapping)"),
        ("frobnicate()", "1:1 there is no function frobnicate"),
        ("it.quota = '1Gi'", "1:10 one = compares nothing; write =="),
        ("(1 + 2", "1:7 ) is expected here, and not the end"),
        ("1 2", "1:3 the expression is complete before this, and not 2"),
        ("", "1:1 a value is expected here, and not the end"),
        ("if", "1:1 if is a reserved word"),
        ("it.?quota", "1:3 optional fields are not part of policies; ask has() first"),
        ("Mailbox{name: 'x'}", "1:8 messages are not part of policies"),
        ("a @ b", "1:3 '@' means nothing here"),
    ]);
}

#[test]
fn an_expression_can_exhaust_nothing() {
    let deep = format!("nested more than {MAX_DEPTH} deep; split it into several policies");
    for text in [
        format!("{}1{}", "(".repeat(2000), ")".repeat(2000)),
        format!("{}true", "!".repeat(4000)),
        format!("{}1", "-".repeat(4000)),
        format!("1{}", "+1".repeat(2000)),
        format!("any{}", ".a".repeat(2000)),
        format!("any{}", "[0]".repeat(1300)),
        format!("any{}", ".trim()".repeat(500)),
        format!("{}{}", "[".repeat(2000), "]".repeat(2000)),
        format!("{}1{}", "{1:".repeat(1000), "}".repeat(1000)),
        format!("{}1{}", "size(".repeat(800), ")".repeat(800)),
        format!("{}true", "true?true:".repeat(400)),
        format!("any{}", ".map(x,x)".repeat(400)),
    ] {
        let small = std::thread::Builder::new().stack_size(1 << 20);
        let found = small.spawn(move || said(&text)).unwrap().join().unwrap();
        assert!(found.ends_with(&deep), "{found}");
    }
    // A long list of conditions is not deep.
    assert_eq!(said(&format!("true{}", " && true".repeat(500))), "true");
    let all = "[0,1,2,3,4,5,6,7,8,9]";
    let nested = (0..6).fold("false".to_owned(), |inner, level| format!("{all}.exists(x{level}, {inner})"));
    for text in [
        nested.clone(),
        // Not even where a fault is forgiven.
        format!("{nested} || true"),
        format!("[1].all(x, {nested}) || [1].exists(x, true)"),
        // A list of itself, twice, twenty times over.
        format!("[1]{0} == [1]{0}", ".map(x, [x, x])".repeat(20)),
    ] {
        let expression = parse(&text).unwrap();
        let Evaluation { value, steps } = evaluate(&expression, &Tests);
        if let Err(fault) = &value {
            assert!(fault.fatal && fault.message.starts_with("this takes more than 100000 steps"), "{fault}");
            assert!(steps < MAX_STEPS + 100_000, "{steps}");
        } else {
            assert!(steps <= MAX_STEPS, "{text:.80} {steps}");
        }
    }
    assert!(said(&nested).contains("steps for one object; ask less of long lists"));
}

#[test]
fn texts_and_lists_do_not_grow_beyond_bounds() {
    let doubled = |what: &str, times: usize| {
        (0..times).fold(format!("[{what}]"), |list, _| format!("{list}.map(x, x + x)")) + "[0].size() > 0"
    };
    assert_eq!(said(&doubled("'x'", 10)), "true");
    assert!(said(&doubled("'x'", 20)).ends_with("the text would have more than 65536 bytes"));
    assert!(said(&doubled("[1]", 30)).contains("this takes more than 100000 steps"));
    let long = "x".repeat(1000);
    assert!(said(&format!("'{long}'.replace('', '{long}').size()")).ends_with("more than 65536 bytes"));
    assert_eq!(
        said(&format!("'{long}'.split('').map(c, '{long}').join('').size()")),
        "1:2025 the text would have more than 65536 bytes"
    );
}

/// Expressions on the common ground of both implementations, made of random parts.
fn common() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-3..100i64).prop_map(|number| number.to_string()),
        Just("size(it.targets)".to_owned()),
        Just("size(it.labels)".to_owned()),
    ];
    let number = leaf.prop_recursive(3, 12, 2, |inner| {
        (inner.clone(), "[-+*/%]", inner).prop_map(|(a, op, b)| format!("({a} {op} {b})"))
    });
    let text = prop_oneof![
        Just("it.quota".to_owned()),
        Just("it.labels.team".to_owned()),
        "[a-c]{0,3}".prop_map(|text| format!("'{text}'"))
    ];
    let truth = prop_oneof![
        (number.clone(), prop_oneof![Just("<"), Just("<="), Just("=="), Just("!="), Just(">")], number)
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text.clone(), prop_oneof![Just("=="), Just("!="), Just("<"), Just(">=")], text.clone())
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (text.clone(), prop_oneof![Just("startsWith"), Just("endsWith"), Just("contains")], text.clone())
            .prop_map(|(a, call, b)| format!("{a}.{call}({b})")),
        text.prop_map(|text| format!("{text} in it.targets")),
        Just("has(it.missing)".to_owned()),
        Just("has(it.quota)".to_owned()),
        Just("it.targets.all(t, t.contains('@'))".to_owned()),
        Just("it.targets.exists(t, t.startsWith('b'))".to_owned()),
        Just("it.targets.filter(t, t.endsWith('t')).size() == 1".to_owned()),
        Just("it.targets.map(t, t + t) == it.targets".to_owned()),
    ];
    truth.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            (inner.clone(), "(&&|\\|\\|)", inner.clone()).prop_map(|(a, op, b)| format!("({a} {op} {b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    })
}

/// What the crate cel says of it; `None` when it fails.
fn theirs(text: &str) -> Option<bool> {
    let program = cel::Program::compile(text).ok()?;
    let mut context = cel::Context::default();
    context.add_variable("it", &*OBJECT).ok()?;
    match program.execute(&context) {
        Ok(cel::Value::Bool(value)) => Some(value),
        _ => None,
    }
}

proptest! {
    #[test]
    fn another_implementation_says_the_same(text in common()) {
        let ours = parse(&text).ok().and_then(|expression| match evaluate(&expression, &Tests).value {
            Ok(Value::Bool(value)) => Some(value),
            _ => None,
        });
        prop_assert_eq!(ours, theirs(&text), "{}", text);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_in_it(text in "[ -~üa-c\n]{0,60}") {
        if let Err(fault) = parse(&text) {
            let lines: Vec<&str> = text.split('\n').collect();
            prop_assert!(fault.at.line >= 1 && fault.at.line as usize <= lines.len());
            prop_assert!(!fault.message.is_empty());
        }
    }

    #[test]
    fn words_of_the_language_in_any_order_do_no_harm(words in prop::collection::vec(prop_oneof![
        Just("it"), Just(".targets"), Just("("), Just(")"), Just("["), Just("]"), Just("&&"), Just("!"), Just("-"),
        Just("1"), Just("'x'"), Just("?"), Just(":"), Just("in"), Just("has("), Just(".all(t,"), Just(","), Just("{"), Just("}"),
    ], 0..40)) {
        let text = words.join(" ");
        if let Ok(expression) = parse(&text) {
            let checked = world(|world| check(&expression, world));
            let Evaluation { value, steps } = evaluate(&expression, &Tests);
            prop_assert!(steps <= MAX_STEPS);
            // What was checked fails for no reason that checking could have told.
            if let (Ok(_), Err(fault)) = (checked, value) {
                prop_assert!(!fault.message.contains("there is no variable"), "{text}: {fault}");
                prop_assert!(!fault.message.contains("there is no function"), "{text}: {fault}");
            }
        }
    }
}
