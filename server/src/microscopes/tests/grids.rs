//! Grids from stage positions and from layouts.

use super::builder::{FieldOrder, PlateFiles};
use super::{assert_in_place, images_of, layout, metadata_of, options, plan, plan_with, refusal};
use crate::microscopes::grid::{GridPosition, MergeDistance, StagePoint, positions};
use crate::microscopes::layout::SiteLayout;
use crate::microscopes::plan::GridSource;
use crate::microscopes::{PlanOptions, StitchLayout};

const SHAPES: [(usize, usize); 16] = [
    (1, 1),
    (1, 2),
    (2, 1),
    (1, 3),
    (3, 1),
    (2, 2),
    (2, 3),
    (3, 4),
    (4, 4),
    (4, 6),
    (1, 7),
    (7, 1),
    (6, 6),
    (8, 9),
    (7, 9),
    (7, 7),
];

#[test]
fn any_shape_of_grid_is_found_from_stage_positions() {
    for (rows, columns) in SHAPES {
        for order in [FieldOrder::Snake, FieldOrder::Spiral, FieldOrder::RowMajor] {
            let files = PlateFiles::new("x").grid(rows, columns).order(order).channels(2);
            let plan = plan(&files);
            assert_in_place(&plan, &files);
            assert_eq!(plan.grid, GridSource::StagePositions);
            assert_eq!(plan.wells[0].sites.len(), rows * columns);
            assert_eq!(plan.warnings.len(), 1, "only the ERR record: {:?}", plan.warnings);
        }
    }
}

#[test]
fn any_shape_of_grid_is_found_without_pixel_size() {
    for (rows, columns) in SHAPES {
        let files = PlateFiles::new("x").grid(rows, columns).channels(3);
        let metadata = &metadata_of(&files)[..1];
        let plan = plan_with(&images_of(&files), metadata, &options()).expect("planned");
        assert_in_place(&plan, &files);
        assert_eq!(plan.pixel_size_um, None);
    }
}

#[test]
fn overlapping_and_spread_fields_are_placed() {
    // A field is 15.6 µm high and 20.8 µm wide.
    for (y, x) in [(14.0, 18.7), (9.0, 12.0), (5.0, 7.0), (15.6, 8.0), (100.0, 40.0), (20.8, 300.0)] {
        for shape in [(1, 5), (5, 1), (3, 4), (4, 4)] {
            let files = PlateFiles::new("x").grid(shape.0, shape.1).step_um(y, x).channels(2);
            let plan = plan(&files);
            assert_in_place(&plan, &files);
        }
    }
}

#[test]
fn grid_with_holes_and_ragged_outline_keeps_its_gaps() {
    let files = PlateFiles::new("x").grid(3, 3).hole("B03", 1, 1);
    assert_in_place(&plan(&files), &files);
    assert_eq!(plan(&files).wells[0].sites.len(), 8);
    let corners = [(0, 0), (0, 3), (3, 0), (3, 3)];
    let files = corners
        .into_iter()
        .fold(PlateFiles::new("x").grid(4, 4).channels(2), |files, (y, x)| files.hole("B03", y, x));
    assert_in_place(&plan(&files), &files);
    let without_detail = plan_with(&images_of(&files), &metadata_of(&files)[..1], &options());
    assert_in_place(&without_detail.expect("planned"), &files);
}

#[test]
fn wells_may_have_different_grids() {
    let files = PlateFiles::new("x").wells(&["B03", "C05", "P24"]).grid_of("B03", 1, 1).grid_of("C05", 3, 4);
    let plan = plan(&files);
    assert_in_place(&plan, &files);
    assert_eq!(plan.wells.iter().map(|well| well.sites.len()).collect::<Vec<_>>(), [1, 12, 4]);
}

#[test]
fn result_does_not_depend_on_the_order_of_files() {
    let files = PlateFiles::new("x").wells(&["C05", "B03"]).grid(2, 3).channels(2).z_planes(2);
    let mut images = images_of(&files);
    let forwards = plan_with(&images, &metadata_of(&files), &options()).expect("planned");
    images.reverse();
    let backwards = plan_with(&images, &metadata_of(&files), &options()).expect("planned");
    assert_eq!(forwards, backwards);
}

#[test]
fn two_sites_at_one_position_are_refused_by_name() {
    let files = PlateFiles::new("x").grid(1, 3).step_um(0.0, 0.0).jitter_um(0.1);
    let error = refusal(&images_of(&files), &metadata_of(&files), &options());
    assert!(error.contains("well B03: sites 1 and 2 have the same place"), "{error}");
    assert!(error.contains("x_B03_T0001F001") && error.contains("x_B03_T0001F002"), "{error}");
}

#[test]
fn many_small_offsets_do_not_chain_columns_together() {
    // Every row is a little further to the right, as with a plate that lies askew.
    let points: Vec<StagePoint> = (0..20)
        .flat_map(|y| (0..20).map(move |x| (f64::from(y), f64::from(x))))
        .map(|(y, x)| StagePoint { y_um: y * 100.0, x_um: x * 100.0 + y * 2.0 })
        .collect();
    let step = MergeDistance::half_step([points.as_slice()].into_iter());
    for distance in [MergeDistance::half_field(100.0, 100.0), step] {
        let wanted: Vec<GridPosition> =
            (0..20).flat_map(|y| (0..20).map(move |x| GridPosition { y, x })).collect();
        assert_eq!(positions(&points, distance), wanted);
    }
}

#[test]
fn every_layout_numbers_sites_in_its_order() {
    let table = [
        (StitchLayout::Horizontal, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]),
        (StitchLayout::ZigzagHorizontal, [(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0)]),
        (StitchLayout::Vertical, [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)]),
        (StitchLayout::ZigzagVertical, [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)]),
    ];
    for (order, places) in table {
        let layout = SiteLayout::new(order, Some(2), Some(3)).expect("valid").expect("given");
        let positions: Vec<(usize, usize)> =
            (0..6).map(|k| layout.position(k)).map(|place| (place.y, place.x)).collect();
        assert_eq!(positions, places, "{order}");
        assert_eq!(order.name().parse::<StitchLayout>(), Ok(order));
        assert_eq!(serde_json::to_string(&order).expect("text"), format!("\"{order}\""));
    }
    assert!("spiral".parse::<StitchLayout>().expect_err("unknown").contains("zigzag_vertical"));
}

#[test]
fn sites_without_metadata_are_placed_by_layout_and_number() {
    let orders = [
        (StitchLayout::Horizontal, FieldOrder::RowMajor),
        (StitchLayout::ZigzagHorizontal, FieldOrder::Snake),
    ];
    for (stitch_layout, order) in orders {
        for (rows, columns) in SHAPES {
            let files =
                PlateFiles::new("x").wells(&["B03", "C05"]).grid(rows, columns).order(order).channels(2);
            let options = PlanOptions { stitch_layout, ..layout(rows, columns) };
            let plan = plan_with(&images_of(&files), &[], &options).expect("planned");
            assert_in_place(&plan, &files);
            assert_eq!(plan.grid, GridSource::Layout);
        }
    }
}

#[test]
fn layout_that_does_not_fit_says_what_was_wanted_and_found() {
    let files = PlateFiles::new("x").grid(2, 2);
    let error = refusal(&images_of(&files), &[], &layout(3, 2));
    assert!(error.contains("well B03: wanted 3 x 2 = 6 sites"), "{error}");
    assert!(error.contains("got 4 (sites 1, 2, 3, 4)"), "{error}");
    let one = PlanOptions { n_vertical: Some(2), ..options() };
    for (options, got) in
        [(one, "n_horizontal nothing"), (layout(0, 4), "n_vertical 0"), (layout(1, 99_999), "99999")]
    {
        let error = refusal(&images_of(&files), &metadata_of(&files), &options);
        assert!(error.contains("wanted n_vertical and n_horizontal") && error.contains(got), "{error}");
    }
}

#[test]
fn well_that_lacks_a_site_keeps_the_places_of_the_others() {
    let wells = PlateFiles::new("x").wells(&["B03", "C05"]).grid(2, 2).order(FieldOrder::RowMajor);
    let files = wells.without_files(|id| id.well == "C05" && id.field == 2);
    let plan = plan_with(&images_of(&files), &[], &layout(2, 2)).expect("planned");
    assert_in_place(&plan, &files);
    assert_eq!(plan.wells[1].sites.len(), 3);
    assert_eq!(plan.warnings, ["well C05 lacks sites 2"]);
}

#[test]
fn no_positions_and_no_layout_is_refused_unless_there_is_one_site() {
    let error = refusal(&images_of(&PlateFiles::new("x")), &[], &options());
    assert!(error.contains("no grid of sites") && error.contains("n_vertical"), "{error}");
    assert!(error.contains("x_B03_T0001F001L01A01Z01C01.tif"), "{error}");
    let single = PlateFiles::new("x").grid(1, 1).channels(2).z_planes(3).wells(&["B03", "C05"]);
    let plan = plan_with(&images_of(&single), &[], &options()).expect("one site needs no grid");
    assert_in_place(&plan, &single);
    assert_eq!(plan.grid, GridSource::SingleSite);
}

#[test]
fn stage_positions_count_more_than_a_layout_and_it_is_said() {
    let files = PlateFiles::new("x").grid(2, 3);
    let plan = plan_with(&images_of(&files), &metadata_of(&files), &layout(3, 2)).expect("planned");
    assert_in_place(&plan, &files);
    assert!(
        plan.warnings.iter().any(|w| w.contains("not the layout arguments (3 x 2)")),
        "{:?}",
        plan.warnings
    );
}
