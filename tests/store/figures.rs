//! How fast the image storage is, printed; not part of a test run.

use std::fs;
use std::time::Instant;

use tempfile::TempDir;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};
use tm_server::storage::images::{FieldImage, OpenImages, create_plate};

use crate::images::{at, field, plate, single};

/// Not a check but a figure; `cargo test --release -p tm-tests --test store -- --ignored --nocapture figures`.
#[test]
#[ignore = "prints timings"]
fn figures_of_reading_and_writing() {
    let directory = TempDir::new().unwrap();
    let size = Size::new(2160, 2560);
    let (path, image) = single(&directory, size, BitDepth::Sixteen);
    // Like a camera image: background of 110 ± 25 counts with bright spots.
    let mut state = 1u32;
    let noisy = Plane::from_fn(size, |row, column| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let spot = if (row / 40 + column / 40) % 7 == 0 { 900 } else { 0 };
        (85 + spot + (state >> 24) % 50) as u16
    });
    let noisy = GreyPlane::from(noisy);
    let rounds = 20;
    let start = Instant::now();
    for round in 0..rounds {
        image.write_plane(at(round % 2, 0, 0), &noisy).unwrap();
    }
    println!("write a plane of {size}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3 / rounds as f64);
    let length = fs::metadata(path.join("B/03/0/0/c/0/0/0/0/0")).unwrap().len();
    println!("stored: {:.2} of raw", length as f64 / (size.area() * 2) as f64);
    let start = Instant::now();
    for round in 0..rounds {
        image.read_plane(at(round % 2, 0, 0)).unwrap().unwrap();
    }
    println!("read a plane: {:.1} ms", start.elapsed().as_secs_f64() * 1e3 / rounds as f64);
    let rounds = 4000;
    let mut times = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let window = Rect::new(round % 8 * 256, round / 8 % 10 * 256, Size::new(256, 256));
        let start = Instant::now();
        image.read_window(at(0, 0, 0), window).unwrap().unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    println!("read a chunk of 256×256: median {:?}, 99 % {:?}", times[rounds / 2], times[rounds * 99 / 100]);
    let start = Instant::now();
    let fields = (0..24 * 16 * 9)
        .map(|number| {
            let well = format!("{}{:02}", char::from(b'A' + (number / 9 / 24) as u8), number / 9 % 24 + 1);
            field(&well, number % 9, size, BitDepth::Sixteen)
        })
        .collect();
    create_plate(&directory.path().join("384"), &plate(fields)).unwrap();
    println!("create a plate of 384 wells of 9 fields: {:.1} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    for _ in 0..1000 {
        FieldImage::open(&path, "B/03/0").unwrap();
    }
    println!("open a field image: {:.0} µs", start.elapsed().as_secs_f64() * 1e3);
    let open = OpenImages::default();
    open.get_field(&path, "B/03/0").unwrap();
    let start = Instant::now();
    for _ in 0..100_000 {
        open.get_field(&path, "B/03/0").unwrap();
    }
    println!("get an open field image: {:.2} µs", start.elapsed().as_secs_f64() * 10.0);
}
