//! The servers that `cargo xtask services` started.

use std::path::Path;

/// What a test needs to know of them; `None` says, loudly, that it skips.
pub struct Services {
    addresses: String,
}

impl Services {
    #[track_caller]
    pub fn find() -> Option<Services> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/services/addresses");
        match std::fs::read_to_string(&file) {
            Ok(addresses) => Some(Services { addresses }),
            Err(error) => {
                skip(&format!(
                    "{}: {error}; `cargo xtask services` starts rsyslogd and systemd-journald",
                    file.display()
                ));
                None
            }
        }
    }

    #[track_caller]
    pub fn get(&self, name: &str) -> &str {
        let mut lines = self.addresses.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name} in {}", self.addresses))
    }
}

/// Says that a test is not run here, and why. In CI that is a failure.
#[track_caller]
pub fn skip(why: &str) {
    assert!(
        std::env::var("CI").map_or(true, |ci| ci != "true"),
        "not to be skipped in CI: {why}"
    );
    eprintln!("SKIPPED: {why}");
}
