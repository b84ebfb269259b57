//! Whose row a measurement goes to.

use tm_engine::analysis::aggregate::{aggregate, check_same_labels};
use tm_engine::analysis::{Measurements, Regions};

use crate::jterator::run::{Call, Made, ModuleError};

/// What was measured of objects, for `assign_objects`: the same objects, or with `aggregate` those around them.
///
/// # Errors
/// Without `aggregate`, when the measured objects do not lie within those of the same label.
pub(super) fn assigned(
    call: &Call<'_>,
    measured: &Regions,
    table: Measurements,
) -> Result<Vec<Made>, ModuleError> {
    let objects = call.labels("assign_objects")?;
    if call.parameters().flag("aggregate") {
        return Ok(vec![Made::Table(aggregate(
            &table,
            measured,
            objects,
            &*call.regions("assign_objects")?,
        )?)]);
    }
    check_same_labels(measured, objects)?;
    Ok(vec![Made::Table(table)])
}
