//! What a plan says about the whole of an acquisition: channels, pixel size, sources, and what is missing.

use std::collections::BTreeMap;

use super::error::Names;
use super::plan::{FieldSource, ImageFile, PlaneKey, PlannedChannel, PlannedWell, channel_of};
use super::record::{ChannelDetails, PlaneRecord, Provenance};

/// The pixel size in µm that all headers share, if any of them states one.
pub fn pixel_size(images: &[ImageFile], warnings: &mut Vec<String>) -> Option<f64> {
    shared(images, |image| image.header.pixel_size_um, ("pixel sizes", "µm"), warnings)
}

/// The distance of focal planes in µm that all headers share, if any of them states one.
pub fn z_step(images: &[ImageFile], warnings: &mut Vec<String>) -> Option<f64> {
    shared(images, |image| image.header.z_step_um, ("distances of focal planes", "µm"), warnings)
}

/// The time between time points in seconds that all headers share, if any of them states one.
pub fn time_interval(images: &[ImageFile], warnings: &mut Vec<String>) -> Option<f64> {
    shared(images, |image| image.header.time_interval_s, ("times between time points", "s"), warnings)
}

/// The value that all headers share which state one; else none, and a warning.
fn shared(
    images: &[ImageFile],
    pick: fn(&ImageFile) -> Option<f64>,
    (what, unit): (&str, &str),
    warnings: &mut Vec<String>,
) -> Option<f64> {
    /// Values this close (as a share) are the same.
    const SAME: f64 = 0.001;
    let mut stated = images.iter().filter_map(|image| Some((image, pick(image)?)));
    let (_, first) = stated.next()?;
    match stated.find(|(_, value)| (value - first).abs() > SAME * first) {
        None => Some(first),
        Some((image, value)) => {
            warnings.push(format!(
                "image files state different {what}, {first} {unit} and {value} {unit} ({}): none is used",
                image.name
            ));
            None
        }
    }
}

/// The channels with what metadata say about them, or else the headers, where these agree.
pub fn channels(
    names: &[&str],
    planes: &[PlaneRecord],
    metadata: &BTreeMap<String, ChannelDetails>,
) -> Vec<PlannedChannel> {
    /// One value per channel; `None` where the planes disagree.
    type Agreed<'a> = BTreeMap<&'a str, Option<&'a str>>;
    fn agree<'a>(planes: &'a [PlaneRecord], pick: fn(&PlaneRecord) -> Option<&str>) -> Agreed<'a> {
        let mut agreed = Agreed::new();
        for plane in planes {
            let value = pick(plane);
            let known = agreed.entry(channel_of(plane)).or_insert(value);
            if *known != value {
                *known = None;
            }
        }
        agreed
    }
    let colors = agree(planes, |plane| plane.color.as_deref());
    let mut labels = agree(planes, |plane| plane.label.as_deref());
    // A label that several channels have tells nobody which is which.
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    labels.values().flatten().for_each(|label| *counts.entry(label).or_default() += 1);
    labels.values_mut().for_each(|label| *label = label.filter(|label| counts[label] == 1));
    let text = |values: &Agreed<'_>, name: &str| values.get(name).copied().flatten().map(str::to_string);
    let describe = |name: &&str| {
        let said = metadata.get(*name).cloned().unwrap_or_default();
        let label = said.label.or_else(|| text(&labels, name)).filter(|label| label != name);
        let details = ChannelDetails { label, color: said.color.or_else(|| text(&colors, name)) };
        PlannedChannel { name: (*name).to_string(), details }
    };
    names.iter().map(describe).collect()
}

/// A warning about sites that lack some of the planes that the others have. `keyed` is sorted.
pub fn incomplete(keyed: &[(PlaneKey, usize)], wells: &[PlannedWell], channels: &[&str]) -> Option<String> {
    // Channels may differ in their time points and focal planes: a channel is compared with itself.
    let mut counts: BTreeMap<(usize, usize, usize), usize> = BTreeMap::new();
    for (key, _) in keyed {
        *counts.entry((key.channel, key.well, key.site)).or_default() += 1;
    }
    let most: Vec<usize> = (0..channels.len())
        .map(|channel| counts.range((channel, 0, 0)..(channel + 1, 0, 0)).map(|(_, count)| *count).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut lacking = Vec::new();
    for (well, planned) in wells.iter().enumerate() {
        for (site, place) in planned.sites.iter().enumerate() {
            for (channel, name) in channels.iter().enumerate() {
                let count = counts.get(&(channel, well, site)).copied().unwrap_or_default();
                if count < most[channel] {
                    lacking.push(format!(
                        "well {}, row {}, column {}, channel {name} ({count} of {})",
                        planned.name, place.y, place.x, most[channel]
                    ));
                }
            }
        }
    }
    (!lacking.is_empty()).then(|| {
        format!("planes are missing at {} places, stored without them: {}", lacking.len(), Names(lacking))
    })
}

/// How many planes have each field from where.
pub fn provenance(planes: &[PlaneRecord]) -> Vec<FieldSource> {
    let mut counts: BTreeMap<(usize, Provenance), usize> = BTreeMap::new();
    const FIELDS: [&str; 5] = ["well", "site", "channel", "t", "z"];
    for plane in planes {
        let sources = [
            plane.well.map(|known| known.from),
            plane.site.map(|known| known.from),
            plane.channel.as_ref().map(|known| known.from),
            plane.t.map(|known| known.from),
            plane.z.map(|known| known.from),
        ];
        for (field, source) in sources.into_iter().enumerate() {
            *counts.entry((field, source.unwrap_or(Provenance::Default))).or_default() += 1;
        }
    }
    counts
        .into_iter()
        .map(|((field, from), planes)| FieldSource { field: FIELDS[field], from, planes })
        .collect()
}
