//! Programs that others read logs with, and what they make of ours: the real ones.

#![cfg(all(unix, not(miri)))]

mod support;

#[path = "golden/statements.rs"]
mod statements;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use ringlog::format::{AnyFormat, Json, Text};
use ringlog::sink::{File, SinkOptions};
use ringlog::{LevelFilter, RingLogger, info};
use serde_json::{Value, json};
use support::LONG;
use support::services::skip;

/// What a reader might stumble over, beside the statements of the golden files.
fn log_more(logger: &RingLogger) {
    for number in [0, i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        info!(logger: logger, number, wide = u128::MAX, low = i128::MIN, "{number}");
    }
    for number in [0, -1, i64::MIN + 1, i64::MIN] {
        info!(logger: logger, number, "{number}");
    }
    let list = [i64::MIN as i128, -5, 5, u64::MAX as i128];
    info!(logger: logger, list = list, tiny = f64::MIN_POSITIVE, huge = f64::MAX, nan = f64::NAN, "numbers");
    for text in [
        "",
        "\"",
        "\\",
        "\"}\n{\"msg\":\"forged\"",
        "\0\x1b[2J\u{202e}",
        "é 🦀",
    ] {
        info!(logger: logger, text = text, "" = 1, "a b\n" = text, "text {}", text);
    }
}

/// A file with all of it, and how many lines there are.
fn write_log(path: &Path, format: impl Into<AnyFormat>) -> usize {
    let logger = RingLogger::builder()
        .level(LevelFilter::Trace)
        .closing_record(false)
        .sink_with(
            File::truncate(path).unwrap(),
            SinkOptions::new().format(format),
        )
        .build()
        .unwrap();
    statements::log(&logger);
    log_more(&logger);
    logger.shutdown(LONG).written as usize
}

/// Runs a program, and answers what it wrote. `None` says that it is not there.
#[track_caller]
fn run(command: &mut Command) -> Option<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            skip(&format!(
                "{name}: {error}; `cargo xtask services` installs it"
            ));
            None
        }
    }
}

#[track_caller]
fn text_of(output: &Output) -> &str {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && !error.contains("error"),
        "{error}"
    );
    std::str::from_utf8(&output.stdout).unwrap()
}

/// Numbers as jq has them.
fn as_floats(value: Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(values) => values.into_iter().map(as_floats).collect(),
        Value::Object(pairs) => pairs
            .into_iter()
            .map(|(key, value)| (key, as_floats(value)))
            .collect(),
        other => other,
    }
}

#[test]
fn jq_reads_every_line_as_it_was_logged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.json");
    let count = write_log(&path, Json::new());
    let jq = |arguments: &[&str]| run(Command::new("jq").args(arguments).arg(&path));
    let Some(output) = jq(&["-c", "."]) else {
        return;
    };
    let read = |text: &str| -> Vec<Value> {
        let line = |line| as_floats(serde_json::from_str(line).unwrap());
        text.lines().map(line).collect()
    };
    let lines = read(text_of(&output));
    assert_eq!(lines.len(), count);
    assert_eq!(lines, read(&fs::read_to_string(&path).unwrap()));
    let output = jq(&["-r", r#"select(.level == "WARN" and .px > 7) | .msg"#]).unwrap();
    assert_eq!(text_of(&output), "filled 3 lots\n");
}

/// Asks lnav of a log, with the formats of `contrib` installed. The answer is a list of objects.
fn ask_lnav(home: &Path, log: &Path, query: &str) -> Vec<Value> {
    let query = format!(";{query}");
    let output = lnav(home)
        .args(["-n", "-c", &query, "-c", ":write-json-to -"])
        .arg(log)
        .output()
        .unwrap();
    serde_json::from_str(text_of(&output)).unwrap()
}

/// lnav with its settings in this folder, and nobody's there yet.
fn lnav(home: &Path) -> Command {
    let mut lnav = Command::new("lnav");
    lnav.env("HOME", home).env("TERM", "dumb");
    for name in ["XDG_CONFIG_HOME", "LNAVRC", "LNAVSECURE"] {
        lnav.env_remove(name);
    }
    lnav
}

#[test]
fn lnav_knows_both_forms_of_a_log_by_the_formats_in_contrib() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/ringlog.lnav.json");
    let Some(output) = run(lnav(home).arg("-i").arg(contrib)) else {
        return;
    };
    text_of(&output);
    // It tries the patterns on the samples.
    text_of(&lnav(home).arg("-C").output().unwrap());

    let path = home.join("app.json");
    let count = write_log(&path, Json::new());
    let query = "select log_level, log_body, seq, file, line from ringlog_json order by seq";
    let rows = ask_lnav(home, &path, query);
    assert_eq!(rows.len(), count);
    let text = fs::read_to_string(&path).unwrap();
    for (row, line) in rows.iter().zip(text.lines()) {
        let line: Value = serde_json::from_str(line).unwrap();
        let level = match line["level"].as_str().unwrap() {
            "WARN" => "warning".to_owned(),
            level => level.to_lowercase(),
        };
        assert_eq!(row["log_level"], json!(level), "{line}");
        for key in ["seq", "file", "line"] {
            assert_eq!(row[key], line[key], "{line}");
        }
        // It cuts a text off at a zero.
        let body = line["msg"].as_str().unwrap();
        if !body.contains('\0') {
            assert_eq!(row["log_body"], json!(body), "{line}");
        }
    }

    let path = home.join("app.log");
    let count = write_log(&path, Text::new());
    let query = "select log_level, target, thread, log_body from ringlog_text order by log_line";
    let rows = ask_lnav(home, &path, query);
    assert_eq!(rows.len(), count);
    let text = fs::read_to_string(&path).unwrap();
    for (row, line) in rows.iter().zip(text.lines()) {
        let body = row["log_body"].as_str().unwrap();
        assert!(line.ends_with(&format!("] {body}")), "{row} {line}");
        let target = row["target"].as_str().unwrap();
        assert!(
            line[37..].starts_with(&format!("{target} ")),
            "{row} {line}"
        );
    }
}
