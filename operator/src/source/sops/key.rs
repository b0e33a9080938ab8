//! The data key of a file, out of the age file that the `sops` block holds for one of our identities.

use std::io::{BufReader, Read as _};

use age::armor::ArmoredReader;
use age::{DecryptError, Decryptor};
use zeroize::Zeroizing;

use super::block::{Block, Recipient};
use super::{Decryption, KEY, fault};
use crate::source::yaml::Fault;

/// The key of AES-256.
const LENGTH: usize = 32;
/// Public keys that a message names; the rest is counted.
const NAMED: usize = 4;

/// What values are encrypted with; overwritten when it goes.
pub(super) type DataKey = Zeroizing<[u8; LENGTH]>;

/// Decrypts the data key, or says whose key is missing.
pub(super) fn data_key(block: &Block, decryption: &Decryption) -> Result<DataKey, Fault> {
    let path = [KEY, "age"];
    if block.age.is_empty() {
        let message = match block.others.as_slice() {
            [] => "the file names nobody whom it is encrypted for".to_owned(),
            others => {
                format!("the file is encrypted with {} only, and age is what is read here", others.join(", "))
            }
        };
        let remedy = "add an age recipient: sops rotate --in-place --add-age age1… FILE";
        return Err(fault(block.mark, &[KEY], message, remedy));
    }
    if decryption.is_empty() {
        let message = format!("the file is encrypted for {} and no key is given", named(block));
        let remedy = "give the age key: --age-key-file FILE, or decryption.secretRef of the MailRepository";
        return Err(fault(block.mark, &[KEY], message, remedy));
    }
    for recipient in &block.age {
        match open(recipient, decryption) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => {}
            Err(what) => {
                let message = format!("the data key for {} {what}", recipient.name);
                return Err(fault(recipient.mark, &path, message, "restore it, or run sops updatekeys FILE"));
            }
        }
    }
    let ours: Vec<&str> = decryption.recipients().take(NAMED).collect();
    let message = format!("the file is encrypted for {} and not for {}", named(block), ours.join(", "));
    let remedy = "add the recipient to .sops.yaml and run sops updatekeys FILE, or give another key";
    Err(fault(block.mark, &[KEY], message, remedy))
}

fn named(block: &Block) -> String {
    let names: Vec<&str> = block.age.iter().take(NAMED).map(|recipient| recipient.name.as_str()).collect();
    match block.age.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// `None` when it is for somebody else.
fn open(recipient: &Recipient, decryption: &Decryption) -> Result<Option<DataKey>, &'static str> {
    const DAMAGED: &str = "is damaged";
    let armored = ArmoredReader::new(BufReader::new(recipient.sealed.as_bytes()));
    let decryptor = Decryptor::new_buffered(armored).map_err(|_| DAMAGED)?;
    let mut reader = match decryptor.decrypt(decryption.identities()) {
        Ok(reader) => reader,
        Err(DecryptError::NoMatchingKeys) => return Ok(None),
        Err(_) => return Err(DAMAGED),
    };
    let mut key = Zeroizing::new([0; LENGTH]);
    reader.read_exact(key.as_mut_slice()).map_err(|_| DAMAGED)?;
    match reader.read(&mut [0]) {
        Ok(0) => Ok(Some(key)),
        _ => Err("has a length that no data key has"),
    }
}
