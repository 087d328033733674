//! The database file: its creation, its identity, and connections to it.

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rusqlite::{Connection, MAIN_DB, OpenFlags, config::DbConfig};

use crate::{BUSY_TIMEOUT, RETRY_INTERVAL, error::SqliteError, schema::Contents};

type Result<T> = std::result::Result<T, SqliteError>;

/// The minimum size of a SQLite database. SQLite treats shorter files as empty and overwrites them.
const MIN_LEN: u64 = 512;

/// The path and the identity of an opened database file.
#[derive(Clone, Debug)]
pub struct DatabaseFile {
    path: PathBuf,
    id: FileId,
}

/// The device and the inode.
#[cfg(unix)]
type FileId = (u64, u64);
#[cfg(not(unix))]
type FileId = ();

impl DatabaseFile {
    /// Identifies the file at this path.
    pub fn at(path: PathBuf) -> Result<Self> {
        let id = file_id(&path)?;
        Ok(Self { path, id })
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns an error if the path no longer leads to the file.
    pub fn check(&self) -> Result<()> {
        match file_id(&self.path) {
            Ok(id) if id == self.id => Ok(()),
            _ => Err(SqliteError::Replaced),
        }
    }
}

#[cfg(unix)]
fn file_id(path: &Path) -> io::Result<FileId> {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|_| ())
}

/// Makes the path absolute, because SQLite gives some relative names a special meaning, and because
/// the working directory may change.
pub fn absolute(path: &Path) -> Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}

/// Creates an empty file with access for its owner only. SQLite gives its other files the same
/// permissions. Returns whether the file is new.
pub fn create_private(path: &Path) -> Result<bool> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens an existing file, after a check of its content that writes nothing: the database of
/// another program is not changed.
pub fn open(path: &Path) -> Result<(Connection, Contents)> {
    let len = match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err(SqliteError::NotADatabase),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(SqliteError::Missing),
        Err(error) => return Err(error.into()),
    };
    if (1..MIN_LEN).contains(&len) {
        return Err(SqliteError::NotADatabase);
    }
    look_without_locks(path)?;

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    if connection.is_readonly(MAIN_DB)? {
        return Err(SqliteError::ReadOnly);
    }
    // The last connection that is closed moves the write-ahead log into the file.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    wait_for_locks(&connection)?;
    let contents = Contents::of(&connection)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false)?;
    Ok((connection, contents))
}

/// Opens an existing file like [`open`], for reads only. The write-ahead log of a crash is not
/// changed.
pub fn open_to_read(path: &Path) -> Result<(Connection, Contents)> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let has_log = fs::metadata(log).is_ok_and(|metadata| metadata.len() > 0);
    let (connection, contents) = open(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, has_log)?;
    Ok((connection, contents))
}

/// Lets the connection wait for the locks of other processes.
///
/// SQLite's own handler waits up to 100 ms between two tries. That is too long beside a process
/// that writes continuously and releases its lock for microseconds only.
pub fn wait_for_locks(connection: &Connection) -> Result<()> {
    fn retry(tries: i32) -> bool {
        thread::sleep(RETRY_INTERVAL);
        RETRY_INTERVAL * u32::try_from(tries).unwrap_or(0) < BUSY_TIMEOUT
    }
    Ok(connection.busy_handler(Some(retry))?)
}

/// Runs `action` without waiting for the locks of other processes.
pub fn without_waiting<T>(connection: &mut Connection, action: impl FnOnce(&mut Connection) -> Result<T>) -> Result<T> {
    connection.busy_timeout(Duration::ZERO)?;
    let result = action(connection);
    wait_for_locks(connection)?;
    result
}

/// Refuses the database of another program by the content of the file. SQLite reads the file as
/// immutable, so it takes no lock, creates no other file and recovers nothing.
fn look_without_locks(path: &Path) -> Result<()> {
    let Some(uri) = immutable_uri(path) else {
        return Ok(());
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)?;
    match Contents::of(&connection) {
        // The tables may still be in the write-ahead log, or another process may write right now.
        // The check with locks decides.
        Ok(_) | Err(SqliteError::Corrupt | SqliteError::Other(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns a URI of the file; `None` if the path is not UTF-8.
fn immutable_uri(path: &Path) -> Option<String> {
    use std::fmt::Write;
    let mut uri = "file:".to_owned();
    let path = path.to_str()?;
    // Of a drive, as in `file:/C:/keycell.db`.
    let is_rooted = path.starts_with('/');
    if !is_rooted {
        uri.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'/' | b':' | b'-' | b'.' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(char::from(byte)),
            _ => write!(uri, "%{byte:02x}").ok()?,
        }
    }
    uri.push_str("?immutable=1");
    Some(uri)
}
