//! Which objects of a type a table is about: found by name before its first line is sent.

use super::queries;
use crate::error::{ApiError, ApiResult};
use crate::http::FileName;
use crate::microscopes::secure_filename;
use crate::resources::mapobject::{MapobjectType, Reference};
use crate::resources::plate::{Plate, queries as plates};
use crate::resources::site::{Site, SiteFilter, queries as sites};
use crate::resources::well::{Well, queries as wells};
use crate::store::{Page, Result, Tx};

/// What was asked for; what is absent does not narrow.
#[derive(Debug, Clone, Copy, Default)]
pub struct ObjectFilter<'a> {
    /// Objects on the plate with this name.
    pub plate: Option<&'a str>,
    /// Objects in wells with this name.
    pub well: Option<&'a str>,
    /// Objects in sites in this row of their well's grid.
    pub y: Option<i64>,
    /// Objects in sites in this column of their well's grid.
    pub x: Option<i64>,
    /// Objects at this time point.
    pub tpoint: Option<i64>,
}

/// A plate, well or site that objects lie in, or are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Row id.
    pub id: i64,
    /// Name of the plate.
    pub plate: String,
    /// Name of the well; empty for a plate.
    pub well: String,
    /// Row and column of the site in the well; absent for wells and plates.
    pub position: Option<(i64, i64)>,
}

impl Place {
    /// The one of this id, among places given by id.
    pub fn find(id: i64, places: &[Self]) -> Option<&Self> {
        let found = places.binary_search_by_key(&id, |place| place.id);
        found.ok().map(|at| &places[at])
    }
}

impl ObjectFilter<'_> {
    /// The places that are asked for, by id.
    ///
    /// # Errors
    /// 400 for what the objects do not have, 404 for a plate, well, position or time point that does not exist.
    pub async fn places(
        &self,
        tx: &mut Tx,
        experiment: i64,
        objects: &MapobjectType,
    ) -> ApiResult<Vec<Place>> {
        let reference = objects.reference();
        self.refuse_what_does_not_apply(objects, reference)?;
        if let Some(plate) = self.plate
            && plates::list(tx, experiment, Some(plate)).await?.is_empty()
        {
            return Err(ApiError::not_found(format!("plate \"{plate}\"")));
        }
        if let Some(well) = self.well
            && wells::list(tx, experiment, self.plate, Some(well), Page::ALL).await?.is_empty()
        {
            return Err(ApiError::not_found(format!("well \"{well}\"")));
        }
        if let Some(tpoint) = self.tpoint
            && !queries::has_layer(tx, objects.id, tpoint).await?
        {
            return Err(ApiError::not_found(format!("time point {tpoint} of \"{}\"", objects.name)));
        }
        let places = self.find(tx, experiment, reference).await?;
        if places.is_empty() && (self.y.is_some() || self.x.is_some()) {
            return Err(ApiError::not_found("a site at this position"));
        }
        Ok(places)
    }

    fn refuse_what_does_not_apply(&self, objects: &MapobjectType, reference: Reference) -> ApiResult<()> {
        let refuse = |field: &str| {
            let what = match reference {
                Reference::Plate => "plates",
                Reference::Well => "wells",
                Reference::Site => "sites",
            };
            let message = format!("`{field}` does not apply: the objects of \"{}\" are {what}", objects.name);
            Err(ApiError::malformed(message))
        };
        match reference {
            Reference::Site => Ok(()),
            Reference::Plate if self.well.is_some() => refuse("well_name"),
            Reference::Plate | Reference::Well if self.y.is_some() => refuse("well_pos_y"),
            Reference::Plate | Reference::Well if self.x.is_some() => refuse("well_pos_x"),
            Reference::Plate | Reference::Well => Ok(()),
        }
    }

    /// The same without a look at what was asked for: what does not exist gives no places.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn find(&self, tx: &mut Tx, experiment: i64, reference: Reference) -> Result<Vec<Place>> {
        let mut places: Vec<Place> = match reference {
            Reference::Plate => {
                let found = plates::list(tx, experiment, self.plate).await?.into_iter();
                let place = |plate: Plate| Place {
                    id: plate.id,
                    plate: plate.name,
                    well: String::new(),
                    position: None,
                };
                found.map(place).collect()
            }
            Reference::Well => {
                let found = wells::list(tx, experiment, self.plate, self.well, Page::ALL).await?.into_iter();
                let place = |well: Well| Place {
                    id: well.id,
                    plate: well.plate_name,
                    well: well.name,
                    position: None,
                };
                found.map(place).collect()
            }
            Reference::Site => {
                let filter =
                    SiteFilter { plate_name: self.plate, well_name: self.well, y: self.y, x: self.x };
                let found = sites::list(tx, experiment, filter, Page::ALL).await?.into_iter();
                let place = |site: Site| Place {
                    id: site.id,
                    plate: site.plate_name,
                    well: site.well_name,
                    position: Some((site.y, site.x)),
                };
                found.map(place).collect()
            }
        };
        places.sort_by_key(|place| place.id);
        Ok(places)
    }

    /// Name of a file with what was asked for: what is given, joined by `_`; for `plain` each part made safe.
    pub fn file_name(&self, experiment: &str, objects: &MapobjectType, suffix: &str) -> FileName {
        let mut parts = vec![experiment.to_owned()];
        parts.extend(self.plate.map(str::to_owned));
        parts.extend(self.well.map(str::to_owned));
        parts.extend(self.y.map(|y| format!("y{y}")));
        parts.extend(self.x.map(|x| format!("x{x}")));
        parts.extend(self.tpoint.map(|tpoint| format!("t{tpoint}")));
        parts.push(objects.name.clone());
        let full = format!("{}_{suffix}", parts.join("_"));
        let mut parts: Vec<String> = parts.iter().map(|part| secure_filename(part)).collect();
        parts.push(suffix.to_owned());
        parts.retain(|part| !part.is_empty());
        FileName { plain: parts.join("_"), full }
    }
}
