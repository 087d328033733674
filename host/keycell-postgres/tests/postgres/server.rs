//! A PostgreSQL server in a temporary directory, which ends with the process of the test.
//!
//! Where PostgreSQL is not installed the tests are skipped, unless `KEYCELL_POSTGRES` is `required`.
//! `KEYCELL_POSTGRES_BIN` names the directory of another version's programs.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use tempfile::TempDir;

/// Makes a cluster, runs a server until standard input ends, and removes the directory.
const SCRIPT: &str = r#"
    bin=$1 directory=$2 port=$3; shift 3
    as_owner() { "$@"; }
    if [ "$(id -u)" = 0 ]; then
        as_owner() { exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
    fi
    (as_owner "$bin/initdb" -D "$directory/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync) \
        > "$directory/log" 2>&1 || { cat "$directory/log" >&2; exit 1; }
    # One role needs a password.
    (as_owner sed -i '1i host all guarded 127.0.0.1/32 scram-sha-256' "$directory/data/pg_hba.conf")
    (as_owner "$bin/postgres" -D "$directory/data" -p "$port" -k "$directory" -h 127.0.0.1 "$@") \
        >> "$directory/log" 2>&1 &
    tries=0
    until "$bin/pg_isready" -q -h 127.0.0.1 -p "$port"; do
        tries=$((tries + 1))
        [ $tries -le 300 ] && kill -0 $! 2> /dev/null || { cat "$directory/log" >&2; exit 1; }
        sleep 0.1
    done
    echo ready
    read -r _
    kill -INT "$(head -n 1 "$directory/data/postmaster.pid")" 2> /dev/null
    wait
    rm -rf "$directory"
"#;

/// A running server.
pub struct Server {
    _process: Child,
    bin: PathBuf,
    directory: PathBuf,
    port: u16,
}

/// The server that the tests of this process share; `None`: they are skipped.
pub fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    let settings = [
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
        "max_connections=400",
        "deadlock_timeout=100ms",
        // For `Server::failures`.
        "log_min_messages=error",
        "log_min_error_statement=panic",
        "log_line_prefix=%e %a %d ",
    ];
    SERVER.get_or_init(|| Server::start(&settings)).as_ref()
}

impl Server {
    /// Starts a server with these settings, if PostgreSQL is installed. Its data are in memory, where
    /// the system has it.
    pub fn start(settings: &[&str]) -> Option<Self> {
        Self::start_in(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap(), settings)
    }

    /// Starts a server with its data in this directory.
    pub fn start_in(directory: TempDir, settings: &[&str]) -> Option<Self> {
        let Some(bin) = programs() else {
            assert_ne!(env::var("KEYCELL_POSTGRES").as_deref(), Ok("required"), "PostgreSQL is not installed");
            eprintln!("skipped: PostgreSQL is not installed");
            return None;
        };
        // The script removes it. The owner of the cluster is another user.
        let directory = directory.keep();
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
        let port = free_port();
        let mut process = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .args([&bin, &directory])
            .arg(port.to_string())
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the server must start");
        Some(Self { _process: process, bin, directory, port })
    }

    /// The URL of a new database.
    pub fn database(&self) -> String {
        self.database_with("")
    }

    /// The URL of a new database with settings such as `SET x = y`.
    pub fn database_with(&self, settings: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("CREATE DATABASE {name}"));
        if !settings.is_empty() {
            self.run("postgres", &format!("ALTER DATABASE {name} {settings}"));
        }
        self.url(&name)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Sends a signal to every process of the server.
    pub fn signal(&self, signal: &str) {
        // A child may end by itself.
        let script = "main=$(head -n 1 \"$1/data/postmaster.pid\")
                      kill -\"$2\" \"$main\" && { kill -\"$2\" $(ps -o pid= --ppid \"$main\") || true; }";
        let sent = Command::new("sh").args(["-c", script, "sh"]).arg(&self.directory).arg(signal).status();
        assert!(sent.unwrap().success());
    }

    /// Runs SQL as the superuser, and returns the rows.
    pub fn run(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.bin.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "postgres"])
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql])
            .output()
            .unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs SQL in the database of a URL.
    pub fn run_at(&self, url: &str, sql: &str) -> String {
        self.run(name_of(url), sql)
    }

    /// The number of statements of hosts in the database of a URL that failed with this SQLSTATE.
    pub fn failures(&self, url: &str, sqlstate: &str) -> usize {
        let start = format!("{sqlstate} keycell {} ERROR:", name_of(url));
        let log = fs::read_to_string(self.directory.join("log")).unwrap();
        log.lines().filter(|line| line.starts_with(&start)).count()
    }
}

/// The name of the database of a URL.
fn name_of(url: &str) -> &str {
    let name = url.rsplit_once('/').unwrap().1;
    name.split('?').next().unwrap()
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The directory with `initdb`, `postgres` and `psql`.
pub fn programs() -> Option<PathBuf> {
    if let Some(bin) = env::var_os("KEYCELL_POSTGRES_BIN") {
        return Some(bin.into());
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let paths = env::var_os("PATH").unwrap_or_default();
    let has_programs =
        |bin: &PathBuf| ["initdb", "pg_isready", "postgres", "psql"].iter().all(|name| bin.join(name).is_file());
    debian.filter(has_programs).max().or_else(|| env::split_paths(&paths).find(has_programs))
}
