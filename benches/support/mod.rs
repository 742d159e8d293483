//! What the benches share: time, cores, command lines and results.

#![allow(dead_code, reason = "each bench uses a part of it")]

#[path = "../../examples/support/arguments.rs"]
pub mod arguments;
pub mod cores;
pub mod results;
pub mod ticks;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use arguments::{Arguments, UsageError};

/// A bench: reads its command line, and runs. `options` answers `None` if the user asked for help.
pub fn run<O>(
    name: &str,
    help: &str,
    options: impl FnOnce(Arguments) -> Result<Option<O>, UsageError>,
    run: impl FnOnce(&O) -> Result<(), String>,
) -> ExitCode {
    let options = match options(Arguments::of_process()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{help}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The lowest value, the median (of an even number of values, the higher of the two in the middle),
/// and the highest value.
///
/// # Panics
///
/// If there are no values.
pub fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [
        sorted[0],
        sorted[sorted.len() / 2],
        sorted[sorted.len() - 1],
    ]
}

/// A folder in memory, or the temporary folder with a note that it may be on a disk.
pub fn memory_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        return memory.into();
    }
    let folder = std::env::temp_dir();
    eprintln!(
        "there is no /dev/shm; the log lies in {}, and its disk is measured too",
        folder.display()
    );
    folder
}

/// Whether this process was started by `cargo bench`.
///
/// `cargo test --benches` starts it too, to see that it runs; then a bench does as little as it can.
/// Criterion tells the two apart in the same way.
pub fn is_measuring() -> bool {
    std::env::args_os().any(|argument| argument == "--bench")
}
