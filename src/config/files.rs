//! Edited files on disk: which ones a path stands for, and their text.
//!
//! The idea: everything that touches the disk is here; from here on files are names and texts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::problem::{Mark, Notes};
use super::tree::{self, Node};

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
}

/// A file that was read and parsed.
#[derive(Debug)]
pub(super) struct Source {
    /// What it is about.
    pub kind: FileKind,
    /// Its name and text.
    pub file: SourceFile,
    /// Its tree; `None` where it is no YAML.
    pub root: Option<Node>,
    /// What is wrong with it.
    pub notes: Notes,
}

impl Source {
    /// Parses `bytes` as the file at `path`; `kind` is found out where it is not given.
    pub(super) fn parse(path: &Path, bytes: &[u8], kind: Option<FileKind>) -> Self {
        let mut notes = Notes::new(&path.display().to_string());
        let text: Arc<str> = tree::decode(bytes, &mut notes).map_or_else(|| Arc::from(""), Arc::from);
        let root = if notes.errors() == 0 { tree::parse(&text, &mut notes) } else { None };
        let kind = kind.unwrap_or_else(|| kind_of(path, root.as_ref()));
        Self { kind, file: SourceFile { path: path.to_owned(), text }, root, notes }
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
                Self { kind, file: SourceFile { path: path.to_owned(), text: Arc::from("") }, root: None, notes }
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
    if has(&["rules", "scenarios", "groups", "spec"]) {
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
    collect(folder, 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() {
            if depth < DEPTH_MAX {
                collect(&path, depth + 1, found)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            found.push(path);
        }
    }
    Ok(())
}
