//! A made-up well as a microscope would see it: cells on a dark ground, in two stains.
//!
//! The scene is as large as the well's whole grid of sites, so that cells go on across the borders of sites
//! and a stitched map can be judged by eye. It is light, not counts: camera and optics come later
//! (`Camera` in the neighbouring module).

use std::f32::consts::TAU;

/// Numbers that look random and are the same in every run (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A stream of its own for every seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// The next number from 0 to below 1.
    pub fn unit(&mut self) -> f32 {
        // 24 bits are what a f32 holds exactly.
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// The next number between two bounds.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// The next two numbers of a normal distribution with mean 0 and deviation 1 (Box and Muller 1958).
    pub fn normals(&mut self) -> [f32; 2] {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (TAU * self.unit()).sin_cos();
        [radius * cos, radius * sin]
    }
}

/// SplitMix64's output function: spreads neighbouring numbers over all bits.
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Smooth random ground between 0 and 1: random values on a lattice, blended in between.
#[derive(Debug, Clone, Copy)]
struct Ground {
    seed: u64,
    spacing_px: f32,
}

impl Ground {
    fn at(self, y: f32, x: f32) -> f32 {
        let (y, x) = (y / self.spacing_px, x / self.spacing_px);
        let (y0, x0) = (y.floor(), x.floor());
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (fy, fx) = (smooth(y - y0), smooth(x - x0));
        let corner = |dy: f32, dx: f32| {
            let key = ((y0 + dy) as i64 as u64).wrapping_mul(0x9e37_79b9) ^ (((x0 + dx) as i64 as u64) << 32);
            (mix(self.seed ^ key) >> 40) as f32 / (1_u32 << 24) as f32
        };
        let top = corner(0.0, 0.0) * (1.0 - fx) + corner(0.0, 1.0) * fx;
        let bottom = corner(1.0, 0.0) * (1.0 - fx) + corner(1.0, 1.0) * fx;
        top * (1.0 - fy) + bottom * fy
    }
}

/// What the cells of a well are like.
#[derive(Debug, Clone, Copy)]
pub struct Culture {
    /// Mean distance between cells in pixels.
    pub spacing_px: f32,
    /// Mean radius of a nucleus in pixels.
    pub nucleus_radius_px: f32,
    /// Brightness of the cytoplasm at its centre.
    pub cytoplasm: f32,
}

/// A cell of the scene.
#[derive(Debug, Clone)]
struct Cell {
    y: f32,
    x: f32,
    /// Half axes of the nucleus and the angle of the first.
    axes_px: [f32; 2],
    angle: f32,
    nucleus: f32,
    dividing: bool,
    body_radius_px: f32,
    body: f32,
    /// Strength and phase of the lobes of the outline.
    lobes: [(f32, f32); 4],
}

/// Light of two stains, row by row, in the counts a perfect camera would show.
#[derive(Debug, Clone)]
pub struct Scene {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Stain of nuclei.
    pub nuclei: Vec<f32>,
    /// Stain of cell bodies.
    pub cytoplasm: Vec<f32>,
    /// Number of cells whose centre lies in the scene.
    pub cells: usize,
}

impl Scene {
    /// Paint the cells of a culture.
    pub fn paint(height: usize, width: usize, culture: Culture, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let cells = scatter(height, width, culture, &mut random);
        let mut scene = Self {
            height,
            width,
            nuclei: vec![0.0; height * width],
            cytoplasm: vec![0.0; height * width],
            cells: cells.len(),
        };
        let textures = Textures::new(random.next());
        for cell in &cells {
            scene.paint_body(cell, textures);
        }
        for cell in &cells {
            scene.paint_nucleus(cell, textures);
        }
        scene
    }

    /// Brighten the pixels around a point; `light` gets the offset from it.
    fn around(&mut self, y: f32, x: f32, reach: f32, mut paint: impl FnMut(&mut Self, usize, f32, f32)) {
        let clip = |value: f32, limit: usize| (value.max(0.0) as usize).min(limit);
        for row in clip(y - reach, self.height)..clip(y + reach + 1.0, self.height) {
            for column in clip(x - reach, self.width)..clip(x + reach + 1.0, self.width) {
                let index = row * self.width + column;
                paint(self, index, row as f32 - y, column as f32 - x);
            }
        }
    }

    fn paint_body(&mut self, cell: &Cell, textures: Textures) {
        self.around(cell.y, cell.x, cell.body_radius_px * 1.6, |scene, index, dy, dx| {
            let angle = dy.atan2(dx);
            let outline = (2_u8..).zip(&cell.lobes).fold(1.0, |outline, (k, (strength, phase))| {
                outline + strength * (f32::from(k) * angle + phase).cos()
            });
            let distance = dy.hypot(dx) / (cell.body_radius_px * outline);
            let edge = soft_edge(distance, 0.08);
            let texture = textures.body(cell.y + dy, cell.x + dx);
            let light = cell.body * (1.15 - 0.7 * distance) * texture * edge;
            // Thin cells lie over each other: light adds up, less where much is there already.
            let there = &mut scene.cytoplasm[index];
            *there += light / (1.0 + *there / cell.body);
        });
    }

    fn paint_nucleus(&mut self, cell: &Cell, textures: Textures) {
        let (sin, cos) = cell.angle.sin_cos();
        let reach = cell.axes_px[0].max(cell.axes_px[1]) * 1.3;
        self.around(cell.y, cell.x, reach, |scene, index, dy, dx| {
            let along = (dx * cos + dy * sin) / cell.axes_px[0];
            let across = (dy * cos - dx * sin) / cell.axes_px[1];
            let distance = along.hypot(across);
            let edge = soft_edge(distance, 0.1);
            let texture = if cell.dividing { 1.0 } else { textures.nucleus(cell.y + dy, cell.x + dx) };
            let light = cell.nucleus * (1.05 - 0.25 * distance * distance) * texture * edge;
            scene.nuclei[index] = scene.nuclei[index].max(light);
            // The stain of the cell body stays out of the nucleus.
            scene.cytoplasm[index] *= 1.0 - 0.45 * edge;
        });
    }
}

/// 1 inside, 0 outside, a smooth slope of the given width around distance 1.
fn soft_edge(distance: f32, width: f32) -> f32 {
    let t = ((1.0 + width - distance) / (2.0 * width)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Textures of all cells of a scene.
#[derive(Debug, Clone, Copy)]
struct Textures {
    fine: Ground,
    coarse: Ground,
    fibres: Ground,
}

impl Textures {
    const fn new(seed: u64) -> Self {
        Self {
            fine: Ground { seed, spacing_px: 2.5 },
            coarse: Ground { seed: seed ^ 1, spacing_px: 6.0 },
            fibres: Ground { seed: seed ^ 2, spacing_px: 3.5 },
        }
    }

    /// Chromatin: grainy, with dark nucleoli.
    fn nucleus(self, y: f32, x: f32) -> f32 {
        let nucleoli = soft_edge(self.coarse.at(y, x) / 0.22, 0.4);
        (0.78 + 0.44 * self.fine.at(y, x)) * (1.0 - 0.4 * nucleoli)
    }

    /// Cytoskeleton: streaks, three times as long as wide.
    fn body(self, y: f32, x: f32) -> f32 {
        let streaks = self.fibres.at(y * 0.4 + x * 0.3, x * 1.2 - y * 0.9);
        0.7 + 0.35 * streaks + 0.25 * self.coarse.at(y, x)
    }
}

/// Cells on a jittered lattice, denser in some places, never closer than their nuclei are wide.
fn scatter(height: usize, width: usize, culture: Culture, random: &mut Random) -> Vec<Cell> {
    let density = Ground { seed: random.next(), spacing_px: culture.spacing_px * 6.0 };
    let spacing = culture.spacing_px;
    let steps = |length: usize| (length as f32 / spacing).ceil() as u32;
    let mut cells: Vec<Cell> = Vec::new();
    for row in 0..steps(height) {
        for column in 0..steps(width) {
            let y = (row as f32 + random.between(-0.1, 1.1)) * spacing;
            let x = (column as f32 + random.between(-0.1, 1.1)) * spacing;
            let cell = cell(y, x, culture, random);
            let keep = random.unit() < 0.3 + 0.9 * density.at(y, x);
            let inside = (0.0..height as f32).contains(&y) && (0.0..width as f32).contains(&x);
            // The lattice is filled in order, so only the last row and a half can be near.
            let near = cells.iter().rev().take(3 * steps(width) as usize);
            let free = near.into_iter().all(|other| {
                let apart = culture.nucleus_radius_px * 2.1;
                (other.y - y).hypot(other.x - x) > apart
            });
            if keep && inside && free {
                cells.push(cell);
            }
        }
    }
    cells
}

fn cell(y: f32, x: f32, culture: Culture, random: &mut Random) -> Cell {
    let dividing = random.unit() < 0.03;
    let radius = culture.nucleus_radius_px * random.between(0.85, 1.15);
    let stretch = if dividing { random.between(1.6, 2.0) } else { random.between(1.0, 1.3) };
    let scale = if dividing { 0.7 } else { 1.0 };
    Cell {
        y,
        x,
        axes_px: [radius * scale * stretch.sqrt(), radius * scale / stretch.sqrt()],
        angle: random.between(0.0, TAU),
        nucleus: if dividing { random.between(5200.0, 6500.0) } else { random.between(2200.0, 3600.0) },
        dividing,
        body_radius_px: if dividing { radius * 1.6 } else { radius * random.between(2.0, 2.8) },
        body: culture.cytoplasm * random.between(0.6, 1.4),
        lobes: std::array::from_fn(|_| (random.between(0.0, 0.13), random.between(0.0, TAU))),
    }
}
