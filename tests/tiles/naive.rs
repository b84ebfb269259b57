//! The map again, pixel by pixel and by other means than the server's: no layout, no engine.

use std::collections::BTreeSet;

use tm_engine::image::GreyPlane;
use tm_tests::made_up_map::MadeUpMap;

/// One level of a map.
#[derive(Debug, Clone)]
pub struct NaiveLevel {
    pub height: usize,
    pub width: usize,
    values: Vec<u16>,
}

impl NaiveLevel {
    /// Full resolution, corrected in 64-bit floats if the layer is.
    pub fn full(map: &MadeUpMap) -> Self {
        let offsets = offsets(map);
        let (h, w) = (map.spec.site.height, map.spec.site.width);
        // Some well may not have its last site: the map is as large as if it had.
        let (height, width) = extent(map);
        let mut level = Self { height, width, values: vec![0; height * width] };
        let mut order: Vec<usize> = (0..map.sites.len()).collect();
        order.sort_by_key(|index| (map.sites[*index].y, map.sites[*index].x));
        let corrected = corrector(map);
        for index in order {
            let (top, left) = offsets[index];
            for row in 0..h {
                for column in 0..w {
                    let value = map.sites[index].pixels.value(row, column);
                    level.values[(top + row) * width + left + column] = corrected(row, column, value);
                }
            }
        }
        level
    }

    fn value(&self, y: usize, x: usize) -> u16 {
        if y < self.height && x < self.width { self.values[y * self.width + x] } else { 0 }
    }

    /// The next smaller level.
    pub fn halved(&self) -> Self {
        let (height, width) = (self.height.div_ceil(2), self.width.div_ceil(2));
        let mut values = Vec::with_capacity(height * width);
        for y in 0..height {
            for x in 0..width {
                let sum: u32 = [(0, 0), (0, 1), (1, 0), (1, 1)]
                    .iter()
                    .map(|(down, right)| u32::from(self.value(2 * y + down, 2 * x + right)))
                    .sum();
                values.push(((sum + 2) / 4) as u16);
            }
        }
        Self { height, width, values }
    }

    /// All levels, smallest first.
    pub fn all(map: &MadeUpMap) -> Vec<Self> {
        let mut levels = vec![Self::full(map)];
        while levels.len() < 2 || levels[levels.len() - 1].height.max(levels[levels.len() - 1].width) > 256 {
            levels.push(levels[levels.len() - 1].halved());
        }
        levels.reverse();
        levels
    }

    /// What a tile must look like.
    pub fn tile(&self, y: usize, x: usize, limits: Option<(u16, u16)>) -> Vec<u8> {
        let pixel = |index: usize| {
            let value = self.value(256 * y + index / 256, 256 * x + index % 256);
            let Some((lower, upper)) = limits else { return value as u8 };
            let (value, lower, upper) = (i64::from(value), i64::from(lower), i64::from(upper));
            match value {
                _ if value < lower => 0,
                _ if value >= upper => 255,
                _ if upper - lower == 1 => 0,
                _ => (255 * (value - lower) / (upper - lower - 1)) as u8,
            }
        };
        (0..256 * 256).map(pixel).collect()
    }
}

/// Row and column on the plate of a well with one letter.
fn position(well: &str) -> (u8, u32) {
    (well.as_bytes()[0], well[1..].parse().unwrap())
}

/// Height and width of a well of the given numbers of rows and columns.
fn well_size(map: &MadeUpMap, plate: &str) -> (i64, i64) {
    let (h, w) = (map.spec.site.height as i64, map.spec.site.width as i64);
    let (down, right) = map.spec.displacement;
    let own = map.sites.iter().filter(|site| site.plate == plate);
    let rows = own.clone().map(|site| site.y + 1).max().unwrap();
    let columns = own.map(|site| site.x + 1).max().unwrap();
    (rows * h + (rows - 1) * down, columns * w + (columns - 1) * right)
}

fn rows_and_columns(map: &MadeUpMap, plate: &str) -> (Vec<u8>, Vec<u32>) {
    let own = || map.sites.iter().filter(|site| site.plate == plate).map(|site| position(site.well));
    let rows: BTreeSet<u8> = own().map(|(row, _)| row).collect();
    let columns: BTreeSet<u32> = own().map(|(_, column)| column).collect();
    (rows.into_iter().collect(), columns.into_iter().collect())
}

fn plates(map: &MadeUpMap) -> Vec<&'static str> {
    let names: BTreeSet<&str> = map.sites.iter().map(|site| site.plate).collect();
    assert!(names.len() < 4, "up to three plates stand in one column");
    names.into_iter().collect()
}

/// Height and width of the largest plate.
fn plate_size(map: &MadeUpMap) -> (i64, i64) {
    let sizes = plates(map).into_iter().map(|plate| {
        let ((height, width), (rows, columns)) = (well_size(map, plate), rows_and_columns(map, plate));
        let (rows, columns) = (rows.len() as i64, columns.len() as i64);
        (rows * height + (rows - 1) * map.spec.spacer, columns * width + (columns - 1) * map.spec.spacer)
    });
    sizes.fold((0, 0), |largest, size| (largest.0.max(size.0), largest.1.max(size.1)))
}

/// Height and width of the map.
pub fn extent(map: &MadeUpMap) -> (usize, usize) {
    let ((height, width), count) = (plate_size(map), plates(map).len() as i64);
    ((count * height + (count - 1) * 2 * map.spec.spacer) as usize, width as usize)
}

/// Row and column of the first pixel of every site on the map.
pub fn offsets(map: &MadeUpMap) -> Vec<(usize, usize)> {
    let (plates, plate_height) = (plates(map), plate_size(map).0);
    let offset = |site: &tm_tests::made_up_map::MadeUpSite| {
        let index = plates.iter().position(|plate| *plate == site.plate).unwrap() as i64;
        let (rows, columns) = rows_and_columns(map, site.plate);
        let (height, width) = well_size(map, site.plate);
        let (row, column) = position(site.well);
        let row = rows.iter().position(|other| *other == row).unwrap() as i64;
        let column = columns.iter().position(|other| *other == column).unwrap() as i64;
        let y = index * (plate_height + 2 * map.spec.spacer)
            + row * (height + map.spec.spacer)
            + site.y * (map.spec.site.height as i64 + map.spec.displacement.0);
        let x = column * (width + map.spec.spacer)
            + site.x * (map.spec.site.width as i64 + map.spec.displacement.1);
        (y as usize, x as usize)
    };
    map.sites.iter().map(offset).collect()
}

/// The z-score correction in 64-bit floats, or nothing.
fn corrector(map: &MadeUpMap) -> impl Fn(usize, usize, u16) -> u16 + '_ {
    let mean_of = |plane: &tm_engine::image::Plane<f64>| {
        plane.pixels().iter().sum::<f64>() / plane.pixels().len() as f64
    };
    let means = map.statistics.as_ref().map(|(mean, std)| (mean_of(mean), mean_of(std)));
    let largest = match map.sites[0].pixels {
        GreyPlane::U8(_) => 255.0,
        GreyPlane::U16(_) => 65535.0,
    };
    move |row, column, value| {
        let Some(((mean, std), (mean_of_mean, mean_of_std))) = map.statistics.as_ref().zip(means) else {
            return value;
        };
        if value == 0 {
            return 0;
        }
        let z = (f64::from(value).log10() - mean.get(row, column)) / std.get(row, column);
        10f64.powf(z * mean_of_std + mean_of_mean).clamp(0.0, largest) as u16
    }
}

/// Whether two tiles agree; if not, says how they differ. `allowed` is the largest difference of a pixel,
/// `mean_allowed` that of the mean.
pub fn compare(actual: &[u8], expected: &[u8], allowed: u8, mean_allowed: f64) -> Result<(), String> {
    if actual.len() != expected.len() || actual.is_empty() {
        return Err(format!("{} pixels, expected {}", actual.len(), expected.len()));
    }
    let differences = || actual.iter().zip(expected).map(|(one, other)| one.abs_diff(*other));
    let worst = differences().max().unwrap_or_default();
    let mean = differences().map(f64::from).sum::<f64>() / actual.len() as f64;
    if worst > allowed || mean > mean_allowed {
        let first = differences().position(|difference| difference == worst).unwrap_or_default();
        return Err(format!(
            "pixels differ by up to {worst} (first at row {}, column {}: {}, expected {}), {mean:.3} on average",
            first / 256,
            first % 256,
            actual[first],
            expected[first]
        ));
    }
    Ok(())
}

#[test]
fn the_comparer_sees_a_single_wrong_pixel() {
    let expected = vec![7; 256 * 256];
    assert_eq!(compare(&expected, &expected, 0, 0.0), Ok(()));
    let mut actual = expected.clone();
    actual[70_000 - 5000] = 8;
    assert!(compare(&actual, &expected, 0, 1.0).is_err());
    assert!(compare(&actual, &expected, 1, 0.0).is_err(), "the mean counts too");
    assert_eq!(compare(&actual, &expected, 1, 0.1), Ok(()));
    assert!(compare(&expected[1..], &expected, 255, 255.0).is_err());
    assert!(compare(&[], &[], 255, 255.0).is_err());
}
