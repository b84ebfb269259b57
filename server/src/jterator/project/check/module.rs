//! One module of a pipeline: whether its handles fit it, and what there is when it runs.

use std::collections::BTreeMap;

use super::Checker;
use super::keys::Source;
use super::values::{accept, broken_rules, check_options};
use crate::jterator::HandleType;
use crate::jterator::modules::{Input, Makes, Module, Output, Parameter, Parameters, Takes};
use crate::jterator::project::bound::{BoundImage, CheckedModule};
use crate::jterator::project::handles::{Given, Handles, InputHandle, Made, OutputHandle};
use crate::jterator::project::pipeline::Item;
use crate::jterator::project::suggest::suggest;

/// An active module with its handles.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name in the pipeline.
    pub name: &'a str,
    /// What it is.
    pub module: &'static Module,
    /// Its handles.
    pub handles: &'a Handles,
}

impl Candidate<'_> {
    fn input_place(&self, index: usize) -> String {
        format!("handles.{}.input[{index}]", self.name)
    }

    /// Where an output is.
    pub fn output_place(&self, index: usize) -> String {
        format!("handles.{}.output[{index}]", self.name)
    }
}

impl<'a> Checker<'a> {
    /// Check the item and let what it makes be there from now on; `None` for those that do not run.
    pub fn check_item(&mut self, index: usize, item: &'a Item) -> Option<CheckedModule> {
        let module = self.find_module(index, item);
        let (name, handles) = self.project.handles.get_key_value(item.module_name())?;
        let Some(module) = module.filter(|_| item.active) else {
            if item.active {
                // Others may ask for what an unknown module makes.
                self.add_unknown(name, handles);
            }
            return None;
        };
        let candidate = Candidate { name, module, handles };
        let inputs = self.match_inputs(candidate);
        let parameters = self.check_values(candidate, &inputs);
        let images = self.check_images(candidate, &inputs);
        let outputs = self.match_outputs(candidate);
        let makes = self.check_made(candidate, &outputs, &images);
        let measurement = self.check_measurement(candidate, &outputs, &images, parameters.as_ref());
        let images = module.inputs.iter().filter_map(|input| {
            let (key, kind) = images.get(input.name)?;
            Some(BoundImage { name: input.name, key: (*key).to_owned(), kind: (*kind)? })
        });
        Some(CheckedModule {
            name: name.clone(),
            module,
            images: images.collect(),
            // Without values something is wrong, and nothing will run.
            parameters: parameters.unwrap_or_default(),
            makes,
            measurement,
        })
    }

    /// The outputs of a module that is not known are there, whatever they are.
    fn add_unknown(&mut self, name: &str, handles: &'a Handles) {
        for output in &handles.output {
            let kind = (output.kind == HandleType::SegmentedObjects).then_some(output.kind);
            if let Made::Key(key) = &output.made
                && self.keys.find(key).is_none()
            {
                self.keys.add(key, Source::module(name, kind));
            }
        }
    }

    /// The handles of each of the module's inputs; those that are unknown, of another type or not there are problems.
    fn match_inputs(&mut self, candidate: Candidate<'a>) -> BTreeMap<&'static str, (usize, &'a InputHandle)> {
        let Candidate { name, module, handles } = candidate;
        let mut found = BTreeMap::new();
        for (index, handle) in handles.input.iter().enumerate() {
            let place = candidate.input_place(index);
            let Some(input) = module.input(&handle.name) else {
                let hint = suggest(&handle.name, module.inputs.iter().map(|input| input.name));
                let message = format!("is no input of `{}`: `{}`{hint}", module.name, handle.name);
                self.problems.add(format!("{place}.name"), message);
                continue;
            };
            // Any value is looked at by itself, and older handles have other types for some.
            let same_family = input.kind.is_constant() && handle.kind.is_constant();
            if same_family || input.kind.is_related_to(handle.kind) {
                found.insert(input.name, (index, handle));
            } else {
                let message = format!("must be {} for `{}`, got {}", input.kind, input.name, handle.kind);
                self.problems.add(format!("{place}.type"), message);
            }
        }
        for input in module.inputs {
            let given = handles.input.iter().any(|handle| handle.name == input.name);
            if !given && Parameter::of_preset(input.default).is_none() {
                let message = format!("lacks `{}`, which `{}` needs", input.name, module.name);
                self.problems.add(format!("handles.{name}.input"), message);
            }
        }
        found
    }

    /// The settings; `None`, and problems, when some do not fit.
    fn check_values(
        &mut self,
        candidate: Candidate<'a>,
        inputs: &BTreeMap<&'static str, (usize, &'a InputHandle)>,
    ) -> Option<Parameters> {
        let mut parameters = Parameters::default();
        let mut complete = true;
        for input in candidate.module.inputs.iter().filter(|input| input.takes != Takes::Image) {
            match self.check_value(candidate, input, inputs.get(input.name).copied()) {
                Some(value) => parameters.set(input.name, value),
                None => complete = false,
            }
        }
        if !complete {
            return None;
        }
        let broken = broken_rules(candidate.module, &parameters);
        for (input, message) in &broken {
            let place = match inputs.get(input) {
                Some((index, _)) => format!("{}.value", candidate.input_place(*index)),
                None => format!("handles.{}.input, `{input}`", candidate.name),
            };
            self.problems.add(place, message);
        }
        broken.is_empty().then_some(parameters)
    }

    fn check_value(
        &mut self,
        candidate: Candidate<'a>,
        input: &'static Input,
        given: Option<(usize, &'a InputHandle)>,
    ) -> Option<Parameter> {
        let Some((index, handle)) = given else { return Parameter::of_preset(input.default) };
        // Types have been compared.
        let Given::Constant { value, options } = &handle.given else { return None };
        let accepted = accept(input, value).and_then(|accepted| {
            check_options(value, options)?;
            Ok(accepted)
        });
        match accepted {
            Ok(accepted) => Some(accepted),
            Err(message) => {
                let place = format!("{}.value", candidate.input_place(index));
                self.problems.add(place, format!("(`{}`) {message}", input.name));
                None
            }
        }
    }

    /// The planes that it takes: their keys, and what lies there where that is known.
    fn check_images(
        &mut self,
        candidate: Candidate<'a>,
        inputs: &BTreeMap<&'static str, (usize, &'a InputHandle)>,
    ) -> BTreeMap<&'static str, (&'a str, Option<HandleType>)> {
        let mut images = BTreeMap::new();
        for input in candidate.module.inputs {
            let Some((index, handle)) = inputs.get(input.name) else { continue };
            let Given::Key(key) = &handle.given else { continue };
            let place = format!("{}.key", candidate.input_place(*index));
            let kind = match self.keys.find(key) {
                None => {
                    let message = self.keys.why_absent(key, candidate.name, &self.surroundings.channels);
                    self.problems.add(place, message);
                    None
                }
                Some(Source { kind: Some(kind), maker }) if !input.kind.accepts(*kind) => {
                    let hint = remedy(input.kind, *kind);
                    let message = format!(
                        "names `{key}`, {} of {maker}, where `{}` needs {}{hint}",
                        with_article(*kind),
                        input.name,
                        with_article(input.kind)
                    );
                    self.problems.add(place, message);
                    None
                }
                Some(source) => source.kind,
            };
            images.insert(input.name, (key.as_str(), kind));
        }
        images
    }

    /// The handles of each of the module's outputs; those that are unknown, of another type or not there are problems.
    fn match_outputs(
        &mut self,
        candidate: Candidate<'a>,
    ) -> BTreeMap<&'static str, (usize, &'a OutputHandle)> {
        let Candidate { name, module, handles } = candidate;
        let mut found = BTreeMap::new();
        for (index, handle) in handles.output.iter().enumerate() {
            let place = candidate.output_place(index);
            let Some(output) = module.output(&handle.name) else {
                let hint = suggest(&handle.name, module.outputs.iter().map(|output| output.name));
                let message = format!("is no output of `{}`: `{}`{hint}", module.name, handle.name);
                self.problems.add(format!("{place}.name"), message);
                continue;
            };
            if !output.kind.is_related_to(handle.kind) {
                let message = format!("must be {} for `{}`, got {}", output.kind, output.name, handle.kind);
                self.problems.add(format!("{place}.type"), message);
            } else if let Some((first, _)) = found.get(output.name) {
                let first = candidate.output_place(*first);
                let message = format!("is `{}`, and {first} is that output already", handle.name);
                self.problems.add(format!("{place}.name"), message);
                continue;
            }
            found.insert(output.name, (index, handle));
        }
        for output in module.outputs.iter().filter(|output| output.kind != HandleType::Figure) {
            if !found.contains_key(output.name) {
                let message = format!("lacks `{}`, which `{}` makes", output.name, module.name);
                self.problems.add(format!("handles.{name}.output"), message);
            }
        }
        found
    }

    /// The planes that it makes, which are there from now on.
    fn check_made(
        &mut self,
        candidate: Candidate<'a>,
        outputs: &BTreeMap<&'static str, (usize, &'a OutputHandle)>,
        images: &BTreeMap<&'static str, (&'a str, Option<HandleType>)>,
    ) -> Vec<BoundImage> {
        let mut made = Vec::new();
        for output in candidate.module.outputs {
            let Some((index, handle)) = outputs.get(output.name) else { continue };
            let Made::Key(key) = &handle.made else { continue };
            let place = format!("{}.key", candidate.output_place(*index));
            if let Some(source) = self.keys.find(key) {
                self.problems.add(place, format!("is `{key}`, which is taken by {}", source.maker));
                continue;
            }
            if output.kind == HandleType::SegmentedObjects {
                self.check_objects_name(&place, key);
            }
            let kind = kind_made(output, images);
            self.keys.add(key, Source::module(candidate.name, kind));
            made.extend(kind.map(|kind| BoundImage { name: output.name, key: key.clone(), kind }));
        }
        made
    }
}

/// What an output will be, where that is known.
fn kind_made(
    output: &Output,
    images: &BTreeMap<&'static str, (&str, Option<HandleType>)>,
) -> Option<HandleType> {
    let given = |input: &str| images.get(input).and_then(|(_, kind)| *kind);
    match output.makes {
        Makes::Image(kind) => Some(kind),
        // What is made of registered objects is not registered.
        Makes::Like(input) => given(input).map(|kind| match kind {
            HandleType::SegmentedObjects => HandleType::LabelImage,
            kind => kind,
        }),
        Makes::Inverse(input) => given(input).map(|kind| match kind {
            HandleType::IntensityImage => HandleType::IntensityImage,
            _ => HandleType::BinaryImage,
        }),
        Makes::Measurement(_) | Makes::Figure => None,
    }
}

fn with_article(kind: HandleType) -> String {
    let article = if kind.name().starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// Which module makes what is needed of what is there.
fn remedy(needed: HandleType, there: HandleType) -> &'static str {
    match (needed, there) {
        (HandleType::LabelImage, HandleType::BinaryImage) => "; `label` makes one of it",
        (HandleType::SegmentedObjects, HandleType::LabelImage | HandleType::BinaryImage) => {
            "; `register_objects` makes them of it"
        }
        (
            HandleType::MaskImage | HandleType::BinaryImage | HandleType::LabelImage,
            HandleType::IntensityImage,
        ) => "; a threshold makes a mask of it",
        _ => "",
    }
}
