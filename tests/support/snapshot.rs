//! Everything a server holds, said in names instead of ids, so that two servers can be compared.
//!
//! Three kinds of lines: every resource of the API (times, ids and attempts dropped), every array on disk
//! (decoded), every other file. Two servers hold the same when their snapshots have the same lines.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use reqwest::Method;
use serde_json::Value;
use zarrs::array::{Array, ArrayBytes};
use zarrs::filesystem::FilesystemStore;

use crate::app::Client;
use crate::objects::table;
use crate::plates::nodes;

/// Keys that differ between two runs of the same work.
const ACCIDENTS: &[&str] = &[
    "id",
    "site_id",
    "created_at",
    "updated_at",
    "time",
    "cpu_time",
    "memory",
    "attempts",
    "submission_id",
    "access_token",
    "url",
];

/// What a server holds, a line a thing: where it is, and what it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<String, String>);

impl fmt::Debug for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(place, what)| writeln!(formatter, "{place}: {what}"))
    }
}

impl Snapshot {
    /// What the server behind `client` serves to that user, and what lies below `data_dir`.
    pub async fn take(client: &Client, data_dir: &Path) -> Self {
        let mut lines = Lines::default();
        let root = data_dir.join("experiments");
        let mut directories = names_in(&root);
        for experiment in list(client, "/api/experiments").await {
            let (id, name) = (text(&experiment, "id"), text(&experiment, "name"));
            let names = serve(&mut lines, client, &experiment).await;
            files(&mut lines, &root.join(id), name, &names);
            directories.retain(|directory| directory != id);
        }
        for directory in directories {
            lines.add(format!("file experiments/{directory}"), "belongs to no experiment");
        }
        Self(lines.0)
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of lines about things of a kind: `api`, `array`, `file` and so on.
    pub fn count(&self, kind: &str) -> usize {
        self.0.keys().filter(|place| place.starts_with(kind)).count()
    }

    /// What the two do not have in common, a line a difference.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        for (place, what) in &self.0 {
            match other.0.get(place) {
                None => found.push(format!("only left:  {place}: {what}")),
                Some(there) if there != what => found.push(format!("{place}: left {what}, right {there}")),
                Some(_) => {}
            }
        }
        let only_right = other.0.iter().filter(|(place, _)| !self.0.contains_key(*place));
        found.extend(only_right.map(|(place, what)| format!("only right: {place}: {what}")));
        found
    }
}

#[derive(Default)]
struct Lines(BTreeMap<String, String>);

impl Lines {
    /// Add a line; a place that is there already gets a number, so that two of a thing are seen as two.
    fn add(&mut self, place: String, what: impl Into<String>) {
        let mut unique = place.clone();
        let mut number = 2;
        while self.0.contains_key(&unique) {
            unique = format!("{place} #{number}");
            number += 1;
        }
        self.0.insert(unique, what.into());
    }
}

/// What the ids in file names stand for.
#[derive(Default)]
struct Names {
    plates: BTreeMap<String, String>,
    acquisitions: BTreeMap<String, String>,
    channels: BTreeMap<String, String>,
    layers: BTreeMap<String, String>,
    mapobject_types: BTreeMap<String, String>,
    tasks: BTreeMap<String, String>,
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {value}"))
}

fn hash(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{} bytes, hash {:016x}", bytes.len(), hasher.finish())
}

/// A value without what differs by accident.
fn essential(value: &Value) -> Value {
    match value {
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| !ACCIDENTS.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), essential(value)))
            .collect(),
        Value::Array(items) => items.iter().map(essential).collect(),
        other => other.clone(),
    }
}

async fn list(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.data().as_array().expect("a list").clone()
}

async fn fetched(client: &Client, path: &str) -> String {
    let response = client.request(Method::GET, path).send().await.unwrap();
    let status = response.status().as_u16();
    match response.bytes().await.unwrap() {
        bytes if status == 200 => hash(&bytes),
        _ => format!("status {status}"),
    }
}

/// Lines of what the API serves of an experiment.
async fn serve(lines: &mut Lines, client: &Client, experiment: &Value) -> Names {
    let mut names = Names::default();
    let (id, name) = (text(experiment, "id"), text(experiment, "name"));
    let path = format!("/api/experiments/{id}");
    lines.add(format!("api {name}"), essential(experiment).to_string());
    for resource in ["plates", "acquisitions", "wells", "sites", "cycles", "channels", "channel_layers"] {
        let things = list(client, &format!("{path}/{resource}")).await;
        for (index, thing) in things.iter().enumerate() {
            lines.add(format!("api {name}/{resource}/{index}"), essential(thing).to_string());
        }
        for thing in &things {
            let (id, known) = (text(thing, "id").to_owned(), thing["name"].as_str().unwrap_or_default());
            match resource {
                "plates" => drop(names.plates.insert(id, known.to_owned())),
                "channels" => drop(names.channels.insert(id, known.to_owned())),
                "acquisitions" => {
                    for list_name in ["images", "metadata", "upload/count"] {
                        let path = format!("{path}/acquisitions/{id}/{list_name}");
                        let listed = essential(client.get(&path).await.data()).to_string();
                        lines.add(format!("api {name}/acquisitions/{known}/{list_name}"), listed);
                    }
                    names.acquisitions.insert(id, format!("{}/{known}", text(thing, "plate_name")));
                }
                _ => {}
            }
        }
    }
    for kind in list(client, &format!("{path}/mapobject_types")).await {
        serve_values(lines, client, &path, name, &kind).await;
        names.mapobject_types.insert(text(&kind, "id").to_owned(), text(&kind, "name").to_owned());
    }
    let shares = client.get(&format!("{path}/shares")).await;
    // The owner's to see.
    if shares.status == 200 {
        lines.add(format!("api {name}/shares"), shares.data().to_string());
    }
    let alignment = client.get(&format!("{path}/alignment")).await;
    if alignment.status == 200 {
        lines.add(format!("api {name}/alignment"), essential(alignment.data()).to_string());
    }
    let listing = client.get(&format!("{path}/zarr/")).await;
    lines.add(format!("api {name}/zarr"), essential(listing.data()).to_string());
    serve_images(lines, client, &path, name).await;
    serve_objects(lines, client, &path, name).await;
    serve_tiles(lines, client, &path, name, &mut names).await;
    let description = client.get(&format!("{path}/workflow/description")).await;
    lines.add(format!("api {name}/workflow/description"), essential(description.data()).to_string());
    let project = client.get(&format!("{path}/workflow/jtproject")).await;
    lines.add(format!("api {name}/workflow/jtproject"), project.data().to_string());
    let tree = client.get(&format!("{path}/workflow/status?depth=9")).await.data().clone();
    if !tree.is_null() {
        for (index, node) in nodes(&tree).into_iter().enumerate() {
            let mut own = node.clone();
            own.as_object_mut().expect("a node").remove("subtasks");
            lines.add(format!("api {name}/workflow/status/{index}"), essential(&own).to_string());
            names.tasks.insert(text(node, "id").to_owned(), text(node, "name").to_owned());
        }
    }
    names
}

/// Lines of the metadata and values of the objects of a type at every time point, by place and label instead of id.
async fn serve_values(lines: &mut Lines, client: &Client, path: &str, name: &str, kind: &Value) {
    let (id, known) = (text(kind, "id"), text(kind, "name"));
    let (places, _) = table(client, &format!("{path}/mapobject_types/{id}/metadata")).await;
    let (values, _) = table(client, &format!("{path}/mapobject_types/{id}/feature-values")).await;
    for (place, values) in places.iter().zip(&values) {
        lines.add(format!("values {name}/{known}/{}", place[1..].join(" ")), values[1..].join(" "));
    }
}

/// Lines of the channel images as sent: as they are, corrected, aligned.
async fn serve_images(lines: &mut Lines, client: &Client, path: &str, name: &str) {
    let (sites, layers) =
        (list(client, &format!("{path}/sites")).await, list(client, &format!("{path}/channels")).await);
    let cycles = list(client, &format!("{path}/cycles")).await;
    for channel in &layers {
        for layer in channel["layers"].as_array().expect("a list") {
            for (site, cycle) in sites.iter().flat_map(|site| cycles.iter().map(move |cycle| (site, cycle))) {
                let query = format!(
                    "plate_name={}&well_name={}&well_pos_y={}&well_pos_x={}&cycle_index={}&tpoint={}&zplane={}",
                    text(site, "plate_name"),
                    text(site, "well_name"),
                    site["y"],
                    site["x"],
                    cycle["index"],
                    layer["tpoint"],
                    layer["zplane"],
                );
                for treatment in ["", "&correct=true", "&correct=true&align=true"] {
                    let query = format!("{query}{treatment}");
                    let file = format!("{path}/channels/{}/image-file?{query}", text(channel, "id"));
                    let what = fetched(client, &file).await;
                    lines.add(format!("image {name}/{}?{query}", text(channel, "name")), what);
                }
            }
        }
    }
}

/// Lines of the types of objects, of what their layers show, and of the results of tools.
async fn serve_objects(lines: &mut Lines, client: &Client, path: &str, name: &str) {
    let sites = list(client, &format!("{path}/sites")).await;
    for kind in list(client, &format!("{path}/mapobject_types")).await {
        let (id, known) = (text(&kind, "id"), text(&kind, "name"));
        lines.add(format!("api {name}/mapobject_types/{known}"), essential(&kind).to_string());
        for layer in kind["layers"].as_array().expect("a list") {
            let plane = format!("tpoint={}&zplane={}", layer["tpoint"], layer["zplane"]);
            // Plates, wells and sites are shown at every level, so one tile has them all.
            let tile = format!("{path}/segmentation_layers/{}/tiles?z=0&y=0&x=0", text(layer, "id"));
            let shown = essential(&client.get(&tile).await.body).to_string();
            lines.add(format!("objects {name}/{known}?{plane}"), hash(shown.as_bytes()));
            for site in sites.iter().filter(|_| !layer["tpoint"].is_null()) {
                let query = format!(
                    "plate_name={}&well_name={}&well_pos_y={}&well_pos_x={}&{plane}",
                    text(site, "plate_name"),
                    text(site, "well_name"),
                    site["y"],
                    site["x"],
                );
                let labels = format!("{path}/mapobject_types/{id}/segmentations?{query}");
                lines.add(format!("labels {name}/{known}?{query}"), fetched(client, &labels).await);
            }
        }
    }
    for result in list(client, &format!("{path}/tools/results")).await {
        let place = format!("api {name}/tools/results/{}", text(&result, "name"));
        lines.add(place, essential(&result).to_string());
    }
}

/// Lines of all tiles of all layers, without loss, and of the chunks of full resolution as open data.
async fn serve_tiles(lines: &mut Lines, client: &Client, path: &str, name: &str, names: &mut Names) {
    for channel in list(client, &format!("{path}/channels")).await {
        for layer in channel["layers"].as_array().expect("a list") {
            let id = text(layer, "id");
            let known = format!("{} t{} z{}", text(&channel, "name"), layer["tpoint"], layer["zplane"]);
            let number = |value: &Value| value.as_u64().expect("a number");
            let max_zoom = number(&layer["max_zoom"]);
            let zarr = format!("{path}/zarr/layers/{id}.ome.zarr");
            let document = fetched(client, &format!("{zarr}/zarr.json")).await;
            lines.add(format!("zarr {name}/{known}"), document);
            for z in 0..=max_zoom {
                let tiles = |field: &str| {
                    let full = number(&layer["image_size"][field]);
                    (z..max_zoom).fold(full, |length, _| length.div_ceil(2)).div_ceil(256)
                };
                for (y, x) in (0..tiles("height")).flat_map(|y| (0..tiles("width")).map(move |x| (y, x))) {
                    let tile = format!("{path}/channel_layers/{id}/tiles?z={z}&y={y}&x={x}&format=png");
                    lines.add(format!("tile {name}/{known}/{z}/{y}/{x}"), fetched(client, &tile).await);
                    if z == max_zoom {
                        let chunk = format!("{zarr}/0/c/{y}/{x}");
                        lines.add(format!("zarr {name}/{known}/0/{y}/{x}"), fetched(client, &chunk).await);
                    }
                }
            }
            names.layers.insert(id.to_owned(), known);
        }
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Lines of what lies in the directory of an experiment.
fn files(lines: &mut Lines, directory: &Path, experiment: &str, names: &Names) {
    for kind in names_in(directory) {
        for entry in names_in(&directory.join(&kind)) {
            let stem = entry.split_once('.').map_or(entry.as_str(), |(stem, _)| stem);
            let owner = stem.split_once('-').map_or(stem, |(owner, _)| owner);
            let known = match kind.as_str() {
                "uploads" => names.acquisitions.get(&entry),
                "plates" => names.plates.get(owner),
                "layers" => names.layers.get(stem),
                "statistics" => names.channels.get(owner),
                "features" => names.mapobject_types.get(owner),
                "logs" => names.tasks.get(stem),
                _ => None,
            };
            let place = match known {
                Some(known) => format!("{experiment}/{kind}/{known}"),
                None => format!("{experiment}/{kind}/{entry} (of nothing)"),
            };
            let path = directory.join(&kind).join(&entry);
            match kind.as_str() {
                // How often files were merged is an accident; what they hold is served.
                "features" => drop(lines.0.insert(format!("features {place}"), "some".to_owned())),
                "logs" => lines.add(format!("log {place}{}", &entry[stem.len()..]), log(&path)),
                _ => tree(lines, &path, &place),
            }
        }
    }
}

/// The lines of a job's log without their times; numbers may be ids.
fn log(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let messages = text.lines().map(|line| line.split_once('|').map_or(line, |(_, message)| message));
    messages.map(|line| line.replace(|c: char| c.is_ascii_digit(), "#")).collect::<Vec<_>>().join("\n")
}

/// Lines of a file, or of everything below a directory: arrays decoded, other files as they are.
fn tree(lines: &mut Lines, path: &Path, place: &str) {
    if !path.is_dir() {
        let bytes = fs::read(path).unwrap();
        let what = match serde_json::from_slice::<Value>(&bytes) {
            Ok(value) if place.ends_with("zarr.json") => group(&value),
            _ => hash(&bytes),
        };
        lines.add(format!("file {place}"), what);
        return;
    }
    match array(path) {
        Some(what) => lines.add(format!("array {place}"), what),
        None => {
            for entry in names_in(path) {
                tree(lines, &path.join(&entry), &format!("{place}/{entry}"));
            }
        }
    }
}

/// The metadata of a group, without the ids of acquisitions.
fn group(value: &Value) -> String {
    fn without_ids(value: &Value) -> Value {
        match value {
            Value::Object(object) => object
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "id" | "acquisition"))
                .map(|(key, value)| (key.clone(), without_ids(value)))
                .collect(),
            Value::Array(items) => items.iter().map(without_ids).collect(),
            other => other.clone(),
        }
    }
    without_ids(value).to_string()
}

/// What an array holds, and how many files it is stored in; `None` for a directory that is no array.
fn array(path: &Path) -> Option<String> {
    let metadata: Value = serde_json::from_slice(&fs::read(path.join("zarr.json")).ok()?).ok()?;
    if metadata["node_type"] != "array" {
        return None;
    }
    let store = Arc::new(FilesystemStore::new(path).expect("a directory"));
    let array = Array::open(store, "/").unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bytes: ArrayBytes<'_> = array
        .retrieve_array_subset(&array.subset_all())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let bytes = bytes.into_fixed().expect("numbers have a fixed size");
    let mut stored = Vec::new();
    let mut left = vec![path.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap().path();
            match entry.is_dir() {
                true => left.push(entry),
                false => stored.push(entry.strip_prefix(path).unwrap().to_string_lossy().into_owned()),
            }
        }
    }
    stored.sort();
    Some(format!("{:?} {}, {}; in {}", array.shape(), metadata["data_type"], hash(&bytes), stored.join(" ")))
}
