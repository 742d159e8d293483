//! Arguments to values that are ready to be stored.
//!
//! How an argument is captured follows from its type and from the formatting trait that the
//! statement asks for, by the rules of method lookup: a probe has methods for what is stored typed,
//! and dereferences to one with methods of the same names for all else. Lookup passes over methods
//! whose bounds do not hold.
//!
//! | asked for | stored typed | formatted at the call |
//! |---|---|---|
//! | `{:?}` and its kin, a field's value | all that is [`Record`] | all else |
//! | `{}`, `{:x}`, `{:e}`... | what is [`Plain`] | all else |
//! | `{:p}` | [`Address`]es | all else |

use core::fmt;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, offset_of};
use core::ops::Deref;
use core::ptr;

use super::encode::{Run, SHARE, Scratch};
use super::value::{Checked, Put, Record, Unchecked};
use super::values::pointers::{Address, At};
use super::values::text::{TEXT_FIXED, put_text, text_bytes};
use super::{Type, TypeList};

/// A type of which the consumer knows what each of its formatting traits gives.
///
/// A derived type is not plain: what its `Display` says is known to nobody else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored in a log record for the consumer to format like this",
    label = "is formatted at the call"
)]
pub trait Plain: Record {}

/// An argument of `{:?}`, or the value of a field, on its way to being captured.
#[derive(Debug)]
pub struct Probe<'a, T: ?Sized>(Untyped<'a, T>);

/// An argument of `{}`, and of all that is neither `{:?}` nor `{:p}`.
#[derive(Debug)]
pub struct PlainProbe<'a, T: ?Sized>(Untyped<'a, T>);

/// An argument of `{:p}`.
#[derive(Debug)]
pub struct AddressProbe<'a, T: ?Sized>(Untyped<'a, T>);

/// A plain field of a context on its way to being captured.
#[derive(Debug)]
pub struct ContextProbe<'a, T: ?Sized>(Untyped<'a, T>);

/// Any value that is not stored as it is: it is formatted at the call.
#[derive(Debug)]
pub struct Untyped<'a, T: ?Sized>(Unshown<'a, T>);

/// Such a value of which it is not known that it has `Display`.
#[derive(Debug)]
pub struct Unshown<'a, T: ?Sized>(&'a T);

macro_rules! probes {
    ($($function:ident, $probe:ident;)*) => {$(
        impl<'a, T: ?Sized> Deref for $probe<'a, T> {
            type Target = Untyped<'a, T>;

            #[inline(always)]
            fn deref(&self) -> &Untyped<'a, T> {
                &self.0
            }
        }

        #[doc = concat!("A `", stringify!($probe), "`.")]
        #[inline(always)]
        pub fn $function<T: ?Sized>(value: &T) -> $probe<'_, T> {
            $probe(Untyped(Unshown(value)))
        }
    )*};
}

probes! {
    probe, Probe;
    plain_probe, PlainProbe;
    address_probe, AddressProbe;
    context_probe, ContextProbe;
}

/// An argument of which the trait is named and that is formatted at the call, whatever its type.
#[inline(always)]
pub fn text_probe<T: ?Sized>(value: &T) -> Untyped<'_, T> {
    Untyped(Unshown(value))
}

impl<'a, T: ?Sized> Deref for Untyped<'a, T> {
    type Target = Unshown<'a, T>;

    #[inline(always)]
    fn deref(&self) -> &Unshown<'a, T> {
        &self.0
    }
}

impl<'a, T: Record + ?Sized> Probe<'a, T> {
    /// The value; how it would be formatted is not needed.
    #[inline(always)]
    pub fn capture(self, _format: fmt::Arguments<'_>) -> Typed<'a, T> {
        Typed::new(self.0.0.0)
    }

    /// The value of a plain field.
    #[inline(always)]
    pub fn field(self) -> Typed<'a, T> {
        Typed::new(self.0.0.0)
    }
}

impl<'a, T: Record + fmt::Debug + ?Sized> Probe<'a, T> {
    /// The value of `{:?}`.
    #[inline(always)]
    pub fn debug(self) -> Typed<'a, T> {
        Typed::new(self.0.0.0)
    }
}

impl<'a, T: Plain + ?Sized> PlainProbe<'a, T> {
    /// The value; how it would be formatted is not needed.
    #[inline(always)]
    pub fn capture(self, _format: fmt::Arguments<'_>) -> Typed<'a, T> {
        Typed::new(self.0.0.0)
    }
}

impl<'a, T: Plain + fmt::Display + ?Sized> PlainProbe<'a, T> {
    /// The value of `{}`.
    #[inline(always)]
    pub fn display(self) -> Typed<'a, T> {
        Typed::new(self.0.0.0)
    }
}

impl<T: Address> AddressProbe<'_, T> {
    /// The value; how it would be formatted is not needed.
    #[inline(always)]
    pub fn capture(self, _format: fmt::Arguments<'_>) -> At {
        At(self.0.0.0.address())
    }
}

impl<'a, T: Scalar + ?Sized> ContextProbe<'a, T> {
    /// The value of a plain field.
    #[inline(always)]
    pub fn field(self) -> Typed<'a, T> {
        Typed::new(self.0.0.0)
    }
}

impl<'a, T: ?Sized> Untyped<'a, T> {
    /// What formats the value.
    #[inline(always)]
    pub fn capture<'f>(&self, format: fmt::Arguments<'f>) -> Text<fmt::Arguments<'f>> {
        capture_text(format)
    }

    /// What formats the value of `{}`.
    #[inline(always)]
    pub fn display(&self) -> Text<ByDisplay<'a, T>>
    where
        T: HasDisplay,
    {
        capture_text(ByDisplay(self.0.0))
    }

    /// What formats the value of `{:?}`.
    #[inline(always)]
    pub fn debug(&self) -> Text<ByDebug<'a, T>>
    where
        T: HasDebug,
    {
        capture_text(ByDebug(self.0.0))
    }
}

impl<'a, T: HasDisplay + ?Sized> Untyped<'a, T> {
    /// What formats the value of a plain field.
    #[inline(always)]
    pub fn field(&self) -> Text<ByDisplay<'a, T>> {
        capture_text(ByDisplay(self.0.0))
    }
}

impl<'a, T: ?Sized> Unshown<'a, T> {
    /// What formats the value of a plain field.
    #[inline(always)]
    pub fn field(&self) -> Text<OfField<'a, T>>
    where
        T: FieldValue,
    {
        capture_text(OfField(self.0))
    }
}

/// How a value becomes text.
pub trait Format: Copy {
    /// Writes the text.
    fn write(self, writer: &mut dyn fmt::Write) -> fmt::Result;
}

impl Format for fmt::Arguments<'_> {
    fn write(self, writer: &mut dyn fmt::Write) -> fmt::Result {
        writer.write_fmt(self)
    }
}

macro_rules! format_by {
    ($($name:ident, $trait:ident, $format:literal;)*) => {$(
        #[doc = concat!("As `", $format, "` does.")]
        #[derive(Debug)]
        pub struct $name<'a, T: ?Sized>(&'a T);

        impl<T: ?Sized> Clone for $name<'_, T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<T: ?Sized> Copy for $name<'_, T> {}

        impl<T: $trait + ?Sized> Format for $name<'_, T> {
            fn write(self, writer: &mut dyn fmt::Write) -> fmt::Result {
                write!(writer, $format, self.0)
            }
        }
    )*};
}

format_by! {
    ByDisplay, HasDisplay, "{}";
    ByDebug, HasDebug, "{:?}";
    OfField, FieldValue, "{:?}";
}

/// A type that a context block can hold.
pub trait Scalar: Record {}

macro_rules! scalars {
    ($($rust:ty),*) => {$(
        impl Scalar for $rust {}
    )*};
}

scalars! {
    i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64, bool, char, (), str,
    String
}

impl<T: Scalar + ?Sized> Scalar for &T {}
impl<T: Scalar + ?Sized> Scalar for &mut T {}

/// What a value needs that is shown by `{}`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't implement `std::fmt::Display`",
    label = "`{Self}` cannot be formatted with the default formatter",
    note = "in format strings you may be able to use `{{:?}}` (or `{{:#?}}` for pretty-print) instead; a \
            field is shown so with `?` in front of its value"
)]
pub trait HasDisplay: fmt::Display {}

#[diagnostic::do_not_recommend]
impl<T: fmt::Display + ?Sized> HasDisplay for T {}

/// What a value needs that is shown by `{:?}`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` doesn't implement `std::fmt::Debug`",
    label = "`{Self}` cannot be formatted using `{{:?}}`",
    note = "add `#[derive(Debug)]` to `{Self}` or manually `impl std::fmt::Debug for {Self}`"
)]
pub trait HasDebug: fmt::Debug {}

#[diagnostic::do_not_recommend]
impl<T: fmt::Debug + ?Sized> HasDebug for T {}

/// What a plain field needs if it has neither a typed form nor `Display`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the value of a field",
    label = "has no typed form in a record, and neither `Display` nor `Debug`",
    note = "derive `Debug` or `ringlog::Record` for the type, or log a part of it"
)]
pub trait FieldValue: fmt::Debug {}

#[diagnostic::do_not_recommend]
impl<T: fmt::Debug + ?Sized> FieldValue for T {}

/// What a value of a `typed;` statement needs where it is shown by `{:?}`, or is a plain field.
#[diagnostic::on_unimplemented(
    message = "`{Self}` would be formatted at the call, which `typed;` forbids",
    label = "has no typed form in a record",
    note = "derive `ringlog::Record` for the type, log parts of it that have a typed form, or leave \
            out `typed;`"
)]
pub trait HasTypedForm: Record {}

#[diagnostic::do_not_recommend]
impl<T: Record + ?Sized> HasTypedForm for T {}

/// What a value of a `typed;` statement needs where it is shown by `{}`, `{:x}` and the like.
#[diagnostic::on_unimplemented(
    message = "`{Self}` would be formatted at the call, which `typed;` forbids",
    label = "has no typed form in a record that this placeholder could show",
    note = "derive `ringlog::Record` for the type and show it by `{{:?}}`, log parts of it that have \
            a typed form, or leave out `typed;`"
)]
pub trait HasPlainForm: Plain {}

#[diagnostic::do_not_recommend]
impl<T: Plain + ?Sized> HasPlainForm for T {}

impl<T: ?Sized> Probe<'_, T> {
    /// Refuses what would be formatted at the call.
    #[inline(always)]
    pub fn must_be_typed(&self)
    where
        T: HasTypedForm,
    {
    }
}

impl<T: ?Sized> PlainProbe<'_, T> {
    /// Refuses what would be formatted at the call.
    #[inline(always)]
    pub fn must_be_typed(&self)
    where
        T: HasPlainForm,
    {
    }
}

impl<T: Address> AddressProbe<'_, T> {
    /// Refuses what would be formatted at the call.
    #[inline(always)]
    pub fn must_be_typed(&self) {}
}

/// Captures an argument that is formatted at the call.
#[inline(always)]
fn capture_text<F: Format>(format: F) -> Text<F> {
    Text {
        format,
        run: MaybeUninit::uninit(),
    }
}

/// A value stored as it is.
pub struct Typed<'a, T: ?Sized> {
    held: Held<'a, T>,
    /// Where it is, once it was prepared. Not written otherwise, which would cost instructions.
    run: MaybeUninit<Run>,
}

/// A value, or where it is. A value that fits in a register is held itself: the caller's variable
/// then need not be in memory, which would cost a store.
union Held<'a, T: ?Sized> {
    /// Its bytes, the first ones of these.
    here: u64,
    there: &'a T,
}

impl<T: ?Sized> Clone for Held<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Held<'_, T> {}

impl<'a, T: Record + ?Sized> Typed<'a, T> {
    const IS_HERE: bool =
        matches!(T::FIXED, 1 | 2 | 4 | 8) && T::EXACT.holds() && !T::VARIES && !T::PREPARED;

    #[inline(always)]
    fn new(value: &'a T) -> Self {
        let held = if Self::IS_HERE {
            let mut here = 0_u64;
            // SAFETY: such a value vouches for taking `FIXED` bytes, at most eight.
            let mut to = unsafe { Unchecked::new(ptr::from_mut(&mut here).cast()) };
            value.put(&mut to, usize::MAX);
            Held { here }
        } else {
            Held { there: value }
        };
        Typed {
            held,
            run: MaybeUninit::uninit(),
        }
    }

    /// The value, if it is not held here.
    #[inline(always)]
    fn there(&self) -> Option<&'a T> {
        if Self::IS_HERE {
            return None;
        }
        // SAFETY: `new` wrote it so.
        Some(unsafe { self.held.there })
    }
}

impl<T: ?Sized> fmt::Debug for Typed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").finish_non_exhaustive()
    }
}

impl<T: ?Sized> Clone for Typed<'_, T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Typed<'_, T> {}

/// A value stored as text, and where in the scratch the text is once it was prepared.
#[derive(Clone, Copy, Debug)]
pub struct Text<F> {
    format: F,
    run: MaybeUninit<Run>,
}

/// One value to be stored.
///
/// # Safety
///
/// If `EXACT`, [`put`](Value::put) writes exactly `FIXED + variable(limit)` bytes. It does not
/// unwind.
pub unsafe trait Value: Copy {
    /// How the decoder reads it back.
    const TYPE: Type;
    /// The least bytes that it takes.
    const FIXED: usize;
    /// Whether it may take more.
    const VARIES: bool;
    /// Whether it is made at the call, by code of the user's.
    const PREPARED: bool;
    /// Whether its measure can be relied on.
    const EXACT: bool;
    /// How to get along without the type.
    const OPERATIONS: &'static Operations = &Operations::of::<Self>();

    /// Runs the user's code, if any is to run; that of `later` other values comes after.
    fn prepare(&mut self, scratch: &mut Scratch, later: usize);

    /// The bytes it takes beyond `FIXED` when each text and list may have about `limit`.
    ///
    /// # Safety
    ///
    /// If `PREPARED`, [`prepare`](Value::prepare) ran with the same scratch.
    unsafe fn variable(&self, scratch: &Scratch, limit: usize) -> usize;

    /// Writes it.
    ///
    /// # Safety
    ///
    /// As for [`variable`](Value::variable).
    unsafe fn put<P: Put>(&self, scratch: &Scratch, to: &mut P, limit: usize);
}

// SAFETY: what is stored without being prepared vouches for itself.
unsafe impl<T: Record + ?Sized> Value for Typed<'_, T> {
    const TYPE: Type = T::TYPE;
    const FIXED: usize = if T::PREPARED { 0 } else { T::FIXED };
    const VARIES: bool = T::PREPARED || T::VARIES;
    const PREPARED: bool = T::PREPARED;
    const EXACT: bool = T::PREPARED || T::EXACT.holds();

    #[inline(always)]
    fn prepare(&mut self, scratch: &mut Scratch, later: usize) {
        if let (true, Some(value)) = (T::PREPARED, self.there()) {
            let run = scratch.store(|to, limit| value.put(to, limit), later);
            self.run.write(run);
        }
    }

    #[inline(always)]
    unsafe fn variable(&self, scratch: &Scratch, limit: usize) -> usize {
        if T::PREPARED {
            // SAFETY: it was prepared, by contract.
            let run = unsafe { self.run.assume_init_ref() };
            scratch.bytes(run).len()
        } else {
            match self.there() {
                Some(value) if T::VARIES => value.variable(limit),
                _ => 0,
            }
        }
    }

    #[inline(always)]
    unsafe fn put<P: Put>(&self, scratch: &Scratch, to: &mut P, limit: usize) {
        if T::PREPARED {
            // SAFETY: it was prepared, by contract.
            let run = unsafe { self.run.assume_init_ref() };
            to.put_slice(scratch.bytes(run));
            if run.missing > 0 {
                to.end();
            }
        } else if let Some(value) = self.there() {
            value.put(to, limit);
        } else {
            // SAFETY: it is not there, so it is here.
            to.put_word(unsafe { self.held.here }, T::FIXED);
        }
    }
}

// SAFETY: `put_text` writes what `text_bytes` and `TEXT_FIXED` say.
unsafe impl<F: Format> Value for Text<F> {
    const TYPE: Type = Type::Text;
    const FIXED: usize = TEXT_FIXED;
    const VARIES: bool = true;
    const PREPARED: bool = true;
    const EXACT: bool = true;

    fn prepare(&mut self, scratch: &mut Scratch, later: usize) {
        let format = self.format;
        self.run
            .write(scratch.format(|writer| format.write(writer), later));
    }

    #[inline(always)]
    unsafe fn variable(&self, scratch: &Scratch, limit: usize) -> usize {
        // SAFETY: it was prepared, by contract.
        let run = unsafe { self.run.assume_init_ref() };
        text_bytes(scratch.text(run), run.missing, limit)
    }

    #[inline(always)]
    unsafe fn put<P: Put>(&self, scratch: &Scratch, to: &mut P, limit: usize) {
        // SAFETY: as above.
        let run = unsafe { self.run.assume_init_ref() };
        put_text(scratch.text(run), run.missing, to, limit);
    }
}

// SAFETY: an address is its eight bytes.
unsafe impl Value for At {
    const TYPE: Type = Type::Pointer;
    const FIXED: usize = size_of::<u64>();
    const VARIES: bool = false;
    const PREPARED: bool = false;
    const EXACT: bool = true;

    #[inline(always)]
    fn prepare(&mut self, _scratch: &mut Scratch, _later: usize) {}

    #[inline(always)]
    unsafe fn variable(&self, _scratch: &Scratch, _limit: usize) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn put<P: Put>(&self, _scratch: &Scratch, to: &mut P, _limit: usize) {
        to.put(self.0.to_le_bytes());
    }
}

/// All values of a statement: a tuple of up to eight, with the rest, in a tuple of their own, behind
/// them if there are more.
///
/// They are `Copy`, so that the compiler need not think of dropping them.
///
/// # Safety
///
/// As for [`Value`].
pub unsafe trait Values: Copy {
    /// The types, in order.
    const TYPES: &'static TypeList;
    /// The least bytes that they take.
    const FIXED: usize;
    /// How many of them may take more, beside those that are made at the call.
    const VARYING: usize;
    /// How many of them are made at the call.
    const PREPARED: usize;
    /// Whether the measure of all can be relied on.
    const EXACT: bool;
    /// How to get along without the types.
    const LINKS: &'static Links;

    /// As [`Value::variable`].
    ///
    /// # Safety
    ///
    /// As for [`Value::variable`].
    unsafe fn variable(&self, scratch: &Scratch, limit: usize) -> usize;

    /// As [`Value::put`].
    ///
    /// # Safety
    ///
    /// As for [`Value::put`].
    unsafe fn put<P: Put>(&self, scratch: &Scratch, to: &mut P, limit: usize);
}

macro_rules! values {
    // A tuple of the values `$value`, and of further values `$rest`.
    ($($value:ident $place:tt)*; $($rest:ident $rest_place:tt)?) => {
        #[allow(unused_unsafe, reason = "of no values, none is asked")]
        // SAFETY: one after the other, and then the rest.
        unsafe impl<$($value: Value,)* $($rest: Values)?> Values
            for ($($value,)* $($rest,)?)
        {
            const TYPES: &'static TypeList = &TypeList {
                first: &[$($value::TYPE),*],
                rest: values!(@rest $($rest::TYPES)?),
            };
            const FIXED: usize = 0 $(+ $value::FIXED)* $(+ $rest::FIXED)?;
            const VARYING: usize =
                0 $(+ ($value::VARIES && !$value::PREPARED) as usize)* $(+ $rest::VARYING)?;
            const PREPARED: usize = 0 $(+ $value::PREPARED as usize)* $(+ $rest::PREPARED)?;
            const EXACT: bool = true $(&& $value::EXACT)* $(&& $rest::EXACT)?;
            const LINKS: &'static Links = &Links {
                first: &[$(Link {
                    operations: $value::OPERATIONS,
                    at: offset_of!(Self, $place),
                }),*],
                rest: values!(@rest $((offset_of!(Self, $rest_place), $rest::LINKS))?),
            };

            #[inline(always)]
            unsafe fn variable(&self, scratch: &Scratch, limit: usize) -> usize {
                let _ = (scratch, limit);
                // SAFETY: by contract.
                unsafe {
                    0 $(+ self.$place.variable(scratch, limit))*
                        $(+ self.$rest_place.variable(scratch, limit))?
                }
            }

            #[inline(always)]
            unsafe fn put<P: Put>(&self, scratch: &Scratch, to: &mut P, limit: usize) {
                let _ = (scratch, &to, limit);
                // SAFETY: by contract.
                unsafe {
                    $(self.$place.put(scratch, to, limit);)*
                    $(self.$rest_place.put(scratch, to, limit);)?
                }
            }
        }
    };
    (@rest $rest:expr) => {
        Some($rest)
    };
    (@rest) => {
        None
    };
}

values!(;);
values!(A 0;);
values!(A 0 B 1;);
values!(A 0 B 1 C 2;);
values!(A 0 B 1 C 2 D 3;);
values!(A 0 B 1 C 2 D 3 E 4;);
values!(A 0 B 1 C 2 D 3 E 4 F 5;);
values!(A 0 B 1 C 2 D 3 E 4 F 5 G 6;);
values!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;);
values!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7; Rest 8);

/// Values whose types have been forgotten: what the path takes that is not inlined, and is the same
/// code for all statements.
pub struct Erased<'a> {
    values: *mut (),
    types: &'static TypeList,
    kinds: &'static Kinds,
    _borrowed: PhantomData<&'a mut ()>,
}

/// What is known of the values of a statement when their types have been forgotten.
#[derive(Debug)]
pub struct Kinds {
    fixed: usize,
    varying: usize,
    pub(crate) prepared: usize,
    links: &'static Links,
}

/// The values of a tuple.
#[derive(Debug)]
pub struct Links {
    /// The first ones, or all.
    first: &'static [Link],
    /// Where the tuple of those that come after begins, if there are any.
    rest: Option<(usize, &'static Links)>,
}

/// One of the values.
#[derive(Debug)]
pub struct Link {
    operations: &'static Operations,
    /// Where it lies in its tuple.
    at: usize,
}

/// What can be done with a value of a type that has been forgotten. The pointers point to one.
#[derive(Clone, Copy, Debug)]
pub struct Operations {
    /// Whether the value is made at the call.
    prepared: bool,
    prepare: unsafe fn(*mut (), &mut Scratch, usize),
    variable: unsafe fn(*const (), &Scratch, usize) -> usize,
    put: unsafe fn(*const (), &Scratch, &mut Checked, usize),
}

impl Operations {
    const fn of<V: Value>() -> Self {
        Operations {
            prepared: V::PREPARED,
            // SAFETY: the pointer is to such a value, which nobody else uses.
            prepare: |value, scratch, later| unsafe {
                (*value.cast::<V>()).prepare(scratch, later)
            },
            // SAFETY: the pointer is to such a value; the rest by the contract of `Value`.
            variable: |value, scratch, limit| unsafe {
                (*value.cast::<V>()).variable(scratch, limit)
            },
            // SAFETY: as above.
            put: |value, scratch, to, limit| unsafe {
                (*value.cast::<V>()).put(scratch, to, limit);
            },
        }
    }
}

impl Kinds {
    const fn of<V: Values>() -> Self {
        assert!(
            V::FIXED <= super::encode::MAX_PAYLOAD,
            "the arguments of one log statement take more bytes than a record can have"
        );
        Kinds {
            fixed: V::FIXED,
            varying: V::VARYING,
            prepared: V::PREPARED,
            links: V::LINKS,
        }
    }
}

impl<'a> Erased<'a> {
    /// Forgets the types of the values.
    #[inline(always)]
    pub fn new<V: Values>(values: &'a mut V) -> Self {
        Erased {
            values: ptr::from_mut(values).cast(),
            types: V::TYPES,
            kinds: const { &Kinds::of::<V>() },
            _borrowed: PhantomData,
        }
    }

    /// The same, to be read back as these types.
    pub(super) fn with_types(self, types: &'static TypeList) -> Self {
        Erased { types, ..self }
    }

    /// How they are read back.
    pub(crate) fn types(&self) -> &'static TypeList {
        self.types
    }

    pub(crate) fn kinds(&self) -> &'static Kinds {
        self.kinds
    }

    /// Each of the values, in order.
    fn each(&self) -> impl Iterator<Item = (*mut (), &'static Operations)> {
        let whole = (self.values, self.kinds.links);
        let tuples = std::iter::successors(Some(whole), |&(tuple, links)| {
            let (at, rest) = links.rest?;
            // SAFETY: the tuple is one of this kind, and so is its last part.
            Some((unsafe { tuple.byte_add(at) }, rest))
        });
        tuples.flat_map(|(tuple, links)| {
            links.first.iter().map(move |link| {
                // SAFETY: as above.
                let value = unsafe { tuple.byte_add(link.at) };
                (value, link.operations)
            })
        })
    }

    /// Of `most` bytes, those that are not for what is made at the call.
    pub(crate) fn reserved(&self, most: usize) -> usize {
        let varying = self.kinds.varying;
        self.kinds.fixed + varying * SHARE.min(most / (varying + 1))
    }

    /// As [`Value::prepare`], for all.
    pub(crate) fn prepare(&mut self, scratch: &mut Scratch) {
        let mut later = self.kinds.prepared;
        for (value, operations) in self.each() {
            later -= usize::from(operations.prepared);
            // SAFETY: it is of that kind, and borrowed mutably.
            unsafe { (operations.prepare)(value, scratch, later) };
        }
    }

    /// All bytes that they take.
    ///
    /// # Safety
    ///
    /// [`prepare`](Erased::prepare) ran with the same scratch, if there is anything to prepare.
    pub(crate) unsafe fn size(&self, scratch: &Scratch, limit: usize) -> usize {
        let variable = self.each().map(|(value, operations)| {
            // SAFETY: it is of that kind; the rest by contract.
            unsafe { (operations.variable)(value, scratch, limit) }
        });
        self.kinds.fixed + variable.sum::<usize>()
    }

    /// As [`Value::put`], for all.
    ///
    /// # Safety
    ///
    /// As for [`size`](Erased::size).
    pub(crate) unsafe fn put(&self, scratch: &Scratch, to: &mut Checked, limit: usize) {
        for (value, operations) in self.each() {
            // SAFETY: it is of that kind; the rest by contract.
            unsafe { (operations.put)(value, scratch, to, limit) };
        }
    }
}
