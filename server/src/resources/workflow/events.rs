//! The status of a workflow as it changes, for those who would otherwise ask again and again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::queries;
use crate::auth::permission::Access;
use crate::environment::Environment;
use crate::error::{ApiError, ApiResult, ErrorKind};
use crate::workflow::Workflows;
use crate::workflow::task::tree;

/// How often the tasks are looked at, and so the shortest time between two events.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long a client is served before it has to ask, and show its token, again.
const LONGEST: Duration = Duration::from_secs(3600);
/// How many clients are served at the same time.
const MOST_WATCHERS: usize = 64;

/// The places of clients that watch workflows; cheap to clone.
#[derive(Debug, Clone)]
pub struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_WATCHERS)))
    }
}

/// Who watches what.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Row id of the user.
    pub user: i64,
    /// Row id of the experiment.
    pub experiment: i64,
    /// Levels below the workflow that are shown; nothing at all when absent.
    pub depth: Option<usize>,
}

/// A watch under way.
struct Watch {
    environment: Environment,
    workflows: Workflows,
    watched: Watched,
    token_generation: Option<i64>,
    until: Instant,
    /// Submission, number of tasks and time of the last change that were looked at last.
    seen: Option<(i64, i64, Option<i64>)>,
    sent: Option<String>,
    over: bool,
    _place: OwnedSemaphorePermit,
}

/// The status of the latest submission as JSON, now and whenever it has changed. Ends when the workflow is over (or
/// there is none), when the user may no longer read it, when the server stops, or after an hour.
///
/// # Errors
/// 503 when too many clients watch already, or when the database fails.
pub async fn changes(
    environment: Environment,
    workflows: Workflows,
    watchers: &Watchers,
    watched: Watched,
) -> ApiResult<impl Stream<Item = String> + Send + use<>> {
    let place = Arc::clone(&watchers.0).try_acquire_owned().map_err(|_| {
        let message = format!("{MOST_WATCHERS} clients watch workflows already; ask for the status instead");
        ApiError::new(ErrorKind::ServiceUnavailable, message)
    })?;
    let token_generation = environment.permissions.token_generation(&environment.db, watched.user).await?;
    let watch = Watch {
        environment,
        workflows,
        watched,
        token_generation,
        until: Instant::now() + LONGEST,
        seen: None,
        sent: None,
        over: false,
        _place: place,
    };
    Ok(unfold(watch, next))
}

/// The next change.
async fn next(mut watch: Watch) -> Option<(String, Watch)> {
    if watch.over {
        return None;
    }
    loop {
        if watch.sent.is_some() {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = watch.workflows.stopping() => return None,
            }
        }
        if Instant::now() >= watch.until || !watch.may_go_on().await {
            return None;
        }
        match watch.look().await {
            Ok(Some(text)) => {
                watch.sent = Some(text.clone());
                return Some((text, watch));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(error = error.message(), "cannot tell a client how its workflow goes on");
                return None;
            }
        }
    }
}

impl Watch {
    /// Whether the user's token and right to read still count.
    async fn may_go_on(&self) -> bool {
        let Environment { permissions, db, .. } = &self.environment;
        let Watched { user, experiment, .. } = self.watched;
        let generation = permissions.token_generation(db, user).await;
        let right = permissions.right(db, user, experiment).await;
        generation.is_ok_and(|generation| generation == self.token_generation)
            && right.is_ok_and(|right| right.covers(Access::Read))
    }

    /// What is to be sent; `None` when nothing has changed.
    async fn look(&mut self) -> ApiResult<Option<String>> {
        let mut tx = self.environment.db.read().await?;
        let latest = queries::latest_submission(&mut tx, self.watched.experiment).await?;
        let (Some(submission), Some(depth)) = (latest, self.watched.depth) else {
            self.over = true;
            return Ok(Some("null".to_owned()));
        };
        let (count, changed) = queries::last_change(&mut tx, submission).await?;
        let now = Some((submission, count, changed));
        // What changes within the same microsecond is seen with the next change, and the last one is the root's end.
        if self.seen == now && !self.is_fresh(changed) {
            return Ok(None);
        }
        self.seen = now;
        let tree = tree(&queries::tasks_of(&mut tx, submission).await?, depth);
        drop(tx);
        self.over = tree.as_ref().is_none_or(|tree| tree.status.done);
        let text = serde_json::to_string(&tree).map_err(ApiError::internal)?;
        Ok((self.sent.as_ref() != Some(&text)).then_some(text))
    }

    /// Whether a change is so new that another may have the same time.
    fn is_fresh(&self, changed: Option<i64>) -> bool {
        let fresh_us = i64::try_from(2 * LOOK_EVERY.as_micros()).unwrap_or(i64::MAX);
        changed.is_some_and(|changed| self.environment.now().saturating_sub(changed) < fresh_us)
    }
}
