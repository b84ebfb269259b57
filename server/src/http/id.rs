//! Ids on the wire: decimal strings out, every form that a server ever sent in.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::error::{ApiError, ApiResult};

/// What earlier servers put before the digits before encoding them.
const LEGACY_PREFIX: &str = "tmaps";

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The id as sent to clients.
pub fn emit_id(id: i64) -> String {
    id.to_string()
}

/// The id in a path: decimal digits, or base64 of `tmaps<digits>` or of the digits.
///
/// # Errors
/// 404, naming `what` ("plate") and the text, when it is none of these.
pub fn parse_id(what: &str, text: &str) -> ApiResult<i64> {
    decimal(text)
        .or_else(|| {
            let bytes = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()?;
            let decoded = String::from_utf8(bytes).ok()?;
            decimal(decoded.strip_prefix(LEGACY_PREFIX).unwrap_or(&decoded))
        })
        .ok_or_else(|| ApiError::not_found(format!("{what} \"{text}\"")))
}

fn decimal(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_id_is_understood() {
        for text in ["1", "dG1hcHMx", "MQ==", "MQ", "01"] {
            assert_eq!(parse_id("plate", text).ok(), Some(1), "{text}");
        }
        assert_eq!(parse_id("plate", "dG1hcHM3NzYxOA==").ok(), Some(77_618));
    }

    #[test]
    fn an_id_that_is_none_is_not_found() {
        for text in ["", "-1", "abc", "1.5", "dG1hcHM=", "99999999999999999999"] {
            assert!(parse_id("plate", text).is_err(), "{text}");
        }
    }
}
