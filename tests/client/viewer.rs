//! The viewer as people use it: in a browser, from logging in to logging out.

use std::time::{Duration, Instant};

use serde_json::json;
use tm_engine::image::Size;
use tm_tests::app::{OWNER, PASSWORD, TestApp};
use tm_tests::browser::{Browser, ENTER, SELECT_ALL};
use tm_tests::cellvoyager::PlateFiles;
use tm_tests::plates::{ALL_STAGES, Experiment};

/// The map is one site of this size.
const SITE: Size = Size::new(600, 800);
/// Its left half is bright in channel 1, its upper half in channel 2; the rest is dark.
const BRIGHT: u16 = 4000;
/// How long the right colour may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);
/// All tiles of what is in view are there.
const READY: &str = "!document.getElementById('readout').hidden
    && !document.getElementById('stage').classList.contains('loading')";

/// Where the view is: the place in its middle, and screen pixels per pixel of the map.
type Place = (f64, f64, f64);
/// All of the map in its own size, which is what is shown at first: the window is large enough for it.
const WHOLE: Place = (400.0, 300.0, 1.0);
/// A place in each quarter of the map.
const QUARTERS: [(f64, f64); 4] = [(200.0, 150.0), (600.0, 150.0), (200.0, 450.0), (600.0, 450.0)];

/// An experiment with two channels, and another one without anything.
async fn plant(app: &TestApp) -> Experiment<'_> {
    let experiment = Experiment::new(app).await;
    Experiment::named(app, "nothing yet", 384).await;
    let files = PlateFiles::new("seen").grid(1, 1).size(SITE.height, SITE.width).channels(2).values(
        |id, row, column| {
            let is_bright = if id.channel == 1 { column < SITE.width / 2 } else { row < SITE.height / 2 };
            if is_bright { BRIGHT } else { 0 }
        },
    );
    experiment.upload("plate", "acquisition", &files).await;
    experiment.run(ALL_STAGES, &[]).await;
    experiment
}

/// Come to the page and log in.
async fn log_in(browser: &Browser, app: &TestApp) {
    browser.open(&format!("{}/", app.base)).await;
    browser.type_into("#username", OWNER).await;
    browser.type_into("#password", &format!("{PASSWORD}{ENTER}")).await;
    browser.wait_for("document.getElementById('experiment').options.length > 1").await;
}

async fn choose(browser: &Browser, experiment: &Experiment<'_>) {
    let id = experiment.id();
    browser
        .run(&format!(
            "const choice = document.getElementById('experiment');
             choice.value = '{id}';
             choice.dispatchEvent(new Event('change'));"
        ))
        .await;
    browser.wait_for(READY).await;
}

/// Give an input, found by a CSS selector, a value that cannot be typed.
async fn set(browser: &Browser, selector: &str, value: &str) {
    browser
        .run(&format!(
            "const input = document.querySelector('{selector}');
             input.value = '{value}';
             input.dispatchEvent(new Event('input'));"
        ))
        .await;
}

/// The brightest red, green and blue that the canvas shows within two pixels of a place, with [`WHOLE`] in view.
async fn colour_at(browser: &Browser, (x, y): (f64, f64)) -> [i64; 3] {
    let (centre_x, centre_y, scale) = WHOLE;
    browser.wait_for(READY).await;
    let found = browser
        .run(&format!(
            "const map = document.getElementById('map');
             const density = map.width / map.clientWidth;
             const at = (value, centre, length) => Math.round(((value - centre) * {scale} + length / 2) * density) - 2;
             const [left, top] = [at({x}, {centre_x}, map.clientWidth), at({y}, {centre_y}, map.clientHeight)];
             const draw = new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
             return draw.then(() => {{
                 const {{ data }} = map.getContext('2d').getImageData(left, top, 5, 5);
                 return [0, 1, 2].map((part) => Math.max(...data.filter((_, index) => index % 4 === part)));
             }});"
        ))
        .await;
    [0, 1, 2].map(|part| found[part].as_i64().unwrap_or_else(|| panic!("{found}")))
}

/// Wait until the canvas shows a fitting colour at a place.
async fn comes_to_show(
    browser: &Browser,
    position: (f64, f64),
    wanted: &str,
    fits: impl Fn([i64; 3]) -> bool,
) {
    let start = Instant::now();
    loop {
        // Takes as long as the browser needs to draw twice.
        let found = colour_at(browser, position).await;
        if fits(found) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "at {position:?}: {found:?} instead of {wanted}");
    }
}

/// Wait until the quarters of the map have these colours, which JPEG may have changed a little.
async fn shows(browser: &Browser, quarters: [[i64; 3]; 4]) {
    for (position, wanted) in QUARTERS.into_iter().zip(quarters) {
        let fits = |found: [i64; 3]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= 3);
        comes_to_show(browser, position, &format!("{wanted:?}"), fits).await;
    }
}

/// Red for channel 1 up to its brightest value, green for channel 2 up to twice that.
async fn colour_the_channels(browser: &Browser) {
    for (channel, colour, max) in [(1, "#ff0000", BRIGHT), (2, "#00ff00", 2 * BRIGHT)] {
        let row = format!("[data-channel=\"{channel}\"]");
        set(browser, &format!("{row} [type=color]"), colour).await;
        let typed = |value: u16| format!("{SELECT_ALL}{value}{ENTER}");
        browser.type_into(&format!("{row} .limits .min"), &typed(0)).await;
        browser.type_into(&format!("{row} .limits .max"), &typed(max)).await;
    }
}

const YELLOW_GREEN_RED_BLACK: [[i64; 3]; 4] = [[255, 128, 0], [0, 128, 0], [255, 0, 0], [0, 0, 0]];

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_added_in_their_colours_and_switched_off_and_a_link_brings_the_view_back() {
    let Some(browser) = Browser::start(1280, 960).await else { return };
    let app = TestApp::start().await;
    let experiment = plant(&app).await;
    log_in(&browser, &app).await;
    choose(&browser, &experiment).await;
    colour_the_channels(&browser).await;
    shows(&browser, YELLOW_GREEN_RED_BLACK).await;
    browser.wait_for("document.getElementById('workflow-state').textContent === 'Done'").await;

    browser.click("[data-channel=\"2\"] [type=checkbox]").await;
    shows(&browser, [[255, 0, 0], [0, 0, 0], [255, 0, 0], [0, 0, 0]]).await;

    browser.wait_for("location.hash.includes('_0_00ff00_0_8000')").await;
    let link = browser.url().await;
    assert!(!link.contains("token"), "{link}");
    browser.click("#logout").await;
    browser.wait_for("!document.getElementById('login').hidden && location.hash === ''").await;
    browser.open(&link).await;
    browser.type_into("#username", OWNER).await;
    browser.type_into("#password", &format!("{PASSWORD}{ENTER}")).await;
    browser.wait_for(READY).await;
    shows(&browser, [[255, 0, 0], [0, 0, 0], [255, 0, 0], [0, 0, 0]]).await;
    browser.click("[data-channel=\"2\"] [type=checkbox]").await;
    shows(&browser, YELLOW_GREEN_RED_BLACK).await;
    assert_eq!(browser.errors().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_map_is_moved_by_mouse_and_keyboard_and_shows_outlines_where_objects_are() {
    let Some(browser) = Browser::start(1280, 960).await else { return };
    let app = TestApp::start().await;
    let experiment = plant(&app).await;
    let client = app.client(OWNER).await;
    let kind =
        client.post(&format!("{}/mapobject_types", experiment.path), &json!({"name": "Cells"})).await.id();
    let row =
        |y| (0..SITE.width).map(|x| i64::from((100..200).contains(&y) && (500..700).contains(&x))).collect();
    let image: Vec<Vec<i64>> = (0..SITE.height).map(row).collect();
    let body = json!({
        "plate_name": "plate", "well_name": "B03", "well_pos_x": 0, "well_pos_y": 0, "tpoint": 0, "zplane": 0,
        "image": image,
    });
    client.post(&format!("{}/mapobject_types/{kind}/segmentations", experiment.path), &body).await.says("ok");
    log_in(&browser, &app).await;
    choose(&browser, &experiment).await;
    colour_the_channels(&browser).await;

    // An object without its outline first, then with it: on its border, and neither inside nor beside it.
    assert_eq!(colour_at(&browser, (500.0, 150.0)).await[2], 0);
    browser.click("#outlines .layer-head:first-child [type=checkbox]").await;
    set(&browser, "#outlines .layer-head:first-child [type=color]", "#0000ff").await;
    for border in [(500.0, 150.0), (700.0, 150.0), (600.0, 100.0), (600.0, 200.0)] {
        comes_to_show(&browser, border, "blue", |[_, _, blue]| blue > 150).await;
    }
    for elsewhere in [(600.0, 150.0), (480.0, 150.0), (600.0, 450.0)] {
        assert_eq!(colour_at(&browser, elsewhere).await[2], 0, "{elsewhere:?}");
    }
    browser.click("#outlines .layer-head:first-child [type=checkbox]").await;

    browser.type_into("#map", "++").await;
    comes_to(&browser, "x=400.0&y=300.0&s=2.25").await;
    // The arrow to the right.
    browser.type_into("#map", "\u{e014}").await;
    comes_to(&browser, "x=442.7&y=300.0&s=2.25").await;
    browser.type_into("#map", "0").await;
    comes_to(&browser, "x=400.0&y=300.0&s=1").await;
    // What is dragged to the left comes from the right.
    browser.drag([400, 400], [300, 350]).await;
    comes_to(&browser, "x=500.0&y=350.0&s=1").await;
    browser.type_into("#map", "0").await;
    comes_to(&browser, "x=400.0&y=300.0&s=1").await;
    browser.wheel(300, 300, -400).await;
    browser.wait_for("!location.hash.includes('&s=1&')").await;
    let zoomed = place_of(&browser).await;
    let (width, height, top) = canvas_box(&browser).await;
    assert!(zoomed.2 > 1.2, "{zoomed:?}");
    // What was below the pointer still is.
    for (pointer, middle, before, after) in
        [(300.0, width / 2.0, 400.0, zoomed.0), (300.0 - top, height / 2.0, 300.0, zoomed.1)]
    {
        let below = |centre: f64, scale: f64| centre + (pointer - middle) / scale;
        assert!((below(before, 1.0) - below(after, zoomed.2)).abs() < 1.0, "{zoomed:?}");
    }
    assert_eq!(browser.errors().await, Vec::<String>::new());
}

/// Wait until the address says that the view is here; it follows once the view rests.
async fn comes_to(browser: &Browser, place: &str) {
    browser.wait_for(&format!("`${{location.hash}}&`.includes('&{place}&')")).await;
}

/// Where the address says that the view is.
async fn place_of(browser: &Browser) -> Place {
    let found = browser
        .run(
            "const query = new URLSearchParams(location.hash.slice(1));
             return ['x', 'y', 's'].map((name) => Number(query.get(name)));",
        )
        .await;
    let [x, y, scale] = [0, 1, 2].map(|part| found[part].as_f64().unwrap());
    (x, y, scale)
}

/// Width and height of the map on the screen, and how far from the top it is.
async fn canvas_box(browser: &Browser) -> (f64, f64, f64) {
    let found = browser
        .run(
            "const box = document.getElementById('map').getBoundingClientRect();
             return [box.width, box.height, box.top];",
        )
        .await;
    let [width, height, top] = [0, 1, 2].map(|part| found[part].as_f64().unwrap());
    (width, height, top)
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_failed_steps_are_explained_below_a_base_path() {
    let Some(browser) = Browser::start(390, 844).await else { return };
    let app = TestApp::start_with(|config| config.base_path = "/tissue/maps".to_owned()).await;
    browser.open(&format!("{}/tissue/maps", app.base)).await;
    browser.type_into("#username", OWNER).await;
    browser.type_into("#password", &format!("wrong{ENTER}")).await;
    browser
        .wait_for("document.getElementById('login-error').textContent === 'Name or password is wrong.'")
        .await;
    let errors = browser.errors().await;
    assert!(errors.len() == 1 && errors[0].contains("401"), "{errors:?}");

    let client = app.client(OWNER).await;
    let body = json!({
        "name": "an experiment", "workflow_type": "canonical", "microscope_type": "cellvoyager",
        "plate_format": 384, "plate_acquisition_mode": "basic",
    });
    let experiment = client.post("/tissue/maps/api/experiments", &body).await.id();
    // Without any files there is nothing to read headers of.
    let submitted =
        client.post(&format!("/tissue/maps/api/experiments/{experiment}/workflow/submit"), &json!({})).await;
    assert_eq!(submitted.status, 200, "{:?}", submitted.body);
    browser.type_into("#password", &format!("{SELECT_ALL}{PASSWORD}{ENTER}")).await;
    browser.wait_for("document.getElementById('workflow-state').textContent.startsWith('Failed in ')").await;
    browser.wait_for("document.getElementById('workflow-log').textContent.length > 10").await;
    browser.wait_for("document.getElementById('hint').textContent.startsWith('No images yet')").await;
    let is_too_wide = browser.run("return document.documentElement.scrollWidth > innerWidth").await;
    assert_eq!(is_too_wide, json!(false));
    assert_eq!(browser.errors().await, Vec::<String>::new());
}
