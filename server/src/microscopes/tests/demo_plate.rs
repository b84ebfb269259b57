//! The plate of `tmserver demo`: read as any acquisition is read, and looked at.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tiff::decoder::{Decoder, DecodingResult};

use super::{channel_names, metadata, plan_with};
use crate::cli::demo::plate::DemoPlate;
use crate::microscopes::cellvoyager::CellVoyager;
use crate::microscopes::{
    AcquisitionPlan, ImageFile, MicroscopeType, PageSize, PlanOptions, PlateFormat, check_files,
};

/// A directory that goes when the test ends.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tm-demo-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("writable");
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // A leftover in the temporary directory does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pixels(path: &Path) -> (usize, usize, Vec<u16>) {
    let mut decoder = Decoder::new(File::open(path).expect("there")).expect("a TIFF file");
    let (width, height) = decoder.dimensions().expect("a size");
    match decoder.read_image().expect("readable") {
        DecodingResult::U16(values) => (height as usize, width as usize, values),
        _ => panic!("wanted 16 bits"),
    }
}

/// Plan what a directory holds, as the workflow does.
fn planned(directory: &Path, names: &[String]) -> AcquisitionPlan {
    let (mut images, mut described) = (Vec::new(), Vec::new());
    for name in names {
        let kinds = CellVoyager.classify(name);
        if kinds.image {
            let (height, width, _) = pixels(&directory.join(name));
            let side = |length: usize| u32::try_from(length).expect("small");
            let page = PageSize { height: side(height), width: side(width), bit_depth: 16 };
            images.push(ImageFile { name: name.clone(), pages: vec![page], ..ImageFile::default() });
        } else if kinds.metadata {
            let text = fs::read_to_string(directory.join(name)).expect("text");
            described.push(metadata(name, &text));
        }
    }
    let names: Vec<String> = images.iter().map(|image| image.name.clone()).collect();
    check_files(&CellVoyager, &names, &described).expect("files and metadata fit");
    plan_with(&images, &described, &PlanOptions::new(PlateFormat::Wells96)).expect("planned")
}

#[test]
fn demo_plate_has_two_wells_of_3_x_2_sites_and_lacks_a_corner() {
    let directory = Directory::new("plan");
    let plate = DemoPlate::default();
    let names = plate.write(&directory.0, |_, _| ()).expect("written");
    let listed = fs::read_dir(&directory.0).expect("there").count();
    assert_eq!((names.len(), listed), (28, 28), "22 images and 6 other files");
    assert_eq!(names.iter().filter(|name| !CellVoyager.classify(name).is_valid()).count(), 3);
    let plan = planned(&directory.0, &names);
    assert_eq!(plan.title.as_deref(), Some("Demo"));
    assert_eq!((plan.size.height, plan.size.width, plan.bit_depth), (540, 640, 16));
    assert_eq!((plan.pixel_size_um, channel_names(&plan)), (Some(0.65), vec!["1", "2"]));
    assert_eq!(plan.planes.len(), plate.images());
    let wells: Vec<(String, Vec<(usize, usize)>)> = plan
        .wells
        .iter()
        .map(|well| (well.name.to_string(), well.sites.iter().map(|site| (site.y, site.x)).collect()))
        .collect();
    let full = vec![(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)];
    assert_eq!(wells, [("B03".to_string(), full.clone()), ("B04".to_string(), full[..5].to_vec())]);
}

#[test]
fn demo_plate_looks_like_camera_images_of_cells() {
    let directory = Directory::new("look");
    let plate = DemoPlate::default();
    let names = plate.write(&directory.0, |_, _| ()).expect("written");
    let mean = |values: &[u16]| values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
    let (mut corner, mut middle) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| name.ends_with("C01.tif") && CellVoyager.is_image(name)) {
        let (height, width, values) = pixels(&directory.0.join(name));
        let mut sorted = values.clone();
        sorted.sort_unstable();
        let share = |part: f64| sorted[(part * (sorted.len() - 1) as f64) as usize];
        assert!((140..=260).contains(&share(0.3)), "ground of {name}: {}", share(0.3));
        assert!((1800..=4000).contains(&share(0.97)), "nuclei of {name}: {}", share(0.97));
        assert!(share(1.0) < 20_000, "nothing is saturated in {name}");
        // The ground (the dark half of the pixels) is darker in the corners than in the middle.
        let square = |top: usize, left: usize| -> Vec<u16> {
            let rows = (top..top + 60).flat_map(|row| &values[row * width + left..row * width + left + 60]);
            let mut square: Vec<u16> = rows.copied().collect();
            square.sort_unstable();
            square.truncate(square.len() / 2);
            square
        };
        corner.extend(square(height - 60, 0));
        middle.extend(square(height / 2 - 30, width / 2 - 30));
    }
    assert!(mean(&corner) + 15.0 < mean(&middle), "{} and {}", mean(&corner), mean(&middle));
}

#[test]
fn cells_go_on_across_the_borders_of_sites() {
    let directory = Directory::new("borders");
    let plate = DemoPlate { rows: 1, columns: 2, ..DemoPlate::default() };
    let names = plate.write(&directory.0, |_, _| ()).expect("written");
    let plan = planned(&directory.0, &names);
    let site = |x: usize| {
        let at = plan.wells[0].sites.iter().position(|site| site.x == x).expect("there");
        let of_site = |p: &&crate::microscopes::plan::PlannedPlane| (p.well, p.site, p.channel) == (0, at, 1);
        pixels(&directory.0.join(&plan.planes.iter().find(of_site).expect("there").sources[0].file))
    };
    let ((height, width, left), (_, _, right)) = (site(0), site(1));
    let correlation = |column: usize| {
        let pairs: Vec<(f64, f64)> = (0..height)
            .map(|row| (left[row * width + width - 1].into(), right[row * width + column].into()))
            .collect();
        let n = pairs.len() as f64;
        let (a, b) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
        let sum = |f: fn(f64, f64) -> f64| pairs.iter().map(|p| f(p.0 - a, p.1 - b)).sum::<f64>();
        sum(|x, y| x * y) / (sum(|x, _| x * x) * sum(|_, y| y * y)).sqrt()
    };
    assert!(correlation(0) > 0.8, "the last column goes on in the first: {}", correlation(0));
    assert!(correlation(width / 2) < 0.5, "and not in another: {}", correlation(width / 2));
}

#[test]
fn demo_plate_is_the_same_in_every_run() {
    let (first, second) = (Directory::new("first"), Directory::new("second"));
    let plate = DemoPlate { rows: 1, columns: 2, height: 60, width: 80, ..DemoPlate::default() };
    let names = plate.write(&first.0, |_, _| ()).expect("written");
    assert_eq!(plate.write(&second.0, |_, _| ()).expect("written"), names);
    for name in &names {
        let read = |directory: &Directory| fs::read(directory.0.join(name)).expect("there");
        assert!(read(&first) == read(&second), "{name} differs");
    }
    let other = DemoPlate { seed: 7, ..plate };
    other.write(&second.0, |_, _| ()).expect("written");
    let image = names.iter().find(|name| CellVoyager.is_image(name)).expect("an image");
    assert!(fs::read(first.0.join(image)).expect("there") != fs::read(second.0.join(image)).expect("there"));
}

#[test]
fn progress_counts_every_image() {
    let directory = Directory::new("progress");
    let plate = DemoPlate { height: 20, width: 20, ..DemoPlate::default() };
    let seen = std::sync::Mutex::new(Vec::new());
    plate
        .write(&directory.0, |done, total| seen.lock().expect("sound").push((done, total)))
        .expect("written");
    let mut seen = seen.into_inner().expect("sound");
    seen.sort_unstable();
    assert_eq!(seen, (1..=22).map(|done| (done, 22)).collect::<Vec<_>>());
}
