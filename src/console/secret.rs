//! Who may use the console: the token, the one-time sign-in codes and the browser sessions.
//!
//! The idea: one secret on disk (mode 0600), everything else in memory and short-lived. A browser never learns the
//! token from us: it brings a single-use code or the token itself and gets a session cookie.
//! Random bits come from the kernel.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::Secret;
use crate::time::{HOUR, MINUTE, Ms};

/// A sign-in code is good for so long: somebody reads it off a terminal and opens a browser.
const CODE_LIFE: Ms = 15 * MINUTE;
/// A shift and a half: nobody signs in twice on one duty.
const SESSION_LIFE: Ms = 12 * HOUR;
/// Codes and sessions kept at most; beyond it the oldest goes.
const KEPT: usize = 64;
/// Shortest token taken from a file that somebody wrote by hand.
const TOKEN_CHARS_MIN: usize = 32;

/// 256 random bits as hex.
fn random() -> io::Result<Secret> {
    let mut bytes = [0u8; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// Reads the token of `path`, or makes one where the file is missing: for the service.
///
/// # Errors
/// As [`read_token`], or the file cannot be made.
pub fn token_file(path: &Path) -> anyhow::Result<Secret> {
    use anyhow::Context;
    match read_token(path)? {
        Some(token) => Ok(token),
        None => make_token(path).with_context(|| format!("make token file `{}`", path.display())),
    }
}

/// Reads the token of `path`, `None` where the file is missing: for those who talk to a service.
///
/// # Errors
/// The file cannot be read, others than its owner may read it, or it holds no usable token.
pub fn read_token(path: &Path) -> anyhow::Result<Option<Secret>> {
    use anyhow::{Context, bail};
    let shown = path.display();
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("open token file `{shown}`")),
    };
    let mode = file.metadata().with_context(|| format!("read token file `{shown}`"))?.permissions().mode();
    if mode & 0o077 != 0 {
        bail!("token file `{shown}`: others may read it (mode {:o})\n  help: chmod 600 {shown}", mode & 0o777);
    }
    let mut text = String::new();
    file.read_to_string(&mut text).with_context(|| format!("read token file `{shown}`"))?;
    let token = text.trim();
    if token.len() < TOKEN_CHARS_MIN || !token.bytes().all(|b| b.is_ascii_graphic()) {
        bail!(
            "token file `{shown}`: holds no token of at least {TOKEN_CHARS_MIN} printable characters\n  \
             help: remove it, a new one is made at the next start"
        );
    }
    Ok(Some(Secret::new(token)))
}

/// The file appears whole or not at all: a process that dies here leaves nothing that the next one refuses.
fn make_token(path: &Path) -> io::Result<Secret> {
    let token = random()?;
    let part = path.with_extension("part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(format!("{}\n", token.reveal()).as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    Ok(token)
}

/// Codes and sessions, in memory: a restart signs everybody out.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    inner: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    codes: VecDeque<(Secret, Ms)>,
    sessions: VecDeque<(Secret, Ms)>,
}

impl Sessions {
    /// A new sign-in code, good once and until 15 minutes after `now`.
    pub(super) fn new_code(&self, now: Ms) -> io::Result<Secret> {
        let code = random()?;
        keep(&mut self.lists().codes, &code, now, CODE_LIFE);
        Ok(code)
    }

    /// Uses up `code`; `false` where it is unknown, used or too old.
    pub(super) fn use_code(&self, code: &str, now: Ms) -> bool {
        let codes = &mut self.lists().codes;
        codes.retain(|(_, until)| now < *until);
        let found = codes.iter().position(|(known, _)| known.is(code));
        found.and_then(|at| codes.remove(at)).is_some()
    }

    /// A new session and how long it lasts, in ms.
    pub(super) fn start(&self, now: Ms) -> io::Result<(Secret, Ms)> {
        let session = random()?;
        keep(&mut self.lists().sessions, &session, now, SESSION_LIFE);
        Ok((session, SESSION_LIFE))
    }

    /// Whether `session` is signed in.
    pub(super) fn knows(&self, session: &str, now: Ms) -> bool {
        self.lists().sessions.iter().any(|(known, until)| known.is(session) && now < *until)
    }

    /// Signs `session` out.
    pub(super) fn end(&self, session: &str) {
        self.lists().sessions.retain(|(known, _)| !known.is(session));
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        // Nothing in here panics half-way through a change, so a poisoned list is a whole one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep(list: &mut VecDeque<(Secret, Ms)>, secret: &Secret, now: Ms, life: Ms) {
    list.retain(|(_, until)| now < *until);
    while list.len() >= KEPT {
        list.pop_front();
    }
    list.push_back((secret.clone(), now + life));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_is_made_once_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(read_token(&path).unwrap().is_none());
        let made = token_file(&path).unwrap();
        assert_eq!(made.reveal().len(), 64);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(token_file(&path).unwrap().is(made.reveal()));
        assert!(!made.is("") && !made.is(&made.reveal()[1..]));
        assert_eq!(format!("{made:?}"), "Secret(…)");
    }

    #[test]
    fn token_file_that_others_read_or_that_is_empty_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        token_file(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(token_file(&path).unwrap_err().to_string().contains("help: chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short\n").unwrap();
        assert!(token_file(&path).unwrap_err().to_string().contains("help: remove it"));
    }

    #[test]
    fn a_code_is_good_once_and_not_for_long() {
        let sessions = Sessions::default();
        let code = sessions.new_code(0).unwrap();
        assert!(!sessions.use_code("", 1));
        assert!(sessions.use_code(code.reveal(), 1));
        assert!(!sessions.use_code(code.reveal(), 2), "used");
        let code = sessions.new_code(0).unwrap();
        assert!(!sessions.use_code(code.reveal(), CODE_LIFE), "too old");
    }

    #[test]
    fn sessions_end_and_are_bounded() {
        let sessions = Sessions::default();
        let (first, life) = sessions.start(0).unwrap();
        assert!(sessions.knows(first.reveal(), life - 1) && !sessions.knows(first.reveal(), life));
        for _ in 0..KEPT {
            sessions.start(1).unwrap();
        }
        assert!(!sessions.knows(first.reveal(), 2), "the oldest went");
        let (last, _) = sessions.start(2).unwrap();
        sessions.end(last.reveal());
        assert!(!sessions.knows(last.reveal(), 3));
    }
}
