//! The time stamp counter: the processor's cheapest clock.

/// The counter's value now.
///
/// It is read in no fixed order with the loads and stores around it: the processor may read it some
/// nanoseconds early or late. It never blocks and does not enter the kernel; on virtual machines
/// that trap the instruction it is slow.
#[inline(always)]
pub(crate) fn read() -> u64 {
    platform::read()
}

/// Whether the counter can serve as a clock: it runs at one rate in all states of the processor, and
/// the kernel found it to agree between cores.
///
/// # Errors
///
/// A clause that says why it cannot.
pub(crate) fn check() -> Result<(), String> {
    platform::check()
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod platform {
    use core::arch::x86_64::{__cpuid, _rdtsc};

    #[inline(always)]
    pub(super) fn read() -> u64 {
        // SAFETY: every x86-64 processor has the instruction. A process that forbade it to itself
        // (PR_SET_TSC) is stopped by the kernel, which is memory-safe.
        unsafe { _rdtsc() }
    }

    pub(super) fn check() -> Result<(), String> {
        if !is_invariant() {
            return Err("the processor does not promise a constant rate".into());
        }
        trusted_by_kernel()
    }

    /// CPUID's advanced power management leaf has a bit for a counter whose rate is the same in
    /// all power states.
    fn is_invariant() -> bool {
        const HIGHEST_EXTENDED_LEAF: u32 = 0x8000_0000;
        const POWER_MANAGEMENT: u32 = 0x8000_0007;
        const INVARIANT_TSC: u32 = 1 << 8;
        cpuid(HIGHEST_EXTENDED_LEAF).eax >= POWER_MANAGEMENT
            && cpuid(POWER_MANAGEMENT).edx & INVARIANT_TSC != 0
    }

    #[allow(
        unused_unsafe,
        reason = "newer compilers offer the intrinsic as a safe function"
    )]
    fn cpuid(leaf: u32) -> core::arch::x86_64::CpuidResult {
        // SAFETY: every x86-64 processor has the instruction.
        unsafe { __cpuid(leaf) }
    }

    #[cfg(target_os = "linux")]
    fn trusted_by_kernel() -> Result<(), String> {
        use std::fs;

        const CURRENT: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
        const AVAILABLE: &str =
            "/sys/devices/system/clocksource/clocksource0/available_clocksource";
        let read = |path: &str| {
            fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))
        };
        judge(&read(CURRENT)?, &read(AVAILABLE)?)
    }

    /// A kernel that finds the counter unstable takes it off the list. One that prefers another
    /// source, such as `kvm-clock`, but keeps the counter on the list, still trusts it.
    #[cfg(target_os = "linux")]
    pub(super) fn judge(current: &str, available: &str) -> Result<(), String> {
        if available.split_ascii_whitespace().any(|name| name == "tsc") {
            return Ok(());
        }
        Err(format!(
            "the kernel does not offer it as a clock source and uses {} (offered: {})",
            current.trim(),
            available.trim()
        ))
    }

    #[cfg(not(target_os = "linux"))]
    fn trusted_by_kernel() -> Result<(), String> {
        Err("this operating system does not say whether it trusts the counter".into())
    }
}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
mod platform {
    use std::sync::OnceLock;
    use std::time::Instant;

    /// Nanoseconds since the first call. `check` keeps it from being used as a clock, since the
    /// system clock costs the same.
    pub(super) fn read() -> u64 {
        static START: OnceLock<Instant> = OnceLock::new();
        let elapsed = START.get_or_init(Instant::now).elapsed();
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(super) fn check() -> Result<(), String> {
        Err("this processor has none that a program can read".into())
    }
}

#[cfg(test)]
mod tests {
    use super::{check, read};

    #[test]
    fn the_counter_advances() {
        let start = read();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while read() <= start {
            assert!(
                std::time::Instant::now() < deadline,
                "the counter stands still"
            );
        }
    }

    #[test]
    fn a_refusal_gives_its_reason() {
        if let Err(reason) = check() {
            assert!(!reason.is_empty() && !reason.ends_with('.'));
        }
    }

    #[test]
    #[cfg(all(target_arch = "x86_64", target_os = "linux", not(miri)))]
    fn a_counter_on_the_kernels_list_is_trusted_and_another_is_not() {
        use super::platform::judge;

        assert_eq!(judge("tsc\n", "tsc kvm-clock \n"), Ok(()));
        assert_eq!(judge("kvm-clock\n", "kvm-clock tsc acpi_pm\n"), Ok(()));
        let refusal = judge("hpet\n", "hpet acpi_pm\n").unwrap_err();
        assert!(refusal.contains("uses hpet"), "{refusal}");
        assert!(judge("tsc-early\n", "tsc-early hpet\n").is_err());
        assert!(judge("", "").is_err());
    }
}
