//! The servers that the tests of sinks talk to: rsyslogd and systemd-journald, the real ones, each
//! beside whatever the machine runs itself; and the programs that read the logs of other tests, jq and
//! lnav.
//!
//! `cargo xtask services` installs them from Debian if they are missing, which takes root, and starts
//! the servers; `cargo xtask services stop` ends them. Where that is not possible it says so and goes on,
//! and the tests say that they skip; with `CI=true` both fail.
//!
//! What they need to know is in `target/services`: `addresses`, with a line `NAME VALUE` for each.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The journal's namespace, so that it is not the machine's own.
const NAMESPACE: &str = "ringlog-test";

const RSYSLOGD: &str = "/usr/sbin/rsyslogd";
const JOURNALD: &str = "/usr/lib/systemd/systemd-journald";

/// How long a server may take to be there.
const PATIENCE: Duration = Duration::from_secs(20);

/// Installs what is missing, and starts what does not run. Answers whether the tests can go on.
pub fn start() -> bool {
    match try_start() {
        Ok(()) => true,
        Err(error) => {
            let must = env::var("CI").is_ok_and(|ci| ci == "true");
            eprintln!("xtask: services: {error}");
            if !must {
                eprintln!(
                    "xtask: services: SKIPPED; the tests of syslog, the journal, and readers will skip"
                );
            }
            !must
        }
    }
}

/// Ends what was started.
pub fn stop() {
    // What the kernel calls them has fifteen characters at most.
    for (name, program) in [
        ("rsyslogd", "rsyslogd"),
        ("guest", "sleep"),
        ("journald", "systemd-journal"),
    ] {
        let file = folder().join(name).with_extension("pid");
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        // The number may be another process's by now.
        let process = text.trim();
        let command = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
        if command.trim() == program {
            let _ = Command::new("kill").arg(process).status();
        }
        let _ = fs::remove_file(file);
    }
    let _ = fs::remove_file(folder().join("addresses"));
}

fn folder() -> PathBuf {
    super::root().join("target/services")
}

fn try_start() -> Result<(), String> {
    if !is_root() {
        return Err("starting rsyslogd and systemd-journald takes root".into());
    }
    for (program, package) in [
        (RSYSLOGD, "rsyslog"),
        (JOURNALD, "systemd"),
        ("/usr/bin/jq", "jq"),
        ("/usr/bin/lnav", "lnav"),
    ] {
        if !Path::new(program).exists() {
            install(package)?;
        }
        if !Path::new(program).exists() {
            return Err(format!("the package {package} has no {program}"));
        }
    }
    stop();
    let folder = folder();
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let addresses = format!("{}{}", start_rsyslogd()?, start_journald()?);
    fs::write(folder.join("addresses"), addresses).map_err(|error| error.to_string())
}

fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mut lines = status.lines();
    let user = lines.find_map(|line| line.strip_prefix("Uid:"));
    user.and_then(|user| user.split_whitespace().nth(1)) == Some("0")
}

fn install(package: &str) -> Result<(), String> {
    println!("==> apt-get install {package}");
    let apt_get = |arguments: &[&str]| {
        let status = Command::new("apt-get")
            .args(arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("apt-get {}: {status}", arguments.join(" "))),
            Err(error) => Err(format!("apt-get, which {package} would come from: {error}")),
        }
    };
    let install = ["install", "-y", "-qq", "--no-install-recommends", package];
    // The lists may be fresh enough.
    apt_get(&install).or_else(|_| {
        apt_get(&["update", "-qq"])?;
        apt_get(&install)
    })
}

/// Starts a server that outlives this program.
fn spawn(name: &str, command: &mut Command) -> Result<(), String> {
    let folder = folder();
    let output = File::create(folder.join(name).with_extension("out"));
    let child = command
        .stdin(Stdio::null())
        .stderr(output.map_err(|error| error.to_string())?)
        .spawn()
        .map_err(|error| format!("cannot start {name}: {error}"))?;
    fs::write(
        folder.join(name).with_extension("pid"),
        child.id().to_string(),
    )
    .map_err(|error| error.to_string())
}

/// Waits until a server answers; what it said is the error.
fn wait_for(name: &str, is_there: impl Fn() -> bool) -> Result<(), String> {
    let started = Instant::now();
    while !is_there() {
        if started.elapsed() > PATIENCE {
            let said = fs::read_to_string(folder().join(name).with_extension("out"));
            return Err(format!(
                "{name} does not answer; it says: {}",
                said.unwrap_or_default()
            ));
        }
        thread::sleep(Duration::from_millis(20));
    }
    println!("<== {name}: there in {:.0?}", started.elapsed());
    Ok(())
}

fn start_rsyslogd() -> Result<String, String> {
    let folder = folder();
    // The name of a socket has to be short.
    let socket = Path::new("/run/ringlog-test.syslog");
    let log = folder.join("syslog.log");
    let port = free_port().map_err(|error| error.to_string())?;
    let _ = fs::remove_file(socket);
    let configuration = format!(
        r#"global(workDirectory="{folder}" maxMessageSize="64k")
module(load="imuxsock" SysSock.Use="off")
module(load="imudp")
module(load="imtcp")
input(type="imuxsock" Socket="{socket}" UseSpecialParser="off" RateLimit.Interval="0")
input(type="imudp" address="127.0.0.1" port="{port}")
input(type="imtcp" address="127.0.0.1" port="{port}")
action(type="omfile" file="{log}" template="RSYSLOG_SyslogProtocol23Format")
"#,
        folder = folder.display(),
        socket = socket.display(),
        log = log.display(),
    );
    let file = folder.join("rsyslog.conf");
    fs::write(&file, configuration).map_err(|error| error.to_string())?;
    let mut command = Command::new(RSYSLOGD);
    command.stdout(Stdio::null());
    command.arg("-n").arg("-f").arg(&file);
    command.arg("-i").arg(folder.join("rsyslogd.own.pid"));
    spawn("rsyslogd", &mut command)?;
    wait_for("rsyslogd", || {
        socket.exists() && TcpStream::connect(("127.0.0.1", port)).is_ok()
    })?;
    Ok(format!(
        "syslog-unix {}\nsyslog-port {port}\nsyslog-log {}\n",
        socket.display(),
        log.display()
    ))
}

/// A port that neither TCP nor UDP uses at the moment.
fn free_port() -> io::Result<u16> {
    loop {
        let tcp = TcpListener::bind(("127.0.0.1", 0))?;
        let port = tcp.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
}

fn start_journald() -> Result<String, String> {
    let machine = Path::new("/etc/machine-id");
    if fs::read_to_string(machine).map_or(true, |id| id.trim().len() != 32) {
        // The journal's files are in a folder of that name.
        let mut random = [0_u8; 16];
        File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut random))
            .and_then(|()| {
                let id: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
                fs::write(machine, id + "\n")
            })
            .map_err(|error| format!("{}: {error}", machine.display()))?;
    }
    let folder = PathBuf::from(format!("/run/systemd/journal.{NAMESPACE}"));
    let socket = folder.join("socket");
    for name in ["socket", "stdout"] {
        let _ = fs::remove_file(folder.join(name));
    }
    let mut command = Command::new(JOURNALD);
    spawn("journald", command.arg(NAMESPACE).stdout(Stdio::null()))?;
    wait_for("journald", || {
        socket.exists() && UnixStream::connect(folder.join("stdout")).is_ok()
    })?;
    // A journal of a namespace ends when it has nothing to do for a while, unless it has a guest: a
    // program whose output goes there.
    let guest = UnixStream::connect(folder.join("stdout")).and_then(|mut stream| {
        // Its name, unit, priority, and that no line begins with one or goes anywhere else.
        stream.write_all(b"ringlog-test\n\n6\n0\n0\n0\n0\n")?;
        Ok(stream)
    });
    let guest = guest.map_err(|error| format!("journald takes no guest: {error}"))?;
    let mut command = Command::new("sleep");
    spawn(
        "guest",
        command.arg("infinity").stdout(OwnedFd::from(guest)),
    )?;
    Ok(format!(
        "journal-socket {}\njournal-namespace {NAMESPACE}\n",
        socket.display()
    ))
}
