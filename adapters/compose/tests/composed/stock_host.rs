//! wasmtime with its own WASI and its own key-value store. Each opened bucket is a copy of the
//! initial entries, so one instance makes every call here.

use wasmtime::{
    Store,
    component::{Linker, ResourceTable},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_keyvalue::{WasiKeyValue, WasiKeyValueCtx, WasiKeyValueCtxBuilder};

use crate::{
    COMPOSED,
    bindings::{Composed, Error, KeyStatus, ListRequest, Refusal, Subject, Verification, list, list_events, rename},
};

const PROJECT: &str = "6dc65fac-891c-4425-a2af-128e558ded76";

/// Entries that make ann the caller, and a member of a project.
const ANN: &[(&str, &str)] = &[
    ("caller.user-id", "ann"),
    ("caller.scopes", "orders:read orders:write"),
    ("policy.prefix", "acme"),
    ("policy.default-scopes", "orders:read"),
    ("slug.web", PROJECT),
    ("project.6dc65fac-891c-4425-a2af-128e558ded76", "ann"),
];

struct Host {
    table: ResourceTable,
    wasi: WasiCtx,
    keyvalue: WasiKeyValueCtx,
}

impl WasiView for Host {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// An instance on a host whose store starts with these entries.
fn instance<'a>(entries: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> (Store<Host>, Composed) {
    let (engine, component) = &*COMPOSED;
    let mut linker = Linker::<Host>::new(engine);
    wasmtime_wasi::p2::add_to_linker_sync(&mut linker).unwrap();
    wasmtime_wasi_keyvalue::add_to_linker(&mut linker, |host: &mut Host| {
        WasiKeyValue::new(&host.keyvalue, &mut host.table)
    })
    .unwrap();
    let keyvalue = WasiKeyValueCtxBuilder::new().in_memory_data(entries.into_iter().copied()).build();
    let host = Host { table: ResourceTable::new(), wasi: WasiCtx::builder().build(), keyvalue };
    let mut store = Store::new(engine, host);
    let composed = Composed::instantiate(&mut store, component, &linker).unwrap();
    (store, composed)
}

#[test]
fn a_key_is_created_read_used_changed_rotated_listed_and_revoked() {
    let (mut store, composed) = instance(ANN);
    let api_keys = composed.keycell_api_keys_api_keys();

    let created = api_keys.call_create_api_key(&mut store, "laptop", Some("web"), None).unwrap().unwrap();
    assert!(created.key.starts_with("acme_"), "{created:?}");
    assert_eq!((created.user_id.as_str(), created.project_id.as_deref()), ("ann", Some(PROJECT)));
    assert_eq!(created.scopes, ["orders:read"]);
    let read = api_keys.call_get_api_key(&mut store, &created.id).unwrap().unwrap();
    assert_eq!((read.name.as_str(), &read.key_prefix, &read.last_used_at), ("laptop", &created.key_prefix, &None));

    let needed = ["orders:read".to_owned()];
    match api_keys.call_verify_api_key(&mut store, &created.key, &needed).unwrap().unwrap() {
        Verification::Valid(key) => assert_eq!((key.id, key.user_id), (created.id.clone(), "ann".to_owned())),
        refused => panic!("{refused:?}"),
    }
    let used = api_keys.call_get_api_key(&mut store, &created.id).unwrap().unwrap();
    assert!(used.last_used_at.is_some());
    assert_eq!(used.updated_at, created.created_at);

    let renamed = api_keys.call_update_api_key(&mut store, &created.id, &rename("desk")).unwrap().unwrap();
    assert_eq!((renamed.name.as_str(), renamed.status), ("desk", KeyStatus::Active));

    let replacement = api_keys.call_rotate_api_key(&mut store, &created.id, Some(60), None).unwrap().unwrap();
    assert_eq!(replacement.name, "desk");
    let again = api_keys.call_rotate_api_key(&mut store, &created.id, None, None).unwrap();
    assert_eq!(again.unwrap_err(), Error::NotActive);

    let in_web = ListRequest { project_reference: Some("web".to_owned()), ..list() };
    let page = api_keys.call_list_api_keys(&mut store, &in_web).unwrap().unwrap();
    // Both may have the same millisecond. Then their order is not defined.
    let listed = |id: &str| page.api_keys.iter().find(|key| key.id == id).unwrap();
    assert_eq!(page.api_keys.len(), 2);
    assert_eq!(listed(&replacement.id).rotated_from.as_ref(), Some(&created.id));
    assert_eq!(listed(&created.id).rotated_to.as_ref(), Some(&replacement.id));

    for (key, id) in [(&created.key, &created.id), (&replacement.key, &replacement.id)] {
        let good = api_keys.call_verify_api_key(&mut store, key, &[]).unwrap().unwrap();
        assert!(matches!(good, Verification::Valid(_)), "{good:?}");
        let revoked =
            api_keys.call_revoke_api_key(&mut store, id, Some("left in a screenshot"), None).unwrap().unwrap();
        assert_eq!((revoked.status, revoked.revoked_at.is_some()), (KeyStatus::Revoked, true));
        let refused = api_keys.call_verify_api_key(&mut store, key, &[]).unwrap().unwrap();
        assert_eq!(refused, Verification::Refused(Refusal::Revoked));
    }
    let events = api_keys.call_list_events(&mut store, &list_events()).unwrap().unwrap().events;
    assert_eq!(events.len(), 6);
}

#[test]
fn nothing_is_found_for_a_stranger() {
    let (mut store, composed) = instance(&[("caller.user-id", "eve"), ("policy.prefix", "acme"), ANN[4], ANN[5]]);
    let api_keys = composed.keycell_api_keys_api_keys();
    let id = "01a20245-4dcc-75e8-84e4-7f7412111c6a";
    assert_eq!(api_keys.call_get_api_key(&mut store, id).unwrap(), Err(Error::NotFound(Subject::ApiKey)));
    let in_web = api_keys.call_create_api_key(&mut store, "mine", Some("web"), None).unwrap();
    assert_eq!(in_web, Err(Error::NotFound(Subject::Project)));
}

#[test]
fn without_a_caller_no_key_is_made() {
    let (mut store, composed) = instance(&[("policy.prefix", "acme")]);
    let called = composed.keycell_api_keys_api_keys().call_create_api_key(&mut store, "laptop", None, None);
    assert_eq!(called.unwrap().unwrap_err(), Error::Forbidden);
}

#[test]
fn without_a_policy_no_key_is_made() {
    let (mut store, composed) = instance(&[("caller.user-id", "ann")]);
    let called = composed.keycell_api_keys_api_keys().call_create_api_key(&mut store, "laptop", None, None);
    assert!(called.is_err(), "{called:?}");
}
