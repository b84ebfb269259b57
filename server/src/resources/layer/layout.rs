//! Where every site lies on the map.
//!
//! ```text
//! well    rows·H + (rows - 1)·Δy   by   cols·W + (cols - 1)·Δx      rows = largest site y + 1
//! plate   a raster of cells, each as large as its largest well, a spacer apart;
//!         plate rows and columns without any site are left out
//! map     a grid of plates, each as large as the largest one, two spacers apart, filled column by column
//! ```
//!
//! All sites of an experiment have one size `H × W`; wells may have different numbers of sites, and
//! sites may be missing. A negative displacement `Δ` lets sites of a well overlap: the one with the
//! larger (y, x) is painted later and wins.

mod items;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tm_engine::image::{Rect, Size};

/// Edge of a tile in pixels.
pub const TILE_PX: usize = 256;
/// No side of a map is longer; what asks for more is a mistake in the metadata.
const MAX_SIDE_PX: i64 = 1 << 31;

/// Sizes and gaps that hold for the whole experiment, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spacing {
    /// Size of every site.
    pub site: Size,
    /// Gap between sites of a well, one above the other; negative where they overlap.
    pub vertical_displacement: i64,
    /// Gap between sites of a well, side by side; negative where they overlap.
    pub horizontal_displacement: i64,
    /// Gap between wells; plates are twice as far apart.
    pub well_spacer: i64,
}

/// A plate to lay out.
#[derive(Debug, Clone, Default)]
pub struct PlateSites {
    /// Row id; plates fill the grid in its order.
    pub id: i64,
    /// Wells, in any order.
    pub wells: Vec<WellSites>,
}

/// A well to lay out.
#[derive(Debug, Clone, Default)]
pub struct WellSites {
    /// Row id.
    pub id: i64,
    /// Name such as `B03`.
    pub name: String,
    /// Sites, in any order.
    pub sites: Vec<SitePosition>,
}

/// A site and its place in the well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SitePosition {
    /// Row id.
    pub id: i64,
    /// Row in the well, from 0.
    pub y: i64,
    /// Column in the well, from 0.
    pub x: i64,
}

/// A site on the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedSite {
    /// Row id.
    pub id: i64,
    /// Row id of its well.
    pub well_id: i64,
    /// The pixels of the map that it covers.
    pub rect: Rect,
}

/// A plate, well or site on the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedItem {
    /// Row id.
    pub id: i64,
    /// The pixels of the map that it covers.
    pub rect: Rect,
}

/// Why an experiment cannot be laid out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// No plate has a site.
    #[error("the experiment has no sites")]
    NoSites,
    /// Sites have different sizes.
    #[error("all sites of an experiment must have one size, got {0} and {1} pixels")]
    SiteSizes(Size, Size),
    /// A well name that is none, or occurs twice in a plate.
    #[error("well \"{0}\" has no place on a plate, or occurs twice")]
    WellName(String),
    /// A site size, position or gap that makes no sense.
    #[error("{name} is {value}")]
    Geometry {
        /// Which number.
        name: &'static str,
        /// Its value.
        value: i64,
    },
    /// The map would be larger than any microscope could fill.
    #[error("the map would be more than {MAX_SIDE_PX} pixels high or wide")]
    TooLarge,
}

/// The map of an experiment.
#[derive(Debug, Clone)]
pub struct MapLayout {
    site: Size,
    step: Step,
    spacer: usize,
    size: Size,
    plate_pitch: Step,
    plate_rows: usize,
    plates: Vec<PlateCells>,
    offsets: HashMap<i64, (usize, usize)>,
}

/// Distance from one thing to the next, in pixels.
#[derive(Debug, Clone, Copy)]
struct Step {
    y: usize,
    x: usize,
}

/// The edges of a window of the map: first and one past the last row and column.
#[derive(Debug, Clone, Copy)]
struct Edges {
    top: usize,
    bottom: usize,
    left: usize,
    right: usize,
}

#[derive(Debug, Clone)]
struct PlateCells {
    id: i64,
    pitch: Step,
    columns: usize,
    /// Row by row; `None` where the plate has no well.
    cells: Vec<Option<WellCell>>,
}

#[derive(Debug, Clone)]
struct WellCell {
    id: i64,
    /// Sorted by (y, x): the painting order.
    sites: Vec<SitePosition>,
}

impl MapLayout {
    /// Lay out plates. Plates and wells without sites take no room.
    ///
    /// # Errors
    /// [`LayoutError`] when there is no site or the numbers make no sense.
    pub fn new(spacing: Spacing, mut plates: Vec<PlateSites>) -> Result<Self, LayoutError> {
        let geometry = Geometry::check(spacing)?;
        for plate in &mut plates {
            plate.wells.retain(|well| !well.sites.is_empty());
        }
        plates.retain(|plate| !plate.wells.is_empty());
        plates.sort_by_key(|plate| plate.id);
        if plates.is_empty() {
            return Err(LayoutError::NoSites);
        }
        let mut largest = (0, 0);
        let mut cells = Vec::with_capacity(plates.len());
        for plate in plates {
            let (plate, height, width) = geometry.plate(plate)?;
            largest = (largest.0.max(height), largest.1.max(width));
            cells.push(plate);
        }
        let grid = plate_grid_shape(cells.len());
        let gap = 2 * geometry.spacer;
        let size = Size::new(
            side(grid.height as i64, largest.0, gap)? as usize,
            side(grid.width as i64, largest.1, gap)? as usize,
        );
        let mut layout = Self {
            site: spacing.site,
            step: geometry.step,
            spacer: geometry.spacer as usize,
            size,
            plate_pitch: Step { y: (largest.0 + gap) as usize, x: (largest.1 + gap) as usize },
            plate_rows: grid.height,
            plates: cells,
            offsets: HashMap::new(),
        };
        let everywhere = layout.sites_in(Rect::new(0, 0, size));
        layout.offsets = everywhere.iter().map(|site| (site.id, (site.rect.y, site.rect.x))).collect();
        Ok(layout)
    }

    /// Height and width of the map at full resolution.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Number of zoom levels, at least 2; level 0 is the smallest.
    pub fn depth(&self) -> usize {
        depth(self.size, TILE_PX)
    }

    /// Height and width of the map after `halvings` reductions.
    pub fn reduced_size(&self, halvings: usize) -> Size {
        (0..halvings).fold(self.size, |size, _| size.halved())
    }

    /// The pixels of the map that a site covers.
    pub fn site_offset(&self, site: i64) -> Option<Rect> {
        self.offsets.get(&site).map(|(y, x)| Rect::new(*y, *x, self.site))
    }

    /// The sites that touch a window of the map, in painting order: later ones win where they overlap.
    ///
    /// The cost follows the number of sites in the window, not in the experiment.
    pub fn sites_in(&self, window: Rect) -> Vec<PlacedSite> {
        let mut found = Vec::new();
        self.visit_plates(window, |plate, origin, edges| {
            plate.visit_wells(origin, edges, |well, origin| {
                self.sites_of_well(well, origin, edges, &mut found);
            });
        });
        found
    }

    /// Show the plates whose cells a window of the map touches, with the place of each.
    fn visit_plates(&self, window: Rect, mut show: impl FnMut(&PlateCells, Step, Edges)) {
        if window.size.height == 0 || window.size.width == 0 {
            return;
        }
        let edges = Edges {
            top: window.y,
            bottom: window.y.saturating_add(window.size.height),
            left: window.x,
            right: window.x.saturating_add(window.size.width),
        };
        for plate_x in cells_between(edges.left, edges.right, self.plate_pitch.x) {
            for plate_y in cells_between(edges.top, edges.bottom, self.plate_pitch.y) {
                if plate_y >= self.plate_rows {
                    break;
                }
                let Some(plate) = self.plates.get(plate_x * self.plate_rows + plate_y) else { break };
                let origin = Step { y: plate_y * self.plate_pitch.y, x: plate_x * self.plate_pitch.x };
                show(plate, origin, edges);
            }
            if plate_x * self.plate_rows >= self.plates.len() {
                break;
            }
        }
    }

    fn sites_of_well(&self, well: &WellCell, origin: Step, edges: Edges, found: &mut Vec<PlacedSite>) {
        // Site y covers [y·step, y·step + H): the first that ends after the window's top, to the
        // last that starts before its bottom.
        let first = |edge: usize, origin: usize, side: usize, step: usize| {
            (edge + 1).saturating_sub(origin + side).div_ceil(step) as i64
        };
        let end = |edge: usize, origin: usize, step: usize| edge.saturating_sub(origin).div_ceil(step) as i64;
        let columns = first(edges.left, origin.x, self.site.width, self.step.x)
            ..end(edges.right, origin.x, self.step.x);
        let rows = first(edges.top, origin.y, self.site.height, self.step.y)
            ..end(edges.bottom, origin.y, self.step.y);
        let mut row = rows.start;
        while row < rows.end {
            let from = well.sites.partition_point(|site| (site.y, site.x) < (row, columns.start));
            let Some(next) = well.sites.get(from) else { break };
            if next.y > row {
                // Rows without sites are jumped over, so that a sparse well costs no more.
                row = next.y;
                continue;
            }
            let here = well.sites[from..].iter().take_while(|site| site.y == row && site.x < columns.end);
            found.extend(here.map(|site| PlacedSite {
                id: site.id,
                well_id: well.id,
                rect: Rect::new(
                    origin.y + site.y as usize * self.step.y,
                    origin.x + site.x as usize * self.step.x,
                    self.site,
                ),
            }));
            row += 1;
        }
    }
}

impl PlateCells {
    /// Show the wells whose cells a window of the map touches, with the place of each.
    fn visit_wells(&self, origin: Step, edges: Edges, mut show: impl FnMut(&WellCell, Step)) {
        let rows = self.cells.len() / self.columns;
        let relative = |edge: usize, origin: usize| edge.saturating_sub(origin);
        for row in
            cells_between(relative(edges.top, origin.y), relative(edges.bottom, origin.y), self.pitch.y)
        {
            if row >= rows {
                break;
            }
            for column in
                cells_between(relative(edges.left, origin.x), relative(edges.right, origin.x), self.pitch.x)
            {
                if column >= self.columns {
                    break;
                }
                let Some(well) = &self.cells[row * self.columns + column] else { continue };
                show(well, Step { y: origin.y + row * self.pitch.y, x: origin.x + column * self.pitch.x });
            }
        }
    }
}

/// Indices of the cells of `pitch` pixels, from 0, that the pixels `[start, end)` fall into.
fn cells_between(start: usize, end: usize, pitch: usize) -> std::ops::Range<usize> {
    start / pitch..end.div_ceil(pitch)
}

/// Number of zoom levels of a map in tiles of `tile` pixels: it is halved at least once, and until
/// both sides fit into a tile.
pub fn depth(size: Size, tile: usize) -> usize {
    let mut size = size;
    let mut depth = 1;
    loop {
        size = size.halved();
        depth += 1;
        if size.height <= tile && size.width <= tile {
            return depth;
        }
    }
}

/// Rows (`height`) and columns (`width`) of the grid that `plates` plates are laid out in.
pub fn plate_grid_shape(plates: usize) -> Size {
    let longest = 2 * if plates < 4 { 2 } else { plates.isqrt() };
    let mut best: Option<Size> = None;
    for columns in 0..=longest {
        for rows in columns..=longest {
            let candidate = Size::new(rows, columns);
            let better = best.is_none_or(|best| {
                candidate.area() < best.area() || (candidate.area() == best.area() && rows == columns)
            });
            if candidate.area() >= plates && better {
                best = Some(candidate);
            }
        }
    }
    best.unwrap_or_default()
}

/// The checked numbers of [`Spacing`].
struct Geometry {
    site: (i64, i64),
    displacement: (i64, i64),
    spacer: i64,
    step: Step,
}

impl Geometry {
    fn check(spacing: Spacing) -> Result<Self, LayoutError> {
        let bounded = |name, value: i64, least: i64| {
            if (least..=MAX_SIDE_PX).contains(&value) {
                return Ok(value);
            }
            Err(LayoutError::Geometry { name, value })
        };
        let pixels = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        let height = bounded("the height of a site", pixels(spacing.site.height), 1)?;
        let width = bounded("the width of a site", pixels(spacing.site.width), 1)?;
        // Sites may overlap, but each must begin after the one before it.
        let down = bounded("the vertical displacement of sites", spacing.vertical_displacement, 1 - height)?;
        let right =
            bounded("the horizontal displacement of sites", spacing.horizontal_displacement, 1 - width)?;
        Ok(Self {
            site: (height, width),
            displacement: (down, right),
            spacer: bounded("the gap between wells", spacing.well_spacer, 0)?,
            step: Step { y: (height + down) as usize, x: (width + right) as usize },
        })
    }

    /// The cells of a plate, and its height and width.
    fn plate(&self, plate: PlateSites) -> Result<(PlateCells, i64, i64), LayoutError> {
        let mut cell = (0, 0);
        let mut wells = BTreeMap::new();
        for well in plate.wells {
            let position =
                well_position(&well.name).ok_or_else(|| LayoutError::WellName(well.name.clone()))?;
            let (height, width) = self.well(&well.sites)?;
            cell = (cell.0.max(height), cell.1.max(width));
            let mut sites = well.sites;
            sites.sort_by_key(|site| (site.y, site.x));
            if wells.insert(position, WellCell { id: well.id, sites }).is_some() {
                return Err(LayoutError::WellName(well.name));
            }
        }
        let rows: BTreeSet<usize> = wells.keys().map(|(row, _)| *row).collect();
        let columns: BTreeSet<usize> = wells.keys().map(|(_, column)| *column).collect();
        let height = side(rows.len() as i64, cell.0, self.spacer)?;
        let width = side(columns.len() as i64, cell.1, self.spacer)?;
        let cells = rows.iter().flat_map(|row| columns.iter().map(|column| (*row, *column)));
        let cells = cells.map(|position| wells.remove(&position)).collect();
        let pitch = Step { y: (cell.0 + self.spacer) as usize, x: (cell.1 + self.spacer) as usize };
        Ok((PlateCells { id: plate.id, pitch, columns: columns.len(), cells }, height, width))
    }

    /// Height and width of a well.
    fn well(&self, sites: &[SitePosition]) -> Result<(i64, i64), LayoutError> {
        let (mut rows, mut columns) = (0, 0);
        for site in sites {
            for value in [site.y, site.x] {
                if !(0..MAX_SIDE_PX).contains(&value) {
                    return Err(LayoutError::Geometry { name: "the position of a site", value });
                }
            }
            rows = rows.max(site.y + 1);
            columns = columns.max(site.x + 1);
        }
        Ok((side(rows, self.site.0, self.displacement.0)?, side(columns, self.site.1, self.displacement.1)?))
    }
}

/// Length of `count` things of `length` pixels with gaps between them.
fn side(count: i64, length: i64, gap: i64) -> Result<i64, LayoutError> {
    let total = i128::from(count) * i128::from(length) + i128::from(count - 1) * i128::from(gap);
    let total = i64::try_from(total).map_err(|_| LayoutError::TooLarge)?;
    if total > MAX_SIDE_PX { Err(LayoutError::TooLarge) } else { Ok(total) }
}

/// Row and column on the plate, from 0, of a well name: one or two letters and two digits.
fn well_position(name: &str) -> Option<(usize, usize)> {
    let digits = name.find(|c: char| !c.is_ascii_uppercase())?;
    let (letters, number) = name.split_at(digits);
    let letters = letters.as_bytes();
    let index = |letter: u8| usize::from(letter - b'A');
    let row = match letters {
        [one] => index(*one),
        [first, second] => 26 * (index(*first) + 1) + index(*second),
        _ => return None,
    };
    let is_number = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    let column: usize = number.parse().ok().filter(|_| is_number)?;
    Some((row, column.checked_sub(1)?))
}
