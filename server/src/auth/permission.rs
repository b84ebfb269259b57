//! Rights on experiments: the owner may do everything, a share reads, a writable share writes too. And which
//! tokens of a user still count.
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
    /// Dispose of it: the owner's alone.
    Own,
}

/// What a user may do with an experiment, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// There is no such experiment.
    Unknown,
    /// Nothing.
    None,
    /// Look at it.
    Read,
    /// Look at it and change it.
    Write,
    /// All that, and delete it.
    Owner,
}

impl Right {
    /// Whether it covers `access`.
    pub fn covers(self, access: Access) -> bool {
        match access {
            Access::Read => self >= Self::Read,
            Access::Write => self >= Self::Write,
            Access::Own => self >= Self::Owner,
        }
    }
}

/// Rights of users on experiments and generations of their tokens, remembered for a moment.
#[derive(Debug, Clone)]
pub struct Permissions {
    rights: Cache<(i64, i64), Right>,
    generations: Cache<i64, Option<i64>>,
}

impl Default for Permissions {
    fn default() -> Self {
        Self {
            rights: Cache::builder().max_capacity(KEPT_AT_MOST).time_to_live(KEPT_FOR).build(),
            generations: Cache::builder().max_capacity(KEPT_AT_MOST).time_to_live(KEPT_FOR).build(),
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

    /// Which generation of a user's tokens counts; `None` when the user does not exist (any more).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token_generation(&self, db: &Db, user: i64) -> Result<Option<i64>> {
        if let Some(generation) = self.generations.get(&user).await {
            return Ok(generation);
        }
        let generation = users::token_generation(&mut db.read().await?, user).await?;
        self.generations.insert(user, generation).await;
        Ok(generation)
    }

    /// Forget everything: users, shares or experiments changed.
    pub fn forget(&self) {
        self.rights.invalidate_all();
        self.generations.invalidate_all();
    }
}
