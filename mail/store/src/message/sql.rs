//! Every statement about messages and blobs. Scripts hold several statements and are one round trip; `$1` means the
//! same value in all of them. Lists of UIDs and rows travel as JSON, or as text of numbers made by group_concat.

/// The blob of large bytes that are stored already: $1 the hash.
pub(super) const FIND_BLOB: &str = "SELECT id FROM blob WHERE place = 2 AND hash = $1";

/// A file that the queue brought has no index: $1 the hash, $2 the index.
pub(super) const INDEX_BLOB: &str = "UPDATE blob SET idx = $2 WHERE place = 2 AND hash = $1 AND idx = x''";

/// One message for the INBOX of $1's JSON accounts: who can have it, the blob, usage, UIDs, rows. All or nothing: `fits` is
/// 0 for no, 1 for yes, 2 for yes when one of the $10 accounts cannot have it, and then nothing is written.
/// $11 and $12 are the limits of messages of an account and of a folder, 1000 and 1024 MIN_ACCOUNT_MESSAGES and
/// OCTETS_PER_MESSAGE (see `account_limit`). $2 size, $3 hash, $4 place, $5 index, $6 data, $7 internal date, $8 now, $9 the blob if it is there already, $13 preview and $14 thread or NULL.
pub(super) const DELIVER: &str = "
    DELETE FROM delivered;
    INSERT INTO delivered (account_id, fits)
        SELECT a.id, (m.quota IS NULL OR a.used_bytes + $2 <= m.quota) AND a.messages < $11
            AND (m.quota IS NULL OR a.messages < max(1000, m.quota / 1024))
            AND EXISTS (SELECT 1 FROM folder WHERE account_id = a.id AND name = 'INBOX' AND messages < $12)
        FROM account a JOIN mailbox m ON m.account_id = a.id JOIN domain d ON d.name = m.domain
        WHERE a.id IN (SELECT value FROM json_each($1))
            AND m.enabled AND a.disabled_at IS NULL AND d.disabled_at IS NULL;
    UPDATE delivered SET fits = 2 WHERE fits = 1 AND (SELECT sum(fits) FROM delivered) < $10;
    INSERT INTO blob (hash, size, place, idx, data)
        SELECT $3, $2, $4, $5, $6 WHERE $9 IS NULL AND EXISTS (SELECT 1 FROM delivered WHERE fits = 1);
    INSERT INTO digest (blob_id, preview, thread)
        SELECT last_insert_rowid(), $13, $14
        WHERE $14 IS NOT NULL AND $9 IS NULL AND EXISTS (SELECT 1 FROM delivered WHERE fits = 1);
    UPDATE account SET used_bytes = used_bytes + $2 WHERE id IN (SELECT account_id FROM delivered WHERE fits = 1);
    UPDATE folder SET uid_next = uid_next + 1, modseq = modseq + 1
        WHERE name = 'INBOX' AND account_id IN (SELECT account_id FROM delivered WHERE fits = 1);
    INSERT INTO message (folder_id, uid, modseq, flags, internal_date, save_date, size, blob_id)
        SELECT f.id, f.uid_next - 1, f.modseq, 0, $7, $8, $2, coalesce($9, last_insert_rowid())
        FROM delivered d CROSS JOIN folder f ON f.account_id = d.account_id AND f.name = 'INBOX' WHERE d.fits = 1;
    SELECT d.account_id, d.fits, f.id, f.uid_next - 1, f.modseq
        FROM delivered d CROSS JOIN folder f ON f.account_id = d.account_id AND f.name = 'INBOX'";

/// Where messages of account $1 go by name $2.
pub(super) const TARGET: &str = "
    SELECT f.id, f.noselect, f.uid_validity, f.uid_next, f.modseq, f.keywords, a.used_bytes, m.quota,
           f.messages, a.messages
    FROM folder f JOIN account a ON a.id = f.account_id JOIN mailbox m ON m.account_id = a.id
    WHERE f.account_id = $1 AND f.name = $2";
/// $1 folder, $2 account, $3 flags, $4 keywords, $5 internal date, $6 now, $7 size, $8 hash, $9 place, $10 index,
/// $11 data, $12 the blob if it is there already, $13 preview and $14 thread or NULL.
pub(super) const APPEND: &str = "
    INSERT INTO blob (hash, size, place, idx, data) SELECT $8, $7, $9, $10, $11 WHERE $12 IS NULL;
    INSERT INTO digest (blob_id, preview, thread) SELECT last_insert_rowid(), $13, $14 WHERE $14 IS NOT NULL;
    UPDATE account SET used_bytes = used_bytes + $7 WHERE id = $2;
    UPDATE folder SET uid_next = uid_next + 1, modseq = modseq + 1, keywords = $4 WHERE id = $1;
    INSERT INTO message (folder_id, uid, modseq, flags, internal_date, save_date, size, blob_id)
        SELECT id, uid_next - 1, modseq, $3, $5, $6, $7, coalesce($12, last_insert_rowid()) FROM folder WHERE id = $1";

/// Size and blob of a message that is replaced: $1 its folder, $2 UID, $3 account.
pub(super) const REPLACED: &str = "
    SELECT m.size, m.blob_id FROM folder f JOIN message m ON m.folder_id = f.id AND m.uid = $2
    WHERE f.id = $1 AND f.account_id = $3";

/// A folder that somebody has open, and `uid flags size` of $2's messages.
pub(super) const SOURCE: &str = "
    SELECT account_id, keywords,
           (SELECT group_concat(uid || ' ' || flags || ' ' || size, ' ')
                FROM (SELECT uid, flags, size FROM message
                      WHERE folder_id = $1 AND uid IN (SELECT value FROM json_each($2)) ORDER BY uid))
    FROM folder WHERE id = $1 AND account_id IS NOT NULL";
/// $1 source, $2 target, $3 JSON [[source UID, target UID, flags], …], $4 their number, $5 bytes, $6 account,
/// $7 keywords, $8 now.
pub(super) const COPY: &str = "
    UPDATE account SET used_bytes = used_bytes + $5 WHERE id = $6 AND $5 > 0;
    UPDATE folder SET uid_next = uid_next + $4, modseq = modseq + 1, keywords = $7 WHERE id = $2;
    INSERT INTO message (folder_id, uid, modseq, flags, internal_date, save_date, size, blob_id)
        SELECT f.id, j.value ->> 1, f.modseq, j.value ->> 2, s.internal_date, $8, s.size, s.blob_id
        FROM folder f CROSS JOIN json_each($3) j
            CROSS JOIN message s ON s.folder_id = $1 AND s.uid = j.value ->> 0
        WHERE f.id = $2";

/// What an expunge removes: `uid size blob` of messages with \Deleted, among $2's UIDs unless that is NULL.
pub(super) const DELETED: &str = "
    SELECT account_id, modseq,
           (SELECT group_concat(uid || ' ' || size || ' ' || blob_id, ' ')
                FROM (SELECT uid, size, blob_id FROM message
                      WHERE folder_id = $1 AND flags & 4
                          AND ($2 IS NULL OR uid IN (SELECT value FROM json_each($2))) ORDER BY uid))
    FROM folder WHERE id = $1 AND account_id IS NOT NULL";
/// Removes $2's messages and logs them as $3's runs; now and then cuts the log to $4 runs.
pub(super) const REMOVE: &str = "
    DELETE FROM message WHERE folder_id = $1 AND uid IN (SELECT value FROM json_each($2));
    UPDATE folder SET modseq = modseq + 1 WHERE id = $1;
    INSERT INTO expunged (folder_id, modseq, first_uid, last_uid)
        SELECT f.id, f.modseq, j.value ->> 0, j.value ->> 1 FROM folder f, json_each($3) j WHERE f.id = $1;
    UPDATE folder SET expunged_from = coalesce(
            (SELECT modseq FROM expunged WHERE folder_id = $1 ORDER BY modseq DESC LIMIT 1 OFFSET $4), expunged_from)
        WHERE id = $1 AND modseq % 64 = 0;
    DELETE FROM expunged WHERE folder_id = $1 AND modseq <= (SELECT expunged_from FROM folder WHERE id = $1);
    SELECT modseq FROM folder WHERE id = $1";
/// Gives $2 bytes back to account $1, and drops those of $3's JSON blobs that no message has any more; the hashes of
/// dropped files come back.
pub(super) const RELEASE: &str = "
    UPDATE account SET used_bytes = used_bytes - $2 WHERE id = $1;
    DELETE FROM blob WHERE id IN (SELECT value FROM json_each($3)) AND place = 2
        AND NOT EXISTS (SELECT 1 FROM message WHERE blob_id = blob.id) RETURNING hash;
    DELETE FROM blob WHERE id IN (SELECT value FROM json_each($3)) AND place <> 2
        AND NOT EXISTS (SELECT 1 FROM message WHERE blob_id = blob.id)";

/// A slice of a doomed folder: `uid blob` of up to $1 messages.
pub(super) const DOOMED: &str = "
    SELECT f.id, (SELECT group_concat(uid || ' ' || blob_id, ' ')
                  FROM (SELECT uid, blob_id FROM message WHERE folder_id = f.id ORDER BY uid LIMIT $1))
    FROM folder f WHERE f.account_id IS NULL LIMIT 1";
pub(super) const PURGE: &str =
    "DELETE FROM message WHERE folder_id = $1 AND uid IN (SELECT value FROM json_each($2))";
pub(super) const BURY: &str = "
    DELETE FROM expunged WHERE folder_id = $1;
    DELETE FROM folder WHERE id = $1";

/// A folder's keywords and `uid modseq flags` of $2's messages.
pub(super) const FLAGS: &str = "
    SELECT keywords, modseq,
           (SELECT group_concat(uid || ' ' || modseq || ' ' || flags, ' ')
                FROM (SELECT uid, modseq, flags FROM message
                      WHERE folder_id = $1 AND uid IN (SELECT value FROM json_each($2)) ORDER BY uid))
    FROM folder WHERE id = $1 AND account_id IS NOT NULL";
/// $2's messages keep the flags in $3 and get those in $4; $5 keywords.
pub(super) const SET_FLAGS: &str = "
    UPDATE folder SET modseq = modseq + 1, keywords = $5 WHERE id = $1;
    UPDATE message SET flags = (flags & $3) | $4, modseq = (SELECT modseq FROM folder WHERE id = $1)
        WHERE folder_id = $1 AND uid IN (SELECT value FROM json_each($2))";

/// What happened since MODSEQ $2: changed rows, expunged runs, and all UIDs when the log does not reach back.
pub(super) const CHANGES: &str = "
    SELECT f.modseq, f.uid_next, f.keywords,
           (SELECT group_concat(uid || ' ' || modseq || ' ' || flags, ' ')
                FROM (SELECT uid, modseq, flags FROM message WHERE folder_id = f.id AND modseq > $2 ORDER BY uid)),
           (SELECT group_concat(first_uid || ' ' || last_uid, ' ')
                FROM expunged WHERE folder_id = f.id AND modseq > $2),
           CASE WHEN $2 < f.expunged_from THEN
               coalesce((SELECT group_concat(uid, ' ') FROM message WHERE folder_id = f.id), '') END
    FROM folder f WHERE f.id = $1 AND f.account_id IS NOT NULL";

/// The part of [`CHANGES`] that tells what is gone since MODSEQ $2.
pub(super) const VANISHED: &str = "
    SELECT f.uid_next,
           (SELECT group_concat(first_uid || ' ' || last_uid, ' ')
                FROM expunged WHERE folder_id = f.id AND modseq > $2),
           CASE WHEN $2 < f.expunged_from THEN
               coalesce((SELECT group_concat(uid, ' ') FROM message WHERE folder_id = f.id), '') END
    FROM folder f WHERE f.id = $1 AND f.account_id IS NOT NULL";

pub(super) const FETCH: &str = "
    SELECT uid, modseq, flags, internal_date, save_date, size FROM message
    WHERE folder_id = $1 AND uid IN (SELECT value FROM json_each($2)) ORDER BY uid";
pub(super) const FETCH_INDEX: &str = "
    SELECT m.uid, m.modseq, m.flags, m.internal_date, m.save_date, m.size, b.idx, b.hash
    FROM message m JOIN blob b ON b.id = m.blob_id
    WHERE m.folder_id = $1 AND m.uid IN (SELECT value FROM json_each($2)) ORDER BY m.uid";
/// Messages up to and including the one with which $3 bytes are reached.
pub(super) const FETCH_RAW: &str = "
    SELECT m.uid, m.modseq, m.flags, m.internal_date, m.save_date, m.size, b.idx, b.place, b.hash, b.data
    FROM (SELECT *, sum(size) OVER (ORDER BY uid) - size AS bytes_before FROM message
          WHERE folder_id = $1 AND uid IN (SELECT value FROM json_each($2))) m
        JOIN blob b ON b.id = m.blob_id
    WHERE m.bytes_before < $3 ORDER BY m.uid";
/// `uid preview thread` of $2's messages.
pub(super) const FETCH_DIGEST: &str = "
    SELECT m.uid, d.preview, d.thread FROM message m JOIN digest d ON d.blob_id = m.blob_id
    WHERE m.folder_id = $1 AND m.uid IN (SELECT value FROM json_each($2))";
pub(super) const STILL_THERE: &str = "SELECT 1 FROM message WHERE folder_id = $1 AND uid = $2";
