//! The pages about the command: every command, option and setting is described, once.

use std::collections::BTreeSet;

use crate::cli::Cli;

const COMMAND_LINE: &str = include_str!("../../docs/command-line.md");
const OPERATIONS: &str = include_str!("../../docs/operations.md");

#[test]
fn the_page_describes_every_command_and_option_once() {
    let cli = Cli::new();
    let help = |command: &str| {
        let output = cli.run(&[command.split_whitespace().collect::<Vec<_>>(), vec!["--help"]].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    let (mut groups, mut commands) = (vec![String::new()], BTreeSet::new());
    while let Some(group) = groups.pop() {
        for name in subcommands(&help(&group)) {
            let command = format!("{group} {name}").trim().to_owned();
            let text = help(&command);
            if !subcommands(&text).is_empty() {
                groups.push(command);
                continue;
            }
            let (own, global) = text.split_once("Global options:").unwrap();
            let described = sections().filter(|(heading, _)| heading.contains(&format!("`{command}`")));
            assert_eq!(sorted(described.flat_map(|(_, text)| rows(text))), sorted(options(own)), "`{command}`");
            assert_eq!(sorted(rows(section("Options of every command"))), sorted(options(global)));
            commands.insert(command);
        }
    }
    let described = rows(section("Commands")).into_iter().map(|row| {
        let words = row.split(' ').filter(|word| word.chars().all(char::is_lowercase));
        words.collect::<Vec<_>>().join(" ")
    });
    assert_eq!(sorted(described), sorted(commands));
}

#[test]
fn the_page_shows_every_setting_once_and_its_example_is_valid() {
    let cli = Cli::new();
    let (_, example) = OPERATIONS.split_once("```toml\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let file = cli.file("keycell.toml", example);
    cli.json(&["config", "check", "--config", &file]);

    let shown = cli.json(&["config", "show", "--config", &file]);
    let settings = shown["settings"].as_array().unwrap();
    let names: Vec<&str> = settings.iter().map(|setting| setting["name"].as_str().unwrap()).collect();
    let example: toml::Table = toml::from_str(example).unwrap();
    let in_example = example.iter().flat_map(|(name, value)| match value {
        toml::Value::Table(table) => table.keys().map(|key| format!("{name}.{key}")).collect(),
        _ => vec![name.clone()],
    });
    assert_eq!(sorted(in_example), sorted(names));
}

/// The names of the commands in a help text.
fn subcommands(help: &str) -> Vec<String> {
    let Some((_, commands)) = help.split_once("Commands:\n") else { return Vec::new() };
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    names.filter_map(|line| line.split(' ').next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The options in a help text, without `--help`.
fn options(help: &str) -> Vec<String> {
    // An option is indented by 2 or 6; a line of its description by more.
    let lines = help.lines().filter(|line| !line.starts_with("        "));
    let lines = lines.map(|line| line.trim_start().trim_start_matches("-h, "));
    let names = lines.filter(|line| line.starts_with("--")).filter_map(|line| line.split([' ', '[', '=']).next());
    names.filter(|name| *name != "--help").map(str::to_owned).collect()
}

/// The headings of the page and the text below each.
fn sections() -> impl Iterator<Item = (&'static str, &'static str)> {
    COMMAND_LINE.split("\n#").filter_map(|section| section.trim_start_matches('#').trim_start().split_once('\n'))
}

fn section(heading: &str) -> &'static str {
    sections().find(|(found, _)| *found == heading).unwrap().1
}

/// The text in the first code span of each row; for an option, its name alone.
fn rows(section: &str) -> Vec<String> {
    let spans = section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    spans.map(|span| if span.starts_with("--") { span.split(' ').next().unwrap() } else { span }.to_owned()).collect()
}

/// The texts in order. A text that is there twice stays there twice.
fn sorted(texts: impl IntoIterator<Item = impl ToString>) -> Vec<String> {
    let mut texts: Vec<String> = texts.into_iter().map(|text| text.to_string()).collect();
    texts.sort_unstable();
    texts
}
