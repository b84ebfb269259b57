//! Segmentations: label images up and down, by value.

use std::io::Write;

use serde_json::{Value, json};
use tm_tests::app::{Client, OWNER, READER, TestApp};
use tm_tests::databases::Database;
use tm_tests::made_up_map::scramble;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

tm_tests::on_each_database![
    label_images_come_down_as_they_went_up,
    another_upload_of_a_plane_replaces_it_and_keeps_objects_whose_label_stays,
    an_object_is_one_in_all_planes_and_goes_with_the_last,
    an_aligned_label_image_is_moved_to_its_place_in_the_site,
    uploads_of_one_site_at_once_are_all_stored,
    where_a_label_image_belongs_may_be_said_in_the_query,
];

type Labels = Vec<Vec<i64>>;

const HEIGHT: usize = 9;
const WIDTH: usize = 13;

/// A plate `p/1 "é"`, a well `B03` with two sites, and a type `Cells`.
struct Plate {
    app: TestApp,
    owner: Client,
    experiment: String,
    objects: String,
}

impl Plate {
    async fn start(database: Database) -> Self {
        let app = TestApp::start_on(database).await;
        let experiment = app.experiment().await;
        let owner = app.client(OWNER).await;
        let plate = owner.post(&format!("{experiment}/plates"), &json!({"name": "p/1 \"é\""})).await.id();
        let well = format!("insert into wells (plate_id, name, description) values ({plate}, 'B03', '{{}}')");
        let well = app.insert(&well).await;
        for x in 0..2 {
            let site = format!(
                "insert into sites (well_id, y, x, height, width) values ({well}, 0, {x}, {HEIGHT}, {WIDTH})"
            );
            app.insert(&site).await;
        }
        let objects =
            owner.post(&format!("{experiment}/mapobject_types"), &json!({"name": "Cells"})).await.id();
        Self { app, owner, experiment, objects }
    }

    fn path(&self) -> String {
        format!("{}/mapobject_types/{}/segmentations", self.experiment, self.objects)
    }

    fn body(x: usize, zplane: usize, key: &str, image: Value) -> Value {
        json!({
            "plate_name": "p/1 \"é\"", "well_name": "B03", "well_pos_y": 0, "well_pos_x": x, "tpoint": 0,
            "zplane": zplane, key: image,
        })
    }

    async fn upload(&self, x: usize, zplane: usize, labels: &Labels) {
        self.owner.post(&self.path(), &Self::body(x, zplane, "image", json!(labels))).await.says("ok");
    }

    async fn download(&self, x: usize, zplane: usize) -> tm_tests::app::Answer {
        let query = format!(
            "plate_name=p%2F1%20%22%C3%A9%22&well_name=B03&well_pos_y=0&well_pos_x={x}&tpoint=0&zplane={zplane}"
        );
        self.owner.get(&format!("{}?{query}", self.path())).await
    }

    /// Objects by label with their ids, from the database.
    async fn objects(&self) -> Vec<(i64, i64)> {
        let mut tx = self.app.app.environment.db.read().await.unwrap();
        let objects = self.objects.parse().unwrap();
        let mut found =
            tm_server::resources::segmentation::queries::labels_of_site(&mut tx, objects, 1).await.unwrap();
        found.sort_unstable();
        found
    }
}

/// A repeatable label image: `kind` says how dense it is and how labels are spread.
fn random(seed: u64) -> Labels {
    let kinds = [1, 2, 5, 40];
    let density = [30, 60, 95][(seed % 3) as usize];
    let labels = kinds[(seed / 3 % 4) as usize];
    let value = |y: usize, x: usize| {
        let chance = scramble(seed << 20 | (y * WIDTH + x) as u64);
        let label = 1 + (chance >> 32) % labels;
        if chance % 100 < density { (label * label * 53_687_091 % 2_147_483_647) as i64 } else { 0 }
    };
    let mut image: Labels = (0..HEIGHT).map(|y| (0..WIDTH).map(|x| value(y, x)).collect()).collect();
    image[HEIGHT - 1][WIDTH - 1] = 7;
    image
}

/// Holes, an island in one, parts that touch at corners or not at all, the border, the largest label.
fn special() -> Labels {
    [
        "aaaaa..b....z",
        "a...a.b.b....",
        "a.c.a..b..z..",
        "a...a........",
        "aaaaa.ddd....",
        "......d.d..e.",
        "ddd...ddd....",
        "d.d.......f..",
        "dddb......ffm",
    ]
    .map(|row| {
        let label = |c: char| match c {
            '.' => 0,
            'm' => i64::from(i32::MAX),
            c => i64::from(u32::from(c)) - 96,
        };
        row.chars().map(label).collect()
    })
    .to_vec()
}

fn npy(descr: &str, version: u8, by_columns: bool, labels: &Labels) -> Vec<u8> {
    let order = if by_columns { "True" } else { "False" };
    let shape = format!("({}, {})", labels.len(), labels[0].len());
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let mut bytes = [b"\x93NUMPY", &[version, 0][..]].concat();
    match version {
        1 => bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes()),
        _ => bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes()),
    }
    bytes.extend(header.bytes());
    let width: usize = descr[2..].parse().unwrap();
    let mut put = |value: i64| {
        let all = value.to_le_bytes();
        let mut stored = all[..width].to_vec();
        if descr.starts_with('>') {
            stored.reverse();
        }
        bytes.extend(stored);
    };
    if by_columns {
        (0..labels[0].len()).for_each(|x| labels.iter().for_each(|row| put(row[x])));
    } else {
        labels.iter().flatten().for_each(|value| put(*value));
    }
    bytes
}

fn npz(member: &str, npy: &[u8], method: CompressionMethod) -> String {
    use base64::Engine;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    // As NumPy does: the sizes are behind the content, in 64 bits.
    let options = SimpleFileOptions::default().compression_method(method).large_file(true);
    archive.start_file("other.npy", options).unwrap();
    archive.write_all(b"nothing").unwrap();
    archive.start_file(member, options).unwrap();
    archive.write_all(npy).unwrap();
    base64::engine::general_purpose::STANDARD.encode(archive.finish().unwrap().into_inner())
}

async fn label_images_come_down_as_they_went_up(database: Database) {
    let plate = Plate::start(database).await;
    let images = (0..24).map(random).chain([special(), vec![vec![5; WIDTH]; HEIGHT]]);
    for (number, image) in images.enumerate() {
        if number % 2 == 0 {
            plate.upload(0, 0, &image).await;
        } else {
            let archive = npz("segmentation.npy", &npy("<i4", 1, false, &image), CompressionMethod::Deflated);
            let body = Plate::body(0, 0, "npz_file", json!(archive));
            plate.owner.post(&plate.path(), &body).await.says("ok");
        }
        assert_eq!(plate.download(0, 0).await.data(), &json!(image), "image {number}");
    }
    let type_layers = plate.owner.get(&format!("{}/mapobject_types", plate.experiment)).await;
    let layers = type_layers.data()[0]["layers"].clone();
    assert_eq!(layers, json!([{"id": "1", "tpoint": 0, "zplane": 0, "image_size": null}]));
    plate.download(1, 0).await.fails(404, "ResourceNotFoundError");
    plate.download(0, 1).await.fails(404, "ResourceNotFoundError");
}

async fn another_upload_of_a_plane_replaces_it_and_keeps_objects_whose_label_stays(database: Database) {
    let plate = Plate::start(database).await;
    let mut image = vec![vec![0; WIDTH]; HEIGHT];
    (image[0][0], image[4][4], image[8][12]) = (1, 2, 3);
    plate.upload(0, 0, &image).await;
    plate.upload(1, 0, &image).await;
    let first = plate.objects().await;
    assert_eq!(first.iter().map(|(label, _)| *label).collect::<Vec<_>>(), [1, 2, 3]);
    // 2 moves, 3 goes, 9 comes.
    (image[4][4], image[5][5], image[8][12]) = (0, 2, 9);
    plate.upload(0, 0, &image).await;
    assert_eq!(plate.download(0, 0).await.data(), &json!(image));
    let second = plate.objects().await;
    assert_eq!(second[..2], first[..2]);
    assert_eq!((second.len(), second[2].0), (3, 9));
    assert!(first.iter().all(|(_, id)| *id != second[2].1), "ids do not come back");
    // Nothing but background: the objects are gone, those of the other site are not.
    plate.upload(0, 0, &vec![vec![0; WIDTH]; HEIGHT]).await;
    plate.download(0, 0).await.fails(404, "ResourceNotFoundError");
    assert_eq!(plate.objects().await, []);
    plate.download(1, 0).await.data();
}

async fn an_object_is_one_in_all_planes_and_goes_with_the_last(database: Database) {
    let plate = Plate::start(database).await;
    let image = |labels: [i64; 2]| {
        let mut image = vec![vec![0; WIDTH]; HEIGHT];
        (image[1][1], image[2][5]) = (labels[0], labels[1]);
        image
    };
    plate.upload(0, 0, &image([1, 2])).await;
    let first = plate.objects().await;
    plate.upload(0, 1, &image([2, 3])).await;
    let both = plate.objects().await;
    assert_eq!((&both[..2], both[2].0), (&first[..], 3));
    plate.upload(0, 0, &image([4, 4])).await;
    let labels: Vec<_> = plate.objects().await.into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, [2, 3, 4], "2 is in the other plane still");
    assert_eq!(plate.download(0, 1).await.data(), &json!(image([2, 3])));
    // Whoever looks at 2 is told the first plane that it is in.
    let info = plate.owner.get(&format!("{}/mapobjects/{}/info", plate.experiment, first[1].1)).await;
    let expected = json!({
        "id": first[1].1.to_string(), "type": "Cells", "experiment_name": "an experiment",
        "plate_name": "p/1 \"é\"", "well_name": "B03", "well_pos_x": 0, "well_pos_y": 0, "tpoint": 0, "zplane": 1,
        "label": 2, "parents": [],
    });
    assert_eq!(info.data(), &expected);
}

async fn an_aligned_label_image_is_moved_to_its_place_in_the_site(database: Database) {
    let plate = Plate::start(database).await;
    let app = &plate.app;
    app.sql("insert into cycles (experiment_id, cycle_index) values (1, 0), (1, 1)").await;
    app.sql(
        "insert into alignments (experiment_id, cycle_id, wavelength, complete, created_at)
         values (1, 1, 'DAPI', true, 0)",
    )
    .await;
    app.sql(
        "insert into site_shifts (alignment_id, site_id, cycle_id, y, x, source)
         values (1, 1, 1, 0, 0, 'reference'), (1, 1, 2, 2, -3, 'measured')",
    )
    .await;
    // Cut are 2 rows at the top and 3 columns at the right.
    let image = random(4);
    let aligned: Labels = image[2..].iter().map(|row| row[..WIDTH - 3].to_vec()).collect();
    let path = format!("{}?align=True", plate.path());
    let message = plate.owner.post(&path, &Plate::body(0, 0, "image", json!(image))).await;
    let message = message.fails(400, "MalformedRequestError");
    assert!(message.contains("7 pixels high and 10 wide, got 9 and 13"), "{message}");
    plate.owner.post(&path, &Plate::body(0, 0, "image", json!(aligned))).await.says("ok");
    let mut expected: Labels = vec![vec![0; WIDTH]; HEIGHT];
    for (row, cut) in expected[2..].iter_mut().zip(&aligned) {
        row[..WIDTH - 3].copy_from_slice(cut);
    }
    assert_eq!(plate.download(0, 0).await.data(), &json!(expected));
    // And the other way round: a whole image comes down cut.
    plate.upload(0, 0, &image).await;
    let query = "plate_name=p%2F1%20%22%C3%A9%22&well_name=B03&well_pos_y=0&well_pos_x=0&tpoint=0&zplane=0";
    let down = plate.owner.get(&format!("{}?{query}&align=true", plate.path())).await;
    assert_eq!(down.data(), &json!(aligned));
}

async fn uploads_of_one_site_at_once_are_all_stored(database: Database) {
    let plate = Plate::start(database).await;
    let mut uploads = Vec::new();
    for zplane in 0..6 {
        let (owner, path) = (plate.owner.clone(), plate.path());
        let body = Plate::body(0, zplane, "image", json!(special()));
        uploads.push(tokio::spawn(async move { owner.post(&path, &body).await.says("ok") }));
    }
    for upload in uploads {
        upload.await.unwrap();
    }
    assert_eq!(plate.objects().await.len(), 8);
    for zplane in 0..6 {
        assert_eq!(plate.download(0, zplane).await.data(), &json!(special()));
    }
}

async fn where_a_label_image_belongs_may_be_said_in_the_query(database: Database) {
    let plate = Plate::start(database).await;
    let said =
        [("plate_name", "p/1 \"\u{e9}\""), ("well_name", "B03"), ("well_pos_y", "0"), ("well_pos_x", "1")];
    let send = async |query: &[(&str, &str)], body: &Value| {
        let request = plate.owner.request(reqwest::Method::POST, &plate.path()).query(query).json(body);
        plate.owner.send(request).await
    };
    let whole = [&said[..], &[("tpoint", "0"), ("zplane", "3")]].concat();
    let labels = special();
    send(&whole, &json!({"image": labels})).await.says("ok");
    assert_eq!(plate.download(1, 3).await.data(), &json!(labels));
    let archive = npz("segmentation.npy", &npy("<i4", 1, false, &random(4)), CompressionMethod::Deflated);
    send(&whole, &json!({"npz_file": archive})).await.says("ok");
    assert_eq!(plate.download(1, 3).await.data(), &json!(random(4)));
    // The body counts first, and each may say a part.
    let body = json!({"image": labels, "zplane": 4, "tpoint": "0", "well_pos_x": null});
    send(&[&said[..], &[("zplane", "3")]].concat(), &body).await.says("ok");
    assert_eq!(plate.download(1, 4).await.data(), &json!(labels));
    assert_eq!(plate.download(1, 3).await.data(), &json!(random(4)));

    let missing = send(&said, &json!({"image": labels})).await.fails(400, "MissingPOSTParameterError");
    assert!(missing.contains("`tpoint`, `zplane`") && !missing.contains("well"), "{missing}");
    let missing = send(&whole, &json!({})).await.fails(400, "MissingPOSTParameterError");
    assert!(missing.contains("`image` or `npz_file`"), "{missing}");
    for wrong in [("tpoint", "first"), ("tpoint", "-1"), ("well_pos_x", "0.5"), ("zplane", "")] {
        let query = [&[wrong], &whole[..]].concat();
        let message = send(&query, &json!({"image": labels})).await.fails(400, "MalformedRequestError");
        assert!(message.contains(wrong.0), "{message}");
    }
}

#[tokio::test]
async fn integers_of_every_kind_are_read_from_archives() {
    let plate = Plate::start(Database::Sqlite).await;
    let mut image = random(5);
    image.iter_mut().flatten().for_each(|label| *label %= 127);
    for (number, descr) in ["|u1", "|i1", "<u2", ">i2", "<i4", ">u4", ">i8", "<u8"].into_iter().enumerate() {
        let version = 1 + (number % 3) as u8;
        let method = [CompressionMethod::Stored, CompressionMethod::Deflated][number % 2];
        for by_columns in [false, true] {
            image[0][0] = number as i64 * 2 + i64::from(by_columns);
            let archive = npz("segmentation.npy", &npy(descr, version, by_columns, &image), method);
            let body = Plate::body(0, 0, "npz_file", json!(archive));
            plate.owner.post(&plate.path(), &body).await.says("ok");
            assert_eq!(plate.download(0, 0).await.data(), &json!(image), "{descr} {version} {by_columns}");
        }
    }
}

#[tokio::test]
async fn what_is_no_label_image_is_refused_with_a_reason_and_changes_nothing() {
    let plate = Plate::start(Database::Sqlite).await;
    let image = special();
    let changed = |y: usize, x: usize, value: Value| {
        let mut json = json!(image);
        json[y][x] = value;
        json
    };
    let ragged = {
        let mut rows = image.clone();
        rows[3].pop();
        json!(rows)
    };
    let stored = |npy: &[u8]| json!(npz("segmentation.npy", npy, CompressionMethod::Deflated));
    let mut negative = image.clone();
    negative[8][2] = -5;
    let mut tall = image.clone();
    tall.push(image[0].clone());
    let good = npy("<i4", 1, false, &image);
    let bomb = [&good[..], &vec![0; 30 << 20]].concat();
    let replaced = |from: &str, to: &str| {
        let text: Vec<u8> = good.clone();
        let at = text.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&text[..at], to.as_bytes(), &text[at + from.len()..]].concat()
    };
    let damaged = {
        use base64::Engine;
        let text = npz("segmentation.npy", &good, CompressionMethod::Stored);
        let mut bytes = base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let at = bytes.windows(6).rposition(|window| window == b"\x93NUMPY").unwrap();
        bytes[at + 200] ^= 1;
        json!(base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    for (key, image, reason) in [
        ("image", changed(8, 2, json!(-5)), "got -5 at row 8, column 2"),
        ("image", changed(0, 7, json!(2_147_483_648_u32)), "got 2147483648 at row 0, column 7"),
        ("image", changed(1, 1, json!(1.5)), "whole number as the label at row 1, column 1"),
        ("image", changed(1, 1, json!(true)), "whole number as the label at row 1, column 1"),
        ("image", changed(1, 1, Value::Null), "whole number as the label at row 1, column 1"),
        ("image", ragged, "row 3 of the label image has 12 labels, those before it have 13"),
        ("image", json!([[1, 2], [3, 4]]), "must be 9 pixels high and 13 wide, got 2 and 2"),
        ("image", json!([]), "must be 9 pixels high and 13 wide, got 0 and 0"),
        ("image", json!([7]), "a list of labels as row 0"),
        ("image", json!("text"), "a list of rows"),
        ("npz_file", json!("no base64!"), "base64"),
        ("npz_file", json!("bm90aGluZw=="), "no readable .npz archive"),
        (
            "npz_file",
            json!(npz("other_name.npy", &good, CompressionMethod::Stored)),
            "no array named `segmentation`",
        ),
        ("npz_file", stored(b"text"), "readable header"),
        ("npz_file", stored(&npy("<i4", 1, false, &negative)), "got -5 at row 8, column 2"),
        ("npz_file", stored(&npy("<i4", 1, true, &negative)), "got -5 at row 8, column 2"),
        (
            "npz_file",
            stored(&npy("<i4", 1, false, &tall)),
            "must be 9 pixels high and 13 wide, got 10 and 13",
        ),
        ("npz_file", stored(&good[..300]), "damaged array"),
        ("npz_file", stored(&bomb), "more values than its header says"),
        ("npz_file", stored(&replaced("<i4", "<f4")), "must hold integers, got values of type <f4"),
        ("npz_file", stored(&replaced("'<i4'", " '|O'")), "must hold integers"),
        ("npz_file", stored(&replaced("(9, 13)", "(9, 13,1)")), "2 dimensions"),
        ("npz_file", damaged, "damaged array"),
    ] {
        let answer = plate.owner.post(&plate.path(), &Plate::body(0, 0, key, image)).await;
        let message = answer.fails(400, "MalformedRequestError");
        assert!(message.contains(reason), "{message}: {reason:?} is wanted");
    }
    let mut both = Plate::body(0, 0, "image", json!(image));
    both["npz_file"] = json!("");
    plate.owner.post(&plate.path(), &both).await.fails(400, "MalformedRequestError");
    let neither = plate.owner.post(&plate.path(), &Plate::body(0, 0, "other", json!(1))).await;
    let message = neither.fails(400, "MissingPOSTParameterError");
    assert!(message.contains("`image` or `npz_file`"), "{message}");
    let mut elsewhere = Plate::body(0, 0, "image", json!(image));
    elsewhere["plate_name"] = json!("a\0b");
    plate.owner.post(&plate.path(), &elsewhere).await.fails(400, "MalformedRequestError");
    elsewhere["plate_name"] = json!("p");
    plate.owner.post(&plate.path(), &elsewhere).await.fails(404, "ResourceNotFoundError");
    let types = plate.owner.get(&format!("{}/mapobject_types", plate.experiment)).await;
    assert_eq!(types.data()[0]["layers"], json!([]), "a refused upload makes no layer");
}

#[tokio::test]
async fn a_body_larger_than_configured_is_refused() {
    let app = TestApp::start_with(|config| config.max_body_bytes = 10_000).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let objects = owner.post(&format!("{experiment}/mapobject_types"), &json!({"name": "Cells"})).await.id();
    let body = Plate::body(0, 0, "image", json!(vec![vec![0; 100]; 100]));
    let answer = owner.post(&format!("{experiment}/mapobject_types/{objects}/segmentations"), &body).await;
    answer.fails(413, "PayloadTooLargeError");
}

#[tokio::test]
async fn types_of_objects_are_made_once_listed_by_name_renamed_and_deleted_with_all_that_is_theirs() {
    let plate = Plate::start(Database::Sqlite).await;
    let (owner, types) = (&plate.owner, format!("{}/mapobject_types", plate.experiment));
    plate.upload(0, 0, &special()).await;
    let again = owner.post(&types, &json!({"name": "Cells"})).await;
    assert_eq!((again.id(), again.data()["layers"].as_array().unwrap().len()), (plate.objects.clone(), 1));
    let nuclei = owner.post(&types.replace("types", "type"), &json!({"name": "Ärger, \"Nuclei\"/2"})).await;
    let expected = json!({"id": "2", "name": "Ärger, \"Nuclei\"/2", "features": [], "layers": []});
    assert_eq!(nuclei.data(), &expected);
    assert_eq!(owner.get(&types).await.all("name"), ["Cells", "Ärger, \"Nuclei\"/2"]);
    let long = json!({"name": "x".repeat(51)});
    owner.post(&types, &long).await.fails(400, "MalformedRequestError");
    owner.put(&format!("{types}/2"), &long).await.fails(400, "MalformedRequestError");
    owner.post(&types, &json!({"name": "é".repeat(50)})).await.id();
    owner.put(&format!("{types}/2"), &json!({"name": "Cells"})).await.fails(409, "IntegrityError");
    owner.put(&format!("{types}/2"), &json!({"name": "Nuclei"})).await.says("ok");
    assert_eq!(owner.get(&types).await.all("name")[..2], ["Cells", "Nuclei"]);
    let reader = plate.app.client(READER).await;
    reader.delete(&format!("{types}/2")).await.fails(403, "ForbiddenError");
    owner.delete(&format!("{types}/{}", plate.objects)).await.says("ok");
    owner.delete(&format!("{types}/{}", plate.objects)).await.fails(404, "ResourceNotFoundError");
    let dump = plate.app.dump().await;
    let left = |table: &str| dump.iter().filter(|row| row.starts_with(&format!("[\"{table}\""))).count();
    assert_eq!(["mapobjects", "segmentations", "segmentation_layers"].map(left), [0, 0, 0]);
    assert_eq!(left("mapobject_types"), 2);
}

#[tokio::test]
async fn names_of_plates_wells_and_sites_are_theirs() {
    let plate = Plate::start(Database::Sqlite).await;
    let (owner, types) = (&plate.owner, format!("{}/mapobject_types", plate.experiment));
    let mut tx = plate.app.app.environment.db.write().await.unwrap();
    tm_server::resources::mapobject::refresh_static(&mut tx, 1).await.unwrap();
    tm_server::resources::mapobject::refresh_static(&mut tx, 1).await.unwrap();
    tx.commit().await.unwrap();
    let listed = owner.get(&types).await;
    assert_eq!(listed.all("name"), ["Cells", "Plates", "Sites", "Wells"]);
    for kind in &listed.data().as_array().unwrap()[1..] {
        let (name, id) = (kind["name"].as_str().unwrap(), kind["id"].as_str().unwrap());
        assert_eq!(
            (&kind["layers"][0]["tpoint"], kind["layers"].as_array().unwrap().len()),
            (&Value::Null, 1)
        );
        owner
            .put(&format!("{types}/{id}"), &json!({"name": "other"}))
            .await
            .fails(400, "MalformedRequestError");
        owner.post(&types, &json!({"name": name})).await.fails(409, "IntegrityError");
        let cells = format!("{types}/{}", plate.objects);
        owner.put(&cells, &json!({"name": name})).await.fails(409, "IntegrityError");
        let path = format!("{types}/{id}/segmentations");
        let answer = owner.post(&path, &Plate::body(0, 0, "image", json!(special()))).await;
        answer.fails(400, "MalformedRequestError");
    }
    // One plate, one well, two sites: made once, and never taken for others.
    let info = async |object: i64| {
        owner.get(&format!("{}/mapobjects/{object}/info", plate.experiment)).await.data().clone()
    };
    let infos = [info(1).await, info(2).await, info(3).await, info(4).await];
    assert_eq!(
        infos.each_ref().map(|info| info["type"].as_str().unwrap()),
        ["Plates", "Wells", "Sites", "Sites"]
    );
    assert_eq!((&infos[0]["well_name"], &infos[1]["well_name"]), (&Value::Null, &json!("B03")));
    assert_eq!((&infos[2]["well_pos_x"], &infos[3]["well_pos_x"]), (&json!(0), &json!(1)));
    assert!(infos.iter().all(|info| info["label"].is_null() && info["plate_name"] == "p/1 \"é\""));
    let missing = owner.get(&format!("{}/mapobjects/5/info", plate.experiment)).await;
    missing.fails(404, "ResourceNotFoundError");
}
