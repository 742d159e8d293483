//! Where, and with what, it was measured.

use std::fs;
use std::process::Command;

use serde::Serialize;

/// The machine and the compiler.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub kernel: String,
    pub compiler: String,
}

impl Machine {
    pub fn here() -> Self {
        let unknown = || "unknown".to_string();
        let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_string())
        });
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
        let compiler = Command::new("rustc").arg("--version").output().ok();
        Machine {
            processor: processor.unwrap_or_else(unknown),
            cores: crate::support::cores::allowed().len(),
            kernel: kernel.map_or_else(unknown, |text| text.trim().to_string()),
            compiler: compiler.map_or_else(unknown, |output| {
                String::from_utf8_lossy(&output.stdout).trim().to_string()
            }),
        }
    }
}

/// The version of a package that this program was built with.
pub fn version(package: &str) -> &'static str {
    let mut lines = include_str!("../Cargo.lock").lines();
    while let Some(line) = lines.next() {
        if line == format!("name = \"{package}\"") {
            let version = lines.next().and_then(|line| line.split('"').nth(1));
            return version.unwrap_or("unknown");
        }
    }
    "unknown"
}
