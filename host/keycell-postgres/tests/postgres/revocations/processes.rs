//! The processes of the hosts.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::verifier::{self, Settings};
use crate::proxy::Proxy;

/// The time that all processes share.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// What a host says of the key in a slot.
#[derive(Clone, Copy, Debug)]
pub enum Report {
    /// It was verified for the first time.
    Verified { slot: usize },
    /// It was refused for the first time, and the last verification that succeeded began then.
    Refused { slot: usize, last_valid: Duration },
    /// It was verified after it was refused.
    Again { slot: usize, begin: Duration },
    /// Of all keys since the last report of this kind.
    Count { verified: u64, unavailable: u64 },
}

impl Report {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let kind = words.next()?;
        let mut numbers = words.map(|word| word.parse::<u64>().ok());
        let mut number = || numbers.next().flatten();
        let slot = |number: u64| usize::try_from(number).ok();
        Some(match kind {
            "verified" => Self::Verified { slot: slot(number()?)? },
            "refused" => Self::Refused { slot: slot(number()?)?, last_valid: Duration::from_nanos(number()?) },
            "again" => Self::Again { slot: slot(number()?)?, begin: Duration::from_nanos(number()?) },
            "count" => Self::Count { verified: number()?, unavailable: number()? },
            _ => return None,
        })
    }
}

/// A host with a link of its own to the database.
pub struct Host {
    pub proxy: Proxy,
    process: Child,
    input: Mutex<ChildStdin>,
}

impl Host {
    /// Starts a host that reports to `reports` under this number.
    pub fn start(number: usize, proxy: Proxy, url: &str, settings: Settings, reports: Reports) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "revocations::verifier::verify", "--ignored", "--nocapture"])
            .env(verifier::URL, proxy.url(url))
            .env(verifier::SETTINGS, settings.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            for report in lines.map_while(Result::ok).filter_map(|line| Report::parse(&line)) {
                if reports.send((number, report)).is_err() {
                    break;
                }
            }
        });
        let input = Mutex::new(process.stdin.take().unwrap());
        Self { proxy, process, input }
    }

    /// Verifies this key in this slot from now on.
    pub fn verify(&self, slot: usize, key: &str) {
        writeln!(self.input.lock().unwrap(), "{slot} {key}").unwrap();
    }

    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub type Reports = mpsc::Sender<(usize, Report)>;
