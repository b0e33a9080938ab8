//! Every statement about the queue. Scripts hold several statements and are one round trip; `$1` means the same value in all
//! of them; lists travel as JSON.

/// $1 hash, $2 size, $3 place, $4 data, $5 the blob if it is there already, $6 trace, $7 sender, $8 ret, $9 envelope id,
/// $10 smtputf8, $11 eight bit, $12 account, $13 now, $14 expires, $15 first attempt, $16 JSON of recipients
/// `[address, domain, original, notify]`.
pub(super) const ENQUEUE: &str = "
    INSERT INTO blob (hash, size, place, idx, data) SELECT $1, $2, $3, x'', $4 WHERE $5 IS NULL;
    INSERT INTO queue_message (trace, sender, ret, envelope_id, smtputf8, eight_bit, submitted_by, blob_id, size,
                               queued_at, expires)
        SELECT $6, $7, $8, $9, $10, $11, $12, coalesce($5, last_insert_rowid()), $2, $13, $14;
    INSERT INTO queue_recipient (message_id, address, domain, original, notify, next_attempt)
        SELECT (SELECT max(id) FROM queue_message), j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3, $15
        FROM json_each($16) j;
    SELECT max(id) FROM queue_message";

/// Recipients whose time has come at $1, without those in $2's JSON domains: $3 of them, oldest first. An index alone.
pub(super) const WAITING: &str = "
    SELECT id FROM queue_recipient
    WHERE lease IS NULL AND held = 0 AND next_attempt <= $1 AND domain NOT IN (SELECT value FROM json_each($2))
    ORDER BY next_attempt, id LIMIT $3";
/// Recipients whose lease ended before $1.
pub(super) const EXPIRED: &str = "
    SELECT id FROM queue_recipient
    WHERE lease IS NOT NULL AND lease_until <= $1 AND held = 0 AND domain NOT IN (SELECT value FROM json_each($2))
    ORDER BY lease_until LIMIT $3";
/// Leases those of $2's JSON recipients that are still free at $1, as $3 until $4, and reads them.
pub(super) const LEASE: &str = "
    UPDATE queue_recipient SET lease = $3, lease_until = $4
        WHERE id IN (SELECT value FROM json_each($2)) AND held = 0 AND next_attempt <= $1
            AND (lease IS NULL OR lease_until <= $1);
    SELECT m.id, m.trace, m.sender, m.ret, m.envelope_id, m.smtputf8, m.eight_bit, m.submitted_by, m.size,
           m.queued_at, m.expires,
           r.id, r.address, r.original, r.notify, 'active', r.attempts, r.next_attempt, r.last_reply, r.delay_reported
        FROM json_each($2) j CROSS JOIN queue_recipient r ON r.id = j.value
            CROSS JOIN queue_message m ON m.id = r.message_id
        WHERE r.lease = $3 ORDER BY j.key";
/// $1 JSON `[[lease, message], …]`, $2 until.
pub(super) const RENEW: &str = "
    UPDATE queue_recipient SET lease_until = $2 WHERE id IN (
        SELECT r.id FROM json_each($1) j CROSS JOIN queue_recipient r ON r.message_id = j.value ->> 1
        WHERE r.lease = j.value ->> 0)";
/// $1 lease, $2 JSON of recipients.
pub(super) const GIVE_BACK: &str = "
    UPDATE queue_recipient SET lease = NULL, lease_until = NULL
        WHERE id IN (SELECT value FROM json_each($2)) AND lease = $1";
/// The next time of anybody, $1's JSON domains aside.
pub(super) const NEXT_DUE: &str = "
    SELECT next_attempt FROM queue_recipient
    WHERE lease IS NULL AND held = 0 AND domain NOT IN (SELECT value FROM json_each($1))
    ORDER BY next_attempt, id LIMIT 1";
pub(super) const NEXT_EXPIRED: &str = "
    SELECT lease_until FROM queue_recipient WHERE lease IS NOT NULL AND held = 0 ORDER BY lease_until LIMIT 1";

/// Which of $2's JSON recipients of message $1 belong to lease $3.
pub(super) const LEASED: &str = "
    SELECT id FROM queue_recipient
    WHERE id IN (SELECT value FROM json_each($2)) AND message_id = $1 AND lease = $3";
/// Takes $2's JSON recipients of message $1 out of the queue.
pub(super) const LEAVE: &str =
    "DELETE FROM queue_recipient WHERE id IN (SELECT value FROM json_each($2)) AND message_id = $1";
/// $1 JSON `[[recipient, next attempt, reply, delay reported], …]`.
pub(super) const DEFER: &str = "
    UPDATE queue_recipient SET attempts = attempts + 1, next_attempt = j.value ->> 1, last_reply = j.value ->> 2,
        delay_reported = max(delay_reported, j.value ->> 3), lease = NULL, lease_until = NULL
        FROM json_each($1) j WHERE queue_recipient.id = j.value ->> 0";
/// Drops those of $1's JSON messages that have no recipient left; their blobs come back.
pub(super) const DROP_EMPTY: &str = "
    DELETE FROM queue_message WHERE id IN (SELECT value FROM json_each($1))
        AND NOT EXISTS (SELECT 1 FROM queue_recipient WHERE message_id = queue_message.id) RETURNING blob_id";
/// Drops those of $1's JSON blobs that nobody names any more; the hashes of dropped files come back.
pub(super) const DROP_BLOBS: &str = "
    DELETE FROM blob WHERE id IN (SELECT value FROM json_each($1)) AND place <> 2
        AND NOT EXISTS (SELECT 1 FROM message WHERE blob_id = blob.id)
        AND NOT EXISTS (SELECT 1 FROM queue_message WHERE blob_id = blob.id);
    DELETE FROM blob WHERE id IN (SELECT value FROM json_each($1)) AND place = 2
        AND NOT EXISTS (SELECT 1 FROM message WHERE blob_id = blob.id)
        AND NOT EXISTS (SELECT 1 FROM queue_message WHERE blob_id = blob.id) RETURNING hash";

pub(super) const RAW: &str = "
    SELECT b.place, b.hash, b.size, b.data FROM queue_message m JOIN blob b ON b.id = m.blob_id WHERE m.id = $1";

/// Everything that a filter without message numbers means: $1 now, $2 sender, $3 recipient, $4 domain, $5 state, $6 queued before.
pub(super) const MATCHING: &str = "
    SELECT m.id, m.trace, m.sender, m.ret, m.envelope_id, m.smtputf8, m.eight_bit, m.submitted_by, m.size,
           m.queued_at, m.expires,
           r.id, r.address, r.original, r.notify,
           CASE WHEN r.lease IS NOT NULL AND r.lease_until > $1 THEN 'active' WHEN r.held THEN 'held'
                WHEN r.attempts = 0 THEN 'queued' ELSE 'deferred' END AS state,
           r.attempts, r.next_attempt, r.last_reply, r.delay_reported
    FROM queue_message m CROSS JOIN queue_recipient r ON r.message_id = m.id
    WHERE ($2 IS NULL OR m.sender = $2 COLLATE NOCASE) AND ($3 IS NULL OR r.address = $3 COLLATE NOCASE)
        AND ($4 IS NULL OR r.domain = $4) AND ($5 IS NULL OR state = $5) AND ($6 IS NULL OR m.queued_at < $6)
    ORDER BY m.id, r.id";
/// The same among messages that are named: $7 JSON of numbers, $8 JSON of trace ids.
pub(super) const MATCHING_NAMED: &str = "
    SELECT m.id, m.trace, m.sender, m.ret, m.envelope_id, m.smtputf8, m.eight_bit, m.submitted_by, m.size,
           m.queued_at, m.expires,
           r.id, r.address, r.original, r.notify,
           CASE WHEN r.lease IS NOT NULL AND r.lease_until > $1 THEN 'active' WHEN r.held THEN 'held'
                WHEN r.attempts = 0 THEN 'queued' ELSE 'deferred' END AS state,
           r.attempts, r.next_attempt, r.last_reply, r.delay_reported
    FROM queue_message m CROSS JOIN queue_recipient r ON r.message_id = m.id
    WHERE (m.id IN (SELECT value FROM json_each($7)) OR m.trace IN (SELECT value FROM json_each($8)))
        AND ($2 IS NULL OR m.sender = $2 COLLATE NOCASE) AND ($3 IS NULL OR r.address = $3 COLLATE NOCASE)
        AND ($4 IS NULL OR r.domain = $4) AND ($5 IS NULL OR state = $5) AND ($6 IS NULL OR m.queued_at < $6)
    ORDER BY m.id, r.id";

pub(super) const HOLD: &str =
    "UPDATE queue_recipient SET held = 1 WHERE id IN (SELECT value FROM json_each($1)) AND held = 0";
/// $2 now.
pub(super) const RELEASE: &str = "
    UPDATE queue_recipient SET held = 0, next_attempt = min(next_attempt, $2)
        WHERE id IN (SELECT value FROM json_each($1)) AND held <> 0";
/// $2 now.
pub(super) const FLUSH: &str = "
    UPDATE queue_recipient SET next_attempt = $2
        WHERE id IN (SELECT value FROM json_each($1)) AND held = 0 AND next_attempt > $2";
pub(super) const DELETE: &str = "DELETE FROM queue_recipient WHERE id IN (SELECT value FROM json_each($1))";

/// $1 now.
pub(super) const COUNT_RECIPIENTS: &str = "
    SELECT coalesce(sum(CASE WHEN lease IS NOT NULL AND lease_until > $1 THEN 1 END), 0),
           coalesce(sum(CASE WHEN lease IS NOT NULL AND lease_until > $1 THEN 0 ELSE held <> 0 END), 0),
           coalesce(sum(CASE WHEN lease IS NOT NULL AND lease_until > $1 THEN 0 WHEN held THEN 0
                             ELSE attempts = 0 END), 0),
           count(*)
    FROM queue_recipient";
pub(super) const COUNT_MESSAGES: &str =
    "SELECT count(*), coalesce(sum(size), 0), min(queued_at) FROM queue_message";
