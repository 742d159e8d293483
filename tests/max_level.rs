//! The features that leave statements out of the program.

#![cfg(not(miri))]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

/// Builds the program in `tests/max_level`, and answers where it is.
fn build(features: &str, debug_assertions: bool) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("max_level");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--manifest-path"])
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/max_level/Cargo.toml"
        ))
        .arg("--target-dir")
        .arg(&target)
        .args(["--features", features])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env(
            "CARGO_PROFILE_DEV_DEBUG_ASSERTIONS",
            debug_assertions.to_string(),
        )
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let name = format!("max_level{}", env::consts::EXE_SUFFIX);
    target.join("debug").join(name)
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Builds and runs the program: the statements of the first `kept` levels are in it, and of the
/// others there is nothing, neither their text nor their arguments.
#[track_caller]
fn assert_kept(features: &str, debug_assertions: bool, max_level: &str, kept: usize) {
    let program = build(features, debug_assertions);
    let bytes = fs::read(&program).expect("the program can be read");
    for (place, level) in LEVELS.into_iter().enumerate() {
        for what in ["format", "argument"] {
            let text = format!("{what}-of-{level}");
            assert_eq!(
                contains(&bytes, &text),
                place < kept,
                "{text} with {features}"
            );
        }
    }
    let output = Command::new(&program)
        .env_remove("RINGLOG")
        .output()
        .expect("the program runs");
    let evaluated: Vec<String> = LEVELS[..kept]
        .iter()
        .map(|level| format!("argument-of-{level}"))
        .collect();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        format!("{max_level} {kept}\n{}\n", evaluated.join(" "))
    );
}

#[test]
fn statements_beyond_the_most_verbose_level_are_not_in_the_program() {
    assert_kept("", true, "TRACE", 5);
    assert_kept("max_level_warn", true, "WARN", 2);
    assert_kept("max_level_off", true, "OFF", 0);
    // The most verbose counts.
    assert_kept("max_level_off,max_level_info", true, "INFO", 3);
    // A limit for releases is none for others.
    assert_kept("release_max_level_error", true, "TRACE", 5);
    assert_kept("release_max_level_error,max_level_info", false, "ERROR", 1);
    assert_kept("max_level_info", false, "INFO", 3);
}
