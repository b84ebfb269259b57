//! Vectors of the alignment of cycles.

use tm_engine::Engine;
use tm_engine::kernels::alignment::{Clip, Residues, RobustOptions, Shift};
use tm_tests::compare::{assert_close, assert_same};
use tm_tests::vectors::{Vectors, planes};

pub fn shift(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("align_shift");
    let cycles = planes::<u16>(&vector.input("cycles"));
    let reference = &cycles[vector.parse::<usize>("reference_index")];
    let targets: Vec<_> = cycles.iter().collect();
    let expected = vector.expected::<i32>("shifts_yx");
    let expected: Vec<Shift> =
        expected.rows().into_iter().map(|shift| Shift::new(shift[0], shift[1])).collect();
    let shifts = engine.register_compatible(reference, &targets).expect("cycles of one size");
    assert_eq!(shifts, expected);
}

pub fn apply(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("align_apply");
    let cycles = planes::<u16>(&vector.input("cycles"));
    let shifts: Vec<[i32; 2]> = vector.parse("shifts_yx");
    let shifts: Vec<Shift> = shifts.into_iter().map(|[y, x]| Shift::new(y, x)).collect();
    let residue = |side: &str| {
        let pixels = vector.parameter("residues")[side].as_u64().expect("a number of pixels");
        u32::try_from(pixels).expect("a small number")
    };
    let residues = Residues::of(&shifts);
    let expected = Residues {
        top: residue("top"),
        bottom: residue("bottom"),
        left: residue("left"),
        right: residue("right"),
    };
    assert_eq!(residues, expected);
    let (cropped, padded) =
        (planes::<u16>(&vector.expected("cropped")), planes::<u16>(&vector.expected("padded")));
    assert_eq!([shifts.len(), cropped.len(), padded.len()], [cycles.len(); 3]);
    for (index, (cycle, shift)) in cycles.iter().zip(&shifts).enumerate() {
        let actual = engine.align_crop(cycle, *shift, residues).expect("the shift is one of them");
        assert_same(&format!("cropped cycle {index}"), &cropped[index], &actual);
        let actual = engine.align_pad(cycle, *shift, residues).expect("the shift is one of them");
        assert_same(&format!("padded cycle {index}"), &padded[index], &actual);
    }
}

/// With the whitening and the steps of the vector, and with the default ones.
pub fn subpixel(vectors: &Vectors, engine: &Engine) {
    let vector = vectors.load("align_subpixel");
    let cycles = planes::<u16>(&vector.input("cycles"));
    let targets: Vec<_> = cycles.iter().collect();
    let whitening: String = vector.parse("whitening");
    let sigma = whitening.rsplit(' ').next().and_then(|sigma| sigma.parse().ok());
    let options = RobustOptions {
        clip: Clip::Off,
        sigma_px: sigma.unwrap_or_else(|| panic!("no sigma in {whitening:?}")),
        upsampling: vector.parse("upsample"),
        ..RobustOptions::default()
    };
    let expected: Vec<f64> = vector.expected::<f64>("shifts_yx").iter().copied().collect();
    // The shifts are relative to the first cycle, whose own is 0.
    for options in [options, RobustOptions::default()] {
        let found = engine.register_robust(&cycles[0], &targets, &options).expect("cycles of one size");
        let actual: Vec<f64> = found.iter().flat_map(|one| [one.subpixel.y, one.subpixel.x]).collect();
        assert_close("sub-pixel shifts", &expected, &actual, vector.tolerance("abs"));
    }
}
