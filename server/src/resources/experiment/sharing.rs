//! Sharing experiments with people who do not own them. Managed from the command line.

use super::{Experiment, queries};
use crate::environment::Environment;
use crate::resources::user::queries as users;
use crate::store::{StoreError, Tx};

/// An experiment that is shared with a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct Share {
    /// The experiment.
    pub experiment_id: i64,
    /// The user.
    pub user_id: i64,
    /// Whether the user may change it, not only look at it.
    pub write_access: bool,
}

/// Why an experiment could not be shared, or not be shared any more.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// No experiment has this id or name.
    #[error("there is no experiment \"{0}\"; `tmserver user list` shows all there are")]
    UnknownExperiment(String),
    /// Several experiments have this name.
    #[error("several experiments are named \"{name}\": {}; say which by its id", listed(.found))]
    Ambiguous {
        /// The name.
        name: String,
        /// The experiments.
        found: Vec<Experiment>,
    },
    /// There is no user of this name.
    #[error("there is no user \"{0}\"")]
    UnknownUser(String),
    /// The user is the owner.
    #[error("user \"{user}\" owns {}, and has every right on it", described(.experiment))]
    Owner {
        /// The user.
        user: String,
        /// The experiment.
        experiment: Box<Experiment>,
    },
    /// There is no such share to end.
    #[error("{} is not shared with user \"{user}\"", described(.experiment))]
    NotShared {
        /// The user.
        user: String,
        /// The experiment.
        experiment: Box<Experiment>,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An experiment in words: `experiment 3 ("screen" of alice)`.
pub fn described(experiment: &Experiment) -> String {
    let Experiment { id, name, user_name, .. } = experiment;
    format!("experiment {id} (\"{name}\" of {user_name})")
}

fn listed(experiments: &[Experiment]) -> String {
    let one = |experiment: &Experiment| format!("{} of {}", experiment.id, experiment.user_name);
    experiments.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Let a user look at an experiment, and change it if `write_access`; what the user might do before is
/// replaced. `experiment` is an id or a name.
///
/// # Errors
/// [`ShareError`] says what stands in the way.
pub async fn share(
    environment: &Environment,
    experiment: &str,
    user: &str,
    write_access: bool,
) -> Result<Experiment, ShareError> {
    let mut tx = environment.db.write().await?;
    let experiment = find(&mut tx, experiment).await?;
    let user_id = user_id(&mut tx, user).await?;
    if experiment.user_id == user_id {
        return Err(ShareError::Owner { user: user.to_owned(), experiment: Box::new(experiment) });
    }
    queries::share(&mut tx, Share { experiment_id: experiment.id, user_id, write_access }).await?;
    tx.commit().await?;
    environment.permissions.forget();
    Ok(experiment)
}

/// Take back what [`share`] gave. `experiment` is an id or a name.
///
/// # Errors
/// [`ShareError`] says what stands in the way.
pub async fn unshare(
    environment: &Environment,
    experiment: &str,
    user: &str,
) -> Result<Experiment, ShareError> {
    let mut tx = environment.db.write().await?;
    let experiment = find(&mut tx, experiment).await?;
    let user_id = user_id(&mut tx, user).await?;
    if !queries::unshare(&mut tx, experiment.id, user_id).await? {
        return Err(ShareError::NotShared { user: user.to_owned(), experiment: Box::new(experiment) });
    }
    tx.commit().await?;
    environment.permissions.forget();
    Ok(experiment)
}

/// The experiment with this id, or else the only one with this name, or the one that `OWNER/NAME` names.
///
/// # Errors
/// [`ShareError::UnknownExperiment`] and [`ShareError::Ambiguous`].
pub async fn find(tx: &mut Tx, text: &str) -> Result<Experiment, ShareError> {
    if let Ok(id) = text.parse()
        && let Some(experiment) = queries::find(tx, id).await?
    {
        return Ok(experiment);
    }
    let mut found = queries::named(tx, text).await?;
    if found.is_empty() && text.contains('/') {
        found = queries::all(tx).await?;
        found.retain(|experiment| format!("{}/{}", experiment.user_name, experiment.name) == text);
    }
    match found.len() {
        0 => Err(ShareError::UnknownExperiment(text.to_owned())),
        1 => Ok(found.remove(0)),
        _ => Err(ShareError::Ambiguous { name: text.to_owned(), found }),
    }
}

async fn user_id(tx: &mut Tx, name: &str) -> Result<i64, ShareError> {
    let user = users::find(tx, name).await?;
    user.map(|user| user.id).ok_or_else(|| ShareError::UnknownUser(name.to_owned()))
}
