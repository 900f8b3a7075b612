-- Version 4: a page that is with a sender and has no `submitted` was given to no gateway yet. Earlier versions wrote no such
-- stamp: of what their senders hold now nobody knows.
UPDATE outbox SET submitted = handed WHERE state = 'handed' AND submitted IS NULL;
