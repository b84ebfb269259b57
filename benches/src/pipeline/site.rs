//! A made-up site of the benchmark pipeline: nuclei, mitochondria, cells and transcripts, a channel each.
//!
//! Nuclei stand in a grid, shifted by chance; some are moved together into bent clumps of three. Around each lies a
//! cell, brightest in its middle, with transcripts in it: small bright spots. Everything is fixed by a seed.

use tm_engine::image::{GreyPlane, Plane, Size};
use tm_engine::kernels::Noise;

/// Pixels from nucleus to nucleus.
const PITCH: usize = 134;
/// Pixels from nucleus to nucleus in a clump.
const CLUMP_PITCH: f32 = 56.0;
/// Radius of cells in pixels, and how much larger some are.
const CELL_RADIUS: (f32, f32) = (50.0, 10.0);
/// Transcripts for each cell.
const TRANSCRIPTS: usize = 20;
/// What a camera shows in the dark, in grey values.
const DARK: f32 = 100.0;

/// The channels by their names in the pipeline.
pub struct Site {
    /// `1`, nuclei; `3`, mitochondria; `4`, cells; `5`, transcripts.
    pub channels: Vec<(&'static str, GreyPlane)>,
}

/// A nucleus with its cell.
#[derive(Clone, Copy)]
struct Cell {
    y: f32,
    x: f32,
    /// Half axes of the nucleus, and how it is turned.
    axes: [f32; 2],
    angle: f32,
    /// Radius of the cell.
    radius: f32,
    /// Brightness of nucleus and cell.
    nucleus: f32,
    body: f32,
}

/// Numbers by chance.
struct Chance(Noise);

impl Chance {
    /// From 0 to below 1.
    fn share(&mut self) -> f32 {
        f32::from(self.0.next_u16()) / 65_536.0
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.share()
    }

    /// Nearly normal, of mean 0 and deviation 1: the sum of four equal shares.
    fn normal(&mut self) -> f32 {
        let bits = self.0.next_u64();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xffff).sum();
        (sum as f32 / 65_536.0 - 2.0) * 3.0_f32.sqrt()
    }

    /// What a camera makes of a plane: shot noise and read-out noise.
    fn seen(&mut self, plane: &Plane<f32>) -> GreyPlane {
        let pixels = plane.pixels().iter().map(|light| {
            let value = DARK + light + self.normal() * (2.0 + 0.25 * light).sqrt();
            // Casts stop at the ends of the range.
            value.round() as u16
        });
        let pixels = pixels.collect();
        Plane::new(plane.size(), pixels).expect("as many pixels as the plane has").into()
    }
}

impl Site {
    /// The site of this size.
    pub fn new(size: Size) -> Self {
        let mut chance = Chance(Noise::new(11));
        let cells = cells(size, &mut chance);
        let (mut nuclei, mut bodies) = (Plane::<f32>::zeros(size), Plane::<f32>::zeros(size));
        for cell in &cells {
            cell.draw(&mut nuclei, &mut bodies);
        }
        let mitochondria = Plane::from_fn(size, |row, column| {
            let (y, x) = (row as f32, column as f32);
            let threads = (0.9 * (x / 3.1 + 2.0 * (y / 23.0).sin()).sin() + 0.6 * (y / 4.3).sin()).max(0.0);
            bodies.get(row, column) * (0.2 + threads)
        });
        let mut spots = Plane::from_fn(size, |row, column| bodies.get(row, column) * 0.03);
        for cell in &cells {
            for _ in 0..TRANSCRIPTS {
                let far = cell.radius * 0.85;
                let (y, x) = (cell.y + chance.between(-far, far), cell.x + chance.between(-far, far));
                add_bell(&mut spots, y, x, chance.between(1.0, 1.4), chance.between(60.0, 300.0));
            }
        }
        let channels = [("1", nuclei), ("3", mitochondria), ("4", bodies), ("5", spots)];
        let channels = channels.into_iter().map(|(name, plane)| (name, chance.seen(&plane))).collect();
        Self { channels }
    }
}

fn cells(size: Size, chance: &mut Chance) -> Vec<Cell> {
    let (rows, columns) = (size.height.div_ceil(PITCH), size.width.div_ceil(PITCH));
    let mut cells = Vec::with_capacity(rows * columns);
    for row in 0..rows {
        for column in 0..columns {
            let middle = |index: usize| (index * PITCH + PITCH / 2) as f32;
            cells.push(Cell {
                y: middle(row) + chance.between(-22.0, 22.0),
                x: middle(column) + chance.between(-22.0, 22.0),
                axes: [chance.between(25.0, 29.0), chance.between(28.0, 34.0)],
                angle: chance.between(0.0, std::f32::consts::PI),
                radius: CELL_RADIUS.0 + chance.between(0.0, CELL_RADIUS.1),
                nucleus: chance.between(500.0, 900.0),
                body: chance.between(400.0, 800.0),
            });
        }
        // In every other row the nuclei of two triples crowd around the one in the middle.
        let of_row = &mut cells[row * columns..];
        for triple in of_row.chunks_exact_mut(3).skip(1).step_by(3).filter(|_| row % 2 == 0) {
            let [left, middle, right] = triple else { continue };
            (left.y, left.x) = (middle.y - 0.3 * CLUMP_PITCH, middle.x - CLUMP_PITCH);
            (right.y, right.x) = (middle.y + CLUMP_PITCH, middle.x + 0.4 * CLUMP_PITCH);
        }
    }
    cells
}

impl Cell {
    /// Adds the cell to the planes of nuclei and of bodies; where cells overlap the brighter one is seen.
    fn draw(&self, nuclei: &mut Plane<f32>, bodies: &mut Plane<f32>) {
        let reach = 2.0 * self.radius;
        let (sine, cosine) = self.angle.sin_cos();
        for row in span(self.y, reach, nuclei.size().height) {
            let (nuclei, bodies) = (nuclei.row_mut(row), bodies.row_mut(row));
            for column in span(self.x, reach, nuclei.len()) {
                let (y, x) = (row as f32 - self.y, column as f32 - self.x);
                let (along, across) =
                    ((x * cosine + y * sine) / self.axes[0], (y * cosine - x * sine) / self.axes[1]);
                let far = (along * along + across * across).sqrt();
                let chromatin = 1.0 + 0.15 * (x / 4.0).sin() * (y / 5.0).sin();
                let nucleus = self.nucleus * chromatin / (1.0 + (18.0 * (far - 1.0)).exp());
                nuclei[column] = nuclei[column].max(nucleus);
                let far = (x * x + y * y) / (self.radius * self.radius);
                bodies[column] = bodies[column].max(self.body * (-2.4 * far).exp());
            }
        }
    }
}

/// Adds a Gaussian bell.
fn add_bell(plane: &mut Plane<f32>, y: f32, x: f32, deviation: f32, height: f32) {
    for row in span(y, 5.0 * deviation, plane.size().height) {
        let pixels = plane.row_mut(row);
        for column in span(x, 5.0 * deviation, pixels.len()) {
            let (down, right) = (row as f32 - y, column as f32 - x);
            pixels[column] += height * (-(down * down + right * right) / (2.0 * deviation * deviation)).exp();
        }
    }
}

/// The indices below `length` that are at most `reach` from `middle`.
fn span(middle: f32, reach: f32, length: usize) -> std::ops::Range<usize> {
    // Casts stop at 0.
    ((middle - reach) as usize).min(length)..((middle + reach) as usize + 1).min(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_the_same_again_and_shows_something_in_every_channel() {
        let size = Size::new(300, 400);
        let (first, again) = (Site::new(size), Site::new(size));
        for ((name, plane), (_, same)) in first.channels.iter().zip(&again.channels) {
            assert_eq!(plane, same, "channel {name}");
            let GreyPlane::U16(plane) = plane else { panic!("channel {name} is not of 16 bits") };
            let brightest = plane.pixels().iter().max().copied().unwrap_or(0);
            assert!((200..2000).contains(&brightest), "channel {name} reaches {brightest}");
        }
    }
}
