//! Statistics over the images of a channel, as integer sums that can be merged in any order.

use std::borrow::Cow;
use std::sync::LazyLock;

use rayon::prelude::*;

use super::percentiles::{self, Percentiles, QUANTILES};
use super::{Correction, SMOOTHING_SIGMA_PX, smooth};
use crate::error::{EngineError, Result};
use crate::image::{BitDepth, GreyPixel, GreyPlane, Histogram, Plane, Size};
use crate::kernels::rows::RowLoops;
use crate::simd::{self, RowKernel};

/// Most images that one set of sums takes: 2¹⁹ squares of less than 2⁴⁵ fit 64 bits.
pub const MAX_IMAGES: u64 = 1 << 19;
/// One in fixed point.
const ONE: f64 = (1u32 << 20) as f64;
/// Pixels that one group of images is read for in one go: long enough for the processor to
/// fetch ahead, short enough for the sums to stay in the second-level cache.
const BLOCK: usize = 8192;
/// Pixels looked up at a time: they stay in the first-level cache until they are added.
const STRIP: usize = 512;
/// Images looked up before their logarithms are added to the sums: the sums are loaded and stored
/// once for all of them.
const GROUP: usize = 4;

/// `rint(log10(v) · 2²⁰)` for every 16-bit value; 0 for 0.
pub(super) static LOGARITHMS: LazyLock<Box<[u32; 65_536]>> = LazyLock::new(|| {
    let table: Vec<u32> = (0..=u16::MAX)
        .map(|value| (f64::from(value.max(1)).log10() * ONE).round_ties_even() as u32)
        .collect();
    table.into_boxed_slice().try_into().unwrap_or_else(|_| unreachable!("there are 65 536 16-bit values"))
});

/// Sums over images of the logarithms of each pixel, in fixed point, and of their squares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PixelSums {
    sums: Vec<u64>,
    squares: Vec<u64>,
}

impl PixelSums {
    /// Sums over no images of so many pixels.
    pub(super) fn new(pixels: usize) -> Self {
        Self { sums: vec![0; pixels], squares: vec![0; pixels] }
    }

    /// Number of pixels.
    pub(super) fn len(&self) -> usize {
        self.sums.len()
    }

    /// Adds what a device summed: of each pixel the sum and the sum of squares, 64 bits each, the
    /// lowest byte first. Bytes of pixels beyond the last one are left out.
    pub(super) fn add_bytes(&mut self, pixels: std::ops::Range<usize>, bytes: &[u8]) {
        let sums = self.sums[pixels.clone()].iter_mut().zip(&mut self.squares[pixels]);
        for ((sum, square), [added, added_square]) in sums.zip(bytes.as_chunks::<8>().0.as_chunks::<2>().0) {
            *sum += u64::from_le_bytes(*added);
            *square += u64::from_le_bytes(*added_square);
        }
    }
}

/// The numbers of [`IlluminationSums`], as they are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawSums<'a> {
    /// Number of images added.
    pub images: u64,
    /// Of each pixel the sum of the logarithms, in units of 2⁻²⁰.
    pub sums: Cow<'a, [u64]>,
    /// Of each pixel the sum of their squares, in units of 2⁻⁴⁰.
    pub squares: Cow<'a, [u64]>,
    /// Number of pixels of each grey value.
    pub histogram: Cow<'a, [u64]>,
    /// Sums over images of each quantile, in units of 1/99 999.
    pub quantiles: Cow<'a, [u64]>,
}

/// Sums over images of one channel: what statistics are made from.
///
/// Memory: 16 bytes per pixel, and 1.3 MB for histogram and quantiles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IlluminationSums {
    size: Size,
    depth: BitDepth,
    images: u64,
    sums: Vec<u64>,
    squares: Vec<u64>,
    histogram: Vec<u64>,
    quantiles: Vec<u64>,
}

impl IlluminationSums {
    /// Sums of no images of this size and depth.
    pub fn new(size: Size, depth: BitDepth) -> Self {
        Self {
            size,
            depth,
            images: 0,
            sums: vec![0; size.area()],
            squares: vec![0; size.area()],
            histogram: vec![0; Histogram::bins(depth)],
            quantiles: vec![0; QUANTILES],
        }
    }

    /// Height and width of the images in pixels.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Bits per pixel of the images.
    pub fn depth(&self) -> BitDepth {
        self.depth
    }

    /// Number of images added.
    pub fn images(&self) -> u64 {
        self.images
    }

    /// Adds one image.
    ///
    /// # Errors
    /// As [`add_all`](Self::add_all).
    pub fn add(&mut self, image: &GreyPlane) -> Result<()> {
        self.add_all(&[image])
    }

    /// Adds several images at once, which is faster: the sums cross memory once for all of them.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when size or depth of an image differ; [`EngineError::Parameter`]
    /// beyond [`MAX_IMAGES`]. Nothing is added then.
    pub fn add_all(&mut self, images: &[&GreyPlane]) -> Result<()> {
        self.images = self.check_all(images)?;
        self.add_logarithms(images);
        self.add_histograms(images);
        Ok(())
    }

    /// Sums of some images whose logarithms something else sums, while histograms are counted here.
    ///
    /// # Errors
    /// As [`add_all`](Self::add_all), and those of `sum`.
    pub(super) fn of_images(
        size: Size,
        depth: BitDepth,
        images: &[&GreyPlane],
        sum: impl FnOnce(&mut PixelSums) -> Result<()> + Send,
    ) -> Result<Self> {
        let mut all = Self::new(size, depth);
        all.images = all.check_all(images)?;
        let mut pixels = PixelSums::new(size.area());
        let (summed, ()) = rayon::join(|| sum(&mut pixels), || all.add_histograms(images));
        summed?;
        (all.sums, all.squares) = (pixels.sums, pixels.squares);
        Ok(all)
    }

    /// Checks images that are to be added, and returns how many there will be.
    fn check_all(&self, images: &[&GreyPlane]) -> Result<u64> {
        for image in images {
            self.check(image.size(), image.depth())?;
        }
        self.check_count(images.len() as u64)
    }

    /// Adds the images of other sums of the same channel.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when size or depth differ; [`EngineError::Parameter`] beyond
    /// [`MAX_IMAGES`]. Nothing is added then.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.check(other.size, other.depth)?;
        self.images = self.check_count(other.images)?;
        for (mine, theirs) in [
            (&mut self.sums, &other.sums),
            (&mut self.squares, &other.squares),
            (&mut self.histogram, &other.histogram),
            (&mut self.quantiles, &other.quantiles),
        ] {
            for (mine, theirs) in mine.iter_mut().zip(theirs) {
                *mine += theirs;
            }
        }
        Ok(())
    }

    /// All numbers, to store them.
    pub fn as_raw(&self) -> RawSums<'_> {
        RawSums {
            images: self.images,
            sums: self.sums.as_slice().into(),
            squares: self.squares.as_slice().into(),
            histogram: self.histogram.as_slice().into(),
            quantiles: self.quantiles.as_slice().into(),
        }
    }

    /// Sums from the numbers that [`as_raw`](Self::as_raw) gave.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when there are not as many as images of this size and depth have;
    /// [`EngineError::Parameter`] beyond [`MAX_IMAGES`].
    pub fn from_raw(size: Size, depth: BitDepth, raw: RawSums<'_>) -> Result<Self> {
        let (sums, squares, histogram, quantiles) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut all = Self { size, depth, images: 0, sums, squares, histogram, quantiles };
        all.images = all.check_count(raw.images)?;
        let lists = [
            ("sums of logarithms", size.area(), raw.sums, &mut all.sums),
            ("sums of squares", size.area(), raw.squares, &mut all.squares),
            ("histogram", Histogram::bins(depth), raw.histogram, &mut all.histogram),
            ("sums of quantiles", QUANTILES, raw.quantiles, &mut all.quantiles),
        ];
        for (what, wanted, given, list) in lists {
            if given.len() != wanted {
                return Err(EngineError::Shape {
                    what,
                    expected: format!("{wanted} numbers"),
                    actual: format!("{} numbers", given.len()),
                });
            }
            *list = given.into_owned();
        }
        Ok(all)
    }

    /// The sums of each pixel in parts of 32 bits, which floats hold exactly: for comparisons.
    pub(super) fn exact_values(&self) -> impl Iterator<Item = f64> {
        let halves = |sum: &u64| [(sum & 0xffff_ffff) as f64, (sum >> 32) as f64];
        self.sums.iter().chain(&self.squares).flat_map(halves)
    }

    /// Statistics of the images added so far.
    pub fn finish(&self) -> IlluminationStatistics {
        let moments = self.moments();
        IlluminationStatistics {
            images: self.images,
            depth: self.depth,
            std: moments.std(),
            mean: moments.mean,
            percentiles: Percentiles::from_sums(&self.quantiles, self.images),
            histogram: self.histogram.clone(),
        }
    }

    /// Means and sums of squared deviations, in log10 units; zeros when there are no images.
    pub fn moments(&self) -> Moments {
        let count = self.images.max(1);
        let pairs = || self.sums.par_iter().zip(&self.squares);
        let mean = pairs().map(|(sum, _)| *sum as f64 / count as f64 / ONE).collect();
        let squared_deviations = pairs()
            .map(|(sum, squares)| {
                let scaled = u128::from(count) * u128::from(*squares) - u128::from(*sum).pow(2);
                scaled as f64 / count as f64 / (ONE * ONE)
            })
            .collect();
        let plane = |pixels| Plane::new(self.size, pixels).expect("sums have one value per pixel");
        Moments { images: self.images, mean: plane(mean), squared_deviations: plane(squared_deviations) }
    }

    /// Adds logarithms only, without histogram and quantiles: for measuring that part alone. The
    /// sums are of no further use.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when size or depth of an image differ.
    #[doc(hidden)]
    pub fn add_logarithms_of(&mut self, images: &[&GreyPlane]) -> Result<()> {
        for image in images {
            self.check(image.size(), image.depth())?;
        }
        self.add_logarithms(images);
        Ok(())
    }

    /// Adds histogram and quantiles only, without logarithms: for measuring that part alone. The
    /// sums are of no further use.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when size or depth of an image differ.
    #[doc(hidden)]
    pub fn add_histograms_of(&mut self, images: &[&GreyPlane]) -> Result<()> {
        for image in images {
            self.check(image.size(), image.depth())?;
        }
        self.add_histograms(images);
        Ok(())
    }

    fn check(&self, size: Size, depth: BitDepth) -> Result<()> {
        if size == self.size && depth == self.depth {
            return Ok(());
        }
        Err(EngineError::Shape {
            what: "image of illumination statistics",
            expected: format!("{} at {} bits", self.size, self.depth.bits()),
            actual: format!("{size} at {} bits", depth.bits()),
        })
    }

    fn check_count(&self, more: u64) -> Result<u64> {
        let count = self.images.saturating_add(more);
        if count <= MAX_IMAGES {
            return Ok(count);
        }
        Err(EngineError::Parameter {
            name: "images",
            problem: format!("of illumination statistics may be {MAX_IMAGES} at most, not {count}"),
        })
    }

    fn add_logarithms(&mut self, images: &[&GreyPlane]) {
        let blocks = self.sums.par_chunks_mut(BLOCK).zip(self.squares.par_chunks_mut(BLOCK)).enumerate();
        blocks.with_min_len(8).for_each(|(index, (sums, squares))| {
            for group in images.chunks(GROUP) {
                let strips = sums.chunks_mut(STRIP).zip(squares.chunks_mut(STRIP)).enumerate();
                for (strip, (sums, squares)) in strips {
                    add_strip(group, index * BLOCK + strip * STRIP, sums, squares);
                }
            }
        });
    }

    fn add_histograms(&mut self, images: &[&GreyPlane]) {
        let threads = rayon::current_num_threads().div_ceil(images.len().max(1));
        // In groups, so that no more histograms exist at once than threads can work on.
        for group in images.chunks(rayon::current_num_threads()) {
            let counted: Vec<(Vec<u64>, Vec<u64>)> = group
                .par_iter()
                .map(|image| {
                    let histogram = percentiles::histogram(image, threads);
                    let mut quantiles = vec![0; QUANTILES];
                    percentiles::for_each_quantile(&histogram, |index, value| quantiles[index] = value);
                    (histogram, quantiles)
                })
                .collect();
            for (histogram, quantiles) in counted {
                add_to(&mut self.histogram, &histogram);
                add_to(&mut self.quantiles, &quantiles);
            }
        }
    }
}

fn add_to(sums: &mut [u64], values: &[u64]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

#[inline(always)]
pub(crate) fn look_up<T: GreyPixel>(table: &[u32; 65_536], pixels: &[T], logarithms: &mut [u32]) {
    for (logarithm, value) in logarithms.iter_mut().zip(pixels) {
        *logarithm = table[usize::from((*value).into())];
    }
}

/// Adds the logarithms of a group of images to the sums of the pixels from `start` on.
fn add_strip(group: &[&GreyPlane], start: usize, sums: &mut [u64], squares: &mut [u64]) {
    let table = &**LOGARITHMS;
    let pixels = start..start + sums.len();
    // A place without an image holds zeros, which add nothing.
    let mut logarithms = [[0; STRIP]; GROUP];
    for (image, logarithms) in group.iter().zip(&mut logarithms) {
        let logarithms = &mut logarithms[..pixels.len()];
        match image {
            GreyPlane::U8(plane) => u8::look_up_row(table, &plane.pixels()[pixels.clone()], logarithms),
            GreyPlane::U16(plane) => u16::look_up_row(table, &plane.pixels()[pixels.clone()], logarithms),
        }
    }
    simd::run(AddLogarithms { logarithms: &logarithms, sums, squares });
}

struct AddLogarithms<'a> {
    logarithms: &'a [[u32; STRIP]; GROUP],
    sums: &'a mut [u64],
    squares: &'a mut [u64],
}

impl RowKernel for AddLogarithms<'_> {
    #[inline(always)]
    fn run<const FMA: bool>(self) {
        let [a, b, c, d] = self.logarithms;
        let logarithms = a.iter().zip(b).zip(c.iter().zip(d));
        for ((((a, b), (c, d)), sum), square) in logarithms.zip(self.sums).zip(self.squares) {
            // Each is below 2²³: four of them fit 32 bits, four squares 64.
            *sum += u64::from(a + b + c + d);
            let [a, b, c, d] = [*a, *b, *c, *d].map(u64::from);
            *square += a * a + b * b + c * c + d * d;
        }
    }
}

/// Mean and sum of squared deviations of each pixel over a number of images.
///
/// Partial results in this form merge exactly as sets of images do, apart from rounding; where
/// there is a choice, merge [`IlluminationSums`], which do not round.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// Number of images.
    pub images: u64,
    /// Mean of the logarithm of each pixel.
    pub mean: Plane<f64>,
    /// Sum of squared deviations from that mean.
    pub squared_deviations: Plane<f64>,
}

impl Moments {
    /// Adds the images of other moments (Chan, Golub, LeVeque, Am. Stat. 37:242, 1983).
    ///
    /// # Errors
    /// [`EngineError::Shape`] when the sizes differ.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        let size = self.mean.size();
        for plane in [&self.squared_deviations, &other.mean, &other.squared_deviations] {
            if plane.size() != size {
                return Err(EngineError::Shape {
                    what: "moments to merge",
                    expected: size.to_string(),
                    actual: plane.size().to_string(),
                });
            }
        }
        let images = self.images + other.images;
        if images == 0 {
            return Ok(());
        }
        let share = other.images as f64 / images as f64;
        let mine = self.mean.pixels_mut().iter_mut().zip(self.squared_deviations.pixels_mut());
        let theirs = other.mean.pixels().iter().zip(other.squared_deviations.pixels());
        for ((mean, deviations), (other_mean, other_deviations)) in mine.zip(theirs) {
            let difference = other_mean - *mean;
            *mean += difference * share;
            *deviations += other_deviations + difference * difference * self.images as f64 * share;
        }
        self.images = images;
        Ok(())
    }

    /// Standard deviation of each pixel; NaN with fewer than two images.
    pub fn std(&self) -> Plane<f64> {
        let deviations = self.squared_deviations.pixels().iter();
        let std = match self.images {
            0 | 1 => vec![f64::NAN; deviations.len()],
            images => deviations.map(|sum| (sum / (images - 1) as f64).sqrt()).collect(),
        };
        Plane::new(self.squared_deviations.size(), std).expect("one value per pixel")
    }
}

/// Statistics of a channel over all its images.
#[derive(Clone, Debug, PartialEq)]
pub struct IlluminationStatistics {
    /// Number of images.
    pub images: u64,
    /// Bits per pixel of the images.
    pub depth: BitDepth,
    /// Mean of log10 of each pixel, not smoothed.
    pub mean: Plane<f64>,
    /// Standard deviation of log10 of each pixel, not smoothed; NaN with fewer than two images.
    pub std: Plane<f64>,
    /// Percentiles of the grey values.
    pub percentiles: Percentiles,
    /// How often each grey value occurs over all images: 256 or 65 536 counts.
    pub histogram: Vec<u64>,
}

impl IlluminationStatistics {
    /// Smoothed mean and standard deviation.
    pub fn smoothed(&self) -> (Plane<f64>, Plane<f64>) {
        (smooth(&self.mean, SMOOTHING_SIGMA_PX), smooth(&self.std, SMOOTHING_SIGMA_PX))
    }

    /// The correction of this channel's images.
    pub fn correction(&self) -> Correction {
        let (mean, std) = self.smoothed();
        Correction::from_smoothed(self.images, &mean, &std).expect("mean and deviation have one size")
    }
}
