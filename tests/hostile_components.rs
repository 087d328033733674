//! A component that misbehaves costs its caller an `internal` error, and nobody else anything.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keycell::{Caller, CreateApiKey, Error, Keycell, MemoryStorage};

use crate::mutants::Mutant;

/// The id at which a hostile component shows its nature. For all others it is the real one.
const TRIGGER: &str = "ffffffff-ffff-7fff-bfff-ffffffffffff";

/// The real guest, but for this statement where it gets the key [`TRIGGER`].
fn hostile(name: &'static str, statement: &str) -> Keycell<MemoryStorage> {
    let replacement =
        format!("if api_key_id.starts_with(\"ffffffff\") {{ {statement} }}\n    find_key(&caller, id)?.try_into()");
    let mutant = Mutant {
        name,
        file: "guest/get.rs",
        original: "find_key(&caller, id)?.try_into()",
        replacement: replacement.leak(),
    };
    Keycell::builder(MemoryStorage::default()).component(mutant.build()).build().unwrap()
}

/// The call fails as it must within the time that a call has, and the next one is served.
async fn assert_costs_one_call(keycell: Keycell<MemoryStorage>) {
    let ann = Caller::user("ann").unwrap();
    let created = keycell.create_api_key(&ann, CreateApiKey::named("before")).await.unwrap();
    let began = Instant::now();
    let error = keycell.get_api_key(&ann, TRIGGER).await.unwrap_err();
    assert!(matches!(error, Error::Internal { .. }), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(keycell.get_api_key(&ann, &created.id.to_text()).await.unwrap().id, created.id);
}

#[tokio::test]
async fn one_that_traps() {
    assert_costs_one_call(hostile("traps", "core::arch::wasm32::unreachable()")).await;
}

#[tokio::test]
async fn one_that_loops() {
    assert_costs_one_call(hostile("loops", "loop { core::hint::spin_loop() }")).await;
}

#[tokio::test]
async fn one_that_calls_storage_for_ever() {
    assert_costs_one_call(hostile("hammers", "loop { let _ = super::storage::find_key(api_key_id); }")).await;
}

#[tokio::test]
async fn one_that_recurses() {
    let statement = "fn deeper(n: u64) -> u64 { let place = [n; 64]; if n == u64::MAX { 0 } else { deeper(n + 1) + core::hint::black_box(place)[3] } }
        if deeper(0) == 1 { core::arch::wasm32::unreachable() }";
    assert_costs_one_call(hostile("recurses", statement)).await;
}

#[tokio::test]
async fn one_that_grows() {
    assert_costs_one_call(hostile("grows", "loop { core::mem::forget(alloc::vec![1_u8; 1 << 16]); }")).await;
}

#[tokio::test]
async fn one_that_answers_nonsense() {
    let statement = "return Ok(ApiKey { id: \"x\".into(), project_id: None, user_id: \"ann\".into(), name: \"x\".into(), key_prefix: \"x\".into(),
        last_used_at: None, expires_at: None, created_at: \"yesterday\".into(), updated_at: \"\".into(), scopes: alloc::vec![] });";
    assert_costs_one_call(hostile("answers nonsense", statement)).await;
}

#[tokio::test]
async fn one_whose_answer_is_huge_on_the_host() {
    // What fits into the guest, and is more than it may hand over as the host holds it.
    let statement = "return Err(Error::InvalidInput((0..12_000).map(|_| super::api_keys::Fault { field: \"x\".into(), code: \"x\".into(), message: \"x\".into() }).collect()));";
    assert_costs_one_call(hostile("answers at length", statement)).await;
}

#[tokio::test]
async fn one_that_asks_for_too_many_random_bytes() {
    let statement = "let _ = super::bindings::wasi::random::random::get_random_bytes(1 << 40);";
    assert_costs_one_call(hostile("asks for much", statement)).await;
}

#[tokio::test]
async fn one_that_hands_over_a_huge_record() {
    let statement = "let _ = super::storage::insert_key(&super::storage::KeyRecord { id: \"x\".into(), prefix: \"x\".into(), lookup: \"x\".into(), hash: alloc::vec![],
        user_id: \"x\".into(), project_id: None, name: \"x\".into(), scopes: alloc::vec![alloc::string::String::new(); 40_000], created_at: 0, updated_at: 0, expires_at: None,
        last_used_at: None, revoked_at: None, revocation_reason: None, rotated_from: None, rotated_to: None, revision: 0 });";
    assert_costs_one_call(hostile("hands over much", statement)).await;
}

/// What keycell promises: what one call leaves in its memory, no other call finds.
#[tokio::test]
async fn one_that_leaves_something_behind_for_the_next_call() {
    let statement = "
        static LEFT: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
        if LEFT.swap(7, core::sync::atomic::Ordering::Relaxed) != 0 { core::arch::wasm32::unreachable() }";
    let keycell = hostile("leaves something behind", statement);
    let ann = Caller::user("ann").unwrap();
    for _ in 0..200 {
        assert_eq!(
            keycell.get_api_key(&ann, TRIGGER).await,
            Err(Error::NotFound { subject: keycell::Subject::ApiKey })
        );
    }
}

/// On one thread, too: the others get their turn while one loops.
#[tokio::test(flavor = "current_thread")]
async fn one_that_loops_holds_up_nobody() {
    let keycell = Arc::new(hostile("loops beside others", "loop { core::hint::spin_loop() }"));
    let ann = Caller::user("ann").unwrap();
    let looping = tokio::spawn({
        let (keycell, ann) = (Arc::clone(&keycell), ann.clone());
        async move { keycell.get_api_key(&ann, TRIGGER).await }
    });
    tokio::task::yield_now().await;
    let began = Instant::now();
    for _ in 0..5 {
        keycell.create_api_key(&ann, CreateApiKey::named("meanwhile")).await.unwrap();
    }
    assert!(!looping.is_finished(), "the others were served only after {:?}", began.elapsed());
    assert!(looping.await.unwrap().is_err());
}
