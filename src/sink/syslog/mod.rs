//! Syslog, as RFC 5424 has it.

mod message;
mod stream;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs, UdpSocket};
#[cfg(unix)]
use std::os::unix::net::UnixDatagram;
#[cfg(unix)]
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Batch, Entry, Sink};
use crate::format::{AnyFormat, Text};
use message::Header;
use stream::Stream;

pub use message::Facility;
#[cfg(unix)]
pub(super) use message::severity;

/// How long a send may wait for the receiver before it counts as busy.
const PATIENCE: Duration = Duration::from_millis(10);

/// Sends records to a syslog server, each as a message of RFC 5424.
///
/// The header has the record's own time to the microsecond, and its level as a severity: ERROR is
/// `err`, WARN is `warning`, INFO is `info`, and what is less is `debug`. What stands in the message
/// is the sink's format: unless another is named, `{target}: {message}{fields}`.
///
/// * [`unix`](Self::unix): the local server's socket; a datagram for each record. When the server
///   is restarted, the next record goes to the new one.
/// * [`udp`](Self::udp): a datagram for each record. Nothing tells what the network loses.
/// * [`tcp`](Self::tcp): each message with its length before it (RFC 6587). A connection that ends
///   is made again; of a message that was cut off by that, the whole is sent again. What the kernel
///   had taken and not delivered by then is lost, and nothing tells how much it is.
///
/// A server that takes nothing for ten milliseconds is busy, and waited for; one that is gone is a
/// failing sink. To a server that may be slow or far away, put it behind an
/// [`Offload`](super::Offload): connecting waits for up to half a second.
///
/// ```no_run
/// use ringlog::RingLogger;
/// use ringlog::sink::{Facility, Syslog};
///
/// let syslog = Syslog::unix()?.facility(Facility::Daemon).app_name("matcher");
/// let logger = RingLogger::builder().sink(syslog).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Syslog {
    transport: Transport,
    name: String,
    header: Header,
    /// The message that is being made.
    message: Vec<u8>,
}

enum Transport {
    /// Unconnected, so that a server that is restarted is found.
    #[cfg(unix)]
    Unix(UnixDatagram, PathBuf),
    Udp(UdpSocket, Vec<SocketAddr>),
    Tcp(Stream),
}

impl Syslog {
    /// The local server: `/dev/log`, or `/var/run/syslog` on macOS.
    ///
    /// # Errors
    ///
    /// As for [`unix_at`](Self::unix_at).
    #[cfg(unix)]
    pub fn unix() -> io::Result<Self> {
        Self::unix_at(if cfg!(target_os = "macos") {
            "/var/run/syslog"
        } else {
            "/dev/log"
        })
    }

    /// A server that listens at this socket.
    ///
    /// # Errors
    ///
    /// Nobody listens there; the error names it.
    #[cfg(unix)]
    pub fn unix_at(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let name = format!("syslog {}", path.display());
        let socket = open_unix(path).map_err(|error| cannot_reach(&name, &error))?;
        Ok(Self::new(name, Transport::Unix(socket, path.to_owned())))
    }

    /// A server that takes datagrams at this address, such as `("loghost", 514)`. The name is looked
    /// up once.
    ///
    /// # Errors
    ///
    /// The name has no address, or no socket can be had for it; the error names it.
    pub fn udp(address: impl ToSocketAddrs + fmt::Debug) -> io::Result<Self> {
        let name = format!("syslog udp {address:?}");
        let open = || {
            let addresses: Vec<_> = address.to_socket_addrs()?.collect();
            Ok(Transport::Udp(open_udp(&addresses)?, addresses))
        };
        let transport = open().map_err(|error| cannot_reach(&name, &error))?;
        Ok(Self::new(name, transport))
    }

    /// A server that takes connections at this address. The name is looked up once.
    ///
    /// # Errors
    ///
    /// The name has no address, or nobody listens there; the error names it.
    pub fn tcp(address: impl ToSocketAddrs + fmt::Debug) -> io::Result<Self> {
        let name = format!("syslog tcp {address:?}");
        let open = || Stream::connect(address.to_socket_addrs()?.collect());
        let stream = open().map_err(|error| cannot_reach(&name, &error))?;
        Ok(Self::new(name, Transport::Tcp(stream)))
    }

    fn new(name: String, transport: Transport) -> Self {
        Syslog {
            transport,
            name,
            header: Header::new(),
            message: Vec::new(),
        }
    }

    /// What kind of program it is; default [`Facility::User`].
    #[must_use]
    pub fn facility(mut self, facility: Facility) -> Self {
        self.header.set_facility(facility);
        self
    }

    /// The program's name; default that of its file. At most 48 characters that are visible ASCII;
    /// others become `_`.
    #[must_use]
    pub fn app_name(mut self, name: &str) -> Self {
        self.header.set_app_name(name);
        self
    }

    /// The machine's name; default what the kernel calls it. At most 255 characters that are visible
    /// ASCII; others become `_`.
    #[must_use]
    pub fn hostname(mut self, name: &str) -> Self {
        self.header.set_hostname(name);
        self
    }

    /// Sends entries one by one, and answers the bytes of those that were sent.
    fn send_each(
        &mut self,
        batch: &Batch<'_>,
        send: impl Fn(&Transport, &[u8]) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut taken = 0;
        for entry in batch.entries() {
            self.message.clear();
            self.header.put(&mut self.message, &entry);
            self.message.extend_from_slice(text_of(&entry));
            match send_shortened(&mut self.message, |bytes| send(&self.transport, bytes)) {
                Ok(()) => taken += entry.bytes.len(),
                Err(error) if taken == 0 => return Err(error),
                // The next call meets it again.
                Err(_) => break,
            }
        }
        Ok(taken)
    }
}

/// The entry without what ends it.
fn text_of<'a>(entry: &Entry<'a>) -> &'a [u8] {
    entry.bytes.strip_suffix(b"\n").unwrap_or(entry.bytes)
}

/// Sends a datagram; if it is too long for one, as much of it as can be sent, with a mark.
fn send_shortened(message: &mut Vec<u8>, send: impl Fn(&[u8]) -> io::Result<()>) -> io::Result<()> {
    const MARK: &str = "…";
    loop {
        match send(message) {
            Err(error) if is_too_long(&error) && message.len() > 512 => {
                let mut length = message.len() / 4 * 3;
                while length > 0 && message[length] & 0xc0 == 0x80 {
                    length -= 1;
                }
                message.truncate(length);
                message.extend_from_slice(MARK.as_bytes());
            }
            result => return result,
        }
    }
}

fn is_too_long(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS))
    }
    #[cfg(not(unix))]
    {
        // WSAEMSGSIZE
        error.raw_os_error() == Some(10_040)
    }
}

fn cannot_reach(name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot reach {name}: {error}"))
}

#[cfg(unix)]
fn open_unix(path: &Path) -> io::Result<UnixDatagram> {
    // Whether anybody is there.
    UnixDatagram::unbound()?.connect(path)?;
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn open_udp(addresses: &[SocketAddr]) -> io::Result<UdpSocket> {
    let first = addresses.first().ok_or(ErrorKind::NotFound)?;
    let any: SocketAddr = if first.is_ipv4() {
        ([0, 0, 0, 0], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(addresses)?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}

impl Sink for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    fn default_format(&self) -> AnyFormat {
        let text = Text::pattern("{target}: {message}{fields}");
        text.map_or_else(|_| AnyFormat::default(), Into::into)
    }

    /// One `send(2)` for each record, or for as many as are there at once over TCP.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        match &mut self.transport {
            Transport::Tcp(stream) => {
                let header = &self.header;
                stream.write(batch, |entry, message| {
                    header.put(message, entry);
                    message.extend_from_slice(text_of(entry));
                })
            }
            _ => self.send_each(batch, |transport, message| match transport {
                #[cfg(unix)]
                Transport::Unix(socket, path) => socket.send_to(message, path).map(drop),
                Transport::Udp(socket, _) => socket.send(message).map(drop),
                Transport::Tcp(_) => Err(ErrorKind::Unsupported.into()),
            }),
        }
    }

    /// Sends what is left of a message that was begun.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.transport {
            Transport::Tcp(stream) => stream.flush(),
            _ => Ok(()),
        }
    }

    /// Connects anew.
    fn reopen(&mut self) -> io::Result<()> {
        match &mut self.transport {
            #[cfg(unix)]
            Transport::Unix(socket, path) => *socket = open_unix(path)?,
            Transport::Udp(socket, addresses) => *socket = open_udp(addresses)?,
            Transport::Tcp(stream) => stream.reconnect()?,
        }
        Ok(())
    }

    fn restart_in_child(&mut self) -> io::Result<()> {
        self.header.set_process();
        if let Transport::Tcp(stream) = &mut self.transport {
            stream.forget();
        }
        self.reopen()
    }
}

impl fmt::Debug for Syslog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syslog")
            .field("name", &self.name)
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}
