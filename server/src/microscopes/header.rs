//! What the header of an image file says about its pages: OME-XML, or the properties that MetaMorph and
//! MetaXpress write.

use serde::{Deserialize, Serialize};

use super::ome;
use super::secure_filename::secure_filename;
use super::well::WellName;
use super::xml;

/// What a header, or a companion file, says about an image file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HeaderFacts {
    /// By page; pages that are not listed are not described.
    pub pages: Vec<PageFacts>,
    /// Edge of a pixel in the specimen, in µm.
    pub pixel_size_um: Option<f64>,
    /// Distance of focal planes, in µm.
    pub z_step_um: Option<f64>,
    /// Time from one time point to the next, in seconds.
    pub time_interval_s: Option<f64>,
}

/// What is said about one page. Numbers count from 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PageFacts {
    /// The well.
    pub well: Option<WellName>,
    /// Number of the site in its well.
    pub site: Option<u32>,
    /// Number of the image in a document of several: a site, where nothing better is known.
    pub series: Option<u32>,
    /// Name of the channel.
    pub channel: Option<String>,
    /// What the channel shows, where that is not its name.
    pub label: Option<String>,
    /// Colour of the channel as `RRGGBB`.
    pub color: Option<String>,
    /// Number of the focal plane.
    pub z: Option<u32>,
    /// Number of the time point.
    pub t: Option<u32>,
    /// Stage position in µm, to the right.
    pub x_um: Option<f64>,
    /// Stage position in µm, down.
    pub y_um: Option<f64>,
    /// Focus position in µm.
    pub z_um: Option<f64>,
    /// Whether OME-XML says so.
    pub is_ome: bool,
}

/// What the description of an image file says; nothing if it is of no known kind.
///
/// # Errors
/// What is wrong with a description that looks like XML, as the end of a sentence that begins with the file's
/// name: such a file is still an image, so callers warn and go on.
pub fn read_description(file: &str, description: &str) -> Result<HeaderFacts, String> {
    if description.contains("<OME") || description.contains(":OME") {
        let document = ome::Document::read(description.trim_end_matches('\0').as_bytes())?;
        // Files of a linked directory have names that are not secured.
        let own = secure_filename(ome::base_name(file));
        return Ok(document.by_file(Some(&own)).remove(&own).unwrap_or_default());
    }
    if description.trim_start().starts_with("<MetaData") {
        return meta_morph(description);
    }
    Ok(HeaderFacts::default())
}

/// Properties of MetaMorph: stage position, calibration, name of the illumination.
fn meta_morph(description: &str) -> Result<HeaderFacts, String> {
    let mut facts = PageFacts::default();
    let (mut pixel, mut calibrated, mut micrometres) = (None, true, true);
    xml::for_each_element(description.trim_end_matches('\0').as_bytes(), |element| {
        let Some((id, value)) = element.attribute("id").zip(element.attribute("value")) else {
            return Ok(());
        };
        let number = || value.parse::<f64>().ok().filter(|number| number.is_finite());
        match id {
            "stage-position-x" => facts.x_um = number(),
            "stage-position-y" => facts.y_um = number(),
            "z-position" => facts.z_um = number(),
            "image-name" => facts.label = Some(value.to_string()),
            "spatial-calibration-state" => calibrated = value == "on",
            "spatial-calibration-units" => micrometres = matches!(value, "um" | "µm" | "microns"),
            "spatial-calibration-x" => pixel = number().filter(|size| *size > 0.0),
            _ => {}
        }
        Ok(())
    })?;
    let pixel_size_um = pixel.filter(|_| calibrated && micrometres);
    Ok(HeaderFacts { pages: vec![facts], pixel_size_um, ..HeaderFacts::default() })
}
