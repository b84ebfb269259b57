//! File names from outside, made safe to store.

use unicode_normalization::UnicodeNormalization;

/// A file name without anything a file system could take for a path or an option.
///
/// The same rule clients have always seen: compatibility decomposition (NFKD) and then ASCII only; `/`
/// becomes a space; runs of white space become `_`; everything but letters, digits, `_`, `.` and `-` goes;
/// `.` and `_` go at both ends. The result may be empty, which callers refuse. Idempotent.
pub fn secure_filename(raw: &str) -> String {
    let ascii: String = raw.nfkd().filter(char::is_ascii).map(|c| if c == '/' { ' ' } else { c }).collect();
    // Python's str.split() also splits at the four separators below the space.
    let is_space = |c: char| c.is_ascii_whitespace() || matches!(c, '\x0b' | '\x1c'..='\x1f');
    let words: Vec<&str> = ascii.split(is_space).filter(|word| !word.is_empty()).collect();
    let kept: String = words
        .join("_")
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        .collect();
    kept.trim_matches(['.', '_']).to_string()
}
