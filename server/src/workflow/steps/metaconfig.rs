//! metaconfig: works out wells, sites, channels, time points and focal planes from names and metadata.
//!
//! Run jobs check one acquisition each. The collect job puts the acquisitions together: it makes the
//! plates' images at their final shape under a new generation and replaces the experiment's wells,
//! sites, channels and planes in one transaction. Whatever later steps made of the old ones goes with
//! them.

use std::collections::{BTreeMap, HashMap};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tm_engine::image::{BitDepth, Size};

use super::{Argument, ArgumentKind, Default, Step, StepError, StepResult, parse_batch, source, to_batch};
use crate::failpoint;
use crate::microscopes::plan::GridPosition;
use crate::microscopes::{
    AcquisitionPlan, PlanOptions, PlateFormat, StitchLayout, WellName, plan_acquisition,
};
use crate::resources::workflow::queries::{self, AcquisitionOfPlate, NewPlane};
use crate::storage::images::{AcquisitionSpec, ChannelSpec, FieldSpec, PlateSpec, create_plate, field_path};
use crate::store::Tx;
use crate::workflow::job::JobContext;

use super::imextract::Source;

/// The step.
#[derive(Debug)]
pub struct Metaconfig;

#[derive(Debug, Serialize, Deserialize)]
struct Batch {
    acquisition: i64,
}

impl Step for Metaconfig {
    fn name(&self) -> &'static str {
        "metaconfig"
    }

    fn full_name(&self) -> &'static str {
        "Configuration of image metadata"
    }

    fn help(&self) -> &'static str {
        "Works out wells, sites, channels, time points and focal planes from file names and metadata."
    }

    fn batch_arguments(&self) -> &'static [Argument] {
        const ARGUMENTS: &[Argument] = &[
            Argument::optional(
                "regex",
                ArgumentKind::Text { choices: &[] },
                Default::Null,
                "regular expression with named groups w, t, s, z, c to read file names with; \
                 without one the microscope type's own is used",
            ),
            Argument::optional(
                "stitch_layout",
                ArgumentKind::Text {
                    choices: &["horizontal", "zigzag_horizontal", "vertical", "zigzag_vertical"],
                },
                Default::Text("horizontal"),
                "order in which the sites of a well were taken; not used where stage positions are known",
            ),
            Argument::optional(
                "n_vertical",
                ArgumentKind::Integer { min: 1 },
                Default::Null,
                "rows of sites in a well; needed only without stage positions",
            ),
            Argument::optional(
                "n_horizontal",
                ArgumentKind::Integer { min: 1 },
                Default::Null,
                "columns of sites in a well; needed only without stage positions",
            ),
            Argument::optional(
                "mip",
                ArgumentKind::Flag,
                Default::Flag(false),
                "store the maximum intensity projection along z instead of every focal plane",
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
    let mut tx = job.environment.db.read().await?;
    let acquisitions = queries::acquisitions_of(&mut tx, job.experiment.id).await?;
    acquisitions.iter().map(|acquisition| to_batch(&Batch { acquisition: acquisition.id })).collect()
}

async fn run(job: &JobContext, batch: &Value) -> StepResult<()> {
    let Batch { acquisition } = parse_batch(batch)?;
    let acquisitions =
        queries::acquisitions_of(&mut job.environment.db.read().await?, job.experiment.id).await?;
    let acquisition = acquisitions
        .iter()
        .find(|candidate| candidate.id == acquisition)
        .ok_or_else(|| StepError::Input(format!("acquisition {acquisition} was deleted meanwhile")))?;
    let plan = plan_of(job, acquisition).await?;
    for warning in &plan.warnings {
        job.log.warn(warning);
    }
    job.log.info(format!(
        "acquisition \"{}\": {} wells, {} sites, {} channels, {} time points, {} focal planes, \
         {} planes of {}×{} pixels, {} bit; sites placed by {:?}",
        acquisition.name,
        plan.wells.len(),
        plan.wells.iter().map(|well| well.sites.len()).sum::<usize>(),
        plan.channels.len(),
        plan.time_points,
        plan.z_planes,
        plan.planes.len(),
        plan.size.height,
        plan.size.width,
        plan.bit_depth,
        plan.grid,
    ));
    Ok(())
}

/// What an acquisition's files say, by the job's arguments.
async fn plan_of(job: &JobContext, acquisition: &AcquisitionOfPlate) -> StepResult<AcquisitionPlan> {
    let environment = &job.environment;
    let microscope = source::microscope(job)?;
    let files = source::image_files(environment, acquisition.id, &acquisition.name).await?;
    let metadata = source::metadata_files(environment, job.experiment.id, acquisition).await?;
    let options = options(job)?;
    let name = acquisition.name.clone();
    environment
        .compute
        .batch(move |_| {
            let images = files.iter().map(source::with_header).collect::<StepResult<Vec<_>>>()?;
            plan_acquisition(microscope, &images, &metadata, &options)
                .map_err(|error| StepError::Input(format!("acquisition \"{name}\": {error}")))
        })
        .await?
}

fn options(job: &JobContext) -> StepResult<PlanOptions> {
    let format = u32::try_from(job.experiment.plate_format).ok().and_then(PlateFormat::from_wells);
    let format = format.ok_or_else(|| {
        StepError::Internal(format!("unknown plate format {}", job.experiment.plate_format))
    })?;
    let size = |name| job.arguments.integer(name).and_then(|value| usize::try_from(value).ok());
    let layout = job.arguments.text("stitch_layout").unwrap_or("horizontal");
    Ok(PlanOptions {
        regex: job.arguments.text("regex").map(str::to_owned),
        stitch_layout: layout.parse::<StitchLayout>().map_err(StepError::Input)?,
        n_vertical: size("n_vertical"),
        n_horizontal: size("n_horizontal"),
        mip: job.arguments.flag("mip"),
        plate_format: format,
    })
}

async fn collect(job: &JobContext) -> StepResult<()> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let acquisitions = queries::acquisitions_of(&mut environment.db.read().await?, experiment).await?;
    let mut planned = Vec::new();
    for acquisition in acquisitions {
        let plan = plan_of(job, &acquisition).await?;
        planned.push((acquisition, plan));
    }
    let layout = ExperimentLayout::of(planned)?;
    for plate in &layout.plates {
        let spec = plate.spec(&layout);
        let path = environment.data.plate_images(experiment, plate.id, plate.generation);
        // A generation that no row names was left behind by a crash.
        environment.remove_files(path.clone()).await;
        environment.compute.batch(move |_| create_plate(&path, &spec)).await??;
    }
    failpoint::reached("metaconfig plates made");
    let obsolete = replace_rows(job, &layout).await?;
    failpoint::reached("metaconfig committed");
    environment.maps.forget(experiment).await;
    for path in obsolete {
        environment.remove_files(path).await;
    }
    job.log.info(format!("{} plates, {} channels", layout.plates.len(), layout.channels.len()));
    Ok(())
}

/// Replace the experiment's images in one transaction; the value is the files that are obsolete then.
async fn replace_rows(job: &JobContext, layout: &ExperimentLayout) -> StepResult<Vec<std::path::PathBuf>> {
    let environment = &job.environment;
    let experiment = job.experiment.id;
    let data = &environment.data;
    let mut tx = job.write().await?;
    let mut obsolete = Vec::new();
    for layer in queries::layer_ids(&mut tx, experiment).await? {
        obsolete.push(data.layer(experiment, layer));
    }
    for file in queries::statistics_files(&mut tx, experiment).await? {
        obsolete.push(data.statistics(experiment, &file));
    }
    queries::delete_images(&mut tx, experiment).await?;
    let cycle = queries::insert_cycle(&mut tx, experiment, 0).await?;
    let mut channels = HashMap::new();
    for (name, depth) in &layout.channels {
        let id = queries::insert_channel(&mut tx, experiment, name, name, i64::from(*depth)).await?;
        channels.insert(name.as_str(), id);
    }
    for plate in &layout.plates {
        plate.insert(&mut tx, layout, &channels, cycle).await?;
        queries::set_image_generation(&mut tx, plate.id, plate.generation, environment.now()).await?;
        obsolete.push(data.plate_images(experiment, plate.id, plate.generation - 1));
    }
    tx.commit().await?;
    Ok(obsolete)
}

/// All acquisitions of an experiment put together.
struct ExperimentLayout {
    /// Names in natural order, with bits per pixel.
    channels: Vec<(String, u8)>,
    size: Size,
    depth: BitDepth,
    plates: Vec<PlateLayout>,
}

struct PlateLayout {
    id: i64,
    name: String,
    generation: i64,
    /// With the first time point of each.
    acquisitions: Vec<(AcquisitionOfPlate, AcquisitionPlan, usize)>,
    /// For every site, the index of each acquisition's field within the well.
    fields: BTreeMap<WellName, BTreeMap<(usize, i64), usize>>,
    sites: BTreeMap<WellName, Vec<GridPosition>>,
}

impl ExperimentLayout {
    fn of(planned: Vec<(AcquisitionOfPlate, AcquisitionPlan)>) -> StepResult<Self> {
        let (_, first) = planned
            .first()
            .ok_or_else(|| StepError::Input("the experiment has no acquisition".to_owned()))?;
        let (size, bits) = (first.size, first.bit_depth);
        let depth = BitDepth::from_bits(bits.into())
            .ok_or_else(|| StepError::Internal(format!("bit depth {bits}")))?;
        let mut names: Vec<String> = Vec::new();
        for (acquisition, plan) in &planned {
            if plan.size != size || plan.bit_depth != bits {
                return Err(StepError::Input(format!(
                    "all acquisitions must have images of one size and depth: the first has {}×{} pixels of {bits} \
                     bit, acquisition \"{}\" has {}×{} pixels of {} bit",
                    size.height,
                    size.width,
                    acquisition.name,
                    plan.size.height,
                    plan.size.width,
                    plan.bit_depth
                )));
            }
            for channel in &plan.channels {
                if !names.contains(&channel.name) {
                    names.push(channel.name.clone());
                }
            }
        }
        names.sort_by(|a, b| crate::microscopes::natural::compare(a, b));
        let mut plates: Vec<PlateLayout> = Vec::new();
        for (acquisition, plan) in planned {
            match plates.last_mut() {
                Some(plate) if plate.id == acquisition.plate_id => plate.add(acquisition, plan),
                _ => plates.push(PlateLayout::new(acquisition, plan)),
            }
        }
        Ok(Self {
            channels: names.into_iter().map(|name| (name, bits)).collect(),
            size: Size::new(size.height as usize, size.width as usize),
            depth,
            plates,
        })
    }
}

impl PlateLayout {
    fn new(acquisition: AcquisitionOfPlate, plan: AcquisitionPlan) -> Self {
        let mut plate = Self {
            id: acquisition.plate_id,
            name: acquisition.plate_name.clone(),
            generation: acquisition.image_generation + 1,
            acquisitions: Vec::new(),
            fields: BTreeMap::new(),
            sites: BTreeMap::new(),
        };
        plate.add(acquisition, plan);
        plate
    }

    /// Further acquisitions of a plate are further time points.
    fn add(&mut self, acquisition: AcquisitionOfPlate, plan: AcquisitionPlan) {
        let first_tpoint =
            self.acquisitions.last().map_or(0, |(_, plan, first_tpoint)| first_tpoint + plan.time_points);
        for well in &plan.wells {
            let sites = self.sites.entry(well.name).or_default();
            let fields = self.fields.entry(well.name).or_default();
            for position in &well.sites {
                let site = sites.iter().position(|known| known == position).unwrap_or_else(|| {
                    sites.push(*position);
                    sites.len() - 1
                });
                let index = fields.len();
                fields.insert((site, acquisition.id), index);
            }
        }
        self.acquisitions.push((acquisition, plan, first_tpoint));
    }

    /// The place of a site among the well's sites, and its field's index.
    fn field(&self, acquisition: i64, well: WellName, position: GridPosition) -> StepResult<(usize, usize)> {
        let site = self.sites.get(&well).and_then(|sites| sites.iter().position(|known| *known == position));
        let index = site
            .and_then(|site| self.fields.get(&well)?.get(&(site, acquisition)).map(|index| (site, *index)));
        index.ok_or_else(|| StepError::Internal(format!("site {position:?} of well {well} was not planned")))
    }

    fn spec(&self, layout: &ExperimentLayout) -> PlateSpec {
        let mut fields = Vec::new();
        for (acquisition, plan, _) in &self.acquisitions {
            for well in &plan.wells {
                for position in &well.sites {
                    let Ok((_, index)) = self.field(acquisition.id, well.name, *position) else { continue };
                    fields.push(FieldSpec {
                        well: well.name.to_string(),
                        index,
                        acquisition: acquisition.id,
                        time_points: plan.time_points,
                        z_planes: plan.z_planes,
                        channels: layout.channels.iter().map(|(name, _)| channel_spec(plan, name)).collect(),
                        size: layout.size,
                        depth: layout.depth,
                        pixel_size_um: plan.pixel_size_um,
                    });
                }
            }
        }
        let acquisitions = self
            .acquisitions
            .iter()
            .map(|(acquisition, ..)| AcquisitionSpec { id: acquisition.id, name: acquisition.name.clone() })
            .collect();
        PlateSpec { name: self.name.clone(), acquisitions, fields }
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        layout: &ExperimentLayout,
        channels: &HashMap<&str, i64>,
        cycle: i64,
    ) -> StepResult<()> {
        let (height, width) = (to_i64(layout.size.height)?, to_i64(layout.size.width)?);
        let mut site_ids: HashMap<(WellName, usize), i64> = HashMap::new();
        for (well, sites) in &self.sites {
            let well_id = queries::insert_well(tx, self.id, &well.to_string()).await?;
            for (index, site) in sites.iter().enumerate() {
                let id = queries::insert_site(tx, well_id, to_i64(site.y)?, to_i64(site.x)?, height, width)
                    .await?;
                site_ids.insert((*well, index), id);
            }
        }
        for (acquisition, plan, first_tpoint) in &self.acquisitions {
            for plane in &plan.planes {
                let well = plan.wells[plane.well].name;
                let position = plan.wells[plane.well].sites[plane.site];
                let (site, index) = self.field(acquisition.id, well, position)?;
                let channel = plan.channels[plane.channel].name.as_str();
                let c_index =
                    layout.channels.iter().position(|(name, _)| name == channel).unwrap_or_default();
                let sources: Vec<_> = plane
                    .sources
                    .iter()
                    .map(|source| Source { file: source.file.clone(), page: source.page })
                    .collect();
                let sources = serde_json::to_string(&sources)
                    .map_err(|error| StepError::Internal(error.to_string()))?;
                let new = NewPlane {
                    channel: channels[channel],
                    site: site_ids[&(well, site)],
                    cycle,
                    acquisition: acquisition.id,
                    tpoint: to_i64(first_tpoint + plane.tpoint)?,
                    zplane: to_i64(plane.zplane)?,
                    field: &field_path(&well.to_string(), index),
                    t_index: to_i64(plane.tpoint)?,
                    c_index: to_i64(c_index)?,
                    z_index: to_i64(plane.zplane)?,
                    sources: &sources,
                };
                queries::insert_plane(tx, &new).await?;
            }
        }
        Ok(())
    }
}

/// A channel as other programs show it: by what the acquisition's metadata say it shows, else by its name.
fn channel_spec(plan: &AcquisitionPlan, name: &str) -> ChannelSpec {
    let known = plan.channels.iter().find(|channel| channel.name == name);
    let details = known.map(|channel| channel.details.clone()).unwrap_or_default();
    ChannelSpec { name: details.label.unwrap_or_else(|| name.to_owned()), color: details.color }
}

fn to_i64(value: usize) -> StepResult<i64> {
    i64::try_from(value).map_err(|_| StepError::Internal(format!("{value} is too large to store")))
}
