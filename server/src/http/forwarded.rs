//! What a reverse proxy says of the request it passes on.

use axum::http::HeaderMap;

/// Header in which a proxy names the scheme of the request.
const SCHEME: &str = "x-forwarded-proto";

/// Whether the client spoke HTTPS, by the word of the proxy nearest to it.
pub fn came_by_https(headers: &HeaderMap) -> bool {
    let schemes = headers.get(SCHEME).and_then(|value| value.to_str().ok()).unwrap_or_default();
    schemes.split(',').next().is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_first_scheme_of_several_counts() {
        for (value, expected) in
            [("https", true), ("HTTPS", true), ("https, http", true), ("http, https", false), ("", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(SCHEME, HeaderValue::from_static(value));
            assert_eq!(came_by_https(&headers), expected, "{value}");
        }
        assert!(!came_by_https(&HeaderMap::new()));
    }
}
