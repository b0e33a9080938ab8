//! Whether a live object already has everything that is desired of it. The API server fills in defaults, other writers have
//! fields and list elements of their own, and amounts come back in another spelling; none of that is a difference.
//!
//! Structural merge diff in the small: the same list keys as in Kubernetes' own schema, for the fields that are sent here.

use serde_json::Value;

/// Whether `live` has everything that `desired` has.
pub fn covers(live: &Value, desired: &Value) -> bool {
    covered(live, desired, "", "")
}

/// The part of `live` that `desired` speaks about: what another writer made of our fields.
pub fn project(live: &Value, desired: &Value) -> Value {
    projected(live, desired, "", "")
}

/// `field` is the name of the field that the two stand in, `above` that of the object around it.
fn covered(live: &Value, desired: &Value, field: &str, above: &str) -> bool {
    match (live, desired) {
        (Value::Object(has), Value::Object(wants)) => {
            wants.iter().all(|(name, wanted)| match has.get(name) {
                Some(value) => covered(value, wanted, name, field),
                None => is_empty(wanted),
            })
        }
        (Value::Array(has), Value::Array(wants)) => match merge_keys(field, wants) {
            Some(keys) => wants.iter().all(|wanted| {
                let found = has.iter().find(|item| same_key(item, wanted, keys));
                found.is_some_and(|item| covered(item, wanted, "", field))
            }),
            None => {
                has.len() == wants.len()
                    && has.iter().zip(wants).all(|(item, wanted)| covered(item, wanted, "", field))
            }
        },
        _ => {
            live == desired || is_empty(live) && is_empty(desired) || same_amount(live, desired, field, above)
        }
    }
}

fn projected(live: &Value, desired: &Value, field: &str, above: &str) -> Value {
    match (live, desired) {
        (Value::Object(has), Value::Object(wants)) => wants
            .iter()
            .filter_map(|(name, wanted)| Some((name.clone(), projected(has.get(name)?, wanted, name, field))))
            .collect(),
        (Value::Array(has), Value::Array(wants)) => match merge_keys(field, wants) {
            Some(keys) => wants
                .iter()
                .filter_map(|wanted| {
                    let found = has.iter().find(|item| same_key(item, wanted, keys))?;
                    Some(projected(found, wanted, "", field))
                })
                .collect(),
            None => live.clone(),
        },
        _ => {
            let same = covered(live, desired, field, above);
            if same { desired.clone() } else { live.clone() }
        }
    }
}

/// What the API server leaves out of its answers.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The fields that tell the elements of a list apart, in the lists that several writers share. Other lists have one writer and
/// an order.
fn merge_keys(field: &str, items: &[Value]) -> Option<&'static [&'static str]> {
    let has = |name: &str| items.iter().all(|item| item.get(name).is_some());
    let keys: &[&str] = match field {
        "containers" | "initContainers" | "volumes" | "env" | "imagePullSecrets" => &["name"],
        "volumeMounts" => &["mountPath"],
        "ownerReferences" => &["uid"],
        "topologySpreadConstraints" => &["topologyKey", "whenUnsatisfiable"],
        "ports" if has("containerPort") => &["containerPort", "protocol"],
        // A Service's, by the name that every one of ours has; those of a NetworkPolicy have none and one writer.
        "ports" if has("name") => &["port", "protocol"],
        _ => return None,
    };
    has(keys[0]).then_some(keys)
}

fn same_key(item: &Value, wanted: &Value, keys: &[&str]) -> bool {
    keys.iter().all(|key| item.get(key) == wanted.get(key))
}

/// Whether two amounts are the same in different spellings: `0.5` and `500m`, `1024Mi` and `1Gi`.
fn same_amount(live: &Value, desired: &Value, field: &str, above: &str) -> bool {
    let amount = matches!(above, "requests" | "limits") || field == "sizeLimit";
    amount && amount_of(live).is_some_and(|amount| amount_of(desired) == Some(amount))
}

/// An amount in thousandths. `None` for what is none, or has more digits than any amount of a pod.
fn amount_of(value: &Value) -> Option<u128> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    // Digits of a fraction that count: Kubernetes rounds up what is finer than a thousandth of a unit.
    const FRACTION: usize = 9;
    if whole.len() > FRACTION * 2 || fraction.len() > FRACTION {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction:0<FRACTION$}").parse().ok()?;
    let thousandths = digits.checked_mul(thousandths_of(unit)?)?;
    Some(thousandths.div_ceil(10_u128.pow(FRACTION as u32)))
}

/// How many thousandths a unit has.
fn thousandths_of(unit: &str) -> Option<u128> {
    let decimal = |power: u32| 1000_u128.pow(power + 1);
    let binary = |power: u32| 1000 * 1024_u128.pow(power);
    Some(match unit {
        "m" => 1,
        "" => 1000,
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
