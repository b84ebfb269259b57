//! Filters, thresholds, labelling, morphology, watershed and growth, recomputed by scipy, scikit-image and OpenCV.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use ndarray_npy::{WritableElement, write_npy};
use serde_json::{Value, json};
use tm_engine::analysis::{
    AdaptiveMethod, AdaptiveThreshold, Connectivity, Disc, Extremum, Mask, Smoothing, SmoothingMethod,
    ThresholdBounds, borders, dilate, erode, expand_or_shrink, extremum, fill_holes, gaussian, label, open,
    otsu, percentile, spot_response, watershed,
};
use tm_engine::image::{GreyPlane, Pixel, Plane, Size};
use tm_tests::python;

/// Cases, one folder each.
struct Cases {
    directory: tempfile::TempDir,
    count: usize,
}

impl Cases {
    fn add(&mut self, case: &Value, inputs: &[(&str, &dyn Input)], output: &dyn Input) {
        let folder = self.directory.path().join(format!("{:04}", self.count));
        self.count += 1;
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("case.json"), case.to_string()).unwrap();
        for (name, input) in inputs {
            input.write(&folder.join(format!("{name}.npy")));
        }
        output.write(&folder.join("output.npy"));
    }

    /// The outputs of the cases of an operation.
    fn outputs(&self, operation: &str) -> Vec<PathBuf> {
        let mut folders: Vec<_> =
            std::fs::read_dir(self.directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        let is_of = |folder: &PathBuf| {
            let case: Value =
                serde_json::from_str(&std::fs::read_to_string(folder.join("case.json")).unwrap()).unwrap();
            case["operation"] == operation
        };
        folders.into_iter().filter(is_of).map(|folder| folder.join("output.npy")).collect()
    }
}

/// What can be written for numpy.
trait Input {
    fn write(&self, path: &Path);
}

impl<T: Pixel + WritableElement> Input for Plane<T> {
    fn write(&self, path: &Path) {
        let shape = (self.size().height, self.size().width);
        write_npy(path, &Array2::from_shape_vec(shape, self.pixels().to_vec()).unwrap()).unwrap();
    }
}

impl Input for GreyPlane {
    fn write(&self, path: &Path) {
        match self {
            Self::U8(plane) => plane.write(path),
            Self::U16(plane) => plane.write(path),
        }
    }
}

impl Input for Mask {
    fn write(&self, path: &Path) {
        self.plane().write(path);
    }
}

impl Input for f64 {
    fn write(&self, path: &Path) {
        Plane::new(Size::new(1, 1), vec![*self]).unwrap().write(path);
    }
}

/// Numbers from a fixed seed.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// Hills and noise, with some flat and some saturated parts.
fn image(size: Size, numbers: &mut Numbers, is_wide: bool) -> GreyPlane {
    let hills: Vec<_> = (0..6)
        .map(|_| (numbers.below(140) as f64, numbers.below(140) as f64, 4.0 + numbers.below(20) as f64))
        .collect();
    let mut value = |row: usize, column: usize| {
        let height: f64 = hills
            .iter()
            .map(|(y, x, width)| {
                (-((row as f64 - y).powi(2) + (column as f64 - x).powi(2)) / width.powi(2)).exp()
            })
            .sum();
        (height * 1.2).min(1.0) * 0.9 + numbers.below(100) as f64 / 1000.0
    };
    if is_wide {
        Plane::from_fn(size, |row, column| 300 + (value(row, column) * 60_000.0) as u16).into()
    } else {
        Plane::from_fn(size, |row, column| (value(row, column) * 255.0) as u8).into()
    }
}

fn cases() -> Cases {
    let mut cases = Cases { directory: tempfile::tempdir().unwrap(), count: 0 };
    let mut numbers = Numbers(7);
    for (height, width) in [(1, 1), (1, 23), (19, 1), (2, 3), (37, 64), (101, 131)] {
        let size = Size::new(height, width);
        for is_wide in [false, true] {
            let image = image(size, &mut numbers, is_wide);
            filters(&mut cases, &image);
            thresholds(&mut cases, &image);
        }
        for percent in [10, 50, 70] {
            let mask = Mask::from_fn(size, |_, _| numbers.below(100) < percent);
            masks(&mut cases, &mask);
            objects(&mut cases, &label(&mask, Connectivity::Four));
        }
        floods(&mut cases, size, &mut numbers);
    }
    cases
}

fn filters(cases: &mut Cases, image: &GreyPlane) {
    let smooth = |method, side| Smoothing::new(method, side, true).unwrap().apply(image);
    for side in [1, 2, 3, 4, 5, 8, 15] {
        let case = json!({"operation": "average", "side": side});
        cases.add(&case, &[("image", image)], &smooth(SmoothingMethod::Average, side));
        let case = json!({"operation": "median", "side": side});
        cases.add(&case, &[("image", image)], &smooth(SmoothingMethod::Median, side));
    }
    for sigma in [0.3, 1.0, 5.0, 10.0] {
        let case = json!({"operation": "gaussian", "sigma": sigma});
        cases.add(&case, &[("image", image)], &gaussian(image, sigma).unwrap());
    }
    for (radius_squared, size) in [(0, 2), (1, 3), (2, 4), (24, 5), (90, 12)] {
        // scipy invents values when the window is several times as large as the plane.
        if radius_squared > 24 && image.size().area() < 10 {
            continue;
        }
        let disc = Disc::within(radius_squared).unwrap();
        let case = |operation| json!({"operation": operation, "radius_squared": radius_squared});
        cases.add(&case("maximum"), &[("image", image)], &extremum(image, disc, Extremum::Max));
        cases.add(&case("minimum"), &[("image", image)], &extremum(image, disc, Extremum::Min));
        let case = json!({"operation": "spot_response", "size": size});
        cases.add(&case, &[("image", image)], &spot_response(image, size, None).unwrap());
    }
    // numpy's mirror has no rule for one pixel.
    if image.size().height > 30 {
        for side in [1, 3, 5] {
            let case = json!({"operation": "bilateral", "side": side});
            cases.add(&case, &[("image", image)], &smooth(SmoothingMethod::Bilateral, side));
        }
    }
}

fn thresholds(cases: &mut Cases, image: &GreyPlane) {
    cases.add(&json!({"operation": "otsu"}), &[("image", image)], &f64::from(otsu(image)));
    for percent in [0.0, 33.3, 99.99, 100.0] {
        let case = json!({"operation": "percentile", "percentile": percent});
        cases.add(&case, &[("image", image)], &percentile(image, percent).unwrap());
    }
    let end = f64::from(image.depth().max_value());
    let bounds = ThresholdBounds { min: Some(end * 0.1), max: Some(end * 0.8) };
    for (side, constant) in [(1, 0.0), (3, 0.0), (15, 0.5), (31, -0.3)] {
        let case = json!({
            "operation": "niblack", "side": side, "constant": constant, "min": bounds.min, "max": bounds.max,
        });
        let threshold = AdaptiveThreshold::new(AdaptiveMethod::Niblack, side, constant, bounds).unwrap();
        cases.add(&case, &[("image", image)], &threshold.apply(image).unwrap());
    }
    // Up to 9 OpenCV has other weights; a few pixels are too few for a share.
    if image.size().height > 30 {
        for (side, constant) in [(11, 0.0), (31, 5.7), (21, -3.2)] {
            let case = json!({
                "operation": "crosscorr", "side": side, "constant": constant, "min": bounds.min, "max": bounds.max,
            });
            let method = AdaptiveMethod::CrossCorrelation;
            let threshold = AdaptiveThreshold::new(method, side, constant, bounds).unwrap();
            cases.add(&case, &[("image", image)], &threshold.apply(image).unwrap());
        }
    }
}

fn masks(cases: &mut Cases, mask: &Mask) {
    let mut add = |case: Value, output: &dyn Input| cases.add(&case, &[("mask", mask)], output);
    add(json!({"operation": "label4"}), &label(mask, Connectivity::Four));
    add(json!({"operation": "label8"}), &label(mask, Connectivity::Eight));
    add(json!({"operation": "fill4"}), &fill_holes(mask, Connectivity::Four));
    add(json!({"operation": "fill8"}), &fill_holes(mask, Connectivity::Eight));
    for radius_squared in [1, 2, 10] {
        let disc = Disc::within(radius_squared).unwrap();
        let case = |operation| json!({"operation": operation, "radius_squared": radius_squared});
        add(case("erode"), &erode(mask, disc));
        add(case("dilate"), &dilate(mask, disc));
        add(case("opened"), &open(mask, disc));
    }
}

fn objects(cases: &mut Cases, labels: &Plane<i32>) {
    for (number, connectivity) in [(1, Connectivity::Four), (2, Connectivity::Eight)] {
        let case = json!({"operation": "borders", "connectivity": number});
        cases.add(&case, &[("labels", labels)], &borders(labels, connectivity));
    }
    for distance in [1, 2, 5] {
        let case = |operation| json!({"operation": operation, "distance": distance});
        cases.add(&case("expand"), &[("labels", labels)], &expand_or_shrink(labels, distance, false));
        let grown = expand_or_shrink(labels, 3, false);
        cases.add(&case("shrink"), &[("labels", &grown)], &expand_or_shrink(&grown, -distance, false));
    }
}

/// Surfaces of which every value occurs once.
fn floods(cases: &mut Cases, size: Size, numbers: &mut Numbers) {
    let mut order: Vec<u16> = (0..u16::try_from(size.area()).unwrap()).collect();
    for index in (1..order.len()).rev() {
        order.swap(index, numbers.below(index as u64 + 1) as usize);
    }
    let surface = GreyPlane::from(Plane::new(size, order).unwrap());
    let mut next = 0;
    let markers = Plane::from_fn(size, |_, _| {
        next += 1;
        if numbers.below(50) == 0 { next } else { 0 }
    });
    for percent in [60, 90, 100] {
        let mask = Mask::from_fn(size, |_, _| numbers.below(100) < percent);
        let output = watershed(&surface, &markers, Some(&mask)).unwrap();
        let inputs: [(&str, &dyn Input); 3] = [("image", &surface), ("markers", &markers), ("mask", &mask)];
        cases.add(&json!({"operation": "watershed"}), &inputs, &output);
    }
}

#[test]
fn other_libraries_find_the_same_and_notice_one_pixel_that_differs() {
    let Some(interpreter) = python::interpreter() else { return };
    let cases = cases();
    let check = || python::run(&interpreter, "check_segmentation.py", &[cases.directory.path()]);
    let (succeeded, printed) = check();
    assert!(succeeded, "{printed}");
    assert!(printed.contains(&format!("OK: {} cases", cases.count)), "{printed}");
    let operations = ["median", "gaussian", "maximum", "label8", "niblack", "watershed", "expand"];
    for operation in operations {
        let path = cases.outputs(operation).pop().unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        // A low bit of a pixel in the middle: of its first byte.
        let pixels = 101 * 131;
        let width = bytes.len() / pixels;
        let at = bytes.len() - pixels / 2 * width;
        bytes[at] ^= if operation == "gaussian" { 4 } else { 1 };
        std::fs::write(&path, bytes).unwrap();
    }
    let (succeeded, printed) = check();
    assert!(!succeeded, "broken outputs pass");
    for operation in operations {
        assert!(printed.contains(&format!("'operation': '{operation}'")), "{operation}: {printed}");
    }
}
