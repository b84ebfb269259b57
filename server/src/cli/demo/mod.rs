//! `tmserver demo`: a made-up plate, processed over the API as a client would, and served.

mod client;
mod picture;
pub mod plate;
pub mod scene;

use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use self::client::Client;
use self::plate::DemoPlate;
use super::progress::Progress;
use super::serve::interrupted;
use crate::app::App;
use crate::config::Config;
use crate::environment::DataLock;
use crate::resources::user;
use crate::resources::user::queries as users;

/// Where the demo keeps its data unless told otherwise.
pub const DATA_DIR: &str = "tmserver-demo";
/// Login name, and name of the experiment.
const NAME: &str = "demo";
/// The picture of the map, beside the data.
const PICTURE: &str = "map.png";

/// Make the plate, process it over the API, say where to look, and serve until interrupted.
pub async fn demo(config: Config) -> anyhow::Result<()> {
    let (listen, base_path) = (config.listen, config.base_path.clone());
    let lock = DataLock::take(&config)?;
    let app = App::open(config, lock.last_stop()).await?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    let url = format!("http://{}{base_path}", listener.local_addr()?);
    let password = new_password()?;
    set_up_user(&app, &password).await?;
    app.workflows.resume().await?;

    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn({
        let app = app.clone();
        async move {
            app.serve(listener, async {
                tokio::select! {
                    _ = stopped => {}
                    () = interrupted() => {}
                }
            })
            .await
        }
    });
    let data_dir = app.environment.data.root().to_owned();
    let shown = tokio::select! {
        shown = show(&url, &password, &data_dir) => shown,
        () = interrupted() => bail!("interrupted"),
    };
    match shown {
        Ok(report) => println!("{report}"),
        Err(error) => {
            // Nobody listens any more if the server stopped first.
            let _ = stop.send(());
            return Err(error);
        }
    }
    if server.await? {
        app.close(lock).await?;
    }
    Ok(())
}

/// A password that nobody knows before it is printed.
fn new_password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 9];
    getrandom::fill(&mut bytes)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

async fn set_up_user(app: &App, password: &str) -> anyhow::Result<()> {
    let known = users::find(&mut app.environment.db.read().await?, NAME).await?;
    match known {
        Some(_) => user::set_password(&app.environment, NAME, password).await?,
        None => {
            user::add(&app.environment, NAME, "demo@localhost", password).await?;
        }
    }
    Ok(())
}

/// Do everything a client would; the value is what to tell the person.
async fn show(url: &str, password: &str, data_dir: &Path) -> anyhow::Result<String> {
    let files = data_dir.join("demo-plate");
    let plate = DemoPlate::default();
    let names = {
        let progress = Progress::start("plate");
        let files = files.clone();
        let plate = plate.clone();
        let names = tokio::task::spawn_blocking(move || plate.write(&files, |_, _| {})).await??;
        progress.finish(&format!(
            "{} images in {}",
            plate_images(&names),
            data_dir.join("demo-plate").display()
        ));
        names
    };
    let client = Client::log_in(url, NAME, password).await?;
    for old in client.get(&format!("/api/experiments?name={NAME}")).await?.as_array().into_iter().flatten() {
        client.delete(&format!("/api/experiments/{}", client::id(old)?)).await?;
    }
    let experiment = client
        .post(
            "/api/experiments",
            &json!({
                "name": NAME,
                "description": "made by tmserver demo",
                "workflow_type": "canonical",
                "microscope_type": "cellvoyager",
                "plate_format": 96,
                "plate_acquisition_mode": "basic",
            }),
        )
        .await?;
    let experiment = format!("/api/experiments/{}", client::id(&experiment["data"])?);
    client.post(&format!("{experiment}/plates"), &json!({ "name": "plate01" })).await?;
    let acquisition = client
        .post(
            &format!("{experiment}/acquisitions"),
            &json!({ "plate_name": "plate01", "name": "acquisition01" }),
        )
        .await?;
    let acquisition = format!("{experiment}/acquisitions/{}", client::id(&acquisition["data"])?);
    upload(&client, &acquisition, &files, &names).await?;
    run_workflow(&client, &experiment).await?;
    let layers = client.get(&format!("{experiment}/channel_layers")).await?;
    let layers = layers.as_array().context("the list of layers is no list")?;
    let map = picture::fetch(&client, &experiment, layers).await?;
    let path = data_dir.join(PICTURE);
    map.write(&path).with_context(|| format!("cannot write {}", path.display()))?;
    report(url, password, &experiment, layers, &path)
}

fn plate_images(names: &[String]) -> usize {
    names.iter().filter(|name| name.contains("_T0001F")).count()
}

async fn upload(
    client: &Client,
    acquisition: &str,
    directory: &Path,
    names: &[String],
) -> anyhow::Result<()> {
    let mut progress = Progress::start("upload");
    let wanted = client.post(&format!("{acquisition}/upload/register"), &json!({ "files": names })).await?;
    let wanted: Vec<_> =
        wanted["data"].as_array().into_iter().flatten().filter_map(|name| name.as_str()).collect();
    for (index, name) in wanted.iter().enumerate() {
        progress.update(100.0 * index as f64 / wanted.len() as f64, "", name);
        let bytes = tokio::fs::read(directory.join(name)).await.with_context(|| (*name).to_owned())?;
        client.upload(&format!("{acquisition}/microscope-file"), name, bytes).await?;
    }
    progress.finish(&format!(
        "{} files, {} of other kinds left out",
        wanted.len(),
        names.len() - wanted.len()
    ));
    Ok(())
}

/// Run the workflow with corrected illumination and clipped intensities, and wait for its end.
///
/// Channel 1 is not corrected: in a dozen images there are pixels that no nucleus ever covered, and the
/// statistics of such pixels say nothing of nuclei. The cell bodies of channel 2 cover everything.
async fn run_workflow(client: &Client, experiment: &str) -> anyhow::Result<()> {
    let mut description = client.get(&format!("{experiment}/workflow/description")).await?;
    for (argument, value) in
        [("illumcorr", json!(true)), ("illumcorr_exceptions", json!("1")), ("clip", json!(true))]
    {
        set_argument(&mut description, "illuminati", argument, value)?;
    }
    client.post(&format!("{experiment}/workflow/submit"), &json!({ "description": description })).await?;
    let mut progress = Progress::start("workflow");
    loop {
        let status = client.get(&format!("{experiment}/workflow/status")).await?;
        let stages = status["subtasks"].as_array().into_iter().flatten();
        let step = stages
            .flat_map(|stage| stage["subtasks"].as_array().into_iter().flatten())
            .find(|step| step["state"] == "RUNNING");
        let step = step.and_then(|step| step["name"].as_str()).unwrap_or_default();
        progress.update(status["percent_done"].as_f64().unwrap_or(0.0), step, "");
        if status["done"] == true {
            if status["exitcode"] != 0 {
                bail!("the workflow failed; see the logs of its jobs");
            }
            progress.finish("done");
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Give an argument of a step a value, in a workflow description as clients see it.
///
/// # Errors
/// When the step has no such argument.
pub fn set_argument(
    description: &mut serde_json::Value,
    step: &str,
    argument: &str,
    value: serde_json::Value,
) -> anyhow::Result<()> {
    let stages = description["stages"].as_array_mut().into_iter().flatten();
    let steps = stages.flat_map(|stage| stage["steps"].as_array_mut().into_iter().flatten());
    let mut arguments = steps
        .filter(|candidate| candidate["name"] == step)
        .flat_map(|step| step["batch_args"].as_array_mut().into_iter().flatten());
    let found = arguments
        .find(|candidate| candidate["name"] == argument)
        .with_context(|| format!("the workflow has no argument {argument} of step {step}"))?;
    found["value"] = value;
    Ok(())
}

fn report(
    url: &str,
    password: &str,
    experiment: &str,
    layers: &[serde_json::Value],
    picture: &Path,
) -> anyhow::Result<String> {
    let layer = layers.first().context("the workflow made no layer")?;
    let size = &layer["image_size"];
    let zoom = layer["max_zoom"].as_i64().unwrap_or(0);
    let tile = format!("{url}{experiment}/channel_layers/{}/tiles", client::id(layer)?);
    Ok(format!(
        "
The map has {height}×{width} pixels in {levels} zoom levels and {layers} layers.
Picture of it:  {picture}
Server:         {url}  (open it in a browser to look around)
Login:          user {NAME}, password {password}

Try:
  TOKEN=$(curl -s {url}/auth -d '{{\"username\": \"{NAME}\", \"password\": \"{password}\"}}' | sed 's/.*:\"//; s/\".*//')
  curl -s -H \"Authorization: JWT $TOKEN\" {url}{experiment}/channels
  curl -s -H \"Authorization: JWT $TOKEN\" -o tile.jpg '{tile}?z={zoom}&y=1&x=1'

Serving until you press Ctrl-C.",
        height = size["height"],
        width = size["width"],
        levels = zoom + 1,
        layers = layers.len(),
        picture = picture.display(),
    ))
}
