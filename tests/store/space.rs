//! The reserve of free space.

use std::io::ErrorKind;

use tempfile::TempDir;
use tm_server::storage::{Space, StorageError, is_full};
use tokio::io::AsyncReadExt;

#[test]
fn less_than_the_reserve_is_a_full_disk_and_says_how_much_is_free() {
    let directory = TempDir::new().unwrap();
    Space::new(directory.path(), 1).check().unwrap();
    let error = Space::new(directory.path(), u64::MAX).check().unwrap_err();
    assert!(
        error.is_storage_full() && matches!(error, StorageError::Reserve { free, .. } if free > 0),
        "{error:?}"
    );
    assert!(error.to_string().contains("18446744073709 MB are kept in reserve"), "{error}");
}

#[test]
fn without_a_reserve_the_file_system_is_not_asked() {
    let gone = TempDir::new().unwrap().path().to_owned();
    Space::new(&gone, 0).check().unwrap();
    assert!(matches!(Space::new(&gone, 1).check(), Err(StorageError::Io(_))));
}

#[tokio::test]
async fn a_watched_source_ends_after_64_mb_once_less_is_free_than_the_reserve() {
    let directory = TempDir::new().unwrap();
    for (reserve, wanted) in [(u64::MAX, 64 << 20), (1, 65 << 20), (0, 65 << 20)] {
        let space = Space::new(directory.path(), reserve);
        let mut source = space.watch(tokio::io::repeat(7).take(65 << 20));
        let (mut buffer, mut read) = (vec![0; 1 << 18], 0);
        let error = loop {
            match source.read(&mut buffer).await {
                Ok(0) => break None,
                Ok(count) => read += count,
                Err(error) => break Some(error),
            }
        };
        assert_eq!(read, wanted, "{error:?}");
        assert_eq!(error.is_some(), reserve == u64::MAX);
        assert!(error.is_none_or(|error| error.kind() == ErrorKind::StorageFull && is_full(&error)));
    }
}
