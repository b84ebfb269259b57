//! Wells, sites and cycles: rows that the workflow makes.

use serde_json::json;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;

tm_tests::on_each_database![
    wells_are_listed_by_name_with_their_grid,
    a_well_description_is_replaced_as_a_whole,
    sites_are_listed_by_plate_well_and_position,
    sites_are_found_by_the_documented_misspelling_too,
    a_position_that_is_no_number_is_malformed,
    cycles_are_listed_by_index_with_their_first_time_point,
];

/// Two plates; `b` has wells `B02` (2 rows of 3 sites), `A01` (no sites) and `AA03`, `a` has `B02`.
async fn planted(app: &TestApp) -> String {
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    for name in ["b", "a"] {
        owner.post(&format!("{experiment}/plates"), &json!({"name": name})).await.id();
    }
    app.sql(
        "insert into wells (plate_id, name, description)
         values (1, 'B02', '{}'), (1, 'A01', '{\"dose\": 1.5}'), (1, 'AA03', '{}'), (2, 'B02', '{}')",
    )
    .await;
    app.sql(
        "insert into sites (well_id, y, x, height, width)
         values (1, 1, 0, 10, 20), (1, 0, 2, 10, 20), (1, 0, 0, 10, 20), (1, 1, 2, 10, 20),
             (3, 0, 0, 10, 20), (4, 0, 0, 10, 20)",
    )
    .await;
    experiment
}

async fn wells_are_listed_by_name_with_their_grid(database: Database) {
    let app = TestApp::start_on(database).await;
    let wells = format!("{}/wells", planted(&app).await);
    let owner = app.client(OWNER).await;
    let all = owner.get(&wells).await;
    assert_eq!(all.all("name"), ["A01", "AA03", "B02", "B02"]);
    assert_eq!(all.all("plate_name"), ["b", "b", "a", "b"]);
    assert_eq!(
        all.data()[3],
        json!({
            "id": "1", "name": "B02", "description": {}, "plate_name": "b", "plate": "b", "dimensions": [2, 3],
        })
    );
    assert_eq!(owner.get(&format!("{wells}/1")).await.data(), &all.data()[3]);
    assert_eq!(owner.get(&format!("{wells}/2")).await.data()["dimensions"], json!([0, 0]));
    assert_eq!(owner.get(&format!("{wells}?plate_name=a")).await.all("id"), ["4"]);
    assert_eq!(owner.get(&format!("{wells}?name=B02")).await.all("id"), ["4", "1"]);
    assert_eq!(owner.get(&format!("{wells}?name=B02&plate_name=b")).await.all("id"), ["1"]);
    assert_eq!(owner.get(&format!("{wells}?plate_name=nope")).await.data(), &json!([]));
}

async fn a_well_description_is_replaced_as_a_whole(database: Database) {
    let app = TestApp::start_on(database).await;
    let well = format!("{}/wells/2", planted(&app).await);
    let owner = app.client(OWNER).await;
    assert_eq!(owner.get(&well).await.data()["description"], json!({"dose": 1.5}));
    let description = json!({"drug": "ü", "doses": [1, 2], "nested": {"a": null}});
    owner.put(&well, &json!({"description": description})).await.says("ok");
    assert_eq!(owner.get(&well).await.data()["description"], description);
    for wrong in [json!("text"), json!([1]), json!(1)] {
        owner.put(&well, &json!({"description": wrong})).await.fails(400, "MalformedRequestError");
    }
    owner.put(&well, &json!({"name": "x"})).await.fails(400, "MissingPUTParameterError");
    assert_eq!(owner.get(&well).await.data()["description"], description);
}

async fn sites_are_listed_by_plate_well_and_position(database: Database) {
    let app = TestApp::start_on(database).await;
    let sites = format!("{}/sites", planted(&app).await);
    let owner = app.client(OWNER).await;
    let ids = async |query: &str| owner.get(&format!("{sites}{query}")).await.all("id");
    assert_eq!(ids("").await, ["6", "5", "3", "2", "1", "4"]);
    assert_eq!(ids("?plate_name=a").await, ["6"]);
    assert_eq!(ids("?well_name=B02").await, ["6", "3", "2", "1", "4"]);
    assert_eq!(ids("?plate_name=b&well_name=B02&well_pos_y=0").await, ["3", "2"]);
    assert_eq!(ids("?plate_name=b&well_name=B02&well_pos_y=1&well_pos_x=2").await, ["4"]);
    assert_eq!(ids("?well_pos_x=7").await, Vec::<String>::new());
    assert_eq!(
        owner.get(&format!("{sites}/2")).await.data(),
        &json!({"id": "2", "y": 0, "x": 2, "height": 10, "width": 20, "well_name": "B02", "plate_name": "b"})
    );
}

async fn sites_are_found_by_the_documented_misspelling_too(database: Database) {
    let app = TestApp::start_on(database).await;
    let sites = format!("{}/sites", planted(&app).await);
    let owner = app.client(OWNER).await;
    let answer = owner.get(&format!("{sites}?well_pox_y=1&well_pox_x=0")).await;
    assert_eq!(answer.all("id"), ["1"]);
}

async fn a_position_that_is_no_number_is_malformed(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = planted(&app).await;
    let owner = app.client(OWNER).await;
    for query in ["sites?well_pos_y=a", "sites?well_pox_x=1.5", "cycles?index=x"] {
        owner.get(&format!("{experiment}/{query}")).await.fails(400, "MalformedRequestError");
    }
}

async fn cycles_are_listed_by_index_with_their_first_time_point(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = planted(&app).await;
    let owner = app.client(OWNER).await;
    app.sql("insert into cycles (experiment_id, cycle_index) values (1, 1), (1, 0)").await;
    let body = json!({"plate_name": "b", "name": "x"});
    owner.post(&format!("{experiment}/acquisitions"), &body).await.id();
    app.sql("insert into channels (experiment_id, name, wavelength, bit_depth) values (1, 'c', 'c', 16)")
        .await;
    app.sql(
        "insert into channel_images (channel_id, site_id, cycle_id, acquisition_id, tpoint, zplane, field,
             t_index, c_index, z_index, sources, stored)
         values (1, 1, 1, 1, 5, 0, '', 0, 0, 0, '[]', true), (1, 1, 1, 1, 3, 0, '', 0, 0, 0, '[]', true)",
    )
    .await;
    let cycles = format!("{experiment}/cycles");
    let (first, second) =
        (json!({"id": "2", "index": 0, "tpoint": 0}), json!({"id": "1", "index": 1, "tpoint": 3}));
    assert_eq!(owner.get(&cycles).await.data(), &json!([first, second]));
    assert_eq!(owner.get(&format!("{cycles}?index=1")).await.data(), &json!([second]));
    assert_eq!(owner.get(&format!("{cycles}?plate_name=a")).await.data(), &json!([first, second]));
    assert_eq!(owner.get(&format!("{cycles}?plate_name=nope")).await.data(), &json!([]));
    assert_eq!(owner.get(&format!("{cycles}/1")).await.data(), &second);
}
