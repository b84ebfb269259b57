//! How tiles, layers and channel images are served.

use reqwest::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, COOKIE, ETAG, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tm_engine::image::{BitDepth, GreyPlane, Size};
use tm_tests::made_up_map::{MadeUpMap, MapSpec};

fn spec() -> MapSpec {
    MapSpec {
        site: Size::new(200, 300),
        depth: BitDepth::Sixteen,
        displacement: (0, 0),
        spacer: 500,
        wells: vec![("plate 1", "B03", vec![(0, 0), (0, 1), (1, 0)])],
        corrected: true,
        limits: (0, 5000),
    }
}

async fn error_of(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["error"]["type"].as_str().unwrap_or_default().to_owned())
}

fn is_black(jpeg: &[u8]) -> bool {
    let image = libjpeg_turbo_rs::decompress(jpeg).unwrap();
    assert_eq!((image.width, image.height, image.data.len()), (256, 256, 256 * 256));
    image.data.iter().all(|value| *value == 0)
}

#[tokio::test(flavor = "multi_thread")]
async fn tiles_need_the_right_to_read() {
    let map = MadeUpMap::start(spec()).await;
    let path = format!("channel_layers/{}/tiles?x=0&y=0&z=0", map.layer);
    let nobody = map.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(error_of(nobody).await, (401, "NotAuthorizedError".into()));
    let stranger = map.token_of_new_user("stranger").await;
    let refused = map.request(Method::GET, &path).bearer_auth(&stranger).send().await.unwrap();
    assert_eq!(error_of(refused).await, (403, "ForbiddenError".into()));
    let cookie = format!("tmserver_token={}", map.token);
    let with_cookie = map.request(Method::GET, &path).header(COOKIE, cookie.clone()).send().await.unwrap();
    assert_eq!(with_cookie.status(), 200);
    let listed = map.request(Method::GET, "channel_layers").header(COOKIE, cookie).send().await.unwrap();
    assert_eq!(listed.status(), 401, "the cookie counts for tiles only");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_spellings_of_the_path_serve_the_same_tile() {
    let map = MadeUpMap::start(spec()).await;
    let one = map.get(&format!("channel_layers/{}/tiles?x=0&y=0&z=2", map.layer)).await;
    let other = map.get(&format!("channel_layer/{}/tiles?x=0&y=0&z=2", map.layer)).await;
    assert_eq!(one.headers()[ETAG], other.headers()[ETAG]);
    assert_eq!(one.bytes().await.unwrap(), other.bytes().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn unchanged_tiles_are_not_sent_again() {
    let map = MadeUpMap::start(spec()).await;
    map.build_pyramid().await;
    let path = format!("channel_layers/{}/tiles?x=0&y=0&z=1", map.layer);
    let first = map.get(&path).await;
    assert_eq!(first.headers()[CACHE_CONTROL], "private, no-cache");
    let etag = first.headers()[ETAG].clone();
    assert!(etag.to_str().unwrap().starts_with('"'), "a strong one");
    let again = map.request(Method::GET, &path).bearer_auth(&map.token).header(IF_NONE_MATCH, &etag);
    let again = again.send().await.unwrap();
    assert_eq!((again.status(), again.headers()[ETAG].clone()), (StatusCode::NOT_MODIFIED, etag.clone()));
    assert!(again.bytes().await.unwrap().is_empty());
    let other = map.request(Method::GET, &path).bearer_auth(&map.token).header(IF_NONE_MATCH, "\"other\"");
    assert_eq!(other.send().await.unwrap().status(), 200);
    let brighter = map.get(&format!("{path}&max=1000")).await;
    assert_ne!(brighter.headers()[ETAG], etag, "other limits, another tile");
    let stranger = map.token_of_new_user("stranger").await;
    let theirs = map.request(Method::GET, &path).bearer_auth(stranger).header(IF_NONE_MATCH, &etag);
    assert_eq!(theirs.send().await.unwrap().status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_answers_like_get_without_a_body() {
    let map = MadeUpMap::start(spec()).await;
    let path = format!("channel_layers/{}/tiles?x=0&y=0&z=2", map.layer);
    let get = map.get(&path).await;
    let head = map.request(Method::HEAD, &path).bearer_auth(&map.token).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()[ETAG], get.headers()[ETAG]);
    assert_eq!(head.headers()[CONTENT_TYPE], "image/jpeg");
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_parameters_are_named() {
    let map = MadeUpMap::start(spec()).await;
    let base = format!("channel_layers/{}/tiles", map.layer);
    for missing in ["", "?x=0&y=0", "?z=0&x=1"] {
        let response = map.get(&format!("{base}{missing}")).await;
        assert_eq!(error_of(response).await, (400, "MissingGETParameterError".into()), "{missing}");
    }
    for wrong in [
        "x=-1&y=0&z=0",
        "x=a&y=0&z=0",
        "x=0&y=0.5&z=0",
        "x=0&y=0&z=99999999999999999999999",
        "x=0&y=0&z=0&format=webp",
        "x=0&y=0&z=0&min=5&max=5",
        "x=0&y=0&z=0&min=6&max=5",
        "x=0&y=0&z=0&min=-1",
        "x=0&y=0&z=0&max=65536",
        "x=0&y=0&z=0&max=0",
        "x=0&y=0&z=0&min=5000",
        "x=0&y=0&z=0&min=red",
    ] {
        let response = map.get(&format!("{base}?{wrong}")).await;
        assert_eq!(error_of(response).await, (400, "MalformedRequestError".into()), "{wrong}");
    }
    for path in ["channel_layers/999/tiles?x=0&y=0&z=0", "channel_layers/abc/tiles?x=0&y=0&z=0"] {
        assert_eq!(error_of(map.get(path).await).await, (404, "ResourceNotFoundError".into()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_bit_layers_take_limits_up_to_255() {
    let map = MadeUpMap::start(MapSpec { depth: BitDepth::Eight, limits: (0, 255), ..spec() }).await;
    assert_eq!(map.tile(2, 0, 0, "&min=3&max=255").await.status(), 200);
    assert_eq!(map.tile(2, 0, 0, "&max=256").await.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_there_is_nothing_tiles_are_black() {
    let map = MadeUpMap::start(spec()).await;
    // Beyond the map, the levels, and every number; the missing site; a pyramid that is not built.
    let far = usize::MAX;
    for (z, y, x) in [(2, 2, 0), (2, 0, 9), (3, 0, 0), (far, 0, 0), (2, far, far), (2, 1, 2), (0, 0, 0)] {
        let response = map.tile(z, y, x, "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "image/jpeg");
        assert!(is_black(&response.bytes().await.unwrap()), "z {z} y {y} x {x}");
    }
    assert!(!is_black(&map.tile(2, 0, 0, "").await.bytes().await.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn planes_that_are_not_stored_yet_are_black_in_tiles_and_show_up_later() {
    let map = MadeUpMap::start(spec()).await;
    map.execute("update channel_images set stored = false").await;
    let before = map.tile(2, 0, 0, "").await;
    assert!(is_black(&before.bytes().await.unwrap()));
    map.execute("update channel_images set stored = true").await;
    // The first tile may be served for some seconds more; another tile is asked for anew.
    assert!(!is_black(&map.tile(2, 0, 1, "").await.bytes().await.unwrap()));
    assert!(!is_black(&map.tile(2, 0, 0, "&max=4999").await.bytes().await.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_count_missing_planes_and_can_be_built_again() {
    let map = MadeUpMap::start(spec()).await;
    map.execute("update channel_images set stored = false where site_id = 2").await;
    assert_eq!(map.build_pyramid().await.missing.len(), 1);
    map.execute("update channel_images set stored = true").await;
    assert_eq!(map.build_pyramid().await.missing.len(), 0);
    assert!(!is_black(&map.tile(0, 0, 0, "").await.bytes().await.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_of_another_experiment_is_not_found() {
    let map = MadeUpMap::start(spec()).await;
    map.execute(
        "insert into experiments (user_id, name, description, microscope_type, workflow_type, plate_format,
             plate_acquisition_mode, vertical_site_displacement, horizontal_site_displacement,
             well_spacer_size, created_at, updated_at)
         select user_id, 'other', description, microscope_type, workflow_type, plate_format,
             plate_acquisition_mode, 0, 0, 500, 0, 0
         from experiments",
    )
    .await;
    let path = format!("../{}/channel_layers/{}/tiles?x=0&y=0&z=0", map.experiment + 1, map.layer);
    assert_eq!(error_of(map.get(&path).await).await, (404, "ResourceNotFoundError".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_are_listed_with_their_size_once_the_pyramid_is_built() {
    let map = MadeUpMap::start(spec()).await;
    let layer = |max_zoom: Value, image_size: Value| {
        json!({
            "id": map.layer.to_string(), "max_zoom": max_zoom, "tpoint": 0, "zplane": 0,
            "max_intensity": 5000, "min_intensity": 0, "image_size": image_size,
        })
    };
    let listed = async |path: &str| map.get(path).await.json::<Value>().await.unwrap()["data"].clone();
    assert_eq!(listed("channel_layers").await, json!([layer(Value::Null, Value::Null)]));
    map.build_pyramid().await;
    let built = json!([layer(json!(2), json!({ "width": 600, "height": 400 }))]);
    assert_eq!(listed("channel_layers").await, built);
    assert_eq!(listed("channel_layers?channel_name=DAPI&tpoint=0&zplane=0").await, built);
    assert_eq!(listed("channels").await[0]["layers"], built);
    for other in ["channel_name=dapi", "tpoint=1", "zplane=1"] {
        assert_eq!(listed(&format!("channel_layers?{other}")).await, json!([]), "{other}");
    }
    assert_eq!(error_of(map.get("channel_layers?tpoint=x").await).await.0, 400);
}

const IMAGE: &str =
    "plate_name=plate%201&cycle_index=0&well_name=B03&well_pos_x=1&well_pos_y=0&tpoint=0&zplane=0";

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_image_is_a_png_of_the_stored_depth() {
    let map = MadeUpMap::start(spec()).await;
    for route in ["image-file", "image-files"] {
        let response = map.get(&format!("channels/{}/{route}?{IMAGE}&align=True", map.channel)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "image/png");
        assert_eq!(
            response.headers()[CONTENT_DISPOSITION],
            "attachment; filename=made_up_plate_1_B03_y000_x001_z000_t000_DAPI.png; \
             filename*=UTF-8''made%20up_plate%201_B03_y000_x001_z000_t000_DAPI.png"
        );
        let site = map.sites.iter().find(|site| (site.y, site.x) == (0, 1)).unwrap();
        let GreyPlane::U16(expected) = &site.pixels else { panic!("16 bits were made") };
        assert_eq!(png16(&response.bytes().await.unwrap()), expected.pixels());
    }
}

fn png16(bytes: &[u8]) -> Vec<u16> {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.height, info.width, info.bit_depth), (200, 300, png::BitDepth::Sixteen));
    pixels.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_image_is_corrected_when_asked_for_under_either_name() {
    let map = MadeUpMap::start(spec()).await;
    let path = format!("channels/{}/image-file?{IMAGE}", map.channel);
    let plain = png16(&map.get(&path).await.bytes().await.unwrap());
    let corrected = png16(&map.get(&format!("{path}&correct=True")).await.bytes().await.unwrap());
    assert_ne!(plain, corrected);
    let alias = png16(&map.get(&format!("{path}&illumcorr=true")).await.bytes().await.unwrap());
    assert_eq!(alias, corrected);
    let uncorrected = MadeUpMap::start(MapSpec { corrected: false, ..spec() }).await;
    let path = format!("channels/{}/image-file?{IMAGE}&correct=true", uncorrected.channel);
    assert_eq!(error_of(uncorrected.get(&path).await).await, (404, "ResourceNotFoundError".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_there_is_not_found() {
    let map = MadeUpMap::start(spec()).await;
    let path = |query: &str| format!("channels/{}/image-file?{query}", map.channel);
    for (from, to) in [
        ("plate%201", "plate"),
        ("cycle_index=0", "cycle_index=1"),
        ("B03", "B04"),
        ("pos_x=1", "pos_x=7"),
        ("tpoint=0", "tpoint=1"),
        ("zplane=0", "zplane=3"),
    ] {
        let response = map.get(&path(&IMAGE.replace(from, to))).await;
        assert_eq!(error_of(response).await, (404, "ResourceNotFoundError".into()), "{to}");
    }
    assert_eq!(error_of(map.get(&format!("channels/99/image-file?{IMAGE}")).await).await.0, 404);
    let response = map.get(&path("plate_name=a")).await;
    assert_eq!(error_of(response).await, (400, "MissingGETParameterError".into()));
    let response = map.get(&path(&IMAGE.replace("pos_y=0", "pos_y=top"))).await;
    assert_eq!(error_of(response).await, (400, "MalformedRequestError".into()));
    map.execute("update channel_images set stored = false").await;
    assert_eq!(error_of(map.get(&path(IMAGE)).await).await, (404, "ResourceNotFoundError".into()));
}
