//! Whole plans: channels, time points, focal planes, projection, with and without metadata.

use std::time::Instant;

use super::builder::PlateFiles;
use super::{
    assert_in_place, channel_names, image, images_of, layout, metadata, metadata_of, options, plan, plan_with,
};
use crate::microscopes::cellvoyager::CellVoyager;
use crate::microscopes::{PlanOptions, PlateFormat, Provenance, check_files};

#[test]
fn plan_of_a_plate_holds_everything_the_metadata_say() {
    let files =
        PlateFiles::new("run_7_C04x").wells(&["B03", "C05"]).grid(2, 3).channels(2).pixel_size_um(0.1625);
    let plan = plan(&files);
    assert_in_place(&plan, &files);
    assert_eq!(plan.title.as_deref(), Some("run_7_C04x"));
    assert_eq!(plan.pixel_size_um, Some(0.1625));
    assert_eq!((plan.size.height, plan.size.width, plan.bit_depth), (24, 32, 16));
    assert_eq!(channel_names(&plan), ["1", "2"]);
    assert_eq!((plan.time_points, plan.z_planes, plan.planes.len()), (1, 1, 24));
    assert!(plan.provenance.iter().all(|source| source.from == Provenance::Metadata && source.planes == 24));
    assert_eq!(plan.warnings, ["MeasurementData.mlf reports 1 errors of the microscope (ERR records)"]);
}

#[test]
fn channels_have_the_same_names_with_and_without_metadata() {
    let files = PlateFiles::new("x").channel_numbers(&[1, 3, 4, 5, 10]);
    let without = plan_with(&images_of(&files), &[], &layout(2, 2)).expect("planned");
    assert_eq!(channel_names(&plan(&files)), ["1", "3", "4", "5", "10"]);
    assert_eq!(channel_names(&without), ["1", "3", "4", "5", "10"]);
}

#[test]
fn actions_that_share_a_channel_are_channels_of_their_own() {
    let files = PlateFiles::new("x").channels(2).actions(2);
    let without = plan_with(&images_of(&files), &[], &layout(2, 2)).expect("planned");
    for plan in [plan(&files), without] {
        assert_eq!(channel_names(&plan), ["A01_C01", "A01_C02", "A02_C01", "A02_C02"]);
        assert_eq!(plan.planes.len(), 16);
    }
}

#[test]
fn only_shared_channels_carry_their_action() {
    // Action 1 takes channel 1, action 2 takes channels 1 and 2.
    let names =
        ["A01Z01C01", "A02Z01C01", "A02Z01C02"].map(|end| image(&format!("x_B03_T0001F001L01{end}.tif")));
    let plan = plan_with(&names, &[], &options()).expect("one site");
    assert_eq!(channel_names(&plan), ["2", "A01_C01", "A02_C01"]);
}

#[test]
fn time_is_the_time_point_and_not_the_timeline() {
    let files = PlateFiles::new("x").grid(1, 2).time_points(3).channels(2);
    let without = plan_with(&images_of(&files), &[], &layout(1, 2)).expect("planned");
    for plan in [plan(&files), without] {
        assert_in_place(&plan, &files);
        assert_eq!((plan.time_points, plan.planes.len()), (3, 12));
    }
}

#[test]
fn focal_planes_are_numbered_densely_from_zero() {
    let files = PlateFiles::new("x").grid(1, 1).z_planes(3);
    let plan = plan(&files);
    assert_eq!(plan.z_planes, 3);
    assert_eq!(plan.planes.iter().map(|plane| plane.zplane).collect::<Vec<_>>(), [0, 1, 2]);
    let sparse = ["Z02", "Z05", "Z09"].map(|z| image(&format!("x_B03_T0007F001L01A01{z}C01.tif")));
    let plan = plan_with(&sparse, &[], &options()).expect("one site");
    assert_eq!(
        plan.planes.iter().map(|plane| (plane.tpoint, plane.zplane)).collect::<Vec<_>>(),
        [(0, 0), (0, 1), (0, 2)]
    );
}

#[test]
fn projection_gathers_focal_planes_in_order() {
    let files = PlateFiles::new("x").grid(1, 2).z_planes(3).channels(2).time_points(2);
    let options = PlanOptions { mip: true, ..options() };
    let plan = plan_with(&images_of(&files), &metadata_of(&files), &options).expect("planned");
    assert_in_place(&plan, &files);
    assert_eq!((plan.z_planes, plan.planes.len()), (1, 8));
    for plane in &plan.planes {
        assert_eq!(plane.zplane, 0);
        let ends: Vec<&str> =
            plane.sources.iter().map(|source| &source.file[source.file.len() - 10..]).collect();
        assert!(ends.iter().zip(["Z01", "Z02", "Z03"]).all(|(end, z)| end.starts_with(z)), "{ends:?}");
    }
}

#[test]
fn wells_of_the_largest_plates_have_two_letters() {
    let files = PlateFiles::new("x").wells(&["AB07", "B07"]).plate_shape(32, 48);
    let options = PlanOptions::new(PlateFormat::Wells1536);
    let plan = plan_with(&images_of(&files), &metadata_of(&files), &options).expect("planned");
    assert_in_place(&plan, &files);
    assert_eq!(plan.wells[1].name.to_string(), "AB07");
}

#[test]
fn converted_images_are_found_under_the_names_of_the_metadata() {
    let files = PlateFiles::new("my plate & more").png();
    let names: Vec<String> =
        files.image_names().iter().map(|name| crate::microscopes::secure_filename(name)).collect();
    let images: Vec<_> = names.iter().map(|name| image(name)).collect();
    assert!(names[0].starts_with("my_plate__more_B03") && names[0].ends_with(".png"), "{}", names[0]);
    check_files(&CellVoyager, &names, &metadata_of(&files)).expect("all files are there");
    let plan = plan_with(&images, &metadata_of(&files), &options()).expect("planned");
    assert_eq!(plan.title.as_deref(), Some("my plate & more"));
    assert_eq!(plan.planes.len(), 4);
}

#[test]
fn detail_file_alone_gives_title_and_pixel_size() {
    let files = PlateFiles::new("x");
    let plan = plan_with(&images_of(&files), &metadata_of(&files)[1..], &layout(2, 2)).expect("planned");
    assert_eq!((plan.title.as_deref(), plan.pixel_size_um), (Some("x"), Some(0.65)));
}

#[test]
fn different_pixel_sizes_are_not_guessed() {
    let files = PlateFiles::new("x");
    let detail = files.mrf().replace("VerticalPixelDimension=\"0.65\"", "VerticalPixelDimension=\"0.8\"");
    let metadata = [metadata("a.mlf", &files.mlf()), metadata("a.mrf", &detail)];
    let plan = plan_with(&images_of(&files), &metadata, &options()).expect("planned");
    assert_eq!(plan.pixel_size_um, None);
    assert!(
        plan.warnings.iter().any(|w| w.contains("different pixel sizes [0.65, 0.8]")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn acquisitions_of_two_plates_are_planned_alike() {
    let cycles: Vec<_> = (1..=3)
        .map(|number| {
            PlateFiles::new(&format!("cycle{number}")).wells(&["B03", "C05"]).grid(2, 2).channels(2)
        })
        .map(|files| plan(&files))
        .collect();
    assert!(cycles.iter().all(|plan| plan.wells == cycles[0].wells && plan.channels == cycles[0].channels));
}

#[test]
fn hundred_thousand_files_are_planned_in_a_moment() {
    let wells: Vec<String> = (1..=20).map(|column| format!("B{column:02}")).collect();
    let wells: Vec<&str> = wells.iter().map(String::as_str).collect();
    let files = PlateFiles::new("x").wells(&wells).grid(25, 25).channels(4).z_planes(2);
    let (images, metadata) = (images_of(&files), metadata_of(&files));
    assert_eq!(images.len(), 100_000);
    for metadata in [metadata.as_slice(), &metadata[..1], &[]] {
        let start = Instant::now();
        let plan = plan_with(&images, metadata, &layout(25, 25)).expect("planned");
        assert_eq!(plan.planes.len(), 100_000);
        // A generous bound: quadratic look-ups would take minutes.
        assert!(start.elapsed().as_secs() < 20, "took {:?}", start.elapsed());
        eprintln!("planned with {} metadata files in {:?}", metadata.len(), start.elapsed());
    }
}
