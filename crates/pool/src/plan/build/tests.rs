use deepwater_core::config::Checker;

use super::*;

fn config(toml: &str) -> Config {
    deepwater_core::config::Document::parse("postgres.toml", toml).unwrap().decode().unwrap()
}

fn problems(toml: &str, directory: &Path) -> Vec<String> {
    let checker = Checker::without_document();
    let built = build(&config(toml), directory, Face::Native, &checker.at("postgres"));
    let problems = checker.finish().err().map(|problems| problems.iter().map(ToString::to_string).collect());
    let problems: Vec<String> = problems.unwrap_or_default();
    assert_eq!(built.is_none(), !problems.is_empty(), "a plan, or why there is none: {problems:?}");
    problems
}
