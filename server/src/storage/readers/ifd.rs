//! TIFF headers: the chain of image file directories and their tags.
//!
//! Only what decides whether a page is readable is looked at, so that the decoder behind it is given
//! nothing but pages whose numbers are sound. Layout: TIFF 6.0 (Adobe, 1992) section 2; BigTIFF as in
//! libtiff's `bigtiff` design page.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};

use super::{Fault, ReadLimits};

/// A file whose every access is checked against its length.
pub(super) struct Source<R> {
    reader: R,
    length: u64,
}

impl<R: Read + Seek> Source<R> {
    pub(super) fn new(mut reader: R) -> Result<Self, Fault> {
        let length = reader.seek(SeekFrom::End(0))?;
        Ok(Self { reader, length })
    }

    /// Whether `count` bytes from `offset` lie inside the file.
    pub(super) fn holds(&self, offset: u64, count: u64) -> bool {
        offset.checked_add(count).is_some_and(|end| end <= self.length)
    }

    pub(super) fn read(&mut self, offset: u64, count: u64) -> Result<Vec<u8>, Fault> {
        if !self.holds(offset, count) {
            return Err(Fault::Malformed(format!(
                "{count} bytes at {offset} are wanted, the file has {}",
                self.length
            )));
        }
        let mut bytes = vec![0; count as usize];
        self.reader.seek(SeekFrom::Start(offset))?;
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn into_reader(self) -> R {
        self.reader
    }
}

/// Byte order and width of offsets, and where the first directory is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    little_endian: bool,
    big: bool,
    first: u64,
}

impl Header {
    pub(super) fn read(source: &mut Source<impl Read + Seek>) -> Result<Self, Fault> {
        let start = source.read(0, 8)?;
        let mut header = Self { little_endian: start[0] == b'I', big: false, first: 0 };
        header.big = header.number(&start[2..4]) == 43;
        if header.big {
            if header.number(&start[4..6]) != 8 || header.number(&start[6..8]) != 0 {
                return Err(Fault::Malformed("BigTIFF header without 8-byte offsets".into()));
            }
            header.first = header.number(&source.read(8, 8)?);
        } else {
            header.first = header.number(&start[4..8]);
        }
        Ok(header)
    }

    pub(super) fn is_little_endian(&self) -> bool {
        self.little_endian
    }

    /// An unsigned integer of up to 8 bytes.
    pub(super) fn number(&self, bytes: &[u8]) -> u64 {
        let fold = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if self.little_endian { bytes.iter().rev().fold(0, fold) } else { bytes.iter().fold(0, fold) }
    }

    /// The bytes of an unsigned integer, the inverse of [`Self::number`].
    pub(super) fn bytes(&self, value: u64, count: usize) -> Vec<u8> {
        if self.little_endian {
            value.to_le_bytes()[..count].to_vec()
        } else {
            value.to_be_bytes()[8 - count..].to_vec()
        }
    }

    /// Where the header says where the first directory is, and in how many bytes.
    pub(super) fn first_pointer(&self) -> (u64, usize) {
        if self.big { (8, 8) } else { (4, 4) }
    }

    /// The directories of all pages, or of the pages up to `last`; at least one.
    pub(super) fn directories(
        &self,
        source: &mut Source<impl Read + Seek>,
        limits: &ReadLimits,
        last: Option<usize>,
    ) -> Result<Vec<Directory>, Fault> {
        if self.first == 0 {
            return Err(Fault::Malformed("a TIFF file without pages".into()));
        }
        let mut seen = HashSet::new();
        let mut directories = Vec::new();
        let mut offset = self.first;
        while offset != 0 {
            if !seen.insert(offset) {
                return Err(Fault::Malformed("the chain of pages runs in a circle".into()));
            }
            if directories.len() == limits.max_pages {
                return Err(Fault::TooLarge(format!("more than {} pages", limits.max_pages)));
            }
            let (directory, next) = Directory::read(*self, offset, source)?;
            directories.push(directory);
            if last.is_some_and(|last| directories.len() > last) {
                break;
            }
            offset = next;
        }
        Ok(directories)
    }
}

/// One tag of a directory.
#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where its value or the pointer to it lies.
    field: u64,
}

/// One directory: the tags of one page.
#[derive(Debug)]
pub(super) struct Directory {
    pub(super) header: Header,
    pub(super) offset: u64,
    entries: Vec<Entry>,
}

impl Directory {
    fn read(
        header: Header,
        offset: u64,
        source: &mut Source<impl Read + Seek>,
    ) -> Result<(Self, u64), Fault> {
        let (count_bytes, entry_bytes, pointer_bytes) = if header.big { (8, 20, 8) } else { (2, 12, 4) };
        let count = header.number(&source.read(offset, count_bytes)?);
        if count > u64::from(u16::MAX) {
            return Err(Fault::Malformed(format!("a page with {count} tags")));
        }
        let start = offset + count_bytes;
        let block = source.read(start, count * entry_bytes + pointer_bytes)?;
        let (table, next) = block.split_at((count * entry_bytes) as usize);
        let value_at = entry_bytes - pointer_bytes;
        let entries = table
            .chunks_exact(entry_bytes as usize)
            .enumerate()
            .map(|(index, entry)| Entry {
                tag: header.number(&entry[..2]) as u16,
                kind: header.number(&entry[2..4]) as u16,
                count: header.number(&entry[4..value_at as usize]),
                field: start + index as u64 * entry_bytes + value_at,
            })
            .collect();
        Ok((Self { header, offset, entries }, header.number(next)))
    }

    fn entry(&self, tag: u16) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.tag == tag).copied()
    }

    pub(super) fn contains(&self, tag: u16) -> bool {
        self.entry(tag).is_some()
    }

    /// Number of values of a tag; 0 if it is absent.
    pub(super) fn count(&self, tag: u16) -> u64 {
        self.entry(tag).map_or(0, |entry| entry.count)
    }

    /// The values of a tag that holds unsigned integers.
    pub(super) fn numbers(
        &self,
        tag: u16,
        source: &mut Source<impl Read + Seek>,
    ) -> Result<Option<Vec<u64>>, Fault> {
        let Some(entry) = self.entry(tag) else { return Ok(None) };
        let width = number_width(entry.kind).ok_or_else(|| {
            Fault::Malformed(format!("tag {tag} is of type {}, a number is wanted", entry.kind))
        })?;
        let bytes = self.value(entry, width as u64, source)?;
        Ok(Some(bytes.chunks_exact(width).map(|bytes| self.header.number(bytes)).collect()))
    }

    /// The first value of a tag, or what it is by default.
    pub(super) fn number(
        &self,
        tag: u16,
        default: u64,
        source: &mut Source<impl Read + Seek>,
    ) -> Result<u64, Fault> {
        let values = self.numbers(tag, source)?;
        match values {
            None => Ok(default),
            Some(values) => {
                values.first().copied().ok_or_else(|| Fault::Malformed(format!("tag {tag} has no value")))
            }
        }
    }

    /// The text of a tag: UTF-8, or Latin-1 where it is not that.
    pub(super) fn text(
        &self,
        tag: u16,
        limits: &ReadLimits,
        source: &mut Source<impl Read + Seek>,
    ) -> Result<Option<String>, Fault> {
        let Some(entry) = self.entry(tag) else { return Ok(None) };
        if entry.count > limits.max_description_bytes {
            return Err(Fault::TooLarge(format!(
                "a description of {} bytes, {} are allowed",
                entry.count, limits.max_description_bytes
            )));
        }
        let mut bytes = self.value(entry, 1, source)?;
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(end);
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| error.as_bytes().iter().map(|byte| char::from(*byte)).collect());
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// Where a tag of one number keeps it inside the directory, and in how many bytes.
    pub(super) fn number_place(&self, tag: u16) -> Option<(u64, usize)> {
        let entry = self.entry(tag)?;
        Some((entry.field, number_width(entry.kind)?)).filter(|_| entry.count == 1)
    }

    fn value(
        &self,
        entry: Entry,
        width: u64,
        source: &mut Source<impl Read + Seek>,
    ) -> Result<Vec<u8>, Fault> {
        let too_many = || Fault::Malformed(format!("tag {} claims {} values", entry.tag, entry.count));
        let length = entry.count.checked_mul(width).ok_or_else(too_many)?;
        let field_bytes = self.header.first_pointer().1 as u64;
        let offset = if length <= field_bytes {
            entry.field
        } else {
            self.header.number(&source.read(entry.field, field_bytes)?)
        };
        source.read(offset, length)
    }
}

/// Bytes per value of the tag types that are unsigned integers.
fn number_width(kind: u16) -> Option<usize> {
    match kind {
        1 => Some(1),
        3 => Some(2),
        4 | 13 => Some(4),
        16 | 18 => Some(8),
        _ => None,
    }
}
