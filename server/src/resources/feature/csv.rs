//! Tables as text: fields between commas, lines that end with CR LF, quotes only where they must be.

use std::io::Write;

/// Lines of a table.
#[derive(Debug, Default)]
pub struct Csv {
    bytes: Vec<u8>,
    /// Whether the line has a field already.
    begun: bool,
}

impl Csv {
    /// Add a field.
    pub fn text(&mut self, field: &str) {
        self.separate();
        if field.contains([',', '"', '\r', '\n']) {
            self.bytes.push(b'"');
            self.bytes.extend_from_slice(field.replace('"', "\"\"").as_bytes());
            self.bytes.push(b'"');
        } else {
            self.bytes.extend_from_slice(field.as_bytes());
        }
    }

    /// Add an integer; an empty field without one.
    pub fn integer(&mut self, field: Option<i64>) {
        self.separate();
        if let Some(field) = field {
            // Writing to memory cannot fail.
            let _ = write!(self.bytes, "{field}");
        }
    }

    /// Add a number in the shortest form that reads back as the same number; `nan` without one.
    pub fn number(&mut self, field: f64) {
        self.separate();
        if field.is_nan() {
            self.bytes.extend_from_slice(b"nan");
        } else {
            // Writing to memory cannot fail.
            let _ = write!(self.bytes, "{field:?}");
        }
    }

    /// End the line.
    pub fn end_line(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
        self.begun = false;
    }

    /// The lines so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn separate(&mut self) {
        if self.begun {
            self.bytes.push(b',');
        }
        self.begun = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_only_where_it_must_be() {
        let mut csv = Csv::default();
        for field in ["a b", "a,b", "a\"b", "ü", "a\nb", ""] {
            csv.text(field);
        }
        csv.end_line();
        csv.integer(Some(-3));
        csv.integer(None);
        csv.end_line();
        let text = String::from_utf8(csv.into_bytes());
        assert_eq!(text.as_deref(), Ok("a b,\"a,b\",\"a\"\"b\",ü,\"a\nb\",\r\n-3,\r\n"));
    }

    #[test]
    fn a_number_reads_back_as_itself() {
        for number in [0.1, -0.0, 1e-300, 1e300, 5e-324, 1.0 / 3.0, 9_007_199_254_740_993.0, f64::MAX, 7.0] {
            let mut csv = Csv::default();
            csv.number(number);
            let text = String::from_utf8(csv.into_bytes()).unwrap_or_default();
            assert_eq!(text.parse().map(f64::to_bits), Ok(number.to_bits()), "{text}");
            assert!(text.len() < 25, "{text}");
        }
    }
}
