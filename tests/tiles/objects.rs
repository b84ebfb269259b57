//! Vector tiles against the label images that were uploaded, by other means than the server's: no outlines, no
//! layout.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, ETAG, IF_NONE_MATCH};
use serde_json::{Value, json};
use tm_engine::image::{BitDepth, Size};
use tm_server::resources::segmentation::queries as segmentations;
use tm_server::resources::tools::{labels::Labels, queries as tools};
use tm_tests::made_up_map::{MadeUpMap, MapSpec, scramble};
use tm_tests::python;

use crate::naive;

/// Two plates, an L-shaped well, sites that overlap in x and have gaps in y.
pub fn spec() -> MapSpec {
    MapSpec {
        site: Size::new(110, 140),
        depth: BitDepth::Eight,
        displacement: (7, -9),
        spacer: 60,
        wells: vec![
            ("plate 1", "B03", vec![(0, 0), (0, 1), (1, 0)]),
            ("plate 1", "D04", vec![(0, 0)]),
            ("plate 2", "A01", vec![(1, 1)]),
        ],
        corrected: false,
        limits: (0, 255),
    }
}

/// A map with objects of a type `Cells`.
struct Objects {
    map: MadeUpMap,
    /// Path of their layer.
    layer: String,
    /// The label image of every site.
    images: Vec<Vec<Vec<i64>>>,
    /// Site and label by id of the object.
    known: BTreeMap<i64, (usize, i64)>,
}

/// Discs that touch, with holes, cut by cells and the border; specks that belong together; and an L whose bounding box
/// reaches, in plate 2, into a tile that the L itself does not touch.
fn cells(size: Size, site: usize) -> Vec<Vec<i64>> {
    let value = |y: usize, x: usize| {
        let (row, column) = (y / 27, x / 33);
        let (dy, dx) = ((y % 27) as i64 - 13, (x % 33) as i64 - 16);
        let radius = 8 + (scramble((site * 1000 + row * 100 + column) as u64) % 12) as i64;
        let upright = (5..41).contains(&y) && (120..123).contains(&x);
        if upright || ((38..41).contains(&y) && (120..136).contains(&x)) {
            return 1_500_000_000;
        }
        match dy * dy + dx * dx {
            distance if distance < 9 => 0,
            distance if distance < radius * radius => (row * 10 + column) as i64 + 1,
            _ if scramble((y * 999 + x) as u64).is_multiple_of(40) => 2_000_000_000,
            _ => 0,
        }
    };
    (0..size.height).map(|y| (0..size.width).map(|x| value(y, x)).collect()).collect()
}

impl Objects {
    async fn start(spec: MapSpec) -> Self {
        let size = spec.site;
        Self::start_with(spec, |site| cells(size, site)).await
    }

    async fn start_with(spec: MapSpec, image: impl Fn(usize) -> Vec<Vec<i64>>) -> Self {
        let map = MadeUpMap::start(spec).await;
        let kind: Value = post(&map, "mapobject_types", &json!({"name": "Cells"})).await;
        let id = kind["data"]["id"].as_str().unwrap().to_owned();
        let mut images = Vec::new();
        for (index, site) in map.sites.iter().enumerate() {
            let image = image(index);
            let body = json!({
                "plate_name": site.plate, "well_name": site.well, "well_pos_y": site.y, "well_pos_x": site.x,
                "tpoint": 0, "zplane": 0, "image": image,
            });
            let answer = post(&map, &format!("mapobject_types/{id}/segmentations"), &body).await;
            assert_eq!(answer, json!({"message": "ok"}));
            images.push(image);
        }
        let mut known = BTreeMap::new();
        let mut tx = map.app.environment.db.read().await.unwrap();
        for (index, site) in map.sites.iter().enumerate() {
            for (label, object) in
                segmentations::labels_of_site(&mut tx, id.parse().unwrap(), site.id).await.unwrap()
            {
                known.insert(object, (index, label));
            }
        }
        drop(tx);
        let listed: Value = map.get("segmentation_layers").await.json().await.unwrap();
        let layer = format!("segmentation_layers/{}", listed["data"][0]["id"].as_str().unwrap());
        Self { map, layer, images, known }
    }

    /// As if the pyramid step had run.
    async fn show(&self) {
        self.map
            .execute("update experiments set pyramid_height = 1, pyramid_width = 1, pyramid_depth = 1")
            .await;
    }

    async fn max_zoom(&self) -> usize {
        let environment = &self.map.app.environment;
        environment.maps.layout(environment, self.map.experiment).await.unwrap().depth() - 1
    }

    async fn tile(&self, z: usize, y: usize, x: usize, more: &str) -> Vec<Value> {
        let response = self.map.get(&format!("{}/tiles?z={z}&y={y}&x={x}{more}", self.layer)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/geo+json");
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["type"], "FeatureCollection");
        body["features"].as_array().unwrap().clone()
    }

    /// All pixels of an object, as row and column of the map.
    fn pixels(&self) -> BTreeMap<i64, Vec<(usize, usize)>> {
        let offsets = naive::offsets(&self.map);
        let mut pixels: BTreeMap<i64, Vec<(usize, usize)>> = BTreeMap::new();
        let objects: BTreeMap<_, _> = self.known.iter().map(|(object, place)| (*place, *object)).collect();
        for (site, image) in self.images.iter().enumerate() {
            for (y, row) in image.iter().enumerate() {
                for (x, label) in row.iter().enumerate().filter(|(_, label)| **label != 0) {
                    let object = objects[&(site, *label)];
                    pixels.entry(object).or_default().push((offsets[site].0 + y, offsets[site].1 + x));
                }
            }
        }
        pixels
    }

    /// Rows and columns of tiles of a level.
    async fn tiles(&self, z: usize) -> Vec<(usize, usize)> {
        let (height, width) = naive::extent(&self.map);
        let side = 256 << (self.max_zoom().await - z);
        let columns = width.div_ceil(side);
        (0..height.div_ceil(side)).flat_map(|y| (0..columns).map(move |x| (y, x))).collect()
    }
}

pub async fn post(map: &MadeUpMap, path: &str, body: &Value) -> Value {
    let request = map.request(Method::POST, path).bearer_auth(&map.token).json(body);
    request.send().await.unwrap().json().await.unwrap()
}

fn id(feature: &Value) -> i64 {
    feature["id"].as_i64().unwrap()
}

/// Corners of all rings of a geometry as whole (x, row), the first again at the end.
fn rings(geometry: &Value) -> Vec<Vec<(i64, i64)>> {
    let polygons = match geometry["type"].as_str().unwrap() {
        "Polygon" => vec![geometry["coordinates"].clone()],
        "MultiPolygon" => geometry["coordinates"].as_array().unwrap().clone(),
        other => panic!("{other} is no polygon"),
    };
    let rings = polygons.iter().flat_map(|polygon| polygon.as_array().unwrap());
    let whole = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("{value} is not whole"));
    rings
        .map(|ring| ring.as_array().unwrap().iter().map(|p| (whole(&p[0]), -whole(&p[1]))).collect())
        .collect()
}

/// The pixels whose centres are inside by the even-odd rule.
fn filled(geometry: &Value) -> Vec<(usize, usize)> {
    let mut crossings: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for ring in rings(geometry) {
        assert!(ring.len() >= 5 && ring.first() == ring.last(), "{ring:?}");
        for edge in ring.windows(2) {
            let ((x, from), (other, to)) = (edge[0], edge[1]);
            assert!(x == other || from == to, "{edge:?} is slanted");
            for row in from.min(to)..from.max(to) {
                crossings.entry(row).or_default().push(x);
            }
        }
    }
    let mut pixels = Vec::new();
    for (row, mut columns) in crossings {
        columns.sort_unstable();
        for pair in columns.chunks_exact(2) {
            pixels.extend((pair[0]..pair[1]).map(|column| (row as usize, column as usize)));
        }
    }
    pixels
}

#[tokio::test(flavor = "multi_thread")]
async fn exact_outlines_of_all_tiles_together_are_the_label_images_and_come_with_the_tiles_they_touch() {
    check_exact_outlines(&Objects::start(spec()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_that_end_where_a_tile_begins_come_with_both() {
    // Two sites to a tile, each with a frame around it.
    let positions = (0..3).flat_map(|y| (0..3).map(move |x| (y, x))).collect();
    let (site, wells) = (Size::new(128, 128), vec![("p", "A01", positions)]);
    let spec = MapSpec { site, displacement: (0, 0), wells, ..spec() };
    let framed = |site: usize| {
        let mut image = cells(Size::new(128, 128), site);
        for place in 0..128 {
            for (y, x) in [(0, place), (127, place), (place, 0), (place, 127)] {
                image[y][x] = 50;
            }
        }
        image
    };
    check_exact_outlines(&Objects::start_with(spec, framed).await).await;
}

async fn check_exact_outlines(objects: &Objects) {
    objects.show().await;
    let (max_zoom, pixels) = (objects.max_zoom().await, objects.pixels());
    let mut seen: BTreeMap<i64, Value> = BTreeMap::new();
    for (y, x) in objects.tiles(max_zoom).await {
        let features = objects.tile(max_zoom, y, x, "&tolerance=0").await;
        // Borders count: a pixel that ends where the tile begins touches it.
        let near = |value: usize, tile: usize| (value + 1 >= 256 * tile) && value <= 256 * (tile + 1);
        let touching = |(_, pixels): &(&i64, &Vec<(usize, usize)>)| {
            pixels.iter().any(|(row, column)| near(*row, y) && near(*column, x))
        };
        let expected: BTreeSet<i64> = pixels.iter().filter(touching).map(|(object, _)| *object).collect();
        let found: Vec<i64> = features.iter().map(id).collect();
        assert_eq!(found.iter().copied().collect::<BTreeSet<_>>(), expected, "tile {y}, {x}");
        assert_eq!(found.len(), expected.len(), "none comes twice");
        for feature in features {
            assert_eq!(
                (&feature["type"], &feature["properties"]),
                (&json!("Feature"), &json!({"type": "Cells"}))
            );
            let before = seen.insert(id(&feature), feature["geometry"].clone());
            assert!(before.is_none_or(|before| before == feature["geometry"]), "one shape in all tiles");
        }
    }
    let drawn: BTreeMap<i64, Vec<(usize, usize)>> =
        seen.iter().map(|(object, geometry)| (*object, filled(geometry))).collect();
    assert!(seen.values().any(|geometry| geometry["type"] == "MultiPolygon"));
    assert!(
        seen.values().any(|geometry| rings(geometry).len() > 1 && geometry["type"] == "Polygon"),
        "a hole"
    );
    assert_eq!(drawn, pixels);
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_nothing_then_points_then_outlines_as_one_zooms_in() {
    // A map so wide that all three occur.
    let wells = vec![("p", "A01", vec![(0, 0), (1, 0)]), ("p", "A02", vec![(0, 1)])];
    let objects = Objects::start(MapSpec { spacer: 20_000, wells, displacement: (0, 0), ..spec() }).await;
    assert_eq!(objects.tile(7, 0, 0, "").await, Vec::<Value>::new(), "no map yet");
    objects.show().await;
    assert_eq!(objects.max_zoom().await, 7);
    let pixels = objects.pixels();
    assert_eq!(objects.tile(0, 0, 0, "").await, Vec::<Value>::new());
    for z in [1, 2] {
        let mut found = BTreeMap::new();
        let side = (256 << (7 - z)) as f64;
        for (y, x) in objects.tiles(z).await {
            for feature in objects.tile(z, y, x, "").await {
                let point = &feature["geometry"]["coordinates"];
                let (px, py) = (point[0].as_f64().unwrap(), point[1].as_f64().unwrap());
                assert_eq!(feature["geometry"]["type"], "Point");
                assert!(px >= side * x as f64 && px <= side * (x + 1) as f64);
                assert!(-py >= side * y as f64 && -py <= side * (y + 1) as f64);
                found.insert(id(&feature), (px, py));
            }
        }
        assert_eq!(found.keys().collect::<Vec<_>>(), pixels.keys().collect::<Vec<_>>());
        for (object, (x, y)) in found {
            let mean = |pick: fn(&(usize, usize)) -> usize| {
                let sum: f64 = pixels[&object].iter().map(|pixel| pick(pixel) as f64 + 0.5).sum();
                sum / pixels[&object].len() as f64
            };
            let (row, column) = (mean(|pixel| pixel.0), mean(|pixel| pixel.1));
            assert!((x - column).abs() < 1e-6 && (y + row).abs() < 1e-6, "{object}: {x}, {y}");
        }
    }
    let mut counts = Vec::new();
    for z in [3, 5, 7] {
        let (tolerance, mut count) = (((7 - z) * (7 - z) + 1) as f64, 0);
        let tile = objects.tile(z, 0, 0, "").await;
        let given = objects.tile(z, 0, 0, &format!("&tolerance={tolerance}")).await;
        assert_eq!(tile, given);
        let exact = objects.tile(z, 0, 0, "&tolerance=0").await;
        for (simple, exact) in tile.iter().zip(&exact) {
            assert_eq!(id(simple), id(exact));
            let corners: BTreeSet<_> = rings(&exact["geometry"]).into_iter().flatten().collect();
            let kept: Vec<_> = rings(&simple["geometry"]).into_iter().flatten().collect();
            assert!(kept.iter().all(|corner| corners.contains(corner)));
            count += kept.len();
        }
        counts.push(count);
        assert!(count > 0 && count < exact.iter().flat_map(|e| rings(&e["geometry"])).flatten().count());
    }
    assert!(counts[0] < counts[2], "{counts:?}");
    for wrong in ["tolerance=-1", "tolerance=nan", "tolerance=inf", "tolerance=x", "format=svg", "format=png"]
    {
        let answer = objects.map.get(&format!("{}/tiles?z=7&y=0&x=0&{wrong}", objects.layer)).await;
        assert_eq!(answer.status(), 400, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_vector_tiles_are_not_sent_again_and_changes_show_at_once() {
    let objects = Objects::start(spec()).await;
    objects.show().await;
    let map = &objects.map;
    let z = objects.max_zoom().await;
    let path = format!("{}/tiles?z={z}&y=0&x=0", objects.layer);
    let first = map.get(&path).await;
    let etag = first.headers()[ETAG].clone();
    assert!(first.headers().contains_key(CONTENT_LENGTH));
    let first = first.bytes().await.unwrap();
    assert_eq!(map.get(&path).await.bytes().await.unwrap(), first);
    let alias = map.get(&path.replace("tiles", "tile")).await;
    assert_eq!((alias.headers()[ETAG].clone(), alias.bytes().await.unwrap()), (etag.clone(), first));
    let again = map.request(Method::GET, &path).bearer_auth(&map.token).header(IF_NONE_MATCH, &etag);
    let again = again.send().await.unwrap();
    assert_eq!((again.status().as_u16(), &again.headers()[ETAG]), (304, &etag));
    assert!(again.bytes().await.unwrap().is_empty());
    for other in ["&tolerance=0", "&clip=true", "&format=mvt"] {
        assert_ne!(map.get(&format!("{path}{other}")).await.headers()[ETAG], etag, "{other}");
    }
    // Rights: as for raster tiles.
    assert_eq!(map.request(Method::GET, &path).send().await.unwrap().status(), 401);
    let stranger = map.token_of_new_user("stranger").await;
    let theirs = map.request(Method::GET, &path).bearer_auth(stranger).header(IF_NONE_MATCH, &etag);
    assert_eq!(theirs.send().await.unwrap().status(), 403);
    let cookie = format!("tmserver_token={}", map.token);
    assert_eq!(map.request(Method::GET, &path).header(COOKIE, cookie).send().await.unwrap().status(), 200);
    assert_eq!(map.get("segmentation_layers/999/tiles?z=0&y=0&x=0").await.status(), 404);
    // Another label image, another tile; and another name of the type.
    let body = json!({
        "plate_name": "plate 1", "well_name": "B03", "well_pos_y": 0, "well_pos_x": 0, "tpoint": 0, "zplane": 0,
        "image": vec![vec![5; 140]; 110],
    });
    post(map, "mapobject_types/1/segmentations", &body).await;
    let changed = map.get(&path).await;
    assert_ne!(changed.headers()[ETAG], etag);
    let etag = changed.headers()[ETAG].clone();
    let renamed = map.request(Method::PUT, "mapobject_types/1").bearer_auth(&map.token);
    assert_eq!(renamed.json(&json!({"name": "a \"b\""})).send().await.unwrap().status(), 200);
    let changed = map.get(&path).await;
    assert_ne!(changed.headers()[ETAG], etag);
    let body: Value = changed.json().await.unwrap();
    assert_eq!(body["features"][0]["properties"], json!({"type": "a \"b\""}));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_nothing_collections_are_empty() {
    let objects = Objects::start(spec()).await;
    assert_eq!(objects.tile(0, 0, 0, "").await, Vec::<Value>::new(), "no map yet");
    objects.show().await;
    let z = objects.max_zoom().await;
    let far = usize::MAX;
    for (z, y, x) in
        [(z, 99, 0), (z, 0, 99), (z + 1, 0, 0), (far, 0, 0), (z, far, far), (0, 1, 0), (0, 1 << 31, 0)]
    {
        assert_eq!(objects.tile(z, y, x, "").await, Vec::<Value>::new(), "{z} {y} {x}");
    }
    let nothing = objects.map.get(&format!("{}/tiles?z={z}&y=99&x=0&format=mvt", objects.layer)).await;
    assert_eq!(nothing.headers()[CONTENT_TYPE], "application/vnd.mapbox-vector-tile");
    assert!(nothing.bytes().await.unwrap().is_empty());
    assert!(!objects.tile(z, 0, 0, "").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tile_with_very_many_objects_is_sent_piece_by_piece() {
    let single = MapSpec { site: Size::new(170, 180), wells: vec![("p", "A01", vec![(0, 0)])], ..spec() };
    let image = |_| (0..170).map(|y| (0..180).map(|x| y * 180 + x + 1).collect()).collect();
    let objects = Objects::start_with(single, image).await;
    objects.show().await;
    let path = format!("{}/tiles?z=1&y=0&x=0", objects.layer);
    for _ in 0..2 {
        let response = objects.map.get(&path).await;
        assert!(!response.headers().contains_key(CONTENT_LENGTH), "its length is not known before");
        let tile: Value = response.json().await.unwrap();
        let ids: BTreeSet<i64> = tile["features"].as_array().unwrap().iter().map(id).collect();
        assert_eq!(ids.len(), 170 * 180);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_of_a_result_come_with_the_objects_that_have_one() {
    let objects = Objects::start(spec()).await;
    objects.show().await;
    let map = &objects.map;
    map.execute(
        "insert into tool_results (mapobject_type_id, name, tool_name, type, attributes, version, created_at)
         values (1, 'clusters', 'Clustering', 'ScalarToolResult', '{}', 0, 0),
             (1, 'classes', 'Classification', 'SupervisedClassifierToolResult', '{}', 0, 0)",
    )
    .await;
    let z = objects.max_zoom().await;
    let tile = async |name: &str| {
        let path = format!("{}/labeled_tiles?z={z}&y=0&x=0&result_name={name}", objects.layer);
        let response = map.get(&path).await;
        (response.headers().get(ETAG).cloned(), response.json::<Value>().await.unwrap())
    };
    let (etag, empty) = tile("clusters").await;
    assert_eq!(empty["features"], json!([]));
    assert_eq!(tile("others").await.1["error"]["type"], "ResourceNotFoundError");
    let every_third = |object: &&i64| *object % 3 == 0;
    let mut tx = map.app.environment.db.write().await.unwrap();
    for (index, site) in map.sites.iter().enumerate() {
        let own = objects.known.iter().filter(|(_, (site, _))| *site == index).map(|(object, _)| object);
        let labels: Vec<_> = own.filter(every_third).map(|object| (*object, (*object % 4) as f64)).collect();
        for result in [1, 2] {
            tools::put_labels(&mut tx, result, site.id, 0, &Labels::new(labels.clone())).await.unwrap();
            // Labels of another time point are not this layer's.
            tools::put_labels(&mut tx, result, site.id, 1, &Labels::new(vec![])).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let plain: BTreeSet<i64> = objects.tile(z, 0, 0, "").await.iter().map(id).collect();
    for (name, suffix) in [("clusters", ""), ("classes", ".0")] {
        let (new_etag, tile) = tile(name).await;
        assert_ne!(new_etag, etag);
        let features = tile["features"].as_array().unwrap();
        let found: BTreeSet<i64> = features.iter().map(id).collect();
        assert_eq!(found, plain.iter().filter(every_third).copied().collect());
        for feature in features {
            let label = format!("{}{suffix}", id(feature) % 4);
            assert_eq!(feature["properties"], json!({ "label": label }));
            assert!(feature["geometry"]["type"].as_str().unwrap().ends_with("Polygon"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mapbox_vector_tiles_hold_the_same_objects_as_another_decoder_reads_them() {
    let Some(python) = python::interpreter() else { return };
    let objects = Objects::start(spec()).await;
    objects.show().await;
    let directory = tempfile::tempdir().unwrap();
    let max_zoom = objects.max_zoom().await;
    let mut tiles = Vec::new();
    for z in 0..=max_zoom {
        for (y, x) in objects.tiles(z).await {
            let path = format!("{}/tiles?z={z}&y={y}&x={x}", objects.layer);
            let mvt = objects.map.get(&format!("{path}&format=mvt")).await;
            assert_eq!(mvt.headers()[CONTENT_TYPE], "application/vnd.mapbox-vector-tile");
            let name = format!("{z}-{y}-{x}");
            std::fs::write(directory.path().join(format!("{name}.mvt")), mvt.bytes().await.unwrap()).unwrap();
            let side = 256 << (max_zoom - z);
            let geojson = objects.tile(z, y, x, "&clip=true").await;
            let whole = objects.tile(z, y, x, "").await;
            tiles.push(json!({
                "name": name, "left": x * side, "top": y * side, "side": side, "clipped": geojson, "whole": whole,
            }));
        }
    }
    assert!(tiles.len() > 5);
    std::fs::write(directory.path().join("tiles.json"), json!(tiles).to_string()).unwrap();
    let (succeeded, printed) = python::run(&python, "check_mvt.py", &[directory.path()]);
    assert!(succeeded, "{printed}");
    assert!(printed.starts_with("OK: "), "{printed}");
}
