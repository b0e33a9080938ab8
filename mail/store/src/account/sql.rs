//! Every statement about accounts. Scripts hold several statements and are one round trip; `$1` means the same value
//! in all of them.

pub(super) const CHANGE_COUNTER: &str = "SELECT value FROM meta WHERE key = 'change_counter'";
pub(super) const DECOY_SECRET: &str = "SELECT value FROM meta WHERE key = 'decoy_secret'";
pub(super) const COUNT_CHANGES: &str =
    "UPDATE meta SET value = value + $1 WHERE key = 'change_counter' RETURNING value";

pub(super) const DATABASE_ID: &str = "SELECT database FROM identity";
/// What a fence is checked against.
pub(super) const FENCE: &str =
    "SELECT meta.value, identity.database FROM meta, identity WHERE meta.key = 'fence_epoch'";
/// Notes a later epoch.
pub(super) const RAISE_FENCE: &str = "UPDATE meta SET value = $1 WHERE key = 'fence_epoch'";

/// Around all changes of a batch, for those of which all are made or none.
pub(super) const CHANGES_BEGIN: &str = "SAVEPOINT changes; SAVEPOINT change";
pub(super) const CHANGES_BACK: &str = "ROLLBACK TO changes; RELEASE changes";
pub(super) const CHANGES_END: &str = "RELEASE changes";
pub(super) const CHANGE_NEXT: &str = "RELEASE change; SAVEPOINT change";
pub(super) const CHANGE_BACK: &str = "ROLLBACK TO change";

pub(super) const SERVERS: &str = "SELECT name, settings, managed_by, object, origin_file, origin_line, applied, former FROM server ORDER BY name";
pub(super) const SERVER: &str = "SELECT name, settings, managed_by, object, origin_file, origin_line, applied, former FROM server WHERE name = $1";
pub(super) const PUT_SERVER: &str = "
    INSERT INTO server (name, settings, managed_by, object, origin_file, origin_line, applied, former)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (name) DO UPDATE SET settings = $2, managed_by = $3, object = $4, origin_file = $5, origin_line = $6,
        applied = $7, former = $8";
pub(super) const SERVER_USES: &str = "SELECT count(*) FROM domain WHERE server = $1";
pub(super) const DELETE_SERVER: &str = "DELETE FROM server WHERE name = $1";
pub(super) const RELEASE_SERVER: &str = "UPDATE server SET managed_by = NULL, object = NULL, origin_file = NULL, origin_line = NULL, applied = NULL, former = NULL WHERE name = $1";

pub(super) const DOMAINS: &str = "
    SELECT d.name, d.server, d.parked, d.catch_all, d.settings, d.disabled_at,
           (SELECT json_group_array(a.name) FROM (SELECT name FROM domain_alias WHERE domain = d.name
                                                  ORDER BY position) a),
           d.managed_by, d.object, d.origin_file, d.origin_line, d.applied, d.former
    FROM domain d ORDER BY d.name";
pub(super) const DOMAIN: &str = "
    SELECT d.name, d.server, d.parked, d.catch_all, d.settings, d.disabled_at,
           (SELECT json_group_array(a.name) FROM (SELECT name FROM domain_alias WHERE domain = d.name
                                                  ORDER BY position) a),
           d.managed_by, d.object, d.origin_file, d.origin_line, d.applied, d.former
    FROM domain d WHERE d.name = $1";
/// Which of a domain's names are taken: $1 the domain, $2 JSON of its alias domains.
pub(super) const DOMAIN_TAKEN: &str = "
    SELECT name, domain FROM domain_alias
        WHERE name = $1 OR (domain <> $1 AND name IN (SELECT value FROM json_each($2)))
    UNION ALL
    SELECT name, NULL FROM domain WHERE name <> $1 AND name IN (SELECT value FROM json_each($2))";
pub(super) const PUT_DOMAIN: &str = "
    INSERT INTO domain (name, server, parked, catch_all, settings, managed_by, object, origin_file, origin_line, applied,
                        former)
        VALUES ($1, $2, $3, $4, $5, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (name) DO UPDATE SET server = $2, parked = $3, catch_all = $4, settings = $5, disabled_at = NULL,
            managed_by = $7, object = $8, origin_file = $9, origin_line = $10, applied = $11, former = $12;
    DELETE FROM domain_alias WHERE domain = $1;
    INSERT INTO domain_alias (name, domain, position) SELECT value, $1, key FROM json_each($6)";
pub(super) const DISABLE_DOMAIN: &str = "UPDATE domain SET disabled_at = $2, applied = NULL WHERE name = $1";
pub(super) const DOMAIN_USES: &str = "
    SELECT (SELECT count(*) FROM mailbox WHERE domain = $1) + (SELECT count(*) FROM alias WHERE domain = $1)";
pub(super) const DELETE_DOMAIN: &str = "DELETE FROM domain WHERE name = $1";
pub(super) const RELEASE_DOMAIN: &str = "UPDATE domain SET managed_by = NULL, object = NULL, origin_file = NULL, origin_line = NULL, applied = NULL, former = NULL WHERE name = $1";

pub(super) const MAILBOXES: &str = "
    SELECT m.account_id, m.address, m.display_name, m.quota, m.enabled, m.send_as, m.deletion_policy, m.retain_for,
           a.disabled_at, a.used_bytes, a.last_login, a.created_at,
           c.set_by, c.fingerprint, c.management, c.changed_at,
           m.forward, m.keep_copy, m.managed_by, m.object, m.origin_file, m.origin_line, m.applied, m.former,
           m.legal_hold
    FROM mailbox m JOIN account a ON a.id = m.account_id LEFT JOIN credential c ON c.account_id = m.account_id
    ORDER BY m.address";
pub(super) const MAILBOX: &str = "
    SELECT m.account_id, m.address, m.display_name, m.quota, m.enabled, m.send_as, m.deletion_policy, m.retain_for,
           a.disabled_at, a.used_bytes, a.last_login, a.created_at,
           c.set_by, c.fingerprint, c.management, c.changed_at,
           m.forward, m.keep_copy, m.managed_by, m.object, m.origin_file, m.origin_line, m.applied, m.former,
           m.legal_hold
    FROM mailbox m JOIN account a ON a.id = m.account_id LEFT JOIN credential c ON c.account_id = m.account_id
    WHERE m.address = $1";
/// What keeps an address from becoming a mailbox ($1) or an alias ($1): 'domain' when $2 is there, other kinds when taken.
pub(super) const ADDRESS_FACTS: &str = "
    SELECT 'domain' FROM domain WHERE name = $2
    UNION ALL SELECT CASE WHEN a.disabled_at IS NULL THEN 'mailbox' ELSE 'kept mailbox' END
        FROM mailbox m JOIN account a ON a.id = m.account_id WHERE m.address = $1
    UNION ALL SELECT 'alias' FROM alias WHERE address = $1";
/// What the account submitted and waits is held (2) when it goes out of service, and goes on when it comes back. What a postmaster
/// held (1) stays so, and what they let go meanwhile too.
pub(super) const UPDATE_MAILBOX: &str = "
    UPDATE queue_recipient SET held = CASE WHEN $4 THEN 0 ELSE 2 END
        WHERE message_id IN (SELECT id FROM queue_message WHERE submitted_by = $1)
            AND held = CASE WHEN $4 THEN 2 ELSE 0 END
            AND ($4 OR (SELECT enabled FROM mailbox WHERE account_id = $1));
    UPDATE mailbox SET display_name = $2, quota = $3, enabled = $4, send_as = $5, deletion_policy = $6,
        retain_for = $7, forward = $8, keep_copy = $9, legal_hold = $10,
        managed_by = $11, object = $12, origin_file = $13, origin_line = $14, applied = $15, former = $16
        WHERE account_id = $1;
    UPDATE account SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL";
/// $2 since when, or NULL for an account that is in service again.
pub(super) const DISABLE_ACCOUNT: &str = "
    UPDATE queue_recipient SET held = CASE WHEN $2 IS NULL THEN 0 ELSE 2 END
        WHERE message_id IN (SELECT id FROM queue_message WHERE submitted_by = $1)
            AND held = CASE WHEN $2 IS NULL THEN 2 ELSE 0 END;
    UPDATE account SET disabled_at = $2 WHERE id = $1;
    UPDATE mailbox SET applied = NULL WHERE account_id = $1";
pub(super) const RELEASE_MAILBOX: &str = "
    UPDATE mailbox SET managed_by = NULL, object = NULL, origin_file = NULL, origin_line = NULL, applied = NULL,
        former = NULL WHERE account_id = $1";
/// The folders become doomed; the purge removes their messages. Their ids come back for the watchers.
pub(super) const DELETE_MAILBOX: &str = "
    DELETE FROM credential WHERE account_id = $1;
    DELETE FROM subscription WHERE account_id = $1;
    DELETE FROM mailbox WHERE account_id = $1;
    UPDATE folder SET account_id = NULL WHERE account_id = $1 RETURNING id;
    DELETE FROM account WHERE id = $1";

pub(super) const SET_CREDENTIAL: &str = "
    INSERT INTO credential (account_id, hash, set_by, fingerprint, management, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (account_id) DO UPDATE SET hash = $2, set_by = $3, fingerprint = $4, management = $5, changed_at = $6;
    UPDATE credential SET scram = $7 WHERE account_id = $1";
/// The declaration is noted, the password stays.
pub(super) const NOTE_CREDENTIAL: &str =
    "UPDATE credential SET fingerprint = $2, management = $3 WHERE account_id = $1";
pub(super) const OWNER_PASSWORD: &str = "
    INSERT INTO credential (account_id, hash, set_by, changed_at)
        SELECT account_id, $2, $3, $4 FROM mailbox WHERE address = $1
    ON CONFLICT (account_id) DO UPDATE SET hash = $2, set_by = $3, changed_at = $4;
    UPDATE credential SET scram = $5 WHERE account_id = (SELECT account_id FROM mailbox WHERE address = $1)";
/// The same password, kept in another way: only while the hash is still the one that it was checked against. $1 account, $2 the
/// old hash, $3 the new one (or the same), $4 a SCRAM record (NULL keeps the one there is).
pub(super) const REHASH: &str = "
    UPDATE credential SET hash = $3, rehashed = rehashed + 1, scram = coalesce($4, scram)
        WHERE account_id = $1 AND hash = $2";

pub(super) const IS_ALIAS: &str = "SELECT 1 FROM alias WHERE address = $1";
pub(super) const ALIASES: &str = "
    SELECT address, targets, senders, enabled, managed_by, object, origin_file, origin_line, applied, former
    FROM alias ORDER BY address";
pub(super) const ALIAS: &str = "
    SELECT address, targets, senders, enabled, managed_by, object, origin_file, origin_line, applied, former
    FROM alias WHERE address = $1";
pub(super) const PUT_ALIAS: &str = "
    INSERT INTO alias (address, domain, targets, senders, enabled, managed_by, object, origin_file, origin_line, applied,
                       former)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
    ON CONFLICT (address) DO UPDATE SET targets = $3, senders = $4, enabled = $5,
        managed_by = $6, object = $7, origin_file = $8, origin_line = $9, applied = $10, former = $11";
pub(super) const DELETE_ALIAS: &str = "DELETE FROM alias WHERE address = $1";
pub(super) const RELEASE_ALIAS: &str = "UPDATE alias SET managed_by = NULL, object = NULL, origin_file = NULL, origin_line = NULL, applied = NULL, former = NULL WHERE address = $1";

/// All there is to know of a recipient: $1 the address, $2 its domain; $3 and $4 are the limits of messages of an account
/// and of a folder: a mailbox at one of them has no room, whatever its quota. The first column says which kind of row it is.
pub(super) const RECIPIENT: &str = "
    SELECT 'mailbox', m.account_id, m.enabled AND a.disabled_at IS NULL AND d.disabled_at IS NULL,
           CASE WHEN a.messages < $3 AND (m.quota IS NULL OR a.messages < max(1000, m.quota / 1024))
                AND EXISTS (SELECT 1 FROM folder WHERE account_id = a.id AND name = 'INBOX' AND messages < $4)
                THEN m.quota ELSE 0 END,
           a.used_bytes, NULL, NULL, m.forward, m.keep_copy
        FROM mailbox m JOIN account a ON a.id = m.account_id JOIN domain d ON d.name = m.domain WHERE m.address = $1
    UNION ALL
    SELECT 'alias', 0, enabled, NULL, 0, targets, senders, NULL, NULL FROM alias WHERE address = $1
    UNION ALL
    SELECT 'alias domain', 0, d.disabled_at IS NULL, NULL, d.parked, d.name, NULL, NULL, NULL
        FROM domain_alias a JOIN domain d ON d.name = a.domain WHERE a.name = $2
    UNION ALL
    SELECT 'domain', 0, disabled_at IS NULL, NULL, parked, catch_all, NULL, NULL, NULL FROM domain WHERE name = $2";
/// Addresses of everybody an alias reaches ($1) and what they may send as; UNION ends at loops.
pub(super) const MEMBERS: &str = "
    WITH RECURSIVE member (address) AS (
        SELECT value FROM alias, json_each(alias.targets) WHERE alias.address = $1
        UNION
        SELECT j.value FROM member m JOIN alias a ON a.address = m.address, json_each(a.targets) j LIMIT $2
    )
    SELECT m.address FROM mailbox m WHERE m.address IN (SELECT address FROM member)
    UNION
    SELECT j.value FROM mailbox m, json_each(m.send_as) j WHERE m.address IN (SELECT address FROM member)";
/// $1 local part with `@`, $2 domain.
pub(super) const LOGIN: &str = "
    SELECT m.account_id, m.address, c.hash, m.enabled AND a.disabled_at IS NULL AND d.disabled_at IS NULL,
           c.scram, coalesce(c.version, 0), a.last_login
    FROM mailbox m JOIN account a ON a.id = m.account_id JOIN domain d ON d.name = m.domain
        LEFT JOIN credential c ON c.account_id = m.account_id
    WHERE m.address = $1 || coalesce((SELECT domain FROM domain_alias WHERE name = $2), $2)";
/// The account's address and what it may send as, while it is in service.
pub(super) const SENDER: &str = "
    SELECT m.address, m.send_as FROM mailbox m JOIN account a ON a.id = m.account_id JOIN domain d ON d.name = m.domain
    WHERE m.account_id = $1 AND m.enabled AND a.disabled_at IS NULL AND d.disabled_at IS NULL";
pub(super) const REAL_DOMAIN: &str = "SELECT domain FROM domain_alias WHERE name = $1";
/// Whether an enabled alias ($1) leads to an account ($2), through other enabled aliases too; UNION ends at loops.
pub(super) const LEADS_TO: &str = "
    WITH RECURSIVE member (address) AS (
        SELECT j.value FROM alias, json_each(alias.targets) j WHERE alias.address = $1 AND alias.enabled
        UNION
        SELECT j.value FROM member m JOIN alias a ON a.address = m.address AND a.enabled, json_each(a.targets) j LIMIT $3
    )
    SELECT EXISTS (SELECT 1 FROM member JOIN mailbox m ON m.address = member.address WHERE m.account_id = $2)";
pub(super) const LAST_LOGIN: &str = "SELECT last_login FROM account WHERE id = $1";
pub(super) const RECORD_LOGIN: &str = "UPDATE account SET last_login = $2 WHERE id = $1";
