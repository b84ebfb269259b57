//! MetaMorph and MetaXpress acquisitions: names, thumbnails, folders, headers.
//!
//! Defects of the original that are right now: 14 (thumbnails, time points and focal planes).

use super::{PAGE, layout, options};
use crate::microscopes::metamorph::MetaMorph;
use crate::microscopes::plan::GridSource;
use crate::microscopes::{
    AcquisitionPlan, FileKinds, HeaderFacts, ImageFile, MicroscopeType, PlanOptions, plan_acquisition,
    read_description,
};

const GUID: &str = "E94C24BD-45E4-450A-9919-257C714278F7";

fn image(name: &str) -> ImageFile {
    ImageFile { name: name.to_string(), pages: vec![PAGE], ..ImageFile::default() }
}

fn plan(images: &[ImageFile], options: &PlanOptions) -> AcquisitionPlan {
    plan_acquisition(&MetaMorph, images, &[], options).expect("planned")
}

fn channels(plan: &AcquisitionPlan) -> Vec<&str> {
    plan.channels.iter().map(|channel| channel.name.as_str()).collect()
}

#[test]
fn thumbnails_of_every_site_are_refused_and_images_are_not() {
    for site in ["s1", "s9", "s10", "s12", "s123"] {
        for wave in ["w1", "w2", "w12"] {
            let image = MetaMorph.classify(&format!("my_set_C07_{site}_{wave}{GUID}.tif"));
            assert_eq!(image, FileKinds { image: true, metadata: false }, "{site} {wave}");
            let thumbnail = MetaMorph.classify(&format!("my_set_C07_{site}_{wave}_thumb{GUID}.tif"));
            assert_eq!(thumbnail, FileKinds::default(), "{site} {wave}");
        }
    }
    assert_eq!(MetaMorph.classify("set_C07_s1_thumb.tif"), FileKinds::default());
    assert_eq!(MetaMorph.classify("set.nd"), FileKinds::default());
}

#[test]
fn sites_above_9_and_two_digit_wavelengths_are_read_as_written() {
    let table = [
        (format!("a_C07_s12_w1{GUID}.tif"), ("C07", Some(12), Some("1"))),
        // The identifier begins with digits of its own.
        (format!("a_C07_s1_w11{}.TIF", GUID.replace("E94C24BD", "12345678")), ("C07", Some(1), Some("11"))),
        (
            format!("a_C07_s1_w1{}.tif", GUID.to_lowercase().replace("e94c24bd", "23456789")),
            ("C07", Some(1), Some("1")),
        ),
        ("AB12_w10.tiff".to_string(), ("AB12", None, Some("10"))),
        (format!("a_B01_x_C07_s3{GUID}.tif"), ("C07", Some(3), None)),
    ];
    for (name, (well, site, channel)) in table {
        let fields = MetaMorph.read_name(&name).expect("valid").expect("fits");
        assert_eq!(fields.well.map(|well| well.to_string()).as_deref(), Some(well), "{name}");
        assert_eq!((fields.site, fields.channel.as_deref()), (site, channel), "{name}");
    }
}

#[test]
fn two_sites_in_a_row_and_two_channels_are_as_written_out() {
    let images: Vec<_> = [(1, 1), (1, 2), (12, 1), (12, 2)]
        .iter()
        .map(|(site, wave)| image(&format!("set_C07_s{site}_w{wave}{GUID}.tif")))
        .collect();
    let plan = plan(&images, &layout(2, 1));
    assert_eq!((channels(&plan), plan.grid), (vec!["1", "2"], GridSource::Layout));
    let places: Vec<_> = plan
        .planes
        .iter()
        .map(|plane| {
            let site = plan.wells[plane.well].sites[plane.site];
            (site.y, site.x, plane.channel, plane.sources[0].file.split('_').nth(2).expect("a site"))
        })
        .collect();
    assert_eq!(places, [(0, 0, 0, "s1"), (0, 0, 1, "s1"), (1, 0, 0, "s12"), (1, 0, 1, "s12")]);
    assert_eq!(plan.wells[0].name.to_string(), "C07");
    assert_eq!(plan.warnings.len(), 2, "no time point and no focal plane: {:?}", plan.warnings);
}

#[test]
fn folders_are_time_points_and_focal_planes() {
    // Linked, and under the names that copied files are stored by.
    for end in ["/", "_"] {
        let mut images = Vec::new();
        for t in [1, 2, 10] {
            for z in 1..=3 {
                images.push(image(&format!("TimePoint_{t}{end}ZStep_{z}{end}set_C07_s1_w1{GUID}.tif")));
            }
        }
        let plan = plan(&images, &options());
        assert_eq!((plan.time_points, plan.z_planes, plan.planes.len()), (3, 3, 9));
        assert!(plan.planes[8].sources[0].file.starts_with(&format!("TimePoint_10{end}ZStep_3")));
    }
    assert!(MetaMorph.is_folder("TimePoint_1") && MetaMorph.is_folder("ZStep_12"));
    assert!(
        !["ZStep_", "x", "TimePoint_1x", "..", "TimePoint_1/..", ""]
            .iter()
            .any(|name| MetaMorph.is_folder(name))
    );
}

#[test]
fn projections_beside_their_planes_are_left_out_and_others_are_the_first_plane() {
    let images = [
        image("TimePoint_1/ZStep_1/set_C07_s1_w1.tif"),
        image("TimePoint_1/ZStep_2/set_C07_s1_w1.tif"),
        image("TimePoint_1/set_C07_s1_w1.tif"),
        image("TimePoint_1/set_C07_s1_w2.tif"),
    ];
    let plan = plan(&images, &options());
    assert_eq!((plan.z_planes, plan.planes.len()), (2, 3));
    let last = &plan.planes[2];
    assert_eq!((last.channel, last.zplane), (1, 0));
    let said = "1 projections are left out beside their focal planes: TimePoint_1/set_C07_s1_w1.tif";
    assert!(plan.warnings.iter().any(|warning| warning == said), "{:?}", plan.warnings);
}

/// The properties that MetaXpress writes, of a site `column` fields to the right.
fn header(column: u32, wave: &str) -> HeaderFacts {
    let description = format!(
        "<MetaData>\n<prop id=\"ApplicationName\" type=\"string\" value=\"MetaMorph\"/>\n<PlaneInfo>\n\
         <prop id=\"spatial-calibration-state\" type=\"bool\" value=\"on\"/>\n\
         <prop id=\"spatial-calibration-x\" type=\"float\" value=\"1.3668\"/>\n\
         <prop id=\"spatial-calibration-units\" type=\"string\" value=\"um\"/>\n\
         <prop id=\"image-name\" type=\"string\" value=\"{wave}\"/>\n\
         <prop id=\"stage-position-x\" type=\"float\" value=\"{}\"/>\n\
         <prop id=\"stage-position-y\" type=\"float\" value=\"41385.4\"/>\n</PlaneInfo>\n</MetaData>\0",
        79813.4 + 40.0 * f64::from(column)
    );
    read_description("x.tif", &description).expect("readable")
}

#[test]
fn stage_positions_and_pixel_size_in_headers_make_the_grid() {
    let mut images = Vec::new();
    // Taken from the right to the left.
    for (site, column) in [(1, 2), (2, 1), (3, 0)] {
        for (wave, name) in [(1, "DAPI"), (2, "FITC")] {
            let name_of = format!("set_C07_s{site}_w{wave}.tif");
            images.push(ImageFile { header: header(column, name), ..image(&name_of) });
        }
    }
    let plan = plan(&images, &options());
    assert_eq!((plan.grid, plan.pixel_size_um), (GridSource::StagePositions, Some(1.3668)));
    assert_eq!(channels(&plan), ["1", "2"]);
    let labels: Vec<_> = plan.channels.iter().map(|channel| channel.details.label.as_deref()).collect();
    assert_eq!(labels, [Some("DAPI"), Some("FITC")]);
    let first = &plan.planes[0];
    assert_eq!((plan.wells[0].sites[first.site].x, first.sources[0].file.as_str()), (0, "set_C07_s3_w1.tif"));
}
