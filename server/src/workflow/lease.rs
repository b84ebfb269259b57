//! Leases: who may work on a job, and who came too late.
//!
//! A worker claims a job for a while and renews the claim as long as it works. Every claim has a number,
//! the epoch; whatever the worker stores it stores under its epoch, so that one who lost the job (because
//! it hung, or its machine did) changes nothing any more.

use std::time::Duration;

use crate::environment::Environment;
use crate::resources::workflow::queries;
use crate::store::{Result, Tx};

/// How long a claim holds unless it is renewed.
const LEASE: Duration = Duration::from_secs(60);
/// How often it is renewed; several attempts may fail before it is lost.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The claim of one worker on one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Row id of the job.
    pub task: i64,
    /// Which claim of the job it is, counting from 1.
    pub epoch: i64,
}

impl Lease {
    /// Claim a job; `None` when it is over or somebody else has it. With the claim comes the number of workers that
    /// had the job before, one after the other, and gave no account of it: their processes died, or they hung.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn claim(environment: &Environment, task: i64) -> Result<Option<(Self, i64)>> {
        let now = environment.now();
        let mut tx = environment.db.write().await?;
        let claimed = queries::claim_job(&mut tx, task, now, until(now)).await?;
        tx.commit().await?;
        Ok(claimed.map(|(epoch, lost)| (Self { task, epoch }, lost)))
    }

    /// Whether the claim still holds; if so nobody else can take the job before the transaction ends.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn holds(self, tx: &mut Tx, now: i64) -> Result<bool> {
        queries::renew_lease(tx, self, now, until(now)).await
    }

    /// Renew the claim again and again; returns when it is lost.
    pub async fn keep(self, environment: &Environment) {
        let mut expires = until(environment.now());
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            let now = environment.now();
            match self.renew(environment, now).await {
                Ok(true) => expires = until(now),
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(task = self.task, %error, "cannot renew the lease of a job");
                    if now > expires {
                        return;
                    }
                }
            }
        }
    }

    async fn renew(self, environment: &Environment, now: i64) -> Result<bool> {
        let mut tx = environment.db.write().await?;
        let holds = self.holds(&mut tx, now).await?;
        tx.commit().await?;
        Ok(holds)
    }

    /// Give the job back unfinished, for anybody to claim.
    ///
    /// # Errors
    /// When the database fails; the claim then ends by itself.
    pub async fn release(self, environment: &Environment) -> Result<()> {
        let mut tx = environment.db.write().await?;
        queries::release_job(&mut tx, self, environment.now()).await?;
        tx.commit().await
    }
}

fn until(now: i64) -> i64 {
    now.saturating_add(i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX))
}
