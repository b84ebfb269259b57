//! Pipelines as people use them, on made-up cells whose number, shapes and brightness are known.

use std::collections::BTreeMap;

use serde_json::json;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::databases::Database;
use tm_tests::jterator;
use tm_tests::pipelines::Pipeline;
use tm_tests::plates::Experiment;

use super::pipelines::{analyse, channels, label_image, measured, numbers, put, table};

/// Side of a square site in pixels, and of the squares that hold a nucleus or a clump of two each.
const SIDE: usize = 540;
const SQUARE: usize = 90;
const BACKGROUND: u16 = 200;
/// Radius of cells around their nuclei.
const CELL_RADIUS: f64 = 34.0;

/// A nucleus.
#[derive(Debug, Clone, Copy)]
struct Nucleus {
    y: f64,
    x: f64,
    radius: f64,
    value: u16,
}

impl Nucleus {
    fn covers(&self, row: usize, column: usize, radius: f64) -> bool {
        (row as f64 - self.y).hypot(column as f64 - self.x) <= radius
    }
}

/// One nucleus in each square, two that overlap in every seventh.
fn nuclei() -> Vec<Nucleus> {
    let mut nuclei = Vec::new();
    for square in 0..(SIDE / SQUARE).pow(2) {
        let (top, left) = (square / (SIDE / SQUARE) * SQUARE, square % (SIDE / SQUARE) * SQUARE);
        let centre = |offset: usize| (offset + SQUARE / 2) as f64;
        let value = 1000 + 37 * square as u16;
        if square % 7 == 3 {
            for side in [-15.0, 15.0] {
                nuclei.push(Nucleus { y: centre(top), x: centre(left) + side, radius: 16.0, value });
            }
        } else {
            let (y, x) = (centre(top) + (square % 5) as f64 - 2.0, centre(left) + (square % 3) as f64 - 1.0);
            nuclei.push(Nucleus { y, x, radius: 12.0 + (square % 6) as f64, value });
        }
    }
    nuclei
}

/// Nuclei in the first channel, the cells around them in the second.
fn files() -> PlateFiles {
    let nuclei = nuclei();
    PlateFiles::new("planted").size(SIDE, SIDE).grid(1, 1).channels(2).values(move |id, row, column| {
        let radius = |nucleus: &Nucleus| if id.channel == 1 { nucleus.radius } else { CELL_RADIUS };
        let found = nuclei.iter().find(|nucleus| nucleus.covers(row, column, radius(nucleus)));
        found.map_or(BACKGROUND, |nucleus| nucleus.value)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_nuclei_are_counted_clumps_are_cut_and_cells_contain_their_nucleus() {
    let app = TestApp::start_on(Database::Sqlite).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "first", &files()).await;
    experiment.run(&["image_conversion"], &[]).await;
    let names = channels(&experiment).await;
    let (dapi, celltrace) = (json!(names[0]), json!(names[1]));
    let clumps = [
        ("mask", json!("mask")),
        ("intensity_image", dapi.clone()),
        ("min_cut_area", json!(200)),
        ("min_area", json!(1000)),
    ];
    let secondary = [
        ("primary_label_image", json!("Nuclei")),
        ("intensity_image", celltrace),
        ("contrast_threshold", json!(100)),
        ("min_threshold", json!(300)),
        ("max_threshold", json!(900)),
    ];
    let pipeline = Pipeline::default()
        .channel(&names[0])
        .channel(&names[1])
        .module(
            "otsu",
            "threshold_otsu",
            &[("image", dapi), ("max_threshold", json!(600))],
            &[("mask", "mask")],
        )
        .module("clumps", "separate_clumps", &clumps, &[("separated_label_image", "parts")])
        .module("nuclei", "register_objects", &[("mask", json!("parts"))], &[("objects", "Nuclei")])
        .module("grow", "segment_secondary", &secondary, &[("secondary_label_image", "grown")])
        .module("cells", "register_objects", &[("mask", json!("grown"))], &[("objects", "Cells")])
        .module("shape", "measure_morphology", &measured("Nuclei", "Nuclei", None, false), &[])
        .module("light", "measure_intensity", &measured("Nuclei", "Nuclei", Some(&names[0]), false), &[])
        .module("size", "measure_morphology", &measured("Cells", "Cells", None, false), &[])
        .save("Nuclei")
        .save("Cells");
    analyse(&experiment, &pipeline).await;

    let planted = nuclei();
    let values = table(&experiment, "Nuclei", "feature-values").await;
    assert_eq!(values["mapobject_id"].len(), planted.len(), "every nucleus is found, those in clumps too");
    let column = |name: &str| numbers(&values[name]);
    let (areas, greys) = (column("Morphology_Area"), column(&format!("Intensity_mean_{}", names[0])));
    let (ys, xs) = (column("Morphology_Local_Centroid_y"), column("Morphology_Local_Centroid_x"));
    for nucleus in &planted {
        let nearest = (0..ys.len())
            .min_by(|a, b| {
                let distance = |index: usize| (ys[index] - nucleus.y).hypot(xs[index] - nucleus.x);
                distance(*a).total_cmp(&distance(*b))
            })
            .unwrap();
        let pixels = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column)));
        let area = pixels.filter(|&(row, column)| nucleus.covers(row, column, nucleus.radius)).count() as f64;
        let distance = (ys[nearest] - nucleus.y).hypot(xs[nearest] - nucleus.x);
        if nucleus.radius == 16.0
            && planted.iter().any(|other| other.value == nucleus.value && other.x != nucleus.x)
        {
            // Cut from its neighbour: a line is lost.
            assert!(
                distance < 2.0 && areas[nearest] > 0.85 * area,
                "{nucleus:?}: {distance}, {}",
                areas[nearest]
            );
        } else {
            assert_eq!((areas[nearest], greys[nearest]), (area, f64::from(nucleus.value)), "{nucleus:?}");
            assert!(distance < 1e-9, "{nucleus:?}: {distance}");
        }
    }

    let (inner, outer) =
        (label_image(&experiment, "Nuclei", 0, 0).await, label_image(&experiment, "Cells", 0, 0).await);
    let mut overlap: BTreeMap<i64, usize> = BTreeMap::new();
    for (inner, outer) in inner.iter().flatten().zip(outer.iter().flatten()) {
        assert!(*inner == 0 || inner == outer, "nucleus {inner} lies in cell {outer}");
        *overlap.entry(*outer).or_default() += 1;
    }
    assert_eq!(overlap.len(), planted.len() + 1, "a cell for every nucleus, and background");
    let covered =
        overlap.iter().filter(|(label, _)| **label > 0).map(|(_, pixels)| pixels).sum::<usize>() as f64;
    let pixels = (0..SIDE).flat_map(|row| (0..SIDE).map(move |column| (row, column)));
    let wanted = pixels
        .filter(|&(row, column)| planted.iter().any(|nucleus| nucleus.covers(row, column, CELL_RADIUS)))
        .count() as f64;
    assert!((covered / wanted - 1.0).abs() < 0.02, "{covered} pixels of cells, {wanted} planted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_benchmark_pipeline_runs_all_its_modules_and_measures_its_columns() {
    let app = TestApp::start_on(Database::Sqlite).await;
    let experiment = Experiment::new(&app).await;
    let nuclei = nuclei();
    let files = PlateFiles::new("transcripts").size(SIDE, SIDE).grid(1, 2).channel_numbers(&[1, 3, 4, 5]);
    let files = files.values(move |id, row, column| {
        let radius =
            |nucleus: &Nucleus| if id.channel == 1 { 22.0 } else { CELL_RADIUS + nucleus.radius / 4.0 };
        let inside = nuclei.iter().any(|nucleus| nucleus.covers(row, column, radius(nucleus)));
        // Deviations between sites, of which the correction is made.
        let noise = ((row * 31 + column * 17 + id.x * 7) % 11) as u16;
        let spot = row % 12 < 3 && column % 12 < 3;
        match id.channel {
            1 if inside => 700 + noise,
            3 if inside => 400 + 20 * noise,
            4 if inside => 600 + noise,
            5 if inside && spot => 900 + 10 * noise,
            _ => 100 + noise,
        }
    });
    experiment.upload("plate", "first", &files).await;
    put(&experiment, &jterator::to_json(&jterator::project("benchmark"))).await;
    experiment.run(&["image_conversion", "image_preprocessing", "image_analysis"], &[]).await;
    let types = super::pipelines::types(&experiment).await;
    assert_eq!(types.keys().collect::<Vec<_>>(), ["Cells", "Transcripts"]);
    let intensity = ["max", "mean", "min", "sum", "std"].map(|name| format!("Intensity_{name}"));
    let morphology = [
        "Local_Centroid_x",
        "Local_Centroid_y",
        "Area",
        "Perimeter",
        "Eccentricity",
        "Extent",
        "Convexity",
        "Circularity",
        "Roundness",
        "Elongation",
        "Equivalent_Diameter",
        "Major_Axis_Length",
        "Minor_Axis_Length",
        "Maximum_Radius",
        "Mean_Radius",
    ]
    .map(|name| format!("Morphology_{name}"));
    let texture: Vec<String> = [1, 5, 10]
        .map(|frequency| format!("Texture_Gabor-frequency-{frequency}"))
        .into_iter()
        .chain((0..7).map(|invariant| format!("Texture_Hu-{invariant}")))
        .collect();
    let patterns: Vec<String> = ["border", "nearest-neighbor"]
        .iter()
        .flat_map(|to| ["absolute", "relative"].map(|kind| format!("{kind}-distance-to-{to}")))
        .chain(["mean", "std"].iter().flat_map(|statistic| {
            ["absolute", "relative"].map(|kind| format!("{statistic}-{kind}-distance-to-neighbors"))
        }))
        .map(|name| format!("PointPattern_{name}"))
        .collect();
    let mut wanted: Vec<String> = vec!["Transcripts_Count".to_owned()];
    for pattern in patterns {
        wanted.extend(["Mean", "Std", "Sum"].map(|statistic| format!("Transcripts_{statistic}_{pattern}")));
    }
    let of = |prefix: &str, names: &[String], suffix: &str| -> Vec<String> {
        names.iter().map(|name| format!("{prefix}{name}{suffix}")).collect()
    };
    for (prefix, channel) in [
        ("Nuclei_", "1"),
        ("Nuclei_", "4"),
        ("Cytoplasms_", "4"),
        ("Cytoplasms_", "3"),
        ("Cytoplasms_", "5"),
        ("", "3"),
        ("", "4"),
    ] {
        wanted.extend(of(prefix, &intensity, &format!("_{channel}")));
    }
    wanted.extend(of("", &morphology, ""));
    wanted.extend(of("Nuclei_", &morphology, ""));
    for (prefix, channel) in [("Nuclei_", "1"), ("Cytoplasms_", "4"), ("Cytoplasms_", "3")] {
        wanted.extend(of(prefix, &texture, &format!("_{channel}")));
    }
    assert_eq!(wanted.len(), 120);
    wanted.sort();
    let features = |kind: &str| {
        let path = format!("{}/mapobject_types/{}/features", experiment.path, types[kind]);
        let client = &experiment.client;
        async move { client.get(&path).await.all("name") }
    };
    assert_eq!(features("Cells").await, wanted);
    let mut wanted = of("", &intensity, "_5");
    wanted.extend(of("", &morphology, ""));
    wanted.sort();
    assert_eq!(features("Transcripts").await, wanted);

    let cells = table(&experiment, "Cells", "feature-values").await;
    let transcripts = table(&experiment, "Transcripts", "metadata").await;
    assert!(cells["mapobject_id"].len() >= 40, "{} cells", cells["mapobject_id"].len());
    let counted = numbers(&cells["Transcripts_Count"]).iter().sum::<f64>() as usize;
    let found = transcripts["mapobject_id"].len();
    // Each lies in a cell; those that two cells share are counted for both.
    assert!((found..found + found / 10).contains(&counted), "{counted} counted, {found} found");
    for (name, values) in &cells {
        assert!(numbers(values).iter().any(|value| value.is_finite()), "nothing was measured for {name}");
    }
}
