//! The configuration file and the order of settings.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use crate::cli::{Cli, id};

/// The value and the origin of a setting in `keycell config show`.
fn setting(shown: &Value, name: &str) -> (Value, String) {
    let settings = shown["settings"].as_array().unwrap();
    let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
    (setting["value"].clone(), setting["origin"].as_str().unwrap().to_owned())
}

#[test]
fn an_option_precedes_a_variable_that_precedes_the_file_that_precedes_the_default() {
    let cli = Cli::new();
    let file = cli.file(
        "keycell.toml",
        "user = 'from-file'\n[server]\nlisten = '127.0.0.1:1'\nall_tools = true\npages = false\n",
    );
    let show = |variables: &[(&str, &str)], args: &[&str]| -> Value {
        let mut command = cli.command();
        command.envs(variables.iter().copied()).args(["config", "show"]).args(args);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    let default = show(&[], &[]);
    assert_eq!(setting(&default, "user"), (json!("local"), "default".to_owned()));
    assert_eq!(setting(&default, "server.listen"), (json!("127.0.0.1:8787"), "default".to_owned()));

    let configured = [("KEYCELL_CONFIG", file.as_str())];
    let in_file = show(&configured, &[]);
    assert_eq!(setting(&in_file, "user"), (json!("from-file"), "file".to_owned()));
    assert_eq!(setting(&in_file, "server.listen"), (json!("127.0.0.1:1"), "file".to_owned()));
    assert_eq!(setting(&in_file, "server.all_tools"), (json!(true), "file".to_owned()));
    assert_eq!(show(&[], &["--config", &file]), in_file);

    let variables = [
        configured[0],
        ("KEYCELL_USER", "from-variable"),
        ("KEYCELL_LISTEN", "127.0.0.1:2"),
        ("KEYCELL_METRICS_LISTEN", "127.0.0.1:4"),
        ("KEYCELL_ALL_TOOLS", "false"),
        ("KEYCELL_NO_PAGES", "false"),
        ("KEYCELL_TRUSTED_PROXIES", "10.0.0.0/8,192.0.2.1"),
    ];
    let by_variable = show(&variables, &[]);
    assert_eq!(setting(&by_variable, "user"), (json!("from-variable"), "option".to_owned()));
    assert_eq!(setting(&by_variable, "server.listen").0, "127.0.0.1:2");
    assert_eq!(setting(&by_variable, "server.metrics_listen").0, "127.0.0.1:4");
    assert_eq!(setting(&by_variable, "server.all_tools").0, false);
    assert_eq!(setting(&by_variable, "server.pages"), (json!(true), "option".to_owned()));
    assert_eq!(setting(&by_variable, "server.trusted_proxies").0, json!(["10.0.0.0/8", "192.0.2.1/32"]));
    let by_option = show(&variables, &["--user", "from-option", "--listen", "127.0.0.1:3", "--all-tools"]);
    assert_eq!(setting(&by_option, "user").0, "from-option");
    assert_eq!(setting(&by_option, "server.listen").0, "127.0.0.1:3");
    assert_eq!(setting(&by_option, "server.all_tools").0, true);
}

#[test]
fn the_policy_of_the_file_applies() {
    let cli = Cli::new();
    let file = cli.file(
        "keycell.toml",
        "prefix = 'acme'\ndefault_scopes = ['orders:read']\ngrantable_scopes = ['orders:read', 'orders:write']\n\
         longest_life = '30d'\ndefault_life = '1d'\n",
    );
    let create = |args: &[&str]| cli.json(&[&["create", "--name", "x", "--config", &file], args].concat());
    let created = create(&[]);
    assert!(created["key_prefix"].as_str().unwrap().starts_with("acme_"), "{created}");
    assert_eq!(created["scopes"], json!(["orders:read"]));
    let day = Duration::from_secs(86_400);
    let [created_at, expires_at] = ["created_at", "expires_at"].map(|field| created[field].as_str().unwrap());
    let millis = |text: &str| keycell::time::parse(text).unwrap();
    assert_eq!(millis(expires_at) - millis(created_at), day.as_millis() as i64);
    assert_eq!(create(&["--scope", "orders:write"])["scopes"], json!(["orders:write"]));
    let args = ["create", "--name", "x", "--config", &file];
    assert!(cli.fails(1, &[&args[..], &["--scope", "api-keys:read"]].concat()).contains("scopes "));
    assert!(cli.fails(1, &[&args[..], &["--expires-at", "2131-01-31"]].concat()).contains("expires_at must"));
    assert_eq!(cli.json(&["get", id(&created)])["key_prefix"], created["key_prefix"]);
}

#[test]
fn the_file_is_in_the_configuration_directory_and_names_a_database_beside_it() {
    let cli = Cli::without_database();
    let directory = cli.dir.path().join("config/keycell");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("keycell.toml"), "database = 'keys.db'\n").unwrap();
    let mut command = cli.command();
    command.env_remove("KEYCELL_DATABASE").env("XDG_CONFIG_HOME", cli.dir.path().join("config")).arg("init");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    if cfg!(target_os = "linux") {
        assert!(directory.join("keys.db").is_file());
    }
}

#[test]
fn a_mistake_is_reported_with_file_line_and_remedy() {
    let cli = Cli::new();
    for (text, line, remedy) in [
        ("\n\nprefix = 'Acme'\n", 3, "prefix must be a lowercase letter"),
        ("[server]\nlisten = 'everywhere'\n", 2, "server.listen must be an address and a port"),
        ("[server]\nallowed_hosts = ['http://keys.example.com']\n", 2, "server.allowed_hosts[0] must be a name or"),
        ("[server]\n\ncache_lease = '5h'\n", 3, "server.cache_lease must be off or a duration from 100ms to 60s"),
        ("colour = 'red'\n", 1, "unknown field, expected one of `prefix`"),
        ("longest_life = '1d'\ndefault_life = '2d'\n", 2, "default_life must not be longer than longest_life"),
        ("prefix = \n", 1, ""),
    ] {
        let file = cli.file("keycell.toml", text);
        for command in [&["config", "check"][..], &["config", "show"], &["list"], &["create", "--name", "x"]] {
            let stderr = cli.fails(1, &[command, &["--config", &file]].concat());
            assert!(stderr.starts_with(&format!("error: {file}:{line}: ")), "{text}: {stderr}");
            assert!(stderr.contains(remedy), "{text}: {stderr}");
        }
    }
    let file = cli.file("keycell.toml", "prefix = 'acme'\n");
    assert_eq!(cli.json(&["config", "check", "--config", &file]), json!({"valid": true, "file": file}));
    assert_eq!(cli.json(&["config", "check"]), json!({"valid": true, "file": null}));
    assert!(cli.fails(1, &["list", "--config", "/does/not/exist"]).contains("--config or KEYCELL_CONFIG cannot be"));

    // A directory in the place of the default file.
    let directory = cli.dir.path().join("config");
    let default = directory.join("keycell/keycell.toml");
    fs::create_dir_all(&default).unwrap();
    let output = cli.command().env("XDG_CONFIG_HOME", &directory).arg("list").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    if cfg!(target_os = "linux") {
        assert!(stderr.contains(&format!("{} cannot be read", default.display())), "{stderr}");
    }
}

#[test]
fn the_cache_is_for_a_postgresql_database() {
    let cli = Cli::new();
    let lease =
        |cli: &Cli, args: &[&str]| setting(&cli.json(&[&["config", "show"], args].concat()), "server.cache_lease");
    assert_eq!(lease(&cli, &[]), (json!("off"), "default".to_owned()));
    assert_eq!(lease(&cli, &["--cache-lease", "off"]), (json!("off"), "option".to_owned()));
    let file = cli.file("keycell.toml", "[server]\ncache_lease = '500ms'\n");
    for command in ["config check", "config show", "serve --listen 127.0.0.1:0"] {
        let command: Vec<_> = command.split(' ').collect();
        let stderr = cli.fails(1, &[&command[..], &["--config", &file]].concat());
        assert!(stderr.starts_with(&format!("error: {file}:2: server.cache_lease is for a Postgre")), "{stderr}");
        assert!(stderr.contains("or set it to off"), "{stderr}");
    }
    let stderr = cli.fails(1, &["config", "show", "--cache-lease", "500ms"]);
    assert!(stderr.starts_with("error: --cache-lease (KEYCELL_CACHE_LEASE) is for a PostgreSQL"), "{stderr}");
    assert!(cli.fails(2, &["serve", "--cache-lease", "5h"]).contains("off or a duration from 100ms to 60s"));

    let postgres = Cli::on("postgres://ann@db.example.com/keys");
    assert_eq!(lease(&postgres, &[]), (json!("2s"), "default".to_owned()));
    assert_eq!(lease(&postgres, &["--config", &file]), (json!("500ms"), "file".to_owned()));
    assert_eq!(postgres.json(&["config", "check", "--config", &file])["valid"], true);
    let mut command = postgres.command();
    command.env("KEYCELL_CACHE_LEASE", "off").args(["config", "show", "--config", &file]);
    let shown: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!(setting(&shown, "server.cache_lease"), (json!("off"), "option".to_owned()));
}
