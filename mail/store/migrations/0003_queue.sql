-- The queue, forwards of mailboxes, and what is derived from a password.

-- Forwards: JSON of addresses; keep_copy says whether the mailbox keeps what it forwards.
ALTER TABLE mailbox ADD COLUMN forward TEXT NOT NULL DEFAULT '[]';
ALTER TABLE mailbox ADD COLUMN keep_copy INTEGER NOT NULL DEFAULT 1;

-- version counts passwords; a hash that is merely made anew from the same password (rehashed) is no new one. scram is the
-- SCRAM-SHA-256 record of the same password (RFC 5803). The trigger keeps both right when the release before, which
-- knows nothing of them, sets a password. decoy_secret: what unknown users are told by SCRAM is made from it.
ALTER TABLE credential ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN rehashed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE credential ADD COLUMN scram TEXT;
INSERT INTO meta (key, value) VALUES ('decoy_secret', random());
CREATE TRIGGER password_changed AFTER UPDATE OF hash ON credential
WHEN new.hash <> old.hash AND new.rehashed = old.rehashed BEGIN
    UPDATE credential SET version = version + 1, scram = NULL WHERE account_id = new.account_id;
END;

-- A message on its way out. ret: 0 not said, 1 whole, 2 header. The bytes are a blob as those of stored messages; an account that
-- submitted it may be gone.
CREATE TABLE queue_message (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    trace        TEXT NOT NULL,
    sender       TEXT NOT NULL,
    ret          INTEGER NOT NULL,
    envelope_id  TEXT,
    smtputf8     INTEGER NOT NULL,
    eight_bit    INTEGER NOT NULL,
    submitted_by INTEGER,
    blob_id      INTEGER NOT NULL REFERENCES blob (id),
    size         INTEGER NOT NULL,
    queued_at    INTEGER NOT NULL,
    expires      INTEGER NOT NULL
);
CREATE INDEX queue_message_blob ON queue_message (blob_id);
CREATE INDEX queue_message_age ON queue_message (queued_at, id);
CREATE INDEX queue_message_sender ON queue_message (sender COLLATE NOCASE);
CREATE INDEX queue_message_trace ON queue_message (trace);

-- One recipient: the unit that is tried. domain is lower case. notify: bits 1 never, 2 success, 4 failure, 8 delay. A lease is a
-- number of this process's run; opening the database voids all of them.
CREATE TABLE queue_recipient (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id     INTEGER NOT NULL REFERENCES queue_message (id),
    address        TEXT NOT NULL,
    domain         TEXT NOT NULL,
    original       TEXT,
    notify         INTEGER NOT NULL,
    held           INTEGER NOT NULL DEFAULT 0,
    attempts       INTEGER NOT NULL DEFAULT 0,
    next_attempt   INTEGER NOT NULL,
    last_reply     TEXT,
    delay_reported INTEGER NOT NULL DEFAULT 0,
    lease          INTEGER,
    lease_until    INTEGER
);
CREATE INDEX queue_recipient_message ON queue_recipient (message_id);
CREATE INDEX queue_recipient_domain ON queue_recipient (domain);
CREATE INDEX queue_recipient_address ON queue_recipient (address COLLATE NOCASE);
-- What due() walks along: waiting recipients by time, with all that it looks at; leased ones apart.
CREATE INDEX queue_recipient_waiting ON queue_recipient (next_attempt, id, domain) WHERE lease IS NULL AND held = 0;
CREATE INDEX queue_recipient_leased ON queue_recipient (lease_until) WHERE lease IS NOT NULL;
CREATE INDEX queue_recipient_held ON queue_recipient (message_id) WHERE held = 1;

-- The release before removes blobs that no message names; a queued message names them, too.
CREATE TRIGGER blob_queued BEFORE DELETE ON blob
WHEN EXISTS (SELECT 1 FROM queue_message WHERE blob_id = old.id) BEGIN
    SELECT raise(IGNORE);
END;
