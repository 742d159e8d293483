//! Adding without being interrupted.

use std::sync::atomic::AtomicU64;

/// Adds `amount` to a counter that no other thread writes. A signal handler that adds to it as well,
/// on the same thread, does so before or after this, not in the middle. Those who see the sum see what
/// this thread wrote before.
///
/// x86-64 has one instruction for it, which costs next to nothing. One that also answered what the
/// counter was (`xadd`) would take 1.5 ns longer on Zen 5; one that keeps other threads out (`lock`)
/// another 3.5, and would wait for the stores before it.
#[inline(always)]
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: one aligned word is read and written, which a reference vouches for. No other thread
    // writes it, and those that read it see the word from before or from after, since aligned words
    // are not torn; stores become visible in order, which is Release.
    unsafe {
        if amount == 1 {
            // Needs no register for the amount.
            core::arch::asm!(
                "inc qword ptr [{counter}]",
                counter = in(reg) counter.as_ptr(),
                options(nostack)
            );
        } else {
            core::arch::asm!(
                "add qword ptr [{counter}], {amount}",
                counter = in(reg) counter.as_ptr(),
                amount = in(reg) amount,
                options(nostack)
            );
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    counter.fetch_add(amount, std::sync::atomic::Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn any_amount_is_added() {
        let counter = AtomicU64::new(u64::MAX - 4);
        for (amount, sum) in [(1, u64::MAX - 3), (3, u64::MAX), (1, 0), (0, 0), (70, 70)] {
            add(&counter, amount);
            assert_eq!(counter.load(Ordering::Relaxed), sum);
        }
    }
}
