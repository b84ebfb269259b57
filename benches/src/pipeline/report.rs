//! What the steps of a pipeline took, as a table for people and as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};
use tm_server::jterator::run::SegmentedObjects;

use crate::report::Machine;

/// Figures of a pipeline at one site.
#[derive(Debug, Serialize)]
pub struct PipelineReport {
    /// Where.
    pub machine: Machine,
    /// Height of the images in pixels.
    pub image_height: usize,
    /// Width of the images in pixels.
    pub image_width: usize,
    /// Runs of which the medians are.
    pub runs: usize,
    /// Module by module, in their order.
    pub modules: Vec<ModuleFigure>,
    /// Median time of a whole run on one thread, in seconds.
    pub seconds: f64,
    /// Objects by the name of their type.
    pub objects: BTreeMap<String, ObjectFigure>,
    /// The same in Python.
    pub peer: Option<Peer>,
}

/// The speed of one module.
#[derive(Debug, Serialize)]
pub struct ModuleFigure {
    /// Its name in the pipeline.
    pub name: String,
    /// Median time on one thread, in seconds.
    pub seconds: f64,
}

/// What the script of the peer says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub struct Peer {
    /// Libraries with their versions.
    pub libraries: String,
    /// Median time of each module, in seconds.
    pub modules: BTreeMap<String, f64>,
    /// Median time of a whole run, in seconds.
    pub seconds: f64,
    /// Objects by the name of their type.
    pub objects: BTreeMap<String, ObjectFigure>,
}

/// What was found of one type of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectFigure {
    /// Objects.
    pub count: usize,
    /// Values measured of each.
    pub features: usize,
}

impl ObjectFigure {
    /// Of what a run found.
    pub fn of(objects: &SegmentedObjects) -> Self {
        let tables = || objects.tables.values();
        Self {
            count: tables().map(|table| table.labels.len()).sum(),
            features: tables().map(|table| table.columns.len()).max().unwrap_or(0),
        }
    }
}

impl PipelineReport {
    /// How many times as long the peer takes.
    pub fn ratio(&self) -> Option<f64> {
        self.peer.as_ref().map(|peer| peer.seconds / self.seconds)
    }

    fn row(&self, formatter: &mut Formatter<'_>, name: &str, seconds: f64, peer: Option<f64>) -> fmt::Result {
        write!(formatter, "{name:<34} {:>10.2}", seconds * 1e3)?;
        if let Some(peer) = peer {
            write!(formatter, " {:>10.2} {:>7.1}", peer * 1e3, peer / seconds)?;
        }
        writeln!(formatter)
    }
}

impl Display for PipelineReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.machine)?;
        let Self { image_height, image_width, runs, peer, .. } = self;
        writeln!(
            formatter,
            "\nfour channels of {image_height}×{image_width} pixels, one thread, medians of {runs} runs"
        )?;
        if let Some(peer) = peer {
            writeln!(formatter, "peer: {}", peer.libraries)?;
        }
        write!(formatter, "{:<34} {:>10}", "module", "ms")?;
        writeln!(formatter, "{}", peer.as_ref().map_or("", |_| "    peer ms   ratio"))?;
        for module in &self.modules {
            let of_peer = peer.as_ref().and_then(|peer| peer.modules.get(&module.name).copied());
            self.row(formatter, &module.name, module.seconds, of_peer)?;
        }
        self.row(formatter, "the whole pipeline", self.seconds, peer.as_ref().map(|peer| peer.seconds))?;
        writeln!(formatter, "\n{:<34} {:>10} {:>10}", "objects", "number", "features")?;
        for (name, ObjectFigure { count, features }) in &self.objects {
            writeln!(formatter, "{name:<34} {count:>10} {features:>10}")?;
        }
        let of_peer = self.peer.iter().flat_map(|peer| &peer.objects);
        for (name, ObjectFigure { count, features }) in of_peer {
            writeln!(formatter, "{:<34} {count:>10} {features:>10}", format!("{name} of the peer"))?;
        }
        Ok(())
    }
}
