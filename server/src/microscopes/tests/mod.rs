//! Tests of the microscopes: names, metadata, grids and whole plans of made-up and real acquisitions.

mod builder_files;
mod demands;
mod demo_plate;
mod files;
mod grids;
mod metamorph;
mod naming;
mod ome;
mod outcomes;
mod plans;
mod real_data;
mod visiview;
mod xml_limits;

/// The builder of made-up plates, shared with the tests of the workspace.
#[allow(dead_code)]
#[path = "../../../../tests/support/cellvoyager.rs"]
mod builder;

use std::collections::BTreeMap;

use super::cellvoyager::CellVoyager;
use super::{
    AcquisitionPlan, ImageFile, MetadataFile, PageSize, PlanError, PlanOptions, PlateFormat, plan_acquisition,
};
use builder::{PlaneId, PlateFiles};

const PAGE: PageSize = PageSize { height: 24, width: 32, bit_depth: 16 };

fn image(name: &str) -> ImageFile {
    ImageFile { name: name.to_string(), pages: vec![PAGE], ..ImageFile::default() }
}

fn metadata(name: &str, text: &str) -> MetadataFile {
    MetadataFile { name: name.to_string(), bytes: text.as_bytes().to_vec() }
}

fn images_of(files: &PlateFiles) -> Vec<ImageFile> {
    files.image_names().iter().map(|name| image(name)).collect()
}

fn metadata_of(files: &PlateFiles) -> Vec<MetadataFile> {
    vec![metadata("MeasurementData.mlf", &files.mlf()), metadata("MeasurementDetail.mrf", &files.mrf())]
}

fn options() -> PlanOptions {
    PlanOptions::new(PlateFormat::Wells384)
}

fn layout(n_vertical: usize, n_horizontal: usize) -> PlanOptions {
    PlanOptions { n_vertical: Some(n_vertical), n_horizontal: Some(n_horizontal), ..options() }
}

/// The plan of a made-up plate with its metadata.
fn plan(files: &PlateFiles) -> AcquisitionPlan {
    plan_with(&images_of(files), &metadata_of(files), &options()).expect("the plate can be planned")
}

fn plan_with(
    images: &[ImageFile],
    metadata: &[MetadataFile],
    options: &PlanOptions,
) -> Result<AcquisitionPlan, PlanError> {
    plan_acquisition(&CellVoyager, images, metadata, options)
}

/// The error of a plan that must fail, as a person reads it.
fn refusal(images: &[ImageFile], metadata: &[MetadataFile], options: &PlanOptions) -> String {
    plan_with(images, metadata, options).expect_err("the plan must fail").to_string()
}

fn channel_names(plan: &AcquisitionPlan) -> Vec<&str> {
    plan.channels.iter().map(|channel| channel.name.as_str()).collect()
}

/// Fail unless the plan puts every plane of the plate where it was taken.
///
/// Rows and columns are compared as they are, so no whole row or column of a well may be a hole.
fn assert_in_place(plan: &AcquisitionPlan, files: &PlateFiles) {
    let ids: BTreeMap<String, PlaneId> =
        files.planes().into_iter().map(|id| (files.file_name(&id), id)).collect();
    let mut seen = 0;
    for plane in &plan.planes {
        let well = &plan.wells[plane.well];
        let site = well.sites[plane.site];
        for source in &plane.sources {
            let id = &ids[&source.file];
            assert_eq!(well.name.to_string(), id.well, "{}", source.file);
            assert_eq!((site.y, site.x), (id.y, id.x), "{}", source.file);
            assert_eq!(plane.tpoint + 1, usize::try_from(id.t).expect("small"), "{}", source.file);
            seen += 1;
        }
    }
    assert_eq!(seen, files.image_names().len(), "every file is used once");
}
