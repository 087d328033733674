//! A store that outlives instances, and a fresh instance for each call.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use wasmtime::{
    Result, Store,
    component::{HasData, Linker, Resource, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::{
    COMPOSED,
    bindings::{
        ApiKeys, Composed, Error, ListRequest, Refusal, Subject, Verification, issue,
        keyvalue::wasi::keyvalue::{
            atomics,
            store::{self, Error as StoreError, KeyResponse},
        },
        list, list_events, rename,
    },
};

/// The page size of a listing, small enough for several pages.
const PAGE: usize = 4;

/// The only bucket of the store: `keycell`.
#[derive(Clone, Default)]
pub struct Bucket {
    entries: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    is_down: bool,
}

impl Bucket {
    fn of(caller: &str) -> Self {
        let bucket = Self::default();
        bucket.set("caller.user-id", caller);
        bucket.set("caller.scopes", "orders:read");
        bucket.set("policy.prefix", "acme");
        bucket.set("policy.default-scopes", "orders:read");
        bucket
    }

    fn set(&self, name: &str, value: &str) {
        self.entries.lock().unwrap().insert(name.to_owned(), value.as_bytes().to_vec());
    }

    /// The values of all entries, as one text.
    fn text(&self) -> String {
        self.entries.lock().unwrap().values().map(|value| String::from_utf8_lossy(value)).collect()
    }

    /// Makes an instance, calls it and drops it.
    fn call<T>(&self, call: impl FnOnce(&ApiKeys, &mut Store<Host>) -> Result<T>) -> Result<T> {
        let (engine, component) = &*COMPOSED;
        let mut linker = Linker::<Host>::new(engine);
        wasmtime_wasi::p2::add_to_linker_sync(&mut linker)?;
        store::add_to_linker::<_, Host>(&mut linker, |host| host)?;
        atomics::add_to_linker::<_, Host>(&mut linker, |host| host)?;
        let host = Host { table: ResourceTable::new(), wasi: WasiCtx::builder().build(), bucket: self.clone() };
        let mut store = Store::new(engine, host);
        let composed = Composed::instantiate(&mut store, component, &linker)?;
        call(composed.keycell_api_keys_api_keys(), &mut store)
    }
}

struct Host {
    table: ResourceTable,
    wasi: WasiCtx,
    bucket: Bucket,
}

impl HasData for Host {
    type Data<'a> = &'a mut Self;
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl store::Host for Host {
    fn open(&mut self, identifier: String) -> Result<Result<Resource<Bucket>, StoreError>> {
        match identifier.as_str() {
            "keycell" if self.bucket.is_down => Ok(Err(StoreError::Other("down".to_owned()))),
            "keycell" => Ok(Ok(self.table.push(self.bucket.clone())?)),
            _ => Ok(Err(StoreError::NoSuchStore)),
        }
    }
}

impl store::HostBucket for Host {
    fn get(&mut self, _: Resource<Bucket>, key: String) -> Result<Result<Option<Vec<u8>>, StoreError>> {
        Ok(Ok(self.bucket.entries.lock().unwrap().get(&key).cloned()))
    }

    fn set(&mut self, _: Resource<Bucket>, key: String, value: Vec<u8>) -> Result<Result<(), StoreError>> {
        self.bucket.entries.lock().unwrap().insert(key, value);
        Ok(Ok(()))
    }

    fn delete(&mut self, _: Resource<Bucket>, key: String) -> Result<Result<(), StoreError>> {
        self.bucket.entries.lock().unwrap().remove(&key);
        Ok(Ok(()))
    }

    fn exists(&mut self, _: Resource<Bucket>, key: String) -> Result<Result<bool, StoreError>> {
        Ok(Ok(self.bucket.entries.lock().unwrap().contains_key(&key)))
    }

    fn list_keys(&mut self, _: Resource<Bucket>, cursor: Option<u64>) -> Result<Result<KeyResponse, StoreError>> {
        let entries = self.bucket.entries.lock().unwrap();
        let start = cursor.unwrap_or(0) as usize;
        let keys: Vec<_> = entries.keys().skip(start).take(PAGE).cloned().collect();
        let next = start + keys.len();
        Ok(Ok(KeyResponse { keys, cursor: (next < entries.len()).then_some(next as u64) }))
    }

    fn drop(&mut self, bucket: Resource<Bucket>) -> Result<()> {
        self.table.delete(bucket)?;
        Ok(())
    }
}

impl atomics::Host for Host {
    fn increment(&mut self, _: Resource<Bucket>, key: String, delta: u64) -> Result<Result<u64, StoreError>> {
        let mut entries = self.bucket.entries.lock().unwrap();
        let count =
            entries.get(&key).map_or(0, |value| u64::from_le_bytes(value.as_slice().try_into().unwrap())) + delta;
        entries.insert(key, count.to_le_bytes().to_vec());
        Ok(Ok(count))
    }
}

#[test]
fn a_key_outlives_the_instance_that_made_it_and_its_secret_does_not() {
    let bucket = Bucket::of("ann");
    let created = bucket.call(|keys, store| keys.call_create_api_key(store, "laptop", None, None)).unwrap().unwrap();
    let read = bucket.call(|keys, store| keys.call_get_api_key(store, &created.id)).unwrap().unwrap();
    assert_eq!(read.name, "laptop");
    let verified = bucket.call(|keys, store| keys.call_verify_api_key(store, &created.key, &[])).unwrap().unwrap();
    assert!(matches!(verified, Verification::Valid(_)), "{verified:?}");
    let (_, secret) = created.key.rsplit_once('_').unwrap();
    assert!(bucket.text().contains("laptop") && !bucket.text().contains(secret));

    bucket.call(|keys, store| keys.call_revoke_api_key(store, &created.id, None, None)).unwrap().unwrap();
    let verified = bucket.call(|keys, store| keys.call_verify_api_key(store, &created.key, &[])).unwrap().unwrap();
    assert_eq!(verified, Verification::Refused(Refusal::Revoked));
}

#[test]
fn the_key_of_another_user_is_not_found() {
    let bucket = Bucket::of("ann");
    let created = bucket.call(|keys, store| keys.call_create_api_key(store, "laptop", None, None)).unwrap().unwrap();
    bucket.set("caller.user-id", "eve");
    let missing = "01a20245-4dcc-75e8-84e4-7f7412111c6a";
    for id in [created.id.as_str(), missing] {
        let not_found = Err(Error::NotFound(Subject::ApiKey));
        assert_eq!(bucket.call(|keys, store| keys.call_get_api_key(store, id)).unwrap(), not_found);
        let revoked = bucket.call(|keys, store| keys.call_revoke_api_key(store, id, None, None)).unwrap();
        assert_eq!(revoked.unwrap_err(), Error::NotFound(Subject::ApiKey));
    }
    let page = bucket.call(|keys, store| keys.call_list_api_keys(store, &list())).unwrap().unwrap();
    assert!(page.api_keys.is_empty());
}

#[test]
fn a_list_has_pages() {
    let bucket = Bucket::of("ann");
    let mut ids = Vec::new();
    for n in 0..5 {
        let name = format!("key {n}");
        let created = bucket.call(|keys, store| keys.call_create_api_key(store, &name, None, None)).unwrap().unwrap();
        ids.insert(0, created.id);
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let (mut listed, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = bucket
            .call(|keys, store| {
                let page = ListRequest { limit: Some(2), cursor: cursor.clone(), ..list() };
                keys.call_list_api_keys(store, &page)
            })
            .unwrap()
            .unwrap();
        listed.extend(page.api_keys.into_iter().map(|key| key.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(listed, ids);
}

#[test]
fn a_change_of_a_revision_that_another_call_has_claimed_is_a_conflict() {
    let bucket = Bucket::of("ann");
    let created = bucket.call(|keys, store| keys.call_create_api_key(store, "laptop", None, None)).unwrap().unwrap();
    let claimed = u64::to_le_bytes(1).to_vec();
    bucket.entries.lock().unwrap().insert(format!("claim.key.{}.1", created.id), claimed);
    let updated = bucket.call(|keys, store| keys.call_update_api_key(store, &created.id, &rename("desk"))).unwrap();
    assert_eq!(updated.unwrap_err(), Error::Conflict);
    let rotated = bucket.call(|keys, store| keys.call_rotate_api_key(store, &created.id, None, None)).unwrap();
    assert_eq!(rotated.unwrap_err(), Error::Conflict);
    bucket.call(|keys, store| keys.call_revoke_api_key(store, &created.id, None, None)).unwrap().unwrap();
}

#[test]
fn a_failing_store_is_a_trap() {
    let bucket = Bucket::of("ann");
    let created = bucket.call(|keys, store| keys.call_create_api_key(store, "laptop", None, None)).unwrap().unwrap();
    let down = Bucket { is_down: true, ..bucket };
    // `get-caller` has no error, so the call ends with a trap.
    assert!(down.call(|keys, store| keys.call_verify_api_key(store, &created.key, &[])).is_err());
}

#[test]
fn every_change_has_its_event() {
    let bucket = Bucket::of("ann");
    let created = bucket.call(|keys, store| keys.call_create_api_key(store, "laptop", None, None)).unwrap().unwrap();
    bucket.call(|keys, store| keys.call_update_api_key(store, &created.id, &rename("desk"))).unwrap().unwrap();
    bucket.call(|keys, store| keys.call_revoke_api_key(store, &created.id, None, None)).unwrap().unwrap();
    let page = bucket.call(|keys, store| keys.call_list_events(store, &list_events())).unwrap().unwrap();
    let mut actions: Vec<_> = page.events.iter().map(|event| (event.action.as_str(), event.fields.clone())).collect();
    // Some may have the same millisecond. Then their order is not defined.
    actions.sort_unstable();
    let fields = |fields: &[&str]| fields.iter().map(|&field| field.to_owned()).collect::<Vec<_>>();
    let expected = [
        ("created", fields(&["name", "scopes"])),
        ("revoked", fields(&["revoked_at"])),
        ("updated", fields(&["name"])),
    ];
    assert_eq!(actions, expected);
}

#[test]
fn a_repeated_issuing_gives_the_same_key_a_new_secret() {
    let bucket = Bucket::of("ann");
    let issue = || bucket.call(|keys, store| keys.call_issue_api_key(store, &issue("first"))).unwrap();
    let [first, second] = [issue().unwrap(), issue().unwrap()];
    assert_eq!((&first.details.id, second.details.revision), (&second.details.id, 1));
    let verify = |key: &str| bucket.call(|keys, store| keys.call_verify_api_key(store, key, &[])).unwrap().unwrap();
    assert_eq!(verify(&first.key), Verification::Refused(Refusal::Unknown));
    assert!(matches!(verify(&second.key), Verification::Valid(_)));
    assert_eq!(issue().unwrap_err(), Error::Conflict);
}

#[test]
fn a_rate_limit_is_counted_over_instances() {
    let bucket = Bucket::of("ann");
    let issued = bucket.call(|keys, store| keys.call_issue_api_key(store, &issue("first"))).unwrap().unwrap();
    let verify = || bucket.call(|keys, store| keys.call_verify_api_key(store, &issued.key, &[])).unwrap().unwrap();
    for remaining in [1, 0] {
        match verify() {
            Verification::Valid(key) => assert_eq!(key.rate_limit.unwrap().remaining, remaining),
            refused @ Verification::Refused(_) => panic!("{refused:?}"),
        }
    }
    assert!(matches!(verify(), Verification::Refused(Refusal::RateLimited(_))));
}

#[test]
fn without_a_user_the_caller_is_the_host_which_verifies_and_does_nothing_else() {
    let bucket = Bucket::of("ann");
    let created = bucket.call(|keys, store| keys.call_create_api_key(store, "laptop", None, None)).unwrap().unwrap();
    bucket.entries.lock().unwrap().remove("caller.user-id");
    let verified = bucket.call(|keys, store| keys.call_verify_api_key(store, &created.key, &[])).unwrap().unwrap();
    assert!(matches!(verified, Verification::Valid(_)));
    let got = bucket.call(|keys, store| keys.call_get_api_key(store, &created.id)).unwrap();
    assert_eq!(got.unwrap_err(), Error::Forbidden);
}
