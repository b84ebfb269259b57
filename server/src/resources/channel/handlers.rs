//! HTTP of channels.

use axum::extract::State;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Channel, queries};
use crate::app::App;
use crate::auth::permission::Access;
use crate::error::{ApiError, ApiResult};
use crate::http::{AuthUser, Data, JsonBody, Message, Path, Query, data, emit_id, ok, parse_id};
use crate::resources::experiment::handlers::Rename;
use crate::resources::experiment::{authorize, check_name};
use crate::resources::layer::handlers::ChannelLayerBody;
use crate::resources::layer::{ChannelLayer, LayerFilter, queries as layers};

/// A channel on the wire.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelBody {
    /// Id.
    #[schema(example = "17")]
    id: String,
    /// Name, unique in the experiment.
    #[schema(example = "DAPI")]
    name: String,
    /// Bits per pixel as stored: 8 or 16.
    #[schema(example = 16)]
    bit_depth: i64,
    /// Its layers.
    layers: Vec<ChannelLayerBody>,
}

/// A channel with those of its experiment's layers that belong to it.
fn with_layers(channel: Channel, layers: &[ChannelLayer]) -> ChannelBody {
    let own = layers.iter().filter(|layer| layer.channel_id == channel.id);
    let layers = own.cloned().map(ChannelLayerBody::from).collect();
    ChannelBody { id: emit_id(channel.id), name: channel.name, bit_depth: channel.bit_depth, layers }
}

fn unknown(id: i64) -> ApiError {
    ApiError::not_found(format!("channel {id}"))
}

/// Channels of an experiment, by name.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/channels", tag = "channels",
    params(("experiment_id" = String, Path), ("name" = Option<String>, Query, description = "Only the one with this name")),
    responses((status = 200, body = Data<Vec<ChannelBody>>), (status = 403), (status = 404)))]
pub async fn list_channels(
    State(app): State<App>,
    user: AuthUser,
    Path(experiment): Path<String>,
    query: Query,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let mut tx = app.environment.db.read().await?;
    let filter = LayerFilter { channel_name: query.text("name"), ..LayerFilter::default() };
    let layers = layers::list(&mut tx, experiment, filter).await?;
    let channels = queries::list(&mut tx, experiment, query.text("name")).await?;
    Ok(data(channels.into_iter().map(|channel| with_layers(channel, &layers)).collect::<Vec<_>>()))
}

/// One channel.
#[utoipa::path(get, path = "/api/experiments/{experiment_id}/channels/{channel_id}", tag = "channels",
    params(("experiment_id" = String, Path), ("channel_id" = String, Path)),
    responses((status = 200, body = Data<ChannelBody>), (status = 403), (status = 404)))]
pub async fn get_channel(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, channel)): Path<(String, String)>,
) -> ApiResult<impl IntoResponse> {
    let experiment = authorize(&app, &user, &experiment, Access::Read).await?;
    let id = parse_id("channel", &channel)?;
    let mut tx = app.environment.db.read().await?;
    let channel = queries::find(&mut tx, experiment, id).await?.ok_or_else(|| unknown(id))?;
    let filter = LayerFilter { channel_name: Some(&channel.name), ..LayerFilter::default() };
    let layers = layers::list(&mut tx, experiment, filter).await?;
    Ok(data(with_layers(channel, &layers)))
}

/// Rename a channel.
#[utoipa::path(put, path = "/api/experiments/{experiment_id}/channels/{channel_id}", tag = "channels", request_body = Rename,
    params(("experiment_id" = String, Path), ("channel_id" = String, Path)),
    responses((status = 200, body = Message), (status = 400), (status = 403), (status = 404),
        (status = 409, description = "Name taken")))]
pub async fn rename_channel(
    State(app): State<App>,
    user: AuthUser,
    Path((experiment, channel)): Path<(String, String)>,
    JsonBody(body): JsonBody<Rename>,
) -> ApiResult<impl IntoResponse> {
    let name = check_name("name", &body.name)?;
    let experiment = authorize(&app, &user, &experiment, Access::Write).await?;
    let id = parse_id("channel", &channel)?;
    let mut tx = app.environment.db.write().await?;
    let renamed = queries::rename(&mut tx, experiment, id, name).await.map_err(|error| {
        ApiError::on_conflict(error, format!("the experiment has a channel named \"{name}\" already"))
    })?;
    if !renamed {
        return Err(unknown(id));
    }
    tx.commit().await?;
    Ok(ok())
}
