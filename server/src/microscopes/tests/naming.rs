//! What names say, and patterns of users.

use super::{image, images_of, layout, metadata_of, options, plan_with, refusal};
use crate::microscopes::names::NamePattern;
use crate::microscopes::tests::builder::PlateFiles;
use crate::microscopes::{PlanOptions, Provenance};

fn with_regex(regex: &str, options: PlanOptions) -> PlanOptions {
    PlanOptions { regex: Some(regex.to_string()), ..options }
}

#[test]
fn user_pattern_may_only_have_the_five_groups() {
    assert!(NamePattern::user(r"(?P<w>.)(?P<t>.)(?P<s>.)(?P<z>.)(?P<c>.)").is_ok());
    assert!(NamePattern::user(r"(?<w>[A-Z]\d\d)").is_ok());
    let error = NamePattern::user(r"(?P<well>[A-Z]\d\d)").expect_err("unknown group").to_string();
    assert!(error.contains("unknown group names well: wanted only w, t, s, z, c"), "{error}");
}

#[test]
fn user_pattern_is_bounded() {
    let refused = [
        "(".to_string(),
        "a".repeat(2000),
        r"(?P<w>\w{1000}){1000}".to_string(),
        "(".repeat(200) + &")".repeat(200),
        "(?=look-ahead)".to_string(),
    ];
    for pattern in refused {
        let error = NamePattern::user(&pattern).expect_err("refused").to_string();
        assert!(error.starts_with("file-name pattern '") && error.len() < 1500, "{error}");
    }
}

#[test]
fn pattern_without_groups_takes_the_defaults_and_says_so() {
    let images = [image("a.tif")];
    let plan = plan_with(&images, &[], &with_regex("a", options())).expect("one site");
    assert_eq!(plan.wells[0].name.to_string(), "A01");
    assert_eq!(plan.channels[0].name, "1");
    assert_eq!((plan.time_points, plan.z_planes), (1, 1));
    assert_eq!(plan.warnings.len(), 5, "{:?}", plan.warnings);
    assert!(plan.warnings.iter().any(|w| w.contains("the well of 1 planes: taken as A01")));
    assert!(plan.provenance.iter().all(|source| source.from == Provenance::Default));
}

#[test]
fn sites_without_numbers_are_placed_in_natural_order_of_names() {
    let images = ["w_10_C01.tif", "w_2_C01.tif", "w_1_C01.tif", "w_11_C01.tif"].map(image);
    let plan = plan_with(&images, &[], &with_regex("_(?P<c>C[0-9]+)", layout(2, 2))).expect("2 x 2");
    let order: Vec<(&str, usize, usize)> = plan
        .planes
        .iter()
        .map(|plane| {
            let site = plan.wells[0].sites[plane.site];
            (plane.sources[0].file.as_str(), site.y, site.x)
        })
        .collect();
    assert_eq!(
        order,
        [("w_1_C01.tif", 0, 0), ("w_2_C01.tif", 0, 1), ("w_10_C01.tif", 1, 0), ("w_11_C01.tif", 1, 1)]
    );
    let error = refusal(&images[..3], &[], &with_regex("_(?P<c>C[0-9]+)", layout(2, 2)));
    assert!(error.contains("wanted 2 x 2 = 4 sites (n_vertical x n_horizontal), got 3"), "{error}");
}

#[test]
fn user_pattern_without_an_action_part_works() {
    let images =
        ["x-B03-s1-DAPI.tif", "x-B03-s2-DAPI.tif", "x-B03-s1-GFP.tif", "x-B03-s2-GFP.tif"].map(image);
    let regex = "-(?P<w>[A-Z][0-9]{2})-s(?P<s>[0-9]+)-(?P<c>[A-Z]+)";
    let plan = plan_with(&images, &[], &with_regex(regex, layout(1, 2))).expect("1 x 2");
    assert_eq!(super::channel_names(&plan), ["DAPI", "GFP"]);
    assert_eq!(plan.planes.len(), 4);
}

#[test]
fn names_that_do_not_match_are_listed() {
    let images = [image("a_B03_s1.tif"), image("odd.tif")];
    let error = refusal(&images, &[], &with_regex("_s(?P<s>[0-9]+)", options()));
    assert!(error.contains("1 file names do not match the pattern '_s(?P<s>[0-9]+)': odd.tif"), "{error}");
}

#[test]
fn group_with_a_value_that_is_none_names_file_and_value() {
    let error = refusal(&[image("x_b3.tif")], &[], &with_regex("_(?P<w>[a-z0-9]+)", options()));
    assert!(error.contains("file x_b3.tif: 'b3' is not a well name"), "{error}");
    let error = refusal(&[image("x_99999999999.tif")], &[], &with_regex("_(?P<s>[0-9]+)", options()));
    assert!(error.contains("the site (group s) is '99999999999', wanted a number"), "{error}");
}

#[test]
fn files_that_metadata_describe_in_full_may_have_any_name() {
    let files = PlateFiles::new("x").grid(1, 2);
    let mut metadata = metadata_of(&files);
    let mut images = images_of(&files);
    for image in &mut images {
        let odd = image.name.replace("x_B03_T0001", "odd ").replace("L01", "");
        let text = String::from_utf8_lossy(&metadata[0].bytes).replace(&image.name, &odd);
        metadata[0].bytes = text.into_bytes();
        image.name = odd;
    }
    let plan = plan_with(&images, &metadata, &options()).expect("metadata say everything");
    assert_eq!(plan.wells[0].sites.len(), 2);
}

#[test]
fn metadata_count_where_names_differ_and_it_is_said() {
    let files = PlateFiles::new("x").grid(1, 2);
    let mut metadata = metadata_of(&files);
    let text = String::from_utf8_lossy(&metadata[0].bytes).replace("bts:Row=\"2\"", "bts:Row=\"4\"");
    metadata[0].bytes = text.into_bytes();
    let plan = plan_with(&images_of(&files), &metadata, &options()).expect("planned");
    assert_eq!(plan.wells[0].name.to_string(), "D03");
    assert!(
        plan.warnings.iter().any(|w| w.contains("differ") && w.contains("(well)")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn empty_pattern_is_no_pattern() {
    let files = PlateFiles::new("x").channels(2);
    let plan = plan_with(&images_of(&files), &[], &with_regex("", layout(2, 2))).expect("planned");
    assert_eq!(super::channel_names(&plan), ["1", "2"]);
}
