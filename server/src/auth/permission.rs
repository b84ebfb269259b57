//! Rights on experiments: the owner may do everything, a share reads, a writable share writes too.
//!
//! Decisions are kept for at most five seconds and dropped at once by changes made through this
//! process, so that a screen full of tiles asks the database once.

use std::time::Duration;

use moka::future::Cache;

use crate::resources::experiment::queries as experiments;
use crate::resources::user::queries as users;
use crate::store::{Db, Result};

const KEPT_FOR: Duration = Duration::from_secs(5);
const KEPT_AT_MOST: u64 = 10_000;

/// What a request wants to do with an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Look at it.
    Read,
    /// Change it.
    Write,
}

/// What a user may do with an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// There is no such experiment.
    Unknown,
    /// Nothing.
    None,
    /// Look at it.
    Read,
    /// Look at it and change it.
    Write,
}

impl Right {
    /// Whether it covers `access`.
    pub fn covers(self, access: Access) -> bool {
        match access {
            Access::Read => matches!(self, Self::Read | Self::Write),
            Access::Write => self == Self::Write,
        }
    }
}

/// Rights of users on experiments, remembered for a moment.
#[derive(Debug, Clone)]
pub struct Permissions {
    rights: Cache<(i64, i64), Right>,
    users: Cache<i64, bool>,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            rights: Cache::builder().max_capacity(KEPT_AT_MOST).time_to_live(KEPT_FOR).build(),
            users: Cache::builder().max_capacity(KEPT_AT_MOST).time_to_live(KEPT_FOR).build(),
        }
    }
}

impl Permissions {
    /// What a user may do with an experiment.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn right(&self, db: &Db, user: i64, experiment: i64) -> Result<Right> {
        if let Some(right) = self.rights.get(&(user, experiment)).await {
            return Ok(right);
        }
        let right = experiments::right_of(&mut db.read().await?, user, experiment).await?;
        self.rights.insert((user, experiment), right).await;
        Ok(right)
    }

    /// Whether the user of a token still exists.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_exists(&self, db: &Db, user: i64) -> Result<bool> {
        if let Some(exists) = self.users.get(&user).await {
            return Ok(exists);
        }
        let exists = users::exists(&mut db.read().await?, user).await?;
        self.users.insert(user, exists).await;
        Ok(exists)
    }

    /// Forget everything: users, shares or experiments changed.
    pub fn forget(&self) {
        self.rights.invalidate_all();
        self.users.invalidate_all();
    }
}
