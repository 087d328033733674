//! TLS to a server whose authority the test makes with the command `openssl`.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

use keycell::ProjectStorage;
use keycell_postgres::{PostgresError, PostgresStorage};

use crate::{failover::as_owner, server::Server};

const NEW_KEY: [&str; 7] = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/// Makes a certificate `name.pem` and its key `name.key`, as the owner of the server.
fn make_certificate(directory: &Path, name: &str, arguments: &[&str]) {
    let [key, certificate] = ["key", "pem"].map(|ending| format!("{name}.{ending}"));
    let made = as_owner(Path::new("openssl"))
        .args(NEW_KEY)
        .args(["-subj", &format!("/CN={name}"), "-keyout", &key, "-out", &certificate])
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// Whether `openssl` is installed. Without it the test is skipped, as without PostgreSQL.
fn has_openssl() -> bool {
    let version = Command::new("openssl").arg("version").stdout(Stdio::null()).status();
    let is_installed = version.is_ok_and(|status| status.success());
    assert!(is_installed || env::var("KEYCELL_POSTGRES").as_deref() != Ok("required"), "openssl is not installed");
    is_installed
}

#[tokio::test]
async fn a_server_is_known_by_its_authority_and_its_name() {
    if !has_openssl() {
        return;
    }
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let path = directory.path().to_owned();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    make_certificate(&path, "authority", &[]);
    make_certificate(&path, "other", &[]);
    let signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "basicConstraints=critical,CA:FALSE"];
    make_certificate(&path, "server", &[&signed[..], &["-addext", "subjectAltName=DNS:localhost"]].concat());
    let file = |name: &str| format!("{}/{name}", path.display());
    let settings = ["ssl_cert_file=", "ssl_key_file="].into_iter().zip([file("server.pem"), file("server.key")]);
    let settings: Vec<_> = settings.map(|(name, file)| format!("{name}{file}")).collect();
    let Some(server) = Server::start_in(directory, &["ssl=on", &settings[0], &settings[1]]) else { return };

    let database = server.database();
    let url = |host: &str, authority: &str| {
        let url = database.replace("127.0.0.1", host);
        format!("{url}?sslmode=verify-full&sslrootcert={}", file(authority).replace('/', "%2F"))
    };
    let storage = PostgresStorage::open(&url("localhost", "authority.pem")).await.unwrap();
    storage.check_ready().await.unwrap();
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE ssl AND application_name = 'keycell'";
    assert_eq!(server.run_at(&database, encrypted), "1");

    for (url, cause) in [
        (url("localhost", "other.pem"), "UnknownIssuer"),
        (url("127.0.0.1", "authority.pem"), "not valid for name"),
        (format!("{}?sslmode=verify-full", database.replace("127.0.0.1", "localhost")), "UnknownIssuer"),
    ] {
        let error = PostgresStorage::open(&url).await.err().unwrap();
        assert!(matches!(error, PostgresError::Tls(_)), "{url}: {error}");
        let message = error.to_string();
        assert!(message.contains(cause) && message.contains("correct sslrootcert"), "{url}: {message}");
    }
}
