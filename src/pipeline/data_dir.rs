//! The data directory: one process has it, and whatever lies in it must be usable before anything is made.
//!
//! The idea: a start that is refused half-way leaves tables without a log, or a log without tables. So the kinds and
//! permissions of everything are looked at first, all mistakes are told together, and only then is the first file made.
//! What is inside the files is their own readers' affair.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rustix::fs::{Access, Mode};

/// What an SQLite database has beside its file.
const BESIDE: [&str; 3] = ["", "-wal", "-shm"];

/// Hexadecimal digits of a directory's id.
const ID_DIGITS: usize = 8;

/// Whatever this process makes from now on is for its own user alone: databases hold who was told what, the handset's files
/// one-time codes, and a directory that was there before may let others in.
pub fn keep_private() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

/// The one process of a data directory: holds its lock as long as it lives.
#[derive(Debug)]
pub struct DataDir {
    /// The directory.
    pub path: PathBuf,
    /// Tells it from every other directory, for as long as it exists.
    pub id: String,
    _lock: File,
}

impl DataDir {
    /// Makes the directory where it is missing and takes its lock.
    ///
    /// # Errors
    /// It cannot be made or written, or another process has it.
    pub fn take(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => anyhow::bail!(
                "data directory `{shown}`: it is a file\n  help: move it away, or choose a directory with --data-dir"
            ),
            Ok(found) => {
                if let Some(why) = refused(path, &found, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
                    anyhow::bail!("data directory `{shown}`: {why}\n  help: {}", give(path));
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => make(path)?,
            Err(error) => anyhow::bail!("data directory `{shown}`: {error}\n  help: {}", give(path)),
        }
        let name = path.join("lock");
        if let Some(problem) = unusable_file(&name) {
            anyhow::bail!("data directory `{shown}`: {problem}\n  help: {}", give(path));
        }
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&name);
        let lock =
            lock.map_err(|error| anyhow::anyhow!("make `{}`: {error}\n  help: {}", name.display(), give(path)))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), id: directory_id(path)?, _lock: lock }),
            Err(TryLockError::WouldBlock) => anyhow::bail!(
                "data directory `{shown}` is in use by another process\n  \
                 help: stop that one, or choose another directory with --data-dir"
            ),
            Err(TryLockError::Error(error)) => anyhow::bail!(
                "lock data directory `{shown}`: {error}\n  help: put it on a local file system that can lock"
            ),
        }
    }

    /// Looks at databases, other files and folders that the service keeps here, as far as they exist.
    ///
    /// # Errors
    /// Some are of another kind or belong to somebody else; the text names all of them.
    pub fn check(&self, databases: &[&Path], files: &[&Path], folders: &[&Path]) -> anyhow::Result<()> {
        let beside = |file: &&Path| BESIDE.map(|end| PathBuf::from(format!("{}{end}", self.path.join(file).display())));
        let files = databases.iter().flat_map(beside).chain(files.iter().map(|file| self.path.join(file)));
        let mut problems: Vec<String> = files.filter_map(|file| unusable_file(&file)).collect();
        problems.extend(folders.iter().filter_map(|folder| unusable_folder(&self.path.join(folder))));
        if problems.is_empty() {
            return Ok(());
        }
        let shown = self.path.display();
        anyhow::bail!("data directory `{shown}`: {}\n  help: {}", problems.join("; "), give(&self.path))
    }
}

/// The directory's id, drawn by the first process that takes it.
fn directory_id(path: &Path) -> anyhow::Result<String> {
    let file = path.join("id");
    let shown = file.display();
    let text = match std::fs::read_to_string(&file) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| format!("read `{shown}`"))?,
    };
    // A process that died while it wrote left less.
    if text.trim().len() == ID_DIGITS {
        return Ok(text.trim().to_owned());
    }
    let id = format!("{:0ID_DIGITS$x}", fastrand::u32(..));
    std::fs::write(&file, &id).with_context(|| format!("write `{shown}`"))?;
    Ok(id)
}

fn make(path: &Path) -> anyhow::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        let help = "make it for the service's user, or choose another directory with --data-dir";
        anyhow::anyhow!("make data directory `{}`: {error}\n  help: {help}", path.display())
    })
}

/// What is wrong with a file that the service reads and writes; nothing where it is not there yet.
fn unusable_file(path: &Path) -> Option<String> {
    let found = present(path)?;
    match found {
        Ok(found) if !found.is_file() => Some(format!("`{}` is a directory where a file is expected", path.display())),
        Ok(found) => {
            refused(path, &found, Access::READ_OK | Access::WRITE_OK).map(|why| format!("`{}`: {why}", path.display()))
        }
        Err(error) => Some(format!("`{}`: {error}", path.display())),
    }
}

/// The same for a folder.
fn unusable_folder(path: &Path) -> Option<String> {
    let found = present(path)?;
    match found {
        Ok(found) if !found.is_dir() => Some(format!("`{}` is a file where a directory is expected", path.display())),
        Ok(found) => refused(path, &found, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
            .map(|why| format!("`{}`: {why}", path.display())),
        Err(error) => Some(format!("`{}`: {error}", path.display())),
    }
}

fn present(path: &Path) -> Option<io::Result<fs::Metadata>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        found => Some(found),
    }
}

/// Whose it is, where this process may not use it so.
fn refused(path: &Path, found: &fs::Metadata, wanted: Access) -> Option<String> {
    let error = rustix::fs::access(path, wanted).err()?;
    let (owner, mode) = (found.uid(), found.mode() & 0o777);
    let me = rustix::process::geteuid().as_raw();
    Some(format!("this user (uid {me}) may not read and write it: {error} (owner uid {owner}, mode {mode:04o})"))
}

fn give(path: &Path) -> String {
    let me = rustix::process::geteuid().as_raw();
    format!(
        "give it to the service's user (chown -R {me} '{shown}' && chmod -R u+rwX '{shown}'), move away what is of the \
         wrong kind, or choose another directory with --data-dir",
        shown = path.display()
    )
}
