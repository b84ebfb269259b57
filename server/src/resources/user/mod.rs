//! People who log in. Added, changed and removed from the command line.

pub mod handlers;
pub mod queries;

use crate::auth::password::{self, TooManyLogins};
use crate::environment::Environment;
use crate::store::StoreError;

/// Fewest characters of a password.
const SHORTEST_PASSWORD: usize = 8;

/// A person who can log in.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct User {
    /// Row id.
    pub id: i64,
    /// Login name, unique.
    pub name: String,
    /// E-mail address, unique.
    pub email: String,
    /// Argon2id hash in PHC format.
    pub password_hash: String,
    /// Which generation of the user's tokens counts; the others are revoked.
    pub token_generation: i64,
}

/// Why a user could not be added or changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Name, address or password do not meet the rules.
    #[error("{0}")]
    Invalid(String),
    /// Name or address are taken.
    #[error("a user with the name \"{name}\" or the address \"{email}\" exists already")]
    Taken {
        /// The wanted name.
        name: String,
        /// The wanted address.
        email: String,
    },
    /// There is no user of this name.
    #[error("there is no user \"{0}\"")]
    Unknown(String),
    /// The user still owns experiments.
    #[error("user \"{0}\" owns experiments; delete them first")]
    OwnsExperiments(String),
    /// Who wanted another password did not know the present one.
    #[error("`old_password` is not the password of user \"{0}\"")]
    WrongPassword(String),
    /// Too many passwords are being worked on.
    #[error(transparent)]
    Busy(#[from] TooManyLogins),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Add a user.
///
/// # Errors
/// [`UserError`] says what was wanted.
pub async fn add(
    environment: &Environment,
    name: &str,
    email: &str,
    password: &str,
) -> Result<i64, UserError> {
    if name.is_empty() || name.len() > 100 || name.chars().any(char::is_control) || name.trim() != name {
        let message = "a user name has 1 to 100 printable characters, and no space at its ends";
        return Err(UserError::Invalid(message.to_owned()));
    }
    if !email.contains('@') {
        return Err(UserError::Invalid(format!("\"{email}\" is not an e-mail address")));
    }
    let hash = checked_hash(password).await?;
    let mut tx = environment.db.write().await?;
    let id =
        queries::insert(&mut tx, name, email, &hash, environment.now()).await.map_err(
            |error| match error {
                StoreError::Conflict(_) => {
                    UserError::Taken { name: name.to_owned(), email: email.to_owned() }
                }
                other => UserError::Store(other),
            },
        )?;
    tx.commit().await?;
    Ok(id)
}

/// Give a user another password, which revokes all tokens.
///
/// # Errors
/// [`UserError`] says what was wanted.
pub async fn set_password(environment: &Environment, name: &str, password: &str) -> Result<(), UserError> {
    let hash = checked_hash(password).await?;
    let mut tx = environment.db.write().await?;
    if !queries::set_password(&mut tx, name, &hash, environment.now()).await? {
        return Err(UserError::Unknown(name.to_owned()));
    }
    tx.commit().await?;
    environment.permissions.forget();
    Ok(())
}

/// Give a user who knows the present password another one, which revokes all tokens; the value is the user since.
///
/// # Errors
/// [`UserError::Invalid`] before the present password is looked at, then [`UserError::WrongPassword`].
pub async fn change_password(
    environment: &Environment,
    name: &str,
    old: String,
    new: &str,
) -> Result<User, UserError> {
    check_length(new).map_err(|error| UserError::Invalid(format!("`new_password` is too short: {error}")))?;
    let unknown = || UserError::Unknown(name.to_owned());
    let user = queries::find(&mut environment.db.read().await?, name).await?.ok_or_else(unknown)?;
    if !password::matches(old, user.password_hash).await? {
        return Err(UserError::WrongPassword(user.name));
    }
    set_password(environment, name, new).await?;
    queries::find(&mut environment.db.read().await?, name).await?.ok_or_else(unknown)
}

/// Let none of the tokens count that a user was given so far. Another process may take up to five seconds
/// to notice.
///
/// # Errors
/// [`UserError::Unknown`].
pub async fn revoke_tokens(environment: &Environment, name: &str) -> Result<(), UserError> {
    let mut tx = environment.db.write().await?;
    if !queries::revoke_tokens(&mut tx, name, environment.now()).await? {
        return Err(UserError::Unknown(name.to_owned()));
    }
    tx.commit().await?;
    environment.permissions.forget();
    Ok(())
}

/// Remove a user who owns no experiment.
///
/// # Errors
/// [`UserError`] says what stands in the way.
pub async fn remove(environment: &Environment, name: &str) -> Result<(), UserError> {
    let mut tx = environment.db.write().await?;
    let removed = queries::delete(&mut tx, name).await.map_err(|error| match error {
        StoreError::Reference(_) => UserError::OwnsExperiments(name.to_owned()),
        other => other.into(),
    })?;
    if !removed {
        return Err(UserError::Unknown(name.to_owned()));
    }
    tx.commit().await?;
    environment.permissions.forget();
    Ok(())
}

async fn checked_hash(password: &str) -> Result<String, UserError> {
    check_length(password)?;
    password::hashed(password.to_owned()).await?.map_err(UserError::Invalid)
}

fn check_length(password: &str) -> Result<(), UserError> {
    if password.chars().count() < SHORTEST_PASSWORD {
        let message = format!("a password has at least {SHORTEST_PASSWORD} characters");
        return Err(UserError::Invalid(message));
    }
    Ok(())
}
