//! SQL of channels.

use super::Channel;
use crate::store::{Result, Tx, execute, fetch_all, fetch_optional};

/// The channels of an experiment by name, only the one with this name if given.
pub async fn list(tx: &mut Tx, experiment: i64, name: Option<&str>) -> Result<Vec<Channel>> {
    let mut channels = fetch_all!(
        tx,
        Channel,
        "select id, name, bit_depth
         from channels
         where experiment_id = $1
             and (cast($2 as text) is null or name = $2)",
        experiment,
        name
    )?;
    // Sorted here because PostgreSQL would order text by the rules of its locale.
    channels.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(channels)
}

/// One channel of an experiment.
pub async fn find(tx: &mut Tx, experiment: i64, id: i64) -> Result<Option<Channel>> {
    fetch_optional!(
        tx,
        Channel,
        "select id, name, bit_depth
         from channels
         where experiment_id = $1 and id = $2",
        experiment,
        id
    )
}

/// Give a channel another name; false when the experiment has none of this id.
pub async fn rename(tx: &mut Tx, experiment: i64, id: i64, name: &str) -> Result<bool> {
    let renamed = execute!(
        tx,
        "update channels
         set name = $1
         where experiment_id = $2 and id = $3",
        name,
        experiment,
        id
    )?;
    Ok(renamed > 0)
}
