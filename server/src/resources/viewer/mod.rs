//! The viewer: a page that shows maps in a browser, and its files, built into the program.
//!
//! Plain HTML, CSS and JavaScript modules below `server/assets/viewer`, as they are written: there is no build
//! step, and nothing comes from anywhere else. `main.js` is where to begin reading.

pub mod handlers;

use bytes::Bytes;

/// A file of the viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    /// Its name below `/viewer/`.
    pub name: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// What is in it.
    pub text: &'static str,
}

/// Media type of modules.
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! asset {
    ($name:literal, $media_type:expr) => {
        Asset {
            name: $name,
            media_type: $media_type,
            text: include_str!(concat!("../../../assets/viewer/", $name)),
        }
    };
}

/// Every file that the page loads.
pub const ALL: &[Asset] = &[
    asset!("style.css", "text/css; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
    asset!("main.js", SCRIPT),
    asset!("api.js", SCRIPT),
    asset!("dom.js", SCRIPT),
    asset!("gestures.js", SCRIPT),
    asset!("images.js", SCRIPT),
    asset!("layers.js", SCRIPT),
    asset!("link.js", SCRIPT),
    asset!("map.js", SCRIPT),
    asset!("outlines.js", SCRIPT),
    asset!("readout.js", SCRIPT),
    asset!("store.js", SCRIPT),
    asset!("workflow.js", SCRIPT),
];

/// The page itself.
const PAGE: &str = include_str!("../../../assets/viewer/index.html");

/// The file of this name.
pub fn find(name: &str) -> Option<&'static Asset> {
    ALL.iter().find(|asset| asset.name == name)
}

/// The page as it is served below `base_path`, which is empty or such as `/tissuemaps`.
pub fn page(base_path: &str) -> Bytes {
    if base_path.is_empty() {
        return PAGE.into();
    }
    // At `/tissuemaps`, without a slash at its end, relative addresses would begin one level too high.
    let base = format!("<head>\n    <base href=\"{base_path}/\">");
    PAGE.replacen("<head>", &base, 1).into()
}
