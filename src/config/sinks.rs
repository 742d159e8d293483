//! The sinks of a configuration: read and checked with all the rest, opened when it is put to use.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Fault, Path, Reader, Reading, parse_duration};
use super::{formats, rules};
use crate::level::LevelFilter;
#[cfg(unix)]
use crate::sink::Journald;
use crate::sink::{
    Compression, Console, Destination, Facility, Fallback, File, Fsync, Null, Offload,
    OffloadSettings, Period, QueueFull, Rolling, RollingBuilder, Sink, SinkOptions, Syslog,
};

/// A sink that is not open yet.
#[derive(Debug)]
pub(super) struct SinkPlan {
    /// Where it stands in the configuration.
    pub(super) path: Path,
    pub(super) options: SinkOptions,
    kind: Kind,
    fallback: Option<FallbackPlan>,
    offload: Option<OffloadSettings>,
}

#[derive(Debug)]
enum Kind {
    File {
        path: PathBuf,
        truncate: bool,
        fsync: Fsync,
    },
    Rolling(RollingBuilder),
    Syslog(SyslogPlan),
    Journald {
        path: Option<PathBuf>,
        identifier: Option<String>,
    },
    Stdout,
    Stderr,
    Null,
}

/// A log server, and how messages to it look.
#[derive(Debug)]
struct SyslogPlan {
    server: Server,
    facility: Facility,
    app_name: Option<String>,
    hostname: Option<String>,
}

#[derive(Debug)]
enum Server {
    Unix(#[cfg_attr(not(unix), expect(dead_code, reason = "there are none"))] Option<PathBuf>),
    Udp(String),
    Tcp(String),
}

/// The sink that stands in for another, and when.
#[derive(Debug)]
struct FallbackPlan {
    kind: Kind,
    after_failures: Option<u32>,
    probe_after: Option<Duration>,
    probe_at_most: Option<Duration>,
}

/// Reads a table of `sinks`.
pub(super) fn read(keys: &mut Reader<'_>) -> Reading<SinkPlan> {
    let fallback = keys.table("fallback", read_fallback)?;
    let offload = keys.table_or_flag("offload", read_offload)?;
    let options = read_options(keys)?;
    Ok(SinkPlan {
        path: keys.path().clone(),
        options,
        kind: read_kind(keys)?,
        fallback,
        offload,
    })
}

fn read_options(keys: &mut Reader<'_>) -> Reading<SinkOptions> {
    let mut options = SinkOptions::new();
    if let Some(name) = keys.text("name")? {
        options = options.name(name);
    }
    if let Some(format) = formats::read(keys)? {
        options = options.format(format);
    }
    if let Some(level) = keys.parsed("level", str::parse::<LevelFilter>)? {
        options = options.level(level);
    }
    if let Some(rule) = keys.table("filter", rules::read)? {
        options = options.filter(rule);
    }
    Ok(options)
}

fn read_kind(keys: &mut Reader<'_>) -> Reading<Kind> {
    #[derive(Clone, Copy)]
    enum Word {
        File,
        Rolling,
        Syslog,
        Journald,
        Stdout,
        Stderr,
        Null,
    }
    const WORDS: [(&str, Word); 7] = [
        ("file", Word::File),
        ("rolling", Word::Rolling),
        ("syslog", Word::Syslog),
        ("journald", Word::Journald),
        ("stdout", Word::Stdout),
        ("stderr", Word::Stderr),
        ("null", Word::Null),
    ];
    let word = keys.required_choice("kind", &WORDS)?;
    Ok(match word {
        Word::File => Kind::File {
            truncate: keys.flag("truncate")?.unwrap_or(false),
            fsync: keys.parsed("fsync", parse_fsync)?.unwrap_or_default(),
            path: keys.required_text("path")?.into(),
        },
        Word::Rolling => Kind::Rolling(read_rolling(keys)?),
        Word::Syslog => Kind::Syslog(read_syslog(keys)?),
        Word::Journald => Kind::Journald {
            path: keys.text("path")?.map(PathBuf::from),
            identifier: keys.text("identifier")?.map(str::to_owned),
        },
        Word::Stdout => Kind::Stdout,
        Word::Stderr => Kind::Stderr,
        Word::Null => Kind::Null,
    })
}

fn read_rolling(keys: &mut Reader<'_>) -> Reading<RollingBuilder> {
    let size = keys.bytes("size", 1..=usize::MAX)?;
    let every = keys.parsed("every", parse_period)?;
    let files = keys.number("keep_files", 0..=usize::MAX)?;
    let age = keys.duration("keep_age")?;
    let bytes = keys.bytes("keep_bytes", 0..=usize::MAX)?;
    let compression = keys.parsed("compress", parse_compression)?;
    let fsync = keys.parsed("fsync", parse_fsync)?;
    let zone = keys.text("zone")?;
    let mut rolling = Rolling::builder(keys.required_text("path")?);
    if size.is_none() && every.is_none() {
        return Err(Fault {
            path: keys.path().clone(),
            problem: "lacks a key: `size` or `every`, or both".into(),
        });
    }
    if let Some(size) = size {
        rolling = rolling.size(size as u64);
    }
    if let Some(period) = every {
        rolling = rolling.every(period);
    }
    if let Some(zone) = zone {
        rolling = rolling.zone(zone);
    }
    if let Some(files) = files {
        rolling = rolling.keep_files(files);
    }
    if let Some(age) = age {
        rolling = rolling.keep_age(age);
    }
    if let Some(bytes) = bytes {
        rolling = rolling.keep_bytes(bytes as u64);
    }
    if let Some(compression) = compression {
        rolling = rolling.compress(compression);
    }
    if let Some(fsync) = fsync {
        rolling = rolling.fsync(fsync);
    }
    Ok(rolling)
}

fn read_syslog(keys: &mut Reader<'_>) -> Reading<SyslogPlan> {
    #[derive(Clone, Copy)]
    enum Transport {
        Unix,
        Udp,
        Tcp,
    }
    let transports = [
        ("unix", Transport::Unix),
        ("udp", Transport::Udp),
        ("tcp", Transport::Tcp),
    ];
    let transport = keys.choice("transport", &transports)?;
    let facility = keys.choice("facility", &FACILITIES)?.unwrap_or_default();
    let app_name = keys.text("app_name")?.map(str::to_owned);
    let hostname = keys.text("hostname")?.map(str::to_owned);
    let server = match transport.unwrap_or(Transport::Unix) {
        Transport::Unix => Server::Unix(keys.text("path")?.map(PathBuf::from)),
        Transport::Udp => Server::Udp(keys.required_text("address")?.to_owned()),
        Transport::Tcp => Server::Tcp(keys.required_text("address")?.to_owned()),
    };
    Ok(SyslogPlan {
        server,
        facility,
        app_name,
        hostname,
    })
}

const FACILITIES: [(&str, Facility); 18] = [
    ("user", Facility::User),
    ("mail", Facility::Mail),
    ("daemon", Facility::Daemon),
    ("auth", Facility::Auth),
    ("lpr", Facility::Lpr),
    ("news", Facility::News),
    ("uucp", Facility::Uucp),
    ("cron", Facility::Cron),
    ("authpriv", Facility::AuthPriv),
    ("ftp", Facility::Ftp),
    ("local0", Facility::Local0),
    ("local1", Facility::Local1),
    ("local2", Facility::Local2),
    ("local3", Facility::Local3),
    ("local4", Facility::Local4),
    ("local5", Facility::Local5),
    ("local6", Facility::Local6),
    ("local7", Facility::Local7),
];

fn parse_fsync(text: &str) -> Result<Fsync, String> {
    match text {
        "never" => Ok(Fsync::Never),
        "on_error" => Ok(Fsync::OnError),
        "at_shutdown" => Ok(Fsync::AtShutdown),
        time => parse_duration(time).map(Fsync::Every).map_err(|problem| {
            format!("it can be \"never\", \"on_error\", \"at_shutdown\", or how often; {problem}")
        }),
    }
}

fn parse_period(text: &str) -> Result<Period, String> {
    let period = match text {
        "minute" => Period::Minute,
        "hour" => Period::Hour,
        "day" => Period::Day,
        time => Period::Every(parse_duration(time).map_err(|problem| {
            format!("it can be \"minute\", \"hour\", \"day\", or a time; {problem}")
        })?),
    };
    match period {
        Period::Every(time)
            if time.subsec_nanos() > 0 || !(1..=86_400).contains(&time.as_secs()) =>
        {
            Err("a period has whole seconds, from one to a day".into())
        }
        period => Ok(period),
    }
}

fn parse_compression(text: &str) -> Result<Compression, String> {
    match text {
        #[cfg(feature = "lz4")]
        "lz4" => Ok(Compression::Lz4),
        #[cfg(not(feature = "lz4"))]
        "lz4" => Err("this program was built without the feature `lz4`".into()),
        #[cfg(feature = "zstd")]
        "zstd" => Ok(Compression::Zstd),
        #[cfg(not(feature = "zstd"))]
        "zstd" => Err("this program was built without the feature `zstd`".into()),
        _ => Err("it can be \"lz4\" or \"zstd\"".into()),
    }
}

fn read_fallback(keys: &mut Reader<'_>) -> Reading<FallbackPlan> {
    let failures = keys.number("after_failures", 1..=1_000_000)?;
    Ok(FallbackPlan {
        after_failures: failures.map(|failures| failures as u32),
        probe_after: keys.duration("probe_after")?,
        probe_at_most: keys.duration("probe_at_most")?,
        kind: read_kind(keys)?,
    })
}

fn read_offload(keys: &mut Reader<'_>) -> Reading<OffloadSettings> {
    let mut settings = OffloadSettings::default();
    if let Some(bytes) = keys.bytes("queue_bytes", OffloadSettings::QUEUE_BYTES)? {
        settings.queue_bytes = bytes;
    }
    let policies = [
        ("drop_newest", QueueFull::DropNewest),
        ("drop_oldest", QueueFull::DropOldest),
    ];
    if let Some(policy) = keys.choice("when_full", &policies)? {
        settings.when_full = policy;
    }
    if let Some(bytes) = keys.bytes("batch_bytes", OffloadSettings::BATCH_BYTES)? {
        settings.batch_bytes = bytes;
    }
    if let Some(records) = keys.number("batch_records", 1..=usize::MAX)? {
        settings.batch_records = records;
    }
    if let Some(age) = keys.duration("batch_age")? {
        settings.batch_age = age;
    }
    Ok(settings)
}

/// What a sink says when it cannot be opened.
pub(super) type OpenFault = Box<dyn Error + Send + Sync>;

impl SinkPlan {
    /// What tells it from other sinks: all but what a reload can change.
    pub(super) fn identity(&self) -> String {
        format!(
            "{:?} {:?} {:?} {:?} {:?}",
            self.kind, self.fallback, self.offload, self.options.name, self.options.format
        )
    }

    pub(super) fn open(self) -> Result<(Destination, SinkOptions), OpenFault> {
        let mut sink = self.kind.open()?;
        if let Some(plan) = self.fallback {
            sink = Box::new(plan.stand_in_for(sink)?);
        }
        let destination = match self.offload {
            Some(settings) => Offload { sink, settings }.into(),
            None => sink.into(),
        };
        Ok((destination, self.options))
    }
}

impl FallbackPlan {
    fn stand_in_for(self, first: Box<dyn Sink>) -> Result<Fallback, OpenFault> {
        let mut fallback = Fallback::boxed(first, self.kind.open()?);
        if let Some(failures) = self.after_failures {
            fallback = fallback.after_failures(failures);
        }
        Ok(fallback.probe(self.probe_after, self.probe_at_most))
    }
}

impl SyslogPlan {
    fn open(self) -> io::Result<Syslog> {
        let mut syslog = match &self.server {
            #[cfg(unix)]
            Server::Unix(None) => Syslog::unix()?,
            #[cfg(unix)]
            Server::Unix(Some(path)) => Syslog::unix_at(path)?,
            #[cfg(not(unix))]
            Server::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
            Server::Udp(address) => Syslog::udp(&**address)?,
            Server::Tcp(address) => Syslog::tcp(&**address)?,
        };
        syslog = syslog.facility(self.facility);
        if let Some(name) = &self.app_name {
            syslog = syslog.app_name(name);
        }
        if let Some(name) = &self.hostname {
            syslog = syslog.hostname(name);
        }
        Ok(syslog)
    }
}

#[cfg(unix)]
fn open_journald(path: Option<PathBuf>, identifier: Option<String>) -> io::Result<Box<dyn Sink>> {
    let journal = path.map_or_else(Journald::new, Journald::at)?;
    Ok(match identifier {
        Some(name) => Box::new(journal.identifier(name)),
        None => Box::new(journal),
    })
}

#[cfg(not(unix))]
fn open_journald(_path: Option<PathBuf>, _identifier: Option<String>) -> io::Result<Box<dyn Sink>> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Kind {
    fn open(self) -> Result<Box<dyn Sink>, OpenFault> {
        Ok(match self {
            Kind::File {
                path,
                truncate,
                fsync,
            } => {
                let open = if truncate {
                    File::truncate
                } else {
                    File::append
                };
                Box::new(open(path)?.fsync(fsync))
            }
            Kind::Rolling(rolling) => Box::new(rolling.open()?),
            Kind::Syslog(plan) => Box::new(plan.open()?),
            Kind::Journald { path, identifier } => open_journald(path, identifier)?,
            Kind::Stdout => Box::new(Console::stdout()),
            Kind::Stderr => Box::new(Console::stderr()),
            Kind::Null => Box::new(Null),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::{Language, Source};

    /// What the only sink of a configuration is to be.
    #[track_caller]
    fn plan(keys: &str) -> SinkPlan {
        let text = format!("[[sinks]]\n{keys}");
        let table = Source::new(&text, Language::Toml).parse().unwrap();
        let read_all = |keys: &mut Reader<'_>| keys.tables("sinks", read);
        let mut plans = Reader::read(&table, Path::default(), read_all).unwrap();
        plans.remove(0)
    }

    #[track_caller]
    fn check(keys: &str, expected: &Kind) {
        let kind = plan(keys).kind;
        assert_eq!(format!("{kind:?}"), format!("{expected:?}"), "{keys}");
    }

    #[test]
    fn the_keys_of_files_are_their_methods() {
        let file = |truncate, fsync| Kind::File {
            path: "a.log".into(),
            truncate,
            fsync,
        };
        let every = Duration::from_millis(20);
        for (keys, kind) in [
            ("", file(false, Fsync::Never)),
            ("truncate = true", file(true, Fsync::Never)),
            ("fsync = 'on_error'", file(false, Fsync::OnError)),
            ("fsync = 'at_shutdown'", file(false, Fsync::AtShutdown)),
            ("fsync = '20ms'", file(false, Fsync::Every(every))),
        ] {
            check(&format!("kind = 'file'\npath = 'a.log'\n{keys}"), &kind);
        }
        let rolling = || Rolling::builder("a.log").size(1 << 20);
        let six_hours = Period::Every(Duration::from_secs(6 * 3600));
        for (keys, rolling) in [
            ("", rolling()),
            ("every = 'minute'", rolling().every(Period::Minute)),
            ("every = 'hour'", rolling().every(Period::Hour)),
            ("every = 'day'", rolling().every(Period::Day)),
            ("every = '6h'", rolling().every(six_hours)),
            ("zone = '+02:00'", rolling().zone("+02:00")),
            ("keep_files = 0", rolling().keep_files(0)),
            (
                "keep_age = '1d'",
                rolling().keep_age(Duration::from_secs(86_400)),
            ),
            ("keep_bytes = '1 GB'", rolling().keep_bytes(1_000_000_000)),
            #[cfg(feature = "lz4")]
            ("compress = 'lz4'", rolling().compress(Compression::Lz4)),
            #[cfg(feature = "zstd")]
            ("compress = 'zstd'", rolling().compress(Compression::Zstd)),
            ("fsync = 'on_error'", rolling().fsync(Fsync::OnError)),
        ] {
            check(
                &format!("kind = 'rolling'\npath = 'a.log'\nsize = '1 MiB'\n{keys}"),
                &Kind::Rolling(rolling),
            );
        }
    }

    #[test]
    fn the_keys_of_servers_are_their_methods() {
        let syslog = |server, facility| {
            Kind::Syslog(SyslogPlan {
                server,
                facility,
                app_name: None,
                hostname: None,
            })
        };
        let user = Facility::User;
        check("kind = 'syslog'", &syslog(Server::Unix(None), user));
        check(
            "kind = 'syslog'\npath = '/run/log'",
            &syslog(Server::Unix(Some("/run/log".into())), user),
        );
        for (word, server) in [
            ("udp", Server::Udp("h:514".into())),
            ("tcp", Server::Tcp("h:514".into())),
        ] {
            check(
                &format!("kind = 'syslog'\ntransport = '{word}'\naddress = 'h:514'"),
                &syslog(server, user),
            );
        }
        for (word, facility) in FACILITIES {
            assert_eq!(word, format!("{facility:?}").to_lowercase());
            check(
                &format!("kind = 'syslog'\nfacility = '{word}'"),
                &syslog(Server::Unix(None), facility),
            );
        }
        check(
            "kind = 'syslog'\napp_name = 'matcher'\nhostname = 'here'",
            &Kind::Syslog(SyslogPlan {
                server: Server::Unix(None),
                facility: user,
                app_name: Some("matcher".into()),
                hostname: Some("here".into()),
            }),
        );
        check(
            "kind = 'journald'\npath = '/run/j'\nidentifier = 'matcher'",
            &Kind::Journald {
                path: Some("/run/j".into()),
                identifier: Some("matcher".into()),
            },
        );
    }

    #[test]
    fn the_keys_of_an_offload_are_its_methods() {
        let plan = plan(
            "kind = 'null'\n[sinks.offload]\nqueue_bytes = '1 MiB'\nwhen_full = 'drop_oldest'\n\
             batch_bytes = 1000\nbatch_records = 10\nbatch_age = '5ms'",
        );
        let expected = Offload::new(Null)
            .queue_bytes(1 << 20)
            .when_full(QueueFull::DropOldest)
            .batch_bytes(1000)
            .batch_records(10)
            .batch_age(Duration::from_millis(5));
        assert_eq!(
            format!("{:?}", plan.offload.unwrap()),
            format!("{:?}", expected.settings)
        );
    }

    #[test]
    fn the_keys_of_a_fallback_are_its_methods() {
        let plan = plan(
            "kind = 'stdout'\n[sinks.fallback]\nkind = 'null'\nafter_failures = 7\n\
             probe_after = '2s'\nprobe_at_most = '5s'",
        );
        let first = plan.kind.open().unwrap();
        let opened = plan.fallback.unwrap().stand_in_for(first).unwrap();
        let expected = Fallback::new(Console::stdout(), Null)
            .after_failures(7)
            .probe_after(Duration::from_secs(2), Duration::from_secs(5));
        assert_eq!(format!("{opened:?}"), format!("{expected:?}"));
    }
}
