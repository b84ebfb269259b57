//! Whether a project can run, in an experiment as it is.
//!
//! Modules are looked at in their order, with the keys that are there by then. Those that are inactive only have to
//! be well formed: they may be unfinished, or of a kind that this version does not have. A key whose maker is wrong
//! itself has an unknown type, and nobody who asks for it is blamed for that.

mod keys;
mod measurement;
mod module;
mod values;

use self::keys::{Keys, Source};
use self::measurement::MeasuredColumns;
use super::Project;
use super::bound::CheckedProject;
use super::pipeline::Item;
use super::problems::Problems;
use super::suggest::suggest;
use crate::jterator::HandleType;
use crate::jterator::modules::{self, Module};
use crate::resources::mapobject::{StaticType, check_type_name};

/// Endings of files of modules, which `source` may have or not.
const SUFFIXES: [&str; 5] = [".py", ".m", ".R", ".r", ".jl"];

/// What an experiment has that projects refer to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surroundings {
    /// Names of its channels. Without any, its images have not been read yet: then every channel and type of objects
    /// may be there by the time the project runs.
    pub channels: Vec<String>,
    /// Names of its types of objects.
    pub object_types: Vec<String>,
}

/// Check a project and resolve what it refers to. One without modules has nothing to run, and nothing wrong with it.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(project: &Project, surroundings: &Surroundings) -> Result<CheckedProject, Problems> {
    let mut checker = Checker {
        project,
        surroundings,
        keys: Keys::new(project),
        columns: MeasuredColumns::default(),
        problems: Problems::default(),
    };
    checker.check_inputs();
    let mut checked = CheckedProject {
        channels: project.pipeline.channels.clone(),
        objects: project.pipeline.objects.clone(),
        outputs: project.pipeline.outputs.clone(),
        modules: Vec::new(),
    };
    for (index, item) in project.pipeline.items.iter().enumerate() {
        checked.modules.extend(checker.check_item(index, item));
    }
    checker.check_outputs();
    checker.problems.into_result()?;
    Ok(checked)
}

/// The state of a check: what there is before the next module.
struct Checker<'a> {
    project: &'a Project,
    surroundings: &'a Surroundings,
    keys: Keys<'a>,
    columns: MeasuredColumns,
    problems: Problems,
}

impl<'a> Checker<'a> {
    /// Channels and objects that the pipeline takes from the experiment.
    fn check_inputs(&mut self) {
        let known = !self.surroundings.channels.is_empty();
        for (index, channel) in self.project.pipeline.channels.iter().enumerate() {
            let place = format!("pipeline.input.channels[{index}].name");
            if known {
                self.check_known(&place, "channel", &channel.name, &self.surroundings.channels);
            }
            self.keys.add(&channel.name, Source::channel());
        }
        for (index, objects) in self.project.pipeline.objects.iter().enumerate() {
            let place = format!("pipeline.input.objects[{index}].name");
            if StaticType::find(&objects.name).is_some() {
                let message = format!("cannot be `{}`: these objects are parts of the map", objects.name);
                self.problems.add(place, message);
                continue;
            }
            if known {
                self.check_known(&place, "type of objects", &objects.name, &self.surroundings.object_types);
            }
            if self.keys.find(&objects.name).is_some() {
                let message = format!("is `{}`, and so is a channel of the pipeline's input", objects.name);
                self.problems.add(place, message);
                continue;
            }
            self.keys.add(&objects.name, Source::objects());
        }
    }

    fn check_known(&mut self, place: &str, what: &str, name: &str, known: &[String]) {
        if known.iter().any(|known| known == name) {
            return;
        }
        let hint = suggest(name, known.iter().map(String::as_str));
        self.problems.add(place, format!("names a {what} that the experiment does not have: `{name}`{hint}"));
    }

    /// The module of an item; `None` where there is none, or a file is named that is no module's.
    fn find_module(&mut self, index: usize, item: &Item) -> Option<&'static Module> {
        let place = format!("pipeline.pipeline[{index}].source");
        if item.source.contains(['/', '\\', '$', '~']) {
            let file = item.source.rsplit(['/', '\\']).next().unwrap_or_default();
            let hint =
                modules::find(stem(file)).map(|_| format!("; did you mean `{file}`?")).unwrap_or_default();
            let message = "must be the plain name of a module such as `smooth.py`: paths are not followed";
            self.problems.add(place, format!("{message}{hint}"));
            return None;
        }
        let stem = stem(&item.source);
        let found = modules::find(stem);
        if found.is_none() && item.active {
            let hint = suggest(stem, modules::ALL.iter().map(|module| module.name));
            self.problems
                .add(place, format!("names a module that this server does not have: `{stem}`{hint}"));
        }
        found
    }

    /// Types of objects that the pipeline saves.
    fn check_outputs(&mut self) {
        for (index, output) in self.project.pipeline.outputs.iter().enumerate() {
            let place = format!("pipeline.output.objects[{index}].name");
            let name = &output.name;
            let registered = |source: &Source| source.kind == Some(HandleType::SegmentedObjects);
            if self.keys.find(name).is_some_and(registered) {
                continue;
            }
            let message = match self.keys.inactive_maker(name) {
                Some(maker) => format!("is `{name}`, which `{maker}` would register, but that is inactive"),
                None => {
                    let names =
                        self.keys.all().filter(|(_, source)| registered(source)).map(|(name, _)| name);
                    format!(
                        "is `{name}`, and no module registers objects of that name{}",
                        suggest(name, names)
                    )
                }
            };
            self.problems.add(place, message);
        }
    }

    /// The name of a type of objects that a module registers.
    fn check_objects_name(&mut self, place: &str, name: &str) {
        if StaticType::find(name).is_some() {
            self.problems.add(place, format!("cannot be `{name}`: these objects are parts of the map"));
        } else if check_type_name(name).is_err() {
            self.problems.add(place, "must have 1 to 50 printable characters: it names objects");
        }
    }
}

/// The name of a module's file without its ending.
fn stem(file: &str) -> &str {
    SUFFIXES.iter().find_map(|suffix| file.strip_suffix(suffix)).unwrap_or(file)
}
