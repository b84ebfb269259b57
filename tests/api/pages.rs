//! Parts of long lists: `limit` and `offset`.

use serde_json::json;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    parts_of_a_list_make_up_the_whole_in_its_order,
    lists_are_in_the_order_of_bytes_whatever_the_language_of_the_database,
];

async fn parts_of_a_list_make_up_the_whole_in_its_order(database: Database) {
    let app = TestApp::start_on(database).await;
    let (experiment, acquisition) = app.acquisition().await;
    let owner = app.client(OWNER).await;
    let names = ["c.mlf", "a.mlf", "d.mlf", "b.mlf", "e.mlf"];
    owner.register(&acquisition, &names).await.data();
    for well in ["B01", "A01", "C01"] {
        let well = app
            .insert(&format!("insert into wells (plate_id, name, description) values (1, '{well}', '{{}}')"))
            .await;
        app.insert(&format!("insert into sites (well_id, y, x, height, width) values ({well}, 0, 0, 2, 2)"))
            .await;
    }
    for path in [
        "/api/experiments".to_owned(),
        format!("{experiment}/wells"),
        format!("{experiment}/sites"),
        format!("{acquisition}/metadata"),
        format!("{acquisition}/images"),
    ] {
        let whole = owner.get(&path).await.data().as_array().unwrap().clone();
        let mut parts = Vec::new();
        for offset in (0..6).step_by(2) {
            let part = owner.get(&format!("{path}?limit=2&offset={offset}")).await;
            parts.extend(part.data().as_array().unwrap().clone());
        }
        assert_eq!(parts, whole, "{path}");
        let expected = whole.iter().skip(1).cloned().collect::<Vec<_>>();
        assert_eq!(owner.get(&format!("{path}?offset=1")).await.data(), &json!(expected), "{path}");
        assert_eq!(owner.get(&format!("{path}?limit=1&offset=99")).await.data(), &json!([]), "{path}");
        owner.get(&format!("{path}?limit=0")).await.fails(400, "MalformedRequestError");
    }
    assert_eq!(
        owner.get(&format!("{acquisition}/metadata?limit=2&offset=1")).await.all("name"),
        ["a.mlf", "d.mlf"]
    );
}

async fn lists_are_in_the_order_of_bytes_whatever_the_language_of_the_database(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    for plate in ["b", "\u{e9}", "B", "a b", "a-b", "ab"] {
        let plate = owner.post(&format!("{experiment}/plates"), &json!({"name": plate})).await.id();
        for well in ["B01", "A02"] {
            let well = app
                .insert(&format!(
                    "insert into wells (plate_id, name, description) values ({plate}, '{well}', '{{}}')"
                ))
                .await;
            app.insert(&format!(
                "insert into sites (well_id, y, x, height, width) values ({well}, 0, 0, 2, 2)"
            ))
            .await;
        }
    }
    let plates = ["B", "a b", "a-b", "ab", "b", "\u{e9}"];
    let sites = owner.get(&format!("{experiment}/sites")).await;
    assert_eq!(sites.all("plate_name"), plates.map(|plate| [plate; 2]).concat());
    assert_eq!(sites.all("well_name"), [["A02", "B01"]; 6].concat());
    let wells = owner.get(&format!("{experiment}/wells")).await;
    assert_eq!(wells.all("plate_name"), [plates; 2].concat());
    let middle = owner.get(&format!("{experiment}/wells?limit=3&offset=5")).await;
    assert_eq!(middle.all("plate_name"), ["\u{e9}", "B", "a b"]);
    let all = format!("{experiment}/sites?limit={0}&offset={0}", i64::MAX);
    assert_eq!(owner.get(&all).await.data(), &json!([]));
}
