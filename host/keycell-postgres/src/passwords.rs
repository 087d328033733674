//! Passwords, from the places where libpq looks for them.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use tokio_postgres::config::{Config, Host};

use crate::error::PostgresError;

/// Finds the password: in `PGPASSWORD`, or in the file of the URL, of `PGPASSFILE` or of the user.
pub fn find(config: &Config, file: Option<&Path>) -> Result<Option<Vec<u8>>, PostgresError> {
    if let Some(password) = env::var_os("PGPASSWORD").filter(|password| !password.is_empty()) {
        return Ok(Some(password.into_encoded_bytes()));
    }
    let of_environment = env::var_os("PGPASSFILE").map(PathBuf::from);
    let text = match (file, of_environment, env::home_dir()) {
        (Some(path), _, _) => read(path, "passfile of the URL")?,
        (None, Some(path), _) => read(&path, "PGPASSFILE")?,
        (None, None, Some(home)) => match read_unnamed(&home.join(".pgpass")) {
            Some(text) => text,
            None => return Ok(None),
        },
        (None, None, None) => return Ok(None),
    };
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(_) => "localhost".to_owned(),
    });
    let user = config.get_user().map_or_else(|| env::var("USER").unwrap_or_default(), str::to_owned);
    let database = config.get_dbname().unwrap_or_default();
    let ports = config.get_ports();
    for (n, host) in hosts.enumerate() {
        let port = ports.get(n).or(ports.first()).copied().unwrap_or(5432).to_string();
        if let Some(password) = find_line(&text, [&host, &port, database, &user]) {
            return Ok(Some(password.into_bytes()));
        }
    }
    Ok(None)
}

/// The password of the first line that fits: `host:port:database:user:password`.
fn find_line(text: &str, wanted: [&str; 4]) -> Option<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(fields).find_map(|fields| match fields.as_slice() {
        [names @ .., password] if names.len() == wanted.len() => {
            let fits = names.iter().zip(wanted).all(|(name, wanted)| name == "*" || name == wanted);
            fits.then(|| password.clone())
        }
        _ => None,
    })
}

/// The fields of a line. A backslash takes the next character as it is.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next(),
            character => Some(character),
        };
        if let Some(field) = fields.last_mut() {
            field.extend(literal);
        }
    }
    fields
}

/// Reads the file that `place` names.
fn read(path: &Path, place: &'static str) -> Result<String, PostgresError> {
    let failed = |error: io::Error| PostgresError::PasswordFile(place, error.into());
    let text = fs::read_to_string(path).map_err(failed)?;
    if is_private(path).map_err(failed)? { Ok(text) } else { Err(PostgresError::PasswordFileIsOpen(place)) }
}

/// Reads the file of the user, which may be for other programs: one that cannot be used is skipped,
/// as by libpq.
fn read_unnamed(path: &Path) -> Option<String> {
    if !path.exists() {
        return None;
    }
    read(path, "the home directory").inspect_err(|error| tracing::warn!("passwords are not read: {error}")).ok()
}

#[cfg(unix)]
fn is_private(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;

    Ok(fs::metadata(path)?.permissions().mode() & 0o077 == 0)
}

#[cfg(not(unix))]
fn is_private(_path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_has_the_password() {
        let file = "# comment\ndb:5432:keys:bob:no\n*:5432:keys:ann:a\\:b\\\\:c\n*:*:*:*:any\n";
        assert_eq!(find_line(file, ["db", "5432", "keys", "ann"]).as_deref(), Some("a:b\\:c"));
        assert_eq!(find_line(file, ["db", "5433", "keys", "ann"]).as_deref(), Some("any"));
        assert_eq!(find_line("db:5432:keys:ann", ["db", "5432", "keys", "ann"]), None);
        assert_eq!(find_line("", ["db", "5432", "keys", "ann"]), None);
    }
}
