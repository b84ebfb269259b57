//! Flat-field and dark-field: another correction of uneven illumination, from fewer images.
//!
//! **Model** (Peng et al., Nat. Commun. 8:14836, 2017). Image `i` at pixel `p` is
//!
//! ```text
//! I_i(p) = B_i · S(p) + D(p) + E_i(p)
//! ```
//!
//! with the brightness `B_i` of its background, a smooth flat-field `S` with mean 1, the dark-field
//! `D` of the camera, and `E_i`, which is 0 but for cells. [`FlatfieldImages`] fits `S` and `B`, for
//! a dark-field that was measured or is estimated. It needs 5 images or more, 10 to 20 times fewer than the
//! statistics of [`illumination`](super::illumination), and, unlike that correction, changes no
//! contrast; but it fails where the same structure lies at the same place in all images.
//!
//! **Fit.** Minimise `Σ W·|E| + λ·Σ|DCT(S)|` subject to the model, by augmented Lagrangians with
//! multiplier `Y` and `T_t(x) = sign(x)·max(|x| - t, 0)`:
//!
//! ```text
//! I ← I/⟨I⟩      λ = ½·Σ|DCT(⟨I⟩_i)| / 400      Ŝ = DCT(1)   B_i = ⟨I_i⟩   E = Y = 0   μ = 12.5/‖I‖₂
//!
//! Ŝ   ← T_{λ/μ}( Ŝ + DCT( ⟨I - B·S - E + Y/μ⟩_i ) )                  S = DCT⁻¹(Ŝ)
//! E   ← T_{W/μ}( I - B·S + Y/μ )
//! B_i ← max(0, ⟨I_i - E_i⟩ / ⟨I - E⟩)
//! Y   ← Y + μ·(I - B·S - E)
//! μ   ← min(1.5·μ, 10⁷·12.5/‖I‖₂)
//! ```
//!
//! until `‖I - B·S - E‖ < 10⁻⁶·‖I‖`, at most 500 times. Around that, `W` starts as 1 and becomes
//! `1/(|E/⟨B·S⟩| + 0.1)`, normalised to mean 1, at most 10 times or until `S` changes by less than
//! 10⁻³. All in 64-bit floats and the same to the last bit for any number of threads. Images are
//! reduced to at most 128×128 by means of areas first; `S` is enlarged bilinearly, with mean 1.
//!
//! **Dark-field.** A camera's dark-field is best measured. [`FlatfieldImages::fit_with_darkfield`]
//! estimates it from images whose backgrounds differ in brightness, as `D = z·S + A`: the model then
//! is `I_i = (B_i + z)·S + A + E_i`, the fit finds `B_i + z` in place of `B_i`, and `A` joins `B·S`
//! in all of the above. Before `Y`, over the images whose `B_i` is below 1, where `D` counts most:
//!
//! ```text
//! c_i ← (⟨I_i - E_i⟩ where S > ⟨S⟩  less  ⟨I_i - E_i⟩ where S < ⟨S⟩) / ⟨I - E⟩
//! z   ← where the line of least squares of c_i over B_i meets 0, within 0 … min(I)/⟨S⟩
//! A₀  ← ⟨I - E⟩_i - ⟨B⟩_i·S, less its mean        A_z ← z·(⟨S⟩ - S)
//! A   ← T_t( DCT⁻¹( T_t( DCT( A₀ - A_z ) ) ) ) + A_z,   t = 0.1·λ/(10·μ)
//! ```
//!
//! On made-up images the profile comes out four times as near or nearer than without; an even
//! dark-field to a few percent, a sloping one, which looks like light, only to a quarter.
//!
//! **Correction.**
//!
//! ```text
//! out = clamp(⌊(I - D)/S + ½⌋, 0, maximum of the depth)
//! ```
//!
//! * Computed as `⌊(I - D)·gain + ½⌋`, `gain = 1/S`, in 32-bit floats: within one count of 64-bit
//!   floats, at least 99 % of pixels equal. (`I·gain - D·gain` would save a subtraction, but lose
//!   digits where both are large.)
//! * Where `S` is not finite or at most 10⁻³, or `D` is not finite, the pixel passes unchanged,
//!   marked by `gain < 0`.
//!
//! ```
//! use tm_engine::{Engine, image::{Plane, Size}, kernels::flatfield::FlatfieldCorrection};
//! let size = Size::new(1, 4);
//! let profile = Plane::new(size, vec![0.5, 1.0, 1.5, 0.0])?;
//! let correction = FlatfieldCorrection::new(&profile, &Plane::from_fn(size, |_, _| 100.0))?;
//! let image = Plane::new(size, vec![600u16, 99, 203, 7])?;
//! let flat = Engine::cpu().apply_flatfield(&[image.view()], &correction)?;
//! assert_eq!(flat[0].pixels(), [1000, 0, 69, 7]); // 500/½, below 0, 103/1.5 = 68⅔, no profile
//! # Ok::<(), tm_engine::EngineError>(())
//! ```
//!
//! Bytes moved per 16-bit pixel of a correction: 2 in, 2 out, and 8 for the two planes.

mod cosine;
pub mod cpu;
mod fit;
pub(crate) mod gpu;
mod reduce;
mod solver;
mod spec;

pub use fit::{Flatfield, FlatfieldImages, LEAST_FIT_IMAGES, MAX_FIT_IMAGES};
pub use spec::SPEC;

use crate::error::{EngineError, Result};
use crate::image::{Plane, Size};
use crate::kernels::shading::ShadingPlanes;

/// A flat-field up to this one, of mean 1, is taken for no light at all.
const LEAST_PROFILE: f64 = 1e-3;

/// Two planes that turn a pixel into its corrected value; made once per channel.
#[derive(Debug, Clone, PartialEq)]
pub struct FlatfieldCorrection {
    /// `1/S`; below 0 the pixel passes unchanged.
    pub gain: Plane<f32>,
    /// `D`, in counts.
    pub dark: Plane<f32>,
    /// Number of pixels that pass unchanged because flat-field or dark-field are unusable there.
    pub invalid_pixels: usize,
}

impl FlatfieldCorrection {
    /// Its planes, as they are applied.
    fn planes(&self) -> ShadingPlanes<'_> {
        ShadingPlanes { what: "flat-field correction of an image", first: &self.gain, second: &self.dark }
    }

    /// The correction for a flat-field of mean 1 and a dark-field in counts.
    ///
    /// # Errors
    /// [`EngineError::Shape`] when they differ in size.
    pub fn new(profile: &Plane<f64>, darkfield: &Plane<f64>) -> Result<Self> {
        let size = profile.size();
        if darkfield.size() != size {
            return Err(EngineError::Shape {
                what: "dark-field of a flat-field correction",
                expected: size.to_string(),
                actual: darkfield.size().to_string(),
            });
        }
        let (mut gain, mut darks) = (Vec::with_capacity(size.area()), Vec::with_capacity(size.area()));
        let mut invalid_pixels = 0;
        for (profile, dark) in profile.pixels().iter().zip(darkfield.pixels()) {
            let dark = *dark as f32;
            let valid = profile.is_finite() && *profile > LEAST_PROFILE && dark.is_finite();
            invalid_pixels += usize::from(!valid);
            gain.push(if valid { (1.0 / profile) as f32 } else { -1.0 });
            darks.push(if valid { dark } else { 0.0 });
        }
        Ok(Self { gain: Plane::new(size, gain)?, dark: Plane::new(size, darks)?, invalid_pixels })
    }

    /// Size of the images that can be corrected.
    pub fn size(&self) -> Size {
        self.gain.size()
    }
}
