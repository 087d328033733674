//! `keycell component`.

use std::{fs, path::Path};

use keycell::Component;
use serde_json::json;

use super::{error::CommandError, output, settings::Settings};

pub fn describe(settings: &Settings, output_file: Option<&Path>) -> Result<(), CommandError> {
    let component = Component::built_in()?;
    if let Some(path) = output_file {
        fs::write(path, component.bytes())?;
    }
    let (version, size) = (env!("CARGO_PKG_VERSION"), component.bytes().len());
    if !output::is_for_people(settings) {
        return output::json(&json!({
            "version": version,
            "size": size,
            "sha256": component.sha256(),
            "imports": component.imports(),
            "exports": component.exports(),
        }));
    }
    output::fields(&[
        ("version", version.to_owned()),
        ("size", format!("{size} bytes")),
        ("SHA-256", component.sha256()),
        ("imports", component.imports().join("\n         ")),
        ("exports", component.exports().join("\n         ")),
    ])
}
