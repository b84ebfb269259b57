//! SQL of microscope files.

use super::{FileKind, MicroscopeFile};
use crate::store::{Page, Result, Tx, execute, fetch_all, fetch_one, fetch_optional};

/// A part of the files of an acquisition of one kind, in the order they were registered.
pub async fn list(tx: &mut Tx, acquisition: i64, kind: FileKind, page: Page) -> Result<Vec<MicroscopeFile>> {
    fetch_all!(
        tx,
        MicroscopeFile,
        "select id, name, status
         from microscope_files
         where acquisition_id = $1 and kind = $2
         order by id
         limit $3 offset $4",
        acquisition,
        kind.name(),
        page.limit,
        page.offset
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

/// Register a file of a linked directory as stored; one that is registered already gets its size anew.
pub async fn insert_linked(
    tx: &mut Tx,
    acquisition: i64,
    kind: FileKind,
    name: &str,
    size: i64,
    now: i64,
) -> Result<()> {
    execute!(
        tx,
        "insert into microscope_files (acquisition_id, kind, name, status, size, created_at, updated_at)
         values ($1, $2, $3, 'COMPLETE', $4, $5, $5)
         on conflict (acquisition_id, kind, name) do update set size = excluded.size",
        acquisition,
        kind.name(),
        name,
        size,
        now
    )?;
    Ok(())
}

/// Whether an acquisition has files, in whatever state.
pub async fn any(tx: &mut Tx, acquisition: i64) -> Result<bool> {
    let row = fetch_optional!(
        tx,
        (i64,),
        "select id from microscope_files where acquisition_id = $1 limit 1",
        acquisition
    )?;
    Ok(row.is_some())
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
    Ok(missing.is_none() && any(tx, acquisition).await?)
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

/// One upload of a file: what it stores, it stores under its epoch.
#[derive(Debug, Clone, Copy)]
pub struct Claimed<'a> {
    /// Row id of the acquisition.
    pub acquisition: i64,
    /// Secured name of the file.
    pub name: &'a str,
    /// Which upload of the file it is, counting from 1.
    pub epoch: i64,
}

/// Take a file for uploading; the value is the upload's epoch, or `None` when somebody else has the file or
/// it is stored. Somebody who gave no sign since `stale_since` does not have it any more. This one
/// statement decides between concurrent uploads.
pub async fn claim(
    tx: &mut Tx,
    acquisition: i64,
    name: &str,
    stale_since: i64,
    now: i64,
) -> Result<Option<i64>> {
    // A file of both kinds has two rows, which get the same epoch.
    let rows = fetch_all!(
        tx,
        (i64,),
        "update microscope_files
         set status = 'UPLOADING', updated_at = $1, epoch = 1 + (
             select max(others.epoch)
             from microscope_files others
             where others.acquisition_id = $2 and others.kind in ('image', 'metadata') and others.name = $3)
         where acquisition_id = $2 and kind in ('image', 'metadata') and name = $3
             and (status in ('WAITING', 'FAILED') or (status = 'UPLOADING' and updated_at < $4))
         returning epoch",
        now,
        acquisition,
        name,
        stale_since
    )?;
    Ok(rows.into_iter().map(|(epoch,)| epoch).max())
}

/// Give a sign that a claimed file is still being uploaded; false when it was taken over or its rows are gone.
pub async fn touch(tx: &mut Tx, claimed: Claimed<'_>, now: i64) -> Result<bool> {
    let touched = execute!(
        tx,
        "update microscope_files
         set updated_at = $1
         where acquisition_id = $2 and kind in ('image', 'metadata') and name = $3
             and status = 'UPLOADING' and epoch = $4",
        now,
        claimed.acquisition,
        claimed.name,
        claimed.epoch
    )?;
    Ok(touched > 0)
}

/// A claimed file of `size` bytes is stored; false when it was taken over or its rows are gone.
pub async fn complete(tx: &mut Tx, claimed: Claimed<'_>, size: i64, now: i64) -> Result<bool> {
    let completed = execute!(
        tx,
        "update microscope_files
         set status = 'COMPLETE', size = $1, updated_at = $2
         where acquisition_id = $3 and kind in ('image', 'metadata') and name = $4
             and status = 'UPLOADING' and epoch = $5",
        size,
        now,
        claimed.acquisition,
        claimed.name,
        claimed.epoch
    )?;
    Ok(completed > 0)
}

/// A claimed file could not be stored.
pub async fn fail(tx: &mut Tx, claimed: Claimed<'_>, now: i64) -> Result<()> {
    execute!(
        tx,
        "update microscope_files
         set status = 'FAILED', updated_at = $1
         where acquisition_id = $2 and kind in ('image', 'metadata') and name = $3
             and status = 'UPLOADING' and epoch = $4",
        now,
        claimed.acquisition,
        claimed.name,
        claimed.epoch
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
