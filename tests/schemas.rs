//! The tools' schemas are the user's own, as parsed JSON.

use std::{fs, path::Path};

use keycell::tools::TOOLS;
use serde_json::Value;

/// The pages stand beside the project, and not in it: where they are missing there is nothing to
/// compare with.
#[test]
fn the_schemas_are_those_of_the_pages_that_the_user_gave() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/seeds");
    for tool in &TOOLS[..2] {
        let Ok(page) = fs::read_to_string(pages.join(format!("{}.txt", tool.name))) else {
            eprintln!("skipped: {} is not here", pages.display());
            return;
        };
        assert!(page.contains(tool.description), "{}", tool.name);
        let schemas: Vec<Value> = page
            .match_indices("\n{\n")
            .map(|(at, _)| serde_json::Deserializer::from_str(&page[at..]).into_iter().next().unwrap().unwrap())
            .collect();
        let ours = [tool.input_schema, tool.output_schema].map(|text| serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(schemas, ours, "{}", tool.name);
    }
}
