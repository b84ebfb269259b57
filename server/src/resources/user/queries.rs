//! SQL of users.

use super::User;
use crate::store::{Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// What a [`User`] is read from.
macro_rules! select_users {
    () => {
        "select id, name, email, password_hash, token_generation
         from users"
    };
}

/// Which generation of a user's tokens counts; `None` when there is no such user.
pub async fn token_generation(tx: &mut Tx, id: i64) -> Result<Option<i64>> {
    let row = fetch_optional!(tx, (i64,), "select token_generation from users where id = $1", id)?;
    Ok(row.map(|(generation,)| generation))
}

/// The user with this login name.
pub async fn find(tx: &mut Tx, name: &str) -> Result<Option<User>> {
    fetch_optional!(tx, User, concat!(select_users!(), " where name = $1"), name)
}

/// The user with this id.
pub async fn find_by_id(tx: &mut Tx, id: i64) -> Result<Option<User>> {
    fetch_optional!(tx, User, concat!(select_users!(), " where id = $1"), id)
}

/// All users by name.
pub async fn list(tx: &mut Tx) -> Result<Vec<User>> {
    let mut users = fetch_all!(tx, User, select_users!())?;
    // Sorted here because PostgreSQL would order text by the rules of its locale.
    users.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(users)
}

/// Add a user; the value is the id.
pub async fn insert(tx: &mut Tx, name: &str, email: &str, password_hash: &str, now: i64) -> Result<i64> {
    let (id,) = fetch_one!(
        tx,
        (i64,),
        "insert into users (name, email, password_hash, created_at, updated_at)
         values ($1, $2, $3, $4, $4)
         returning id",
        name,
        email,
        password_hash,
        now
    )?;
    Ok(id)
}

/// Remove a user; false when there is none of this name.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool> {
    Ok(execute!(tx, "delete from users where name = $1", name)? > 0)
}

/// Give a user another password and revoke the tokens; false when there is none of this name.
pub async fn set_password(tx: &mut Tx, name: &str, password_hash: &str, now: i64) -> Result<bool> {
    let changed = execute!(
        tx,
        "update users
         set password_hash = $1, token_generation = token_generation + 1, updated_at = $2
         where name = $3",
        password_hash,
        now,
        name
    )?;
    Ok(changed > 0)
}

/// Begin the next generation of a user's tokens; false when there is none of this name.
pub async fn revoke_tokens(tx: &mut Tx, name: &str, now: i64) -> Result<bool> {
    let revoked = execute!(
        tx,
        "update users
         set token_generation = token_generation + 1, updated_at = $1
         where name = $2",
        now,
        name
    )?;
    Ok(revoked > 0)
}
