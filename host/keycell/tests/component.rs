//! The built-in component: its size, its version, and the interfaces that it can reach.

use keycell::Component;
use wasmparser::{Parser, Payload};

fn component() -> Component {
    Component::built_in().unwrap()
}

#[test]
fn imports_are_storage_context_limits_clock_and_random_and_nothing_else() {
    let mut imports = component().imports();
    imports.sort();
    let expected = [
        "keycell:api-keys/context@0.2.0",
        "keycell:api-keys/limits@0.2.0",
        "keycell:api-keys/storage@0.2.0",
        "wasi:clocks/wall-clock@0.2.12",
        "wasi:random/random@0.2.12",
    ];
    assert_eq!(imports, expected);
}

#[test]
fn one_interface_is_exported() {
    assert_eq!(component().exports(), ["keycell:api-keys/api-keys@0.2.0"]);
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(component().version(), Some(env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_component_without_a_version_has_none() {
    // The header of an empty component.
    let empty = Component::from_bytes(b"\0asm\x0d\0\x01\0".to_vec()).unwrap();
    assert_eq!(empty.version(), None);
}

#[test]
fn the_size_is_at_most_128_kib() {
    let size = component().bytes().len();
    assert!(size <= 128 << 10, "{size} bytes");
}

/// Of the memory and of the code, without wit-component's shim and fixup.
#[test]
fn each_call_instantiates_two_modules() {
    let component = component();
    let payloads = Parser::new(0).parse_all(component.bytes());
    assert_eq!(payloads.filter(|payload| matches!(payload, Ok(Payload::ModuleSection { .. }))).count(), 2);
}

#[test]
fn no_function_names_and_no_paths_of_the_building_machine_remain() {
    let component = component();
    let holds = |text: &str| component.bytes().windows(text.len()).any(|window| window == text.as_bytes());
    let workspace = env!("CARGO_MANIFEST_DIR").trim_end_matches("/host/keycell");
    assert!(!holds(workspace), "a path of the workspace");
    assert!(!holds(".cargo/registry"), "a path of a dependency");
    assert!(!holds("create_api_key17h"), "a name of a function");
}
