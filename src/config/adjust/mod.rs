//! Rules with other numbers than their files have, for one run: `RULE.path=value`.
//!
//! `threshold` is the number that an expression compares with. Alerts of Prometheus's files are changed as values once they
//! are rules; see `exprs`.
//!
//! The idea: the value is put into the tree of the rule's file before it is read, so it is judged like one that stands
//! there, and what is wrong with it is told under the words of the change. The path is looked up in the same table that
//! the file is read by: a name that addresses nothing is refused with the nearest one.

mod exprs;

pub(super) use exprs::adjust_adopted;

use super::files::{FileKind, Source};
use super::near::nearest;
use super::overrides::{node_of, set};
use super::rules::FILE;
use super::table::{Kind, Table};
use super::tree::{Data, Node};

/// Puts one change into the rule file that holds its rule; `false` = no rule of our own form has that id.
///
/// # Errors
/// It is none, or addresses no key; the text says what would have been right.
pub(super) fn adjust(sources: &mut [Source], change: &str) -> Result<bool, String> {
    let (place, value) = parts(change)?;
    let ids: Vec<String> = sources.iter().flat_map(ids).collect();
    let Some(id) = meant(place, &ids) else { return Ok(false) };
    let path: Vec<&str> = place[id.len() + 1..].split('.').collect();
    for source in sources.iter_mut().filter(|source| source.kind == FileKind::Rules) {
        let Some(root) = &mut source.root else { continue };
        let Some(item) = rules_mut(root).iter_mut().find(|item| id_of(item).as_deref() == Some(id)) else { continue };
        let at = source.notes.variable(&format!("--set {change}"));
        if let Some((&"threshold", nth)) = path.split_first() {
            let text = item.get("expr").and_then(Node::as_text).ok_or_else(|| {
                format!("`{place}`: `threshold` is for a rule with an `expr` of its own; others have severity.S2.value")
            })?;
            let text = exprs::with_threshold(text, nth, value).map_err(|why| format!("`{place}`: {why}"))?;
            set(item, &["expr"], Node::text(at, &text), at);
            return Ok(true);
        }
        let rule = rule_table().ok_or("rules have no table of keys")?;
        let kind = kind_of(rule, &path).map_err(|help| format!("`{place}` addresses nothing: {help}"))?;
        if let Some(node) = node_of(kind, value, at, &mut source.notes) {
            set(item, &path, node, at);
        }
        return Ok(true);
    }
    Ok(false)
}

/// `RULE.path` and the value.
fn parts(change: &str) -> Result<(&str, &str), String> {
    change.split_once('=').ok_or_else(|| {
        format!("`{change}` is no change; write RULE.path=value, such as vm-cpu-high.severity.S2.value=90%")
    })
}

/// The rule of `ids` that `place` begins with. An id may hold dots: the longest one that fits is meant.
fn meant<'i>(place: &str, ids: &'i [String]) -> Option<&'i String> {
    let fits = |id: &&String| place.strip_prefix(id.as_str()).is_some_and(|rest| rest.starts_with('.'));
    ids.iter().filter(fits).max_by_key(|id| id.len())
}

fn no_rule(place: &str, ids: &[String]) -> String {
    let words: Vec<&str> = ids.iter().map(String::as_str).collect();
    let named = place.split('.').next().unwrap_or(place);
    let help = match nearest(named, &words) {
        Some(near) => format!("did you mean `{near}`?"),
        None if words.is_empty() => "no rule was read".to_owned(),
        None => format!("rules are: {}", words.join(", ")),
    };
    format!("`{place}` begins with no rule's id: {help}")
}

fn rule_table() -> Option<&'static Table> {
    match &FILE.key("rules")?.kind {
        Kind::List(Kind::Table(rule), _) => Some(rule),
        _ => None,
    }
}

/// What the key at `path` takes; `Err` = advice.
fn kind_of(table: &'static Table, path: &[&str]) -> Result<&'static Kind, String> {
    let (first, rest) = path.split_first().ok_or_else(String::new)?;
    let names: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
    let advice = || match nearest(first, &names) {
        Some(near) => format!("did you mean `{near}` instead of `{first}`?"),
        None => format!("`{}` takes: {}", table.name, names.join(", ")),
    };
    let key = table.key(first).ok_or_else(advice)?;
    match (&key.kind, rest) {
        (Kind::Table(inner), [_, ..]) => kind_of(inner, rest),
        (Kind::Table(inner), []) => {
            let names: Vec<&str> = inner.keys.iter().map(|key| key.name).collect();
            Err(format!("go on below `{first}`: {}", names.join(", ")))
        }
        (Kind::Map(kind), [_]) => Ok(kind),
        (kind, []) => Ok(kind),
        _ => Err(format!("`{first}` has no keys below it")),
    }
}

fn ids(source: &Source) -> Vec<String> {
    let root = source.root.as_ref().filter(|_| source.kind == FileKind::Rules);
    let items = root.and_then(|root| root.get("rules")).map_or(&[][..], Node::items);
    items.iter().filter_map(id_of).collect()
}

fn id_of(item: &Node) -> Option<String> {
    Some(item.get("id")?.as_text()?.trim().to_owned())
}

fn rules_mut(root: &mut Node) -> &mut [Node] {
    let Data::Map(entries) = &mut root.data else { return &mut [] };
    match entries.iter_mut().find(|entry| entry.key == "rules").map(|entry| &mut entry.value.data) {
        Some(Data::List(items)) => items,
        _ => &mut [],
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const RULES: &str = "version: 1\nrules:\n  - id: vm.cpu\n    metric: m\n    by: [host]\n    window: { fn: avg, over: 5m }\n    when: above\n    severity: { S2: { value: 85% } }\n  - id: vm\n    metric: m\n    window: { fn: avg, over: 5m }\n    when: above\n    severity: { S2: { value: 1 } }\n";

    fn sources() -> Vec<Source> {
        vec![Source::parse(Path::new("rules.yaml"), RULES.as_bytes(), Some(FileKind::Rules))]
    }

    fn text(sources: &[Source], rule: usize, path: &[&str]) -> Option<String> {
        let mut node = sources[0].root.as_ref()?.get("rules")?.items().get(rule)?;
        for key in path {
            node = node.get(key)?;
        }
        node.as_text().map(str::to_owned)
    }

    #[test]
    fn a_change_goes_to_the_rule_with_the_longest_id_that_fits() {
        let mut all = sources();
        adjust(&mut all, "vm.cpu.severity.S2.value=90%").unwrap();
        adjust(&mut all, "vm.cpu.severity.S1.for=2m").unwrap();
        adjust(&mut all, "vm.window.over=10m").unwrap();
        assert_eq!(adjust(&mut all, "wm.window.over=10m"), Ok(false));
        assert_eq!(text(&all, 0, &["severity", "S2", "value"]).as_deref(), Some("90%"));
        assert_eq!(text(&all, 0, &["severity", "S1", "for"]).as_deref(), Some("2m"));
        assert_eq!(text(&all, 0, &["window", "over"]).as_deref(), Some("5m"));
        assert_eq!(text(&all, 1, &["window", "over"]).as_deref(), Some("10m"));
    }

    #[test]
    fn what_addresses_nothing_is_told_what_was_near() {
        for (change, said) in [
            ("vm", "write RULE.path=value"),
            ("vm.windw.over=1m", "did you mean `window`"),
            ("vm.window.ovre=1m", "did you mean `over`"),
            ("vm.window=1m", "go on below `window`: fn, over"),
            ("vm.when.over=1m", "has no keys below it"),
            ("vm.threshold=1", "others have severity.S2.value"),
        ] {
            let why = adjust(&mut sources(), change).unwrap_err();
            assert!(why.contains(said), "{change}: {why}");
        }
    }
}
