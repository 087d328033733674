//! The policy of the call.

use super::api_keys::Error;
use super::context::{self, InternalCause};
use crate::policy::Policy;

/// Gets the issuer's policy.
pub fn current() -> Result<Policy, Error> {
    let policy = context::get_policy();
    Policy::parse(
        &policy.prefix,
        policy.longest_life,
        policy.default_life,
        &policy.default_scopes,
        policy.grantable_scopes.as_deref(),
    )
    .ok_or_else(|| InternalCause::Policy.into())
}
