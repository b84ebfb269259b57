//! Acquisitions of VisiView and MetaXpress, from their files to stored pixels.
//!
//! Defects of the original that are right now: 11 (every plane of a file is read, with and without projection), 14
//! (thumbnails; folders of time points and focal planes), 20 (a linked directory is complete with its metadata).

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::TestApp;
use tm_tests::contents::files_below;
use tm_tests::plates::Experiment;

use super::naive::values;

const HEIGHT: usize = 12;
const WIDTH: usize = 20;

/// Pixels that say which plane they are of: no plane is the brightest everywhere.
fn pixels(identity: usize, plane: usize) -> Vec<u16> {
    let value = |i: usize| 1000 * identity + 300 * ((i + plane) % 3) + i % 7;
    (0..HEIGHT * WIDTH).map(|i| u16::try_from(value(i)).unwrap()).collect()
}

/// A little-endian TIFF of one strip; several planes follow each other behind one directory.
fn stack(planes: &[Vec<u16>]) -> Vec<u8> {
    described(planes, "")
}

/// A stack with a description (tag 270).
fn described(planes: &[Vec<u16>], description: &str) -> Vec<u8> {
    let bytes: Vec<u8> = planes.concat().iter().flat_map(|value| value.to_le_bytes()).collect();
    let strip = HEIGHT * WIDTH * 2;
    let counts_at = 8 + bytes.len();
    let text_at = counts_at + 8 * planes.len();
    let directory = text_at + description.len();
    let mut tags = vec![
        (256_u16, 4_u16, 1, WIDTH),
        (257, 4, 1, HEIGHT),
        (258, 3, 1, 16),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, HEIGHT),
        (279, 4, 1, strip),
    ];
    if planes.len() > 1 {
        tags.push((33629, 5, planes.len(), counts_at));
    }
    if !description.is_empty() {
        tags.push((270, 2, description.len(), text_at));
    }
    tags.sort();
    let number = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut file =
        [b"II*\0".as_slice(), &number(directory), &bytes, &vec![0; 8 * planes.len()], description.as_bytes()]
            .concat();
    file.extend(u16::try_from(tags.len()).unwrap().to_le_bytes());
    for (tag, kind, count, value) in tags {
        file.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        file.extend([number(count), number(value)].concat());
    }
    file.extend([0; 4]);
    file
}

fn write(directory: &Path, name: &str, bytes: &[u8]) {
    let path = directory.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// What a field image says of its steps in time, channel, z, y and x.
fn scale_of(experiment: &Experiment<'_>, field: &str) -> Value {
    let files = files_below(&experiment.directory());
    let end = format!("{field}/zarr.json");
    let (_, image) = files.iter().find(|(path, _)| path.ends_with(&end)).expect("an image");
    let image: Value = serde_json::from_slice(image).unwrap();
    image["attributes"]["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
        .clone()
}

const ND: &str = "\"NDInfoFile\", Version 1.0\r\n\"DoStage\", TRUE\r\n\"NStagePositions\", 4\r\n\
    \"Stage1\", \"row:B,column:3,site:1\"\r\n\"Stage2\", \"row:B,column:3,site:2\"\r\n\
    \"Stage3\", \"row:C,column:4,site:3\"\r\n\"Stage4\", \"row:C,column:4,site:4\"\r\n\
    \"DoWave\", TRUE\r\n\"NWavelengths\", 2\r\n\"WaveName1\", \"sdcDAPI\"\r\n\"WaveName2\", \"2-488 GFP\"\r\n\
    \"DoZSeries\", TRUE\r\n\"NZSteps\", 3\r\n\"ZStepSize\", 0,5\r\n\"EndFile\"\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_visiview_set_of_stacks_is_stored_plane_by_plane_and_projected() {
    let directory = TempDir::new().unwrap();
    for (channel, wave) in ["w1sdcDAPI", "w22-488 GFP"].iter().enumerate() {
        for site in 1..=4 {
            let planes: Vec<_> = (0..3).map(|plane| pixels(10 * channel + site, plane)).collect();
            write(directory.path(), &format!("set_{wave}_s{site}.stk"), &stack(&planes));
        }
    }
    write(directory.path(), "set.nd", ND.as_bytes());
    let app = TestApp::start().await;
    let experiment = Experiment::of_microscope(&app, "stacks", "visiview", 96).await;
    let acquisition = experiment.upload_directory("plate", "a", directory.path()).await;
    assert_eq!(experiment.client.get(&acquisition).await.data()["status"], "COMPLETE");
    let grid = [("metaconfig", "n_vertical", json!(1)), ("metaconfig", "n_horizontal", json!(2))];
    let place = |well: &str, x: usize, z: usize| {
        format!("plate_name=plate&well_name={well}&well_pos_y=0&well_pos_x={x}&tpoint=0&zplane={z}")
    };
    let sites = [("B03", 0, 1), ("B03", 1, 2), ("C04", 0, 3), ("C04", 1, 4)];

    experiment.run(&["image_conversion"], &grid).await;
    for (channel, name) in ["sdcDAPI", "2-488_GFP"].iter().enumerate() {
        for (well, x, site) in sites {
            for z in 0..3 {
                let stored = experiment.image(name, &place(well, x, z)).await.expect("an image");
                assert!(values(&stored) == pixels(10 * channel + site, z), "{name} {well} {x} plane {z}");
            }
        }
    }
    assert_eq!(scale_of(&experiment, "B/03/0"), json!([1.0, 1.0, 0.5, 1.0, 1.0]), "the step of the .nd file");

    let projected = [grid.as_slice(), &[("metaconfig", "mip", json!(true))]].concat();
    experiment.run(&["image_conversion"], &projected).await;
    for (well, x, site) in sites {
        let stored = experiment.image("2-488_GFP", &place(well, x, 0)).await.expect("an image");
        let brightest: Vec<u16> = (0..HEIGHT * WIDTH)
            .map(|i| (0..3).map(|plane| pixels(10 + site, plane)[i]).max().unwrap())
            .collect();
        assert!(values(&stored) == brightest, "{well} {x} projected");
        assert!(experiment.image("2-488_GFP", &place(well, x, 1)).await.is_none(), "one plane is left");
    }
    assert_eq!(scale_of(&experiment, "B/03/0"), json!([1.0, 1.0, 1.0, 1.0, 1.0]), "a projection has no step");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ome_tiff_is_stored_by_its_dimensions_with_names_colours_and_pixel_size() {
    const OME: &str = "<OME><Image ID=\"Image:0\"><Pixels DimensionOrder=\"XYCZT\" SizeZ=\"3\" SizeC=\"2\" \
        SizeT=\"2\" PhysicalSizeX=\"0.25\" PhysicalSizeZ=\"500\" PhysicalSizeZUnit=\"nm\" TimeIncrement=\"2.5\" \
        TimeIncrementUnit=\"min\"><Channel Name=\"DAPI\" Color=\"65535\"/><Channel Name=\"GFP\"/>\
        <TiffData/></Pixels></Image></OME>";
    let directory = TempDir::new().unwrap();
    let planes: Vec<_> = (0..12).map(|plane| pixels(plane, plane)).collect();
    write(directory.path(), "set_B03.ome.tif", &described(&planes, OME));
    let app = TestApp::start().await;
    let experiment = Experiment::of_microscope(&app, "ome", "visiview", 96).await;
    experiment.upload_directory("plate", "a", directory.path()).await;
    experiment.run(&["image_conversion"], &[]).await;
    for (c, name) in ["DAPI", "GFP"].iter().enumerate() {
        for (t, z) in [(0, 0), (0, 2), (1, 1)] {
            let query =
                format!("plate_name=plate&well_name=B03&well_pos_y=0&well_pos_x=0&tpoint={t}&zplane={z}");
            let stored = experiment.image(name, &query).await.expect("an image");
            let page = c + 2 * z + 6 * t;
            assert!(values(&stored) == pixels(page, page), "{name}, t {t}, z {z}");
        }
    }
    let files = files_below(&experiment.directory());
    let (_, image) = files.iter().find(|(path, _)| path.ends_with("B/03/0/zarr.json")).expect("an image");
    let ome = serde_json::from_slice::<Value>(image).unwrap()["attributes"]["ome"].take();
    let channels = &ome["omero"]["channels"];
    assert_eq!((&channels[0]["label"], &channels[0]["color"]), (&json!("DAPI"), &json!("0000FF")));
    assert_eq!((&channels[1]["label"], &channels[1]["color"]), (&json!("GFP"), &json!("FFFFFF")));
    assert_eq!(scale_of(&experiment, "B/03/0"), json!([150.0, 1.0, 0.5, 0.25, 0.25]));
    let axes = &ome["multiscales"][0]["axes"];
    assert_eq!((&axes[0]["unit"], &axes[2]["unit"]), (&json!("second"), &json!("micrometer")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_metaxpress_directory_brings_its_folders_and_nothing_from_elsewhere() {
    const GUID: &str = "E94C24BD-45E4-450A-9919-257C714278F7";
    let directory = TempDir::new().unwrap();
    let base = directory.path().canonicalize().unwrap();
    let root = base.join("root");
    for t in 1..=2 {
        for z in 1..=2 {
            for site in [1, 12] {
                let folder = format!("plate/TimePoint_{t}/ZStep_{z}");
                let image = stack(&[pixels(10 * t + site, z)]);
                write(&root, &format!("{folder}/set_C07_s{site}_w1{GUID}.tif"), &image);
                write(&root, &format!("{folder}/set_C07_s{site}_w1_thumb{GUID}.tif"), &image);
            }
        }
    }
    write(&root, "plate/elsewhere/set_C07_s1_w1.tif", b"not looked at");
    write(&root, "plate/TimePoint_1/ZStep_1/ZStep_1/set_C07_s1_w1.tif", b"too deep");
    write(&base, "outside/set_C07_s1_w1.tif", b"out of reach");
    #[cfg(unix)]
    std::os::unix::fs::symlink(base.join("outside"), root.join("plate/TimePoint_3")).unwrap();
    let before = files_below(&root);

    let app = TestApp::start_with(|config| config.import_roots = vec![root.clone()]).await;
    let experiment = Experiment::of_microscope(&app, "folders", "metamorph", 96).await;
    let acquisition = experiment.acquisition("plate", "a").await;
    let body = json!({"path": root.join("plate")});
    experiment.client.post(&format!("{acquisition}/register"), &body).await.says("ok");
    assert_eq!(experiment.client.get(&acquisition).await.data()["status"], "COMPLETE");
    let names = experiment.client.get(&format!("{acquisition}/images")).await.all("name");
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(names[0], json!(format!("TimePoint_1/ZStep_1/set_C07_s12_w1{GUID}.tif")));

    let grid = [("metaconfig", "n_vertical", json!(2)), ("metaconfig", "n_horizontal", json!(1))];
    experiment.run(&["image_conversion"], &grid).await;
    for t in 0..2 {
        for z in 0..2 {
            for (y, site) in [(0, 1), (1, 12)] {
                let query = format!(
                    "plate_name=plate&well_name=C07&well_pos_y={y}&well_pos_x=0&tpoint={t}&zplane={z}"
                );
                let stored = experiment.image("1", &query).await.expect("an image");
                assert!(values(&stored) == pixels(10 * (t + 1) + site, z + 1), "site {site}, t {t}, z {z}");
            }
        }
    }
    assert!(files_below(&root) == before, "nothing is changed");
}
