//! Files that are missing, double, contradictory or too many: a test for every row of the table of the workflow
//! reference, section 6.10, in its order.
//!
//! Defects of the original that are right now, here and in the files beside this one: 1, 2 and 4 (grids from stage
//! positions, `grids`), 3 (sites on one place are told while planning, `grids`), 5 and 8 (order by site number, actions,
//! `plans`), 6 (stage positions, `grids` and `ome`), 7 (time points, `plans`), 9 (channel names, `naming`), 10 (lost and
//! extra files, `demands`), 16 (wells and plate formats), 19 (images of different size). 20 is in the workspace's test
//! `workflow/scopes`; 21 in `api/uploads`.

use super::builder::PlateFiles;
use super::{PAGE, channel_names, image, images_of, layout, metadata_of, options, plan_with, refusal};
use crate::microscopes::visiview::VisiView;
use crate::microscopes::{ImageFile, PageSize, PlanOptions, PlateFormat, plan_acquisition};

fn by_regex(regex: &str) -> PlanOptions {
    PlanOptions { regex: Some(regex.to_string()), ..layout(2, 2) }
}

#[test]
fn names_do_without_metadata_files() {
    let files = PlateFiles::new("x").channels(2).z_planes(2).time_points(2);
    let plan = plan_with(&images_of(&files), &[], &PlanOptions { ..layout(2, 2) }).expect("planned");
    assert_eq!((channel_names(&plan), plan.z_planes, plan.time_points), (vec!["1", "2"], 2, 2));
    let visiview =
        plan_acquisition(&VisiView, &[image("x_w1DAPI_s1.tif")], &[], &options()).expect("planned");
    assert_eq!(channel_names(&visiview), ["DAPI"], "the .nd file may be missing too");
}

#[test]
fn absent_groups_of_a_pattern_are_defaults_with_a_counted_warning() {
    let images = images_of(&PlateFiles::new("x"));
    let plan = plan_with(&images, &[], &by_regex("F(?P<s>[0-9]+)")).expect("planned");
    assert_eq!((plan.wells[0].name.to_string().as_str(), channel_names(&plan)), ("A01", vec!["1"]));
    for said in ["the well of 4 planes: taken as A01", "the channel of 4 planes: taken as 1"] {
        assert!(plan.warnings.iter().any(|warning| warning.contains(said)), "{:?}", plan.warnings);
    }
}

#[test]
fn names_that_do_not_match_are_listed_with_the_pattern() {
    let images = images_of(&PlateFiles::new("x"));
    let error = refusal(&images, &[], &by_regex("F(?P<s>00[1-3])"));
    assert!(error.starts_with("1 file names do not match the pattern 'F(?P<s>00[1-3])': x_B03"), "{error}");
}

#[test]
fn gaps_of_some_planes_are_filled_and_the_others_keep_what_is_known() {
    let files = PlateFiles::new("x").grid(1, 2);
    let mut metadata = metadata_of(&files);
    let text = String::from_utf8(metadata[0].bytes.clone()).expect("text");
    metadata[0].bytes = text.replacen(" bts:FieldIndex=\"2\"", "", 1).into_bytes();
    let plan = plan_with(&images_of(&files), &metadata, &options()).expect("planned");
    assert_eq!(plan.wells[0].sites.len(), 2);
    let sites: Vec<_> = plan.provenance.iter().filter(|source| source.field == "site").collect();
    assert_eq!(sites.iter().map(|source| source.planes).collect::<Vec<_>>(), [1, 1], "{sites:?}");
}

#[test]
fn no_stage_positions_and_no_layout_is_a_message_that_asks_for_one_of_them() {
    let error = refusal(&images_of(&PlateFiles::new("x")), &[], &options());
    assert!(error.contains("no stage position for well B03, file x_B03"), "{error}");
    assert!(error.contains("give n_vertical and n_horizontal"), "{error}");
}

#[test]
fn wells_with_different_numbers_of_sites_are_named_by_layout_and_placed_by_stage_positions() {
    let files = PlateFiles::new("x").wells(&["B03", "C04"]).grid_of("C04", 1, 3);
    let error = refusal(&images_of(&files), &[], &layout(2, 3));
    assert!(error.contains("well B03: wanted 2 x 3 = 6 sites") && error.contains("got 4"), "{error}");
    let plan = plan_with(&images_of(&files), &metadata_of(&files), &options()).expect("planned");
    assert_eq!(plan.wells.iter().map(|well| well.sites.len()).collect::<Vec<_>>(), [4, 3]);
}

#[test]
fn channels_missing_at_some_sites_are_counted_and_named_and_the_rest_is_used() {
    let mut images = images_of(&PlateFiles::new("x").channels(2));
    images
        .retain(|image| !image.name.contains("F003L01A02Z01C02") && !image.name.contains("F003L01A01Z01C02"));
    let plan = plan_with(&images, &[], &layout(2, 2)).expect("planned");
    assert_eq!(plan.planes.len(), 7);
    let said =
        "planes are missing at 1 places, stored without them: well B03, row 1, column 0, channel 2 (0 of 1)";
    assert!(plan.warnings.iter().any(|warning| warning == said), "{:?}", plan.warnings);
    let whole = plan_with(&images_of(&PlateFiles::new("x")), &[], &layout(2, 2)).expect("planned");
    assert!(!whole.warnings.iter().any(|warning| warning.contains("missing")), "{:?}", whole.warnings);
}

#[test]
fn files_of_one_plane_are_listed_before_anything_is_stored() {
    let images = ["a", "b"].map(|title| image(&format!("{title}_B03_T0001F001L01A01Z01C01.tif")));
    assert!(refusal(&images, &[], &options()).contains("several files for well B03, site 1"));
}

#[test]
fn images_of_another_size_or_depth_are_listed_before_anything_is_stored() {
    let files = PlateFiles::new("x").time_points(2);
    for page in [PageSize { width: 31, ..PAGE }, PageSize { bit_depth: 8, ..PAGE }] {
        let mut images = images_of(&files);
        images[7].pages = vec![page];
        let error = refusal(&images, &metadata_of(&files), &options());
        assert!(error.contains("got 1 others") && error.contains(&images[7].name), "{error}");
    }
}

#[test]
fn wells_are_checked_against_every_plate_format_and_listed() {
    let corners = [
        (1, "A01", "A02"),
        (6, "B03", "C03"),
        (12, "C04", "C05"),
        (24, "D06", "E06"),
        (48, "F08", "F09"),
        (96, "H12", "I12"),
        (384, "P24", "Q01"),
        (1536, "AF48", "AG01"),
    ];
    for (wells, last, outside) in corners {
        let format = PlateFormat::from_wells(wells).expect("a format");
        let options = PlanOptions { plate_format: format, ..options() };
        let named = |well: &str| image(&format!("x_{well}_T0001F001L01A01Z01C01.tif"));
        let plan = plan_with(&[named(last)], &[], &options).expect("on the plate");
        assert_eq!(plan.wells[0].name.to_string(), last);
        let error = refusal(&[named(last), named(outside)], &[], &options);
        let said = format!("{outside}; files: x_{outside}_T0001F001L01A01Z01C01.tif");
        assert!(
            error.starts_with(&format!("wells outside the {wells}-well plate")) && error.ends_with(&said),
            "{error}"
        );
    }
    let odd = refusal(&[image("x_b3.tif")], &[], &by_regex("x_(?P<w>[a-z][0-9])"));
    assert!(odd.contains("file x_b3.tif: 'b3' is not a well name"), "{odd}");
}

#[test]
fn patterns_of_users_have_known_groups_only_and_an_end() {
    let images = images_of(&PlateFiles::new("x"));
    let table = [
        ("(?P<q>x)", "unknown group names q: wanted only w, t, s, z, c"),
        ("(?P<s>[0-9]+", "unclosed group"),
        ("(?=x)", "look-around"),
        ("(?:(?:(?:(?:a{99}){99}){99}){99})", "size limit"),
    ];
    for (regex, problem) in table {
        let error = refusal(&images, &[], &by_regex(regex));
        assert!(error.starts_with("file-name pattern") && error.contains(problem), "{error}");
    }
    // What takes other engines years.
    let long = image(&format!("{}.tif", "a".repeat(200)));
    let hard = [ImageFile { name: long.name.clone(), ..long }];
    assert!(refusal(&hard, &[], &by_regex("(a*)*(a*)*(a*)*b")).contains("do not match the pattern"));
}
