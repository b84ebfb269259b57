//! The API document: OpenAPI generated from the annotated handlers.

mod common;

use utoipa::OpenApi;
use utoipa::openapi::Server;

use self::common::Common;
use crate::resources::acquisition::handlers as acquisition;
use crate::resources::alignment::handlers as alignment;
use crate::resources::channel::handlers as channel;
use crate::resources::cycle::handlers as cycle;
use crate::resources::experiment::handlers as experiment;
use crate::resources::feature::handlers as feature;
use crate::resources::file::handlers as file;
use crate::resources::health::handlers as health;
use crate::resources::image::handlers as image;
use crate::resources::jterator::handlers as jterator;
use crate::resources::layer::handlers as layer;
use crate::resources::mapobject::handlers as mapobject;
use crate::resources::plate::handlers as plate;
use crate::resources::segmentation::handlers as segmentation;
use crate::resources::share::handlers as share;
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
        description = "High-content microscopy: plates of images in, zoomable maps out.\n\n\
            Log in with `POST /auth` and send the token with every request. Ids are text and opaque. Answers hold \
            what was asked for in `data`, changes are answered `{\"message\": \"ok\"}`, and every error has the same \
            envelope. Requests are checked in one order: token, required parameters, their types, the right on the \
            experiment, the rest. Every GET answers HEAD, too. Tiles and documents have ETags; JSON is \
            compressed for those who accept gzip.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    paths(
        health::get_health,
        health::get_metrics,
        user::log_in,
        user::get_me,
        user::change_password,
        user::revoke_tokens,
        experiment::list_workflow_types,
        experiment::list_microscope_types,
        experiment::list_acquisition_modes,
        experiment::list_experiments,
        experiment::create_experiment,
        experiment::get_experiment,
        experiment::rename_experiment,
        experiment::delete_experiment,
        share::list_shares,
        share::get_share,
        share::share_experiment,
        share::unshare_experiment,
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
        jterator::get_project,
        jterator::put_project,
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
    tags(
        (name = "server", description = "Whether the server is well, and its figures; without a token"),
        (name = "users", description = "Logging in, who one is, one's password, and ending one's sessions"),
        (name = "types", description = "What to choose from when an experiment is created"),
        (name = "experiments", description = "The plates of one study, how they were imaged and are processed"),
        (name = "shares", description = "Who may use an experiment beside its owner"),
        (name = "plates", description = "What was imaged; a plate holds wells"),
        (name = "acquisitions", description = "Runs of a microscope over a plate"),
        (name = "files", description = "Microscope files: registered by name, then uploaded or linked"),
        (name = "wells", description = "Wells of plates; a well holds sites"),
        (name = "sites", description = "Fields of view, in a grid within their well"),
        (name = "cycles", description = "Rounds of imaging, and how far each was shifted"),
        (name = "channels", description = "What the images show, and the images themselves"),
        (name = "layers", description = "Zoomable maps of channels and of objects, and their tiles"),
        (name = "objects", description = "Types of objects, and segmentations as label images"),
        (name = "features", description = "What was measured of objects: values up, down, and metadata as tables"),
        (name = "tools", description = "Data-analysis tools, their results and jobs"),
        (name = "zarr", description = "Plates and layers as OME-Zarr, for other programs"),
        (name = "workflow", description = "Processing: describe, submit, watch, kill"),
    ),
    modifiers(&Common),
    security(("token" = []), ("bearer" = []))
)]
struct Api;

/// The document of this version, for an API below `base_path`: empty, or such as `/tissuemaps`.
pub fn document(base_path: &str) -> utoipa::openapi::OpenApi {
    let mut document = Api::openapi();
    if !base_path.is_empty() {
        document.servers = Some(vec![Server::new(base_path)]);
    }
    document
}
