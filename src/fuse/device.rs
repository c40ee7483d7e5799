//! Gets a mount from the kernel: by mount(2) with the privilege for it, else by fusermount3, the set-uid program.
//!
//! `fuser` could mount by itself, but ties two things together that are not one: who may pass into the mount
//! (`allow_other`, which the kernel enforces), and whose requests it serves. A process of another user that inherited a
//! descriptor writes through it, and must be able to close it.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// How the kernel is to mount.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountFlags {
    /// `BUCKET[/PREFIX]`, as `/proc/mounts` shows it.
    pub source: String,
    pub read_only: bool,
    pub allow_other: bool,
    pub allow_suid: bool,
    pub allow_dev: bool,
    pub no_exec: bool,
    pub no_atime: bool,
    pub synchronous: bool,
    pub dir_synchronous: bool,
}

impl MountFlags {
    /// Flag of mount(2), word of fusermount3, and whether it is wanted.
    fn flags(&self) -> [(libc::c_ulong, &'static str, bool); 7] {
        [
            (libc::MS_RDONLY, "ro", self.read_only),
            (libc::MS_NOSUID, "nosuid", !self.allow_suid),
            (libc::MS_NODEV, "nodev", !self.allow_dev),
            (libc::MS_NOEXEC, "noexec", self.no_exec),
            (libc::MS_NOATIME, "noatime", self.no_atime),
            (libc::MS_SYNCHRONOUS, "sync", self.synchronous),
            (libc::MS_DIRSYNC, "dirsync", self.dir_synchronous),
        ]
    }

    fn bits(&self) -> libc::c_ulong {
        self.flags().iter().filter(|(.., wanted)| *wanted).fold(0, |bits, (bit, ..)| bits | bit)
    }

    /// For fusermount3, which splits its options at commas.
    fn words(&self) -> String {
        let wanted =
            self.flags().into_iter().filter(|(.., wanted)| *wanted).map(|(_, word, _)| word.to_owned());
        let source = self.source.replace('\\', "\\\\").replace(',', "\\,");
        let mut words: Vec<String> = wanted.collect();
        words.extend([format!("fsname={source}"), "subtype=holdfs".into(), self.kernel_options().into()]);
        words.join(",")
    }

    fn kernel_options(&self) -> &'static str {
        if self.allow_other { "default_permissions,allow_other" } else { "default_permissions" }
    }
}

/// Mounts on `directory`; the descriptor is the kernel's end of the connection.
pub fn mount(directory: &Path, flags: &MountFlags) -> io::Result<OwnedFd> {
    match by_system_call(directory, flags) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => by_fusermount(directory, flags),
        mounted => mounted,
    }
}

fn by_system_call(directory: &Path, flags: &MountFlags) -> io::Result<OwnedFd> {
    let device = File::options().read(true).write(true).open("/dev/fuse")?;
    // SAFETY: neither can fail, nor touches memory.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    let options = format!(
        "fd={},rootmode=40000,user_id={user},group_id={group},{}",
        device.as_raw_fd(),
        flags.kernel_options()
    );
    let (source, target) =
        (CString::new(flags.source.as_str())?, CString::new(directory.as_os_str().as_bytes())?);
    let options = CString::new(options)?;
    // SAFETY: four strings that end with NUL and outlive the call.
    let mounted = unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            c"fuse.holdfs".as_ptr(),
            flags.bits(),
            options.as_ptr().cast(),
        )
    };
    if mounted == 0 { Ok(device.into()) } else { Err(io::Error::last_os_error()) }
}

/// fusermount3 mounts and sends the descriptor over the socket that `_FUSE_COMMFD` names.
fn by_fusermount(directory: &Path, flags: &MountFlags) -> io::Result<OwnedFd> {
    let (ours, theirs) = UnixStream::pair()?;
    let inherited = theirs.as_raw_fd();
    let mut command = Command::new("fusermount3");
    command
        .args([OsStr::new("-o"), OsStr::new(&flags.words()), OsStr::new("--"), directory.as_os_str()])
        .env("_FUSE_COMMFD", inherited.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // SAFETY: fcntl is safe between fork and exec, and `theirs` is open until the child runs.
    unsafe { command.pre_exec(move || check(libc::fcntl(inherited, libc::F_SETFD, 0))) };
    let child = command.spawn()?;
    drop(theirs);
    let received = receive_descriptor(&ours);
    let output = child.wait_with_output()?;
    match received? {
        Some(descriptor) => Ok(descriptor),
        None => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// One byte with one descriptor; `None` when the other end closed without it.
fn receive_descriptor(socket: &UnixStream) -> io::Result<Option<OwnedFd>> {
    // Room for one descriptor, aligned as a control message must be.
    let mut control = [0u64; 8];
    let mut byte = 0u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control);
    // SAFETY: every pointer in `message` leads to a live buffer of the length that is given beside it.
    let received = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
    if received < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has filled in `message`; the first header is null or lies within `control`.
    let header = unsafe { libc::CMSG_FIRSTHDR(&message).as_ref() };
    let sent =
        header.filter(|header| header.cmsg_level == libc::SOL_SOCKET && header.cmsg_type == libc::SCM_RIGHTS);
    Ok(sent.map(|header| {
        // SAFETY: an SCM_RIGHTS message holds at least one descriptor, which is ours from now on.
        unsafe { OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned()) }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suid_and_devices_are_off_unless_asked_for() {
        let plain = MountFlags::default();
        assert_eq!(plain.bits(), libc::MS_NOSUID | libc::MS_NODEV);
        let asked =
            MountFlags { allow_suid: true, allow_dev: true, read_only: true, ..MountFlags::default() };
        assert_eq!(asked.bits(), libc::MS_RDONLY);
    }

    #[test]
    fn a_comma_in_the_source_does_not_split_the_options_of_fusermount() {
        let flags = MountFlags { source: "bucket/a,suid".into(), allow_other: true, ..MountFlags::default() };
        assert_eq!(
            flags.words(),
            "nosuid,nodev,fsname=bucket/a\\,suid,subtype=holdfs,default_permissions,allow_other"
        );
    }

    #[test]
    fn a_descriptor_travels_over_a_socket() {
        let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
        drop(theirs);
        assert!(receive_descriptor(&ours).expect("an end").is_none());
    }
}
