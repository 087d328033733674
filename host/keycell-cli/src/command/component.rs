//! `keycell component`.

use std::{fs, path::PathBuf};

use clap::Args;
use keycell::Component;
use serde_json::json;

use crate::{error::CommandError, output};

#[derive(Args)]
#[command(after_help = "Example:
  keycell component --output keycell.wasm")]
pub struct Arguments {
    /// The file to which the component is written
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub fn run(json: bool, arguments: &Arguments) -> Result<(), CommandError> {
    let component = Component::built_in()?;
    if let Some(path) = &arguments.output {
        fs::write(path, component.bytes()).map_err(CommandError::WriteComponent)?;
    }
    let (version, size) = (component.version(), component.bytes().len());
    if !output::is_for_people(json) {
        return output::json(&json!({
            "version": version,
            "size": size,
            "sha256": component.sha256(),
            "imports": component.imports(),
            "exports": component.exports(),
        }));
    }
    output::fields(&[
        ("version", version.unwrap_or("unknown").to_owned()),
        ("size", format!("{size} bytes")),
        ("SHA-256", component.sha256()),
        ("imports", component.imports().join("\n         ")),
        ("exports", component.exports().join("\n         ")),
    ])
}
