//! A component that misbehaves costs its caller an `internal` error, and affects no other call.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keycell::{Caller, CreateApiKey, Error, Keycell, MemoryStorage, Subject};

use crate::mutants::Mutant;

/// The id for which a hostile component misbehaves. For all others it is the real one.
const TRIGGER: &str = "ffffffff-ffff-7fff-bfff-ffffffffffff";

/// The real component, with this statement before it gets the key [`TRIGGER`].
fn hostile(name: &'static str, statement: &str) -> Keycell<MemoryStorage> {
    let original = "    found(api_key_id, imports::now()?)?.basic()";
    let replacement = format!("    if api_key_id.starts_with(\"ffffffff\") {{ {statement} }}\n{original}");
    let mutant = Mutant { name, file: "guest/get.rs", original, replacement: replacement.leak() };
    Keycell::builder(MemoryStorage::default()).component(mutant.build()).build().unwrap()
}

/// The call fails within the time that a call has, and the next one succeeds.
async fn assert_costs_one_call(keycell: Keycell<MemoryStorage>) {
    let ann = Caller::user("ann");
    let created = keycell.create_api_key(&ann, CreateApiKey::named("before")).await.unwrap();
    let start = Instant::now();
    let error = keycell.get_api_key(&ann, TRIGGER).await.unwrap_err();
    assert!(matches!(error, Error::Internal { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_eq!(keycell.get_api_key(&ann, &created.id.to_string()).await.unwrap().id, created.id);
}

#[tokio::test]
async fn a_trap() {
    assert_costs_one_call(hostile("traps", "core::arch::wasm32::unreachable()")).await;
}

#[tokio::test]
async fn an_endless_loop() {
    assert_costs_one_call(hostile("loops", "loop { core::hint::spin_loop() }")).await;
}

#[tokio::test]
async fn endless_calls_of_storage() {
    assert_costs_one_call(hostile("calls", "loop { let _ = super::storage::find_key(api_key_id, \"ann\"); }")).await;
}

#[tokio::test]
async fn endless_calls_of_limits() {
    let statement = "loop { let old = super::limits::load(api_key_id); super::limits::compare_and_store(api_key_id, old, old + 1); }";
    assert_costs_one_call(hostile("counts", statement)).await;
}

#[tokio::test]
async fn endless_recursion() {
    let statement = "fn deeper(n: u64) -> u64 { let place = [n; 64]; if n == u64::MAX { 0 } else { deeper(n + 1) + core::hint::black_box(place)[3] } }
        if deeper(0) == 1 { core::arch::wasm32::unreachable() }";
    assert_costs_one_call(hostile("recurses", statement)).await;
}

#[tokio::test]
async fn endless_memory() {
    assert_costs_one_call(hostile("grows", "loop { core::mem::forget(alloc::vec![1_u8; 1 << 16]); }")).await;
}

#[tokio::test]
async fn an_invalid_response() {
    let statement =
        "return Ok(ApiKey { id: \"x\".into(), project_id: None, user_id: \"ann\".into(), name: \"x\".into(), key_prefix: \"x\".into(),
        last_used_at: None, expires_at: None, created_at: \"yesterday\".into(), updated_at: \"\".into(), scopes: alloc::vec![] });";
    assert_costs_one_call(hostile("responds-invalidly", statement)).await;
}

#[tokio::test]
async fn a_response_that_is_large_on_the_host() {
    // It fits into the component's memory, and is more than the host accepts.
    let statement = "return Err(Error::InvalidInput((0..18_000).map(|_| super::api_keys::Fault { field: \"x\".into(), code: \"x\".into(), message: \"x\".into() }).collect()));";
    assert_costs_one_call(hostile("responds-at-length", statement)).await;
}

#[tokio::test]
async fn a_request_for_too_many_random_bytes() {
    let statement = "let _ = super::bindings::wasi::random::random::get_random_bytes(1 << 40);";
    assert_costs_one_call(hostile("draws-too-much", statement)).await;
}

#[tokio::test]
async fn a_large_record() {
    let statement = "
        let text = || alloc::string::String::from(\"x\");
        let _ = super::storage::insert_key(
            &KeyRecord { id: text(), prefix: text(), lookup: text(), hash: alloc::vec![], user_id: text(), project_id: None, name: text(),
                scopes: alloc::vec![alloc::string::String::new(); 60_000], created_at: 0, updated_at: 0, expires_at: None, last_used_at: None,
                revoked_at: None, revocation_reason: None, rotated_from: None, rotated_to: None, revision: 0, rate_limit: None, metadata: None },
            &super::storage::EventRecord { id: text(), time: 0, action: super::storage::Action::Created, key_id: text(), user_id: text(),
                project_id: None, actor_user_id: text(), actor_key_id: None, fields: alloc::vec![] },
            None,
        );";
    assert_costs_one_call(hostile("stores-too-much", statement)).await;
}

/// No call can read what an earlier call left in its memory.
#[tokio::test]
async fn a_value_that_is_left_for_the_next_call() {
    let statement = "
        static LEFT: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
        if LEFT.swap(7, core::sync::atomic::Ordering::Relaxed) != 0 { core::arch::wasm32::unreachable() }";
    let keycell = hostile("leaves-a-value", statement);
    let ann = Caller::user("ann");
    for _ in 0..200 {
        let error = keycell.get_api_key(&ann, TRIGGER).await.unwrap_err();
        assert_eq!(error, Error::NotFound { subject: Subject::ApiKey });
    }
}

/// On one thread, other calls go on while one loops.
#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_beside_other_calls() {
    let keycell = Arc::new(hostile("loops-beside-others", "loop { core::hint::spin_loop() }"));
    let ann = Caller::user("ann");
    let looping = tokio::spawn({
        let (keycell, ann) = (Arc::clone(&keycell), ann.clone());
        async move { keycell.get_api_key(&ann, TRIGGER).await }
    });
    tokio::task::yield_now().await;
    let start = Instant::now();
    for _ in 0..5 {
        keycell.create_api_key(&ann, CreateApiKey::named("meanwhile")).await.unwrap();
    }
    assert!(!looping.is_finished(), "the other calls took {:?}", start.elapsed());
    assert!(looping.await.unwrap().is_err());
}
