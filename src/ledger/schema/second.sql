-- A row for every mail. The tables of ours become STRICT, which SQLite can't do in place: each is copied. What somebody wrote into
-- one by hand is cast, and kept. The numbers of rows that were deleted are not given again: sqlite_sequence goes along.
-- Released: never changed (see schema.rs).

INSERT INTO sqlite_sequence (name, seq)
SELECT 'strict_' || name, seq FROM sqlite_sequence WHERE name IN ('bounces', 'suspensions', 'quarantine', 'handled');

-- Every mail that came in, but repeats of recorded ones. decision: what was done about it, and evidence: why.
-- position: the bytes of mails and bounces together that were written up to the end of this row (see history.rs).
CREATE TABLE mails (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    domain TEXT,
    mail_from TEXT,
    subject TEXT,
    message_id TEXT,
    decision TEXT NOT NULL CHECK (decision IN ('act', 'ignore', 'quarantine')),
    evidence TEXT NOT NULL,
    position INTEGER NOT NULL
) STRICT;
CREATE INDEX mails_at ON mails (at);

-- mail: the row of the mail; none of what was decided by hand, or before there were such rows.
CREATE TABLE strict_bounces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    mail INTEGER,
    bounced_address TEXT NOT NULL,
    address_key TEXT NOT NULL,
    domain TEXT NOT NULL,
    type TEXT NOT NULL,
    reason TEXT NOT NULL,
    status TEXT,
    reply_code INTEGER,
    diagnostic TEXT,
    message_id TEXT,
    evidence TEXT NOT NULL,
    source TEXT NOT NULL,
    action TEXT NOT NULL,
    counter INTEGER,
    suspension INTEGER,
    position INTEGER NOT NULL
) STRICT;
INSERT INTO strict_bounces
    (id, at, mail, bounced_address, address_key, domain, type, reason, status, reply_code, diagnostic,
     message_id, evidence, source, action, counter, suspension, position)
SELECT id, CAST(at AS INTEGER), NULL, CAST(bounced_address AS TEXT), CAST(address_key AS TEXT),
    CAST(domain AS TEXT), CAST(type AS TEXT), CAST(reason AS TEXT), CAST(status AS TEXT),
    CAST(reply_code AS INTEGER), CAST(diagnostic AS TEXT), CAST(message_id AS TEXT), CAST(evidence AS TEXT),
    CAST(source AS TEXT), CAST(action AS TEXT), CAST(counter AS INTEGER), CAST(suspension AS INTEGER),
    sum(100 + octet_length(bounced_address) + octet_length(address_key) + octet_length(evidence)
        + octet_length(source) + coalesce(octet_length(diagnostic), 0)
        + coalesce(octet_length(message_id), 0)) OVER (ORDER BY id)
FROM bounces ORDER BY id;
DROP TABLE bounces;
ALTER TABLE strict_bounces RENAME TO bounces;
CREATE INDEX bounces_mail ON bounces (mail) WHERE mail IS NOT NULL;

CREATE TABLE strict_suspensions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bounced_address TEXT NOT NULL,
    address_key TEXT NOT NULL,
    domain TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    created INTEGER NOT NULL,
    due INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    settled INTEGER,
    status_code INTEGER,
    answer TEXT,
    type TEXT NOT NULL,
    reason TEXT NOT NULL,
    status TEXT,
    diagnostic TEXT,
    message_id TEXT
) STRICT;
INSERT INTO strict_suspensions
    (id, bounced_address, address_key, domain, state, created, due, attempts, settled, status_code, answer,
     type, reason, status, diagnostic, message_id)
SELECT id, CAST(bounced_address AS TEXT), CAST(address_key AS TEXT), CAST(domain AS TEXT), state,
    CAST(created AS INTEGER), CAST(due AS INTEGER), CAST(attempts AS INTEGER), CAST(settled AS INTEGER),
    CAST(status_code AS INTEGER), CAST(answer AS TEXT), CAST(type AS TEXT), CAST(reason AS TEXT),
    CAST(status AS TEXT), CAST(diagnostic AS TEXT), CAST(message_id AS TEXT)
FROM suspensions ORDER BY id;
DROP TABLE suspensions;
ALTER TABLE strict_suspensions RENAME TO suspensions;
CREATE UNIQUE INDEX suspensions_pending ON suspensions (address_key, domain) WHERE state = 'pending';
CREATE INDEX suspensions_due ON suspensions (domain, due) WHERE state = 'pending';
CREATE INDEX suspensions_delivered ON suspensions (settled) WHERE state = 'delivered';
CREATE INDEX suspensions_failed ON suspensions (domain, address_key) WHERE state = 'failed';

CREATE TABLE strict_quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    mail INTEGER,
    why TEXT NOT NULL,
    source TEXT NOT NULL,
    mail_from TEXT,
    subject TEXT,
    envelope_recipients TEXT NOT NULL,
    size INTEGER NOT NULL,
    raw BLOB NOT NULL
) STRICT;
INSERT INTO strict_quarantine (id, at, mail, why, source, mail_from, subject, envelope_recipients, size, raw)
SELECT id, CAST(at AS INTEGER), NULL, CAST(why AS TEXT), CAST(source AS TEXT), CAST(mail_from AS TEXT),
    CAST(subject AS TEXT), CAST(envelope_recipients AS TEXT), CAST(size AS INTEGER), CAST(raw AS BLOB)
FROM quarantine ORDER BY id;
DROP TABLE quarantine;
ALTER TABLE strict_quarantine RENAME TO quarantine;

-- What lies in quarantine in all, so that nothing has to be summed up for each mail.
CREATE TABLE quarantine_total (mails INTEGER NOT NULL, size INTEGER NOT NULL) STRICT;
INSERT INTO quarantine_total (mails, size) SELECT count(*), coalesce(sum(size), 0) FROM quarantine;
CREATE TRIGGER quarantine_put AFTER INSERT ON quarantine BEGIN
    UPDATE quarantine_total SET mails = mails + 1, size = size + new.size;
END;
CREATE TRIGGER quarantine_deleted AFTER DELETE ON quarantine BEGIN
    UPDATE quarantine_total SET mails = mails - 1, size = size - old.size;
END;

CREATE TABLE strict_handled (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint BLOB NOT NULL,
    session INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT;
INSERT INTO strict_handled (ticket, fingerprint, session, at)
SELECT ticket, CAST(fingerprint AS BLOB), CAST(session AS INTEGER), CAST(at AS INTEGER)
FROM handled ORDER BY ticket;
DROP TABLE handled;
ALTER TABLE strict_handled RENAME TO handled;
CREATE INDEX handled_fingerprint ON handled (fingerprint);

CREATE TABLE strict_attempts (
    fingerprint BLOB PRIMARY KEY,
    attempts INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO strict_attempts (fingerprint, attempts, at)
SELECT CAST(fingerprint AS BLOB), CAST(attempts AS INTEGER), CAST(at AS INTEGER) FROM attempts;
DROP TABLE attempts;
ALTER TABLE strict_attempts RENAME TO attempts;
