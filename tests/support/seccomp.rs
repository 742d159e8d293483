//! A kernel that answers as a test wants.

#![cfg(all(target_os = "linux", target_arch = "x86_64", not(miri)))]

/// From now on, the calling thread and those that it starts get this answer to one system call.
#[track_caller]
fn answer(call: libc::c_long, action: u32) {
    let statement = |code: u32, k: u32, on_true, on_false| libc::sock_filter {
        code: code as u16,
        jt: on_true,
        jf: on_false,
        k,
    };
    let is_equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let answer = libc::BPF_RET | libc::BPF_K;
    let mut program = [
        // The call's number comes first in what a filter sees.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        statement(is_equal, call as u32, 0, 1),
        statement(answer, action, 0, 0),
        statement(answer, libc::SECCOMP_RET_ALLOW, 0, 0),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the filter and its program live through the calls.
    let entered = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter) == 0
    };
    assert!(entered, "the kernel has no seccomp");
}

/// The call fails with this error.
#[track_caller]
pub fn fail(call: libc::c_long, error: i32) {
    answer(call, libc::SECCOMP_RET_ERRNO | error as u32);
}

/// The process is killed where it would make the call.
#[track_caller]
pub fn kill_at(call: libc::c_long) {
    answer(call, libc::SECCOMP_RET_KILL_PROCESS);
}
