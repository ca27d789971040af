//! Calls without a safe form: `ioctl`, which hands the kernel a pointer whose meaning the request
//! number decides.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use nix::libc;

/// `<linux/dm-ioctl.h>`: `_IOWR(0xfd, command, struct dm_ioctl)`, without the command.
const DM_REQUEST: libc::c_ulong = 0xc138_fd00;
/// `<linux/watchdog.h>`: `_IOWR('W', 6, int)`.
const WDIOC_SETTIMEOUT: libc::c_ulong = 0xc004_5706;
/// `<linux/fs.h>`: `_IO(0x12, 95)`.
const BLKRRPART: libc::c_ulong = 0x125f;
/// `<linux/blkpg.h>`: `_IO(0x12, 105)`.
const BLKPG: libc::c_ulong = 0x1269;
/// `<linux/blkpg.h>`.
const BLKPG_RESIZE_PARTITION: libc::c_int = 3;

/// `struct blkpg_ioctl_arg`.
#[repr(C)]
struct PartitionCall {
    operation: libc::c_int,
    flags: libc::c_int,
    bytes: libc::c_int,
    partition: *mut PartitionRange,
}

/// `struct blkpg_partition`.
#[repr(C)]
struct PartitionRange {
    start_bytes: libc::c_longlong,
    length_bytes: libc::c_longlong,
    number: libc::c_int,
    device_name: [libc::c_char; 64],
    volume_name: [libc::c_char; 64],
}

/// Gives `message`, which begins with a `struct dm_ioctl`, to the device mapper and takes its
/// answer in the same place.
///
/// # Panics
///
/// If `message` does not say its own length: the kernel reads and writes as many bytes as it says.
pub(super) fn device_mapper(control: &File, command: u8, message: &mut [u8]) -> io::Result<()> {
    let said = message.get(12..16).map(|four| {
        let four = four.try_into().expect("a range of four");
        u32::from_ne_bytes(four) as usize
    });
    assert!(message.len() >= 312 && said == Some(message.len()));
    let request = DM_REQUEST | libc::c_ulong::from(command);
    // SAFETY:
    // - In bounds: the kernel touches `data_size` bytes from the pointer on (its fourth word), and
    //   the assertion above proves that this is the length of `message`. It writes no more than
    //   it was given (`copy_to_user` with `data_size` as limit).
    // - Initialised and ours alone: a `&mut` slice of bytes; every value the kernel may leave in a
    //   byte is a valid one.
    // - Alignment: the kernel copies bytes and asks for none.
    let done = unsafe { libc::ioctl(control.as_raw_fd(), request, message.as_mut_ptr()) };
    result(done)
}

/// Sets the time after which a watchdog that hears nothing restarts the machine; returns what the
/// driver made of it.
pub(super) fn set_watchdog_timeout(watchdog: &File, seconds: u32) -> io::Result<u32> {
    let mut value = libc::c_int::try_from(seconds).unwrap_or(libc::c_int::MAX);
    // SAFETY: the request reads and writes one `int`, and `value` is one that lives through the
    // call.
    let done = unsafe { libc::ioctl(watchdog.as_raw_fd(), WDIOC_SETTIMEOUT, &raw mut value) };
    result(done)?;
    Ok(u32::try_from(value).unwrap_or(seconds))
}

/// Has the kernel read the partition table of `disk` again; fails while a partition is in use.
pub(super) fn read_partitions_again(disk: &File) -> io::Result<()> {
    // SAFETY: the request has no argument, and so no memory.
    result(unsafe { libc::ioctl(disk.as_raw_fd(), BLKRRPART) })
}

/// Tells the kernel that partition `number` of `disk`, which begins at byte `start`, is now
/// `length` bytes long. It may be in use.
pub(super) fn resize_partition(
    disk: &File,
    number: u32,
    start: u64,
    length: u64,
) -> io::Result<()> {
    let signed = |value: u64| i64::try_from(value).map_err(io::Error::other);
    let mut partition = PartitionRange {
        start_bytes: signed(start)?,
        length_bytes: signed(length)?,
        number: libc::c_int::try_from(number).map_err(io::Error::other)?,
        device_name: [0; 64],
        volume_name: [0; 64],
    };
    let mut call = PartitionCall {
        operation: BLKPG_RESIZE_PARTITION,
        flags: 0,
        bytes: libc::c_int::try_from(size_of::<PartitionRange>()).map_err(io::Error::other)?,
        partition: &raw mut partition,
    };
    // SAFETY: the request reads one `struct blkpg_ioctl_arg`, which `call` is (`repr(C)`, fields as
    // in the header), and through its pointer one `struct blkpg_partition`, which `partition` is.
    // Both live through the call, and nothing else refers to them.
    let done = unsafe { libc::ioctl(disk.as_raw_fd(), BLKPG, &raw mut call) };
    result(done)
}

fn result(done: libc::c_int) -> io::Result<()> {
    Ok(nix::errno::Errno::result(done).map(drop)?)
}
