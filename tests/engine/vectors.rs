//! The numeric vectors of the imaging reference, on every backend.

use tm_engine::Engine;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Size};
use tm_engine::kernels::alignment::{Clip, Residues, RobustOptions, Shift};
use tm_engine::kernels::flatfield::{FlatfieldCorrection, FlatfieldImages};
use tm_engine::kernels::illumination::{Correction, IlluminationSums, Moments, smooth};
use tm_engine::kernels::rescale::{Limits, clip_limits};
use tm_engine::kernels::tile::Placement;
use tm_tests::backends::engines;
use tm_tests::compare::{assert_close, assert_same, relative_rms};
use tm_tests::vectors::{Vector, plane, planes};

fn sums_of(images: &[Plane<u16>]) -> IlluminationSums {
    let mut sums = IlluminationSums::new(images[0].size(), BitDepth::Sixteen);
    for image in images {
        sums.add(&image.clone().into()).expect("images of one size");
    }
    sums
}

fn as_f64(plane: &Plane<u16>) -> Vec<f64> {
    plane.pixels().iter().map(|value| f64::from(*value)).collect()
}

#[test]
fn vectors_illum_stats() {
    let vector = Vector::load("illum_stats");
    let images: Vec<GreyPlane> =
        planes::<u16>(&vector.input("stack")).into_iter().map(GreyPlane::from).collect();
    let (mean, std) = (plane::<f64>(&vector.expected("mean")), plane::<f64>(&vector.expected("std")));
    for engine in engines() {
        let mut sums = IlluminationSums::new(images[0].size(), BitDepth::Sixteen);
        engine.add_to_statistics(&mut sums, &images.iter().collect::<Vec<_>>()).expect("images of one size");
        let statistics = sums.finish();
        assert_eq!(Some(statistics.images), vector.parameter("n").as_u64());
        assert_close("mean", mean.pixels(), statistics.mean.pixels(), vector.tolerance());
        assert_close("std", std.pixels(), statistics.std.pixels(), vector.tolerance());
    }
}

#[test]
fn vectors_illum_merge() {
    let vector = Vector::load("illum_merge");
    let counts = vector.parameter("counts").as_array().expect("counts are a list");
    let counts: Vec<u64> = counts.iter().map(|count| count.as_u64().expect("a count")).collect();
    let (means, deviations) = (planes::<f64>(&vector.input("means")), planes::<f64>(&vector.input("m2s")));
    let parts: Vec<Moments> = counts
        .iter()
        .zip(means.into_iter().zip(deviations))
        .map(|(images, (mean, squared_deviations))| Moments { images: *images, mean, squared_deviations })
        .collect();
    assert_eq!(parts.len(), counts.len());
    let (mean, std) = (plane::<f64>(&vector.expected("mean")), plane::<f64>(&vector.expected("std")));
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let mut merged = parts[order[0]].clone();
        for index in &order[1..] {
            merged.merge(&parts[*index]).expect("parts of one size");
        }
        assert_close("mean", mean.pixels(), merged.mean.pixels(), vector.tolerance());
        assert_close("std", std.pixels(), merged.std().pixels(), vector.tolerance());
    }
}

#[test]
fn vectors_illum_merge_of_sums_is_the_same_to_the_last_bit() {
    let stack = planes::<u16>(&Vector::load("illum_stats").input("stack"));
    let whole = sums_of(&stack);
    let mut merged = sums_of(&stack[8..]);
    merged.merge(&sums_of(&stack[..7])).expect("images of one size");
    merged.merge(&sums_of(&stack[7..8])).expect("images of one size");
    assert_eq!(merged, whole);
    assert_eq!(merged.finish(), whole.finish());
}

#[test]
fn vectors_illum_percentiles() {
    let vector = Vector::load("illum_percentiles");
    let percentiles = sums_of(&planes(&vector.input("stack"))).finish().percentiles;
    let keys = vector.parameter("keys").as_array().expect("keys are a list");
    let actual: Vec<f64> = keys
        .iter()
        .map(|key| percentiles.at(key.as_f64().expect("a key is a number")).map_or(f64::NAN, f64::from))
        .collect();
    let expected: Vec<f64> = vector.expected::<i64>("values").iter().map(|value| *value as f64).collect();
    assert_close("percentiles", &expected, &actual, vector.tolerance());
}

#[test]
fn vectors_illum_smooth() {
    let vector = Vector::load("illum_smooth");
    let sigma = vector.parameter("sigma").as_f64().expect("sigma is a number");
    for name in ["mean", "std"] {
        let smoothed = smooth(&plane(&vector.input(name)), sigma);
        let expected = plane::<f64>(&vector.expected(name));
        assert_close(name, expected.pixels(), smoothed.pixels(), vector.tolerance());
    }
}

#[test]
fn vectors_illum_correct() {
    let vector = Vector::load("illum_correct");
    let correction =
        Correction::from_smoothed(24, &plane(&vector.input("mean")), &plane(&vector.input("std")))
            .expect("mean and deviation have one size");
    assert_eq!(correction.invalid_pixels, 0);
    let images = planes::<u16>(&vector.input("images"));
    let expected = planes::<u16>(&vector.expected("images"));
    assert_eq!(images.len(), expected.len());
    for engine in engines() {
        let (mut equal, mut all) = (0, 0);
        for (image, expected) in images.iter().zip(&expected) {
            let actual = engine.correct(image, &correction).expect("image and correction have one size");
            assert_close("corrected image", &as_f64(expected), &as_f64(&actual), vector.tolerance());
            equal += expected.pixels().iter().zip(actual.pixels()).filter(|(a, b)| a == b).count();
            all += expected.size().area();
        }
        assert!(equal * 100 >= all * 99, "{equal} of {all} are equal ({})", engine.backend());
    }
}

#[test]
fn vectors_flatfield_fit() {
    let vector = Vector::load("flatfield_fit");
    let images = planes::<u16>(&vector.input("stack"));
    let mut fit = FlatfieldImages::new(images[0].size()).expect("the images have pixels");
    for image in &images {
        fit.add(&image.clone().into()).expect("images of one size");
    }
    assert_eq!(Some(fit.images() as u64), vector.parameter("n").as_u64());
    let dark = vector.parameter("darkfield").as_f64().expect("the dark-field is a number");
    let flatfield = fit.fit(&Plane::from_fn(images[0].size(), |_, _| dark)).expect("the images are bright");
    let expected = plane::<f64>(&vector.expected("flatfield"));
    let rms = relative_rms(&expected, &flatfield.profile);
    assert!(rms <= vector.relative_rms(), "{rms}");
    assert!(flatfield.converged);
}

#[test]
fn vectors_flatfield_apply() {
    let vector = Vector::load("flatfield_apply");
    let images = planes::<u16>(&vector.input("stack"));
    let expected = planes::<u16>(&vector.expected("images"));
    let dark = vector.parameter("darkfield").as_f64().expect("the dark-field is a number");
    let profile = plane::<f64>(&vector.input("flatfield"));
    let correction = FlatfieldCorrection::new(&profile, &Plane::from_fn(profile.size(), |_, _| dark))
        .expect("profile and dark-field have one size");
    let views: Vec<_> = images.iter().map(Plane::view).collect();
    for engine in engines() {
        let corrected = engine.apply_flatfield(&views, &correction).expect("one size");
        assert_eq!(corrected.len(), expected.len());
        let (mut equal, mut all) = (0, 0);
        for (expected, actual) in expected.iter().zip(&corrected) {
            assert_close("corrected image", &as_f64(expected), &as_f64(actual), vector.tolerance());
            equal += expected.pixels().iter().zip(actual.pixels()).filter(|(a, b)| a == b).count();
            all += expected.size().area();
        }
        assert!(equal * 100 >= all * 99, "{equal} of {all} are equal ({})", engine.backend());
    }
}

#[test]
fn vectors_clip_limits() {
    let vector = Vector::load("clip_limits");
    let (cases, expected) = (vector.input::<i64>("cases"), vector.expected::<i64>("limits"));
    let mut compared = 0;
    for (case, expected) in cases.rows().into_iter().zip(expected.rows()) {
        let [lower, upper, bits] =
            [case[0], case[1], case[2]].map(|value| u16::try_from(value).expect("16 bits"));
        let depth = BitDepth::from_bits(bits.into()).expect("8 or 16 bits");
        let limits = clip_limits(depth, lower, upper);
        assert_eq!([i64::from(limits.lower), i64::from(limits.upper)], [expected[0], expected[1]], "{case}");
        compared += 1;
    }
    assert!(compared > 0, "the vector has cases");
}

#[test]
fn vectors_rescale_u8() {
    let vector = Vector::load("rescale_u8");
    let image = plane::<u16>(&vector.input("image"));
    let expected = planes::<u8>(&vector.expected("images"));
    let limits: Vec<[u16; 2]> =
        serde_json::from_value(vector.parameter("limits").clone()).expect("limits are pairs");
    assert_eq!(limits.len(), expected.len());
    for engine in engines() {
        for ([lower, upper], expected) in limits.iter().zip(&expected) {
            let limits = Limits::new(*lower, *upper).expect("limits are in order");
            let actual = engine.rescale(&image, limits).expect("rescaling works");
            assert_same(&format!("{limits:?} on {}", engine.backend()), expected, &actual);
            let placement = Placement { pixels: image.view(), y: 0, x: 0, correction: None };
            let tile =
                engine.render_tile(image.size(), &[placement], Some(limits)).expect("a tile is rendered");
            assert_same("the fused tile", expected, &tile);
        }
    }
}

/// Shifts of a vector, in whole pixels.
fn shifts_of(shifts: &serde_json::Value) -> Vec<Shift> {
    let shifts: Vec<[i32; 2]> = serde_json::from_value(shifts.clone()).expect("shifts are pairs");
    shifts.into_iter().map(|[y, x]| Shift::new(y, x)).collect()
}

#[test]
fn vectors_align_shift() {
    let vector = Vector::load("align_shift");
    let cycles = planes::<u16>(&vector.input("cycles"));
    let index = vector.parameter("reference_index").as_u64().expect("an index");
    let reference = &cycles[usize::try_from(index).expect("a small index")];
    let expected = vector.expected::<i32>("shifts_yx");
    let expected: Vec<Shift> =
        expected.rows().into_iter().map(|shift| Shift::new(shift[0], shift[1])).collect();
    let targets: Vec<_> = cycles.iter().collect();
    assert_eq!(expected.len(), targets.len());
    for engine in engines() {
        let shifts = engine.register_compatible(reference, &targets).expect("cycles of one size");
        assert_eq!(shifts, expected, "{}", engine.backend());
        // The better method finds the same shifts in the same images.
        let robust = engine.register_robust(reference, &targets, &RobustOptions::default());
        for (found, expected) in robust.expect("cycles of one size").iter().zip(&expected) {
            assert_eq!(found.shift, *expected, "{found:?}");
            assert!(found.is_accepted(), "{found:?}");
        }
    }
}

#[test]
fn vectors_align_apply() {
    let vector = Vector::load("align_apply");
    let cycles = planes::<u16>(&vector.input("cycles"));
    let shifts = shifts_of(vector.parameter("shifts_yx"));
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
    for engine in engines() {
        for (index, (cycle, shift)) in cycles.iter().zip(&shifts).enumerate() {
            let actual = engine.align_crop(cycle, *shift, residues).expect("the shift is one of them");
            assert_same(&format!("cropped cycle {index}"), &cropped[index], &actual);
            let actual = engine.align_pad(cycle, *shift, residues).expect("the shift is one of them");
            assert_same(&format!("padded cycle {index}"), &padded[index], &actual);
        }
    }
}

#[test]
fn vectors_align_subpixel() {
    let vector = Vector::load("align_subpixel");
    let cycles = planes::<u16>(&vector.input("cycles"));
    let targets: Vec<_> = cycles.iter().collect();
    let upsampling = vector.parameter("upsample").as_u64().expect("a number of steps");
    let options = RobustOptions {
        clip: Clip::Off,
        sigma_px: 1.0,
        upsampling: u32::try_from(upsampling).expect("a small number"),
        ..RobustOptions::default()
    };
    let expected: Vec<f64> = vector.expected::<f64>("shifts_yx").iter().copied().collect();
    for engine in engines() {
        for options in [options, RobustOptions::default()] {
            let found = engine.register_robust(&cycles[0], &targets, &options).expect("cycles of one size");
            let actual: Vec<f64> = found.iter().flat_map(|one| [one.subpixel.y, one.subpixel.x]).collect();
            assert_close("sub-pixel shifts", &expected, &actual, vector.tolerance());
            assert!(found.iter().all(|one| one.is_accepted()), "{found:?}");
        }
    }
}

#[test]
fn vectors_downsample2() {
    let vector = Vector::load("downsample2");
    for engine in engines() {
        let mut level = plane::<u8>(&vector.input("image"));
        for name in ["image", "image2", "image3"] {
            level = engine.downsample(&level).expect("downsampling works");
            assert_same(&format!("{name} on {}", engine.backend()), &plane(&vector.expected(name)), &level);
        }
    }
}

#[test]
fn vectors_projection_max() {
    let vector = Vector::load("projection_max");
    let stack: Vec<GreyPlane> =
        planes::<u16>(&vector.input("stack")).into_iter().map(GreyPlane::from).collect();
    let projected = Engine::cpu().project_max(&stack).expect("planes of one size");
    assert_eq!(projected, plane::<u16>(&vector.expected("image")).into());
}

/// The order of the original: rescale, then average 8-bit values.
#[test]
fn vectors_pyramid_tiny_in_the_order_of_the_original() {
    let vector = Vector::load("pyramid_tiny");
    let sites = planes::<u16>(&vector.input("sites"));
    let table = vector.input::<i64>("site_table");
    let [lower, upper]: [u16; 2] =
        serde_json::from_value(vector.parameter("limits").clone()).expect("limits are a pair");
    let limits = Limits::new(lower, upper).expect("limits are in order");
    let placements: Vec<Placement<'_, u16>> = sites
        .iter()
        .zip(table.rows())
        .map(|(site, row)| Placement { pixels: site.view(), y: row[5], x: row[6], correction: None })
        .collect();
    assert_eq!(placements.len(), table.shape()[0]);
    for engine in engines() {
        let base = plane::<u8>(&vector.expected("level_2"));
        let mut level =
            engine.render_tile(base.size(), &placements, Some(limits)).expect("the canvas is rendered");
        assert_same("level 2", &base, &level);
        // The same canvas tile by tile.
        let side = 16usize;
        for (y, x) in
            (0..base.size().height / side).flat_map(|y| (0..base.size().width / side).map(move |x| (y, x)))
        {
            let shifted: Vec<_> = placements
                .iter()
                .map(|placement| Placement {
                    y: placement.y - (y * side) as i64,
                    x: placement.x - (x * side) as i64,
                    ..*placement
                })
                .collect();
            let tile = engine
                .render_tile(Size::new(side, side), &shifted, Some(limits))
                .expect("a tile is rendered");
            let rect = tm_engine::image::Rect::new(y * side, x * side, tile.size());
            assert_same("a tile", &base.window(rect).expect("inside the canvas").to_plane(), &tile);
        }
        for name in ["level_1", "level_0"] {
            level = engine.downsample(&level).expect("downsampling works");
            assert_same(name, &plane(&vector.expected(name)), &level);
        }
    }
}
