//! One upload: a file is claimed, received, and stored whole or not at all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncRead;

use super::queries::{self, Claimed};
use super::{FileError, UploadOutcome, UploadStatus, stored_name};
use crate::environment::Environment;
use crate::failpoint;
use crate::resources::acquisition::queries as acquisitions;
use crate::storage::uploads::{self, Received};
use crate::store::{Result as StoreResult, StoreError};

/// How often an upload gives a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// An upload that gave no sign for this long does not have its file any more. A sender may be silent for two
/// minutes before it is given up.
pub const STALE_AFTER: Duration = Duration::from_secs(180);
/// How often it is tried to give back the file of an upload that failed together with the database.
const RELEASE_EVERY: Duration = Duration::from_secs(5);

/// Store an uploaded file of at most `limit` bytes, if it is registered and nobody else stored it or is
/// about to.
///
/// May be dropped at any time: unless all of it had arrived, the file is then gone and its row is `FAILED`, ready
/// for another try.
///
/// # Errors
/// [`FileError`]; the row is `FAILED` then.
pub async fn import(
    environment: &Environment,
    experiment: i64,
    acquisition: i64,
    raw_name: &str,
    source: impl AsyncRead + Unpin,
    limit: u64,
) -> Result<UploadOutcome, FileError> {
    let name = stored_name(raw_name)?;
    if let Some(outcome) = settled(environment, experiment, acquisition, &name).await? {
        return Ok(outcome);
    }
    environment.space.check()?;
    let Some(claim) = Claim::take(environment, acquisition, &name).await? else {
        // Somebody was faster, and may be through by now.
        let outcome = settled(environment, experiment, acquisition, &name).await?;
        return Ok(outcome.unwrap_or(UploadOutcome::InProgress));
    };
    failpoint::reached("upload claimed");
    let target = environment.data.uploads(experiment, acquisition).join(&name);
    let received = tokio::select! {
        biased;
        received = uploads::receive(&target, environment.space.watch(source), limit) => received,
        () = claim.keep() => return claim.lost(experiment).await,
    };
    match received {
        // In a task of its own: what is received whole is stored, whether or not the client waits for it.
        Ok(received) => tokio::spawn(claim.finish(received, experiment)).await.unwrap_or_else(|panic| {
            Err(StoreError::Corrupt(format!("storing an upload failed: {panic}")).into())
        }),
        Err(error) => {
            claim.fail().await;
            Err(error.into())
        }
    }
}

/// The outcome of an upload that has nothing to store.
async fn settled(
    environment: &Environment,
    experiment: i64,
    acquisition: i64,
    name: &str,
) -> Result<Option<UploadOutcome>, FileError> {
    let mut tx = environment.db.read().await?;
    if !acquisitions::exists(&mut tx, experiment, acquisition).await? {
        return Err(FileError::UnknownAcquisition(acquisition));
    }
    let statuses = queries::statuses(&mut tx, acquisition, name).await?;
    let all_complete = statuses.iter().all(|status| status == UploadStatus::Complete.name());
    if all_complete && queries::all_complete(&mut tx, acquisition).await? {
        return Ok(Some(UploadOutcome::AcquisitionComplete));
    }
    if statuses.is_empty() {
        return Ok(Some(UploadOutcome::NotRegistered));
    }
    Ok(all_complete.then_some(UploadOutcome::AlreadyUploaded))
}

/// The right to upload one file. Dropped before it is settled, the file is `FAILED`.
#[derive(Debug)]
struct Claim {
    environment: Environment,
    acquisition: i64,
    name: String,
    epoch: i64,
    settled: AtomicBool,
}

impl Claim {
    /// Take the file, committed; `None` when somebody else has it or it is stored.
    async fn take(environment: &Environment, acquisition: i64, name: &str) -> StoreResult<Option<Self>> {
        let now = environment.now();
        let mut tx = environment.db.write().await?;
        let stale_since = now.saturating_sub(micros(STALE_AFTER));
        let Some(epoch) = queries::claim(&mut tx, acquisition, name, stale_since, now).await? else {
            return Ok(None);
        };
        // Before the commit, so that the file is given back if this future is dropped meanwhile.
        let claim = Self {
            environment: environment.clone(),
            acquisition,
            name: name.to_owned(),
            epoch,
            settled: AtomicBool::new(false),
        };
        tx.commit().await?;
        Ok(Some(claim))
    }

    fn claimed(&self) -> Claimed<'_> {
        Claimed { acquisition: self.acquisition, name: &self.name, epoch: self.epoch }
    }

    fn settle(&self) {
        self.settled.store(true, Ordering::Relaxed);
    }

    /// Give signs of life again and again; returns when somebody else has the file.
    async fn keep(&self) {
        loop {
            tokio::time::sleep(HEARTBEAT).await;
            match self.touch().await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(%error, name = self.name, "cannot renew the claim on an upload"),
            }
        }
    }

    async fn touch(&self) -> StoreResult<bool> {
        let mut tx = self.environment.db.write().await?;
        let ours = queries::touch(&mut tx, self.claimed(), self.environment.now()).await?;
        tx.commit().await?;
        Ok(ours)
    }

    async fn finish(self, received: Received, experiment: i64) -> Result<UploadOutcome, FileError> {
        match self.complete(received).await {
            Ok(true) => Ok(UploadOutcome::Stored),
            Ok(false) => self.lost(experiment).await,
            Err(error) => {
                self.fail().await;
                Err(error)
            }
        }
    }

    /// Give the file its name and commit that it is stored; false when it was taken over or its rows are gone.
    ///
    /// The name is given within the transaction, which locks the rows: nobody else can store the file
    /// meanwhile, and a file that is stored is never replaced.
    async fn complete(&self, received: Received) -> Result<bool, FileError> {
        let size = i64::try_from(received.size).unwrap_or(i64::MAX);
        let mut tx = self.environment.db.write().await?;
        if !queries::complete(&mut tx, self.claimed(), size, self.environment.now()).await? {
            return Ok(false);
        }
        received.keep().await?;
        tx.commit().await?;
        self.settle();
        failpoint::reached("upload committed");
        Ok(true)
    }

    /// The file could not be stored.
    async fn fail(self) {
        if release(&self.environment, self.claimed()).await.is_ok() {
            self.settle();
        }
        // Otherwise dropping it tries again.
    }

    /// Somebody else has the file, or the acquisition was deleted and its directory made anew for this file.
    async fn lost(self, experiment: i64) -> Result<UploadOutcome, FileError> {
        self.settle();
        let environment = &self.environment;
        match settled(environment, experiment, self.acquisition, &self.name).await {
            Err(FileError::UnknownAcquisition(id)) => {
                environment.remove_files(environment.data.uploads(experiment, id)).await;
                Err(FileError::UnknownAcquisition(id))
            }
            outcome => Ok(outcome?.unwrap_or(UploadOutcome::InProgress)),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.settled.load(Ordering::Relaxed) {
            return;
        }
        // Without a runtime the program is ending; the next start resets the row.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (environment, acquisition, epoch) = (self.environment.clone(), self.acquisition, self.epoch);
        let name = std::mem::take(&mut self.name);
        runtime.spawn(async move {
            let claimed = Claimed { acquisition, name: &name, epoch };
            // The database may fail for the same reason as the upload: a full disk. Once this is given up
            // the claim is stale anyway.
            for _ in 0..STALE_AFTER.as_secs() / RELEASE_EVERY.as_secs() {
                match release(&environment, claimed).await {
                    Ok(()) => return,
                    Err(error) => tracing::warn!(%error, acquisition, name, "cannot give back an upload yet"),
                }
                tokio::time::sleep(RELEASE_EVERY).await;
            }
        });
    }
}

async fn release(environment: &Environment, claimed: Claimed<'_>) -> StoreResult<()> {
    let mut tx = environment.db.write().await?;
    queries::fail(&mut tx, claimed, environment.now()).await?;
    tx.commit().await
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
