//! From the macro to the ring.

use super::core::Core;
use super::path::{Claimed, Path, When, with_suppressed};
use super::{InHandler, Producer, RingLogger, installed};
use crate::callsite::{Callsite, GLOBAL_PLACE};
use crate::clock::Timestamp;
use crate::level::Level;
use crate::limit::Limit;
use crate::record::{
    Erased, FIRST_PAYLOAD, Header, MOST_WORDS, Scratch, TypeList, Values, Words, put_measured,
};
use crate::ring::Drops;
use crate::ring::lane::Unclaimed;
use crate::sys::pair::Word;

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// It is in the ring, and will be written unless a report says otherwise.
    Accepted,
    /// Its level is off, its limit held it back, or no logger is installed. The arguments were not
    /// evaluated.
    Filtered,
    /// There was no room for it. It was counted, and the log will say that it is missing.
    Full,
    /// The logger is closing or closed. It was counted.
    Closed,
}

/// Something that `rlog!` can log to. What the macro expands to; not to be implemented.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is nothing to log to",
    label = "is not a logger",
    note = "`logger:` takes a `RingLogger`, a `Guard`, a `Producer`, or `in_handler()`, by value or by \
            reference; without it, the installed logger is meant"
)]
pub trait Log {
    /// Whether it is for use in signal handlers.
    const IN_HANDLER: bool = false;

    /// What takes the records.
    type Handle<'a>: Handle
    where
        Self: 'a;

    /// What takes the records.
    fn handle(&self) -> Self::Handle<'_>;
}

/// A way into a logger, in at most one register. The functions that take a record are compiled once
/// for each kind of handle, and are the same for all statements.
pub trait Handle: Copy {
    /// The logger's bit in every call site.
    fn mask(self) -> u32;

    /// Logs a record whose values are these words. `upper` is the
    /// [upper half](Header::upper_half) of its second word; `detail`: its level may not use the reserve.
    fn log0(self, site: Site, types: Types, upper: u32, detail: bool) -> Outcome;

    /// As [`log0`](Handle::log0).
    fn log1(self, site: Site, types: Types, upper: u32, detail: bool, a: Word) -> Outcome;

    /// As [`log0`](Handle::log0).
    #[allow(clippy::too_many_arguments, reason = "each in a register")]
    fn log3(
        self,
        site: Site,
        types: Types,
        upper: u32,
        detail: bool,
        a: Word,
        b: Word,
        c: Word,
    ) -> Outcome;

    /// As [`log0`](Handle::log0).
    #[allow(clippy::too_many_arguments, reason = "each in a register")]
    fn log5(
        self,
        site: Site,
        types: Types,
        upper: u32,
        detail: bool,
        a: Word,
        b: Word,
        c: Word,
        d: Word,
        e: Word,
    ) -> Outcome;

    /// Claims a slot and writes all of a record but its values. `None` if it is not to be had so, or
    /// the record has more to say than its values: [`submit`](Handle::submit) takes it then.
    fn claim(
        self,
        site: &'static Callsite,
        types: &'static TypeList,
        payload: usize,
        detail: bool,
    ) -> Option<Claimed>;

    /// As [`claim`](Handle::claim), for a record of any level with a time of its own.
    fn claim_at(
        self,
        site: &'static Callsite,
        types: &'static TypeList,
        payload: usize,
        when: When,
    ) -> Option<Claimed>;

    /// Logs a record in any way that there is.
    fn submit(self, site: &'static Callsite, values: Erased<'_>) -> Outcome;

    /// As [`submit`](Handle::submit), with a time, or after so many records that were held back.
    fn submit_late(
        self,
        site: &'static Callsite,
        values: Erased<'_>,
        when: When,
        suppressed: u64,
    ) -> Outcome;
}

type Site = &'static Callsite;
type Types = &'static TypeList;

/// How the records of a handle get into a logger.
trait Paths: Copy {
    /// `None` if there is no logger.
    fn path(&self) -> Option<Path<'_>>;

    /// The same without looking for it: the way may lead to no lane although there is one.
    fn path_at_hand(&self) -> Option<Path<'_>>;
}

/// Lean enough for a few registers: what is not usual is [elsewhere](claim_now).
#[inline(always)]
fn claim<P: Paths>(
    handle: P,
    site: &'static Callsite,
    types: &'static TypeList,
    payload: usize,
    detail: bool,
) -> Option<Claimed> {
    let claimed = match handle.path_at_hand() {
        Some(path) => path.claim_at_once(site, types, payload, detail),
        None => return None,
    };
    match claimed {
        Ok(claimed) => Some(claimed),
        Err(unclaimed) => claim_now(handle, site, types, payload, unclaimed),
    }
}

#[inline(never)]
fn claim_now<P: Paths>(
    handle: P,
    site: Site,
    types: Types,
    payload: usize,
    unclaimed: Unclaimed,
) -> Option<Claimed> {
    let path = handle.path()?;
    path.claim(site, types, payload, When::NOW, unclaimed)
}

#[inline(never)]
fn claim_at<P: Paths>(
    handle: P,
    site: &'static Callsite,
    types: &'static TypeList,
    payload: usize,
    when: When,
) -> Option<Claimed> {
    let path = handle.path()?;
    path.claim(site, types, payload, when, Unclaimed::REFUSED)
}

/// Logs a record whose values are words. All of it is here, in a few registers; what is not usual is
/// [elsewhere](log_words).
#[inline(always)]
fn log<P: Paths + Handle, const N: usize>(
    handle: P,
    site: Site,
    types: Types,
    upper: u32,
    detail: bool,
    words: [Word; N],
) -> Outcome {
    let logged = match handle.path_at_hand() {
        Some(path) => path.log_at_once(site, types, upper, detail, words),
        None => return Outcome::Filtered,
    };
    let Err(unclaimed) = logged else {
        return Outcome::Accepted;
    };
    let [a, b, c, d, e] = all_registers(words);
    log_words(handle, site, types, upper, unclaimed, a, b, c, d, e)
}

/// These words, and as many others as there could be.
#[inline(always)]
fn all_registers<const N: usize>(words: [Word; N]) -> [Word; MOST_WORDS] {
    std::array::from_fn(|index| words.get(index).copied().unwrap_or_default())
}

#[allow(clippy::too_many_arguments, reason = "each in a register")]
#[inline(never)]
fn log_words<P: Paths + Handle>(
    handle: P,
    site: Site,
    types: Types,
    upper: u32,
    unclaimed: Unclaimed,
    a: Word,
    b: Word,
    c: Word,
    d: Word,
    e: Word,
) -> Outcome {
    let words = Words::from_registers([a, b, c, d, e], Header::length(upper));
    if let Some(claimed) = claim_now(handle, site, types, words.len(), unclaimed) {
        // SAFETY: claimed for as many bytes, and a slot is whole words. Copying them does not unwind.
        unsafe {
            claimed.0.publish(|at| words.copy_to(at));
        }
        return Outcome::Accepted;
    }
    handle.submit(site, Words::erase(&mut (words,), types))
}

/// The functions for words, by the function that all of them are.
macro_rules! log_functions {
    ($log:expr, #[$inline:meta]) => {
        #[$inline]
        fn log0(self, site: Site, types: Types, upper: u32, detail: bool) -> Outcome {
            $log(self, site, types, upper, detail, [])
        }

        #[$inline]
        fn log1(self, site: Site, types: Types, upper: u32, detail: bool, a: Word) -> Outcome {
            $log(self, site, types, upper, detail, [a])
        }

        #[$inline]
        fn log3(
            self,
            site: Site,
            types: Types,
            upper: u32,
            detail: bool,
            a: Word,
            b: Word,
            c: Word,
        ) -> Outcome {
            $log(self, site, types, upper, detail, [a, b, c])
        }

        #[$inline]
        fn log5(
            self,
            site: Site,
            types: Types,
            upper: u32,
            detail: bool,
            a: Word,
            b: Word,
            c: Word,
            d: Word,
            e: Word,
        ) -> Outcome {
            $log(self, site, types, upper, detail, [a, b, c, d, e])
        }
    };
}

macro_rules! handle {
    ($handle:ty, $mask:expr) => {
        impl Handle for $handle {
            #[inline(always)]
            fn mask(self) -> u32 {
                let mask: fn(Self) -> u32 = $mask;
                mask(self)
            }

            log_functions!(log, #[inline(never)]);

            #[inline(never)]
            fn claim(
                self,
                site: &'static Callsite,
                types: &'static TypeList,
                payload: usize,
                detail: bool,
            ) -> Option<Claimed> {
                claim(self, site, types, payload, detail)
            }

            #[inline(never)]
            fn claim_at(
                self,
                site: &'static Callsite,
                types: &'static TypeList,
                payload: usize,
                when: When,
            ) -> Option<Claimed> {
                claim_at(self, site, types, payload, when)
            }

            #[cold]
            #[inline(never)]
            fn submit(self, site: &'static Callsite, values: Erased<'_>) -> Outcome {
                self.submit_late(site, values, When::NOW, 0)
            }

            #[cold]
            #[inline(never)]
            fn submit_late(
                self,
                site: &'static Callsite,
                values: Erased<'_>,
                when: When,
                suppressed: u64,
            ) -> Outcome {
                match self.path() {
                    Some(path) => path.submit(site, values, when, suppressed),
                    None => Outcome::Filtered,
                }
            }
        }
    };
}

handle!(&Core, |core| core.hot.mask);
handle!(&Producer, |producer| producer.core.hot.mask);
handle!(Global, |_| 1 << GLOBAL_PLACE);

impl Log for RingLogger {
    type Handle<'a> = &'a Core;

    #[inline(always)]
    fn handle(&self) -> &Core {
        self.core()
    }
}

impl Paths for &Core {
    #[inline(always)]
    fn path(&self) -> Option<Path<'_>> {
        Some(Path::new(self, self.current_lane()))
    }

    #[inline(always)]
    fn path_at_hand(&self) -> Option<Path<'_>> {
        Some(Path::new(self, self.latest_lane()))
    }
}

impl Log for Producer {
    type Handle<'a> = &'a Producer;

    #[inline(always)]
    fn handle(&self) -> &Producer {
        self
    }
}

impl Paths for &Producer {
    #[inline(always)]
    fn path(&self) -> Option<Path<'_>> {
        Some(Path::new(&self.core, self.way.by_context()))
    }

    #[inline(always)]
    fn path_at_hand(&self) -> Option<Path<'_>> {
        self.path()
    }
}

/// The installed logger.
#[derive(Clone, Copy, Debug)]
pub struct Global;

impl Log for Global {
    type Handle<'a> = Global;

    #[inline(always)]
    fn handle(&self) -> Global {
        Global
    }
}

impl Paths for Global {
    #[inline(always)]
    fn path(&self) -> Option<Path<'_>> {
        installed::core().map(|core| Path::new(core, core.current_lane()))
    }

    #[inline(always)]
    fn path_at_hand(&self) -> Option<Path<'_>> {
        installed::core().map(|core| Path::new(core, core.latest_lane()))
    }
}

impl Log for super::Guard {
    type Handle<'a> = &'a Core;

    #[inline(always)]
    fn handle(&self) -> &Core {
        (**self).handle()
    }
}

impl<L: Log> Log for &L {
    const IN_HANDLER: bool = L::IN_HANDLER;

    type Handle<'a>
        = L::Handle<'a>
    where
        Self: 'a;

    #[inline(always)]
    fn handle(&self) -> L::Handle<'_> {
        (**self).handle()
    }
}

/// Whether the logger wants the statement.
#[inline(always)]
pub fn enabled<L: Log>(logger: &L, site: &'static Callsite) -> bool {
    let mask = logger.handle().mask();
    if L::IN_HANDLER {
        site.enabled_in_handler(mask)
    } else {
        site.enabled(mask)
    }
}

/// Logs a record, stamped with the logger's clock.
///
/// The hot path: values of fixed size go through registers, others into a slot that is claimed for them
/// first. Everything else is out of line.
#[inline(always)]
pub fn submit<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    level: Level,
    values: V,
) -> Outcome {
    let handle = logger.handle();
    let detail = !Drops::is_reserved(level.index());
    // One constant, so that the compiler does not even look at the rest.
    if const { Words::fit::<V>() } {
        return submit_words(handle, site, detail, &values);
    }
    if let Some(payload) = measure::<L, V>(&values) {
        let claimed = handle.claim(site, V::TYPES, payload, detail);
        if let Some(claimed) = claimed {
            // SAFETY: measured, and claimed with that measure.
            unsafe { put(claimed, &values, payload) };
            return Outcome::Accepted;
        }
    }
    // Moved here, so that the way above need not have them in memory.
    let mut values = values;
    handle.submit(site, Erased::new(&mut values))
}

/// Logs a record of as many words as the values take.
#[inline(always)]
fn submit_words<H: Handle, V: Values>(handle: H, site: Site, detail: bool, values: &V) -> Outcome {
    let upper = const { Header::upper_half(V::FIXED) };
    let words = Words::of(values);
    let (types, word) = (V::TYPES, |index| words.get(index));
    match V::FIXED.div_ceil(size_of::<u64>()) {
        0 => handle.log0(site, types, upper, detail),
        1 => handle.log1(site, types, upper, detail, word(0)),
        2 | 3 => handle.log3(site, types, upper, detail, word(0), word(1), word(2)),
        _ => handle.log5(
            site,
            types,
            upper,
            detail,
            word(0),
            word(1),
            word(2),
            word(3),
            word(4),
        ),
    }
}

/// How many bytes the values take, if they can be put straight into one slot.
#[inline(always)]
fn measure<L: Log, V: Values>(values: &V) -> Option<usize> {
    if L::IN_HANDLER || V::PREPARED > 0 || V::FIXED > FIRST_PAYLOAD {
        return None;
    }
    // SAFETY: none of the values has to be prepared.
    let payload = V::FIXED + unsafe { values.variable(&Scratch::EMPTY, usize::MAX) };
    (V::VARYING == 0 || payload <= FIRST_PAYLOAD).then_some(payload)
}

/// Fills a slot and publishes it.
///
/// # Safety
///
/// The slot was claimed for values that were [measured](measure) at `payload` bytes.
#[inline(always)]
unsafe fn put<V: Values>(claimed: Claimed, values: &V, payload: usize) {
    let Claimed(record) = claimed;
    // SAFETY: by contract, there is room for as many bytes. Copying them does not unwind, so the record
    // is published, and here, on the thread that claimed it.
    unsafe { record.publish(|at| put_measured(values, at, payload)) }
}

/// Logs a record with a time that the caller names.
#[inline(always)]
pub fn submit_at<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    at: impl Into<Timestamp>,
    values: V,
) -> Outcome {
    submit_late(logger, site, When::at(at.into()), 0, values)
}

/// Logs a record that its limit let pass, stamped with the logger's clock. `suppressed` calls before
/// it did not pass.
#[inline(always)]
pub fn submit_limited<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    limit: &impl Limit,
    suppressed: u64,
    values: V,
) -> Outcome {
    let outcome = submit_late(logger, site, When::NOW, suppressed, values);
    if suppressed > 0 && outcome != Outcome::Accepted {
        limit.put_back(suppressed);
    }
    outcome
}

/// The same with a time that the caller names.
#[inline(always)]
pub fn submit_limited_at<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    at: impl Into<Timestamp>,
    limit: &impl Limit,
    suppressed: u64,
    values: V,
) -> Outcome {
    let outcome = submit_late(logger, site, When::at(at.into()), suppressed, values);
    if suppressed > 0 && outcome != Outcome::Accepted {
        limit.put_back(suppressed);
    }
    outcome
}

#[inline(always)]
fn submit_late<L: Log, V: Values>(
    logger: &L,
    site: &'static Callsite,
    when: When,
    suppressed: u64,
    values: V,
) -> Outcome {
    let handle = logger.handle();
    let payload = if suppressed == 0 {
        measure::<L, V>(&values)
    } else {
        None
    };
    if let Some(payload) = payload {
        if let Some(claimed) = handle.claim_at(site, V::TYPES, payload, when) {
            // SAFETY: measured, and claimed with that measure.
            unsafe { put(claimed, &values, payload) };
            return Outcome::Accepted;
        }
    }
    let mut values = values;
    handle.submit_late(site, Erased::new(&mut values), when, suppressed)
}

/// As any other record of a handler.
#[cold]
fn log_in_handler<const N: usize>(
    handle: InHandler<'_>,
    site: Site,
    types: Types,
    upper: u32,
    _detail: bool,
    words: [Word; N],
) -> Outcome {
    let words = Words::from_registers(all_registers(words), Header::length(upper));
    handle.submit(site, Words::erase(&mut (words,), types))
}

impl Handle for InHandler<'_> {
    #[inline]
    fn mask(self) -> u32 {
        self.core().map_or(0, |core| core.hot.mask)
    }

    log_functions!(log_in_handler, #[inline]);

    /// A handler may have interrupted the owner of anything that would be needed.
    #[inline(always)]
    fn claim(
        self,
        _site: &'static Callsite,
        _types: &'static TypeList,
        _payload: usize,
        _detail: bool,
    ) -> Option<Claimed> {
        None
    }

    #[inline(always)]
    fn claim_at(
        self,
        _site: &'static Callsite,
        _types: &'static TypeList,
        _payload: usize,
        _when: When,
    ) -> Option<Claimed> {
        None
    }

    #[cold]
    #[inline(never)]
    fn submit(self, site: &'static Callsite, values: Erased<'_>) -> Outcome {
        self.submit_late(site, values, When::NOW, 0)
    }

    #[cold]
    #[inline(never)]
    fn submit_late(
        self,
        site: &'static Callsite,
        mut values: Erased<'_>,
        when: When,
        suppressed: u64,
    ) -> Outcome {
        let Some(core) = self.core() else {
            return Outcome::Filtered;
        };
        let (stamp, flags) = when.stamp(core);
        let header = Header {
            stamp,
            statement: 0,
            flags,
        };
        core.submit_in_handler(site, header, with_suppressed(None, suppressed), &mut values)
    }
}
