//! The queue for people: a line for each recipient, a summary, one message in full.

use chrono::{DateTime, Utc};
use mailwright_server::management::{QueueEntry, QueueListing, QueueMessage, QueueRecipient};

use crate::terminal;

/// A reply longer than this is cut in the list; `queue show` has it whole.
const REPLY: usize = 70;

/// One line for each recipient, then the counts.
pub fn list(listing: &QueueListing, now: DateTime<Utc>) -> String {
    let totals = &listing.totals;
    if totals.messages == 0 {
        return "the queue is empty\n".to_owned();
    }
    let header = ["ID", "AGE", "SIZE", "SENDER", "RECIPIENT", "STATE", "TRIES", "NEXT", "LAST REPLY"];
    let rows =
        listing.messages.iter().flat_map(|entry| entry.recipients.iter().map(move |it| row(entry, it, now)));
    let rows: Vec<Vec<String>> = rows.collect();
    let mut text = String::new();
    if rows.is_empty() {
        text.push_str("nothing in the queue fits\n");
    } else {
        text.push_str(&terminal::plain_table(&header.map(String::from), &rows));
    }
    let oldest = totals.oldest.map(|at| format!(", the oldest {} old", age(at, now))).unwrap_or_default();
    let messages = if totals.messages == 1 { "message" } else { "messages" };
    text.push_str(&format!(
        "\n{} {messages} in the queue{oldest}; recipients: {} queued, {} active, {} deferred, {} held\n",
        totals.messages, totals.queued, totals.active, totals.deferred, totals.held
    ));
    text
}

fn row(entry: &QueueEntry, recipient: &QueueRecipient, now: DateTime<Utc>) -> Vec<String> {
    vec![
        entry.id.clone(),
        age(entry.queued, now),
        entry.size.to_string(),
        sender(&entry.sender),
        recipient.address.clone(),
        recipient.state.name().to_owned(),
        recipient.attempts.to_string(),
        next(recipient, now),
        recipient.last_reply.as_deref().map(shortened).unwrap_or_default(),
    ]
}

/// One message with everything that is known.
pub fn message(message: &QueueMessage, now: DateTime<Utc>) -> String {
    let entry = &message.entry;
    let time = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
    let mut text = format!(
        "ID          {}\nSender      {}\nSize        {} octets\nQueued      {} ({} ago)\nGiven up    {}\n",
        entry.id,
        sender(&entry.sender),
        entry.size,
        time(entry.queued),
        age(entry.queued, now),
        time(entry.expires),
    );
    for recipient in &entry.recipients {
        text.push_str(&format!(
            "\nRecipient   {}\nState       {}",
            recipient.address,
            recipient.state.name()
        ));
        text.push_str(&match recipient.attempts {
            0 => ", not tried yet\n".to_owned(),
            1 => ", tried once\n".to_owned(),
            times => format!(", tried {times} times\n"),
        });
        if let Some(at) = recipient.next_attempt {
            text.push_str(&format!("Next        {} ({})\n", time(at), next(recipient, now)));
        }
        if let Some(reply) = &recipient.last_reply {
            text.push_str(&format!("Last reply  {reply}\n"));
        }
    }
    text.push_str(&format!("\n{}\n", message.header.replace("\r\n", "\n").trim_end()));
    text
}

/// What a change came to.
pub fn changed(verb: &str, recipients: u64) -> String {
    match recipients {
        1 => format!("1 recipient is {verb}\n"),
        recipients => format!("{recipients} recipients are {verb}\n"),
    }
}

fn sender(address: &str) -> String {
    if address.is_empty() { "<>".to_owned() } else { address.to_owned() }
}

fn next(recipient: &QueueRecipient, now: DateTime<Utc>) -> String {
    match recipient.next_attempt {
        None => "-".to_owned(),
        Some(at) if at <= now => "now".to_owned(),
        Some(at) => format!("in {}", span((at - now).num_seconds())),
    }
}

fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    span((now - at).num_seconds())
}

/// As kubectl writes ages: the largest unit, two below an hour.
fn span(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds}s"),
        seconds @ 120..7200 => format!("{}m", seconds / 60),
        seconds @ 7200..172_800 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn shortened(reply: &str) -> String {
    let line = reply.replace(['\r', '\n'], " ");
    match line.char_indices().nth(REPLY) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use mailwright_server::management::{QueueState, QueueTotals};

    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).unwrap()
    }

    fn entry() -> QueueEntry {
        let at = |seconds| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        let recipient =
            |address: &str, state, attempts, next: Option<i64>, reply: Option<&str>| QueueRecipient {
                address: address.into(),
                state,
                attempts,
                next_attempt: next.map(at),
                last_reply: reply.map(str::to_owned),
            };
        QueueEntry {
            id: "a1".into(),
            sender: String::new(),
            size: 1234,
            queued: at(-7300),
            expires: at(400_000),
            recipients: vec![
                recipient(
                    "bob@example.org",
                    QueueState::Deferred,
                    3,
                    Some(600),
                    Some("451 4.7.1 greylisted"),
                ),
                recipient("carol@example.net", QueueState::Held, 0, None, None),
                recipient("dave@example.net", QueueState::Queued, 0, Some(-1), Some(&"x".repeat(90))),
            ],
        }
    }

    #[test]
    fn each_recipient_is_a_line() {
        let totals = QueueTotals {
            messages: 1,
            queued: 1,
            deferred: 1,
            held: 1,
            oldest: Some(entry().queued),
            active: 0,
        };
        let listing = QueueListing { messages: vec![entry()], totals, warnings: vec![] };
        let cut = format!("{}…", "x".repeat(70));
        let expected = format!(
            "ID   AGE   SIZE   SENDER   RECIPIENT           STATE      TRIES   NEXT     LAST REPLY\n\
             a1   2h    1234   <>       bob@example.org     deferred   3       in 10m   451 4.7.1 greylisted\n\
             a1   2h    1234   <>       carol@example.net   held       0       -\n\
             a1   2h    1234   <>       dave@example.net    queued     0       now      {cut}\n\n\
             1 message in the queue, the oldest 2h old; recipients: 1 queued, 0 active, 1 deferred, 1 held\n"
        );
        assert_eq!(list(&listing, now()), expected);
    }

    #[test]
    fn an_empty_queue_and_an_empty_answer_are_told_apart() {
        assert_eq!(list(&QueueListing::default(), now()), "the queue is empty\n");
        let totals = QueueTotals { messages: 2, deferred: 2, ..Default::default() };
        let text = list(&QueueListing { totals, ..Default::default() }, now());
        assert!(text.starts_with("nothing in the queue fits\n") && text.contains("2 messages"), "{text}");
    }

    #[test]
    fn one_message_is_shown_whole() {
        let text = message(&QueueMessage { entry: entry(), header: "Subject: hi\r\n\r\n".into() }, now());
        for part in [
            "ID          a1\n",
            "Sender      <>\n",
            "State       deferred, tried 3 times\n",
            "(in 10m)",
            "\nSubject: hi\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(text.contains(&"x".repeat(90)), "the whole reply");
    }

    #[test]
    fn spans_and_counts_read_well() {
        for (seconds, text) in
            [(-5, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172_800, "2d")]
        {
            assert_eq!(span(seconds), text);
        }
        assert_eq!(changed("held", 1), "1 recipient is held\n");
        assert_eq!(changed("held", 0), "0 recipients are held\n");
    }
}
