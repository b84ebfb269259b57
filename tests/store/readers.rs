//! Camera image files: what is read, what is refused, and that nothing panics.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use tempfile::TempDir;
use tiff::encoder::{Compression, DeflateLevel, Predictor, TiffEncoder, colortype};
use tm_engine::image::{BitDepth, GreyPlane, Plane, Size};
use tm_server::storage::encode;
use tm_server::storage::readers::{PageInfo, ReadError, ReadLimits, inspect, read_plane};

use crate::planes::{DEPTHS, SIZES, plane};
use crate::tiff_builder::{
    BITS, Builder, COLOR_MAP, COMPRESSION, PHOTOMETRIC, Page, SAMPLE_FORMAT, SAMPLES, STRIP_COUNTS, WIDTH,
};

fn store(directory: &TempDir, bytes: &[u8]) -> PathBuf {
    // The extension lies on purpose.
    let path = directory.path().join("image.jpg");
    fs::write(&path, bytes).unwrap();
    path
}

fn limits() -> ReadLimits {
    ReadLimits::default()
}

/// Both readings of a file of one page agree with `expected`.
fn assert_reads(path: &Path, expected: &GreyPlane, what: &str) {
    let info = inspect(path, &limits()).unwrap();
    let Size { height, width } = expected.size();
    let page =
        PageInfo { height: height as u32, width: width as u32, bit_depth: expected.depth().bits() as u8 };
    assert_eq!(info.pages, [page], "{what}");
    assert!(read_plane(path, 0, &limits()).unwrap() == *expected, "{what}");
}

/// Both readings of a file fail, with the same message.
fn refusal(bytes: &[u8]) -> ReadError {
    let directory = TempDir::new().unwrap();
    let path = store(&directory, bytes);
    let error = inspect(&path, &limits()).unwrap_err();
    let again = read_plane(&path, 0, &limits()).unwrap_err();
    assert_eq!(error.to_string(), again.to_string());
    error
}

fn one_page(page: Page) -> Vec<u8> {
    Builder::new(true, false).page(&plane(Size::new(30, 34), BitDepth::Sixteen, 1), &page).bytes
}

fn with_tag(tag: u16, values: &[u64]) -> Vec<u8> {
    one_page(Page { tags: vec![(tag, 3, values.to_vec())], ..Page::default() })
}

#[test]
fn tiff_of_every_byte_order_offset_width_and_cut_is_read() {
    let directory = TempDir::new().unwrap();
    for size in SIZES {
        for depth in DEPTHS {
            let pixels = plane(size, depth, 3);
            for (little_endian, big) in [(true, false), (false, false), (true, true), (false, true)] {
                let cuts = [
                    Page::default(),
                    Page { rows_per_strip: Some(7), ..Page::default() },
                    Page { tile: Some(Size::new(64, 48)), ..Page::default() },
                ];
                for (number, cut) in cuts.iter().enumerate() {
                    let bytes = Builder::new(little_endian, big).page(&pixels, cut).bytes;
                    let what = format!("{size} {depth:?} little {little_endian} big {big} cut {number}");
                    assert_reads(&store(&directory, &bytes), &pixels, &what);
                }
            }
        }
    }
}

#[test]
fn compressed_tiff_is_read_with_and_without_predictor() {
    let directory = TempDir::new().unwrap();
    let compressions = [Compression::Lzw, Compression::Deflate(DeflateLevel::Fast), Compression::Packbits];
    for size in SIZES {
        for (number, compression) in compressions.into_iter().enumerate() {
            for predictor in [Predictor::None, Predictor::Horizontal] {
                if compression == Compression::Packbits && predictor == Predictor::Horizontal {
                    continue;
                }
                for depth in DEPTHS {
                    let pixels = plane(size, depth, 4);
                    let bytes = compressed(&pixels, compression, predictor);
                    let what = format!("{size} {depth:?} compression {number} {predictor:?}");
                    assert_reads(&store(&directory, &bytes), &pixels, &what);
                }
            }
        }
    }
}

fn compressed(pixels: &GreyPlane, compression: Compression, predictor: Predictor) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let mut encoder =
        TiffEncoder::new(&mut bytes).unwrap().with_compression(compression).with_predictor(predictor);
    let Size { height, width } = pixels.size();
    match pixels {
        GreyPlane::U8(plane) => {
            encoder.write_image::<colortype::Gray8>(width as u32, height as u32, plane.pixels()).unwrap();
        }
        GreyPlane::U16(plane) => {
            encoder.write_image::<colortype::Gray16>(width as u32, height as u32, plane.pixels()).unwrap();
        }
    }
    bytes.into_inner()
}

#[test]
fn big_endian_files_of_another_encoder_with_predictor_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiff");
    let size = Size::new(45, 70);
    let value = |row: usize, column: usize| row * 997 + column * 31 + (row * column) % 13;
    for kind in ["classic-zlib", "classic-lzw", "big-zlib", "big-lzw"] {
        let eight = Plane::from_fn(size, |row, column| value(row, column) as u8);
        let sixteen = Plane::from_fn(size, |row, column| value(row, column) as u16);
        assert_reads(&folder.join(format!("{kind}-predictor-8.tif")), &eight.into(), kind);
        assert_reads(&folder.join(format!("{kind}-predictor-16.tif")), &sixteen.into(), kind);
    }
}

#[test]
fn a_predictor_without_a_compression_that_knows_it_means_nothing() {
    let directory = TempDir::new().unwrap();
    let bytes = with_tag(317, &[2]);
    assert_reads(&store(&directory, &bytes), &plane(Size::new(30, 34), BitDepth::Sixteen, 1), "predictor");
}

#[test]
fn white_is_zero_is_inverted() {
    let directory = TempDir::new().unwrap();
    for depth in DEPTHS {
        let stored = plane(Size::new(30, 34), depth, 1);
        let page = Page { tags: vec![(PHOTOMETRIC, 3, vec![0])], ..Page::default() };
        let bytes = Builder::new(false, false).page(&stored, &page).bytes;
        let inverted: GreyPlane = match &stored {
            GreyPlane::U8(plane) => Plane::from_fn(plane.size(), |y, x| 255 - plane.get(y, x)).into(),
            GreyPlane::U16(plane) => Plane::from_fn(plane.size(), |y, x| 65535 - plane.get(y, x)).into(),
        };
        assert_reads(&store(&directory, &bytes), &inverted, "inverted");
    }
}

#[test]
fn grey_palettes_are_applied_and_colour_palettes_refused() {
    let directory = TempDir::new().unwrap();
    let GreyPlane::U8(stored) = plane(Size::new(30, 34), BitDepth::Eight, 1) else { unreachable!() };
    let with_map = |map: Vec<u64>, big: bool| {
        let tags = vec![(PHOTOMETRIC, 3, vec![3]), (COLOR_MAP, 3, map)];
        Builder::new(false, big).page(&stored.clone().into(), &Page { tags, ..Page::default() }).bytes
    };
    let grey = |level: &dyn Fn(u64) -> u64| (0..3).flat_map(|_| (0..256).map(level)).collect::<Vec<u64>>();
    let eight = |level: &dyn Fn(u8) -> u8| {
        GreyPlane::from(Plane::from_fn(stored.size(), |y, x| level(stored.get(y, x))))
    };
    for big in [false, true] {
        let reversed = with_map(grey(&|index| (255 - index) * 257), big);
        assert_reads(&store(&directory, &reversed), &eight(&|index| 255 - index), "v·257, reversed");
        let shifted = with_map(grey(&|index| index << 8), big);
        assert_reads(&store(&directory, &shifted), &eight(&|index| index), "v·256");
        let plain = with_map(grey(&|index| index / 2), big);
        assert_reads(&store(&directory, &plain), &eight(&|index| index / 2), "v");
        let curve = |index: u64| index * index;
        let wide = Plane::from_fn(stored.size(), |y, x| curve(stored.get(y, x).into()) as u16);
        assert_reads(&store(&directory, &with_map(grey(&curve), big)), &wide.into(), "16 bits");
    }
    let mut colours = grey(&|index| index * 257);
    colours[300] += 1;
    assert!(matches!(refusal(&with_map(colours, false)), ReadError::Unsupported { .. }));
    assert!(matches!(refusal(&with_map(vec![0; 767], false)), ReadError::Malformed { .. }));
}

#[test]
fn every_page_of_a_long_file_is_read() {
    let directory = TempDir::new().unwrap();
    for big in [false, true] {
        let planes: Vec<GreyPlane> =
            (0..40).map(|page| plane(Size::new(20 + page, 31), DEPTHS[page % 2], page)).collect();
        let mut builder = Builder::new(true, big);
        for (number, plane) in planes.iter().enumerate() {
            let description = Some(format!("page {number}\0").into_bytes());
            builder = builder.page(plane, &Page { description, ..Page::default() });
        }
        let path = store(&directory, &builder.bytes);
        let info = inspect(&path, &limits()).unwrap();
        assert_eq!(info.description.as_deref(), Some("page 0"));
        assert_eq!(info.pages.len(), 40);
        assert_eq!(info.pages[39], PageInfo { height: 59, width: 31, bit_depth: 16 });
        for (page, plane) in planes.iter().enumerate() {
            assert!(read_plane(&path, page, &limits()).unwrap() == *plane, "page {page}");
        }
        let beyond = read_plane(&path, 40, &limits()).unwrap_err();
        assert_eq!(beyond.to_string(), "image.jpg: damaged image file: page 40 is wanted, the file has 40");
        let few = ReadLimits { max_pages: 39, ..limits() };
        assert!(matches!(inspect(&path, &few), Err(ReadError::TooLarge { .. })));
    }
}

#[test]
fn descriptions_are_utf8_or_latin1_and_limited() {
    let directory = TempDir::new().unwrap();
    let read = |text: &[u8], limits: &ReadLimits| {
        let bytes = one_page(Page { description: Some(text.to_vec()), ..Page::default() });
        inspect(&store(&directory, &bytes), limits).map(|info| info.description)
    };
    assert_eq!(read("0.65 µm\0".as_bytes(), &limits()).unwrap().unwrap(), "0.65 µm");
    assert_eq!(read(b"0.65 \xb5m\0\0", &limits()).unwrap().unwrap(), "0.65 µm");
    assert_eq!(read(b"\0", &limits()).unwrap(), None);
    let short = ReadLimits { max_description_bytes: 7, ..limits() };
    assert!(matches!(read(b"8 bytes\0", &short), Err(ReadError::TooLarge { .. })));
}

#[test]
fn other_kinds_of_pixels_are_unsupported_and_the_message_says_what_they_are() {
    let cases = [
        (with_tag(SAMPLES, &[3]), "3 samples per pixel"),
        (with_tag(BITS, &[32]), "32 bits per pixel, 8 or 16 are wanted"),
        (with_tag(BITS, &[1]), "1 bits per pixel"),
        (with_tag(BITS, &[12]), "12 bits per pixel"),
        (with_tag(SAMPLE_FORMAT, &[2]), "signed pixels"),
        (with_tag(SAMPLE_FORMAT, &[3]), "floating-point pixels"),
        (with_tag(COMPRESSION, &[7]), "compression 7"),
        (with_tag(PHOTOMETRIC, &[2]), "photometric interpretation 2"),
        (with_tag(317, &[3]), "predictor 3"),
        (with_tag(266, &[2]), "reverse order"),
        (with_tag(338, &[2]), "alpha"),
        (b"GIF89a and so on".to_vec(), "neither TIFF nor PNG"),
    ];
    for (bytes, part) in cases {
        let error = refusal(&bytes);
        assert!(matches!(error, ReadError::Unsupported { .. }), "{error}");
        let message = error.to_string();
        assert!(message.starts_with("image.jpg: unsupported image file: "), "{message}");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn contradictory_tiff_is_malformed() {
    let cases = [
        with_tag(WIDTH, &[0]),
        with_tag(WIDTH, &[35]),
        with_tag(257, &[31]),
        with_tag(278, &[0]),
        with_tag(STRIP_COUNTS, &[30 * 34 * 2 - 1]),
        with_tag(STRIP_COUNTS, &[10_000]),
        with_tag(STRIP_COUNTS, &[1, 2]),
        one_page(Page { tags: vec![(273, 4, vec![u64::from(u32::MAX)])], ..Page::default() }),
        one_page(Page { tags: vec![(BITS, 5, vec![16])], ..Page::default() }),
        b"II*\0".to_vec(),
        b"II*\0\0\0\0\0".to_vec(),
        b"II*\0\xff\xff\xff\xff".to_vec(),
        b"II+\0\x04\0\0\0\x10\0\0\0\0\0\0\0".to_vec(),
        vec![],
    ];
    for (number, bytes) in cases.iter().enumerate() {
        let error = refusal(bytes);
        assert!(matches!(error, ReadError::Malformed { .. }), "{number}: {error}");
    }
}

#[test]
fn a_cyclic_chain_of_pages_ends() {
    let pixels = plane(Size::new(5, 5), BitDepth::Eight, 0);
    let builder = Builder::new(true, false).page(&pixels, &Page::default()).page(&pixels, &Page::default());
    let mut bytes = builder.bytes.clone();
    let first = bytes[4..8].to_vec();
    bytes[builder.link..builder.link + 4].copy_from_slice(&first);
    let directory = TempDir::new().unwrap();
    let path = store(&directory, &bytes);
    let error = inspect(&path, &limits()).unwrap_err();
    assert_eq!(error.to_string(), "image.jpg: damaged image file: the chain of pages runs in a circle");
    assert!(read_plane(&path, 1, &limits()).is_ok());
    assert!(matches!(read_plane(&path, 5, &limits()), Err(ReadError::Malformed { .. })));
}

#[test]
fn a_small_file_cannot_ask_for_a_huge_image() {
    let huge = Page {
        tags: vec![(WIDTH, 4, vec![60_000]), (257, 4, vec![60_000]), (278, 4, vec![60_000])],
        ..Page::default()
    };
    let error = refusal(&one_page(huge));
    assert!(matches!(error, ReadError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("60000×60000 pixels"), "{error}");
    // Within the limit of pixels, but more than so few bytes can hold under any compression.
    for compression in [1, 5, 8, 32773] {
        let page = Page {
            tags: vec![
                (WIDTH, 4, vec![16_000]),
                (257, 4, vec![16_000]),
                (278, 4, vec![16_000]),
                (COMPRESSION, 3, vec![compression]),
            ],
            ..Page::default()
        };
        let error = refusal(&one_page(page));
        assert!(matches!(error, ReadError::Malformed { .. }), "{compression}: {error}");
    }
    let mut png = encode::png(&plane(Size::new(10, 10), BitDepth::Eight, 0));
    png[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    assert!(matches!(refusal(&png), ReadError::TooLarge { .. }));
    let rows = Page {
        tags: vec![(WIDTH, 4, vec![1]), (257, 4, vec![1 << 27]), (278, 4, vec![1])],
        ..Page::default()
    };
    assert!(matches!(refusal(&one_page(rows)), ReadError::TooLarge { .. }));
}

#[test]
fn png_of_every_size_and_depth_survives_encoding_and_reading() {
    let directory = TempDir::new().unwrap();
    for size in SIZES {
        for depth in DEPTHS {
            let pixels = plane(size, depth, 6);
            let path = store(&directory, &encode::png(&pixels));
            assert_reads(&path, &pixels, &format!("{size} {depth:?}"));
            assert!(matches!(read_plane(&path, 1, &limits()), Err(ReadError::Malformed { .. })));
        }
    }
}

#[test]
fn png_in_colour_or_of_few_bits_is_unsupported() {
    let encoded = |color: png::ColorType, depth: png::BitDepth, data: &[u8]| {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 8, 1);
        encoder.set_color(color);
        encoder.set_depth(depth);
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    };
    let colour = encoded(png::ColorType::Rgb, png::BitDepth::Eight, &[9; 24]);
    assert!(refusal(&colour).to_string().contains("in colour"));
    let bits = encoded(png::ColorType::Grayscale, png::BitDepth::One, &[9]);
    assert!(refusal(&bits).to_string().contains("1 bits per pixel"));
}

#[test]
fn files_cut_short_anywhere_are_refused_by_their_headers() {
    let pixels = plane(Size::new(12, 17), BitDepth::Sixteen, 2);
    let strips = Builder::new(true, false).page(&pixels, &Page::default()).bytes;
    let tiles = Builder::new(false, true)
        .page(&pixels, &Page { tile: Some(Size::new(16, 16)), ..Page::default() })
        .bytes;
    for bytes in [strips, tiles, encode::png(&pixels)] {
        for length in 0..bytes.len() {
            let error = refusal(&bytes[..length]);
            let expected = matches!(error, ReadError::Malformed { .. })
                || (length < 8 && matches!(error, ReadError::Unsupported { .. }));
            assert!(expected, "{length} of {}: {error}", bytes.len());
        }
    }
}

#[test]
fn a_missing_file_is_an_input_output_error() {
    let error = inspect(Path::new("/nowhere/at all.tif"), &limits()).unwrap_err();
    assert!(matches!(error, ReadError::Io { .. }));
    assert!(error.to_string().starts_with("at all.tif: "), "{error}");
}

/// Every TIFF file below a folder.
fn tiff_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tiff_files(&path, found);
        } else if path
            .extension()
            .is_some_and(|extension| extension.to_string_lossy().to_lowercase().starts_with("tif"))
        {
            found.push(path);
        }
    }
}

#[test]
fn real_camera_images_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    if !folder.is_dir() {
        println!("SKIPPED: no real images at {}", folder.display());
        return;
    }
    let mut files = Vec::new();
    tiff_files(&folder, &mut files);
    files.sort();
    assert!(files.len() >= 3);
    for path in files {
        let info = inspect(&path, &limits()).unwrap();
        for (page, expected) in info.pages.iter().enumerate() {
            let plane = read_plane(&path, page, &limits()).unwrap();
            let size = plane.size();
            assert_eq!(size, Size::new(expected.height as usize, expected.width as usize));
            let rows = (0..size.height).map(|row| (0..size.width).map(move |column| (row, column)));
            let sum: u64 = rows.flatten().map(|(row, column)| u64::from(plane.value(row, column))).sum();
            println!("{} {page} {size} {} {sum}", path.display(), expected.bit_depth);
        }
    }
}

#[test]
fn jpeg_of_a_tile_is_grey_and_close() {
    let tile = Plane::from_fn(Size::new(256, 256), |row, column| ((row + column) / 2) as u8);
    let bytes = encode::jpeg(&tile, 95).unwrap();
    assert_eq!(&bytes[..3], [0xff, 0xd8, 0xff]);
    // Start of frame: length 11, 8 bits, 256×256, one component.
    let frame = [0xff, 0xc0, 0, 11, 8, 1, 0, 1, 0, 1];
    assert!(bytes.windows(frame.len()).any(|window| window == frame));
    assert!(encode::jpeg(&Plane::zeros(Size::new(0, 5)), 95).is_err());
    assert!(encode::jpeg(&Plane::zeros(Size::new(1, 65_536)), 95).is_err());
}

/// Small valid files of every kind, to be damaged.
fn seeds() -> Vec<Vec<u8>> {
    let pixels = plane(Size::new(20, 24), BitDepth::Sixteen, 2);
    let eight = plane(Size::new(20, 24), BitDepth::Eight, 2);
    let map = (0..768).map(|index| index % 256 * 257).collect();
    let palette = Page { tags: vec![(PHOTOMETRIC, 3, vec![3]), (COLOR_MAP, 3, map)], ..Page::default() };
    let tiles =
        Page { tile: Some(Size::new(16, 16)), description: Some(b"text\0".to_vec()), ..Page::default() };
    vec![
        Builder::new(true, false).page(&pixels, &Page::default()).page(&eight, &tiles).bytes,
        Builder::new(false, true).page(&pixels, &tiles).page(&eight, &palette).bytes,
        Builder::new(false, false).page(&eight, &Page { rows_per_strip: Some(3), ..Page::default() }).bytes,
        compressed(&pixels, Compression::Lzw, Predictor::Horizontal),
        compressed(&eight, Compression::Deflate(DeflateLevel::Fast), Predictor::None),
        compressed(&eight, Compression::Packbits, Predictor::None),
        encode::png(&pixels),
        encode::png(&eight),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: fuzz_cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_never_panic(
        seed in 0usize..8,
        edits in prop::collection::vec((any::<prop::sample::Index>(), prop_oneof![Just(0u8), Just(1), Just(255), any::<u8>()]), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(seeds);
        let mut bytes = SEEDS[seed].clone();
        for (at, value) in edits {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let directory = TempDir::new().unwrap();
        let path = store(&directory, &bytes);
        let small = ReadLimits { max_pixels: 1 << 20, max_pages: 8, max_description_bytes: 1 << 16 };
        let inspected = inspect(&path, &small);
        for page in 0..3 {
            let read = read_plane(&path, page, &small);
            if let (Ok(info), Ok(plane)) = (&inspected, &read) {
                let info = info.pages[page];
                prop_assert_eq!(plane.size(), Size::new(info.height as usize, info.width as usize));
                prop_assert_eq!(plane.depth().bits(), u32::from(info.bit_depth));
            }
        }
    }
}

/// `PROPTEST_CASES` or 2000.
fn fuzz_cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(2000)
}
