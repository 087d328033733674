//! Passwords, from the places where libpq looks for them.

use std::{env, fs, io, path::Path, path::PathBuf};

use tokio_postgres::config::{Config, Host};

use crate::error::PostgresError;

/// Finds the password: in `PGPASSWORD`, or in the file of the URL, of `PGPASSFILE` or of the user.
pub fn find(config: &Config, file: Option<&Path>) -> Result<Option<Vec<u8>>, PostgresError> {
    if let Some(password) = env::var_os("PGPASSWORD").filter(|password| !password.is_empty()) {
        return Ok(Some(password.into_encoded_bytes()));
    }
    let named = file.map(Path::to_owned).or_else(|| env::var_os("PGPASSFILE").map(PathBuf::from));
    let is_named = named.is_some();
    let Some(path) = named.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".pgpass"))) else {
        return Ok(None);
    };
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(None),
        Err(error) => return Err(PostgresError::PasswordFile(error.into())),
    };
    require_private(&path)?;
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

#[cfg(unix)]
fn require_private(path: &Path) -> Result<(), PostgresError> {
    use std::os::unix::fs::PermissionsExt;

    let file = fs::metadata(path).map_err(|error| PostgresError::PasswordFile(error.into()))?;
    if file.permissions().mode() & 0o077 == 0 { Ok(()) } else { Err(PostgresError::PasswordFileIsOpen) }
}

#[cfg(not(unix))]
fn require_private(_path: &Path) -> Result<(), PostgresError> {
    Ok(())
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
