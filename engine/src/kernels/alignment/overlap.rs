//! What two planes have in common after one of them is shifted.

/// Correlation of two planes of one size on their overlap after a shift.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overlap {
    /// Normalised correlation, -1 to 1; 0 where either plane is 0 throughout.
    pub(super) correlation: f64,
    /// Number of pixels.
    pub(super) pixels: usize,
}

impl Overlap {
    /// From `Σ r·t`, `Σ r²` and `Σ t²` of the pixels.
    pub(super) fn of([both, of_reference, of_target]: [f64; 3], pixels: usize) -> Self {
        let norm = of_reference.sqrt() * of_target.sqrt();
        let correlation = if norm > 0.0 { (both / norm).clamp(-1.0, 1.0) } else { 0.0 };
        Self { correlation, pixels }
    }

    /// How unlikely the correlation is by chance, up to a factor that all shifts share.
    pub(super) fn significance(self) -> f64 {
        self.correlation * (self.pixels as f64).sqrt()
    }
}

/// Sums of triples, in their order.
pub(super) fn total<'a>(sums: impl IntoIterator<Item = &'a [f64; 3]>) -> [f64; 3] {
    sums.into_iter()
        .fold([0.0; 3], |total, sums| [total[0] + sums[0], total[1] + sums[1], total[2] + sums[2]])
}
