//! Logs that people can act on: which plate, well, site, channel and plane, which file, and why.

use std::fs;

use tm_tests::app::TestApp;
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::plates::{ALL_STAGES, Experiment, nodes};

/// What the jobs of a step's run phase warned of.
async fn warnings(experiment: &Experiment<'_>, step: &str) -> String {
    let tree = experiment.status(9).await;
    let mut text = String::new();
    for job in nodes(&tree).iter().filter(|node| node["type"] == "RunJob") {
        if job["name"].as_str().unwrap().starts_with(step) {
            text += &experiment.log(job["id"].as_str().unwrap()).await.1;
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pyramid_step_names_every_site_that_stays_black_and_says_why() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let files = PlateFiles::new("black").wells(&["B03"]).channels(2).without_metadata();
    // The last field of the snake is on the left of the second row.
    let files = files.without_files(|id| id.channel == 2 && (id.y, id.x) == (1, 0));
    experiment.upload("p one", "a", &files).await;
    let grid = [("metaconfig", "n_vertical", 2.into()), ("metaconfig", "n_horizontal", 2.into())];
    let snake = [grid.as_slice(), &[("metaconfig", "stitch_layout", "zigzag_horizontal".into())]].concat();
    experiment.run(&["image_conversion"], &snake).await;
    app.sql("update channel_images set stored = false where site_id = (select min(id) from sites)").await;
    let one =
        "select channel_images.field || '/0/c/' || t_index || '/' || c_index || '/' || z_index || '/0/0'
         from channel_images join sites on sites.id = site_id join channels on channels.id = channel_id
         where channels.name = '1' and y = 0 and x = 1";
    let plate = fs::read_dir(experiment.directory().join("plates")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(plate.join(app.texts(one).await.remove(0))).unwrap();

    experiment.run(&["pyramid_creation"], &[]).await;
    let warned = warnings(&experiment, "illuminati").await;
    let place = |y: u32, x: u32, channel: u32| {
        format!(
            "plate \"p one\", well B03, site y {y} x {x}, channel \"{channel}\", time point 0, focal plane 0: "
        )
    };
    for (y, x, channel, why) in [
        (0, 0, 1, "its pixels are not stored"),
        (0, 0, 2, "its pixels are not stored"),
        (0, 1, 1, "its pixels are gone from the disk"),
        (1, 0, 2, "no image file shows it"),
    ] {
        let line = format!("{}stays black, {why}", place(y, x, channel));
        assert!(warned.contains(&line), "`{line}` is not in: {warned}");
    }
    assert_eq!(warned.matches("stays black").count(), 4, "{warned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_names_twenty_sites_and_counts_the_others() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &PlateFiles::new("many").grid(5, 5)).await;
    experiment.run(&["image_conversion"], &[]).await;
    app.sql("update channel_images set stored = false where id > (select min(id) from channel_images)").await;
    experiment.run(&["pyramid_creation"], &[]).await;
    let warned = warnings(&experiment, "illuminati").await;
    assert_eq!(warned.matches("stays black").count(), 20, "{warned}");
    assert!(warned.contains("and 4 more sites stay black"), "{warned}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_any_more_is_named_with_the_site_it_shows() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let files = PlateFiles::new("lost").grid(1, 2);
    let acquisition = experiment.upload("plate", "a", &files).await;
    experiment.run(ALL_STAGES, &[]).await;
    let lost = &files.image_names()[1];
    let id = acquisition.rsplit('/').next().unwrap();
    fs::remove_file(experiment.directory().join("uploads").join(id).join(lost)).unwrap();
    app.sql("update tasks set state = 'NEW', exitcode = null where name = 'imextract_run_0000001'").await;
    app.sql("update tasks set state = 'RUNNING', exitcode = null where name in ('imextract_run', 'imextract', 'image_conversion') or parent_id is null").await;
    assert_eq!(app.app.workflows.resume().await.unwrap(), 1);
    assert_eq!(experiment.wait().await.tree["exitcode"], 70);
    let warned = warnings(&experiment, "imextract").await;
    let site =
        "plate \"plate\", well B03, site y 0 x 1, channel \"1\", time point 0, focal plane 0: not stored, ";
    for part in [site, lost] {
        assert!(warned.contains(part), "`{part}` is not in: {warned}");
    }
}
