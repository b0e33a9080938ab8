-- What was done to accounts and why: a row for each change that was really made, written in the transaction and the savepoint
-- of the change, so that one is never there without the other. Secrets are in none of its columns.

-- Why: one row for each batch that changed something. Rows are never updated.
CREATE TABLE history_cause (
    id           INTEGER PRIMARY KEY,
    actor        TEXT NOT NULL,
    source       TEXT NOT NULL,
    revision     TEXT NOT NULL,
    commit_id    TEXT,
    author       TEXT,
    signer       TEXT,
    committed_at INTEGER,
    digest       TEXT NOT NULL,
    approved     TEXT
);

-- What. changes is a JSON list of fields, redacted as in the plan; before is JSON of the row before the change, without its
-- password; NULL for what was new.
CREATE TABLE history (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    cause     INTEGER NOT NULL REFERENCES history_cause (id),
    action    TEXT NOT NULL,
    risk      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    key       TEXT NOT NULL,
    domain    TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    file      TEXT NOT NULL,
    line      INTEGER NOT NULL,
    changes   TEXT NOT NULL,
    before    TEXT
);
CREATE INDEX history_key ON history (key);
CREATE INDEX history_domain ON history (domain);
CREATE INDEX history_cause_rows ON history (cause);
