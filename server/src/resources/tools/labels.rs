//! The labels of objects: what tiles and tables show of a result.
//!
//! They are stored by site and time point, because a tile asks for those of its sites: one row of packed pairs. A
//! million labels are so as many rows as there are sites. (A table with a row per object would take several times
//! the space and a million insertions; a file per result could not be asked for a single site without an index of
//! its own.) Labels of objects that are gone stay until their result goes: ids do not come back.

use super::{ResultKind, ToolResult, queries};
use crate::store::{Result, StoreError, Tx};

/// Bytes of a pair: the id of an object and its label.
const PAIR: usize = 16;

/// The labels of a site's objects at a time point.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Labels(Vec<(i64, f64)>);

impl Labels {
    /// Labels by id of the object.
    pub fn new(mut labels: Vec<(i64, f64)>) -> Self {
        labels.sort_by_key(|(object, _)| *object);
        Self(labels)
    }

    /// The label of an object.
    pub fn get(&self, object: i64) -> Option<f64> {
        let found = self.0.binary_search_by_key(&object, |(object, _)| *object).ok()?;
        Some(self.0[found].1)
    }

    /// As stored: pairs of an id and a 64-bit float, ascending, least significant bytes first.
    pub fn pack(&self) -> Vec<u8> {
        self.0
            .iter()
            .flat_map(|(object, value)| [object.to_le_bytes(), value.to_le_bytes()].concat())
            .collect()
    }

    fn unpack(stored: &[u8]) -> Option<Self> {
        let (pairs, rest) = stored.as_chunks::<PAIR>();
        let half = |bytes: &[u8]| bytes.try_into().ok();
        let pair = |pair: &[u8; PAIR]| {
            Some((i64::from_le_bytes(half(&pair[..8])?), f64::from_le_bytes(half(&pair[8..])?)))
        };
        let labels = pairs.iter().map(pair).collect::<Option<Vec<_>>>().filter(|_| rest.is_empty())?;
        labels.is_sorted_by_key(|(object, _)| *object).then_some(Self(labels))
    }
}

/// The labels that a result gives to the objects of a site at a time point. Those of heatmaps are the values of their
/// feature, which nothing is stored of yet.
///
/// # Errors
/// When the database fails or holds something else.
pub async fn of_site(tx: &mut Tx, result: &ToolResult, site: i64, tpoint: i64) -> Result<Labels> {
    if ResultKind::find(&result.kind) == Some(ResultKind::Heatmap) {
        return Ok(Labels::default());
    }
    let Some(stored) = queries::labels(tx, result.id, site, tpoint).await? else {
        return Ok(Labels::default());
    };
    Labels::unpack(&stored)
        .ok_or_else(|| StoreError::Corrupt(format!("labels of result {} at site {site}", result.id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_again_and_damaged_ones_refused() {
        let labels = Labels::new(vec![(70_000_000_000, f64::NAN), (3, -0.5), (9, 1e300)]);
        let read = Labels::unpack(&labels.pack()).unwrap_or_default();
        assert_eq!((read.get(3), read.get(9), read.get(4)), (Some(-0.5), Some(1e300), None));
        assert!(read.get(70_000_000_000).is_some_and(f64::is_nan));
        assert_eq!(Labels::unpack(&labels.pack()[1..]), None);
        assert_eq!(Labels::unpack(&[labels.pack(), labels.pack()].concat()), None);
    }
}
