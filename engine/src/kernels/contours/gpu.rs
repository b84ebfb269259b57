//! Pixel-edge outlines on the GPU: the device finds the edges and what comes after each, the host follows
//! them.
//!
//! Three dispatches for a band of rows: `shaders/contours_sides.wgsl` numbers the edges of each block of pixels
//! in raster order, `contours_scan` the blocks, and `contours_emit` writes the edges. How many there are is
//! known only then, so the first output has room for a guess. As long as edges are left, another output
//! is emitted for them: nothing is numbered twice, and nothing is cut off.

use std::borrow::Cow;
use std::ops::Range;

use super::check_labels;
use super::rings::{self, Corner, LeftSides, Walk, broken};
use super::side::Side;
use crate::error::{EngineError, Result};
use crate::geometry::{MapOffset, Outline, SiteFrame};
use crate::gpu::{Caps, Gpu, Recording, Workgroups, layout};
use crate::image::{PlaneRef, Size};
use crate::shader::{Shader, shader};

pub(super) const SIDES_SHADER: Shader = shader!("contours_sides");
pub(super) const SCAN_SHADER: Shader = shader!("contours_scan");
pub(super) const EMIT_SHADER: Shader = shader!("contours_emit");

/// Pixels that one workgroup goes through.
const BLOCK: usize = 1024;
/// Pixels of a band, at most: the places of its edges, and of those around it, need 31 bits.
const BAND_PIXELS: usize = 1 << 27;
/// Bytes of an edge.
const EDGE_BYTES: usize = 8;
/// The first output of a band has room for one edge in so many pixels: enough for cells of 40 pixels' width
/// side by side.
const PIXELS_PER_EDGE: usize = 16;
/// Edges for which there is room at least.
const LEAST_ROOM: usize = 1024;
/// The bit that marks something; see `contours_emit`.
const MARK: u32 = 1 << 31;

/// Traces the outlines of all labels of a site whose top-left pixel lies at `offset` on the map.
///
/// # Errors
/// [`EngineError::Parameter`] for negative labels, and for a site off the map (32-bit coordinates);
/// [`EngineError::Device`] when the device cannot do it.
pub fn trace(gpu: &Gpu, labels: PlaneRef<'_, i32>, offset: MapOffset) -> Result<Vec<Outline>> {
    let site = SiteFrame::new(offset, labels.size())?;
    check_labels(labels)?;
    let edges = find_edges(gpu, labels)?;
    // Edges of a label image always make outlines, so the device is wrong where they do not.
    follow(&edges, labels, site)
        .map_err(|error| EngineError::Device(format!("edges make no outlines: {error}")))
}

/// A directed unit edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    /// Four times the number of its pixel, plus that of its side.
    place: usize,
    /// The edge that comes next on the ring.
    next: usize,
    /// Whether it ends where two pixels of its label touch at a corner only.
    is_pinch: bool,
}

impl Edge {
    fn pixel(&self, width: usize) -> (usize, usize) {
        let pixel = self.place / 4;
        (pixel / width, pixel % width)
    }

    fn side(&self) -> Side {
        Side::ALL[self.place % 4]
    }
}

/// All edges of a label image in raster order, found in bands of rows as large as the device allows.
fn find_edges(gpu: &Gpu, labels: PlaneRef<'_, i32>) -> Result<Vec<Edge>> {
    let size = labels.size();
    let mut found = Found::new(size);
    if size.area() > 0 {
        let kernels = Kernels::new(gpu)?;
        let band = band_rows(gpu.caps(), size.width)?;
        for first in (0..size.height).step_by(band) {
            kernels.run(labels, first..(first + band).min(size.height), &mut found)?;
        }
    }
    found.linked()
}

fn band_rows(caps: Caps, width: usize) -> Result<usize> {
    let workgroups = u64::from(caps.workgroups);
    let blocks = usize::try_from(workgroups * workgroups).unwrap_or(usize::MAX);
    let words = usize::try_from(caps.binding_bytes / 4).unwrap_or(usize::MAX);
    let rows = words.min(blocks.saturating_mul(BLOCK)).min(BAND_PIXELS) / width;
    if rows == 0 || most_edges(caps) == 0 {
        return Err(EngineError::Device(format!(
            "a row of {width} labels is beyond the limits of the device"
        )));
    }
    Ok(rows)
}

/// Edges of one output, at most.
fn most_edges(caps: Caps) -> usize {
    usize::try_from(caps.binding_bytes).unwrap_or(usize::MAX) / EDGE_BYTES
}

/// The compiled shaders.
struct Kernels<'a> {
    gpu: &'a Gpu,
    sides: wgpu::ComputePipeline,
    scan: wgpu::ComputePipeline,
    emit: wgpu::ComputePipeline,
}

/// What the device holds of a band of rows.
struct Band {
    /// Labels of the row above, of the band, and of the row below.
    labels: [wgpu::Buffer; 3],
    /// Of each pixel, its sides that are edges and the edges before it in its block.
    starts: wgpu::Buffer,
    /// The number of edges, and of each block those before it.
    sums: wgpu::Buffer,
    columns: u32,
    rows: u32,
    blocks: u32,
    workgroups: Workgroups,
}

impl Band {
    fn upload(
        recording: &mut Recording<'_>,
        labels: PlaneRef<'_, i32>,
        rows: Range<usize>,
        caps: Caps,
    ) -> Result<Self> {
        let Size { height, width } = labels.size();
        let outside = vec![0; 4 * width];
        let row = |row: Option<usize>| match row {
            Some(row) => layout::pack(&labels, row..row + 1),
            None => Cow::Borrowed(&outside[..]),
        };
        let above = recording.upload(&row(rows.start.checked_sub(1)))?;
        let below = recording.upload(&row(Some(rows.end).filter(|row| *row < height)))?;
        let band = recording.upload(&layout::pack(&labels, rows.clone()))?;
        let starts = recording.output(band.size())?;
        let blocks = layout::count((rows.len() * width).div_ceil(BLOCK))?;
        let x = blocks.min(caps.workgroups);
        Ok(Self {
            labels: [above, band, below],
            starts,
            sums: recording.output(4 * (1 + u64::from(blocks)))?,
            columns: layout::count(width)?,
            rows: layout::count(rows.len())?,
            blocks,
            workgroups: Workgroups { x, y: blocks.div_ceil(x), z: 1 },
        })
    }

    /// Parameters of the shaders, for an output of `room` edges from `first` on.
    fn params(&self, first: u32, room: u32) -> [u32; 8] {
        [self.columns, self.rows, self.blocks, self.workgroups.x, first, room, 0, 0]
    }
}

impl Kernels<'_> {
    fn new(gpu: &Gpu) -> Result<Kernels<'_>> {
        Ok(Kernels {
            gpu,
            sides: gpu.pipeline(&SIDES_SHADER, &[])?,
            scan: gpu.pipeline(&SCAN_SHADER, &[])?,
            emit: gpu.pipeline(&EMIT_SHADER, &[])?,
        })
    }

    /// Finds the edges of a band of rows.
    fn run(&self, labels: PlaneRef<'_, i32>, rows: Range<usize>, found: &mut Found) -> Result<()> {
        let most = most_edges(self.gpu.caps());
        let pixels = rows.len() * labels.size().width;
        let room = (pixels / PIXELS_PER_EDGE).max(LEAST_ROOM).min(most);
        found.begin_band(rows.start);

        let mut recording = Recording::new(self.gpu)?;
        let band = Band::upload(&mut recording, labels, rows, self.gpu.caps())?;
        self.number(&mut recording, &band)?;
        let edges = self.emit(&mut recording, &band, 0, room)?;
        let (mut total, mut added) = (0, Ok(()));
        recording.read_all(&[(&band.sums, 4), (&edges, edges.size())], |outputs| {
            total = bytemuck::pod_read_unaligned(outputs[0]);
            added = found.add(outputs[1], total);
        })?;
        added?;
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        if total > 4 * pixels {
            return Err(EngineError::Device(format!("{total} edges of {pixels} pixels are too many")));
        }
        for first in (room..total).step_by(most) {
            let mut recording = Recording::new(self.gpu)?;
            let edges = self.emit(&mut recording, &band, first, (total - first).min(most))?;
            let mut added = Ok(());
            recording.read(&edges, |bytes| added = found.add(bytes, u32::MAX))?;
            added?;
        }
        Ok(())
    }

    /// Records the numbering of the edges.
    fn number(&self, recording: &mut Recording<'_>, band: &Band) -> Result<()> {
        let Band { labels: [above, labels, below], starts, sums, .. } = band;
        let buffers = [above, labels, below, starts, sums];
        recording.dispatch_workgroups(&self.sides, &band.params(0, 0), &buffers, band.workgroups)?;
        let one = Workgroups { x: 1, y: 1, z: 1 };
        recording.dispatch_workgroups(&self.scan, &[band.blocks, 0, 0, 0], &[sums], one)
    }

    /// Records the emission of `room` edges from the one numbered `first` on.
    fn emit(
        &self,
        recording: &mut Recording<'_>,
        band: &Band,
        first: usize,
        room: usize,
    ) -> Result<wgpu::Buffer> {
        let Band { labels: [above, labels, below], starts, sums, .. } = band;
        let params = band.params(layout::count(first)?, layout::count(room)?);
        let edges = recording.output((EDGE_BYTES * room) as u64)?;
        let buffers = [above, labels, below, starts, sums, &edges];
        recording.dispatch_workgroups(&self.emit, &params, &buffers, band.workgroups)?;
        Ok(edges)
    }
}

/// The edges found so far, in raster order.
struct Found {
    size: Size,
    edges: Vec<Edge>,
    /// Edges whose next one is in another band, and the place of that one.
    crossings: Vec<Crossing>,
    /// Number of edges before the band.
    before: usize,
    /// First row of the band.
    first_row: usize,
}

/// An edge whose next one is known by its place.
struct Crossing {
    edge: usize,
    place: usize,
}

impl Found {
    fn new(size: Size) -> Self {
        Self { size, edges: Vec::new(), crossings: Vec::new(), before: 0, first_row: 0 }
    }

    fn begin_band(&mut self, first_row: usize) {
        self.before = self.edges.len();
        self.first_row = first_row;
    }

    /// Adds edges as `contours_emit` writes them, `most` at most.
    fn add(&mut self, bytes: &[u8], most: u32) -> Result<()> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        for edge in bytes.chunks_exact(EDGE_BYTES).take(most) {
            let [this, next] = bytemuck::pod_read_unaligned::<[u32; 2]>(edge);
            let place = self.place(this & !MARK)?;
            if self.edges.last().is_some_and(|last| last.place >= place) {
                return Err(EngineError::Device("edges are not in raster order".to_owned()));
            }
            let mut edge = Edge { place, next: usize::MAX, is_pinch: this & MARK != 0 };
            if next & MARK == 0 {
                edge.next = self.before + wide(next);
            } else {
                let place = self.place(next & !MARK)?;
                self.crossings.push(Crossing { edge: self.edges.len(), place });
            }
            self.edges.push(edge);
        }
        Ok(())
    }

    /// The place within the image of a place within a band, which counts from the row above.
    fn place(&self, in_band: u32) -> Result<usize> {
        let row = 4 * self.size.width;
        let place = (self.first_row * row + wide(in_band)).checked_sub(row);
        place
            .filter(|place| *place < 4 * self.size.area())
            .ok_or_else(|| EngineError::Device("an edge is outside the image".to_owned()))
    }

    /// The edges, those that cross from band to band linked to the next as well.
    fn linked(mut self) -> Result<Vec<Edge>> {
        for Crossing { edge, place } in self.crossings {
            let next = self.edges.binary_search_by_key(&place, |edge| edge.place);
            self.edges[edge].next =
                next.map_err(|_| EngineError::Device("an edge leads to where none is".to_owned()))?;
        }
        Ok(self.edges)
    }
}

/// Numbers of 32 bits fit the indices of every machine with a GPU.
fn wide(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Follows edges around the rings.
fn follow(edges: &[Edge], labels: PlaneRef<'_, i32>, site: SiteFrame) -> Result<Vec<Outline>> {
    let Size { height, width } = labels.size();
    let mut sides = LeftSides::new();
    // Of each left side its edge, and of each edge along a left side that side.
    let (mut edge_of, mut side_of) = (Vec::new(), vec![None; edges.len()]);
    for (index, edge) in edges.iter().enumerate().filter(|(_, edge)| edge.side() == Side::Left) {
        let (row, column) = edge.pixel(width);
        while sides.rows() < row {
            sides.end_row();
        }
        sides.push(column);
        side_of[index] = Some(edge_of.len());
        edge_of.push(index);
    }
    while sides.rows() < height {
        sides.end_row();
    }
    rings::outlines(labels, site, &sides, |start| {
        let start = edge_of[start.index];
        let mut walk = Walk::default();
        let mut index = start;
        // A ring has no more edges than there are.
        for _ in edges {
            let edge = edges[index];
            walk.passed.extend(side_of[index]);
            let next =
                edges.get(edge.next).ok_or_else(|| broken("an edge leads to one that is not there"))?;
            if next.side() != edge.side() {
                let ((row, column), end) = (edge.pixel(width), edge.side().end());
                walk.corners.push(Corner {
                    row: row + end.0,
                    column: column + end.1,
                    is_pinch: edge.is_pinch,
                });
            }
            index = edge.next;
            if index == start {
                return Ok(walk);
            }
        }
        Err(broken("edges do not come back"))
    })
}
