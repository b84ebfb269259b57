//! Where the sites of every well lie: by stage positions if all are known, else by layout arguments.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::error::{Names, PlanError};
use super::grid::{self, GridPosition, MergeDistance, StagePoint};
use super::layout::SiteLayout;
use super::plan::GridSource;
use super::record::PlaneRecord;
use super::well::WellName;

/// Indices of the planes of every well, in natural order of file names.
pub type PlanesOfWells = BTreeMap<WellName, Vec<usize>>;

/// The place of every plane in the grid of its well.
#[derive(Debug)]
pub struct Placed {
    /// One per plane.
    pub positions: Vec<GridPosition>,
    /// What they come from.
    pub source: GridSource,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Place all planes.
///
/// # Errors
/// No positions and no layout, two sites on one place, or a layout that does not fit the sites.
pub fn place(
    planes: &[PlaneRecord],
    wells: &PlanesOfWells,
    pixel_size_um: Option<f64>,
    layout: Option<SiteLayout>,
) -> Result<Placed, PlanError> {
    let numbered = planes.iter().all(|plane| plane.site.is_some());
    match WellPoints::of_all(planes, wells) {
        Ok(points) => by_stage(planes, &points, pixel_size_um, layout),
        Err(reason) => match layout {
            Some(layout) if numbered => by_number(planes, wells, layout),
            Some(layout) => by_file_order(planes, wells, layout),
            None => alone(planes, wells).ok_or(PlanError::NoGrid { reason }),
        },
    }
}

/// The sites of a well as points.
struct WellPoints<'a> {
    well: WellName,
    /// Planes of the well.
    planes: &'a [usize],
    /// Site of each of these planes, as an index into `points`.
    site_of: Vec<usize>,
    /// Mean position of each site over its planes: channels and focal planes differ by some jitter.
    points: Vec<StagePoint>,
    /// Number of each site; without one every plane is a site of its own.
    numbers: Vec<Option<u32>>,
}

impl<'a> WellPoints<'a> {
    /// All wells, or the reason why the positions do not do.
    fn of_all(planes: &[PlaneRecord], wells: &'a PlanesOfWells) -> Result<Vec<Self>, String> {
        wells.iter().map(|(well, members)| Self::new(planes, *well, members)).collect()
    }

    fn new(planes: &[PlaneRecord], well: WellName, members: &'a [usize]) -> Result<Self, String> {
        let mut index_of: HashMap<u32, usize> = HashMap::new();
        let mut numbers = Vec::new();
        let site_of: Vec<usize> = members
            .iter()
            .map(|&plane| {
                let number = planes[plane].site.map(|known| known.value);
                let index = number.map_or(numbers.len(), |n| *index_of.entry(n).or_insert(numbers.len()));
                if index == numbers.len() {
                    numbers.push(number);
                }
                index
            })
            .collect();
        let mut sums = vec![(0.0, 0.0, 0.0); numbers.len()];
        for (&plane, &site) in members.iter().zip(&site_of) {
            if let (Some(x), Some(y)) = (planes[plane].x_um, planes[plane].y_um) {
                let sum = &mut sums[site];
                *sum = (sum.0 + y.value, sum.1 + x.value, sum.2 + 1.0);
            }
        }
        if let Some(site) = sums.iter().position(|sum| sum.2 == 0.0) {
            let plane = members[site_of.iter().position(|&of| of == site).expect("every site has a plane")];
            return Err(format!("no stage position for well {well}, file {}", planes[plane].file));
        }
        let mean = |(y, x, count): (f64, f64, f64)| StagePoint { y_um: y / count, x_um: x / count };
        let points = sums.into_iter().map(mean).collect();
        Ok(Self { well, planes: members, site_of, points, numbers })
    }

    /// Places of the sites, or the two sites that would share one.
    fn positions(&self, distance: MergeDistance) -> Result<Vec<GridPosition>, (usize, usize)> {
        let positions = grid::positions(&self.points, distance);
        let mut taken: HashMap<GridPosition, usize> = HashMap::new();
        for (site, &position) in positions.iter().enumerate() {
            if self.numbers[site].is_none() {
                continue;
            }
            if let Some(other) = taken.insert(position, site) {
                return Err((other, site));
            }
        }
        Ok(positions)
    }

    fn same_place(&self, planes: &[PlaneRecord], sites: (usize, usize), place: GridPosition) -> PlanError {
        let number = |site: usize| self.numbers[site].unwrap_or_default();
        let file = |site: usize| {
            let member = self.site_of.iter().position(|&of| of == site).expect("every site has a plane");
            let at = self.points[site];
            format!("{} (x {:.1} µm, y {:.1} µm)", planes[self.planes[member]].file, at.x_um, -at.y_um)
        };
        PlanError::SamePlace {
            well: self.well.to_string(),
            first: number(sites.0),
            second: number(sites.1),
            row: place.y,
            column: place.x,
            files: Names(vec![file(sites.0), file(sites.1)]),
        }
    }
}

/// Places by stage positions. See [`grid`] for the rule.
fn by_stage(
    planes: &[PlaneRecord],
    wells: &[WellPoints<'_>],
    pixel_size_um: Option<f64>,
    layout: Option<SiteLayout>,
) -> Result<Placed, PlanError> {
    let half_step = || MergeDistance::half_step(wells.iter().map(|well| well.points.as_slice()));
    let all = |distance: MergeDistance| -> Result<Vec<Vec<GridPosition>>, PlanError> {
        let of_well = |well: &WellPoints<'_>| {
            well.positions(distance).map_err(|sites| {
                let place = grid::positions(&well.points, distance)[sites.0];
                well.same_place(planes, sites, place)
            })
        };
        wells.iter().map(of_well).collect()
    };
    let half_field = pixel_size_um.zip(planes.first()).map(|(size, plane)| {
        MergeDistance::half_field(f64::from(plane.height) * size, f64::from(plane.width) * size)
    });
    let by_site = match half_field.map(all) {
        Some(Ok(positions)) => positions,
        Some(Err(_)) | None => all(half_step())?,
    };
    let mut placed = Placed {
        positions: vec![GridPosition { y: 0, x: 0 }; planes.len()],
        source: GridSource::StagePositions,
        warnings: Vec::new(),
    };
    let mut ragged = Vec::new();
    let mut unlike_layout = Vec::new();
    for (well, positions) in wells.iter().zip(&by_site) {
        for (&plane, &site) in well.planes.iter().zip(&well.site_of) {
            placed.positions[plane] = positions[site];
        }
        let rows = positions.iter().map(|place| place.y + 1).max().unwrap_or(0);
        let columns = positions.iter().map(|place| place.x + 1).max().unwrap_or(0);
        let sites = positions.iter().collect::<BTreeSet<_>>().len();
        let described = format!("{} ({rows} x {columns} for {sites} sites)", well.well);
        if layout.is_some_and(|layout| (layout.rows(), layout.columns()) != (rows, columns)) {
            unlike_layout.push(described.clone());
        }
        // A full diagonal of n sites has n² places; a grid with holes stays far below.
        if sites > 3 && rows * columns > 4 * sites {
            ragged.push(described);
        }
    }
    if let (Some(layout), false) = (layout, unlike_layout.is_empty()) {
        placed.warnings.push(format!(
            "stage positions count, not the layout arguments ({} x {}), in wells {}",
            layout.rows(),
            layout.columns(),
            Names(unlike_layout)
        ));
    }
    if !ragged.is_empty() {
        placed.warnings.push(format!("stage positions do not form a full grid in wells {}", Names(ragged)));
    }
    Ok(placed)
}

/// Places by layout and site number.
///
/// If the numbers of all wells together are as many as the layout has sites, a number means the same place
/// in every well, and a well may lack some. Otherwise every well must be complete.
fn by_number(planes: &[PlaneRecord], wells: &PlanesOfWells, layout: SiteLayout) -> Result<Placed, PlanError> {
    let number = |plane: usize| planes[plane].site.map_or(0, |known| known.value);
    let numbers_of =
        |members: &[usize]| members.iter().map(|&plane| number(plane)).collect::<BTreeSet<u32>>();
    let of_wells: Vec<BTreeSet<u32>> = wells.values().map(|members| numbers_of(members)).collect();
    let union: BTreeSet<u32> = of_wells.iter().flatten().copied().collect();
    let common = union.len() == layout.sites();
    let mut placed = Placed {
        positions: vec![GridPosition { y: 0, x: 0 }; planes.len()],
        source: GridSource::Layout,
        warnings: Vec::new(),
    };
    for ((well, members), own) in wells.iter().zip(&of_wells) {
        if own.len() != layout.sites() {
            let list =
                |numbers: &mut dyn Iterator<Item = &u32>| -> Names { numbers.map(u32::to_string).collect() };
            if !common {
                let detail = format!(" (sites {})", list(&mut own.iter()));
                return Err(mismatch(format!("well {well}"), layout, own.len(), detail));
            }
            placed.warnings.push(format!("well {well} lacks sites {}", list(&mut union.difference(own))));
        }
        let order = if common { &union } else { own };
        let place: HashMap<u32, GridPosition> =
            order.iter().enumerate().map(|(k, &number)| (number, layout.position(k))).collect();
        for &plane in members {
            placed.positions[plane] = place[&number(plane)];
        }
    }
    Ok(placed)
}

/// What makes planes of different sites alike, where sites have no numbers.
fn group_of(plane: &PlaneRecord) -> (Option<&str>, Option<u32>, Option<u32>) {
    let channel = plane.channel.as_ref().map(|known| known.value.as_str());
    (channel, plane.t.map(|known| known.value), plane.z.map(|known| known.value))
}

/// Places by layout and natural order of file names, within each channel, time point and focal plane.
fn by_file_order(
    planes: &[PlaneRecord],
    wells: &PlanesOfWells,
    layout: SiteLayout,
) -> Result<Placed, PlanError> {
    let mut positions = vec![GridPosition { y: 0, x: 0 }; planes.len()];
    for (well, members) in wells {
        let mut counts = BTreeMap::new();
        for &plane in members {
            let count: &mut usize = counts.entry(group_of(&planes[plane])).or_default();
            if *count < layout.sites() {
                positions[plane] = layout.position(*count);
            }
            *count += 1;
        }
        if let Some((group, &count)) = counts.iter().find(|(_, count)| **count != layout.sites()) {
            let place = format!(
                "well {well}, channel {}, time point {}, focal plane {}",
                group.0.unwrap_or_default(),
                group.1.unwrap_or_default(),
                group.2.unwrap_or_default()
            );
            return Err(mismatch(place, layout, count, " (site numbers are not known)".to_string()));
        }
    }
    Ok(Placed { positions, source: GridSource::Layout, warnings: Vec::new() })
}

/// One site per well needs no grid.
fn alone(planes: &[PlaneRecord], wells: &PlanesOfWells) -> Option<Placed> {
    let single = wells.values().all(|members| {
        let site = |plane: usize| planes[plane].site.map(|known| known.value);
        let first = members.first().and_then(|&plane| site(plane));
        let mut groups = BTreeSet::new();
        members.iter().all(|&plane| site(plane) == first)
            && (first.is_some() || members.iter().all(|&plane| groups.insert(group_of(&planes[plane]))))
    });
    single.then(|| Placed {
        positions: vec![GridPosition { y: 0, x: 0 }; planes.len()],
        source: GridSource::SingleSite,
        warnings: Vec::new(),
    })
}

fn mismatch(place: String, layout: SiteLayout, got: usize, detail: String) -> PlanError {
    PlanError::LayoutMismatch {
        place,
        rows: layout.rows(),
        columns: layout.columns(),
        wanted: layout.sites(),
        got,
        detail,
    }
}
