//! `describe-caller`.

use alloc::borrow::ToOwned;

use super::api_keys::{CallerDetails, Error};
use super::{caller, imports, policy};
use crate::scopes;
use crate::time::Time;

pub fn describe_caller() -> Result<CallerDetails, Error> {
    let actor = caller::authenticated(imports::now()?)?.ok_or(Error::Forbidden)?;
    let policy = policy::current()?;
    let key = actor.acting_key();
    Ok(CallerDetails {
        user_id: actor.user_id().to_owned(),
        api_key_id: key.map(|key| key.id.clone()),
        project_id: key.and_then(|key| key.project_id.clone()),
        expires_at: actor.expires_at().map(Time::to_rfc3339),
        operator: actor.is_operator(),
        scopes: actor.key_scopes().to_owned(),
        grantable_scopes: scopes::grantable(policy.grantable_scopes(), |scope| actor.may_grant(scope)),
    })
}
