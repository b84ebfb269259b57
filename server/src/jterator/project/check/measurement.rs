//! What modules measure: of which objects, and under which names.

use std::collections::BTreeMap;

use super::Checker;
use super::module::Candidate;
use crate::jterator::HandleType;
use crate::jterator::modules::columns::COUNT;
use crate::jterator::modules::{Makes, Measures, Parameters};
use crate::jterator::project::bound::{BoundMeasurement, Column};
use crate::jterator::project::handles::{Made, OutputHandle};
use crate::jterator::project::suggest::suggest;
use crate::resources::experiment::check_name;
use crate::resources::feature::MOST_FEATURES;

/// The columns measured so far: who measures them, by type of objects and name.
#[derive(Debug, Default)]
pub struct MeasuredColumns(BTreeMap<String, BTreeMap<String, String>>);

/// Most columns that a pipeline measures, of all objects together.
const MOST_COLUMNS: usize = 5 * MOST_FEATURES;

impl<'a> Checker<'a> {
    /// What the module measures; `None` when it is no measurement, or something is wrong.
    pub fn check_measurement(
        &mut self,
        candidate: Candidate<'a>,
        outputs: &BTreeMap<&'static str, (usize, &'a OutputHandle)>,
        images: &BTreeMap<&'static str, (&'a str, Option<HandleType>)>,
        parameters: Option<&Parameters>,
    ) -> Option<BoundMeasurement> {
        let measures = candidate.module.outputs.iter().find_map(|output| match output.makes {
            Makes::Measurement(measures) => Some((output.name, measures)),
            _ => None,
        });
        let (name, measures) = measures?;
        let (index, handle) = outputs.get(name)?;
        let Made::Measurement { objects, objects_ref, channel_ref } = &handle.made else { return None };
        let place = candidate.output_place(*index);
        let fits = self.check_reference(
            candidate,
            &format!("{place}.objects_ref"),
            objects_ref,
            measures.objects_ref,
        );
        let channel_ref = channel_ref.as_deref().or(measures.channel_ref);
        let fits = fits & self.check_objects(candidate, &place, objects, measures);
        let fits = fits & self.check_channel(candidate, &place, channel_ref);
        let key = |input: &str| images.get(input).map(|(key, _)| *key);
        let (owner, measured) = (key(objects)?, key(objects_ref)?);
        let channel = match channel_ref {
            Some(channel) => Some(key(channel)?),
            None => None,
        };
        if !fits {
            return None;
        }
        let prefix = if owner == measured { String::new() } else { format!("{measured}_") };
        let suffix = channel.map(|channel| format!("_{channel}")).unwrap_or_default();
        let columns = (measures.columns)(parameters?).into_iter();
        let columns =
            columns.map(|measured| Column { saved: format!("{prefix}{measured}{suffix}"), measured });
        let columns: Vec<_> = columns.collect();
        self.check_columns(candidate, &place, owner, &columns);
        Some(BoundMeasurement { objects: owner.to_owned(), columns })
    }

    /// The rows are about certain objects, whatever handles say.
    fn check_objects(
        &mut self,
        candidate: Candidate<'a>,
        place: &str,
        name: &str,
        measures: Measures,
    ) -> bool {
        let place = format!("{place}.objects");
        if !self.check_reference(candidate, &place, name, measures.objects) {
            return false;
        }
        if name != measures.objects {
            let message = format!(
                "must be `{}`: the rows of `{}` are about them",
                measures.objects, candidate.module.name
            );
            self.problems.add(place, message);
        }
        name == measures.objects
    }

    fn check_channel(&mut self, candidate: Candidate<'a>, place: &str, name: Option<&str>) -> bool {
        let Some(name) = name else { return true };
        let image =
            candidate.module.input(name).is_some_and(|input| input.kind == HandleType::IntensityImage);
        if !image {
            let names =
                candidate.module.inputs.iter().filter(|input| input.kind == HandleType::IntensityImage);
            let hint = suggest(name, names.map(|input| input.name));
            let message = format!(
                "must name an input of `{}` that is an IntensityImage, got `{name}`{hint}",
                candidate.module.name
            );
            self.problems.add(format!("{place}.channel_ref"), message);
        }
        image
    }

    /// Whether a name is that of an input for objects.
    fn check_reference(&mut self, candidate: Candidate<'a>, place: &str, name: &str, usual: &str) -> bool {
        let objects =
            candidate.module.input(name).is_some_and(|input| input.kind == HandleType::SegmentedObjects);
        if !objects {
            let message = format!(
                "must name an input of `{}` for objects such as `{usual}`, got `{name}`",
                candidate.module.name
            );
            self.problems.add(place, message);
        }
        objects
    }

    /// Note columns that somebody measures already; how many objects there are is the same whoever counts them.
    fn check_columns(&mut self, candidate: Candidate<'a>, place: &str, owner: &str, columns: &[Column]) {
        let total: usize = self.columns.0.values().map(BTreeMap::len).sum();
        let known = self.columns.0.entry(owner.to_owned()).or_default();
        if known.len() + columns.len() > MOST_FEATURES || total + columns.len() > MOST_COLUMNS {
            let message = format!("measures too much of `{owner}`: {MOST_FEATURES} columns are allowed");
            self.problems.add(place, message);
            return;
        }
        let mut taken = Vec::new();
        for column in columns {
            if check_name("name", &column.saved).is_err() {
                let message = format!("has a column whose name is too long: `{}`", column.saved);
                self.problems.add(place, message);
                return;
            }
            match known.get(&column.saved) {
                None => drop(known.insert(column.saved.clone(), candidate.name.to_owned())),
                Some(other) if column.measured != COUNT => taken.push((&column.saved, other.clone())),
                Some(_) => {}
            }
        }
        if let Some((column, other)) = taken.first() {
            self.problems.add(place, format!("measures `{column}` of `{owner}`, as `{other}` does already"));
        }
    }
}
