-- The prototype's two tables, with columns of ours behind theirs, and ours. Times of ours are milliseconds since 1970.
-- Released: never changed (see schema.rs).

CREATE TABLE IF NOT EXISTS temporary_bounces (bounced_address TEXT, domain TEXT, counter INTEGER);
CREATE TABLE IF NOT EXISTS permanent_bounces (
    ts TIMESTAMP DEFAULT CURRENT_TIMESTAMP, bounced_address TEXT, domain TEXT, status_code INTEGER
);

-- address_key: the address with upper and lower case folded; times: JSON, the counted occurrences, oldest first.
ALTER TABLE temporary_bounces ADD COLUMN address_key TEXT;
ALTER TABLE temporary_bounces ADD COLUMN times TEXT;
-- One row for each mail that led to a suspension; status_code is what the platform answered.
ALTER TABLE permanent_bounces ADD COLUMN address_key TEXT;
ALTER TABLE permanent_bounces ADD COLUMN reason TEXT;
ALTER TABLE permanent_bounces ADD COLUMN suspension INTEGER;
CREATE INDEX permanent_bounces_suspension ON permanent_bounces (suspension) WHERE suspension IS NOT NULL;

-- The duty to tell a platform (domain) about an address.
CREATE TABLE suspensions (
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
);
CREATE UNIQUE INDEX suspensions_pending ON suspensions (address_key, domain) WHERE state = 'pending';
CREATE INDEX suspensions_due ON suspensions (domain, due) WHERE state = 'pending';
CREATE INDEX suspensions_delivered ON suspensions (settled) WHERE state = 'delivered';

-- Every bounce that something was decided on.
CREATE TABLE bounces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
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
    suspension INTEGER
);

-- Mails that could not be handled; raw is gzip, size its length.
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    why TEXT NOT NULL,
    source TEXT NOT NULL,
    mail_from TEXT,
    subject TEXT,
    envelope_recipients TEXT NOT NULL,
    size INTEGER NOT NULL,
    raw BLOB NOT NULL
);
CREATE INDEX quarantine_size ON quarantine (size);

-- Mails that were recorded while their giver may not know it yet.
CREATE TABLE handled (
    ticket INTEGER PRIMARY KEY AUTOINCREMENT,
    fingerprint BLOB NOT NULL,
    session INTEGER NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX handled_fingerprint ON handled (fingerprint);

-- Mails that were being read when the process ended.
CREATE TABLE attempts (
    fingerprint BLOB PRIMARY KEY,
    attempts INTEGER NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
