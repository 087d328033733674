//! The gateways of `docs/gateways.md` in front of `keycell serve`, configured as that page shows.
//!
//! A gateway that is not installed is skipped, unless `KEYCELL_GATEWAYS` is `required`.

use std::{
    env, fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
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
    _directory: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A signal that nginx handles, because its worker is another process.
        let _ = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        let _ = self.process.wait();
    }
}

/// The program, if it is installed.
fn program(name: &str) -> Option<PathBuf> {
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&paths).map(|directory| directory.join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert_ne!(env::var("KEYCELL_GATEWAYS").as_deref(), Ok("required"), "{name} is not installed");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

/// The configuration in the page, with the addresses of this test.
fn configuration(language: &str, server: &Server, service: &Service) -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/gateways.md")).unwrap();
    let block = page.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap();
    block
        .replace("127.0.0.1:8787", &server.address.to_string())
        .replace("127.0.0.1:9000", &service.address.to_string())
        .replace("orders:read", "api-keys:read")
}

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn start(directory: tempfile::TempDir, mut command: Command, address: SocketAddr) -> Gateway {
    let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the gateway does not listen");
        thread::sleep(Duration::from_millis(50));
    }
    Gateway { address, process, _directory: directory }
}

fn nginx(server: &Server, service: &Service) -> Option<Gateway> {
    let program = program("nginx")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
    let root = directory.path().display();
    let server = configuration("nginx", server, service).replace("listen 80;", &format!("listen {address};"));
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

fn caddy(server: &Server, service: &Service) -> Option<Gateway> {
    let program = program("caddy")?;
    let (directory, address) = (tempfile::tempdir().unwrap(), free_address());
    let server = configuration("caddyfile", server, service).replace(":80 {", &format!("http://{address} {{"));
    let path = directory.path().join("Caddyfile");
    fs::write(&path, format!("{{\n admin off\n auto_https off\n}}\n{server}")).unwrap();
    let mut command = Command::new(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(path).env("HOME", directory.path());
    Some(start(directory, command, address))
}

/// The cases that every gateway must pass.
fn assert_is_guarded(start: impl FnOnce(&Server, &Service) -> Option<Gateway>) {
    let mut server = Server::start(&["--trust-proxy", "127.0.0.1"]);
    let service = Service::start();
    let Some(gateway) = start(&server, &service) else {
        return;
    };
    let url = format!("http://{}/orders?page=1", gateway.address);
    let ask = |headers: &[(&str, &str)]| get(&url, headers);
    let with = |key: &str| ask(&[("authorization", &format!("Bearer {key}"))]);
    let create = |arguments: &[&str]| {
        let created = server.cli.json(&[&["create", "--user", "ann", "--name", "x"], arguments].concat());
        (secret(&created).to_owned(), created["id"].as_str().unwrap().to_owned())
    };
    let (good, _) = create(&["--scope", "api-keys:read"]);

    let forged =
        [("authorization", &*format!("Bearer {good}")), ("x-keycell-user", "root"), ("X-Keycell-Scopes", "all")];
    for answer in [with(&good), ask(&[("x-api-key", &good)]), ask(&forged)] {
        assert_eq!(answer.status, 200, "{answer:?}");
        let received = answer.body.as_str().unwrap().to_lowercase();
        assert!(received.starts_with("get /orders?page=1 "), "{received}");
        assert!(received.contains("\r\nx-keycell-user: ann\r\n") && !received.contains("root"), "{received}");
        assert!(received.contains("\r\nx-keycell-scopes: api-keys:read\r\n"), "{received}");
        assert!(!received.contains(&good.to_lowercase()), "the key is removed");
    }

    let reached = service.requests.load(Ordering::SeqCst);
    let assert_is = |answer: &Answer, status: u16, header: &str, value: &str| {
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.header(header).contains(value), "{answer:?}");
    };
    assert_is(&ask(&[]), 401, "www-authenticate", "Bearer");
    let (revoked, id) = create(&[]);
    server.cli.json(&["revoke", "--user", "ann", &id]);
    let unknown = Server::start(&[]).key("ann");
    for wrong in ["malformed", &unknown, &revoked] {
        assert_is(&with(wrong), 401, "www-authenticate", "invalid_token");
    }
    let (writer, _) = create(&["--scope", "api-keys:write"]);
    assert_is(&with(&writer), 403, "www-authenticate", "insufficient_scope");
    let (limited, _) = create(&["--scope", "api-keys:read", "--limit", "1/60s"]);
    assert_eq!(with(&limited).status, 200);
    let over = with(&limited);
    assert_eq!(over.status, 429, "{over:?}");
    assert!((1..=60).contains(&over.header("retry-after").parse::<u32>().unwrap()), "{over:?}");
    server.terminate();
    server.wait();
    let down = with(&good);
    assert!([500, 502, 503].contains(&down.status), "{down:?}");
    assert_eq!(service.requests.load(Ordering::SeqCst), reached + 1, "no refused request reached the service");
}

#[test]
fn nginx_guards_a_service() {
    assert_is_guarded(nginx);
}

#[test]
fn caddy_guards_a_service() {
    assert_is_guarded(caddy);
}
