//! What each problem id means, for `check --explain ID`.
//!
//! The idea: an id is frozen once released, because people silence it in scripts; each is explained in one paragraph
//! that says why it is a problem and what to do, longer than the help line beside it.

/// Id and explanation, by id.
pub const EXPLAINED: &[(&str, &str)] = &[
    (
        "across-needed",
        "A rule that compares with `equals` or `outside` and folds several series into one identity has no \
        obvious worst series. Write `across: sum|avg|max|min`, or leave `by` out so that each series stands alone.",
    ),
    (
        "agent-host",
        "The `host` label names the source of a record and is its key in the log: it is written as \
        `agent.host`, never as a free label.",
    ),
    (
        "agent-tls",
        "Records and the token cross the network in the clear where a door is not on this host. Write \
        https:// with `agent.token_file` (and `agent.ca_file` where the certificate is your own), or write to Kafka.",
    ),
    ("agent-to", "The agent writes to Kafka only where `log:` says which. Set `log.kind: kafka` with `log.brokers`."),
    (
        "agent-token",
        "A door that is not on this host asks everybody for the token of its service. Copy `token` from the \
        service's data directory to a file that only the agent can read, and name it as `agent.token_file`.",
    ),
    (
        "bad-regex",
        "The pattern is not a regular expression of this engine, which runs in linear time and therefore has \
        no look-around and no back-references. Matchers are anchored at both ends, log patterns are not.",
    ),
    ("bad-series", "A series of a scenario is written as NAME{label=\"value\",…}."),
    (
        "bad-value",
        "The value is not written as this key takes it: the help line shows the notation. Durations `5m`, \
        percentages `95%`, sizes `10GiB`, rates `1/s`, dates 2026-01-31 (taken at +09:00).",
    ),
    (
        "bad-values",
        "Values of a scenario series are written as in promtool: `0.5x30` is 31 times 0.5, `1+2x3` is 1 3 5 7, \
        `_` and `_x5` are samples that are missing.",
    ),
    (
        "builtin-id",
        "The engine raises its own troubles under this id (source-silent, blind, limit, …); a rule of yours \
        with the same id could not be told from it.",
    ),
    ("digest-s1", "An S1 is told at once; a digest the next morning would break its SLA."),
    ("duplicate-id", "Ids name state, silences and history: two things with one id would share them. Rename one."),
    (
        "duplicate-key",
        "A key stands twice in one map. YAML readers keep one of the two without a word; here it is an \
        error, because the one you see may not be the one in force.",
    ),
    (
        "empty-last",
        "The last group of a chain is told until somebody takes the incident: where it is empty for a 구간, an \
        open S1 would end with nobody. Name a role whose contacts cover the 구간.",
    ),
    ("empty-step", "No contact that the step names covers this 구간. The step is skipped at once, without its wait."),
    ("equals-fraction", "`equals` compares exactly. A mean or a ratio is hardly ever exactly that number."),
    ("file-missing", "A file that the configuration names cannot be read."),
    ("file-too-large", "An edited file is limited to 4 MiB, so that reading it stays instant. Split it."),
    (
        "gateway-kind",
        "The keys of a gateway contradict each other: `http:` belongs to `kind: http` (channels sms and mms), \
        `smtp:` to `kind: smtp` (channel mail), and a request has one body.",
    ),
    (
        "inline-secret",
        "Secrets do not belong into files that are copied, shown and versioned. Put the secret into a file \
        that only the service may read and name it with `…_file`, or give it by BONGSU__SECTION__KEY.",
    ),
    (
        "log-function",
        "A log rule counts lines: `fn: count`. For a number inside lines let the agent make a metric of it.",
    ),
    ("min-samples", "rate, increase and delta compare samples and need two; a smaller `min_samples` could never hold."),
    ("missing-key", "A key that has no sensible default is missing."),
    (
        "national-word",
        "관심, 주의, 경계, 심각 are the official levels of national crisis alerts. A message with one of them \
        may be read as such an alert. Severities are 중대, 보통, 경미, 정보.",
    ),
    ("no-address", "The contact has neither phone nor e-mail, so it can never be told."),
    (
        "no-default-chain",
        "An incident whose 구간 no chain matches takes the default chain. Without one nobody would hear \
        of it. Give one chain `default: true`.",
    ),
    ("no-phone", "A chain tells this contact on a channel for which it has no address."),
    ("not-utf8", "Edited files are UTF-8. Korean text saved by an older Windows editor is often CP949 (EUC-KR)."),
    (
        "not-yet",
        "This is part of the rule language or of the service, but not in this version. It is refused rather than \
        ignored, because a rule that is half understood would watch something else than you think.",
    ),
    ("out-of-range", "The value is written rightly, but lies outside what can work."),
    (
        "placeholder",
        "A request of a gateway has a placeholder that nothing fills, or lacks one without which the message would be \
        empty or reach nobody. Placeholders are written {{name}}; a secret is one once it is named under `secrets`.",
    ),
    (
        "plain-http",
        "Message texts, numbers and keys would travel where others can read them. Gateways are spoken to by https; \
        plain http is taken only for an address on this host.",
    ),
    (
        "range-needed",
        "`outside` compares with a range: `value: [low, high]`. Everything else compares with one number.",
    ),
    (
        "recover-beyond",
        "A rule recovers when `when` no longer holds at the recover value. On the bad side of the threshold \
        that is so while it still fires: it would come and go at every tick.",
    ),
    ("scenario-shape", "A scenario's feed, action or expectation is not one of the known forms."),
    ("scenario-unknown", "A scenario names a rule or contact that does not exist: it could never pass."),
    ("several-defaults", "Only one chain can be taken where no other fits."),
    (
        "severity-order",
        "A worse severity that is reached no later than a milder one hides it: the milder one is never \
        seen.",
    ),
    (
        "store-key",
        "The key says how a PostgreSQL server is reached; the store of this file is SQLite, which needs none of it.",
    ),
    (
        "store-tls",
        "What goes to a database on another host passes networks: without a certificate that proves the server's \
        name, anybody between could read it or answer in its place. Write sslmode=verify-full and sslrootcert with \
        the certificate of the authority; `unverified: true` accepts the risk.",
    ),
    (
        "title-charset",
        "Carriers take KS X 1001: 2,350 Hangul syllables, ASCII and some symbols; no emoji, no typographic \
        dashes.",
    ),
    (
        "title-long",
        "An SMS has 90 bytes (a Hangul syllable is two). Number, severity, 구간 and time take 60 of them. \
        Longer messages go as LMS, which costs more and arrives later.",
    ),
    (
        "title-prohibited",
        "Messages leave the zone and must not hold addresses, host names, products, accounts or persons \
        (누출금지 대상정보). The text would be replaced by an opaque one when it is sent.",
    ),
    ("unknown-chain", "The rule names a chain that is not in chains.yaml."),
    ("unknown-contact", "A chain names a contact that is not in contacts.yaml."),
    ("unknown-key", "No such key here. Unknown keys are errors, because a misspelt one would silently have no effect."),
    ("unknown-role", "A chain names a role that no contact of that organisation has: the step would reach nobody."),
    ("unknown-secret", "A gateway uses a secret that is not named under `secrets`, where its file or variable stands."),
    (
        "unknown-template",
        "`use` names a template of the same file, under `templates:`. The rule's own keys win over those of the template.",
    ),
    (
        "conditions",
        "With `all` or `any` each condition says what it watches: metric, match, window, when and value. The rule keeps \
        what they have in common: by, severity with `for`, recover.for. A condition needs a value at every severity.",
    ),
    (
        "expected",
        "With `no_data: { expected: true }` the inventory says which identities there are. So `by` and `match` may only use \
        what it knows: host, class, zone, service, parent.",
    ),
    (
        "override-empty",
        "An override says for whom (`match`) and what is different there: severity, recover or min_samples.",
    ),
    (
        "ratio",
        "A ratio divides one metric by another for each identity: both sides are folded by `by` first, so `by` is needed, \
        and conditions on labels stand on the side that they are for.",
    ),
    (
        "unknown-variable",
        "An environment variable that begins with BONGSU__ addresses no setting. It is an error, because \
        a misspelt one would silently have no effect. Sections and keys are separated by two underscores.",
    ),
    ("unknown-word", "The key takes one of a few words."),
    (
        "unreachable",
        "At some hour of the next 30 days no person with a valid phone number would be told of such an \
        incident. Look at `valid:` of the contacts and at `upto:` of the chain.",
    ),
    ("upto-range", "`upto` is the 0-based number of the last step for that severity; there is no such step."),
    ("watch", "A rule watches exactly one thing: `metric:` or `log:`."),
    (
        "window-retention",
        "After a restart windows are filled again from the log. Where the log keeps less than the window, \
        the rule is unknown (warming) until enough time has passed.",
    ),
    (
        "window-step",
        "`step` keeps a window as one summary for each step, so that days fit in memory. A summary tells sums, means, \
        extremes, deviations, slopes and counters, but not quantiles; and two of them make the shortest window.",
    ),
    ("window-short", "A window shorter than two ticks holds one sample or none."),
    (
        "wrong-type",
        "The value is of another kind than this key takes: text, number, list or map. Text that looks like a \
        number needs quotes.",
    ),
    ("yaml-budget", "Aliases (`*name`) multiply. The file stands for more values than any real configuration has."),
    ("yaml-depth", "The file is nested deeper than any of our files needs."),
    ("yaml-documents", "A file holds one YAML document; what follows `---` would not be read."),
    ("yaml-key", "Keys are text."),
    (
        "yaml-syntax",
        "The file is not YAML. The place is where the parser noticed; the cause is often on the line above.",
    ),
    ("yaml-tag", "YAML tags such as `!x` have no meaning in these files."),
];

/// The explanation of an id.
pub fn explain(id: &str) -> Option<&'static str> {
    EXPLAINED.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
}
