//! Messages over TCP, each with its length before it: RFC 6587, "octet counting".
//!
//! A receiver can make nothing of a part of a message, nor of what follows one. So a message that
//! was begun is ended on the same connection, or sent as a whole on the next.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::PATIENCE;
use crate::sink::{Batch, Entry};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_millis(500);

/// How many bytes of messages are sent at once.
const MOST: usize = 64 << 10;

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Stream {
    addresses: Vec<SocketAddr>,
    connection: Option<TcpStream>,
    /// A message that was begun, and how much of it this connection has.
    begun: Vec<u8>,
    sent: usize,
    /// Messages, each with its length before it, and the text of the one that is being made.
    frames: Vec<u8>,
    message: Vec<u8>,
}

impl Stream {
    pub(super) fn connect(addresses: Vec<SocketAddr>) -> io::Result<Self> {
        let mut stream = Stream {
            addresses,
            connection: None,
            begun: Vec::new(),
            sent: 0,
            frames: Vec::new(),
            message: Vec::new(),
        };
        stream.reconnect()?;
        Ok(stream)
    }

    pub(super) fn reconnect(&mut self) -> io::Result<()> {
        self.disconnect();
        let mut last = ErrorKind::NotFound.into();
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, CONNECT) {
                Ok(connection) => {
                    connection.set_nodelay(true)?;
                    connection.set_write_timeout(Some(PATIENCE))?;
                    self.connection = Some(connection);
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn disconnect(&mut self) {
        self.connection = None;
        self.sent = 0;
    }

    /// What was begun is somebody else's.
    pub(super) fn forget(&mut self) {
        self.begun.clear();
        self.disconnect();
    }

    /// Sends the first entries, and answers the bytes of those. The last of them may only have been
    /// begun.
    pub(super) fn write(
        &mut self,
        batch: &Batch<'_>,
        make: impl Fn(&Entry<'_>, &mut Vec<u8>),
    ) -> io::Result<usize> {
        self.check()?;
        self.flush()?;
        self.frames.clear();
        // Where each entry, and its message, end.
        let mut ends = Vec::new();
        let mut entry_end = 0;
        for entry in batch.entries() {
            self.message.clear();
            make(&entry, &mut self.message);
            write!(self.frames, "{} ", self.message.len())?;
            self.frames.extend_from_slice(&self.message);
            entry_end += entry.bytes.len();
            ends.push((entry_end, self.frames.len()));
            if self.frames.len() >= MOST {
                break;
            }
        }
        let mut sent = 0;
        while sent < self.frames.len() {
            match self.send(sent) {
                Ok(more) => sent += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if sent == 0 => return Err(error),
                // The next call meets it again.
                Err(_) => break,
            }
        }
        let whole = ends.partition_point(|&(_, end)| end <= sent);
        let start = whole.checked_sub(1).map_or(0, |last| ends[last].1);
        if sent > start {
            let (entry_end, end) = ends[whole];
            self.begun.clear();
            self.begun.extend_from_slice(&self.frames[start..end]);
            self.sent = if self.connection.is_some() {
                sent - start
            } else {
                0
            };
            return Ok(entry_end);
        }
        Ok(whole.checked_sub(1).map_or(0, |last| ends[last].0))
    }

    /// Ends the message that was begun.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.begun.is_empty() {
            return Ok(());
        }
        self.check()?;
        std::mem::swap(&mut self.begun, &mut self.frames);
        let mut result = Ok(());
        while self.sent < self.frames.len() && result.is_ok() {
            match self.send(self.sent) {
                Ok(more) => self.sent += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => result = Err(error),
            }
        }
        std::mem::swap(&mut self.begun, &mut self.frames);
        if result.is_ok() {
            self.begun.clear();
            self.sent = 0;
        }
        result
    }

    /// One write of the frames from there on.
    fn send(&mut self, from: usize) -> io::Result<usize> {
        let connection = self.connection.as_mut().ok_or(ErrorKind::NotConnected)?;
        match connection.write(&self.frames[from..]) {
            Ok(0) => Err(ErrorKind::WriteZero.into()),
            Err(error)
                if !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) =>
            {
                self.disconnect();
                Err(error)
            }
            result => result,
        }
    }

    /// Connects if there is no connection, or if the server has ended it: what is written then would
    /// be lost in silence.
    fn check(&mut self) -> io::Result<()> {
        if let Some(connection) = &mut self.connection {
            connection.set_nonblocking(true)?;
            let ended = match connection.read(&mut [0; 64]) {
                Ok(length) => length == 0,
                Err(error) => {
                    !matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock)
                }
            };
            connection.set_nonblocking(false)?;
            if ended {
                self.disconnect();
            }
        }
        if self.connection.is_none() {
            self.reconnect()?;
        }
        Ok(())
    }
}
