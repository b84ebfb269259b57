//! All acquisitions of an experiment put together: which time points, cycles and channels they become.
//!
//! | mode | cycles | time point of a plane | name of a channel |
//! |---|---|---|---|
//! | basic | one | counted on over the acquisitions of its plate | its wavelength |
//! | multiplexing | one for each acquisition and time point, from 0 for every plate | 0 | `<cycle>_<wavelength>` |

use std::collections::{BTreeMap, HashMap};

use tm_engine::image::{BitDepth, Size};

use super::rows::KnownPlaces;
use crate::microscopes::plan::GridPosition;
use crate::microscopes::{AcquisitionPlan, WellName, natural};
use crate::resources::experiment::AcquisitionMode;
use crate::resources::workflow::queries::{self, AcquisitionOfPlate, NewPlane};
use crate::storage::images::{AcquisitionSpec, ChannelSpec, FieldSpec, PlateSpec, field_path};
use crate::store::Tx;
use crate::workflow::steps::imextract::Source;
use crate::workflow::steps::{StepError, StepResult};

/// The plates of an experiment, and what they share.
pub(super) struct ExperimentAssembly {
    mode: AcquisitionMode,
    /// By cycle, then in natural order of wavelengths.
    pub channels: Vec<Channel>,
    /// Number of cycles.
    pub cycles: usize,
    /// Bits per pixel.
    pub bits: u8,
    size: Size,
    depth: BitDepth,
    /// In the order of their ids.
    pub plates: Vec<PlateAssembly>,
}

/// A channel of the experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Channel {
    /// Name, unless a user gives it another.
    pub name: String,
    pub wavelength: String,
}

impl Channel {
    fn new(mode: AcquisitionMode, cycle: usize, wavelength: &str) -> Self {
        let name = match mode {
            AcquisitionMode::Basic => wavelength.to_owned(),
            AcquisitionMode::Multiplexing => format!("{cycle}_{wavelength}"),
        };
        Self { name, wavelength: wavelength.to_owned() }
    }
}

/// Row ids of what plates share.
pub(super) struct SharedRows {
    /// By planned name.
    pub channels: HashMap<String, i64>,
    /// By index.
    pub cycles: Vec<i64>,
}

/// A plate and its acquisitions.
pub(super) struct PlateAssembly {
    /// Row id.
    pub id: i64,
    name: String,
    /// Generation of the images to make.
    pub generation: i64,
    acquisitions: Vec<PlacedAcquisition>,
    /// For every site, the index of each acquisition's field within the well.
    fields: BTreeMap<WellName, BTreeMap<(usize, i64), usize>>,
    sites: BTreeMap<WellName, Vec<GridPosition>>,
}

/// An acquisition, and which number its first time point has among those of its plate.
struct PlacedAcquisition {
    acquisition: AcquisitionOfPlate,
    plan: AcquisitionPlan,
    first: usize,
}

/// What a plane of an acquisition becomes.
struct PlanePlace {
    channel: Channel,
    cycle: usize,
    tpoint: usize,
    t_index: usize,
    c_index: usize,
}

impl ExperimentAssembly {
    /// Puts acquisitions together, which come plate by plate in the order in which they were made.
    pub fn of(
        mode: AcquisitionMode,
        planned: Vec<(AcquisitionOfPlate, AcquisitionPlan)>,
    ) -> StepResult<Self> {
        let (_, first) = planned
            .first()
            .ok_or_else(|| StepError::Input("the experiment has no acquisition".to_owned()))?;
        let (size, bits) = (first.size, first.bit_depth);
        let depth = BitDepth::from_bits(bits.into())
            .ok_or_else(|| StepError::Internal(format!("bit depth {bits}")))?;
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
        }
        let mut plates: Vec<PlateAssembly> = Vec::new();
        for (acquisition, plan) in planned {
            match plates.last_mut() {
                Some(plate) if plate.id == acquisition.plate_id => plate.add(acquisition, plan),
                _ => plates.push(PlateAssembly::new(acquisition, plan)),
            }
        }
        let mut assembly = Self {
            mode,
            channels: Vec::new(),
            cycles: 1,
            bits,
            size: Size::new(size.height as usize, size.width as usize),
            depth,
            plates,
        };
        assembly.find_channels();
        Ok(assembly)
    }

    fn find_channels(&mut self) {
        let mut found: Vec<(usize, &str)> = Vec::new();
        for placed in self.plates.iter().flat_map(|plate| &plate.acquisitions) {
            for cycle in placed.cycles(self.mode) {
                found.extend(placed.plan.channels.iter().map(|channel| (cycle, channel.name.as_str())));
            }
        }
        found.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| natural::compare(a.1, b.1)));
        found.dedup();
        self.cycles = found.last().map_or(1, |(cycle, _)| cycle + 1);
        self.channels = found.iter().map(|(cycle, name)| Channel::new(self.mode, *cycle, name)).collect();
    }
}

impl PlacedAcquisition {
    fn cycles(&self, mode: AcquisitionMode) -> std::ops::Range<usize> {
        match mode {
            AcquisitionMode::Basic => 0..1,
            AcquisitionMode::Multiplexing => self.first..self.first + self.plan.time_points,
        }
    }

    /// The channels of its field images: of a basic experiment all, so that the fields of a well agree; of
    /// a multiplexing one its own.
    fn channels(&self, assembly: &ExperimentAssembly) -> Vec<Channel> {
        match assembly.mode {
            AcquisitionMode::Basic => assembly.channels.clone(),
            AcquisitionMode::Multiplexing => self
                .cycles(assembly.mode)
                .flat_map(|cycle| self.plan.channels.iter().map(move |channel| (cycle, channel)))
                .map(|(cycle, channel)| Channel::new(assembly.mode, cycle, &channel.name))
                .collect(),
        }
    }

    fn place(&self, assembly: &ExperimentAssembly, channel: usize, tpoint: usize) -> PlanePlace {
        let wavelength = &self.plan.channels[channel].name;
        match assembly.mode {
            AcquisitionMode::Basic => {
                let channel = Channel::new(assembly.mode, 0, wavelength);
                let c_index = assembly.channels.iter().position(|known| *known == channel);
                PlanePlace {
                    channel,
                    cycle: 0,
                    tpoint: self.first + tpoint,
                    t_index: tpoint,
                    c_index: c_index.unwrap_or_default(),
                }
            }
            AcquisitionMode::Multiplexing => PlanePlace {
                channel: Channel::new(assembly.mode, self.first + tpoint, wavelength),
                cycle: self.first + tpoint,
                tpoint: 0,
                t_index: 0,
                c_index: tpoint * self.plan.channels.len() + channel,
            },
        }
    }
}

impl PlateAssembly {
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

    fn add(&mut self, acquisition: AcquisitionOfPlate, plan: AcquisitionPlan) {
        let first = self.acquisitions.last().map_or(0, |last| last.first + last.plan.time_points);
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
        self.acquisitions.push(PlacedAcquisition { acquisition, plan, first });
    }

    /// The place of a site among the well's sites, and its field's index.
    fn field(&self, acquisition: i64, well: WellName, position: GridPosition) -> StepResult<(usize, usize)> {
        let site = self.sites.get(&well).and_then(|sites| sites.iter().position(|known| *known == position));
        let index = site
            .and_then(|site| self.fields.get(&well)?.get(&(site, acquisition)).map(|index| (site, *index)));
        index.ok_or_else(|| StepError::Internal(format!("site {position:?} of well {well} was not planned")))
    }

    /// The images to make.
    pub fn spec(&self, assembly: &ExperimentAssembly) -> PlateSpec {
        let mut fields = Vec::new();
        for placed in &self.acquisitions {
            let PlacedAcquisition { acquisition, plan, .. } = placed;
            let channels: Vec<_> = placed
                .channels(assembly)
                .into_iter()
                .map(|channel| channel_spec(assembly.mode, plan, channel))
                .collect();
            let (time_points, time_interval_s) = match assembly.mode {
                AcquisitionMode::Basic => (plan.time_points, plan.time_interval_s),
                AcquisitionMode::Multiplexing => (1, None),
            };
            for well in &plan.wells {
                for position in &well.sites {
                    let Ok((_, index)) = self.field(acquisition.id, well.name, *position) else { continue };
                    fields.push(FieldSpec {
                        well: well.name.to_string(),
                        index,
                        acquisition: acquisition.id,
                        time_points,
                        z_planes: plan.z_planes,
                        channels: channels.clone(),
                        size: assembly.size,
                        depth: assembly.depth,
                        pixel_size_um: plan.pixel_size_um,
                        z_step_um: plan.z_step_um,
                        time_interval_s,
                    });
                }
            }
        }
        let acquisitions = self
            .acquisitions
            .iter()
            .map(|placed| &placed.acquisition)
            .map(|acquisition| AcquisitionSpec { id: acquisition.id, name: acquisition.name.clone() })
            .collect();
        PlateSpec { name: self.name.clone(), acquisitions, fields }
    }

    /// Bring wells and sites up to date, and add the planes.
    pub async fn insert(
        &self,
        tx: &mut Tx,
        assembly: &ExperimentAssembly,
        rows: &SharedRows,
        places: &mut KnownPlaces,
    ) -> StepResult<()> {
        let mut site_ids: HashMap<(WellName, usize), i64> = HashMap::new();
        for (well, sites) in &self.sites {
            let well_id = places.well(tx, self.id, well.to_string()).await?;
            for (index, site) in sites.iter().enumerate() {
                let id = places.site(tx, well_id, (site.y, site.x), assembly.size).await?;
                site_ids.insert((*well, index), id);
            }
        }
        for placed in &self.acquisitions {
            let PlacedAcquisition { acquisition, plan, .. } = placed;
            for plane in &plan.planes {
                let well = plan.wells[plane.well].name;
                let position = plan.wells[plane.well].sites[plane.site];
                let (site, index) = self.field(acquisition.id, well, position)?;
                let place = placed.place(assembly, plane.channel, plane.tpoint);
                let sources: Vec<_> = plane
                    .sources
                    .iter()
                    .map(|source| Source { file: source.file.clone(), page: source.page })
                    .collect();
                let sources = serde_json::to_string(&sources)
                    .map_err(|error| StepError::Internal(error.to_string()))?;
                let new = NewPlane {
                    channel: rows.channels[&place.channel.name],
                    site: site_ids[&(well, site)],
                    cycle: rows.cycles[place.cycle],
                    acquisition: acquisition.id,
                    tpoint: to_i64(place.tpoint)?,
                    zplane: to_i64(plane.zplane)?,
                    field: &field_path(&well.to_string(), index),
                    t_index: to_i64(place.t_index)?,
                    c_index: to_i64(place.c_index)?,
                    z_index: to_i64(plane.zplane)?,
                    sources: &sources,
                };
                queries::insert_plane(tx, &new).await?;
            }
        }
        Ok(())
    }
}

/// A channel as other programs show it: by what the acquisition's metadata say it shows, else by its name. In
/// multiplexing experiments, whose cycles may show the same, by its name before that.
fn channel_spec(mode: AcquisitionMode, plan: &AcquisitionPlan, channel: Channel) -> ChannelSpec {
    let known = plan.channels.iter().find(|known| known.name == channel.wavelength);
    let details = known.map(|known| known.details.clone()).unwrap_or_default();
    let name = match (details.label, mode) {
        (None, _) => channel.name,
        (Some(label), AcquisitionMode::Basic) => label,
        (Some(label), AcquisitionMode::Multiplexing) => format!("{} {label}", channel.name),
    };
    ChannelSpec { name, color: details.color }
}

pub(super) fn to_i64(value: usize) -> StepResult<i64> {
    i64::try_from(value).map_err(|_| StepError::Internal(format!("{value} is too large to store")))
}
