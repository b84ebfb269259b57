//! Broken projects, each with the one thing that is wrong said, where it is and what was wanted.

use serde_json::{Value, json};
use tm_tests::app::{OWNER, TestApp};
use tm_tests::jterator::{experiment, project, to_json};

/// What is changed in the benchmark project: where (`-` adds to a list), the value (none removes), the message.
type Broken = (&'static str, Option<Value>, &'static str);

/// What is wrong with the form.
fn malformed() -> Vec<Broken> {
    vec![
        (
            "/pipeline",
            Some(json!("text")),
            "pipeline must be an object with `description`, `version`, `input`, `output`, `pipeline`, got \"text\"",
        ),
        (
            "/pipeline/inputs",
            Some(json!({})),
            "pipeline has an unknown key \"inputs\"; did you mean `input`?",
        ),
        ("/pipeline/pipeline", Some(json!(null)), "pipeline needs `pipeline`, the list of its modules"),
        ("/pipeline/pipeline", None, "pipeline needs `pipeline`, the list of its modules"),
        (
            "/pipeline/input/channels/1/correct",
            Some(json!("yes")),
            "pipeline.input.channels[1].correct must be true or false, got \"yes\"",
        ),
        (
            "/pipeline/input/channels/0/name",
            Some(json!(1)),
            "pipeline.input.channels[0].name must be text, got 1; write it in quotes",
        ),
        (
            "/pipeline/input/channels/1/name",
            Some(json!("1")),
            "pipeline.input.channels[1].name must be unique: `1` is pipeline.input.channels[0] already",
        ),
        (
            "/pipeline/input/channels",
            Some(json!({})),
            "pipeline.input.channels must be a list, got an object",
        ),
        (
            "/pipeline/output/objects/0/as_polygon",
            Some(json!(true)),
            "pipeline.output.objects[0] has an unknown key \"as_polygon\"; did you mean `as_polygons`?",
        ),
        ("/pipeline/pipeline/2/source", None, "pipeline.pipeline[2] needs `source`"),
        (
            "/pipeline/pipeline/2/active",
            Some(json!(null)),
            "pipeline.pipeline[2].active must be true or false, got null",
        ),
        (
            "/pipeline/pipeline/2/handles",
            Some(json!("handles/filll.handles.yaml")),
            "pipeline.pipeline[2].handles names handles that are not there: `handles` has no entry `filll`; did you \
             mean `fill`?",
        ),
        (
            "/pipeline/pipeline/2/handles",
            Some(json!("handles/.yaml")),
            "pipeline.pipeline[2].handles must be `handles/<name>.handles.yaml`, where the name has letters, digits, \
             `_`, `-` and `.`, begins with a letter and has 100 characters at most",
        ),
        (
            "/pipeline/pipeline/5/handles",
            Some(json!("other/fill.handles.yaml")),
            "pipeline.pipeline[5].handles must be unique: `fill` is pipeline.pipeline[2] already",
        ),
        (
            "/handles",
            Some(json!([])),
            "handles must be an object with the handles of each module, got a list",
        ),
        ("/handles/fill/version", Some(json!("1.0")), "handles.fill.version must be like 0.1.0, got \"1.0\""),
        ("/handles/fill/version", None, "handles.fill needs `version`"),
        (
            "/handles/fill",
            Some(json!(null)),
            "handles.fill must be an object with `version`, `input`, `output`, got null",
        ),
        (
            "/handles/fill/input/0/type",
            Some(json!("BinaryImge")),
            "handles.fill.input[0].type must be a type of handles, got \"BinaryImge\"; did you mean `BinaryImage`?",
        ),
        (
            "/handles/fill/input/0/type",
            Some(json!("Measurement")),
            "handles.fill.input[0].type cannot be Measurement: that is a type of outputs",
        ),
        (
            "/handles/fill/output/0/type",
            Some(json!("Numeric")),
            "handles.fill.output[0].type cannot be Numeric: that is a type of inputs",
        ),
        (
            "/handles/fill/input/0/key",
            Some(json!(null)),
            "handles.fill.input[0].key must be a text, got null; name what the module takes or makes",
        ),
        (
            "/handles/fill/input/0/vale",
            Some(json!(3)),
            "handles.fill.input[0] has an unknown key \"vale\"; known: `name`, `type`, `help`, `key`",
        ),
        ("/handles/smooth_dapi/input/2/value", None, "handles.smooth_dapi.input[2] needs `value`"),
        (
            "/handles/fill/input/1/value",
            Some(json!("False")),
            "handles.fill.input[1].value must be true or false, got \"False\"",
        ),
        (
            "/handles/fill/input/1/name",
            Some(json!("mask")),
            "handles.fill.input[1].name must be unique: `mask` is handles.fill.input[0] already",
        ),
        (
            "/handles/measure_texture_nuclei_1/input/-",
            Some(json!({"name": "frequencies", "type": "Set", "value": 5})),
            "handles.measure_texture_nuclei_1.input[5].value must be a list such as [1, 5], got 5",
        ),
    ]
}

/// What does not fit the modules.
fn misfits() -> Vec<Broken> {
    vec![
        (
            "/pipeline/pipeline/0/source",
            Some(json!("smoth.py")),
            "pipeline.pipeline[0].source names a module that this server does not have: `smoth`; did you mean \
             `smooth`?",
        ),
        (
            "/pipeline/pipeline/0/source",
            Some(json!("/opt/modules/smooth.py")),
            "pipeline.pipeline[0].source must be the plain name of a module such as `smooth.py`: paths are not \
             followed; did you mean `smooth.py`?",
        ),
        (
            "/pipeline/pipeline/0/source",
            Some(json!("$HOME")),
            "pipeline.pipeline[0].source must be the plain name of a module such as `smooth.py`: paths are not \
             followed",
        ),
        (
            "/handles/label/input/1/name",
            Some(json!("conectivity")),
            "handles.label.input[1].name is no input of `label`: `conectivity`; did you mean `connectivity`?",
        ),
        (
            "/handles/smooth_dapi/input/1",
            None,
            "handles.smooth_dapi.input lacks `filter_name`, which `smooth` needs",
        ),
        (
            "/handles/fill/input/0/type",
            Some(json!("IntensityImage")),
            "handles.fill.input[0].type must be BinaryImage for `mask`, got IntensityImage",
        ),
        (
            "/handles/smooth_dapi/input/1",
            Some(json!({"name": "filter_name", "type": "Scalar", "value": "gauss"})),
            "handles.smooth_dapi.input[1].value (`filter_name`) must be one of `average`, `gaussian`, `median`, \
             `bilateral`, got \"gauss\"; did you mean `gaussian`?",
        ),
        (
            "/handles/smooth_dapi/input/1/options",
            Some(json!(["median"])),
            "handles.smooth_dapi.input[1].value (`filter_name`) must be one of its options \"median\", got \
             \"gaussian\"",
        ),
        (
            "/handles/smooth_dapi/input/2/value",
            Some(json!(0)),
            "handles.smooth_dapi.input[2].value (`filter_size`) must be a whole number from 1 to 4095, got 0",
        ),
        (
            "/handles/smooth_dapi/input/2/value",
            Some(json!(null)),
            "handles.smooth_dapi.input[2].value (`filter_size`) must be a whole number from 1 to 4095, and has no \
             value yet",
        ),
        (
            "/handles/smooth_celltrace/input/1/value",
            Some(json!("median")),
            "handles.smooth_celltrace.input[2].value must be odd, got 10",
        ),
        (
            "/handles/threshold_adaptive/input/2/value",
            Some(json!(210)),
            "handles.threshold_adaptive.input[2].value (`kernel_size`) must be an odd number from 3 to 4095, got 210",
        ),
        (
            "/handles/threshold_adaptive/input/5/value",
            Some(json!(100)),
            "handles.threshold_adaptive.input[4].value must not be larger than `max_threshold`, and 110 is larger \
             than 100",
        ),
        (
            "/handles/label/input/1",
            Some(json!({"name": "connectivity", "type": "Scalar", "value": 6})),
            "handles.label.input[1].value (`connectivity`) must be 4 or 8, got 6",
        ),
        (
            "/handles/filter/input/2/value",
            Some(json!(null)),
            "handles.filter.input[2].value has no value, and one of `lower_threshold`, `upper_threshold` must have \
             one",
        ),
        (
            "/handles/detect_blobs/input/3",
            Some(json!({"name": "min_area", "type": "Scalar", "value": "5"})),
            "handles.detect_blobs.input[3].value (`min_area`) must be a whole number from 1 to 1000000, got \"5\"",
        ),
        (
            "/handles/measure_texture_nuclei_1/input/-",
            Some(json!({"name": "frequencies", "type": "Set", "value": [1, 2.5]})),
            "handles.measure_texture_nuclei_1.input[5].value (`frequencies`) must be a list of 32 whole numbers at \
             most, each from 1 to 10000, got a list",
        ),
        (
            "/handles/detect_blobs/output/0",
            None,
            "handles.detect_blobs.output lacks `centroids`, which `detect_blobs` makes",
        ),
        (
            "/handles/detect_blobs/output/0/type",
            Some(json!("IntensityImage")),
            "handles.detect_blobs.output[0].type must be LabelImage for `centroids`, got IntensityImage",
        ),
        (
            "/handles/detect_blobs/output/-",
            Some(json!({"name": "blob", "type": "LabelImage", "key": "more"})),
            "handles.detect_blobs.output[3].name is no output of `detect_blobs`: `blob`; did you mean `blobs`?",
        ),
        (
            "/handles/separate_clumps/output/-",
            Some(json!({"name": "separated_label_image", "type": "LabelImage", "key": "more"})),
            "handles.separate_clumps.output[2].name is `separated_label_image`, and \
             handles.separate_clumps.output[0] is that output already",
        ),
        (
            "/handles/measure_intensity_nuclei_1/output/0/objects",
            Some(json!("intensity_image")),
            "handles.measure_intensity_nuclei_1.output[0].objects must name an input of `measure_intensity` for \
             objects such as `assign_objects`, got `intensity_image`",
        ),
        (
            "/handles/measure_intensity_nuclei_1/output/0/objects",
            Some(json!("extract_objects")),
            "handles.measure_intensity_nuclei_1.output[0].objects must be `assign_objects`: the rows of \
             `measure_intensity` are about them",
        ),
        (
            "/handles/measure_intensity_nuclei_1/output/0/objects_ref",
            Some(json!("objects")),
            "handles.measure_intensity_nuclei_1.output[0].objects_ref must name an input of `measure_intensity` for \
             objects such as `extract_objects`, got `objects`",
        ),
        (
            "/handles/measure_intensity_nuclei_1/output/0/channel_ref",
            Some(json!("intensity_imag")),
            "handles.measure_intensity_nuclei_1.output[0].channel_ref must name an input of `measure_intensity` that \
             is an IntensityImage, got `intensity_imag`; did you mean `intensity_image`?",
        ),
    ]
}

/// What is not there when it is asked for, or there already.
fn miswired() -> Vec<Broken> {
    vec![
        (
            "/pipeline/input/channels/-",
            Some(json!({"name": "55"})),
            "pipeline.input.channels[4].name names a channel that the experiment does not have: `55`; did you mean \
             `5`?",
        ),
        (
            "/pipeline/input/objects/-",
            Some(json!({"name": "Drawm"})),
            "pipeline.input.objects[0].name names a type of objects that the experiment does not have: `Drawm`; did \
             you mean `Drawn`?",
        ),
        (
            "/pipeline/input/objects/-",
            Some(json!({"name": "Sites"})),
            "pipeline.input.objects[0].name cannot be `Sites`: these objects are parts of the map",
        ),
        (
            "/pipeline/input/objects/-",
            Some(json!({"name": "4"})),
            "pipeline.input.objects[0].name is `4`, and so is a channel of the pipeline's input",
        ),
        (
            "/handles/segment_secondary/input/0/key",
            Some(json!("labl.label_image")),
            "handles.segment_secondary.input[0].key names `labl.label_image`, which no module makes before; did you \
             mean `label.label_image`?",
        ),
        (
            "/handles/fill/input/0/key",
            Some(json!("label.label_image")),
            "handles.fill.input[0].key names `label.label_image`, which `label` makes only later",
        ),
        (
            "/handles/fill/input/0/key",
            Some(json!("fill.filled_mask")),
            "handles.fill.input[0].key names `fill.filled_mask`, which is an output of the module itself",
        ),
        (
            "/handles/smooth_dapi/input/0/key",
            Some(json!("2")),
            "handles.smooth_dapi.input[0].key names channel `2`, which is not in pipeline.input.channels",
        ),
        (
            "/pipeline/pipeline/5/active",
            Some(json!(false)),
            "handles.register_nuclei.input[0].key names `label.label_image`, which `label` would make, but that is \
             inactive\nhandles.segment_secondary.input[0].key names `label.label_image`, which `label` would make, \
             but that is inactive",
        ),
        (
            "/handles/segment_secondary/input/0/key",
            Some(json!("fill.filled_mask")),
            "handles.segment_secondary.input[0].key names `fill.filled_mask`, a BinaryImage of `fill`, where \
             `primary_label_image` needs a LabelImage; `label` makes one of it",
        ),
        (
            "/handles/measure_morphology_cells/input/0/key",
            Some(json!("1")),
            "handles.measure_morphology_cells.input[0].key names `1`, an IntensityImage of a channel of the \
             pipeline's input, where `extract_objects` needs a SegmentedObjects",
        ),
        (
            "/handles/detect_blobs/output/0/key",
            Some(json!("5")),
            "handles.detect_blobs.output[0].key is `5`, which is taken by a channel of the pipeline's input",
        ),
        (
            "/handles/detect_blobs/output/0/key",
            Some(json!("clip.clipped_image")),
            "handles.detect_blobs.output[0].key is `clip.clipped_image`, which is taken by `clip`",
        ),
        (
            "/handles/register_cytoplasms/output/0/key",
            Some(json!("Wells")),
            "handles.register_cytoplasms.output[0].key cannot be `Wells`: these objects are parts of the map",
        ),
        (
            "/handles/register_cytoplasms/output/0/key",
            Some(json!("C".repeat(51))),
            "handles.register_cytoplasms.output[0].key must have 1 to 50 printable characters: it names objects",
        ),
        (
            "/pipeline/output/objects/0/name",
            Some(json!("Cell")),
            "pipeline.output.objects[0].name is `Cell`, and no module registers objects of that name; did you mean \
             `Cells`?",
        ),
        (
            "/pipeline/output/objects/-",
            Some(json!({"name": "label.label_image"})),
            "pipeline.output.objects[2].name is `label.label_image`, and no module registers objects of that name",
        ),
        (
            "/handles/measure_intensity_nuclei_4/input/2/key",
            Some(json!("1")),
            "handles.measure_intensity_nuclei_4.output[0] measures `Nuclei_Intensity_max_1` of `Cells`, as \
             `measure_intensity_nuclei_1` does already",
        ),
    ]
}

/// Set the value at a place, or remove what is there.
fn change(project: &mut Value, place: &str, value: Option<Value>) {
    let (parent, last) = place.rsplit_once('/').unwrap();
    match (project.pointer_mut(parent).unwrap_or_else(|| panic!("no {parent}")), value) {
        (Value::Object(object), Some(value)) => drop(object.insert(last.to_owned(), value)),
        (Value::Object(object), None) => drop(object.remove(last).expect("it is there")),
        (Value::Array(list), Some(value)) if last == "-" => list.push(value),
        (Value::Array(list), Some(value)) => list[last.parse::<usize>().unwrap()] = value,
        (Value::Array(list), None) => drop(list.remove(last.parse().unwrap())),
        (other, _) => panic!("{parent} is {other}"),
    }
}

/// Each change to the benchmark project has its message, and is all that the message is about.
async fn each_is_refused(broken: Vec<Broken>) {
    let app = TestApp::start().await;
    let experiment = experiment(&app).await;
    let owner = app.client(OWNER).await;
    for name in ["Drawn", "4"] {
        owner.post(&format!("{experiment}/mapobject_types"), &json!({"name": name})).await.id();
    }
    let path = format!("{experiment}/workflow/jtproject");
    let whole = to_json(&project("benchmark"));
    owner.put(&path, &whole).await.says("ok");
    let mut wrong = Vec::new();
    for (place, value, wanted) in broken {
        let mut project = whole.clone();
        change(&mut project, place, value);
        // Nobody but the registrar names it, so that nobody else is wrong.
        if place.starts_with("/handles/register_cytoplasms") {
            let items = project["pipeline"]["pipeline"].as_array_mut().unwrap();
            items.retain(|item| !item["handles"].as_str().unwrap().contains("_cytoplasms_"));
        }
        let message = owner.put(&path, &project).await.fails(400, "MalformedRequestError");
        if message != wanted {
            wrong.push(format!("{place}\n  got:    {message}\n  wanted: {wanted}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(owner.get(&path).await.data(), &whole);
}

#[tokio::test]
async fn projects_of_the_wrong_form_are_refused_with_the_place_and_what_was_wanted() {
    each_is_refused(malformed()).await;
}

#[tokio::test]
async fn projects_that_do_not_fit_the_modules_are_refused_with_the_place_and_what_was_wanted() {
    each_is_refused(misfits()).await;
}

#[tokio::test]
async fn projects_with_keys_that_are_not_there_are_refused_with_the_place_and_what_was_wanted() {
    each_is_refused(miswired()).await;
}

#[tokio::test]
async fn all_problems_are_told_together_up_to_twenty() {
    let app = TestApp::start().await;
    let path = format!("{}/workflow/jtproject", experiment(&app).await);
    let owner = app.client(OWNER).await;
    let mut project = to_json(&project("benchmark"));
    project["pipeline"]["input"]["channels"] = json!([]);
    let message = owner.put(&path, &project).await.fails(400, "MalformedRequestError");
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.len(), 14, "{message}");
    assert!(lines.iter().all(|line| line.contains("which is not in pipeline.input.channels")), "{message}");
    for item in project["pipeline"]["pipeline"].as_array_mut().unwrap() {
        item["active"] = json!("perhaps");
    }
    let message = owner.put(&path, &project).await.fails(400, "MalformedRequestError");
    assert_eq!(message.lines().count(), 21);
    assert_eq!(message.lines().last(), Some("and 9 more"));
}

#[tokio::test]
async fn projects_that_are_too_large_are_refused() {
    let app = TestApp::start().await;
    let path = format!("{}/workflow/jtproject", experiment(&app).await);
    let owner = app.client(OWNER).await;
    let refused = async |project: &Value, wanted: &str| {
        let message = owner.put(&path, project).await.fails(400, "MalformedRequestError");
        assert!(message.contains(wanted), "{message}");
    };
    let mut project = to_json(&project("user_guide"));
    let helped = |help: usize, modules: usize| {
        let mut project = project.clone();
        for index in 0..modules {
            let name = format!("more{index}");
            let handles = json!({"version": "0.0.1", "input": [
                {"name": "mask", "type": "BinaryImage", "key": "threshold_otsu.mask", "help": "x".repeat(help)},
            ], "output": [{"name": "filled_mask", "type": "BinaryImage", "key": name}]});
            project["handles"][&name] = handles;
            let item = json!({"handles": name, "source": "fill"});
            project["pipeline"]["pipeline"].as_array_mut().unwrap().push(item);
        }
        project
    };
    owner.put(&path, &helped(20_000, 40)).await.says("ok");
    refused(&helped(20_000, 60), "the project must not be larger than 1048576 bytes").await;
    refused(&helped(20_001, 1), "handles.more0.input[0].help must have 20000 characters at most").await;
    refused(&helped(1, 500), "pipeline.pipeline has 508 modules; 500 are allowed").await;
    project["pipeline"]["input"]["channels"] = json!(vec![json!({"name": "1"}); 1001]);
    refused(&project, "pipeline.input.channels has 1001 entries; 1000 are allowed").await;
    project["pipeline"]["input"]["channels"] = json!([{"name": "x".repeat(300)}]);
    refused(&project, "pipeline.input.channels[0].name must have 255 characters at most").await;
}
