//! The world `keycell`: its imports, its exports, and the conversions between them and the rules.

use alloc::{string::String, vec::Vec};

mod allocator;
mod caller;
mod change;
mod describe_caller;
mod events;
mod fault;
mod find;
mod get;
mod imports;
mod issue;
mod list;
mod mint;
mod policy;
mod presented;
mod project;
mod record;
mod revoke;
mod rotate;
mod update;
mod verify;

#[allow(missing_docs, unsafe_code, reason = "generated")]
mod bindings {
    wit_bindgen::generate!({
        world: "keycell",
        path: "wit",
        additional_derives: [PartialEq],
        generate_all,
    });
    use super::Guest;
    export!(Guest);
}

use bindings::exports::keycell::api_keys::api_keys;
use bindings::keycell::api_keys::{context, limits, storage};

use api_keys::{
    ApiKey, ApiKeyChanges, ApiKeyDetails, ApiKeyPage, CallerDetails, CreatedApiKey, Error, EventPage, EventRequest,
    IssueRequest, IssuedApiKey, ListRequest, ProjectAccess, ProjectAction, Verification,
};

#[global_allocator]
static ALLOCATOR: allocator::Bump = allocator::Bump;

/// The version of the component, as a custom section that `wasm-tools metadata` reads.
#[allow(unsafe_code)]
// SAFETY: custom sections of this name hold text.
#[unsafe(link_section = "version")]
#[used]
static VERSION: [u8; env!("CARGO_PKG_VERSION").len()] = {
    let mut bytes = [0; _];
    bytes.copy_from_slice(env!("CARGO_PKG_VERSION").as_bytes());
    bytes
};

/// Traps. There is no import that could take the message.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Guest;

impl api_keys::Guest for Guest {
    fn describe_caller() -> Result<CallerDetails, Error> {
        describe_caller::describe_caller()
    }

    fn create_api_key(
        name: String,
        project_reference: Option<String>,
        expires_at: Option<String>,
    ) -> Result<CreatedApiKey, Error> {
        issue::create_api_key(name, project_reference, expires_at)
    }

    fn issue_api_key(request: IssueRequest) -> Result<IssuedApiKey, Error> {
        issue::issue_api_key(request)
    }

    fn get_api_key(api_key_id: String) -> Result<ApiKey, Error> {
        get::get_api_key(&api_key_id)
    }

    fn describe_api_key(api_key_id: String) -> Result<ApiKeyDetails, Error> {
        get::describe_api_key(&api_key_id)
    }

    fn verify_api_key(key: String, scopes: Vec<String>) -> Result<Verification, Error> {
        verify::verify_api_key(&key, &scopes)
    }

    fn list_api_keys(request: ListRequest) -> Result<ApiKeyPage, Error> {
        list::list_api_keys(&request)
    }

    fn revoke_api_key(
        api_key_id: String,
        reason: Option<String>,
        if_revision: Option<u32>,
    ) -> Result<ApiKeyDetails, Error> {
        revoke::revoke_api_key(&api_key_id, reason.as_deref(), if_revision)
    }

    fn rotate_api_key(
        api_key_id: String,
        grace_seconds: Option<u32>,
        if_revision: Option<u32>,
    ) -> Result<CreatedApiKey, Error> {
        rotate::rotate_api_key(&api_key_id, grace_seconds.unwrap_or(0), if_revision)
    }

    fn update_api_key(api_key_id: String, changes: ApiKeyChanges) -> Result<ApiKeyDetails, Error> {
        update::update_api_key(&api_key_id, &changes)
    }

    fn list_events(request: EventRequest) -> Result<EventPage, Error> {
        events::list_events(&request)
    }

    fn authorize_project(action: ProjectAction, project_reference: Option<String>) -> Result<ProjectAccess, Error> {
        project::authorize_project(action, project_reference.as_deref())
    }
}
