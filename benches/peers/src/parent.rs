//! Starts a process for each contender and work, again and again, and keeps what they report.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::child::{Measured, Order};
use crate::contenders::Contender;
use crate::log_file;
use crate::support::cores::Pair;
use crate::work::Work;

/// Which contenders do which work, how often.
pub struct Plan {
    pub contenders: Vec<&'static Contender>,
    pub works: Vec<Work>,
    pub reps: u64,
    pub samples: u64,
    pub pair: Pair,
    /// Whether the runs that are there stay.
    pub keep: bool,
}

/// One contender at one work, once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub contender: String,
    pub work: String,
    /// Or why there is nothing.
    pub measured: Result<Measured, String>,
    pub lost: u64,
    pub repeated: u64,
    pub disordered: u64,
    pub bytes: u64,
    /// A line of the log.
    pub sample: String,
}

/// The file with one run a line.
fn runs_file(results: &Path) -> PathBuf {
    results.join("runs.jsonl")
}

/// The runs that were made before; none if there is no file of them.
pub fn earlier_runs(results: &Path) -> Result<Vec<Run>, String> {
    let path = runs_file(results);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
    };
    (1..)
        .zip(text.lines())
        .map(|(number, line)| {
            serde_json::from_str(line)
                .map_err(|error| format!("{} line {number}: {error}", path.display()))
        })
        .collect()
}

impl Plan {
    /// Makes all runs. Each is written down when it is made, so that a run that is cut short is not
    /// lost.
    pub fn run(&self, results: &Path) -> Result<Vec<Run>, String> {
        let path = runs_file(results);
        let cannot_write = |error| format!("cannot write {}: {error}", path.display());
        let mut runs = if self.keep {
            earlier_runs(results)?
        } else {
            Vec::new()
        };
        fs::create_dir_all(results).map_err(cannot_write)?;
        let mut file = fs::OpenOptions::new()
            .create(true)
            .append(self.keep)
            .write(true)
            .truncate(!self.keep)
            .open(&path)
            .map_err(cannot_write)?;
        // Goes on with the turns of the runs that are there.
        let before = runs
            .iter()
            .filter(|run| run.contender == self.contenders[0].name)
            .count();
        let mut turn = before;
        for _ in 0..self.reps {
            for &work in &self.works {
                for at in 0..self.contenders.len() {
                    let contender = self.contenders[(at + turn) % self.contenders.len()];
                    let run = self.run_once(contender, work)?;
                    if let Err(reason) = &run.measured {
                        eprintln!("peers: {} at {work}: {reason}", contender.name);
                    }
                    let json = serde_json::to_string(&run).map_err(|error| error.to_string())?;
                    writeln!(file, "{json}").map_err(cannot_write)?;
                    runs.push(run);
                }
                turn += 1;
            }
        }
        Ok(runs)
    }

    fn run_once(&self, contender: &Contender, work: Work) -> Result<Run, String> {
        let log = folder()?.join(format!("ringlog-peers-{}.log", std::process::id()));
        let remove = || match fs::remove_file(&log) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("cannot remove {}: {error}", log.display()))
            }
            _ => Ok(()),
        };
        remove()?;
        let order = Order {
            contender: contender.name.into(),
            work: work.to_string(),
            samples: self.samples,
            file: log.clone(),
            producer_core: self.pair.producer,
            consumer_core: self.pair.consumer,
        };
        let mut run = Run {
            contender: order.contender.clone(),
            work: order.work.clone(),
            measured: start(&order),
            lost: 0,
            repeated: 0,
            disordered: 0,
            bytes: 0,
            sample: String::new(),
        };
        if let Ok(measured) = &run.measured {
            let census = log_file::census(&log, work, measured.lines)?;
            run.lost = census.lost;
            run.repeated = census.repeated;
            run.disordered = census.disordered;
            run.bytes = census.bytes;
            run.sample = census.sample;
        }
        remove()?;
        Ok(run)
    }
}

/// Runs a child to its end.
fn start(order: &Order) -> Result<Measured, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let order = serde_json::to_string(order).map_err(|error| error.to_string())?;
    let output = Command::new(program)
        .args(["--child", &order])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot start a process: {error}"))?;
    let told = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let complaint = String::from_utf8_lossy(&output.stderr);
        let complaint = complaint.lines().last().unwrap_or("");
        return Err(format!("{}: {complaint}", output.status));
    }
    // Some loggers print remarks of their own.
    told.lines()
        .rev()
        .find_map(|line| serde_json::from_str(line).ok())
        .ok_or_else(|| format!("no result in what it printed: {told:?}"))
}

/// A folder in memory: a disk would be measured otherwise.
fn folder() -> Result<&'static Path, String> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        Ok(memory)
    } else {
        Err("there is no /dev/shm, and a disk must not be measured".into())
    }
}
