//! Layouts against a naive search, and what cannot be laid out.

use tm_engine::image::{Rect, Size};
use tm_server::resources::layer::layout::{
    LayoutError, MapLayout, PlateSites, SitePosition, Spacing, WellSites,
};
use tm_server::resources::layer::pyramid::{BLOCK_PX, blocks};
use tm_tests::made_up_map::scramble;

fn spacing(height: usize, width: usize) -> Spacing {
    Spacing {
        site: Size::new(height, width),
        vertical_displacement: 0,
        horizontal_displacement: 0,
        well_spacer: 500,
    }
}

fn well(name: &str, sites: &[(i64, i64, i64)]) -> WellSites {
    let sites = sites.iter().map(|(id, y, x)| SitePosition { id: *id, y: *y, x: *x }).collect();
    WellSites { id: 1, name: name.into(), sites }
}

fn plate(id: i64, wells: Vec<WellSites>) -> PlateSites {
    PlateSites { id, wells }
}

/// A layout of up to 5 plates with missing wells and sites; the number of sites is the second value.
fn random_layout(seed: u64) -> (MapLayout, i64) {
    let draw = |what: u64, below: u64| scramble(seed * 1_000_003 + what) % below;
    let spacing = Spacing {
        site: Size::new(20 + draw(1, 40) as usize, 20 + draw(2, 40) as usize),
        vertical_displacement: draw(3, 25) as i64 - 15,
        horizontal_displacement: draw(4, 25) as i64 - 15,
        well_spacer: draw(5, 60) as i64,
    };
    let mut next = 0;
    let mut plates = Vec::new();
    for id in 0..1 + draw(6, 5) {
        let mut wells = Vec::new();
        for (index, name) in ["A01", "A03", "B02", "D03", "AB07"].into_iter().enumerate() {
            let mut sites = Vec::new();
            for position in 0..12 {
                if draw(100 + 1000 * id + 50 * index as u64 + position, 3) > 0 {
                    next += 1;
                    sites.push((next, position as i64 / 4, position as i64 % 4));
                }
            }
            wells.push(well(name, &sites));
        }
        plates.push(plate(id as i64, wells));
    }
    (MapLayout::new(spacing, plates).unwrap(), next)
}

#[test]
fn sites_in_a_window_are_those_that_a_search_of_all_sites_finds() {
    let touches = |one: Rect, other: Rect| {
        one.y < other.y + other.size.height
            && other.y < one.y + one.size.height
            && one.x < other.x + other.size.width
            && other.x < one.x + one.size.width
    };
    let mut hits = 0;
    for seed in 1..60 {
        let (layout, sites) = random_layout(seed);
        for window in 0..50 {
            let draw = |what: u64, below: usize| {
                (scramble(seed << 32 | window << 8 | what) % (below as u64 + 1)) as usize
            };
            let size = layout.size();
            let window = Rect::new(
                draw(1, size.height + 10),
                draw(2, size.width + 10),
                Size::new(draw(3, size.height / 2), draw(4, size.width / 2)),
            );
            let mut found: Vec<i64> = layout.sites_in(window).iter().map(|site| site.id).collect();
            found.sort_unstable();
            let expected: Vec<i64> = (1..=sites)
                .filter(|site| window.size.area() > 0 && touches(layout.site_offset(*site).unwrap(), window))
                .collect();
            hits += found.len();
            assert_eq!(found, expected, "seed {seed}, {window:?}");
        }
    }
    assert!(hits > 1000, "the windows must hit something, got {hits}");
}

#[test]
fn sites_further_down_and_right_are_painted_later() {
    let spacing = Spacing { vertical_displacement: -5, horizontal_displacement: -7, ..spacing(20, 20) };
    let sites = [(4, 1, 1), (2, 0, 1), (3, 1, 0), (1, 0, 0)];
    let layout = MapLayout::new(spacing, vec![plate(1, vec![well("A01", &sites)])]).unwrap();
    let order: Vec<_> =
        layout.sites_in(Rect::new(16, 14, Size::new(2, 2))).iter().map(|site| site.id).collect();
    assert_eq!(order, [1, 2, 3, 4]);
    assert_eq!(layout.size(), Size::new(35, 33));
}

#[test]
fn wells_of_a_plate_and_plates_of_a_map_take_the_room_of_the_largest() {
    let small = plate(2, vec![well("A01", &[(1, 0, 0)])]);
    let large = plate(1, vec![well("A01", &[(2, 0, 0)]), well("C05", &[(3, 1, 2)])]);
    let layout = MapLayout::new(spacing(100, 200), vec![small, large]).unwrap();
    // Two wells of 200×600 in two rows and two columns: 900×1700 a plate, one above the other.
    assert_eq!(layout.size(), Size::new(2 * 900 + 1000, 1700));
    let offset = |site| layout.site_offset(site).map(|rect| (rect.y, rect.x));
    assert_eq!(offset(2), Some((0, 0)));
    assert_eq!(offset(3), Some((700 + 100, 1100 + 400)));
    assert_eq!(offset(1), Some((1900, 0)));
    assert_eq!(offset(4), None);
}

#[test]
fn plates_and_wells_without_sites_take_no_room() {
    let alone = vec![plate(1, vec![well("B02", &[(1, 0, 0)])])];
    let among = vec![
        plate(0, vec![]),
        plate(1, vec![well("A01", &[]), well("B02", &[(1, 0, 0)])]),
        plate(2, vec![well("A01", &[])]),
    ];
    let layout = |plates| MapLayout::new(spacing(30, 40), plates).unwrap();
    assert_eq!(layout(alone).size(), Size::new(30, 40));
    assert_eq!(layout(among).size(), Size::new(30, 40));
}

#[test]
fn depth_is_at_least_two() {
    let depth_of = |height, width| {
        let plates = vec![plate(1, vec![well("A01", &[(1, 0, 0)])])];
        MapLayout::new(spacing(height, width), plates).unwrap().depth()
    };
    assert_eq!([depth_of(1, 1), depth_of(256, 256), depth_of(512, 513), depth_of(2160, 2560)], [2, 2, 3, 5]);
}

#[test]
fn numbers_that_make_no_map_are_refused() {
    let one = |spacing, name: &str, sites: &[(i64, i64, i64)]| {
        MapLayout::new(spacing, vec![plate(1, vec![well(name, sites)])]).map(|layout| layout.size())
    };
    let fine = spacing(100, 100);
    assert_eq!(one(fine, "A01", &[]), Err(LayoutError::NoSites));
    assert_eq!(one(fine, "A01", &[(1, i64::MAX, 0)]), Err(geometry("the position of a site", i64::MAX)));
    assert_eq!(one(fine, "A01", &[(1, -1, 0)]), Err(geometry("the position of a site", -1)));
    assert_eq!(one(fine, "A01", &[(1, 0, 1 << 30)]), Err(LayoutError::TooLarge));
    assert_eq!(one(spacing(0, 5), "A01", &[(1, 0, 0)]), Err(geometry("the height of a site", 0)));
    let overlapping = Spacing { vertical_displacement: -100, ..fine };
    assert_eq!(
        one(overlapping, "A01", &[(1, 0, 0)]),
        Err(geometry("the vertical displacement of sites", -100))
    );
    let endless = Spacing { well_spacer: i64::MAX, ..fine };
    assert_eq!(one(endless, "A01", &[(1, 0, 0)]), Err(geometry("the gap between wells", i64::MAX)));
    for name in ["", "A", "A1", "A00", "A001", "a01", "AAA01", "Ä01", "A0x"] {
        assert_eq!(one(fine, name, &[(1, 0, 0)]), Err(LayoutError::WellName(name.into())), "{name}");
    }
    let twice = plate(1, vec![well("A01", &[(1, 0, 0)]), well("A01", &[(2, 0, 0)])]);
    assert_eq!(MapLayout::new(fine, vec![twice]).map(|_| ()), Err(LayoutError::WellName("A01".into())));
}

fn geometry(name: &'static str, value: i64) -> LayoutError {
    LayoutError::Geometry { name, value }
}

#[test]
fn only_blocks_that_touch_a_site_are_built() {
    let wells = vec![well("A01", &[(1, 0, 0)]), well("B02", &[(2, 8, 9)])];
    let layout = MapLayout::new(spacing(1000, 1000), vec![plate(1, wells)]).unwrap();
    let built = blocks(&layout);
    assert_eq!(built.iter().map(|block| (block.y, block.x)).collect::<Vec<_>>(), [(0, 0), (4, 4), (4, 5)]);
    assert!(layout.size().height > 4 * BLOCK_PX);
}
