//! Gateways as typed values: what their keys mean together, every mistake at its place.
//!
//! The idea: whatever would only show when a page must leave is found here: a placeholder that nobody fills, a secret
//! that is not named, an address without TLS, a look-up that asks for what is not known yet.

use std::path::{Path, PathBuf};

use crate::config::near::nearest;
use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::config::scalar;
use crate::config::tree::Node;
use crate::model::{
    Body, Channel, Check, CodeRule, Encoding, Fate, HttpWay, Item, Poll, Question, Receipts, Request, SecretFrom, Sign,
    SmtpWay, StateRule, Template, Way, WayKind, Webhook,
};
use crate::time::{DAY, Ms, SECOND};

/// Placeholders of a signed text.
const SIGNED: [&str; 5] = ["method", "path", "now_ms", "now", "salt"];
/// Placeholders of a message.
const SENDING: [&str; 10] = ["text", "title", "to", "from", "id", "kind", "now_ms", "now", "salt", "signature"];
/// Placeholders of a question.
const ASKING: [&str; 9] = ["id", "to", "from", "kind", "since", "until", "now_ms", "now", "salt"];
/// The time that a receipt is waited for unless it says otherwise.
const POLL_EVERY: Ms = 30 * SECOND;

/// Makes gateways of a checked tree.
pub(super) fn gateways(file: Obj<'_>, folder: &Path, notes: &mut Notes) -> Vec<Way> {
    let mut ways: Vec<Way> = Vec::new();
    for gateway in file.subs("gateways") {
        let (Some(id), Some(channel)) = (gateway.owned("id"), gateway.word("channel", Channel::parse)) else {
            continue;
        };
        if ways.iter().any(|other| other.id == id) {
            notes.error("duplicate-id", gateway.at("id"), format!("gateway `{id}` stands twice"), "keep one");
        }
        let Some(kind) = kind(gateway, channel, folder, notes) else { continue };
        let rate = gateway.number("rate");
        if rate.is_some_and(|rate| rate <= 0.0) {
            notes.error("out-of-range", gateway.at("rate"), "`rate` is not above 0", "write for example 10/s");
        }
        let concurrency = gateway.count("concurrency").unwrap_or(1).max(1);
        let timeout = gateway.duration("timeout").unwrap_or(8 * SECOND);
        ways.push(Way { id, channel, rate: rate.filter(|rate| *rate > 0.0), concurrency, timeout, kind });
    }
    ways
}

fn kind(gateway: Obj<'_>, channel: Channel, folder: &Path, notes: &mut Notes) -> Option<WayKind> {
    let kind = gateway.text("kind")?;
    for other in ["http", "smtp"] {
        if other != kind && gateway.has(other) {
            let message = format!("`{other}:` beside `kind: {kind}` has no effect");
            notes.error("gateway-kind", gateway.key_at(other), message, format!("write kind: {other}, or remove it"));
        }
    }
    if kind != "handset" && !gateway.has(kind) {
        let help = "bongsu check --keys shows what belongs there";
        notes.error("missing-key", gateway.at("kind"), format!("`kind: {kind}` without `{kind}:`"), help);
        return None;
    }
    let is_mail = channel == Channel::Mail;
    if (kind == "smtp") != is_mail && kind != "handset" {
        let message = format!("a gateway of kind `{kind}` does not serve `{}`", channel.word());
        let help = "http is for sms and mms, smtp for mail";
        notes.error("gateway-kind", gateway.at("channel"), message, help);
    }
    match kind {
        "handset" => Some(WayKind::Handset),
        "http" => http(gateway.sub("http"), folder, notes).map(|way| WayKind::Http(Box::new(way))),
        "smtp" => smtp(gateway.sub("smtp"), folder, notes).map(|way| WayKind::Smtp(Box::new(way))),
        _ => None,
    }
}

/// What a template may hold.
struct Names<'a> {
    fixed: &'a [&'a str],
    secrets: &'a [String],
    has_sign: bool,
    has_sent: bool,
}

impl Names<'_> {
    fn all(&self) -> Vec<&str> {
        let secrets = self.secrets.iter().map(String::as_str);
        let mut all: Vec<&str> =
            self.fixed.iter().copied().filter(|name| *name != "signature").chain(secrets).collect();
        if self.has_sign {
            all.push("signature");
        }
        if self.has_sent {
            all.extend(["sent", "sent.0", "sent.1", "sent.2"]);
        }
        all
    }
}

fn template(node: &Node, names: &Names<'_>, notes: &mut Notes) -> Option<Template> {
    let template = match Template::parse(node.as_text()?) {
        Ok(template) => template,
        Err(at) => {
            notes.error("placeholder", node.inside(at), "`{{` without `}}`", "write {{name}}");
            return None;
        }
    };
    let all = names.all();
    for (name, at) in template.names().filter(|(name, _)| !all.contains(name)) {
        let help = match nearest(name, &all) {
            Some(near) => format!("did you mean {{{{{near}}}}}?"),
            None => format!("there are {}; a secret has to be named under `secrets`", all.join(", ")),
        };
        notes.error("placeholder", node.inside(at), format!("nothing fills `{{{{{name}}}}}` here"), help);
    }
    Some(template)
}

fn http(http: Obj<'_>, folder: &Path, notes: &mut Notes) -> Option<HttpWay> {
    let secrets = secrets(http, folder, notes);
    let known: Vec<String> = secrets.iter().map(|(name, _)| name.clone()).collect();
    let has_sign = http.has("sign");
    let names = |fixed, has_sent| Names { fixed, secrets: &known, has_sign, has_sent };
    let sign = if has_sign { sign(http.sub("sign"), &names(&SIGNED, false), notes) } else { None };
    let long = http.has("send_long").then(|| request(http.sub("send_long"), &names(&SENDING, false), notes));
    let send = request(http.sub("send"), &names(&SENDING, false), notes);
    for (key, request) in [("send", &send), ("send_long", long.as_ref().unwrap_or(&None))] {
        if let Some(request) = request {
            says_all(http, key, request, notes);
        }
    }
    let look_up = http.has("look_up").then(|| question(http.sub("look_up"), &names(&ASKING, false), notes)).flatten();
    let poll = http.has("poll").then(|| {
        let poll = http.sub("poll");
        let question = poll.has("ask").then(|| question(poll.sub("ask"), &names(&ASKING, true), notes)).flatten();
        if !poll.has("ask") && !http.has("look_up") {
            let help = "give `poll` an `ask`, or the gateway a `look_up`";
            notes.error("missing-key", http.key_at("poll"), "`poll` has nothing to ask", help);
        }
        let every = poll.duration("every").unwrap_or(POLL_EVERY);
        Poll { question, every, until: poll.duration("until").unwrap_or(3 * DAY) }
    });
    let webhook = http.has("webhook").then(|| webhook(http.sub("webhook"), &known, notes)).flatten();
    pointers(http, &["id", "code"], notes);
    Some(HttpWay {
        sender: sender(http, notes)?,
        ca_file: http.text("ca_file").map(|path| folder.join(path)),
        encoding: if http.text("encoding") == Some("euc-kr") { Encoding::EucKr } else { Encoding::Utf8 },
        secrets,
        sign,
        send: send?,
        send_long: long.flatten(),
        success: checks(http, notes),
        id: http.texts("id"),
        code: http.texts("code"),
        codes: codes(http),
        look_up,
        receipts: Receipts { poll, webhook },
    })
}

/// 발신번호: 8 to 11 digits, 030 numbers 12.
fn sender(http: Obj<'_>, notes: &mut Notes) -> Option<String> {
    let digits = http.text("sender").and_then(scalar::phone)?;
    let most = if digits.starts_with("030") { 12 } else { 11 };
    if digits.len() > most || digits.starts_with("050") {
        let help = "a registered number of 8 to 11 digits, with its area code; 050 numbers cannot send";
        notes.error("out-of-range", http.at("sender"), "`sender` is no number that may send", help);
    }
    Some(digits)
}

/// A message without its text or number would be accepted and be of no use.
fn says_all(http: Obj<'_>, key: &str, request: &Request, notes: &mut Notes) {
    let mut names: Vec<&str> = request.url.names().map(|(name, _)| name).collect();
    match &request.body {
        Body::None => {}
        Body::Json(text) => names.extend(text.names().map(|(name, _)| name)),
        Body::Form(fields) => names.extend(fields.iter().flat_map(|(_, text)| text.names()).map(|(name, _)| name)),
    }
    for name in ["text", "to"] {
        if !names.contains(&name) {
            let message = format!("`{key}` does not carry {{{{{name}}}}}");
            notes.error("placeholder", http.key_at(key), message, "put it into `json`, `form` or `url`");
        }
    }
}

fn secrets(http: Obj<'_>, folder: &Path, notes: &mut Notes) -> Vec<(String, SecretFrom)> {
    let mut secrets: Vec<(String, SecretFrom)> = Vec::new();
    for secret in http.subs("secrets") {
        let Some(name) = secret.owned("name") else { continue };
        let taken = SENDING.contains(&name.as_str()) || ASKING.contains(&name.as_str()) || name.starts_with("sent");
        if taken || secrets.iter().any(|(other, _)| *other == name) {
            notes.error("duplicate-id", secret.at("name"), format!("`{name}` means something already"), "rename it");
        }
        match (secret.text("file"), secret.text("env")) {
            (Some(file), None) => secrets.push((name, SecretFrom::File(folder.join(file)))),
            (None, Some(env)) => secrets.push((name, SecretFrom::Env(env.to_owned()))),
            _ => {
                let message = format!("secret `{name}` needs one place");
                notes.error("missing-key", secret.place(), message, "write either `file:` or `env:`");
                secrets.push((name, SecretFrom::Env(String::new())));
            }
        }
    }
    secrets
}

fn sign(sign: Obj<'_>, names: &Names<'_>, notes: &mut Notes) -> Option<Sign> {
    let key = sign.owned("key")?;
    named(sign, "key", names.secrets, notes);
    let inner = Names { has_sign: false, ..*names };
    let text = template(sign.get("text")?, &inner, notes)?;
    Some(Sign { key, text, hex: sign.text("as") == Some("hex") })
}

fn named(obj: Obj<'_>, key: &str, secrets: &[String], notes: &mut Notes) {
    let Some(name) = obj.text(key).filter(|name| !secrets.iter().any(|known| known == name)) else { return };
    let message = format!("`{name}` is not under `secrets`");
    notes.error("unknown-secret", obj.at(key), message, "name it under `secrets` with its `file` or `env`");
}

fn request(obj: Obj<'_>, names: &Names<'_>, notes: &mut Notes) -> Option<Request> {
    let url_node = obj.get("url")?;
    let url = template(url_node, names, notes)?;
    safe(url_node, notes);
    let fields = |key: &str, notes: &mut Notes| -> Vec<(String, Template)> {
        let entries = obj.get(key).map_or(&[][..], Node::entries);
        entries.iter().filter_map(|e| Some((e.key.clone(), template(&e.value, names, notes)?))).collect()
    };
    let headers = fields("headers", notes);
    let body = match (obj.get("json"), obj.has("form")) {
        (Some(_), true) => {
            notes.error("gateway-kind", obj.key_at("form"), "a body is JSON or a form, not both", "remove one");
            return None;
        }
        (Some(json), false) => Body::Json(template(json, names, notes)?),
        (None, true) => Body::Form(fields("form", notes)),
        (None, false) => Body::None,
    };
    let method = if obj.text("method") == Some("GET") { "GET" } else { "POST" };
    Some(Request { method, url, headers, body })
}

/// Messages and secrets travel: TLS, or no further than this host.
fn safe(node: &Node, notes: &mut Notes) {
    let Some(url) = node.as_text() else { return };
    let host = url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or(""));
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
    if host.contains("{{") || host.contains('@') || host.is_empty() {
        let help = "write https://host/path; placeholders stand behind the host";
        notes.error("bad-value", node.at, "`url` names no host of its own", help);
    } else if !(url.starts_with("https://") || (url.starts_with("http://") && is_loopback)) {
        notes.error("plain-http", node.at, "`url` is not https", "write https://…; plain http is for loopback alone");
    }
}

fn question(obj: Obj<'_>, names: &Names<'_>, notes: &mut Notes) -> Option<Question> {
    let request = request(obj, names, notes)?;
    let url_long = obj.get("url_long").and_then(|node| {
        safe(node, notes);
        template(node, names, notes)
    });
    pointers(obj, &["list", "page", "id", "state"], notes);
    Some(Question {
        request,
        url_long,
        success: checks(obj, notes),
        settle: obj.duration("settle").unwrap_or(0),
        list: obj.owned("list"),
        item: Item { page: obj.owned("page"), id: obj.texts("id"), state: obj.texts("state"), states: states(obj) },
    })
}

fn webhook(obj: Obj<'_>, secrets: &[String], notes: &mut Notes) -> Option<Webhook> {
    named(obj, "secret", secrets, notes);
    pointers(obj, &["list", "page", "id", "state"], notes);
    if !obj.has("page") && !obj.has("id") {
        let help = "write `page:` (pointer to our id) or `id:` (pointers to the provider's)";
        notes.error("missing-key", obj.place(), "a webhook does not say which message it is about", help);
    }
    Some(Webhook {
        header: obj.owned("header")?,
        secret: obj.owned("secret")?,
        list: obj.owned("list"),
        item: Item { page: obj.owned("page"), id: obj.texts("id"), state: obj.texts("state"), states: states(obj) },
    })
}

/// JSON pointers begin with a slash (or are empty: the whole).
fn pointers(obj: Obj<'_>, keys: &[&str], notes: &mut Notes) {
    for node in keys.iter().filter_map(|key| obj.get(key)) {
        let one = std::slice::from_ref(node);
        for node in if node.as_text().is_some() { one } else { node.items() } {
            pointer(node, notes);
        }
    }
}

fn pointer(node: &Node, notes: &mut Notes) {
    if node.as_text().is_some_and(|text| !text.starts_with('/')) {
        let message = format!("{} is no JSON pointer", node.describe());
        notes.error("bad-value", node.at, message, "write /key/0/key: from the top, items counted from 0");
    }
}

fn checks(obj: Obj<'_>, notes: &mut Notes) -> Vec<Check> {
    obj.subs("success")
        .filter_map(|check| {
            pointer(check.get("at")?, notes);
            Some(Check { at: check.owned("at")?, is: check.owned("is")? })
        })
        .collect()
}

fn codes(obj: Obj<'_>) -> Vec<CodeRule> {
    obj.subs("codes")
        .filter_map(|code| {
            let retry = code.has("retry").then(|| code.flag("retry"));
            Some(CodeRule { of: code.texts("of"), reason: code.owned("reason")?, retry })
        })
        .collect()
}

fn states(obj: Obj<'_>) -> Vec<StateRule> {
    obj.subs("states")
        .filter_map(|state| {
            let is = match state.text("is")? {
                "delivered" => Fate::Delivered,
                "failed" => Fate::Failed(state.owned("reason")?),
                _ => Fate::Pending,
            };
            Some(StateRule { of: state.texts("of"), is })
        })
        .collect()
}

fn smtp(smtp: Obj<'_>, folder: &Path, notes: &mut Notes) -> Option<SmtpWay> {
    let from = smtp.owned("from")?;
    let address = from.rsplit_once('<').map_or(from.as_str(), |(_, rest)| rest.trim_end_matches('>')).trim();
    if !scalar::mail(address) {
        let help = "write 관제 <alert@example.test>, or the address alone";
        notes.error("bad-value", smtp.at("from"), "`from` holds no e-mail address", help);
        return None;
    }
    let place = |what: &str, notes: &mut Notes| -> Option<SecretFrom> {
        let (file, env) = (format!("{what}_file"), format!("{what}_env"));
        if smtp.has(&file) && smtp.has(&env) {
            notes.error("gateway-kind", smtp.key_at(&env), format!("`{what}` has two places"), "keep one");
        }
        let file = smtp.text(&file).map(|file| SecretFrom::File(folder.join(file)));
        file.or_else(|| smtp.text(&env).map(|env| SecretFrom::Env(env.to_owned())))
    };
    let login = match (place("user", notes), place("password", notes)) {
        (Some(user), Some(password)) => Some((user, password)),
        (None, None) => None,
        _ => {
            let help = "give both user_file (or user_env) and password_file (or password_env), or neither";
            notes.error("missing-key", smtp.place(), "a login needs a user and a password", help);
            None
        }
    };
    let domain = smtp.owned("domain").or_else(|| address.rsplit_once('@').map(|(_, domain)| domain.to_owned()));
    Some(SmtpWay {
        host: smtp.owned("host")?,
        port: smtp.int("port").and_then(|n| u16::try_from(n).ok()).unwrap_or(587),
        implicit_tls: smtp.text("tls") == Some("implicit"),
        ca_file: smtp.text("ca_file").map(|path| -> PathBuf { folder.join(path) }),
        from,
        domain: domain?,
        login,
        domains: smtp.texts("domains").into_iter().map(|domain| domain.to_ascii_lowercase()).collect(),
    })
}
