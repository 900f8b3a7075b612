//! What the readers of rules, contacts and chains say about sense, with its documentation and examples.
//!
//! The idea: such a question needs the half-read value, so it is asked where that is read (`rules::sense`, `people`,
//! `load`); people look it up, silence it and test it like every other.

use super::{Look, check};

check!(SEVERITY_ORDER, "severity-order", Warning, Look::Reader,
    what: "A worse severity is reached no later than a milder one, which is therefore never seen.",
    why: "Everything is S1 then. Who is woken by the worst level for the mildest reason stops hurrying.",
    repair: "The worse a severity, the stricter its threshold, or the longer its `for`.");

check!(RECOVER_BEYOND, "recover-beyond", Error, Look::Reader,
    what: "The recover value lies on the bad side of the threshold.",
    why: "A rule recovers when `when` no longer holds at the recover value. There that is so while it still fires: it \
        would come and go at every tick.",
    repair: "Put it on the good side of the lowest severity's value.");

check!(EQUALS_FRACTION, "equals-fraction", Warning, Look::Reader,
    what: "`equals` with a number that is not whole.",
    why: "It compares exactly. A mean or a ratio is hardly ever exactly that number, so the rule hardly ever fires.",
    repair: "Use above, below, or outside with a range.");

check!(ACROSS_NEEDED, "across-needed", Error, Look::Reader,
    what: "`equals` or `outside` over several series of one identity, without `across`.",
    why: "Such a comparison has no obvious worst series: which of them is meant would be a guess.",
    repair: "Write across: sum, avg, max or min, or leave `by` out so that each series stands alone.");

check!(MIN_SAMPLES, "min-samples", Error, Look::Reader,
    what: "`min_samples` below what the function needs.",
    why: "rate, increase and delta compare two samples; with one there is no value, whatever the file says.",
    repair: "Leave it out, or raise it to 2 or more.");

check!(WINDOW_SHORT, "window-short", Error, Look::Reader,
    what: "A window shorter than two seconds.",
    why: "It holds one sample or none: the rule sees a flicker instead of a value.",
    repair: "Make it longer than the distance of two samples.");

check!(WINDOW_RETENTION, "window-retention", Warning, Look::Reader,
    what: "The window is longer than the log keeps records.",
    why: "After a restart windows are filled again from the log. What it no longer has leaves the rule unknown \
        (warming), for days in the worst case.",
    repair: "Raise `log.keep` above the window, or make the window shorter.");

check!(TITLE_LONG, "title-long", Warning, Look::Reader,
    what: "The title does not fit into an SMS.",
    why: "An SMS has 90 bytes (a Hangul syllable is two); number, severity, 구간 and time take 60 of them. A longer \
        message goes as LMS, which costs more and arrives later.",
    repair: "Shorten it to 30 bytes: 15 syllables.");

check!(TITLE_CHARSET, "title-charset", Warning, Look::Reader,
    what: "The title has a character that an SMS cannot carry.",
    why: "Carriers take KS X 1001: 2,350 Hangul syllables, ASCII and some symbols; no emoji, no typographic dashes. \
        The character is replaced, and with it perhaps the point.",
    repair: "Choose another character.");

check!(TITLE_PROHIBITED, "title-prohibited", Error, Look::Reader,
    what: "The title holds an address, host name, product, account or person.",
    why: "Messages leave the zone, and such data must not (누출금지 대상정보). The text would be replaced by an opaque \
        one when it is sent, in the night in which it is needed.",
    repair: "Say what happened without them; the incident's number leads to the rest.");

check!(NATIONAL_WORD, "national-word", Warning, Look::Reader,
    what: "The title has one of the words 관심, 주의, 경계, 심각.",
    why: "They are the levels of national crisis alerts. In an emergency centre of all places such a message may be \
        read as one.",
    repair: "Severities are 중대, 보통, 경미, 정보, and stand in the message anyway.");

check!(EMPTY_STEP, "empty-step", Warning, Look::Reader,
    what: "No contact that a step names covers the 구간 of the chain.",
    why: "The step is skipped at once, without its wait: the chain is shorter than it looks.",
    repair: "Give one of its contacts that 구간 under `domains`, or name somebody else.");

check!(EMPTY_LAST, "empty-last", Error, Look::Reader,
    what: "The last group of a chain is empty for a 구간.",
    why: "It is told until somebody takes the incident: where it is empty, an open S1 ends with nobody.",
    repair: "Name a role whose contacts cover the 구간.");

check!(NO_PHONE, "no-phone", Warning, Look::Reader,
    what: "A chain tells a contact on a channel for which it has no address.",
    why: "The page is decided, written down and never sent; the chain counts its wait all the same.",
    repair: "Add the phone or e-mail address, or take the channel off that step.");

check!(NO_ADDRESS, "no-address", Warning, Look::Reader,
    what: "A contact with neither phone nor e-mail.",
    why: "It can never be told, and stands in the list as if it could.",
    repair: "Add its `phone`, or delete it.");

check!(UNREACHABLE, "unreachable", Error, Look::Reader,
    what: "At some hour of the next 30 days a chain tells nobody who has a valid phone number.",
    why: "It is the hour in which it happens.",
    repair: "Look at `valid:` and `domains:` of the contacts, and at `upto:` of the chain.");

check!(TIER_GAP, "tier-gap", Warning, Look::Reader,
    what: "At some minute of the next 30 days the first step of a chain tells nobody who has a valid phone number.",
    why: "The duty desk is the one that is awake. Whoever is told in its place is told as if all before had failed.",
    repair: "Look at `valid:` of the first step's contacts, at the turns of its rota, and at its `when:`.");

check!(DIGEST_S1, "digest-s1", Error, Look::Reader,
    what: "S1 is deferred to the daily digest.",
    why: "It is to be told within 60 seconds; a digest the next morning breaks every SLA.",
    repair: "Use `digest` for S3 or S4.");
