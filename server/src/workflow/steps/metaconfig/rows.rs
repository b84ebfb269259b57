//! The rows that metaconfig makes, brought up to date: what the new plan still has keeps its row, and with it its id,
//! what users said about it and what lies on it.
//!
//! | row | is the same if it has the same | what a user said |
//! |---|---|---|
//! | cycle | index | |
//! | channel | name in the plan | its name, unless the plan has another channel of that name now |
//! | well | plate and name | its description |
//! | site | well, row and column | |
//!
//! Planes are made anew: what is stored of them is not.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tm_engine::image::Size;

use super::assembly::{Channel, to_i64};
use crate::resources::channel::queries as channel_queries;
use crate::resources::workflow::queries::{self, KnownChannel, KnownSite};
use crate::store::Tx;
use crate::workflow::steps::StepResult;

/// The wells and sites of an experiment as they were; those that are taken stay.
pub(super) struct KnownPlaces {
    wells: HashMap<(i64, String), i64>,
    sites: HashMap<(i64, i64, i64), KnownSite>,
}

impl KnownPlaces {
    /// All that there are.
    pub async fn read(tx: &mut Tx, experiment: i64) -> StepResult<Self> {
        let wells = queries::known_wells(tx, experiment).await?;
        let sites = queries::known_sites(tx, experiment).await?;
        Ok(Self {
            wells: wells.into_iter().map(|(id, plate, name)| ((plate, name), id)).collect(),
            sites: sites.into_iter().map(|site| ((site.well_id, site.y, site.x), site)).collect(),
        })
    }

    /// The id of a well: the one it had, or that of a new row.
    pub async fn well(&mut self, tx: &mut Tx, plate: i64, name: String) -> StepResult<i64> {
        match self.wells.remove(&(plate, name.clone())) {
            Some(id) => Ok(id),
            None => Ok(queries::insert_well(tx, plate, &name).await?),
        }
    }

    /// The id of a site, which has this size from now on: the one it had, or that of a new row.
    pub async fn site(&mut self, tx: &mut Tx, well: i64, at: (usize, usize), size: Size) -> StepResult<i64> {
        let (y, x) = (to_i64(at.0)?, to_i64(at.1)?);
        let (height, width) = (to_i64(size.height)?, to_i64(size.width)?);
        let Some(known) = self.sites.remove(&(well, y, x)) else {
            return Ok(queries::insert_site(tx, well, y, x, height, width).await?);
        };
        if (known.height, known.width) != (height, width) {
            queries::resize_site(tx, known.id, height, width).await?;
        }
        Ok(known.id)
    }

    /// Delete the wells and sites that nobody took.
    pub async fn delete_rest(self, tx: &mut Tx) -> StepResult<()> {
        for site in self.sites.into_values() {
            queries::delete_site(tx, site.id).await?;
        }
        for id in self.wells.into_values() {
            queries::delete_well(tx, id).await?;
        }
        Ok(())
    }
}

/// Bring the cycles up to date; the value is their ids by index.
pub(super) async fn cycles(tx: &mut Tx, experiment: i64, count: usize) -> StepResult<Vec<i64>> {
    let known = queries::known_cycles(tx, experiment).await?;
    let mut known: BTreeMap<i64, i64> = known.into_iter().map(|(id, index)| (index, id)).collect();
    let mut ids = Vec::with_capacity(count);
    for index in 0..to_i64(count)? {
        ids.push(match known.remove(&index) {
            Some(id) => id,
            None => queries::insert_cycle(tx, experiment, index).await?,
        });
    }
    for id in known.into_values() {
        queries::delete_cycle(tx, id).await?;
    }
    Ok(ids)
}

/// The channels of an experiment, up to date.
pub(super) struct ChannelRows {
    /// Ids by planned name.
    pub ids: HashMap<String, i64>,
    /// Channels that lost the name that a user gave them, because the plan has another channel of this name.
    pub renamed: Vec<Renamed>,
}

/// A channel that is called as it was planned again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Renamed {
    id: i64,
    /// What a user called it.
    pub from: String,
    /// What it is called from now on.
    pub to: String,
}

/// Bring the channels up to date, `bits` deep each.
pub(super) async fn channels(
    tx: &mut Tx,
    experiment: i64,
    planned: &[Channel],
    bits: u8,
) -> StepResult<ChannelRows> {
    let (kept, gone): (Vec<_>, Vec<_>) = queries::known_channels(tx, experiment)
        .await?
        .into_iter()
        .partition(|known| planned.iter().any(|channel| channel.name == known.planned_name));
    for channel in gone {
        queries::delete_channel(tx, channel.id).await?;
    }
    let renamed = clashes(&kept, planned);
    let kept: HashMap<String, i64> =
        kept.into_iter().map(|channel| (channel.planned_name, channel.id)).collect();
    // From the last one on, each gets its name back when the name is free.
    for Renamed { id, to, .. } in renamed.iter().rev() {
        channel_queries::rename(tx, experiment, *id, to).await?;
    }
    let bits = i64::from(bits);
    let mut ids = HashMap::new();
    for Channel { name, wavelength } in planned {
        let id = match kept.get(name) {
            Some(id) => {
                queries::update_channel(tx, *id, wavelength, bits).await?;
                *id
            }
            None => queries::insert_channel(tx, experiment, name, wavelength, bits).await?,
        };
        ids.insert(name.clone(), id);
    }
    Ok(ChannelRows { ids, renamed })
}

/// The channels that have to give up the name a user gave them, each because one before it in the list, or a new
/// channel, needs it.
fn clashes(kept: &[KnownChannel], planned: &[Channel]) -> Vec<Renamed> {
    let known: BTreeSet<&str> = kept.iter().map(|channel| channel.planned_name.as_str()).collect();
    let new = planned.iter().map(|channel| channel.name.as_str()).filter(|name| !known.contains(name));
    let mut needed: Vec<&str> = new.collect();
    let mut renamed = Vec::new();
    while let Some(name) = needed.pop() {
        let holder = kept.iter().find(|channel| channel.name == name && channel.planned_name != name);
        if let Some(KnownChannel { id, name, planned_name }) = holder {
            renamed.push(Renamed { id: *id, from: name.clone(), to: planned_name.clone() });
            needed.push(planned_name);
        }
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(names: &[(&str, &str)]) -> Vec<KnownChannel> {
        let channel = |(id, (planned, name)): (i64, &(&str, &str))| KnownChannel {
            id,
            name: (*name).to_owned(),
            planned_name: (*planned).to_owned(),
        };
        (1..).zip(names).map(channel).collect()
    }

    fn planned(names: &[&str]) -> Vec<Channel> {
        let channel = |name: &&str| Channel { name: (*name).to_owned(), wavelength: (*name).to_owned() };
        names.iter().map(channel).collect()
    }

    #[test]
    fn given_names_stay_as_long_as_no_new_channel_needs_them() {
        let swapped = kept(&[("1", "2"), ("2", "1"), ("3", "DAPI")]);
        assert_eq!(clashes(&swapped, &planned(&["1", "2", "3", "4"])), []);
    }

    #[test]
    fn a_new_channel_gets_its_name_and_whoever_had_it_the_planned_one_back() {
        let given = kept(&[("1", "4"), ("2", "1"), ("3", "DAPI")]);
        let lost: Vec<_> = clashes(&given, &planned(&["1", "2", "3", "4"]))
            .into_iter()
            .map(|renamed| (renamed.id, renamed.from, renamed.to))
            .collect();
        let text = |id, from: &str, to: &str| (id, from.to_owned(), to.to_owned());
        assert_eq!(lost, [text(1, "4", "1"), text(2, "1", "2")]);
    }
}
