//! `keycell conformance`.

use std::{path::Path, process::ExitCode};

use anstyle::{AnsiColor, Style};
use keycell::{Component, MemoryStorage, conformance};
use serde_json::{Value, json};

use super::{error::CommandError, output, settings::Settings};

const PASSED: Style = AnsiColor::Green.on_default();

pub async fn run(settings: &Settings, component: Option<&Path>) -> Result<ExitCode, CommandError> {
    let component = component.map_or_else(Component::built_in, Component::from_file)?;
    let (mut passed, mut failures) = (0_usize, Vec::<Value>::new());
    for case in conformance::cases()? {
        let outcome = conformance::run(&case, &component, MemoryStorage::default()).await;
        let line = match &outcome.result {
            Ok(()) => format!("{PASSED}ok{PASSED:#}    {}", outcome.name),
            Err(fault) => format!("{style}FAIL{style:#}  {}: {fault}", outcome.name, style = super::ERROR),
        };
        if !settings.json {
            output::line(&line)?;
        }
        match outcome.result {
            Ok(()) => passed += 1,
            Err(fault) => failures.push(json!({ "case": outcome.name, "fault": fault })),
        }
    }
    let failed = failures.len();
    if settings.json {
        output::json(&json!({ "passed": passed, "failed": failed, "failures": failures }))?;
    } else {
        output::line(&format!("{passed} passed, {failed} failed"))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
