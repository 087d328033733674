//! Online backups.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use crate::{
    error::SqliteError,
    file::{self, absolute},
    schema::Contents,
};

/// Copies a database to a new file, with access for its owner only.
///
/// The copy is a snapshot. Other connections can read and write meanwhile, in this process and
/// others. The copy is one file: to restore it, open it, or replace the old file and delete the old
/// `-wal` and `-shm` files.
///
/// # Errors
///
/// The target exists or cannot be written; the source is not a database of keycell, or is damaged.
pub fn backup(source: impl AsRef<Path>, target: impl AsRef<Path>) -> Result<(), SqliteError> {
    let (source, target) = (absolute(source.as_ref())?, absolute(target.as_ref())?);
    let (connection, contents) = file::open_to_read(&source)?;
    if contents == Contents::Empty {
        return Err(SqliteError::Missing);
    }
    let name = target.to_str().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path is not UTF-8"))?;
    if !file::create_private(&target)? {
        return Err(SqliteError::Exists);
    }
    // SQLite accepts an empty file as the target.
    let copied = connection.execute("VACUUM INTO ?1", [name]).map_err(SqliteError::from);
    let durable = copied.and_then(|_| Ok(sync(&target)?));
    if durable.is_err() {
        // An incomplete copy must not look like a backup.
        let _ = fs::remove_file(&target);
    }
    durable
}

/// Syncs a new file, which SQLite does not do for a copy.
fn sync(path: &Path) -> io::Result<()> {
    File::options().write(true).open(path)?.sync_all()?;
    #[cfg(unix)]
    if let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}
