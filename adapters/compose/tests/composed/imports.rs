//! The imports and exports of the composed component.

use crate::COMPOSED;

#[test]
fn it_imports_a_key_value_store_a_clock_and_random_numbers_and_nothing_of_keycell() {
    let (engine, component) = &*COMPOSED;
    let ty = component.component_type();
    let mut imports: Vec<_> = ty.imports(engine).map(|(name, _)| name).collect();
    imports.sort_unstable();
    let expected = [
        "wasi:clocks/wall-clock@0.2.12",
        "wasi:keyvalue/atomics@0.2.0-draft",
        "wasi:keyvalue/store@0.2.0-draft",
        "wasi:random/random@0.2.12",
    ];
    assert_eq!(imports, expected);
    let exports: Vec<_> = ty.exports(engine).map(|(name, _)| name).collect();
    assert_eq!(exports, ["keycell:api-keys/api-keys@0.2.0"]);
}

#[test]
fn keycell_is_in_it_unchanged() {
    let keycell = keycell::Component::built_in().unwrap();
    let composed = keycell_compose::compose(keycell.bytes()).unwrap();
    assert!(composed.windows(keycell.bytes().len()).any(|part| part == keycell.bytes()));
}

#[test]
fn a_component_without_matching_imports_is_refused() {
    let error = keycell_compose::compose(keycell_compose::KEYVALUE).unwrap_err();
    assert!(error.to_string().contains("no matching imports"), "{error}");
    assert!(keycell_compose::compose(b"no component").is_err());
}
