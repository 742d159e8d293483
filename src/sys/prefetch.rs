//! Asking for a cache line before it is read or written.

/// Asks the cache for the line at `address`, to read it. A hint: it never faults, whatever the address.
///
/// Targets other than x86-64 do nothing.
#[inline(always)]
pub(crate) fn for_read(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: the instruction is part of the baseline, changes nothing that a program can observe,
    // and does not fault on any address.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

/// Asks the cache for the line `OFFSET` bytes after `address`, exclusively. A hint: it never faults,
/// whatever the address, and changes nothing that a program can observe but time.
///
/// x86-64 has an instruction for it that the baseline target does not promise, so the compiler's
/// own intrinsic would ask for a shared copy instead. Processors without it take it for a `nop`.
/// Other targets do nothing.
#[inline(always)]
pub(crate) fn for_write<const OFFSET: usize>(address: *const u8) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: prefetchw neither reads nor writes memory as far as a program can tell, does not
    // fault on any address, and leaves registers, flags and stack alone.
    unsafe {
        core::arch::asm!(
            "prefetchw [{address} + {OFFSET}]",
            address = in(reg) address.addr(),
            OFFSET = const OFFSET,
            options(nomem, nostack, preserves_flags)
        );
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::{for_read, for_write};
    use std::ptr;

    #[test]
    fn any_address_may_be_asked_for() {
        let value = 7_u64;
        for ask in [for_read, for_write::<0>, for_write::<64>] {
            ask(ptr::from_ref(&value).cast());
            ask(ptr::null());
            ask(ptr::without_provenance(usize::MAX));
            ask(ptr::without_provenance(0x8000_0000_0000));
        }
        assert_eq!(value, 7);
    }
}
