//! Every route: who may use it, and what it is asked for.

use serde_json::{Value, json};
use tm_tests::app::PASSWORD;

/// What a caller needs at least; later ones include the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing, not even a token.
    Nothing,
    /// A token, whoever it belongs to.
    Token,
    /// The right to read the experiment.
    Read,
    /// The right to change it.
    Write,
    /// To own it.
    Own,
}

/// What a request carries beside its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// Parameters: in the query of GET and DELETE, in the JSON body of POST and PUT.
    Parameters,
    /// A file in a form. It is a stream, so rights come before what is in it.
    Form,
    /// A login: what is missing from it is a failed login.
    Login,
}

/// A route, and what the rule needs to know of it.
#[derive(Debug)]
pub struct Row {
    /// The method.
    pub method: &'static str,
    /// The path, as in the router.
    pub path: &'static str,
    /// Who may use it.
    pub needs: Needs,
    /// What a request carries.
    pub carries: Carries,
    /// The required parameters, all of them right.
    pub required: Value,
    /// Values of the wrong type, for required and optional parameters.
    pub wrong: Vec<(&'static str, Value)>,
    /// Which of the fixture's children it is about, where the path does not say it.
    pub about: Option<&'static str>,
    /// Whether its child is there for the user alone who made it: the owner.
    pub is_personal: bool,
}

/// A directory with a file of the microscope, below the import roots of the server.
pub const LINKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/linked");

impl Row {
    fn required(self, required: Value) -> Self {
        Self { required, ..self }
    }

    fn wrong(self, wrong: &[(&'static str, Value)]) -> Self {
        Self { wrong: wrong.to_vec(), ..self }
    }

    fn carries(self, carries: Carries) -> Self {
        Self { carries, ..self }
    }

    fn about(self, child: &'static str) -> Self {
        Self { about: Some(child), ..self }
    }

    fn personal(self) -> Self {
        Self { is_personal: true, ..self }
    }

    /// The child of the experiment whose id is in the path: the part before the id, such as `plates`, or another
    /// of the fixture's children.
    pub fn child(&self) -> Option<&'static str> {
        if self.about.is_some() {
            return self.about;
        }
        let below = self.path.strip_prefix("/api/experiments/{e}/")?;
        let segments: Vec<_> = below.split('/').collect();
        let id = segments.iter().position(|segment| segment.starts_with('{'))?;
        Some(segments[id - 1])
    }

    /// Whether a child of another experiment is none of this one: users and files of the viewer are everybody's.
    pub fn has_foreign_children(&self) -> bool {
        self.has_experiment() && self.child().is_some_and(|child| child != "shares")
    }

    /// Whether it is below an experiment.
    pub fn has_experiment(&self) -> bool {
        self.path.contains("{e}")
    }
}

/// An experiment to create.
pub fn new_experiment(name: &str) -> Value {
    json!({
        "name": name,
        "workflow_type": "canonical",
        "microscope_type": "cellvoyager",
        "plate_format": 384,
        "plate_acquisition_mode": "basic",
    })
}

/// All routes there are; requests give things the name `new`.
pub fn rows(new: &str) -> Vec<Row> {
    use Needs::{Nothing, Own, Read, Token, Write};

    let row = |method, path, needs| Row {
        method,
        path,
        needs,
        carries: Carries::Parameters,
        required: json!({}),
        wrong: Vec::new(),
        about: None,
        is_personal: false,
    };
    // Below an experiment.
    macro_rules! below {
        ($method:literal, $path:literal, $needs:expr) => {
            row($method, concat!("/api/experiments/{e}", $path), $needs)
        };
    }
    let new_name = || json!({"name": new});
    let no_name = [("name", json!(7))];
    let tile = || json!({"x": 0, "y": 0, "z": 0});
    let no_tile = ["x", "y", "z", "min", "max", "format"].map(|key| (key, json!("nothing")));
    let plane = || {
        json!({
            "plate_name": "plate", "cycle_index": 0, "well_name": "A01", "well_pos_x": 0, "well_pos_y": 0,
            "tpoint": 0, "zplane": 0,
        })
    };
    let no_plane =
        ["cycle_index", "well_pos_x", "well_pos_y", "tpoint", "zplane"].map(|key| (key, json!("x")));
    let segmentation = || {
        json!({
            "plate_name": "plate", "well_name": "A01", "well_pos_x": 0, "well_pos_y": 0, "tpoint": 0, "zplane": 0,
        })
    };
    let label_image = || {
        let mut body = segmentation();
        body["image"] = json!([[0, 1, 0], [0, 0, 2]]);
        body
    };
    let no_segmentation = ["well_pos_x", "well_pos_y", "tpoint", "zplane"].map(|key| (key, json!("x")));
    let no_label_image = [
        ("plate_name", json!(7)),
        ("well_name", json!(["A01"])),
        ("well_pos_x", json!("x")),
        ("well_pos_y", json!(0.5)),
        ("tpoint", json!(-1)),
        ("zplane", json!([0])),
        ("image", json!([[0, -1]])),
        ("npz_file", json!("no base64")),
    ];
    let labeled_tile = || json!({"x": 0, "y": 0, "z": 0, "result_name": "result"});
    let no_vector_tile = ["x", "y", "z", "format", "tolerance"].map(|key| (key, json!("nothing")));
    let new_result = || json!({"name": new.replace(' ', "_")});
    let no_submission = [("submission_id", json!("first"))];
    let no_layer = ["tpoint", "zplane"].map(|key| (key, json!("first")));
    let no_page =
        [("limit", json!("all")), ("limit", json!(0)), ("offset", json!(-1)), ("offset", json!("first"))];
    let no_files = [("files", json!("a.mlf"))];
    let values = || {
        json!({
            "plate_name": "plate", "well_name": "A01", "well_pos_y": 0, "well_pos_x": 0, "tpoint": 0,
            "names": ["area", "new"], "labels": [1, 2], "values": [[1.5, null], [0, -0.5]],
        })
    };
    let no_values = [
        ("plate_name", json!(7)),
        ("well_name", json!(["A01"])),
        ("well_pos_y", json!("top")),
        ("well_pos_x", json!(1.5)),
        ("tpoint", json!(true)),
        ("names", json!("area")),
        ("names", json!(["area", "area"])),
        ("labels", json!(["one"])),
        ("values", json!([1.5, null])),
        ("values", json!([[1.5]])),
    ];
    let no_site = ["well_pos_y", "well_pos_x", "tpoint"].map(|key| (key, json!("left")));
    let login = json!({"username": "owner", "password": PASSWORD});

    vec![
        row("GET", "/", Nothing),
        row("GET", "/viewer/{file}", Nothing).about("viewer files"),
        row("GET", "/healthz", Nothing),
        row("GET", "/metrics", Nothing),
        row("GET", "/api/openapi.json", Nothing),
        row("GET", "/api/docs", Nothing),
        row("POST", "/auth", Nothing)
            .carries(Carries::Login)
            .required(login)
            .wrong(&[("username", json!(7)), ("password", json!(["x"]))]),
        row("GET", "/api/users/me", Token),
        // The same again, so that whoever asks next can log in.
        row("PUT", "/api/users/me/password", Token)
            .required(json!({"old_password": PASSWORD, "new_password": PASSWORD}))
            .wrong(&[
                ("old_password", json!(7)),
                ("new_password", json!(["x"])),
                ("new_password", json!("1234567")),
            ]),
        row("DELETE", "/api/tokens", Token),
        row("GET", "/api/workflow_types", Token),
        row("GET", "/api/microscope_types", Token),
        row("GET", "/api/acquisition_modes", Token),
        row("GET", "/api/experiments", Token).wrong(&no_page),
        row("POST", "/api/experiments", Token).required(new_experiment(&format!("{new}, made"))).wrong(&[
            ("name", json!(7)),
            ("description", json!(7)),
            ("workflow_type", json!(7)),
            ("microscope_type", json!(7)),
            ("plate_format", json!("many")),
            ("plate_acquisition_mode", json!(7)),
        ]),
        below!("GET", "", Read),
        below!("PUT", "", Write).required(new_name()).wrong(&no_name),
        below!("DELETE", "", Own),
        below!("GET", "/shares", Own),
        below!("GET", "/shares/{user}", Own),
        below!("PUT", "/shares/{user}", Own).wrong(&[("write_access", json!("yes"))]),
        below!("DELETE", "/shares/{user}", Own),
        below!("GET", "/plates", Read),
        below!("POST", "/plates", Write)
            .required(new_name())
            .wrong(&[("name", json!(7)), ("description", json!(7))]),
        below!("GET", "/plates/{p}", Read),
        below!("PUT", "/plates/{p}", Write).required(new_name()).wrong(&no_name),
        below!("DELETE", "/plates/{p}", Write),
        below!("GET", "/acquisitions", Read),
        below!("POST", "/acquisitions", Write)
            .required(json!({"plate_name": "plate", "name": new}))
            .wrong(&[("plate_name", json!(7)), ("name", json!(7)), ("description", json!(7))]),
        below!("GET", "/acquisitions/{a}", Read),
        below!("PUT", "/acquisitions/{a}", Write).required(new_name()).wrong(&no_name),
        below!("DELETE", "/acquisitions/{a}", Write),
        below!("POST", "/acquisitions/{a}/register", Write)
            .about("acquisitions without files")
            .required(json!({"path": LINKED}))
            .wrong(&[("path", json!(7)), ("path", json!("not/absolute"))]),
        below!("POST", "/acquisitions/{a}/upload/register", Write)
            .required(json!({"files": ["b.mlf"]}))
            .wrong(&no_files),
        below!("POST", "/acquisitions/{a}/upload/validity-check", Write)
            .required(json!({"files": ["b.mlf"]}))
            .wrong(&no_files),
        below!("GET", "/acquisitions/{a}/upload/count", Read),
        below!("POST", "/acquisitions/{a}/microscope-file", Write)
            .carries(Carries::Form)
            .required(json!({"file": "a.mlf"}))
            .wrong(&[("file", json!("not in a form"))]),
        below!("GET", "/acquisitions/{a}/images", Read).wrong(&no_page),
        below!("GET", "/acquisitions/{a}/metadata", Read).wrong(&no_page),
        below!("GET", "/wells", Read).wrong(&no_page),
        below!("GET", "/wells/{w}", Read),
        below!("PUT", "/wells/{w}", Write)
            .required(json!({"description": {"dose": 1}}))
            .wrong(&[("description", json!("text"))]),
        below!("GET", "/sites", Read)
            .wrong(&["well_pos_y", "well_pos_x", "limit", "offset"].map(|key| (key, json!("left")))),
        below!("GET", "/sites/{s}", Read),
        below!("GET", "/cycles", Read).wrong(&[("index", json!("first"))]),
        below!("GET", "/cycles/{y}", Read),
        below!("GET", "/alignment", Read),
        below!("GET", "/channels", Read),
        below!("GET", "/channels/{c}", Read),
        below!("PUT", "/channels/{c}", Write).required(new_name()).wrong(&no_name),
        below!("GET", "/channels/{c}/image-file", Read).required(plane()).wrong(&no_plane),
        below!("GET", "/channels/{c}/image-files", Read).required(plane()).wrong(&no_plane),
        below!("GET", "/channel_layers", Read).wrong(&no_layer),
        below!("GET", "/channel_layers/{l}/tiles", Read).required(tile()).wrong(&no_tile),
        below!("GET", "/channel_layer/{l}/tiles", Read).required(tile()).wrong(&no_tile),
        below!("GET", "/zarr", Read),
        below!("GET", "/zarr/", Read),
        below!("GET", "/zarr/{*key}", Read),
        below!("GET", "/segmentation_layers", Read).wrong(&no_layer),
        below!("GET", "/mapobject_types/{t}/features", Read),
        below!("POST", "/mapobject_types/{t}/feature-values", Write).required(values()).wrong(&no_values),
        below!("GET", "/mapobject_types/{t}/feature-values", Read).wrong(&no_site),
        below!("GET", "/mapobject_types/{t}/metadata", Read).wrong(&no_site),
        below!("PUT", "/features/{f}", Write).required(new_name()).wrong(&no_name),
        below!("DELETE", "/features/{f}", Write),
        below!("GET", "/segmentation_layers/{l}/tiles", Read).required(tile()).wrong(&no_vector_tile),
        below!("GET", "/segmentation_layers/{l}/tile", Read).required(tile()).wrong(&no_vector_tile),
        below!("GET", "/segmentation_layers/{l}/labeled_tiles", Read)
            .required(labeled_tile())
            .wrong(&no_vector_tile),
        below!("GET", "/mapobject_types", Read),
        below!("POST", "/mapobject_types", Write).required(new_name()).wrong(&no_name),
        below!("POST", "/mapobject_type", Write).required(new_name()).wrong(&no_name),
        below!("PUT", "/mapobject_types/{t}", Write).required(new_name()).wrong(&no_name),
        below!("DELETE", "/mapobject_types/{t}", Write),
        below!("GET", "/mapobject_types/{t}/segmentations", Read)
            .required(segmentation())
            .wrong(&no_segmentation),
        below!("POST", "/mapobject_types/{t}/segmentations", Write)
            .required(label_image())
            .wrong(&no_label_image),
        below!("GET", "/mapobjects/{m}/info", Read),
        row("GET", "/api/tools", Token),
        below!("GET", "/tools/results", Read).wrong(&no_submission),
        below!("GET", "/tools/result", Read).wrong(&no_submission),
        below!("GET", "/tools/results/{r}", Read),
        below!("GET", "/tools/result/{r}", Read),
        below!("PUT", "/tools/results/{r}", Write).required(new_result()).wrong(&no_name),
        below!("PUT", "/tools/result/{r}", Write).required(new_result()).wrong(&no_name),
        below!("DELETE", "/tools/results/{r}", Write),
        below!("DELETE", "/tools/result/{r}", Write),
        below!("GET", "/tools/jobs", Read).wrong(&no_submission),
        below!("GET", "/tools/jobs/{j}/log", Read).about("tool jobs").personal(),
        below!("GET", "/workflow/description", Read),
        below!("POST", "/workflow/description", Write)
            .required(json!({"description": {"type": "canonical", "stages": []}}))
            .wrong(&[("description", json!("text"))]),
        below!("GET", "/workflow/jtproject", Read),
        below!("PUT", "/workflow/jtproject", Write)
            .required(json!({"pipeline": {"pipeline": []}, "handles": {}}))
            .wrong(&[("pipeline", json!("text")), ("pipeline", json!({})), ("handles", json!([]))]),
        below!("POST", "/workflow/submit", Write).wrong(&[("description", json!("text"))]),
        below!("POST", "/workflow/resubmit", Write).wrong(&[
            ("description", json!("text")),
            ("index", json!("first")),
            ("index", json!(-1)),
            ("stage_name", json!(7)),
            ("failed_only", json!("yes")),
        ]),
        below!("POST", "/workflow/kill", Write),
        below!("GET", "/workflow/status", Read).wrong(&[("depth", json!("deep"))]),
        below!("GET", "/workflow/events", Read).wrong(&[("depth", json!("deep"))]),
        below!("GET", "/workflow/jobs", Read)
            .required(json!({"step_name": "metaextract"}))
            .wrong(&["index", "batch_size"].map(|key| (key, json!("x")))),
        below!("GET", "/workflow/jobs/{j}/log", Read),
    ]
}
