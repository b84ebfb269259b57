//! Channel layers.

use std::fs;

use tempfile::TempDir;
use tm_engine::image::{BitDepth, GreyPlane, Plane, Rect, Size};
use tm_server::storage::images::{LayerPyramid, LayerSpec, create_layer, layer_shard_edge};
use tm_tests::python;

use crate::images::parameter;
use crate::listing::Listing;
use crate::planes::{DEPTHS, cut, plane};

pub fn layer(size: Size, levels: usize, depth: BitDepth) -> LayerSpec {
    LayerSpec { name: "DAPI".into(), size, levels, depth, pixel_size_um: Some(0.65) }
}

#[test]
fn levels_halve_rounding_up_and_shards_follow_the_block_of_a_job() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("layer");
    create_layer(&path, &layer(Size::new(9001, 4097), 8, BitDepth::Sixteen)).unwrap();
    let pyramid = LayerPyramid::open(&path).unwrap();
    assert_eq!(pyramid.levels(), 8);
    assert_eq!(pyramid.level_size(0), None);
    assert_eq!(pyramid.level_size(1), Some(Size::new(4501, 2049)));
    assert_eq!(pyramid.level_size(7), Some(Size::new(71, 33)));
    assert_eq!(pyramid.level_size(8), None);
    let edges: Vec<usize> = (1..8).map(layer_shard_edge).collect();
    assert_eq!(edges, [2048, 1024, 512, 256, 256, 256, 256]);
}

#[test]
fn shards_of_a_layer_come_back_as_written_and_the_rest_is_zero() {
    for depth in DEPTHS {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("layer");
        create_layer(&path, &layer(Size::new(9001, 4097), 8, depth)).unwrap();
        let pyramid = LayerPyramid::open(&path).unwrap();
        assert_eq!(pyramid.depth(), depth);
        for level in 1..8 {
            let size = pyramid.level_size(level).unwrap();
            let edge = layer_shard_edge(level);
            // The last shard of the level, clipped, and the first, whole where the level is large enough.
            let (last_y, last_x) = ((size.height - 1) / edge, (size.width - 1) / edge);
            let clipped = Size::new(size.height - last_y * edge, size.width - last_x * edge);
            let pixels = plane(clipped, depth, level);
            pyramid.write_shard(level, last_y, last_x, &pixels).unwrap();
            let window = Rect::new(last_y * edge, last_x * edge, clipped);
            assert!(pyramid.read_window(level, window).unwrap() == pixels, "level {level}");
            // Around it: 3 pixels above and to the left are another shard or nothing, beyond is outside.
            let wide = Rect::new(window.y, window.x, Size::new(clipped.height + 9, clipped.width + 5));
            let read = pyramid.read_window(level, wide).unwrap();
            assert!(cut(&read, Rect::new(0, 0, clipped)) == pixels);
            for row in 0..wide.size.height {
                for column in 0..wide.size.width {
                    if row >= clipped.height || column >= clipped.width {
                        assert_eq!(read.value(row, column), 0, "level {level}: {row}, {column}");
                    }
                }
            }
            let far = Rect::new(usize::MAX - 1, 0, Size::new(3, 2));
            assert!(pyramid.read_window(level, far).unwrap() == GreyPlane::zeros(depth, far.size));
        }
    }
}

#[test]
fn a_whole_shard_at_the_edge_of_a_level_is_clipped() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("layer");
    create_layer(&path, &layer(Size::new(300, 340), 3, BitDepth::Eight)).unwrap();
    let pyramid = LayerPyramid::open(&path).unwrap();
    let whole = plane(Size::new(2048, 2048), BitDepth::Eight, 1);
    pyramid.write_shard(1, 0, 0, &whole).unwrap();
    let size = Size::new(150, 170);
    let read = pyramid.read_window(1, Rect::new(0, 0, Size::new(200, 200))).unwrap();
    assert!(cut(&read, Rect::new(0, 0, size)) == cut(&whole, Rect::new(0, 0, size)));
    assert_eq!(read.value(150, 0), 0);
    assert_eq!(read.value(0, 170), 0);
    parameter(pyramid.write_shard(1, 1, 0, &whole));
    parameter(pyramid.write_shard(1, 0, 0, &plane(Size::new(150, 171), BitDepth::Eight, 1)));
    parameter(pyramid.write_shard(1, 0, 0, &plane(size, BitDepth::Sixteen, 1)));
    parameter(pyramid.write_shard(0, 0, 0, &whole));
    parameter(pyramid.write_shard(3, 0, 0, &whole));
}

#[test]
fn background_takes_no_file_and_no_chunk() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("layer");
    create_layer(&path, &layer(Size::new(8192, 8192), 6, BitDepth::Sixteen)).unwrap();
    let pyramid = LayerPyramid::open(&path).unwrap();
    let edge = Size::new(2048, 2048);
    let empty = GreyPlane::zeros(BitDepth::Sixteen, edge);
    pyramid.write_shard(1, 0, 0, &empty).unwrap();
    let shard = path.join("1/c/0/0");
    assert!(!shard.exists());
    let one = Plane::from_fn(edge, |row, column| u16::from(row == 300 && column == 700) * 9);
    pyramid.write_shard(1, 0, 0, &one.into()).unwrap();
    // An index of 64 entries, a checksum, and one chunk that is nearly all zeros.
    let length = fs::metadata(&shard).unwrap().len();
    assert!(length > 64 * 16 + 4 && length < 64 * 16 + 4 + 2000, "{length} bytes");
    let read = pyramid.read_window(1, Rect::new(299, 699, Size::new(3, 3))).unwrap();
    assert_eq!(read, GreyPlane::U16(Plane::from_fn(Size::new(3, 3), |y, x| u16::from((y, x) == (1, 1)) * 9)));
    pyramid.write_shard(1, 0, 0, &empty).unwrap();
    assert!(!shard.exists(), "a rerun that finds background leaves the old shard");
    assert_eq!(pyramid.read_window(1, Rect::new(300, 700, Size::new(1, 1))).unwrap().value(0, 0), 0);
}

#[test]
fn layers_without_levels_are_refused() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("layer");
    for levels in [0, 1, 34] {
        parameter(create_layer(&path, &layer(Size::new(300, 340), levels, BitDepth::Eight)));
    }
    parameter(create_layer(&path, &layer(Size::new(0, 340), 2, BitDepth::Eight)));
    assert!(!path.exists());
}

#[test]
fn layers_open_in_zarr_python_and_ome_zarr_py() {
    let Some(python) = python::interpreter() else { return };
    let mut listings = Vec::new();
    for (size, levels, depth) in [
        (Size::new(9001, 4097), 8, BitDepth::Sixteen),
        (Size::new(300, 340), 2, BitDepth::Eight),
        (Size::new(1, 1), 2, BitDepth::Sixteen),
    ] {
        let mut listing = Listing::new();
        create_layer(&listing.store(), &layer(size, levels, depth)).unwrap();
        let pyramid = LayerPyramid::open(&listing.store()).unwrap();
        for level in 1..levels {
            let size = pyramid.level_size(level).unwrap();
            let edge = layer_shard_edge(level);
            let shard = Size::new(size.height.min(edge), size.width.min(edge));
            pyramid.write_shard(level, 0, 0, &plane(shard, depth, level)).unwrap();
            let whole = pyramid.read_window(level, Rect::new(0, 0, size)).unwrap();
            listing.add_plane(&level.to_string(), &[], &whole);
        }
        listings.push(listing);
    }
    let (succeeded, printed) = Listing::check(&listings, &python);
    assert!(succeeded, "{printed}");
}
