//! Who may use what beside the users of the API: web pages of other servers, and programs that watch this one.

/// Web pages of other servers that browsers may let use the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Those of these origins (`https://viewer.example.org`), with a login of their own; empty by default.
    Only(Vec<String>),
    /// All, with whatever they send themselves; browsers add nothing that they keep for this server.
    All,
}

impl CorsOrigins {
    /// Check origins: `*` alone, or each a scheme and a host, with a port where it is not the scheme's own.
    ///
    /// # Errors
    /// What was wanted.
    pub fn new(origins: Vec<String>) -> Result<Self, String> {
        if origins == ["*"] {
            return Ok(Self::All);
        }
        match origins.iter().find(|origin| !is_origin(origin)) {
            None => Ok(Self::Only(origins)),
            Some(origin) if origin == "*" => {
                Err("`*` stands for all origins and must be the only one".to_owned())
            }
            Some(origin) => Err(format!(
                "\"{origin}\" is no origin: a scheme, a host and nothing behind, such as https://viewer.example.org \
                 or http://localhost:8080"
            )),
        }
    }
}

/// Whether browsers can send this text in the header `Origin`.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:[]".contains(c);
        !host.is_empty() && host.chars().all(plain)
    })
}

/// Who may read the figures of `GET /metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Nobody.
    Off,
    /// Programs on this machine that come without a reverse proxy.
    Loopback,
    /// Whoever reaches the server.
    All,
}

impl MetricsAccess {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Off, Self::Loopback, Self::All];

    /// Name in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Loopback => "loopback",
            Self::All => "all",
        }
    }

    /// The one of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|access| access.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_a_scheme_and_a_host_or_all() {
        let origins = |texts: &[&str]| CorsOrigins::new(texts.iter().map(ToString::to_string).collect());
        assert_eq!(origins(&["*"]), Ok(CorsOrigins::All));
        let two = ["https://viewer.example.org", "http://localhost:8080"];
        assert_eq!(origins(&two), Ok(CorsOrigins::Only(two.map(str::to_owned).to_vec())));
        for wrong in [
            "viewer.example.org",
            "https://",
            "https://a/",
            "https://a/b",
            "ftp://a",
            "https://A",
            "null",
            "https://a b",
        ] {
            assert!(origins(&[wrong]).is_err_and(|message| message.contains(wrong)), "{wrong}");
        }
        assert!(origins(&["*", "https://a"]).is_err_and(|message| message.contains("the only one")));
    }
}
