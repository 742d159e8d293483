//! Times, addresses and threads, as the standard library has them.

use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::thread::ThreadId;
use std::time::{Duration, Instant, SystemTime};

use crate::record::capture::Plain;
use crate::record::value::{Exact, Put, Record};
use crate::record::{Form, Shape, Type, Variant};

impl Record for Duration {
    const TYPE: Type = Type::Duration;
    const FIXED: usize = 12;
    // SAFETY: eight bytes and four.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put(self.as_secs().to_le_bytes());
        to.put(self.subsec_nanos().to_le_bytes());
    }
}

impl Record for SystemTime {
    const TYPE: Type = Type::SystemTime;
    const FIXED: usize = 12;
    // SAFETY: eight bytes and four.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        let (seconds, nanos) = match self.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => (since.as_secs() as i64, since.subsec_nanos()),
            Err(before) => {
                let before = before.duration();
                let seconds = (before.as_secs() as i64).wrapping_neg();
                match before.subsec_nanos() {
                    0 => (seconds, 0),
                    nanos => (seconds.wrapping_sub(1), 1_000_000_000 - nanos),
                }
            }
        };
        to.put(seconds.to_le_bytes());
        to.put(nanos.to_le_bytes());
    }
}

/// As the time that has passed since.
impl Record for Instant {
    const TYPE: Type = Type::Duration;
    const FIXED: usize = Duration::FIXED;
    // SAFETY: it is stored as a duration is.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, limit: usize) {
        self.elapsed().put(to, limit);
    }
}

impl Record for Ipv4Addr {
    const TYPE: Type = Type::Ipv4;
    const FIXED: usize = 4;
    // SAFETY: four bytes.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put(self.octets());
    }
}

impl Record for Ipv6Addr {
    const TYPE: Type = Type::Ipv6;
    const FIXED: usize = 16;
    // SAFETY: sixteen bytes.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put(self.octets());
    }
}

impl Record for SocketAddrV4 {
    const TYPE: Type = Type::SocketV4;
    const FIXED: usize = 6;
    // SAFETY: four bytes and two.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put(self.ip().octets());
        to.put(self.port().to_le_bytes());
    }
}

/// Without the flow label, which is not shown.
impl Record for SocketAddrV6 {
    const TYPE: Type = Type::SocketV6;
    const FIXED: usize = 22;
    // SAFETY: sixteen bytes, two, and four.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        to.put(self.ip().octets());
        to.put(self.port().to_le_bytes());
        to.put(self.scope_id().to_le_bytes());
    }
}

macro_rules! record_either {
    ($($both:ident: $v4:ty | $v6:ty => $name:ident;)*) => {$(
        impl Record for $both {
            const TYPE: Type = Type::$name;
            const FIXED: usize = 1;
            const VARIES: bool = true;
            // SAFETY: a byte, and what the address takes.
            const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

            #[inline(always)]
            fn variable(&self, _limit: usize) -> usize {
                match self {
                    $both::V4(_) => <$v4>::FIXED,
                    $both::V6(_) => <$v6>::FIXED,
                }
            }

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, limit: usize) {
                match self {
                    $both::V4(address) => {
                        to.put([4]);
                        address.put(to, limit);
                    }
                    $both::V6(address) => {
                        to.put([6]);
                        address.put(to, limit);
                    }
                }
            }
        }
    )*};
}

record_either! {
    IpAddr: Ipv4Addr | Ipv6Addr => Ip;
    SocketAddr: SocketAddrV4 | SocketAddrV6 => Socket;
}

impl Plain for Ipv4Addr {}
impl Plain for Ipv6Addr {}
impl Plain for IpAddr {}
impl Plain for SocketAddrV4 {}
impl Plain for SocketAddrV6 {}
impl Plain for SocketAddr {}

/// Its number, which is found by having it hashed: there is no stable way to ask.
impl Record for ThreadId {
    const TYPE: Type = Type::Known(&Shape::Struct(Variant {
        name: "ThreadId",
        form: Form::Tuple(&[Type::U64]),
    }));
    const FIXED: usize = size_of::<u64>();
    // SAFETY: eight bytes.
    const EXACT: Exact<Self> = unsafe { Exact::claim(true) };

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, _limit: usize) {
        let mut number = Number(0);
        self.hash(&mut number);
        to.put(number.0.to_le_bytes());
    }
}

/// A hasher that keeps the number it is given.
struct Number(u64);

impl Hasher for Number {
    fn write(&mut self, bytes: &[u8]) {
        for (place, byte) in bytes.iter().take(size_of::<u64>()).enumerate() {
            self.0 |= u64::from(*byte) << (8 * place);
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
