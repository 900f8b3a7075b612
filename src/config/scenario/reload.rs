//! `reload:`: what the edited files become in the middle of a scenario.
//!
//! The idea: the parts stand either below `reload` or beside it, or in a file of their own; those written here are read
//! by the reader of rule files, so a mistake in them has its place. A file is read when the reload happens, as the
//! service would, mistakes included.

use std::path::PathBuf;
use std::sync::Arc;

use super::Reload;
use super::own::parts;
use super::read::Known;
use crate::config::problem::Notes;
use crate::config::read::{Obj, check};
use crate::config::rules::{self, Around, FILE};
use crate::config::tree::{Data, Node};

/// Keys beside `reload` that are parts of what comes.
const PARTS: [&str; 5] = ["rules", "contacts", "chains", "resources", "sla"];

/// Ids of the `part` (`rules`, `contacts`) that reloads of these scenarios bring; `None`: a file that is not read here.
pub(in crate::config) fn brought(file: Obj<'_>, part: &str) -> Option<Vec<String>> {
    let mut ids = Vec::new();
    for action in file.subs("scenarios").flat_map(|scenario| scenario.subs("do")) {
        let Some(reload) = action.get("reload") else { continue };
        if reload.as_text().is_some_and(|text| !matches!(text, "true" | "false" | "broken")) {
            return None;
        }
        let lists = [reload.get(part), action.get(part)];
        let items = lists.into_iter().flatten().flat_map(Node::items);
        ids.extend(items.filter_map(|item| item.get("id")?.as_text().map(str::to_owned)));
    }
    Some(ids)
}

/// The `reload` of an action.
pub(super) fn reload(part: Obj<'_>, ids: Known<'_>, notes: &mut Notes) -> Option<Reload> {
    let node = part.get("reload")?;
    let beside: Vec<_> = part.entries().iter().filter(|entry| PARTS.contains(&entry.key.as_str())).cloned().collect();
    let has_beside = !beside.is_empty();
    let root = match (&node.data, node.as_text()) {
        (Data::Map(_), _) if !has_beside => node.clone(),
        (Data::Null, _) | (_, Some("true")) if has_beside => Node { at: node.at, data: Data::Map(beside) },
        (Data::Null, _) | (_, Some("true")) => return Some(Reload::Same),
        (_, Some("broken")) if !has_beside => return Some(Reload::Broken),
        (_, Some(file)) if file != "false" && !has_beside => return Some(Reload::File(PathBuf::from(file))),
        _ => {
            let help = "write `reload: true`, `broken`, a file, or `{ rules: [...], contacts: [...], chains: [...] }`";
            notes.error("scenario-shape", node.at, "nothing that can be reloaded", help);
            return None;
        }
    };
    Some(Reload::Parts(Arc::new(here(root, ids, notes))))
}

/// Parts that are written in the scenario itself.
fn here(mut root: Node, ids: Known<'_>, notes: &mut Notes) -> super::Own {
    rules::merge(&mut root, notes);
    check(&root, &FILE, notes);
    let file = Obj::new(&root, &FILE);
    let chains: Option<Vec<String>> =
        file.has("chains").then(|| file.subs("chains").filter_map(|chain| chain.owned("id")).collect());
    let around = Around { chains: chains.as_deref(), keeps: None, guard: ids.guard, source: ids.source };
    let rules = file.has("rules").then(|| {
        let mut own: Vec<_> = rules::rules(file, around, notes).into_iter().map(|placed| placed.rule).collect();
        own.sort_by(|a, b| a.id.cmp(&b.id));
        own
    });
    parts(file, rules, notes)
}
