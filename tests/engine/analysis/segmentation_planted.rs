//! Images whose objects are known: clumps of discs, cells around nuclei, spots, and the small modules.

use std::collections::BTreeSet;

use tm_engine::analysis::{
    AdaptiveMethod, AdaptiveThreshold, BlobRules, ClumpRules, Connectivity, LogicalOperation, Mask,
    ObjectFeature, Projection, Regions, SecondaryRules, ThresholdBounds, apply_mask, clip, combine_channels,
    combine_masks, detect_blobs, fill_holes, gaussian, invert, label, perimeter_pixels, project,
    rescale_intensity, segment_secondary, select, separate_clumps,
};
use tm_engine::image::{GreyPlane, Plane, Size};

/// A disc by its centre and the square of its radius.
#[derive(Clone, Copy)]
struct Planted(usize, usize, usize);

impl Planted {
    fn has(self, row: usize, column: usize) -> bool {
        row.abs_diff(self.0).pow(2) + column.abs_diff(self.1).pow(2) <= self.2
    }
}

fn discs(size: Size, discs: &[Planted]) -> Mask {
    Mask::from_fn(size, |row, column| discs.iter().any(|disc| disc.has(row, column)))
}

fn rules() -> ClumpRules {
    ClumpRules { min_cut_area: 300.0, min_area: 1000.0, ..ClumpRules::default() }
}

/// Single discs, a pair and a row of three that overlap by about a tenth of their width.
const NUCLEI: [Planted; 7] = [
    Planted(40, 40, 900),
    Planted(40, 140, 900),
    Planted(40, 194, 900),
    Planted(130, 40, 625),
    Planted(130, 85, 625),
    Planted(130, 130, 625),
    Planted(130, 200, 400),
];
const SIZE: Size = Size::new(180, 240);

#[test]
fn clumps_fall_into_the_discs_that_they_were_made_of() {
    let mask = discs(SIZE, &NUCLEI);
    assert_eq!(Regions::of(&label(&mask, Connectivity::Eight)).len(), 4);
    let labels = separate_clumps(&mask, &rules()).unwrap();
    let found: BTreeSet<_> = NUCLEI.iter().map(|Planted(row, column, _)| labels.get(*row, *column)).collect();
    assert_eq!(found, (1..=7).collect());
    // Cuts are narrow, and singles stay whole.
    let lost = mask.count() - Mask::of_labels(&labels).count();
    assert!(lost > 0 && lost < 3 * 2 * 40, "{lost} pixels went into lines");
    let single = Regions::of(&labels);
    assert_eq!(single.get(0).area, discs(SIZE, &NUCLEI[..1]).count());
}

#[test]
fn what_is_no_clump_by_any_rule_stays_whole() {
    let mask = discs(SIZE, &NUCLEI);
    let whole = label(&mask, Connectivity::Eight);
    for rules in [
        ClumpRules { max_convexity: 0.5, ..rules() },
        ClumpRules { max_circularity: 0.1, ..rules() },
        ClumpRules { min_area: 50_000.0, ..rules() },
        ClumpRules { max_area: 1000.0, ..rules() },
        ClumpRules { min_cut_area: 5000.0, ..rules() },
    ] {
        assert_eq!(separate_clumps(&mask, &rules).unwrap(), whole, "{rules:?}");
    }
}

#[test]
fn background_of_a_tight_window_is_no_part_unless_compatible() {
    // Two discs of 3 529 pixels that touch: their window has less background than the least part may have.
    let mask = discs(Size::new(80, 150), &[Planted(38, 36, 1122), Planted(38, 102, 1122)]);
    let rules = ClumpRules { min_cut_area: 2400.0, ..ClumpRules::default() };
    assert_eq!(Regions::of(&separate_clumps(&mask, &rules).unwrap()).len(), 2);
    let compatible = ClumpRules { compatible: true, ..rules };
    assert_eq!(Regions::of(&separate_clumps(&mask, &compatible).unwrap()).len(), 1);
    let lenient = ClumpRules { min_cut_area: 500.0, ..compatible };
    assert_eq!(Regions::of(&separate_clumps(&mask, &lenient).unwrap()).len(), 2);
}

#[test]
fn clumps_at_the_edge_of_the_image_are_cut_too() {
    let planted = [Planted(0, 40, 900), Planted(0, 95, 900)];
    let labels = separate_clumps(&discs(Size::new(60, 140), &planted), &rules()).unwrap();
    assert_eq!((labels.get(0, 40), labels.get(0, 95)), (1, 2));
}

/// A cell image: bright nuclei, each in a disc of cytoplasm that falls off outwards.
fn cell_image(size: Size, cells: &[Planted]) -> GreyPlane {
    let value = |row: usize, column: usize| {
        let brightest = cells.iter().map(|Planted(y, x, limit)| {
            let far = row.abs_diff(*y).pow(2) + column.abs_diff(*x).pow(2);
            if far <= *limit { 1000 - 700 * far / limit } else { 0 }
        });
        50 + u16::try_from(brightest.max().unwrap_or(0)).unwrap()
    };
    Plane::from_fn(size, value).into()
}

const CELLS: [Planted; 3] = [Planted(60, 60, 1600), Planted(60, 125, 1600), Planted(60, 210, 900)];
const CELL_SIZE: Size = Size::new(120, 260);

fn nuclei() -> Plane<i32> {
    let labels = [11, 4, 8];
    Plane::from_fn(CELL_SIZE, |row, column| {
        let of = CELLS.iter().position(|Planted(y, x, _)| Planted(*y, *x, 100).has(row, column));
        of.map_or(0, |index| labels[index])
    })
}

const SECONDARY: SecondaryRules =
    SecondaryRules { contrast_threshold: 5.0, min_threshold: 120.0, max_threshold: 200.0, compatible: false };

#[test]
fn cells_fill_their_discs_meet_in_the_middle_and_keep_the_labels_of_their_nuclei() {
    let cells = segment_secondary(&nuclei(), &cell_image(CELL_SIZE, &CELLS), &SECONDARY).unwrap();
    for row in 0..CELL_SIZE.height {
        for column in 0..CELL_SIZE.width {
            let inside = CELLS.iter().any(|cell| cell.has(row, column));
            assert_eq!(cells.get(row, column) > 0, inside, "row {row}, column {column}");
        }
    }
    assert_eq!([60, 125, 210].map(|column| cells.get(60, column)), [11, 4, 8]);
    // Halfway between the two that touch.
    assert_eq!([91, 94].map(|column| cells.get(60, column)), [11, 4]);
}

#[test]
fn the_original_loses_a_rim_of_one_pixel_and_wants_bright_background() {
    let image = cell_image(CELL_SIZE, &CELLS);
    let nuclei = tm_engine::analysis::relabel(&nuclei());
    let ours = segment_secondary(&nuclei, &image, &SECONDARY).unwrap();
    let compatible = SecondaryRules { compatible: true, ..SECONDARY };
    let theirs = segment_secondary(&nuclei, &image, &compatible).unwrap();
    assert_eq!([60, 125, 210].map(|column| theirs.get(60, column)), [1, 2, 3]);
    let (ours, theirs) = (Mask::of_labels(&ours), Mask::of_labels(&theirs));
    let rim = perimeter_pixels(&ours);
    assert!((0..120).all(|row| (0..260).all(|column| !theirs.get(row, column) || !rim.get(row, column))));
    assert!(theirs.count() > ours.count() * 3 / 4, "{} of {}", theirs.count(), ours.count());
}

#[test]
fn a_hole_of_one_cell_is_filled_and_a_gap_between_two_is_not() {
    // Two half rings around a gap, with a hole in the left one.
    let rows = ["#########", "#.##.####", "####.####", "####.####", "#########"];
    let size = Size::new(5, 9);
    let bright = |row: usize, column: usize| rows[row].as_bytes()[column] == b'#';
    let image = Plane::from_fn(size, |row, column| if bright(row, column) { 500u16 } else { 0 }).into();
    let nuclei = Plane::from_fn(size, |row, column| match (row, column) {
        (2, 2) => 1,
        (2, 6) => 2,
        _ => 0,
    });
    let cells = segment_secondary(&nuclei, &image, &SECONDARY).unwrap();
    assert_eq!(cells.get(1, 1), 1);
    assert_eq!([1, 2, 3].map(|row| cells.get(row, 4)), [0; 3]);
}

#[test]
fn without_background_or_without_objects_nothing_grows() {
    let image = cell_image(CELL_SIZE, &CELLS);
    for compatible in [false, true] {
        let rules = SecondaryRules { compatible, ..SECONDARY };
        let full = Plane::from_fn(CELL_SIZE, |_, column| if column < 100 { 1 } else { 2 });
        assert_eq!(segment_secondary(&full, &image, &rules).unwrap(), full);
        let none = Plane::zeros(CELL_SIZE);
        assert_eq!(segment_secondary(&none, &image, &rules).unwrap(), none);
    }
}

/// Spots of Gaussian form with a standard deviation of one pixel on an even background.
fn spots(size: Size, centres: &[(usize, usize)]) -> GreyPlane {
    let value = |row: usize, column: usize| {
        let height: f64 =
            centres.iter().map(|(y, x)| (-(squared((row, column), (*y, *x)) as f64) / 2.0).exp()).sum();
        (200.0 + 400.0 * height) as u16
    };
    Plane::from_fn(size, value).into()
}

fn squared(a: (usize, usize), b: (usize, usize)) -> usize {
    a.0.abs_diff(b.0).pow(2) + a.1.abs_diff(b.1).pow(2)
}

#[test]
fn spots_are_found_where_they_were_put_apart_also_where_they_touch() {
    let size = Size::new(70, 90);
    // The last three touch; one lies in the corner.
    let centres = [(10, 10), (10, 40), (35, 20), (0, 89), (50, 50), (50, 54), (53, 52)];
    let everywhere = Mask::empty(size).inverted();
    let rules = BlobRules { threshold: 2.0, min_area: 3, ..BlobRules::default() };
    let found = detect_blobs(&spots(size, &centres), &everywhere, &rules).unwrap();
    let mut places = Vec::new();
    for row in 0..size.height {
        places.extend(
            (0..size.width)
                .filter(|column| found.centroids.get(row, *column) > 0)
                .map(|column| (row, column)),
        );
    }
    assert_eq!(places.len(), centres.len(), "{places:?}");
    for centre in centres {
        assert!(
            places.iter().any(|place| squared(*place, centre) <= 2),
            "{centre:?} is not among {places:?}"
        );
    }
    let labels: BTreeSet<_> = centres.iter().map(|(row, column)| found.blobs.get(*row, *column)).collect();
    assert_eq!(labels.len(), centres.len(), "every spot has its own pixels");
}

#[test]
fn large_bright_areas_and_what_is_outside_the_mask_or_on_its_rim_are_no_spots() {
    let size = Size::new(60, 90);
    let centres = [(15, 15), (15, 45), (15, 75), (45, 30)];
    let image = spots(size, &centres);
    let rules = BlobRules { threshold: 2.0, min_area: 3, ..BlobRules::default() };
    let mask = Mask::from_fn(size, |row, column| row < 40 && column < 60);
    let found = detect_blobs(&image, &mask, &rules).unwrap();
    assert_eq!(Regions::of(&found.blobs).len(), 2);
    let small = BlobRules { max_area: 4, ..rules };
    assert_eq!(Regions::of(&detect_blobs(&image, &mask, &small).unwrap().blobs).len(), 0);
    // The rim cuts through a spot: its pixels on the rim are cleared, not the others.
    let through = Mask::from_fn(size, |_, column| column <= 15);
    let cut = detect_blobs(&image, &through, &rules).unwrap();
    assert_eq!(cut.blobs.get(15, 15), 0);
    assert!(cut.blobs.get(15, 14) > 0);
}

#[test]
fn a_primary_pipeline_counts_planted_nuclei_and_keeps_their_areas() {
    let mask = discs(SIZE, &NUCLEI);
    let noise = |row: usize, column: usize| u16::try_from((row * 131 + column * 7919) % 97).unwrap();
    let image = GreyPlane::from(Plane::from_fn(SIZE, |row, column| {
        noise(row, column) + if mask.get(row, column) { 2000 } else { 100 }
    }));
    let smooth = gaussian(&image, 1.0).unwrap();
    // Halfway between both levels.
    let bounds = ThresholdBounds { min: Some(1100.0), max: None };
    let threshold = AdaptiveThreshold::new(AdaptiveMethod::Niblack, 111, 0.0, bounds).unwrap();
    let filled = fill_holes(&threshold.apply(&smooth).unwrap(), Connectivity::Eight);
    let clumps = separate_clumps(&filled, &rules()).unwrap();
    let labels = select(&clumps, ObjectFeature::Area, Some(1500.0), None, false).unwrap();
    // The smallest disc has 1 257 pixels.
    assert_eq!(Regions::of(&labels).len(), 6);
    let planted = discs(SIZE, &NUCLEI[..1]).count();
    let area = Regions::of(&labels).get(0).area;
    assert!(area.abs_diff(planted) * 50 < planted, "{area} for {planted}");
}

fn row(values: &[u16]) -> GreyPlane {
    Plane::new(Size::new(1, values.len()), values.to_vec()).unwrap().into()
}

#[test]
fn masks_clear_and_combine() {
    let size = Size::new(1, 4);
    let [a, b] = [[1, 1, 0, 0], [1, 0, 1, 0]].map(|bits| Mask::new(size, bits.to_vec()).unwrap());
    let combined = |operation| combine_masks(&a, &b, operation).unwrap().pixels().to_vec();
    assert_eq!(combined(LogicalOperation::And), [1, 0, 0, 0]);
    assert_eq!(combined(LogicalOperation::Or), [1, 1, 1, 0]);
    assert_eq!(combined(LogicalOperation::ExclusiveOr), [0, 1, 1, 0]);
    let image = Plane::new(size, vec![9u16, 8, 7, 6]).unwrap();
    assert_eq!(apply_mask(&image, &a).unwrap().pixels(), [9, 8, 0, 0]);
    assert_eq!(clip(&image, &a).unwrap().pixels(), [0, 0, 7, 6]);
    let other = Mask::empty(Size::new(4, 1));
    assert!(clip(&image, &other).is_err() && combine_masks(&a, &other, LogicalOperation::Or).is_err());
}

#[test]
fn intensities_stay_comparable_between_sites_unless_compatible() {
    let (first, second) = (row(&[100, 200, 300]), row(&[1000, 500, 0]));
    let combined = |compatible| combine_channels(&first, &second, [1, 3], compatible).unwrap();
    assert_eq!(combined(false), row(&[775, 425, 75]));
    assert_eq!(combined(true), row(&[65_535, 32_767, 0]));
    assert!(combine_channels(&first, &second, [1, 0], false).is_err());
    let narrow = Plane::new(Size::new(1, 3), vec![0u8; 3]).unwrap().into();
    assert!(combine_channels(&first, &narrow, [1, 1], false).is_err());
    assert_eq!(invert(&first), row(&[65_435, 65_335, 65_235]));
    assert_eq!(invert(&narrow), Plane::new(Size::new(1, 3), vec![255u8; 3]).unwrap().into());
}

#[test]
fn stretching_covers_the_range_between_both_ends_unless_compatible() {
    let image = row(&[0, 1000, 2000, 3000, 60_000]);
    let stretch = |min, max, compatible| rescale_intensity(&image, min, max, compatible).unwrap();
    assert_eq!(stretch(Some(1000.0), Some(3000.0), false), row(&[0, 0, 32_767, 65_535, 65_535]));
    // (v - 1000) / 3000 of the range.
    assert_eq!(stretch(Some(1000.0), Some(3000.0), true), row(&[0, 0, 21_845, 43_690, 65_535]));
    assert_eq!(stretch(Some(1000.0), None, false), row(&[0, 0, 1000, 2000, 59_000]));
    for (min, max) in [(3000.0, 3000.0), (0.0, f64::NAN), (f64::INFINITY, 9.0)] {
        assert!(rescale_intensity(&image, Some(min), Some(max), false).is_err());
    }
}

#[test]
fn sums_of_a_stack_stop_at_the_end_of_the_range_unless_they_are_to_wrap() {
    let planes = [row(&[1, 40_000, 0]), row(&[2, 30_000, 65_535])];
    assert_eq!(project(&planes, Projection::Max).unwrap(), row(&[2, 40_000, 65_535]));
    assert_eq!(project(&planes, Projection::Sum).unwrap(), row(&[3, 65_535, 65_535]));
    assert_eq!(project(&planes, Projection::WrappingSum).unwrap(), row(&[3, 4464, 65_535]));
    assert!(project(&[], Projection::Sum).is_err());
}

#[test]
fn selecting_keeps_objects_that_touch_apart_unless_compatible() {
    let labels = Plane::new(Size::new(2, 6), vec![1, 1, 2, 2, 0, 5, 1, 1, 2, 2, 5, 0]).unwrap();
    let keep = |feature, lower, upper, compatible| {
        select(&labels, feature, lower, upper, compatible).unwrap().into_pixels()
    };
    assert_eq!(keep(ObjectFeature::Area, Some(3.0), Some(4.0), false), [1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0]);
    // One object of 9 pixels, another of 1.
    assert_eq!(keep(ObjectFeature::Area, Some(2.0), None, true), [1, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0]);
    assert_eq!(
        keep(ObjectFeature::Eccentricity, None, Some(0.1), false),
        [1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 0, 0]
    );
    // An object without a border length has no circularity, and stays.
    let dot = Plane::new(Size::new(1, 2), vec![7, 0]).unwrap();
    assert_eq!(select(&dot, ObjectFeature::Circularity, Some(5.0), None, false).unwrap().pixels(), [1, 0]);
}
