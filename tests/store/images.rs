//! Channel images, and the cache of opened images.

use std::fs;
use std::io;
use std::path::PathBuf;

use tempfile::TempDir;
use tm_engine::image::{BitDepth, GreyPlane, Rect, Size};
use tm_server::storage::StorageError;
use tm_server::storage::images::{
    AcquisitionSpec, ChannelSpec, FieldImage, FieldSpec, LayerPyramid, OpenImages, PlaneIndex, PlateSpec,
    create_layer, create_plate, field_path,
};
use tm_tests::python;

use crate::layers::layer;
use crate::listing::Listing;
use crate::planes::{DEPTHS, SIZES, cut, plane};

pub fn field(well: &str, index: usize, size: Size, depth: BitDepth) -> FieldSpec {
    let channel =
        |name: &str, color: Option<&str>| ChannelSpec { name: name.into(), color: color.map(Into::into) };
    FieldSpec {
        well: well.into(),
        index,
        acquisition: 7,
        time_points: 2,
        z_planes: 2,
        channels: vec![
            channel("DAPI", Some("0000ff")),
            channel("GFP", None),
            channel("Cy5 – β", Some("FF0000")),
        ],
        size,
        depth,
        pixel_size_um: Some(0.65),
        z_step_um: Some(1.5),
        time_interval_s: Some(30.0),
    }
}

pub fn plate(fields: Vec<FieldSpec>) -> PlateSpec {
    let acquisitions = vec![AcquisitionSpec { id: 7, name: "first".into() }];
    PlateSpec { name: "plate \"one\"".into(), acquisitions, fields }
}

pub fn at(t: usize, c: usize, z: usize) -> PlaneIndex {
    PlaneIndex { t, c, z }
}

/// A plate of one field in well B03.
pub fn single(directory: &TempDir, size: Size, depth: BitDepth) -> (PathBuf, FieldImage) {
    let path = directory.path().join("plate.ome.zarr");
    create_plate(&path, &plate(vec![field("B03", 0, size, depth)])).unwrap();
    let image = FieldImage::open(&path, &field_path("B03", 0)).unwrap();
    (path, image)
}

pub fn parameter(result: Result<(), StorageError>) -> String {
    match result {
        Err(StorageError::Engine(error)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn field_paths_are_row_column_and_number() {
    assert_eq!(field_path("B03", 0), "B/03/0");
    assert_eq!(field_path("AF48", 12), "AF/48/12");
}

#[test]
fn planes_of_every_size_and_depth_come_back_as_written() {
    for size in SIZES {
        for depth in DEPTHS {
            let directory = TempDir::new().unwrap();
            let (_, image) = single(&directory, size, depth);
            assert_eq!((image.size(), image.depth()), (size, depth));
            assert_eq!(image.planes(), at(2, 3, 2));
            let written = [(at(0, 0, 0), 1), (at(1, 2, 1), 2), (at(0, 1, 0), 3)];
            for (index, seed) in written {
                image.write_plane(index, &plane(size, depth, seed)).unwrap();
            }
            for (index, seed) in written {
                let read = image.read_plane(index).unwrap().unwrap();
                assert!(read == plane(size, depth, seed), "{size} {depth:?} {index:?}");
            }
        }
    }
}

#[test]
fn a_plane_never_written_is_none_and_a_black_one_is_black() {
    let directory = TempDir::new().unwrap();
    let size = Size::new(300, 340);
    let (_, image) = single(&directory, size, BitDepth::Sixteen);
    assert_eq!(image.read_plane(at(0, 0, 0)).unwrap(), None);
    assert_eq!(image.read_window(at(0, 0, 0), Rect::new(5, 5, Size::new(2, 2))).unwrap(), None);
    let black = GreyPlane::zeros(BitDepth::Sixteen, size);
    image.write_plane(at(0, 0, 0), &black).unwrap();
    assert_eq!(image.read_plane(at(0, 0, 0)).unwrap(), Some(black));
    assert_eq!(image.read_plane(at(0, 0, 1)).unwrap(), None);
}

#[test]
fn windows_are_cut_exactly_across_chunk_borders() {
    let directory = TempDir::new().unwrap();
    let size = Size::new(700, 600);
    for depth in DEPTHS {
        let directory = directory.path().join(depth.bits().to_string());
        create_plate(&directory, &plate(vec![field("B03", 0, size, depth)])).unwrap();
        let image = FieldImage::open(&directory, "B/03/0").unwrap();
        let whole = plane(size, depth, 5);
        image.write_plane(at(1, 1, 1), &whole).unwrap();
        for (y, x, height, width) in [
            (0, 0, 1, 1),
            (255, 255, 2, 2),
            (0, 0, 256, 256),
            (256, 256, 256, 256),
            (200, 100, 400, 300),
            (699, 599, 1, 1),
        ] {
            let window = Rect::new(y, x, Size::new(height, width));
            let read = image.read_window(at(1, 1, 1), window).unwrap().unwrap();
            assert!(read == cut(&whole, window), "{window:?}");
        }
    }
}

#[test]
fn windows_and_indices_outside_the_image_are_refused() {
    let directory = TempDir::new().unwrap();
    let size = Size::new(300, 340);
    let (_, image) = single(&directory, size, BitDepth::Sixteen);
    let refused = |result: Result<Option<GreyPlane>, StorageError>| {
        assert!(matches!(result, Err(StorageError::Engine(_))), "{result:?}");
    };
    refused(image.read_plane(at(2, 0, 0)));
    refused(image.read_plane(at(0, 3, 0)));
    refused(image.read_plane(at(0, 0, 2)));
    refused(image.read_window(at(0, 0, 0), Rect::new(0, 0, Size::new(301, 1))));
    refused(image.read_window(at(0, 0, 0), Rect::new(usize::MAX, 0, Size::new(2, 2))));
    refused(image.read_window(at(0, 0, 0), Rect::new(0, 0, Size::new(0, 2))));
    let message = parameter(image.write_plane(at(0, 0, 0), &plane(size, BitDepth::Eight, 0)));
    assert_eq!(
        message,
        "plane of a field image: expected 300×340 pixels of 16 bits, got 300×340 pixels of 8 bits"
    );
    parameter(image.write_plane(at(0, 0, 0), &plane(Size::new(340, 300), BitDepth::Sixteen, 0)));
    assert_eq!(image.read_plane(at(0, 0, 0)).unwrap(), None);
}

#[test]
fn a_rewritten_plane_is_seen_by_every_open_image() {
    let directory = TempDir::new().unwrap();
    let size = Size::new(300, 340);
    let (path, writer) = single(&directory, size, BitDepth::Sixteen);
    let open = OpenImages::default();
    let reader = open.get_field(&path, "B/03/0").unwrap();
    for seed in 0..50 {
        let wanted = plane(size, BitDepth::Sixteen, seed);
        writer.write_plane(at(0, 0, 0), &wanted).unwrap();
        assert!(reader.read_plane(at(0, 0, 0)).unwrap() == Some(wanted), "rewrite {seed}");
    }
}

#[test]
fn readers_beside_a_writer_see_whole_planes_only() {
    let directory = TempDir::new().unwrap();
    let size = Size::new(300, 340);
    let (_, image) = single(&directory, size, BitDepth::Sixteen);
    let planes = [plane(size, BitDepth::Sixteen, 1), plane(size, BitDepth::Sixteen, 2)];
    image.write_plane(at(0, 0, 0), &planes[0]).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for round in 0..60 {
                image.write_plane(at(0, 0, 0), &planes[round % 2]).unwrap();
            }
        });
        let mut reads = 0;
        while !writer.is_finished() || reads == 0 {
            let read = image.read_plane(at(0, 0, 0)).unwrap().unwrap();
            assert!(planes.contains(&read), "a mixed plane");
            reads += 1;
        }
    });
}

#[test]
fn damaged_shards_are_reported_as_corrupt() {
    let directory = TempDir::new().unwrap();
    let size = Size::new(300, 340);
    let (path, image) = single(&directory, size, BitDepth::Sixteen);
    image.write_plane(at(0, 0, 0), &plane(size, BitDepth::Sixteen, 1)).unwrap();
    let shard = path.join("B/03/0/0/c/0/0/0/0/0");
    let good = fs::read(&shard).unwrap();
    let corrupt = |bytes: &[u8]| {
        fs::write(&shard, bytes).unwrap();
        let read = image.read_plane(at(0, 0, 0));
        assert!(matches!(read, Err(StorageError::Corrupt { .. })), "{read:?}");
    };
    corrupt(b"");
    corrupt(&good[..10]);
    corrupt(&good[1..]);
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last - 8] ^= 1;
    corrupt(&flipped);
    let mut header = good.clone();
    header[..16].fill(0xff);
    corrupt(&header);
    fs::write(&shard, &good).unwrap();
    assert!(image.read_plane(at(0, 0, 0)).unwrap().is_some());
}

#[test]
fn opening_what_is_not_there_or_not_ours_says_so() {
    let directory = TempDir::new().unwrap();
    let (path, _) = single(&directory, Size::new(96, 120), BitDepth::Eight);
    let open = |field: &str| FieldImage::open(&path, field).err().unwrap();
    assert!(matches!(open("B/03/1"), StorageError::NotFound { .. }));
    assert!(matches!(
        LayerPyramid::open(&directory.path().join("none")).err().unwrap(),
        StorageError::NotFound { .. }
    ));
    let group = path.join("B/03/0/zarr.json");
    let text = fs::read_to_string(&group).unwrap();
    fs::write(&group, text.replace("\"format_version\": 1", "\"format_version\": 2")).unwrap();
    assert!(open("B/03/0").to_string().starts_with("format version 2 is stored, this program knows 1"));
    fs::write(&group, &text[..text.len() / 2]).unwrap();
    assert!(matches!(open("B/03/0"), StorageError::Corrupt { .. }));
}

#[test]
fn an_existing_plate_or_layer_is_not_replaced() {
    let directory = TempDir::new().unwrap();
    let (path, image) = single(&directory, Size::new(96, 120), BitDepth::Eight);
    image.write_plane(at(0, 0, 0), &plane(image.size(), BitDepth::Eight, 0)).unwrap();
    let again = create_plate(&path, &plate(vec![field("B03", 0, Size::new(1, 1), BitDepth::Eight)]));
    assert!(matches!(&again, Err(StorageError::Io(error)) if error.kind() == io::ErrorKind::AlreadyExists));
    assert!(image.read_plane(at(0, 0, 0)).unwrap().is_some());
    let names: Vec<_> =
        fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["plate.ome.zarr"], "temporary files are left");
}

#[test]
fn a_full_disk_is_told_from_other_failures() {
    let full = StorageError::from(io::Error::from(io::ErrorKind::StorageFull));
    assert!(full.is_storage_full());
    assert!(!StorageError::from(io::Error::from(io::ErrorKind::PermissionDenied)).is_storage_full());
}

#[test]
fn contradictory_plates_are_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plate");
    let size = Size::new(4, 4);
    let good = || field("B03", 0, size, BitDepth::Eight);
    let refused = |fields: Vec<FieldSpec>| parameter(create_plate(&path, &plate(fields)));
    for well in ["b03", "B3", "03", "B003", "AAA01", "B 03", "", "../3"] {
        assert!(refused(vec![FieldSpec { well: well.into(), ..good() }]).starts_with("well"), "{well}");
    }
    assert!(refused(vec![]).starts_with("fields"));
    assert!(refused(vec![good(), good()]).contains("appears twice"));
    assert!(refused(vec![FieldSpec { index: 1, ..good() }]).contains("gaps"));
    assert!(refused(vec![FieldSpec { acquisition: 8, ..good() }]).starts_with("acquisition"));
    assert!(refused(vec![FieldSpec { time_points: 0, ..good() }]).contains("no pixels"));
    assert!(refused(vec![FieldSpec { size: Size::new(0, 4), ..good() }]).contains("no pixels"));
    let mut colored = good();
    colored.channels[0].color = Some("blue".into());
    assert!(refused(vec![colored]).starts_with("color"));
    assert!(!path.exists());
}

#[test]
fn forgotten_images_are_opened_again() {
    let directory = TempDir::new().unwrap();
    let plate_path = directory.path().join("plates/1-1.ome.zarr");
    let layer_path = directory.path().join("layers/1.ome.zarr");
    create_plate(&plate_path, &plate(vec![field("B03", 0, Size::new(96, 120), BitDepth::Eight)])).unwrap();
    create_layer(&layer_path, &layer(Size::new(300, 340), 2, BitDepth::Eight)).unwrap();
    let open = OpenImages::default();
    let field_image = open.get_field(&plate_path, "B/03/0").unwrap();
    let pyramid = open.get_layer(&layer_path).unwrap();
    assert!(std::sync::Arc::ptr_eq(&field_image, &open.get_field(&plate_path, "B/03/0").unwrap()));
    assert!(std::sync::Arc::ptr_eq(&pyramid, &open.get_layer(&layer_path).unwrap()));

    fs::remove_dir_all(&layer_path).unwrap();
    open.forget(&layer_path);
    assert!(matches!(open.get_layer(&layer_path), Err(StorageError::NotFound { .. })));
    create_layer(&layer_path, &layer(Size::new(600, 700), 3, BitDepth::Sixteen)).unwrap();
    assert_eq!(open.get_layer(&layer_path).unwrap().level_size(1), Some(Size::new(300, 350)));

    fs::remove_dir_all(&plate_path).unwrap();
    open.forget(&directory.path().join("plates"));
    assert!(matches!(open.get_field(&plate_path, "B/03/0"), Err(StorageError::NotFound { .. })));
}

#[test]
fn the_image_not_asked_for_the_longest_gives_way() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("plate");
    let fields = (0..3).map(|index| field("B03", index, Size::new(8, 8), BitDepth::Eight)).collect();
    create_plate(&path, &plate(fields)).unwrap();
    let open = OpenImages::new(2);
    let first = open.get_field(&path, "B/03/0").unwrap();
    let second = open.get_field(&path, "B/03/1").unwrap();
    open.get_field(&path, "B/03/0").unwrap();
    open.get_field(&path, "B/03/2").unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &open.get_field(&path, "B/03/0").unwrap()));
    assert!(!std::sync::Arc::ptr_eq(&second, &open.get_field(&path, "B/03/1").unwrap()));
}

#[test]
fn plates_open_in_zarr_python_and_ome_zarr_py() {
    let Some(python) = python::interpreter() else { return };
    let mut listings = Vec::new();
    for size in SIZES {
        for depth in DEPTHS {
            let large = size.area() > 1_000_000;
            let wells =
                if large { &[("B03", 0)][..] } else { &[("B03", 0), ("B03", 1), ("C11", 0), ("AA02", 0)] };
            let mut spec =
                plate(wells.iter().map(|(well, index)| field(well, *index, size, depth)).collect());
            // An acquisition that has no field, and small plates without the sizes of pixels and steps.
            spec.acquisitions.push(AcquisitionSpec { id: 9, name: "empty".into() });
            for field in &mut spec.fields {
                let known = size.area() > 1000;
                field.pixel_size_um = field.pixel_size_um.filter(|_| known);
                field.z_step_um = field.z_step_um.filter(|_| known);
                field.time_interval_s = field.time_interval_s.filter(|_| known);
                (field.time_points, field.z_planes) = if large { (1, 1) } else { (2, 2) };
            }
            let mut listing = Listing::new();
            create_plate(&listing.store(), &spec).unwrap();
            for (seed, (well, index)) in wells.iter().enumerate() {
                let name = field_path(well, *index);
                let image = FieldImage::open(&listing.store(), &name).unwrap();
                let pixels = plane(size, depth, seed);
                let last = image.planes().t - 1;
                image.write_plane(at(last, seed % 3, 0), &pixels).unwrap();
                listing.add_plane(&format!("{name}/0"), &[last, seed % 3, 0], &pixels);
            }
            listings.push(listing);
        }
    }
    let (succeeded, printed) = Listing::check(&listings, &python);
    assert!(succeeded, "{printed}");
    assert_eq!(printed.matches("OK").count(), listings.len(), "{printed}");
}

#[test]
fn the_python_check_fails_when_a_pixel_a_plane_or_an_array_differs() {
    let Some(python) = python::interpreter() else { return };
    let size = Size::new(96, 120);
    let pixels = plane(size, BitDepth::Eight, 1);
    let check = |array: &str, index: [usize; 3], plane: &GreyPlane| {
        let mut listing = Listing::new();
        let spec = plate(vec![field("B03", 0, size, BitDepth::Eight)]);
        create_plate(&listing.store(), &spec).unwrap();
        let image = FieldImage::open(&listing.store(), "B/03/0").unwrap();
        image.write_plane(at(0, 0, 0), &pixels).unwrap();
        listing.add_plane(array, &index, plane);
        Listing::check(&[listing], &python)
    };
    let (succeeded, printed) = check("B/03/0/0", [0, 0, 0], &pixels);
    assert!(succeeded, "{printed}");
    let GreyPlane::U8(mut other) = pixels.clone() else { unreachable!() };
    other.row_mut(95)[119] ^= 1;
    let (succeeded, printed) = check("B/03/0/0", [0, 0, 0], &other.into());
    assert!(!succeeded && printed.contains("1 values differ, the first at [ 95 119]"), "{printed}");
    assert!(!check("B/03/0/0", [0, 0, 1], &pixels).0);
    assert!(!check("B/03/1/0", [0, 0, 0], &pixels).0);
}
