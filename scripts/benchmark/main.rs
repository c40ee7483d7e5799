//! Measures holdfs against the raw client and the null file system, in one run on one machine.
//!
//! Absolute figures wobble from machine to machine; the ratios, CPU seconds, request counts and peak memory of one
//! run say something. `scripts/bench` builds and calls it.

#![allow(clippy::print_stdout, reason = "a report is what it is for")]

mod keys;
mod null_mount;
mod process;
mod proxy;
mod rig;

use std::io;
use std::path::Path;
use std::time::Duration;

use rig::{MIB, Measured, Rig, Store};

struct Arguments {
    stores: Vec<Store>,
    size_mib: u64,
    only: Option<String>,
}

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [command, directory, size] = &words[..]
        && command == "null"
    {
        return null_mount::serve(Path::new(directory), size.parse().map_err(io::Error::other)?, 2);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    if words == ["keys"] {
        return runtime.block_on(keys::run(1_000_000));
    }
    let arguments = parse(&words)?;
    // reqwest is built without a cryptography provider of its own; the raw client needs none but insists.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let work = std::env::temp_dir().join(format!("holdfs-bench-{}", std::process::id()));
    std::fs::create_dir_all(&work)?;
    let outcome = runtime.block_on(async {
        for &store in &arguments.stores {
            Bench { rig: Rig::start(store, &work).await?, size_bytes: arguments.size_mib * MIB }
                .run(arguments.only.as_deref())
                .await?;
        }
        Ok(())
    });
    std::fs::remove_dir_all(&work)?;
    outcome
}

fn parse(words: &[String]) -> io::Result<Arguments> {
    let mut arguments = Arguments { stores: vec![Store::Embedded, Store::Minio], size_mib: 2048, only: None };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| io::Error::other(format!("{word} needs a value")));
        match word.as_str() {
            "--store" => {
                arguments.stores = match value()?.as_str() {
                    "embedded" => vec![Store::Embedded],
                    "minio" => vec![Store::Minio],
                    other => return Err(io::Error::other(format!("no store is called {other}"))),
                }
            }
            "--size-mib" => arguments.size_mib = value()?.parse().map_err(io::Error::other)?,
            "--only" => arguments.only = Some(value()?.clone()),
            other => return Err(io::Error::other(format!("unknown argument {other}"))),
        }
    }
    Ok(arguments)
}

struct Bench {
    rig: Rig,
    size_bytes: u64,
}

impl Bench {
    async fn run(&self, only: Option<&str>) -> io::Result<()> {
        println!("\n## {:?}, {} MiB files\n", self.rig.store, self.size_bytes / MIB);
        let wanted = |name: &str| only.is_none_or(|only| name.contains(only));
        if wanted("read") {
            self.sequential_read().await?;
        }
        if wanted("write") {
            self.sequential_write().await?;
        }
        if wanted("readers") {
            self.four_readers().await?;
        }
        if wanted("listing") {
            self.listings().await?;
        }
        if wanted("tar") {
            self.tar_of_small_files().await?;
        }
        Ok(())
    }

    async fn sequential_read(&self) -> io::Result<()> {
        self.rig.raw_write("big", self.size_bytes, 2).await?;
        let mut raw = Measured::default();
        for in_flight in [2, 4, 8] {
            let measured = self.rig.raw_read("big", self.size_bytes, in_flight).await?;
            if raw.took.is_zero() || measured.took < raw.took {
                raw = measured;
            }
        }
        let (null, ours) = self.both("dd if=$M/big of=/dev/null bs=1M")?;
        self.sequential("sequential read", raw, null, ours);
        Ok(())
    }

    async fn sequential_write(&self) -> io::Result<()> {
        let mut raw = Measured::default();
        for in_flight in [1, 2, 4] {
            let took = self.rig.raw_write("raw", self.size_bytes, in_flight).await?;
            if raw.took.is_zero() || took < raw.took {
                raw.took = took;
            }
        }
        let dd = format!("dd if=/dev/zero of=$M/written bs=1M count={}", self.size_bytes / MIB);
        let (null, ours) = self.both(&dd)?;
        self.sequential("sequential write until stored", raw, null, ours);
        Ok(())
    }

    /// Of the file system that does nothing and of ours the best of three, each in a new mount: the raw client has
    /// three tries, too.
    fn both(&self, script: &str) -> io::Result<(Measured, Measured)> {
        let (mut null, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            null.push(self.rig.null_mount(self.size_bytes)?.measure(script)?);
            ours.push(self.rig.mount(self.rig.address)?.measure(script)?);
        }
        let best = |runs: Vec<Measured>| runs.into_iter().min_by_key(|run| run.took).unwrap_or_default();
        Ok((best(null), best(ours)))
    }

    fn sequential(&self, what: &str, raw: Measured, null: Measured, ours: Measured) {
        let rate = |measured: &Measured| measured.megabytes_per_second(self.size_bytes);
        let ratio = rate(&ours) / rate(&raw).min(rate(&null));
        println!(
            "{what}: {:.0} MB/s = {:.0} % of the smaller of raw client {:.0} and null file system {:.0}; \
             {:.2} CPU s/GiB, peak RSS {} MiB, {} requests",
            rate(&ours),
            ratio * 100.0,
            rate(&raw),
            rate(&null),
            ours.cpu_seconds_per_gib(self.size_bytes),
            ours.peak_bytes / MIB,
            ours.requests,
        );
    }

    async fn four_readers(&self) -> io::Result<()> {
        let each = self.size_bytes / 4;
        for number in 0..4 {
            self.rig.raw_write(&format!("quarter{number}"), each, 2).await?;
        }
        let script = "for i in 0 1 2 3; do dd if=$M/quarter$i of=/dev/null bs=1M & pids=\"$pids $!\"; done; \
                      for pid in $pids; do wait $pid || exit 1; done";
        let ours = self.rig.mount(self.rig.address)?.measure(script)?;
        println!(
            "four readers at once: {:.0} MB/s in all; {:.2} CPU s/GiB, peak RSS {} MiB, {} requests",
            ours.megabytes_per_second(self.size_bytes),
            ours.cpu_seconds_per_gib(self.size_bytes),
            ours.peak_bytes / MIB,
            ours.requests,
        );
        Ok(())
    }

    /// `ls -l` of 20,000 files in one directory, and `find` over as many in 200; both at 30 ms.
    async fn listings(&self) -> io::Result<()> {
        let flat = (0..20_000).map(|number| format!("flat/file{number:05}")).collect();
        let deep = (0..20_000).map(|number| format!("deep/dir{:03}/file{number:05}", number % 200)).collect();
        self.rig.fill(flat, 100).await?;
        self.rig.fill(deep, 100).await?;
        let proxy = proxy::Proxy::start(self.rig.address, Duration::from_millis(30)).await?;
        for (what, script) in [
            ("ls -l of 20,000 files at 30 ms", "test $(ls -l $M/flat | wc -l) = 20001"),
            (
                "find -size over 20,000 files in 200 directories at 30 ms",
                "test $(find $M/deep -size +0 | wc -l) = 20000",
            ),
        ] {
            let ours = tokio::task::block_in_place(|| self.rig.mount(proxy.address)?.measure(script))?;
            println!(
                "{what}: {:.2} s, {} requests, {:.2} CPU s, peak RSS {} MiB",
                ours.took.as_secs_f64(),
                ours.requests,
                ours.cpu.as_secs_f64(),
                ours.peak_bytes / MIB,
            );
        }
        Ok(())
    }

    async fn tar_of_small_files(&self) -> io::Result<()> {
        let count = 2_000;
        self.rig.fill((0..count).map(|number| format!("small/file{number:04}")).collect(), 16 << 10).await?;
        let proxy = proxy::Proxy::start(self.rig.address, Duration::from_millis(30)).await?;
        let ours = tokio::task::block_in_place(|| {
            self.rig.mount(proxy.address)?.measure("tar -cf - -C $M small | wc -c >/dev/null")
        })?;
        println!(
            "tar of {count} files of 16 KiB at 30 ms: {:.1} files/s, {:.2} requests a file, {:.2} CPU s",
            f64::from(count) / ours.took.as_secs_f64(),
            ours.requests as f64 / f64::from(count),
            ours.cpu.as_secs_f64(),
        );
        Ok(())
    }
}
