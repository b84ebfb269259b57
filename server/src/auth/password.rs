//! Password hashing with argon2id. Slow on purpose: not for async threads.

use std::sync::LazyLock;
use std::sync::mpsc::{self, SyncSender};
use std::thread;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::oneshot;

/// Passwords that wait to be checked at the same time; a check takes some hundredths of a second.
const WAITING: usize = 256;

/// More people log in at once than can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins at once; try again in a moment")]
pub struct TooManyLogins;

/// What to do with a password, and where to say what came of it.
enum Work {
    Check { password: String, stored: String, answer: oneshot::Sender<bool> },
    Hash { password: String, answer: oneshot::Sender<Result<String, String>> },
}

/// One thread works on all passwords, one after the other: each takes 19 MB, which the allocator keeps for
/// every thread that ever did one, and logins must not take the cores from everything else.
static WORKER: LazyLock<SyncSender<Work>> = LazyLock::new(|| {
    let (sender, work) = mpsc::sync_channel::<Work>(WAITING);
    thread::spawn(move || {
        for work in work {
            // Whoever asked may have gone away.
            match work {
                Work::Check { password, stored, answer } => drop(answer.send(verify(&password, &stored))),
                Work::Hash { password, answer } => drop(answer.send(hash(&password))),
            }
        }
    });
    sender
});

/// A hash to store, in PHC format, with a fresh salt. For async threads there is [`hashed`].
///
/// # Errors
/// The reason, when the password cannot be hashed (it is too long).
pub fn hash(password: &str) -> Result<String, String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}

/// A hash to store, made beside the async threads.
///
/// # Errors
/// [`TooManyLogins`] when too many wait already, and the reason when the password cannot be hashed.
pub async fn hashed(password: String) -> Result<Result<String, String>, TooManyLogins> {
    let (answer, answered) = oneshot::channel();
    WORKER.try_send(Work::Hash { password, answer }).map_err(|_| TooManyLogins)?;
    Ok(answered.await.unwrap_or_else(|_| Err("the password could not be hashed".to_owned())))
}

/// Whether the password belongs to a stored hash. A hash that cannot be read matches nothing.
///
/// # Errors
/// [`TooManyLogins`] when too many wait already.
pub async fn matches(password: String, stored: String) -> Result<bool, TooManyLogins> {
    let (answer, answered) = oneshot::channel();
    WORKER.try_send(Work::Check { password, stored, answer }).map_err(|_| TooManyLogins)?;
    // Without an answer nobody gets in.
    Ok(answered.await.unwrap_or(false))
}

fn verify(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}
