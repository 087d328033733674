//! Failover to a synchronous standby.

use std::{
    collections::HashSet,
    env, fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use keycell::{Action, EventRecord, KeyRecord, Storage};
use keycell_postgres::PostgresStorage;

use crate::server::{free_port, programs};

const HOSTS: usize = 2;
/// The writers of each host.
const WRITERS: usize = 4;
/// The number of failovers, unless `KEYCELL_FAILOVERS` has another one.
const FAILOVERS: u32 = 50;
/// The time of writes before the primary is killed.
const WRITES: Duration = Duration::from_millis(700);

/// Two servers, of which one is the primary and the other one its synchronous standby.
struct Pair {
    bin: PathBuf,
    directory: tempfile::TempDir,
    ports: [u16; 2],
    primary: usize,
}

impl Pair {
    fn start(bin: PathBuf) -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let pair = Self { bin, directory, ports: [free_port(), free_port()], primary: 0 };
        pair.run("initdb", &["-D", &pair.data(0), "-U", "postgres", "-A", "trust", "--locale=C.UTF-8", "--no-sync"]);
        pair.start_server(0);
        pair
    }

    fn data(&self, server: usize) -> String {
        format!("{}/{server}", self.directory.path().display())
    }

    fn standby(&self) -> usize {
        1 - self.primary
    }

    /// Runs a program of PostgreSQL.
    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = as_owner(&self.bin.join(program)).args(arguments).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs SQL on the primary.
    fn psql(&self, sql: &str) -> String {
        let port = self.ports[self.primary].to_string();
        let arguments = ["-X", "-q", "-A", "-t", "-h", "127.0.0.1", "-U", "postgres", "-p", &port, "-d", "postgres"];
        self.run("psql", &[&arguments[..], &["-v", "ON_ERROR_STOP=1", "-c", sql]].concat())
    }

    fn start_server(&self, server: usize) {
        // A killed server leaves the lock of its socket and its shared memory.
        let options = format!(
            "-h 127.0.0.1 -p {} -c unix_socket_directories= -c dynamic_shared_memory_type=mmap -c fsync=off \
             -c log_min_messages=fatal",
            self.ports[server]
        );
        let log = format!("{}.log", self.data(server));
        let start = ["-D", &self.data(server), "-l", &log, "-o", &options, "-w", "-s", "start"];
        let started = as_owner(&self.bin.join("pg_ctl")).args(start).status().unwrap();
        assert!(started.success(), "{}", fs::read_to_string(log).unwrap_or_default());
    }

    /// Makes the other server a standby, and waits until commits wait for it.
    fn add_standby(&self) {
        let data = self.data(self.standby());
        // The cluster belongs to another user.
        let _ = fs::remove_dir_all(&data);
        let primary = self.ports[self.primary].to_string();
        let source = ["-h", "127.0.0.1", "-p", &primary, "-U", "postgres", "-R", "-c", "fast", "--no-sync"];
        self.run("pg_basebackup", &[&["-D", &data], &source[..]].concat());
        self.start_server(self.standby());
        self.psql("ALTER SYSTEM SET synchronous_standby_names = '*'");
        self.psql("SELECT pg_reload_conf()");
        while self.psql("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != "1" {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills every process of the primary.
    fn kill_primary(&self) {
        let file = format!("{}/postmaster.pid", self.data(self.primary));
        let pid = fs::read_to_string(file).unwrap().lines().next().unwrap().to_owned();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let killed = Command::new("kill").args(["-KILL", &pid]).args(children.split_whitespace()).status();
        assert!(killed.is_ok());
    }

    /// Makes the standby the primary. Returns when it accepts writes.
    fn promote(&mut self) {
        self.primary = self.standby();
        // Nothing would confirm its commits.
        let data = self.data(self.primary);
        let auto = format!("{data}/postgresql.auto.conf");
        let settings = fs::read_to_string(&auto).unwrap();
        let settings: Vec<_> = settings.lines().filter(|line| !line.starts_with("synchronous_standby_names")).collect();
        fs::write(&auto, settings.join("\n") + "\n").unwrap();
        self.run("pg_ctl", &["-D", &data, "-s", "reload"]);
        self.run("pg_ctl", &["-D", &data, "-s", "-w", "promote"]);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for server in [0, 1] {
            let arguments = ["-D", &self.data(server), "-s", "-m", "immediate", "stop"];
            let _ = as_owner(&self.bin.join("pg_ctl")).args(arguments).output();
        }
    }
}

/// A program, as a user who may run a server.
pub fn as_owner(program: &Path) -> Command {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

/// What the writers were told.
#[derive(Default)]
struct Answers {
    acknowledged: Mutex<Vec<String>>,
    refused: AtomicU64,
    killed: Mutex<Option<Instant>>,
    /// For each host, the time of the first good answer to a call that began after the kill.
    first: Mutex<[Option<Instant>; HOSTS]>,
}

async fn write(host: usize, writer: usize, storage: Arc<PostgresStorage>, answers: Arc<Answers>) {
    for n in 0.. {
        let mut key = KeyRecord::default();
        key.id = format!("{host}-{writer}-{n}");
        key.lookup = key.id.clone();
        let mut event = EventRecord::new(Action::Created);
        event.id = key.id.clone();
        let (id, began) = (key.id.clone(), Instant::now());
        match storage.insert_key(key, event, None).await {
            Ok(()) => {
                answers.acknowledged.lock().unwrap().push(id);
                if answers.killed.lock().unwrap().is_some_and(|killed| began >= killed) {
                    answers.first.lock().unwrap()[host].get_or_insert_with(Instant::now);
                }
            }
            Err(_) => {
                answers.refused.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_millis();
    println!("{what}: min {} ms, median {} ms, 95% {} ms, max {} ms", at(0), at(50), at(95), at(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "takes minutes; run it with --ignored --nocapture"]
async fn no_acknowledged_write_is_lost_when_the_primary_is_killed() {
    let Some(bin) = programs() else { return };
    let failovers = env::var("KEYCELL_FAILOVERS").map_or(FAILOVERS, |number| number.parse().unwrap());
    let mut pair = Pair::start(bin);
    let [first, second] = pair.ports;
    let url = format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres");
    let (answers, mut hosts, mut writers) = (Arc::new(Answers::default()), Vec::new(), Vec::new());
    for _ in 0..HOSTS {
        hosts.push(Arc::new(PostgresStorage::open(&url).await.unwrap()));
    }
    pair.add_standby();
    for (host, storage) in hosts.iter().enumerate() {
        let start = |writer| tokio::spawn(write(host, writer, Arc::clone(storage), Arc::clone(&answers)));
        writers.extend((0..WRITERS).map(start));
    }

    let (mut since_kill, mut since_promotion) = (Vec::new(), Vec::new());
    for _ in 0..failovers {
        tokio::time::sleep(WRITES).await;
        *answers.first.lock().unwrap() = [None; HOSTS];
        pair.kill_primary();
        let kill = Instant::now();
        *answers.killed.lock().unwrap() = Some(kill);
        pair.promote();
        let promotion = Instant::now();
        while answers.first.lock().unwrap().contains(&None) {
            assert!(promotion.elapsed() < Duration::from_secs(30), "every host must come back by itself");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        *answers.killed.lock().unwrap() = None;
        for first in answers.first.lock().unwrap().into_iter().flatten() {
            since_kill.push(first - kill);
            since_promotion.push(first.saturating_duration_since(promotion));
        }
        pair.add_standby();
    }
    writers.iter().for_each(tokio::task::JoinHandle::abort);

    let acknowledged = std::mem::take(&mut *answers.acknowledged.lock().unwrap());
    let stored = pair.psql("SELECT k.id FROM keycell.api_keys k JOIN keycell.events e ON e.id = k.id");
    let stored: HashSet<_> = stored.lines().collect();
    let lost = acknowledged.iter().filter(|id| !stored.contains(id.as_str())).count();
    println!(
        "{failovers} failovers, {} acknowledged writes, {lost} lost, {} without a good answer",
        acknowledged.len(),
        answers.refused.load(Ordering::Relaxed)
    );
    report("from the kill to the first good answer of a host", &mut since_kill);
    report("from the end of the promotion to the first good answer of a host", &mut since_promotion);
    assert_eq!(lost, 0);
}
