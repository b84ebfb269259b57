//! Image-analysis projects: kept, read back, checked; as JSON and as directories. What is refused is in
//! `jterator_refusals`.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tm_server::jterator::project::{
    ChannelInput, Given, Handles, InputHandle, Item, Made, ObjectInput, ObjectOutput, OutputHandle, Pipeline,
    directory,
};
use tm_server::jterator::{HandleType, Project, Surroundings, check, modules};
use tm_tests::app::{OWNER, TestApp};
use tm_tests::databases::Database;
use tm_tests::jterator::{experiment, fixture, project, to_json};

tm_tests::on_each_database![
    a_project_is_kept_as_it_was_sent_and_replaced_as_a_whole,
    a_project_may_come_before_the_images_and_goes_with_the_experiment,
    objects_of_the_experiment_can_be_taken_in_and_saved_again,
];

#[tokio::test]
async fn the_example_of_the_api_document_is_accepted() {
    let app = TestApp::start().await;
    let path = format!("{}/workflow/jtproject", experiment(&app).await);
    let document = app.anonymous().get("/api/openapi.json").await.body;
    let put = &document["paths"]["/api/experiments/{experiment_id}/workflow/jtproject"]["put"];
    let example = &put["requestBody"]["content"]["application/json"]["example"];
    app.client(OWNER).await.put(&path, example).await.says("ok");
}

/// The channels that the benchmark pipeline takes.
fn surroundings() -> Surroundings {
    let channels = ["1", "3", "4", "5"].map(str::to_owned).to_vec();
    Surroundings { channels, object_types: Vec::new() }
}

async fn a_project_is_kept_as_it_was_sent_and_replaced_as_a_whole(database: Database) {
    let app = TestApp::start_on(database).await;
    let path = format!("{}/workflow/jtproject", experiment(&app).await);
    let owner = app.client(OWNER).await;
    let empty = json!({
        "pipeline": {"input": {"channels": [], "objects": []}, "output": {"objects": []}, "pipeline": []},
        "handles": {},
    });
    assert_eq!(owner.get(&path).await.data(), &empty);
    let benchmark = to_json(&project("benchmark"));
    owner.put(&path, &benchmark).await.says("ok");
    assert_eq!(owner.get(&path).await.data(), &benchmark);

    let mut guide = to_json(&project("user_guide"));
    let kept = guide.clone();
    guide["handles"]["of nobody"] = json!("dropped, whatever it is");
    owner.put(&path, &guide).await.says("ok");
    assert_eq!(owner.get(&path).await.data(), &kept);
    let mut broken = benchmark.clone();
    broken["pipeline"]["pipeline"][0]["source"] = json!("other");
    owner.put(&path, &broken).await.fails(400, "MalformedRequestError");
    assert_eq!(owner.get(&path).await.data(), &kept, "what is refused changes nothing");
    owner.put(&path, &json!({"pipeline": {"output": {}, "pipeline": []}, "handles": {}})).await.says("ok");
    assert_eq!(owner.get(&path).await.data(), &empty);
}

async fn a_project_may_come_before_the_images_and_goes_with_the_experiment(database: Database) {
    let app = TestApp::start_on(database).await;
    let experiment = app.experiment().await;
    let owner = app.client(OWNER).await;
    let path = format!("{experiment}/workflow/jtproject");
    owner.put(&path, &to_json(&project("benchmark"))).await.says("ok");
    owner.delete(&experiment).await.says("ok");
    owner.get(&path).await.fails(404, "ResourceNotFoundError");
    let again = app.experiment().await;
    let fresh = owner.get(&format!("{again}/workflow/jtproject")).await;
    assert_eq!(fresh.data()["handles"], json!({}));
}

async fn objects_of_the_experiment_can_be_taken_in_and_saved_again(database: Database) {
    let app = TestApp::start_on(database).await;
    let path = experiment(&app).await;
    let owner = app.client(OWNER).await;
    owner.post(&format!("{path}/mapobject_types"), &json!({"name": "Drawn"})).await.id();
    let mut guide = to_json(&project("user_guide"));
    guide["pipeline"]["input"]["objects"] = json!([{"name": "Drawn"}]);
    guide["pipeline"]["output"]["objects"] = json!([{"name": "Drawn"}]);
    for input in [0, 1] {
        guide["handles"]["measure_morphology"]["input"][input]["key"] = json!("Drawn");
    }
    owner.put(&format!("{path}/workflow/jtproject"), &guide).await.says("ok");
    let kept = owner.get(&format!("{path}/workflow/jtproject")).await;
    assert_eq!(kept.data()["pipeline"]["output"]["objects"], json!([{"name": "Drawn", "as_polygons": true}]));
}

#[test]
fn the_benchmark_pipeline_measures_120_columns_of_cells_and_20_of_transcripts() {
    let checked = check(&project("benchmark"), &surroundings()).unwrap();
    assert_eq!(checked.modules.len(), 29);
    let columns = checked.columns();
    let counts: Vec<_> = columns.iter().map(|(name, columns)| (*name, columns.len())).collect();
    assert_eq!(counts, [("Cells", 120), ("Transcripts", 20)]);
    for name in [
        "Transcripts_Count",
        "Transcripts_Mean_PointPattern_absolute-distance-to-border",
        "Nuclei_Intensity_mean_1",
        "Intensity_sum_4",
        "Morphology_Area",
        "Nuclei_Morphology_Area",
        "Nuclei_Texture_Gabor-frequency-10_1",
        "Cytoplasms_Texture_Hu-0_3",
    ] {
        assert!(columns["Cells"].contains(&name), "{name} is not among {:?}", columns["Cells"]);
    }
    assert_eq!(columns["Transcripts"][..2], ["Intensity_max_5", "Intensity_mean_5"]);
}

#[test]
fn handles_of_older_versions_are_completed_with_what_modules_do_by_default() {
    let checked = check(&project("benchmark"), &surroundings()).unwrap();
    let module = |name: &str| checked.modules.iter().find(|module| module.name == name).unwrap();
    let taken: Vec<_> = module("segment_secondary").images.iter().map(|image| image.name).collect();
    assert_eq!(taken, ["primary_label_image", "intensity_image"], "in the module's order");
    let clumps = module("separate_clumps");
    assert!(clumps.parameters.flag("trimming"));
    assert_eq!(clumps.parameters.number("max_area"), Some(75_000.0));
    assert_eq!(clumps.makes[0].name, "separated_label_image");
    assert_eq!(clumps.makes[0].key, "separate_clumps.separated_mask");
    assert_eq!(clumps.makes[0].kind, HandleType::LabelImage);
    assert_eq!(module("measure_texture_nuclei_1").parameters.wholes("frequencies"), [1, 5, 10]);
    assert_eq!(module("clip").makes[0].kind, HandleType::LabelImage);
    assert_eq!(module("clip").key("clipping_mask"), Some("fill.filled_mask"));

    let mut old = to_json(&project("user_guide"));
    old["pipeline"]["pipeline"][4] = json!({"handles": "expand", "source": "expand.m"});
    old["handles"]["expand"] = json!({
        "version": "0.0.1",
        "input": [
            {"name": "image", "type": "MaskImage", "key": "label.label_image"},
            {"name": "n", "type": "Scalar", "value": 3.0},
        ],
        "output": [{"name": "expanded_image", "type": "LabelImage", "key": "Nuclei"}],
    });
    old["pipeline"]["pipeline"].as_array_mut().unwrap().truncate(6);
    old["pipeline"]["output"] = json!({});
    let old = Project::parse(&old["pipeline"], &old["handles"]).unwrap();
    let checked = check(&old, &Surroundings::default()).unwrap();
    assert_eq!(checked.modules[4].module.name, "expand_or_shrink");
    assert_eq!(checked.modules[4].parameters.number("n"), Some(3.0));
    assert!(!checked.modules[4].parameters.flag("compatible"));
}

#[test]
fn inactive_modules_may_be_unfinished_or_unknown() {
    let mut guide = to_json(&project("user_guide"));
    let items = guide["pipeline"]["pipeline"].as_array_mut().unwrap();
    items.push(json!({"handles": "handles/later.handles.yaml", "source": "spots.m", "active": false}));
    items.push(json!({"handles": "handles/half.handles.yaml", "source": "smooth.py", "active": false}));
    guide["handles"]["later"] = json!({"version": "0.0.2", "input": [], "output": []});
    guide["handles"]["half"] = json!({
        "version": "0.1.0",
        "input": [{"name": "filter_size", "type": "Scalar", "value": null}],
        "output": [],
    });
    let parsed = Project::parse(&guide["pipeline"], &guide["handles"]).unwrap();
    assert_eq!(check(&parsed, &surroundings()).map(|_| ()).unwrap_err().len(), 1, "channel 2 is not there");
    let checked = check(&parsed, &Surroundings::default()).unwrap();
    assert_eq!(checked.modules.len(), 8);
    assert_eq!(parsed.handles.len(), 10);
}

#[test]
fn what_is_made_of_registered_objects_has_to_be_registered_again() {
    let mut guide = to_json(&project("user_guide"));
    let items = guide["pipeline"]["pipeline"].as_array_mut().unwrap();
    items.insert(6, json!({"handles": "clip", "source": "clip"}));
    items.insert(7, json!({"handles": "inverted", "source": "invert"}));
    guide["handles"]["clip"] = json!({
        "version": "0.1.0",
        "input": [
            {"name": "image", "type": "MaskImage", "key": "Cells"},
            {"name": "clipping_mask", "type": "MaskImage", "key": "Nuclei"},
        ],
        "output": [{"name": "clipped_image", "type": "MaskImage", "key": "ring"}],
    });
    guide["handles"]["inverted"] = json!({
        "version": "0.0.1",
        "input": [{"name": "image", "type": "Image", "key": "ring"}],
        "output": [{"name": "inverted_image", "type": "Image", "key": "outside"}],
    });
    let parsed = Project::parse(&guide["pipeline"], &guide["handles"]).unwrap();
    let checked = check(&parsed, &Surroundings::default()).unwrap();
    let kinds: Vec<_> = checked.modules[6..8].iter().map(|module| module.makes[0].kind).collect();
    assert_eq!(kinds, [HandleType::LabelImage, HandleType::BinaryImage]);
    guide["handles"]["measure_morphology"]["input"][0]["key"] = json!("ring");
    let parsed = Project::parse(&guide["pipeline"], &guide["handles"]).unwrap();
    let problems = check(&parsed, &Surroundings::default()).map(|_| ()).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "handles.measure_morphology.input[0].key names `ring`, a LabelImage of `clip`, where `extract_objects` \
         needs a SegmentedObjects; `register_objects` makes them of it"
    );
}

#[test]
fn every_module_can_be_described_by_its_own_registry() {
    for module in modules::ALL {
        assert!(modules::find(module.name).is_some_and(|found| found.name == module.name));
        for name in module.older_names {
            assert!(modules::find(name).is_some_and(|found| found.name == module.name), "{name}");
        }
        let names: Vec<_> = module.inputs.iter().map(|input| input.name).collect();
        for input in module.inputs {
            assert_eq!(names.iter().filter(|name| **name == input.name).count(), 1, "{}", module.name);
            assert_eq!(input.kind.is_image(), input.takes == modules::Takes::Image, "{}", input.name);
        }
        for output in module.outputs {
            let of: Vec<_> = match output.makes {
                modules::Makes::Like(input) | modules::Makes::Inverse(input) => vec![input],
                modules::Makes::Measurement(measures) => {
                    let columns = (measures.columns)(&modules::Parameters::default());
                    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                    assert!(columns.iter().all(|column| column.chars().all(is_plain)), "{columns:?}");
                    vec![measures.objects, measures.objects_ref]
                }
                modules::Makes::Image(kind) => {
                    assert!(output.kind.accepts(kind), "{} of {}", output.name, module.name);
                    Vec::new()
                }
                modules::Makes::Figure => Vec::new(),
            };
            assert!(of.iter().all(|input| names.contains(input)), "{} of {}", output.name, module.name);
        }
    }
}

#[test]
fn directories_hold_what_projects_hold() {
    let directory = TempDir::new().unwrap();
    for name in ["benchmark", "user_guide"] {
        let original = project(name);
        let copy = directory.path().join(name);
        directory::write(&original, &copy).unwrap();
        assert_eq!(directory::read(&copy).unwrap(), original);
        assert!(directory::write(&original, &copy).is_err(), "nothing is overwritten");
        let files = |folder: &std::path::Path| {
            let mut names: Vec<_> =
                fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(files(&copy.join("handles")), files(&fixture(name).join("handles")));
    }
}

#[test]
fn a_directory_that_is_no_project_is_refused_with_the_file_named() {
    let directory = TempDir::new().unwrap();
    let refused = |pipeline: &str| {
        fs::write(directory.path().join("pipeline.yaml"), pipeline).unwrap();
        directory::read(directory.path()).unwrap_err().to_string()
    };
    let missing = refused("pipeline: [{handles: handles/a.handles.yaml, source: fill.py}]");
    assert!(missing.contains("handles/a.handles.yaml"), "{missing}");
    assert!(refused("pipeline: [").contains("pipeline.yaml: "));
    assert!(refused("input: {channels: [{name: 1}]}\npipeline: []").contains("write it in quotes"));
    assert!(refused("pipeline: []\ndescription: \"a\\0b\"").contains("must not hold the character U+0000"));
    assert!(refused("pipeline: []\nversion: .nan").contains("pipeline.yaml: "));
    assert!(
        refused(&format!("pipeline: {}{}", "[".repeat(5000), "]".repeat(5000))).contains("pipeline.yaml: ")
    );
    let bomb = (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, level| {
        text + &format!("a{}: &a{} [*a{level}, *a{level}]\n", level + 1, level + 1)
    });
    assert!(refused(&bomb).contains("pipeline.yaml: "), "a bomb went off");
    let long = format!("pipeline: []\ndescription: {}", "x".repeat(5 << 20));
    assert!(refused(&long).contains("larger than"));
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z][a-zA-Z0-9_.-]{0,12}",
        "[1-9]{1,3}",
        "[ -~]{0,5}[!-~]",
        "yes|null|~|1e3|0x1F|é|漢字|'|\"|- a|#b"
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(Value::from),
        name().prop_map(Value::from),
    ]
}

fn help() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), name(), "[ -~\n]{0,40}", "\\PC{0,20}"]
}

fn input() -> impl Strategy<Value = InputHandle> {
    let image = name().prop_map(|key| (HandleType::LabelImage, Given::Key(key)));
    let scalar = (value(), prop::collection::vec(value(), 0..3))
        .prop_map(|(value, options)| (HandleType::Scalar, Given::Constant { value, options }));
    let numbers = prop::collection::vec(any::<i32>(), 0..4).prop_map(|numbers| {
        (HandleType::Set, Given::Constant { value: json!(numbers), options: Vec::new() })
    });
    (help(), prop_oneof![image, scalar, numbers]).prop_map(|(help, (kind, given))| InputHandle {
        name: String::new(),
        kind,
        help,
        given,
    })
}

fn output() -> impl Strategy<Value = OutputHandle> {
    let image = name().prop_map(|key| (HandleType::SegmentedObjects, Made::Key(key)));
    let measurement =
        (name(), name(), prop::option::of(name())).prop_map(|(objects, objects_ref, channel_ref)| {
            (HandleType::Measurement, Made::Measurement { objects, objects_ref, channel_ref })
        });
    (help(), prop_oneof![image, measurement, Just((HandleType::Figure, Made::Figure))])
        .prop_map(|(help, (kind, made))| OutputHandle { name: String::new(), kind, help, made })
}

fn handles() -> impl Strategy<Value = Handles> {
    let inputs = prop::collection::vec(input(), 0..4);
    let outputs = prop::collection::vec(output(), 0..3);
    (inputs, outputs).prop_map(|(mut input, mut output)| {
        // Names are unique in their list.
        input.iter_mut().enumerate().for_each(|(index, input)| input.name = format!("in {index}"));
        output.iter_mut().enumerate().for_each(|(index, output)| output.name = format!("out {index}"));
        Handles { version: "1.20.3".to_owned(), input, output }
    })
}

fn any_project() -> impl Strategy<Value = Project> {
    let names = || prop::collection::btree_set(name(), 0..4);
    let modules = prop::collection::vec((handles(), prop::option::of(name()), name(), any::<bool>()), 0..4);
    (prop::option::of(help()), prop::option::of(name()), names(), names(), names(), modules).prop_map(
        |(description, version, channels, objects, outputs, modules)| {
            let mut handles = BTreeMap::new();
            let items = modules.into_iter().enumerate().map(|(index, (own, name, source, active))| {
                let module = format!("module.{index}");
                let item = Item { name, handles: format!("handles/{module}.handles.yaml"), source, active };
                handles.insert(module, own);
                item
            });
            let items = items.collect();
            let channels =
                channels.into_iter().map(|name| ChannelInput { correct: name.len() > 3, name }).collect();
            let objects = objects.into_iter().map(|name| ObjectInput { name }).collect();
            let outputs =
                outputs.into_iter().map(|name| ObjectOutput { as_polygons: name.len() > 3, name }).collect();
            let pipeline = Pipeline { description, version, channels, objects, outputs, items };
            Project { pipeline, handles }
        },
    )
}

proptest! {
    #[test]
    fn what_was_written_is_read_again_as_json_and_as_a_directory(project in any_project()) {
        let read = Project::parse(&project.pipeline_json(), &project.handles_json());
        prop_assert_eq!(read.as_ref(), Ok(&project));
        let directory = TempDir::new().unwrap();
        let place = directory.path().join("project");
        directory::write(&project, &place).unwrap();
        prop_assert_eq!(directory::read(&place).unwrap(), project);
    }
}
