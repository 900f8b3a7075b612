-- Version 2: the leader's row says whether whoever sits is at work. The beat grows while it is; an owner of no letters has
-- given the seat up.
ALTER TABLE leader ADD COLUMN beat BIGINT NOT NULL DEFAULT 0;
