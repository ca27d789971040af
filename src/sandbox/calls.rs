//! Seccomp: which system calls still work.
//!
//! Three filters, of which the kernel takes the strictest answer: one kills a program that tries
//! to become or start another, one sends glibc from `clone3` (whose flags a filter cannot see) to
//! `clone`, and one allows what is listed and refuses the rest with EPERM.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

use super::SandboxError;

/// Whose calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    Relay,
    Web,
    Verifier,
    Writer,
    Fetcher,
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Filters the calls of every thread, for good.
pub(super) fn restrict(set: Set) -> Result<(), SandboxError> {
    // The allow-list comes last: with it in place no further filter could be added.
    let filters = [
        compile(
            ended_by()?,
            SeccompAction::Allow,
            SeccompAction::KillProcess,
        )?,
        compile(
            Rules::from([(libc::SYS_clone3, vec![])]),
            SeccompAction::Allow,
            SeccompAction::Errno(errno(libc::ENOSYS)),
        )?,
        compile(
            allowed(set)?,
            SeccompAction::Errno(errno(libc::EPERM)),
            SeccompAction::Allow,
        )?,
    ];
    for filter in &filters {
        seccompiler::apply_filter_all_threads(filter)?;
    }
    Ok(())
}

fn errno(number: i32) -> u32 {
    number.cast_unsigned()
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    listed: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let here = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, otherwise, listed, here)?.try_into()
}

/// No program of ours does these by mistake, so nothing is gained by going on.
fn ended_by() -> Result<Rules, BackendError> {
    let mut rules = listed(&[libc::SYS_execve, libc::SYS_execveat, libc::SYS_ptrace]);
    #[cfg(target_arch = "x86_64")]
    rules.extend(listed(&[libc::SYS_fork, libc::SYS_vfork]));
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    rules.insert(libc::SYS_clone, vec![bits(0, thread, 0)?]);
    Ok(rules)
}

fn allowed(set: Set) -> Result<Rules, BackendError> {
    let mut rules = listed(EVERYONE);
    #[cfg(target_arch = "x86_64")]
    rules.extend(listed(OLD_FORMS));
    // The other filters answer for these.
    rules.extend(listed(&[libc::SYS_clone, libc::SYS_clone3]));
    rules.extend(listed(match set {
        Set::Relay => RELAY,
        Set::Web => WEB,
        Set::Verifier => &[],
        Set::Writer => WRITER,
        Set::Fetcher => FETCHER,
    }));

    let unix = u64::from(libc::AF_UNIX.cast_unsigned());
    if set == Set::Verifier {
        // It talks to those it knows and to those who come.
        rules.remove(&libc::SYS_connect);
    } else {
        let mut families = vec![is(0, unix)?];
        if set == Set::Fetcher {
            let network = [libc::AF_INET, libc::AF_INET6].map(i32::cast_unsigned);
            families.extend(any_of(0, &network.map(u64::from))?);
        }
        rules.insert(libc::SYS_socket, families);
        rules.insert(libc::SYS_socketpair, vec![is(0, unix)?]);
    }
    // Memory is written or executed, and everything executable is there by now.
    let executable = u64::from(libc::PROT_EXEC.cast_unsigned());
    rules.insert(libc::SYS_mmap, vec![bits(2, executable, 0)?]);
    rules.insert(libc::SYS_mprotect, vec![bits(2, executable, 0)?]);
    let asked = [libc::FIONBIO, libc::FIONREAD, libc::FIOCLEX, libc::TCGETS];
    rules.insert(libc::SYS_ioctl, any_of(1, &asked)?);
    let named = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA];
    let named = named.map(|option| u64::from(option.cast_unsigned()));
    rules.insert(libc::SYS_prctl, any_of(0, &named)?);
    // Read limits, set none.
    rules.insert(libc::SYS_prlimit64, vec![is(2, 0)?]);
    // A program may signal itself: that is how abort() works.
    let own = u64::from(std::process::id());
    rules.insert(libc::SYS_tgkill, vec![is(0, own)?]);
    Ok(rules)
}

fn listed(calls: &[i64]) -> Rules {
    calls.iter().map(|call| (*call, vec![])).collect()
}

/// Argument `index` equals `value`. Of an `int` only the lower half counts, and the upper may hold
/// anything; a pointer is compared with null only, and whole.
fn is(index: u8, value: u64) -> Result<SeccompRule, BackendError> {
    let length = if value == 0 {
        SeccompCmpArgLen::Qword
    } else {
        SeccompCmpArgLen::Dword
    };
    let same = SeccompCondition::new(index, length, SeccompCmpOp::Eq, value)?;
    SeccompRule::new(vec![same])
}

fn any_of(index: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    values.iter().map(|value| is(index, *value)).collect()
}

/// The bits `mask` of argument `index` equal `value`.
fn bits(index: u8, mask: u64, value: u64) -> Result<SeccompRule, BackendError> {
    let length = SeccompCmpArgLen::Qword;
    let same = SeccompCondition::new(index, length, SeccompCmpOp::MaskedEq(mask), value)?;
    SeccompRule::new(vec![same])
}

/// Files (which ones is Landlock's to say), memory, threads, time, and sockets that exist.
const EVERYONE: &[i64] = &[
    // Files
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_openat,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_lseek,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_getdents64,
    libc::SYS_unlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_mkdirat,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fcntl,
    libc::SYS_fchmod,
    // SQLite gives its journals the database's owner when it runs as root.
    libc::SYS_fchown,
    libc::SYS_umask,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    // Memory
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_brk,
    // Threads and waiting
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_ppoll,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
    // Signals
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    // Who, when, how much
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getrandom,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
    // Sockets: those handed over, what they accept, and local ones. No bind, no listen.
    libc::SYS_connect,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
];

/// The same things under the names that newer architectures dropped.
#[cfg(target_arch = "x86_64")]
const OLD_FORMS: &[i64] = &[
    libc::SYS_open,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_readlink,
    libc::SYS_unlink,
    libc::SYS_rename,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_epoll_wait,
    libc::SYS_accept,
    libc::SYS_time,
    libc::SYS_getrlimit,
];

const RELAY: &[i64] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

const WRITER: &[i64] = &[
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_mount,
    libc::SYS_umount2,
    // What is read back comes from the disk.
    libc::SYS_fadvise64,
];

const FETCHER: &[i64] = &[
    // Names are asked for in pairs, one for each kind of address.
    libc::SYS_sendmmsg,
];

const WEB: &[i64] = &[
    // The runtime's clock.
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
];
