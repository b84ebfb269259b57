//! SQL of microscope files.

use super::{FileKind, MicroscopeFile};
use crate::store::{Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// The files of an acquisition of one kind, in the order they were registered.
pub async fn list(tx: &mut Tx, acquisition: i64, kind: FileKind) -> Result<Vec<MicroscopeFile>> {
    fetch_all!(
        tx,
        MicroscopeFile,
        "select id, name, status
         from microscope_files
         where acquisition_id = $1 and kind = $2
         order by id",
        acquisition,
        kind.name()
    )
}

/// Register a file as waiting; false when it is registered already.
pub async fn insert(tx: &mut Tx, acquisition: i64, kind: FileKind, name: &str, now: i64) -> Result<bool> {
    let inserted = execute!(
        tx,
        "insert into microscope_files (acquisition_id, kind, name, status, created_at, updated_at)
         values ($1, $2, $3, 'WAITING', $4, $4)
         on conflict (acquisition_id, kind, name) do nothing",
        acquisition,
        kind.name(),
        name,
        now
    )?;
    Ok(inserted > 0)
}

/// Names of the files that are not stored yet, images first.
pub async fn pending(tx: &mut Tx, acquisition: i64) -> Result<Vec<String>> {
    // 'image' sorts before 'metadata'.
    let rows = fetch_all!(
        tx,
        (String,),
        "select name
         from microscope_files
         where acquisition_id = $1 and status <> 'COMPLETE'
         order by kind, id",
        acquisition
    )?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

/// The statuses of the rows of one file: none, one, or two for a file of both kinds.
pub async fn statuses(tx: &mut Tx, acquisition: i64, name: &str) -> Result<Vec<String>> {
    let rows = fetch_all!(
        tx,
        (String,),
        "select status
         from microscope_files
         where acquisition_id = $1 and kind in ('image', 'metadata') and name = $2
         order by kind",
        acquisition,
        name
    )?;
    Ok(rows.into_iter().map(|(status,)| status).collect())
}

/// Whether an acquisition has files and all of them are stored.
pub async fn all_complete(tx: &mut Tx, acquisition: i64) -> Result<bool> {
    let missing = fetch_optional!(
        tx,
        (i64,),
        "select id from microscope_files where acquisition_id = $1 and status <> 'COMPLETE' limit 1",
        acquisition
    )?;
    let any = fetch_optional!(
        tx,
        (i64,),
        "select id from microscope_files where acquisition_id = $1 limit 1",
        acquisition
    )?;
    Ok(missing.is_none() && any.is_some())
}

/// Number of stored files of an acquisition; one of both kinds counts twice.
pub async fn count_complete(tx: &mut Tx, acquisition: i64) -> Result<i64> {
    let (count,) = fetch_one!(
        tx,
        (i64,),
        "select count(*) from microscope_files where acquisition_id = $1 and status = 'COMPLETE'",
        acquisition
    )?;
    Ok(count)
}

/// Take a file for uploading; false when somebody else has it or it is stored. This one statement
/// decides between concurrent uploads.
pub async fn claim(tx: &mut Tx, acquisition: i64, name: &str, now: i64) -> Result<bool> {
    let claimed = execute!(
        tx,
        "update microscope_files
         set status = 'UPLOADING', updated_at = $1
         where acquisition_id = $2 and kind in ('image', 'metadata') and name = $3
             and status in ('WAITING', 'FAILED')",
        now,
        acquisition,
        name
    )?;
    Ok(claimed > 0)
}

/// A claimed file is stored; false when its rows are gone.
pub async fn complete(tx: &mut Tx, acquisition: i64, name: &str, now: i64) -> Result<bool> {
    // Whatever else the rows say by now, the file is there.
    let completed = execute!(
        tx,
        "update microscope_files
         set status = 'COMPLETE', updated_at = $1
         where acquisition_id = $2 and kind in ('image', 'metadata') and name = $3",
        now,
        acquisition,
        name
    )?;
    Ok(completed > 0)
}

/// A claimed file could not be stored.
pub async fn fail(tx: &mut Tx, acquisition: i64, name: &str, now: i64) -> Result<()> {
    execute!(
        tx,
        "update microscope_files
         set status = 'FAILED', updated_at = $1
         where acquisition_id = $2 and kind in ('image', 'metadata') and name = $3
             and status = 'UPLOADING'",
        now,
        acquisition,
        name
    )?;
    Ok(())
}

/// At start, when nobody uploads yet: who was uploading when the server stopped has failed; the value
/// is the number of files.
pub async fn reset_stale(tx: &mut Tx, now: i64) -> Result<u64> {
    execute!(
        tx,
        "update microscope_files
         set status = 'FAILED', updated_at = $1
         where status = 'UPLOADING'",
        now
    )
}
