//! Measurements of made-up objects, judged by scikit-image, scipy, mahotas, OpenCV and formulas in numpy.

use std::path::Path;

use ndarray::ArrayView2;
use ndarray_npy::{WritableElement, write_npy};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tm_engine::analysis::{
    Measurements, Regions, aggregate, intensity, neighbours, point_pattern, shape, texture, zernike,
};
use tm_engine::image::{GreyPlane, Pixel, Plane, Size};
use tm_engine::kernels::Noise;
use tm_tests::python;

/// Discs, bars and specks over each other: objects that touch, are cut in parts or by the border, or have one
/// pixel; their labels leave gaps.
fn objects(noise: &mut Noise, size: Size, count: usize) -> Plane<i32> {
    let mut labels = Plane::zeros(size);
    let mut label = 0;
    let mut below = |limit: usize| usize::from(noise.next_u16()) % limit;
    for _ in 0..count {
        label += i32::try_from(1 + below(3)).expect("it is small");
        let (row, column, radius) = (below(size.height), below(size.width), below(14));
        let (tall, wide) = match below(4) {
            0 => (radius, 0),
            1 => (0, radius),
            _ => (radius, 1 + below(14)),
        };
        for y in row.saturating_sub(tall)..(row + tall + 1).min(size.height) {
            for x in column.saturating_sub(wide)..(column + wide + 1).min(size.width) {
                let (dy, dx) = (y.abs_diff(row), x.abs_diff(column));
                // Within the ellipse; with whole numbers, as one of the axes may be 0.
                if (dy * wide.max(1)).pow(2) + (dx * tall.max(1)).pow(2) <= (wide.max(1) * tall.max(1)).pow(2)
                {
                    labels.row_mut(y)[x] = label;
                }
            }
        }
    }
    for _ in 0..count / 4 {
        label += 2;
        labels.row_mut(below(size.height))[below(size.width)] = label;
    }
    labels
}

fn write<T: Pixel + WritableElement>(path: &Path, plane: &Plane<T>) {
    let shape = (plane.size().height, plane.size().width);
    write_npy(path, &ArrayView2::from_shape(shape, plane.pixels()).expect("it fits")).expect("written");
}

/// Numbers as they are, NaN as null.
fn table(measurements: &Measurements) -> Value {
    let columns = measurements.columns.iter().map(|column| json!([column.name, column.values]));
    json!({ "labels": measurements.labels, "columns": columns.collect::<Vec<_>>() })
}

/// Writes the images of a case and everything measured on them.
fn write_case(directory: &Path, seed: u64, size: Size, count: usize, is_deep: bool) {
    let mut noise = Noise::new(seed);
    let labels = objects(&mut noise, size, count);
    let spots = Plane::from_fn(size, |_, _| match noise.next_u16() % 40 {
        0 => i32::from(noise.next_u16() % 900),
        _ => 0,
    });
    // No zeros, which other libraries take for background.
    let mut value = |depth: u16| 1 + noise.next_u16() % depth;
    let image: GreyPlane = if is_deep {
        Plane::from_fn(size, |row, column| value(3_000) + 200 * (row as u16 / 9 + column as u16 / 7)).into()
    } else {
        Plane::from_fn(size, |_, _| u8::try_from(value(254)).expect("it fits")).into()
    };
    write(&directory.join("labels.npy"), &labels);
    write(&directory.join("spots.npy"), &spots);
    match &image {
        GreyPlane::U8(plane) => write(&directory.join("image.npy"), plane),
        GreyPlane::U16(plane) => write(&directory.join("image.npy"), plane),
    }
    let (regions, points) = (Regions::of(&labels), Regions::of(&spots));
    let mut tables = Map::new();
    let mut add = |name: &str, measurements: &Measurements| {
        tables.insert(name.to_owned(), table(measurements));
    };
    let intensities = intensity::measure(&regions, &image).expect("measured");
    add("intensity", &intensities);
    add("zernike", &zernike::measure(&regions));
    for (kind, compatible) in [("new", false), ("compatible", true)] {
        add(&format!("shape-{kind}"), &shape::measure(&labels, &regions, compatible).expect("measured"));
        let options = texture::Options {
            measure_tas: true,
            measure_lbp: true,
            measure_haralick: true,
            frequencies: vec![5, 1, 10],
            radii: vec![1, 4],
            scales: vec![1, 2],
            compatible,
        };
        add(&format!("texture-{kind}"), &texture::measure(&regions, &image, &options).expect("measured"));
        let options = neighbours::Options { neighbour_distance: 4, touching_distance: 2, compatible };
        let near = neighbours::measure(&labels, &regions, options).expect("measured");
        add(&format!("neighbours-{kind}"), &near);
        let pattern = point_pattern::measure(&points, &labels, &regions, compatible).expect("measured");
        add(&format!("pattern-{kind}"), &pattern);
        if !compatible {
            let whole = aggregate::aggregate(&pattern, &points, &labels, &regions).expect("aggregated");
            add("aggregate", &whole);
        }
    }
    std::fs::write(directory.join("tables.json"), Value::Object(tables).to_string()).expect("written");
}

/// Adds a little to one value of every column.
fn disturb(directory: &Path) -> usize {
    let path = directory.join("tables.json");
    let mut tables: Value =
        serde_json::from_str(&std::fs::read_to_string(&path).expect("read")).expect("it is JSON");
    let mut disturbed = 0;
    for table in tables.as_object_mut().expect("by name").values_mut() {
        let columns = table["columns"].as_array_mut().expect("columns").iter_mut();
        // This one is 0 but for rounding, as the disc has its middle at the centroid.
        for column in columns.filter(|column| column[0] != "Morphology_Zernike-1-1") {
            let values = column[1].as_array_mut().expect("values");
            if let Some(value) =
                values.iter_mut().find(|value| value.as_f64().is_some_and(|value| value != 0.0))
            {
                *value = json!(value.as_f64().expect("a number") * 1.01);
                disturbed += 1;
            }
        }
    }
    std::fs::write(path, tables.to_string()).expect("written");
    disturbed
}

#[test]
fn measurements_are_what_other_libraries_measure() {
    let Some(python) = python::interpreter() else { return };
    let directory = TempDir::new().expect("a directory");
    let cases = [
        (1, Size::new(110, 131), 30, true),
        (2, Size::new(50, 70), 30, false),
        (3, Size::new(40, 33), 4, true),
    ];
    for (seed, size, count, is_deep) in cases {
        let case = directory.path().join(seed.to_string());
        std::fs::create_dir(&case).expect("made");
        write_case(&case, seed, size, count, is_deep);
    }
    let check = || python::run(&python, "check_measurements.py", &[directory.path()]);
    let (succeeded, printed) = check();
    assert!(succeeded && printed.contains("OK: 3 cases"), "{printed}");
    // The check can fail, for each column.
    for case in ["1", "2"] {
        std::fs::remove_dir_all(directory.path().join(case)).expect("removed");
    }
    let disturbed = disturb(&directory.path().join("3"));
    assert!(disturbed > 300, "{disturbed} columns");
    let (succeeded, printed) = check();
    assert!(!succeeded && printed.contains(&format!("{disturbed} columns differ")), "{disturbed}: {printed}");
}
