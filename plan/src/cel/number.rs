//! What the signs between two values do. Nothing wraps around and nothing is rounded silently.

use super::value::{List, Value};
use super::{MAX_TEXT, Op};

/// `+ - * / %`; the error says what is wrong without the values, which may be long.
pub(super) fn arithmetic<'a>(op: Op, left: &Value<'a>, right: &Value<'a>) -> Result<Value<'a>, String> {
    let none = || format!("{} {} {} has no meaning", left.what(), op.as_str(), right.what());
    let outside = || format!("the result of {} is no number of 64 bits", op.as_str());
    let time = || "the result is no time between the years 1 and 9999".to_owned();
    match (op, left, right) {
        (_, Value::Int(a), Value::Int(b)) => whole(op, *a, *b),
        (Op::Divide | Op::Remainder, _, _) if !matches!(left, Value::Double(_)) => Err(none()),
        (_, Value::Double(a), Value::Double(b)) => match op {
            Op::Add => Ok(Value::Double(a + b)),
            Op::Subtract => Ok(Value::Double(a - b)),
            Op::Multiply => Ok(Value::Double(a * b)),
            Op::Divide => Ok(Value::Double(a / b)),
            _ => Err(none()),
        },
        (Op::Add, Value::Text(a), Value::Text(b)) => {
            let (a, b) = (a.as_str(), b.as_str());
            match a.len() + b.len() > MAX_TEXT {
                true => Err(too_long()),
                false => Ok(Value::made([a, b].concat())),
            }
        }
        (Op::Add, Value::List(a), Value::List(b)) => Ok(joined(a, b)),
        (Op::Add, Value::Span(a), Value::Span(b)) => a.checked_add(b).map(Value::Span).ok_or_else(outside),
        (Op::Subtract, Value::Span(a), Value::Span(b)) => {
            a.checked_sub(b).map(Value::Span).ok_or_else(outside)
        }
        (Op::Add, Value::Time(a), Value::Span(b)) | (Op::Add, Value::Span(b), Value::Time(a)) => {
            a.checked_add_signed(*b).map(Value::Time).ok_or_else(time)
        }
        (Op::Subtract, Value::Time(a), Value::Span(b)) => {
            a.checked_sub_signed(*b).map(Value::Time).ok_or_else(time)
        }
        (Op::Subtract, Value::Time(a), Value::Time(b)) => Ok(Value::Span(*a - *b)),
        _ => Err(none()),
    }
}

fn whole<'a>(op: Op, a: i64, b: i64) -> Result<Value<'a>, String> {
    let result = match op {
        Op::Add => a.checked_add(b),
        Op::Subtract => a.checked_sub(b),
        Op::Multiply => a.checked_mul(b),
        Op::Divide | Op::Remainder if b == 0 => return Err("a division by zero".to_owned()),
        Op::Divide => a.checked_div(b),
        _ => a.checked_rem(b),
    };
    result.map(Value::Int).ok_or_else(|| format!("the result of {} is no number of 64 bits", op.as_str()))
}

fn joined<'a>(a: &List<'a>, b: &List<'a>) -> Value<'a> {
    Value::list(a.iter().chain(b.iter()).collect())
}

pub(super) fn too_long() -> String {
    format!("the text would have more than {MAX_TEXT} bytes")
}
