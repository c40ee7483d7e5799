//! `holdfs demo`: an S3 server, a bucket with object lock, a mount, and a tour of it.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::base::secret::Secret;
use crate::embedded::{self, Server};
use crate::mount::{self, Detach, Device, table};
use crate::s3::ops::CreateBucket;
use crate::s3::{self, Client, Credentials, Provider};

use super::{Failure, Outcome, runtime, terminal};

/// Takes you on a guided tour of a bucket of its own.
///
/// Starts an S3 server in memory, makes a bucket with object lock, mounts it and shows what it can do. Then it stays until
/// Ctrl-C, for you to try things. Leaves nothing behind.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Where to mount: a directory that exists [default: a temporary one]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Leave after the tour
    #[arg(long)]
    once: bool,
}

const BUCKET: &str = "tour";
/// The mount's first look at a server on this machine takes milliseconds.
const MOUNT_MAX: Duration = Duration::from_secs(15);
const UNMOUNT_MAX: Duration = Duration::from_secs(20);

impl Args {
    pub fn run(self) -> Outcome {
        let place = Place::new(self.directory.as_deref())?;
        mount::check_device(&Device::default())?;
        require_attr()?;
        let runtime = runtime::build()?;
        let server = start_server(&runtime)?;
        let served = self.show(&place, &runtime, &server);
        runtime.block_on(server.stop());
        served
    }

    fn show(&self, place: &Place, runtime: &Runtime, server: &Server) -> Outcome {
        runtime.block_on(make_bucket(server))?;
        terminal::data(format_args!(
            "An S3 server runs at {}, with a bucket called {BUCKET} that has object lock.",
            server.endpoint()
        ))?;
        let mut mount = Mount::start(place, server)?;
        terminal::data(format_args!(
            "The bucket is mounted on {}. A short tour:\n",
            place.directory.display()
        ))?;
        tour(place)?;
        if !self.once {
            instructions(place, server)?;
            runtime.block_on(mount.until_interrupted())?;
        }
        mount.end()
    }
}

/// Everything that the demo writes: the mount point may be the user's, the rest is temporary.
struct Place {
    directory: PathBuf,
    home: PathBuf,
}

impl Place {
    fn new(directory: Option<&Path>) -> Outcome<Self> {
        let home = std::env::temp_dir().join(format!(
            "holdfs-demo-{}-{:08x}",
            std::process::id(),
            fastrand::u32(..)
        ));
        let made = std::fs::create_dir(&home).and_then(|()| home.canonicalize());
        let home =
            made.map_err(|error| Failure::environment(format!("Cannot make {}: {error}.", home.display())))?;
        let mut place = Self { directory: home.join("mnt"), home };
        match directory {
            Some(given) => {
                place.directory = mount::check_mount_point(given, &mut |note| terminal::note(note))?
            }
            None => std::fs::create_dir(&place.directory)?,
        }
        Ok(place)
    }
}

impl Drop for Place {
    /// Never through a mount that would not go away: its files are not ours to remove.
    fn drop(&mut self) {
        if table::at(&self.directory).is_ok_and(|mount| mount.is_none()) {
            let _ = std::fs::remove_dir_all(&self.home);
        }
    }
}

fn require_attr() -> Outcome {
    let path = std::env::var_os("PATH").unwrap_or_default();
    match std::env::split_paths(&path).any(|directory| directory.join("setfattr").is_file()) {
        true => Ok(()),
        false => Err(Failure::environment(
            "The tour needs setfattr and getfattr. Install them (apt install attr, dnf install attr), then try again.",
        )),
    }
}

fn start_server(runtime: &Runtime) -> Outcome<Server> {
    runtime
        .block_on(Server::start(embedded::Options::default()))
        .map_err(|error| Failure::environment(format!("The S3 server does not start: {error}.")))
}

async fn make_bucket(server: &Server) -> Outcome {
    let pair = server.key_pair();
    let credentials = Credentials::new(&pair.access_key, Secret::new(pair.secret_key.expose()));
    let config =
        s3::Config { endpoint: Some(server.endpoint()), ..s3::Config::new(Provider::fixed(credentials)) };
    let create = CreateBucket { bucket: BUCKET.into(), object_lock: true, ..CreateBucket::default() };
    Client::new(config)?.send(&create).await?;
    Ok(())
}

/// A mount that a child process serves, so that this one can look at it.
struct Mount<'a> {
    place: &'a Place,
    child: Child,
}

impl<'a> Mount<'a> {
    fn start(place: &'a Place, server: &Server) -> Outcome<Self> {
        let log = std::fs::File::create(place.home.join("log"))?;
        let pair = server.key_pair();
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"AWS_") || name.as_encoded_bytes().starts_with(b"HOLDFS_")
            {
                command.env_remove(name);
            }
        }
        command
            .args(["mount", "--foreground", BUCKET])
            .arg(&place.directory)
            .arg("--state")
            .arg(place.home.join("state"))
            .env("AWS_ENDPOINT_URL", server.endpoint())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", &pair.access_key)
            .env("AWS_SECRET_ACCESS_KEY", pair.secret_key.expose())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            // Ctrl-C is for this process, which then ends the mount in its own time.
            .process_group(0);
        let mut mount = Self { place, child: command.spawn()? };
        mount.wait_until_mounted()?;
        Ok(mount)
    }

    fn wait_until_mounted(&mut self) -> Outcome {
        let start = Instant::now();
        while !self.is_mounted()? {
            if self.child.try_wait()?.is_some() || start.elapsed() > MOUNT_MAX {
                let log = std::fs::read_to_string(self.place.home.join("log")).unwrap_or_default();
                return Err(Failure::environment(format!(
                    "The mount did not come about.\n{}",
                    log.trim_end()
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn is_mounted(&self) -> io::Result<bool> {
        Ok(table::at(&self.place.directory)?.is_some_and(|mount| mount.is_ours()))
    }

    async fn until_interrupted(&mut self) -> Outcome {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        loop {
            tokio::select! {
                interrupted = tokio::signal::ctrl_c() => return Ok(interrupted?),
                _ = terminate.recv() => return Ok(()),
                // Somebody may unmount it.
                _ = tick.tick() => if self.child.try_wait()?.is_some() { return Ok(()) },
            }
        }
    }

    fn end(mut self) -> Outcome {
        terminal::note("Unmounting.");
        self.terminate();
        let start = Instant::now();
        while self.child.try_wait()?.is_none() {
            if start.elapsed() > UNMOUNT_MAX {
                return Err(Failure::refused("The mount does not end; it is ended by force."));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn terminate(&self) {
        if let Ok(pid) = libc::pid_t::try_from(self.child.id()) {
            // SAFETY: takes plain numbers; the child has not been waited for, so its id is its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }
}

/// Also when the tour fails half-way: neither a mount nor a process stays.
impl Drop for Mount<'_> {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if self.is_mounted().unwrap_or(false) {
            let _ = mount::unmount(&self.place.directory, Detach::Lazily);
        }
    }
}

/// What a command of the tour is expected to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Success,
    Refusal,
}

const TOUR: [(&str, &str, Expect); 10] = [
    ("A copied file is an object at the store when cp returns.", "cp {home}/contract.txt .", Expect::Success),
    ("", "ls -l", Expect::Success),
    ("", "cat contract.txt", Expect::Success),
    (
        "Object tags are extended attributes,",
        "setfattr -n user.s3.tag.project -v apollo contract.txt",
        Expect::Success,
    ),
    ("and so is a legal hold.", "setfattr -n user.s3.legal-hold -v ON contract.txt", Expect::Success),
    ("", "getfattr -d -m 'user.s3' contract.txt", Expect::Success),
    ("What is locked stays, even for root.", "rm -f contract.txt", Expect::Refusal),
    ("Without the hold it may go.", "setfattr -n user.s3.legal-hold -v OFF contract.txt", Expect::Success),
    ("", "rm contract.txt", Expect::Success),
    ("", "ls -l", Expect::Success),
];

fn tour(place: &Place) -> Outcome {
    std::fs::write(place.home.join("contract.txt"), "The parties agree to keep this file for a while.\n")?;
    TOUR.iter().try_for_each(|&(words, command, expect)| {
        if !words.is_empty() {
            terminal::data(format_args!("# {words}"))?;
        }
        let command = command.replace("{home}", &place.home.to_string_lossy());
        terminal::data(format_args!("$ {command}"))?;
        step(place, &command, expect)
    })
}

fn step(place: &Place, command: &str, expect: Expect) -> Outcome {
    let output = Command::new("sh")
        .arg("-c")
        .arg(command)
        .current_dir(&place.directory)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()?;
    terminal::bytes(&[output.stdout.as_slice(), &output.stderr].concat())?;
    match (output.status.success(), expect) {
        (true, Expect::Success) | (false, Expect::Refusal) => terminal::data(""),
        (false, Expect::Success) => Err(Failure::refused(format!("{command} failed, which it should not."))),
        (true, Expect::Refusal) => {
            Err(Failure::refused(format!("{command} went through, which it should not.")))
        }
    }
}

fn instructions(place: &Place, server: &Server) -> Outcome {
    let pair = server.key_pair();
    terminal::data(format_args!(
        "Now it is yours, until Ctrl-C. In another terminal:\n\
         \n  cd {directory}\n  holdfs status {directory}\n\
         \nThe same bucket for any S3 client (these keys are of this demo alone):\n\
         \n  export AWS_ENDPOINT_URL={endpoint}\n  export AWS_ACCESS_KEY_ID={access}\n  \
         export AWS_SECRET_ACCESS_KEY={secret}\n  holdfs object ls {BUCKET}\n",
        directory = place.directory.display(),
        endpoint = server.endpoint(),
        access = pair.access_key,
        secret = pair.secret_key.expose(),
    ))
}
