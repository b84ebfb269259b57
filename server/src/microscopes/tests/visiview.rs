//! VisiView acquisitions: the `.nd` file in all its variants, names with and without it, stacks.
//!
//! Defects of the original that are right now: 11 (files of several planes), 12 (names and `.nd` files), 13 (channel
//! names), 15 (planes of a file along z, not t).

use super::{PAGE, layout, metadata, options};
use crate::microscopes::plan::GridSource;
use crate::microscopes::visiview::VisiView;
use crate::microscopes::{
    AcquisitionPlan, FileKinds, ImageFile, MetadataFile, MicroscopeType, PlanError, PlanOptions, WellName,
    check_files, plan_acquisition,
};

/// The two-well set of the reference: 4 stage positions in 2 wells, 2 channels, 3 focal planes.
const TWO_WELLS: &str = r#""NDInfoFile", Version 1.0
"Description", synthetic two-well set
"StartTime1", 20310506 07:08:09.120
"DoTimelapse", FALSE
"DoStage", TRUE
"NStagePositions", 4
"Stage1", "row:B,column:3,site:1"
"Stage2", "row:B,column:3,site:2"
"Stage3", "row:C,column:4,site:3"
"Stage4", "row:C,column:4,site:4"
"DoWave", TRUE
"NWavelengths", 2
"WaveName1", "sdcDAPI"
"WaveDoZ1", TRUE
"WaveName2", "sdcGFP"
"WaveDoZ2", TRUE
"DoZSeries", TRUE
"NZSteps", 3
"ZStepSize", 0,5
"WaveInFileName", TRUE
"EndFile"
"#;

fn stack(name: &str, planes: usize) -> ImageFile {
    ImageFile { name: name.to_string(), pages: vec![PAGE; planes], ..ImageFile::default() }
}

fn two_wells() -> Vec<ImageFile> {
    let waves = ["w1sdcDAPI", "w2sdcGFP"];
    let names = waves.iter().flat_map(|wave| (1..=4).map(move |site| format!("set_{wave}_s{site}.stk")));
    names.map(|name| stack(&name, 3)).collect()
}

fn nd(text: &str) -> Vec<MetadataFile> {
    vec![metadata("set.nd", text)]
}

fn plan(
    images: &[ImageFile],
    metadata: &[MetadataFile],
    options: &PlanOptions,
) -> Result<AcquisitionPlan, PlanError> {
    let names: Vec<String> = images.iter().map(|image| image.name.clone()).collect();
    check_files(&VisiView, &names, metadata)?;
    plan_acquisition(&VisiView, images, metadata, options)
}

/// Every plane as `well site-column channel t z <- file:pages`.
fn table(plan: &AcquisitionPlan) -> Vec<String> {
    let line = |plane: &crate::microscopes::plan::PlannedPlane| {
        let well = &plan.wells[plane.well];
        let site = well.sites[plane.site];
        let sources: Vec<String> =
            plane.sources.iter().map(|source| format!("{}:{}", source.file, source.page)).collect();
        format!(
            "{} ({},{}) {} t{} z{} <- {}",
            well.name,
            site.y,
            site.x,
            plan.channels[plane.channel].name,
            plane.tpoint,
            plane.zplane,
            sources.join(" ")
        )
    };
    plan.planes.iter().map(line).collect()
}

fn channels(plan: &AcquisitionPlan) -> Vec<&str> {
    plan.channels.iter().map(|channel| channel.name.as_str()).collect()
}

#[test]
fn two_well_set_with_projection_is_as_written_out() {
    let crlf = TWO_WELLS.replace('\n', "\r\n");
    let continued = TWO_WELLS.replace("two-well set", "two-well\n set, which goes on\n\nand \"on\"");
    let version_2 = TWO_WELLS.replace("Version 1.0", "Version 2.0");
    let wanted = [
        "B03 (0,0) sdcDAPI t0 z0 <- set_w1sdcDAPI_s1.stk:0 set_w1sdcDAPI_s1.stk:1 set_w1sdcDAPI_s1.stk:2",
        "B03 (0,0) sdcGFP t0 z0 <- set_w2sdcGFP_s1.stk:0 set_w2sdcGFP_s1.stk:1 set_w2sdcGFP_s1.stk:2",
        "B03 (0,1) sdcDAPI t0 z0 <- set_w1sdcDAPI_s2.stk:0 set_w1sdcDAPI_s2.stk:1 set_w1sdcDAPI_s2.stk:2",
        "B03 (0,1) sdcGFP t0 z0 <- set_w2sdcGFP_s2.stk:0 set_w2sdcGFP_s2.stk:1 set_w2sdcGFP_s2.stk:2",
        "C04 (0,0) sdcDAPI t0 z0 <- set_w1sdcDAPI_s3.stk:0 set_w1sdcDAPI_s3.stk:1 set_w1sdcDAPI_s3.stk:2",
        "C04 (0,0) sdcGFP t0 z0 <- set_w2sdcGFP_s3.stk:0 set_w2sdcGFP_s3.stk:1 set_w2sdcGFP_s3.stk:2",
        "C04 (0,1) sdcDAPI t0 z0 <- set_w1sdcDAPI_s4.stk:0 set_w1sdcDAPI_s4.stk:1 set_w1sdcDAPI_s4.stk:2",
        "C04 (0,1) sdcGFP t0 z0 <- set_w2sdcGFP_s4.stk:0 set_w2sdcGFP_s4.stk:1 set_w2sdcGFP_s4.stk:2",
    ];
    for text in [TWO_WELLS, &crlf, &continued, &version_2] {
        let options = PlanOptions { mip: true, ..layout(1, 2) };
        let plan = plan(&two_wells(), &nd(text), &options).expect("planned");
        assert_eq!(table(&plan), wanted);
        assert_eq!((plan.title.as_deref(), plan.grid), (Some("set"), GridSource::Layout));
        // Sites are numbered through the plate; no plane is missing, nothing contradicts.
        assert_eq!(plan.warnings, Vec::<String>::new());
    }
}

#[test]
fn planes_of_one_file_are_focal_planes_and_not_the_same_plane_or_time_points() {
    let plan = plan(&two_wells(), &nd(TWO_WELLS), &layout(1, 2)).expect("planned");
    assert_eq!((plan.time_points, plan.z_planes, plan.planes.len()), (1, 3, 24));
    let table = table(&plan);
    assert_eq!(table[0], "B03 (0,0) sdcDAPI t0 z0 <- set_w1sdcDAPI_s1.stk:0");
    assert_eq!(table[2], "B03 (0,0) sdcDAPI t0 z2 <- set_w1sdcDAPI_s1.stk:2");
}

#[test]
fn channel_without_z_series_is_the_first_focal_plane() {
    let text = TWO_WELLS.replace("\"WaveDoZ2\", TRUE", "\"WaveDoZ2\", FALSE");
    let mut images = two_wells();
    images.iter_mut().filter(|image| image.name.contains("GFP")).for_each(|image| image.pages.truncate(1));
    let plan = plan(&images, &nd(&text), &layout(1, 2)).expect("planned");
    assert_eq!((plan.z_planes, plan.planes.len()), (3, 16));
    assert_eq!(table(&plan)[3], "B03 (0,0) sdcGFP t0 z0 <- set_w2sdcGFP_s1.stk:0");
    assert!(
        !plan.warnings.iter().any(|warning| warning.contains("numbers of planes")),
        "{:?}",
        plan.warnings
    );
}

#[test]
fn number_of_steps_may_be_missing_without_z_series() {
    let text = TWO_WELLS.replace("\"DoZSeries\", TRUE\n\"NZSteps\", 3\n", "\"DoZSeries\", FALSE\n");
    let images: Vec<_> = two_wells().iter().map(|image| stack(&image.name, 1)).collect();
    let plan = plan(&images, &nd(&text), &layout(1, 2)).expect("planned");
    assert_eq!((plan.z_planes, plan.planes.len()), (1, 8));
}

#[test]
fn time_points_come_from_names() {
    let text = TWO_WELLS.replace("\"DoTimelapse\", FALSE", "\"DoTimelapse\", TRUE\n\"NTimePoints\", 2");
    let images: Vec<_> = two_wells()
        .iter()
        .flat_map(|image| (1..=2).map(|t| stack(&image.name.replace(".stk", &format!("_t{t}.TIF")), 3)))
        .collect();
    let plan = plan(&images, &nd(&text), &layout(1, 2)).expect("planned");
    assert_eq!((plan.time_points, plan.planes.len()), (2, 48));
    assert_eq!(table(&plan)[3], "B03 (0,0) sdcDAPI t1 z0 <- set_w1sdcDAPI_s1_t2.TIF:0");
    assert_eq!(plan.warnings, Vec::<String>::new());
}

#[test]
fn pages_of_a_file_are_time_points_where_the_nd_file_says_so() {
    let text =
        "\"NDInfoFile\", Version 2.0\n\"DoTimelapse\", TRUE\n\"NTimePoints\", 4\n\"DoZSeries\", FALSE\n";
    let plan = plan(&[stack("set.stk", 4)], &nd(text), &options()).expect("planned");
    assert_eq!((plan.time_points, plan.z_planes, plan.grid), (4, 1, GridSource::SingleSite));
}

#[test]
fn parts_of_names_are_absent_as_the_flags_say() {
    let text = "\"NDInfoFile\", Version 1.0\n\"DoStage\", TRUE\n\"NStagePositions\", 2\n\"Stage1\", \"B2\"\n\
                \"Stage2\", \"B03, left\"\n\"DoWave\", TRUE\n\"NWavelengths\", 1\n\"WaveName1\", \"sdcDAPI\"\n";
    let plan =
        plan(&[stack("set_s1.tif", 1), stack("set_s2.TIF", 1)], &nd(text), &options()).expect("planned");
    assert_eq!(
        table(&plan),
        ["B02 (0,0) sdcDAPI t0 z0 <- set_s1.tif:0", "B03 (0,0) sdcDAPI t0 z0 <- set_s2.TIF:0"],
        "one channel needs no part, and stage names may be wells"
    );
}

#[test]
fn free_text_stage_names_leave_the_well_to_the_file_names() {
    let mut text = TWO_WELLS.to_string();
    for (number, name) in [(1, "Row0_Col0"), (2, "Overview"), (3, "the best, \"of\" all"), (4, "")] {
        let line = text.lines().find(|line| line.starts_with(&format!("\"Stage{number}\""))).expect("a line");
        text = text.replace(line, &format!("\"Stage{number}\", \"{name}\""));
    }
    let images: Vec<_> =
        two_wells().iter().map(|image| stack(&image.name.replace("set_", "set_D05_"), 3)).collect();
    let plan = plan(&images, &nd(&text), &layout(2, 2)).expect("planned");
    let well: WellName = "D05".parse().expect("a well");
    assert_eq!(plan.wells.iter().map(|well| well.name).collect::<Vec<_>>(), [well]);
    assert_eq!(plan.wells[0].sites.len(), 4);
}

#[test]
fn names_of_channels_may_begin_with_digits_and_hold_spaces_and_hyphens() {
    let text = TWO_WELLS.replace("sdcDAPI", "2-488 GFP").replace("sdcGFP", "CSU405 QUAD");
    // Spaces are stored as underscores.
    for space in [" ", "_"] {
        let images: Vec<_> = two_wells()
            .iter()
            .map(|image| image.name.replace("sdcDAPI", "2-488 GFP").replace("sdcGFP", "CSU405 QUAD"))
            .map(|name| stack(&name.replace(' ', space), 3))
            .collect();
        let with = plan(&images, &nd(&text), &layout(1, 2)).expect("planned");
        assert_eq!(channels(&with), ["2-488_GFP", "CSU405_QUAD"]);
        let labels: Vec<_> = with.channels.iter().map(|channel| channel.details.label.as_deref()).collect();
        assert_eq!(labels, [Some("2-488 GFP"), Some("CSU405 QUAD")], "as the .nd file writes them");
        let alone = plan(&images, &[], &layout(2, 2)).expect("planned by names alone");
        assert_eq!(channels(&alone), channels(&with), "the same without the .nd file");
    }
}

#[test]
fn names_alone_do_where_they_are_unambiguous_and_else_ask_for_the_nd_file() {
    let plain = plan(&[stack("x_B03_w1DAPI_s1.tif", 1), stack("x_B03_w2405_s1.tif", 1)], &[], &options());
    assert_eq!(channels(&plain.expect("planned")), ["405", "DAPI"]);
    let images = [stack("x_w1DAPI_s1.tif", 1), stack("x_w12-488_s1.tif", 1)];
    let error = plan(&images, &[], &options()).expect_err("two ways to read it").to_string();
    assert!(error.contains("_w12-488, _w1DAPI") && error.contains("upload the .nd file"), "{error}");
    let pattern = "x_w(?P<c>1DAPI|12)";
    let by_user = plan(&images, &[], &PlanOptions { regex: Some(pattern.into()), ..options() });
    assert_eq!(channels(&by_user.expect("planned")), ["1DAPI", "12"], "a pattern of the user settles it");
}

#[test]
fn well_part_before_the_channel_is_read() {
    for name in ["my_set_B03_w1DAPI_s1_t1.stk", "B03_w1DAPI_s1t1.stk", "a_w2_b_B03_w1DAPI_s1.stk"] {
        let fields = VisiView.read_name(name).expect("valid").expect("fits");
        assert_eq!(fields.well.map(|well| well.to_string()).as_deref(), Some("B03"), "{name}");
        assert_eq!(fields.site, Some(1), "{name}");
    }
}

#[test]
fn images_are_told_by_their_extension_in_any_case() {
    let image = FileKinds { image: true, metadata: false };
    let meta = FileKinds { image: false, metadata: true };
    let table = [
        ("set_w1CSU405 QUAD_s1_t1.stk", image),
        ("set_w2-488.TIF", image),
        ("set.STK", image),
        ("set_s1.ome.tif", image),
        ("set_s12_t3.Tiff", image),
        ("set.nd", meta),
        ("set.ND", meta),
        ("set.ome.xml", meta),
        ("set.txt", FileKinds::default()),
        (".tif", FileKinds::default()),
        ("nd", FileKinds::default()),
    ];
    for (name, kinds) in table {
        assert_eq!(VisiView.classify(name), kinds, "{name}");
    }
}

#[test]
fn missing_files_and_planes_are_warnings_that_name_them() {
    let mut images = two_wells();
    images.remove(5);
    images[0].pages.truncate(2);
    let plan = plan(&images, &nd(TWO_WELLS), &layout(1, 2)).expect("planned");
    let said = |text: &str| plan.warnings.iter().any(|warning| warning.contains(text));
    assert!(
        said("set.nd announces 1 image files that were not uploaded: set_w2sdcGFP_s2"),
        "{:?}",
        plan.warnings
    );
    assert!(said(
        "1 files hold other numbers of planes than set.nd says: set_w1sdcDAPI_s1.stk (2, wanted 3)"
    ));
}

#[test]
fn files_that_the_nd_file_does_not_know_are_refused() {
    for extra in ["set_w3sdcRFP_s1.stk", "set_w1sdcDAPI_s5.stk", "other_w1sdcDAPI_s1.stk"] {
        let images = [two_wells(), vec![stack(extra, 3)]].concat();
        let error = plan(&images, &nd(TWO_WELLS), &layout(1, 2)).expect_err(extra).to_string();
        assert_eq!(error, format!("1 image files are not named in set.nd: {extra}"));
    }
}

#[test]
fn two_nd_files_and_broken_ones_are_refused_with_their_names() {
    let two = [metadata("a.nd", TWO_WELLS), metadata("b.nd", TWO_WELLS)];
    let error = plan(&two_wells(), &two, &options()).expect_err("two").to_string();
    assert_eq!(error, "wanted one .nd file, got 2: a.nd, b.nd");
    let table = [
        ("hello".to_string(), "it is no .nd file"),
        (TWO_WELLS.replace("\"NWavelengths\", 2", "\"NWavelengths\", two"), "\"NWavelengths\", two: wanted"),
        (
            TWO_WELLS.replace("\"DoWave\", TRUE", "\"DoWave\", maybe"),
            "\"DoWave\", maybe: wanted TRUE or FALSE",
        ),
        (TWO_WELLS.replace("Positions\", 4", "Positions\", 4000000000"), "at most 1000000"),
        (TWO_WELLS.replace("Wavelengths\", 2", "Wavelengths\", 100"), "at most 99"),
    ];
    for (text, problem) in table {
        let error = plan(&two_wells(), &nd(&text), &options()).expect_err(problem).to_string();
        assert!(error.starts_with("metadata file set.nd: ") && error.contains(problem), "{error}");
    }
}

#[test]
fn an_nd_file_that_claims_a_million_positions_and_times_is_read_in_a_moment() {
    let text = TWO_WELLS
        .replace("Positions\", 4", "Positions\", 1000000")
        .replace("\"DoTimelapse\", FALSE", "\"DoTimelapse\", TRUE\n\"NTimePoints\", 1000000");
    let images: Vec<_> =
        two_wells().iter().map(|image| stack(&image.name.replace(".stk", "_t1.stk"), 3)).collect();
    let plan = plan(&images, &nd(&text), &layout(2, 2)).expect("planned");
    let said = "set.nd announces 1999999999992 image files that were not uploaded: ";
    assert!(plan.warnings.iter().any(|warning| warning.starts_with(said)), "{:?}", plan.warnings);
    assert!(plan.warnings.iter().all(|warning| warning.len() < 1000), "a bounded number of names");
}

#[test]
fn without_layout_arguments_several_sites_have_no_grid() {
    let error = plan(&two_wells(), &nd(TWO_WELLS), &options()).expect_err("no grid").to_string();
    assert!(error.contains("give n_vertical and n_horizontal"), "{error}");
}
