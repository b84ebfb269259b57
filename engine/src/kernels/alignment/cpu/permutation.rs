//! The quality that planes reach which have nothing in common.

use super::robust::Registrar;
use crate::error::{EngineError, Result};
use crate::image::{GreyPixel, PlaneRef};
use crate::kernels::Noise;
use crate::kernels::alignment::RobustOptions;

/// One in this many registrations of unrelated planes may pass the threshold.
const CHANCE: usize = 100;

/// A threshold for [`RobustOptions::threshold`], measured: random pairs of planes that have nothing
/// in common are registered, and the quality is returned that one in 100 of them exceeds (Muhlich
/// et al., Bioinformatics 38:4613, 2022: the 1 % quantile of the error).
///
/// The planes have one size and show different places: other sites, or parts of sites that are
/// farther apart than the largest shift. Small planes reach higher qualities, so planes smaller
/// than those to be registered give a threshold on the safe side. All are held in memory, about 40
/// bytes for each pixel. `seed` decides which pairs are taken. Nothing for fewer than two planes or
/// no pairs.
///
/// # Errors
/// [`EngineError::Shape`] when the planes differ in size; [`EngineError::Parameter`] for options out
/// of range.
pub fn permutation_threshold<T: GreyPixel>(
    planes: &[PlaneRef<'_, T>],
    options: &RobustOptions,
    pairs: u32,
    seed: u64,
) -> Result<Option<f64>> {
    let Some(first) = planes.first() else { return Ok(None) };
    let registrar = Registrar::new(first.size(), options)?;
    let prepared = planes.iter().map(|plane| registrar.prepare(*plane)).collect::<Result<Vec<_>>>()?;
    let (Ok(count), true) = (u64::try_from(prepared.len()), prepared.len() > 1) else { return Ok(None) };
    let mut noise = Noise::new(seed);
    let mut below = |end: u64| {
        usize::try_from(noise.next_u64() % end)
            .map_err(|error| EngineError::Parameter { name: "planes", problem: error.to_string() })
    };
    let mut qualities = Vec::new();
    for _ in 0..pairs {
        // Any two that are not the same.
        let reference = below(count)?;
        let target = below(count - 1)?;
        let target = if target >= reference { target + 1 } else { target };
        qualities.push(registrar.register(&prepared[reference], &prepared[target])?.quality);
    }
    qualities.sort_unstable_by(f64::total_cmp);
    let exceeding = qualities.len() / CHANCE;
    Ok(qualities.len().checked_sub(exceeding + 1).map(|index| qualities[index]))
}
