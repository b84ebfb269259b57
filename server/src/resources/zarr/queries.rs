//! SQL of what is served as Zarr.

use crate::store::{Result, Tx, fetch_all};

/// A layer, and what people call it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct NamedLayer {
    /// Row id.
    pub id: i64,
    /// Name of its channel.
    pub channel_name: String,
    /// Time point.
    pub tpoint: i64,
    /// Focal plane.
    pub zplane: i64,
}

/// The layers of an experiment by id.
pub async fn layers(tx: &mut Tx, experiment: i64) -> Result<Vec<NamedLayer>> {
    fetch_all!(
        tx,
        NamedLayer,
        "select channel_layers.id, channels.name as channel_name, tpoint, zplane
         from channel_layers
         join channels on channels.id = channel_layers.channel_id
         where channels.experiment_id = $1
         order by channel_layers.id",
        experiment
    )
}
