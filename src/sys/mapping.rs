//! Memory for the ring: zeroed, page-aligned, and there before it is needed.

use std::io;

/// What is asked of the kernel beyond the memory itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// Touch every page at once, so that no later access waits for the kernel to find one.
    pub(crate) prefault: bool,
    /// Keep the pages in memory (`mlock`), which touches them all as well.
    pub(crate) lock: bool,
    /// Ask for huge pages.
    pub(crate) huge_pages: HugePages,
}

/// Huge pages mean fewer misses in the translation cache. The kernel gives ordinary ones when it has
/// no others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum HugePages {
    /// Not asked for.
    Never,
    /// Asked for where whole ones fit. A refusal is no matter.
    #[default]
    WhereTheyFit,
    /// Asked for, the size rounded up to whole ones.
    Always,
}

/// Zeroed memory of the process's own, unmapped when dropped.
///
/// Whoever writes through [`as_ptr`](Mapping::as_ptr) sees to it that accesses do not race; the
/// mapping itself only owns the address range.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// What [`as_ptr`](Mapping::as_ptr) answers: aligned to [`PAGE`] at least.
    address: *mut u8,
    /// The mapped bytes: at least as many as were asked for.
    mapped: usize,
    /// The bytes that were asked for.
    len: usize,
}

// SAFETY: the mapping owns its address range as a `Box<[u8]>` owns its allocation, and any thread
// may unmap it.
unsafe impl Send for Mapping {}
// SAFETY: shared access hands out no more than the address and the length.
unsafe impl Sync for Mapping {}

/// No platform has smaller pages.
const PAGE: usize = 4096;

impl Mapping {
    /// Maps `bytes` bytes of zeros. What the kernel would not do beyond that comes back as
    /// warnings, each a sentence without its full stop that says what to change.
    ///
    /// Enters the kernel, and with `prefault` or `lock` takes about a millisecond per 4 MiB.
    ///
    /// # Errors
    ///
    /// `bytes` is 0 or exceeds the address space, or the kernel has no such amount of memory.
    pub(crate) fn new(bytes: usize, options: Options) -> io::Result<(Mapping, Vec<String>)> {
        if bytes == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "a mapping of 0 bytes was asked for",
            ));
        }
        let mapping = platform::map(bytes, options.huge_pages)?;
        let mut warnings = Vec::new();
        // Before any page is touched: a page that is there already does not become a huge one.
        let refused = match options.huge_pages {
            HugePages::Never => None,
            HugePages::WhereTheyFit => {
                let _ = platform::use_huge_pages(&mapping);
                None
            }
            HugePages::Always => platform::use_huge_pages(&mapping).err(),
        };
        warnings.extend(refused);
        if options.lock {
            warnings.extend(platform::lock(&mapping).err());
        }
        if options.prefault {
            mapping.touch();
        }
        Ok((mapping, warnings))
    }

    /// The first byte, on a page boundary.
    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.address
    }

    /// How many bytes may be used: as many as were asked for.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Writes to every page: a read would be answered with the kernel's one page of zeros.
    fn touch(&self) {
        for offset in (0..self.mapped).step_by(PAGE) {
            // SAFETY: the offset is within the mapped range, which nobody else has seen yet.
            unsafe { self.address.add(offset).write_volatile(0) };
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range came from `map`, is unmapped once, and by the contract of `as_ptr`
        // nobody uses it after the mapping is gone.
        unsafe { platform::unmap(self.address, self.mapped) };
    }
}

/// `bytes` as whole units of `unit`, a power of two.
fn round_up(bytes: usize, unit: usize) -> io::Result<usize> {
    bytes
        .checked_next_multiple_of(unit)
        .filter(|&rounded| isize::try_from(rounded).is_ok())
        .ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))
}

#[cfg(target_os = "linux")]
mod platform {
    use super::{HugePages, Mapping, PAGE, round_up};
    use std::mem::MaybeUninit;
    use std::{fs, io, ptr};

    /// The size of a huge page, on x86-64 and on others with pages of 4 KiB.
    pub(super) const HUGE_PAGE: usize = 2 << 20;

    pub(super) fn map(bytes: usize, huge_pages: HugePages) -> io::Result<Mapping> {
        let mapped = match huge_pages {
            HugePages::Always => round_up(bytes, HUGE_PAGE)?,
            _ => round_up(bytes, PAGE)?,
        };
        if huge_pages == HugePages::Never || mapped < HUGE_PAGE {
            return Ok(Mapping {
                address: map_anywhere(mapped)?,
                mapped,
                len: bytes,
            });
        }
        // A huge page must lie on a boundary of its size. Map one more, then give back what lies
        // before the first boundary and behind the last.
        let wide = round_up(mapped.saturating_add(HUGE_PAGE), HUGE_PAGE)?;
        let start = map_anywhere(wide)?;
        let before = start.align_offset(HUGE_PAGE);
        let after = wide - before - mapped;
        // SAFETY: the three parts make up the range just mapped, and the outer two are used by
        // nobody, since only the address of the middle one leaves this function.
        unsafe {
            let address = start.add(before);
            unmap(start, before);
            unmap(address.add(mapped), after);
            Ok(Mapping {
                address,
                mapped,
                len: bytes,
            })
        }
    }

    fn map_anywhere(bytes: usize) -> io::Result<*mut u8> {
        const NO_FILE: libc::c_int = -1;
        // SAFETY: a new anonymous mapping at an address of the kernel's choosing touches nothing
        // that exists.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                NO_FILE,
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(address.cast())
    }

    /// # Safety
    ///
    /// The range is made of whole pages of a mapping that nobody uses any more.
    pub(super) unsafe fn unmap(address: *mut u8, bytes: usize) {
        if bytes > 0 {
            // SAFETY: the caller's promise. It fails only for a range that was never mapped.
            let result = unsafe { libc::munmap(address.cast(), bytes) };
            debug_assert_eq!(result, 0, "munmap: {}", io::Error::last_os_error());
        }
    }

    pub(super) fn use_huge_pages(mapping: &Mapping) -> Result<(), String> {
        const SWITCH: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
        // SAFETY: the advice changes how the mapping's pages are found, not what is in them.
        let result =
            unsafe { libc::madvise(mapping.address.cast(), mapping.mapped, libc::MADV_HUGEPAGE) };
        if result != 0 {
            return Err(format!(
                "the ring has no huge pages: madvise(MADV_HUGEPAGE) failed with {}; the kernel \
                 needs transparent huge pages (CONFIG_TRANSPARENT_HUGEPAGE)",
                io::Error::last_os_error()
            ));
        }
        // The kernel takes the advice even when it is told never to follow it.
        match fs::read_to_string(SWITCH) {
            Ok(switch) if switch.contains("[never]") => Err(format!(
                "the ring has no huge pages: they are switched off on this machine; write madvise \
                 to {SWITCH}"
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn lock(mapping: &Mapping) -> Result<(), String> {
        // SAFETY: locking changes where the mapping's pages are kept, not what is in them.
        let result = unsafe { libc::mlock(mapping.address.cast(), mapping.mapped) };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        Err(format!(
            "the ring is not locked in memory: mlock of {} bytes failed with {error}; {}",
            mapping.mapped,
            lock_limit()
        ))
    }

    /// What to do about a refused lock, beginning with the limit as it is.
    fn lock_limit() -> String {
        let mut limit = MaybeUninit::<libc::rlimit>::uninit();
        // SAFETY: the kernel writes one `rlimit` to the address, which is that of one.
        let result = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, limit.as_mut_ptr()) };
        if result != 0 {
            return "raise RLIMIT_MEMLOCK (ulimit -l) or grant CAP_IPC_LOCK".into();
        }
        // SAFETY: the call succeeded, so the value was written.
        let soft = unsafe { limit.assume_init() }.rlim_cur;
        if soft == libc::RLIM_INFINITY {
            return "RLIMIT_MEMLOCK is unlimited, so memory itself is short".into();
        }
        format!(
            "RLIMIT_MEMLOCK is {soft} bytes for the whole process: raise it (ulimit -l, or \
             LimitMEMLOCK= in a systemd unit) or grant CAP_IPC_LOCK"
        )
    }
}

#[cfg(not(target_os = "linux"))]
mod platform {
    use super::{HugePages, Mapping, PAGE, round_up};
    use std::alloc::{Layout, alloc_zeroed, dealloc};
    use std::io;

    fn layout(bytes: usize) -> io::Result<Layout> {
        Layout::from_size_align(bytes, PAGE)
            .map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))
    }

    pub(super) fn map(bytes: usize, _huge_pages: HugePages) -> io::Result<Mapping> {
        let mapped = round_up(bytes, PAGE)?;
        // SAFETY: `Mapping::new` refuses a size of zero.
        let address = unsafe { alloc_zeroed(layout(mapped)?) };
        if address.is_null() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(Mapping {
            address,
            mapped,
            len: bytes,
        })
    }

    /// # Safety
    ///
    /// The range came from `map`, and nobody uses it any more.
    pub(super) unsafe fn unmap(address: *mut u8, bytes: usize) {
        if let Ok(layout) = layout(bytes) {
            // SAFETY: the caller's promise; the layout is the one of the allocation.
            unsafe { dealloc(address, layout) };
        }
    }

    pub(super) fn use_huge_pages(_mapping: &Mapping) -> Result<(), String> {
        Err("the ring has no huge pages: this platform does not offer them".into())
    }

    pub(super) fn lock(_mapping: &Mapping) -> Result<(), String> {
        Err("the ring is not locked in memory: this platform does not offer it".into())
    }
}

#[cfg(test)]
mod tests {
    use super::{Mapping, Options, PAGE};
    use std::{io, thread};

    /// Every byte of the mapping, by value.
    fn contents(mapping: &Mapping) -> Vec<u8> {
        (0..mapping.len())
            // SAFETY: the offset is below the length, and the mapping is initialised with zeros.
            .map(|offset| unsafe { mapping.as_ptr().add(offset).read() })
            .collect()
    }

    #[test]
    fn memory_is_zeroed_aligned_and_writable_to_its_last_byte() {
        for bytes in [1, 63, PAGE, PAGE + 1, 5 * PAGE] {
            for prefault in [false, true] {
                let options = Options {
                    prefault,
                    ..Options::default()
                };
                let (mapping, warnings) = Mapping::new(bytes, options).unwrap();
                assert!(warnings.is_empty(), "{warnings:?}");
                assert_eq!(mapping.len(), bytes);
                assert_eq!(mapping.as_ptr().addr() % PAGE, 0);
                assert_eq!(contents(&mapping), vec![0; bytes]);
                // SAFETY: the range is the mapping's, and nobody else uses it.
                unsafe { mapping.as_ptr().write_bytes(0xA5, bytes) };
                assert_eq!(contents(&mapping), vec![0xA5; bytes]);
            }
        }
    }

    #[test]
    fn a_mapping_can_be_dropped_by_another_thread() {
        let (mapping, _) = Mapping::new(PAGE, Options::default()).unwrap();
        thread::spawn(move || drop(mapping)).join().unwrap();
    }

    #[test]
    fn impossible_sizes_are_errors() {
        let kind = |bytes| {
            let error = Mapping::new(bytes, Options::default()).unwrap_err();
            error.kind()
        };
        assert_eq!(kind(0), io::ErrorKind::InvalidInput);
        assert_eq!(kind(usize::MAX), io::ErrorKind::OutOfMemory);
        assert_eq!(kind(isize::MAX as usize), io::ErrorKind::OutOfMemory);
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    mod linux {
        use super::super::HugePages;
        use super::super::platform::HUGE_PAGE;
        use super::{Mapping, Options, PAGE, contents};
        use std::fs;
        use std::sync::{Mutex, MutexGuard, PoisonError};

        /// How much a process may lock is one setting for all its threads.
        static LOCK_LIMIT: Mutex<()> = Mutex::new(());

        fn lock_limit() -> MutexGuard<'static, ()> {
            LOCK_LIMIT.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// A field of the mapping's entry in `/proc/self/smaps`. The kernel may have merged the
        /// mapping with a neighbour.
        fn smaps_field(mapping: &Mapping, field: &str) -> String {
            let text = fs::read_to_string("/proc/self/smaps").unwrap();
            let mut inside = false;
            for line in text.lines() {
                let first = line.split(' ').next().unwrap();
                if let Some((start, end)) = first.split_once('-') {
                    let range = usize::from_str_radix(start, 16).unwrap()
                        ..usize::from_str_radix(end, 16).unwrap();
                    inside = range.contains(&mapping.as_ptr().addr());
                } else if inside && first.strip_suffix(':') == Some(field) {
                    return line[first.len()..].trim().to_owned();
                }
            }
            panic!("no {field} for the mapping in\n{text}");
        }

        /// One of them, in KiB.
        fn smaps(mapping: &Mapping, field: &str) -> usize {
            let amount = smaps_field(mapping, field);
            amount.trim_end_matches(" kB").parse().unwrap()
        }

        fn smaps_flags(mapping: &Mapping) -> Vec<String> {
            let flags = smaps_field(mapping, "VmFlags");
            flags.split_whitespace().map(str::to_owned).collect()
        }

        /// How many of the mapping's pages are in memory.
        fn resident(mapping: &Mapping) -> usize {
            let mut pages = vec![0_u8; mapping.len().div_ceil(PAGE)];
            // SAFETY: the range is mapped, and the array has a byte for each of its pages.
            let result = unsafe {
                libc::mincore(mapping.as_ptr().cast(), mapping.len(), pages.as_mut_ptr())
            };
            assert_eq!(result, 0);
            pages.iter().filter(|&&page| page & 1 == 1).count()
        }

        #[test]
        fn prefaulted_pages_are_there_and_others_are_not() {
            let pages = 64;
            for (prefault, expected) in [(true, pages), (false, 0)] {
                let options = Options {
                    prefault,
                    ..Options::default()
                };
                let (mapping, _) = Mapping::new(pages * PAGE, options).unwrap();
                // An anonymous page that was never touched is not in memory.
                assert_eq!(resident(&mapping), expected, "prefault: {prefault}");
            }
        }

        #[test]
        fn locked_pages_are_locked_and_there() {
            let _guard = lock_limit();
            let options = Options {
                lock: true,
                ..Options::default()
            };
            let (mapping, warnings) = Mapping::new(4 * PAGE, options).unwrap();
            // 16 KiB are below the least limit that any distribution sets.
            assert!(warnings.is_empty(), "{warnings:?}");
            assert!(smaps(&mapping, "Locked") >= 4 * PAGE / 1024);
            assert_eq!(resident(&mapping), 4);
        }

        #[test]
        fn huge_pages_lie_on_their_boundary_and_keep_the_length() {
            let options = Options {
                prefault: true,
                huge_pages: HugePages::Always,
                ..Options::default()
            };
            let (mapping, warnings) = Mapping::new(HUGE_PAGE + 1, options).unwrap();
            assert_eq!(mapping.as_ptr().addr() % HUGE_PAGE, 0);
            assert_eq!(mapping.len(), HUGE_PAGE + 1);
            assert_eq!(contents(&mapping), vec![0; HUGE_PAGE + 1]);
            let switch = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
            let offered = switch.is_ok_and(|switch| !switch.contains("[never]"));
            assert_eq!(warnings.is_empty(), offered, "{warnings:?}");
        }

        #[test]
        fn whole_huge_pages_are_asked_for_where_they_fit() {
            let map = |bytes, huge_pages| {
                let options = Options {
                    huge_pages,
                    ..Options::default()
                };
                let (mapping, warnings) = Mapping::new(bytes, options).unwrap();
                assert!(warnings.is_empty(), "{warnings:?}");
                mapping
            };
            let is_advised = |mapping: &Mapping| smaps_flags(mapping).contains(&"hg".to_owned());
            let fitting = map(3 * HUGE_PAGE / 2, HugePages::WhereTheyFit);
            assert_eq!(fitting.as_ptr().addr() % HUGE_PAGE, 0);
            assert_eq!(fitting.mapped, 3 * HUGE_PAGE / 2);
            assert!(is_advised(&fitting));
            let never = map(3 * HUGE_PAGE / 2, HugePages::Never);
            assert!(!is_advised(&never));
        }

        #[test]
        fn a_refused_lock_is_a_warning_with_the_limit_and_the_memory_works() {
            let _guard = lock_limit();
            // In a thread of its own, which gives up the right to lock without limit for itself.
            let refused = std::thread::spawn(|| {
                capabilities::drop_ipc_lock();
                let before = limits::set_soft(PAGE as libc::rlim_t);
                let options = Options {
                    prefault: true,
                    lock: true,
                    ..Options::default()
                };
                let result = Mapping::new(4 * PAGE, options);
                limits::set_soft(before);
                result.unwrap()
            });
            let (mapping, warnings) = refused.join().unwrap();
            assert_eq!(warnings.len(), 1);
            assert_eq!(
                warnings[0],
                "the ring is not locked in memory: mlock of 16384 bytes failed with Cannot \
                 allocate memory (os error 12); RLIMIT_MEMLOCK is 4096 bytes for the whole \
                 process: raise it (ulimit -l, or LimitMEMLOCK= in a systemd unit) or grant \
                 CAP_IPC_LOCK"
            );
            assert_eq!(contents(&mapping), vec![0; 4 * PAGE]);
        }

        mod limits {
            /// Sets the soft limit of locked memory and answers what it was.
            pub(super) fn set_soft(soft: libc::rlim_t) -> libc::rlim_t {
                let mut limit = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                // SAFETY: the kernel writes and reads one `rlimit`, which the address is that of.
                unsafe {
                    assert_eq!(libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit), 0);
                    let before = limit.rlim_cur;
                    limit.rlim_cur = soft;
                    assert_eq!(libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit), 0);
                    before
                }
            }
        }

        mod capabilities {
            use std::io;

            /// Takes `CAP_IPC_LOCK` out of the calling thread's effective set.
            pub(super) fn drop_ipc_lock() {
                const VERSION_3: u32 = 0x2008_0522;
                const CAP_IPC_LOCK: u32 = 14;
                // From <linux/capability.h>: the version and the thread (0 is the caller), then
                // effective, permitted and inheritable sets for capabilities 0 to 31 and above.
                let header: [u32; 2] = [VERSION_3, 0];
                let mut sets = [0_u32; 6];
                // SAFETY: both addresses are those of the structures that the calls expect.
                unsafe {
                    let got = libc::syscall(libc::SYS_capget, header.as_ptr(), sets.as_mut_ptr());
                    assert_eq!(got, 0, "capget: {}", io::Error::last_os_error());
                    sets[0] &= !(1 << CAP_IPC_LOCK);
                    let set = libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr());
                    assert_eq!(set, 0, "capset: {}", io::Error::last_os_error());
                }
            }
        }
    }
}
