//! A file with a few bytes replaced, without touching it.

use std::io::{self, Read, Seek, SeekFrom};

/// A stream that reads like another one, but for some bytes.
///
/// This is how a TIFF decoder is shown one page, and a palette image as the plain grey image of its
/// palette indices.
pub(super) struct Overlay<R> {
    inner: R,
    position: u64,
    patches: Vec<(u64, Vec<u8>)>,
}

impl<R: Read + Seek> Overlay<R> {
    pub(super) fn new(mut inner: R) -> io::Result<Self> {
        inner.seek(SeekFrom::Start(0))?;
        Ok(Self { inner, position: 0, patches: Vec::new() })
    }

    /// From now on the bytes from `offset` read as `bytes`.
    pub(super) fn patch(&mut self, offset: u64, bytes: Vec<u8>) {
        self.patches.push((offset, bytes));
    }
}

impl<R: Read> Read for Overlay<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let end = self.position + count as u64;
        for (offset, bytes) in &self.patches {
            let patch_end = offset + bytes.len() as u64;
            for at in self.position.max(*offset)..end.min(patch_end) {
                buffer[(at - self.position) as usize] = bytes[(at - offset) as usize];
            }
        }
        self.position = end;
        Ok(count)
    }
}

impl<R: Seek> Seek for Overlay<R> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        self.position = self.inner.seek(target)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Cursor;

    #[test]
    fn patched_bytes_are_seen_however_the_stream_is_cut() {
        for step in 1..=8 {
            let mut overlay = Overlay::new(Cursor::new(b"abcdefgh".to_vec())).unwrap();
            overlay.patch(1, b"XYZ".to_vec());
            overlay.patch(7, b"!".to_vec());
            let mut seen = Vec::new();
            while Read::by_ref(&mut overlay).take(step).read_to_end(&mut seen).unwrap() > 0 {}
            assert_eq!(seen, b"aXYZefg!");
            overlay.seek(SeekFrom::Start(3)).unwrap();
            let mut two = [0; 2];
            overlay.read_exact(&mut two).unwrap();
            assert_eq!(&two, b"Ze");
        }
    }
}
