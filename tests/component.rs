//! What the built component is: small, and able to reach what the contract lists and no more.

use std::env;

use keycell::Component;

#[test]
fn it_reaches_storage_context_clock_and_random_and_nothing_else() {
    let imports = Component::built_in().unwrap().imports();
    let expected = [
        "keycell:api-keys/storage@0.1.0",
        "keycell:api-keys/context@0.1.0",
        "wasi:clocks/wall-clock@0.2.12",
        "wasi:random/random@0.2.12",
    ];
    assert_eq!(imports, expected);
}

#[test]
fn it_exports_one_interface() {
    assert_eq!(Component::built_in().unwrap().exports(), ["keycell:api-keys/api-keys@0.1.0"]);
}

#[test]
fn it_is_at_most_96_kib() {
    let size = Component::built_in().unwrap().bytes().len();
    assert!(size <= 96 << 10, "{size} bytes");
}

#[test]
fn it_tells_no_names_and_no_paths_of_the_machine_that_built_it() {
    let component = Component::built_in().unwrap();
    let holds = |text: &[u8]| component.bytes().windows(text.len()).any(|window| window == text);
    assert!(!holds(env!("CARGO_MANIFEST_DIR").trim_end_matches("/host").as_bytes()));
    assert!(!holds(b".cargo/registry"), "paths of crates in panic messages");
    assert!(!holds(b"create_api_key17h"), "names of functions");
}
