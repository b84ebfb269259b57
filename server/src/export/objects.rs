//! Types of objects of an export: what rows name of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::resources::feature::queries as features;
use crate::resources::mapobject::{MapobjectType, queries};
use crate::resources::segmentation::queries::{self as segmentations, SegmentedSite};
use crate::resources::tools::{ResultFilter, queries as tools};
use crate::resources::zarr::names;
use crate::store::{StoreError, Tx};

/// A type of objects.
#[derive(Debug, Clone)]
pub(super) struct TypeRows {
    pub(super) kind: MapobjectType,
    /// What its files are called, without an extension.
    pub(super) name: String,
    /// What its layers show of each site, the layers of all time points and focal planes first.
    segmented: BTreeMap<i64, Vec<SegmentedSite>>,
    features: BTreeSet<i64>,
    results: BTreeSet<i64>,
    /// Length of the files with its feature values.
    pub(super) bytes: u64,
}

impl TypeRows {
    /// Whether nothing of it was removed or replaced later on; what was added does not matter.
    pub(super) fn lasts_until(&self, later: &[Self]) -> bool {
        later.iter().find(|later| later.kind.id == self.kind.id).is_some_and(|later| {
            later.segmented == self.segmented
                && later.features.is_superset(&self.features)
                && later.results.is_superset(&self.results)
        })
    }

    /// Whether it has label images.
    pub(super) fn has_outlines(&self) -> bool {
        self.outlined().next().is_some()
    }

    /// All outlines that its layers show.
    pub(super) fn outlined(&self) -> impl Iterator<Item = &SegmentedSite> {
        self.segmented.values().flatten().filter(|shown| shown.outlines > 0)
    }

    /// The layers that show outlines of a site at a time point and focal plane.
    pub(super) fn layers_of(&self, site: i64, tpoint: i64, zplane: i64) -> Vec<i64> {
        let layers = self.segmented.get(&site).into_iter().flatten();
        layers.filter(|shown| shown.shows(tpoint, zplane)).map(|shown| shown.segmentation_layer_id).collect()
    }
}

/// The types of an experiment by id, with segmentations up to the id `newest`.
pub(super) async fn rows(tx: &mut Tx, experiment: i64, newest: i64) -> Result<Vec<TypeRows>, StoreError> {
    let types = queries::list_types(tx, experiment, None).await?;
    let results = tools::list_results(tx, experiment, ResultFilter::default()).await?;
    let mut segmented: BTreeMap<i64, BTreeMap<i64, Vec<SegmentedSite>>> = BTreeMap::new();
    for shown in segmentations::segmented_sites(tx, experiment, newest).await? {
        let of_type = segmented.entry(shown.mapobject_type_id).or_default();
        of_type.entry(shown.site_id).or_default().push(shown);
    }
    let mut rows = Vec::with_capacity(types.len());
    for (name, kind) in names::of_types(types) {
        let mut segmented = segmented.remove(&kind.id).unwrap_or_default();
        segmented.values_mut().for_each(|layers| layers.sort_by_key(|layer| (layer.tpoint, layer.zplane)));
        let about = results.iter().filter(|result| result.mapobject_type_id == kind.id);
        let files = features::files(tx, kind.id).await?;
        rows.push(TypeRows {
            name,
            segmented,
            features: features::list(tx, kind.id, None).await?.iter().map(|feature| feature.id).collect(),
            results: about.map(|result| result.id).collect(),
            bytes: files.iter().map(|file| file.size.unsigned_abs()).sum(),
            kind,
        });
    }
    Ok(rows)
}
