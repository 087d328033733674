//! Components that break one rule each, and the case that each of them must fail.
//!
//! The control is the same component without a fault: it must pass every case that is named here.

use std::sync::LazyLock;

use keycell::MemoryStorage;
use keycell_conformance::{Case, cases, run};

use crate::faults::{Edit, Fault, component_with, control};

/// The cases whose names begin with one of these texts.
fn named(prefixes: &[&str]) -> Vec<&'static Case> {
    static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| cases().unwrap());
    for prefix in prefixes {
        assert!(CASES.iter().any(|case| case.name.starts_with(prefix)), "there is no case {prefix:?}");
    }
    CASES.iter().filter(|case| prefixes.iter().any(|prefix| case.name.starts_with(prefix))).collect()
}

async fn assert_caught_by(case_name: &str, fault: &str) {
    let component = component_with(fault);
    let mut is_caught = false;
    for case in named(&[case_name]) {
        if let Err(difference) = run(case, &component, MemoryStorage::default()).await.result {
            is_caught = true;
            // A component that does not run at all breaks every rule, which proves nothing.
            assert!(difference.starts_with("step "), "{difference}");
            assert!(!difference.contains("internal error"), "{difference}");
        }
    }
    assert!(is_caught, "{fault} passes {case_name:?}");
}

macro_rules! caught {
    ($($test:ident: $file:literal, $($original:literal => $replacement:literal,)+ by $case:literal;)*) => {
        pub fn faults() -> Vec<Fault> {
            vec![$(Fault {
                name: stringify!($test),
                edits: vec![$(Edit {
                    file: $file,
                    original: $original,
                    replacement: $replacement.to_owned(),
                }),+],
            }),*]
        }

        $(#[tokio::test]
        async fn $test() {
            assert_caught_by($case, stringify!($test)).await;
        })*

        #[tokio::test]
        async fn the_control_passes_every_case_that_catches_another() {
            let component = control();
            for case in named(&[$($case),*]) {
                let outcome = run(case, &component, MemoryStorage::default()).await;
                assert_eq!(outcome.result, Ok(()), "{}", outcome.name);
            }
        }
    };
}

// Keys
caught! {
    keeps_the_secret_in_place_of_its_hash: "key.rs",
        "KeyHash(Sha256::digest(self.text.as_bytes()).into())" =>
        "KeyHash(core::array::from_fn(|at| self.text.as_bytes()[self.text.len() - 38 + at]))",
        by "key: at rest there is only the SHA-256 of the whole key";
    uses_a_constant_for_random: "guest/imports.rs",
        "random::get_random_bytes(out.len() as u64)" => "alloc::vec![7; out.len()]",
        by "key: two keys are never the same";
    drops_the_checksum: "key.rs",
        "base62::six_digits(crc32_iso_hdlc(body))" => "base62::six_digits(body.len() as u32 - body.len() as u32)",
        by "key: the checksum is CRC-32";
    favours_the_first_digits: "base62.rs",
        "byte < 248" => "byte < 255",
        by "key: the checksum is CRC-32";
    shows_a_part_of_the_secret: "key.rs",
        "text.push_str(lookup)" => "text.push_str(lookup); text.push_str(\"_0\")",
        by "key: a key has the pattern of its issuer's prefix";
    asks_storage_for_a_key_with_a_wrong_checksum: "key.rs",
        "!has_form(bytes) || !has_right_checksum(bytes)" => "!has_form(bytes)",
        by "verify: a key with a wrong checksum is malformed, and storage is not called";

    // Fields
    ignores_an_expiry_in_the_past: "expiry.rs",
        "expiry > now" => "true",
        by "expiry: an expiry at or before now is refused";
    ignores_the_longest_life: "expiry.rs",
        "is_past(latest_by_policy)" => "false",
        by "expiry: an expiry past the policy's longest life is refused";
    ignores_the_default_life: "expiry.rs",
        "limits.default_life.map(|life| now.plus(life))" => "limits.default_life.and_then(|_| None)",
        by "issue: an expiry that is left out is the earliest of";
    stores_names_as_they_come: "name.rs",
        "nfc::nfc(text)" => "text.to_owned()",
        by "name: a name is stored in NFC";
    accepts_invisible_names: "name.rs",
        "!text.chars().any(is_visible)" => "text.is_empty()",
        by "name: a name without a visible character is refused";
    accepts_tag_characters: "name.rs",
        "text.chars().any(is_forbidden)" =>
        "text.chars().any(|c| is_forbidden(c) && !('\\u{E0000}'..='\\u{E007F}').contains(&c))",
        by "name: a tag character is refused anywhere in a name";
    accepts_the_beginning_of_a_key_in_a_name: "name.rs",
        "key::holds_part_of_key(text)" => "key::holds_key(text)",
        by "name: a name that holds the beginning of a key is refused";
    returns_the_first_fault_only: "guest/fault.rs",
        "Self::InvalidInput(returned)" => "returned.truncate(1); Self::InvalidInput(returned)",
        by "errors: all faults of the arguments are returned";
    bounds_no_argument: "argument.rs",
        "text.len() > MAX_LEN" => "text.len() > 2 * MAX_LEN",
        by "issue: an argument of more than 65536 bytes is too long";
    counts_the_texts_of_a_list_alone: "argument.rs",
        "ITEM_LEN + item.len()" => "item.len()",
        by "issue: an argument of more than 65536 bytes is too long";
    accepts_metadata_that_is_not_an_object: "metadata.rs",
        "!self.text.starts_with('{')" => "false",
        by "metadata: JSON that is not an object is refused";
    accepts_long_metadata: "metadata.rs",
        "value.len() > MAX_BYTES" => "value.len() > 5000",
        "self.out.text.len() > MAX_BYTES" => "self.out.text.len() > 5000",
        by "metadata: longer metadata is refused";
    accepts_deep_metadata: "metadata.rs",
        "level > MAX_LEVELS" => "level > 9",
        by "metadata: metadata of more than 8 levels is refused";
    accepts_members_of_one_name: "metadata.rs",
        "!sorted_set::insert(names, name)" => "!sorted_set::insert(names, name) && false",
        by "metadata: an object with two members of one name is refused";
    accepts_the_number_1e308: "metadata.rs",
        "exponent >= MAX_EXPONENT" => "exponent > MAX_EXPONENT",
        by "metadata: a number of 1e308 or more in magnitude is refused";
    accepts_a_key_in_metadata: "metadata.rs",
        "key::holds_key(&value)" => "false",
        by "metadata: a key in metadata is refused";
    accepts_a_limit_out_of_range: "rate_limit.rs",
        "(1..=MAX_WINDOW_SECONDS).contains(&window_seconds)" => "window_seconds > 0",
        by "issue: a rate limit that is out of range is refused";
    accepts_more_requests_than_the_maximum: "rate_limit.rs",
        "(1..=MAX_REQUESTS).contains(&requests)" => "requests > 0",
        by "issue: a rate limit that is out of range is refused";

    // Callers
    takes_a_key_by_its_public_part_alone: "guest/presented.rs",
        "record.filter(|_| is_equal)" => "record.filter(|_| is_equal || true)",
        by "bearers: the public part of a key with another secret is refused";
    tells_why_a_bearer_is_refused: "guest/caller.rs",
        "Error::Unauthenticated" => "Error::Forbidden",
        by "bearers: the reason of a refusal is not given";
    checks_the_arguments_before_the_caller: "guest/get.rs",
        "caller::acting(now, scopes::READ)?" =>
        "if ApiKeyId::parse(api_key_id).is_err() { return Err(Error::InvalidInput(alloc::vec![])); }
         caller::acting(now, scopes::READ)?",
        by "bearers: authentication comes before the arguments";
    needs_no_scope: "access.rs",
        "self.key.is_none() || self.is_operator || self.holds(scope)" => "!scope.is_empty()",
        by "bearers: a key that lacks the scope that a call needs may not make it";
    asks_users_for_scopes: "access.rs",
        "self.key.is_none() || self.is_operator || self.holds(scope)" => "self.is_operator || self.holds(scope)",
        by "bearers: a user needs no scope";
    lets_a_key_revoke_others_without_a_scope: "access.rs",
        "is_own || self.may_call(scopes::WRITE)" => "is_own || self.may_call(scopes::WRITE) || api_key_id.is_some()",
        by "bearers: a key may revoke itself without a scope";
    lets_the_host_act: "guest/caller.rs",
        "let actor = authenticated(now)?.ok_or(Error::Forbidden)?;\n    require(&actor, scope)?;\n    Ok(actor)" =>
        "let host = || Actor::user(\"host\".to_owned(), alloc::vec![], true);
         let actor = authenticated(now)?.unwrap_or_else(host);
         require(&actor, scope)?;
         Ok(actor)",
        by "bearers: the host may verify keys and do nothing else";
    records_no_use_of_a_bearer: "guest/caller.rs",
        "storage::record_use(&record.id, now.millis())" => "()",
        by "bearers: a call with a key is a use of that key";
    accepts_any_user_id: "user.rs",
        "text.chars().any(char::is_control)" => "false",
        by "bearers: an invalid user id of the host is an internal error";
    accepts_a_key_as_a_user_id: "user.rs",
        "key::holds_form_of_key(text)" => "false",
        by "bearers: an invalid user id of the host is an internal error";
    accepts_a_mistyped_key_as_an_owner: "user.rs",
        "key::holds_form_of_key(text)" => "key::holds_key(text)",
        by "issue: an owner that is not a user id is refused";
    says_that_a_caller_may_grant_every_scope: "guest/describe_caller.rs",
        "actor.may_grant(scope)" => "!scope.is_empty()",
        by "bearers: describe_caller returns what a user may do";
    says_that_no_key_is_an_operator: "guest/describe_caller.rs",
        "actor.is_operator()" => "actor.is_operator() && key.is_none()",
        by "bearers: describe_caller returns what a key may do";
    verifies_for_a_key_without_the_scope: "guest/caller.rs",
        "authenticated(now)?.map_or(Ok(()), |actor| require(&actor, scopes::VERIFY))" =>
        "authenticated(now).map(|_| ())",
        by "bearers: a key that lacks the scope that a call needs may not make it";

    // Access
    tells_a_hidden_key_from_a_missing_one: "guest/find.rs",
        "storage::Error::NotFound.into()" => "Error::Forbidden",
        by "access: a key that the caller may not see is as missing";
    shows_keys_to_strangers: "access.rs",
        "self.is_operator || self.user_id == user_id" => "self.is_operator || !user_id.is_empty()",
        by "access: a key that the caller may not see is as missing";
    lets_a_project_s_key_out_of_its_project: "access.rs",
        "bound == project_id" => "bound != \"\"",
        by "access: a project that the calling key may not create for is as missing";
    lets_a_project_s_key_see_its_user_s_other_keys: "access.rs",
        "project_id == Some(bound)" => "project_id != Some(\"\") || bound == \"\"",
        by "bearers: every other key is missing for a key bound to a project";
    makes_a_project_s_key_a_project_admin: "access.rs",
        "self.bound_project().is_none() && role == Some(Role::Admin)" => "role == Some(Role::Admin)",
        by "bearers: a key bound to a project is no project admin";
    makes_every_member_a_project_admin: "access.rs",
        "self.bound_project().is_none() && role == Some(Role::Admin)" => "self.bound_project().is_none() && role.is_some()",
        by "operators: every key outside the project is missing for a project admin, and every key of others for a member";
    lets_a_project_admin_update: "guest/update.rs",
        "!actor.acts_for(&before.user_id)" => "before.user_id.is_empty()",
        by "operators: a project admin rotates and updates no key of another user";
    lets_any_user_name_an_owner: "guest/issue.rs",
        "!actor.acts_for(&owner) || !actor.may_issue(project.is_some())" => "!actor.may_issue(project.is_some())",
        by "issue: another owner is forbidden";
    lets_an_operator_s_key_out_of_its_project: "access.rs",
        "is_within && (self.is_operator || role.is_some())" => "self.is_operator || (is_within && role.is_some())",
        by "operators: a key with api-keys:admin that is bound to a project lists every key of that project";
    lists_other_owners: "access.rs",
        "sees_everyone || owner == self.user_id" => "true",
        by "operators: another owner is forbidden for every list";
    makes_no_key_an_operator: "access.rs",
        "scopes.iter().any(|scope| scope == scopes::ADMIN)" => "false",
        by "operators: a key with api-keys:admin that is bound to no project is an operator";
    lets_a_project_s_key_issue_user_level_keys: "guest/issue.rs",
        "!actor.acts_for(&owner) || !actor.may_issue(project.is_some())" => "!actor.acts_for(&owner)",
        by "access: a project's key creates no user-level key";
    lets_a_project_admin_rotate: "guest/rotate.rs",
        "!actor.acts_for(&old.user_id) || !actor.may_hold(&old.scopes, expires_at)" =>
        "!actor.may_hold(&old.scopes, expires_at)",
        by "operators: a project admin rotates and updates no key of another user";
    lets_former_members_rotate: "guest/rotate.rs",
        "find::enter(&actor, project_id.clone(), role)?;" => "let _ = role;",
        by "operators: a former member of a project keeps their keys";

    // Projects
    lets_project_admins_create_projects: "guest/project.rs",
        "action != ProjectAction::See && !actor.may_manage_projects(role)" =>
        "!matches!(action, ProjectAction::See | ProjectAction::Create) && !actor.may_manage_projects(role)",
        by "projects: a user lists the projects that they are a member of, and creates none";
    lets_members_manage_their_projects: "access.rs",
        "self.bound_project().is_none() && (self.is_operator || role == Some(Role::Admin))" =>
        "self.bound_project().is_none() && (self.is_operator || role.is_some())",
        by "projects: a member sees the project and does not manage it";
    lets_a_project_s_key_manage_the_project: "access.rs",
        "self.bound_project().is_none() && (self.is_operator || role == Some(Role::Admin))" =>
        "self.is_operator || role == Some(Role::Admin)",
        by "projects: a key with api-keys:admin that is bound to a project sees that project alone and manages none";
    changes_members_with_a_key_that_reads: "guest/project.rs",
        "(scopes::WRITE, Some(reference.unwrap_or_default()))" =>
        "(scopes::READ, Some(reference.unwrap_or_default()))",
        by "projects: a key needs api-keys:read to see and api-keys:write to change";

    // Policy
    accepts_a_default_life_that_is_longer_than_the_longest: "policy.rs",
        "longest_life.zip(default_life).is_none_or(|(longest, default)| default <= longest)" => "true",
        by "issue: an invalid policy is an internal error";
    accepts_default_scopes_that_are_not_grantable: "policy.rs",
        "default_scopes.iter().all(|scope| grantable_scopes.contains(scope))" => "true",
        by "issue: an invalid policy is an internal error";

    // Scopes
    gives_default_scopes_that_the_caller_lacks: "guest/issue.rs",
        "scopes::grantable(policy.default_scopes(), may_grant)" =>
        "scopes::grantable(policy.default_scopes(), |scope| policy.is_grantable(scope))",
        by "scopes: a key gets the policy's default scopes that its maker holds";
    gives_scopes_that_the_caller_lacks: "access.rs",
        "if scope == scopes::ADMIN {
            return self.is_operator && self.key.is_none();
        }
        self.is_operator || self.holds(scope)" =>
        "scope != scopes::ADMIN || (self.is_operator && self.key.is_none())",
        by "scopes: a scope that the policy or the caller cannot grant is refused";
    gives_scopes_that_the_policy_does_not_list: "guest/issue.rs",
        "policy.is_grantable(scope) && actor.may_grant(scope)" => "actor.may_grant(scope)",
        by "scopes: a scope that the policy or the caller cannot grant is refused";
    narrows_scopes_silently: "scopes.rs",
        "(has_ungrantable, Fault::NotGrantable)" => "(false, Fault::NotGrantable)",
        by "scopes: a scope that the policy or the caller cannot grant is refused";
    lets_a_key_grant_api_keys_admin: "access.rs",
        "if scope == scopes::ADMIN {
            return self.is_operator && self.key.is_none();
        }
        self.is_operator || self.holds(scope)" =>
        "self.is_operator || (scope != scopes::ADMIN && self.holds(scope))",
        by "scopes: api-keys:admin is granted by operators that are users";
    lets_a_key_issue_keys_that_live_longer: "guest/issue.rs",
        "actor.expires_at()" => "None",
        by "expiry: an expiry later than the calling key's own is refused";
    lets_a_key_gain_by_rotation: "access.rs",
        "is_within_life && scopes.iter().all(|scope| self.may_grant(scope))" =>
        "is_within_life || scopes.iter().all(|scope| self.may_grant(scope))",
        by "lifecycle: a key that has fewer scopes than another, or expires earlier, may not rotate it";

    // Idempotent issuing
    issues_a_second_key_for_a_repeat: "guest/issue.rs",
        "issue_again(&actor, &first.key_id, &policy, now)" => "Ok(insert(&actor, &mut record, &policy, now, None))",
        by "idempotency: a repeat returns the same key with another secret";
    ignores_other_arguments: "guest/issue.rs",
        "first.digest == request.digest" => "first.digest.len() == 32",
        by "idempotency: an idempotency key with other arguments is a conflict";
    reduces_the_name_to_its_length_in_the_digest: "idempotency.rs",
        "push_text(&mut bytes, self.name)" => "push_length(&mut bytes, self.name.len())",
        by "idempotency: an idempotency key with other arguments is a conflict";
    reduces_the_owner_to_its_length_in_the_digest: "idempotency.rs",
        "push_text(&mut bytes, self.owner)" => "push_length(&mut bytes, self.owner.len())",
        by "idempotency: another owner is another argument";
    reduces_the_project_to_its_length_in_the_digest: "idempotency.rs",
        "push_optional(&mut bytes, self.project_id, push_text)" =>
        "push_optional(&mut bytes, self.project_id, |bytes, id| push_length(bytes, id.len()))",
        by "idempotency: an idempotency key with other arguments is a conflict";
    reduces_the_expiry_to_seconds_in_the_digest: "idempotency.rs",
        "bytes.extend(time.millis().to_le_bytes())" => "bytes.extend((time.millis() / 1000).to_le_bytes())",
        by "idempotency: an idempotency key with other arguments is a conflict";
    reduces_scopes_to_their_number_in_the_digest: "idempotency.rs",
        "self.scopes.iter().for_each(|scope| push_text(&mut bytes, scope))" => "()",
        by "idempotency: an idempotency key with other arguments is a conflict";
    reduces_scopes_to_their_lengths_in_the_digest: "idempotency.rs",
        "self.scopes.iter().for_each(|scope| push_text(&mut bytes, scope))" =>
        "self.scopes.iter().for_each(|scope| push_length(&mut bytes, scope.len()))",
        by "idempotency: an idempotency key with other arguments is a conflict";
    forgets_the_first_scope_in_the_digest: "idempotency.rs",
        "self.scopes.iter().for_each(|scope| push_text(&mut bytes, scope))" =>
        "self.scopes.iter().skip(1).for_each(|scope| push_text(&mut bytes, scope))",
        by "idempotency: an idempotency key with other arguments is a conflict";
    reduces_the_metadata_to_its_length_in_the_digest: "idempotency.rs",
        "push_optional(&mut bytes, self.metadata, push_text)" =>
        "push_optional(&mut bytes, self.metadata, |bytes, text| push_length(bytes, text.len()))",
        by "idempotency: an idempotency key with other arguments is a conflict";
    adds_up_the_rate_limit_in_the_digest: "idempotency.rs",
        "bytes.extend(limit.requests().to_le_bytes())" =>
        "bytes.extend((limit.requests() + limit.window_seconds()).to_le_bytes())",
        "bytes.extend(limit.window_seconds().to_le_bytes())" => "()",
        by "idempotency: an idempotency key with other arguments is a conflict";
    counts_the_expiry_of_the_policy_as_an_argument: "guest/issue.rs",
        "request.expires_at.and_then(|_| expires_at.time())" => "expires_at.time()",
        by "idempotency: an expiry that the policy sets is no argument";
    accepts_a_long_idempotency_key: "idempotency.rs",
        "!(1..=MAX_LEN).contains(&text.len()) || !is_printable" => "text.is_empty() || !is_printable",
        by "idempotency: any other idempotency key is refused";
    accepts_an_idempotency_key_that_is_not_printable: "idempotency.rs",
        "!(1..=MAX_LEN).contains(&text.len()) || !is_printable" => "!(1..=MAX_LEN).contains(&text.len())",
        by "idempotency: any other idempotency key is refused";
    accepts_an_api_key_as_an_idempotency_key: "idempotency.rs",
        "key::holds_form_of_key(text)" => "false",
        by "idempotency: any other idempotency key is refused";
    replaces_the_secret_of_a_used_key: "guest/issue.rs",
        "record.last_used_at.is_none() && record.rotated_to.is_none()" => "record.rotated_to.is_none()",
        by "idempotency: after the key was used, a repeat is a conflict";
    replaces_the_secret_of_a_rotated_key: "guest/issue.rs",
        "record.last_used_at.is_none() && record.rotated_to.is_none()" => "record.last_used_at.is_none()",
        by "idempotency: after the key was revoked, rotated or has expired, a repeat is a conflict";
    replaces_the_secret_of_a_key_that_is_not_active: "guest/issue.rs",
        "record.status(now)? != Status::Active" => "false",
        by "idempotency: after the key was revoked, rotated or has expired, a repeat is a conflict";
    repeats_for_a_day_and_an_hour: "guest/issue.rs",
        "idempotency::WINDOW" => "idempotency::WINDOW + 60 * 60 * 1000",
        by "idempotency: a request is repeated for 24 hours";
    lets_a_key_gain_by_a_repeat: "guest/issue.rs",
        "actor.may_hold(&record.scopes, stored_optional_time(record.expires_at)?)" =>
        "actor.may_hold(&[], actor.expires_at())",
        by "idempotency: a key that is issued through a key never gains by a repeat";
    keeps_the_old_prefix_at_a_repeat: "guest/issue.rs",
        "mint::secret(&mut record, policy.prefix())" =>
        "let prefix = crate::key::Prefix::parse(&record.prefix).unwrap_or_else(|| policy.prefix().clone());
         mint::secret(&mut record, &prefix)",
        by "idempotency: the new secret has the prefix that the policy has by now";
    gives_each_key_idempotency_keys_of_its_own: "guest/issue.rs",
        "&request.user_id" =>
        "if let Some(key) = actor.acting_key() { request.user_id.clone_from(&key.id); } &request.user_id",
        by "idempotency: an idempotency key belongs to the issuing user";
    shares_idempotency_keys_between_users: "guest/issue.rs",
        "&request.user_id" => "request.user_id = \"all\".to_owned(); &request.user_id",
        by "idempotency: two users have idempotency keys of their own";

    // Verifications and limits
    verifies_revoked_keys: "guest/presented.rs",
        "Err(Refusal::Revoked)" => "Ok(record)",
        by "verify: a revoked key is refused as revoked";
    verifies_expired_keys: "guest/presented.rs",
        "Err(Refusal::Expired)" => "Ok(record)",
        by "verify: a key is expired from the very millisecond on";
    counts_no_verification: "guest/verify.rs",
        "limits::compare_and_store(&record.id, old, state)" =>
        "limits::compare_and_store(&record.id, old, old) || state > 0",
        by "limits: a limit admits a burst of its requests and no more";
    counts_refused_verifications: "guest/verify.rs",
        "return Ok(Err(RateLimited { limit, retry_after_ms }))" =>
        "limits::compare_and_store(&record.id, old, old + 1_000_000);
         return Ok(Err(RateLimited { limit, retry_after_ms }))",
        by "limits: refused verifications consume nothing";
    rounds_the_interval_down: "rate_limit.rs",
        "(u64::from(self.window_seconds) * 1_000_000).div_ceil(self.requests.into())" =>
        "u64::from(self.window_seconds) * 1_000_000 / u64::from(self.requests)",
        by "limits: an interval that is no whole number of microseconds is rounded up";
    locks_out_after_the_clock_was_set_back: "rate_limit.rs",
        "state.saturating_sub(now).max(0).min(capacity)" => "state.saturating_sub(now).max(0)",
        by "limits: after the clock was set back, a state that is too late counts as a used-up limit";
    records_the_use_of_a_limited_verification: "guest/verify.rs",
        "return Ok(Err(Refusal::RateLimited(limited)))" =>
        "storage::record_use(&record.id, now.millis());
         return Ok(Err(Refusal::RateLimited(limited)))",
        by "limits: a verification that the limit refuses is no use of the key";
    limits_before_it_checks_scopes: "guest/verify.rs",
        "scopes::missing(required, &record.scopes)" =>
        "if let Some(limit) = record.rate_limit { let _ = count(&record, limit, now)?; }
         scopes::missing(required, &record.scopes)",
        by "limits: the limit is the last check of a verification";

    // Changes and events
    prolongs_a_life_by_grace: "expiry.rs",
        "expires_at.map_or(end_of_grace, |expires_at| expires_at.min(end_of_grace))" =>
        "expires_at.map_or(end_of_grace, |expires_at| expires_at.max(end_of_grace))",
        by "lifecycle: a grace period never makes the old key live longer";
    keeps_the_old_prefix_at_rotation: "guest/rotate.rs",
        "mint::key(&mut replacement, policy.prefix(), now)" =>
        "mint::key(&mut replacement, &crate::key::Prefix::parse(&old.prefix).unwrap_or_else(|| policy.prefix().clone()), now)",
        by "lifecycle: a rotation gives the new key the prefix that the policy has by now";
    ignores_the_longest_life_at_rotation: "guest/rotate.rs",
        "expiry::of_replacement(expires_at, now, policy.longest_life())" => "expiry::of_replacement(expires_at, now, None)",
        by "lifecycle: a rotation caps the expiry of the new key at the longest life";
    loses_the_metadata_at_rotation: "guest/rotate.rs",
        "replacement.rotated_from = Some(old.id.clone())" =>
        "replacement.metadata = None; replacement.rotated_from = Some(old.id.clone())",
        by "lifecycle: a rotation copies the limit and the metadata";
    loses_the_limit_at_rotation: "guest/rotate.rs",
        "replacement.rotated_from = Some(old.id.clone())" =>
        "replacement.rate_limit = None; replacement.rotated_from = Some(old.id.clone())",
        by "lifecycle: a rotation copies the limit and the metadata";
    gives_up_at_the_second_conflict: "guest/change.rs",
        "0..attempts" => "0..attempts.min(2)",
        by "lifecycle: up to four conflicts of a key to be revoked are overcome";
    revokes_a_revoked_key_again: "guest/revoke.rs",
        "record.revoked_at.is_some()" => "false",
        by "lifecycle: a key that was revoked before stays as it was";
    ignores_the_revision: "guest/change.rs",
        "expected.is_none_or(|expected| expected == record.revision)" => "expected.is_none() || record.revision < u32::MAX",
        by "lifecycle: a change with another revision is a conflict, and nothing is written";
    says_conflict_for_a_key_that_is_not_active: "guest/rotate.rs",
        "Error::NotActive" => "Error::Conflict",
        by "lifecycle: a key that is revoked, expired or rotated is not active";
    writes_an_update_that_changes_nothing: "guest/update.rs",
        "event::changed(&fields).is_empty()" => "event::changed(&fields).len() > 99",
        by "events: an update that changes nothing is no event";
    records_a_repeat_as_an_update: "guest/issue.rs",
        "Action::IssuedAgain" => "Action::Updated",
        by "events: an issuing that is repeated is read as issued-again";
    names_the_owner_as_the_actor: "guest/mint.rs",
        "actor.user_id().to_owned()" => "key.user_id.clone()",
        by "operators: an event names the operator as the actor";
    names_no_acting_key: "guest/mint.rs",
        "actor.acting_key().map(|ActingKey { id, .. }| id.clone())" => "actor.acting_key().and_then(|ActingKey { .. }| None)",
        by "bearers: an event names the key that acted";
    names_no_metadata_of_a_new_key: "guest/mint.rs",
        "key.metadata.is_some()" => "false",
        by "events: a new key is one event with the fields that are set";
    names_no_reason_of_a_revocation: "guest/revoke.rs",
        "reason.is_some()" => "false",
        by "events: a revocation is one event";
    names_no_field_of_an_update: "guest/update.rs",
        "record.metadata != before.metadata" => "false",
        by "events: an update is one event with the fields that change";
    shows_events_of_hidden_keys: "guest/events.rs",
        "find::key(&actor, id).map(|_| asked)?" => "asked",
        by "events: the events of a key that the caller may not see are missing";
    shows_all_events_of_a_project_to_members: "guest/events.rs",
        "find::filter(&actor, owner, project)?" =>
        "let find::Filter { asked, visible } = find::filter(&actor, owner, project)?;
         let visible = if asked.project_id.is_some() { asked.clone() } else { visible };
         find::Filter { asked, visible }",
        by "events: owners read the events of their keys";
    includes_the_end_of_a_time_filter: "guest/events.rs",
        "until.map(id::first_at)" => "until.map(|until| id::first_at(until + 1))",
        by "events: a time filter includes its start and excludes its end";
}
