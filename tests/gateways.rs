//! The gateways of `docs/gateways.md` in front of `keycell serve`, configured as that page shows.
//!
//! One table of cases for all of them. Where a gateway cannot do what the others can, the test
//! asserts what the page says. A gateway that is not installed is skipped, unless
//! `KEYCELL_GATEWAYS` is `required`.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    task::JoinSet,
};

use crate::{
    cli::secret,
    server::{Answer, Server, get},
};

/// A service behind a gateway. It answers with the request that it received.
struct Service {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Service {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counter.fetch_add(1, Ordering::SeqCst);
                echo(stream);
            }
        });
        Self { address, requests }
    }
}

fn echo(mut stream: TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        head.extend(byte);
    }
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", head.len());
    let _ = stream.write_all(&[answer.as_bytes(), &head].concat());
}

/// A running gateway.
struct Gateway {
    address: SocketAddr,
    process: Child,
    directory: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A signal that nginx handles, because its worker is another process.
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

/// The program, if it is installed. Debian has those of servers where not every user looks.
fn program(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]);
    let found = directories.map(|directory| directory.join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert_ne!(env::var("KEYCELL_GATEWAYS").as_deref(), Ok("required"), "{name} is not installed");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

/// The servers on both sides of a gateway.
struct Around<'a> {
    server: &'a Server,
    service: &'a Service,
    /// A key that may introspect others.
    introspecting: String,
}

impl Around<'_> {
    /// The configurations of a gateway in the page, with the addresses of this test.
    fn configurations(&self, gateway: &str) -> Vec<String> {
        let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gateways.md")).unwrap();
        let section = page.split("\n## ").find(|section| section.starts_with(&format!("{gateway}\n"))).unwrap();
        let blocks = section.split("\n```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap().1);
        blocks.map(|block| self.with_addresses(block)).collect()
    }

    fn with_addresses(&self, configuration: &str) -> String {
        let [server, service] = [self.server.address, self.service.address];
        configuration
            .replace("127.0.0.1:8787", &server.to_string())
            .replace("127.0.0.1:9000", &service.to_string())
            .replace("port_value: 8787", &format!("port_value: {}", server.port()))
            .replace("port_value: 9000", &format!("port_value: {}", service.port()))
            .replace("orders:read", "api-keys:read")
    }
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Replaces what the text must have once.
fn replaced(text: &str, original: &str, replacement: &str) -> String {
    assert_eq!(text.matches(original).count(), 1, "{original}");
    text.replace(original, replacement)
}

fn start(directory: tempfile::TempDir, mut command: Command, address: SocketAddr) -> Gateway {
    let log = fs::File::create(directory.path().join("log")).unwrap();
    let process = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let gateway = Gateway { address, process, directory };
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        let log = || fs::read_to_string(gateway.directory.path().join("log"));
        assert!(begun.elapsed() < Duration::from_secs(20), "the gateway does not listen: {:?}", log());
        thread::sleep(Duration::from_millis(50));
    }
    gateway
}

fn nginx(around: &Around<'_>) -> Option<Gateway> {
    let program = program("nginx")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
    let root = directory.path().display();
    let server = replaced(&around.configurations("nginx")[0], "listen 80;", &format!("listen {address};"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {root}/{name};"))
        .collect();
    let text = format!(
        "daemon off; pid {root}/pid; error_log {root}/error.log; events {{}} http {{ access_log off; {temporary} {server} }}"
    );
    let path = directory.path().join("nginx.conf");
    fs::write(&path, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-p").arg(directory.path()).arg("-c").arg(path);
    Some(start(directory, command, address))
}

fn caddy(around: &Around<'_>) -> Option<Gateway> {
    let program = program("caddy")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
    let server = replaced(&around.configurations("Caddy")[0], ":80 {", &format!(":{} {{", address.port()));
    let path = directory.path().join("Caddyfile");
    fs::write(&path, format!("{{\n admin off\n auto_https off\n default_bind 127.0.0.1\n}}\n{server}")).unwrap();
    let mut command = Command::new(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(path).env("HOME", directory.path());
    Some(start(directory, command, address))
}

fn traefik(around: &Around<'_>) -> Option<Gateway> {
    let program = program("traefik")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
    let configurations = around.configurations("Traefik");
    let [dynamic, fixed] = ["keycell.yaml", "traefik.yaml"].map(|name| directory.path().join(name));
    fs::write(&dynamic, &configurations[0]).unwrap();
    let text = replaced(&configurations[1], "\":80\"", &format!("\"{address}\""));
    fs::write(&fixed, replaced(&text, "/etc/traefik/keycell.yaml", dynamic.to_str().unwrap())).unwrap();
    let mut command = Command::new(program);
    command.arg(format!("--configFile={}", fixed.display()));
    let gateway = start(directory, command, address);
    // It listens before it has read the routes, and answers 404 until then.
    let begun = Instant::now();
    while get(&format!("http://{address}/"), &[]).status == 404 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the gateway has no routes");
        thread::sleep(Duration::from_millis(50));
    }
    Some(gateway)
}

fn envoy(around: &Around<'_>) -> Option<Gateway> {
    let program = program("envoy")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
    let text = around.configurations("Envoy").remove(0);
    let listener = format!("address: 127.0.0.1, port_value: {}", address.port());
    let path = directory.path().join("envoy.yaml");
    fs::write(&path, replaced(&text, "address: 0.0.0.0, port_value: 80", &listener)).unwrap();
    let mut command = Command::new(program);
    command.arg("--disable-hot-restart").args(["--concurrency", "1", "--config-path"]).arg(path);
    Some(start(directory, command, address))
}

fn apache(around: &Around<'_>) -> Option<Gateway> {
    let program = program("apache2")?;
    let modules = Path::new("/usr/lib/apache2/modules");
    if !modules.join("mod_oauth2.so").exists() {
        assert_ne!(env::var("KEYCELL_GATEWAYS").as_deref(), Ok("required"), "mod_oauth2 is not installed");
        eprintln!("skipped: mod_oauth2 is not installed");
        return None;
    }
    let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
    let root = directory.path().display();
    let loaded: String = ["mpm_event", "authn_core", "authz_core", "headers", "proxy", "proxy_http", "oauth2"]
        .iter()
        .map(|name| format!("LoadModule {name}_module {}/mod_{name}.so\n", modules.display()))
        .collect();
    // As root, it would look for a user to become.
    let text = format!(
        "ServerRoot {root}\nDefaultRuntimeDir {root}\nPidFile {root}/pid\nErrorLog {root}/error.log\n\
         ServerName localhost\nListen {address}\n{loaded}User #65534\n{}",
        around.configurations("Apache")[0]
    );
    let path = directory.path().join("httpd.conf");
    fs::write(&path, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-DFOREGROUND").arg("-f").arg(path).env("KEYCELL_KEY", &around.introspecting);
    Some(start(directory, command, address))
}

/// Headers that a service could take for those of keycell.
const FORGED: [&str; 9] = [
    "X-Keycell-User",
    "X-Keycell-Project",
    "x-keycell-scopes",
    "X_Keycell_User",
    "x_keycell_project",
    "X-Keycell_User",
    "X_KEYCELL-SCOPES",
    "X-Keycell-Key_Id",
    "x_keycell_key-id",
];

/// The column of a gateway in the page's table of differences.
struct Documented {
    takes_x_api_key: bool,
    rate_limited: u16,
    failed: u16,
    down: u16,
    keeps_body: bool,
}

const FORWARD_AUTH: Documented =
    Documented { takes_x_api_key: true, rate_limited: 429, failed: 500, down: 500, keeps_body: true };

/// The statuses of wrong keys that come at once from an address, each as if forwarded for another.
fn guess_from(client: [u8; 4], gateway: SocketAddr) -> Vec<u16> {
    let guess = move |n: u8| async move {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((client, 0).into()).unwrap();
        let mut stream = socket.connect(gateway).await.unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer wrong\r\n\
             x-forwarded-for: 198.51.100.{n}\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { (0..20).map(guess).collect::<JoinSet<u16>>().join_all().await })
}

/// The cases that every gateway must pass.
fn assert_is_guarded(start: impl FnOnce(&Around<'_>) -> Option<Gateway>, documented: &Documented) {
    let mut server = Server::start(&["--trust-proxy", "127.0.0.1"]);
    let service = Service::start();
    let create = |arguments: &[&str]| {
        let created = server.cli.json(&[&["create", "--user", "ann", "--name", "x"], arguments].concat());
        (secret(&created).to_owned(), created["id"].as_str().unwrap().to_owned())
    };
    let (introspecting, _) = create(&["--scope", "api-keys:verify"]);
    let Some(gateway) = start(&Around { server: &server, service: &service, introspecting }) else {
        return;
    };
    let url = format!("http://{}/orders?page=1&scope=none&deny=403", gateway.address);
    let ask = |headers: &[(&str, &str)]| get(&url, headers);
    let with = |key: &str| ask(&[("authorization", &format!("Bearer {key}"))]);
    let (expired, id) = create(&["--scope", "api-keys:read"]);
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database.execute("UPDATE api_keys SET expires_at = created_at + 1 WHERE id = ?1", [id]).unwrap();
    // The scope is one of two.
    let (good, _) = create(&["--scope", "api-keys:read", "--scope", "api-keys:write"]);

    let authorization = format!("Bearer {good}");
    let hops = "close, X-Keycell-User, x-keycell-scopes";
    let mut forged = vec![("authorization", authorization.as_str()), ("x-api-key", &good), ("connection", hops)];
    for header in FORGED {
        forged.push((header, "root"));
    }
    let by_api_key = ask(&[("x-api-key", &good)]);
    let mut passed = vec![with(&good), ask(&forged)];
    if documented.takes_x_api_key {
        passed.push(by_api_key);
    } else {
        assert_eq!(by_api_key.status, 401, "{by_api_key:?}");
    }
    let mut reached = passed.len();
    for answer in passed {
        assert_eq!(answer.status, 200, "{answer:?}");
        let received = answer.body.as_str().unwrap().to_lowercase();
        assert!(received.starts_with("get /orders?page=1&scope=none&deny=403 "), "{received}");
        assert!(received.contains("\r\nx-keycell-user: ann\r\n") && !received.contains("root"), "{received}");
        assert!(received.contains("\r\nx-keycell-scopes: api-keys:read api-keys:write\r\n"), "{received}");
        assert!(!received.contains(&good.to_lowercase()), "the key is removed: {received}");
    }

    let assert_is = |answer: &Answer, status: u16, header: &str, value: &str| {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.header(header).contains(value), "{answer:?}");
    };
    assert_is(&ask(&[]), 401, "www-authenticate", "Bearer");
    let (revoked, id) = create(&["--scope", "api-keys:read"]);
    server.cli.json(&["revoke", "--user", "ann", &id]);
    let unknown = Server::start(&[]).key("ann");
    for wrong in ["malformed", &unknown, &revoked, &expired] {
        assert_is(&with(wrong), 401, "www-authenticate", "invalid_token");
    }
    let (writer, _) = create(&["--scope", "api-keys:write"]);
    let lacking = with(&writer);
    assert_is(&lacking, 403, "www-authenticate", "insufficient_scope");
    assert_is(&lacking, 403, "www-authenticate", "scope=\"api-keys:read\"");
    assert_eq!(lacking.header("content-type") == "application/problem+json", documented.keeps_body, "{lacking:?}");
    // The gateway names its client to keycell, whatever the client says, so clients have limits of their own.
    let guesses = guess_from([127, 0, 0, 2], gateway.address);
    assert!(guesses.iter().all(|status| [401, documented.rate_limited].contains(status)), "{guesses:?}");
    assert!(guesses.contains(&documented.rate_limited), "{guesses:?}");
    assert!(guess_from([127, 0, 0, 3], gateway.address).contains(&401), "another client");
    let (limited, _) = create(&["--scope", "api-keys:read", "--limit", "1/60s"]);
    assert_eq!(with(&limited).status, 200);
    reached += 1;
    let over = with(&limited);
    assert_eq!(over.status, documented.rate_limited, "{over:?}");
    if over.status == 429 {
        assert!((1..=60).contains(&over.header("retry-after").parse::<u32>().unwrap()), "{over:?}");
    }
    // A revoked key is refused at once, also by gateways that could cache the response.
    let (ended, id) = create(&["--scope", "api-keys:read"]);
    assert_eq!(with(&ended).status, 200);
    reached += 1;
    server.cli.json(&["revoke", "--user", "ann", &id]);
    assert_eq!(with(&ended).status, 401);

    let damage = "PRAGMA foreign_keys = OFF; ALTER TABLE api_keys RENAME TO gone";
    database.execute_batch(damage).unwrap();
    let failed = with(&good);
    assert_eq!(failed.status, documented.failed, "{failed:?}");
    server.terminate();
    server.wait();
    let down = with(&good);
    assert_eq!(down.status, documented.down, "{down:?}");
    assert_eq!(service.requests.load(Ordering::SeqCst), reached, "no refused request reached the service");
}

#[test]
fn nginx_guards_a_service() {
    assert_is_guarded(nginx, &Documented { keeps_body: false, ..FORWARD_AUTH });
}

#[test]
fn caddy_guards_a_service() {
    assert_is_guarded(caddy, &Documented { down: 502, ..FORWARD_AUTH });
}

#[test]
fn traefik_guards_a_service() {
    assert_is_guarded(traefik, &FORWARD_AUTH);
}

#[test]
fn envoy_guards_a_service() {
    assert_is_guarded(envoy, &Documented { failed: 503, down: 503, ..FORWARD_AUTH });
}

#[test]
fn apache_guards_a_service() {
    let documented =
        Documented { takes_x_api_key: false, rate_limited: 401, failed: 401, down: 401, keeps_body: false };
    assert_is_guarded(apache, &documented);
}
