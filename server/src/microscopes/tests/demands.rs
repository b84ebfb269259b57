//! What stops a plan, and that the messages name files, wanted and found.

use super::builder::PlateFiles;
use super::{PAGE, image, images_of, layout, metadata, metadata_of, options, plan, plan_with, refusal};
use crate::microscopes::cellvoyager::CellVoyager;
use crate::microscopes::{ImageFile, PageSize, PlanError, PlanOptions, PlateFormat, check_files};

fn check(files: &PlateFiles) -> Result<(), PlanError> {
    check_files(&CellVoyager, &files.image_names(), &metadata_of(files))
}

#[test]
fn images_named_in_the_metadata_and_not_uploaded_are_listed_at_once() {
    let files = PlateFiles::new("x").without_files(|id| id.field == 2);
    assert_eq!(check(&PlateFiles::new("x")), Ok(()));
    let error = check(&files).expect_err("a file is missing");
    assert_eq!(
        error.to_string(),
        "MeasurementData.mlf names 1 image files that were not uploaded: x_B03_T0001F002L01A01Z01C01.tif"
    );
    assert_eq!(plan_with(&images_of(&files), &metadata_of(&files), &options()), Err(error));
}

#[test]
fn long_lists_of_files_are_cut_and_counted() {
    let files = PlateFiles::new("x").grid(5, 5).without_files(|id| id.field > 2);
    let error = check(&files).expect_err("files are missing").to_string();
    assert!(error.contains("names 23 image files") && error.ends_with("C01.tif and 13 more"), "{error}");
}

#[test]
fn images_that_the_metadata_do_not_name_are_listed() {
    let files = PlateFiles::new("x");
    let mut images = images_of(&files);
    images.push(image("x_B03_T0001F009L01A01Z01C01.tif"));
    let error = refusal(&images, &metadata_of(&files), &options());
    assert_eq!(error, "1 image files are not named in MeasurementData.mlf: x_B03_T0001F009L01A01Z01C01.tif");
}

#[test]
fn no_images_are_refused() {
    assert_eq!(check_files(&CellVoyager, &[], &[]), Err(PlanError::NoImages));
    assert_eq!(plan_with(&[], &[], &options()), Err(PlanError::NoImages));
}

#[test]
fn images_of_another_size_or_depth_are_listed() {
    let files = PlateFiles::new("x");
    for (page, text) in [
        (PageSize { height: 25, ..PAGE }, "(25 x 32 pixels, 16 bits)"),
        (PageSize { bit_depth: 8, ..PAGE }, "(24 x 32 pixels, 8 bits)"),
    ] {
        let mut images = images_of(&files);
        images[1].pages = vec![page];
        let error = refusal(&images, &metadata_of(&files), &options());
        assert!(error.contains("wanted 24 x 32 pixels, 16 bits as in most, got 1 others"), "{error}");
        assert!(error.contains(&format!("{} {text}", images[1].name)), "{error}");
    }
}

#[test]
fn images_of_unsupported_depth_or_without_pages_are_listed() {
    let name = "x_B03_T0001F001L01A01Z01C01.tif".to_string();
    let deep = ImageFile {
        name: name.clone(),
        pages: vec![PageSize { bit_depth: 32, ..PAGE }],
        ..ImageFile::default()
    };
    assert!(refusal(&[deep], &[], &options()).contains("F001L01A01Z01C01.tif (32 bits)"));
    let empty = ImageFile { name, pages: vec![], ..ImageFile::default() };
    assert!(refusal(&[empty], &[], &options()).contains("without any image in them: x_B03"));
}

#[test]
fn files_of_several_pages_are_refused() {
    let several = ImageFile {
        name: "x_B03_T0001F001L01A01Z01C01.tif".to_string(),
        pages: vec![PAGE; 3],
        ..ImageFile::default()
    };
    let error = refusal(&[several], &[], &options());
    assert!(error.contains("wanted one page per file: x_B03_T0001F001L01A01Z01C01.tif (3 pages)"), "{error}");
}

#[test]
fn wells_outside_the_plate_are_refused() {
    let files = PlateFiles::new("x").wells(&["B03", "P24"]);
    plan(&files);
    let options = PlanOptions { plate_format: PlateFormat::Wells96, ..options() };
    let error = refusal(&images_of(&files), &metadata_of(&files), &options);
    assert!(
        error.contains("wells outside the 96-well plate (8 rows, 12 columns): P24; files: x_P24"),
        "{error}"
    );
}

#[test]
fn plate_of_another_size_in_the_metadata_is_a_warning() {
    let files = PlateFiles::new("x").plate_shape(8, 12);
    let warnings = plan(&files).warnings;
    assert!(warnings.iter().any(|w| w.contains("a plate of 8 x 12 wells")), "{warnings:?}");
}

#[test]
fn files_that_claim_the_same_plane_are_listed() {
    let images = ["a", "b"].map(|title| image(&format!("{title}_B03_T0001F001L01A01Z01C01.tif")));
    let error = refusal(&images, &[], &layout(1, 1));
    assert!(
        error.contains("several files for well B03, site 1, channel 1, time point 1, focal plane 1"),
        "{error}"
    );
    assert!(error.contains("a_B03") && error.contains("b_B03"), "{error}");
}

#[test]
fn files_with_the_same_stored_name_are_refused() {
    let images = ["x y", "x_y"].map(|title| image(&format!("{title}_B03_T0001F001L01A01Z01C01.tif")));
    assert!(refusal(&images, &[], &options()).contains("image files with the same name"));
}

#[test]
fn two_metadata_files_of_a_kind_are_refused() {
    let files = PlateFiles::new("x");
    let pair = [metadata("a.mlf", &files.mlf()), metadata("b.mlf", &files.mlf())];
    let error = refusal(&images_of(&files), &pair, &options());
    assert_eq!(error, "wanted one .mlf file, got 2: a.mlf, b.mlf");
}

#[test]
fn records_that_contradict_each_other_are_refused_and_repeated_ones_are_not() {
    let files = PlateFiles::new("x").grid(1, 1);
    let text = files.mlf();
    let record = text.lines().find(|line| line.contains("IMG")).expect("one record");
    let repeated = text.replace(record, &format!("{record}\n{record}"));
    let twice = [metadata("a.mlf", &repeated)];
    assert!(plan_with(&images_of(&files), &twice, &options()).is_ok());
    let other = record.replace("FieldIndex=\"1\"", "FieldIndex=\"2\"");
    let contradictory = [metadata("a.mlf", &text.replace(record, &format!("{record}\n{other}")))];
    let error = refusal(&images_of(&files), &contradictory, &options());
    assert!(error.contains("a.mlf: has two records for x_B03"), "{error}");
}

#[test]
fn error_record_that_names_an_uploaded_file_makes_it_known() {
    let files = PlateFiles::new("x").grid(1, 2);
    let text = files.mlf().replacen("Type=\"IMG\"", "Type=\"ERR\"", 1);
    let metadata = [metadata("a.mlf", &text)];
    let plan = plan_with(&images_of(&files), &metadata, &options()).expect("planned by name");
    assert_eq!(plan.wells[0].sites.len(), 2);
    assert!(plan.warnings.iter().any(|w| w.contains("reports 2 errors")), "{:?}", plan.warnings);
}

#[test]
fn broken_metadata_are_refused_with_the_place() {
    let files = PlateFiles::new("x").grid(1, 1);
    let text = files.mlf();
    let table = [
        (
            text.replace("FieldIndex=\"1\"", "FieldIndex=\"one\""),
            "record 1: FieldIndex=\"one\", wanted a whole number",
        ),
        (text.replace("Row=\"2\"", "Row=\"0\""), "no well has Row=\"0\" and Column=\"3\""),
        (text.replace("bts:Z=\"0.0\"", "bts:Z=\"NaN\""), "Z=\"NaN\", wanted a number of µm"),
        (text.replace("x_B03_T0001F001L01A01Z01C01.tif", " "), "record 1: an image without a file name"),
        (
            text.replace("bts:MeasurementData", "bts:Other"),
            "wanted the root element MeasurementData, got Other",
        ),
        (text[..text.len() / 2].to_string(), "XML"),
        (String::new(), "has no XML element"),
    ];
    for (broken, problem) in table {
        let error = refusal(&images_of(&files), &[metadata("a.mlf", &broken)], &options());
        assert!(error.starts_with("metadata file a.mlf: ") && error.contains(problem), "{error}");
        let checked = check_files(&CellVoyager, &files.image_names(), &[metadata("a.mlf", &broken)]);
        assert!(checked.is_err(), "{problem}");
    }
    let detail = [metadata("a.mrf", &files.mrf().replace("RowCount=\"16\"", "RowCount=\"-1\""))];
    assert!(refusal(&images_of(&files), &detail, &options()).contains("RowCount=\"-1\""));
    let swapped = [metadata("a.mrf", &text)];
    assert!(
        refusal(&images_of(&files), &swapped, &options())
            .contains("wanted the root element MeasurementDetail")
    );
}
