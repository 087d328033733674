//! The configuration file, `keycell.toml`.
//!
//! A mistake is reported with the file, the line, the setting and the remedy, without the value.

use std::{
    fmt, fs, io,
    marker::PhantomData,
    net::{IpAddr, SocketAddr},
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use etcetera::BaseStrategy;
use keycell::{Prefix, Scope};
use keycell_component::{key::holds_part_of_key, scopes::MAX_SCOPES, user::UserId};
use keycell_server::{IpNet, is_host};
use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};
use toml::de::DeTable;

use crate::{cache_lease::CacheLease, storage::Location};

/// The reason why the configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("the configuration file in --config or KEYCELL_CONFIG cannot be read: {0}")]
    Read(io::Error),
    #[error("the configuration file {path} cannot be read: {source}", path = path.display())]
    ReadDefault { path: PathBuf, source: io::Error },
    #[error("{path}:{line}: {problem}", path = path.display())]
    Invalid { path: PathBuf, line: usize, problem: String },
}

impl ConfigError {
    fn new(path: &Path, text: &str, problem: Problem) -> Self {
        Self::Invalid { path: path.to_owned(), line: problem.line(text), problem: problem.message }
    }

    /// A setting of a file that was read, and the rule that it breaks.
    pub fn of_setting(path: &Path, setting: &str, rule: &str) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        Self::new(path, &text, Problem::of_setting(&text, setting, rule))
    }
}

/// The settings of the file, each of which may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The prefix of new keys.
    pub prefix: Option<Parsed<Prefix>>,
    /// The scopes of a key that is created without scopes.
    pub default_scopes: Option<Vec<Parsed<Scope>>>,
    /// The scopes that may be granted.
    pub grantable_scopes: Option<Vec<Parsed<Scope>>>,
    /// The longest life of a key.
    pub longest_life: Option<Parsed<Duration>>,
    /// The life of a key that is created without an expiry.
    pub default_life: Option<Parsed<Duration>>,
    /// The SQLite file, relative to the directory of this file, or the URL of a PostgreSQL database.
    #[serde(alias = "storage")]
    pub database: Option<Location>,
    /// The user for whom commands act.
    pub user: Option<Parsed<UserId>>,
    /// The settings of `keycell serve` and `keycell mcp`.
    pub server: ServerConfig,
}

/// The settings of `keycell serve` and `keycell mcp`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerConfig {
    /// The address on which `keycell serve` listens.
    pub listen: Option<Parsed<SocketAddr>>,
    /// The address of a listener of its own for `/metrics`.
    pub metrics_listen: Option<Parsed<SocketAddr>>,
    /// The host names, besides localhost and the address, by which clients may call the server.
    pub allowed_hosts: Option<Vec<Parsed<AllowedHost>>>,
    /// The addresses of proxies whose forwarding headers are trusted.
    pub trusted_proxies: Option<Vec<Parsed<IpNet>>>,
    /// The lease of the cache of records.
    pub cache_lease: Option<Parsed<CacheLease>>,
    /// Whether the pages for people are served.
    pub pages: Option<bool>,
    /// Whether all tools are served.
    pub all_tools: Option<bool>,
    /// Whether a new key is left out of the text of a result.
    pub redact_text: Option<bool>,
}

impl Config {
    /// `keycell/keycell.toml` in the user's configuration directory, if there is such a file.
    pub fn default_path() -> Option<PathBuf> {
        let base = etcetera::choose_base_strategy().ok()?;
        Some(base.config_dir().join("keycell").join("keycell.toml")).filter(|path| path.exists())
    }

    /// Reads a file, which the user has named or which is in the default place.
    pub fn read(path: &Path, is_named: bool) -> Result<Self, ConfigError> {
        let unreadable = |source| {
            // An error repeats no argument.
            if is_named {
                ConfigError::Read(source)
            } else {
                ConfigError::ReadDefault { path: path.to_owned(), source }
            }
        };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|problem| ConfigError::new(path, &text, problem))
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        if let Some(problem) = Problem::of_key(text) {
            return Err(problem);
        }
        let deserializer = toml::Deserializer::parse(text).map_err(|error| Problem::new(None, &error))?;
        let config: Self = serde_path_to_error::deserialize(deserializer)
            .map_err(|error| Problem::new(Some(error.path().to_string()), error.inner()))?;
        match config.contradiction() {
            Some((setting, rule)) => Err(Problem::of_setting(text, setting, rule)),
            None => Ok(config),
        }
    }

    /// Finds a setting that contradicts another one, and the rule that it breaks.
    fn contradiction(&self) -> Option<(&'static str, &'static str)> {
        if let (Some(default), Some(longest)) = (&self.default_life, &self.longest_life)
            && default.0 > longest.0
        {
            return Some(("default_life", "must not be longer than longest_life"));
        }
        if self.default_scopes.as_ref().is_some_and(|scopes| scopes.len() > MAX_SCOPES) {
            return Some(("default_scopes", "must be at most 32 scopes"));
        }
        if let (Some(defaults), Some(grantable)) = (&self.default_scopes, &self.grantable_scopes)
            && defaults.iter().any(|scope| !grantable.contains(scope))
        {
            return Some(("default_scopes", "must be among grantable_scopes"));
        }
        None
    }
}

/// The place of a setting, such as `server.listen`, in a table.
fn span(table: &DeTable<'_>, setting: &str) -> Option<Range<usize>> {
    let (first, rest) = setting.split_once('.').map_or((setting, None), |(first, rest)| (first, Some(rest)));
    let (name, value) = table.iter().find(|(name, _)| name.get_ref() == first)?;
    match rest {
        Some(rest) => span(value.get_ref().as_table()?, rest),
        None => Some(name.span()),
    }
}

/// A mistake and its place.
#[derive(Debug)]
struct Problem {
    span: Option<Range<usize>>,
    message: String,
}

impl Problem {
    /// Finds a line that holds an API key. Its values would be shown by messages such as that of a
    /// missing database.
    fn of_key(text: &str) -> Option<Self> {
        let before = text.split_inclusive('\n').take_while(|line| !holds_part_of_key(line));
        let start = before.map(str::len).sum();
        let message = "this line holds an API key or a part of one: remove it, and revoke the key".to_owned();
        (start < text.len()).then_some(Self { span: Some(start..start), message })
    }

    /// A setting and the rule that it breaks.
    fn of_setting(text: &str, setting: &str, rule: &str) -> Self {
        let span = DeTable::parse(text).ok().and_then(|table| span(table.get_ref(), setting));
        Self { span, message: format!("{setting} {rule}") }
    }

    /// Describes an error of the parser without the value, which follows `invalid type` and
    /// `invalid value` in its message, and without the name of an unknown field.
    fn new(setting: Option<String>, error: &toml::de::Error) -> Self {
        let message = error.message();
        let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
        let message = match (setting.filter(|setting| setting != "."), expected) {
            (_, Some(expected)) if message.starts_with("unknown field ") => {
                format!("unknown field, expected {expected}")
            }
            (Some(setting), Some(expected)) if message.starts_with("invalid ") => {
                format!("{setting} must be {expected}")
            }
            _ => message.trim_end().replace('\n', ", "),
        };
        Self { span: error.span(), message }
    }

    fn line(&self, text: &str) -> usize {
        let start = self.span.as_ref().map_or(0, |span| span.start);
        1 + text.bytes().take(start).filter(|&byte| byte == b'\n').count()
    }
}

/// A value that is written as a string.
pub trait Setting: Sized {
    /// The form of the string, after "must be".
    const FORM: &'static str;

    fn parse(text: &str) -> Option<Self>;
}

/// A value that was parsed from a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T>(pub T);

impl<'de, T: Setting> Deserialize<'de> for Parsed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StringVisitor<T>(PhantomData<T>);

        impl<T: Setting> Visitor<'_> for StringVisitor<T> {
            type Value = Parsed<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::FORM)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Parsed<T>, E> {
                T::parse(text).map(Parsed).ok_or_else(|| E::invalid_value(Unexpected::Other("string"), &self))
            }
        }

        deserializer.deserialize_str(StringVisitor(PhantomData))
    }
}

impl Setting for Prefix {
    const FORM: &'static str = "a lowercase letter and 1 to 9 of a-z and 0-9";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Setting for Scope {
    const FORM: &'static str = "a scope of 1 to 64 printable ASCII characters without spaces, quotes and backslashes";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text)
    }
}

impl Setting for UserId {
    const FORM: &'static str = "a user id of 1 to 255 bytes without control characters";

    fn parse(text: &str) -> Option<Self> {
        Self::parse(text).ok()
    }
}

impl Setting for Duration {
    const FORM: &'static str = "a duration of at least 1ms, such as \"90d\" or \"12h\"";

    fn parse(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok().filter(|duration| duration.as_millis() > 0)
    }
}

impl Setting for SocketAddr {
    const FORM: &'static str = "an address and a port, such as \"127.0.0.1:8787\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

/// A host name or an address by which clients may call the server, with an optional port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost(pub String);

impl Setting for AllowedHost {
    const FORM: &'static str = "a name or an address with an optional port, such as \"keys.example.com\"";

    fn parse(text: &str) -> Option<Self> {
        is_host(text).then(|| Self(text.to_owned()))
    }
}

impl Setting for IpNet {
    const FORM: &'static str = "an address or a network, such as \"10.0.0.0/8\"";

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(Self::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        let problem = Config::parse(text).unwrap_err();
        format!("{}: {}", problem.line(text), problem.message)
    }

    #[test]
    fn an_empty_file_sets_nothing() {
        let config = Config::parse("").unwrap();
        assert!(config.prefix.is_none() && config.server.listen.is_none());
    }

    #[test]
    fn every_setting_is_read() {
        let config = Config::parse(
            r#"
            prefix = "acme"
            default_scopes = ["orders:read"]
            grantable_scopes = ["orders:read", "orders:write"]
            longest_life = "365d"
            default_life = "90d"
            database = "keys.db"
            user = "ann"
            [server]
            listen = "127.0.0.1:1"
            metrics_listen = "127.0.0.1:2"
            allowed_hosts = ["keys.example.com"]
            trusted_proxies = ["10.0.0.0/8"]
            cache_lease = "500ms"
            all_tools = true
            redact_text = true
            "#,
        )
        .unwrap();
        assert_eq!(config.prefix.unwrap().0.as_str(), "acme");
        assert_eq!(config.default_life.unwrap().0, Duration::from_secs(90 * 86_400));
        assert_eq!(config.grantable_scopes.unwrap().len(), 2);
        assert_eq!(config.server.listen.unwrap().0.port(), 1);
        assert_eq!(config.server.metrics_listen.unwrap().0.port(), 2);
        assert_eq!(config.server.cache_lease.unwrap().0, CacheLease(Some(Duration::from_millis(500))));
        assert_eq!((config.server.all_tools, config.server.redact_text), (Some(true), Some(true)));
    }

    #[test]
    fn a_mistake_has_its_line_and_its_setting_and_not_its_value() {
        for (text, expected) in [
            ("\nprefix = 'Acme'", "2: prefix must be a lowercase letter"),
            ("prefix = 5", "1: prefix must be a lowercase letter"),
            ("default_scopes = [\n'good',\n'not good',\n]", "3: default_scopes[1] must be a scope"),
            ("longest_life = 'soon'", "1: longest_life must be a duration"),
            ("longest_life = '0s'", "1: longest_life must be a duration"),
            ("longest_life = '1d'\ndefault_life = '2d'", "2: default_life must not be longer"),
            ("grantable_scopes = ['a']\ndefault_scopes = ['b']", "2: default_scopes must be among"),
            ("user = ''", "1: user must be a user id"),
            ("[server]\nlisten = 'localhost'", "2: server.listen must be an address and a port"),
            ("[server]\ncache_lease = 'soon'", "2: server.cache_lease must be off or a duration from 100ms to 60s"),
            ("[server]\ncache_lease = 2", "2: server.cache_lease must be off or a duration"),
            ("[server]\nall_tools = 'yes'", "2: server.all_tools must be a boolean"),
            ("[server]\nallowed_hosts = 'soon'", "2: server.allowed_hosts must be a sequence"),
            (
                "[server]\nallowed_hosts = [\n'keys.example.com',\n'not good',\n]",
                "4: server.allowed_hosts[1] must be a name or an address",
            ),
            ("database = 7", "1: database must be a string"),
            ("color = 'x'", "1: unknown field, expected one of `prefix`"),
            ("[server]\nport = 80", "2: unknown field, expected one of `listen`"),
            ("prefix = 'ab'\nprefix = 'ab'", "2: duplicate key"),
            ("prefix = ", "1: "),
            ("prefix", "1: "),
        ] {
            let problem = problem(text);
            assert!(problem.starts_with(expected), "{text}: {problem}");
            for value in ["Acme", "not good", "soon", "localhost", "yes"] {
                assert!(!problem.contains(value), "{text}: {problem}");
            }
        }
    }

    #[test]
    fn default_scopes_are_at_most_as_many_as_a_key_can_have() {
        let file =
            |count: usize| format!("default_scopes = {:?}", (0..count).map(|n| n.to_string()).collect::<Vec<_>>());
        assert!(Config::parse(&file(32)).is_ok());
        assert_eq!(problem(&file(33)), "1: default_scopes must be at most 32 scopes");
    }

    #[test]
    fn a_key_in_the_file_is_not_repeated() {
        let key = "keycell_0123456789AB_00000000000000000000000000000000000000000004TsezD";
        for text in ["KEY = 1", "prefix = 'KEY'", "'KEY", "user = KEY", "database = 'KEY'", "storage = 'a/KEY.db'"] {
            let text = format!("# A comment\n{}\n", text.replace("KEY", key));
            assert_eq!(
                problem(&text),
                "2: this line holds an API key or a part of one: remove it, and revoke the key",
                "{text}"
            );
        }
        let without_prefix = key.trim_start_matches("keycell_");
        assert!(!problem(&format!("{without_prefix} = 1")).contains("0123456789AB"));
    }
}
