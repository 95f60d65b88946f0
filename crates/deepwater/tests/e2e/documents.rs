//! What the documents say can be done as it stands: configurations are valid, commands known, links lead somewhere.

mod complete;
mod markdown;

use std::path::{Path, PathBuf};

use crate::support::{Authority, Home, run};
use complete::complete;
use markdown::{anchors, blocks, links};

/// More than a text holds that was read from the wrong place.
const MANY: usize = 30;

/// The README, the guides, and what stands beside them, by path from the root of the repository.
fn documents() -> Vec<(PathBuf, String)> {
    let mut files: Vec<PathBuf> = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "demo/README.md",
        "bench/README.md",
    ]
    .map(PathBuf::from)
    .into();
    for directory in ["docs", "docs/decisions", "docs/reference"] {
        let entries = std::fs::read_dir(root().join(directory)).unwrap();
        let names = entries.map(|entry| Path::new(directory).join(entry.unwrap().file_name()));
        files.extend(names.filter(|name| name.extension().is_some_and(|end| end == "md")));
    }
    files.sort();
    files
        .into_iter()
        .map(|file| (file.clone(), std::fs::read_to_string(root().join(&file)).unwrap()))
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Everything that configurations of the documents name.
fn furnished() -> Home {
    let home = Home::new();
    let identity = Authority::new().issue(&["shop.example"]);
    for name in ["shop", "blog", "pool"] {
        home.write(&format!("{name}.pem"), &identity.cert);
        home.write(&format!("{name}.key"), &identity.key);
    }
    home.write("database-ca.pem", Authority::new().pem());
    home.write("staff.htpasswd", "ada:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n");
    home.write("public/index.html", "hello");
    home
}

#[tokio::test]
async fn every_configuration_is_valid() {
    let home = furnished();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (file, text) in documents() {
        for block in blocks(&text, "toml") {
            let place = format!("{}:{}", file.display(), block.line);
            // What a variable of the environment holds is in a file here.
            let config = block.text.replace("\"env:", "\"file:");
            for name in block.text.split("\"env:").skip(1).filter_map(|rest| rest.split('"').next()) {
                let url = name.ends_with("_URL");
                home.write(
                    name,
                    if url { "redis://127.0.0.1:6379" } else { "a secret of thirty-two characters and more" },
                );
            }
            match complete(&config) {
                Ok(config) => {
                    home.write("deepwater.toml", &config);
                    let result = run(&home.path(""), &["check", "-c", "deepwater.toml"]).await;
                    if result.code != Some(0) {
                        wrong.push(format!("{place}:\n{}\nin\n{config}", result.stderr));
                    }
                }
                Err(what) => wrong.push(format!("{place}: {what}")),
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(seen > MANY, "{seen}");
}

/// `--help` after the arguments refuses those that the command does not know, and does nothing.
#[tokio::test]
async fn every_command_is_known() {
    let home = Home::new();
    let (mut seen, mut wrong) = (0, Vec::new());
    for (file, text) in documents() {
        for block in blocks(&text, "sh").chain(blocks(&text, "console")) {
            for command in block.commands() {
                let arguments: Vec<&str> = command.iter().map(String::as_str).chain(["--help"]).collect();
                let result = run(&home.path(""), &arguments).await;
                if result.code != Some(0) {
                    wrong.push(format!("{}:{}: {command:?}\n{}", file.display(), block.line, result.stderr));
                }
                seen += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(seen > MANY / 2, "{seen}");
}

#[test]
fn every_link_leads_somewhere() {
    let documents = documents();
    let mut wrong = Vec::new();
    for (file, text) in &documents {
        for link in links(text).filter(|link| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            let there = root().join(&target);
            let found = match there.extension().filter(|end| *end == "md" && !anchor.is_empty()) {
                _ if !there.exists() => false,
                Some(_) => anchors(&std::fs::read_to_string(&there).unwrap()).any(|known| known == anchor),
                None => true,
            };
            if !found {
                wrong.push(format!("{}: {link}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
