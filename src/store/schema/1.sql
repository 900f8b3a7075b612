-- The tables of version 1. Columns are what SQL asks for (keys, fences, order); the rest of a row is its JSON.
-- Only BIGINT and TEXT, so that SQLite and PostgreSQL take the same text. Times are epoch milliseconds.

-- Ids are drawn from a row and not from a database sequence: its lock makes the order of ids the order of commits.
CREATE TABLE sequences (name TEXT PRIMARY KEY, last BIGINT NOT NULL);

INSERT INTO sequences (name, last) VALUES ('inputs', 0);

-- Hand-over 2: one row per partition, fenced by epoch and offset. known = 0 until the first flush.
CREATE TABLE progress (
  topic TEXT NOT NULL, partition BIGINT NOT NULL, epoch BIGINT NOT NULL, owner TEXT NOT NULL, known BIGINT NOT NULL,
  topic_id TEXT NOT NULL, next_offset BIGINT NOT NULL, clock BIGINT NOT NULL, segment BIGINT NOT NULL,
  seq BIGINT NOT NULL, rules TEXT NOT NULL, cursor_tick BIGINT, cursor_fingerprint TEXT,
  heard BIGINT NOT NULL, caught_up BIGINT NOT NULL, PRIMARY KEY (topic, partition));

-- The partition is a column and not part of the key: a key that moves to another partition keeps its row.
CREATE TABLE states (
  topic TEXT NOT NULL, fingerprint TEXT NOT NULL, partition BIGINT NOT NULL, bad BIGINT NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (topic, fingerprint));

CREATE INDEX states_by_partition ON states (topic, partition);

CREATE INDEX states_bad ON states (topic, fingerprint) WHERE bad = 1;

CREATE TABLE signals (
  topic TEXT NOT NULL, partition BIGINT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (topic, partition, seq));

-- taken is the input_no; NULL while it waits.
CREATE TABLE inputs (
  id BIGINT PRIMARY KEY, at BIGINT NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL,
  taken BIGINT, done BIGINT, answer TEXT);

CREATE INDEX inputs_waiting ON inputs (id) WHERE taken IS NULL;

CREATE TABLE leader (id BIGINT PRIMARY KEY, epoch BIGINT NOT NULL, owner TEXT NOT NULL);

CREATE TABLE cursors (
  topic TEXT NOT NULL, partition BIGINT NOT NULL, seq BIGINT NOT NULL, PRIMARY KEY (topic, partition));

CREATE TABLE incidents (
  id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, state TEXT NOT NULL, severity TEXT NOT NULL,
  detected BIGINT NOT NULL, json TEXT NOT NULL);

-- At most one incident that is not closed per fingerprint.
CREATE UNIQUE INDEX incidents_live ON incidents (fingerprint) WHERE state <> 'closed';

CREATE INDEX incidents_by_time ON incidents (detected);

CREATE TABLE chains (incident TEXT PRIMARY KEY, json TEXT NOT NULL);

-- Hand-over 3: a page and its lease. doubt = 1 once a lease ended without an outcome, resent = 1 once sent again.
CREATE TABLE outbox (
  id TEXT PRIMARY KEY, incident TEXT NOT NULL, severity TEXT NOT NULL, decided BIGINT NOT NULL, due BIGINT NOT NULL,
  deadline BIGINT NOT NULL, json TEXT NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL,
  worker TEXT NOT NULL, lease_epoch BIGINT NOT NULL, lease_until BIGINT NOT NULL, tries BIGINT NOT NULL,
  doubt BIGINT NOT NULL, resent BIGINT NOT NULL, handed BIGINT, done BIGINT);

CREATE INDEX outbox_waiting ON outbox (due) WHERE state = 'waiting';

CREATE INDEX outbox_handed ON outbox (lease_until) WHERE state = 'handed';

CREATE INDEX outbox_by_incident ON outbox (incident);

CREATE INDEX outbox_by_time ON outbox (decided);

CREATE TABLE counters (name TEXT PRIMARY KEY, last BIGINT NOT NULL);

CREATE TABLE ledger (
  input_no BIGINT PRIMARY KEY, at BIGINT NOT NULL, kind TEXT NOT NULL, json TEXT NOT NULL, hash TEXT NOT NULL);

CREATE TABLE notes (name TEXT PRIMARY KEY, json TEXT NOT NULL);
