//! From the macro to the ring.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use super::context;
use super::core::Core;
use super::lanes::{Way, thread_number};
use super::wait::Wait;
use super::{InHandler, Producer, RingLogger, installed};
use crate::callsite::{Callsite, GLOBAL_PLACE};
use crate::clock::Timestamp;
use crate::level::Level;
use crate::limit::Limit;
use crate::record::{
    Block, Erased, FIRST_PAYLOAD, Gap, Header, Introduction, Payload, Scratch, Type, TypeList,
    Values, Words, begin_record, flags, put_measured, slots_of, write_record, write_words,
};
use crate::ring::claim::Begun;
use crate::ring::lane::Lane;
use crate::ring::slab::Span;
use crate::ring::slot::Body;
use crate::ring::{Drops, Refused};
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

/// When a record is to say that it was made: at a time that the caller names, in nanoseconds since
/// 1970, or now.
#[derive(Clone, Copy)]
pub struct When(Option<u64>);

impl When {
    const NOW: When = When(None);

    #[inline(always)]
    fn at(time: Timestamp) -> Self {
        When(Some(time.as_unix_nanos()))
    }

    /// The stamp, and the flags that go with it.
    #[inline(always)]
    fn stamp(self, core: &Core) -> (u64, u8) {
        match self.0 {
            Some(at) => (at, flags::AT),
            None => (core.hot.stamper.now(), 0),
        }
    }
}

type Site = &'static Callsite;
type Types = &'static TypeList;

/// A slot that waits for its values.
pub struct Claimed(Begun);

/// How the records of a handle get into a logger.
trait Paths: Copy {
    /// `None` if there is no logger.
    fn path(&self) -> Option<Path<'_>>;

    /// The same without looking for it: the way may lead to no lane although there is one.
    fn path_at_hand(&self) -> Option<Path<'_>>;
}

/// Lean enough for a few registers: what is not usual is [elsewhere](claim_at).
#[inline(always)]
fn claim<P: Paths>(
    handle: P,
    site: &'static Callsite,
    types: &'static TypeList,
    payload: usize,
    detail: bool,
) -> Option<Claimed> {
    let path = handle.path_at_hand();
    match path.and_then(|path| path.claim_at_once(site, types, payload, detail)) {
        Some(claimed) => Some(claimed),
        None => claim_at(handle, site, types, payload, When::NOW),
    }
}

#[inline(never)]
fn claim_at<P: Paths>(
    handle: P,
    site: &'static Callsite,
    types: &'static TypeList,
    payload: usize,
    when: When,
) -> Option<Claimed> {
    handle.path()?.claim(site, types, payload, when)
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
    let path = handle.path_at_hand();
    if path.is_some_and(|path| path.log_at_once(site, types, upper, detail, words)) {
        return Outcome::Accepted;
    }
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    log_words(
        handle,
        site,
        types,
        upper,
        word(0),
        word(1),
        word(2),
        word(3),
        word(4),
    )
}

#[allow(clippy::too_many_arguments, reason = "each in a register")]
#[inline(never)]
fn log_words<H: Handle>(
    handle: H,
    site: Site,
    types: Types,
    upper: u32,
    a: Word,
    b: Word,
    c: Word,
    d: Word,
    e: Word,
) -> Outcome {
    let words = Words::from_registers([a, b, c, d, e], Header::length(upper));
    if let Some(claimed) = handle.claim_at(site, types, words.len(), When::NOW) {
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

/// A logger, and the way to the lane in it that belongs to the caller.
///
/// Only made here, so that the lane can be trusted.
#[derive(Clone, Copy)]
struct Path<'a> {
    core: &'a Core,
    way: Way,
}

impl<'a> Path<'a> {
    #[inline(always)]
    fn new(core: &'a Core, way: Way) -> Self {
        Path { core, way }
    }
}

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
    if const { !L::IN_HANDLER && Words::fit::<V>() } {
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

thread_local! {
    /// The thread's latest claim in a shared ring. No destructor, so that it is there to the thread's
    /// very end.
    static LATEST_SHARED: Cell<SharedClaim> = const { Cell::new(SharedClaim::NONE) };
}

/// A claim in the shared ring of a logger.
#[derive(Clone, Copy)]
struct SharedClaim {
    /// The logger's number; 0 is none's.
    logger: u64,
    ticket: u64,
}

impl SharedClaim {
    const NONE: SharedClaim = SharedClaim {
        logger: 0,
        ticket: 0,
    };

    /// One that is about to be made.
    fn coming(core: &Core) -> Self {
        SharedClaim {
            logger: core.hot.id,
            ticket: u64::MAX,
        }
    }

    /// Whether the record that was claimed is still being written, when the caller is on the thread
    /// that claimed it: then it is a signal handler.
    fn is_unfinished(self, core: &Core) -> bool {
        self.logger == core.hot.id
            && (self.ticket == u64::MAX || !core.ring.has_published_shared(self.ticket))
    }
}

impl Path<'_> {
    /// Logs a record of words in a lane, if nothing stands in the way.
    #[inline(always)]
    fn log_at_once<const N: usize>(
        self,
        site: Site,
        types: Types,
        upper: u32,
        detail: bool,
        words: [Word; N],
    ) -> bool {
        let Path { core, way } = self;
        if !way.is_straight() || !site.is_first(types) {
            return false;
        }
        let Some(stamp) = core.hot.stamper.now_at_once() else {
            return false;
        };
        // SAFETY: a path has the caller's own lane, of this ring; the claim is published at once. A
        // straight way leads to no lane that must fence, and says that pairs are published whole. A
        // body has room for a header and as many words as there can be.
        unsafe {
            let Some(claim) = core.ring.claim(&*way.lane(), detail, false) else {
                return false;
            };
            claim.publish_with(stamp, |body| {
                write_words(body, site.first_id(), upper, words);
            });
        }
        true
    }

    /// Claims one slot of a lane and writes what comes before the values, if nothing stands in the
    /// way.
    #[inline(always)]
    fn claim_at_once(
        self,
        site: &'static Callsite,
        types: &'static TypeList,
        payload: usize,
        detail: bool,
    ) -> Option<Claimed> {
        let Path { core, way } = self;
        if !way.is_straight() || !site.is_first(types) {
            return None;
        }
        let stamp = core.hot.stamper.now_at_once()?;
        let begin = |body: *mut Body| {
            let header = Header {
                stamp,
                // Late, so that it need not wait in a register that others want.
                statement: site.first_id(),
                flags: 0,
            };
            // SAFETY: a body has room for a header.
            unsafe { begin_record(body, header, None, payload) }
        };
        // SAFETY: a path has the caller's own lane, of this ring; the claim is published before
        // anything else is done with it. A straight way leads to no lane that must fence.
        unsafe {
            let claim = core.ring.claim(&*way.lane(), detail, false)?;
            Some(Claimed(claim.begin(begin)))
        }
    }

    /// Claims one slot, of whichever ring, and writes what comes before the values.
    fn claim(
        self,
        site: &'static Callsite,
        types: &'static TypeList,
        payload: usize,
        when: When,
    ) -> Option<Claimed> {
        let Path { core, way } = self;
        if context::is_active() {
            return None;
        }
        let (stamp, flags) = when.stamp(core);
        let mut header = Header {
            stamp,
            statement: site.id(types),
            flags,
        };
        let level = site.level().index();
        // SAFETY: a path has the caller's own lane, of this ring, or null.
        if let Some(lane) = unsafe { way.lane().as_ref() } {
            // SAFETY: a body has room for a header.
            let begin = |body: *mut Body| unsafe { begin_record(body, header, None, payload) };
            // SAFETY: as above; the claim is published before anything else is done with the lane.
            return unsafe {
                let claim = core.ring.claim(lane, !Drops::is_reserved(level), true)?;
                Some(Claimed(claim.begin(begin)))
            };
        }
        if payload + size_of::<u64>() > FIRST_PAYLOAD {
            return None;
        }
        let thread = Some(thread_number());
        header.flags |= flags::THREAD;
        // SAFETY: a body has room for a header and a word.
        let begin = |body: *mut Body| unsafe { begin_record(body, header, thread, payload) };
        if LATEST_SHARED.get().is_unfinished(core) {
            return None;
        }
        LATEST_SHARED.set(SharedClaim::coming(core));
        let claim = core.ring.claim_shared(level).ok();
        LATEST_SHARED.set(
            claim
                .as_ref()
                .map_or(SharedClaim::NONE, |claim| SharedClaim {
                    logger: core.hot.id,
                    ticket: claim.ticket(),
                }),
        );
        // SAFETY: copying words does not unwind.
        claim.map(|claim| Claimed(unsafe { claim.begin(begin) }))
    }

    /// Logs a record in any way.
    fn submit(
        self,
        site: &'static Callsite,
        mut values: Erased<'_>,
        when: When,
        suppressed: u64,
    ) -> Outcome {
        let Path { core, way } = self;
        let (stamp, flags) = when.stamp(core);
        let header = Header {
            stamp,
            statement: site.id(values.types()),
            flags,
        };
        let context = with_suppressed(context::current(), suppressed);
        core.submit_any(way.lane(), site.level(), header, context, &mut values)
    }
}

/// The fields of a record after so many that were held back.
fn with_suppressed(context: Option<Block>, suppressed: u64) -> Option<Block> {
    if suppressed == 0 {
        return context;
    }
    let fields = context.unwrap_or(Block::EMPTY);
    let count = suppressed.to_le_bytes();
    Some(fields.with_own("suppressed", Type::U64, &count))
}

/// Nothing is logged so.
fn log_in_handler<const N: usize>(
    _handle: InHandler<'_>,
    _site: Site,
    _types: Types,
    _upper: u32,
    _detail: bool,
    _words: [Word; N],
) -> Outcome {
    Outcome::Filtered
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

impl Core {
    /// Makes what is to be made at the call, then copies bytes.
    #[inline(never)]
    fn submit_any(
        &self,
        lane: *const Lane,
        level: Level,
        mut header: Header,
        context: Option<Block>,
        values: &mut Erased<'_>,
    ) -> Outcome {
        // In the shared ring, the thread's number takes part of the record.
        let prefix = if lane.is_null() { size_of::<u64>() } else { 0 };
        let most = self.hot.most_payload as usize - prefix;
        let mut others = values.reserved(most);
        if let Some(context) = &context {
            header.flags |= flags::CONTEXT;
            others += context.bytes().len().min(most / 2);
        }
        let mut scratch = Scratch::new(most.saturating_sub(others));
        values.prepare(&mut scratch);
        let mut payload = Payload::new();
        // SAFETY: prepared above.
        unsafe { payload.encode(values, &scratch, context, most) };
        self.submit_bytes(lane, level, header, &payload)
    }

    /// Writes an encoded record to the lane or the shared ring, and does what the overflow policy
    /// says when there is no room.
    fn submit_bytes(
        &self,
        lane: *const Lane,
        level: Level,
        mut header: Header,
        payload: &Payload,
    ) -> Outcome {
        if payload.cut {
            header.flags |= flags::CUT;
        }
        // SAFETY: a path has the caller's own lane, of this ring, or null.
        let route = match unsafe { lane.as_ref() } {
            Some(lane) => Route::Lane(lane),
            None => Route::Shared { introduction: None },
        };
        self.submit_by(route, Wait::new(self), level, header, payload.bytes())
    }

    pub(super) fn submit_by(
        &self,
        mut route: Route<'_>,
        mut wait: Wait<'_>,
        level: Level,
        header: Header,
        payload: &[u8],
    ) -> Outcome {
        loop {
            match self.write(&route, level, header, payload) {
                Ok(()) => return Outcome::Accepted,
                Err(Refused::Gap) => {
                    // Whether it got in or not, the next look will tell.
                    let _ = self.write_gap(&route, header);
                }
                Err(Refused::Interrupting) => {
                    route = Route::Shared { introduction: None };
                    wait.forbid();
                }
                Err(Refused::Closed) => return self.reject(level),
                Err(Refused::Full) => {
                    if wait.is_long() && self.waits_for_this_thread(&route) {
                        route = Route::Shared { introduction: None };
                        wait.forbid();
                        continue;
                    }
                    if wait.once_more() {
                        continue;
                    }
                    let now = self.hot.stamper.now();
                    let counted = match route {
                        // SAFETY: the caller's own lane.
                        Route::Lane(lane) => unsafe {
                            self.ring.count_drop(lane, level.index(), now)
                        },
                        Route::Shared { .. } => self.ring.count_shared_drop(level.index(), now),
                    };
                    return match counted {
                        Ok(()) => Outcome::Full,
                        Err(_) => self.reject(level),
                    };
                }
            }
        }
    }

    /// Whether there will be no room before the caller, a signal handler, has returned to the write
    /// that it has interrupted.
    fn waits_for_this_thread(&self, route: &Route<'_>) -> bool {
        match route {
            Route::Lane(lane) => self.ring.waits_for_owner(lane),
            Route::Shared { .. } => LATEST_SHARED.get().is_unfinished(self),
        }
    }

    fn reject(&self, level: Level) -> Outcome {
        self.common.rejected[level.index()].fetch_add(1, Ordering::Relaxed);
        self.common.notes.complain();
        Outcome::Closed
    }

    fn write(
        &self,
        route: &Route<'_>,
        level: Level,
        mut header: Header,
        payload: &[u8],
    ) -> Result<(), Refused> {
        match route {
            Route::Lane(lane) => {
                let slots = slots_of(payload.len()) as u64;
                let fill = |span: &mut Span| write_record(span, header, &[], payload);
                // SAFETY: the caller's own lane, of this ring; copying bytes does not unwind.
                unsafe { self.ring.write(lane, slots, level.index(), fill) }
            }
            Route::Shared { introduction } => {
                header.flags |= flags::THREAD;
                let interrupted = LATEST_SHARED.replace(SharedClaim::coming(self));
                let mut prefix = [thread_number(), 0, 0];
                if let Some(introduction) = introduction {
                    prefix[1..].copy_from_slice(&introduction.words());
                }
                let prefix = &prefix[..route.prefix_bytes() / size_of::<u64>()];
                let slots = slots_of(payload.len() + route.prefix_bytes()) as u64;
                let fill = |span: &mut Span| write_record(span, header, prefix, payload);
                // SAFETY: copying bytes does not unwind.
                let outcome = unsafe { self.ring.write_shared(slots, level.index(), fill) };
                LATEST_SHARED.set(interrupted);
                outcome
            }
        }
    }

    /// Writes a record that tells of drops, with the stamp of the record that comes after it.
    #[cold]
    fn write_gap(&self, route: &Route<'_>, next: Header) -> Result<(), Refused> {
        let header = Header {
            stamp: next.stamp,
            statement: 0,
            flags: flags::GAP | next.flags & flags::AT,
        };
        let now = self.hot.stamper.now();
        let fill = |span: &mut Span, drops: &Drops| {
            let gap = Gap {
                by_level: drops.by_level,
                elapsed: now.saturating_sub(drops.since),
            };
            write_record(span, header, &[], &gap.encode());
        };
        match route {
            // SAFETY: the caller's own lane, of this ring; copying bytes does not unwind.
            Route::Lane(lane) => unsafe { self.ring.write_gap(lane, fill) },
            // SAFETY: copying bytes does not unwind.
            Route::Shared { .. } => unsafe { self.ring.write_shared_gap(fill) },
        }
    }
}

/// Where a record goes.
pub(super) enum Route<'a> {
    Lane(&'a Lane),
    Shared {
        /// For a statement that has no id.
        introduction: Option<Introduction>,
    },
}

impl Route<'_> {
    /// How many bytes of a record's payload come before its values.
    pub(super) fn prefix_bytes(&self) -> usize {
        match self {
            Route::Lane(_) => 0,
            Route::Shared { introduction: None } => size_of::<u64>(),
            Route::Shared {
                introduction: Some(_),
            } => 3 * size_of::<u64>(),
        }
    }
}
