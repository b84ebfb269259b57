//! What the original got wrong (numbers of `reference/workflow.md`, section 9), and the tests that say what is right now.
//! `tests/repo` holds that every number is here and every test named here exists.
//!
//! | defect | right now |
//! |---|---|
//! | 1 grids of one, two, three or a prime number of sites | `any_shape_of_grid_is_found_from_stage_positions` |
//! | 2 wrong grids of common shapes | `any_shape_of_grid_is_found_without_pixel_size` |
//! | 3 sites at one place noticed late, without a cause | `two_sites_at_one_position_are_refused_by_name` |
//! | 4 random grids, a missing plane changes them | `result_does_not_depend_on_the_order_of_files`, `channels_missing_at_some_sites_are_counted_and_named_and_the_rest_is_used` |
//! | 5 layouts by file order, complete rectangles only | `every_layout_numbers_sites_in_its_order`, `well_that_lacks_a_site_keeps_the_places_of_the_others` |
//! | 6 stage positions used for ranking only | `grid_with_holes_and_ragged_outline_keeps_its_gaps`, `overlapping_and_spread_fields_are_placed`; how far fields overlap stays the experiment's setting |
//! | 7 time from the wrong attribute | `time_is_the_time_point_and_not_the_timeline` |
//! | 8 actions collide | `actions_that_share_a_channel_are_channels_of_their_own` |
//! | 9 channel names depend on metadata files | `channels_have_the_same_names_with_and_without_metadata` |
//! | 10 any mismatch aborts, lookup is quadratic | `images_named_in_the_metadata_and_not_uploaded_are_listed_at_once`, `hundred_thousand_files_are_planned_in_a_moment` |
//! | 11 files of several planes | `a_visiview_set_of_stacks_is_stored_plane_by_plane_and_projected` |
//! | 12 VisiView names and `.nd` files | `names_of_channels_may_begin_with_digits_and_hold_spaces_and_hyphens`, `free_text_stage_names_leave_the_well_to_the_file_names`, `number_of_steps_may_be_missing_without_z_series` |
//! | 13 placeholders taken for channel names | `placeholders_in_place_of_channel_names_do_not_make_channels` |
//! | 14 MetaMorph thumbnails, no z and t | `thumbnails_of_every_site_are_refused_and_images_are_not`, `folders_of_time_points_and_focal_planes_are_processed_and_others_left_alone` |
//! | 15 z count used for time | `pages_of_an_ome_tiff_follow_its_order_of_dimensions` |
//! | 16 wells and plate formats | `wells_of_the_largest_plates_have_two_letters`, `wells_are_checked_against_every_plate_format_and_listed` |
//! | 17 wells in OME-TIFF ignored | `companion_file_gives_wells_sites_and_planes_to_files_of_any_name_and_type` |
//! | 18 pixel size, names, colours not kept | `an_ome_tiff_is_stored_by_its_dimensions_with_names_colours_and_pixel_size` |
//! | 19 sites of two sizes end in a retry loop | `images_of_another_size_or_depth_are_listed_before_anything_is_stored` |
//! | 20 linked directories never complete | `a_linked_directory_brings_its_files_complete_and_again_what_is_new` |
//! | 21 pending files of all acquisitions | `registering_answers_for_this_acquisition_only_and_can_be_repeated` |
//! | 22 cycles of a second plate collide | `shifts_are_found_applied_and_replaced_where_there_is_nothing_to_find` |
//! | 23 renumbered time points collide | `time_points_and_later_acquisitions_of_a_plate_are_counted_through` |
//! | 24 time points in any order | `time_points_come_in_their_order_however_the_files_came` |
//! | 25 order of cycles, plates with other channels | `several_acquisitions_and_plates_go_in_by_one_command`, `plates_with_different_channels_make_maps_of_what_each_has` |
//! | 26 mixed bit depths crash the report of them | `acquisitions_of_different_depth_are_refused_by_name` |
//! | 27 crash without an upstream stage | `a_description_may_leave_out_what_was_done_before` |
//! | 28 choices and requirements not checked | `a_wrong_value_is_refused_at_upload_with_stage_step_and_argument` |
//! | 29 stages counted wrongly on resubmission | `a_stage_is_counted_among_the_active_ones` |
//! | 30 two generations of tasks in one tree | `a_resubmitted_workflow_replaces_the_tasks_from_the_stage_on_and_never_shows_two_generations` |
//! | 31 percent of direct children | `percent_counts_jobs_at_the_leaves_and_weighs_steps_alike`, `events_show_a_workflow_until_it_is_over_and_percent_never_goes_down` |
//! | 32 one workflow at a time, and its progress lost | `a_second_workflow_is_refused_while_one_runs`, `a_workflow_of_many_jobs_does_not_keep_a_small_one_waiting`, `an_interrupted_workflow_goes_on_where_it_was` |
//! | 33 fixed memory of init and collect jobs | `what_a_job_asks_for_beyond_the_machine_is_lowered_with_a_warning` |
//! | 34 no retries, no rerun of what failed | `a_failure_that_may_pass_is_tried_again_and_its_reason_is_kept`, `a_job_that_keeps_failing_is_given_up_and_then_only_it_runs_again` |
//! | 35 a new pyramid deletes all objects | `maps_and_metadata_made_again_leave_objects_alone` |
//! | 36 objects of vanished sites stay | `sites_that_another_layout_has_too_keep_their_ids_and_the_others_go`, `a_deleted_acquisition_leaves_nothing_and_takes_nothing_else_along` |
//! | 37 a Java machine per image | does not apply: headers and pixels are read in this process, and no other program is started |
//! | 38 a file per plane in one directory, opened for writing | `field_paths_are_row_column_and_number`, `readers_beside_a_writer_see_whole_planes_only` |
//! | 39 tasks as pickled objects | `a_job_is_stored_as_text_that_a_later_version_can_read` |
//! | 40 limits and exceptions of maps, uneven wells, missing images | `a_given_limit_needs_no_statistics_and_excepted_channels_stay_as_they_are`, `uneven_plates_with_a_missing_image_make_a_map` |
//! | 41 shifts of z planes, pairs by position, missing statistics | `focal_planes_share_a_shift_and_a_missing_site_moves_no_other`, `alignment_of_corrected_images_without_statistics_says_what_to_run` |
//! | 42 one statistics job per channel, overflowing corrections | `the_images_of_a_channel_are_shared_out_among_several_jobs`, `zero_stays_zero_and_bright_pixels_are_clamped` |
//! | 43 unusable grids of wells, cycles without columns | `wells_are_listed_by_name_with_their_grid`, `cycles_are_listed_by_index_with_their_first_time_point` |

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tempfile::TempDir;
use tm_tests::app::TestApp;
use tm_tests::cellvoyager::{PlaneId, PlateFiles, identity_code};
use tm_tests::databases::Database;
use tm_tests::plates::{ALL_STAGES, Experiment, description_of, nodes};

use super::naive::{sites, values};
use super::rerun::{FULL, map_of, maps};

tm_tests::on_each_database![
    flavor = "multi_thread";
    plates_with_different_channels_make_maps_of_what_each_has,
    maps_and_metadata_made_again_leave_objects_alone,
    focal_planes_share_a_shift_and_a_missing_site_moves_no_other,
];

/// Sites of the size that [`map_of`] counts with.
fn files(title: &str) -> PlateFiles {
    PlateFiles::new(title).size(60, 75)
}

#[tokio::test(flavor = "multi_thread")]
async fn time_points_come_in_their_order_however_the_files_came() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let files = PlateFiles::new("late").grid(1, 1).time_points(11).without_metadata();
    let directory = TempDir::new().unwrap();
    let mut names = files.write(directory.path()).unwrap();
    names.reverse();
    let acquisition = experiment.acquisition("plate", "a").await;
    for name in &names {
        let content = std::fs::read(directory.path().join(name)).unwrap();
        assert_eq!(experiment.client.register(&acquisition, &[name]).await.status, 200);
        assert_eq!(experiment.client.upload(&acquisition, name, content).await.status, 200);
    }
    experiment.run(&["image_conversion"], &[]).await;
    for id in files.planes() {
        let t = id.t - 1;
        let query = format!("plate_name=plate&well_name=B03&well_pos_y=0&well_pos_x=0&tpoint={t}&zplane=0");
        let stored = experiment.image("1", &query).await.expect("an image");
        assert!(values(&stored) == values(&files.pixels_of(&id)), "time point {t}");
    }
}

async fn plates_with_different_channels_make_maps_of_what_each_has(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    let plates = [
        files("left").grid(1, 2).channel_numbers(&[1, 2]),
        files("right").grid(1, 2).channel_numbers(&[2, 3]).plate_number(2),
    ];
    experiment.upload("left", "a", &plates[0]).await;
    experiment.upload("right", "a", &plates[1]).await;
    experiment.run(ALL_STAGES, &[]).await;
    let maps = maps(&experiment).await;
    let keys: Vec<_> = maps.keys().map(|(channel, ..)| channel.as_str()).collect();
    assert_eq!(keys, ["1", "2", "3"]);
    let both = map_of(&sites(&[&plates[0], &plates[1]], 2, 1, 1), FULL);
    assert!(maps[&("2".to_owned(), 0, 0)] == both);
    for (channel, plate) in [(1, 0), (3, 1)] {
        // Black where the other plate is.
        let mut shown = sites(&[&plates[0], &plates[1]], 2, 1, 1);
        shown.retain(|site| site.plate != plate);
        shown.iter_mut().for_each(|site| site.values.fill(0));
        let own = sites(&[&plates[plate]], channel, 1, 1).into_iter();
        shown.extend(own.map(|site| super::naive::Site { plate, ..site }));
        assert!(maps[&(channel.to_string(), 0, 0)] == map_of(&shown, FULL), "channel {channel}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn acquisitions_of_different_depth_are_refused_by_name() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "deep", &PlateFiles::new("deep").grid(1, 1)).await;
    experiment.upload("plate", "shallow", &PlateFiles::new("shallow").grid(1, 1).depth(8)).await;
    let outcome = experiment.run_to_end(ALL_STAGES, &[]).await;
    let (job, log) = &outcome.failures[0];
    assert_eq!(job, "metaconfig_collect_0000001");
    for part in ["the first has 24×32 pixels of 16 bit", "\"shallow\" has 24×32 pixels of 8 bit"] {
        assert!(log.contains(part), "`{part}` is not in: {log}");
    }
}

async fn maps_and_metadata_made_again_leave_objects_alone(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::new(&app).await;
    experiment.upload("plate", "a", &files("objects")).await;
    experiment.run(ALL_STAGES, &[]).await;
    let id = experiment.id();
    let cells = app
        .insert(&format!(
            "insert into mapobject_types (experiment_id, name, ref_type) values ({id}, 'Cells', 'Site')"
        ))
        .await;
    app.insert(&format!(
        "insert into segmentation_layers (mapobject_type_id, tpoint, zplane) values ({cells}, 0, 0)"
    ))
    .await;
    let objects = format!("{}/segmentation_layers?mapobject_type_name=Cells", experiment.path);
    let before = experiment.client.get(&objects).await.data().clone();
    assert_eq!(before.as_array().unwrap().len(), 1);
    for stages in [&ALL_STAGES[2..], ALL_STAGES] {
        experiment.run(stages, &[]).await;
        assert_eq!(experiment.client.get(&objects).await.data(), &before, "{stages:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_given_limit_needs_no_statistics_and_excepted_channels_stay_as_they_are() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let plate = files("limits").channels(2);
    experiment.upload("plate", "a", &plate).await;
    experiment.run(&["image_conversion"], &[]).await;
    let clip = [("illuminati", "clip", json!(true)), ("illuminati", "clip_value", json!(30_000))];
    experiment.run(&["pyramid_creation"], &clip).await;
    let maps_of = async || maps(&experiment).await;
    let raw = |channel| map_of(&sites(&[&plate], channel, 1, 1), (0, 30_000));
    let key = |channel: u32| (channel.to_string(), 0, 0);
    let uncorrected = maps_of().await;
    assert!((1..=2).all(|channel| uncorrected[&key(channel)] == raw(channel)));

    experiment.run(&["image_preprocessing"], &[]).await;
    let full =
        [("illuminati", "illumcorr", json!(true)), ("illuminati", "illumcorr_exceptions", json!(" 2 "))];
    experiment.run(&["pyramid_creation"], &full).await;
    let corrected = maps_of().await;
    assert!(corrected[&key(2)] == map_of(&sites(&[&plate], 2, 1, 1), FULL), "as it is");
    assert!(corrected[&key(1)] != map_of(&sites(&[&plate], 1, 1, 1), FULL), "corrected");
}

#[tokio::test(flavor = "multi_thread")]
async fn uneven_plates_with_a_missing_image_make_a_map() {
    let app = TestApp::start().await;
    let experiment = Experiment::new(&app).await;
    let missing = |id: &PlaneId| (id.well.as_str(), id.channel, id.y, id.x) == ("B03", 2, 0, 1);
    let first = || files("first").wells(&["B03", "C05", "D03"]).channels(2);
    let second = files("second").wells(&["B04"]).channels(2).plate_number(2);
    let directory = TempDir::new().unwrap();
    for name in first().write(directory.path()).unwrap() {
        let is_missing = first().planes().iter().any(|id| missing(id) && first().file_name(id) == name);
        if is_missing || name.starts_with("Measurement") {
            std::fs::remove_file(directory.path().join(name)).unwrap();
        }
    }
    experiment.upload_directory("first", "a", directory.path()).await;
    experiment.upload("second", "a", &second.without_metadata()).await;
    let snake = [
        ("metaconfig", "n_vertical", json!(2)),
        ("metaconfig", "n_horizontal", json!(2)),
        ("metaconfig", "stitch_layout", json!("zigzag_horizontal")),
    ];
    experiment.run(ALL_STAGES, &snake).await;
    let second = files("second").wells(&["B04"]).channels(2).plate_number(2);
    let maps = maps(&experiment).await;
    let shown = |channel: u32| sites(&[&first(), &second], channel, 1, 1);
    assert!(maps[&("1".to_owned(), 0, 0)] == map_of(&shown(1), FULL));
    let mut without = shown(2);
    without.retain(|site| (site.plate, site.well.as_str(), site.y, site.x) != (0, "B03", 0, 1));
    assert_eq!(without.len(), shown(2).len() - 1);
    assert!(maps[&("2".to_owned(), 0, 0)] == map_of(&without, FULL));
}

/// A cycle whose images lie two pixels further down and to the right in the scene than those of the one before.
fn shifted(cycle: u32) -> PlateFiles {
    let value = move |id: &PlaneId, row: usize, column: usize| {
        let by = 2 * (cycle as usize - 1);
        identity_code(&PlaneId { t: 1, plate: 1, ..id.clone() }, row + by, column + by)
    };
    PlateFiles::new("shifted").size(96, 120).z_planes(2).plate_number(cycle).values(value)
}

async fn focal_planes_share_a_shift_and_a_missing_site_moves_no_other(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = Experiment::multiplexing(&app, "cycles").await;
    experiment.upload("plate", "one", &shifted(1)).await;
    experiment.upload("plate", "two", &shifted(2).hole("B03", 0, 1)).await;
    let align = [("align", "ref_cycle", json!(0)), ("align", "ref_wavelength", json!("1"))];
    experiment.run(&ALL_STAGES[..2], &align).await;
    let answer = experiment.client.get(&format!("{}/sites", experiment.path)).await;
    let places: BTreeMap<String, (i64, i64)> = answer
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|site| {
            let place = (site["y"].as_i64().unwrap(), site["x"].as_i64().unwrap());
            (site["id"].as_str().unwrap().to_owned(), place)
        })
        .collect();
    let alignment = experiment.client.get(&format!("{}/alignment", experiment.path)).await.data().clone();
    let shifts = alignment["shifts"].as_array().unwrap();
    assert_eq!(shifts.len(), 8, "one a site and cycle, however many focal planes");
    for shift in shifts.iter().filter(|shift| shift["cycle_index"] == 1) {
        let is_missing = places[shift["site_id"].as_str().unwrap()] == (0, 1);
        assert_eq!((&shift["y"], &shift["x"]), (&json!(2), &json!(2)), "{shift}");
        assert_eq!(shift["source"], if is_missing { "well" } else { "measured" }, "{shift}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn alignment_of_corrected_images_without_statistics_says_what_to_run() {
    let app = TestApp::start().await;
    let experiment = Experiment::multiplexing(&app, "cycles").await;
    for (cycle, name) in [(1, "one"), (2, "two")] {
        experiment.upload("plate", name, &shifted(cycle)).await;
    }
    experiment.run(&["image_conversion"], &[]).await;
    let align = [
        ("align", "ref_cycle", json!(0)),
        ("align", "ref_wavelength", json!("1")),
        ("align", "illumcorr", json!(true)),
    ];
    let mut only = description_of("multiplexing", &["image_preprocessing"], &align);
    for step in only["stages"][0]["steps"].as_array_mut().unwrap() {
        step["active"] = json!(step["name"] == "align");
    }
    assert_eq!(experiment.submit(&only).await.status, 200);
    let outcome = experiment.wait().await;
    let Some((job, log)) = outcome.failures.first() else { panic!("{:#}", outcome.tree) };
    assert_eq!(job, "align_run_0000001");
    assert!(log.contains("run corilla first"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_images_of_a_channel_are_shared_out_among_several_jobs() {
    let directory = TempDir::new().unwrap();
    let root = directory.path().canonicalize().unwrap();
    PlateFiles::new("many").grid(13, 20).size(8, 8).write(&root.join("plate")).unwrap();
    let app = TestApp::start_with(|config| config.import_roots = vec![root.clone()]).await;
    let experiment = Experiment::new(&app).await;
    let acquisition = experiment.acquisition("plate", "a").await;
    let body = json!({"path": root.join("plate")});
    experiment.client.post(&format!("{acquisition}/register"), &body).await.says("ok");
    let tree = experiment.run(&ALL_STAGES[..2], &[]).await;
    let jobs = nodes(&tree).into_iter().filter(|node| is_run_job(node, "corilla")).count();
    assert_eq!(jobs, 2);
    let kept = "select cast(images as text) from illumination_statistics";
    assert_eq!(app.texts(kept).await, ["260"], "one set over all, no parts");
}

fn is_run_job(node: &Value, step: &str) -> bool {
    node["type"] == "RunJob" && node["name"].as_str().unwrap().starts_with(step)
}
