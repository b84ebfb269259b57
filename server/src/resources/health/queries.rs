//! SQL that asks whether anybody is there.

use crate::store::{Result, Tx, fetch_optional};

/// Let the database read something.
pub async fn answer(tx: &mut Tx) -> Result<()> {
    fetch_optional!(tx, (i64,), "select id from users limit 1").map(drop)
}
