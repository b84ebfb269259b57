//! What lies under which key.

use std::collections::BTreeMap;

use crate::jterator::HandleType;
use crate::jterator::project::Project;
use crate::jterator::project::handles::Made;
use crate::jterator::project::suggest::suggest;

/// What lies under a key.
#[derive(Debug, Clone)]
pub struct Source {
    /// What it is; `None` when its maker is wrong in a way that leaves it open.
    pub kind: Option<HandleType>,
    /// Who made it, as a message says it.
    pub maker: String,
}

impl Source {
    /// Images of a channel.
    pub fn channel() -> Self {
        Self { kind: Some(HandleType::IntensityImage), maker: "a channel of the pipeline's input".to_owned() }
    }

    /// Objects that were found before.
    pub fn objects() -> Self {
        Self { kind: Some(HandleType::SegmentedObjects), maker: "the pipeline's input objects".to_owned() }
    }

    /// An output of a module.
    pub fn module(name: &str, kind: Option<HandleType>) -> Self {
        Self { kind, maker: format!("`{name}`") }
    }
}

/// The keys that are there so far, and who makes which key at all.
pub struct Keys<'a> {
    there: BTreeMap<&'a str, Source>,
    /// The first module with that output, and whether it is active.
    makers: BTreeMap<&'a str, (&'a str, bool)>,
}

impl<'a> Keys<'a> {
    /// No key is there yet.
    pub fn new(project: &'a Project) -> Self {
        let mut makers = BTreeMap::new();
        for item in &project.pipeline.items {
            let Some((name, handles)) = project.handles.get_key_value(item.module_name()) else { continue };
            for output in &handles.output {
                let Made::Key(key) = &output.made else { continue };
                let maker = makers.entry(key.as_str()).or_insert((name.as_str(), item.active));
                if item.active && !maker.1 {
                    *maker = (name, true);
                }
            }
        }
        Self { there: BTreeMap::new(), makers }
    }

    /// What lies under a key so far.
    pub fn find(&self, key: &str) -> Option<&Source> {
        self.there.get(key)
    }

    /// From now on this lies under the key.
    pub fn add(&mut self, key: &'a str, source: Source) {
        self.there.insert(key, source);
    }

    /// All keys that are there so far.
    pub fn all(&self) -> impl Iterator<Item = (&'a str, &Source)> {
        self.there.iter().map(|(key, source)| (*key, source))
    }

    /// The inactive module that would make what nobody else makes.
    pub fn inactive_maker(&self, key: &str) -> Option<&'a str> {
        self.makers.get(key).filter(|(_, active)| !active).map(|(maker, _)| *maker)
    }

    /// Why a key is not there when `module` asks for it, as the rest of a sentence.
    pub fn why_absent(&self, key: &str, module: &str, channels: &[String]) -> String {
        match self.makers.get(key) {
            Some((maker, _)) if *maker == module => {
                format!("names `{key}`, which is an output of the module itself")
            }
            Some((maker, true)) => format!("names `{key}`, which `{maker}` makes only later"),
            Some((maker, false)) => {
                format!("names `{key}`, which `{maker}` would make, but that is inactive")
            }
            None if channels.iter().any(|channel| channel == key) => {
                format!("names channel `{key}`, which is not in pipeline.input.channels")
            }
            None => {
                let hint = suggest(key, self.there.keys().copied());
                format!("names `{key}`, which no module makes before{hint}")
            }
        }
    }
}
