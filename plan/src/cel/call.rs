//! The functions of the language: those of CEL and its string library that policies have a use for, and quantities as the rules of
//! the CRDs have them. One table for checking and for running.

use std::cmp::Ordering;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike, Utc};
use mailwright_crds::{Quantity, Scalar};

use super::MAX_TEXT;
use super::check::Signature;
use super::number::too_long;
use super::types::Type;
use super::value::Value;

type Run = for<'a> fn(&[Value<'a>]) -> Result<Value<'a>, String>;

/// A row of the table. Of a method the first parameter is what it is called on.
pub(super) struct Function {
    pub(super) signature: Signature,
    run: Run,
}

const fn function(name: &'static str, takes: &'static [Type], gives: Type, run: Run) -> Function {
    Function { signature: Signature { name, method: false, takes, gives }, run }
}

const fn method(name: &'static str, takes: &'static [Type], gives: Type, run: Run) -> Function {
    Function { signature: Signature { name, method: true, takes, gives }, run }
}

const TEXT: &[Type] = &[Type::Text];
const TEXT_TEXT: &[Type] = &[Type::Text, Type::Text];
const QUANTITIES: &[Type] = &[Type::Quantity, Type::Quantity];
const TIME: &[Type] = &[Type::Time];
const SPAN: &[Type] = &[Type::Span];

/// Every function; a name may stand for several types.
pub(super) static FUNCTIONS: [Function; 46] = [
    function("size", TEXT, Type::Int, size),
    function("size", &[Type::AnyList], Type::Int, size),
    function("size", &[Type::AnyMap], Type::Int, size),
    method("size", TEXT, Type::Int, size),
    method("size", &[Type::AnyList], Type::Int, size),
    method("size", &[Type::AnyMap], Type::Int, size),
    method("contains", TEXT_TEXT, Type::Bool, |it| texts(it, |a, b| Value::Bool(a.contains(b)))),
    method("startsWith", TEXT_TEXT, Type::Bool, |it| texts(it, |a, b| Value::Bool(a.starts_with(b)))),
    method("endsWith", TEXT_TEXT, Type::Bool, |it| texts(it, |a, b| Value::Bool(a.ends_with(b)))),
    method("lowerAscii", TEXT, Type::Text, |it| texts(it, |a, _| Value::made(a.to_ascii_lowercase()))),
    method("upperAscii", TEXT, Type::Text, |it| texts(it, |a, _| Value::made(a.to_ascii_uppercase()))),
    method("trim", TEXT, Type::Text, |it| texts(it, |a, _| Value::made(a.trim()))),
    method("split", TEXT_TEXT, Type::TextList, split),
    method("join", &[Type::TextList], Type::Text, join),
    method("join", &[Type::TextList, Type::Text], Type::Text, join),
    method("replace", &[Type::Text, Type::Text, Type::Text], Type::Text, replace),
    method("indexOf", TEXT_TEXT, Type::Int, index_of),
    method("substring", &[Type::Text, Type::Int], Type::Text, substring),
    method("substring", &[Type::Text, Type::Int, Type::Int], Type::Text, substring),
    function("string", &[Type::Any], Type::Text, string),
    function("int", &[Type::Any], Type::Int, int),
    function("double", &[Type::Any], Type::Double, double),
    function("timestamp", TEXT, Type::Time, timestamp),
    function("timestamp", TIME, Type::Time, first),
    function("duration", TEXT, Type::Span, duration),
    function("duration", SPAN, Type::Span, first),
    method("getFullYear", TIME, Type::Int, |it| of_time(it, |time| i64::from(time.year()))),
    method("getMonth", TIME, Type::Int, |it| of_time(it, |time| i64::from(time.month0()))),
    method("getDate", TIME, Type::Int, |it| of_time(it, |time| i64::from(time.day()))),
    method("getDayOfWeek", TIME, Type::Int, |it| {
        of_time(it, |time| i64::from(time.weekday().num_days_from_sunday()))
    }),
    method("getHours", TIME, Type::Int, |it| of_time(it, |time| i64::from(time.hour()))),
    method("getMinutes", TIME, Type::Int, |it| of_time(it, |time| i64::from(time.minute()))),
    method("getHours", SPAN, Type::Int, |it| of_span(it, TimeDelta::num_hours)),
    method("getMinutes", SPAN, Type::Int, |it| of_span(it, TimeDelta::num_minutes)),
    method("getSeconds", SPAN, Type::Int, |it| of_span(it, TimeDelta::num_seconds)),
    function("isQuantity", TEXT, Type::Bool, |it| texts(it, |a, _| Value::Bool(bytes(a).is_ok()))),
    function("quantity", TEXT, Type::Quantity, quantity),
    function("quantity", &[Type::Quantity], Type::Quantity, first),
    method("isGreaterThan", QUANTITIES, Type::Bool, |it| compare(it, Ordering::Greater)),
    method("isLessThan", QUANTITIES, Type::Bool, |it| compare(it, Ordering::Less)),
    method("compareTo", QUANTITIES, Type::Int, compare_to),
    method("add", QUANTITIES, Type::Quantity, |it| sum(it, i128::saturating_add)),
    method("sub", QUANTITIES, Type::Quantity, |it| sum(it, i128::saturating_sub)),
    method("asInteger", &[Type::Quantity], Type::Int, as_integer),
    function("min", &[Type::Quantity, Type::Quantity], Type::Quantity, |it| sum(it, i128::min)),
    function("max", &[Type::Quantity, Type::Quantity], Type::Quantity, |it| sum(it, i128::max)),
];

/// What runs a function for these values, the first of them what a method is called on.
pub(super) fn find(name: &str, method: bool, values: &[Value<'_>]) -> Option<Run> {
    let fits = |function: &&Function| {
        let Signature { name: other, method: other_method, takes, .. } = &function.signature;
        *other == name
            && *other_method == method
            && takes.len() == values.len()
            && takes.iter().zip(values).all(|(wanted, value)| wanted.takes(value))
    };
    FUNCTIONS.iter().find(fits).map(|function| function.run)
}

/// Why no function was found.
pub(super) fn unknown(name: &str, method: bool, values: &[Value<'_>]) -> String {
    let known = FUNCTIONS.iter().any(|it| it.signature.name == name && it.signature.method == method);
    let given: Vec<&str> = values.iter().map(Value::what).collect();
    match (known, given.split_first()) {
        (false, _) => format!("there is no function {name}"),
        (true, Some((of, []))) if method => format!("{name} is not for {of}"),
        (true, Some((of, given))) if method => format!("{name} is not for {of} with {}", given.join(" and ")),
        (true, _) => format!(
            "{name} takes no {}",
            if given.is_empty() { "nothing".into() } else { given.join(" and ") }
        ),
    }
}

const WRONG: &str = "values of other types were expected";

fn texts<'a>(values: &[Value<'a>], made: fn(&str, &str) -> Value<'static>) -> Result<Value<'a>, String> {
    match values {
        [a, rest @ ..] => {
            let b = rest.first().and_then(Value::as_text).unwrap_or_default();
            a.as_text().map(|a| made(a, b)).ok_or_else(|| WRONG.to_owned())
        }
        [] => Err(WRONG.to_owned()),
    }
}

fn first<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    values.first().cloned().ok_or_else(|| WRONG.to_owned())
}

/// Of a text its characters, as CEL counts them.
fn size<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let number = match values.first() {
        Some(Value::Text(text)) => text.as_str().chars().count(),
        Some(Value::List(list)) => list.len(),
        Some(Value::Map(map)) => map.len(),
        _ => return Err(WRONG.to_owned()),
    };
    Ok(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn split<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let [text, between] = values else { return Err(WRONG.to_owned()) };
    let (Some(text), Some(between)) = (text.as_text(), between.as_text()) else {
        return Err(WRONG.to_owned());
    };
    if between.is_empty() {
        let each = text.chars().map(|character| Value::made(character.to_string()));
        return Ok(Value::list(each.collect()));
    }
    Ok(Value::list(text.split(between).map(Value::made).collect()))
}

fn join<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let between = values.get(1).and_then(Value::as_text).unwrap_or_default();
    let Some(Value::List(list)) = values.first() else { return Err(WRONG.to_owned()) };
    let mut joined = String::new();
    for (index, item) in list.iter().enumerate() {
        let text =
            item.as_text().ok_or_else(|| format!("only texts are joined, and this is {}", item.what()))?;
        if joined.len() + text.len() + between.len() > MAX_TEXT {
            return Err(too_long());
        }
        if index > 0 {
            joined.push_str(between);
        }
        joined.push_str(text);
    }
    Ok(Value::made(joined))
}

fn replace<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let texts: Vec<&str> = values.iter().filter_map(Value::as_text).collect();
    let [text, from, to] = texts.as_slice() else { return Err(WRONG.to_owned()) };
    if text.len().saturating_add(1).saturating_mul(to.len().saturating_add(1)) > MAX_TEXT {
        return Err(too_long());
    }
    Ok(Value::made(text.replace(from, to)))
}

/// In characters; −1 when it is not in it.
fn index_of<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    texts(values, |text, wanted| {
        let before = text.find(wanted).map(|at| text[..at].chars().count());
        Value::Int(before.and_then(|count| i64::try_from(count).ok()).unwrap_or(-1))
    })
}

fn substring<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let number = |value: &Value<'_>| match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    let [text, from, to @ ..] = values else { return Err(WRONG.to_owned()) };
    let text = text.as_text().ok_or_else(|| WRONG.to_owned())?;
    let length = text.chars().count();
    let (from, to) = (number(from), to.first().map_or(Some(length), number));
    match (from, to) {
        (Some(from), Some(to)) if from <= to && to <= length => {
            Ok(Value::made(text.chars().skip(from).take(to - from).collect::<String>()))
        }
        _ => Err(format!("there is no such part of a text of {length} characters")),
    }
}

fn string<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    Ok(match values {
        [Value::Text(_)] => return first(values),
        [Value::Bool(value)] => Value::made(value.to_string()),
        [Value::Int(number)] => Value::made(number.to_string()),
        [Value::Double(number)] => Value::made(number.to_string()),
        [Value::Time(time)] => Value::made(time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)),
        [Value::Span(span)] => Value::made(format!("{}s", span.num_seconds())),
        [Value::Quantity(number)] => {
            match u64::try_from(*number).ok().and_then(|it| Quantity::from_bytes(it).ok()) {
                Some(quantity) => Value::made(quantity.as_str()),
                None => Value::made(number.to_string()),
            }
        }
        [other, ..] => return Err(format!("{} has no text", other.what())),
        [] => return Err(WRONG.to_owned()),
    })
}

fn int<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let number = match values {
        [Value::Int(number)] => Some(*number),
        // Towards zero, and only what fits.
        [Value::Double(number)] if number.abs() < 9.2e18 => Some(number.trunc() as i64),
        [Value::Text(text)] => text.as_str().parse().ok(),
        [Value::Time(time)] => Some(time.timestamp()),
        _ => None,
    };
    number.map(Value::Int).ok_or_else(|| "this is no whole number of 64 bits".to_owned())
}

fn double<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let number = match values {
        [Value::Int(number)] => Some(*number as f64),
        [Value::Double(number)] => Some(*number),
        [Value::Text(text)] => text.as_str().parse().ok(),
        _ => None,
    };
    number.map(Value::Double).ok_or_else(|| "this is no number".to_owned())
}

/// RFC 3339; or a date, which is its first moment in UTC: the value of a label has no colon.
fn timestamp<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let text = values.first().and_then(Value::as_text).unwrap_or_default();
    let whole = DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc));
    let date = || NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0);
    let time =
        whole.or_else(|| date().map(|time| time.and_utc())).filter(|time| (1..=9999).contains(&time.year()));
    time.map(Value::Time).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is no time; write it like 2026-12-31 or 2026-12-31T12:00:00Z")
    })
}

fn duration<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    let text = values.first().and_then(Value::as_text).unwrap_or_default();
    let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let read = mailwright_crds::Duration::parse(rest).ok().and_then(|it| i64::try_from(it.as_secs()).ok());
    let span = read.and_then(|seconds| TimeDelta::try_seconds(sign * seconds));
    span.map(Value::Span).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        format!("{shown:?} is no duration; write it like 8760h or 1h30m")
    })
}

fn of_time<'a>(values: &[Value<'a>], part: fn(&DateTime<Utc>) -> i64) -> Result<Value<'a>, String> {
    match values.first() {
        Some(Value::Time(time)) => Ok(Value::Int(part(time))),
        _ => Err(WRONG.to_owned()),
    }
}

fn of_span<'a>(values: &[Value<'a>], part: fn(&TimeDelta) -> i64) -> Result<Value<'a>, String> {
    match values.first() {
        Some(Value::Span(span)) => Ok(Value::Int(part(span))),
        _ => Err(WRONG.to_owned()),
    }
}

/// A quantity as the API has it, and nothing at all.
fn bytes(text: &str) -> Result<i128, String> {
    if text == "0" {
        return Ok(0);
    }
    Quantity::parse(text).map(|quantity| i128::from(quantity.bytes())).map_err(|refusal| {
        match refusal.remedy {
            Some(remedy) => format!("{}; {remedy}", refusal.message),
            None => refusal.message,
        }
    })
}

fn quantity<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    bytes(values.first().and_then(Value::as_text).unwrap_or_default()).map(Value::Quantity)
}

fn quantities(values: &[Value<'_>]) -> Result<(i128, i128), String> {
    match values {
        [Value::Quantity(a), Value::Quantity(b)] => Ok((*a, *b)),
        _ => Err(WRONG.to_owned()),
    }
}

fn compare<'a>(values: &[Value<'a>], wanted: Ordering) -> Result<Value<'a>, String> {
    quantities(values).map(|(a, b)| Value::Bool(a.cmp(&b) == wanted))
}

fn compare_to<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    quantities(values).map(|(a, b)| Value::Int(a.cmp(&b) as i64))
}

fn sum<'a>(values: &[Value<'a>], made: fn(i128, i128) -> i128) -> Result<Value<'a>, String> {
    quantities(values).map(|(a, b)| Value::Quantity(made(a, b)))
}

fn as_integer<'a>(values: &[Value<'a>]) -> Result<Value<'a>, String> {
    match values.first() {
        Some(Value::Quantity(number)) => {
            i64::try_from(*number).map(Value::Int).map_err(|_| "this is no number of 64 bits".to_owned())
        }
        _ => Err(WRONG.to_owned()),
    }
}
