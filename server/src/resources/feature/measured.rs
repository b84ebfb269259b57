//! The objects of a type and what is known of them, some thousand at a time: what tables are made of.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use super::queries::{self, MeasuredObject};
use super::selection::Place;
use super::{Feature, merging, open_stack};
use crate::environment::Environment;
use crate::resources::mapobject::{MapobjectType, Reference};
use crate::resources::tools::labels::{self, Labels};
use crate::resources::tools::{ResultFilter, ToolResult, queries as tools};
use crate::storage::error::Result as StorageResult;
use crate::storage::tables::{Located, Part, RowKey, TableStack};
use crate::store::{Result, Tx};

/// The objects of so many sites are asked for at once, of fewer where they are many.
const PLACES_AT_ONCE: usize = 16;

/// What a table says of an object beside its id and what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// Name of its plate.
    PlateName,
    /// Name of its well.
    WellName,
    /// Row of its site in the well.
    WellPosY,
    /// Column of its site in the well.
    WellPosX,
    /// Time point.
    Tpoint,
    /// The first focal plane that it is in.
    Zplane,
    /// Its number in label images.
    Label,
    /// Whether it touches the edge of its site.
    IsBorder,
}

/// A cell of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A name.
    Text(&'a str),
    /// A number; absent where objects of this kind have none.
    Integer(Option<i64>),
}

impl Whereabouts {
    /// Those of objects that are, or lie in, such places.
    pub fn of(reference: Reference) -> &'static [Self] {
        match reference {
            Reference::Plate => &[Self::PlateName],
            Reference::Well => &[Self::PlateName, Self::WellName],
            Reference::Site => &[
                Self::PlateName,
                Self::WellName,
                Self::WellPosY,
                Self::WellPosX,
                Self::Tpoint,
                Self::Zplane,
                Self::Label,
                Self::IsBorder,
            ],
        }
    }

    /// Name of the column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PlateName => "plate_name",
            Self::WellName => "well_name",
            Self::WellPosY => "well_pos_y",
            Self::WellPosX => "well_pos_x",
            Self::Tpoint => "tpoint",
            Self::Zplane => "zplane",
            Self::Label => "label",
            Self::IsBorder => "is_border",
        }
    }

    /// Whether its cells are text.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::PlateName | Self::WellName)
    }

    /// The cell of an object in a place.
    pub fn cell<'a>(self, object: &MeasuredObject, place: &'a Place) -> Cell<'a> {
        match self {
            Self::PlateName => Cell::Text(&place.plate),
            Self::WellName => Cell::Text(&place.well),
            Self::WellPosY => Cell::Integer(place.position.map(|(y, _)| y)),
            Self::WellPosX => Cell::Integer(place.position.map(|(_, x)| x)),
            Self::Tpoint => Cell::Integer(object.tpoint),
            Self::Zplane => Cell::Integer(object.zplane),
            Self::Label => Cell::Integer(object.label),
            Self::IsBorder => Cell::Integer(object.is_border),
        }
    }
}

/// The objects of a type in their order, asked for as they are needed.
#[derive(Debug)]
pub struct Objects {
    environment: Environment,
    mapobject_type: i64,
    reference: Reference,
    tpoint: Option<i64>,
    /// Ids of the places that are left, in order.
    places: VecDeque<i64>,
    /// How many of them are asked for next.
    at_once: usize,
    waiting: VecDeque<MeasuredObject>,
}

impl Objects {
    /// Those in these places, given by id; at one time point or all of them.
    pub fn new(
        environment: Environment,
        kind: &MapobjectType,
        places: &[Place],
        tpoint: Option<i64>,
    ) -> Self {
        Self {
            environment,
            mapobject_type: kind.id,
            reference: kind.reference(),
            tpoint,
            places: places.iter().map(|place| place.id).collect(),
            at_once: 1,
            waiting: VecDeque::new(),
        }
    }

    /// The environment that they are asked of.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The next objects, at most so many; none after the last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take(&mut self, most: usize) -> Result<Vec<MeasuredObject>> {
        while self.waiting.len() < most && !self.places.is_empty() {
            let places: Vec<i64> = self.places.drain(..self.at_once.min(self.places.len())).collect();
            let range = (places[0], places[places.len() - 1]);
            let (kind, tpoint) = (self.mapobject_type, self.tpoint);
            let mut tx = self.environment.db.read().await?;
            let found = match self.reference {
                Reference::Plate => queries::objects_in_plates(&mut tx, kind, range, tpoint).await,
                Reference::Well => queries::objects_in_wells(&mut tx, kind, range, tpoint).await,
                Reference::Site => queries::objects_in_sites(&mut tx, kind, range, tpoint).await,
            };
            let found = found?;
            self.at_once = match found.len() {
                few if few < most / 2 => (2 * self.at_once).min(PLACES_AT_ONCE),
                many if many > most => (self.at_once / 2).max(1),
                _ => self.at_once,
            };
            let wanted = |object: &MeasuredObject| places.binary_search(&object.place_id).is_ok();
            self.waiting.extend(found.into_iter().filter(wanted));
        }
        Ok(self.waiting.drain(..most.min(self.waiting.len())).collect())
    }
}

/// The features of a type and the files with their values, not opened yet.
#[derive(Debug)]
pub struct ValueFiles {
    features: Vec<Feature>,
    /// The oldest first, each with the rows that are about the wanted places.
    files: Vec<(PathBuf, Vec<Part>)>,
}

impl ValueFiles {
    /// Those with values of objects in these places, given by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(
        tx: &mut Tx,
        environment: &Environment,
        experiment: i64,
        mapobject_type: i64,
        places: &[Place],
    ) -> Result<Self> {
        let mut features = queries::list(tx, mapobject_type, None).await?;
        features.sort_by_key(|feature| feature.id);
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Ok(Self { features, files: Vec::new() });
        };
        let files = queries::files(tx, mapobject_type).await?;
        let mut parts = merging::parts_by_file(tx, mapobject_type, (first.id, last.id)).await?;
        let path = |id| environment.data.feature_file(experiment, mapobject_type, id);
        let with_parts = files.iter().filter_map(|file| Some((path(file.id), parts.remove(&file.id)?)));
        Ok(Self { features, files: with_parts.collect() })
    }

    /// Open them; `None` when one was merged into another meanwhile. Blocks.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn open(self) -> StorageResult<Option<Values>> {
        Ok(open_stack(self.files)?.map(|stack| Values { features: self.features, stack }))
    }
}

/// Values of the features of a type.
#[derive(Debug)]
pub struct Values {
    features: Vec<Feature>,
    stack: TableStack,
}

impl Values {
    /// The features, by id.
    pub fn features(&self) -> &[Feature] {
        &self.features
    }

    /// Find objects in the files. Blocks.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn locate(&mut self, objects: &[MeasuredObject]) -> StorageResult<Located> {
        // Objects that are the same at all time points have no values.
        let key = |object: &MeasuredObject| RowKey {
            site: object.place_id,
            tpoint: object.tpoint.unwrap_or(-1),
            mapobject: object.id,
        };
        self.stack.locate(&objects.iter().map(key).collect::<Vec<_>>())
    }

    /// The values of one of the features of located objects, into cells that are NaN. Blocks.
    ///
    /// # Errors
    /// When a file is damaged.
    pub fn read(&mut self, located: &Located, feature: usize, cells: &mut [f64]) -> StorageResult<()> {
        self.stack.read(located, self.features[feature].id, cells)
    }

    /// Let go of what is in memory of one of the features.
    pub fn close(&mut self, feature: usize) {
        self.stack.close(self.features[feature].id);
    }
}

/// What tools found out about the objects of a type.
#[derive(Debug)]
pub struct Findings {
    reference: Reference,
    /// By id.
    results: Vec<ToolResult>,
    /// What each of them says of some objects, by result, site and time point.
    labels: HashMap<(i64, i64, i64), Labels>,
}

impl Findings {
    /// The results about a type; nothing of what they say yet.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(tx: &mut Tx, experiment: i64, kind: &MapobjectType) -> Result<Self> {
        let mut results = tools::list_results(tx, experiment, ResultFilter::default()).await?;
        results.retain(|result| result.mapobject_type_id == kind.id);
        results.sort_by_key(|result| result.id);
        Ok(Self { reference: kind.reference(), results, labels: HashMap::new() })
    }

    /// The results, by id.
    pub fn results(&self) -> &[ToolResult] {
        &self.results
    }

    /// Ask the database what they say of these objects, in place of those before.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prepare(&mut self, environment: &Environment, objects: &[MeasuredObject]) -> Result<()> {
        self.labels.clear();
        if self.results.is_empty() || self.reference != Reference::Site {
            return Ok(());
        }
        let mut tx = environment.db.read().await?;
        for object in objects {
            for result in &self.results {
                let (site, tpoint) = (object.place_id, object.tpoint.unwrap_or(0));
                if let Entry::Vacant(entry) = self.labels.entry((result.id, site, tpoint)) {
                    entry.insert(labels::of_site(&mut tx, result, site, tpoint).await?);
                }
            }
        }
        Ok(())
    }

    /// What a result says of an object that was asked for; NaN where it says nothing.
    pub fn label(&self, result: &ToolResult, object: &MeasuredObject) -> f64 {
        // Objects that are the same at all time points are labelled at the first.
        let at = (result.id, object.place_id, object.tpoint.unwrap_or(0));
        self.labels.get(&at).and_then(|labels| labels.get(object.id)).unwrap_or(f64::NAN)
    }
}
