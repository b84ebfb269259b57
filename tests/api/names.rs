//! Names of whatever characters: what is accepted comes back as it was sent, wherever it is shown or asked for; what is
//! refused is refused with the field's name.

use reqwest::Method;
use serde_json::{Value, json};
use tm_server::resources::user;
use tm_tests::app::{Client, OWNER, PASSWORD, TestApp};
use tm_tests::databases::Database;
use tm_tests::objects::{Objects, SiteNames, lines, table};

tm_tests::on_each_database![
    experiments_are_found_by_any_name,
    plates_and_acquisitions_are_found_by_any_name,
    channels_and_types_of_objects_are_found_by_any_name,
    features_and_places_come_back_in_tables_and_in_names_of_files,
    results_of_tools_have_names_that_need_no_care_in_urls,
    users_of_any_name_log_in_and_are_shared_with,
    names_that_no_list_could_show_are_refused,
];

/// No two are equal, though some look so, and some are another one's spelling in a URL.
const NAMES: &[&str] = &[
    "two words",
    "two  words",
    " spaces around ",
    "it's \"quoted\"",
    "\"",
    "a,b;c",
    "=1+1",
    "caf\u{e9}",
    "cafe\u{301}",
    "CAF\u{c9}",
    "a/b",
    "a%2Fb",
    "a%252Fb",
    "a\\b",
    "x#y?z&name=w",
    "a+b",
    "100 %",
    "..",
    "<b>&amp;</b>",
    "日本語 😀",
    "null",
    "{e}",
    "--",
];

/// What no name is.
const NO_NAMES: &[&str] = &["", "  ", "two\nlines", "a\ttab", "bell\u{7}", "\u{7f}"];

/// The list at this path without those that have another value of this parameter.
async fn filtered(client: &Client, path: &str, parameter: &str, value: &str) -> Vec<Value> {
    let request = client.request(Method::GET, path).query(&[(parameter, value)]);
    client.send(request).await.data().as_array().unwrap().clone()
}

/// Check that each name of a list finds its own thing, under the id that it was given.
async fn each_is_found(client: &Client, path: &str, ids: &[String]) {
    for (name, id) in NAMES.iter().zip(ids) {
        let found = filtered(client, path, "name", name).await;
        assert_eq!(found.len(), 1, "{path} {name}: {found:?}");
        assert_eq!((&found[0]["id"], &found[0]["name"]), (&json!(id), &json!(name)), "{path}");
    }
    assert_eq!(filtered(client, path, "name", "cafe").await, Vec::<Value>::new());
}

fn new_experiment(name: &str) -> Value {
    json!({
        "name": name, "workflow_type": "canonical", "microscope_type": "cellvoyager", "plate_format": 384,
        "plate_acquisition_mode": "basic",
    })
}

async fn experiments_are_found_by_any_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let owner = app.client(OWNER).await;
    let mut ids = Vec::new();
    for (number, name) in NAMES.iter().enumerate() {
        // Half get their name later.
        let first = if number % 2 == 0 { name } else { "not yet" };
        let created = owner.post("/api/experiments", &new_experiment(first)).await;
        let path = format!("/api/experiments/{}", created.id());
        if number % 2 == 1 {
            owner.put(&path, &json!({"name": name})).await.says("ok");
        }
        assert_eq!(owner.get(&path).await.data()["name"], json!(name));
        ids.push(created.id());
    }
    each_is_found(&owner, "/api/experiments", &ids).await;
    assert_eq!(owner.get("/api/experiments").await.all("name"), NAMES);
}

async fn plates_and_acquisitions_are_found_by_any_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let (plates, acquisitions) = (format!("{experiment}/plates"), format!("{experiment}/acquisitions"));
    let (mut plate_ids, mut ids) = (Vec::new(), Vec::new());
    for name in NAMES {
        plate_ids.push(owner.post(&plates, &json!({"name": name, "description": name})).await.id());
        // All in the first plate, whose own name matters too.
        let created = owner.post(&acquisitions, &json!({"plate_name": NAMES[0], "name": name})).await;
        assert_eq!(
            (&created.data()["name"], &created.data()["plate_name"]),
            (&json!(name), &json!(NAMES[0]))
        );
        ids.push(created.id());
    }
    each_is_found(&owner, &plates, &plate_ids).await;
    each_is_found(&owner, &acquisitions, &ids).await;
    for (name, id) in NAMES.iter().zip(&plate_ids).skip(1) {
        assert_eq!(owner.get(&format!("{plates}/{id}")).await.data()["description"], json!(name));
        let body = json!({"plate_name": name, "name": "only"});
        let only = owner.post(&acquisitions, &body).await.id();
        let found = filtered(&owner, &acquisitions, "plate_name", name).await;
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!((&found[0]["id"], &found[0]["plate_name"]), (&json!(only), &json!(name)));
        owner.put(&format!("{plates}/{id}"), &json!({"name": format!("{name} again")})).await.says("ok");
        assert_eq!(filtered(&owner, &acquisitions, "plate_name", name).await, Vec::<Value>::new(), "{name}");
        assert_eq!(
            owner.get(&format!("{acquisitions}/{only}")).await.data()["plate_name"],
            json!(format!("{name} again"))
        );
    }
}

async fn channels_and_types_of_objects_are_found_by_any_name(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let (channels, types) = (format!("{experiment}/channels"), format!("{experiment}/mapobject_types"));
    let (mut channel_ids, mut ids) = (Vec::new(), Vec::new());
    for (number, name) in NAMES.iter().enumerate() {
        let channel = app
            .insert(&format!(
                "insert into channels (experiment_id, name, planned_name, wavelength, bit_depth)
                 values (1, 'channel {number}', '{number}', '{number}', 8)"
            ))
            .await;
        owner.put(&format!("{channels}/{channel}"), &json!({"name": name})).await.says("ok");
        channel_ids.push(channel.to_string());
        let created = owner.post(&types, &json!({"name": name})).await;
        // A second time it is the same.
        assert_eq!(owner.post(&types, &json!({"name": name})).await.id(), created.id(), "{name}");
        ids.push(created.id());
        app.insert(&format!(
            "insert into segmentation_layers (mapobject_type_id, tpoint, zplane) values ({}, 0, 0)",
            created.id()
        ))
        .await;
    }
    each_is_found(&owner, &channels, &channel_ids).await;
    each_is_found(&owner, &types, &ids).await;
    for name in NAMES {
        let path = format!("{experiment}/segmentation_layers");
        assert_eq!(filtered(&owner, &path, "mapobject_type_name", name).await.len(), 1, "{name}");
    }
}

/// The text of the parameter `filename*` of a `Content-Disposition`.
fn extended_name(disposition: &str) -> String {
    let encoded = disposition.split_once("filename*=UTF-8''").expect(disposition).1;
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            byte => {
                assert!(byte.is_ascii_graphic() && !b"\"\\;,'()/:<=>?@[]{}".contains(&byte), "{disposition}");
                bytes.push(byte);
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

async fn features_and_places_come_back_in_tables_and_in_names_of_files(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = Objects::plant(&app).await;
    let owner = app.client(OWNER).await;
    for (number, name) in NAMES.iter().enumerate() {
        let plate = owner.post(&format!("{}/plates", objects.experiment), &json!({"name": name})).await.id();
        let well = objects.well(plate.parse().unwrap(), "B02").await;
        let site = objects.site(well, 0, 0).await;
        objects.object(site, 1, &[objects.layer]).await;
        let values: Vec<f64> = (0..NAMES.len()).map(|column| (number * 100 + column) as f64).collect();
        let site = SiteNames { plate: name, well: "B02", y: 0, x: 0 };
        let body = site.upload(0, NAMES, &[1], &json!([values]));
        owner.post(&format!("{}/feature-values", objects.path()), &body).await.says("ok");
    }
    let features = owner.get(&format!("{}/features", objects.path())).await;
    let mut sorted = NAMES.to_vec();
    sorted.sort_unstable();
    assert_eq!(features.all("name"), sorted);
    for name in NAMES {
        let found = filtered(&owner, &format!("{}/features", objects.path()), "name", name).await;
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert_eq!(found[0]["name"], json!(name));
    }

    let (all, _) = table(&owner, &format!("{}/feature-values", objects.path())).await;
    assert_eq!(all[0][1..], NAMES.iter().map(ToString::to_string).collect::<Vec<_>>());
    let (metadata, _) = table(&owner, &format!("{}/metadata", objects.path())).await;
    assert_eq!(metadata[1..].iter().map(|line| line[1].as_str()).collect::<Vec<_>>(), NAMES);
    for (number, name) in NAMES.iter().enumerate() {
        let path = format!("{}/feature-values", objects.path());
        let request = owner.request(Method::GET, &path).query(&[("plate_name", name)]);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{name}");
        let disposition = response.headers()["content-disposition"].to_str().unwrap().to_owned();
        let file = format!("an experiment_{name}_Cells_feature-values.csv").replace(['/', '\\'], "_");
        assert_eq!(extended_name(&disposition), file, "{name}");
        let plain = disposition.strip_prefix("attachment; filename=").unwrap().split(';').next().unwrap();
        assert!(
            plain.starts_with("an_experiment_") && plain.ends_with("Cells_feature-values.csv"),
            "{disposition}"
        );
        assert!(plain.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{disposition}");
        let found = lines(&response.text().await.unwrap());
        assert_eq!(found.len(), 2, "{name}: {found:?}");
        assert_eq!(found[1], all[number + 1], "{name}");
        let wells = filtered(&owner, &format!("{}/wells", objects.experiment), "plate_name", name).await;
        let sites = filtered(&owner, &format!("{}/sites", objects.experiment), "plate_name", name).await;
        for found in [wells, sites] {
            assert_eq!(found.len(), 1, "{name}: {found:?}");
            assert_eq!(found[0]["plate_name"], json!(name));
        }
        let object = format!("{}/mapobjects/{}/info", objects.experiment, all[number + 1][0]);
        assert_eq!(owner.get(&object).await.data()["plate_name"], json!(name));
    }
}

async fn results_of_tools_have_names_that_need_no_care_in_urls(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = Objects::plant(&app).await;
    let owner = app.client(OWNER).await;
    let result = app
        .insert(&format!(
            "insert into tool_results (mapobject_type_id, submission_id, name, tool_name, type, attributes, version,
                 created_at)
             values ({}, null, 'Clustering-1', 'Clustering', 'ScalarToolResult', '{{}}', 0, 0)",
            objects.kind
        ))
        .await;
    let path = format!("{}/tools/results/{result}", objects.experiment);
    let mut kept = "Clustering-1".to_owned();
    for name in NAMES.iter().chain(NO_NAMES) {
        let answer = owner.put(&path, &json!({"name": name})).await;
        if name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)) && !name.is_empty() {
            answer.says("ok");
            kept = (*name).to_owned();
        } else {
            assert!(answer.fails(400, "MalformedRequestError").contains("`name`"), "{name}");
        }
        assert_eq!(owner.get(&path).await.data()["name"], json!(kept));
    }
    assert_eq!(kept, "--");
    let (metadata, _) = table(&owner, &format!("{}/metadata", objects.path())).await;
    assert_eq!(metadata[0].last().unwrap(), "--");
}

async fn users_of_any_name_log_in_and_are_shared_with(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    // In a path, two dots are the way up, however they are written.
    let names: Vec<_> = NAMES.iter().filter(|name| **name != ".." && name.trim() == **name).collect();
    for (number, name) in names.iter().enumerate() {
        user::add(&app.app.environment, name, &format!("{number}@example.net"), PASSWORD).await.unwrap();
        let client = app.anonymous().logged_in(name, PASSWORD).await.unwrap();
        assert_eq!(client.get("/api/users/me").await.data()["name"], json!(name));
        client.get(&experiment).await.fails(403, "ForbiddenError");
        let encoded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        owner.put(&format!("{experiment}/shares/{encoded}"), &json!({})).await.says("ok");
        assert_eq!(client.get(&experiment).await.data()["user"], json!(OWNER));
        let own = client.post("/api/experiments", &new_experiment("mine")).await;
        assert_eq!(own.data()["user"], json!(name));
    }
    let shared = owner.get(&format!("{experiment}/shares")).await.all("user");
    assert!(names.iter().all(|name| shared.contains(&(**name).to_owned())), "{shared:?}");
    for name in NO_NAMES.iter().chain(&[" spaces around "]) {
        let refused = user::add(&app.app.environment, name, "x@example.net", PASSWORD).await;
        assert!(refused.unwrap_err().to_string().contains("user name"), "{name:?}");
    }
}

async fn names_that_no_list_could_show_are_refused(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = Objects::plant(&app).await;
    let experiment = &objects.experiment;
    let owner = app.client(OWNER).await;
    let plate = owner.post(&format!("{experiment}/plates"), &json!({"name": "plate"})).await.id();
    let body = json!({"plate_name": "plate", "name": "acquisition"});
    let acquisition = owner.post(&format!("{experiment}/acquisitions"), &body).await.id();
    let well = objects.well(plate.parse().unwrap(), "B02").await;
    objects.object(objects.site(well, 0, 0).await, 1, &[objects.layer]).await;
    let site = SiteNames { plate: "plate", well: "B02", y: 0, x: 0 };
    let values = format!("{}/feature-values", objects.path());
    owner.post(&values, &site.upload(0, &["area"], &[1], &json!([[1]]))).await.says("ok");
    let channel = app
        .insert(
            "insert into channels (experiment_id, name, wavelength, bit_depth) values (1, 'DAPI', 'DAPI', 8)",
        )
        .await;
    for name in NO_NAMES {
        let named = json!({"name": name});
        for (method, path, body, field) in [
            ("POST", "/api/experiments", new_experiment(name), "`name`"),
            ("PUT", experiment, named.clone(), "`name`"),
            ("POST", &format!("{experiment}/plates"), named.clone(), "`name`"),
            ("PUT", &format!("{experiment}/plates/{plate}"), named.clone(), "`name`"),
            (
                "POST",
                &format!("{experiment}/acquisitions"),
                json!({"plate_name": "plate", "name": name}),
                "`name`",
            ),
            ("PUT", &format!("{experiment}/acquisitions/{acquisition}"), named.clone(), "`name`"),
            ("PUT", &format!("{experiment}/channels/{channel}"), named.clone(), "`name`"),
            ("POST", &format!("{experiment}/mapobject_types"), named.clone(), "`name`"),
            ("PUT", &objects.path(), named.clone(), "`name`"),
            ("POST", &values, site.upload(0, &[name], &[1], &json!([[1]])), "`names`"),
            ("PUT", &format!("{experiment}/features/1"), named.clone(), "`name`"),
        ] {
            let message = owner.call(method, path, &body).await.fails(400, "MalformedRequestError");
            assert!(message.contains(field), "{method} {path} {name:?}: {message}");
        }
    }
    assert_eq!(owner.get("/api/experiments").await.all("name"), ["an experiment"]);
    assert_eq!(owner.get(&format!("{}/features", objects.path())).await.all("name"), ["area"]);
}
