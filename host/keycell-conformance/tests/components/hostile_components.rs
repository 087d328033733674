//! A component that misbehaves costs its caller an `internal` error, and affects no other call.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use keycell::{Caller, CreateApiKey, Error, Keycell, MemoryStorage};

use crate::faults::{Edit, Fault, keycell_with};

/// An id for which a hostile component misbehaves.
const TRIGGER: &str = "ffffffff-ffff-7fff-bfff-ffffffffffff";

/// Hostile components: the statements that they run before they get the key [`TRIGGER`].
macro_rules! hostile {
    ($($test:ident: $statement:literal;)*) => {
        const HOSTILE: &[(&str, &str)] = &[$((stringify!($test), $statement)),*];

        $(#[tokio::test]
        async fn $test() {
            assert_costs_one_call(keycell_with(stringify!($test))).await;
        })*
    };
}

hostile! {
    a_trap: "core::arch::wasm32::unreachable()";
    an_endless_loop: "loop { core::hint::spin_loop() }";
    endless_calls_of_storage: "loop { let _ = super::storage::find_key(api_key_id, \"ann\"); }";
    endless_calls_of_limits:
        "loop {
            let old = super::limits::load(api_key_id);
            super::limits::compare_and_store(api_key_id, old, old + 1);
        }";
    endless_recursion:
        "fn deeper(n: u64) -> u64 {
            let place = [n; 64];
            if n == u64::MAX { 0 } else { deeper(n + 1) + core::hint::black_box(place)[3] }
        }
        if deeper(0) == 1 { core::arch::wasm32::unreachable() }";
    endless_memory: "loop { core::mem::forget(alloc::vec![1_u8; 1 << 16]); }";
    an_invalid_response:
        "return Ok(ApiKey {
            id: \"x\".into(), project_id: None, user_id: \"ann\".into(), name: \"x\".into(),
            key_prefix: \"x\".into(), last_used_at: None, expires_at: None,
            created_at: \"yesterday\".into(), updated_at: \"\".into(), scopes: alloc::vec![],
        });";
    // It fits into the component's memory, and is more than the host accepts.
    a_response_that_is_large_on_the_host:
        "let fault = |_| super::api_keys::Fault {
            field: \"x\".into(), code: \"x\".into(), message: \"x\".into(),
        };
        return Err(Error::InvalidInput((0..18_000).map(fault).collect()));";
    a_request_for_too_many_random_bytes:
        "let _ = super::bindings::wasi::random::random::get_random_bytes(1 << 40);";
    a_large_record:
        "let text = || alloc::string::String::from(\"x\");
        let _ = super::storage::insert_key(
            &KeyRecord {
                id: text(), prefix: text(), lookup: text(), hash: alloc::vec![], user_id: text(),
                project_id: None, name: text(),
                scopes: alloc::vec![alloc::string::String::new(); 60_000],
                created_at: 0, updated_at: 0, expires_at: None, last_used_at: None,
                revoked_at: None, revocation_reason: None, rotated_from: None, rotated_to: None,
                revision: 0, rate_limit: None, metadata: None,
            },
            &super::storage::EventRecord {
                id: text(), time: 0, action: super::storage::Action::Created, key_id: text(),
                user_id: text(), project_id: None, actor_user_id: text(), actor_key_id: None,
                fields: alloc::vec![],
            },
            None,
        );";
}

pub fn faults() -> Vec<Fault> {
    let fault = |&(name, statement)| Fault { name, edits: vec![Edit::before_get(statement)] };
    HOSTILE.iter().map(fault).collect()
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

/// On one thread, other calls go on while one loops.
#[tokio::test(flavor = "current_thread")]
async fn an_endless_loop_beside_other_calls() {
    let keycell = Arc::new(keycell_with("an_endless_loop"));
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
