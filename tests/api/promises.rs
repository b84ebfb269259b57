//! What was wrong in the original server, by the numbers of the contract (F: defects, X: security), and the tests that
//! show what holds here instead. Those about map objects, features, label values, tools and the pipeline editor (F5, F6,
//! F10, F16 to F18, F20, F24, F25, F27, X2, X7, X9, X11, X15) are where those routes are tested.

use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::json;
use tm_server::config::Settings;
use tm_server::http::FileName;
use tm_server::resources::experiment::sharing;
use tm_tests::app::{OWNER, READER, TestApp};

/// Number, what holds now, and the tests that show it.
const KEPT: &[(&str, &str, &[&str])] = &[
    ("F1", "plates are filtered by name", &["plates_are_filtered_by_exact_name"]),
    ("F2", "a channel can be fetched", &["channels_are_listed_by_name_with_their_layers"]),
    ("F3", "cycles have index and time point", &["cycles_are_listed_by_index_with_their_first_time_point"]),
    ("F4", "segmentation layers are filtered", &["segmentation_layers_are_listed_and_filtered"]),
    (
        "F7",
        "a failed upload can be repeated",
        &["a_client_that_hangs_up_leaves_no_file_and_no_stuck_row", "a_form_that_ends_early_stores_nothing"],
    ),
    (
        "F8",
        "registering answers for this acquisition",
        &["registering_answers_for_this_acquisition_only_and_can_be_repeated"],
    ),
    (
        "F9",
        "what is missing is 404, what is malformed 400",
        &[
            "an_acquisition_of_an_unknown_plate_is_404",
            "correction_without_statistics_fails_and_says_what_to_run",
        ],
    ),
    ("F11", "a refused experiment leaves nothing", &["an_unsupported_value_is_malformed_and_leaves_nothing"]),
    (
        "F12",
        "a missing name is 400",
        &[
            "missing_keys_are_named_by_the_method_that_misses_them",
            "a_name_that_is_null_or_empty_renames_nothing",
        ],
    ),
    (
        "F13",
        "only the newest tasks are shown",
        &["a_resubmitted_workflow_replaces_the_tasks_from_the_stage_on_and_never_shows_two_generations"],
    ),
    (
        "F14",
        "stages count among the active ones",
        &[
            "a_stage_is_counted_among_the_active_ones",
            "what_cannot_be_resubmitted_is_refused_and_nothing_changes",
        ],
    ),
    (
        "F15",
        "a description without its upstream stage is judged",
        &["a_description_may_leave_out_what_was_done_before"],
    ),
    ("F19", "a well without sites has the grid [0, 0]", &["wells_are_listed_by_name_with_their_grid"]),
    (
        "F21",
        "1 is true, and what is no integer is 400",
        &[
            "a_flag_is_true_in_every_spelling_and_false_otherwise",
            "every_caller_gets_the_answer_of_the_rule_on_every_route",
        ],
    ),
    ("F22", "an unknown id is 404", &["every_caller_gets_the_answer_of_the_rule_on_every_route"]),
    (
        "F23",
        "deletions take along all that belongs to the thing",
        &[
            "a_deleted_plate_leaves_nothing_and_the_map_shows_the_other_one",
            "a_deleted_acquisition_leaves_nothing_and_takes_nothing_else_along",
            "a_deleted_experiment_leaves_nothing_at_all",
        ],
    ),
    (
        "F26",
        "HEAD, malformed JSON and unknown routes have the envelope",
        &[
            "head_has_the_headers_of_get_and_changes_nothing",
            "a_body_that_is_no_json_object_is_malformed",
            "an_unknown_path_and_a_wrong_method_have_the_envelope",
        ],
    ),
    (
        "F28",
        "a submission is its caller's, and one runs at a time",
        &["a_submission_belongs_to_whoever_submitted_it", "a_second_workflow_is_refused_while_one_runs"],
    ),
    ("X1", "tiles need the right to read", &["tiles_need_the_right_to_read"]),
    (
        "X3",
        "a job's log belongs to its experiment",
        &["every_caller_gets_the_answer_of_the_rule_on_every_route"],
    ),
    ("X4", "readers change nothing", &["every_caller_gets_the_answer_of_the_rule_on_every_route"]),
    ("X5", "readers may count uploads", &["every_caller_gets_the_answer_of_the_rule_on_every_route"]),
    (
        "X6",
        "only its owner deletes an experiment",
        &["every_caller_gets_the_answer_of_the_rule_on_every_route"],
    ),
    (
        "X8",
        "only directories below import roots are linked",
        &[
            "only_directories_below_an_import_root_are_linked_whatever_links_lead_elsewhere",
            "without_import_roots_nothing_is_linked",
        ],
    ),
    (
        "X10",
        "no well-known key, 401 for failed logins, and a throttle",
        &[
            "the_well_known_key_is_refused",
            "a_wrong_password_and_an_unknown_user_are_refused_alike",
            "after_some_failures_an_address_waits_twice_as_long_each_time_even_with_the_right_password",
        ],
    ),
    (
        "X12",
        "tokens can be revoked",
        &[
            "a_revoked_token_is_rejected_with_401_and_the_next_login_counts",
            "ended_sessions_are_over_at_once_and_those_of_others_go_on",
        ],
    ),
    ("X13", "file names in headers hold nothing but plain characters", &["a_file_name_in_a_header_is_plain"]),
    ("X14", "names of files are secured", &["names_are_secured_and_equal_ones_merged"]),
];

/// All tests of this crate that are functions, as text.
fn tests_as_text() -> String {
    let mut text = String::new();
    let mut left = vec![Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text += &fs::read_to_string(path).unwrap();
            }
        }
    }
    text
}

#[test]
fn every_promise_is_shown_by_tests_that_exist() {
    let text = tests_as_text();
    for (number, promise, tests) in KEPT {
        assert!(!tests.is_empty(), "{number}: nothing shows that {promise}");
        for test in *tests {
            assert!(text.contains(&format!("fn {test}(")), "{number} ({promise}): there is no test {test}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_null_or_empty_renames_nothing() {
    let app = TestApp::start().await;
    let (experiment, acquisition) = app.acquisition().await;
    app.insert("insert into channels (experiment_id, name, wavelength, bit_depth) values (1, 'a', 'a', 16)")
        .await;
    let owner = app.client(OWNER).await;
    for path in [
        experiment.clone(),
        format!("{experiment}/plates/1"),
        acquisition,
        format!("{experiment}/channels/1"),
    ] {
        let before = owner.get(&path).await;
        for body in [json!({}), json!({"name": null})] {
            owner.put(&path, &body).await.fails(400, "MissingPUTParameterError");
        }
        for name in ["", "  ", "a\nb", &"x".repeat(257)] {
            owner.put(&path, &json!({"name": name})).await.fails(400, "MalformedRequestError");
        }
        assert_eq!(owner.get(&path).await, before, "{path}");
        // The longest name there is.
        owner.put(&path, &json!({"name": "x".repeat(256)})).await.says("ok");
    }
}

#[tokio::test]
async fn a_flag_is_true_in_every_spelling_and_false_otherwise() {
    let app = TestApp::start().await;
    let (experiment, _) = app.acquisition().await;
    for statement in [
        "update plates set image_generation = 1",
        "insert into wells (plate_id, name, description) values (1, 'A01', '{}')",
        "insert into sites (well_id, y, x, height, width) values (1, 0, 0, 2, 2)",
        "insert into cycles (experiment_id, cycle_index) values (1, 0)",
        "insert into channels (experiment_id, name, wavelength, bit_depth) values (1, 'a', 'a', 16)",
        "insert into channel_images (channel_id, site_id, cycle_id, acquisition_id, tpoint, zplane, field, t_index,
             c_index, z_index, sources, stored)
         values (1, 1, 1, 1, 0, 0, 'A/01/0', 0, 0, 0, '[]', true)",
    ] {
        app.sql(statement).await;
    }
    let owner = app.client(OWNER).await;
    let plane = "plate_name=plate&cycle_index=0&well_name=A01&well_pos_x=0&well_pos_y=0&tpoint=0&zplane=0";
    let path = format!("{experiment}/channels/1/image-file?{plane}");
    // Neither statistics nor pixels are there: which of them is missed first tells what was understood.
    let plain = owner.get(&path).await.fails(404, "ResourceNotFoundError");
    for truth in ["true", "True", "TRUE", "yes", "Yes", "1", "on", "ON"] {
        let message = owner.get(&format!("{path}&correct={truth}")).await.fails(404, "ResourceNotFoundError");
        assert_ne!(message, plain, "{truth}");
    }
    for other in ["false", "False", "0", "no", "off", "2", ""] {
        let message = owner.get(&format!("{path}&correct={other}")).await.fails(404, "ResourceNotFoundError");
        assert_eq!(message, plain, "{other}");
    }
}

#[tokio::test]
async fn a_submission_belongs_to_whoever_submitted_it() {
    let app = TestApp::start().await;
    let (experiment, _) = app.acquisition().await;
    let id = experiment.rsplit('/').next().unwrap();
    sharing::share(&app.app.environment, id, READER, true).await.unwrap();
    let reader = app.client(READER).await;
    let submitted = reader.post(&format!("{experiment}/workflow/submit"), &json!({})).await;
    assert_eq!(submitted.status, 200, "{submitted:?}");
    let me = reader.get("/api/users/me").await.id();
    let rows = app.dump().await;
    let submissions: Vec<_> = rows.iter().filter(|row| row.starts_with("[\"submissions\"")).collect();
    assert_eq!(submissions.len(), 1);
    assert!(submissions[0].starts_with(&format!("[\"submissions\",1,{id},{me},")), "{submissions:?}");
}

#[test]
fn the_well_known_key_is_refused() {
    let settings = Settings { secret_key: Some("default_secret_key".to_owned()), ..Settings::default() };
    let message = settings.finish().unwrap_err().to_string();
    assert!(message.contains("secret_key") && message.contains("must not be used"), "{message}");
}

#[test]
fn a_file_name_in_a_header_is_plain() {
    let evil = "a \"b\"; filename=\"/etc/passwd\"\r\nSet-Cookie: x.png".to_owned();
    let value = tm_server::http::attachment(&FileName { plain: evil.clone(), full: evil });
    let names = value.to_str().unwrap().strip_prefix("attachment; filename=").unwrap();
    let (plain, full) = names.split_once("; filename*=UTF-8''").unwrap();
    for (name, allowed) in [(plain, "_-."), (full, "_-.%")] {
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || allowed.contains(c)), "{name}");
    }
    assert!(full.starts_with("a%20%22b%22%3B%20filename%3D%22_etc_passwd%22%0D%0ASet"), "{full}");
}

#[tokio::test]
async fn an_answer_with_a_file_says_its_type_and_may_not_be_guessed() {
    let app = TestApp::start().await;
    let answer = app.anonymous().request(Method::GET, "/api/docs").send().await.unwrap();
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
}
