//! A key's life, when several things happen at once and in any order.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use keycell::{
    ApiKeyId, Caller, CreateApiKey, CreatedApiKey, Error, KeyStatus, Keycell, ListApiKeys, MemoryStorage, Refusal,
    SqliteStorage, Storage, Time, Verification,
};
use proptest::prelude::*;

fn ann() -> Caller {
    Caller::user("ann").unwrap()
}

async fn create<S: Storage>(keycell: &Keycell<S>, name: &str) -> CreatedApiKey {
    keycell.create_api_key(&ann(), CreateApiKey::named(name)).await.unwrap()
}

async fn is_valid<S: Storage>(keycell: &Keycell<S>, key: &CreatedApiKey) -> bool {
    let verification = keycell.verify_api_key(key.key.expose(), &[]).await.unwrap();
    matches!(verification, Verification::Valid(_))
}

fn sqlite(path: &Path) -> Keycell<SqliteStorage> {
    Keycell::new(SqliteStorage::open(path).unwrap()).unwrap()
}

/// Everything that keys can go through.
#[derive(Clone, Debug)]
enum Step {
    Create { lives_ms: Option<i64> },
    Verify { key: usize, how: Presented },
    Rotate { key: usize, grace_s: u32 },
    Revoke { key: usize },
    Expire { key: usize, in_ms: i64 },
    Clock { by_ms: i64 },
}

/// How a key is presented.
#[derive(Clone, Copy, Debug)]
enum Presented {
    AsItIs,
    WithAWrongChecksum,
    /// By somebody who knows its public part alone.
    WithAnotherSecret,
    /// To something that it may not do.
    ForMoreThanItMay,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => prop::option::of(1..5_000_i64).prop_map(|lives_ms| Step::Create { lives_ms }),
        5 => (any::<usize>(), presented()).prop_map(|(key, how)| Step::Verify { key, how }),
        2 => (any::<usize>(), 0..4_u32).prop_map(|(key, grace_s)| Step::Rotate { key, grace_s }),
        1 => any::<usize>().prop_map(|key| Step::Revoke { key }),
        1 => (any::<usize>(), -100..3_000_i64).prop_map(|(key, in_ms)| Step::Expire { key, in_ms }),
        3 => (-500..2_000_i64).prop_map(|by_ms| Step::Clock { by_ms }),
    ]
}

fn presented() -> impl Strategy<Value = Presented> {
    prop_oneof![
        6 => Just(Presented::AsItIs),
        1 => Just(Presented::WithAWrongChecksum),
        1 => Just(Presented::WithAnotherSecret),
        1 => Just(Presented::ForMoreThanItMay),
    ]
}

/// A key of the same lookup with another secret and a right checksum.
fn with_another_secret(key: &str) -> String {
    let lookup = key.split('_').nth(1).unwrap();
    // The random bytes of the lookup's digits, then other ones.
    let digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut bytes = lookup.chars().map(|digit| digits.find(digit).unwrap() as u8).chain(std::iter::repeat(7));
    let minted = keycell_component::key::Key::mint(&keycell::Prefix::default(), &mut |out: &mut [u8]| {
        out.fill_with(|| bytes.next().unwrap());
    });
    let text = minted.into_text();
    assert_eq!(text[..20], key[..20]);
    text
}

/// What the rules say of a key, in the simplest way.
#[derive(Clone)]
struct ModelKey {
    text: String,
    id: ApiKeyId,
    expires_at: Option<i64>,
    is_revoked: bool,
    is_rotated: bool,
    last_used_at: Option<i64>,
}

impl ModelKey {
    fn new(created: &CreatedApiKey) -> Self {
        Self {
            text: created.key.expose().to_owned(),
            id: created.id,
            expires_at: created.expires_at.map(Time::millis),
            is_revoked: false,
            is_rotated: false,
            last_used_at: None,
        }
    }

    fn status(&self, now: i64) -> KeyStatus {
        match self.expires_at {
            _ if self.is_revoked => KeyStatus::Revoked,
            Some(expires_at) if expires_at <= now => KeyStatus::Expired,
            _ => KeyStatus::Active,
        }
    }
}

struct Model {
    keycell: Keycell<MemoryStorage>,
    clock: Arc<AtomicI64>,
    keys: Vec<ModelKey>,
}

impl Model {
    fn new() -> Self {
        let clock = Arc::new(AtomicI64::new(1_900_000_000_000));
        let shown = Arc::clone(&clock);
        let keycell = Keycell::builder(MemoryStorage::default())
            .clock(Arc::new(move || UNIX_EPOCH + Duration::from_millis(shown.load(Ordering::Relaxed).unsigned_abs())))
            .build()
            .unwrap();
        Self { keycell, clock, keys: Vec::new() }
    }

    fn now(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn key(&self, index: usize) -> Option<(usize, ModelKey)> {
        let index = index.checked_rem(self.keys.len())?;
        Some((index, self.keys[index].clone()))
    }

    async fn take(&mut self, step: &Step) {
        let now = self.now();
        match *step {
            Step::Create { lives_ms } => {
                let expires_at = lives_ms.map(|lives_ms| Time::from_millis(now + lives_ms).unwrap().to_text());
                let request = CreateApiKey { expires_at, ..CreateApiKey::named("x") };
                let created = self.keycell.create_api_key(&ann(), request).await.unwrap();
                assert_eq!(created.expires_at.map(Time::millis), lives_ms.map(|lives_ms| now + lives_ms));
                self.keys.push(ModelKey::new(&created));
            }
            Step::Verify { key, how } => {
                let Some((index, key)) = self.key(key) else { return };
                let text = match how {
                    Presented::WithAWrongChecksum => key.text.replace('_', "-"),
                    Presented::WithAnotherSecret => with_another_secret(&key.text),
                    Presented::AsItIs | Presented::ForMoreThanItMay => key.text.clone(),
                };
                let needed: &[&str] = if matches!(how, Presented::ForMoreThanItMay) { &["more"] } else { &[] };
                let expected = match (how, key.status(now)) {
                    (Presented::WithAWrongChecksum, _) => Some(Refusal::Malformed),
                    (Presented::WithAnotherSecret, _) => Some(Refusal::Unknown),
                    (_, KeyStatus::Revoked) => Some(Refusal::Revoked),
                    (_, KeyStatus::Expired) => Some(Refusal::Expired),
                    (Presented::ForMoreThanItMay, _) => Some(Refusal::MissingScopes(vec!["more".to_owned()])),
                    (Presented::AsItIs, KeyStatus::Active) => None,
                };
                match (self.keycell.verify_api_key(&text, needed).await.unwrap(), expected) {
                    (Verification::Valid(verified), None) => {
                        assert_eq!(verified.id, key.id);
                        self.keys[index].last_used_at = key.last_used_at.max(Some(now));
                    }
                    (Verification::Refused(refusal), Some(expected)) => assert_eq!(refusal, expected),
                    (verification, expected) => panic!("{verification:?} and not {expected:?}"),
                }
            }
            Step::Rotate { key, grace_s } => {
                let Some((index, key)) = self.key(key) else { return };
                let grace = Duration::from_secs(grace_s.into());
                let rotated = self.keycell.rotate_api_key(&ann(), &key.id.to_text(), grace).await;
                if key.is_rotated || key.status(now) != KeyStatus::Active {
                    assert_eq!(rotated, Err(Error::Conflict));
                    return;
                }
                let rotated = rotated.unwrap();
                assert_eq!(rotated.expires_at.map(Time::millis), key.expires_at);
                let end_of_grace = now + i64::from(grace_s) * 1000;
                self.keys[index].is_rotated = true;
                self.keys[index].expires_at = Some(key.expires_at.map_or(end_of_grace, |at| at.min(end_of_grace)));
                self.keys.push(ModelKey::new(&rotated));
            }
            Step::Revoke { key } => {
                let Some((index, key)) = self.key(key) else { return };
                let revoked = self.keycell.revoke_api_key(&ann(), &key.id.to_text(), None).await.unwrap();
                assert_eq!(revoked.status, KeyStatus::Revoked);
                self.keys[index].is_revoked = true;
            }
            Step::Expire { key, in_ms } => {
                let Some((index, key)) = self.key(key) else { return };
                let expires_at = Some(Time::from_millis(now + in_ms).unwrap().to_text());
                let changes = keycell::UpdateApiKey { name: None, expires_at };
                let updated = self.keycell.update_api_key(&ann(), &key.id.to_text(), changes).await;
                if in_ms <= 0 || key.expires_at.is_some_and(|current| now + in_ms >= current) {
                    assert!(matches!(updated, Err(Error::InvalidInput { .. })), "{updated:?}");
                } else {
                    updated.unwrap();
                    self.keys[index].expires_at = Some(now + in_ms);
                }
            }
            Step::Clock { by_ms } => {
                self.clock.fetch_add(by_ms, Ordering::Relaxed);
            }
        }
    }

    /// The whole list agrees with the model.
    async fn compare(&self) {
        let mut listed = HashMap::new();
        let mut cursor = None;
        loop {
            let request = ListApiKeys { status: Some("all".to_owned()), limit: Some(7), cursor, ..Default::default() };
            let page = self.keycell.list_api_keys(&ann(), request).await.unwrap();
            for key in page.api_keys {
                assert!(listed.insert(key.id, key).is_none(), "a key is listed twice");
            }
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(listed.len(), self.keys.len());
        for key in &self.keys {
            let listed = &listed[&key.id];
            assert_eq!(listed.status, key.status(self.now()));
            assert_eq!(listed.expires_at.map(Time::millis), key.expires_at);
            assert_eq!(listed.last_used_at.map(Time::millis), key.last_used_at);
            assert_eq!(listed.rotated_to.is_some(), key.is_rotated);
            assert_eq!(listed.revoked_at.is_some(), key.is_revoked);
        }
    }
}

#[test]
fn any_sequence_of_steps_goes_as_a_simple_model_says() {
    static STEPS: AtomicUsize = AtomicUsize::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = ProptestConfig { cases: 250, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in prop::collection::vec(step(), 30..80))| {
        runtime.block_on(async {
            let mut model = Model::new();
            for step in &steps {
                model.take(step).await;
            }
            model.compare().await;
        });
        STEPS.fetch_add(steps.len(), Ordering::Relaxed);
    });
    let steps = STEPS.load(Ordering::Relaxed);
    println!("{steps} steps");
    assert!(steps >= 10_000, "{steps}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_rotations_at_the_same_moment_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let keycell = Arc::new(sqlite(&dir.path().join("keycell.db")));
    for _ in 0..20 {
        let id = create(&keycell, "x").await.id.to_text();
        let rotate = || {
            let (keycell, id) = (Arc::clone(&keycell), id.clone());
            tokio::spawn(async move { keycell.rotate_api_key(&ann(), &id, Duration::ZERO).await })
        };
        let rotations = [rotate(), rotate()];
        let mut winners = Vec::new();
        for rotation in rotations {
            match rotation.await.unwrap() {
                Ok(replacement) => winners.push(replacement),
                Err(error) => assert_eq!(error, Error::Conflict),
            }
        }
        assert_eq!(winners.len(), 1);
        assert!(is_valid(&keycell, &winners[0]).await);
    }
    let all = ListApiKeys { status: Some("active".to_owned()), limit: Some(100), ..Default::default() };
    assert_eq!(keycell.list_api_keys(&ann(), all).await.unwrap().api_keys.len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_read_while_keys_are_created_shows_each_earlier_key_once() {
    let dir = tempfile::tempdir().unwrap();
    let keycell = Arc::new(sqlite(&dir.path().join("keycell.db")));
    let mut earlier = Vec::new();
    for n in 0..250 {
        earlier.push(create(&keycell, &format!("earlier {n}")).await.id);
    }
    let creators: Vec<_> = (0..8)
        .map(|_| {
            let keycell = Arc::clone(&keycell);
            tokio::spawn(async move {
                for _ in 0..125 {
                    create(&keycell, "meanwhile").await;
                }
            })
        })
        .collect();

    let (mut rounds, mut overlapped) = (0, 0);
    while rounds < 3 || creators.iter().any(|creator| !creator.is_finished()) {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let request = ListApiKeys { limit: Some(10), cursor, ..Default::default() };
            let page = keycell.list_api_keys(&ann(), request).await.unwrap();
            seen.extend(page.api_keys.iter().map(|key| key.id));
            assert!(seen.is_sorted_by(|newer, older| newer > older), "newest first, and none twice");
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        for id in &earlier {
            assert_eq!(seen.iter().filter(|seen| *seen == id).count(), 1);
        }
        rounds += 1;
        overlapped += usize::from(seen.len() > 250 && seen.len() < 1250);
    }
    assert!(overlapped > 0, "no list was read while keys were created");
    for creator in creators {
        creator.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_verification_succeeds_after_a_revocation_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let keycell = Arc::new(sqlite(&dir.path().join("keycell.db")));
    for _ in 0..20 {
        let key = Arc::new(create(&keycell, "x").await);
        let is_acknowledged = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let verifiers: Vec<_> = (0..2)
            .map(|_| {
                let (keycell, key, is_acknowledged) =
                    (Arc::clone(&keycell), Arc::clone(&key), Arc::clone(&is_acknowledged));
                tokio::spawn(async move {
                    let mut after = 0;
                    while after < 20 {
                        let was_acknowledged = is_acknowledged.load(Ordering::SeqCst);
                        let is_valid = is_valid(&keycell, &key).await;
                        assert!(!(was_acknowledged && is_valid), "a revoked key was good");
                        after += usize::from(was_acknowledged);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        assert!(is_valid(&keycell, &key).await);
        keycell.revoke_api_key(&ann(), &key.id.to_text(), None).await.unwrap();
        is_acknowledged.store(true, Ordering::SeqCst);
        for verifier in verifiers {
            verifier.await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_verification_writes_nothing_and_its_use_is_stored_at_an_orderly_stop() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keycell.db");
    let keycell = sqlite(&path);
    let key = create(&keycell, "x").await;
    let watcher = rusqlite::Connection::open(&path).unwrap();
    let files = || {
        let lengths = ["keycell.db", "keycell.db-wal"].map(|name| {
            let metadata = std::fs::metadata(dir.path().join(name)).unwrap();
            (metadata.len(), metadata.modified().unwrap())
        });
        let version: i64 = watcher.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap();
        (lengths, version)
    };
    let before = files();
    for _ in 0..500 {
        assert!(is_valid(&keycell, &key).await);
        keycell.verify_api_key("keycell_nonsense", &[]).await.unwrap();
    }
    assert_eq!(files(), before, "a verification wrote to the database");

    // On this host the use is seen at once; others see it when it is stored.
    let used_at = keycell.get_api_key(&ann(), &key.id.to_text()).await.unwrap().last_used_at;
    assert!(used_at.is_some());
    assert_eq!(sqlite(&path).get_api_key(&ann(), &key.id.to_text()).await.unwrap().last_used_at, None);
    drop(keycell);
    assert_eq!(sqlite(&path).get_api_key(&ann(), &key.id.to_text()).await.unwrap().last_used_at, used_at);
}

#[tokio::test]
async fn uses_are_stored_once_in_a_while() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keycell.db");
    let storage = SqliteStorage::open_storing_uses_every(Duration::from_millis(50), &path).unwrap();
    let keycell = Keycell::new(storage).unwrap();
    let key = create(&keycell, "x").await;
    assert!(is_valid(&keycell, &key).await);
    let other = sqlite(&path);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if other.get_api_key(&ann(), &key.id.to_text()).await.unwrap().last_used_at.is_some() {
            return;
        }
    }
    panic!("the use was not stored within two seconds");
}

/// The statement that stores a use moves it only forward, whoever wrote the newer one.
#[tokio::test]
async fn an_older_use_that_is_stored_later_moves_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keycell.db");
    let (newer, older) = (SqliteStorage::open(&path).unwrap(), SqliteStorage::open(&path).unwrap());
    let keycell = sqlite(&path);
    let id = create(&keycell, "x").await.id.to_text();
    newer.record_use(&id, 9_000);
    older.record_use(&id, 5_000);
    drop(newer);
    drop(older);
    assert_eq!(keycell.storage().find_key(&id).await.unwrap().unwrap().last_used_at, Some(9_000));
}

/// Calls that wait for another process's lock leave room for those that only read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_waiting_creates_hold_up_no_reader() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keycell.db");
    let keycell = Arc::new(sqlite(&path));
    let key = create(&keycell, "x").await;
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting: Vec<_> = (0..200)
        .map(|_| {
            let keycell = Arc::clone(&keycell);
            tokio::spawn(async move { keycell.create_api_key(&ann(), CreateApiKey::named("waiting")).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = std::time::Instant::now();
    assert!(is_valid(&keycell, &key).await);
    keycell.get_api_key(&ann(), &key.id.to_text()).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(!waiting.iter().any(tokio::task::JoinHandle::is_finished), "nobody was waiting");
    other.execute_batch("ROLLBACK").unwrap();
    for create in waiting {
        create.await.unwrap().unwrap();
    }
}

/// A page of a hundred keys of which each field is as large as it may be.
#[tokio::test]
async fn the_largest_page_is_listed() {
    let storage = MemoryStorage::default();
    let user = "u".repeat(255);
    for n in 0..101_u128 {
        let key = keycell::KeyRecord {
            id: uuid::Uuid::from_u128(n).to_string(),
            prefix: "keycellkey".to_owned(),
            lookup: format!("{n:012}"),
            hash: vec![0; 32],
            user_id: user.clone(),
            project_id: Some(uuid::Uuid::from_u128(7).to_string()),
            name: "\u{1f511}".repeat(100),
            scopes: (0..32).map(|scope| format!("{scope:064}")).collect(),
            created_at: 1,
            updated_at: 1,
            expires_at: Some(2),
            last_used_at: Some(1),
            revoked_at: Some(1),
            revocation_reason: Some("\u{1f511}".repeat(200)),
            rotated_from: Some(uuid::Uuid::from_u128(n).to_string()),
            rotated_to: Some(uuid::Uuid::from_u128(n).to_string()),
            revision: 3,
        };
        storage.insert_key(key).await.unwrap();
    }
    let keycell = Keycell::new(storage).unwrap();
    let request = ListApiKeys { status: Some("all".to_owned()), limit: Some(100), ..Default::default() };
    let page = keycell.list_api_keys(&Caller::user(user).unwrap(), request).await.unwrap();
    assert_eq!(page.api_keys.len(), 100);
    assert!(page.next_cursor.is_some());
}
