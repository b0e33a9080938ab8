-- Accounts, resources, folders, messages, blobs.
-- Declared state (written by plans) and runtime state (written by serving) are apart: server, domain, domain_alias,
-- mailbox, alias are declared; account, credential are runtime. Times are Unix seconds.

-- Counters. needs_schema: the oldest schema version whose program may open this database (expand/contract).
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta (key, value) VALUES ('change_counter', 0), ('fence_epoch', 0), ('uid_validity', 0), ('needs_schema', 1);

CREATE TABLE server (
    name        TEXT PRIMARY KEY,
    settings    TEXT NOT NULL,
    managed_by  TEXT,
    object      TEXT,
    origin_file TEXT,
    origin_line INTEGER
) WITHOUT ROWID;

CREATE TABLE domain (
    name        TEXT PRIMARY KEY,
    server      TEXT NOT NULL,
    parked      INTEGER NOT NULL,
    catch_all   TEXT,
    settings    TEXT NOT NULL,
    disabled_at INTEGER,
    managed_by  TEXT,
    object      TEXT,
    origin_file TEXT,
    origin_line INTEGER
) WITHOUT ROWID;
CREATE INDEX domain_server ON domain (server);

CREATE TABLE domain_alias (
    name     TEXT PRIMARY KEY,
    domain   TEXT NOT NULL REFERENCES domain (name) ON DELETE CASCADE,
    position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX domain_alias_domain ON domain_alias (domain);

-- The runtime side of a mailbox. The id is never used again.
CREATE TABLE account (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    used_bytes  INTEGER NOT NULL DEFAULT 0 CHECK (used_bytes >= 0),
    disabled_at INTEGER,
    last_login  INTEGER,
    created_at  INTEGER NOT NULL
);

-- The declared side of a mailbox.
CREATE TABLE mailbox (
    account_id      INTEGER PRIMARY KEY REFERENCES account (id),
    address         TEXT NOT NULL UNIQUE,
    domain          TEXT NOT NULL REFERENCES domain (name),
    display_name    TEXT NOT NULL,
    quota           INTEGER,
    enabled         INTEGER NOT NULL,
    send_as         TEXT NOT NULL,
    deletion_policy TEXT NOT NULL,
    retain_for      INTEGER NOT NULL,
    managed_by      TEXT,
    object          TEXT,
    origin_file     TEXT,
    origin_line     INTEGER
);
CREATE INDEX mailbox_domain ON mailbox (domain);

CREATE TABLE credential (
    account_id  INTEGER PRIMARY KEY REFERENCES account (id),
    hash        TEXT NOT NULL,
    set_by      TEXT NOT NULL,
    fingerprint TEXT,
    management  TEXT,
    changed_at  INTEGER NOT NULL
);

CREATE TABLE alias (
    address     TEXT PRIMARY KEY,
    domain      TEXT NOT NULL REFERENCES domain (name),
    targets     TEXT NOT NULL,
    senders     TEXT NOT NULL,
    enabled     INTEGER NOT NULL,
    managed_by  TEXT,
    object      TEXT,
    origin_file TEXT,
    origin_line INTEGER
) WITHOUT ROWID;
CREATE INDEX alias_domain ON alias (domain);

CREATE TABLE resource (
    kind       TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    generation INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    spec       TEXT NOT NULL,
    status     TEXT,
    PRIMARY KEY (kind, namespace, name)
) WITHOUT ROWID;

-- A folder without an account is doomed: its messages are removed slice by slice. The id is never used again, and
-- uid_validity is unique over all folders that ever were.
CREATE TABLE folder (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id    INTEGER REFERENCES account (id),
    name          TEXT NOT NULL,
    special_use   TEXT,
    noselect      INTEGER NOT NULL DEFAULT 0,
    uid_validity  INTEGER NOT NULL,
    uid_next      INTEGER NOT NULL DEFAULT 1 CHECK (uid_next <= 4294967295),
    modseq        INTEGER NOT NULL DEFAULT 1,
    recent_uid    INTEGER NOT NULL DEFAULT 0,
    keywords      TEXT NOT NULL DEFAULT '[]',
    expunged_from INTEGER NOT NULL DEFAULT 0,
    UNIQUE (account_id, name)
);
CREATE INDEX folder_doomed ON folder (id) WHERE account_id IS NULL;

CREATE TABLE subscription (
    account_id INTEGER NOT NULL REFERENCES account (id),
    name       TEXT NOT NULL,
    PRIMARY KEY (account_id, name)
) WITHOUT ROWID;

-- place: 0 data as it is, 1 data as zstd, 2 a file named by the hash. Rows are never updated, so that large rows
-- are written once; who uses a blob is found by message_blob.
CREATE TABLE blob (
    id    INTEGER PRIMARY KEY,
    hash  BLOB NOT NULL,
    size  INTEGER NOT NULL,
    place INTEGER NOT NULL,
    idx   BLOB NOT NULL,
    data  BLOB
);
CREATE UNIQUE INDEX blob_file ON blob (hash) WHERE place = 2;

CREATE TABLE message (
    folder_id     INTEGER NOT NULL REFERENCES folder (id),
    uid           INTEGER NOT NULL,
    modseq        INTEGER NOT NULL,
    flags         INTEGER NOT NULL,
    internal_date INTEGER NOT NULL,
    save_date     INTEGER NOT NULL,
    size          INTEGER NOT NULL,
    blob_id       INTEGER NOT NULL REFERENCES blob (id),
    PRIMARY KEY (folder_id, uid)
) WITHOUT ROWID;
CREATE INDEX message_modseq ON message (folder_id, modseq);
CREATE INDEX message_blob ON message (blob_id);
CREATE INDEX message_deleted ON message (folder_id, uid) WHERE flags & 4;

-- What was expunged, in runs of UIDs; complete for MODSEQs above folder.expunged_from.
CREATE TABLE expunged (
    folder_id INTEGER NOT NULL REFERENCES folder (id),
    modseq    INTEGER NOT NULL,
    first_uid INTEGER NOT NULL,
    last_uid  INTEGER NOT NULL,
    PRIMARY KEY (folder_id, modseq, first_uid)
) WITHOUT ROWID;
