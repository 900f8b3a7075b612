//! Edited files on disk: which ones a path stands for, and their text.
//!
//! The idea: everything that touches the disk is here; from here on files are names and texts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::alertmanager;
use super::problem::{Mark, Notes};
use super::prometheus;
use super::tree::{self, Data, Node};

/// Folders inside each other that are searched for rule files: a link that leads back must end somewhere.
const DEPTH_MAX: usize = 8;

/// A file that was read, for snippets and for watching.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// As it was named.
    pub path: PathBuf,
    /// Its text; empty where it could not be read.
    pub text: Arc<str>,
}

/// What an edited file is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FileKind {
    /// `bongsu.yaml`
    Settings,
    /// `contacts.yaml`
    Contacts,
    /// `chains.yaml`
    Chains,
    /// `inventory.yaml`
    Inventory,
    /// `calendar.yaml`
    Calendar,
    /// `rules/*.yaml` and scenario files.
    Rules,
    /// Prometheus's rule files.
    Prometheus,
    /// promtool's unit-test files.
    Unit,
    /// Alertmanager's configuration.
    Alertmanager,
}

/// A file that was read and parsed.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is about.
    pub kind: FileKind,
    /// Its name and text.
    pub file: SourceFile,
    /// Its tree; `None` where it is no YAML, and for Prometheus's rule files.
    pub root: Option<Node>,
    /// The documents of a Prometheus rule file.
    pub documents: Vec<Node>,
    /// What is wrong with it.
    pub notes: Notes,
}

impl Source {
    /// Parses `bytes` as the file at `path`; `kind` is found out where it is not given.
    pub(super) fn parse(path: &Path, bytes: &[u8], kind: Option<FileKind>) -> Self {
        let mut notes = Notes::new(&path.display().to_string());
        let text: Arc<str> = tree::decode(bytes, &mut notes).map_or_else(|| Arc::from(""), Arc::from);
        let file = SourceFile { path: path.to_owned(), text };
        let documents = if notes.errors() == 0 { tree::documents(&file.text, &mut notes) } else { None };
        let Some(documents) = documents else {
            let kind = kind.unwrap_or_else(|| kind_of(path, None));
            return Self { kind, file, root: None, documents: Vec::new(), notes };
        };
        let kind = match kind {
            None => foreign(&documents.roots).unwrap_or_else(|| kind_of(path, documents.roots.first())),
            // A rules folder may hold Prometheus's rules and their tests too.
            Some(FileKind::Rules) => foreign(&documents.roots).unwrap_or(FileKind::Rules),
            Some(kind) => kind,
        };
        if kind == FileKind::Prometheus {
            return Self { kind, file, root: None, documents: documents.roots, notes };
        }
        let root = tree::single(documents, &mut notes);
        Self { kind, file, root, documents: Vec::new(), notes }
    }

    /// Scenarios may stand beside Prometheus's groups: what is no part of a file of Prometheus is read as one of ours.
    pub(super) fn parted(mut self) -> Vec<Self> {
        let mut ours = Vec::new();
        let both = |root: &&mut Node| ["groups", "scenarios"].iter().all(|key| root.get(key).is_some());
        let alone = if let [document] = self.documents.as_mut_slice() { Some(document) } else { None };
        if let Some(document) = alone.filter(both)
            && let Data::Map(entries) = &mut document.data
        {
            let (groups, rest) = std::mem::take(entries).into_iter().partition(|entry| entry.key == "groups");
            *entries = groups;
            let root = Some(Node { at: document.at, data: Data::Map(rest) });
            let notes = Notes::new(&self.file.path.display().to_string());
            ours.push(Self { kind: FileKind::Rules, file: self.file.clone(), root, documents: Vec::new(), notes });
        }
        ours.insert(0, self);
        ours
    }

    /// Reads and parses the file at `path`.
    pub(super) fn read(path: &Path, kind: Option<FileKind>) -> Self {
        match bytes(path) {
            Ok(bytes) => Self::parse(path, &bytes, kind),
            Err(why) => {
                let mut notes = Notes::new(&path.display().to_string());
                let help = match why.kind() {
                    std::io::ErrorKind::PermissionDenied => "let the service's user read it: chown, or chmod g+r",
                    _ => "create it, or name another",
                };
                notes.error("file-missing", Mark::new(1, 1, 0), format!("cannot be read: {why}"), help);
                let kind = kind.unwrap_or_else(|| kind_of(path, None));
                let file = SourceFile { path: path.to_owned(), text: Arc::from("") };
                Self { kind, file, root: None, documents: Vec::new(), notes }
            }
        }
    }
}

/// At most one byte more than an edited file may have: a mistaken path must not fill the memory.
fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(tree::BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a file was written for Prometheus, and what it is there.
fn foreign(documents: &[Node]) -> Option<FileKind> {
    if documents.iter().any(prometheus::is_rule_file) {
        return Some(FileKind::Prometheus);
    }
    if documents.first().is_some_and(alertmanager::is_alertmanager) {
        return Some(FileKind::Alertmanager);
    }
    let tests = |root: &Node| ["tests", "rule_files"].iter().any(|key| root.get(key).is_some());
    documents.first().is_some_and(tests).then_some(FileKind::Unit)
}

/// By its name, else by its first telling key, else rules.
fn kind_of(path: &Path, root: Option<&Node>) -> FileKind {
    match path.file_stem().and_then(|stem| stem.to_str()) {
        Some("bongsu") => return FileKind::Settings,
        Some("contacts") => return FileKind::Contacts,
        Some("chains") => return FileKind::Chains,
        Some("inventory") => return FileKind::Inventory,
        Some("calendar") => return FileKind::Calendar,
        _ => {}
    }
    let has = |keys: &[&str]| root.is_some_and(|root| keys.iter().any(|key| root.get(key).is_some()));
    if has(&["rules", "scenarios"]) {
        FileKind::Rules
    } else if has(&["contacts"]) {
        FileKind::Contacts
    } else if has(&["chains"]) {
        FileKind::Chains
    } else if has(&["resources"]) {
        FileKind::Inventory
    } else if has(&["holidays"]) {
        FileKind::Calendar
    } else if has(&["roles", "log", "store", "console", "paths", "gateways", "limits", "agent"]) {
        FileKind::Settings
    } else {
        FileKind::Rules
    }
}

/// Every YAML file below `folder`, by name; hidden ones (editors, `.schema`, ConfigMap versions) are not edited files.
pub(super) fn yaml_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(folder, &mut Vec::new(), &mut found)?;
    found.sort();
    Ok(found)
}

/// `around` are the folders that this one is in: a link back to one of them leads to files that are known already.
fn collect(folder: &Path, around: &mut Vec<PathBuf>, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    let own = std::fs::canonicalize(folder)?;
    if around.len() > DEPTH_MAX || around.contains(&own) {
        return Ok(());
    }
    around.push(own);
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            collect(&path, around, found)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            found.push(path);
        }
    }
    around.pop();
    Ok(())
}

/// The files that `pattern` stands for, from `folder` on, by name: `*` any characters, `?` one, `[a-z]` one of these,
/// inside one name each. A pattern without such signs is the file itself, where it is there.
pub(super) fn matching(folder: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for part in Path::new(pattern).components() {
        let name = part.as_os_str().to_string_lossy();
        if !matches!(part, std::path::Component::Normal(_)) || !name.contains(['*', '?', '[', '\\']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let signs: Vec<char> = name.chars().collect();
        let mut next = Vec::new();
        for path in &found {
            // An empty path is the folder at hand.
            let here = if path.as_os_str().is_empty() { Path::new(".") } else { path.as_path() };
            let names = std::fs::read_dir(here).into_iter().flatten().flatten().map(|entry| entry.file_name());
            let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
            names.sort();
            names.retain(|name| fits(&signs, &name.chars().collect::<Vec<char>>()));
            next.extend(names.into_iter().map(|name| path.join(name)));
        }
        found = next;
    }
    found.retain(|path| path.exists());
    found
}

/// Whether `name` fits the signs of a pattern.
fn fits(signs: &[char], name: &[char]) -> bool {
    match (signs.split_first(), name.split_first()) {
        (None, None) => true,
        (Some(('*', rest)), _) => (0..=name.len()).any(|n| fits(rest, name.get(n..).unwrap_or(&[]))),
        (Some(('?', rest)), Some((_, tail))) => fits(rest, tail),
        (Some(('[', rest)), Some((c, tail))) => {
            let Some(end) = rest.iter().skip(1).position(|sign| *sign == ']').map(|n| n + 1) else { return false };
            let (class, rest) = (rest.get(..end).unwrap_or(&[]), rest.get(end + 1..).unwrap_or(&[]));
            in_class(class, *c) && fits(rest, tail)
        }
        (Some(('\\', [sign, rest @ ..])), Some((c, tail))) => sign == c && fits(rest, tail),
        (Some((sign, rest)), Some((c, tail))) => sign == c && fits(rest, tail),
        _ => false,
    }
}

/// Whether `c` is one of `[abc]`, `[a-c]` or `[^abc]`.
fn in_class(class: &[char], c: char) -> bool {
    let (not, mut rest) = match class.split_first() {
        Some(('^', rest)) => (true, rest),
        _ => (false, class),
    };
    let mut there = false;
    while let Some((low, tail)) = rest.split_first() {
        let high = match tail {
            ['-', high, ..] => {
                rest = tail.get(2..).unwrap_or(&[]);
                high
            }
            _ => {
                rest = tail;
                low
            }
        };
        there = there || (*low..=*high).contains(&c);
    }
    there != not
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        let fit =
            |pattern: &str, name: &str| fits(&pattern.chars().collect::<Vec<_>>(), &name.chars().collect::<Vec<_>>());
        for (pattern, name) in [("*.yml", "a.yml"), ("r?les", "rules"), ("[a-c]*", "b"), ("[^a-c]", "가"), (r"\*", "*")]
        {
            assert!(fit(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.yml", "a.yaml"), ("r?les", "rles"), ("[a-c]", "d"), ("[^a-c]", "b"), (r"\*", "a")] {
            assert!(!fit(pattern, name), "{pattern} {name}");
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yml", "c.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |pattern: &str| {
            let found = matching(folder.path(), pattern).into_iter();
            found.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(names("*.yml"), ["a.yml", "b.yml"]);
        assert_eq!((names("c.txt"), names("d.txt")), (vec!["c.txt".to_owned()], Vec::new()));
    }
}
