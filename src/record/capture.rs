//! Arguments to values that are ready to be stored.
//!
//! How an argument is captured follows from its type and from the formatting trait that the
//! statement asks for, by the rules of method lookup: the traits here are tried in turn.
//!
//! | asked for | stored typed | formatted at the call |
//! |---|---|---|
//! | `{:?}` and its kin, a field's value | all that is [`Record`] | all else |
//! | `{}`, `{:x}`, `{:e}`... | what is [`Plain`] | all else |
//! | `{:p}` | [`Address`]es | all else |

use core::fmt;
use core::marker::PhantomData;
use core::mem::{MaybeUninit, offset_of};
use core::ptr;

use super::encode::{Run, SHARE, Scratch};
use super::value::{Checked, Put, Record};
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
pub struct Probe<'a, T: ?Sized>(pub &'a T);

/// An argument of `{}`, and of all that is neither `{:?}` nor `{:p}`.
#[derive(Debug)]
pub struct PlainProbe<'a, T: ?Sized>(pub &'a T);

/// An argument of `{:p}`.
#[derive(Debug)]
pub struct AddressProbe<'a, T: ?Sized>(pub &'a T);

/// Captures a value that is stored as it is. Found before [`CaptureText`] by method lookup.
pub trait CaptureTyped {
    /// The value.
    type Captured: Value;

    /// The value; how it would be formatted is not needed.
    fn capture<F>(&self, format: F) -> Self::Captured
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result;
}

impl<'a, T: Record + ?Sized> CaptureTyped for Probe<'a, T> {
    type Captured = Typed<'a, T>;

    #[inline(always)]
    fn capture<F>(&self, _format: F) -> Typed<'a, T>
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    {
        Typed::new(self.0)
    }
}

impl<'a, T: Plain + ?Sized> CaptureTyped for PlainProbe<'a, T> {
    type Captured = Typed<'a, T>;

    #[inline(always)]
    fn capture<F>(&self, _format: F) -> Typed<'a, T>
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    {
        Typed::new(self.0)
    }
}

impl<'a, T: Address> CaptureTyped for AddressProbe<'a, T> {
    type Captured = At;

    #[inline(always)]
    fn capture<F>(&self, _format: F) -> At
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    {
        At(self.0.address())
    }
}

/// Captures any other argument: it is formatted at the call.
pub trait CaptureText {
    /// The value, as what formats it.
    fn capture<F>(&self, format: F) -> Text<F>
    where
        F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
    {
        capture_text(format)
    }
}

impl<T: ?Sized> CaptureText for &Probe<'_, T> {}
impl<T: ?Sized> CaptureText for &PlainProbe<'_, T> {}
impl<T: ?Sized> CaptureText for &AddressProbe<'_, T> {}

/// Captures a plain field of a type that is stored as it is. Found before [`FieldDisplay`] and
/// [`FieldDebug`] by method lookup.
pub trait FieldTyped {
    /// The value.
    type Captured: Value;

    /// The value.
    fn capture_field(&self) -> Self::Captured;
}

impl<'a, T: Record + ?Sized> FieldTyped for &&Probe<'a, T> {
    type Captured = Typed<'a, T>;

    #[inline(always)]
    fn capture_field(&self) -> Typed<'a, T> {
        Typed::new(self.0)
    }
}

/// Captures a plain field of any other type that has `Display`.
pub trait FieldDisplay {
    /// The value, as what formats it.
    fn capture_field(&self) -> impl Value;
}

impl<T: fmt::Display + ?Sized> FieldDisplay for &Probe<'_, T> {
    #[inline(always)]
    fn capture_field(&self) -> impl Value {
        capture_text(|writer: &mut dyn fmt::Write| write!(writer, "{}", self.0))
    }
}

/// Captures a plain field of any type that is left.
pub trait FieldDebug<T: ?Sized> {
    /// The value, as what formats it.
    fn capture_field(&self) -> impl Value
    where
        T: FieldValue;
}

impl<T: ?Sized> FieldDebug<T> for Probe<'_, T> {
    #[inline(always)]
    fn capture_field(&self) -> impl Value
    where
        T: FieldValue,
    {
        capture_text(|writer: &mut dyn fmt::Write| write!(writer, "{:?}", self.0))
    }
}

/// Captures a plain field of a context, if its type is one that a context block can hold. Found
/// before [`FieldDisplay`] and [`FieldDebug`] by method lookup.
pub trait CaptureScalar {
    /// The value.
    type Captured: Value;

    /// The value.
    fn capture_field(&self) -> Self::Captured;
}

impl<'a, T: Scalar + ?Sized> CaptureScalar for &&Probe<'a, T> {
    type Captured = Typed<'a, T>;

    #[inline(always)]
    fn capture_field(&self) -> Typed<'a, T> {
        Typed::new(self.0)
    }
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
pub fn capture_text<F>(format: F) -> Text<F>
where
    F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
{
    Text {
        format: Some(format),
        run: Run::default(),
    }
}

/// A value stored as it is.
#[derive(Debug)]
pub struct Typed<'a, T: ?Sized> {
    value: &'a T,
    /// Where it is, once it was prepared. Not written otherwise, which would cost instructions.
    run: MaybeUninit<Run>,
}

impl<'a, T: ?Sized> Typed<'a, T> {
    #[inline(always)]
    fn new(value: &'a T) -> Self {
        Typed {
            value,
            run: MaybeUninit::uninit(),
        }
    }
}

/// A value stored as text, and where in the scratch the text is.
#[derive(Debug)]
pub struct Text<F> {
    format: Option<F>,
    run: Run,
}

/// One value to be stored.
///
/// # Safety
///
/// If `EXACT`, [`put`](Value::put) writes exactly `FIXED + variable(limit)` bytes. It does not
/// unwind.
pub unsafe trait Value {
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
        if T::PREPARED {
            let run = scratch.store(|to, limit| self.value.put(to, limit), later);
            self.run.write(run);
        }
    }

    #[inline(always)]
    unsafe fn variable(&self, scratch: &Scratch, limit: usize) -> usize {
        if T::PREPARED {
            // SAFETY: it was prepared, by contract.
            let run = unsafe { self.run.assume_init_ref() };
            scratch.bytes(run).len()
        } else if T::VARIES {
            self.value.variable(limit)
        } else {
            0
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
        } else {
            self.value.put(to, limit);
        }
    }
}

// SAFETY: `put_text` writes what `text_bytes` and `TEXT_FIXED` say.
unsafe impl<F> Value for Text<F>
where
    F: FnOnce(&mut dyn fmt::Write) -> fmt::Result,
{
    const TYPE: Type = Type::Text;
    const FIXED: usize = TEXT_FIXED;
    const VARIES: bool = true;
    const PREPARED: bool = true;
    const EXACT: bool = true;

    fn prepare(&mut self, scratch: &mut Scratch, later: usize) {
        if let Some(format) = self.format.take() {
            self.run = scratch.format(format, later);
        }
    }

    #[inline(always)]
    unsafe fn variable(&self, scratch: &Scratch, limit: usize) -> usize {
        text_bytes(scratch.text(&self.run), self.run.missing, limit)
    }

    #[inline(always)]
    unsafe fn put<P: Put>(&self, scratch: &Scratch, to: &mut P, limit: usize) {
        put_text(scratch.text(&self.run), self.run.missing, to, limit);
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

/// All values of a statement: `(first, (second, ()))`.
///
/// # Safety
///
/// As for [`Value`].
pub unsafe trait Values {
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
    /// How to get along without the types; `None` if there are no values.
    const LINK: Option<&'static Link>;

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

// SAFETY: nothing is written.
unsafe impl Values for () {
    const TYPES: &'static TypeList = &TypeList {
        head: Type::Unit,
        tail: None,
    };
    const FIXED: usize = 0;
    const VARYING: usize = 0;
    const PREPARED: usize = 0;
    const EXACT: bool = true;
    const LINK: Option<&'static Link> = None;

    #[inline(always)]
    unsafe fn variable(&self, _scratch: &Scratch, _limit: usize) -> usize {
        0
    }

    #[inline(always)]
    unsafe fn put<P: Put>(&self, _scratch: &Scratch, _to: &mut P, _limit: usize) {}
}

// SAFETY: the first, then the rest.
unsafe impl<V: Value, Rest: Values> Values for (V, Rest) {
    const TYPES: &'static TypeList = &TypeList {
        head: V::TYPE,
        tail: Some(Rest::TYPES),
    };
    const FIXED: usize = V::FIXED + Rest::FIXED;
    const VARYING: usize = (V::VARIES && !V::PREPARED) as usize + Rest::VARYING;
    const PREPARED: usize = V::PREPARED as usize + Rest::PREPARED;
    const EXACT: bool = V::EXACT && Rest::EXACT;
    const LINK: Option<&'static Link> = Some(&Link {
        operations: Operations::of::<V>(),
        value: offset_of!(Self, 0),
        rest: offset_of!(Self, 1),
        later: Rest::PREPARED,
        next: Rest::LINK,
    });

    #[inline(always)]
    unsafe fn variable(&self, scratch: &Scratch, limit: usize) -> usize {
        // SAFETY: by contract.
        unsafe { self.0.variable(scratch, limit) + self.1.variable(scratch, limit) }
    }

    #[inline(always)]
    unsafe fn put<P: Put>(&self, scratch: &Scratch, to: &mut P, limit: usize) {
        // SAFETY: by contract.
        unsafe {
            self.0.put(scratch, to, limit);
            self.1.put(scratch, to, limit);
        }
    }
}

/// Values whose types have been forgotten: what the path takes that is not inlined, and is the same
/// code for all statements.
pub struct Erased<'a> {
    values: *mut (),
    kinds: &'static Kinds,
    _borrowed: PhantomData<&'a mut ()>,
}

/// What is known of the values of a statement when their types have been forgotten.
#[derive(Debug)]
pub struct Kinds {
    pub(crate) types: &'static TypeList,
    fixed: usize,
    varying: usize,
    pub(crate) prepared: usize,
    first: Option<&'static Link>,
}

/// One of the values, and where those after it are.
#[derive(Debug)]
pub struct Link {
    operations: Operations,
    /// Where it lies in the list that it begins, and where the rest of that list does.
    value: usize,
    rest: usize,
    /// How many values that are made at the call come after it.
    later: usize,
    next: Option<&'static Link>,
}

/// What can be done with a value of a type that has been forgotten. The pointers point to one.
#[derive(Clone, Copy, Debug)]
pub struct Operations {
    prepare: unsafe fn(*mut (), &mut Scratch, usize),
    variable: unsafe fn(*const (), &Scratch, usize) -> usize,
    put: unsafe fn(*const (), &Scratch, &mut Checked, usize),
}

impl Operations {
    const fn of<V: Value>() -> Self {
        Operations {
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
            types: V::TYPES,
            fixed: V::FIXED,
            varying: V::VARYING,
            prepared: V::PREPARED,
            first: V::LINK,
        }
    }
}

impl<'a> Erased<'a> {
    /// Forgets the types of the values.
    #[inline(always)]
    pub fn new<V: Values>(values: &'a mut V) -> Self {
        Erased {
            values: ptr::from_mut(values).cast(),
            kinds: const { &Kinds::of::<V>() },
            _borrowed: PhantomData,
        }
    }

    pub(crate) fn kinds(&self) -> &'static Kinds {
        self.kinds
    }

    /// Each of the values, in order.
    fn each(&self) -> impl Iterator<Item = (*mut (), &'static Link)> {
        let mut list = self.values;
        let mut next = self.kinds.first;
        std::iter::from_fn(move || {
            let link = next?;
            // SAFETY: the list is one of this kind, and so is its rest.
            let value = unsafe { list.byte_add(link.value) };
            // SAFETY: as above.
            list = unsafe { list.byte_add(link.rest) };
            next = link.next;
            Some((value, link))
        })
    }

    /// Of `most` bytes, those that are not for what is made at the call.
    pub(crate) fn reserved(&self, most: usize) -> usize {
        let varying = self.kinds.varying;
        self.kinds.fixed + varying * SHARE.min(most / (varying + 1))
    }

    /// As [`Value::prepare`], for all.
    pub(crate) fn prepare(&mut self, scratch: &mut Scratch) {
        for (value, link) in self.each() {
            // SAFETY: it is of that kind, and borrowed mutably.
            unsafe { (link.operations.prepare)(value, scratch, link.later) };
        }
    }

    /// All bytes that they take.
    ///
    /// # Safety
    ///
    /// [`prepare`](Erased::prepare) ran with the same scratch, if there is anything to prepare.
    pub(crate) unsafe fn size(&self, scratch: &Scratch, limit: usize) -> usize {
        let variable = self.each().map(|(value, link)| {
            // SAFETY: it is of that kind; the rest by contract.
            unsafe { (link.operations.variable)(value, scratch, limit) }
        });
        self.kinds.fixed + variable.sum::<usize>()
    }

    /// As [`Value::put`], for all.
    ///
    /// # Safety
    ///
    /// As for [`size`](Erased::size).
    pub(crate) unsafe fn put(&self, scratch: &Scratch, to: &mut Checked, limit: usize) {
        for (value, link) in self.each() {
            // SAFETY: it is of that kind; the rest by contract.
            unsafe { (link.operations.put)(value, scratch, to, limit) };
        }
    }
}
