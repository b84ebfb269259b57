//! MetaMorph and VisiView stacks: one directory for all planes.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tm_engine::image::{BitDepth, GreyPlane, Size};
use tm_server::storage::readers::{ReadError, ReadLimits, inspect, read_plane};

use crate::planes::{DEPTHS, plane};
use crate::tiff_builder::{Builder, COMPRESSION, Page, STACK};

const SIZE: Size = Size::new(21, 33);

fn planes(depth: BitDepth, count: usize) -> Vec<GreyPlane> {
    (0..count).map(|seed| plane(SIZE, depth, seed)).collect()
}

fn stack(planes: &[GreyPlane], little_endian: bool, more: Page) -> Vec<u8> {
    let page = Page { rows_per_strip: Some(4), stack: planes[1..].to_vec(), ..more };
    Builder::new(little_endian, false).page(&planes[0], &page).bytes
}

fn store(directory: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = directory.path().join("image.stk");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_plane_of_a_stack_is_a_page_with_its_own_pixels() {
    let directory = TempDir::new().unwrap();
    for depth in DEPTHS {
        for little_endian in [true, false] {
            for count in [1, 2, 7] {
                let planes = planes(depth, count);
                let path = store(&directory, &stack(&planes, little_endian, Page::default()));
                let info = inspect(&path, &ReadLimits::default()).unwrap();
                assert_eq!(info.pages.len(), count);
                assert!(info.pages.iter().all(|page| *page == info.pages[0]));
                for (index, wanted) in planes.iter().enumerate() {
                    let read = read_plane(&path, index, &ReadLimits::default()).unwrap();
                    assert!(read == *wanted, "plane {index} of {count}, {depth:?}");
                }
                let beyond = read_plane(&path, count, &ReadLimits::default()).unwrap_err();
                assert!(matches!(beyond, ReadError::Malformed { .. }), "{beyond}");
            }
        }
    }
}

#[test]
fn a_stack_cut_short_is_refused_and_not_filled_up() {
    let directory = TempDir::new().unwrap();
    let planes = planes(BitDepth::Sixteen, 3);
    let whole = Page { tags: vec![(STACK, 5, vec![0; 40])], ..Page::default() };
    let path = store(&directory, &stack(&planes, true, whole));
    let error = inspect(&path, &ReadLimits::default()).unwrap_err();
    assert!(error.to_string().contains("plane 39 of a stack lies beyond the end of the file"), "{error}");
    assert!(read_plane(&path, 39, &ReadLimits::default()).is_err());
}

#[test]
fn a_stack_of_more_planes_than_allowed_or_compressed_is_refused() {
    let directory = TempDir::new().unwrap();
    let planes = planes(BitDepth::Eight, 5);
    let path = store(&directory, &stack(&planes, true, Page::default()));
    let few = ReadLimits { max_pages: 4, ..ReadLimits::default() };
    let error = inspect(&path, &few).unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { .. }), "{error}");
    let packed = Page { tags: vec![(COMPRESSION, 3, vec![32773])], ..Page::default() };
    let path = store(&directory, &stack(&planes, true, packed));
    let error = inspect(&path, &ReadLimits::default()).unwrap_err();
    assert!(error.to_string().contains("plain strips are wanted"), "{error}");
}
