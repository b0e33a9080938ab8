//! Between rows and types.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use crate::account::AccountId;
use crate::error::{Error, Result};
use crate::queue::{
    Notify, OutgoingRecipient, QueueId, QueueState, Queued, QueuedRecipient, RecipientId, Ret,
};

/// Octets kept of what a next hop said: three lines of RFC 5321 §4.5.3.1.5 hold any reason.
pub(super) const REPLY_MAX: usize = 1536;

const NEVER: i64 = 1;
const SUCCESS: i64 = 2;
const FAILURE: i64 = 4;
const DELAY: i64 = 8;

pub(super) fn notify_bits(notify: Notify) -> i64 {
    [(notify.never, NEVER), (notify.success, SUCCESS), (notify.failure, FAILURE), (notify.delay, DELAY)]
        .into_iter()
        .map(|(wanted, bit)| if wanted { bit } else { 0 })
        .sum()
}

fn notify(bits: i64) -> Notify {
    let has = |bit| bits & bit != 0;
    Notify { never: has(NEVER), success: has(SUCCESS), failure: has(FAILURE), delay: has(DELAY) }
}

pub(super) fn ret_number(ret: Option<Ret>) -> i64 {
    match ret {
        None => 0,
        Some(Ret::Full) => 1,
        Some(Ret::Headers) => 2,
    }
}

fn ret(number: i64) -> Option<Ret> {
    match number {
        1 => Some(Ret::Full),
        2 => Some(Ret::Headers),
        _ => None,
    }
}

pub(super) fn state(name: &str) -> Result<QueueState> {
    let found = QueueState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| Error::Damaged(format!("unknown state {name:?} in the queue")))
}

/// The domain of an address as filters and leases know it; empty for a local part alone.
pub(super) fn domain(address: &str) -> String {
    address.rsplit_once('@').map_or(String::new(), |(_, domain)| domain.to_ascii_lowercase())
}

/// `[address, domain, original, notify]` of each recipient.
pub(super) fn recipients_json(recipients: &[OutgoingRecipient]) -> String {
    let row = |recipient: &OutgoingRecipient| {
        let OutgoingRecipient { address, original, notify } = recipient;
        serde_json::json!([address, domain(address), original, notify_bits(*notify)])
    };
    recipients.iter().map(row).collect::<serde_json::Value>().to_string()
}

/// What is kept of a reply.
pub(super) fn reply(text: &str) -> &str {
    let mut end = text.len().min(REPLY_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The columns of the message.
pub(super) fn message(row: &SqliteRow) -> Result<Queued> {
    Ok(Queued {
        id: QueueId(row.try_get(0)?),
        trace: row.try_get(1)?,
        reverse_path: row.try_get(2)?,
        ret: ret(row.try_get(3)?),
        envelope_id: row.try_get(4)?,
        smtputf8: row.try_get(5)?,
        eight_bit: row.try_get(6)?,
        submitted_by: row.try_get::<Option<i64>, _>(7)?.map(AccountId),
        size: row.try_get::<i64, _>(8)?.unsigned_abs(),
        queued_at: row.try_get(9)?,
        expires: row.try_get(10)?,
    })
}

/// The columns of the recipient behind those of the message.
pub(super) fn recipient(row: &SqliteRow) -> Result<QueuedRecipient> {
    Ok(QueuedRecipient {
        id: RecipientId(row.try_get(11)?),
        address: row.try_get(12)?,
        original: row.try_get(13)?,
        notify: notify(row.try_get(14)?),
        state: state(row.try_get(15)?)?,
        attempts: row.try_get(16)?,
        next_attempt: row.try_get(17)?,
        last_reply: row.try_get(18)?,
        delay_reported: row.try_get(19)?,
    })
}

/// Numbers as a JSON array.
pub(super) fn numbers(list: impl IntoIterator<Item = i64>) -> String {
    serde_json::Value::from_iter(list).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_back() {
        for bits in 0..16 {
            assert_eq!(notify_bits(notify(bits)), bits);
        }
        for given in [None, Some(Ret::Full), Some(Ret::Headers)] {
            assert_eq!(ret(ret_number(given)), given);
        }
        for given in QueueState::ALL {
            assert_eq!(state(given.name()).unwrap(), given);
        }
        assert!(state("lost").is_err());
        assert_eq!(notify_bits(Notify::default()), FAILURE | DELAY);
    }

    #[test]
    fn domains_are_lower_case_and_behind_the_last_at() {
        for (address, expected) in
            [("bob@Example.ORG", "example.org"), ("\"a@b\"@example.org", "example.org"), ("bob", "")]
        {
            assert_eq!(domain(address), expected, "{address}");
        }
    }

    #[test]
    fn long_replies_are_cut_between_characters() {
        assert_eq!(reply("550 no"), "550 no");
        let long = format!("a{}", "é".repeat(REPLY_MAX));
        assert!(reply(&long).len() < REPLY_MAX && long.starts_with(reply(&long)));
        assert_eq!(reply(&"x".repeat(9000)).len(), REPLY_MAX);
    }
}
