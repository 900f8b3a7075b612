-- Version 3: by when a page is wanted (the order of the outbox), and the stamps of its way to the phone. Of the rows that
-- are there nobody wrote down more than when they were taken for accepted or delivered.
ALTER TABLE outbox ADD COLUMN wanted BIGINT NOT NULL DEFAULT 0;

ALTER TABLE outbox ADD COLUMN queued BIGINT;

ALTER TABLE outbox ADD COLUMN submitted BIGINT;

ALTER TABLE outbox ADD COLUMN accepted BIGINT;

ALTER TABLE outbox ADD COLUMN delivered BIGINT;

UPDATE outbox SET wanted = decided + (deadline - decided) / 10;

UPDATE outbox SET accepted = done WHERE state = 'accepted';

UPDATE outbox SET delivered = done WHERE state = 'delivered';

-- The one by `due` would be taken instead of it, and everything that waits be sorted at each claim.
DROP INDEX outbox_waiting;

CREATE INDEX outbox_wanted ON outbox (wanted, severity, id) WHERE state = 'waiting';
