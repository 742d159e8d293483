//! The header of a message, as RFC 5424 has it.
//!
//! ```text
//! <14>1 2026-11-25T03:46:19.204916Z myhost matcher 4711 - - engine::risk: filled 100 at 7.25
//! ```

use crate::format::date_and_time;
use crate::level::Level;
use crate::sink::Entry;

/// What kind of program a message is from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u8)]
pub enum Facility {
    /// A program of a user.
    #[default]
    User = 1,
    /// The mail system.
    Mail = 2,
    /// A daemon of the system.
    Daemon = 3,
    /// Security and authorization.
    Auth = 4,
    /// Printing.
    Lpr = 6,
    /// Network news.
    News = 7,
    /// UUCP.
    Uucp = 8,
    /// The clock daemon.
    Cron = 9,
    /// Security and authorization, private.
    AuthPriv = 10,
    /// FTP.
    Ftp = 11,
    /// For local use.
    Local0 = 16,
    /// For local use.
    Local1 = 17,
    /// For local use.
    Local2 = 18,
    /// For local use.
    Local3 = 19,
    /// For local use.
    Local4 = 20,
    /// For local use.
    Local5 = 21,
    /// For local use.
    Local6 = 22,
    /// For local use.
    Local7 = 23,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Header {
    facility: Facility,
    hostname: String,
    app_name: String,
    process: u32,
    /// Everything behind the time.
    rest: Vec<u8>,
}

impl Header {
    pub(super) fn new() -> Self {
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(std::path::Path::file_name);
        let mut header = Header {
            facility: Facility::User,
            hostname: nothing_else(&hostname(), 255),
            app_name: program.map_or("-".into(), |name| nothing_else(&name.to_string_lossy(), 48)),
            process: 0,
            rest: Vec::new(),
        };
        header.set_process();
        header
    }

    pub(super) fn set_facility(&mut self, facility: Facility) {
        self.facility = facility;
    }

    pub(super) fn set_hostname(&mut self, name: &str) {
        self.hostname = nothing_else(name, 255);
        self.refresh();
    }

    pub(super) fn set_app_name(&mut self, name: &str) {
        self.app_name = nothing_else(name, 48);
        self.refresh();
    }

    /// Reads the number of the process.
    pub(super) fn set_process(&mut self) {
        self.process = std::process::id();
        self.refresh();
    }

    fn refresh(&mut self) {
        let (host, app, process) = (&self.hostname, &self.app_name, self.process);
        // Neither a message's name nor structured data.
        self.rest = format!("Z {host} {app} {process} - - ").into_bytes();
    }

    pub(super) fn put(&self, out: &mut Vec<u8>, entry: &Entry<'_>) {
        let mut number = itoa::Buffer::new();
        out.push(b'<');
        let priority = self.facility as u8 * 8 + severity(entry.level);
        out.extend_from_slice(number.format(priority).as_bytes());
        out.extend_from_slice(b">1 ");
        out.extend_from_slice(&date_and_time(entry.time / 1_000_000_000));
        let micros = entry.time / 1000 % 1_000_000;
        // The leading one keeps the zeros.
        out.extend_from_slice(&number.format(1_000_000 + micros).as_bytes()[1..]);
        out.extend_from_slice(&self.rest);
    }
}

/// The severity of a level; the less, the more severe.
pub(crate) fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Visible ASCII, at least one character of it.
fn nothing_else(text: &str, most: usize) -> String {
    let visible = |c: char| if c.is_ascii_graphic() { c } else { '_' };
    let text: String = text.chars().map(visible).take(most).collect();
    if text.is_empty() { "-".into() } else { text }
}

fn hostname() -> String {
    let files = ["/proc/sys/kernel/hostname", "/etc/hostname"];
    let mut names = files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok());
    let name = names.next().or_else(|| std::env::var("COMPUTERNAME").ok());
    name.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let mut header = Header::new();
        header.set_facility(Facility::Local4);
        header.set_hostname("my host");
        header.set_app_name("mätcher");
        header.process = 4711;
        header.refresh();
        header
    }

    fn text(level: Level, time: u64) -> String {
        let mut out = Vec::new();
        let entry = Entry {
            bytes: b"",
            level,
            time,
            is_record: true,
        };
        header().put(&mut out, &entry);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_header_is_that_of_the_rfc() {
        let time = 1_795_415_086_204_916_267;
        assert_eq!(
            text(Level::Info, time),
            "<166>1 2026-11-23T06:24:46.204916Z my_host m_tcher 4711 - - "
        );
        assert!(text(Level::Error, time).starts_with("<163>1 "));
        assert!(text(Level::Warn, time).starts_with("<164>1 "));
        assert!(text(Level::Trace, time).starts_with("<167>1 "));
        assert!(text(Level::Info, 1_000).contains("T00:00:00.000001Z"));
    }

    #[test]
    fn names_are_never_empty_and_never_too_long() {
        assert_eq!(nothing_else("", 48), "-");
        assert_eq!(nothing_else(" \n", 48), "__");
        assert_eq!(nothing_else(&"x".repeat(99), 48).len(), 48);
        assert!(!Header::new().app_name.is_empty());
    }
}
