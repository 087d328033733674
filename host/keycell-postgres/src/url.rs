//! The URL of a database.

use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use tokio_postgres::config::{Config, Host, LoadBalanceHosts, SslMode, TargetSessionAttrs};

use crate::{error::PostgresError, passwords};

/// The time to reach a server.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// The time of an attempt to connect to one of several servers. A call has time for some attempts.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// The connections of one host by default.
const CONNECTIONS: usize = 16;
const MAX_CONNECTIONS: usize = 1_000;

const FORM: &str = "write it as postgres://USER@HOST:5432/DATABASE";

/// The URL of a PostgreSQL database: `postgres://USER@HOST:5432/DATABASE`.
///
/// The parameters are those of libpq, and `pool_max_conns`, the maximum number of connections of
/// one process. A URL never holds a password: it comes from `PGPASSWORD`, or from the file in
/// `passfile`, in `PGPASSFILE` or at `~/.pgpass`.
///
/// The connection has TLS and checks the certificate and the name of the server, except to this
/// machine, or with `sslmode=disable`. `sslrootcert` names a file of authorities that replace those
/// of the system.
#[derive(Clone)]
pub struct PostgresUrl {
    pub(crate) config: Config,
    pub(crate) root_certificates: Option<PathBuf>,
    pub(crate) connections: usize,
    /// The time of an attempt to connect, if the next one may use another server.
    pub(crate) attempt_timeout: Option<Duration>,
    password_file: Option<PathBuf>,
    text: String,
}

impl PostgresUrl {
    /// Whether a text is the URL of a PostgreSQL database, valid or not.
    #[must_use]
    pub fn is_scheme_of(text: &str) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// The configuration with the password.
    pub(crate) fn with_password(&self) -> Result<Config, PostgresError> {
        let mut config = self.config.clone();
        if let Some(password) = passwords::find(&config, self.password_file.as_deref())? {
            config.password(password);
        }
        Ok(config)
    }
}

impl FromStr for PostgresUrl {
    type Err = PostgresError;

    fn from_str(text: &str) -> Result<Self, PostgresError> {
        if !Self::is_scheme_of(text) {
            return Err(PostgresError::Url(FORM));
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let mut own = OwnParameters::default();
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(PostgresError::Url("a parameter must be name=value"))?;
            let value = percent_encoding::percent_decode_str(value)
                .decode_utf8()
                .map_err(|_| PostgresError::Url("a parameter must be percent-encoded UTF-8"))?;
            if !own.set(name, &value)? {
                rest.push(pair);
            }
        }
        let config = Config::from_str(&format!("{base}?{}", rest.join("&")));
        // The parser's message may repeat a value.
        let mut config = config.map_err(|_| PostgresError::Url("check the host, the port and the parameters"))?;
        if config.get_password().is_some() {
            return Err(PostgresError::Url("it must not hold a password: put that into PGPASSWORD or PGPASSFILE"));
        }
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(PostgresError::Url("it has no host"));
        }
        if config.get_dbname().is_none_or(str::is_empty) {
            return Err(PostgresError::Url("it has no database name"));
        }
        let has_tls = own.tls.unwrap_or_else(|| !config.get_hosts().iter().all(is_this_machine));
        config.ssl_mode(if has_tls { SslMode::Require } else { SslMode::Disable });
        // A lease on a cache must not come from a standby, which is behind the primary.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let servers = config.get_hosts().len().max(config.get_hostaddrs().len());
        let attempt_timeout = (servers > 1).then_some(ATTEMPT_TIMEOUT);
        if attempt_timeout.is_some() {
            // One that hangs must not be the first one each time.
            config.load_balance_hosts(LoadBalanceHosts::Random);
        }
        if config.get_connect_timeout().is_none() {
            let servers = u32::try_from(servers).unwrap_or(u32::MAX);
            config.connect_timeout(attempt_timeout.map_or(CONNECT_TIMEOUT, |timeout| timeout / servers));
        }
        if config.get_application_name().is_none() {
            config.application_name("keycell");
        }
        Ok(Self {
            config,
            root_certificates: own.root_certificates,
            connections: own.connections.unwrap_or(CONNECTIONS),
            attempt_timeout,
            password_file: own.password_file,
            text: text.to_owned(),
        })
    }
}

/// The parameters that `tokio_postgres` does not know.
#[derive(Default)]
struct OwnParameters {
    tls: Option<bool>,
    root_certificates: Option<PathBuf>,
    password_file: Option<PathBuf>,
    connections: Option<usize>,
}

impl OwnParameters {
    /// Sets a parameter. Returns whether it is one of these.
    fn set(&mut self, name: &str, value: &str) -> Result<bool, PostgresError> {
        match name {
            "sslmode" => {
                self.tls = Some(match value {
                    "disable" => false,
                    // The weaker modes of libpq do not authenticate the server.
                    "require" | "verify-ca" | "verify-full" => true,
                    _ => return Err(PostgresError::Url("sslmode must be disable or verify-full")),
                });
            }
            "sslrootcert" => self.root_certificates = Some(PathBuf::from(value)),
            "passfile" => self.password_file = Some(PathBuf::from(value)),
            "pool_max_conns" => {
                let connections = value.parse().ok().filter(|number| (1..=MAX_CONNECTIONS).contains(number));
                self.connections =
                    Some(connections.ok_or(PostgresError::Url("pool_max_conns must be a number from 1 to 1000"))?);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost" || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
        }
        Host::Unix(path) => path.is_absolute() || path.as_path() == Path::new(""),
    }
}

impl fmt::Display for PostgresUrl {
    /// Shows the URL, which holds no password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresUrl").field(&self.text).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<PostgresUrl, String> {
        text.parse().map_err(|error: PostgresError| error.to_string())
    }

    #[test]
    fn tls_is_on_except_to_this_machine() {
        for (url, mode) in [
            ("postgres://ann@db.example.com/keys", SslMode::Require),
            ("postgresql://ann@10.0.0.1:6432/keys", SslMode::Require),
            ("postgres://db.example.com/keys?sslmode=require", SslMode::Require),
            ("postgres://localhost,db.example.com/keys", SslMode::Require),
            ("postgres://db.example.com/keys?sslmode=disable", SslMode::Disable),
            ("postgres://localhost/keys", SslMode::Disable),
            ("postgres://127.0.0.1/keys", SslMode::Disable),
            ("postgres://%2Fvar%2Frun%2Fpostgresql/keys", SslMode::Disable),
            ("postgres://localhost/keys?sslmode=verify-full", SslMode::Require),
        ] {
            assert_eq!(parse(url).unwrap().config.get_ssl_mode(), mode, "{url}");
        }
    }

    #[test]
    fn parameters_are_read() {
        let url = "postgres://ann@db:6000/keys?pool_max_conns=4&sslrootcert=%2Fetc%2Fca.pem&application_name=k";
        let parsed = parse(url).unwrap();
        assert_eq!(parsed.connections, 4);
        assert_eq!(parsed.root_certificates.as_deref(), Some(Path::new("/etc/ca.pem")));
        assert_eq!(parsed.config.get_application_name(), Some("k"));
        assert_eq!(parsed.config.get_ports(), [6000]);
        assert_eq!(parsed.to_string(), url);
        let parsed = parse("postgres://db/keys?options=-c%20enable_multiple_modifications_of_table%3Don").unwrap();
        assert_eq!(parsed.config.get_options(), Some("-c enable_multiple_modifications_of_table=on"));
    }

    #[test]
    fn each_of_several_servers_can_be_tried_in_the_time_of_an_attempt() {
        for (url, connect_timeout, attempt_timeout) in [
            ("postgres://a/keys", 3_000, None),
            ("postgres://a,b/keys", 500, Some(1_000)),
            ("postgres://a,b,c,d/keys", 250, Some(1_000)),
            ("postgres://a,b/keys?connect_timeout=2", 2_000, Some(1_000)),
        ] {
            let parsed = parse(url).unwrap();
            assert_eq!(parsed.config.get_connect_timeout(), Some(&Duration::from_millis(connect_timeout)), "{url}");
            assert_eq!(parsed.attempt_timeout, attempt_timeout.map(Duration::from_millis), "{url}");
        }
    }

    #[test]
    fn a_mistake_has_its_remedy_and_not_its_value() {
        for (url, remedy) in [
            ("mysql://db/keys", "write it as postgres://"),
            ("postgres://ann:hunter2@db/keys", "PGPASSFILE"),
            ("postgres://ann@db/keys?password=hunter2", "PGPASSFILE"),
            ("postgres://db/", "no database name"),
            ("postgres:///keys", "no host"),
            ("postgres://db:hunter2/keys", "check the host, the port"),
            ("postgres://db/keys?hunter2", "name=value"),
            ("postgres://db/keys?hunter2=1", "check the host, the port"),
            ("postgres://db/keys?sslmode=prefer", "disable or verify-full"),
            ("postgres://db/keys?pool_max_conns=0", "1 to 1000"),
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.contains(remedy) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
