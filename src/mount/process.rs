//! What a process that serves a mount does to itself before it has threads.

/// prctl(2), since Linux 5.6; the libc crate does not have it.
const PR_SET_IO_FLUSHER: libc::c_int = 57;

/// Sets the process up; none of it can fail in a way that should stop a mount.
pub fn prepare() {
    forbid_core_dumps();
    allow_many_files();
    keep_descriptors_from_children();
    // Everything that we make is ours alone (0600, 0700), whatever the shell's umask; file modes on the mount come from
    // the callers' own umasks.
    // SAFETY: umask cannot fail and touches no memory.
    unsafe { libc::umask(0o077) };
    // Memory that is freed by writing to this very mount must not be waited for while serving it. Needs
    // CAP_SYS_RESOURCE; inherited by every thread.
    // SAFETY: takes plain numbers.
    unsafe { libc::prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0) };
}

/// Memory holds keys and the data of users: neither a core file nor another process of this user may have it.
fn forbid_core_dumps() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` outlives the call; prctl takes plain numbers.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &none);
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
}

/// One descriptor per staged file and connection: the soft limit of 1,024 is for programs that use select(2).
fn allow_many_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the answer and outlives both calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// Those that a shell or a supervisor left open, too: a child must not keep alive what is not its own.
fn keep_descriptors_from_children() {
    // SAFETY: takes plain numbers, and closes nothing.
    unsafe { libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC as libc::c_int) };
}
