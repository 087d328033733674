//! The suite is worth what it catches: components that are wrong in one way, and the case that
//! each must fail.

use keycell::{MemoryStorage, conformance};

use crate::mutants::Mutant;

async fn assert_caught_by(case_name: &str, mutant: Mutant) {
    let component = mutant.build();
    let cases = conformance::cases().unwrap();
    let meant: Vec<_> = cases.iter().filter(|case| case.name.starts_with(case_name)).collect();
    assert!(!meant.is_empty(), "there is no case {case_name:?}");
    let mut is_caught = false;
    for case in meant {
        is_caught |= conformance::run(case, &component, MemoryStorage::default()).await.result.is_err();
    }
    assert!(is_caught, "{:?} passes {case_name:?}", mutant.name);
}

macro_rules! caught {
    ($($test:ident: $file:literal, $original:literal => $replacement:literal, by $case:literal;)*) => {
        $(#[tokio::test]
        async fn $test() {
            let (name, file, original, replacement) = (stringify!($test), $file, $original, $replacement);
            assert_caught_by($case, Mutant { name, file, original, replacement }).await;
        })*
    };
}

caught! {
    keeps_the_secret_in_place_of_its_hash: "key.rs",
        "KeyHash(Sha256::digest(self.text.as_bytes()).into())" =>
        "KeyHash(core::array::from_fn(|at| self.text.as_bytes()[self.text.len() - 38 + at]))",
        by "key: at rest there is only the SHA-256 of the whole key";
    uses_a_constant_for_random: "guest/imports.rs",
        "random::get_random_bytes(len as u64)" => "alloc::vec![7; len]",
        by "key: two keys are never the same";
    drops_the_checksum: "key.rs",
        "base62::six_digits(crc32_iso_hdlc(body))" => "base62::six_digits(body.len() as u32 - body.len() as u32)",
        by "key: the checksum is CRC-32";
    favours_the_first_digits: "base62.rs",
        "if byte < 248 {" => "if byte < 255 {",
        by "key: the checksum is CRC-32";
    shows_a_part_of_the_secret: "key.rs",
        "text.push_str(lookup);\n    text\n" => "text.push_str(lookup);\n    text.push_str(\"_0\");\n    text\n",
        by "key: a key has the pattern of its issuer's prefix";
    ignores_an_expiry_in_the_past: "expiry.rs",
        ".filter(|&expiry| expiry > now)" => ".filter(|_| true)",
        by "expiry: an expiry at or before now is refused";
    ignores_the_longest_life: "expiry.rs",
        "(is_past(latest_by_policy)," => "(false,",
        by "expiry: an expiry past the policy's longest life is refused";
    tells_a_stranger_s_key_from_a_missing_one: "guest.rs",
        "return Err(storage::Error::NotFound.into());" => "return Err(Error::Forbidden);",
        by "access: a key that the caller may not see is as missing";
    shows_keys_to_strangers: "access.rs",
        "caller.user_id == user_id &&" => "!user_id.is_empty() &&",
        by "access: a key that the caller may not see is as missing";
    lets_a_project_s_key_out_of_its_project: "access.rs",
        ".is_none_or(|bound| bound == project_id)" => ".is_none_or(|bound| bound != \"\")",
        by "access: a project that the caller may not create for is as missing";
    gives_scopes_that_the_caller_lacks: "scopes.rs",
        "if held.contains(&scope)" => "if held.len() < 1000",
        by "scopes: a key gets the policy's default scopes that its maker holds";
    stores_names_as_they_come: "name.rs",
        "{ nfc::nfc(text) }" => "{ String::from(text) }",
        by "name: a name is stored in NFC";
    tells_the_first_fault_alone: "guest.rs",
        "InvalidInput(faults.0)" => "InvalidInput(faults.0.into_iter().take(1).collect())",
        by "errors: all that is wrong with the arguments is told";
    takes_a_key_by_its_public_part_alone: "key.rs",
        "self.0.ct_eq(stored).into()" => "{ let _ = self.0.ct_eq(stored); true }",
        by "verify: the public part of somebody's key with another secret";
    verifies_what_is_revoked: "guest/verify.rs",
        "Status::Revoked => return refused(Refusal::Revoked)," => "Status::Revoked => {}",
        by "verify: a revoked key is told to be revoked";
    verifies_what_is_expired: "guest/verify.rs",
        "Status::Expired => return refused(Refusal::Expired)," => "Status::Expired => {}",
        by "verify: a key is expired from the very millisecond on";
    asks_storage_for_a_key_with_a_wrong_checksum: "key.rs",
        "if !has_form(bytes) || !has_right_checksum(bytes) {" => "if !has_form(bytes) {",
        by "verify: a key with a wrong checksum is malformed, and nobody is asked";
    prolongs_a_life_by_grace: "expiry.rs",
        "expires_at.map_or(end_of_grace, |expires_at| expires_at.min(end_of_grace))" =>
        "expires_at.map_or(end_of_grace, |expires_at| expires_at.max(end_of_grace))",
        by "lifecycle: a grace period never makes the old key live longer";
    lets_a_key_gain_by_rotation: "access.rs",
        "lives_no_longer && scopes.iter()" => "lives_no_longer || scopes.iter()",
        by "lifecycle: a key that has fewer scopes than another, or expires earlier, may not rotate it";
}
