//! The keys of a gateway.
//!
//! The idea: a provider is described, not programmed: requests with `{{placeholders}}`, where in its answers the
//! verdict stands, and what its codes mean. [`super::gateways`] checks what the keys mean together.

use crate::config::table::{Kind, Table, may, must, or};
use crate::time::{DAY, MINUTE, SECOND};

/// Reasons of a refusal, as `notify` has them.
pub(super) const REASONS: [&str; 6] = ["auth", "rate", "recipient", "content", "server", "timeout"];

static SECRET: Table = Table {
    name: "secret",
    doc: "A secret by name; each is a placeholder. Exactly one of `file` and `env` says where it is.",
    keys: &[
        must("name", Kind::Name, "its placeholder's name"),
        may("file", Kind::Text, "a file that only the service may read"),
        may("env", Kind::Name, "an environment variable"),
    ],
};

static SIGN: Table = Table {
    name: "sign",
    doc: "HMAC-SHA256 over a text, for the placeholder {{signature}}.",
    keys: &[
        must("key", Kind::Name, "name of the secret that is the key"),
        must("text", Kind::Text, "what is signed; {{path}} is the address after the host, query included"),
        or("as", "base64", Kind::Word(&["base64", "hex"]), "how the signature is written"),
    ],
};

static REQUEST: Table = Table {
    name: "request",
    doc: "A request; placeholders: {{text}} {{title}} {{to}} {{from}} {{id}} {{kind}}, those of `sign` and `secrets`.",
    keys: &[
        or("method", "POST", Kind::Word(&["POST", "GET"]), "the method"),
        must("url", Kind::Text, "the address; https unless loopback"),
        may("headers", Kind::Map(&Kind::Label), "headers"),
        may("json", Kind::Text, "a JSON body; placeholders stand inside quotes"),
        may("form", Kind::Map(&Kind::Label), "a form body"),
    ],
};

static CHECK: Table = Table {
    name: "condition",
    doc: "A condition on an answer.",
    keys: &[
        must("at", Kind::Text, "JSON pointer such as /header/isSuccessful"),
        must("is", Kind::Label, "the value, as text"),
    ],
};

static CODE: Table = Table {
    name: "code",
    doc: "What some codes of the provider mean; the first entry that fits counts.",
    keys: &[
        must("of", Kind::List(&Kind::Label, 1), "codes; `29*` = all that begin so; http-403 = a status"),
        must("reason", Kind::Word(&REASONS), "why a message was refused"),
        may("retry", Kind::Bool, "whether trying again is of use; left out: yes for rate, server, timeout"),
    ],
};

static STATE: Table = Table {
    name: "state",
    doc: "What some states of a message mean; a state that no entry names is under way.",
    keys: &[
        must("of", Kind::List(&Kind::Label, 1), "values of the state, as `of` of a code"),
        must("is", Kind::Word(&["pending", "delivered", "failed"]), "what became of the message"),
        or("reason", "recipient", Kind::Word(&REASONS), "why it failed"),
    ],
};

static LOOK_UP: Table = Table {
    name: "look_up",
    doc: "How the provider is asked by our id {{id}} whether it has a message; {{sent}} is the provider's own id.",
    keys: &[
        or("method", "GET", Kind::Word(&["GET", "POST"]), "the method"),
        must("url", Kind::Text, "the address; {{since}} and {{until}} bound the time of the message"),
        may("url_long", Kind::Text, "the address for an LMS, where it is another"),
        may("headers", Kind::Map(&Kind::Label), "headers"),
        may("json", Kind::Text, "a JSON body"),
        may("form", Kind::Map(&Kind::Label), "a form body"),
        may("success", Kind::List(&Kind::Table(&CHECK), 1), "what an answer must hold to be one"),
        or(
            "settle",
            "10s",
            Kind::Duration(0, 10 * MINUTE),
            "a lost message may turn up so much later: no is no after it",
        ),
        may("list", Kind::Text, "JSON pointer to the list of messages; an empty list = not there"),
        may("page", Kind::Text, "pointer inside a message to our id; others are passed over"),
        may("id", Kind::List(&Kind::Text, 1), "pointers inside a message to the provider's id"),
        may("state", Kind::List(&Kind::Text, 1), "pointers inside a message to its state, the first there counts"),
        may("states", Kind::List(&Kind::Table(&STATE), 1), "what states mean"),
    ],
};

static POLL: Table = Table {
    name: "poll",
    doc: "Asks what became of accepted messages.",
    keys: &[
        or("every", "30s", Kind::Duration(SECOND, DAY), "distance of two questions about one message"),
        or("until", "72h", Kind::Duration(SECOND, 7 * DAY), "it is asked about no longer than this"),
        may("ask", Kind::Table(&LOOK_UP), "the question; left out: the look-up"),
    ],
};

static WEBHOOK: Table = Table {
    name: "webhook",
    doc: "The provider posts receipts to /v1/receipts/<id of this gateway>.",
    keys: &[
        must("header", Kind::Name, "the header that holds the secret"),
        must("secret", Kind::Name, "name of the secret"),
        may("list", Kind::Text, "JSON pointer to the list of messages; left out: the body is one"),
        may("page", Kind::Text, "pointer inside a message to our id"),
        may("id", Kind::List(&Kind::Text, 1), "pointers inside a message to the provider's id"),
        must("state", Kind::List(&Kind::Text, 1), "pointers inside a message to its state"),
        must("states", Kind::List(&Kind::Table(&STATE), 1), "what states mean"),
    ],
};

static HTTP: Table = Table {
    name: "http",
    doc: "A provider's HTTP interface.",
    keys: &[
        must("sender", Kind::Phone, "the registered sender number (발신번호)"),
        may("ca_file", Kind::Text, "certificates (PEM) that sign the provider's; left out: what this host trusts"),
        or("encoding", "utf-8", Kind::Word(&["utf-8", "euc-kr"]), "how texts are written"),
        may("secrets", Kind::List(&Kind::Table(&SECRET), 1), "secrets by name"),
        may("sign", Kind::Table(&SIGN), "how requests are signed"),
        must("send", Kind::Table(&REQUEST), "how an SMS is sent (up to 90 bytes)"),
        may("send_long", Kind::Table(&REQUEST), "how an LMS is sent; left out: as an SMS"),
        may(
            "success",
            Kind::List(&Kind::Table(&CHECK), 1),
            "what an answer must hold to be a yes; left out: status 2xx",
        ),
        may("id", Kind::List(&Kind::Text, 1), "JSON pointers to the provider's id, joined by `:`"),
        may("code", Kind::List(&Kind::Text, 1), "JSON pointers to a code, the first there counts"),
        may("codes", Kind::List(&Kind::Table(&CODE), 1), "what codes mean"),
        may("look_up", Kind::Table(&LOOK_UP), "how it is asked by our id; without it an unknown outcome stays one"),
        may("poll", Kind::Table(&POLL), "receipts, asked for"),
        may("webhook", Kind::Table(&WEBHOOK), "receipts, told"),
    ],
};

static SMTP: Table = Table {
    name: "smtp",
    doc: "A mail server; TLS is always spoken.",
    keys: &[
        must("host", Kind::Name, "its name, as in its certificate"),
        or("port", "587", Kind::Int(1, 65_535), "its port"),
        or("tls", "starttls", Kind::Word(&["starttls", "implicit"]), "implicit = TLS from the first byte (port 465)"),
        may("ca_file", Kind::Text, "certificates (PEM) that sign the server's; left out: what this host trusts"),
        must("from", Kind::Text, "sender, for example 관제 <alert@example.test>"),
        may("domain", Kind::Name, "domain of Message-IDs; left out: the sender's"),
        may("user_file", Kind::Text, "file with the user name"),
        may("user_env", Kind::Name, "or environment variable with it"),
        may("password_file", Kind::Text, "file with the password"),
        may("password_env", Kind::Name, "or environment variable with it"),
        must("domains", Kind::List(&Kind::Name, 1), "domains that mail may go to; nothing else is sent to"),
    ],
};

/// The keys of a gateway.
pub(super) static GATEWAY: Table = Table {
    name: "gateway",
    doc: "Who takes messages of one channel; of several for a channel the first is preferred.",
    keys: &[
        must("id", Kind::Id, "stable id"),
        must("channel", Kind::Word(&["sms", "mms", "mail"]), "for which channel"),
        must("kind", Kind::Word(&["handset", "http", "smtp"]), "handset = shows what each phone would have received"),
        may("rate", Kind::Number, "messages per second at most, such as 10/s"),
        or("concurrency", "2", Kind::Int(1, 8), "messages on their way at once"),
        or("timeout", "8s", Kind::Duration(SECOND / 10, 10 * SECOND), "longest time for one call"),
        may("http", Kind::Table(&HTTP), "the provider; kind: http needs it"),
        may("smtp", Kind::Table(&SMTP), "the mail server; kind: smtp needs it"),
    ],
};
