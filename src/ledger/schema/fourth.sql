-- Who failed in the end, where bounced_address passed the mail on to another address.
ALTER TABLE bounces ADD COLUMN final_recipient TEXT;

-- What proves a bounce: proven, unproven or contradicted; by what; and why, for people. NULL where nobody looked.
ALTER TABLE bounces ADD COLUMN proof TEXT;
ALTER TABLE bounces ADD COLUMN proof_by TEXT;
ALTER TABLE bounces ADD COLUMN proof_sentence TEXT;

-- What has proven a bounce and is used up (see spent.rs).
CREATE TABLE spent (
    mark BLOB PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_at ON spent (at);

-- Every key that DNS was seen to have for our domains, and when last.
CREATE TABLE dkim_keys (
    domain TEXT NOT NULL,
    selector TEXT NOT NULL,
    record TEXT NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (domain, selector, record)
) STRICT, WITHOUT ROWID;
CREATE INDEX dkim_keys_seen ON dkim_keys (seen);
