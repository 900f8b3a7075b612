//! Settings by environment: `BONGSU__SECTION__KEY`, laid over the tree of `bongsu.yaml` before it is read.
//!
//! The idea: the `config` crate takes the variables apart; each is then looked up in the same table that the file is
//! read by, so a name that addresses nothing is an error, and a value is judged like one in the file, under the
//! variable's name. A list is written with commas, anything deeper as YAML in one line.

use std::collections::BTreeMap;

use config::{Environment, Source};

use super::near::nearest;
use super::problem::{Mark, Notes};
use super::table::{Kind, Table};
use super::tree::{self, Data, Entry, Node};

/// What every variable of ours begins with.
const PREFIX: &str = "BONGSU__";

/// The environment of this process; the one place of `config` that reads it, called by `cli` alone.
pub fn environment() -> Vec<(String, String)> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        // A value that is not UTF-8 is kept, damaged: the reader will refuse it by name instead of ignoring it.
        Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
    };
    std::env::vars_os().filter_map(text).filter(|(name, _)| name.to_ascii_uppercase().starts_with(PREFIX)).collect()
}

/// Lays `variables` over `root`.
pub(super) fn lay_over(root: &mut Node, table: &'static Table, variables: &[(String, String)], notes: &mut Notes) {
    let source = variables.iter().cloned().collect();
    let environment = Environment::with_prefix("BONGSU").prefix_separator("__").separator("__").source(Some(source));
    let Ok(found) = environment.collect() else { return };
    // By name: the crate's map has no order, and problems must have one.
    let found: BTreeMap<String, String> =
        found.into_iter().filter_map(|(key, value)| Some((key, value.into_string().ok()?))).collect();
    for (key, value) in found {
        let name = format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"));
        let at = notes.variable(&name);
        let path: Vec<&str> = key.split('.').collect();
        match kind_of(table, &path) {
            Ok(kind) => {
                if let Some(node) = node_of(kind, &value, at, notes) {
                    set(root, &path, node, at);
                }
            }
            Err(help) => {
                notes.error("unknown-variable", at, format!("`{name}` addresses no setting"), help);
            }
        }
    }
}

/// What the key at `path` takes; `Err` = advice.
fn kind_of(table: &'static Table, path: &[&str]) -> Result<&'static Kind, String> {
    let (first, rest) = path.split_first().ok_or_else(String::new)?;
    let names: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
    let advice = || match nearest(first, &names) {
        Some(near) => format!("did you mean `{near}` instead of `{first}`?"),
        None => format!("{} takes: {}", table.name, names.join(", ")),
    };
    let key = table.key(first).ok_or_else(advice)?;
    match (&key.kind, rest) {
        (Kind::Table(inner), [_, ..]) => kind_of(inner, rest),
        (Kind::Map(kind), [_]) => Ok(kind),
        (kind, []) => Ok(kind),
        (Kind::List(..), _) => Err(format!("give the whole list as the value of {PREFIX}…{}", first.to_uppercase())),
        _ => Err(format!("`{first}` has no keys below it")),
    }
}

/// The node that a value stands for, as `kind` would be written.
pub(super) fn node_of(kind: &Kind, value: &str, at: Mark, notes: &mut Notes) -> Option<Node> {
    match kind {
        Kind::List(item, _) if !matches!(item, Kind::Table(_)) && !value.trim_start().starts_with('[') => {
            let items = value.split(',').map(str::trim).filter(|item| !item.is_empty());
            Some(Node { at, data: Data::List(items.map(|item| Node::text(at, item)).collect()) })
        }
        Kind::List(..) | Kind::Table(_) | Kind::Map(_) => {
            let mut inner = Notes::new("");
            let parsed = tree::parse(value, &mut inner);
            let problems = inner.into_list();
            for problem in &problems {
                notes.error(problem.id, at, problem.message.clone(), problem.help.clone());
            }
            let mut node = parsed.filter(|_| problems.is_empty())?;
            node.replant(at);
            Some(node)
        }
        _ => Some(Node::text(at, value)),
    }
}

/// Puts `node` at `path`, making the maps on the way where the file has none.
pub(super) fn set(root: &mut Node, path: &[&str], node: Node, at: Mark) {
    let Some((first, rest)) = path.split_first() else {
        *root = node;
        return;
    };
    if !matches!(root.data, Data::Map(_)) {
        // What stood there was no map; the variable wins, and with it a map.
        root.data = Data::Map(Vec::new());
    }
    let Data::Map(entries) = &mut root.data else { return };
    let n = entries.iter().position(|entry| entry.key == *first).unwrap_or_else(|| {
        let value = Node { at, data: Data::Null };
        entries.push(Entry { key: (*first).to_owned(), at, value });
        entries.len() - 1
    });
    if let Some(entry) = entries.get_mut(n) {
        if rest.is_empty() {
            entry.at = at;
        }
        set(&mut entry.value, rest, node, at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read::{Obj, check};
    use crate::config::settings::{SETTINGS, settings};

    fn read(text: &str, variables: &[(&str, &str)]) -> (crate::config::Settings, Vec<(String, &'static str)>) {
        let mut notes = Notes::new("bongsu.yaml");
        let mut root = tree::parse(text, &mut notes).unwrap();
        let variables: Vec<_> = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        lay_over(&mut root, &SETTINGS, &variables, &mut notes);
        check(&root, &SETTINGS, &mut notes);
        let settings = settings(Obj::new(&root, &SETTINGS), std::path::Path::new(""), &mut notes);
        (settings, notes.into_list().into_iter().map(|p| (p.file, p.id)).collect())
    }

    #[test]
    fn a_variable_wins_over_the_file() {
        let variables = [
            ("BONGSU__CONSOLE__LISTEN", "127.0.0.1:9"),
            ("BONGSU__ROLES", "notify, console"),
            ("BONGSU__LIMITS__SERIES_PER_RULE", "7"),
            ("BONGSU__LOG__TOPICS", "[{name: a}, {name: b, format: bongsu}]"),
            ("BONGSU__AGENT__LABELS__ENV", "01"),
        ];
        let (settings, problems) = read("console: { listen: 127.0.0.1:1 }\nlog: { partitions: 2 }\n", &variables);
        assert_eq!(problems, []);
        assert_eq!(settings.listen.port(), 9);
        assert_eq!(settings.roles.len(), 2);
        assert_eq!(settings.limits.series_per_rule, 7);
        assert_eq!((settings.log.topics.len(), settings.log.partitions), (2, 2));
        assert_eq!(settings.agent.labels.get("env"), Some("01"));
    }

    #[test]
    fn a_variable_that_addresses_nothing_is_an_error_under_its_name() {
        let variables = [
            ("BONGSU__CONSOL__LISTEN", "x"),
            ("BONGSU__LOG__TOPICS__0__NAME", "x"),
            ("BONGSU__LIMITS__SERIES", "많이"),
            ("OTHER", "x"),
        ];
        let (_, problems) = read("", &variables);
        let expected = [
            ("BONGSU__CONSOL__LISTEN".to_owned(), "unknown-variable"),
            ("BONGSU__LOG__TOPICS__0__NAME".to_owned(), "unknown-variable"),
            ("BONGSU__LIMITS__SERIES".to_owned(), "bad-value"),
        ];
        assert_eq!(problems, expected);
    }
}
