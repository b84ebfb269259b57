//! Every URL on one screen.

use axum::Router;
use axum::routing::{get, post};

use crate::app::{App, api_document, greeting};
use crate::resources::acquisition::handlers as acquisition;
use crate::resources::channel::handlers as channel;
use crate::resources::cycle::handlers as cycle;
use crate::resources::experiment::handlers as experiment;
use crate::resources::file::handlers as file;
use crate::resources::image::handlers as image;
use crate::resources::layer::handlers as layer;
use crate::resources::plate::handlers as plate;
use crate::resources::site::handlers as site;
use crate::resources::tile::handlers as tile;
use crate::resources::user::handlers as user;
use crate::resources::well::handlers as well;
use crate::resources::workflow::handlers as workflow;

/// All routes of the API.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/", get(greeting))
        .route("/api/openapi.json", get(api_document))
        .route("/auth", post(user::log_in))
        .route("/api/workflow_types", get(experiment::list_workflow_types))
        .route("/api/microscope_types", get(experiment::list_microscope_types))
        .route("/api/acquisition_modes", get(experiment::list_acquisition_modes))
        .route("/api/experiments", get(experiment::list_experiments).post(experiment::create_experiment))
        .route(
            "/api/experiments/{e}",
            get(experiment::get_experiment)
                .put(experiment::rename_experiment)
                .delete(experiment::delete_experiment),
        )
        .route("/api/experiments/{e}/channels/{c}/image-file", get(image::get_image_file))
        .route("/api/experiments/{e}/channels/{c}/image-files", get(image::get_image_file))
        .route("/api/experiments/{e}/channel_layers", get(layer::list_channel_layers))
        .route("/api/experiments/{e}/channel_layers/{l}/tiles", get(tile::get_channel_tile))
        .route("/api/experiments/{e}/channel_layer/{l}/tiles", get(tile::get_channel_tile))
        .route("/api/experiments/{e}/plates", get(plate::list_plates).post(plate::create_plate))
        .route(
            "/api/experiments/{e}/plates/{p}",
            get(plate::get_plate).put(plate::rename_plate).delete(plate::delete_plate),
        )
        .route(
            "/api/experiments/{e}/acquisitions",
            get(acquisition::list_acquisitions).post(acquisition::create_acquisition),
        )
        .route(
            "/api/experiments/{e}/acquisitions/{a}",
            get(acquisition::get_acquisition)
                .put(acquisition::rename_acquisition)
                .delete(acquisition::delete_acquisition),
        )
        .route("/api/experiments/{e}/acquisitions/{a}/upload/register", post(file::register_files))
        .route("/api/experiments/{e}/acquisitions/{a}/upload/validity-check", post(file::check_files))
        .route("/api/experiments/{e}/acquisitions/{a}/upload/count", get(file::count_uploaded))
        .route("/api/experiments/{e}/acquisitions/{a}/microscope-file", post(file::upload_file))
        .route("/api/experiments/{e}/acquisitions/{a}/images", get(file::list_images))
        .route("/api/experiments/{e}/acquisitions/{a}/metadata", get(file::list_metadata))
        .route("/api/experiments/{e}/wells", get(well::list_wells))
        .route("/api/experiments/{e}/wells/{w}", get(well::get_well).put(well::describe_well))
        .route("/api/experiments/{e}/sites", get(site::list_sites))
        .route("/api/experiments/{e}/sites/{s}", get(site::get_site))
        .route("/api/experiments/{e}/cycles", get(cycle::list_cycles))
        .route("/api/experiments/{e}/cycles/{y}", get(cycle::get_cycle))
        .route("/api/experiments/{e}/channels", get(channel::list_channels))
        .route("/api/experiments/{e}/channels/{c}", get(channel::get_channel).put(channel::rename_channel))
        .route(
            "/api/experiments/{e}/workflow/description",
            get(workflow::get_description).post(workflow::set_description),
        )
        .route("/api/experiments/{e}/workflow/submit", post(workflow::submit_workflow))
        .route("/api/experiments/{e}/workflow/status", get(workflow::get_status))
        .route("/api/experiments/{e}/workflow/jobs", get(workflow::list_jobs))
        .route("/api/experiments/{e}/workflow/jobs/{j}/log", get(workflow::get_job_log))
}
