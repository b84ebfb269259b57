//! The map computed again from its definition, on a whole canvas in memory: sections 3.2 to 3.7 of the
//! imaging reference, nothing of the server's.

use std::collections::BTreeSet;

use tm_engine::image::GreyPlane;
use tm_tests::cellvoyager::PlateFiles;

const WELL_SPACER: usize = 500;
const PLATE_SPACER: usize = 2 * WELL_SPACER;
const TILE: usize = 256;

/// An image and where it belongs.
#[derive(Debug, Clone)]
pub struct Site {
    /// Index of the plate.
    pub plate: usize,
    /// Name of the well.
    pub well: String,
    /// Row in the well.
    pub y: usize,
    /// Column in the well.
    pub x: usize,
    /// Values, row by row.
    pub values: Vec<u16>,
}

/// All images of one channel, focal plane and time point of some plates, as they are in the files.
pub fn sites(plates: &[&PlateFiles], channel: u32, z: u32, t: u32) -> Vec<Site> {
    let mut sites = Vec::new();
    for (index, plate) in plates.iter().enumerate() {
        for id in plate.planes() {
            if (id.channel, id.z, id.t) == (channel, z, t) {
                let values = values(&plate.pixels_of(&id));
                sites.push(Site { plate: index, well: id.well, y: id.y, x: id.x, values });
            }
        }
    }
    assert!(!sites.is_empty());
    sites
}

/// The pixels of a plane of either depth.
pub fn values(plane: &GreyPlane) -> Vec<u16> {
    match plane {
        GreyPlane::U8(plane) => plane.pixels().iter().map(|value| u16::from(*value)).collect(),
        GreyPlane::U16(plane) => plane.pixels().to_vec(),
    }
}

/// One level of a map.
#[derive(Debug, Clone)]
pub struct Level {
    pub height: usize,
    pub width: usize,
    values: Vec<u16>,
}

impl Level {
    /// Full resolution. `height` and `width` are those of a site; up to three plates, one below the other.
    pub fn full(sites: &[Site], height: usize, width: usize) -> Self {
        let plates: Vec<PlateShape> = (0..=sites.iter().map(|site| site.plate).max().unwrap())
            .map(|plate| PlateShape::of(sites, plate, height, width))
            .collect();
        assert!(plates.len() <= 3);
        let plate_height = plates.iter().map(PlateShape::height).max().unwrap();
        let mut level = Self {
            height: plates.len() * plate_height + (plates.len() - 1) * PLATE_SPACER,
            width: plates.iter().map(PlateShape::width).max().unwrap(),
            values: Vec::new(),
        };
        level.values = vec![0; level.height * level.width];
        for site in sites {
            let plate = &plates[site.plate];
            let (row, column) = row_and_column(&site.well);
            let down = plate.rows.iter().position(|known| *known == row).unwrap();
            let right = plate.columns.iter().position(|known| *known == column).unwrap();
            let top = site.plate * (plate_height + PLATE_SPACER)
                + down * (plate.well_height + WELL_SPACER)
                + site.y * height;
            let left = right * (plate.well_width + WELL_SPACER) + site.x * width;
            for (row, line) in site.values.chunks(width).enumerate() {
                let start = (top + row) * level.width + left;
                level.values[start..start + width].copy_from_slice(line);
            }
        }
        level
    }

    /// All levels, the smallest first: two at least.
    pub fn pyramid(self) -> Vec<Self> {
        let mut levels = vec![self];
        loop {
            let next = levels[levels.len() - 1].halved();
            let last = next.height.max(next.width) <= TILE;
            levels.push(next);
            if last {
                levels.reverse();
                return levels;
            }
        }
    }

    /// Means of 2×2 values, ties upwards, zero beyond the edge.
    fn halved(&self) -> Self {
        let (height, width) = (self.height.div_ceil(2), self.width.div_ceil(2));
        let mut values = Vec::with_capacity(height * width);
        for y in (0..self.height).step_by(2) {
            for x in (0..self.width).step_by(2) {
                let at = |y, x| u32::from(self.value(y, x));
                let sum = at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1);
                values.push(((sum + 2) >> 2) as u16);
            }
        }
        Self { height, width, values }
    }

    /// A value; zero beyond the edge.
    pub fn value(&self, y: usize, x: usize) -> u16 {
        if y < self.height && x < self.width { self.values[y * self.width + x] } else { 0 }
    }

    /// All values, row by row.
    pub fn values(&self) -> &[u16] {
        &self.values
    }

    /// The values of a tile, zero beyond the edge.
    pub fn tile(&self, y: usize, x: usize) -> Vec<u16> {
        let pixels = (0..TILE).flat_map(|row| (0..TILE).map(move |column| (row, column)));
        pixels.map(|(row, column)| self.value(TILE * y + row, TILE * x + column)).collect()
    }
}

/// 16-bit values as shown between two limits.
pub fn rescaled(value: u16, (lower, upper): (u16, u16)) -> u8 {
    let (value, lower, upper) = (i64::from(value), i64::from(lower), i64::from(upper));
    if value < lower {
        0
    } else if value >= upper {
        255
    } else if upper - lower == 1 {
        0
    } else {
        (255 * (value - lower) / (upper - lower - 1)) as u8
    }
}

struct PlateShape {
    rows: Vec<usize>,
    columns: Vec<usize>,
    well_height: usize,
    well_width: usize,
}

impl PlateShape {
    fn of(sites: &[Site], plate: usize, height: usize, width: usize) -> Self {
        let own = || sites.iter().filter(|site| site.plate == plate);
        let rows: BTreeSet<usize> = own().map(|site| row_and_column(&site.well).0).collect();
        let columns: BTreeSet<usize> = own().map(|site| row_and_column(&site.well).1).collect();
        Self {
            rows: rows.into_iter().collect(),
            columns: columns.into_iter().collect(),
            well_height: own().map(|site| (site.y + 1) * height).max().unwrap(),
            well_width: own().map(|site| (site.x + 1) * width).max().unwrap(),
        }
    }

    fn height(&self) -> usize {
        self.rows.len() * self.well_height + (self.rows.len() - 1) * WELL_SPACER
    }

    fn width(&self) -> usize {
        self.columns.len() * self.well_width + (self.columns.len() - 1) * WELL_SPACER
    }
}

/// Of a well named by one letter and two digits.
fn row_and_column(well: &str) -> (usize, usize) {
    (usize::from(well.as_bytes()[0] - b'A'), well[1..].parse::<usize>().unwrap() - 1)
}

#[test]
fn odd_sizes_are_halved_with_zeros_beyond_the_edge() {
    let level = Level { height: 3, width: 3, values: vec![1, 2, 4, 3, 4, 6, 7, 8, 9] };
    let half = level.halved();
    assert_eq!((half.height, half.width), (2, 2));
    assert_eq!(half.values, [3, 3, 4, 2], "10 / 4 is rounded up");
}
