//! No call can read what an earlier call left in its memory, on the synchronous path and on the
//! asynchronous one, where instances are made ahead.

use keycell::{Caller, Error, Keycell, Storage, Subject, bench::get_on_one_instance};

use crate::{
    faults::{Edit, Fault, keycell_on, keycell_with},
    slow_storage::SlowStorage,
};

/// A key that does not exist, for which storage is asked.
const MISSING: &str = "00000000-0000-7000-8000-000000000000";
/// The keys for which a component fills its memory with a pattern, and reads all of it.
const FILL: &str = "ffffffff-ffff-7fff-bfff-ffffffffffff";
const READ: &str = "ffffffff-ffff-7fff-bfff-000000000000";

/// Leaves a value, and traps if it was left before.
const LEAVES_A_VALUE: &str = "
    static LEFT: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);
    if LEFT.swap(7, core::sync::atomic::Ordering::Relaxed) != 0 { core::arch::wasm32::unreachable() }";

/// Takes all memory that a call can have. To fill it, writes a pattern wherever this call keeps
/// nothing. To read it, counts the words with the pattern and the others that are not zero beyond
/// the heap, where this call has not written, and computes a checksum (FNV-1a) of all words.
const FILLS_OR_READS: &str = "
    const PATTERN: u64 = 0xa5c3_96f0_1e2d_4b78;
    const END: usize = 2 << 20;
    let pages = END / (64 << 10) - core::arch::wasm32::memory_size::<0>();
    core::arch::wasm32::memory_grow::<0>(pages);
    let heap_end = (alloc::vec![0_u8].as_ptr().addr() + 8) / 8 * 8;
    if api_key_id.ends_with(\"f\") {
        // The stack grows down from its end, and the frames of this call are at most 4 KiB.
        let frames = (&raw const pages).addr() / 8 * 8 - 4096;
        for at in (8..frames).chain(heap_end..END).step_by(8) {
            unsafe { (at as *mut u64).write_volatile(PATTERN) };
        }
        let text = |text: &str| alloc::string::String::from(text);
        return Ok(ApiKey {
            id: text(api_key_id), project_id: None, user_id: text(\"ann\"), name: text(\"filled\"),
            key_prefix: text(\"x\"), last_used_at: None, expires_at: None,
            created_at: text(\"2026-01-01T00:00:00.000Z\"),
            updated_at: text(\"2026-01-01T00:00:00.000Z\"), scopes: alloc::vec![],
        });
    }
    let (mut with_pattern, mut not_zero, mut checksum) = (0_u32, 0_u32, 0xcbf2_9ce4_8422_2325_u64);
    for at in (8..END).step_by(8) {
        let word = unsafe { (at as *const u64).read_volatile() };
        with_pattern += u32::from(word == PATTERN);
        not_zero += u32::from(word != 0 && word != PATTERN && at >= heap_end);
        checksum = (checksum ^ word).wrapping_mul(0x100_0000_01b3);
    }
    return Err(Error::InsufficientScope(alloc::format!(\"{with_pattern} {not_zero} {checksum:x}\")));";

pub fn faults() -> Vec<Fault> {
    [("leaves_a_value", LEAVES_A_VALUE), ("fills_or_reads_its_memory", FILLS_OR_READS)]
        .map(|(name, statement)| Fault { name, edits: vec![Edit::before_get(statement)] })
        .into()
}

/// The state of a component's memory.
#[derive(Debug, PartialEq)]
struct Memory {
    with_pattern: usize,
    not_zero: usize,
    checksum: String,
}

impl Memory {
    async fn read<S: Storage>(keycell: &Keycell<S>) -> Self {
        Self::from(keycell.get_api_key(&Caller::user("ann"), READ).await.unwrap_err())
    }
}

impl From<Error> for Memory {
    fn from(error: Error) -> Self {
        let Error::InsufficientScope { scope } = error else { panic!("{error:?}") };
        let mut parts = scope.split(' ');
        let mut next = || parts.next().unwrap();
        Self { with_pattern: next().parse().unwrap(), not_zero: next().parse().unwrap(), checksum: next().to_owned() }
    }
}

#[tokio::test]
async fn a_value_that_is_left_for_the_next_call() {
    finds_no_value(&keycell_with("leaves_a_value")).await;
}

#[tokio::test]
async fn a_value_that_is_left_while_calls_wait() {
    finds_no_value(&keycell_on(SlowStorage::new(false), "leaves_a_value")).await;
}

async fn finds_no_value<S: Storage>(keycell: &Keycell<S>) {
    let ann = Caller::user("ann");
    for _ in 0..200 {
        let error = keycell.get_api_key(&ann, FILL).await.unwrap_err();
        assert_eq!(error, Error::NotFound { subject: Subject::ApiKey });
    }
}

// Each authority has a component that is compiled by itself, so that memory also passes from one
// component to another.
#[tokio::test]
async fn a_pattern_that_fills_the_memory() {
    finds_no_pattern(["fills_or_reads_its_memory"; 2].map(keycell_with)).await;
}

#[tokio::test]
async fn a_pattern_that_fills_the_memory_while_calls_wait() {
    finds_no_pattern(["fills_or_reads_its_memory"; 2].map(|fault| keycell_on(SlowStorage::new(false), fault))).await;
}

async fn finds_no_pattern<S: Storage>([one, other]: [Keycell<S>; 2]) {
    let ann = Caller::user("ann");
    let initial = Memory::read(&one).await;
    assert_eq!((initial.with_pattern, initial.not_zero), (0, 0));
    for _ in 0..50 {
        for keycell in [&one, &other] {
            assert_eq!(one.get_api_key(&ann, FILL).await.unwrap().name, "filled");
            // If it waits for storage, this makes the instance of the next call in that memory.
            assert!(keycell.get_api_key(&ann, MISSING).await.is_err());
            assert_eq!(Memory::read(keycell).await, initial);
        }
    }
}

/// The test above can fail: in the same instance, the pattern is found.
#[tokio::test]
async fn a_pattern_that_fills_the_memory_of_the_same_instance() {
    let keycell = keycell_with("fills_or_reads_its_memory");
    let error = get_on_one_instance(&keycell, &Caller::user("ann"), [FILL, READ]).await.unwrap_err();
    let memory = Memory::from(error);
    assert!(memory.with_pattern > (1 << 20) / 8, "{memory:?}");
}
