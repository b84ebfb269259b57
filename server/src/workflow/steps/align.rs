//! align: how far the images of each cycle lie from those of a reference cycle.
//!
//! Run jobs register the images of some sites; the collect job replaces what cannot be trusted by the
//! median of the well, or else of the plate, and makes the set of shifts the current one. Focal planes
//! are projected first, so that a site has one shift in a cycle.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tm_engine::Engine;
use tm_engine::image::{GreyPlane, Plane, Size};
use tm_engine::kernels::alignment::{Clip, Registration, RobustOptions, Shift};
use tm_engine::kernels::illumination::Correction;

use super::{Argument, ArgumentKind, Default, Step, StepError, StepResult, parse_batch, to_batch};
use crate::environment::Environment;
use crate::failpoint;
use crate::resources::alignment::queries::{self, CyclePlane};
use crate::resources::alignment::{Measurement, ShiftSource, SiteShift, replace_rejected, replaced_by_cycle};
use crate::resources::image::queries as images;
use crate::workflow::job::JobContext;

/// Largest shift to trust where none is given: this share of the shorter side of an image.
const MAX_SHIFT_SHARE: f64 = 0.05;

/// The step.
#[derive(Debug)]
pub struct Align;

#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    alignment: i64,
    reference_cycle: i64,
    sites: Vec<i64>,
}

/// How images are registered.
#[derive(Debug, Clone)]
struct Method {
    wavelength: String,
    corrected: bool,
    robust: bool,
    percentile: f64,
    max_shift_px: Option<u32>,
}

/// What registration said, and whether it can be trusted.
#[derive(Debug, Clone, Copy)]
struct Registered {
    found: Registration,
    is_trusted: bool,
}

impl Step for Align {
    fn name(&self) -> &'static str {
        "align"
    }

    fn full_name(&self) -> &'static str {
        "Alignment of images between cycles"
    }

    fn help(&self) -> &'static str {
        "Finds how far the images of each cycle are shifted against those of a reference cycle."
    }

    fn batch_arguments(&self) -> &'static [Argument] {
        const ARGUMENTS: &[Argument] = &[
            Argument::required(
                "ref_cycle",
                ArgumentKind::Integer { min: 0 },
                "index of the cycle that the others are moved onto, from 0",
            ),
            Argument::required(
                "ref_wavelength",
                ArgumentKind::Text { choices: &[] },
                "wavelength whose images are compared; every cycle must have it",
            ),
            Argument::optional(
                "batch_size",
                ArgumentKind::Integer { min: 1 },
                Default::Integer(100),
                "number of sites per job",
            ),
            Argument::optional(
                "illumcorr",
                ArgumentKind::Flag,
                Default::Flag(false),
                "correct uneven illumination first, with the statistics of corilla",
            ),
            Argument::optional(
                "robust_align",
                ArgumentKind::Flag,
                Default::Flag(false),
                "clip bright pixels, whiten and window the images first: for dim or dirty images and large shifts; \
                 without it images are compared as they are, as TissueMAPS did",
            ),
            Argument::optional(
                "rescale_percentile",
                ArgumentKind::Number { min: 0.0, max: 100.0 },
                Default::Number(99.9),
                "percentile of an image's grey values at which bright pixels are clipped; used by robust_align",
            ),
            Argument::optional(
                "max_shift",
                ArgumentKind::Integer { min: 1 },
                Default::Null,
                "largest shift to trust in pixels; 5 % of the shorter side of an image without one",
            ),
        ];
        ARGUMENTS
    }

    fn has_collect(&self) -> bool {
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
    let wavelength = job.arguments.text("ref_wavelength").unwrap_or_default();
    let mut tx = job.write().await?;
    let cycles = queries::wavelengths(&mut tx, experiment).await?;
    if cycles.len() < 2 {
        return Err(StepError::Input(format!(
            "there is nothing to align: the experiment has {} cycle(s) with stored images. Cycles are the acquisitions of \
             experiments with plate_acquisition_mode \"multiplexing\"",
            cycles.len()
        )));
    }
    let wanted = job.arguments.integer("ref_cycle").unwrap_or_default();
    let Some((reference, ..)) = cycles.iter().find(|(_, index, _)| *index == wanted) else {
        let known: Vec<_> = cycles.iter().map(|(_, index, _)| index.to_string()).collect();
        return Err(StepError::Input(format!(
            "`ref_cycle` must be one of {}, got {wanted}",
            known.join(", ")
        )));
    };
    for (_, index, wavelengths) in &cycles {
        if !wavelengths.iter().any(|known| known == wavelength) {
            return Err(StepError::Input(format!(
                "`ref_wavelength`: cycle {index} has no images of \"{wavelength}\"; it has: {}",
                wavelengths.join(", ")
            )));
        }
    }
    let alignment = queries::begin(&mut tx, experiment, *reference, wavelength, environment.now()).await?;
    let sites = queries::sites(&mut tx, experiment).await?;
    tx.commit().await?;
    failpoint::reached("align begun");
    sites
        .chunks(job.arguments.count("batch_size"))
        .map(|sites| to_batch(&Batch { alignment, reference_cycle: *reference, sites: sites.to_vec() }))
        .collect()
}

impl Method {
    fn of(job: &JobContext) -> Self {
        let max_shift = job.arguments.integer("max_shift");
        Self {
            wavelength: job.arguments.text("ref_wavelength").unwrap_or_default().to_owned(),
            corrected: job.arguments.flag("illumcorr"),
            robust: job.arguments.flag("robust_align"),
            percentile: job.arguments.number("rescale_percentile").unwrap_or(99.9),
            max_shift_px: max_shift.map(|pixels| u32::try_from(pixels).unwrap_or(u32::MAX)),
        }
    }

    /// Largest shift to trust between images of this size.
    fn max_shift(&self, size: Size) -> u32 {
        let share = (size.height.min(size.width) as f64 * MAX_SHIFT_SHARE).round();
        self.max_shift_px.unwrap_or(share.clamp(1.0, f64::from(u32::MAX)) as u32)
    }

    /// Registers targets to a reference; those shifts count as found that are not too large.
    fn register(
        &self,
        engine: &Engine,
        reference: &Plane<u16>,
        targets: &[&Plane<u16>],
    ) -> StepResult<Vec<Registered>> {
        let max_shift = self.max_shift(reference.size());
        let options = RobustOptions { max_shift_px: Some(max_shift), ..RobustOptions::default() };
        let found = if self.robust {
            let options = RobustOptions { clip: Clip::Percentile(self.percentile), ..options };
            engine.register_robust(reference, targets, &options)?
        } else {
            let shifts = engine.register_compatible(reference, targets)?;
            engine.judge_shifts(reference, targets, &shifts, &options)?
        };
        let registered = |found: Registration| {
            let is_near = found.shift.y.unsigned_abs().max(found.shift.x.unsigned_abs()) <= max_shift;
            Registered { is_trusted: is_near && found.is_accepted(), found }
        };
        Ok(found.into_iter().map(registered).collect())
    }
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let environment = &job.environment;
    let Batch { alignment, reference_cycle, sites } = parse_batch(batch)?;
    let method = Method::of(job);
    let cycles = queries::wavelengths(&mut environment.db.read().await?, job.experiment.id).await?;
    let mut corrections = HashMap::new();
    let (mut shifts, mut measured) = (Vec::new(), 0);
    for site in &sites {
        job.stop.check()?;
        let planes =
            queries::planes_of_site(&mut environment.db.read().await?, *site, &method.wavelength).await?;
        if method.corrected {
            add_corrections(job, &planes, &mut corrections).await?;
        }
        let (worker, engine_method) = (environment.clone(), method.clone());
        let (experiment, site) = (job.experiment.id, *site);
        let corrections = corrections.clone();
        let registered = environment
            .compute
            .batch(move |engine| -> StepResult<BTreeMap<i64, Registered>> {
                let images = read(&worker, engine, experiment, &planes, &corrections)?;
                register(engine, &engine_method, reference_cycle, &images)
            })
            .await??;
        for (cycle, index, _) in &cycles {
            let shift = site_shift(site, *cycle, *cycle == reference_cycle, registered.get(cycle));
            measured += usize::from(shift.source == ShiftSource::Measured);
            if shift.source == ShiftSource::Rejected {
                let place = queries::place_of_site(&mut environment.db.read().await?, site).await?;
                job.log.warn(format!("{place}, cycle {index}: {}", why_rejected(&shift)));
            }
            shifts.push(shift);
        }
    }
    let mut tx = job.write().await?;
    for shift in &shifts {
        queries::put_shift(&mut tx, alignment, shift).await?;
    }
    tx.commit().await?;
    failpoint::reached("align shifts stored");
    job.log.info(format!("{} sites, {measured} shifts measured", sites.len()));
    Ok(())
}

/// The corrections of the channels of these planes, each looked up once.
async fn add_corrections(
    job: &JobContext,
    planes: &[CyclePlane],
    corrections: &mut HashMap<i64, Arc<Correction>>,
) -> StepResult<()> {
    let environment = &job.environment;
    for channel in planes.iter().map(|plane| plane.channel) {
        if corrections.contains_key(&channel) {
            continue;
        }
        let current = images::current_statistics(&mut environment.db.read().await?, channel).await?;
        let current = current.ok_or_else(|| {
            StepError::Input(format!(
                "channel {channel} has no illumination statistics, which illumcorr needs: run corilla first"
            ))
        })?;
        let correction = environment.maps.correction(environment, job.experiment.id, &current).await?;
        corrections.insert(channel, correction);
    }
    Ok(())
}

/// The image of each cycle: its focal planes projected, corrected where asked, as 16 bits.
fn read(
    environment: &Environment,
    engine: &Engine,
    experiment: i64,
    planes: &[CyclePlane],
    corrections: &HashMap<i64, Arc<Correction>>,
) -> StepResult<BTreeMap<i64, Plane<u16>>> {
    let mut projected: BTreeMap<i64, (i64, GreyPlane)> = BTreeMap::new();
    for CyclePlane { channel, plane } in planes {
        let path = plane.plate_images(environment, experiment);
        let read = environment.images.get_field(&path, &plane.field)?.read_plane(plane.index)?;
        let Some(pixels) = read else { continue };
        let pixels = match projected.remove(&plane.cycle_id) {
            Some((_, others)) => engine.project_max(&[others, pixels])?,
            None => pixels,
        };
        projected.insert(plane.cycle_id, (*channel, pixels));
    }
    let prepare = |(cycle, (channel, pixels)): (i64, (i64, GreyPlane))| {
        let pixels = match corrections.get(&channel) {
            Some(correction) => engine.correct_grey(&pixels, correction)?,
            None => pixels,
        };
        Ok((cycle, pixels.into_u16()))
    };
    projected.into_iter().map(prepare).collect()
}

/// Registers the images of all cycles but the reference; none where that has no image.
fn register(
    engine: &Engine,
    method: &Method,
    reference_cycle: i64,
    images: &BTreeMap<i64, Plane<u16>>,
) -> StepResult<BTreeMap<i64, Registered>> {
    let Some(reference) = images.get(&reference_cycle) else { return Ok(BTreeMap::new()) };
    let others = || images.iter().filter(|(cycle, _)| **cycle != reference_cycle);
    let targets: Vec<&Plane<u16>> = others().map(|(_, image)| image).collect();
    let registered = method.register(engine, reference, &targets)?;
    Ok(others().map(|(cycle, _)| *cycle).zip(registered).collect())
}

/// What is known of a site's shift in a cycle. Well and plate are filled in by the database.
fn site_shift(site: i64, cycle: i64, is_reference: bool, registered: Option<&Registered>) -> SiteShift {
    let measured = registered.map(|Registered { found, .. }| Measurement {
        y: found.subpixel.y,
        x: found.subpixel.x,
        quality: found.quality,
        threshold: found.threshold,
    });
    let (shift, source) = match registered {
        _ if is_reference => (Shift::default(), ShiftSource::Reference),
        Some(Registered { found, is_trusted: true }) => (found.shift, ShiftSource::Measured),
        _ => (Shift::default(), ShiftSource::Rejected),
    };
    SiteShift { site, well: 0, plate: 0, cycle, shift, source, measured }
}

fn why_rejected(shift: &SiteShift) -> String {
    match shift.measured {
        None => "there are no two images to compare; the median of others is used".to_owned(),
        Some(Measurement { y, x, quality, threshold }) => format!(
            "shift ({y:+.2}, {x:+.2}) has quality {quality:.3}, not above {threshold:.3}, or \
             is too large; the median of others is used"
        ),
    }
}

async fn collect(job: &JobContext) -> StepResult<()> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let mut tx = job.write().await?;
    let shifts = match queries::begun(&mut tx, experiment).await? {
        Some(alignment) => {
            let mut shifts = queries::shifts(&mut tx, alignment).await?;
            replace_rejected(&mut shifts);
            for shift in shifts.iter().filter(|shift| shift.source.is_replacement()) {
                queries::put_shift(&mut tx, alignment, shift).await?;
            }
            queries::complete(&mut tx, experiment, alignment).await?;
            shifts
        }
        // An earlier attempt of this job completed it.
        None => match queries::current(&mut tx, experiment).await? {
            Some(alignment) => queries::shifts(&mut tx, alignment.id).await?,
            None => return Err(StepError::Internal("there is no alignment to complete".to_owned())),
        },
    };
    tx.commit().await?;
    failpoint::reached("align committed");
    environment.maps.forget(experiment).await;
    let cycles = queries::wavelengths(&mut environment.db.read().await?, experiment).await?;
    for (cycle, sites) in replaced_by_cycle(&shifts) {
        let cycle = cycles.iter().find(|(id, ..)| *id == cycle).map_or(cycle, |(_, index, _)| *index);
        job.log.warn(format!("cycle {cycle}: the shifts of {sites} sites were replaced by those of others"));
    }
    let length = |shift: &SiteShift| shift.shift.y.unsigned_abs().max(shift.shift.x.unsigned_abs());
    let largest = shifts.iter().map(length).max().unwrap_or(0);
    job.log.info(format!("{} shifts, the largest {largest} px", shifts.len()));
    Ok(())
}
