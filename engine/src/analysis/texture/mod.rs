//! How the intensity of each object varies over its pixels.
//!
//! Five families, each defined in its file: responses to Gabor filters, threshold adjacency statistics
//! (TAS), Hu's moment invariants, local binary patterns (LBP) and statistics of co-occurrence (Haralick). Their
//! columns come in this order.
//!
//! The original's columns of TAS, and of Haralick with several scales, had each other's names (D24); a pattern or
//! statistic of an object also counted pixels beside it, or was blind to its contrast (D25).
//! [`Options::compatible`] brings the old numbers back; each file says which.

mod crop;
mod gabor;
mod haralick;
mod hu;
mod lbp;
mod tas;

use crate::error::{EngineError, Result};
use crate::image::{GreyPlane, Plane};

use super::{Measurements, Region, Regions, check_size, grey_values};

/// Radii and scales above this are refused: every object is cut out with as many pixels around it.
pub const MAX_DISTANCE_PX: u32 = 100;
/// Wavelengths above this are refused.
pub const MAX_WAVELENGTH_PX: u32 = 10_000;

/// What to measure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Wavelengths of Gabor filters in pixels, though clients call them frequencies (D23). Below 2, the finest that
    /// pixels can show, a filter degenerates to its envelope.
    pub frequencies: Vec<u32>,
    /// Whether to measure threshold adjacency statistics.
    pub measure_tas: bool,
    /// Whether to measure local binary patterns.
    pub measure_lbp: bool,
    /// Radii of local binary patterns in pixels.
    pub radii: Vec<u32>,
    /// Whether to measure statistics of co-occurrence.
    pub measure_haralick: bool,
    /// Distances of co-occurring pixels.
    pub scales: Vec<u32>,
    /// Whether to give the original's numbers where they were wrong.
    pub compatible: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            frequencies: vec![1, 5, 10],
            measure_tas: false,
            measure_lbp: false,
            radii: vec![1, 5, 10],
            measure_haralick: false,
            scales: vec![1, 2],
            compatible: false,
        }
    }
}

impl Options {
    /// The names of the columns, in their order.
    ///
    /// ```
    /// use tm_engine::analysis::texture::Options;
    /// let columns = Options { frequencies: vec![5, 1, 5], ..Options::default() }.columns();
    /// assert_eq!(columns[..3], ["Texture_Gabor-frequency-1", "Texture_Gabor-frequency-5", "Texture_Hu-0"]);
    /// assert_eq!(columns.len(), 2 + 7);
    /// ```
    pub fn columns(&self) -> Vec<String> {
        let wanted = Wanted::of(self);
        let mut columns = gabor::columns(&wanted.frequencies);
        if wanted.tas {
            columns.extend(tas::columns());
        }
        columns.extend(hu::columns());
        columns.extend(lbp::columns(&wanted.radii));
        columns.extend(haralick::columns(&wanted.scales));
        columns
    }

    /// Refuses distances that are out of range.
    fn check(&self) -> Result<()> {
        for (name, values, most) in [
            ("frequencies", &self.frequencies, MAX_WAVELENGTH_PX),
            ("radii", &self.radii, MAX_DISTANCE_PX),
            ("scales", &self.scales, MAX_DISTANCE_PX),
        ] {
            if let Some(wrong) = values.iter().find(|value| !(1..=most).contains(*value)) {
                let problem = format!("are pixels from 1 to {most}, not {wrong}");
                return Err(EngineError::Parameter { name, problem });
            }
        }
        Ok(())
    }
}

/// The options as sets, those of families that are not measured empty.
struct Wanted {
    frequencies: Vec<u32>,
    tas: bool,
    radii: Vec<u32>,
    scales: Vec<u32>,
    compatible: bool,
}

impl Wanted {
    fn of(options: &Options) -> Self {
        let set = |wanted: bool, values: &[u32]| {
            let mut set = if wanted { values.to_vec() } else { Vec::new() };
            set.sort_unstable();
            set.dedup();
            set
        };
        Self {
            frequencies: set(true, &options.frequencies),
            tas: options.measure_tas,
            radii: set(options.measure_lbp, &options.radii),
            scales: set(options.measure_haralick, &options.scales),
            compatible: options.compatible,
        }
    }
}

/// Measures the texture of every object: the columns are [`Options::columns`].
///
/// # Errors
/// [`EngineError::Shape`] when the image has another size than the label image, [`EngineError::Parameter`] when a
/// distance is out of range or the boxes of the objects cover the image too often.
pub fn measure(regions: &Regions, image: &GreyPlane, options: &Options) -> Result<Measurements> {
    check_size("intensity image", regions.size(), image.size())?;
    options.check()?;
    regions.check_coverage()?;
    let counts = grey_values(image);
    let image = match image {
        GreyPlane::U8(_) => &image.clone().into_u16(),
        GreyPlane::U16(plane) => plane,
    };
    let wanted = Wanted::of(options);
    let texture = Texture {
        image,
        tas: wanted.tas.then(|| tas::Statistics::of(&counts, wanted.compatible)),
        patterns: lbp::Patterns::of(&wanted.radii, wanted.compatible),
        levels: haralick::Levels::of(&counts, wanted.compatible),
        wanted: &wanted,
    };
    let rows = regions.map_with(haralick::Pairs::default, |pairs, region| texture.row(region, pairs));
    let mut table = Measurements::of(regions.labels().to_vec());
    table.push_rows(&options.columns(), &rows);
    Ok(table)
}

/// What the texture of one object depends on besides its pixels.
struct Texture<'a> {
    image: &'a Plane<u16>,
    wanted: &'a Wanted,
    tas: Option<tas::Statistics>,
    patterns: lbp::Patterns,
    levels: haralick::Levels,
}

impl Texture<'_> {
    /// The features of one object, in the order of the columns.
    fn row(&self, region: Region<'_>, pairs: &mut haralick::Pairs) -> Vec<f64> {
        let mut row = gabor::responses(region, self.image, &self.wanted.frequencies);
        if let Some(tas) = &self.tas {
            row.extend(tas.measure(region, self.image));
        }
        row.extend(hu::invariants(region, self.image));
        row.extend(self.patterns.count(region, self.image));
        if !self.wanted.scales.is_empty() {
            row.extend(self.levels.measure(region, self.image, &self.wanted.scales, pairs));
        }
        row
    }
}
