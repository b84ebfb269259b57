//! A plate whose files lie on the server already: linked, processed, left alone.

use serde_json::json;
use tempfile::TempDir;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::files_below;
use tm_tests::plates::{ALL_STAGES, Experiment};

#[tokio::test(flavor = "multi_thread")]
async fn a_linked_plate_gives_the_same_map_as_an_uploaded_one_and_loses_no_file() {
    let directory = TempDir::new().unwrap();
    let root = directory.path().canonicalize().unwrap();
    let plate = PlateFiles::new("linked").wells(&["B03", "C05"]).grid(1, 2).size(40, 50).with_foreign_files();
    plate.write(&root.join("plate")).unwrap();
    let before = files_below(&root);
    let app = TestApp::start_with(|config| config.import_roots = vec![root.clone()]).await;

    let uploaded = Experiment::new(&app).await;
    uploaded.upload("plate", "a", &plate).await;
    uploaded.run(ALL_STAGES, &[]).await;
    let wanted = uploaded.all_tiles(&uploaded.only_layer().await).await;

    let linked = Experiment::named(&app, "linked", 384).await;
    let acquisition = linked.acquisition("plate", "a").await;
    let body = json!({"path": root.join("plate")});
    linked.client.post(&format!("{acquisition}/register"), &body).await.says("ok");
    let tree = linked.run(ALL_STAGES, &[("imextract", "delete", json!(true))]).await;
    assert!(linked.all_tiles(&linked.only_layer().await).await == wanted);
    assert!(linked.uploads().is_empty(), "nothing is copied");
    assert!(files_below(&root) == before, "nothing is deleted");
    let collect =
        tm_tests::plates::nodes(&tree).into_iter().find(|node| node["name"] == "imextract_collect_0000001");
    let (_, stderr) = linked.log(collect.unwrap()["id"].as_str().unwrap()).await;
    assert!(stderr.contains("only linked: not deleted"), "{stderr}");

    // Again, from the same files; then without the experiment.
    linked.run(ALL_STAGES, &[]).await;
    linked.client.delete(&linked.path).await.says("ok");
    assert!(files_below(&root) == before);
}
