//! Distances, regions, shapes and textures against naive code, and what holds at the edges.

use proptest::prelude::*;
use tm_engine::EngineError;
use tm_engine::analysis::{
    FAR, Mask, Measurements, NearestForeground, Regions, aggregate, distances, intensity, point_pattern,
    shape, shapes, squared_distances, squared_object_distances, texture,
};
use tm_engine::image::{GreyPlane, Plane, Size};
use tm_engine::kernels::Noise;
use tm_engine::kernels::contours::border_labels;

use crate::outlines::{label_images, pixels_of};

/// Squared distance to the nearest of some pixels.
fn nearest(row: usize, column: usize, pixels: impl Iterator<Item = (usize, usize)>) -> i32 {
    let squared = |(r, c): (usize, usize)| r.abs_diff(row).pow(2) + c.abs_diff(column).pow(2);
    pixels.map(|pixel| i32::try_from(squared(pixel)).expect("small")).min().unwrap_or(FAR)
}

/// The image with one pixel of background around it.
fn padded(labels: &Plane<i32>) -> Plane<i32> {
    let Size { height, width } = labels.size();
    Plane::from_fn(Size::new(height + 2, width + 2), |row, column| {
        let inside = (1..=height).contains(&row) && (1..=width).contains(&column);
        if inside { labels.get(row - 1, column - 1) } else { 0 }
    })
}

/// All that can be measured, with every family of textures.
fn measure_all(labels: &Plane<i32>, image: &GreyPlane, compatible: bool) -> Vec<Measurements> {
    let regions = Regions::of(labels);
    let options = texture::Options {
        measure_tas: true,
        measure_lbp: true,
        measure_haralick: true,
        compatible,
        ..texture::Options::default()
    };
    let pattern = point_pattern::measure(&regions, labels, &regions, compatible).expect("measured");
    let whole = aggregate::aggregate(&pattern, &regions, labels, &regions).expect("aggregated");
    let tables = [
        shape::measure(labels, &regions, compatible),
        intensity::measure(&regions, image),
        texture::measure(&regions, image, &options),
        Ok(pattern),
        Ok(whole),
    ];
    let names = [
        shape::COLUMNS.map(str::to_owned).to_vec(),
        intensity::COLUMNS.map(str::to_owned).to_vec(),
        options.columns(),
        point_pattern::COLUMNS.map(str::to_owned).to_vec(),
        aggregate::columns(point_pattern::COLUMNS),
    ];
    let tables: Vec<Measurements> = tables.into_iter().map(|table| table.expect("measured")).collect();
    for (table, names) in tables.iter().zip(names) {
        assert_eq!(table.labels, regions.labels());
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, names);
        assert!(table.columns.iter().all(|column| column.values.len() == regions.len()));
    }
    tables
}

proptest! {
    #[test]
    fn distances_are_those_to_the_nearest_pixel_of_all(labels in label_images(true)) {
        let mask = Mask::of_labels(&labels);
        let squared = squared_distances(&mask);
        let background = || pixels_of(&labels).into_iter().filter(|(row, column)| !mask.get(*row, *column));
        let foreground = || pixels_of(&labels).into_iter().filter(|(row, column)| mask.get(*row, *column));
        let nearest_foreground = NearestForeground::of(&mask);
        for (row, column) in pixels_of(&labels) {
            let expected = nearest(row, column, background());
            prop_assert_eq!(squared.get(row, column), expected);
            let root = if expected == FAR { f64::INFINITY } else { f64::from(expected).sqrt() };
            prop_assert_eq!(distances(&mask).get(row, column), root);
            let expected = nearest(row, column, foreground());
            prop_assert_eq!(nearest_foreground.squared_distances().get(row, column), expected);
            // Column by column, and from the top in each.
            let mut places: Vec<_> = foreground().map(|(row, column)| (column, row)).collect();
            places.sort_unstable();
            let is_nearest = |place: &&(usize, usize)| nearest(row, column, [(place.1, place.0)].into_iter()) == expected;
            let first = places.iter().find(is_nearest).map(|(column, row)| (*row, *column));
            let found = nearest_foreground.position(row, column).map(|position| (position.row, position.column));
            prop_assert_eq!(found, first);
        }
    }

    #[test]
    fn distances_of_objects_end_at_other_objects_and_at_the_border(labels in label_images(true)) {
        let padded = padded(&labels);
        let squared = squared_object_distances(&labels);
        for (row, column) in pixels_of(&labels) {
            let label = labels.get(row, column);
            let others = pixels_of(&padded).into_iter().filter(|(r, c)| padded.get(*r, *c) != label);
            let expected = if label == 0 { 0 } else { nearest(row + 1, column + 1, others) };
            prop_assert_eq!(squared.get(row, column), expected);
        }
    }

    #[test]
    fn regions_have_every_pixel_of_their_label(labels in label_images(true), factor in 1..1_000_000) {
        let labels = Plane::from_fn(labels.size(), |row, column| labels.get(row, column) * factor);
        let regions = Regions::of(&labels);
        let mut drawn = Plane::zeros(labels.size());
        for (index, region) in regions.iter().enumerate() {
            prop_assert_eq!(regions.index_of(region.label), Some(index));
            let mut area = 0;
            for run in region.runs {
                drawn.row_mut(run.row)[run.columns()].fill(region.label);
                area += run.columns().len();
            }
            prop_assert_eq!(region.area, area);
            let bounds = |along: fn(&(usize, usize)) -> usize| {
                let of_label = pixels_of(&labels).into_iter().filter(|(r, c)| labels.get(*r, *c) == region.label);
                let places: Vec<usize> = of_label.map(|pixel| along(&pixel)).collect();
                (*places.iter().min().expect("a pixel"), *places.iter().max().expect("a pixel") + 1)
            };
            let (rows, columns) = (bounds(|pixel| pixel.0), bounds(|pixel| pixel.1));
            prop_assert_eq!(rows, (region.bounds.y, region.bounds.y + region.bounds.size.height));
            prop_assert_eq!(columns, (region.bounds.x, region.bounds.x + region.bounds.size.width));
        }
        prop_assert_eq!(drawn, labels.clone());
        let at_border: Vec<i32> =
            regions.iter().filter(|region| regions.touches_border(*region)).map(|region| region.label).collect();
        prop_assert_eq!(at_border, border_labels(&labels));
    }

    #[test]
    fn everything_is_measured_whatever_the_objects(
        labels in label_images(true),
        seed in any::<u64>(),
        compatible in any::<bool>(),
    ) {
        let image = Noise::new(seed).plane::<u16>(labels.size());
        for table in measure_all(&labels, &image.into(), compatible) {
            for column in &table.columns {
                prop_assert!(!column.values.iter().any(|value| value.is_infinite()), "{}", column.name);
            }
        }
    }

    #[test]
    fn objects_are_measured_the_same_wherever_they_lie(labels in label_images(true), seed in any::<u64>()) {
        // Mirrored at the diagonal, what does not depend on direction stays, whether other objects touch or not.
        let image = Noise::new(seed).plane::<u8>(labels.size());
        let turned = Size::new(labels.size().width, labels.size().height);
        let mirrored_labels = Plane::from_fn(turned, |row, column| labels.get(column, row));
        let mirrored = Plane::from_fn(turned, |row, column| image.get(column, row));
        let before = measure_all(&labels, &image.into(), false);
        let after = measure_all(&mirrored_labels, &mirrored.into(), false);
        let pairs = before.iter().zip(&after).flat_map(|(before, after)| before.columns.iter().zip(&after.columns));
        for (before, after) in pairs.filter(|(before, _)| {
            let name = before.name.as_str();
            // Centroids change places, Hu's last changes its sign, and small codes are not the mirrored ones.
            !(name.contains("Centroid") || name.contains("Hu-6") || name.contains("LBP"))
        }) {
            for (left, right) in before.values.iter().zip(&after.values) {
                let tolerance = 1e-9 * left.abs() + 1e-6;
                let same = (left - right).abs() <= tolerance || left.is_nan() && right.is_nan();
                prop_assert!(same, "{}: {left} and {right}", before.name);
            }
        }
    }
}

#[test]
fn an_image_without_objects_or_pixels_gives_columns_without_values() {
    for size in [Size::new(0, 0), Size::new(0, 7), Size::new(5, 0), Size::new(4, 4)] {
        for compatible in [false, true] {
            let tables = measure_all(&Plane::zeros(size), &Plane::<u16>::zeros(size).into(), compatible);
            assert!(
                tables.iter().all(|table| !table.columns.is_empty() && table.labels.is_empty()),
                "{size}"
            );
        }
    }
}

#[test]
fn one_black_pixel_has_an_area_and_no_form() {
    let labels = Plane::new(Size::new(1, 1), vec![i32::MAX]).expect("one pixel");
    let tables = measure_all(&labels, &Plane::<u8>::zeros(Size::new(1, 1)).into(), false);
    let value = |name: &str| {
        tables.iter().find_map(|table| table.values(name)).unwrap_or_else(|| panic!("no {name}"))[0]
    };
    assert_eq!(value("Morphology_Area"), 1.0);
    assert_eq!(value("Morphology_Perimeter"), 0.0);
    assert_eq!(value("Morphology_Eccentricity"), 0.0);
    assert_eq!(value("Morphology_Convexity"), 1.0);
    assert_eq!(value("Morphology_Maximum_Radius"), 1.0);
    assert_eq!(value("Intensity_std"), 0.0);
    assert_eq!(value("Texture_Gabor-frequency-5"), 0.0);
    assert_eq!(value("Count"), 1.0);
    for undefined in [
        "Morphology_Circularity",
        "Morphology_Elongation",
        "Texture_Hu-0",
        "Texture_Haralick-contrast-1",
        "PointPattern_mean-absolute-distance-to-neighbors",
    ] {
        assert!(value(undefined).is_nan(), "{undefined}: {}", value(undefined));
    }
}

#[test]
fn a_disc_measures_as_one() {
    let radius = 20usize;
    let labels = Plane::from_fn(Size::new(60, 70), |row, column| {
        i32::from(row.abs_diff(30).pow(2) + column.abs_diff(35).pow(2) <= radius.pow(2))
    });
    let disc = shapes(&labels, &Regions::of(&labels)).expect("measured")[0];
    assert_eq!((disc.area, disc.touches_border), (1257, false));
    assert_eq!((disc.centroid_x, disc.centroid_y, disc.eccentricity), (35.0, 30.0, 0.0));
    assert!((0.9..1.0).contains(&disc.circularity()), "{}", disc.circularity());
    assert!(disc.convexity() > 0.95, "{}", disc.convexity());
    assert!((disc.major_axis - 40.0).abs() < 0.1 && (disc.minor_axis - 40.0).abs() < 0.1);
}

#[test]
fn radii_are_those_of_the_object_alone_unless_the_old_rule_is_asked_for() {
    // Two squares of 9 pixels side by side.
    let labels = Plane::from_fn(Size::new(9, 12), |row, column| match (row, column) {
        (3..6, 3..6) => 2,
        (3..6, 6..9) => 4,
        _ => 0,
    });
    let regions = Regions::of(&labels);
    let radius = |compatible| {
        let table = shape::measure(&labels, &regions, compatible).expect("measured");
        table.values("Morphology_Mean_Radius").expect("a column")[0]
    };
    assert_eq!(radius(false), 10.0 / 9.0);
    assert_eq!(radius(true), 11.0 / 9.0);
}

#[test]
fn a_label_that_is_not_there_is_missing_but_counts_nothing() {
    let labels = Plane::new(Size::new(1, 3), vec![2, 0, 9]).expect("three pixels");
    let table =
        shape::measure(&labels, &Regions::of(&labels), false).expect("measured").for_labels(&[1, 2, 3]);
    assert_eq!(table.labels, [1, 2, 3]);
    assert_eq!(table.values("Morphology_Area"), Some(&[0.0, 1.0, 0.0][..]));
    let extents = table.values("Morphology_Extent").expect("a column");
    assert!(extents[0].is_nan() && extents[1] == 1.0 && extents[2].is_nan());
}

#[test]
fn images_of_another_size_are_refused() {
    let regions = Regions::of(&Plane::zeros(Size::new(3, 4)));
    let (labels, image) = (Plane::zeros(Size::new(4, 3)), Plane::<u8>::zeros(Size::new(4, 3)).into());
    let others = Regions::of(&labels);
    let refusals = [
        shape::measure(&labels, &regions, false).err(),
        intensity::measure(&regions, &image).err(),
        texture::measure(&regions, &image, &texture::Options::default()).err(),
        point_pattern::measure(&regions, &labels, &others, false).err(),
        aggregate::aggregate(&Measurements::of(vec![]), &regions, &labels, &others).err(),
        aggregate::check_same_labels(&regions, &labels).err(),
    ];
    for refusal in refusals {
        assert!(matches!(&refusal, Some(EngineError::Shape { .. })), "{refusal:?}");
    }
}

#[test]
fn objects_too_scattered_for_textures_are_refused() {
    // A hundred objects with pixels in opposite corners.
    let size = Size::new(64, 64);
    let labels = Plane::from_fn(size, |row, column| match (row, column) {
        (0..10, 0..10) => (row * 10 + column) as i32 + 1,
        (54.., 54..) => ((row - 54) * 10 + column - 54) as i32 + 1,
        _ => 0,
    });
    let image = Plane::<u8>::zeros(size).into();
    let refusal = texture::measure(&Regions::of(&labels), &image, &texture::Options::default());
    let message = refusal.expect_err("too scattered").to_string();
    assert!(message.contains("objects have bounding boxes that cover the image"), "{message}");
}

#[test]
fn distances_of_textures_have_bounds() {
    let (labels, image) = (Plane::zeros(Size::new(3, 3)), Plane::<u8>::zeros(Size::new(3, 3)).into());
    let regions = Regions::of(&labels);
    let with = |frequencies, radii, scales| texture::Options {
        frequencies: vec![1, frequencies],
        radii: vec![radii],
        scales: vec![scales],
        ..texture::Options::default()
    };
    let measure = |options| texture::measure(&regions, &image, &options);
    measure(with(10_000, 100, 100)).expect("the largest");
    for (options, message) in [
        (with(0, 1, 1), "frequencies are pixels from 1 to 10000, not 0"),
        (with(10_001, 1, 1), "frequencies are pixels from 1 to 10000, not 10001"),
        (with(1, 0, 1), "radii are pixels from 1 to 100, not 0"),
        (with(1, 101, 1), "radii are pixels from 1 to 100, not 101"),
        (with(1, 1, 101), "scales are pixels from 1 to 100, not 101"),
    ] {
        assert_eq!(measure(options).expect_err("out of range").to_string(), message);
    }
}

#[test]
fn objects_must_be_the_ones_that_they_are_assigned_to() {
    let size = Size::new(2, 3);
    let cells = Plane::new(size, vec![1, 1, 0, 1, 2, 2]).expect("six pixels");
    let nuclei = Plane::new(size, vec![1, 0, 0, 0, 2, 0]).expect("six pixels");
    aggregate::check_same_labels(&Regions::of(&nuclei), &cells).expect("they are");
    let strays = Plane::new(size, vec![1, 0, 0, 0, 1, 0]).expect("six pixels");
    let message =
        aggregate::check_same_labels(&Regions::of(&strays), &cells).expect_err("one is not").to_string();
    assert_eq!(
        message,
        "objects have the labels of the objects they are assigned to, but 1 is in 2 at row 1, column 1"
    );
}
