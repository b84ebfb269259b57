//! The API document: OpenAPI generated from the annotated handlers.

use utoipa::openapi::Server;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::resources::acquisition::handlers as acquisition;
use crate::resources::alignment::handlers as alignment;
use crate::resources::channel::handlers as channel;
use crate::resources::cycle::handlers as cycle;
use crate::resources::experiment::handlers as experiment;
use crate::resources::feature::handlers as feature;
use crate::resources::file::handlers as file;
use crate::resources::image::handlers as image;
use crate::resources::layer::handlers as layer;
use crate::resources::mapobject::handlers as mapobject;
use crate::resources::plate::handlers as plate;
use crate::resources::segmentation::handlers as segmentation;
use crate::resources::site::handlers as site;
use crate::resources::tile::handlers as tile;
use crate::resources::tools::handlers as tools;
use crate::resources::user::handlers as user;
use crate::resources::vector_tile::handlers as vector_tile;
use crate::resources::well::handlers as well;
use crate::resources::workflow::handlers as workflow;
use crate::resources::zarr::handlers as zarr;

/// The document of all routes; one line here per handler.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "TissueMAPS",
        description = "High-content microscopy: plates of images in, zoomable maps out.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        user::log_in,
        experiment::list_workflow_types,
        experiment::list_microscope_types,
        experiment::list_acquisition_modes,
        experiment::list_experiments,
        experiment::create_experiment,
        experiment::get_experiment,
        experiment::rename_experiment,
        experiment::delete_experiment,
        plate::list_plates,
        plate::create_plate,
        plate::get_plate,
        plate::rename_plate,
        plate::delete_plate,
        acquisition::list_acquisitions,
        acquisition::create_acquisition,
        acquisition::get_acquisition,
        acquisition::rename_acquisition,
        acquisition::delete_acquisition,
        file::link_directory,
        file::register_files,
        file::check_files,
        file::count_uploaded,
        file::upload_file,
        file::list_images,
        file::list_metadata,
        well::list_wells,
        well::get_well,
        well::describe_well,
        site::list_sites,
        site::get_site,
        cycle::list_cycles,
        cycle::get_cycle,
        alignment::get_alignment,
        channel::list_channels,
        channel::get_channel,
        channel::rename_channel,
        image::get_image_file,
        layer::list_channel_layers,
        mapobject::list_segmentation_layers,
        vector_tile::get_segmentation_tile,
        vector_tile::get_labeled_tile,
        mapobject::list_mapobject_types,
        mapobject::create_mapobject_type,
        mapobject::rename_mapobject_type,
        mapobject::delete_mapobject_type,
        segmentation::download_segmentations,
        segmentation::upload_segmentations,
        mapobject::get_mapobject_info,
        tile::get_channel_tile,
        feature::list_features,
        feature::upload_values,
        feature::get_values,
        feature::get_metadata,
        feature::rename_feature,
        feature::delete_feature,
        zarr::list_zarr,
        zarr::get_zarr_key,
        workflow::get_description,
        workflow::set_description,
        workflow::submit_workflow,
        workflow::resubmit_workflow,
        workflow::kill_workflow,
        workflow::get_status,
        workflow::watch_status,
        workflow::list_jobs,
        workflow::get_job_log,
        tools::list_tools,
        tools::list_tool_results,
        tools::get_tool_result,
        tools::rename_tool_result,
        tools::delete_tool_result,
        tools::list_tool_jobs,
        tools::get_tool_job_log,
    ),
    modifiers(&Token),
    security(("token" = []))
)]
struct Api;

/// How requests are authorised.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let header = ApiKeyValue::with_description(
            "Authorization",
            "`JWT <token>` (or `Bearer <token>`) with a token from `POST /auth`",
        );
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

/// The document of this version, for an API below `base_path`: empty, or such as `/tissuemaps`.
pub fn document(base_path: &str) -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    if !base_path.is_empty() {
        document.servers = Some(vec![Server::new(base_path)]);
    }
    document
}
