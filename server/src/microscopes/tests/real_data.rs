//! Real acquisitions with all their files, where they lie beside the project.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::{channel_names, layout, options, plan_with};
use crate::microscopes::cellvoyager::CellVoyager;
use crate::microscopes::metamorph::MetaMorph;
use crate::microscopes::plan::GridSource;
use crate::microscopes::{
    AcquisitionPlan, ImageFile, MetadataFile, MicroscopeType, PageSize, PlanOptions, PlateFormat,
    check_files, plan_acquisition, read_description,
};
use crate::storage::readers::{PageInfo, ReadLimits, inspect};

/// A data set beside the project, or `None` (with a note) if there is none.
fn data(set: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(set);
    if root.is_dir() {
        return Some(root);
    }
    eprintln!("SKIPPED: no shared data ({})", root.display());
    None
}

fn read(directory: &Path, page: PageSize) -> (Vec<ImageFile>, Vec<MetadataFile>) {
    let (mut images, mut metadata) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(directory).expect("readable") {
        let entry = entry.expect("readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        let kinds = CellVoyager.classify(&name);
        if kinds.image {
            images.push(ImageFile { name, pages: vec![page], ..ImageFile::default() });
        } else if kinds.metadata {
            metadata.push(MetadataFile { name, bytes: fs::read(entry.path()).expect("readable") });
        }
    }
    let names: Vec<String> = images.iter().map(|image| image.name.clone()).collect();
    check_files(&CellVoyager, &names, &metadata).expect("files and metadata fit");
    (images, metadata)
}

/// File, row and column of every first focal plane of one well and the first channel.
fn places(plan: &AcquisitionPlan, well: usize) -> BTreeSet<(String, usize, usize)> {
    let of_well = plan.planes.iter().filter(|p| (p.well, p.channel, p.zplane) == (well, 0, 0));
    of_well
        .map(|plane| {
            let site = plan.wells[well].sites[plane.site];
            let file = &plane.sources[0].file;
            let field = file.find("_T0001F").map(|at| file[at + 6..at + 10].to_string());
            (field.unwrap_or_default(), site.y, site.x)
        })
        .collect()
}

#[test]
fn cv8000_acquisition_has_3_wells_of_4_sites_with_and_without_metadata() {
    let Some(directory) = data("cellvoyager-cv8000") else { return };
    let (images, metadata) = read(&directory, PageSize { height: 2000, width: 2000, bit_depth: 16 });
    assert_eq!((images.len(), metadata.len()), (96, 3));
    let options = PlanOptions { plate_format: PlateFormat::Wells96, ..layout(2, 2) };
    let with = plan_with(&images, &metadata, &options).expect("planned");
    assert_eq!(with.title.as_deref(), Some("CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack"));
    assert_eq!((with.pixel_size_um, with.grid), (Some(0.325), GridSource::StagePositions));
    let shown = |plan: &AcquisitionPlan| -> Vec<(Option<String>, Option<String>)> {
        plan.channels.iter().map(|c| (c.details.label.clone(), c.details.color.clone())).collect()
    };
    let stain = |label: &str, color: &str| (Some(label.to_string()), Some(color.to_string()));
    assert_eq!(shown(&with), [stain("405", "002FFF"), stain("488", "00FFA1")], "as the protocol says");
    let without = plan_with(&images, &[], &options).expect("planned");
    assert_eq!(without.grid, GridSource::Layout);
    for plan in [&with, &without] {
        assert_eq!(channel_names(plan), ["1", "2"]);
        assert_eq!((plan.time_points, plan.z_planes, plan.planes.len()), (1, 4, 96));
        assert_eq!(plan.wells.len(), 3);
        assert!(plan.wells.iter().all(|well| well.sites.len() == 4));
        assert_eq!(plan.warnings, Vec::<String>::new());
    }
    assert_eq!(with.wells, without.wells);
    let mip = plan_with(&images, &metadata, &PlanOptions { mip: true, ..options }).expect("planned");
    assert_eq!((mip.z_planes, mip.planes.len()), (1, 24));
    assert!(mip.planes.iter().all(|plane| plane.sources.len() == 4));
}

#[test]
fn eight_bit_acquisition_has_6_wells_of_3_x_4_sites_in_snake_order() {
    let Some(directory) = data("cellvoyager-8bit") else { return };
    let (images, metadata) = read(&directory, PageSize { height: 512, width: 512, bit_depth: 8 });
    let plan = plan_with(&images, &metadata, &options()).expect("planned");
    let names: Vec<String> = plan.wells.iter().map(|well| well.name.to_string()).collect();
    assert_eq!(names, ["B02", "B03", "B05", "C02", "C03", "C05"]);
    assert_eq!((plan.bit_depth, plan.planes.len(), channel_names(&plan)), (8, 72, vec!["1"]));
    for well in 0..6 {
        let snake: BTreeSet<(String, usize, usize)> = (0..12)
            .map(|k| (k / 4, k % 4, k))
            .map(|(y, x, k)| (format!("F{:03}", k + 1), y, if y % 2 == 1 { 3 - x } else { x }))
            .collect();
        assert_eq!(places(&plan, well), snake);
    }
    assert_eq!(plan.warnings, Vec::<String>::new());
}

#[test]
fn imagexpress_acquisition_has_2_wells_of_2_sites_by_its_headers_and_no_thumbnail() {
    let Some(directory) = data("imagexpress") else { return };
    let mut images = Vec::new();
    for entry in fs::read_dir(&directory).expect("readable") {
        let entry = entry.expect("readable");
        let name = entry.file_name().to_string_lossy().into_owned();
        if MetaMorph.classify(&name).image {
            let info = inspect(&entry.path(), &ReadLimits::default()).expect("readable");
            let page = |page: &PageInfo| PageSize {
                height: page.height,
                width: page.width,
                bit_depth: page.bit_depth,
            };
            let header = read_description(&name, &info.description.expect("one")).expect("readable");
            images.push(ImageFile { name, pages: info.pages.iter().map(page).collect(), header });
        }
    }
    assert_eq!(images.len(), 12, "of 24 files half are thumbnails");
    let options = PlanOptions { plate_format: PlateFormat::Wells96, ..options() };
    let plan = plan_acquisition(&MetaMorph, &images, &[], &options).expect("planned");
    assert_eq!((plan.pixel_size_um, plan.grid), (Some(1.3668), GridSource::StagePositions));
    let wells: Vec<_> = plan
        .wells
        .iter()
        .map(|well| {
            (well.name.to_string(), well.sites.iter().map(|site| (site.y, site.x)).collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(wells, [("E07".to_string(), vec![(0, 0), (0, 1)]), ("E08".to_string(), vec![(0, 0), (0, 1)])]);
    let channels: Vec<_> = plan
        .channels
        .iter()
        .map(|channel| (channel.name.as_str(), channel.details.label.as_deref()))
        .collect();
    assert_eq!(channels, [("1", Some("FITC_05")), ("2", Some("FITC_05-2")), ("3", Some("FITC_05-3"))]);
    for plane in &plan.planes {
        let right = plan.wells[plane.well].sites[plane.site].x == 1;
        assert_eq!(plane.sources[0].file.contains("_s2_"), right, "site 2 is right of site 1");
    }
}
