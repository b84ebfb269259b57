//! TIFF files written by hand, so that every byte of them can be chosen.

use tm_engine::image::{GreyPlane, Size};

pub const WIDTH: u16 = 256;
pub const BITS: u16 = 258;
pub const COMPRESSION: u16 = 259;
pub const PHOTOMETRIC: u16 = 262;
pub const DESCRIPTION: u16 = 270;
pub const SAMPLES: u16 = 277;
pub const STRIP_COUNTS: u16 = 279;
pub const COLOR_MAP: u16 = 320;
pub const SAMPLE_FORMAT: u16 = 339;
pub const STACK: u16 = 33629;

/// A TIFF file in the making.
pub struct Builder {
    little_endian: bool,
    big: bool,
    pub bytes: Vec<u8>,
    /// Where the offset of the next directory goes.
    pub link: usize,
}

/// How a page is cut, and which tags are added or replaced (tag, type, values).
#[derive(Default)]
pub struct Page {
    pub rows_per_strip: Option<usize>,
    pub tile: Option<Size>,
    pub tags: Vec<(u16, u16, Vec<u64>)>,
    pub description: Option<Vec<u8>>,
    /// Further planes of a stack, contiguous after the strips; tag 33629 counts them all.
    pub stack: Vec<GreyPlane>,
}

impl Builder {
    pub fn new(little_endian: bool, big: bool) -> Self {
        let mut builder = Self { little_endian, big, bytes: Vec::new(), link: if big { 8 } else { 4 } };
        builder.bytes.extend(if little_endian { b"II" } else { b"MM" });
        builder.number(if big { 43 } else { 42 }, 2);
        if big {
            builder.number(8, 2);
            builder.number(0, 2);
        }
        builder.number(0, builder.width());
        builder
    }

    fn width(&self) -> usize {
        if self.big { 8 } else { 4 }
    }

    fn encoded(&self, value: u64, width: usize) -> Vec<u8> {
        if self.little_endian {
            value.to_le_bytes()[..width].to_vec()
        } else {
            value.to_be_bytes()[8 - width..].to_vec()
        }
    }

    fn number(&mut self, value: u64, width: usize) {
        let bytes = self.encoded(value, width);
        self.bytes.extend(bytes);
    }

    fn chunk(&mut self, plane: &GreyPlane, y: usize, x: usize, size: Size) -> (u64, u64) {
        let offset = self.bytes.len() as u64;
        let width = plane.depth().bytes();
        for row in y..y + size.height {
            for column in x..x + size.width {
                let inside = row < plane.size().height && column < plane.size().width;
                let value = if inside { plane.value(row, column) } else { 77 };
                self.number(value.into(), width);
            }
        }
        (offset, self.bytes.len() as u64 - offset)
    }

    pub fn page(mut self, plane: &GreyPlane, page: &Page) -> Self {
        let Size { height, width } = plane.size();
        let chunk = page.tile.unwrap_or(Size::new(page.rows_per_strip.unwrap_or(height), width));
        let mut chunks = Vec::new();
        for y in (0..height).step_by(chunk.height) {
            for x in (0..width).step_by(chunk.width) {
                let rows = if page.tile.is_some() { chunk.height } else { chunk.height.min(height - y) };
                chunks.push(self.chunk(plane, y, x, Size::new(rows, chunk.width)));
            }
        }
        for further in &page.stack {
            self.chunk(further, 0, 0, further.size());
        }
        let offsets = chunks.iter().map(|chunk| chunk.0).collect();
        let counts = chunks.iter().map(|chunk| chunk.1).collect();
        let long = if self.big { 16 } else { 4 };
        let mut tags = vec![
            (WIDTH, 3, vec![width as u64]),
            (257, 3, vec![height as u64]),
            (BITS, 3, vec![plane.depth().bits().into()]),
            (COMPRESSION, 3, vec![1]),
            (PHOTOMETRIC, 3, vec![1]),
        ];
        if page.tile.is_some() {
            tags.extend([(322, 4, vec![chunk.width as u64]), (323, 4, vec![chunk.height as u64])]);
            tags.extend([(324, long, offsets), (325, long, counts)]);
        } else {
            tags.extend([
                (273, long, offsets),
                (278, 4, vec![chunk.height as u64]),
                (STRIP_COUNTS, long, counts),
            ]);
        }
        if !page.stack.is_empty() {
            tags.push((STACK, 5, vec![0; page.stack.len() + 1]));
        }
        if let Some(text) = &page.description {
            tags.push((DESCRIPTION, 2, text.iter().map(|byte| u64::from(*byte)).collect()));
        }
        for replacement in &page.tags {
            tags.retain(|tag| tag.0 != replacement.0);
            tags.push(replacement.clone());
        }
        tags.sort();
        self.directory(&tags)
    }

    fn directory(mut self, tags: &[(u16, u16, Vec<u64>)]) -> Self {
        let pointer = self.width();
        let mut fields = Vec::new();
        for (_, kind, values) in tags {
            let width = match kind {
                1 | 2 => 1,
                3 => 2,
                4 => 4,
                _ => 8,
            };
            let bytes: Vec<u8> = values.iter().flat_map(|value| self.encoded(*value, width)).collect();
            fields.push(if bytes.len() <= pointer {
                [bytes.clone(), vec![0; pointer - bytes.len()]].concat()
            } else {
                let offset = self.bytes.len() as u64;
                self.bytes.extend(bytes);
                self.encoded(offset, pointer)
            });
        }
        let start = self.bytes.len() as u64;
        let link = self.encoded(start, pointer);
        self.bytes[self.link..self.link + pointer].copy_from_slice(&link);
        self.number(tags.len() as u64, if self.big { 8 } else { 2 });
        for ((tag, kind, values), field) in tags.iter().zip(fields) {
            self.number((*tag).into(), 2);
            self.number((*kind).into(), 2);
            self.number(values.len() as u64, pointer);
            self.bytes.extend(field);
        }
        self.link = self.bytes.len();
        self.number(0, pointer);
        self
    }
}
