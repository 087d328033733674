//! The tools' schemas are the user's own, as parsed JSON.

use keycell::tools::{GROUP, TOOLS};
use serde_json::Value;

/// The pages that the user gave, as they are.
const PAGES: [&str; 2] = [include_str!("seeds/create_api_key.txt"), include_str!("seeds/get_api_key.txt")];

#[test]
fn the_first_two_tools_are_those_of_the_pages_that_the_user_gave() {
    for (tool, page) in TOOLS.iter().zip(PAGES) {
        assert!(page.contains(&format!("\n{}\n", tool.description)), "{}", tool.name);
        assert!(page.contains(&format!("\nName{}\n", tool.name)), "{}", tool.name);
        assert!(page.contains(&format!("\nGroup{GROUP}\n")));
        let schemas: Vec<Value> = page
            .match_indices("\n{\n")
            .map(|(at, _)| serde_json::Deserializer::from_str(&page[at..]).into_iter().next().unwrap().unwrap())
            .collect();
        let ours = [tool.input_schema, tool.output_schema].map(|text| serde_json::from_str::<Value>(text).unwrap());
        assert_eq!(schemas, ours, "{}", tool.name);
    }
}
