//! A plate whose files lie on the server already: linked, processed, left alone.

use std::fs;

use serde_json::json;
use tempfile::TempDir;
use tm_tests::app::{Client, TestApp};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::contents::files_below;
use tm_tests::plates::{ALL_STAGES, Experiment, description};
use tm_tests::program::Program;

use super::crash::until_over;

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

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_leads_out_of_the_import_roots_by_now_is_not_followed() {
    use std::os::unix::fs::symlink;

    let directory = TempDir::new().unwrap();
    let base = directory.path().canonicalize().unwrap();
    let (root, plate) = (base.join("root"), base.join("root/plate"));
    let files = PlateFiles::new("led").grid(1, 2);
    files.write(&plate).unwrap();
    let app = TestApp::start_with(|config| config.import_roots = vec![root.clone()]).await;
    let experiment = Experiment::new(&app).await;
    let acquisition = experiment.acquisition("plate", "a").await;
    experiment.client.post(&format!("{acquisition}/register"), &json!({"path": plate})).await.says("ok");
    experiment.run(ALL_STAGES, &[]).await;
    let wanted = experiment.all_tiles(&experiment.only_layer().await).await;

    // Elsewhere below the root is as good.
    let name = &files.image_names()[1];
    fs::rename(plate.join(name), root.join("moved.tif")).unwrap();
    symlink(root.join("moved.tif"), plate.join(name)).unwrap();
    experiment.run(ALL_STAGES, &[]).await;
    assert!(experiment.all_tiles(&experiment.only_layer().await).await == wanted);

    for (moved, job) in [(name.as_str(), "metaextract_run"), ("MeasurementData.mlf", "metaextract_init")] {
        let inside = plate.join(moved).canonicalize().unwrap();
        fs::rename(&inside, base.join(moved)).unwrap();
        fs::remove_file(plate.join(moved)).unwrap_or_default();
        symlink(base.join(moved), plate.join(moved)).unwrap();
        let outcome = experiment.run_to_end(ALL_STAGES, &[]).await;
        let (failed, log) = &outcome.failures[0];
        assert!(failed.starts_with(job), "{:?}", outcome.failures);
        assert!(log.contains(moved) && log.contains("not below an import root"), "{log}");
        assert!(log.contains("`import_roots`"), "{log}");
        fs::remove_file(plate.join(moved)).unwrap();
        fs::rename(base.join(moved), plate.join(moved)).unwrap();
    }
    experiment.run(ALL_STAGES, &[]).await;
    assert!(experiment.all_tiles(&experiment.only_layer().await).await == wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_whose_import_root_was_taken_back_is_not_read_any_more() {
    let directory = TempDir::new().unwrap();
    let root = directory.path().canonicalize().unwrap().join("root");
    PlateFiles::new("taken").grid(1, 1).write(&root.join("plate")).unwrap();
    let program = Program::new(directory.path());
    program.run_with_input(&["user", "add", "ann", "--password-stdin"], "correct horse\n").succeeds();
    let server = program.with("TMSERVER_IMPORT_ROOTS", root.to_str().unwrap()).serve();
    let client = Client::of(&server.base).logged_in("ann", "correct horse").await.unwrap();
    let body = json!({
        "name": "e",
        "workflow_type": "canonical",
        "microscope_type": "cellvoyager",
        "plate_format": 96,
        "plate_acquisition_mode": "basic",
    });
    let experiment = format!("/api/experiments/{}", client.post("/api/experiments", &body).await.id());
    client.post(&format!("{experiment}/plates"), &json!({"name": "p"})).await.id();
    let body = json!({"plate_name": "p", "name": "a"});
    let acquisition = client.post(&format!("{experiment}/acquisitions"), &body).await.id();
    let register = format!("{experiment}/acquisitions/{acquisition}/register");
    client.post(&register, &json!({"path": root.join("plate")})).await.says("ok");
    let body = json!({"description": description(ALL_STAGES, &[])});
    assert_eq!(client.post(&format!("{experiment}/workflow/submit"), &body).await.status, 200);
    assert_eq!(until_over(&client, &experiment).await.unwrap()["exitcode"], 0);
    assert!(server.stop().success());

    let server = program.serve();
    let client = Client::of(&server.base).logged_in("ann", "correct horse").await.unwrap();
    assert_eq!(client.post(&format!("{experiment}/workflow/submit"), &body).await.status, 200);
    let tree = until_over(&client, &experiment).await.unwrap();
    let failed = tm_tests::plates::nodes(&tree).into_iter().find(|node| node["reason"].is_string()).unwrap();
    assert_eq!((&failed["name"], &failed["exitcode"]), (&json!("metaextract_init_0000001"), &json!(1)));
    let reason = failed["reason"].as_str().unwrap();
    for part in
        ["MeasurementData.mlf", "not below an import root", "setting `import_roots`, which names none"]
    {
        assert!(reason.contains(part), "`{part}` is not in: {reason}");
    }
}
