//! Every statement about folders. Scripts hold several statements and are one round trip; `$1` means the same value in
//! all of them. `[low, high)` is the range of a folder's inferiors (see `name::inferiors`).

/// Folders first, then subscriptions.
pub(super) const LIST: &str = "
    SELECT id, name, special_use, noselect FROM folder WHERE account_id = $1
    UNION ALL
    SELECT NULL, name, NULL, 0 FROM subscription WHERE account_id = $1";

/// Which of $2's JSON names exist, and how many folders the account has; no row when there is no account.
pub(super) const EXISTING: &str = "
    SELECT f.id, f.name, f.noselect, (SELECT count(*) FROM folder WHERE account_id = $1)
    FROM account a LEFT JOIN folder f ON f.account_id = a.id AND f.name IN (SELECT value FROM json_each($2))
    WHERE a.id = $1";
/// Makes the folders of $3's JSON [[name, use, noselect], …]; a use that the account has already is not given again.
pub(super) const CREATE: &str = "
    UPDATE meta SET value = max(value, $2) + json_array_length($3) WHERE key = 'uid_validity';
    INSERT INTO folder (account_id, name, special_use, noselect, uid_validity)
        SELECT $1, j.value ->> 0,
               CASE WHEN EXISTS (SELECT 1 FROM folder WHERE account_id = $1 AND special_use = j.value ->> 1)
                    THEN NULL ELSE j.value ->> 1 END,
               j.value ->> 2, v.value - j.key
        FROM json_each($3) j, meta v WHERE v.key = 'uid_validity';
    SELECT id, uid_validity FROM folder WHERE account_id = $1 AND name = $4";
/// A \Noselect name becomes a folder again, with a new UIDVALIDITY.
pub(super) const REVIVE: &str = "
    UPDATE meta SET value = max(value, $2) + 1 WHERE key = 'uid_validity';
    UPDATE folder SET noselect = 0, uid_validity = (SELECT value FROM meta WHERE key = 'uid_validity') WHERE id = $1";

/// A folder by name and whether it has inferiors.
pub(super) const FIND: &str = "
    SELECT id, noselect, special_use,
           EXISTS (SELECT 1 FROM folder WHERE account_id = $1 AND name >= $3 AND name < $4)
    FROM folder WHERE account_id = $1 AND name = $2";
/// The folder becomes doomed; its bytes are free at once.
pub(super) const DOOM: &str = "
    UPDATE account SET used_bytes = used_bytes - coalesce((SELECT sum(size) FROM message WHERE folder_id = $2), 0)
        WHERE id = $1;
    UPDATE folder SET account_id = NULL WHERE id = $2";

/// The names that a rename changes: the folder and its inferiors.
pub(super) const FAMILY: &str = "
    SELECT id, name FROM folder WHERE account_id = $1 AND (name = $2 OR (name >= $3 AND name < $4))";
pub(super) const RENAME: &str = "
    UPDATE folder SET name = $3 || substr(name, length($2) + 1)
    WHERE account_id = $1 AND (name = $2 OR (name >= $4 AND name < $5))";
/// INBOX's ($1) messages go to a new folder ($2) with the UIDs and keywords they have.
pub(super) const EMPTY_INBOX: &str = "
    UPDATE folder SET (uid_next, modseq, recent_uid, keywords) =
        (SELECT uid_next, modseq, recent_uid, keywords FROM folder WHERE id = $1) WHERE id = $2;
    INSERT INTO message (folder_id, uid, modseq, flags, internal_date, save_date, size, blob_id)
        SELECT $2, uid, modseq, flags, internal_date, $3, size, blob_id FROM message WHERE folder_id = $1;
    INSERT INTO expunged (folder_id, modseq, first_uid, last_uid)
        SELECT $1, f.modseq + 1, min(m.uid), max(m.uid) FROM folder f JOIN message m ON m.folder_id = f.id
        WHERE f.id = $1 HAVING count(*) > 0;
    DELETE FROM message WHERE folder_id = $1;
    UPDATE folder SET modseq = modseq + 1 WHERE id = $1 RETURNING modseq";

/// Adds a subscription unless there are too many; no row comes back then.
pub(super) const SUBSCRIBE: &str = "
    INSERT OR IGNORE INTO subscription (account_id, name)
        SELECT id, $2 FROM account WHERE id = $1
            AND (SELECT count(*) FROM subscription WHERE account_id = $1) < $3;
    SELECT 1 FROM subscription WHERE account_id = $1 AND name = $2";
pub(super) const UNSUBSCRIBE: &str = "DELETE FROM subscription WHERE account_id = $1 AND name = $2";

/// Of account $1.
pub(super) const ACCOUNT_ANNOTATIONS: &str =
    "SELECT name, value FROM account_annotation WHERE account_id = $1 ORDER BY name";
/// Of account $1's folder $2; a row of NULLs where it has none.
pub(super) const FOLDER_ANNOTATIONS: &str = "
    SELECT a.name, a.value FROM folder f LEFT JOIN folder_annotation a ON a.folder_id = f.id
    WHERE f.account_id = $1 AND f.name = $2 ORDER BY a.name";
pub(super) const FOLDER_ID: &str = "SELECT id FROM folder WHERE account_id = $1 AND name = $2";
pub(super) const REMOVE_ACCOUNT_ANNOTATIONS: &str =
    "DELETE FROM account_annotation WHERE account_id = $1 AND name IN (SELECT value FROM json_each($2))";
pub(super) const REMOVE_FOLDER_ANNOTATIONS: &str =
    "DELETE FROM folder_annotation WHERE folder_id = $1 AND name IN (SELECT value FROM json_each($2))";
pub(super) const SET_ACCOUNT_ANNOTATION: &str =
    "INSERT OR REPLACE INTO account_annotation (account_id, name, value) VALUES ($1, $2, $3)";
pub(super) const SET_FOLDER_ANNOTATION: &str =
    "INSERT OR REPLACE INTO folder_annotation (folder_id, name, value) VALUES ($1, $2, $3)";
/// How many annotations account $1 and its folders have, and their octets.
pub(super) const COUNT_ANNOTATIONS: &str = "
    SELECT count(*), coalesce(sum(length(value)), 0) FROM (
        SELECT value FROM account_annotation WHERE account_id = $1
        UNION ALL
        SELECT a.value FROM folder f JOIN folder_annotation a ON a.folder_id = f.id WHERE f.account_id = $1)";

/// Whether a folder of account $1 has the special use $2.
pub(super) const HAS_USE: &str = "SELECT 1 FROM folder WHERE account_id = $1 AND special_use = $2";
pub(super) const GIVE_USE: &str = "UPDATE folder SET special_use = $2 WHERE id = $1";

pub(super) const STATUS: &str = "
    SELECT f.id, f.noselect, f.uid_next, f.uid_validity, f.modseq, count(m.uid),
           coalesce(sum(m.uid > f.recent_uid), 0), coalesce(sum(m.flags & 8 = 0), 0), coalesce(sum(m.size), 0),
           coalesce(sum(m.flags & 4 <> 0), 0)
    FROM folder f LEFT JOIN message m ON m.folder_id = f.id
    WHERE f.account_id = $1 AND f.name = $2 GROUP BY f.id";
pub(super) const USAGE: &str = "SELECT a.used_bytes, m.quota, a.messages FROM account a JOIN mailbox m ON m.account_id = a.id WHERE a.id = $1";

/// A folder and nothing of its messages.
pub(super) const SELECT: &str = "
    SELECT id, noselect, uid_validity, uid_next, modseq, recent_uid, keywords
    FROM folder WHERE account_id = $1 AND name = $2";
/// A folder and all its messages in one row to carry over, however many there are: a text each of UIDs, MODSEQs and flags,
/// which SQLite puts together in one pass and so in one order.
pub(super) const ROWS: &str = "
    SELECT f.id, f.noselect, f.uid_validity, f.uid_next, f.modseq, f.recent_uid, f.keywords, m.uids, m.modseqs, m.flags
    FROM folder f,
        (SELECT group_concat(uid, ' ') uids, group_concat(modseq, ' ') modseqs, group_concat(flags, ' ') flags
            FROM message WHERE folder_id = $1) m
    WHERE f.id = $1 AND f.account_id IS NOT NULL";
/// Takes the recent messages up to $2.
pub(super) const CLAIM_RECENT: &str = "
    UPDATE folder SET recent_uid = max(recent_uid, $2) WHERE id = $1 RETURNING recent_uid";
