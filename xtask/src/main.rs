//! The project's chores: `cargo xtask ci` does everything that a change has to pass.

#[cfg(target_os = "linux")]
mod services;
#[cfg(not(target_os = "linux"))]
#[path = "no_services.rs"]
mod services;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

/// One command of a task.
struct Step {
    /// Arguments of cargo.
    arguments: &'static [&'static str],
    /// The folder to run in, from the repository's root.
    folder: &'static str,
    environment: &'static [(&'static str, &'static str)],
}

const fn cargo(arguments: &'static [&'static str]) -> Step {
    Step {
        arguments,
        folder: "",
        environment: &[],
    }
}

const FMT: &[Step] = &[
    cargo(&["fmt", "--all", "--check"]),
    Step {
        folder: "loom-tests",
        ..cargo(&["fmt", "--check"])
    },
    Step {
        folder: "benches/compile",
        ..cargo(&["fmt", "--check"])
    },
    Step {
        folder: "benches/peers",
        ..cargo(&["fmt", "--check"])
    },
];

const CLIPPY: &[Step] = &[
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]),
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ]),
];

const TEST: &[Step] = &[cargo(&[
    "test",
    "--workspace",
    "--all-features",
    "--no-fail-fast",
])];

/// Ten million random numbers of each kind, against the standard library; with optimisation, which
/// makes a minute of it.
const NUMBERS: &[Step] = &[Step {
    environment: &[("RINGLOG_NUMBER_CASES", "10000000")],
    ..cargo(&[
        "test",
        "--release",
        "--lib",
        "--",
        "format::float",
        "format::number",
    ])
}];

/// Signals at each instruction: with optimisation, there are few enough of them to try all.
const HANDLERS: &[Step] = &[cargo(&["test", "--release", "--test", "handlers"])];

const DOC: &[Step] = &[Step {
    environment: &[("RUSTDOCFLAGS", "-D warnings")],
    ..cargo(&["doc", "--workspace", "--all-features", "--no-deps"])
}];

/// The folder has a configuration of its own, which turns the models on.
const LOOM: &[Step] = &[Step {
    folder: "loom-tests",
    ..cargo(&["test", "--release"])
}];

const BUILD: &[Step] = &[
    cargo(&["build", "--release", "--examples"]),
    cargo(&["bench", "--no-run"]),
];

const TASKS: &[(&str, &str, &[Step])] = &[
    ("fmt", "the format of the code", FMT),
    ("clippy", "clippy's warnings", CLIPPY),
    ("test", "all tests", TEST),
    (
        "numbers",
        "numbers as text, in ten million cases of each kind",
        NUMBERS,
    ),
    (
        "handlers",
        "signal handlers, at every instruction",
        HANDLERS,
    ),
    ("doc", "the documentation", DOC),
    ("loom", "the models of the lock-free core", LOOM),
    ("build", "the examples and the benches", BUILD),
];

fn main() -> ExitCode {
    let wanted = env::args().nth(1).unwrap_or_default();
    if wanted == "services" {
        services::stop();
        let stopped = env::args().nth(2).is_some_and(|word| word == "stop");
        return if stopped || services::start() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let tasks: Vec<_> = TASKS
        .iter()
        .filter(|(name, ..)| wanted == "ci" || wanted == *name)
        .collect();
    if tasks.is_empty() {
        eprintln!("usage: cargo xtask TASK\n\n  ci      all of these, in this order");
        for (name, what, _) in TASKS {
            eprintln!("  {name:<7} {what}");
        }
        eprintln!(
            "\n  services [stop]  rsyslogd and systemd-journald, for the tests of their sinks; jq and lnav"
        );
        return ExitCode::FAILURE;
    }
    let started = Instant::now();
    let serves = wanted == "ci";
    if serves && !services::start() {
        return ExitCode::FAILURE;
    }
    let passed = tasks.iter().flat_map(|(_, _, steps)| *steps).all(run);
    if serves {
        services::stop();
    }
    if !passed {
        return ExitCode::FAILURE;
    }
    println!("{wanted}: passed in {:.0?}", started.elapsed());
    ExitCode::SUCCESS
}

/// Runs a step, and says how long it took or how to run it again.
fn run(step: &Step) -> bool {
    let line = format!("cargo {}", step.arguments.join(" "));
    println!("==> {line} {}", step.folder);
    let started = Instant::now();
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(step.arguments)
        .envs(step.environment.iter().copied())
        // They would let loom stop early and call it a success.
        .env_remove("LOOM_MAX_PERMUTATIONS")
        .env_remove("LOOM_MAX_DURATION")
        .current_dir(root().join(step.folder))
        .status();
    match status {
        Ok(status) if status.success() => {
            println!("<== {line}: {:.0?}", started.elapsed());
            true
        }
        Ok(status) => {
            let folder = Path::new(".").join(step.folder);
            eprintln!(
                "xtask: {status}; again: (cd {} && {line})",
                folder.display()
            );
            false
        }
        Err(error) => {
            eprintln!("xtask: cannot run {line}: {error}");
            false
        }
    }
}

/// The repository's root: the folder above this crate's.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
