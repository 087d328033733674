//! `keycell conformance`.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use keycell::{Component, ComponentError, MemoryStorage};
use keycell_conformance as conformance;
use serde_json::{Value, json};

use crate::{
    error::CommandError,
    output::{self, ERROR, SUCCESS},
};

#[derive(Args)]
#[command(after_help = "Examples:
  keycell conformance
  keycell conformance other.wasm")]
pub struct Arguments {
    /// The component; without it, the built-in one
    #[arg(value_name = "COMPONENT")]
    component: Option<PathBuf>,
}

pub async fn run(json: bool, arguments: &Arguments) -> Result<ExitCode, CommandError> {
    let component = match &arguments.component {
        Some(path) => Component::from_file(path).map_err(|error| match error {
            // Its message repeats the path.
            ComponentError::Read { source, .. } => CommandError::ReadComponent(source),
            error => error.into(),
        })?,
        None => Component::built_in()?,
    };
    let (mut passed, mut failures) = (0_usize, Vec::<Value>::new());
    for case in conformance::cases()? {
        let outcome = conformance::run(&case, &component, MemoryStorage::default()).await;
        let line = match &outcome.result {
            Ok(()) => format!("{SUCCESS}ok{SUCCESS:#}    {}", outcome.name),
            Err(fault) => format!("{ERROR}FAIL{ERROR:#}  {}: {fault}", outcome.name),
        };
        if !json {
            output::line(&line)?;
        }
        match outcome.result {
            Ok(()) => passed += 1,
            Err(fault) => failures.push(json!({ "case": outcome.name, "fault": fault })),
        }
    }
    let failed = failures.len();
    if json {
        output::json(&json!({ "passed": passed, "failed": failed, "failures": failures }))?;
    } else {
        output::line(&format!("{passed} passed, {failed} failed"))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
