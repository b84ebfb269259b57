//! Alignments: how far the images of each cycle lie from those of a reference, site by site.
//!
//! A set of shifts is made by the `align` step and never changes once it is complete; what is built with
//! it refers to it, so that a map stays consistent when the images are aligned again.

pub mod handlers;
pub mod queries;

use std::collections::{BTreeSet, HashMap};

use tm_engine::kernels::alignment::Shift;

/// Where a shift comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ShiftSource {
    /// The image is the reference.
    Reference,
    /// Measured, and better than chance.
    Measured,
    /// Not measured, or not to be trusted, and not replaced yet.
    Rejected,
    /// The median of the well in this cycle.
    Well,
    /// The median of the plate in this cycle.
    Plate,
    /// There is no trustworthy shift in the plate: not moved.
    None,
}

impl ShiftSource {
    /// All sources.
    pub const ALL: &[Self] =
        &[Self::Reference, Self::Measured, Self::Rejected, Self::Well, Self::Plate, Self::None];

    /// Name in the database and on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Measured => "measured",
            Self::Rejected => "rejected",
            Self::Well => "well",
            Self::Plate => "plate",
            Self::None => "none",
        }
    }

    /// Whether it stands for a shift that could not be trusted.
    pub const fn is_replacement(self) -> bool {
        matches!(self, Self::Well | Self::Plate | Self::None)
    }

    /// The source of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|source| source.name() == name)
    }
}

/// What registration said about an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measurement {
    /// Pixels to move down, with fractions where the method gives some.
    pub y: f64,
    /// Pixels to move to the right.
    pub x: f64,
    /// Correlation after the shift, 0 to 1.
    pub quality: f64,
    /// Quality that chance reaches.
    pub threshold: f64,
}

/// The shift of a site in a cycle.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteShift {
    /// Row id of the site.
    pub site: i64,
    /// Row id of its well.
    pub well: i64,
    /// Row id of its plate.
    pub plate: i64,
    /// Row id of the cycle.
    pub cycle: i64,
    /// The shift that is applied.
    pub shift: Shift,
    /// Where it comes from.
    pub source: ShiftSource,
    /// What was measured, if anything.
    pub measured: Option<Measurement>,
}

/// The shifts of an alignment, for looking up.
#[derive(Debug, Default)]
pub struct Shifts {
    by_image: HashMap<(i64, i64), Shift>,
    /// The largest shift along either axis, in pixels.
    pub largest: usize,
}

impl Shifts {
    /// Shifts by site and cycle.
    pub fn new(shifts: impl IntoIterator<Item = (i64, i64, Shift)>) -> Self {
        let by_image: HashMap<_, _> =
            shifts.into_iter().map(|(site, cycle, shift)| ((site, cycle), shift)).collect();
        let length = |shift: &Shift| shift.y.unsigned_abs().max(shift.x.unsigned_abs());
        let largest = by_image.values().map(length).max().unwrap_or(0);
        Self { largest: usize::try_from(largest).unwrap_or(usize::MAX), by_image }
    }

    /// Number of shifts.
    pub fn len(&self) -> usize {
        self.by_image.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_image.is_empty()
    }

    /// The shift of a site in a cycle; none of an image that was not aligned.
    pub fn of(&self, site: i64, cycle: i64) -> Shift {
        self.by_image.get(&(site, cycle)).copied().unwrap_or_default()
    }
}

/// Replace shifts that cannot be trusted by the median of those that can be: of the same cycle in the same
/// well, or else plate. Without any, images are not moved.
pub fn replace_rejected(shifts: &mut [SiteShift]) {
    let trusted = |shifts: &[SiteShift], key: fn(&SiteShift) -> (i64, i64)| {
        let mut groups: HashMap<(i64, i64), Vec<Shift>> = HashMap::new();
        for shift in shifts.iter().filter(|shift| shift.source == ShiftSource::Measured) {
            groups.entry(key(shift)).or_default().push(shift.shift);
        }
        groups.into_iter().map(|(key, shifts)| (key, median(&shifts))).collect::<HashMap<_, _>>()
    };
    let wells = trusted(shifts, |shift| (shift.well, shift.cycle));
    let plates = trusted(shifts, |shift| (shift.plate, shift.cycle));
    for shift in shifts.iter_mut().filter(|shift| shift.source == ShiftSource::Rejected) {
        let well = wells.get(&(shift.well, shift.cycle)).map(|median| (*median, ShiftSource::Well));
        let plate = plates.get(&(shift.plate, shift.cycle)).map(|median| (*median, ShiftSource::Plate));
        (shift.shift, shift.source) = well.or(plate).unwrap_or((Shift::default(), ShiftSource::None));
    }
}

/// The median of each component; of an even number, the mean of the middle two, rounded down.
fn median(shifts: &[Shift]) -> Shift {
    let middle = |mut values: Vec<i32>| {
        values.sort_unstable();
        let at = |index: usize| i64::from(values.get(index).copied().unwrap_or_default());
        let half = values.len() / 2;
        let mean = if values.len().is_multiple_of(2) && half > 0 {
            (at(half - 1) + at(half)).div_euclid(2)
        } else {
            at(half)
        };
        // Between two 32-bit numbers.
        i32::try_from(mean).unwrap_or_default()
    };
    Shift::new(
        middle(shifts.iter().map(|shift| shift.y).collect()),
        middle(shifts.iter().map(|shift| shift.x).collect()),
    )
}

/// The cycles in which some shift was replaced, with the number of such sites.
pub fn replaced_by_cycle(shifts: &[SiteShift]) -> Vec<(i64, usize)> {
    let cycles: BTreeSet<i64> = shifts.iter().map(|shift| shift.cycle).collect();
    let is_replaced = |shift: &&SiteShift| shift.source.is_replacement();
    cycles
        .into_iter()
        .map(|cycle| (cycle, shifts.iter().filter(|shift| shift.cycle == cycle).filter(is_replaced).count()))
        .filter(|(_, sites)| *sites > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(site: i64, well: i64, source: ShiftSource, y: i32, x: i32) -> SiteShift {
        SiteShift { site, well, plate: 1, cycle: 7, shift: Shift::new(y, x), source, measured: None }
    }

    #[test]
    fn a_rejected_shift_is_replaced_by_the_median_of_its_well_or_else_of_its_plate() {
        use ShiftSource::{Measured, None, Plate, Rejected, Well};
        let mut shifts = vec![
            shift(1, 10, Measured, 2, -3),
            shift(2, 10, Measured, 4, -4),
            shift(3, 10, Measured, 3, 90),
            shift(4, 10, Rejected, 55, 66),
            shift(5, 20, Rejected, 0, 0),
            SiteShift { plate: 2, ..shift(6, 30, Rejected, 9, 9) },
        ];
        replace_rejected(&mut shifts);
        let found: Vec<_> = shifts[3..].iter().map(|shift| (shift.shift, shift.source)).collect();
        let expected = [(Shift::new(3, -3), Well), (Shift::new(3, -3), Plate), (Shift::new(0, 0), None)];
        assert_eq!(found, expected);
        assert_eq!(replaced_by_cycle(&shifts), [(7, 3)]);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two_rounded_down() {
        assert_eq!(median(&[Shift::new(-3, 2), Shift::new(-2, 5)]), Shift::new(-3, 3));
        assert_eq!(median(&[Shift::new(i32::MAX, i32::MIN)]), Shift::new(i32::MAX, i32::MIN));
    }
}
