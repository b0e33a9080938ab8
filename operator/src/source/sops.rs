//! YAML files encrypted by SOPS for age recipients: opened in the tree that the parser made, so that every value keeps its
//! line and column.
//!
//! What is followed is what `sops` 3 writes (getsops/sops, `sops.go`, `aes/cipher.go`, `stores/yaml`): values
//! `ENC[AES256_GCM,…]` under a data key, which the `sops` block holds for each recipient, and a MAC over all values. A file
//! opens as a whole or not at all. Leaves out encrypting, key services (KMS, Vault, OpenPGP) and Shamir groups, and where encrypted
//! values may stand ([`placement`]).

mod block;
mod identity;
mod key;
mod mac;
pub(crate) mod placement;
mod rule;
mod timestamp;
mod value;
mod walk;

use std::collections::HashSet;

use super::yaml::{Document, Fault, Mark, Node, Step, Value};
use block::Block;
use walk::Walk;

pub use identity::{Decryption, KeyError};

/// The key of the block.
const KEY: &str = "sops";

/// Whether `sops` wrote the file, or part of it.
pub(crate) fn is_encrypted(documents: &[Document]) -> bool {
    documents.iter().any(|document| document.root.as_ref().is_some_and(|root| root.get(KEY).is_some()))
}

/// Decrypts all documents of one file in place and takes the `sops` blocks out. After an `Err` some values may stand
/// there decrypted: wipe the trees.
pub(crate) fn open(documents: &mut [Document], decryption: &Decryption) -> Result<(), Fault> {
    let block = common_block(documents)?;
    let key = key::data_key(&block, decryption)?;
    let mut walk = Walk::new(&key, &block.rule, block.mac_only_encrypted);
    for root in documents.iter_mut().filter_map(|document| document.root.as_mut()) {
        root.remove(KEY);
        walk.document(root)?;
    }
    block.mac.check(&key, &walk.finish())
}

/// What stands for a hash that stays sealed: a hash of nothing that anybody knows.
const SEALED_HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g";
/// The same where a value is in base64.
const SEALED_BASE64: &str = "c2VhbGVk";

/// Takes the `sops` blocks out and leaves what is encrypted encrypted, as values that their places take.
pub(crate) fn leave_sealed(documents: &mut [Document]) {
    for root in documents.iter_mut().filter_map(|document| document.root.as_mut()) {
        root.remove(KEY);
        cover(root, "");
    }
}

fn cover(node: &mut Node, below: &str) {
    match &mut node.value {
        Value::String(text) if value::is_sealed(text) => match below {
            "passwordHash" => *text = SEALED_HASH.into(),
            "data" => *text = SEALED_BASE64.into(),
            _ => {}
        },
        Value::Mapping(entries) => {
            for entry in entries {
                let below = if below == "data" { below } else { &*entry.key };
                cover(&mut entry.node, below);
            }
        }
        Value::Sequence(items) => items.iter_mut().for_each(|item| cover(item, below)),
        _ => {}
    }
}

/// The block of the first document, which `sops` copies into the others.
fn common_block(documents: &[Document]) -> Result<Block, Fault> {
    let mut roots = documents.iter().filter_map(|document| document.root.as_ref());
    let places = roots.clone().filter_map(|root| root.entry(KEY).map(|entry| entry.mark));
    let anywhere = places.clone().next().unwrap_or_default();
    let Some(first) = roots.next().and_then(|root| root.entry(KEY)) else {
        let message = "the first document has no sops block, and a later one has";
        return Err(fault(anywhere, &[KEY], message, "put what is encrypted into a file of its own"));
    };
    let block = Block::read(first)?;
    let mut macs = HashSet::from([block.mac.text.as_str()]);
    for entry in roots.filter_map(|root| root.entry(KEY)) {
        let mac = entry.node.get("mac").and_then(|mac| mac.as_str()).unwrap_or_default();
        if macs.insert(mac) {
            let message = "this document was encrypted apart from those before it";
            let remedy =
                "put it into a file of its own, or decrypt both files, join them and encrypt the whole";
            return Err(fault(entry.mark, &[KEY], message, remedy));
        }
    }
    drop(macs);
    Ok(block)
}

/// A fault that stops the file.
fn fault(mark: Mark, path: &[&str], message: impl Into<String>, remedy: &str) -> Fault {
    let path = path.iter().map(|key| Step::Key((*key).into())).collect();
    Fault { path, ..Fault::whole(mark, message, remedy) }
}

#[cfg(test)]
mod tests;
