//! The `Content-Disposition` header of a part of a form, as clients really send it.

use axum::http::{HeaderMap, header};

/// Name of the part and of the file in it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// Name of the part.
    pub name: Option<String>,
    /// Name of the file; `filename*` (RFC 5987) wins over `filename`.
    pub file_name: Option<String>,
}

impl Disposition {
    /// What the headers of a part say.
    pub fn of(headers: &HeaderMap) -> Self {
        headers
            .get(header::CONTENT_DISPOSITION)
            .map(|value| Self::parse(&text(value.as_bytes())))
            .unwrap_or_default()
    }

    fn parse(header: &str) -> Self {
        let mut found = Self::default();
        let mut plain = None;
        for (key, value) in parameters(header) {
            match key.as_str() {
                "name" => found.name = found.name.or(Some(value)),
                "filename" => plain = plain.or(Some(value)),
                "filename*" => found.file_name = found.file_name.or_else(|| extended(&value)),
                _ => {}
            }
        }
        found.file_name = found.file_name.or(plain);
        found
    }
}

/// UTF-8, or Latin-1 where it is not.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), str::to_owned)
}

/// The `key=value` pairs after the type; keys in lower case, values without their quotes.
fn parameters(header: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = header.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((key, after)) = rest.split_once('=') {
        // A flag without a value may stand before the key.
        let key = key.rsplit(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, after) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), after)
            }
        };
        pairs.push((key, value));
        rest = after;
    }
    pairs
}

/// The text up to the closing quote, and what follows. Clients write a quote in a name as `\"` or, like
/// browsers, as `%22`; other backslashes are themselves, because some clients send Windows paths.
fn unquote(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = quoted;
    while let Some(at) = rest.find('"') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        match before.strip_suffix('\\') {
            Some(before) => {
                value.push_str(before);
                value.push('"');
                rest = after;
            }
            None => {
                value.push_str(before);
                return (value.replace("%22", "\""), after);
            }
        }
    }
    value.push_str(rest);
    (value, "")
}

/// `charset'language'percent-encoded`; `None` when it is not.
fn extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(rest.next())?, digit(rest.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    if charset.eq_ignore_ascii_case("utf-8") {
        return String::from_utf8(bytes).ok();
    }
    charset.eq_ignore_ascii_case("iso-8859-1").then(|| bytes.into_iter().map(char::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(header: &str) -> (Option<String>, Option<String>) {
        let Disposition { name, file_name } = Disposition::parse(header);
        (name, file_name)
    }

    fn file(header: &str) -> Option<String> {
        let (name, file_name) = names(header);
        assert_eq!(name.as_deref(), Some("file"), "{header}");
        file_name
    }

    #[test]
    fn plain_and_quoted_names_are_read() {
        assert_eq!(file(r#"form-data; name="file"; filename="a b.tif""#).as_deref(), Some("a b.tif"));
        assert_eq!(file("form-data; name=file; filename=a.tif").as_deref(), Some("a.tif"));
        assert_eq!(file("form-data; FILENAME=\"ü.tif\"; Name=\"file\"").as_deref(), Some("ü.tif"));
        assert_eq!(file(r#"form-data; name="file""#), None);
        assert_eq!(file(r#"form-data; name="file"; filename="""#).as_deref(), Some(""));
        assert_eq!(names("form-data"), (None, None));
    }

    #[test]
    fn a_semicolon_or_a_quote_in_a_name_ends_nothing() {
        assert_eq!(
            file(r#"form-data; filename="a; name=b.tif"; name="file""#).as_deref(),
            Some("a; name=b.tif")
        );
        assert_eq!(file(r#"form-data; name="file"; filename="a\"b.tif""#).as_deref(), Some("a\"b.tif"));
        assert_eq!(file(r#"form-data; name="file"; filename="a%22b.tif""#).as_deref(), Some("a\"b.tif"));
        assert_eq!(file(r#"form-data; name="file"; filename="C:\a.tif""#).as_deref(), Some("C:\\a.tif"));
    }

    #[test]
    fn the_extended_form_wins() {
        assert_eq!(
            file("form-data; name=\"file\"; filename=\"x.tif\"; filename*=utf-8''%C3%BC%20%e2%82%ac.tif")
                .as_deref(),
            Some("ü €.tif")
        );
        assert_eq!(
            file("form-data; name=\"file\"; filename*=ISO-8859-1'en'%FC.tif").as_deref(),
            Some("ü.tif")
        );
        for damaged in ["utf-8''%C3.tif", "utf-8''%zz.tif", "utf-8''%C", "koi8-r''%C3", "x.tif"] {
            assert_eq!(file(&format!("form-data; name=file; filename*={damaged}")), None, "{damaged}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_latin_1() {
        assert_eq!(text(b"\xfc.tif"), "ü.tif");
        assert_eq!(text("ü.tif".as_bytes()), "ü.tif");
    }
}
