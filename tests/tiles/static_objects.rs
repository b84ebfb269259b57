//! Plates, wells and sites as objects of vector tiles.

use serde_json::{Value, json};
use tm_tests::made_up_map::MadeUpMap;

use crate::naive;
use crate::objects::spec;

#[tokio::test(flavor = "multi_thread")]
async fn plates_wells_and_sites_are_rectangles_from_the_layout() {
    let map = MadeUpMap::start(spec()).await;
    map.build_pyramid().await;
    let listed: Value = map.get("mapobject_types").await.json().await.unwrap();
    let offsets = naive::offsets(&map);
    let rectangle = |(top, left): (usize, usize), (bottom, right): (usize, usize)| {
        let (top, left, bottom, right) = (top as i64, left as i64, bottom as i64, right as i64);
        json!([[[right, -top], [left, -top], [left, -bottom], [right, -bottom], [right, -top]]])
    };
    let around = |sites: Vec<usize>| {
        // Wells of this map begin with their first row and column of sites, or have nothing there.
        let bottom = sites.iter().map(|site| offsets[*site].0 + 110).max().unwrap();
        let right = sites.iter().map(|site| offsets[*site].1 + 140).max().unwrap();
        (bottom, right)
    };
    let own = |plate: &str, well: &str| {
        let own = |index: &usize| {
            map.sites[*index].plate == plate && (well.is_empty() || map.sites[*index].well == well)
        };
        (0..map.sites.len()).filter(own).collect::<Vec<_>>()
    };
    // Plate 2 lies two spacers below plate 1, which has two rows of wells of two sites.
    let cell = 2 * 110 + 7;
    let below = 2 * cell + 60 + 120;
    let b03 = own("plate 1", "B03");
    let d04 = own("plate 1", "D04");
    let sites = offsets.iter().map(|(y, x)| rectangle((*y, *x), (y + 110, x + 140))).collect::<Vec<_>>();
    let wells = vec![
        rectangle((0, 0), around(b03)),
        rectangle(offsets[d04[0]], around(d04)),
        rectangle((below, 0), around(own("plate 2", "A01"))),
    ];
    let plates = vec![
        rectangle((0, 0), (2 * cell + 60, 2 * (2 * 140 - 9) + 60)),
        rectangle((below, 0), (below + cell, 2 * 140 - 9)),
    ];
    for (name, expected) in [("Plates", plates), ("Sites", sites), ("Wells", wells)] {
        let kind = listed["data"].as_array().unwrap().iter().find(|kind| kind["name"] == name).unwrap();
        let layer = kind["layers"][0]["id"].as_str().unwrap();
        let path = format!("segmentation_layers/{layer}/tiles?z=0&y=0&x=0");
        let tile: Value = map.get(&path).await.json().await.unwrap();
        let features = tile["features"].as_array().unwrap();
        let mut found: Vec<_> =
            features.iter().map(|feature| feature["geometry"]["coordinates"].to_string()).collect();
        let mut wanted: Vec<_> = expected.iter().map(Value::to_string).collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted, "{name}");
        assert!(features.iter().all(|feature| feature["properties"] == json!({"type": name})));
        let info = map.get(&format!("mapobjects/{}/info", features[0]["id"])).await;
        assert_eq!(info.json::<Value>().await.unwrap()["data"]["type"], name);
    }
}
