//! How keys of Zarr stores are served: in part, under conditions, to whom, and what is not there.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, COOKIE, ETAG, HeaderName,
    IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tm_engine::image::{BitDepth, Size};
use tm_tests::made_up_map::{MadeUpMap, MapSpec};

const PLANE: &str = "zarr/plates/1.ome.zarr/B/03/0/0/c/0/0/0/0/0";

fn spec() -> MapSpec {
    MapSpec {
        site: Size::new(200, 300),
        depth: BitDepth::Sixteen,
        displacement: (0, 0),
        spacer: 500,
        wells: vec![("plate 1", "B03", vec![(0, 0), (0, 1), (1, 0)])],
        corrected: true,
        limits: (7, 5000),
    }
}

/// A map with a complete pyramid.
async fn start() -> MadeUpMap {
    let map = MadeUpMap::start(spec()).await;
    map.build_pyramid().await;
    map
}

async fn ask(map: &MadeUpMap, method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Response {
    let mut request = map.request(method, path).bearer_auth(&map.token);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    request.send().await.unwrap()
}

fn header(response: &Response, name: HeaderName) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

async fn bytes(response: Response) -> Vec<u8> {
    response.bytes().await.unwrap().to_vec()
}

async fn json_at(map: &MadeUpMap, path: &str) -> Value {
    let response = map.get(path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn plates_and_complete_layers_are_listed_with_their_urls() {
    let map = MadeUpMap::start(spec()).await;
    let base = format!("/api/experiments/{}/zarr", map.experiment);
    let plates = json!([{"id": "1", "name": "plate 1", "url": format!("{base}/plates/plate_1-1.ome.zarr")}]);
    let layer = json!({
        "id": map.layer.to_string(), "channel_name": "DAPI", "tpoint": 0, "zplane": 0,
        "url": format!("{base}/layers/DAPI_t0_z0-{}.ome.zarr", map.layer),
    });
    let before = json_at(&map, "zarr/").await;
    assert_eq!(before, json!({"data": {"plates": plates, "layers": []}}));
    let own = format!("zarr/layers/{}.ome.zarr", map.layer);
    for key in ["zarr.json", "0/zarr.json", "0/c/0/0", "1/zarr.json"] {
        assert_eq!(map.get(&format!("{own}/{key}")).await.status(), 404, "{key} of an incomplete layer");
    }
    map.build_pyramid().await;
    for path in ["zarr/", "zarr"] {
        assert_eq!(json_at(&map, path).await, json!({"data": {"plates": plates, "layers": [layer]}}));
    }
    for key in ["zarr.json", "0/zarr.json", "0/c/0/0", "1/zarr.json", "1/c/0/0"] {
        assert_eq!(map.get(&format!("{own}/{key}")).await.status(), 200, "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_that_is_asked_for_twice_is_rendered_once_and_kept() {
    let map = start().await;
    let figure = async |source: &str| {
        let figures =
            reqwest::get(format!("http://{}/metrics", map.address())).await.unwrap().text().await.unwrap();
        let line = format!("tmserver_tiles_total{{source=\"{source}\"}} ");
        figures.lines().find_map(|found| found.strip_prefix(&line)).expect(&figures).parse::<u64>().unwrap()
    };
    let figures = async || (figure("rendered").await, figure("cache").await, figure("black").await);
    let before = figures().await;
    let chunk = format!("zarr/layers/{}.ome.zarr/0/c/0/0", map.layer);
    let first = bytes(map.get(&chunk).await).await;
    assert_eq!(figures().await, (before.0 + 1, before.1, before.2));
    assert!(bytes(map.get(&chunk).await).await == first);
    assert_eq!(figures().await, (before.0 + 1, before.1 + 1, before.2));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_follow_new_names_and_describe_their_arrays() {
    let map = start().await;
    map.execute("update plates set name = 'other'").await;
    let plate = json_at(&map, "zarr/plates/any-1.ome.zarr/zarr.json").await;
    assert_eq!(plate["attributes"]["ome"]["plate"]["name"], "other");
    let layer = json_at(&map, &format!("zarr/layers/x-{}.ome.zarr/zarr.json", map.layer)).await;
    let ome = &layer["attributes"]["ome"];
    let omero = json!([{
        "label": "DAPI", "color": "FFFFFF", "active": true,
        "window": {"min": 0, "max": 65535, "start": 7, "end": 5000},
    }]);
    assert_eq!((&ome["version"], &ome["omero"]["channels"]), (&json!("0.5"), &omero));
    let datasets = ome["multiscales"][0]["datasets"].as_array().unwrap();
    assert_eq!(datasets.len(), 3);
    for (dataset, shape) in datasets.iter().zip([[400, 600], [200, 300], [100, 150]]) {
        let path =
            format!("zarr/layers/{}.ome.zarr/{}/zarr.json", map.layer, dataset["path"].as_str().unwrap());
        let array = json_at(&map, &path).await;
        assert_eq!((&array["shape"], &array["data_type"]), (&json!(shape), &json!("uint16")), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_of_files_and_of_rendered_chunks_are_cut_as_asked() {
    let map = start().await;
    let chunk = format!("zarr/layers/{}.ome.zarr/0/c/0/0", map.layer);
    for path in [PLANE, &chunk] {
        let whole = ask(&map, Method::GET, path, &[]).await;
        assert_eq!(header(&whole, ACCEPT_RANGES), "bytes");
        assert_eq!(header(&whole, CONTENT_TYPE), "application/octet-stream");
        assert_eq!(header(&whole, CACHE_CONTROL), "private, no-cache");
        let whole = bytes(whole).await;
        let length = whole.len();
        let last = length - 1;
        for (range, start, end) in [
            ("bytes=0-0".to_owned(), 0, 1),
            ("bytes=10-99".to_owned(), 10, 100),
            (format!("bytes={last}-"), last, length),
            ("bytes=-20".to_owned(), length - 20, length),
            (format!("bytes=-{}", length + 5), 0, length),
            (format!("bytes=5-{}", length + 5), 5, length),
        ] {
            let part = ask(&map, Method::GET, path, &[(RANGE, &range)]).await;
            assert_eq!(part.status(), 206, "{range}");
            assert_eq!(header(&part, CONTENT_RANGE), format!("bytes {start}-{}/{length}", end - 1));
            assert_eq!(header(&part, CONTENT_LENGTH), (end - start).to_string());
            assert_eq!(bytes(part).await, whole[start..end], "{range}");
        }
        for range in [format!("bytes={length}-"), "bytes=-0".to_owned()] {
            let refused = ask(&map, Method::GET, path, &[(RANGE, &range)]).await;
            assert_eq!(
                (refused.status().as_u16(), header(&refused, CONTENT_RANGE)),
                (416, format!("bytes */{length}"))
            );
            let body: Value = refused.json().await.unwrap();
            assert_eq!(body["error"]["type"], "RangeNotSatisfiableError");
        }
        for range in ["bytes=0-1,4-5", "bytes=9-1", "rows=0-1", "bytes=a-b"] {
            let all = ask(&map, Method::GET, path, &[(RANGE, range)]).await;
            assert_eq!(all.status(), 200, "{range}");
            assert_eq!(bytes(all).await, whole, "{range}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn head_says_how_long_a_thing_is_and_sends_nothing() {
    let map = start().await;
    let layer = format!("zarr/layers/{}.ome.zarr", map.layer);
    let keys =
        ["zarr.json", "0/zarr.json", "0/c/0/0", "1/zarr.json", "1/c/0/0"].map(|key| format!("{layer}/{key}"));
    for path in keys.iter().map(String::as_str).chain([PLANE, "zarr/plates/1.ome.zarr/B/03/zarr.json"]) {
        let get = ask(&map, Method::GET, path, &[]).await;
        let head = ask(&map, Method::HEAD, path, &[(RANGE, "bytes=0-1")]).await;
        assert_eq!(head.status(), 200, "{path}");
        for name in [ETAG, CONTENT_TYPE, CONTENT_LENGTH] {
            assert_eq!(header(&head, name.clone()), header(&get, name), "{path}");
        }
        let length = header(&head, CONTENT_LENGTH);
        assert!(bytes(head).await.is_empty());
        assert_eq!(bytes(get).await.len().to_string(), length, "{path}");
    }
    assert_eq!(ask(&map, Method::HEAD, &format!("{layer}/0/c/9/9"), &[]).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_keys_are_not_sent_again_and_parts_only_of_the_same() {
    let map = start().await;
    let first = ask(&map, Method::GET, PLANE, &[]).await;
    let (etag, modified) = (header(&first, ETAG), header(&first, LAST_MODIFIED));
    assert!(modified.ends_with(" GMT"), "{modified}");
    let long_ago = "Sun, 06 Nov 1994 08:49:37 GMT";
    let listed = format!("\"x\", {etag}");
    for (conditions, status) in [
        (vec![(IF_NONE_MATCH, etag.as_str())], 304),
        (vec![(IF_NONE_MATCH, listed.as_str())], 304),
        (vec![(IF_NONE_MATCH, "\"x\"")], 200),
        (vec![(IF_MODIFIED_SINCE, modified.as_str())], 304),
        (vec![(IF_MODIFIED_SINCE, long_ago)], 200),
        (vec![(IF_MODIFIED_SINCE, "yesterday")], 200),
        (vec![(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, modified.as_str())], 200),
        (vec![(RANGE, "bytes=0-9"), (IF_RANGE, etag.as_str())], 206),
        (vec![(RANGE, "bytes=0-9"), (IF_RANGE, modified.as_str())], 206),
        (vec![(RANGE, "bytes=0-9"), (IF_RANGE, "\"x\"")], 200),
        (vec![(RANGE, "bytes=0-9"), (IF_RANGE, long_ago)], 200),
        (vec![(RANGE, "bytes=0-9"), (IF_NONE_MATCH, etag.as_str())], 304),
    ] {
        let answer = ask(&map, Method::GET, PLANE, &conditions).await;
        assert_eq!(answer.status(), status, "{conditions:?}");
        assert_eq!(header(&answer, ETAG), etag);
        if status == 304 {
            assert!(bytes(answer).await.is_empty());
        }
    }
    // A rendered chunk has no date, but an ETag; another one is another chunk.
    let layer = format!("zarr/layers/{}.ome.zarr/0/c", map.layer);
    let tags = [format!("{layer}/0/0"), format!("{layer}/0/1")].map(|path| {
        let map = &map;
        async move { header(&ask(map, Method::GET, &path, &[]).await, ETAG) }
    });
    let [one, other] = tags;
    let (one, other) = (one.await, other.await);
    assert_ne!(one, other);
    let again = ask(&map, Method::GET, &format!("{layer}/0/0"), &[(IF_NONE_MATCH, &one)]).await;
    assert_eq!(again.status(), 304);

    // The file was written again.
    let image = tm_server::storage::images::FieldImage::open(
        &map.app.environment.data.plate_images(map.experiment, 1, 1),
        "B/03/0",
    )
    .unwrap();
    let at = tm_server::storage::images::PlaneIndex { t: 0, c: 0, z: 0 };
    image.write_plane(at, &map.sites[0].pixels).unwrap();
    let changed = ask(&map, Method::GET, PLANE, &[(IF_NONE_MATCH, &etag)]).await;
    assert_eq!(changed.status(), 200);
    assert_ne!(header(&changed, ETAG), etag);
}

#[tokio::test(flavor = "multi_thread")]
async fn open_data_need_the_right_to_read() {
    let map = start().await;
    let stranger = map.token_of_new_user("stranger").await;
    for path in ["zarr/", PLANE, "zarr/plates/1.ome.zarr/zarr.json", "zarr/nothing"] {
        assert_eq!(map.request(Method::GET, path).send().await.unwrap().status(), 401, "{path}");
        let refused = map.request(Method::GET, path).bearer_auth(&stranger).send().await.unwrap();
        assert_eq!(refused.status(), 403, "{path}");
    }
    let cookie = format!("tmserver_token={}", map.token);
    let with_cookie = map.request(Method::GET, PLANE).header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(with_cookie.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rows_do_not_name_is_not_there() {
    let map = start().await;
    let layer = format!("zarr/layers/{}.ome.zarr", map.layer);
    let directory = map.app.environment.data.plate_images(map.experiment, 1, 1);
    // A field and an older generation that lie on the disk, but belong to no row.
    let strange = directory.join("B/03/9/0");
    fs::create_dir_all(&strange).unwrap();
    fs::copy(directory.join("B/03/0/zarr.json"), strange.with_file_name("zarr.json")).unwrap();
    fs::copy(directory.join("B/03/0/0/zarr.json"), strange.join("zarr.json")).unwrap();
    for path in [
        "zarr/plates/1.ome.zarr/B/03/9/zarr.json",
        "zarr/plates/1.ome.zarr/B/03/9/0/zarr.json",
        "zarr/plates/1.ome.zarr/B/04/zarr.json",
        "zarr/plates/1.ome.zarr/labels/zarr.json",
        "zarr/plates/1.ome.zarr/B/03/0/0/c/0/0/1/0/0",
        "zarr/plates/1.ome.zarr/B/03/0/0/c/0/0/0/0/1",
        "zarr/plates/1-1.ome.zarr/B",
        "zarr/plates/2.ome.zarr/zarr.json",
        "zarr/plates/1",
        &format!("{layer}/0"),
        &format!("{layer}/3/zarr.json"),
        &format!("{layer}/0/c/2/0"),
        &format!("{layer}/0/c/1/2"),
        &format!("{layer}/0/c/4294967295/4294967295"),
        &format!("{layer}/1/c/1/0"),
        &format!("{layer}/.complete"),
        "zarr/layers/999.ome.zarr/zarr.json",
        "zarr/uploads/1.ome.zarr/zarr.json",
    ] {
        let answer = map.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"]["type"], "ResourceNotFoundError", "{path}");
    }
    // Nobody has asked for this field yet: what is known of others may be five seconds old.
    map.execute("update channel_images set stored = false where site_id = 2").await;
    let plane = |field: usize| PLANE.replace("B/03/0/0", &format!("B/03/{field}/0"));
    assert_eq!(map.get(&plane(1)).await.status(), 404, "a plane that is not stored");
    assert_eq!(map.get("zarr/plates/1.ome.zarr/B/03/1/zarr.json").await.status(), 200);
    assert_eq!(map.get(&plane(2)).await.status(), 200);
    map.execute("update plates set image_generation = 0").await;
    assert_eq!(map.get("zarr/plates/1.ome.zarr/zarr.json").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plane_that_is_gone_leaves_its_chunks_out() {
    let map = start().await;
    let directory = map.app.environment.data.plate_images(map.experiment, 1, 1);
    // The second site lies in the first chunk only with its left edge, and alone in the third.
    fs::remove_file(directory.join("B/03/1/0/c/0/0/0/0/0")).unwrap();
    assert_eq!(map.get(&PLANE.replace("B/03/0/0", "B/03/1/0")).await.status(), 404);
    let chunk = |x: usize| format!("zarr/layers/{}.ome.zarr/0/c/0/{x}", map.layer);
    assert_eq!(map.get(&chunk(0)).await.status(), 200);
    assert_eq!(map.get(&chunk(2)).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_path_leads_out_of_a_store() {
    let map = start().await;
    let root = map.app.environment.data.root().to_owned();
    fs::write(root.join("zarr.json"), "{\"secret\": true}").unwrap();
    let base = format!("/api/experiments/{}/zarr", map.experiment);
    for path in [
        "plates/../../../../zarr.json",
        "plates/1.ome.zarr/../../../../zarr.json",
        "plates/1.ome.zarr/%2e%2e/%2e%2e/%2e%2e/%2e%2e/zarr.json",
        "plates/1.ome.zarr/..%2f..%2f..%2f..%2fzarr.json",
        "plates/1.ome.zarr/..%5c..%5czarr.json",
        "plates/%2e%2e%2f%2e%2e%2f%2e%2e%2fzarr.json",
        "plates/1.ome.zarr/B/03/../../../1-1.ome.zarr/zarr.json",
        "plates/1.ome.zarr//zarr.json",
        "plates/1.ome.zarr/%00/zarr.json",
        "plates/1.ome.zarr/zarr.json%00",
        "//etc/passwd",
        "plates/1.ome.zarr//etc/passwd",
    ] {
        let mut connection = TcpStream::connect(map.address()).unwrap();
        let request = format!(
            "GET {base}/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: JWT {}\r\nConnection: close\r\n\r\n",
            map.token
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("secret"), "{path}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_or_plate_of_another_experiment_is_not_found() {
    let map = start().await;
    map.execute(
        "insert into experiments (user_id, name, description, microscope_type, workflow_type, plate_format,
             plate_acquisition_mode, vertical_site_displacement, horizontal_site_displacement,
             well_spacer_size, created_at, updated_at)
         select user_id, 'other', description, microscope_type, workflow_type, plate_format,
             plate_acquisition_mode, 0, 0, 500, 0, 0
         from experiments",
    )
    .await;
    let other = format!("../{}", map.experiment + 1);
    for key in [PLANE.to_owned(), format!("zarr/layers/{}.ome.zarr/0/c/0/0", map.layer)] {
        assert_eq!(map.get(&key).await.status(), 200);
        assert_eq!(map.get(&format!("{other}/{key}")).await.status(), 404, "{key}");
    }
    assert_eq!(json_at(&map, &format!("{other}/zarr/")).await, json!({"data": {"plates": [], "layers": []}}));
}
