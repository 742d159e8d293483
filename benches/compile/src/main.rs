//! What log statements cost to build, and how much code they become.
//!
//! Writes programs of varied statements, the same for each library but for the `use` line, builds
//! them for release, and measures the time that the program alone takes to build, that it takes with
//! all its dependencies, and its machine code. What the functions around the statements take is
//! measured with statements that keep their arguments alive and log nothing, and subtracted; what a
//! library takes once is told apart with a program of a tenth of the statements.
//!
//! The time is that of all cores together, which other work on the machine changes little, and that
//! of the clock on the wall.
//!
//! ```text
//! cargo run --release --manifest-path benches/compile/Cargo.toml -- [rounds] [statements]
//! ```
//!
//! Linux only: it reads `/proc` and ELF files.

mod elf;
mod program;

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use elf::Sizes;

/// How a program logs.
struct Library {
    name: &'static str,
    dependency: &'static str,
    /// What brings the macros into scope.
    import: &'static str,
}

const LIBRARIES: [Library; 5] = [
    Library {
        name: "nothing",
        dependency: "",
        import: program::NOTHING,
    },
    Library {
        name: "ringlog",
        dependency: "ringlog = { path = \"../../../../..\" }",
        import: "use ringlog::{debug, error, info, trace, warn};",
    },
    Library {
        name: "tracing",
        dependency: "tracing = \"=0.1.44\"",
        import: "use tracing::{debug, error, info, trace, warn};",
    },
    // The statements are the same; this is about the clean build: what it takes to have what is
    // logged written to a file by a thread of its own, which `tracing` alone does not do.
    Library {
        name: "tracing-appender",
        dependency: "tracing = \"=0.1.44\"\ntracing-subscriber = \"=0.3.23\"\n\
                     tracing-appender = \"=0.2.5\"",
        import: "use tracing::{debug, error, info, trace, warn};",
    },
    Library {
        name: "log",
        dependency: "log = \"=0.4.35\"",
        import: "use log::{debug, error, info, trace, warn};",
    },
];

/// How long a build took: on all cores together, and on the wall.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Time {
    processor: Duration,
    wall: Duration,
}

/// What one library's programs took.
#[derive(Default)]
struct Measured {
    /// The large program alone, each round.
    alone: Vec<Time>,
    /// The large program with all dependencies.
    clean: Time,
    large: Sizes,
    small: Sizes,
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let mut number = |default: usize| {
        let argument = arguments.next();
        argument.map_or(default, |text| text.parse().expect("a number"))
    };
    let (rounds, statements) = (number(5), number(2000));
    let few = statements / 10;
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Beside the sources, so that the paths in the programs do not depend on who runs this.
    let programs = here.join("target/programs");
    let mut results = Vec::new();
    for library in &LIBRARIES {
        let folder = programs.join(library.name);
        let mut measured = Measured::default();
        fs::remove_dir_all(folder.join("target")).or_else(absent_is_fine)?;
        write_program(library, &folder, statements)?;
        measured.clean = build(&folder)?;
        measured.large = elf::sizes(&executable(&folder))?;
        write_program(library, &folder, few)?;
        build(&folder)?;
        measured.small = elf::sizes(&executable(&folder))?;
        results.push(measured);
    }
    for _ in 0..rounds {
        for (library, measured) in LIBRARIES.iter().zip(&mut results) {
            let folder = programs.join(library.name);
            // Cargo builds what is newer than its product.
            write_program(library, &folder, statements)?;
            measured.alone.push(build(&folder)?);
        }
    }
    report(&results, statements, few);
    Ok(())
}

fn absent_is_fine(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

fn write_program(library: &Library, folder: &Path, statements: usize) -> io::Result<()> {
    fs::create_dir_all(folder.join("src"))?;
    fs::write(
        folder.join("Cargo.toml"),
        format!(
            "[package]\nname = \"program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             [workspace]\n\n[dependencies]\n{}\n",
            library.dependency
        ),
    )?;
    let source = program::source(library.import, statements);
    fs::write(folder.join("src/main.rs"), source)
}

fn build(folder: &Path) -> io::Result<Time> {
    let started = Instant::now();
    let before = processor_time_of_children()?;
    let output = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet"])
        .current_dir(folder)
        .env_remove("CARGO_TARGET_DIR")
        .output()?;
    assert!(
        output.status.success(),
        "{}: {}",
        folder.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(Time {
        processor: processor_time_of_children()? - before,
        wall: started.elapsed(),
    })
}

/// What all child processes that have ended took, and theirs, in user mode and in the kernel.
fn processor_time_of_children() -> io::Result<Duration> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // After the name, which may hold anything; the 16th and 17th field of the line, in ticks that
    // the kernel's interface fixes at 10 ms.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let fields = fields.split_whitespace().skip(13).take(2);
    let ticks: u64 = fields.filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(10 * ticks))
}

fn executable(folder: &Path) -> PathBuf {
    folder.join("target/release/program")
}

fn report(results: &[Measured], statements: usize, few: usize) {
    println!("{statements} statements, release build");
    println!(
        "| library | build, program alone: all cores (least, median), wall (least) | clean build: \
         all cores, wall | code per statement | data per statement |"
    );
    println!("|---|---|---|---|---|");
    let more = (statements - few) as u64;
    let grown = |measured: &Measured| measured.large - measured.small;
    let nothing = grown(&results[0]);
    for (library, measured) in LIBRARIES.iter().zip(results) {
        let mut processor: Vec<_> = measured.alone.iter().map(|time| time.processor).collect();
        processor.sort();
        let least = processor.first().copied().unwrap_or_default();
        let median = processor
            .get(processor.len() / 2)
            .copied()
            .unwrap_or_default();
        let wall = measured.alone.iter().map(|time| time.wall).min();
        let each = grown(measured) - nothing;
        println!(
            "| {} | {:.2} s, {:.2} s, {:.2} s | {:.1} s, {:.1} s | {} B | {} B |",
            library.name,
            least.as_secs_f64(),
            median.as_secs_f64(),
            wall.unwrap_or_default().as_secs_f64(),
            measured.clean.processor.as_secs_f64(),
            measured.clean.wall.as_secs_f64(),
            each.code / more,
            each.data / more,
        );
    }
}
