-- Which database this is: a random UUID (version 4), made once and kept by every copy and backup of it. Who writes from afar names
-- it, so that no leader applies its accounts to a database it does not know. The leader's term is meta.fence_epoch.
CREATE TABLE identity (
    database TEXT PRIMARY KEY
) WITHOUT ROWID;
INSERT INTO identity (database)
    SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-4' || substr(h, 14, 3) || '-'
           || substr('89ab', 1 + (unicode(substr(h, 17, 1)) & 3), 1) || substr(h, 18, 3) || '-' || substr(h, 21, 12)
    FROM (SELECT lower(hex(randomblob(16))) AS h);
