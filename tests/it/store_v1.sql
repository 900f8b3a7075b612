-- A database as the first release wrote it: its tables and one row of each. Never edit this file: it stands for files
-- that exist. A later version's test opens it and must find every row.
PRAGMA journal_mode = WAL;
CREATE TABLE schema_version (version BIGINT NOT NULL);
INSERT INTO schema_version (version) VALUES (1);

CREATE TABLE sequences (name TEXT PRIMARY KEY, last BIGINT NOT NULL);

INSERT INTO sequences (name, last) VALUES ('inputs', 0);

CREATE TABLE progress (
  topic TEXT NOT NULL, partition BIGINT NOT NULL, epoch BIGINT NOT NULL, owner TEXT NOT NULL, known BIGINT NOT NULL,
  topic_id TEXT NOT NULL, next_offset BIGINT NOT NULL, clock BIGINT NOT NULL, segment BIGINT NOT NULL,
  seq BIGINT NOT NULL, rules TEXT NOT NULL, cursor_tick BIGINT, cursor_fingerprint TEXT,
  heard BIGINT NOT NULL, caught_up BIGINT NOT NULL, PRIMARY KEY (topic, partition));

CREATE TABLE states (
  topic TEXT NOT NULL, fingerprint TEXT NOT NULL, partition BIGINT NOT NULL, bad BIGINT NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (topic, fingerprint));

CREATE INDEX states_by_partition ON states (topic, partition);

CREATE INDEX states_bad ON states (topic, fingerprint) WHERE bad = 1;

CREATE TABLE signals (
  topic TEXT NOT NULL, partition BIGINT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (topic, partition, seq));

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

CREATE UNIQUE INDEX incidents_live ON incidents (fingerprint) WHERE state <> 'closed';

CREATE INDEX incidents_by_time ON incidents (detected);

CREATE TABLE chains (incident TEXT PRIMARY KEY, json TEXT NOT NULL);

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

UPDATE sequences SET last = 2 WHERE name = 'inputs';
INSERT INTO progress (topic, partition, epoch, owner, known, topic_id, next_offset, clock, segment, seq, rules, cursor_tick, cursor_fingerprint, heard, caught_up) VALUES
  ('telemetry', 0, 1, 'engine-1', 1, 'topic-7', 10, 1000, 0, 1, 'rules', 1000, '00000000000000000000000000000007', 3, 1);
INSERT INTO states (topic, fingerprint, partition, bad, json) VALUES
  ('telemetry', '1aefe2f4826aa1fd8acddeb36fd01c80', 0, 1, '{"bits":"3fd3333333333334","fingerprint":"1aefe2f4826aa1fd8acddeb36fd01c80","labels":{"host":"host-00001","구간":"응용 \"A\""},"newest":5,"occurred":5,"rule":"vm-cpu-high","since":[5,null,null,null],"state":"pending","value":0.3,"valued":5,"watch":"avg system.cpu.utilization"}');
INSERT INTO signals (topic, partition, seq, at, json) VALUES
  ('telemetry', 0, 1, 1000, '{"acted":true,"at":1000,"bits":"3fd5555555555555","fingerprint":"1aefe2f4826aa1fd8acddeb36fd01c80","from":"pending","labels":{"host":"host-00001","구간":"응용 \"A\""},"rule":"vm-cpu-high","severity":"S1","since":999,"to":"firing","type":"signal","value":0.333333333333}');
INSERT INTO inputs (id, at, kind, json, taken, done, answer) VALUES
  (1, 1, 'handed', '{"kind":"handed","page":"p1"}', 1, 1, '확인');
INSERT INTO inputs (id, at, kind, json, taken, done, answer) VALUES
  (2, 1, 'reload', '{"hash":"h","kind":"reload"}', NULL, NULL, NULL);
INSERT INTO leader (id, epoch, owner) VALUES
  (1, 1, 'engine-1');
INSERT INTO cursors (topic, partition, seq) VALUES
  ('telemetry', 0, 1);
INSERT INTO incidents (id, fingerprint, state, severity, detected, json) VALUES
  ('INC-2611-001', '1aefe2f4826aa1fd8acddeb36fd01c80', 'open', 'S1', 11, '{"detected":11,"domain":"인프라","fingerprint":"1aefe2f4826aa1fd8acddeb36fd01c80","flapping":false,"id":"INC-2611-001","labels":{"host":"host-00001","구간":"응용 \"A\""},"notify_by":70,"occurred":1,"occurrence":1,"partition":0,"reopened":[1,2],"rule":"vm-cpu-high","severity":"S1","state":"open","title":"CPU 사용률 과다","topic":"telemetry","type":"incident"}');
INSERT INTO chains (incident, json) VALUES
  ('INC-2611-001', '{"due":300000,"incident":"INC-2611-001","round":0,"snapshot":"{\"id\":\"infra\"}","step":0,"told":[["msp-duty-1","sms"]]}');
INSERT INTO outbox (id, incident, severity, decided, due, deadline, json, state, detail, worker, lease_epoch, lease_until, tries, doubt, resent, handed, done) VALUES
  ('p1', 'INC-2611-001', 'S1', 5, 10, 100, '{"at":5,"channel":"sms","deadline":100,"due":10,"id":"p1","incident":"INC-2611-001","occurrence":1,"reason":"first","round":0,"severity":"S1","step":0,"text":"[중대] INC-2611-001 인프라 CPU 사용률 과다","title":"","to":"msp-duty-1","type":"page"}', 'waiting', '', '', 0, 0, 0, 0, 0, NULL, NULL);
INSERT INTO counters (name, last) VALUES
  ('INC-2611', 1);
INSERT INTO ledger (input_no, at, kind, json, hash) VALUES
  (1, 1001, 'ack', '{"n":1}', '80e42007e67706b8817c6dc904165447d5148e6780cbcd13ef54a1d0d0b8f150');
INSERT INTO notes (name, json) VALUES
  ('blind', '{}');
