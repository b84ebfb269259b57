//! OME-XML as a source: in files and beside them, for every microscope type.
//!
//! Defects of the original that are right now: 6 (stage positions of images), 13 (placeholders for channel names), 15
//! (planes along their own axes), 17 (plate, well and channel in OME-TIFF), 18 (pixel size, names and colours).

use super::{PAGE, image, layout, metadata, options};
use crate::microscopes::cellvoyager::CellVoyager;
use crate::microscopes::metamorph::MetaMorph;
use crate::microscopes::plan::GridSource;
use crate::microscopes::visiview::VisiView;
use crate::microscopes::{
    AcquisitionPlan, ImageFile, MicroscopeType, Provenance, check_files, plan_acquisition, read_description,
};

/// A document of one image of 2 channels, 3 focal planes and 2 time points.
fn hyperstack(order: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\">\
         <Image ID=\"Image:0\" Name=\"x\"><Pixels ID=\"Pixels:0\" DimensionOrder=\"{order}\" Type=\"uint16\" \
         SizeX=\"32\" SizeY=\"24\" SizeZ=\"3\" SizeC=\"2\" SizeT=\"2\" PhysicalSizeX=\"325\" PhysicalSizeXUnit=\"nm\">\
         <Channel ID=\"Channel:0:0\" Name=\"DAPI\" Color=\"65535\"/>\
         <Channel ID=\"Channel:0:1\" Name=\"GFP\" Color=\"16711935\"/>\
         <TiffData/></Pixels></Image></OME>"
    )
}

fn described(name: &str, pages: usize, xml: &str) -> ImageFile {
    let header = read_description(name, xml).expect("readable");
    ImageFile { name: name.to_string(), pages: vec![PAGE; pages], header }
}

fn plan(microscope: &dyn MicroscopeType, images: &[ImageFile]) -> AcquisitionPlan {
    plan_acquisition(microscope, images, &[], &options()).expect("planned")
}

/// Page of every plane in the order channel, time point, focal plane.
fn pages(plan: &AcquisitionPlan) -> Vec<usize> {
    plan.planes.iter().map(|plane| plane.sources[0].page).collect()
}

#[test]
fn pages_of_an_ome_tiff_follow_its_order_of_dimensions() {
    let table = [
        ("XYZCT", [0, 1, 2, 6, 7, 8, 3, 4, 5, 9, 10, 11]),
        ("XYCZT", [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]),
        ("XYTCZ", [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]),
        ("XYZTC", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        ("XYCTZ", [0, 4, 8, 2, 6, 10, 1, 5, 9, 3, 7, 11]),
        ("XYTZC", [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]),
    ];
    for (order, wanted) in table {
        let file = described("set_B03.ome.tif", 12, &hyperstack(order));
        let plan = plan(&VisiView, &[file]);
        assert_eq!((plan.time_points, plan.z_planes), (2, 3), "{order}");
        assert_eq!(pages(&plan), wanted, "{order}");
        assert_eq!(plan.grid, GridSource::SingleSite);
    }
}

#[test]
fn names_colours_and_pixel_size_are_kept_with_their_source() {
    let plan = plan(&VisiView, &[described("set_B03.ome.tif", 12, &hyperstack("XYZCT"))]);
    let channels: Vec<_> = plan
        .channels
        .iter()
        .map(|channel| (channel.name.as_str(), channel.details.color.as_deref()))
        .collect();
    assert_eq!(channels, [("DAPI", Some("0000FF")), ("GFP", Some("00FF00"))]);
    assert_eq!(plan.pixel_size_um, Some(0.325));
    let from =
        |field: &str| plan.provenance.iter().find(|source| source.field == field).map(|source| source.from);
    assert_eq!(
        ["well", "channel", "t", "z"].map(from),
        [Provenance::FileName, Provenance::OmeXml, Provenance::OmeXml, Provenance::OmeXml].map(Some)
    );
}

/// One plane per file; every file calls its plane the first.
fn single(channel: &str, x_um: f64) -> String {
    format!(
        "<OME><Image ID=\"Image:0\"><Pixels DimensionOrder=\"XYZCT\" SizeZ=\"1\" SizeC=\"1\" SizeT=\"1\">\
         <Channel Name=\"{channel}\"/><TiffData IFD=\"0\"/>\
         <Plane TheZ=\"0\" TheC=\"0\" TheT=\"0\" PositionX=\"{x_um}\" PositionY=\"7\"/></Pixels></Image></OME>"
    )
}

#[test]
fn names_tell_apart_what_every_file_calls_its_first_plane() {
    let mut images = Vec::new();
    for t in 1..=2 {
        for (wave, name) in [("w1a", "DAPI"), ("w2b", "GFP")] {
            for site in 1..=3 {
                let file = format!("set_{wave}_s{site}_t{t}.tif");
                // Taken from the right to the left.
                images.push(described(&file, 1, &single(name, f64::from(3 - site) * 500.0)));
            }
        }
    }
    let plan = plan(&VisiView, &images);
    assert_eq!((plan.time_points, plan.z_planes, plan.planes.len()), (2, 1, 12));
    assert_eq!(super::channel_names(&plan), ["DAPI", "GFP"]);
    assert_eq!(plan.grid, GridSource::StagePositions);
    let first = &plan.planes[0];
    assert_eq!((plan.wells[0].sites[first.site].x, first.sources[0].file.as_str()), (0, "set_w1a_s3_t1.tif"));
}

#[test]
fn placeholders_in_place_of_channel_names_do_not_make_channels() {
    for names in [["Channel0:0", "Channel1:0", "Channel2:0", "Channel3:0"], ["Camera"; 4]] {
        let files = ["set_w1DAPI_s1.tif", "set_w1DAPI_s2.tif", "set_w2GFP_s1.tif", "set_w2GFP_s2.tif"];
        let images: Vec<_> = files
            .iter()
            .zip(names)
            .map(|(file, name)| {
                described(file, 1, &single(name, if file.contains("s1") { 0.0 } else { 900.0 }))
            })
            .collect();
        let plan = plan(&VisiView, &images);
        assert_eq!(super::channel_names(&plan), ["DAPI", "GFP"]);
        let said = plan.warnings.iter().any(|warning| warning.contains("file names count: DAPI, GFP"));
        assert!(said, "{:?}", plan.warnings);
    }
}

/// A plate of two wells with two sites each, one file per site.
const PLATE: &str = "<ome:OME xmlns:ome=\"x\"><ome:Plate ID=\"Plate:0\" Rows=\"8\" Columns=\"12\">\
    <ome:Well ID=\"Well:0\" Row=\"1\" Column=\"2\"><ome:WellSample Index=\"0\"><ome:ImageRef ID=\"Image:0\"/></ome:WellSample>\
    <ome:WellSample Index=\"1\"><ome:ImageRef ID=\"Image:1\"/></ome:WellSample></ome:Well>\
    <ome:Well ID=\"Well:1\" Row=\"2\" Column=\"3\"><ome:WellSample Index=\"2\"><ome:ImageRef ID=\"Image:2\"/></ome:WellSample>\
    <ome:WellSample Index=\"3\"><ome:ImageRef ID=\"Image:3\"/></ome:WellSample></ome:Well></ome:Plate>";

fn plate() -> String {
    let image = |number: usize| {
        format!(
            "<ome:Image ID=\"Image:{number}\"><ome:Pixels DimensionOrder=\"XYZCT\" SizeZ=\"2\" SizeC=\"1\" SizeT=\"1\">\
             <ome:Channel Name=\"DAPI\"/><ome:TiffData IFD=\"0\" PlaneCount=\"2\">\
             <ome:UUID FileName=\"/data/f {number}.ome.tif\">urn:uuid:{number}</ome:UUID></ome:TiffData>\
             </ome:Pixels></ome:Image>"
        )
    };
    format!("{PLATE}{}</ome:OME>", (0..4).map(image).collect::<String>())
}

#[test]
fn companion_file_gives_wells_sites_and_planes_to_files_of_any_name_and_type() {
    let companion = [metadata("x.companion.ome", &plate())];
    let images: Vec<_> = (0..4)
        .map(|number| ImageFile { pages: vec![PAGE; 2], ..image(&format!("f_{number}.ome.tif")) })
        .collect();
    let names: Vec<String> = images.iter().map(|image| image.name.clone()).collect();
    for microscope in [&VisiView as &dyn MicroscopeType, &MetaMorph, &CellVoyager] {
        assert!(microscope.classify("x.companion.ome").metadata && microscope.classify("a.ome.xml").metadata);
        check_files(microscope, &names, &companion).expect("all there");
        let plan = plan_acquisition(microscope, &images, &companion, &layout(1, 2)).expect("planned");
        let wells: Vec<_> = plan.wells.iter().map(|well| (well.name.to_string(), well.sites.len())).collect();
        assert_eq!(wells, [("B03".to_string(), 2), ("C04".to_string(), 2)]);
        assert_eq!((plan.z_planes, plan.planes.len(), super::channel_names(&plan)), (2, 8, vec!["DAPI"]));
        let last = &plan.planes[7].sources[0];
        assert_eq!((last.file.as_str(), last.page), ("f_3.ome.tif", 1));
    }
}

#[test]
fn companion_file_and_images_that_do_not_fit_are_listed() {
    let companion = [metadata("x.ome.xml", &plate())];
    let files = |numbers: &[usize]| -> Vec<ImageFile> {
        numbers
            .iter()
            .map(|n| ImageFile { pages: vec![PAGE; 2], ..image(&format!("f_{n}.ome.tif")) })
            .collect()
    };
    let names: Vec<String> = files(&[0, 1, 3]).iter().map(|image| image.name.clone()).collect();
    let error = check_files(&VisiView, &names, &companion).expect_err("one is missing").to_string();
    assert_eq!(error, "x.ome.xml names 1 image files that were not uploaded: f_2.ome.tif");
    let more =
        [files(&[0, 1, 2, 3]), vec![ImageFile { pages: vec![PAGE; 2], ..image("E05_s1.tif") }]].concat();
    let extra = plan_acquisition(&VisiView, &more, &companion, &layout(1, 2)).expect("usable").warnings;
    assert_eq!(extra[0], "no companion file describes 1 image files: E05_s1.tif");
    let plan =
        plan_acquisition(&VisiView, &files(&[0, 1, 2, 3]), &companion, &layout(1, 2)).expect("planned");
    assert!(!plan.warnings.iter().any(|warning| warning.contains("companion")), "{:?}", plan.warnings);
    let twice = [metadata("a.ome.xml", &plate()), metadata("b.ome.xml", &plate())];
    let error = plan_acquisition(&VisiView, &files(&[0, 1, 2, 3]), &twice, &layout(1, 2)).expect_err("twice");
    assert!(error.to_string().contains("which another companion file describes too"), "{error}");
}

#[test]
fn metadata_of_the_microscope_count_before_ome_xml_and_ome_xml_before_names() {
    let files = super::builder::PlateFiles::new("x").grid(1, 1);
    let name = &files.image_names()[0];
    let xml = plate().replace("f 0.ome.tif", name).replace("SizeZ=\"2\"", "SizeZ=\"1\"");
    let header = read_description(name, &xml).expect("readable");
    let images = [ImageFile { header: header.clone(), ..image(name) }];
    assert_eq!(header.pages[0].well.map(|well| well.to_string()).as_deref(), Some("B03"));
    let elsewhere = name.replace("B03", "E05");
    let by_metadata = plan_acquisition(&CellVoyager, &images, &super::metadata_of(&files), &options());
    assert_eq!(super::channel_names(&by_metadata.expect("planned")), ["1"]);
    let renamed = [ImageFile { name: elsewhere, pages: vec![PAGE], header }];
    let plan = plan_acquisition(&CellVoyager, &renamed, &[], &options()).expect("planned");
    assert_eq!((plan.wells[0].name.to_string().as_str(), super::channel_names(&plan)), ("B03", vec!["DAPI"]));
}

#[test]
fn document_of_many_files_gives_every_file_its_own_part() {
    for (name, well) in [("f_1.ome.tif", "B03"), ("f 2.ome.tif", "C04"), ("TimePoint_1/f 3.ome.tif", "C04")] {
        let header = read_description(name, &plate()).expect("readable");
        assert_eq!(header.pages.len(), 2, "{name}");
        let wells = header.pages.iter().filter_map(|page| page.well.map(|well| well.to_string()));
        assert_eq!(wells.collect::<Vec<_>>(), [well, well], "{name}");
    }
    assert_eq!(read_description("f_9.ome.tif", &plate()).expect("readable").pages.len(), 0);
}

#[test]
fn hostile_or_broken_documents_are_refused_and_bounded() {
    let huge = "<OME><Image><Pixels SizeZ=\"4000000000\" SizeC=\"4000000000\" SizeT=\"4000000000\"><TiffData/>\
                <TiffData FirstT=\"4000000000\" IFD=\"4294967295\" PlaneCount=\"18446744073709551615\"/></Pixels></Image></OME>";
    let header = read_description("x.tif", huge).expect("bounded");
    assert!(header.pages.len() <= 4096, "{}", header.pages.len());
    let table = [
        ("<OME><Image>", "the file is cut off"),
        ("<!DOCTYPE x [<!ENTITY a \"b\">]><OME/>", "document type declaration"),
        ("<OME><Pixels DimensionOrder=\"ZYX\"/></OME>", "DimensionOrder=\"ZYX\""),
        ("<OME><Pixels SizeZ=\"-1\"/></OME>", "SizeZ=\"-1\""),
        ("<OME><Well Row=\"9999\" Column=\"0\"/></OME>", "no well has Row=\"9999\""),
        ("<NotOME><OME/></NotOME>", "wanted the root element OME"),
    ];
    for (text, problem) in table {
        let error = read_description("x.tif", text).expect_err(problem);
        assert!(error.contains(problem), "{error}");
    }
    assert_eq!(read_description("x.tif", "ImageJ=1.53").expect("no XML").pages.len(), 0);
}
