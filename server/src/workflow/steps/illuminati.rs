//! illuminati: builds the zoomable map of every channel, time point and focal plane.
//!
//! The init job decides what is shown (corrected or not, between which grey values) and replaces the
//! experiment's layers in one transaction. Run jobs build blocks of the map, each its own share of the
//! levels; the collect job puts the most zoomed-out levels on top. Full resolution is rendered from the
//! channel images when asked for, so layers can be browsed as soon as the init job has ended.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tm_engine::image::BitDepth;
use tm_engine::kernels::illumination::Percentiles;
use tm_engine::kernels::rescale::{Limits, clip_limits};

use super::{Argument, ArgumentKind, Default, Step, StepError, StepResult, parse_batch, to_batch};
use crate::failpoint;
use crate::resources::alignment::queries as alignments;
use crate::resources::experiment::queries as experiments;
use crate::resources::image::{MissingImage, queries as images};
use crate::resources::layer::MapLayout;
use crate::resources::layer::pyramid::{self, Block};
use crate::resources::mapobject as mapobjects;
use crate::resources::workflow::queries::{self, ChannelPlanes};
use crate::storage::statistics;
use crate::workflow::job::JobContext;

/// How many sites without pixels a log names.
const NAMED_SITES: usize = 20;
/// The percentile that becomes black when intensities are clipped.
const LOWER_PERCENTILE: f64 = 0.001;

/// The step.
#[derive(Debug)]
pub struct Illuminati;

#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    layer: i64,
    blocks: Vec<Block>,
}

/// How the planes of one channel are shown.
struct ChannelDisplay {
    statistics: Option<i64>,
    limits: Limits,
}

impl Step for Illuminati {
    fn name(&self) -> &'static str {
        "illuminati"
    }

    fn full_name(&self) -> &'static str {
        "Creation of image pyramids"
    }

    fn help(&self) -> &'static str {
        "Builds the zoomable map of every channel, time point and focal plane."
    }

    fn batch_arguments(&self) -> &'static [Argument] {
        const ARGUMENTS: &[Argument] = &[
            Argument::optional(
                "batch_size",
                ArgumentKind::Integer { min: 1 },
                Default::Integer(100),
                "number of channel images per job, about",
            ),
            Argument::optional(
                "align",
                ArgumentKind::Flag,
                Default::Flag(false),
                "move images by the shifts between cycles that the align step found",
            ),
            Argument::optional(
                "illumcorr",
                ArgumentKind::Flag,
                Default::Flag(false),
                "correct uneven illumination with the channel's statistics",
            ),
            Argument::optional(
                "illumcorr_exceptions",
                ArgumentKind::Text { choices: &[] },
                Default::Null,
                "names of channels not to correct, separated by commas",
            ),
            Argument::optional(
                "clip",
                ArgumentKind::Flag,
                Default::Flag(false),
                "show the grey values between two percentiles instead of the full range",
            ),
            Argument::optional(
                "clip_value",
                ArgumentKind::Integer { min: 1 },
                Default::Null,
                "grey value to show as white, instead of a percentile",
            ),
            Argument::optional(
                "clip_percent",
                ArgumentKind::Number { min: 0.0, max: 100.0 },
                Default::Number(99.9),
                "percentile of the grey values to show as white",
            ),
        ];
        ARGUMENTS
    }

    fn has_collect(&self) -> bool {
        true
    }

    fn runs_in_rounds(&self) -> bool {
        true
    }

    fn init<'a>(&'a self, job: &'a JobContext) -> BoxFuture<'a, StepResult<Vec<Value>>> {
        init(job).boxed()
    }

    fn run<'a>(&'a self, job: &'a JobContext, batch: &'a Value) -> BoxFuture<'a, StepResult<()>> {
        run(job, batch).boxed()
    }

    fn collect<'a>(&'a self, job: &'a JobContext) -> BoxFuture<'a, StepResult<()>> {
        collect(job).boxed()
    }
}

async fn init(job: &JobContext) -> StepResult<Vec<Value>> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let displays = displays(job).await?;
    let alignment = alignment_to_apply(job).await?;
    let keys = queries::layer_keys(&mut environment.db.read().await?, experiment).await?;
    environment.maps.forget(experiment).await;
    let layout = environment.maps.layout(environment, experiment).await?;
    let size = layout.size();

    let mut tx = job.write().await?;
    let old = queries::delete_layers(&mut tx, experiment).await?;
    let mut new = Vec::new();
    for key in keys {
        let display = displays
            .get(&key.channel_id)
            .ok_or_else(|| StepError::Internal(format!("channel {} has no display", key.channel_id)))?;
        let (lower, upper) = (display.limits.lower.into(), display.limits.upper.into());
        let statistics = display.statistics;
        new.push(queries::insert_layer(&mut tx, &key, lower, upper, statistics, alignment).await?);
    }
    let to_i64 = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    let (height, width, depth) = (to_i64(size.height), to_i64(size.width), to_i64(layout.depth()));
    experiments::set_pyramid(&mut tx, experiment, height, width, depth, environment.now()).await?;
    let unused = queries::delete_unused_statistics(&mut tx, experiment).await?;
    tx.commit().await?;

    failpoint::reached("illuminati committed");
    environment.maps.forget(experiment).await;
    for layer in old {
        environment.remove_files(environment.data.layer(experiment, layer)).await;
    }
    for file in unused {
        environment.remove_files(environment.data.statistics(experiment, &file)).await;
    }
    for layer in &new {
        pyramid::create_files(environment, experiment, *layer).await?;
    }
    job.log.info(format!("{} layers of {size} pixels in {} zoom levels", new.len(), layout.depth()));
    batches(job, &layout, &new)
}

/// Row id of the alignment to move images by, if that is asked for.
async fn alignment_to_apply(job: &JobContext) -> StepResult<Option<i64>> {
    if !job.arguments.flag("align") {
        return Ok(None);
    }
    let mut tx = job.environment.db.read().await?;
    if let Some(current) = alignments::current(&mut tx, job.experiment.id).await? {
        return Ok(Some(current.id));
    }
    Err(StepError::Input("`align` needs the shifts between cycles: run the align step first".to_owned()))
}

/// How every channel is shown.
async fn displays(job: &JobContext) -> StepResult<HashMap<i64, ChannelDisplay>> {
    let environment = &job.environment;
    let channels = queries::channels_of(&mut environment.db.read().await?, job.experiment.id).await?;
    let exceptions: HashSet<&str> = job
        .arguments
        .text("illumcorr_exceptions")
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .collect();
    if let Some(unknown) =
        exceptions.iter().find(|name| channels.iter().all(|channel| channel.name != **name))
    {
        let known: Vec<_> = channels.iter().map(|channel| channel.name.as_str()).collect();
        return Err(StepError::Input(format!(
            "`illumcorr_exceptions` names a channel \"{unknown}\" that does not exist; there are: {}",
            known.join(", ")
        )));
    }
    let mut displays = HashMap::new();
    for channel in channels.iter().filter(|channel| channel.planes > 0) {
        let corrected = job.arguments.flag("illumcorr") && !exceptions.contains(channel.name.as_str());
        displays.insert(channel.id, display(job, channel, corrected).await?);
    }
    if displays.is_empty() {
        return Err(StepError::Input("no channel images are stored: run imextract first".to_owned()));
    }
    Ok(displays)
}

async fn display(job: &JobContext, channel: &ChannelPlanes, corrected: bool) -> StepResult<ChannelDisplay> {
    let environment = &job.environment;
    let depth = u32::try_from(channel.bit_depth)
        .ok()
        .and_then(BitDepth::from_bits)
        .ok_or_else(|| StepError::Internal(format!("bit depth {}", channel.bit_depth)))?;
    let current = images::current_statistics(&mut environment.db.read().await?, channel.id).await?;
    // 8-bit images are shown as they are.
    let clipped = job.arguments.flag("clip") && depth == BitDepth::Sixteen;
    let clip_value = job.arguments.integer("clip_value");
    let needs_percentiles = clipped && clip_value.is_none();
    if current.is_none() && (corrected || needs_percentiles) {
        return Err(StepError::Input(format!(
            "channel \"{}\" has no illumination statistics, which {} needs: run corilla first",
            channel.name,
            if corrected { "illumcorr" } else { "clip" }
        )));
    }
    let percentiles = match &current {
        Some(current) if clipped => {
            let path = environment.data.statistics(job.experiment.id, &current.file);
            Some(environment.compute.batch(move |_| statistics::read(&path)).await??.percentiles)
        }
        _ => None,
    };
    let limits = if clipped {
        clipped_limits(job, depth, clip_value, percentiles.as_ref())?
    } else {
        Limits::full(depth)
    };
    let statistics = current.map(|current| current.id).filter(|_| corrected);
    Ok(ChannelDisplay { statistics, limits })
}

fn clipped_limits(
    job: &JobContext,
    depth: BitDepth,
    clip_value: Option<i64>,
    percentiles: Option<&Percentiles>,
) -> StepResult<Limits> {
    let at = |percent| percentiles.and_then(|percentiles| percentiles.at(percent)).unwrap_or(0);
    let lower = at(LOWER_PERCENTILE);
    let Some(value) = clip_value else {
        return Ok(clip_limits(depth, lower, at(job.arguments.number("clip_percent").unwrap_or(99.9))));
    };
    u16::try_from(value).ok().and_then(|upper| Limits::new(lower, upper).ok()).ok_or_else(|| {
        StepError::Input(format!(
            "`clip_value` must be more than the {LOWER_PERCENTILE}th percentile, which is {lower}, and at most \
             65535, got {value}"
        ))
    })
}

/// Blocks of every layer, together touching about `batch_size` sites per job.
fn batches(job: &JobContext, layout: &MapLayout, layers: &[i64]) -> StepResult<Vec<Value>> {
    let wanted = job.arguments.count("batch_size");
    let mut groups: Vec<Vec<Block>> = Vec::new();
    let mut images = usize::MAX;
    for block in pyramid::blocks(layout) {
        if images >= wanted {
            groups.push(Vec::new());
            images = 0;
        }
        images += pyramid::sites_of(layout, block);
        if let Some(group) = groups.last_mut() {
            group.push(block);
        }
    }
    let mut batches = Vec::new();
    for layer in layers {
        for blocks in &groups {
            batches.push(to_batch(&Batch { layer: *layer, blocks: blocks.clone() })?);
        }
    }
    Ok(batches)
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let Batch { layer, blocks } = parse_batch(batch)?;
    let mut missing = BTreeSet::new();
    for block in &blocks {
        job.environment.space.check()?;
        job.stop.check()?;
        let report = pyramid::build_block(&job.environment, job.experiment.id, layer, *block).await?;
        failpoint::reached("illuminati block built");
        missing.extend(report.missing);
    }
    if !missing.is_empty() {
        warn_of(job, layer, missing).await?;
    }
    job.log.info(format!("layer {layer}: {} blocks", blocks.len()));
    Ok(())
}

/// Say which sites of a layer stay black, and why.
async fn warn_of(job: &JobContext, layer: i64, missing: BTreeSet<MissingImage>) -> StepResult<()> {
    let environment = &job.environment;
    let source = environment.maps.read_layer(environment, layer).await?.source;
    let mut tx = environment.db.read().await?;
    for MissingImage { site, why } in missing.iter().take(NAMED_SITES) {
        let place = alignments::place_of_site(&mut tx, *site).await?;
        job.log.warn(format!(
            "{place}, channel \"{}\", time point {}, focal plane {}: stays black, {why}",
            source.channel_name, source.tpoint, source.zplane
        ));
    }
    if missing.len() > NAMED_SITES {
        job.log.warn(format!("and {} more sites stay black", missing.len() - NAMED_SITES));
    }
    Ok(())
}

async fn collect(job: &JobContext) -> StepResult<()> {
    let environment = &job.environment;
    let layers = queries::layer_ids(&mut environment.db.read().await?, job.experiment.id).await?;
    for layer in &layers {
        environment.space.check()?;
        job.stop.check()?;
        pyramid::build_top(environment, job.experiment.id, *layer).await?;
        failpoint::reached("illuminati layer complete");
    }
    let mut tx = job.write().await?;
    mapobjects::refresh_static(&mut tx, job.experiment.id).await?;
    tx.commit().await?;
    environment.maps.forget(job.experiment.id).await;
    job.log.info(format!("{} layers are complete", layers.len()));
    Ok(())
}
