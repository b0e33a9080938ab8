//! The YAML 1.2 core schema (YAML 1.2.2 §10.3.2) for plain scalars, and the texts on which readers disagree.
//!
//! `kubectl` reads YAML 1.1: there `no` is false and `0644` is 420, in YAML 1.2 they are a string and 644. A manifest
//! must mean the same on every way in, so such texts are refused rather than given one of the two meanings.

use serde_json::Number;

use super::Value;

/// What a plain scalar means, or why it may not be written like this: message and remedy.
pub(super) fn resolve(text: &str) -> Result<Value, (String, String)> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "true" | "True" | "TRUE" => return Ok(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Value::Bool(false)),
        _ => {}
    }
    if let Some(value) = old_boolean(text) {
        let message = format!("{text} without quotes is a boolean to kubectl and a string to YAML 1.2");
        return Err((message, format!("write {value} for a boolean, \"{text}\" for a string")));
    }
    let first = text.as_bytes().first().copied().unwrap_or_default();
    if !(first.is_ascii_digit() || b"+-.".contains(&first)) {
        return Ok(Value::String(text.into()));
    }
    if let Some(value) = old_number(text) {
        let message = format!("{text} without quotes is the number {value} to kubectl and not to YAML 1.2");
        return Err((message, format!("write {value} for the number, \"{text}\" for a string")));
    }
    number(text)
}

/// The booleans of YAML 1.1 that YAML 1.2 dropped.
fn old_boolean(text: &str) -> Option<bool> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// Numbers of YAML 1.1 only: leading zero for octal, `0b`, and `_` between digits.
fn old_number(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let plain = digits.replace('_', "");
    let underscored = plain.len() != digits.len();
    let value = if let Some(binary) = plain.strip_prefix("0b") {
        i128::from_str_radix(binary, 2)
    } else if let Some(hex) = plain.strip_prefix("0x").filter(|_| underscored) {
        i128::from_str_radix(hex, 16)
    } else if plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| b.is_ascii_digit()) {
        i128::from_str_radix(&plain, 8).or_else(|_| plain.parse())
    } else if underscored && plain.starts_with(|c: char| c.is_ascii_digit()) {
        plain.parse()
    } else {
        return None;
    };
    value.ok().map(|value| if negative { -value } else { value })
}

/// Integers, octal, hexadecimal and floats of the core schema; anything else is a string.
fn number(text: &str) -> Result<Value, (String, String)> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err((format!("{text} is not a number that JSON has"), "write a finite number".to_owned()));
    }
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix).filter(|digits| !digits.starts_with(['-', '+']))?;
        u64::from_str_radix(digits, radix).ok()
    };
    if let Some(value) = radix("0o", 8).or_else(|| radix("0x", 16)) {
        return Ok(Value::Number(value.into(), text.into()));
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|b| b.is_ascii_digit()) {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if let Ok(value) = digits.parse::<i64>() {
            return Ok(Value::Number(value.into(), text.into()));
        }
        if let Ok(value) = digits.parse::<u64>() {
            return Ok(Value::Number(value.into(), text.into()));
        }
    }
    if !is_float(unsigned) {
        return Ok(Value::String(text.into()));
    }
    match text.parse::<f64>().ok().and_then(json_number) {
        Some(value) => Ok(Value::Number(value, text.into())),
        None => Err((format!("{text} is too large a number"), format!("quote it if \"{text}\" is a string"))),
    }
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|text| text.strip_prefix(['-', '+']).unwrap_or(text));
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|text| !text.is_empty() && digits(text))
}

/// A float that is a whole number counts as an integer, as it does once Kubernetes has made JSON of it.
fn json_number(value: f64) -> Option<Number> {
    /// Beyond this not every integer is a float.
    const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() < MAX_EXACT {
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}
