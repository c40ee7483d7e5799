//! What the kernel says a process has used, and what a command took.

use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// CPU time and peak memory of a living process.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub cpu: Duration,
    /// Peak resident set since the process began.
    pub peak_bytes: u64,
}

impl Usage {
    pub fn of(pid: u32) -> io::Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // Fields 14 and 15, counted after the command's name, which may hold blanks (proc_pid_stat(5)).
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks: u64 = [11, 12].iter().filter_map(|&at| fields.get(at)?.parse::<u64>().ok()).sum();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let peak_kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
            .unwrap_or(0);
        Ok(Self { cpu: Duration::from_millis(ticks * 10), peak_bytes: peak_kib * 1024 })
    }
}

/// Of this process itself, for the raw client.
pub fn own_cpu() -> Duration {
    Usage::of(std::process::id()).map(|usage| usage.cpu).unwrap_or_default()
}

/// Runs `script` with `sh -c` and returns how long it took.
pub fn timed(script: &str) -> io::Result<Duration> {
    let start = Instant::now();
    let output =
        Command::new("sh").args(["-c", script]).stdout(Stdio::null()).stderr(Stdio::piped()).output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(io::Error::other(format!("`{script}` failed: {}", said.trim())));
    }
    Ok(start.elapsed())
}

/// A child that is asked to end, then killed, when it goes out of scope.
pub struct Kept(pub Child);

impl Drop for Kept {
    fn drop(&mut self) {
        // SAFETY: kill(2) with the id of a child that has not been waited for.
        unsafe { libc::kill(self.0.id() as i32, libc::SIGTERM) };
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if matches!(self.0.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
