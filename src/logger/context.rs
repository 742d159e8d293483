//! Fields that a thread gives to all its records.
//!
//! They are encoded once, when they are set, into a block of the thread's own; a record gets a copy.
//! A thread that has none does not look: while it has some, the handle of its lane is marked, and
//! sends its records on a detour that does.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::pin;
use std::str::FromStr;

use super::lanes;
use crate::record::{
    Block, Decoder, Erased, Payload, Scratch, TypeList, Value, Values, field_bytes,
};

/// How many guards of one thread can be alive at once.
const MOST_LAYERS: usize = 64;

thread_local! {
    /// Whether the thread has any fields. No destructor, so that it can be read at any time.
    static ACTIVE: Cell<bool> = const { Cell::new(false) };

    static STACK: RefCell<Stack> = const {
        RefCell::new(Stack {
            block: Block::EMPTY,
            layers: [Layer { id: 0, start: (0, 0) }; MOST_LAYERS],
            depth: 0,
            last_id: 0,
        })
    };
}

/// The fields of a thread, and which guard they belong to.
struct Stack {
    block: Block,
    /// The first `depth` are in use, outermost first.
    layers: [Layer; MOST_LAYERS],
    depth: usize,
    last_id: u64,
}

/// The fields of one guard.
#[derive(Clone, Copy)]
struct Layer {
    id: u64,
    /// Where they begin in the block.
    start: (usize, u8),
}

/// Whether the calling thread has fields for its records.
#[inline(always)]
pub(super) fn is_active() -> bool {
    ACTIVE.get()
}

/// A copy of the calling thread's fields, if there are any.
pub(super) fn current() -> Option<Block> {
    if !is_active() {
        return None;
    }
    // A signal handler that interrupted a change of the fields goes without.
    STACK.with(|stack| Some(stack.try_borrow().ok()?.block))
}

fn set_active(active: bool) {
    ACTIVE.set(active);
    lanes::look_for_context();
}

/// Ends the fields that [`context!`](crate::context) has set, when it is dropped.
///
/// Guards may be dropped in any order: each ends its own fields.
#[must_use = "the fields end when the guard is dropped: bind it, as in `let _context = context!(...)`"]
pub struct ContextGuard {
    id: u64,
    /// The fields belong to the thread that set them.
    _not_send: PhantomData<*const ()>,
}

impl fmt::Debug for ContextGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextGuard").finish_non_exhaustive()
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        STACK.with(|stack| {
            // Only a signal handler can find it borrowed, and the guard is not one's.
            let Ok(mut stack) = stack.try_borrow_mut() else {
                return;
            };
            stack.leave(self.id);
            if stack.depth == 0 {
                set_active(false);
            }
        });
    }
}

/// Adds fields to all records of the calling thread. What `context!` expands to.
#[inline(always)]
pub fn enter_context<V: Values>(names: &[&str], mut values: V) -> ContextGuard {
    enter(names, Erased::new(&mut values))
}

fn enter(names: &[&str], mut values: Erased<'_>) -> ContextGuard {
    // Outside of the borrow, because it may run code of the user's, which may log.
    let mut scratch = Scratch::new(Block::MOST);
    values.prepare(&mut scratch);
    let id = STACK.with(|stack| {
        let mut stack = stack.try_borrow_mut().ok()?;
        let beside: usize = names.iter().map(|name| field_bytes(name)).sum();
        let room = stack.block.room().saturating_sub(beside);
        let mut payload = Payload::new();
        // SAFETY: prepared above.
        unsafe { payload.encode(&values, &scratch, None, room) };
        stack.enter(names, values.types(), payload.bytes())
    });
    if id.is_some() {
        set_active(true);
    }
    ContextGuard {
        id: id.unwrap_or(0),
        _not_send: PhantomData,
    }
}

/// Runs a future in a context: it is set whenever the future is polled, on whichever thread that is,
/// and ends when the poll does. So a task keeps its fields when it goes on on another thread, and
/// gives them to no other task.
///
/// ```
/// use ringlog::{RingLogger, context, in_context, info, sink::Memory};
///
/// async fn handle(logger: &RingLogger) {
///     info!(logger: logger, "begins");
///     tokio::task::yield_now().await;
///     info!(logger: logger, "ends");
/// }
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder().sink(memory.clone()).closing_record(false).build()?;
/// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// runtime.block_on(async {
///     let first = in_context(|| context!(request = 1), handle(&logger));
///     let second = in_context(|| context!(request = 2), handle(&logger));
///     tokio::join!(first, second)
/// });
/// logger.shutdown(std::time::Duration::from_secs(5));
/// let log = memory.contents();
/// for text in ["begins request=1", "begins request=2", "ends request=1", "ends request=2"] {
///     assert!(log.contains(&format!("] {text}\n")));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// `enter` is called at each poll, which costs what setting a context does: some ten nanoseconds.
pub async fn in_context<F: Future>(enter: impl Fn() -> ContextGuard, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|context| {
        let _fields = enter();
        future.as_mut().poll(context)
    })
    .await
}

impl Stack {
    /// Adds fields, as many as fit, and answers the number by which they can be removed; `None` if
    /// there are too many layers already.
    fn enter(&mut self, names: &[&str], types: &TypeList, payload: &[u8]) -> Option<u64> {
        let Some(layer) = self.layers.get_mut(self.depth) else {
            self.block.leave_out(names.len());
            return None;
        };
        self.last_id += 1;
        *layer = Layer {
            id: self.last_id,
            start: self.block.end(),
        };
        self.depth += 1;
        let mut decoder = Decoder::new(payload);
        for (place, (name, ty)) in names.iter().zip(types.iter()).enumerate() {
            let before = decoder.rest();
            if decoder.next(ty).is_none() {
                // There was no room for this value, nor for those after it.
                self.block.leave_out(names.len() - place);
                break;
            }
            let value = &before[..before.len() - decoder.rest().len()];
            self.block.push(name, ty, value);
        }
        Some(self.last_id)
    }

    /// Removes the fields with this number, if there are any.
    fn leave(&mut self, id: u64) {
        let layers = &mut self.layers[..self.depth];
        let Some(place) = layers.iter().position(|layer| layer.id == id) else {
            return;
        };
        let start = layers[place].start;
        let end = layers
            .get(place + 1)
            .map_or(self.block.end(), |next| next.start);
        layers.copy_within(place + 1.., place);
        self.depth -= 1;
        for layer in &mut self.layers[place..self.depth] {
            layer.start.0 -= end.0 - start.0;
            layer.start.1 -= end.1 - start.1;
        }
        self.block.remove(start, end);
    }
}

/// The number that belongs to one request, everywhere it goes: 128 bits, written as 32 hexadecimal
/// digits.
///
/// A thread has one while a field named `trace_id` is set by [`context!`](crate::context), and every
/// record of the thread carries it. Whoever hands work on can read it back:
///
/// ```
/// use ringlog::{TraceId, context};
///
/// let id: TraceId = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
/// let _context = context!(trace_id = id);
/// assert_eq!(TraceId::current(), Some(id));
/// # Ok::<(), ringlog::ParseTraceIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(u128);

impl TraceId {
    /// The field that holds it.
    const NAME: &'static str = "trace_id";

    /// The number as a trace id.
    #[must_use]
    pub const fn from_u128(id: u128) -> Self {
        TraceId(id)
    }

    /// The trace id as a number.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// The calling thread's: the value of the innermost field named `trace_id`, be it a `TraceId`,
    /// an unsigned number, or text of 32 hexadecimal digits; `None` if there is no such field.
    ///
    /// Does not allocate, lock or block.
    #[must_use]
    pub fn current() -> Option<TraceId> {
        let block = current()?;
        let fields = block.context().fields();
        let field = fields.filter(|field| field.name == TraceId::NAME).last()?;
        match field.value {
            Value::U128(id) => Some(TraceId(id)),
            Value::U64(id) => Some(TraceId(id.into())),
            Value::U32(id) => Some(TraceId(id.into())),
            Value::Str(chars) | Value::Text(chars) if chars.cut == 0 => {
                std::str::from_utf8(chars.kept).ok()?.parse().ok()
            }
            _ => None,
        }
    }
}

impl From<u128> for TraceId {
    fn from(id: u128) -> Self {
        TraceId(id)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a trace id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseTraceIdError {
    text: String,
}

impl fmt::Display for ParseTraceIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a trace id, which is 32 hexadecimal digits",
            self.text.escape_debug()
        )
    }
}

impl std::error::Error for ParseTraceIdError {}

impl FromStr for TraceId {
    type Err = ParseTraceIdError;

    /// Reads 32 hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = digits.then(|| u128::from_str_radix(text, 16).ok());
        id.flatten()
            .map(TraceId)
            .ok_or_else(|| ParseTraceIdError { text: text.into() })
    }
}
