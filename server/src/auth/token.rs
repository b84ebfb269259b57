//! Access tokens: JSON Web Tokens signed with HS256.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

/// Clocks of client and server may differ by this much, in seconds.
const LEEWAY_S: i64 = 10;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// User id.
    pub uid: i64,
    /// User name.
    pub uname: String,
    /// The generation of the user's tokens it belongs to; revoking them begins the next one.
    #[serde(rename = "gen", default)]
    pub generation: i64,
    /// Issued at, seconds since 1970.
    pub iat: i64,
    /// Not valid before, seconds since 1970.
    pub nbf: i64,
    /// Not valid after, seconds since 1970.
    pub exp: i64,
}

/// Signs and checks tokens.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    lifetime: Duration,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Tokens").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens signed with `key`, valid for `lifetime`.
    pub fn new(key: &[u8], lifetime: Duration) -> Self {
        Self { encoding: EncodingKey::from_secret(key), decoding: DecodingKey::from_secret(key), lifetime }
    }

    /// How long a token is valid.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A token of a user's present generation.
    ///
    /// # Errors
    /// The reason, when the token cannot be signed.
    pub fn issue(&self, uid: i64, uname: &str, generation: i64, now_us: i64) -> Result<String, String> {
        let now = now_us / 1_000_000;
        let lifetime = i64::try_from(self.lifetime.as_secs()).unwrap_or(i64::MAX);
        let exp = now.saturating_add(lifetime);
        let claims = Claims { uid, uname: uname.to_owned(), generation, iat: now, nbf: now, exp };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
            .map_err(|error| error.to_string())
    }

    /// What a token says, if its signature and times are good.
    ///
    /// # Errors
    /// The reason in words a person can act on.
    pub fn check(&self, token: &str, now_us: i64) -> Result<Claims, String> {
        // The times are checked below, against the injected clock.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["exp", "nbf"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|error| format!("Token is not valid: {error}"))?
            .claims;
        let now = now_us / 1_000_000;
        if claims.exp + LEEWAY_S < now {
            return Err("Signature has expired".to_owned());
        }
        if claims.nbf - LEEWAY_S > now || claims.iat - LEEWAY_S > now {
            return Err("Token is not valid yet".to_owned());
        }
        Ok(claims)
    }
}

/// Length of a key made by the server, in bytes.
const KEY_BYTES: usize = 32;

/// The key kept in `path`, made on first use and readable by the owner alone.
///
/// # Errors
/// When it cannot be read, made or stored, or is too short to be a key.
pub fn stored_key(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(key) if key.len() >= KEY_BYTES => return Ok(key),
        Ok(_) => {
            let message = format!("{} is too short to be a key; remove it to have one made", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Err(_) => {}
    }
    let mut key = [0_u8; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(key.to_vec())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KEY: &[u8] = b"a key for tests only";

    #[test]
    fn a_token_without_generation_is_of_the_first() -> Result<(), Box<dyn std::error::Error>> {
        let claims = json!({"uid": 3, "uname": "ann", "iat": 10, "nbf": 10, "exp": 100});
        let token = jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(KEY))?;
        let tokens = Tokens::new(KEY, Duration::from_secs(60));
        assert_eq!(tokens.check(&token, 20_000_000)?.generation, 0);
        let token = tokens.issue(3, "ann", 7, 20_000_000)?;
        assert_eq!(tokens.check(&token, 20_000_000)?.generation, 7);
        Ok(())
    }
}
