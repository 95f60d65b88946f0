//! Programs that read metrics.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::support::postgres::tools;
use crate::support::{Run, soon};

/// Prometheus' own checker.
pub(super) async fn promtool(arguments: &[&str], input: &[u8]) -> Run {
    run(tools().join("promtool"), "run ./scripts/need-promtool", arguments, input).await
}

/// What a reader of `tests/clients/metrics_story.py` makes of it: a value for each line.
pub(super) async fn read(format: &str, input: &[u8]) -> Vec<Value> {
    let script = format!("{}/tests/clients/metrics_story.py", env!("CARGO_MANIFEST_DIR"));
    let python = tools().join("python/bin/python");
    let told = run(python, "run ./scripts/need-postgres", &["-B", &script, format], input).await.good();
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn run(program: PathBuf, missing: &str, arguments: &[&str], input: &[u8]) -> Run {
    let mut command = Command::new(&program);
    command.args(arguments).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("{}: {error}; {missing}", program.display()));
    let mut stdin = child.stdin.take().unwrap();
    let feed = async {
        // A program that has ended reads no more.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let ended = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = soon("the program to end", ended).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}
