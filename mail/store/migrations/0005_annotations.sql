-- Annotations of folders and accounts (RFC 5464), and what is made of a message beside its index. All of it goes with what it
-- belongs to, also when the release before removes that.
CREATE TABLE folder_annotation (
    folder_id INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    value     BLOB NOT NULL,
    PRIMARY KEY (folder_id, name)
) WITHOUT ROWID;

CREATE TABLE account_annotation (
    account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    value      BLOB NOT NULL,
    PRIMARY KEY (account_id, name)
) WITHOUT ROWID;

-- A message that the release before stored has none.
CREATE TABLE digest (
    blob_id INTEGER PRIMARY KEY REFERENCES blob (id) ON DELETE CASCADE,
    preview TEXT NOT NULL,
    thread  BLOB NOT NULL
);
