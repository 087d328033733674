//! The storage matrix: a test for each guarantee of [`Storage`](keycell::Storage) and
//! [`ProjectStorage`].
//!
//! [`storage_tests!`](crate::storage_tests) makes one `#[test]` of each case. [`CASES`] and [`run`]
//! are for other test harnesses, and for storages that cannot give every guarantee.
//!
//! ```
//! use keycell::MemoryStorage;
//! use keycell_conformance::storage;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! for case in storage::CASES {
//!     storage::run(case, MemoryStorage::default()).await;
//! }
//! # }
//! ```

mod changes;
mod events;
mod keys;
mod lists;
mod projects;
mod races;
mod requests;
mod samples;
mod uses;

use std::{fmt, future::Future, pin::Pin};

use keycell::{AnyStorage, ProjectStorage};

/// A test of one guarantee of the storage contract.
pub struct StorageCase {
    name: &'static str,
    run: fn(AnyStorage) -> Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl StorageCase {
    /// The guarantee, as an identifier such as `an_update_of_an_older_revision_is_a_conflict`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }
}

impl fmt::Debug for StorageCase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StorageCase").field(&self.name).finish()
    }
}

/// Every case.
pub static CASES: &[StorageCase] = crate::__storage_cases! { (@list) };

/// Runs a case on an empty storage.
///
/// # Panics
///
/// The storage does not give the guarantee.
pub async fn run(case: &StorageCase, storage: impl ProjectStorage) {
    (case.run)(AnyStorage::new(storage)).await;
}

/// Runs the case of this name on the storage that `open` returns, in a multi-threaded runtime of
/// its own. The first half of the pair, such as a temporary directory, is dropped after the storage.
///
/// # Panics
///
/// There is no such case, or the storage does not give the guarantee.
pub fn test<G, S: ProjectStorage>(name: &str, open: impl AsyncFnOnce() -> (G, S)) {
    let case = CASES.iter().find(|case| case.name == name).expect("the case must be one of CASES");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("a runtime must start").block_on(async {
        let (guard, storage) = open().await;
        run(case, storage).await;
        drop(guard);
    });
}

/// Declares a `#[test]` for each case of the [storage matrix](crate::storage).
///
/// The argument is an async closure that opens an empty storage. It returns the storage and a value
/// that must live as long, such as a temporary directory.
///
/// ```
/// mod memory {
///     use keycell::MemoryStorage;
///
///     keycell_conformance::storage_tests!(async || ((), MemoryStorage::default()));
/// }
/// ```
#[macro_export]
macro_rules! storage_tests {
    (@list $($module:ident :: $name:ident)*) => {
        &[$(StorageCase { name: stringify!($name), run: |storage| Box::pin($module::$name(storage)) }),*]
    };
    (@test [$open:expr] $($module:ident :: $name:ident)*) => {
        $(#[test]
        fn $name() {
            $crate::storage::test(stringify!($name), $open);
        })*
    };
    ($open:expr) => {
        $crate::__storage_cases! { (@test [$open]) }
    };
}

/// Calls `storage_tests!` with the name of every case.
#[doc(hidden)]
#[macro_export]
macro_rules! __storage_cases {
    (($($arguments:tt)*)) => {
        $crate::storage_tests! { $($arguments)*
            keys::a_key_comes_back_as_it_was_stored
            keys::a_missing_key_is_none
            keys::a_taken_id_is_a_conflict_and_stores_nothing
            keys::a_taken_lookup_is_a_conflict_and_stores_nothing
            keys::texts_are_compared_byte_by_byte
            keys::a_key_is_found_with_the_role_of_the_viewer
            requests::a_request_comes_back_as_it_was_stored
            requests::a_request_ends_when_it_expires
            requests::a_taken_idempotency_key_is_a_conflict_and_stores_nothing
            requests::an_idempotency_key_is_free_again_when_it_expires
            requests::an_idempotency_key_belongs_to_one_user
            requests::a_refused_key_leaves_no_request
            lists::every_filter_of_keys_lists_what_it_says_on_every_page
            lists::a_deep_list_of_keys_has_each_key_once
            lists::a_list_follows_changes_of_status
            events::an_event_comes_back_as_it_was_stored
            events::every_filter_of_events_lists_what_it_says_on_every_page
            events::a_taken_event_id_is_a_conflict_and_changes_nothing
            changes::an_update_changes_only_the_mutable_fields
            changes::an_update_sets_and_removes_each_optional_field
            changes::an_update_of_an_older_revision_is_a_conflict
            changes::an_update_of_a_missing_key_is_a_conflict
            changes::a_rotation_stores_both_records_and_both_events
            changes::a_rotation_in_conflict_changes_nothing
            changes::a_replaced_secret_voids_the_earlier_one
            changes::a_replacement_of_a_secret_in_conflict_changes_nothing
            uses::a_use_is_visible_at_once_and_moves_only_forward
            uses::a_use_is_no_change_of_the_record
            uses::a_used_key_keeps_its_secret
            uses::a_use_of_a_missing_key_is_ignored
            projects::a_project_is_found_with_the_role_of_the_user
            projects::a_taken_slug_or_id_is_a_conflict_and_adds_no_member
            projects::projects_are_listed_by_slug
            projects::a_member_is_added_changed_and_removed
            projects::a_missing_project_has_no_members
            projects::an_open_storage_is_ready
            races::one_of_many_inserts_of_a_lookup_wins
            races::one_of_many_inserts_of_an_idempotency_key_wins
            races::one_of_many_updates_of_a_revision_wins
            races::one_of_many_rotations_of_a_key_wins
            races::one_of_many_replacements_of_a_secret_wins
            races::different_keys_are_written_side_by_side
        }
    };
}
