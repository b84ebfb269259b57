//! Which database this is.

use super::{Db, Result, StoreError, execute, fetch_one, fetch_optional};

/// Length of an identity in random bytes; in text it has twice as many characters.
const BYTES: usize = 16;

impl Db {
    /// A text that no other database has, but for copies of this one; made when first asked for.
    ///
    /// # Errors
    /// When the database fails, or there is no randomness to be had.
    pub async fn identity(&self) -> Result<String> {
        let known = fetch_optional!(&mut self.read().await?, (String,), "select text from identity")?;
        if let Some((text,)) = known {
            return Ok(text);
        }
        let mut bytes = [0_u8; BYTES];
        getrandom::fill(&mut bytes)
            .map_err(|error| StoreError::Corrupt(format!("no randomness: {error}")))?;
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut tx = self.write().await?;
        // Of several who find none at the same time one makes it.
        execute!(
            &mut tx,
            "insert into identity (sole, text) values (true, $1) on conflict (sole) do nothing",
            text
        )?;
        let (text,) = fetch_one!(&mut tx, (String,), "select text from identity")?;
        tx.commit().await?;
        Ok(text)
    }
}
