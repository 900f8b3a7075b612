//! What each problem id means, for `check --explain ID`.
//!
//! The idea: an id is frozen once released, because people silence it in scripts; each is explained in one paragraph
//! that says why it is a problem and what to do, longer than the help line beside it.

/// Id and explanation of what the reader notes, by id; lint checks bring their own ([`super::lint::CHECKS`]).
pub const EXPLAINED: &[(&str, &str)] = &[
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
        "alertmanager",
        "Alertmanager itself would not start with this file, or would with less than it says. Its routes, time intervals \
        and rules of inhibition are judged as it judges them; how receivers send is not looked at.",
    ),
    (
        "bad-expr",
        "The expression is not PromQL, or gives something that a rule cannot use. The place is inside the expression.",
    ),
    (
        "bad-interval",
        "Recurring time has the fields of Alertmanager's time_interval: `times` such as 09:00-18:00 or with start_time and \
        end_time (HH:MM, the end up to 24:00 and not part of it), ranges such as monday:friday or 월:금, 1:5, -3:-1, \
        january:march. Weeks begin on sunday, and a range over midnight, the week's or the year's end is written as two.",
    ),
    (
        "bad-regex",
        "The pattern is not a regular expression of this engine, which runs in linear time and therefore has \
        no look-around and no back-references. Matchers are anchored at both ends, log patterns are not.",
    ),
    ("bad-series", "A series of a scenario is written as NAME{label=\"value\",…}."),
    (
        "bad-template",
        "Labels and annotations of an alert are templates: {{ $labels.instance }}, {{ $value | humanize }}. A mistake in \
        one would show as an error text in the message, at the worst time.",
    ),
    (
        "bad-timeline",
        "A timeline is written in pieces with commas between: `0.5 for 5m`, `0.5 to 0.97 for 1m` (a straight line), \
        `nothing for 2m` (no samples); only the last may be without a length: one sample.",
    ),
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
    (
        "conditions",
        "With `all` or `any` each condition says what it watches: metric, match, window, when and value. The rule keeps \
        what they have in common: by, severity with `for`, recover.for. A condition needs a value at every severity.",
    ),
    (
        "default-when",
        "The default chain is what is left where no other fits: with a `when` of its own there would be hours without \
        any chain. The calendar changes who is told, never whether.",
    ),
    (
        "duplicate-group",
        "Group names are unique in a file: Prometheus refuses the file otherwise, and reports could not tell them apart.",
    ),
    ("duplicate-id", "Ids name state, silences and history: two things with one id would share them. Rename one."),
    (
        "duplicate-key",
        "A key stands twice in one map. YAML readers keep one of the two without a word; here it is an \
        error, because the one you see may not be the one in force.",
    ),
    (
        "empty-match",
        "What mutes says what it is about. An empty `match`, `source` or `target` would fit every incident, and nobody \
        would be told of anything: name at least one label, the rule, the severity or the 구간.",
    ),
    (
        "expected",
        "With `no_data: { expected: true }` the inventory says which identities there are. So `by` and `match` may only use \
        what it knows: host, class, zone, service, parent.",
    ),
    (
        "expr-alone",
        "A rule that is an expression compares, folds and looks back by itself: `metric`, `window`, `when`, thresholds and \
         what hangs on them say it a second time, and one of the two would not count. Beside it stand `for`, `severity`, \
         `recover: { for }` and what tells people of it.",
    ),
    (
        "expr-outside",
        "The expression is PromQL, but uses a part of it that this version does not answer. It is refused rather than \
        answered wrongly.",
    ),
    ("file-missing", "A file that the configuration names cannot be read."),
    ("file-too-large", "An edited file is limited to 4 MiB, so that reading it stays instant. Split it."),
    (
        "gateway-kind",
        "The keys of a gateway contradict each other: `http:` belongs to `kind: http` (channels sms and mms), \
        `smtp:` to `kind: smtp` (channel mail), and a request has one body.",
    ),
    ("group-name", "A group of rules has a name, by which reports and tests find it."),
    (
        "inhibit-all",
        "An inhibition without `equal` lets one source anywhere mute every target everywhere. Name the labels that tie a \
        source to what it explains, such as host, parent or service.",
    ),
    (
        "inline-secret",
        "Secrets do not belong into files that are copied, shown and versioned. Put the secret into a file \
        that only the service may read and name it with `…_file`, or give it by BONGSU__SECTION__KEY.",
    ),
    (
        "label-name",
        "The name of a label or annotation is any text but the empty one; __name__ is the metric's own, set by `record`.",
    ),
    (
        "log-function",
        "A log rule counts lines: `fn: count`. For a number inside lines let the agent make a metric of it.",
    ),
    ("missing-key", "A key that has no sensible default is missing."),
    (
        "no-default-chain",
        "An incident whose 구간 no chain matches takes the default chain. Without one nobody would hear \
        of it. Give one chain `default: true`.",
    ),
    ("not-utf8", "Edited files are UTF-8. Korean text saved by an older Windows editor is often CP949 (EUC-KR)."),
    (
        "not-yet",
        "This is part of the rule language or of the service, but not in this version. It is refused rather than \
        ignored, because a rule that is half understood would watch something else than you think.",
    ),
    ("out-of-range", "The value is written rightly, but lies outside what can work."),
    (
        "override-empty",
        "An override says for whom (`match`) and what is different there: severity, recover or min_samples.",
    ),
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
        "ratio",
        "A ratio divides one metric by another for each identity: both sides are folded by `by` first, so `by` is needed, \
        and conditions on labels stand on the side that they are for.",
    ),
    (
        "parent-loop",
        "A resource cannot run on itself, directly or through others: no incident could be told its cause.",
    ),
    (
        "record-key",
        "`for`, `keep_firing_for` and `annotations` belong to alerts; a recorded metric has no use for them.",
    ),
    (
        "record-name",
        "The name of a recorded metric has braces, which are hardly meant: labels to add stand under `labels`.",
    ),
    (
        "rule-kind",
        "A rule of a group is an alert (`alert: Name`) or a recorded metric (`record: name`), one of the two.",
    ),
    ("scenario-shape", "A scenario's feed, action or expectation is not one of the known forms."),
    ("scenario-unknown", "A scenario names a rule or contact that does not exist: it could never pass."),
    ("several-defaults", "Only one chain can be taken where no other fits."),
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
        "test-no-file",
        "A pattern of `rule_files` fits no file, so the test would run without rules. It is taken from the test file's \
        own folder on.",
    ),
    ("test-shape", "A group stands twice in `group_eval_order`, so its place in the order is unknown."),
    ("unknown-chain", "The rule names a chain that is not in chains.yaml."),
    ("unknown-contact", "A chain names a contact that is not in contacts.yaml."),
    ("unknown-key", "No such key here. Unknown keys are errors, because a misspelt one would silently have no effect."),
    ("unknown-resource", "`members` and `depends_on` name resources of inventory.yaml; there is none of that id."),
    ("unknown-role", "A chain names a role that no contact of that organisation has: the step would reach nobody."),
    ("unknown-rota", "A chain names a rota that is not under `rotas:` of contacts.yaml."),
    (
        "unknown-time",
        "A `when` names a time that is none: it is `business`, `off`, or the id of one of `intervals:` in \
        calendar.yaml. A step with a time that never holds would never tell anybody.",
    ),
    ("unknown-secret", "A gateway uses a secret that is not named under `secrets`, where its file or variable stands."),
    (
        "unknown-template",
        "`use` names a template of the same file, under `templates:`. The rule's own keys win over those of the template.",
    ),
    (
        "unknown-variable",
        "An environment variable that begins with BONGSU__ addresses no setting. It is an error, because \
        a misspelt one would silently have no effect. Sections and keys are separated by two underscores.",
    ),
    ("unknown-word", "The key takes one of a few words."),
    ("upto-range", "`upto` is the 0-based number of the last step for that severity; there is no such step."),
    ("watch", "A rule watches exactly one thing: `metric:` or `log:`."),
    (
        "window-step",
        "`step` keeps a window as one summary for each step, so that days fit in memory. A summary tells sums, means, \
        extremes, deviations, slopes and counters, but not quantiles; and two of them make the shortest window.",
    ),
    (
        "wrong-type",
        "The value is of another kind than this key takes: text, number, list or map. Text that looks like a \
        number needs quotes.",
    ),
    ("yaml-budget", "Aliases (`*name`) multiply. The file stands for more values than any real configuration has."),
    ("yaml-depth", "The file is nested deeper than any of our files needs."),
    ("yaml-documents", "A file holds one YAML document; what follows `---` would not be read."),
    ("yaml-key", "Keys are text."),
    ("yaml-merge", "`<<: *name` takes over the entries of a map, or of each map of a list."),
    (
        "yaml-syntax",
        "The file is not YAML. The place is where the parser noticed; the cause is often on the line above.",
    ),
    ("yaml-tag", "YAML tags such as `!x` have no meaning in these files."),
];

/// Whether an id has an explanation.
pub(super) fn known(id: &str) -> bool {
    EXPLAINED.iter().any(|(known, _)| *known == id) || super::lint::by_id(id).is_some()
}

/// The explanation of an id: of the reader's, or of a lint check with its example and repair.
pub fn explain(id: &str) -> Option<String> {
    let read = EXPLAINED.iter().find(|(known, _)| *known == id).map(|(_, text)| format!("{id}: {text}"));
    read.or_else(|| super::lint::by_id(id).map(super::lint::Check::explain))
}

/// The known id that somebody who wrote `id` may have meant.
pub fn similar(id: &str) -> Option<&'static str> {
    let ids = EXPLAINED.iter().map(|(known, _)| *known).chain(super::lint::CHECKS.iter().map(|check| check.id));
    super::near::nearest(id, &ids.collect::<Vec<_>>())
}
