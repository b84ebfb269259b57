//! What a reverse proxy says of the request it passes on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

use crate::app::App;
use crate::error::ApiError;

/// Headers with which proxies say that a request is not from themselves.
const FORWARDED: &[&str] = &["forwarded", "via", "x-forwarded-for", "x-forwarded-proto", "x-real-ip"];
/// Header in which every proxy on the way adds the address that it was asked from.
const ADDRESSES: &str = "x-forwarded-for";
/// Header in which a proxy names the scheme of the request.
const SCHEME: &str = "x-forwarded-proto";

/// Whether the client spoke HTTPS, by the word of the proxy nearest to it.
pub fn came_by_https(headers: &HeaderMap) -> bool {
    let schemes = headers.get(SCHEME).and_then(|value| value.to_str().ok()).unwrap_or_default();
    schemes.split(',').next().is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client's address: the word of the nearest proxy where proxies are believed, else the other end of the
    /// connection.
    pub address: IpAddr,
    /// Whether it is a program on this machine, and no proxy stands between.
    pub is_local: bool,
}

impl FromRequestParts<App> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let peer =
            peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical());
        let forwarded = if app.config.trust_forwarded { forwarded_for(&parts.headers) } else { None };
        let came_through = FORWARDED.iter().any(|name| parts.headers.contains_key(*name));
        Ok(Self { address: forwarded.unwrap_or(peer), is_local: peer.is_loopback() && !came_through })
    }
}

/// The address that the nearest proxy was asked from; what stands before it anybody may have written.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(ADDRESSES).iter().next_back()?.to_str().ok()?;
    last.rsplit(',').next()?.trim().parse().ok()
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

    #[test]
    fn the_last_address_is_the_nearest_proxys_word() {
        let mut headers = HeaderMap::new();
        assert_eq!(forwarded_for(&headers), None);
        headers.append(ADDRESSES, HeaderValue::from_static("203.0.113.9"));
        headers.append(ADDRESSES, HeaderValue::from_static("203.0.113.1, 2001:db8::1"));
        assert_eq!(forwarded_for(&headers), "2001:db8::1".parse().ok());
        headers.append(ADDRESSES, HeaderValue::from_static("unknown"));
        assert_eq!(forwarded_for(&headers), None);
    }
}
