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

/// A password to check, and where to say whether it was right.
struct Check {
    password: String,
    stored: String,
    answer: oneshot::Sender<bool>,
}

/// One thread checks all passwords, one after the other: a check takes 19 MB, which the allocator keeps for
/// every thread that ever did one, and logins must not take the cores from everything else.
static CHECKER: LazyLock<SyncSender<Check>> = LazyLock::new(|| {
    let (sender, checks) = mpsc::sync_channel::<Check>(WAITING);
    thread::spawn(move || {
        for Check { password, stored, answer } in checks {
            // Whoever asked may have gone away.
            let _ = answer.send(verify(&password, &stored));
        }
    });
    sender
});

/// A hash to store, in PHC format, with a fresh salt.
///
/// # Errors
/// The reason, when the password cannot be hashed (it is too long).
pub fn hash(password: &str) -> Result<String, String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| error.to_string())
}

/// Whether the password belongs to a stored hash. A hash that cannot be read matches nothing.
///
/// # Errors
/// [`TooManyLogins`] when too many wait already.
pub async fn matches(password: String, stored: String) -> Result<bool, TooManyLogins> {
    let (answer, answered) = oneshot::channel();
    CHECKER.try_send(Check { password, stored, answer }).map_err(|_| TooManyLogins)?;
    // Without an answer nobody gets in.
    Ok(answered.await.unwrap_or(false))
}

fn verify(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}
