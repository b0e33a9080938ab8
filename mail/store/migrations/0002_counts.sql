-- How many messages folders and accounts have, for their limits. Triggers count, so that the release before, which knows
-- nothing of it, leaves the numbers right, too.
ALTER TABLE account ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE folder ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
UPDATE folder SET messages = (SELECT count(*) FROM message WHERE folder_id = folder.id);
UPDATE account SET messages = (SELECT coalesce(sum(f.messages), 0) FROM folder f WHERE f.account_id = account.id);

CREATE TRIGGER message_comes AFTER INSERT ON message BEGIN
    UPDATE folder SET messages = messages + 1 WHERE id = new.folder_id;
    UPDATE account SET messages = messages + 1 WHERE id = (SELECT account_id FROM folder WHERE id = new.folder_id);
END;
CREATE TRIGGER message_goes AFTER DELETE ON message BEGIN
    UPDATE folder SET messages = messages - 1 WHERE id = old.folder_id;
    UPDATE account SET messages = messages - 1 WHERE id = (SELECT account_id FROM folder WHERE id = old.folder_id);
END;
-- The messages of a doomed folder are nobody's at once.
CREATE TRIGGER folder_doomed AFTER UPDATE OF account_id ON folder
WHEN new.account_id IS NULL AND old.account_id IS NOT NULL BEGIN
    UPDATE account SET messages = messages - old.messages WHERE id = old.account_id;
END;
