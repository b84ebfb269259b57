//! Every URL on one screen.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::routing::get;

use crate::app::{App, api_document, docs};
use crate::http::{Route, RouteTable};
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
use crate::resources::viewer::handlers as viewer;
use crate::resources::well::handlers as well;
use crate::resources::workflow::handlers as workflow;
use crate::resources::zarr::handlers as zarr;

/// Largest body of a login, and of a change of password: anybody may send one.
const LOGIN_BYTES: usize = 16 << 10;

/// Every method and path of the API, one line each.
fn table() -> RouteTable {
    RouteTable::default()
        .get("/", viewer::get_page)
        .get("/viewer/{file}", viewer::get_file)
        .get("/healthz", health::get_health)
        .get("/metrics", health::get_metrics)
        .get("/api/openapi.json", api_document)
        .get("/api/docs", docs)
        .post("/auth", user::log_in.layer(DefaultBodyLimit::max(LOGIN_BYTES)))
        .get("/api/users/me", user::get_me)
        .put("/api/users/me/password", user::change_password.layer(DefaultBodyLimit::max(LOGIN_BYTES)))
        .delete("/api/tokens", user::revoke_tokens)
        .get("/api/workflow_types", experiment::list_workflow_types)
        .get("/api/microscope_types", experiment::list_microscope_types)
        .get("/api/acquisition_modes", experiment::list_acquisition_modes)
        .get("/api/experiments", experiment::list_experiments)
        .post("/api/experiments", experiment::create_experiment)
        .get("/api/experiments/{e}", experiment::get_experiment)
        .put("/api/experiments/{e}", experiment::rename_experiment)
        .delete("/api/experiments/{e}", experiment::delete_experiment)
        .get("/api/experiments/{e}/shares", share::list_shares)
        .get("/api/experiments/{e}/shares/{user}", share::get_share)
        .put("/api/experiments/{e}/shares/{user}", share::share_experiment)
        .delete("/api/experiments/{e}/shares/{user}", share::unshare_experiment)
        .get("/api/experiments/{e}/plates", plate::list_plates)
        .post("/api/experiments/{e}/plates", plate::create_plate)
        .get("/api/experiments/{e}/plates/{p}", plate::get_plate)
        .put("/api/experiments/{e}/plates/{p}", plate::rename_plate)
        .delete("/api/experiments/{e}/plates/{p}", plate::delete_plate)
        .get("/api/experiments/{e}/acquisitions", acquisition::list_acquisitions)
        .post("/api/experiments/{e}/acquisitions", acquisition::create_acquisition)
        .get("/api/experiments/{e}/acquisitions/{a}", acquisition::get_acquisition)
        .put("/api/experiments/{e}/acquisitions/{a}", acquisition::rename_acquisition)
        .delete("/api/experiments/{e}/acquisitions/{a}", acquisition::delete_acquisition)
        .post("/api/experiments/{e}/acquisitions/{a}/register", file::link_directory)
        .post("/api/experiments/{e}/acquisitions/{a}/upload/register", file::register_files)
        .post("/api/experiments/{e}/acquisitions/{a}/upload/validity-check", file::check_files)
        .get("/api/experiments/{e}/acquisitions/{a}/upload/count", file::count_uploaded)
        .post("/api/experiments/{e}/acquisitions/{a}/microscope-file", file::upload_file)
        .get("/api/experiments/{e}/acquisitions/{a}/images", file::list_images)
        .get("/api/experiments/{e}/acquisitions/{a}/metadata", file::list_metadata)
        .get("/api/experiments/{e}/wells", well::list_wells)
        .get("/api/experiments/{e}/wells/{w}", well::get_well)
        .put("/api/experiments/{e}/wells/{w}", well::describe_well)
        .get("/api/experiments/{e}/sites", site::list_sites)
        .get("/api/experiments/{e}/sites/{s}", site::get_site)
        .get("/api/experiments/{e}/cycles", cycle::list_cycles)
        .get("/api/experiments/{e}/cycles/{y}", cycle::get_cycle)
        .get("/api/experiments/{e}/alignment", alignment::get_alignment)
        .get("/api/experiments/{e}/channels", channel::list_channels)
        .get("/api/experiments/{e}/channels/{c}", channel::get_channel)
        .put("/api/experiments/{e}/channels/{c}", channel::rename_channel)
        .get("/api/experiments/{e}/channels/{c}/image-file", image::get_image_file)
        .get("/api/experiments/{e}/channels/{c}/image-files", image::get_image_file)
        .get("/api/experiments/{e}/channel_layers", layer::list_channel_layers)
        .get("/api/experiments/{e}/channel_layers/{l}/tiles", tile::get_channel_tile)
        .get("/api/experiments/{e}/channel_layer/{l}/tiles", tile::get_channel_tile)
        .get("/api/experiments/{e}/zarr", zarr::list_zarr)
        .get("/api/experiments/{e}/zarr/", zarr::list_zarr)
        .get("/api/experiments/{e}/zarr/{*key}", zarr::get_zarr_key)
        .get("/api/experiments/{e}/segmentation_layers", mapobject::list_segmentation_layers)
        .get("/api/experiments/{e}/mapobject_types/{t}/features", feature::list_features)
        .post("/api/experiments/{e}/mapobject_types/{t}/feature-values", feature::upload_values)
        .get("/api/experiments/{e}/mapobject_types/{t}/feature-values", feature::get_values)
        .get("/api/experiments/{e}/mapobject_types/{t}/metadata", feature::get_metadata)
        .put("/api/experiments/{e}/features/{f}", feature::rename_feature)
        .delete("/api/experiments/{e}/features/{f}", feature::delete_feature)
        .get("/api/experiments/{e}/segmentation_layers/{l}/tiles", vector_tile::get_segmentation_tile)
        .get("/api/experiments/{e}/segmentation_layers/{l}/tile", vector_tile::get_segmentation_tile)
        .get("/api/experiments/{e}/segmentation_layers/{l}/labeled_tiles", vector_tile::get_labeled_tile)
        .get("/api/experiments/{e}/mapobject_types", mapobject::list_mapobject_types)
        .post("/api/experiments/{e}/mapobject_types", mapobject::create_mapobject_type)
        .post("/api/experiments/{e}/mapobject_type", mapobject::create_mapobject_type)
        .put("/api/experiments/{e}/mapobject_types/{t}", mapobject::rename_mapobject_type)
        .delete("/api/experiments/{e}/mapobject_types/{t}", mapobject::delete_mapobject_type)
        .get("/api/experiments/{e}/mapobject_types/{t}/segmentations", segmentation::download_segmentations)
        .post("/api/experiments/{e}/mapobject_types/{t}/segmentations", segmentation::upload_segmentations)
        .get("/api/experiments/{e}/mapobjects/{m}/info", mapobject::get_mapobject_info)
        .get("/api/experiments/{e}/workflow/description", workflow::get_description)
        .post("/api/experiments/{e}/workflow/description", workflow::set_description)
        .get("/api/experiments/{e}/workflow/jtproject", jterator::get_project)
        .put("/api/experiments/{e}/workflow/jtproject", jterator::put_project)
        .post("/api/experiments/{e}/workflow/submit", workflow::submit_workflow)
        .post("/api/experiments/{e}/workflow/resubmit", workflow::resubmit_workflow)
        .post("/api/experiments/{e}/workflow/kill", workflow::kill_workflow)
        .get("/api/experiments/{e}/workflow/status", workflow::get_status)
        .get("/api/experiments/{e}/workflow/events", workflow::watch_status)
        .get("/api/experiments/{e}/workflow/jobs", workflow::list_jobs)
        .get("/api/experiments/{e}/workflow/jobs/{j}/log", workflow::get_job_log)
        .get("/api/tools", tools::list_tools)
        .get("/api/experiments/{e}/tools/results", tools::list_tool_results)
        .get("/api/experiments/{e}/tools/result", tools::list_tool_results)
        .get("/api/experiments/{e}/tools/results/{r}", tools::get_tool_result)
        .get("/api/experiments/{e}/tools/result/{r}", tools::get_tool_result)
        .put("/api/experiments/{e}/tools/results/{r}", tools::rename_tool_result)
        .put("/api/experiments/{e}/tools/result/{r}", tools::rename_tool_result)
        .delete("/api/experiments/{e}/tools/results/{r}", tools::delete_tool_result)
        .delete("/api/experiments/{e}/tools/result/{r}", tools::delete_tool_result)
        .get("/api/experiments/{e}/tools/jobs", tools::list_tool_jobs)
        .get("/api/experiments/{e}/tools/jobs/{j}/log", tools::get_tool_job_log)
}

/// The routes of the API below `base_path`: empty, or such as `/tissuemaps`.
pub fn routes(base_path: &str) -> Router<App> {
    let routes = table().into_router();
    if base_path.is_empty() {
        return routes;
    }
    // Nested, `/` is served without its slash; browsers ask for it with one.
    Router::new().nest(base_path, routes).route(&format!("{base_path}/"), get(viewer::get_page))
}

/// What is served, without the base path.
pub fn inventory() -> Vec<Route> {
    table().into_inventory()
}
