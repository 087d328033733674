//! `keycell check`.

use std::process::ExitCode;

use serde_json::json;

use crate::{error::CommandError, output, settings::Settings};

pub fn run(settings: &Settings) -> Result<ExitCode, CommandError> {
    let report = settings.database.check()?;
    let problems: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    if settings.is_for_people {
        if !problems.is_empty() {
            output::line(&problems.join("\n"))?;
        }
        output::line(&format!(
            "{} keys and {} events were read, {} problems were found.",
            report.keys, report.events, report.problem_count
        ))?;
    } else {
        output::json(&json!({
            "keys": report.keys,
            "events": report.events,
            "problem_count": report.problem_count,
            "problems": problems,
        }))?;
    }
    Ok(if report.problem_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
