//! Maps with corrected illumination, against the correction computed here from the raw pixels.

use tm_tests::app::TestApp;
use tm_tests::cellvoyager::{PlaneId, PlateFiles, identity_code};
use tm_tests::plates::{ALL_STAGES, Experiment};

use super::naive::{Level, Site, rescaled, sites};

const HEIGHT: usize = 80;
const WIDTH: usize = 104;
const SIGMA: f64 = 5.0;

/// Cells under uneven light, with some black pixels and some noise.
fn lit(id: &PlaneId, row: usize, column: usize) -> u16 {
    let noise = f64::from(identity_code(id, row, column)) / 65536.0;
    if noise < 0.001 {
        return 0;
    }
    let (v, u) = (row as f64 / HEIGHT as f64 - 0.6, column as f64 / WIDTH as f64 - 0.4);
    let light = 1.0 - 0.9 * (v * v + u * u);
    let level = 400.0 + 300.0 * f64::from(identity_code(id, 7, 7)) / 65536.0;
    (light * (level + 2500.0 * noise.powi(3))) as u16
}

/// Mean and standard deviation (n - 1) of log10 at every position, zeros counting as ones.
fn statistics(sites: &[Site]) -> (Vec<f64>, Vec<f64>) {
    let count = sites.len() as f64;
    let at = |position: usize| sites.iter().map(move |site| f64::from(site.values[position].max(1)).log10());
    let mean: Vec<f64> = (0..HEIGHT * WIDTH).map(|position| at(position).sum::<f64>() / count).collect();
    let std = (0..HEIGHT * WIDTH)
        .map(|position| {
            let squares: f64 = at(position).map(|value| (value - mean[position]).powi(2)).sum();
            (squares / (count - 1.0)).sqrt()
        })
        .collect();
    (mean, std)
}

/// Gaussian of 41 taps along both axes; beyond the edge the image is mirrored, the edge repeated.
fn smoothed(plane: &[f64]) -> Vec<f64> {
    let weights: Vec<f64> =
        (-20_i32..=20).map(|k| (-f64::from(k * k) / (2.0 * SIGMA * SIGMA)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mirrored = |index: i64, length: usize| {
        let (length, period) = (length as i64, 2 * length as i64);
        let index = index.rem_euclid(period);
        (if index < length { index } else { period - 1 - index }) as usize
    };
    let along = |plane: &[f64], down: bool| -> Vec<f64> {
        let value = |row: usize, column: usize| {
            let taps = weights.iter().zip(-20_i64..).map(|(weight, k)| {
                let (row, column) = match down {
                    true => (mirrored(row as i64 + k, HEIGHT), column),
                    false => (row, mirrored(column as i64 + k, WIDTH)),
                };
                weight / total * plane[row * WIDTH + column]
            });
            taps.sum()
        };
        (0..HEIGHT * WIDTH).map(|position| value(position / WIDTH, position % WIDTH)).collect()
    };
    along(&along(plane, true), false)
}

/// The sites with corrected values.
fn corrected(sites: &[Site]) -> Vec<Site> {
    let (mean, std) = statistics(sites);
    let (mean, std) = (smoothed(&mean), smoothed(&std));
    let average = |plane: &[f64]| plane.iter().sum::<f64>() / plane.len() as f64;
    let (mean_of_mean, mean_of_std) = (average(&mean), average(&std));
    let correct = |position: usize, value: u16| {
        if value == 0 {
            return 0;
        }
        let z = (f64::from(value).log10() - mean[position]) / std[position];
        10_f64.powf(z * mean_of_std + mean_of_mean).clamp(0.0, 65535.0) as u16
    };
    sites
        .iter()
        .map(|site| {
            let values = site.values.iter().enumerate().map(|(position, value)| correct(position, *value));
            Site { values: values.collect(), ..site.clone() }
        })
        .collect()
}

/// The mean over images of each image's own percentile, linear between order statistics, truncated.
fn percentile(sites: &[Site], percent: f64) -> u16 {
    // The nearest of the 100 000 percentiles that are kept.
    let kept = (percent / 100.0 * 99_999.0).round() / 99_999.0;
    let sum: f64 = sites
        .iter()
        .map(|site| {
            let mut values = site.values.clone();
            values.sort_unstable();
            let place = (values.len() - 1) as f64 * kept;
            let below = f64::from(values[place as usize]);
            let above = f64::from(values[(place as usize + 1).min(values.len() - 1)]);
            below + place.fract() * (above - below)
        })
        .sum();
    (sum / sites.len() as f64) as u16
}

#[tokio::test(flavor = "multi_thread")]
async fn corrected_and_clipped_maps_equal_an_independent_correction() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let plate = PlateFiles::new("lit").size(HEIGHT, WIDTH).wells(&["C05", "C06"]).grid(3, 4).values(lit);
    experiment.upload("plate", "a", &plate).await;
    experiment
        .run(ALL_STAGES, &[("illuminati", "illumcorr", true.into()), ("illuminati", "clip", true.into())])
        .await;

    let raw = sites(&[&plate], 1, 1, 1);
    let layer = experiment.only_layer().await;
    let (lower, upper) = (percentile(&raw, 0.001), percentile(&raw, 99.9));
    assert!(upper > lower + 255 && upper < 4000, "{lower} to {upper} is what makes this test worth it");
    assert_eq!(layer.limits, (lower, upper));

    let expected = corrected(&raw);
    let changed =
        raw.iter().zip(&expected).flat_map(|(raw, corrected)| raw.values.iter().zip(&corrected.values));
    let strongly = changed.filter(|(raw, corrected)| raw.abs_diff(**corrected) > 20).count();
    assert!(strongly > raw.len() * HEIGHT * WIDTH / 2, "the correction changes most pixels: {strongly}");

    let (mut compared, mut equal) = (0_usize, 0_usize);
    for (z, level) in Level::full(&expected, HEIGHT, WIDTH).pyramid().iter().enumerate() {
        for (y, x) in layer.tiles(z) {
            let actual = experiment.png_tile(&layer, (z, y, x)).await;
            for (index, (actual, value)) in actual.iter().zip(level.tile(y, x)).enumerate() {
                // A corrected value may be one off: then a mean of four is at most one off, too.
                let least = rescaled(value.saturating_sub(1), layer.limits);
                let most = rescaled(value.saturating_add(1), layer.limits);
                assert!(
                    (least..=most).contains(actual),
                    "tile {z}/{y}/{x}, row {}, column {}: {actual}, expected {least} to {most}",
                    index / 256,
                    index % 256
                );
                compared += 1;
                equal += usize::from(*actual == rescaled(value, layer.limits));
            }
        }
    }
    assert!(equal * 1000 >= compared * 998, "{equal} of {compared} pixels are exactly equal");
}

#[tokio::test(flavor = "multi_thread")]
async fn correction_without_statistics_fails_and_says_what_to_run() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("lit")).await;
    experiment.run(&["image_conversion"], &[]).await;
    let outcome =
        experiment.run_to_end(&["pyramid_creation"], &[("illuminati", "illumcorr", true.into())]).await;
    let [(job, stderr)] = outcome.failures.as_slice() else { panic!("{:?}", outcome.failures) };
    assert_eq!(job, "illuminati_init_0000001");
    assert!(stderr.contains("channel \"1\"") && stderr.contains("run corilla first"), "{stderr}");
    experiment.run(&["image_preprocessing"], &[]).await;
    experiment.run(&["pyramid_creation"], &[("illuminati", "illumcorr", true.into())]).await;
}
