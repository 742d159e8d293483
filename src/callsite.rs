//! Call sites: everything about a log statement that is known before it runs.
//!
//! Each `rlog!` owns one `static` [`Callsite`]. Its word answers in one relaxed load whether any
//! work is to be done: a bit per logger, asked of that logger's filter when the statement first
//! runs and again whenever a filter changes.
//!
//! The argument types are not known to the macro, only to the compiler, so a statement registers
//! them on its first use. A statement in a generic function is one call site with a list of types
//! per instantiation; each such pair is a [`Statement`] with an id of its own, and that id is what
//! a record carries.

use std::cell::RefCell;
use std::ops::RangeInclusive;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::filter::Filter;
use crate::level::{Level, LevelFilter};
use crate::record::{Field, Introduction, Piece, Type, TypeList, message};

/// What the macro knows of a log statement.
#[derive(Debug)]
pub struct Metadata {
    /// The statement's level.
    pub level: Level,
    /// The module path, or what `target:` says.
    pub target: &'static str,
    /// The module path.
    pub module: &'static str,
    /// The source file, as the compiler names it.
    pub file: &'static str,
    /// The line in the source file, from 1.
    pub line: u32,
    /// The message, in the form that `record::message` reads.
    pub message: &'static str,
    /// One name per stored value of the message, with commas between them; empty where the argument
    /// has none.
    pub names: &'static str,
    /// The fields, in the order of the source. Their values are stored behind those of the message,
    /// in this order.
    pub fields: &'static [Field],
}

/// A log statement. What a record needs of it stands at the front, within one cache line.
#[derive(Debug)]
#[repr(C, align(32))]
pub struct Callsite {
    /// Bit `n`: the logger in place `n` does not want this statement. [`UNREGISTERED`]: nobody was
    /// asked yet. Written under the registry's lock.
    unwanted: AtomicU32,
    /// The id that goes with `types`. Written once, before `types`.
    id: AtomicU32,
    /// The types of the instantiation that came first; null before. Written once.
    types: AtomicPtr<TypeList>,
    /// Further instantiations, newest first; grows at the front, under the registry's lock.
    variants: AtomicPtr<Variant>,
    /// That of the metadata.
    level: Level,
    metadata: Metadata,
}

/// A further instantiation of a statement in a generic function.
#[derive(Debug)]
struct Variant {
    types: *const TypeList,
    id: u32,
    next: *const Variant,
}

/// All bits of a fresh word are set, so that the one test for an unwanted statement finds the first
/// use as well.
const UNREGISTERED: u32 = 1 << 31;

/// The place of the installed logger; its mask is known at compile time.
pub(crate) const GLOBAL_PLACE: usize = 0;

/// How many loggers can be alive at once, the installed one counted twice.
pub(crate) const PLACES: usize = 31;

impl Callsite {
    /// A call site that has not run yet, whose target is its module.
    #[must_use]
    pub const fn of(
        level: Level,
        module: &'static str,
        file: &'static str,
        line: u32,
        message: &'static str,
        names: &'static str,
        fields: &'static [Field],
    ) -> Self {
        Callsite::new(Metadata {
            level,
            target: module,
            module,
            file,
            line,
            message,
            names,
            fields,
        })
    }

    /// A call site that has not run yet.
    #[must_use]
    pub const fn new(metadata: Metadata) -> Self {
        Callsite {
            unwanted: AtomicU32::new(u32::MAX),
            id: AtomicU32::new(0),
            types: AtomicPtr::new(ptr::null_mut()),
            variants: AtomicPtr::new(ptr::null_mut()),
            level: metadata.level,
            metadata,
        }
    }

    /// The same with a target that is not the module.
    #[must_use]
    pub const fn with_target(mut self, target: &'static str) -> Self {
        self.metadata.target = target;
        self
    }

    /// What the macro knew.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The statement's level.
    #[inline(always)]
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// Whether the logger with this mask wants the statement.
    ///
    /// Relaxed is enough: a filter that changes is seen soon, and nothing is published with it.
    #[inline(always)]
    pub(crate) fn enabled(&'static self, mask: u32) -> bool {
        let unwanted = self.unwanted.load(Ordering::Relaxed);
        unwanted & mask == 0 || (unwanted & UNREGISTERED != 0 && self.register(mask))
    }

    /// As [`enabled`](Self::enabled), in a signal handler: of a statement that has not been
    /// registered, only the level is looked at.
    pub(crate) fn enabled_in_handler(&'static self, mask: u32) -> bool {
        let unwanted = self.unwanted.load(Ordering::Relaxed);
        if mask == 0 || unwanted & UNREGISTERED == 0 {
            return mask != 0 && unwanted & mask == 0;
        }
        let most_verbose = MOST_VERBOSE.get(mask.trailing_zeros() as usize);
        // A filter's number is one more than that of the last level that passes.
        most_verbose.is_some_and(|most| {
            usize::from(most.load(Ordering::Relaxed)) > self.metadata.level.index()
        })
    }

    #[cold]
    #[inline(never)]
    fn register(&'static self, mask: u32) -> bool {
        let mut registry = registry();
        if self.unwanted.load(Ordering::Relaxed) & UNREGISTERED != 0 {
            registry.sites.push(self);
            self.unwanted
                .store(registry.unwanted(&self.metadata), Ordering::Relaxed);
        }
        self.unwanted.load(Ordering::Relaxed) & mask == 0
    }

    /// Whether these argument types are those that came first, which [`first_id`](Self::first_id)
    /// belongs to.
    #[inline(always)]
    pub(crate) fn is_first(&self, types: &'static TypeList) -> bool {
        // Acquire: pairs with the Release in `register_types`, which stores the id first.
        ptr::eq(self.types.load(Ordering::Acquire), types)
    }

    /// The id of this statement with the argument types that came first. To be asked after
    /// [`is_first`](Self::is_first) said that there are any.
    #[inline(always)]
    pub(crate) fn first_id(&self) -> u32 {
        self.id.load(Ordering::Relaxed)
    }

    /// The id of this statement with these argument types.
    #[inline(always)]
    pub(crate) fn id(&'static self, types: &'static TypeList) -> u32 {
        if self.is_first(types) {
            self.first_id()
        } else {
            self.id_of_variant(types)
        }
    }

    /// The id, if it has one. Takes no lock.
    pub(crate) fn known_id(&'static self, types: &'static TypeList) -> Option<u32> {
        if self.is_first(types) {
            Some(self.first_id())
        } else {
            self.find_variant(types)
        }
    }

    #[cold]
    #[inline(never)]
    fn id_of_variant(&'static self, types: &'static TypeList) -> u32 {
        self.find_variant(types)
            .unwrap_or_else(|| self.register_types(types))
    }

    fn find_variant(&self, types: &'static TypeList) -> Option<u32> {
        // Acquire: pairs with the Release in `register_types`.
        let mut variant: *const Variant = self.variants.load(Ordering::Acquire);
        // SAFETY: variants are leaked, so a pointer that was published stays valid, and they are
        // never written after publication.
        while let Some(known) = unsafe { variant.as_ref() } {
            if ptr::eq(known.types, types) {
                return Some(known.id);
            }
            variant = known.next;
        }
        None
    }

    fn register_types(&'static self, types: &'static TypeList) -> u32 {
        let mut registry = registry();
        let first: *const TypeList = self.types.load(Ordering::Relaxed);
        if ptr::eq(first, types) {
            return self.id.load(Ordering::Relaxed);
        }
        // Another thread may have been faster between the caller's look and the lock.
        if let Some(id) = self.find_variant(types) {
            return id;
        }
        let id = registry.add(self, types);
        if first.is_null() {
            self.id.store(id, Ordering::Relaxed);
            // Release: pairs with the Acquire in `id`.
            self.types
                .store(ptr::from_ref(types).cast_mut(), Ordering::Release);
        } else {
            let variant = Box::leak(Box::new(Variant {
                types,
                id,
                next: self.variants.load(Ordering::Relaxed),
            }));
            // Release: pairs with the Acquire in `find_variant`.
            self.variants.store(variant, Ordering::Release);
        }
        id
    }
}

/// A call site together with the types of its stored values: all that is needed to read its
/// records.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) site: &'static Callsite,
    pub(crate) types: Vec<Type>,
    /// The message.
    pub(crate) pieces: Vec<Piece>,
    /// Those of the arguments of the message; empty where one has none.
    pub(crate) names: Vec<&'static str>,
}

/// What a logger wants to have: what its filter lets pass, and beside it some levels that are kept
/// until something calls for them.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) filter: Filter,
    pub(crate) kept: Option<RangeInclusive<Level>>,
}

/// What becomes of a statement's records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wish {
    Written,
    /// They are kept in memory, and written if something calls for it.
    Kept,
    Nothing,
}

impl Wishes {
    /// The most verbose level of which anything is wanted.
    fn most_verbose(&self) -> LevelFilter {
        let kept = self
            .kept
            .as_ref()
            .map(|kept| LevelFilter::from(*kept.end()));
        self.filter
            .most_verbose()
            .max(kept.unwrap_or(LevelFilter::Off))
    }

    fn of(&self, metadata: &Metadata) -> Wish {
        let most_verbose = self.filter.level_of(metadata.target);
        let is_kept = |kept: &RangeInclusive<Level>| kept.contains(&metadata.level);
        if most_verbose.allows(metadata.level) {
            Wish::Written
        } else if most_verbose != LevelFilter::Off && self.kept.as_ref().is_some_and(is_kept) {
            Wish::Kept
        } else {
            Wish::Nothing
        }
    }
}

/// How often a filter has changed.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// How often any logger's filter has changed.
pub(crate) fn filters_changed() -> u64 {
    // Relaxed: the filters themselves are read under the lock.
    CHANGES.load(Ordering::Relaxed)
}

/// What the logger in this place wants of a statement. Takes a lock.
pub(crate) fn wish(place: usize, metadata: &Metadata) -> Wish {
    let wishes = &registry().wishes[place];
    wishes
        .as_ref()
        .map_or(Wish::Nothing, |wishes| wishes.of(metadata))
}

/// Every statement that ever ran, and the filter of every logger that is alive.
struct Registry {
    sites: Vec<&'static Callsite>,
    statements: Vec<&'static Statement>,
    wishes: [Option<Wishes>; PLACES],
}

static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    sites: Vec::new(),
    statements: Vec::new(),
    wishes: [const { None }; PLACES],
});

/// What each place wants at most, as a [`LevelFilter`], for those who may not
/// take the lock.
static MOST_VERBOSE: [AtomicU8; PLACES] = [const { AtomicU8::new(0) }; PLACES];

thread_local! {
    /// The lock, while the thread forks.
    static FORKING: RefCell<Option<MutexGuard<'static, Registry>>> = const { RefCell::new(None) };
}

/// Takes the lock until [`unlock_after_fork`], so that the child of a fork finds it free and what it
/// guards whole.
pub(crate) fn lock_for_fork() {
    // A thread whose storage is gone forks without.
    let _ = FORKING.try_with(|held| held.replace(Some(registry())));
}

/// In the parent and in the child.
pub(crate) fn unlock_after_fork() {
    let _ = FORKING.try_with(RefCell::take);
}

/// No code that can panic runs under the lock, so a poisoned one is still whole.
fn registry() -> MutexGuard<'static, Registry> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// The places of the loggers that do not want a statement.
    fn unwanted(&self, metadata: &Metadata) -> u32 {
        let mut unwanted = !UNREGISTERED;
        for (place, wishes) in self.wishes.iter().enumerate() {
            let wishes = wishes.as_ref();
            if wishes.is_some_and(|wishes| wishes.of(metadata) != Wish::Nothing) {
                unwanted &= !(1 << place);
            }
        }
        unwanted
    }

    /// Sets the wishes of a place, or takes them away, and makes every call site ask again.
    fn set_wishes(&mut self, place: usize, wishes: Option<Wishes>) {
        let most_verbose = wishes
            .as_ref()
            .map_or(LevelFilter::Off, Wishes::most_verbose);
        MOST_VERBOSE[place].store(most_verbose as u8, Ordering::Relaxed);
        self.wishes[place] = wishes;
        self.ask_all_sites();
    }

    fn ask_all_sites(&self) {
        CHANGES.fetch_add(1, Ordering::Relaxed);
        for site in &self.sites {
            site.unwanted
                .store(self.unwanted(&site.metadata), Ordering::Relaxed);
        }
    }

    fn add(&mut self, site: &'static Callsite, types: &'static TypeList) -> u32 {
        let id = self.statements.len();
        self.statements.push(Box::leak(Box::new(Statement {
            site,
            types: types.iter().collect(),
            pieces: message::pieces(site.metadata.message),
            names: site.metadata.names.split(',').collect(),
        })));
        u32::try_from(id).expect("a program has fewer than 2^32 log statements")
    }
}

/// Registers a statement that ran in a signal handler only, and answers its id.
///
/// # Safety
///
/// The introduction was made in this process.
pub(crate) unsafe fn introduce(introduction: &Introduction) -> u32 {
    let (site, types) = introduction.addresses();
    // SAFETY: by contract, they are the addresses of two that live as long as the process.
    let (site, types) = unsafe { (&*site.cast::<Callsite>(), &*types) };
    site.register(0);
    site.id(types)
}

/// The statement with this id, if there is one. Takes a lock: look an id up once, then keep it.
pub(crate) fn statement(id: u32) -> Option<&'static Statement> {
    registry()
        .statements
        .get(usize::try_from(id).ok()?)
        .copied()
}

/// A logger's place in every call site's word. Free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    index: usize,
}

impl Place {
    /// Takes a free place; `None` if as many loggers are alive as a word has bits for.
    pub(crate) fn claim(wishes: Wishes) -> Option<Place> {
        let mut registry = registry();
        let index = (GLOBAL_PLACE + 1..PLACES).find(|&index| registry.wishes[index].is_none())?;
        registry.set_wishes(index, Some(wishes));
        Some(Place { index })
    }

    /// Takes the place of the installed logger; `None` if it is taken.
    pub(crate) fn claim_global(wishes: Wishes) -> Option<Place> {
        let mut registry = registry();
        if registry.wishes[GLOBAL_PLACE].is_some() {
            return None;
        }
        registry.set_wishes(GLOBAL_PLACE, Some(wishes));
        Some(Place {
            index: GLOBAL_PLACE,
        })
    }

    /// The same place, for the successor of a logger that is never dropped.
    pub(crate) fn inherit(&self) -> Place {
        Place { index: self.index }
    }

    /// The number of the bit.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// The bit to test in a call site's word.
    pub(crate) fn mask(&self) -> u32 {
        1 << self.index
    }

    /// Makes every call site ask again.
    pub(crate) fn set_filter(&self, filter: Filter) {
        let mut registry = registry();
        let wishes = registry.wishes[self.index].take();
        let wishes = wishes.map(|wishes| Wishes { filter, ..wishes });
        registry.set_wishes(self.index, wishes);
    }

    /// The filter as it was last set.
    pub(crate) fn filter(&self) -> Filter {
        let wishes = &registry().wishes[self.index];
        let filter = wishes.as_ref().map(|wishes| wishes.filter.clone());
        filter.unwrap_or(LevelFilter::Off.into())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        registry().set_wishes(self.index, None);
    }
}
