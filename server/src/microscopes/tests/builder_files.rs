//! The builder of made-up plates writes what it says.

use std::fs::{self, File};
use std::io::BufReader;

use tiff::decoder::{Decoder, DecodingResult};

use super::builder::{PlaneId, PlateFiles, identity_code};
use super::{images_of, layout, plan_with};

#[test]
fn builder_writes_the_files_it_lists_with_the_pixels_it_says() {
    let directory = std::env::temp_dir().join(format!("tm-builder-{}", std::process::id()));
    for (bits, png) in [(8, false), (16, false), (8, true), (16, true)] {
        let files = PlateFiles::new("x y_C04").grid(1, 2).size(5, 7).depth(bits).with_foreign_files();
        let files = files.hole("B03", 0, 0).without_files(|id| id.z == 2).z_planes(2);
        let files = if png { files.png() } else { files };
        let names = files.write(&directory).expect("written");
        let mut listed: Vec<String> = fs::read_dir(&directory)
            .expect("there")
            .map(|entry| entry.expect("there").file_name().to_string_lossy().into_owned())
            .collect();
        listed.sort();
        assert_eq!(names, listed);
        let ids = files.planes();
        assert_eq!((ids.len(), ids[0].x, ids[0].field), (2, 1, 1));
        let image = directory.join(files.file_name(&ids[0]));
        assert!(!directory.join(files.file_name(&ids[1])).exists());
        let wanted: Vec<u16> = (0..35).map(|i| identity_code(&ids[0], i / 7, i % 7)).collect();
        let file = File::open(image).expect("there");
        if png {
            let mut reader = png::Decoder::new(BufReader::new(file)).read_info().expect("a PNG file");
            let mut bytes = vec![0; reader.output_buffer_size().expect("small")];
            let info = reader.next_frame(&mut bytes).expect("pixels");
            assert_eq!((info.height, info.width, info.bit_depth as u32), (5, 7, bits));
            let wanted: Vec<u8> = match bits {
                8 => wanted.iter().map(|value| value.to_le_bytes()[0]).collect(),
                _ => wanted.iter().flat_map(|value| value.to_be_bytes()).collect(),
            };
            assert_eq!(bytes, wanted);
        } else {
            let mut decoder = Decoder::new(file).expect("a TIFF file");
            assert_eq!(decoder.dimensions().expect("a size"), (7, 5));
            match decoder.read_image().expect("pixels") {
                DecodingResult::U16(values) => assert_eq!((bits, values), (16, wanted)),
                DecodingResult::U8(values) => {
                    let low: Vec<u8> = wanted.iter().map(|value| value.to_le_bytes()[0]).collect();
                    assert_eq!((bits, values), (8, low));
                }
                _ => panic!("wanted 8 or 16 bits"),
            }
        }
        fs::remove_dir_all(&directory).expect("removed");
    }
}

#[test]
fn comparer_of_places_notices_a_wrong_layout() {
    let files = PlateFiles::new("x").grid(2, 2);
    // Fields were taken in snake order; the plan is told they were not.
    let plan = plan_with(&images_of(&files), &[], &layout(2, 2)).expect("planned");
    let compared =
        std::panic::catch_unwind(|| super::assert_in_place(&plan, &PlateFiles::new("x").grid(2, 2)));
    assert!(compared.is_err());
}

#[test]
fn identity_codes_of_neighbouring_planes_and_pixels_differ() {
    let ids = PlateFiles::new("x").wells(&["B03", "C05"]).channels(2).z_planes(2).time_points(2).planes();
    let codes = |id: &PlaneId| -> Vec<u16> { (0..64).map(|i| identity_code(id, i / 8, i % 8)).collect() };
    for other in &ids[1..] {
        let same = codes(&ids[0]).iter().zip(codes(other)).filter(|(a, b)| **a == *b).count();
        assert!(same < 3, "{other:?}");
    }
    let mut values = codes(&ids[0]);
    values.sort_unstable();
    values.dedup();
    assert!(values.len() > 60);
}
