-- What was applied last to a row (a digest; a row that is not so any more was changed behind its source's back), from which
-- source it was taken over, and whether its mail must be kept. The release before writes none of it: to it a row is as
-- it was applied by hand, and a hold that is in force stays in force.
ALTER TABLE server ADD COLUMN applied TEXT;
ALTER TABLE server ADD COLUMN former TEXT;
ALTER TABLE domain ADD COLUMN applied TEXT;
ALTER TABLE domain ADD COLUMN former TEXT;
ALTER TABLE alias ADD COLUMN applied TEXT;
ALTER TABLE alias ADD COLUMN former TEXT;
ALTER TABLE mailbox ADD COLUMN applied TEXT;
ALTER TABLE mailbox ADD COLUMN former TEXT;
ALTER TABLE mailbox ADD COLUMN legal_hold INTEGER NOT NULL DEFAULT 0;

-- The release before knows no holds and would delete: it is stopped here.
CREATE TRIGGER mailbox_held BEFORE DELETE ON mailbox WHEN old.legal_hold <> 0 BEGIN
    SELECT raise(ABORT, 'a legal hold keeps this mailbox');
END;
