//! The `sops` block of a document: for whom the data key is encrypted, which values are, and the MAC.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};

use super::super::yaml::{Entry, Fault, Mark, Node, Value};
use super::mac::Mac;
use super::rule::Rule;
use super::{KEY, fault};

/// Recipients of one file: each costs one key agreement.
const MAX_RECIPIENTS: usize = 200;

/// Lists of other key services, and what people call them.
const OTHERS: &[(&str, &str)] = &[
    ("pgp", "OpenPGP"),
    ("kms", "AWS KMS"),
    ("gcp_kms", "GCP KMS"),
    ("azure_kv", "Azure Key Vault"),
    ("hc_vault", "Vault"),
    ("hckms", "Huawei Cloud KMS"),
];

/// What the block says.
#[derive(Debug)]
pub(super) struct Block {
    /// Where it begins.
    pub mark: Mark,
    /// The data key, once for each age recipient.
    pub age: Vec<Recipient>,
    /// The other services that the data key is encrypted with.
    pub others: Vec<&'static str>,
    /// Which values are encrypted.
    pub rule: Rule,
    /// Whether values that are not encrypted are left out of the MAC.
    pub mac_only_encrypted: bool,
    pub mac: Mac,
}

/// The data key for one recipient.
#[derive(Debug)]
pub(super) struct Recipient {
    /// The public key.
    pub name: String,
    /// The armored age file.
    pub sealed: String,
    pub mark: Mark,
}

impl Block {
    /// Reads it.
    pub(super) fn read(entry: &Entry) -> Result<Block, Fault> {
        let mark = entry.mark;
        if entry.node.entries().is_none() {
            let message = format!("the sops block must be a mapping and is {}", entry.node.kind());
            return Err(fault(mark, &[KEY], message, REWRITE));
        }
        if let Some(groups) = entry.node.entry("key_groups").filter(|groups| !is_empty(&groups.node)) {
            let message = "the data key is shared among key groups (Shamir), which is not read here";
            let remedy = "encrypt the file for age recipients without key groups";
            return Err(fault(groups.mark, &[KEY, "key_groups"], message, remedy));
        }
        Ok(Block {
            mark,
            age: recipients(&entry.node)?,
            others: others(&entry.node),
            rule: rule(&entry.node, mark)?,
            mac_only_encrypted: entry.node.get("mac_only_encrypted").map(|node| &node.value)
                == Some(&Value::Bool(true)),
            mac: mac(&entry.node, mark)?,
        })
    }
}

const REWRITE: &str = "restore the block, or encrypt the file again with sops";

fn is_empty(node: &Node) -> bool {
    match &node.value {
        Value::Null => true,
        Value::Sequence(items) => items.is_empty(),
        _ => false,
    }
}

fn recipients(block: &Node) -> Result<Vec<Recipient>, Fault> {
    let Some(list) = block.entry("age").filter(|list| !is_empty(&list.node)) else { return Ok(Vec::new()) };
    let damaged = |mark| fault(mark, &[KEY, "age"], "the list of age recipients is damaged", REWRITE);
    let Value::Sequence(items) = &list.node.value else { return Err(damaged(list.mark)) };
    if items.len() > MAX_RECIPIENTS {
        let message = format!("more than {MAX_RECIPIENTS} recipients");
        return Err(fault(list.mark, &[KEY, "age"], message, "encrypt for fewer, who share a key"));
    }
    let read = |item: &Node| {
        let text = |key| item.get(key).and_then(Node::as_str).map(str::to_owned);
        let (name, sealed) = text("recipient").zip(text("enc")).ok_or_else(|| damaged(item.mark))?;
        Ok(Recipient { name, sealed, mark: item.mark })
    };
    items.iter().map(read).collect()
}

fn others(block: &Node) -> Vec<&'static str> {
    let used = OTHERS.iter().filter(|(key, _)| block.get(key).is_some_and(|list| !is_empty(list)));
    used.map(|(_, name)| *name).collect()
}

fn rule(block: &Node, mark: Mark) -> Result<Rule, Fault> {
    let mut found = BTreeMap::new();
    for key in Rule::KEYS {
        if let Some(text) = block.get(key).and_then(Node::as_str).filter(|text| !text.is_empty()) {
            found.insert(*key, text);
        }
    }
    if found.len() > 1 {
        let named: Vec<_> = found.keys().copied().collect();
        let message = format!("the block has several rules about what is encrypted: {}", named.join(", "));
        return Err(fault(mark, &[KEY], message, REWRITE));
    }
    let Some((key, text)) = found.pop_first() else { return Ok(Rule::default()) };
    let at = block.entry(key).map_or(mark, |entry| entry.node.mark);
    Rule::new(key, text).ok_or_else(|| {
        fault(at, &[KEY, key], "this is no regular expression that is understood here", REWRITE)
    })
}

fn mac(block: &Node, mark: Mark) -> Result<Mac, Fault> {
    let text = |key: &str| {
        let node = block.get(key).filter(|node| node.as_str().is_some_and(|text| !text.is_empty()));
        let missing = || fault(mark, &[KEY, key], "is missing, and without it no value is trusted", REWRITE);
        let node = node.ok_or_else(missing)?;
        Ok((node.as_str().unwrap_or_default().to_owned(), node.mark))
    };
    let (text_of_mac, at) = text("mac")?;
    let (modified, modified_at) = text("lastmodified")?;
    let modified = DateTime::parse_from_rfc3339(&modified)
        .map_err(|_| fault(modified_at, &[KEY, "lastmodified"], "is not a time", REWRITE))?;
    let modified = modified.to_rfc3339_opts(SecondsFormat::Secs, true);
    Ok(Mac { text: text_of_mac, mark: at, modified })
}
