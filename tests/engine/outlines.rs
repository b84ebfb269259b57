//! Outlines against naive code, and properties that hold for every label image.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tm_engine::geometry::{
    FillRule, MapOffset, MapRect, Outline, Polygon, Ring, SiteFrame, Vertex, rasterise,
};
use tm_engine::image::{Plane, Size};
use tm_engine::kernels::contours::{border_labels, centre};
use tm_engine::{Engine, EngineError};

pub const OFFSET: MapOffset = MapOffset { y: 30, x: -70 };

/// Label images of all sorts: single pixels, blocks, holes, diagonal contacts, contact with the border.
pub fn label_images(background: bool) -> impl Strategy<Value = Plane<i32>> {
    let size = (0usize..15, 0usize..17, 1usize..5, 1i32..6);
    size.prop_flat_map(move |(height, width, block, labels)| {
        let lowest = if background { 0 } else { 1 };
        let numbers = prop::collection::vec(lowest..=labels, height * width);
        let specks = prop::collection::vec(prop::bool::weighted(0.1), height * width);
        (numbers, specks).prop_map(move |(numbers, specks)| {
            let at = |row: usize, column: usize| numbers[row * width + column];
            Plane::from_fn(Size::new(height, width), |row, column| {
                if specks[row * width + column] {
                    at(row, column)
                } else {
                    at(row / block * block, column / block * block)
                }
            })
        })
    })
}

pub fn trace(labels: &Plane<i32>) -> Vec<Outline> {
    Engine::cpu().trace_outlines(labels, OFFSET).expect("labels are traced")
}

pub fn site_of(labels: &Plane<i32>) -> SiteFrame {
    SiteFrame::new(OFFSET, labels.size()).expect("on the map")
}

pub fn pixels_of(labels: &Plane<i32>) -> Vec<(usize, usize)> {
    let size = labels.size();
    (0..size.height).flat_map(|row| (0..size.width).map(move |column| (row, column))).collect()
}

pub fn at(labels: &Plane<i32>, row: i64, column: i64) -> i32 {
    let size = labels.size();
    match (usize::try_from(row), usize::try_from(column)) {
        (Ok(row), Ok(column)) if row < size.height && column < size.width => labels.get(row, column),
        _ => 0,
    }
}

/// 4-connected sets of pixels of one label, by label, in the order of their first pixel.
fn parts_of(labels: &Plane<i32>) -> BTreeMap<i32, Vec<BTreeSet<(i64, i64)>>> {
    let mut parts: BTreeMap<i32, Vec<BTreeSet<(i64, i64)>>> = BTreeMap::new();
    for (row, column) in pixels_of(labels) {
        let label = labels.get(row, column);
        let start = (row as i64, column as i64);
        let known = parts.entry(label).or_default();
        if label == 0 || known.iter().any(|part| part.contains(&start)) {
            continue;
        }
        let mut part = BTreeSet::from([start]);
        let mut waiting = vec![start];
        while let Some((r, c)) = waiting.pop() {
            for next in [(r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)] {
                if at(labels, next.0, next.1) == label && part.insert(next) {
                    waiting.push(next);
                }
            }
        }
        known.push(part);
    }
    parts.remove(&0);
    parts
}

type Corner = (i64, i64);

/// The rings of one part by collecting unit edges in a map and taking them out one by one.
fn naive_rings(part: &BTreeSet<(i64, i64)>) -> Vec<Vec<Corner>> {
    let mut edges: BTreeMap<Corner, Vec<Corner>> = BTreeMap::new();
    for (r, c) in part.iter().copied() {
        let sides = [
            ((r - 1, c), (r, c + 1), (r, c)),
            ((r, c - 1), (r, c), (r + 1, c)),
            ((r + 1, c), (r + 1, c), (r + 1, c + 1)),
            ((r, c + 1), (r + 1, c + 1), (r, c + 1)),
        ];
        for (beyond, from, to) in sides {
            if !part.contains(&beyond) {
                edges.entry(from).or_default().push(to);
            }
        }
    }
    let mut rings = Vec::new();
    while let Some(start) = edges.keys().next().copied() {
        let mut path: Vec<Corner> = vec![start];
        loop {
            let here = *path.last().expect("a path has a start");
            let leaving = edges.get_mut(&here).expect("rings are closed");
            let chosen = if leaving.len() == 2 && path.len() > 1 {
                let before = path[path.len() - 2];
                // Left on screen, rows downwards: (dr, dc) becomes (-dc, dr).
                let left = (here.0 - (here.1 - before.1), here.1 + (here.0 - before.0));
                leaving.iter().position(|to| *to == left).expect("a left turn at a pinch")
            } else {
                0
            };
            let next = leaving.remove(chosen);
            if leaving.is_empty() {
                edges.remove(&here);
            }
            match path.iter().position(|corner| *corner == next) {
                Some(first) => {
                    rings.push(path.split_off(first));
                    if first == 0 {
                        break;
                    }
                    path.push(next);
                }
                None => path.push(next),
            }
        }
    }
    for ring in &mut rings {
        let around = ring.clone();
        let count = around.len();
        let mut index = 0;
        ring.retain(|here| {
            let (before, after) = (around[(index + count - 1) % count], around[(index + 1) % count]);
            index += 1;
            (here.0 - before.0, here.1 - before.1) != (after.0 - here.0, after.1 - here.1)
        });
        let smallest = (0..ring.len()).min_by_key(|index| ring[*index]).expect("a ring has vertices");
        ring.rotate_left(smallest);
    }
    rings.sort();
    rings
}

fn to_ring(corners: &[Corner]) -> Ring {
    let vertex = |(row, column): &Corner| {
        Vertex::new(
            OFFSET.x + i32::try_from(*column).expect("small"),
            -(OFFSET.y + i32::try_from(*row).expect("small")),
        )
    };
    Ring::new(corners.iter().map(vertex).collect()).expect("a ring")
}

fn naive_outlines(labels: &Plane<i32>) -> Vec<Outline> {
    let polygon = |part: &BTreeSet<(i64, i64)>| {
        let rings: Vec<Ring> = naive_rings(part).iter().map(|corners| to_ring(corners)).collect();
        let (mut shells, holes): (Vec<Ring>, Vec<Ring>) =
            rings.into_iter().partition(|ring| ring.doubled_area() > 0);
        assert_eq!(shells.len(), 1, "a part has one shell");
        Polygon { shell: shells.remove(0), holes }
    };
    parts_of(labels)
        .into_iter()
        .map(|(label, parts)| Outline { label, parts: parts.iter().map(polygon).collect() })
        .collect()
}

/// Unit edges of rings along pixel edges, with their direction.
fn unit_edges(outlines: &[Outline]) -> Vec<(Vertex, Vertex)> {
    let mut edges = Vec::new();
    for (from, to) in outlines.iter().flat_map(Outline::rings).flat_map(Ring::edges) {
        let (dx, dy) = ((to.x - from.x).signum(), (to.y - from.y).signum());
        let mut here = from;
        while here != to {
            let next = Vertex::new(here.x + dx, here.y + dy);
            edges.push((here, next));
            here = next;
        }
    }
    edges
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn tracing_agrees_with_naive_code(labels in label_images(true)) {
        prop_assert_eq!(trace(&labels), naive_outlines(&labels));
    }

    #[test]
    fn outlines_filled_at_pixel_centres_give_the_label_image_back(labels in label_images(true)) {
        let back = rasterise(&trace(&labels), site_of(&labels), FillRule::PixelCentres).expect("it fits");
        prop_assert_eq!(back, labels);
    }

    #[test]
    fn outlines_are_valid_and_measure_their_pixels(labels in label_images(true)) {
        let outlines = trace(&labels);
        let parts = parts_of(&labels);
        prop_assert_eq!(outlines.len(), parts.len());
        for (outline, (label, parts)) in outlines.iter().zip(&parts) {
            prop_assert_eq!(outline.label, *label);
            prop_assert_eq!(outline.parts.len(), parts.len());
            for (polygon, pixels) in outline.parts.iter().zip(parts) {
                prop_assert_eq!(polygon.check(), Ok(()));
                let count = pixels.len() as f64;
                prop_assert_eq!(polygon.area(), count);
                let (rows, columns) = pixels.iter().fold((0, 0), |(r, c), pixel| (r + pixel.0, c + pixel.1));
                let centroid = polygon.centroid();
                let x = f64::from(OFFSET.x) + columns as f64 / count + 0.5;
                let y = -(f64::from(OFFSET.y) + rows as f64 / count + 0.5);
                prop_assert!((centroid.x - x).abs() < 1e-9 && (centroid.y - y).abs() < 1e-9);
            }
            let sides = unit_edges(std::slice::from_ref(outline)).len();
            prop_assert_eq!(outline.perimeter(), sides as f64);
        }
    }

    #[test]
    fn objects_that_touch_share_their_edges(labels in label_images(true)) {
        let edges = unit_edges(&trace(&labels));
        let all: BTreeSet<_> = edges.iter().copied().collect();
        prop_assert_eq!(all.len(), edges.len(), "no edge occurs twice");
        let shared = edges.iter().filter(|(from, to)| all.contains(&(*to, *from))).count();
        let mut touching = 0;
        for (row, column) in pixels_of(&labels) {
            let here = labels.get(row, column);
            let (row, column) = (row as i64, column as i64);
            for other in [at(&labels, row + 1, column), at(&labels, row, column + 1)] {
                touching += usize::from(here > 0 && other > 0 && here != other);
            }
        }
        prop_assert_eq!(shared, 2 * touching);
    }

    #[test]
    fn a_rectangle_meets_an_outline_where_it_meets_a_pixel(
        labels in label_images(true), left in -3i32..18, top in -3i32..16, width in 0i32..6, height in 0i32..6,
    ) {
        let (x_min, y_max) = (OFFSET.x + left, -(OFFSET.y + top));
        let rect = MapRect { x_min, y_min: y_max - height, x_max: x_min + width, y_max };
        for outline in trace(&labels) {
            let expected = pixels_of(&labels).into_iter().any(|(row, column)| {
                let pixel = SiteFrame::new(OFFSET, labels.size()).expect("on the map");
                let corner = pixel.vertex(row, column).expect("inside");
                let square = MapRect { x_min: corner.x, y_min: corner.y - 1, x_max: corner.x + 1, y_max: corner.y };
                labels.get(row, column) == outline.label && square.intersects(&rect)
            });
            prop_assert_eq!(outline.intersects(&rect), expected, "label {}", outline.label);
        }
    }

    #[test]
    fn labels_at_the_border_are_those_of_its_pixels(labels in label_images(true)) {
        let size = labels.size();
        let mut expected: Vec<i32> = pixels_of(&labels)
            .into_iter()
            .filter(|(row, column)| {
                *row == 0 || *column == 0 || row + 1 == size.height || column + 1 == size.width
            })
            .map(|(row, column)| labels.get(row, column))
            .filter(|label| *label > 0)
            .collect();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(border_labels(&labels), expected);
    }
}

#[test]
fn a_ring_that_encloses_a_diagonal_gap_is_split_into_shell_and_hole() {
    // The upper left and lower right pixel of the gap touch at the corner that the hole shares with the shell.
    let labels = Plane::new(
        Size::new(3, 3),
        vec![
            1, 1, 0, //
            1, 0, 1, //
            1, 1, 1,
        ],
    )
    .expect("nine pixels");
    let outlines = trace(&labels);
    let [outline] = &outlines[..] else { panic!("one object") };
    let [part] = &outline.parts[..] else { panic!("one part, as all pixels are 4-connected") };
    assert_eq!(part.holes, [to_ring(&[(1, 1), (1, 2), (2, 2), (2, 1)])]);
    assert_eq!(part.shell, to_ring(&[(0, 0), (3, 0), (3, 3), (1, 3), (1, 2), (0, 2)]));
    assert_eq!(outline.area(), 7.0);
}

#[test]
fn images_without_objects_have_no_outlines() {
    for size in [Size::new(0, 0), Size::new(0, 5), Size::new(5, 0), Size::new(1, 1), Size::new(4, 3)] {
        let labels = Plane::zeros(size);
        assert_eq!(trace(&labels), []);
        assert_eq!(centre::trace(labels.view(), OFFSET).expect("labels are traced"), []);
        assert!(border_labels(&labels).is_empty());
    }
}

#[test]
fn negative_labels_are_refused_with_their_place() {
    let labels = Plane::new(Size::new(1, 3), vec![1, 0, -4]).expect("three pixels");
    let error = Engine::cpu().trace_outlines(&labels, OFFSET).expect_err("a negative label");
    assert!(error.to_string().contains("-4 as at row 0, column 2"), "{error}");
    assert!(matches!(error, EngineError::Parameter { .. }));
    assert!(centre::trace(labels.view(), OFFSET).is_err());
}

#[test]
fn sites_off_the_map_are_refused_and_those_at_its_edge_are_not() {
    let labels = Plane::new(Size::new(1, 2), vec![i32::MAX, 1]).expect("two pixels");
    let engine = Engine::cpu();
    for (y, x) in [(i32::MAX, 0), (0, i32::MAX - 1), (i32::MIN, 0), (0, i32::MIN)] {
        assert!(engine.trace_outlines(&labels, MapOffset { y, x }).is_err(), "{y}, {x}");
    }
    for (y, x) in [(i32::MAX - 1, i32::MAX - 2), (1 - i32::MAX, 1 - i32::MAX)] {
        let offset = MapOffset { y, x };
        let outlines = engine.trace_outlines(&labels, offset).expect("on the map");
        assert_eq!(outlines.iter().map(|outline| outline.label).collect::<Vec<_>>(), [1, i32::MAX]);
        let site = SiteFrame::new(offset, labels.size()).expect("on the map");
        assert_eq!(rasterise(&outlines, site, FillRule::PixelCentres).expect("it fits"), labels);
        assert_eq!(outlines[0].area(), 1.0);
    }
}

#[test]
fn rings_need_three_vertices_and_no_repetition_at_the_end() {
    let vertex = Vertex::new;
    assert!(Ring::new(Vec::new()).is_err());
    assert!(Ring::new(vec![vertex(0, 0), vertex(1, 0)]).is_err());
    assert!(Ring::new(vec![vertex(0, 0), vertex(1, 0), vertex(0, 0)]).is_err());
    assert!(Ring::new(vec![vertex(0, 0), vertex(1, 0), vertex(0, 1)]).is_ok());
}
