//! Label images as they are served below field images: of which types, under which names, to whom, and for how long.

use std::fs;

use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_engine::image::{BitDepth, Size};
use tm_tests::made_up_map::{MadeUpMap, MapSpec};
use tm_tests::open_data::label_planes;

use crate::objects::post;

const SITE: Size = Size::new(300, 340);
const LABELS: &str = "zarr/plates/1.ome.zarr/B/03/0/labels";
const PLANE: &str = "0/c/0/0/0/0/0";

async fn start() -> MadeUpMap {
    MadeUpMap::start(MapSpec {
        site: SITE,
        depth: BitDepth::Eight,
        displacement: (0, 0),
        spacer: 0,
        wells: vec![("plate 1", "B03", vec![(0, 0), (0, 1)])],
        corrected: false,
        limits: (0, 255),
    })
    .await
}

/// A disc with this label around a pixel, cut by the border; it reaches into all four chunks of the plane.
fn disc(label: i64) -> Vec<Vec<i64>> {
    let inside = |y: usize, x: usize| y.abs_diff(250).pow(2) + x.abs_diff(260).pow(2) < 3600;
    let value = |y, x| if inside(y, x) { label } else { 0 };
    (0..SITE.height).map(|y| (0..SITE.width).map(|x| value(y, x)).collect()).collect()
}

async fn add_type(map: &MadeUpMap, name: &str) -> String {
    post(map, "mapobject_types", &json!({ "name": name })).await["data"]["id"].as_str().unwrap().to_owned()
}

/// Upload the label image of the first site.
async fn upload(map: &MadeUpMap, kind: &str, image: &[Vec<i64>]) {
    let body = json!({
        "plate_name": "plate 1", "well_name": "B03", "well_pos_y": 0, "well_pos_x": 0, "tpoint": 0, "zplane": 0,
        "image": image,
    });
    let answer = post(map, &format!("mapobject_types/{kind}/segmentations"), &body).await;
    assert_eq!(answer, json!({"message": "ok"}));
}

async fn status(map: &MadeUpMap, key: &str) -> u16 {
    map.get(&format!("{LABELS}/{key}")).await.status().as_u16()
}

async fn document(map: &MadeUpMap, key: &str) -> Value {
    let response = map.get(&format!("{LABELS}/{key}")).await;
    assert_eq!(
        (response.status().as_u16(), &response.headers()[CONTENT_TYPE]),
        (200, &"application/json".parse().unwrap())
    );
    response.json::<Value>().await.unwrap()
}

async fn listed(map: &MadeUpMap) -> Value {
    document(map, "zarr.json").await["attributes"]["ome"]["labels"].clone()
}

/// The label image of this name.
async fn image(map: &MadeUpMap, name: &str) -> Vec<Vec<i64>> {
    let directory = TempDir::new().unwrap();
    for key in ["0/zarr.json", PLANE] {
        let response = map.get(&format!("{LABELS}/{name}/{key}")).await;
        assert_eq!(response.status(), 200, "{key}");
        let path = directory.path().join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, response.bytes().await.unwrap()).unwrap();
    }
    let mut planes = label_planes(&directory.path().join("0"));
    assert_eq!(planes.len(), 1);
    planes.remove(0).1
}

fn header(response: &Response, name: reqwest::header::HeaderName) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_types_with_outlines_in_a_field_image_are_there_under_names_that_differ() {
    let map = start().await;
    map.build_pyramid().await;
    assert_eq!(status(&map, "zarr.json").await, 404, "plates, wells and sites have no outlines");
    let types =
        [add_type(&map, "Cells/a").await, add_type(&map, "cells a").await, add_type(&map, "核").await];
    add_type(&map, "none").await;
    for (index, kind) in types.iter().enumerate() {
        upload(&map, kind, &disc(7 + index as i64)).await;
    }
    assert_eq!(listed(&map).await, json!(["Cells_a", "cells_a-2", "objects"]));
    for (index, (name, title)) in
        [("Cells_a", "Cells/a"), ("cells_a-2", "cells a"), ("objects", "核")].into_iter().enumerate()
    {
        let shown = document(&map, &format!("{name}/zarr.json")).await;
        assert_eq!(shown["attributes"]["ome"]["multiscales"][0]["name"], title);
        let array = document(&map, &format!("{name}/0/zarr.json")).await;
        assert_eq!((&array["data_type"], &array["shape"]), (&json!("uint32"), &json!([1, 1, 1, 300, 340])));
        assert!(image(&map, name).await == disc(7 + index as i64), "{name}");
    }
    for key in ["none/zarr.json", "Cells_a-2/zarr.json", "Sites/zarr.json", "none/0/zarr.json"] {
        assert_eq!(status(&map, key).await, 404, "{key}");
    }
    for key in
        ["0/c/1/0/0/0/0", "0/c/0/0/1/0/0", "0/c/0/1/0/0/0", "0/c/0/0/0/0/1", "1/zarr.json", "zarr.json/"]
    {
        assert_eq!(status(&map, &format!("Cells_a/{key}")).await, 404, "{key}");
    }
    // The other site has none, a third site is not there.
    for field in ["1", "2"] {
        for key in ["zarr.json".to_owned(), "Cells_a/zarr.json".to_owned(), format!("Cells_a/{PLANE}")] {
            let path = LABELS.replace("B/03/0", &format!("B/03/{field}"));
            assert_eq!(map.get(&format!("{path}/{key}")).await.status(), 404, "{field} {key}");
        }
    }
    // Objects of which only the position is known have no pixels.
    map.execute("update segmentations set outline = null").await;
    assert_eq!(status(&map, "zarr.json").await, 404);
    assert_eq!(status(&map, &format!("objects/{PLANE}")).await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_image_changes_with_its_segmentation_and_goes_with_it() {
    let map = start().await;
    let (cells, others) = (add_type(&map, "Cells").await, add_type(&map, "Others").await);
    upload(&map, &cells, &disc(1)).await;
    let path = format!("{LABELS}/Cells/{PLANE}");
    let etag = header(&map.get(&path).await, ETAG);
    let unchanged = async || {
        let request = map.request(Method::GET, &path).bearer_auth(&map.token).header(IF_NONE_MATCH, &etag);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(unchanged().await, 304);
    upload(&map, &others, &disc(5)).await;
    assert_eq!(unchanged().await, 304, "another type is another layer");
    upload(&map, &cells, &disc(2_000_000_000)).await;
    assert_eq!(unchanged().await, 200);
    assert!(image(&map, "Cells").await == disc(2_000_000_000));
    upload(&map, &cells, &vec![vec![0; SITE.width]; SITE.height]).await;
    assert_eq!(map.get(&path).await.status(), 404);
    assert_eq!(listed(&map).await, json!(["Others"]));
    let renamed = map.request(Method::PUT, &format!("mapobject_types/{others}")).bearer_auth(&map.token);
    assert_eq!(renamed.json(&json!({"name": "Nuclei"})).send().await.unwrap().status(), 200);
    assert_eq!(listed(&map).await, json!(["Nuclei"]));
    assert_eq!(status(&map, "Others/zarr.json").await, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn planes_of_labels_are_filled_once_and_sent_in_part() {
    let map = start().await;
    let cells = add_type(&map, "Cells").await;
    upload(&map, &cells, &disc(3)).await;
    let rendered = async || {
        let figures =
            reqwest::get(format!("http://{}/metrics", map.address())).await.unwrap().text().await.unwrap();
        let line = "tmserver_tiles_total{source=\"rendered\"} ";
        figures.lines().find_map(|found| found.strip_prefix(line)).unwrap().parse::<u64>().unwrap()
    };
    let before = rendered().await;
    let path = format!("{LABELS}/Cells/{PLANE}");
    let whole = map.get(&path).await;
    let etag = header(&whole, ETAG);
    let whole = whole.bytes().await.unwrap();
    // As readers do: the index at the end first.
    let part = map.request(Method::GET, &path).bearer_auth(&map.token).header(RANGE, "bytes=-68");
    let part = part.send().await.unwrap();
    let length = whole.len();
    assert_eq!(part.status(), 206);
    assert_eq!(header(&part, CONTENT_RANGE), format!("bytes {}-{}/{length}", length - 68, length - 1));
    assert_eq!(part.bytes().await.unwrap(), whole[length - 68..]);
    let head = map.request(Method::HEAD, &path).bearer_auth(&map.token).send().await.unwrap();
    assert_eq!((header(&head, CONTENT_LENGTH), header(&head, ETAG)), (length.to_string(), etag));
    assert_eq!(rendered().await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn label_images_need_the_right_to_read_and_their_own_experiment() {
    let map = start().await;
    let cells = add_type(&map, "Cells").await;
    upload(&map, &cells, &disc(3)).await;
    let stranger = map.token_of_new_user("stranger").await;
    map.execute(
        "insert into experiments (user_id, name, description, microscope_type, workflow_type, plate_format,
             plate_acquisition_mode, vertical_site_displacement, horizontal_site_displacement,
             well_spacer_size, created_at, updated_at)
         select user_id, 'other', description, microscope_type, workflow_type, plate_format,
             plate_acquisition_mode, 0, 0, 500, 0, 0
         from experiments",
    )
    .await;
    for key in ["zarr.json".to_owned(), "Cells/zarr.json".to_owned(), format!("Cells/{PLANE}")] {
        let path = format!("{LABELS}/{key}");
        assert_eq!(map.get(&path).await.status(), 200, "{key}");
        assert_eq!(map.request(Method::GET, &path).send().await.unwrap().status(), 401, "{key}");
        let refused = map.request(Method::GET, &path).bearer_auth(&stranger).send().await.unwrap();
        assert_eq!(refused.status(), 403, "{key}");
        let elsewhere = format!("../{}/{path}", map.experiment + 1);
        assert_eq!(map.get(&elsewhere).await.status(), 404, "{key}");
    }
}
