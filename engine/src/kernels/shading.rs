//! Correcting an image by two planes of coefficients, as illumination and flat-field do it on the CPU.

use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, Pixel, Plane, PlaneRef};
use crate::parallel;

/// The two planes, and what messages call the correction.
pub(crate) struct ShadingPlanes<'a> {
    /// What messages call it.
    pub(crate) what: &'static str,
    /// The first plane.
    pub(crate) first: &'a Plane<f32>,
    /// The second plane.
    pub(crate) second: &'a Plane<f32>,
}

impl ShadingPlanes<'_> {
    /// Refuses images of another size than the planes.
    pub(crate) fn check<T: Pixel>(&self, images: &[PlaneRef<'_, T>]) -> Result<()> {
        for image in images {
            for plane in [self.first, self.second] {
                if plane.size() != image.size() {
                    return Err(EngineError::Shape {
                        what: self.what,
                        expected: image.size().to_string(),
                        actual: plane.size().to_string(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Corrects an image into a plane that exists already, row by row: `correct_row` gets a row of the
    /// image, of the first and of the second plane, and of the output.
    pub(crate) fn apply_into<T: GreyPixel>(
        &self,
        source: PlaneRef<'_, T>,
        output: &mut Plane<T>,
        correct_row: impl Fn(&[T], &[f32], &[f32], &mut [T]) + Send + Sync,
    ) -> Result<()> {
        let size = source.size();
        self.check(&[source])?;
        if output.size() != size {
            return Err(EngineError::Shape {
                what: self.what,
                expected: size.to_string(),
                actual: output.size().to_string(),
            });
        }
        parallel::for_each_band(output.pixels_mut(), size.width, |first, rows| {
            for (index, out) in rows.chunks_exact_mut(size.width).enumerate() {
                let row = first + index;
                correct_row(source.row(row), self.first.row(row), self.second.row(row), out);
            }
        });
        Ok(())
    }
}
