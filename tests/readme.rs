//! The README shows the example that is compiled.

#[test]
fn the_readme_shows_the_example_that_is_compiled() {
    let readme = include_str!("../README.md");
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(shown, Some(include_str!("../host/keycell-sqlite/examples/quickstart.rs")));
}
