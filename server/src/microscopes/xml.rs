//! Bounded reading of small XML files from strangers.
//!
//! Sizes, depth, attributes and texts have limits; document type declarations are refused, so that no
//! entity but the five predefined ones and character references is ever expanded. Namespace prefixes are
//! ignored: instruments write `bts:`, rewritten files anything.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// Largest metadata file: room for a million records.
pub const MAX_BYTES: usize = 512 << 20;
/// Deepest nesting of elements.
pub const MAX_DEPTH: usize = 16;
/// Most attributes of one element.
pub const MAX_ATTRIBUTES: usize = 64;
/// Longest text of one element, in bytes.
pub const MAX_TEXT: usize = 4096;

/// An element with its attributes and its own text, without its children.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Name without prefix.
    pub name: String,
    /// Names without prefix, and values.
    pub attributes: Vec<(String, String)>,
    /// The text directly inside, trimmed.
    pub text: String,
    /// How many elements enclose this one; 0 for the root.
    pub depth: usize,
}

impl Element {
    /// An attribute's value, trimmed; `None` if it is absent or blank.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let (_, value) = self.attributes.iter().find(|(key, _)| key == name)?;
        Some(value.trim()).filter(|value| !value.is_empty())
    }
}

/// Hand every element to `visit` when it closes: children before parents.
///
/// # Errors
/// The first problem as a sentence with its byte offset, or what `visit` returned.
pub fn for_each_element(
    bytes: &[u8],
    mut visit: impl FnMut(Element) -> Result<(), String>,
) -> Result<(), String> {
    if bytes.len() > MAX_BYTES {
        return Err(format!("is {} bytes long, at most {MAX_BYTES} are read", bytes.len()));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 text (byte {})", error.valid_up_to()))?;
    let mut reader = Reader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut open: Vec<Element> = Vec::new();
    let mut roots = 0;
    loop {
        let event = reader.read_event().map_err(|error| {
            format!("is not well-formed XML near byte {}: {error}", reader.error_position())
        })?;
        let at = reader.buffer_position();
        match event {
            Event::Start(start) => {
                open.push(element(&start, open.len()).map_err(|problem| place(&problem, at))?);
            }
            Event::Empty(start) => {
                roots += usize::from(open.is_empty());
                visit(element(&start, open.len()).map_err(|problem| place(&problem, at))?)?;
            }
            Event::End(_) => {
                // The reader has checked that start and end fit.
                let Some(mut closed) = open.pop() else { continue };
                roots += usize::from(open.is_empty());
                closed.text = closed.text.trim().to_string();
                visit(closed)?;
            }
            Event::Text(part) => append(&mut open, &part.xml10_content(), at)?,
            Event::CData(part) => append(&mut open, &part.xml10_content(), at)?,
            Event::GeneralRef(reference) => {
                let character = reference
                    .resolve_char_ref()
                    .map_err(|error| place(&format!("has a bad character reference: {error}"), at))?;
                match (character, resolve_predefined_entity(&reference)) {
                    (Some(character), _) => append(&mut open, character.encode_utf8(&mut [0; 4]), at)?,
                    (None, Some(replacement)) => append(&mut open, replacement, at)?,
                    (None, None) => return Err(place("has an entity reference that is not expanded", at)),
                }
            }
            Event::DocType(_) => return Err(place("has a document type declaration, which is refused", at)),
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
        }
    }
    match (open.last(), roots) {
        (Some(unclosed), _) => Err(format!("ends before </{}>: the file is cut off", unclosed.name)),
        (None, 1) => Ok(()),
        (None, 0) => Err("has no XML element".to_string()),
        (None, _) => Err("has more than one root element".to_string()),
    }
}

/// Where the problem is.
fn place(problem: &str, at: u64) -> String {
    format!("{problem} (before byte {at})")
}

/// Add text to the innermost open element.
fn append(open: &mut [Element], part: &str, at: u64) -> Result<(), String> {
    let Some(element) = open.last_mut() else {
        return if part.trim().is_empty() { Ok(()) } else { Err(place("has text outside the root", at)) };
    };
    // White space between children is of no interest and may be of any length.
    if element.text.is_empty() && part.trim().is_empty() {
        return Ok(());
    }
    if element.text.len() + part.len() > MAX_TEXT {
        return Err(place(&format!("has a text longer than {MAX_TEXT} bytes"), at));
    }
    element.text.push_str(part);
    Ok(())
}

/// Name and attributes of a start tag.
fn element(start: &BytesStart<'_>, depth: usize) -> Result<Element, String> {
    if depth >= MAX_DEPTH {
        return Err(format!("has elements nested deeper than {MAX_DEPTH}"));
    }
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| format!("has a bad attribute: {error}"))?;
        if attributes.len() == MAX_ATTRIBUTES {
            return Err(format!("has an element with more than {MAX_ATTRIBUTES} attributes"));
        }
        let value = attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_err(|error| format!("has a bad attribute value: {error}"))?
            .into_owned();
        attributes.push((local(attribute.key.as_ref()).to_string(), value));
    }
    Ok(Element { name: local(start.name().as_ref()).to_string(), attributes, text: String::new(), depth })
}

/// A name without its namespace prefix.
fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
