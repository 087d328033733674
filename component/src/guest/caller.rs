//! Authentication of the caller.

use alloc::borrow::ToOwned;

use super::api_keys::Error;
use super::context::{self, InternalCause};
use super::record::stored_optional_time;
use super::{presented, storage};
use crate::access::{ActingKey, Actor};
use crate::id::ApiKeyId;
use crate::scopes;
use crate::time::Time;
use crate::user::UserId;

/// Authenticates the caller of a call that needs this scope of a bearer. The host itself has no
/// keys, so it is forbidden.
pub fn acting(now: Time, scope: &str) -> Result<Actor, Error> {
    let actor = authenticated(now)?.ok_or(Error::Forbidden)?;
    require(&actor, scope)?;
    Ok(actor)
}

/// Authenticates the caller of a revocation. `id` is the key that is revoked; `None` if the
/// argument is not an id.
pub fn revoking(now: Time, id: Option<ApiKeyId>) -> Result<Actor, Error> {
    let actor = authenticated(now)?.ok_or(Error::Forbidden)?;
    let id = id.map(ApiKeyId::to_text);
    if actor.may_call_revoke(id.as_deref()) {
        Ok(actor)
    } else {
        Err(Error::InsufficientScope(scopes::WRITE.to_owned()))
    }
}

/// Authenticates the caller of a verification. The host may verify, too.
pub fn verifying(now: Time) -> Result<(), Error> {
    authenticated(now)?.map_or(Ok(()), |actor| require(&actor, scopes::VERIFY))
}

/// Authenticates the caller. Returns `None` for the host.
pub fn authenticated(now: Time) -> Result<Option<Actor>, Error> {
    Ok(match context::get_caller() {
        context::Caller::Host => None,
        context::Caller::User(user) => {
            let id = UserId::parse(&user.id).map_err(|_| InternalCause::Caller)?;
            Some(Actor::user(id.into_text(), user.scopes, user.operator))
        }
        context::Caller::Bearer(key) => Some(bearer(&key, now)?),
    })
}

fn require(actor: &Actor, scope: &str) -> Result<(), Error> {
    if actor.may_call(scope) { Ok(()) } else { Err(Error::InsufficientScope(scope.to_owned())) }
}

/// Authenticates the holder of a key. Each refusal is the same error.
fn bearer(key: &str, now: Time) -> Result<Actor, Error> {
    let record = presented::find(key, now)?.map_err(|_| Error::Unauthenticated)?;
    storage::record_use(&record.id, now.millis());
    let expires_at = stored_optional_time(record.expires_at)?;
    let key = ActingKey { id: record.id, project_id: record.project_id, expires_at };
    Ok(Actor::key(key, record.user_id, record.scopes))
}
