//! What objects lie in, as an exported table shows it: a column for each type of objects around them.

use std::collections::HashMap;

use crate::environment::Environment;
use crate::resources::feature::queries::MeasuredObject;
use crate::resources::mapobject::{MapobjectType, queries};
use crate::store::{StoreError, Tx};

/// The parents of objects of a type.
pub(super) struct Parents {
    mapobject_type: i64,
    types: Vec<MapobjectType>,
    /// By type of the parent and id of the object.
    known: HashMap<(i64, i64), i64>,
}

impl Parents {
    /// The types that objects of a type lie in; nothing yet of which object in which.
    pub(super) async fn find(tx: &mut Tx, kind: &MapobjectType) -> Result<Self, StoreError> {
        let types = queries::parent_types(tx, kind.id).await?;
        Ok(Self { mapobject_type: kind.id, types, known: HashMap::new() })
    }

    /// The types, by id.
    pub(super) fn types(&self) -> &[MapobjectType] {
        &self.types
    }

    /// Ask the database what these objects lie in, in place of those before.
    pub(super) async fn prepare(
        &mut self,
        environment: &Environment,
        objects: &[MeasuredObject],
    ) -> Result<(), StoreError> {
        self.known.clear();
        let sites = || objects.iter().map(|object| object.place_id);
        let Some((first, last)) = sites().min().zip(sites().max()) else { return Ok(()) };
        if self.types.is_empty() {
            return Ok(());
        }
        let mut tx = environment.db.read().await?;
        let found = queries::parents_in_sites(&mut tx, self.mapobject_type, first, last).await?;
        self.known.extend(found.into_iter().map(|(kind, object, parent)| ((kind, object), parent)));
        Ok(())
    }

    /// Id of the object of a type that an object lies in, if it lies in one.
    pub(super) fn of(&self, kind: &MapobjectType, object: &MeasuredObject) -> Option<i64> {
        self.known.get(&(kind.id, object.id)).copied()
    }
}
