//! The fit of a flat-field; the definition is the documentation of the module above.

use super::FlatfieldCorrection;
use super::reduce::{Reducer, enlarge};
use super::solver::{Dark, Solver, mean_of, not_brighter, refused};
use crate::error::{EngineError, Result};
use crate::image::{GreyPlane, Plane, Size};

/// Fewest images of a fit.
pub const LEAST_FIT_IMAGES: usize = 5;
/// Most images of a fit: 270 MB of memory at 128×128. More gain next to nothing.
pub const MAX_FIT_IMAGES: usize = 512;
/// Longest edge of a plane in the fit.
const FIT_EDGE: usize = 128;
/// Images of a channel for a fit, reduced to its size when they are added.
#[derive(Debug, Clone)]
pub struct FlatfieldImages {
    size: Size,
    reduced_size: Size,
    reducer: Reducer,
    images: Vec<Vec<f64>>,
}

/// A flat-field that was fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Flatfield {
    /// `S`: how much light each pixel gets; mean 1.
    pub profile: Plane<f64>,
    /// `D` in counts, as it was given or fitted.
    pub darkfield: Plane<f64>,
    /// `B_i` of each image in the order of adding, in counts above the dark-field: the baseline of
    /// a time lapse.
    pub brightness: Vec<f64>,
    /// Whether the last round of the fit ended with a residual small enough.
    pub converged: bool,
}

impl Flatfield {
    /// The correction of this channel's images.
    pub fn correction(&self) -> FlatfieldCorrection {
        FlatfieldCorrection::new(&self.profile, &self.darkfield)
            .expect("profile and dark-field have one size")
    }
}

/// What was solved: profile, brightness and, at the size of the fit, the dark-field in counts.
struct Solved {
    profile: Plane<f64>,
    brightness: Vec<f64>,
    dark: Vec<f64>,
    converged: bool,
}

impl FlatfieldImages {
    /// No images of this size.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] for a size without pixels.
    pub fn new(size: Size) -> Result<Self> {
        if size.height == 0 || size.width == 0 {
            return Err(EngineError::Parameter {
                name: "images",
                problem: format!("of a flat-field need pixels, but are {size}"),
            });
        }
        let reduced_size = Size::new(size.height.min(FIT_EDGE), size.width.min(FIT_EDGE));
        let reducer = Reducer::new(size, reduced_size);
        Ok(Self { size, reduced_size, reducer, images: Vec::new() })
    }

    /// Number of images added.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// Adds an image.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when it has another size; [`EngineError::Parameter`] beyond
    /// [`MAX_FIT_IMAGES`]. Nothing is added then.
    pub fn add(&mut self, image: &GreyPlane) -> Result<()> {
        if image.size() != self.size {
            return Err(self.wrong_size("image of a flat-field", image.size()));
        }
        if self.images.len() >= MAX_FIT_IMAGES {
            return Err(EngineError::Parameter {
                name: "images",
                problem: format!("of a flat-field may be {MAX_FIT_IMAGES} at most"),
            });
        }
        self.images.push(self.reducer.reduce(|row, values| match image {
            GreyPlane::U8(plane) => values.extend(plane.row(row).iter().map(|value| f64::from(*value))),
            GreyPlane::U16(plane) => values.extend(plane.row(row).iter().map(|value| f64::from(*value))),
        }));
        Ok(())
    }

    /// Fits the flat-field for a dark-field in counts: an image taken without light, or the offset
    /// of the camera at every pixel.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the dark-field has another size; [`EngineError::Parameter`] when
    /// it is not finite, with fewer than [`LEAST_FIT_IMAGES`] images, and when these are not
    /// brighter than the dark-field.
    pub fn fit(&self, darkfield: &Plane<f64>) -> Result<Flatfield> {
        if darkfield.size() != self.size {
            return Err(self.wrong_size("dark-field of a flat-field", darkfield.size()));
        }
        if !darkfield.pixels().iter().all(|value| value.is_finite()) {
            return Err(refused("darkfield", "must be finite at every pixel"));
        }
        let dark = self.reducer.reduce(|row, values| values.extend_from_slice(darkfield.row(row)));
        let solved = self.solve(&dark, Dark::TakenOff)?;
        Ok(Flatfield {
            profile: solved.profile,
            darkfield: darkfield.clone(),
            brightness: solved.brightness,
            converged: solved.converged,
        })
    }

    /// Fits flat-field and dark-field. The dark-field is as good as the backgrounds are different:
    /// where all are equally bright nothing tells it from the light, so measure it if you can.
    ///
    /// # Errors
    /// [`EngineError::Parameter`] with fewer than [`LEAST_FIT_IMAGES`] images, and when these are
    /// black.
    pub fn fit_with_darkfield(&self) -> Result<Flatfield> {
        let solved = self.solve(&vec![0.0; self.reduced_size.area()], Dark::Estimated)?;
        Ok(Flatfield {
            profile: solved.profile,
            darkfield: enlarge(&solved.dark, self.reduced_size, self.size),
            brightness: solved.brightness,
            converged: solved.converged,
        })
    }

    fn solve(&self, darkfield: &[f64], dark: Dark) -> Result<Solved> {
        if self.images.len() < LEAST_FIT_IMAGES {
            return Err(EngineError::Parameter {
                name: "images",
                problem: format!(
                    "of a flat-field must be {LEAST_FIT_IMAGES} at least, not {}",
                    self.images.len()
                ),
            });
        }
        let mut stack = Vec::with_capacity(self.images.len() * self.reduced_size.area());
        for image in &self.images {
            stack.extend(image.iter().zip(darkfield).map(|(value, dark)| value - dark));
        }
        let mean = mean_of(&stack);
        if !(mean.is_finite() && mean > 0.0) {
            return Err(not_brighter());
        }
        stack.iter_mut().for_each(|value| *value /= mean);
        let mut solver = Solver::new(self.reduced_size, stack, dark)?;
        let converged = solver.run()?;
        let mut profile = enlarge(&solver.profile, self.reduced_size, self.size);
        let profile_mean = mean_of(profile.pixels());
        if !(profile_mean.is_finite() && profile_mean > 0.0) {
            return Err(not_brighter());
        }
        profile.pixels_mut().iter_mut().for_each(|value| *value /= profile_mean);
        let scale = mean * mean_of(&solver.surface) * profile_mean;
        let brightness = solver.brightness.iter().map(|value| (value - solver.level) * scale).collect();
        let darks = solver.offset.iter().zip(&solver.surface);
        let dark = darks.map(|(offset, surface)| mean * (offset + solver.level * surface)).collect();
        Ok(Solved { profile, brightness, dark, converged })
    }

    fn wrong_size(&self, what: &'static str, actual: Size) -> EngineError {
        EngineError::Shape { what, expected: self.size.to_string(), actual: actual.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Noise;

    #[test]
    fn the_fit_is_the_same_to_the_last_bit_for_any_number_of_threads() {
        let size = Size::new(70, 140);
        let mut images = FlatfieldImages::new(size).expect("the images have pixels");
        let mut noise = Noise::new(1);
        for _ in 0..6 {
            images.add(&noise.plane::<u16>(size).into()).expect("images of one size");
        }
        let fit = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            pool.install(|| images.fit(&Plane::zeros(size))).expect("the images are bright")
        };
        let one = fit(1);
        for threads in [2, 5] {
            assert_eq!(fit(threads), one, "{threads} threads");
        }
    }
}
