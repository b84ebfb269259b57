//! Filters, thresholds, labelling, watershed and growth on random planes, against naive code.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use tm_engine::analysis::{
    AdaptiveMethod, AdaptiveThreshold, BlobRules, ClumpRules, Connectivity, Disc, Extremum, Mask,
    SecondaryRules, Smoothing, SmoothingMethod, ThresholdBounds, above, borders, detect_blobs,
    expand_or_shrink, extremum, fill_holes, label, otsu, relabel, segment_secondary, separate_clumps,
    watershed,
};
use tm_engine::image::{GreyPlane, Plane, Size};

fn sizes() -> impl Strategy<Value = Size> {
    prop_oneof![
        Just(Size::new(1, 1)),
        (1usize..30).prop_map(|width| Size::new(1, width)),
        (1usize..30).prop_map(|height| Size::new(height, 1)),
        (1usize..14, 1usize..40).prop_map(|(height, width)| Size::new(height, width)),
    ]
}

fn planes<T: Clone + std::fmt::Debug>(
    values: impl Strategy<Value = T> + Clone,
) -> impl Strategy<Value = (Size, Vec<T>)> {
    sizes().prop_flat_map(move |size| (Just(size), prop::collection::vec(values.clone(), size.area())))
}

fn masks() -> impl Strategy<Value = Mask> {
    (1u8..10).prop_flat_map(|tenths| {
        planes((0u8..10).prop_map(move |value| u8::from(value < tenths)))
            .prop_map(|(size, pixels)| Mask::new(size, pixels).unwrap())
    })
}

fn images() -> impl Strategy<Value = GreyPlane> {
    prop_oneof![
        planes(0u8..6).prop_map(|(size, pixels)| Plane::new(size, pixels).unwrap().into()),
        planes(any::<u16>()).prop_map(|(size, pixels)| Plane::new(size, pixels).unwrap().into()),
        planes(prop_oneof![Just(0u16), Just(65_535), 200u16..204]).prop_map(|(size, pixels)| Plane::new(
            size, pixels
        )
        .unwrap()
        .into()),
    ]
}

fn label_images() -> impl Strategy<Value = Plane<i32>> {
    planes(prop_oneof![3 => Just(0), 4 => 1i32..5, 1 => Just(1_000_000_007)])
        .prop_map(|(size, pixels)| Plane::new(size, pixels).unwrap())
}

fn connectivities() -> impl Strategy<Value = Connectivity> {
    prop_oneof![Just(Connectivity::Four), Just(Connectivity::Eight)]
}

/// Neighbours inside a plane: up, left, right, down, then the diagonal ones.
fn neighbours(size: Size, (row, column): (usize, usize), connectivity: Connectivity) -> Vec<(usize, usize)> {
    let steps = [(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)];
    let count = if connectivity == Connectivity::Four { 4 } else { 8 };
    let inside = |(down, right): &(isize, isize)| {
        let (row, column) = (row.checked_add_signed(*down)?, column.checked_add_signed(*right)?);
        (row < size.height && column < size.width).then_some((row, column))
    };
    steps[..count].iter().filter_map(inside).collect()
}

fn pixels_of(size: Size) -> impl Iterator<Item = (usize, usize)> {
    (0..size.height).flat_map(move |row| (0..size.width).map(move |column| (row, column)))
}

/// The pixels that hang together with a pixel, of those that `belongs` says.
fn flood(
    size: Size,
    from: (usize, usize),
    connectivity: Connectivity,
    belongs: impl Fn(usize, usize) -> bool,
) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::from([from]);
    let mut queue = VecDeque::from([from]);
    while let Some(pixel) = queue.pop_front() {
        for next in neighbours(size, pixel, connectivity) {
            if belongs(next.0, next.1) && found.insert(next) {
                queue.push_back(next);
            }
        }
    }
    found
}

/// Mirrored at the edge, the edge repeated.
fn mirrored(position: isize, length: usize) -> usize {
    let length = length.cast_signed();
    let mut position = position;
    while !(0..length).contains(&position) {
        position = if position < 0 { -1 - position } else { 2 * length - 1 - position };
    }
    position.cast_unsigned()
}

fn window(at: usize, side: usize) -> std::ops::Range<isize> {
    let first = at.cast_signed() - (side / 2).cast_signed();
    first..first + side.cast_signed()
}

fn naive_median(image: &GreyPlane, row: usize, column: usize, side: usize) -> u16 {
    let size = image.size();
    let mut values = Vec::new();
    for y in window(row, side) {
        for x in window(column, side) {
            values.push(image.value(mirrored(y, size.height), mirrored(x, size.width)));
        }
    }
    values.sort_unstable();
    values[side * side / 2]
}

fn naive_average(image: &GreyPlane, row: usize, column: usize, side: usize) -> u16 {
    let size = image.size();
    let (mut sum, mut count) = (0u64, 0);
    for y in window(row, side).filter_map(|y| usize::try_from(y).ok()).filter(|y| *y < size.height) {
        for x in window(column, side).filter_map(|x| usize::try_from(x).ok()).filter(|x| *x < size.width) {
            sum += u64::from(image.value(y, x));
            count += 1;
        }
    }
    u16::try_from(sum / count).unwrap()
}

fn naive_extremum(image: &GreyPlane, row: usize, column: usize, limit: usize, which: Extremum) -> u16 {
    let near = pixels_of(image.size())
        .filter(|(y, x)| y.abs_diff(row).pow(2) + x.abs_diff(column).pow(2) <= limit)
        .map(|(y, x)| image.value(y, x));
    match which {
        Extremum::Min => near.min().unwrap(),
        Extremum::Max => near.max().unwrap(),
    }
}

/// The threshold whose variance between classes is largest, as exact fractions.
fn naive_otsu(image: &GreyPlane) -> u16 {
    let values: Vec<u128> = pixels_of(image.size()).map(|(y, x)| image.value(y, x).into()).collect();
    let (mut best, mut best_variance) = (0, (0, 1));
    for threshold in 0..=image.depth().max_value() {
        let below: Vec<_> = values.iter().filter(|value| **value <= threshold.into()).collect();
        let (low, high) = (below.len() as u128, (values.len() - below.len()) as u128);
        let low_sum: u128 = below.into_iter().sum();
        let high_sum = values.iter().sum::<u128>() - low_sum;
        if low == 0 || high == 0 {
            continue;
        }
        let variance = ((low_sum * high).abs_diff(high_sum * low).pow(2), low * high);
        if variance.0 * best_variance.1 > best_variance.0 * variance.1 {
            (best, best_variance) = (threshold, variance);
        }
    }
    best
}

/// Every pixel queued, in one sorted set.
fn naive_watershed(surface: &GreyPlane, markers: &Plane<i32>, mask: &Mask) -> Plane<i32> {
    let size = surface.size();
    let mut labels = Plane::from_fn(size, |y, x| if mask.get(y, x) { markers.get(y, x).max(0) } else { 0 });
    let mut queue = BTreeSet::new();
    let mut queued = 0;
    for (y, x) in pixels_of(size).filter(|(y, x)| labels.get(*y, *x) > 0) {
        queue.insert((surface.value(y, x), queued, (y, x)));
        queued += 1;
    }
    while let Some((_, _, (row, column))) = queue.pop_first() {
        for (y, x) in neighbours(size, (row, column), Connectivity::Four) {
            if mask.get(y, x) && labels.get(y, x) == 0 {
                labels.row_mut(y)[x] = labels.get(row, column);
                queue.insert((surface.value(y, x), queued, (y, x)));
                queued += 1;
            }
        }
    }
    labels
}

fn squared(a: (usize, usize), b: (usize, usize)) -> usize {
    a.0.abs_diff(b.0).pow(2) + a.1.abs_diff(b.1).pow(2)
}

proptest! {
    #[test]
    fn labels_are_components_in_raster_order(mask in masks(), connectivity in connectivities()) {
        let size = mask.size();
        let mut expected = Plane::zeros(size);
        let mut count = 0;
        for (row, column) in pixels_of(size) {
            if mask.get(row, column) && expected.get(row, column) == 0 {
                count += 1;
                for (y, x) in flood(size, (row, column), connectivity, |y, x| mask.get(y, x)) {
                    expected.row_mut(y)[x] = count;
                }
            }
        }
        prop_assert_eq!(label(&mask, connectivity), expected);
    }

    #[test]
    fn holes_are_what_does_not_reach_the_edge(mask in masks(), connectivity in connectivities()) {
        let size = mask.size();
        let expected = Mask::from_fn(size, |row, column| {
            let background = |y, x| !mask.get(y, x);
            let is_edge = |(y, x): &(usize, usize)| *y == 0 || *x == 0 || y + 1 == size.height || x + 1 == size.width;
            mask.get(row, column) || !flood(size, (row, column), connectivity, background).iter().any(is_edge)
        });
        prop_assert_eq!(fill_holes(&mask, connectivity), expected);
    }

    #[test]
    fn renumbered_labels_are_the_same_objects_in_raster_order(labels in label_images()) {
        let mut numbers = BTreeMap::new();
        let expected = Plane::from_fn(labels.size(), |row, column| {
            let next = i32::try_from(numbers.len()).unwrap() + 1;
            let label = labels.get(row, column);
            if label > 0 { *numbers.entry(label).or_insert(next) } else { 0 }
        });
        prop_assert_eq!(relabel(&labels), expected);
    }

    #[test]
    fn borders_are_pixels_beside_another_label(labels in label_images(), connectivity in connectivities()) {
        let expected = Mask::from_fn(labels.size(), |row, column| {
            let other = |(y, x): &(usize, usize)| labels.get(*y, *x) != labels.get(row, column);
            neighbours(labels.size(), (row, column), connectivity).iter().any(other)
        });
        prop_assert_eq!(borders(&labels, connectivity), expected);
    }

    #[test]
    fn windows_are_averaged_and_sorted(image in images(), side in 1usize..9) {
        for (method, naive) in [
            (SmoothingMethod::Average, naive_average as fn(&GreyPlane, usize, usize, usize) -> u16),
            (SmoothingMethod::Median, naive_median),
        ] {
            let smooth = Smoothing::new(method, side, true).unwrap().apply(&image);
            for (row, column) in pixels_of(image.size()) {
                let expected = naive(&image, row, column, side);
                prop_assert_eq!(smooth.value(row, column), expected, "{:?} at {} {}", method, row, column);
            }
        }
    }

    #[test]
    fn extrema_are_those_of_the_disc(image in images(), limit in 0usize..40) {
        for which in [Extremum::Min, Extremum::Max] {
            let found = extremum(&image, Disc::within(limit).unwrap(), which);
            for (row, column) in pixels_of(image.size()) {
                prop_assert_eq!(found.value(row, column), naive_extremum(&image, row, column, limit, which));
            }
        }
    }

    #[test]
    fn otsu_maximises_the_variance_between_classes(
        (size, pixels) in planes(prop_oneof![0u8..6, 90u8..120, Just(255)])
    ) {
        let image = GreyPlane::from(Plane::new(size, pixels).unwrap());
        prop_assert_eq!(otsu(&image), naive_otsu(&image));
        let wide = GreyPlane::from(image.clone().into_u16());
        prop_assert_eq!(otsu(&wide), otsu(&image));
    }

    #[test]
    fn a_pixel_is_foreground_above_the_threshold(image in images(), threshold in -10.0f64..70_000.0) {
        for threshold in [threshold, threshold.floor(), 0.0, 255.0, -0.5, 1e300, f64::NAN] {
            let mask = above(&image, threshold);
            for (row, column) in pixels_of(image.size()) {
                prop_assert_eq!(mask.get(row, column), f64::from(image.value(row, column)) > threshold);
            }
        }
    }

    #[test]
    fn floods_take_low_places_first_and_of_equals_the_one_queued_first(
        (size, cells) in planes((0u8..5, 0usize..12, 0u8..8))
    ) {
        let surface = GreyPlane::from(Plane::new(size, cells.iter().map(|cell| cell.0).collect()).unwrap());
        let marker = |cell: &(u8, usize, u8)| if cell.1 < 2 { 5 - 3 * i32::try_from(cell.1).unwrap() } else { 0 };
        let markers = Plane::new(size, cells.iter().map(marker).collect()).unwrap();
        let mask = Mask::new(size, cells.iter().map(|cell| cell.2).collect()).unwrap();
        let expected = naive_watershed(&surface, &markers, &mask);
        prop_assert_eq!(watershed(&surface, &markers, Some(&mask)).unwrap(), expected);
        let wide = GreyPlane::from(surface.clone().into_u16());
        let everywhere = mask.inverted();
        let everywhere = Mask::from_fn(size, |y, x| mask.get(y, x) || everywhere.get(y, x));
        let expected = naive_watershed(&surface, &markers, &everywhere);
        prop_assert_eq!(watershed(&wide, &markers, None).unwrap(), expected);
    }

    #[test]
    fn objects_grow_to_what_is_near_and_shrink_from_what_is_not_theirs(
        labels in label_images(),
        distance in 1i32..6,
    ) {
        let size = labels.size();
        let limit = usize::try_from(distance * distance).unwrap();
        for compatible in [false, true] {
            let grown = expand_or_shrink(&labels, distance, compatible);
            let shrunk = expand_or_shrink(&labels, -distance, compatible);
            for (row, column) in pixels_of(size) {
                let own = labels.get(row, column);
                // Of equally near pixels the leftmost, then the upper.
                let nearest = pixels_of(size)
                    .filter(|(y, x)| labels.get(*y, *x) > 0)
                    .map(|(y, x)| (squared((y, x), (row, column)), x, y))
                    .min();
                let taken = nearest.filter(|(far, _, _)| if compatible { *far < limit } else { *far <= limit });
                let expected = if own > 0 { own } else { taken.map_or(0, |(_, x, y)| labels.get(y, x)) };
                prop_assert_eq!(grown.get(row, column), expected);
                let is_foreign = |(y, x): &(usize, usize)| {
                    if compatible { labels.get(*y, *x) == 0 } else { labels.get(*y, *x) != own }
                };
                let far = pixels_of(size).filter(is_foreign).map(|pixel| squared(pixel, (row, column))).min();
                let is_cleared = own > 0 && far.is_some_and(|far| far <= limit);
                prop_assert_eq!(shrunk.get(row, column), if is_cleared { 0 } else { own });
            }
        }
    }

    #[test]
    fn a_cell_has_the_label_of_its_nucleus_and_all_of_its_pixels(
        (size, cells) in planes((0u16..400, 0usize..20))
    ) {
        let intensity = Plane::new(size, cells.iter().map(|cell| cell.0).collect()).unwrap().into();
        let nucleus = |cell: &(u16, usize)| [7, 7, 3].get(cell.1).copied().unwrap_or(0);
        let nuclei = Plane::new(size, cells.iter().map(nucleus).collect()).unwrap();
        let rules = SecondaryRules { min_threshold: 100.0, max_threshold: 300.0, ..SecondaryRules::default() };
        let found = segment_secondary(&nuclei, &intensity, &rules).unwrap();
        for (row, column) in pixels_of(size) {
            let cell = found.get(row, column);
            if nuclei.get(row, column) > 0 {
                prop_assert_eq!(cell, nuclei.get(row, column));
            }
            if cell > 0 {
                let own = flood(size, (row, column), Connectivity::Four, |y, x| found.get(y, x) == cell);
                prop_assert!(own.iter().any(|(y, x)| nuclei.get(*y, *x) == cell), "a part without nucleus");
            }
        }
        // The original's rule fails on nothing either.
        let compatible = SecondaryRules { compatible: true, ..rules };
        let found = segment_secondary(&relabel(&nuclei), &intensity, &compatible).unwrap();
        prop_assert_eq!(found.size(), size);
    }

    #[test]
    fn nothing_that_hangs_together_is_joined_and_no_pixel_appears_when_clumps_are_cut(
        mask in masks(),
        min_cut_area in 0.0f64..6.0,
        compatible in any::<bool>(),
    ) {
        let rules = ClumpRules {
            min_cut_area, max_convexity: 1.0, max_circularity: 10.0, min_area: 4.0, max_area: 1e9,
            trimming: true, compatible,
        };
        let found = separate_clumps(&mask, &rules).unwrap();
        let left = Mask::of_labels(&found);
        prop_assert_eq!(&label(&left, Connectivity::Eight), &found);
        for (row, column) in pixels_of(mask.size()) {
            prop_assert!(mask.get(row, column) || !left.get(row, column));
        }
    }

    #[test]
    fn blobs_are_inside_the_mask_and_each_has_one_centroid(image in images(), seed in masks(), min_area in 1usize..4) {
        let mask = Mask::from_fn(image.size(), |y, x| {
            seed.get(y % seed.size().height, x % seed.size().width)
        });
        let rules = BlobRules { min_area, mean_area: 3, max_area: 1000, ..BlobRules::default() };
        let found = detect_blobs(&image, &mask, &rules).unwrap();
        prop_assert_eq!(&detect_blobs(&image, &mask, &rules).unwrap(), &found);
        let labels: BTreeSet<_> = found.blobs.pixels().iter().filter(|label| **label > 0).collect();
        let mut centroids: Vec<_> = found.centroids.pixels().iter().filter(|label| **label > 0).collect();
        centroids.sort();
        prop_assert_eq!(labels.into_iter().collect::<Vec<_>>(), centroids);
        for (row, column) in pixels_of(image.size()) {
            let blob = found.blobs.get(row, column);
            prop_assert!(blob == 0 || mask.get(row, column));
            prop_assert!([0, blob].contains(&found.centroids.get(row, column)));
        }
    }
}

/// A plane that is large enough for several threads.
fn large_image() -> GreyPlane {
    let size = Size::new(701, 403);
    let value = |row: usize, column: usize| u16::try_from((row * 7919 + column * 104_729) % 65_521).unwrap();
    Plane::from_fn(size, value).into()
}

#[test]
fn planes_that_threads_share_are_filtered_like_others() {
    let image = large_image();
    let places: Vec<_> = (0..701).step_by(3).map(|row| (row, (row * 31) % 403)).collect();
    for side in [3, 5, 9, 31] {
        let median = Smoothing::new(SmoothingMethod::Median, side, true).unwrap().apply(&image);
        let average = Smoothing::new(SmoothingMethod::Average, side, true).unwrap().apply(&image);
        for (row, column) in places.iter().copied() {
            assert_eq!(
                median.value(row, column),
                naive_median(&image, row, column, side),
                "{side}: {row} {column}"
            );
            assert_eq!(average.value(row, column), naive_average(&image, row, column, side), "{side}: {row}");
        }
    }
    let largest = extremum(&image, Disc::within(24).unwrap(), Extremum::Max);
    for (row, column) in places.into_iter().step_by(9) {
        assert_eq!(largest.value(row, column), naive_extremum(&image, row, column, 24, Extremum::Max));
    }
}

/// An adaptive threshold of one row repeated is that of the row, wherever threads divide the plane.
#[test]
fn an_adaptive_threshold_does_not_see_where_threads_divide_the_plane() {
    let width = 403;
    let row: Vec<u16> = (0..width).map(|column| u16::try_from((column * 7919) % 999).unwrap()).collect();
    let image = GreyPlane::from(Plane::from_fn(Size::new(701, width), |_, column| row[column]));
    for method in [AdaptiveMethod::Niblack, AdaptiveMethod::CrossCorrelation] {
        let threshold = AdaptiveThreshold::new(method, 31, 0.2, ThresholdBounds::default()).unwrap();
        let mask = threshold.apply(&image).unwrap();
        assert!((0..701).all(|row| mask.row(row) == mask.row(0)), "{method:?}");
        assert!((50..350).contains(&mask.row(0).iter().filter(|pixel| **pixel != 0).count()), "{method:?}");
    }
}
