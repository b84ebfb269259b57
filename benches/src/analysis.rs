//! Measuring image analysis: the steps from pixels to objects that take longest, on one thread.

use std::fmt::{self, Display, Formatter};

use anyhow::Result;
use serde::Serialize;
use tm_engine::analysis::{
    AdaptiveMethod, AdaptiveThreshold, BlobRules, ClumpRules, Connectivity, Disc, Extremum, Mask,
    ObjectFeature, SecondaryRules, Smoothing, SmoothingMethod, ThresholdBounds, above_otsu, borders,
    detect_blobs, expand_or_shrink, extremum, fill_holes, gaussian, label, segment_secondary, select,
    separate_clumps, spot_response, watershed,
};
use tm_engine::image::{GreyPlane, Plane, Size};
use tm_engine::kernels::Noise;

use crate::kernels::{CAMERA, median_seconds};
use crate::report::Machine;

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Measures only steps whose name contains this.
    pub filter: String,
    /// Time for each figure in seconds.
    pub seconds: f64,
    /// Size of the images.
    pub size: Size,
}

impl Options {
    /// Figures that can be quoted, on a camera image.
    pub fn full(filter: String, seconds: f64) -> Self {
        Self { filter, seconds, size: CAMERA }
    }
}

/// Figures of all steps.
#[derive(Debug, Serialize)]
pub struct AnalysisReport {
    /// Where.
    pub machine: Machine,
    /// Height of the images in pixels.
    pub image_height: usize,
    /// Width of the images in pixels.
    pub image_width: usize,
    /// Objects in the images.
    pub objects: usize,
    /// Step by step.
    pub steps: Vec<AnalysisFigure>,
}

/// The speed of one step.
#[derive(Debug, Serialize)]
pub struct AnalysisFigure {
    /// Algorithm and parameters.
    pub name: &'static str,
    /// Median time of one run on one thread, in seconds.
    pub seconds: f64,
    /// Million pixels per second.
    pub megapixels_per_second: f64,
}

impl Display for AnalysisReport {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.machine)?;
        let size = Size::new(self.image_height, self.image_width);
        writeln!(formatter, "\nimages of {size} pixels with {} nuclei, one thread", self.objects)?;
        writeln!(formatter, "{:<46} {:>10} {:>8}", "step", "ms", "MPix/s")?;
        for figure in &self.steps {
            writeln!(formatter, "{figure}")?;
        }
        Ok(())
    }
}

impl Display for AnalysisFigure {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let milliseconds = self.seconds * 1e3;
        write!(formatter, "{:<46} {milliseconds:>10.2} {:>8.1}", self.name, self.megapixels_per_second)
    }
}

/// Measures all steps on one thread. `progress` is told each figure when it is there.
///
/// # Errors
/// Those of the engine, none of which is expected here.
pub fn measure_all(options: &Options, progress: impl Fn(&AnalysisFigure)) -> Result<AnalysisReport> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let site = Site::new(options.size);
    let inputs = pool.install(|| Inputs::new(site))?;
    let mut report = AnalysisReport {
        machine: Machine::new(None),
        image_height: options.size.height,
        image_width: options.size.width,
        objects: inputs.nuclei_count,
        steps: Vec::new(),
    };
    for (name, step) in STEPS.iter().filter(|(name, _)| name.contains(&options.filter)) {
        let seconds = pool.install(|| median_seconds(options.seconds, &mut |_| step(&inputs)))?;
        let megapixels_per_second = options.size.area() as f64 / seconds / 1e6;
        let figure = AnalysisFigure { name, seconds, megapixels_per_second };
        progress(&figure);
        report.steps.push(figure);
    }
    Ok(report)
}

/// A step of image analysis.
type Step = fn(&Inputs) -> tm_engine::Result<()>;

/// What is measured.
const STEPS: &[(&str, Step)] = &[
    ("gaussian, sigma 5", |inputs| gaussian(&inputs.site.nuclei, 5.0).map(drop)),
    ("gaussian, sigma 10", |inputs| gaussian(&inputs.site.cells, 10.0).map(drop)),
    ("average, 21", |inputs| smooth(SmoothingMethod::Average, 21, inputs)),
    ("median, 3", |inputs| smooth(SmoothingMethod::Median, 3, inputs)),
    ("median, 5", |inputs| smooth(SmoothingMethod::Median, 5, inputs)),
    ("median, 15", |inputs| smooth(SmoothingMethod::Median, 15, inputs)),
    ("bilateral, 5", |inputs| smooth(SmoothingMethod::Bilateral, 5, inputs)),
    ("extremum, radius 5", |inputs| {
        Disc::within(24).map(|disc| drop(extremum(&inputs.smooth_cells, disc, Extremum::Max)))
    }),
    ("threshold, Otsu", |inputs| {
        above_otsu(&inputs.smooth_nuclei, 1.0, ThresholdBounds::default()).map(drop)
    }),
    ("threshold, Niblack 211", |inputs| {
        adaptive(AdaptiveMethod::Niblack)?.apply(&inputs.smooth_nuclei).map(drop)
    }),
    ("threshold, cross-correlation 211", |inputs| {
        adaptive(AdaptiveMethod::CrossCorrelation)?.apply(&inputs.smooth_nuclei).map(drop)
    }),
    ("fill holes", |inputs| {
        drop(fill_holes(&inputs.foreground, Connectivity::Eight));
        Ok(())
    }),
    ("label", |inputs| {
        drop(label(&inputs.foreground, Connectivity::Eight));
        Ok(())
    }),
    ("borders", |inputs| {
        drop(borders(&inputs.labels, Connectivity::Eight));
        Ok(())
    }),
    ("separate clumps", |inputs| separate_clumps(&inputs.foreground, &clumps()).map(drop)),
    ("select by area", |inputs| {
        select(&inputs.labels, ObjectFeature::Area, Some(700.0), None, false).map(drop)
    }),
    ("watershed of the whole image", |inputs| {
        watershed(&inputs.smooth_nuclei, &inputs.labels, None).map(drop)
    }),
    ("segment secondary", |inputs| {
        segment_secondary(&inputs.labels, &inputs.smooth_cells, &secondary()).map(drop)
    }),
    ("expand by 10", |inputs| {
        drop(expand_or_shrink(&inputs.labels, 10, false));
        Ok(())
    }),
    ("Laplacian of Gaussian, 5", |inputs| spot_response(&inputs.site.spots, 5, None).map(drop)),
    ("detect blobs", |inputs| {
        let rules = BlobRules { threshold: 2.0, min_area: 3, ..BlobRules::default() };
        detect_blobs(&inputs.site.spots, &inputs.cell_mask, &rules).map(drop)
    }),
];

fn smooth(method: SmoothingMethod, size: usize, inputs: &Inputs) -> tm_engine::Result<()> {
    Smoothing::new(method, size, false).map(|smoothing| drop(smoothing.apply(&inputs.site.nuclei)))
}

fn adaptive(method: AdaptiveMethod) -> tm_engine::Result<AdaptiveThreshold> {
    AdaptiveThreshold::new(method, 211, 0.0, ThresholdBounds { min: Some(400.0), max: None })
}

fn clumps() -> ClumpRules {
    ClumpRules { min_cut_area: 1000.0, max_convexity: 0.95, min_area: 3000.0, ..ClumpRules::default() }
}

fn secondary() -> SecondaryRules {
    SecondaryRules { min_threshold: 180.0, max_threshold: 300.0, ..SecondaryRules::default() }
}

/// A site of the benchmark pipeline: about 300 nuclei, of which neighbours may touch, in cells with spots.
struct Site {
    nuclei: GreyPlane,
    cells: GreyPlane,
    spots: GreyPlane,
}

/// Pixels from nucleus to nucleus.
const SPACING: usize = 136;

impl Site {
    fn new(size: Size) -> Self {
        let mut noise = Noise::new(7);
        let mut below = |end: u16| usize::from(noise.next_u16() % end);
        let (mut nuclei, mut cells) = (Plane::<f32>::zeros(size), Plane::<f32>::zeros(size));
        for row in (0..size.height).step_by(SPACING) {
            for column in (0..size.width).step_by(SPACING) {
                let (y, x, radius) = (row + 40 + below(56), column + 40 + below(56), 30.0 + below(16) as f32);
                let rows = y.saturating_sub(2 * SPACING)..(y + 2 * SPACING).min(size.height);
                for row in rows {
                    for column in x.saturating_sub(2 * SPACING)..(x + 2 * SPACING).min(size.width) {
                        let far = (row.abs_diff(y).pow(2) + column.abs_diff(x).pow(2)) as f32;
                        let far = far.sqrt() / radius;
                        nuclei.row_mut(row)[column] += 3000.0 / (1.0 + (20.0 * (far - 1.0)).exp());
                        cells.row_mut(row)[column] += 900.0 * (-far * far / 2.5).exp();
                    }
                }
            }
        }
        let mut spots = Plane::<f32>::zeros(size);
        for _ in 0..size.area() / 300 {
            let height = 100.0 + below(400) as f32;
            let (y, x) = (below(u16::MAX) % size.height, below(u16::MAX) % size.width);
            for row in y.saturating_sub(2)..(y + 3).min(size.height) {
                for column in x.saturating_sub(2)..(x + 3).min(size.width) {
                    let far = (row.abs_diff(y).pow(2) + column.abs_diff(x).pow(2)) as f32;
                    spots.row_mut(row)[column] += height * (-far / 2.0).exp();
                }
            }
        }
        let mut camera = |plane: &Plane<f32>, noise_range: u16| {
            // Brightest where cells overlap, far below the end of the range; casts stop there in any case.
            let mut value =
                |row, column| 100 + (plane.get(row, column) as u16 / 2 + below(noise_range) as u16);
            GreyPlane::from(Plane::from_fn(size, &mut value))
        };
        Self { nuclei: camera(&nuclei, 60), cells: camera(&cells, 20), spots: camera(&spots, 20) }
    }
}

/// What the steps are given: made by the steps before them.
struct Inputs {
    site: Site,
    smooth_nuclei: GreyPlane,
    smooth_cells: GreyPlane,
    foreground: Mask,
    labels: Plane<i32>,
    nuclei_count: usize,
    cell_mask: Mask,
}

impl Inputs {
    fn new(site: Site) -> tm_engine::Result<Self> {
        let smooth_nuclei = gaussian(&site.nuclei, 5.0)?;
        let smooth_cells = gaussian(&site.cells, 10.0)?;
        let foreground =
            fill_holes(&adaptive(AdaptiveMethod::Niblack)?.apply(&smooth_nuclei)?, Connectivity::Eight);
        let separate = separate_clumps(&foreground, &clumps())?;
        let labels = select(&separate, ObjectFeature::Area, Some(700.0), None, false)?;
        let nuclei_count =
            labels.pixels().iter().max().and_then(|count| usize::try_from(*count).ok()).unwrap_or(0);
        let cell_mask = Mask::of_labels(&segment_secondary(&labels, &smooth_cells, &secondary())?);
        Ok(Self { site, smooth_nuclei, smooth_cells, foreground, labels, nuclei_count, cell_mask })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_a_positive_figure_and_the_image_has_nuclei() {
        let options = Options { filter: String::new(), seconds: 0.0, size: Size::new(300, 400) };
        let report = measure_all(&options, |_| ()).expect("the steps run");
        assert_eq!(report.steps.len(), STEPS.len());
        assert!(report.objects >= 4, "{} nuclei", report.objects);
        for figure in &report.steps {
            assert!(figure.seconds > 0.0 && figure.megapixels_per_second > 0.0, "{figure}");
        }
        assert!(report.to_string().lines().count() > STEPS.len());
    }
}
