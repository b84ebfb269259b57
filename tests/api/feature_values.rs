//! Values of features: what is sent up comes down again, and nothing else is taken.

use reqwest::Method;
use serde_json::{Value, json};
use tm_server::resources::tools::labels::Labels;
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;
use tm_tests::objects::{Lines, Objects, SiteNames, table};

tm_tests::on_each_database![
    values_come_back_as_they_were_sent,
    later_values_win_cell_by_cell_and_the_others_stay,
    what_does_not_fit_is_refused_and_leaves_nothing_behind,
    integers_may_be_text_and_labels_without_an_object_are_ignored,
    the_first_focal_plane_decides_which_labels_are_wanted,
    tables_have_a_line_for_every_object_and_time_point_in_the_same_order,
    filters_narrow_both_tables_and_name_the_file,
    a_filter_that_finds_nothing_is_refused_before_the_first_line,
    plates_and_wells_have_the_columns_of_their_kind,
    metadata_have_a_column_for_every_result_of_a_tool,
];

const A01: SiteNames<'_> = SiteNames { plate: "p", well: "A01", y: 0, x: 0 };

/// Objects 3 and 7 in the one site of well A01 of plate p.
async fn two_cells(app: &TestApp) -> (Objects<'_>, [i64; 2]) {
    let objects = Objects::plant(app).await;
    let well = objects.well(objects.plate("p").await, "A01").await;
    let site = objects.site(well, 0, 0).await;
    // Not in the order of their labels.
    let seven = objects.object(site, 7, &[objects.layer]).await;
    let three = objects.object(site, 3, &[objects.layer]).await;
    (objects, [three, seven])
}

async fn values_come_back_as_they_were_sent(database: Database) {
    let app = TestApp::start_on(database).await;
    let (objects, [three, seven]) = two_cells(&app).await;
    let owner = app.client(OWNER).await;
    let names = ["plain", "with space", "a,b", "a \"b\"", "µ/Fläche", " ends ", "日本"];
    let numbers = [
        [0.1, 1e300, 1e-300, -0.0, 5e-324, f64::MAX, 1.0 / 3.0],
        [-1.5, 0.0, 123_456_789.123_456_79, 1e22, 2.2e-308, -7.0, f64::NAN],
    ];
    let path = format!("{}/feature-values", objects.path());
    // 2^53 + 1 has no 64-bit float of its own.
    let text = r#"[[0.1,1e300,1e-300,-0.0,5e-324,1.7976931348623157e308,0.3333333333333333],
        [-1.5,0,123456789.12345679,1e22,2.2e-308,-7,null]]"#;
    let values: Value = serde_json::from_str(text).unwrap();
    owner.post(&path, &A01.upload(0, &names, &[3, 7], &values)).await.says("ok");
    let (lines, file) = table(&owner, &path).await;
    assert_eq!(file, "an_experiment_Cells_feature-values.csv");
    assert_eq!(lines[0][0], "mapobject_id");
    assert_eq!(&lines[0][1..], &names);
    assert_eq!(lines.len(), 3);
    for (line, (id, numbers)) in lines[1..].iter().zip([(seven, numbers[1]), (three, numbers[0])]) {
        assert_eq!(line[0], id.to_string());
        for (cell, number) in line[1..].iter().zip(numbers) {
            match number.is_nan() {
                true => assert_eq!(cell, "nan"),
                false => assert_eq!(cell.parse::<f64>().unwrap().to_bits(), number.to_bits(), "{cell}"),
            }
        }
    }
    let raw = owner.request(Method::GET, &path).send().await.unwrap().text().await.unwrap();
    assert!(
        raw.starts_with("mapobject_id,plain,with space,\"a,b\",\"a \"\"b\"\"\",µ/Fläche, ends ,日本\r\n")
    );

    let integers = json!([[9_007_199_254_740_993_i64], [-9_007_199_254_740_992_i64]]);
    owner.post(&path, &A01.upload(0, &["integer"], &[3, 7], &integers)).await.says("ok");
    let (lines, _) = table(&owner, &path).await;
    let cells: Vec<f64> = lines[1..].iter().map(|line| line[8].parse().unwrap()).collect();
    assert_eq!(cells, [-9_007_199_254_740_992.0, 9_007_199_254_740_992.0]);
}

async fn later_values_win_cell_by_cell_and_the_others_stay(database: Database) {
    let app = TestApp::start_on(database).await;
    let (objects, [three, seven]) = two_cells(&app).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    let lines = async || table(&owner, &path).await.0;
    let expected = |rows: [[&str; 4]; 2]| {
        let ids = [seven, three];
        rows.iter()
            .zip(ids)
            .map(|(row, id)| {
                let cells = row.iter().filter(|cell| !cell.is_empty()).map(|cell| (*cell).to_owned());
                [id.to_string()].into_iter().chain(cells).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    owner.post(&path, &A01.upload(0, &["a", "b"], &[3, 7], &json!([[1, 2], [3, null]]))).await.says("ok");
    assert_eq!(lines().await[1..], expected([["3.0", "nan", "", ""], ["1.0", "2.0", "", ""]]));
    // A missing value is a value: it replaces what was there.
    owner.post(&path, &A01.upload(0, &["b", "c"], &[7, 3], &json!([[10, 11], [null, 12]]))).await.says("ok");
    assert_eq!(lines().await[0], ["mapobject_id", "a", "b", "c"]);
    assert_eq!(lines().await[1..], expected([["3.0", "10.0", "11.0", ""], ["1.0", "nan", "12.0", ""]]));
    // The same again changes nothing.
    owner.post(&path, &A01.upload(0, &["b", "c"], &[7, 3], &json!([[10, 11], [null, 12]]))).await.says("ok");
    assert_eq!(lines().await[1..], expected([["3.0", "10.0", "11.0", ""], ["1.0", "nan", "12.0", ""]]));
    assert_eq!(owner.get(&format!("{}/features", objects.path())).await.all("name"), ["a", "b", "c"]);
}

async fn what_does_not_fit_is_refused_and_leaves_nothing_behind(database: Database) {
    let app = TestApp::start_on(database).await;
    let (objects, _) = two_cells(&app).await;
    let site = objects.site(objects.well(objects.plate("empty").await, "A01").await, 0, 0).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    let good = A01.upload(0, &["a", "b"], &[3, 7], &json!([[1, 2], [3, 4]]));
    let with = |key: &str, value: Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    let refused = [
        (with("values", json!([[1, 2]])), 400, "1 rows"),
        (with("values", json!([[1], [2]])), 400, "1 columns"),
        (with("values", json!([[1, 2], [3]])), 400, "row 2 of `values` has 1 numbers"),
        (with("values", json!([[1, 2], [3, 4, 5]])), 400, "row 2 of `values` has 3 numbers"),
        (with("values", json!([[1, 2], [3, "4"]])), 400, "does not fit"),
        (with("values", json!([[1, 2], [3, true]])), 400, "does not fit"),
        (with("values", json!([1, 2])), 400, "a row of numbers"),
        (with("labels", json!([3, 3])), 400, "holds 3 twice"),
        (with("names", json!(["a", "a"])), 400, "holds \"a\" twice"),
        (with("names", json!(["a", " "])), 400, "`names` must have"),
        (with("names", json!(["a", "b\u{0}"])), 400, "`names` must have"),
        (with("plate_name", json!("p\u{0}")), 400, "U+0000"),
        (with("tpoint", json!("first")), 400, "whole number"),
        (with("tpoint", json!(0.5)), 400, "whole number"),
        (with("plate_name", json!("q")), 404, "plate \"q\""),
        (with("well_name", json!("A02")), 404, "well \"A02\""),
        (with("well_pos_y", json!(1)), 404, "y 1"),
        (with("tpoint", json!(1)), 404, "time point 1"),
        (with("plate_name", json!("empty")), 404, "objects of \"Cells\""),
        (with("labels", json!([3, 8])), 404, "label 7"),
    ];
    for (body, status, says) in refused {
        let kind = if status == 400 { "MalformedRequestError" } else { "ResourceNotFoundError" };
        let message = owner.post(&path, &body).await.fails(status, kind);
        assert!(message.contains(says), "{says:?} is not in {message:?}");
    }
    for number in ["1e999", "NaN", "Infinity", "-Infinity"] {
        let body = good.to_string().replace("[3,4]", &format!("[3,{number}]"));
        let answer = owner.send(owner.request(Method::POST, &path).body(body)).await;
        answer.fails(400, "MalformedRequestError");
    }
    let missing = json!({"names": [], "labels": null, "values": []});
    let message = owner.post(&path, &missing).await.fails(400, "MissingPOSTParameterError");
    assert!(message.contains("`plate_name`") && message.contains("`labels`"), "{message}");
    assert!(!message.contains("`names`"), "{message}");

    assert_eq!(owner.get(&format!("{}/features", objects.path())).await.data(), &json!([]));
    assert_eq!(table(&owner, &path).await.0[0], ["mapobject_id"]);
    assert_eq!(app.uploaded_files(), Vec::<String>::new());
    // It was not the site.
    objects.object(site, 3, &[objects.layer]).await;
    owner.post(&path, &with("plate_name", json!("empty"))).await.says("ok");
}

async fn integers_may_be_text_and_labels_without_an_object_are_ignored(database: Database) {
    let app = TestApp::start_on(database).await;
    let (objects, [three, seven]) = two_cells(&app).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    let mut body = A01.upload(0, &["a"], &[1, 3, 5, 7], &json!([[1], [3], [5], [7]]));
    for key in ["well_pos_y", "well_pos_x", "tpoint"] {
        body[key] = json!("0");
    }
    owner.post(&path, &body).await.says("ok");
    let (lines, _) = table(&owner, &path).await;
    assert_eq!(lines[1..], [[seven.to_string(), "7.0".into()], [three.to_string(), "3.0".into()]]);
}

async fn the_first_focal_plane_decides_which_labels_are_wanted(database: Database) {
    let app = TestApp::start_on(database).await;
    let (objects, [three, _]) = two_cells(&app).await;
    let second = objects.layer(0, 1).await;
    let deep = objects.object(1, 9, &[second]).await;
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    owner.post(&path, &A01.upload(0, &["a"], &[3, 7], &json!([[3], [7]]))).await.says("ok");
    owner
        .post(&path, &A01.upload(0, &["a"], &[3, 9], &json!([[3], [9]])))
        .await
        .fails(404, "ResourceNotFoundError");
    owner.post(&path, &A01.upload(0, &["a"], &[3, 7, 9], &json!([[30], [7], [9]]))).await.says("ok");
    let (lines, _) = table(&owner, &path).await;
    assert!(lines.contains(&vec![three.to_string(), "30.0".into()]), "{lines:?}");
    assert!(lines.contains(&vec![deep.to_string(), "9.0".into()]), "{lines:?}");
}

/// Two plates, of which p has wells A01 (sites (0, 0) and (0, 1)) and B02, and q has A01; objects in all sites, in p
/// at two time points and, at the first, two focal planes. The value of feature `v` is 1000 × site + 10 × label + time
/// point.
async fn several_sites(app: &TestApp) -> Objects<'_> {
    let objects = Objects::plant(app).await;
    let deeper = objects.layer(0, 5).await;
    let later = objects.layer(2, 0).await;
    let (p, q) = (objects.plate("p").await, objects.plate("q x").await);
    // Ids are not in the order of names.
    let b02 = objects.well(p, "B02").await;
    let (a01, other) = (objects.well(p, "A01").await, objects.well(q, "A01").await);
    let owner = app.client(OWNER).await;
    let path = format!("{}/feature-values", objects.path());
    for (number, (well, plate, name, x)) in
        [(b02, "p", "B02", 0), (a01, "p", "A01", 0), (a01, "p", "A01", 1), (other, "q x", "A01", 0)]
            .iter()
            .enumerate()
    {
        let site = objects.site(*well, 0, *x).await;
        let both = [objects.layer, deeper, later];
        let layers: &[i64] = if *plate == "p" { &both } else { &both[..1] };
        for label in [2, 1] {
            objects.object(site, label, layers).await;
        }
        for tpoint in if *plate == "p" { &[2, 0][..] } else { &[0] } {
            let value = |label: i64| 1000 * (i64::try_from(number).unwrap() + 1) + 10 * label + tpoint;
            let at = SiteNames { plate, well: name, y: 0, x: *x };
            let body = at.upload(*tpoint, &["v"], &[1, 2], &json!([[value(1)], [value(2)]]));
            owner.post(&path, &body).await.says("ok");
        }
    }
    objects
}

async fn tables_have_a_line_for_every_object_and_time_point_in_the_same_order(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = several_sites(&app).await;
    let owner = app.client(OWNER).await;
    let (values, _) = table(&owner, &format!("{}/feature-values", objects.path())).await;
    let (metadata, file) = table(&owner, &format!("{}/metadata", objects.path())).await;
    assert_eq!(file, "an_experiment_Cells_metadata.csv");
    assert_eq!(
        metadata[0],
        [
            "mapobject_id",
            "plate_name",
            "well_name",
            "well_pos_y",
            "well_pos_x",
            "tpoint",
            "zplane",
            "label",
            "is_border"
        ]
    );
    // By site, object and time point; label 2 was made first.
    let places = [("p", "B02", 0), ("p", "A01", 0), ("p", "A01", 1), ("q x", "A01", 0)];
    let mut expected = Vec::new();
    for (number, (plate, well, x)) in places.iter().enumerate() {
        for label in [2, 1] {
            for tpoint in if *plate == "p" { &[0, 2][..] } else { &[0] } {
                let id = 2 * number + if label == 2 { 1 } else { 2 };
                let value = format!("{}.0", 1000 * (number + 1) + 10 * label + tpoint);
                let is_border = label % 2;
                let line = format!("{id},{plate},{well},0,{x},{tpoint},0,{label},{is_border}");
                expected.push((vec![id.to_string(), value], line));
            }
        }
    }
    let (expected_values, expected_metadata): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
    assert_eq!(values[1..], expected_values);
    assert_eq!(metadata[1..].iter().map(|line| line.join(",")).collect::<Vec<_>>(), expected_metadata);
}

async fn filters_narrow_both_tables_and_name_the_file(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = several_sites(&app).await;
    let owner = app.client(OWNER).await;
    let cases = [
        ("plate_name=q x", "_q_x", vec!["4020.0", "4010.0"]),
        ("well_name=B02", "_B02", vec!["1020.0", "1022.0", "1010.0", "1012.0"]),
        ("plate_name=p&well_name=B02&tpoint=2", "_p_B02_t2", vec!["1022.0", "1012.0"]),
        ("well_pos_x=1", "_x1", vec!["3020.0", "3022.0", "3010.0", "3012.0"]),
        ("well_pox_x=1&well_pox_y=0&tpoint=0", "_y0_x1_t0", vec!["3020.0", "3010.0"]),
        ("plate_name=q x&tpoint=2", "_q_x_t2", vec![]),
    ];
    for (query, part, expected) in cases {
        let (values, file) = table(&owner, &format!("{}/feature-values?{query}", objects.path())).await;
        assert_eq!(values[1..].iter().map(|line| line[1].as_str()).collect::<Vec<_>>(), expected, "{query}");
        assert_eq!(file, format!("an_experiment{part}_Cells_feature-values.csv"));
        let (metadata, file) = table(&owner, &format!("{}/metadata?{query}", objects.path())).await;
        assert_eq!(file, format!("an_experiment{part}_Cells_metadata.csv"));
        let ids = |lines: &[Vec<String>]| lines.iter().map(|line| line[0].clone()).collect::<Vec<_>>();
        assert_eq!(ids(&metadata), ids(&values), "{query}");
    }
}

async fn a_filter_that_finds_nothing_is_refused_before_the_first_line(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = several_sites(&app).await;
    let owner = app.client(OWNER).await;
    for kind in ["feature-values", "metadata"] {
        for query in
            ["plate_name=r", "well_name=C01", "plate_name=q x&well_name=B02", "well_pos_y=9", "tpoint=1"]
        {
            let answer = owner.get(&format!("{}/{kind}?{query}", objects.path())).await;
            answer.fails(404, "ResourceNotFoundError");
        }
        for query in ["well_pos_y=top", "tpoint=1.5", "well_pos_x=1e3"] {
            let answer = owner.get(&format!("{}/{kind}?{query}", objects.path())).await;
            answer.fails(400, "MalformedRequestError");
        }
    }
}

async fn plates_and_wells_have_the_columns_of_their_kind(database: Database) {
    let app = TestApp::start_on(database).await;
    let objects = several_sites(&app).await;
    let owner = app.client(OWNER).await;
    for (name, reference, column) in
        [("Plates", "Plate", "plate_id"), ("Wells", "Well", "well_id"), ("Sites", "Site", "site_id")]
    {
        let kind = app
            .insert(&format!(
                "insert into mapobject_types (experiment_id, name, ref_type) values (1, '{name}', '{reference}')"
            ))
            .await;
        app.sql(&format!("insert into segmentation_layers (mapobject_type_id) values ({kind})")).await;
        app.sql(&format!(
            "insert into mapobjects (mapobject_type_id, {column}) select {kind}, id from {}",
            name.to_lowercase()
        ))
        .await;
        let path = format!("{}/mapobject_types/{kind}", objects.experiment);
        let (metadata, _) = table(&owner, &format!("{path}/metadata")).await;
        let cells = |line: &Vec<String>| line[1..].join(",");
        let (head, lines) = (cells(&metadata[0]), metadata[1..].iter().map(cells).collect::<Vec<_>>());
        match name {
            "Plates" => assert_eq!((head.as_str(), lines), ("plate_name", vec!["p".into(), "q x".into()])),
            "Wells" => {
                let wells = ["p,B02", "p,A01", "q x,A01"].map(str::to_owned).to_vec();
                assert_eq!((head.as_str(), lines), ("plate_name,well_name", wells));
            }
            _ => {
                assert_eq!(head, "plate_name,well_name,well_pos_y,well_pos_x,tpoint,zplane,label,is_border");
                assert_eq!(lines, ["p,B02,0,0,,,,", "p,A01,0,0,,,,", "p,A01,0,1,,,,", "q x,A01,0,0,,,,"]);
            }
        }
        let (values, _) = table(&owner, &format!("{path}/feature-values")).await;
        assert_eq!((values[0].clone(), values.len()), (vec!["mapobject_id".to_owned()], metadata.len()));
        let (narrowed, _) = table(&owner, &format!("{path}/metadata?plate_name=q x&tpoint=3")).await;
        assert_eq!(narrowed.len(), 2, "{name}");
        if name != "Sites" {
            let refused = owner.get(&format!("{path}/metadata?well_pos_y=0")).await;
            refused.fails(400, "MalformedRequestError");
            let refused = owner.get(&format!("{path}/feature-values?well_pos_x=0")).await;
            refused.fails(400, "MalformedRequestError");
        }
        if name == "Plates" {
            owner.get(&format!("{path}/metadata?well_name=A01")).await.fails(400, "MalformedRequestError");
        }
        let body = A01.upload(0, &["a"], &[1], &json!([[1]]));
        owner.post(&format!("{path}/feature-values"), &body).await.fails(404, "ResourceNotFoundError");
    }
}

async fn metadata_have_a_column_for_every_result_of_a_tool(database: Database) {
    let app = TestApp::start_on(database).await;
    let (objects, [three, seven]) = two_cells(&app).await;
    let owner = app.client(OWNER).await;
    for (name, kind) in [
        ("clusters", "ScalarToolResult"),
        ("classes", "SupervisedClassifierToolResult"),
        ("area", "HeatmapToolResult"),
    ] {
        let attributes = if name == "area" { r#"{"feature_id": 1}"# } else { "{}" };
        app.sql(&format!(
            "insert into tool_results (mapobject_type_id, name, tool_name, type, attributes, version, created_at)
             values ({}, '{name}', 'tool', '{kind}', '{attributes}', 0, 0)",
            objects.kind
        ))
        .await;
    }
    let packed = Labels::new(vec![(seven, 2.0)]).pack();
    let packed: String = packed.iter().map(|byte| format!("{byte:02x}")).collect();
    let packed = match app.database {
        Database::Sqlite => format!("x'{packed}'"),
        Database::Postgres(_) => format!("decode('{packed}', 'hex')"),
    };
    app.sql(&format!(
        "insert into label_values (tool_result_id, site_id, tpoint, labels)
         values (1, 1, 0, {packed}), (2, 1, 0, {packed})"
    ))
    .await;
    let path = format!("{}/metadata", objects.path());
    let (lines, _) = table(&owner, &path).await;
    let ends = |lines: &Lines| lines.iter().map(|line| line[9..].join(",")).collect::<Vec<_>>();
    assert_eq!(ends(&lines), ["clusters,classes,area", "2,2.0,nan", "nan,nan,nan"]);
    assert_eq!([&lines[1][0], &lines[2][0]], [&seven.to_string(), &three.to_string()]);
    // A heatmap is nothing without its feature.
    let values = format!("{}/feature-values", objects.path());
    owner.post(&values, &A01.upload(0, &["area"], &[3, 7], &json!([[3], [7]]))).await.says("ok");
    owner.delete(&format!("{}/features/1", objects.experiment)).await.says("ok");
    let (lines, _) = table(&owner, &path).await;
    assert_eq!(ends(&lines), ["clusters,classes", "2,2.0", "nan,nan"]);
}
