//! Logging from a signal handler.
//!
//! A handler may have interrupted anything: the allocator, a lock's owner, a record being written, a
//! lane being taken. So it uses none of that: its records go to the shared ring, and never wait. A
//! statement that runs for the first time there is not registered, which takes a lock; its record
//! carries the addresses of its description instead, and the consumer registers it.

use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;

use super::core::Core;
use super::route::Route;
use super::submit::Log;
use super::wait::Wait;
use super::{Outcome, RingLogger, installed};
use crate::callsite::Callsite;
use crate::level::Level;
use crate::record::{Block, Checked, Erased, Header, Introduction, Payload, Scratch};

/// The most bytes of arguments for which a handler needs less than a kilobyte of stack.
const SHORT: usize = 256;

/// The installed logger, for use in a signal handler: `rlog!(logger: in_handler(), ...)`.
///
/// What is logged so is safe whatever the signal interrupted. It takes no lock, allocates nothing,
/// waits for nothing (whatever the [`Overflow`](crate::Overflow) policy is), and enters the kernel
/// once for each thread that has not logged before. It goes to the shared ring, is counted like any
/// other record, and carries no [context](crate::context) of the thread's.
///
/// Types that are formatted at the call run their own code, which has to be fit for a handler, and
/// need about 8 KiB of stack, as do arguments of more than 256 bytes; all others need less than one
/// in an optimized build, and up to 6 KiB in a debug build.
/// The level of a statement that has never run outside of a handler is all that the filter looks at
/// until the consumer has seen it once.
///
/// ```
/// use ringlog::{in_handler, warn};
///
/// extern "C" fn on_signal(signal: i32) {
///     warn!(logger: in_handler(), "caught signal {signal}");
/// }
/// # on_signal(15);
/// ```
#[must_use]
pub fn in_handler() -> InHandler<'static> {
    InHandler {
        core: installed::core(),
    }
}

impl RingLogger {
    /// This logger, for use in a signal handler: see [`in_handler`].
    #[must_use]
    pub fn in_handler(&self) -> InHandler<'_> {
        InHandler {
            core: Some(self.core()),
        }
    }
}

/// A logger for use in a signal handler: see [`in_handler`].
#[derive(Clone, Copy)]
pub struct InHandler<'a> {
    /// `None` where no logger is installed.
    core: Option<&'a Core>,
}

impl fmt::Debug for InHandler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InHandler").finish_non_exhaustive()
    }
}

impl<'a> InHandler<'a> {
    #[inline]
    pub(super) fn core(self) -> Option<&'a Core> {
        self.core
    }
}

impl Log for InHandler<'_> {
    const IN_HANDLER: bool = true;

    type Handle<'a>
        = InHandler<'a>
    where
        Self: 'a;

    #[inline]
    fn handle(&self) -> InHandler<'_> {
        *self
    }
}

impl Core {
    /// As `submit`, from a signal handler. `context` is what the record has of its own.
    #[cold]
    #[inline(never)]
    pub(super) fn submit_in_handler(
        &self,
        site: &'static Callsite,
        mut header: Header,
        context: Option<Block>,
        values: &mut Erased<'_>,
    ) -> Outcome {
        let level = site.level();
        let types = values.types();
        let route = match site.known_id(types) {
            Some(id) => {
                header.statement = id;
                Route::Shared { introduction: None }
            }
            None => {
                header.statement = Introduction::STATEMENT;
                let introduction = Introduction::new(ptr::from_ref(site).cast(), types);
                Route::Shared {
                    introduction: Some(introduction),
                }
            }
        };
        // SAFETY: it is not asked if there is anything to prepare.
        let size = || unsafe { values.size(&Scratch::EMPTY, usize::MAX) };
        if values.kinds().prepared > 0 || context.is_some() || size() > SHORT {
            return self.submit_long_in_handler(level, header, route, context, values);
        }
        let mut bytes = [MaybeUninit::uninit(); SHORT];
        // SAFETY: there is nothing to prepare.
        let put = |to: &mut Checked| unsafe { values.put(&Scratch::EMPTY, to, usize::MAX) };
        match Checked::fill(&mut bytes, put) {
            Some(bytes) => self.submit_by(route, Wait::never(self), level, header, bytes),
            None => self.submit_long_in_handler(level, header, route, None, values),
        }
    }

    #[cold]
    #[inline(never)]
    fn submit_long_in_handler(
        &self,
        level: Level,
        mut header: Header,
        route: Route<'_>,
        context: Option<Block>,
        values: &mut Erased<'_>,
    ) -> Outcome {
        let mut payload = Payload::new();
        self.encode(
            &mut payload,
            route.prefix_bytes(),
            &mut header,
            context,
            values,
        );
        self.submit_by(route, Wait::never(self), level, header, payload.bytes())
    }
}
