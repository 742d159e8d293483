//! Values that are made of others, and pointers that stand for what they point at.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use super::text::CUT_LENGTH;
use crate::record::capture::Plain;
use crate::record::encode::MAX_PAYLOAD;
use crate::record::value::{Exact, Put, Record};
use crate::record::{Form, Shape, Type, Variant};

macro_rules! record_pointees {
    ($([$($bound:tt)*] $pointer:ty),* $(,)?) => {$(
        impl<T: Record + ?Sized $($bound)*> Record for $pointer {
            const TYPE: Type = T::TYPE;
            const FIXED: usize = T::FIXED;
            const VARIES: bool = T::VARIES;
            const PREPARED: bool = T::PREPARED;
            // SAFETY: it is stored as what it points at is, which cannot change meanwhile.
            const EXACT: Exact<Self> = unsafe { Exact::claim(T::EXACT.holds()) };

            #[inline(always)]
            fn variable(&self, limit: usize) -> usize {
                (**self).variable(limit)
            }

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, limit: usize) {
                (**self).put(to, limit);
            }
        }

        impl<T: Plain + ?Sized $($bound)*> Plain for $pointer {}
    )*};
}

record_pointees!([] &T, [] &mut T, [] Box<T>, [] Rc<T>, [] Arc<T>);

impl<T: Record + ToOwned + ?Sized> Record for Cow<'_, T> {
    const TYPE: Type = T::TYPE;
    const FIXED: usize = T::FIXED;
    const VARIES: bool = T::VARIES;
    // To borrow from an owned value may be the user's code where the type is the user's.
    const PREPARED: bool = T::PREPARED || !T::EXACT.holds();
    // SAFETY: it is stored as what it points at is, and only the standard library has types that
    // vouch for themselves and can be owned and borrowed.
    const EXACT: Exact<Self> = unsafe { Exact::claim(T::EXACT.holds()) };

    #[inline(always)]
    fn variable(&self, limit: usize) -> usize {
        (**self).variable(limit)
    }

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, limit: usize) {
        (**self).put(to, limit);
    }
}

impl<T: Plain + ToOwned + ?Sized> Plain for Cow<'_, T> {}

impl<T: Record> Record for Option<T> {
    const TYPE: Type = Type::Option(&T::TYPE);
    const FIXED: usize = 1;
    const VARIES: bool = true;
    const PREPARED: bool = T::PREPARED;
    // SAFETY: a byte, and what the value takes if there is one.
    const EXACT: Exact<Self> = unsafe { Exact::claim(T::EXACT.holds()) };

    #[inline(always)]
    fn variable(&self, limit: usize) -> usize {
        match self {
            None => 0,
            Some(value) => T::FIXED + value.variable(limit),
        }
    }

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, limit: usize) {
        match self {
            None => to.put([0]),
            Some(value) => {
                to.put([1]);
                value.put(to, limit);
            }
        }
    }
}

impl<T: Record, E: Record> Record for Result<T, E> {
    const TYPE: Type = Type::Known(&Shape::Enum(&[
        Variant {
            name: "Ok",
            form: Form::Tuple(&[T::TYPE]),
        },
        Variant {
            name: "Err",
            form: Form::Tuple(&[E::TYPE]),
        },
    ]));
    const FIXED: usize = 1;
    const VARIES: bool = true;
    const PREPARED: bool = T::PREPARED || E::PREPARED;
    // SAFETY: a byte, and what the value takes.
    const EXACT: Exact<Self> = unsafe { Exact::claim(T::EXACT.holds() && E::EXACT.holds()) };

    #[inline(always)]
    fn variable(&self, limit: usize) -> usize {
        match self {
            Ok(value) => T::FIXED + value.variable(limit),
            Err(error) => E::FIXED + error.variable(limit),
        }
    }

    #[inline(always)]
    fn put<P: Put>(&self, to: &mut P, limit: usize) {
        match self {
            Ok(value) => {
                to.put([0]);
                value.put(to, limit);
            }
            Err(error) => {
                to.put([1]);
                error.put(to, limit);
            }
        }
    }
}

macro_rules! record_tuples {
    ($(($($name:ident $index:tt),+))*) => {$(
        impl<$($name: Record),+> Record for ($($name,)+) {
            const TYPE: Type = Type::Tuple(&[$($name::TYPE),+]);
            const FIXED: usize = 0 $(+ $name::FIXED)+;
            const VARIES: bool = false $(|| $name::VARIES)+;
            const PREPARED: bool = false $(|| $name::PREPARED)+;
            // SAFETY: one after the other.
            const EXACT: Exact<Self> = unsafe { Exact::claim(true $(&& $name::EXACT.holds())+) };

            #[inline(always)]
            fn variable(&self, limit: usize) -> usize {
                0 $(+ self.$index.variable(limit))+
            }

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, limit: usize) {
                $(self.$index.put(to, limit);)+
            }
        }
    )*};
}

record_tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

/// The bytes of a list's count.
const COUNT: usize = size_of::<u16>();

/// The most values that a count has room for, beside the bit that says that some are missing.
const MOST: usize = (Type::CUT - 1) as usize;

/// One value of a list, or a key and its value in a map.
trait Item: Copy {
    const FIXED: usize;
    const VARIES: bool;

    fn variable(self, limit: usize) -> usize;

    fn put<P: Put>(self, to: &mut P, limit: usize);
}

impl<T: Record> Item for &T {
    const FIXED: usize = T::FIXED;
    const VARIES: bool = T::VARIES;

    #[inline(always)]
    fn variable(self, limit: usize) -> usize {
        Record::variable(self, limit)
    }

    #[inline(always)]
    fn put<P: Put>(self, to: &mut P, limit: usize) {
        Record::put(self, to, limit);
    }
}

impl<K: Record, V: Record> Item for (&K, &V) {
    const FIXED: usize = K::FIXED + V::FIXED;
    const VARIES: bool = K::VARIES || V::VARIES;

    #[inline(always)]
    fn variable(self, limit: usize) -> usize {
        self.0.variable(limit) + self.1.variable(limit)
    }

    #[inline(always)]
    fn put<P: Put>(self, to: &mut P, limit: usize) {
        self.0.put(to, limit);
        self.1.put(to, limit);
    }
}

/// How much of a list is stored.
struct Fit {
    /// How many values.
    kept: usize,
    /// The bytes that they take.
    bytes: usize,
    /// The limit of the texts and lists in them.
    limit: usize,
}

/// How many whole values of a list fit in `limit` bytes. What is in a value is cut only if not
/// even the first would fit otherwise.
#[cold]
fn fit<I: Item>(items: impl Iterator<Item = I> + Clone, limit: usize) -> Fit {
    let mut fit = Fit {
        kept: 0,
        bytes: 0,
        limit,
    };
    for shift in [0, 1, 2, 4] {
        fit.limit = limit >> shift;
        for item in items.clone().take(MOST) {
            let bytes = fit.bytes + I::FIXED + item.variable(fit.limit);
            if bytes > limit {
                break;
            }
            fit.bytes = bytes;
            fit.kept += 1;
        }
        if fit.kept > 0 || !I::VARIES {
            break;
        }
    }
    fit
}

/// The bytes that a list takes beside its count.
#[inline(always)]
fn list_bytes<I: Item>(items: impl ExactSizeIterator<Item = I> + Clone, limit: usize) -> usize {
    let length = items.len();
    if limit < usize::MAX {
        let fit = fit(items, limit);
        return if fit.kept < length {
            fit.bytes + CUT_LENGTH
        } else {
            fit.bytes
        };
    }
    if length > MOST {
        return MAX_PAYLOAD + 1;
    }
    if !I::VARIES {
        return length * I::FIXED;
    }
    let mut bytes = 0;
    for item in items {
        bytes += I::FIXED + item.variable(limit);
        // Nobody needs to know by how much it is too long.
        if bytes > MAX_PAYLOAD {
            break;
        }
    }
    bytes
}

/// Writes a list.
#[inline(always)]
fn put_list<I: Item, P: Put>(
    items: impl ExactSizeIterator<Item = I> + Clone,
    to: &mut P,
    limit: usize,
) {
    let length = items.len();
    let fit = if limit < usize::MAX {
        fit(items.clone(), limit)
    } else {
        Fit {
            kept: length.min(MOST),
            bytes: 0,
            limit,
        }
    };
    if fit.kept == length {
        to.put((length as u16).to_le_bytes());
    } else {
        to.note_cut();
        to.put((fit.kept as u16 | Type::CUT).to_le_bytes());
        let cut = length - fit.kept;
        to.put(u32::try_from(cut).unwrap_or(u32::MAX).to_le_bytes());
    }
    for item in items.take(fit.kept) {
        item.put(to, fit.limit);
    }
}

macro_rules! record_lists {
    ($([$($generic:tt)*] $list:ty => $name:ident;)*) => {$(
        impl<$($generic)*> Record for $list {
            const TYPE: Type = Type::$name(&T::TYPE);
            const FIXED: usize = COUNT;
            const VARIES: bool = true;
            const PREPARED: bool = T::PREPARED;
            // SAFETY: `list_bytes` measures what `put_list` writes, of the same values.
            const EXACT: Exact<Self> = unsafe { Exact::claim(T::EXACT.holds()) };

            #[inline(always)]
            fn variable(&self, limit: usize) -> usize {
                list_bytes(self.iter(), limit)
            }

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, limit: usize) {
                put_list(self.iter(), to, limit);
            }
        }
    )*};
}

record_lists! {
    [T: Record] [T] => List;
    [T: Record, const N: usize] [T; N] => List;
    [T: Record] Vec<T> => List;
    [T: Record] VecDeque<T> => List;
    [T: Record] BTreeSet<T> => Set;
    [T: Record, S] HashSet<T, S> => Set;
}

macro_rules! record_maps {
    ($([$($generic:tt)*] $map:ty;)*) => {$(
        impl<$($generic)*> Record for $map {
            const TYPE: Type = Type::Map(&(K::TYPE, V::TYPE));
            const FIXED: usize = COUNT;
            const VARIES: bool = true;
            const PREPARED: bool = K::PREPARED || V::PREPARED;
            const EXACT: Exact<Self> =
                // SAFETY: as for lists.
                unsafe { Exact::claim(K::EXACT.holds() && V::EXACT.holds()) };

            #[inline(always)]
            fn variable(&self, limit: usize) -> usize {
                list_bytes(self.iter(), limit)
            }

            #[inline(always)]
            fn put<P: Put>(&self, to: &mut P, limit: usize) {
                put_list(self.iter(), to, limit);
            }
        }
    )*};
}

record_maps! {
    [K: Record, V: Record] BTreeMap<K, V>;
    [K: Record, V: Record, S] HashMap<K, V, S>;
}
