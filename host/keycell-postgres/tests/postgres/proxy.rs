//! A link to the database that a test cuts, holds up and counts.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// The state of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// Bytes wait, and no connection ends.
    Held,
    /// Every connection ends at once.
    Cut,
}

/// A proxy on a port of its own.
pub struct Proxy {
    port: u16,
    link: Arc<Link>,
}

struct Link {
    state: Mutex<State>,
    bytes: AtomicU64,
    /// The number of bytes after which the link is held.
    max_bytes: AtomicU64,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Forwards connections to this port.
    pub fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let link = Arc::new(Link {
            state: Mutex::new(State::Open),
            bytes: AtomicU64::new(0),
            max_bytes: AtomicU64::new(u64::MAX),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&link);
        thread::spawn(move || {
            for client in listener.incoming() {
                accepting.connect(&client.unwrap(), target);
            }
        });
        Self { port, link }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a database, through the proxy.
    pub fn url(&self, url: &str) -> String {
        let (start, rest) = url.rsplit_once(':').unwrap();
        format!("{start}:{}/{}", self.port, rest.split_once('/').unwrap().1)
    }

    pub fn set(&self, state: State) {
        *self.link.state.lock().unwrap() = state;
        if state == State::Cut {
            for connection in self.link.connections.lock().unwrap().drain(..) {
                // It may have ended by itself.
                let _ = connection.shutdown(Shutdown::Both);
            }
        }
    }

    /// Holds the link when this number of bytes was sent to the database.
    pub fn hold_after(&self, bytes: u64) {
        self.link.max_bytes.store(bytes, Ordering::Relaxed);
    }

    /// The number of bytes that were sent to the database.
    pub fn bytes(&self) -> u64 {
        self.link.bytes.load(Ordering::Relaxed)
    }
}

impl Link {
    fn state(&self) -> State {
        *self.state.lock().unwrap()
    }

    fn is_held(&self) -> bool {
        self.state() == State::Held || self.bytes.load(Ordering::Relaxed) >= self.max_bytes.load(Ordering::Relaxed)
    }

    fn connect(self: &Arc<Self>, client: &TcpStream, target: u16) {
        if self.state() == State::Cut {
            return;
        }
        let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
        for stream in [client, &server] {
            stream.set_nodelay(true).unwrap();
            self.connections.lock().unwrap().push(stream.try_clone().unwrap());
        }
        for (from, to, counts) in [(client, &server, true), (&server, client, false)] {
            let (link, from, to) = (Arc::clone(self), from.try_clone().unwrap(), to.try_clone().unwrap());
            thread::spawn(move || link.forward(from, to, counts));
        }
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream, counts: bool) {
        let mut buffer = [0; 8_192];
        loop {
            let len = match from.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Ok(0) | Err(_) => break,
                Ok(len) => len,
            };
            while self.is_held() {
                thread::sleep(Duration::from_millis(1));
            }
            // A connection that was made while the link was cut is not in the list.
            if self.state() == State::Cut {
                break;
            }
            if counts {
                self.bytes.fetch_add(len as u64, Ordering::Relaxed);
            }
            if to.write_all(&buffer[..len]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
}
