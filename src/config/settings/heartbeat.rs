//! `heartbeat:` of `bongsu.yaml`: where signs of life go.

use std::path::{Path, PathBuf};

use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::config::table::{Kind, Table, may, or};
use crate::time::{DAY, MINUTE, Ms, SECOND};

/// The keys of `heartbeat:`.
pub(super) static HEARTBEAT: Table = Table {
    name: "heartbeat",
    doc: "A sign of life for a watcher outside, withheld while the engine is not well. Left out: none.",
    keys: &[
        may("url", Kind::Text, "http(s)://… that is asked for"),
        or("method", "GET", Kind::Word(&["GET", "POST"]), "how; POST brings {\"alive\":true,\"at\":ms,\"n\":1}"),
        may("token_file", Kind::Text, "file with a bearer token, relative to this one"),
        may("mail", Kind::Mail, "or an address that gets a mail, through the first gateway for mail"),
        or("every", "1m", Kind::Duration(SECOND, DAY), "how often"),
        or("overdue", "0", Kind::Int(0, 10_000), "how many overdue actions are still well"),
    ],
};

/// Where signs of life go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatTo {
    /// Over HTTP.
    Url {
        /// The whole address.
        url: String,
        /// POST instead of GET.
        post: bool,
    },
    /// By mail, to this address.
    Mail(String),
}

/// Signs of life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatSettings {
    /// Where they go.
    pub to: HeartbeatTo,
    /// Distance, ms.
    pub every: Ms,
    /// File with a bearer token.
    pub token_file: Option<PathBuf>,
    /// More overdue actions than this withhold them.
    pub overdue: usize,
}

/// The settings of a checked tree; `None` where there are none.
pub(super) fn heartbeat(file: Obj<'_>, folder: &Path, notes: &mut Notes) -> Option<HeartbeatSettings> {
    if !file.has("heartbeat") {
        return None;
    }
    let part = file.sub("heartbeat");
    let to = match (part.owned("url"), part.owned("mail")) {
        (Some(url), None) => {
            let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
                let help = "write http://HOST/… or https://HOST/…";
                notes.error("bad-value", part.at("url"), format!("`{url}` is no address"), help);
                return None;
            }
            HeartbeatTo::Url { url, post: part.text("method") == Some("POST") }
        }
        (None, Some(mail)) => HeartbeatTo::Mail(mail),
        (Some(_), Some(_)) => {
            notes.error("bad-value", part.at("mail"), "both `url` and `mail`", "keep one");
            return None;
        }
        (None, None) => {
            notes.error("missing-key", file.key_at("heartbeat"), "neither `url` nor `mail`", "write one of them");
            return None;
        }
    };
    Some(HeartbeatSettings {
        to,
        every: part.duration("every").unwrap_or(MINUTE),
        token_file: part.text("token_file").map(|name| folder.join(name)),
        overdue: part.count("overdue").unwrap_or(0),
    })
}
