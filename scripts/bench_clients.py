"""What scripts/bench-clients calls: see there."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOLDFS = Path("target/release/holdfs").resolve()
BENCH = Path("target/release/examples/bench").resolve()
GIB = 1 << 30
ROUNDS = 3
IN_FLIGHT = 64


class Store:
    """A server in a process of its own whose data lies in memory, and the environment of its clients."""

    def __init__(self, name, work):
        self.name, self.work = name, work
        keys = {"AWS_ACCESS_KEY_ID": "testaccesskey", "AWS_SECRET_ACCESS_KEY": "testsecretkey"}
        if name == "embedded":
            self.server = subprocess.Popen(
                [HOLDFS, "serve", "--memory", "--listen", "127.0.0.1:0"],
                env=os.environ | keys, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            lines = iter(self.server.stdout.readline, "")
            self.endpoint = next(line for line in lines if "AWS_ENDPOINT_URL=" in line).split("=", 1)[1].strip()
        else:
            self.server = None
            subprocess.run(["scripts/servers/minio", "start", work / "minio"], check=True, stdout=subprocess.DEVNULL,
                           env=os.environ | {"MINIO_MEMORY": "1", "MINIO_PORT": "7473"})
            self.endpoint = "http://127.0.0.1:7473"
        here = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HOLDFS_"))}
        self.environment = here | keys | {
            "NO_PROXY": "127.0.0.1", "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_CONFIG_FILE": str(work / "aws.config"), "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_S_TYPE": "s3", "RCLONE_CONFIG_S_PROVIDER": "Minio", "RCLONE_CONFIG_S_ENV_AUTH": "true",
            "RCLONE_CONFIG_S_ENDPOINT": self.endpoint, "RCLONE_CONFIG_S_REGION": "us-east-1",
        }
        (work / "aws.config").write_text(f"[default]\ns3 =\n  max_concurrent_requests = {IN_FLIGHT}\n")
        self.run([HOLDFS, "bucket", "create", "bench"])

    def stop(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
        else:
            subprocess.run(["scripts/servers/minio", "stop", self.work / "minio"], check=True)

    def run(self, command):
        """Seconds by the clock, and CPU seconds of the process."""
        start = time.monotonic()
        process = subprocess.Popen([str(word) for word in command], env=self.environment, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, text=True)
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(map(str, command[:6]))} …: exit status {process.returncode}\n{said[-2000:]}")
        return time.monotonic() - start, usage.ru_utime + usage.ru_stime


def best_of(store, what, unit, amount, contestants, check):
    """Runs all by turns, so that none has the warmest machine; prints each one's best."""
    best = {}
    for _ in range(ROUNDS):
        for name, prepare, command in contestants:
            prepare()
            figures = store.run(command)
            check(name)
            best[name] = min(best.get(name, figures), figures)
    ours = best["holdfs"]
    others = [figures for name, figures in best.items() if name != "holdfs"]
    fastest, leanest = min(took for took, _ in others), min(cpu for _, cpu in others)
    print(f"\n{what} ({store.name}), best of {ROUNDS}: {ours[0] / fastest:.2f} times the fastest other's time, "
          f"{ours[1] / leanest:.2f} times the leanest other's CPU\n")
    for name, (took, cpu) in sorted(best.items(), key=lambda item: item[1]):
        print(f"| {name:<10} | {took:7.2f} s | {amount / took:9.0f} {unit}/s | {cpu:6.2f} CPU s |", flush=True)


def nothing():
    pass


def ranges(bytes_in_all, count=8):
    step = bytes_in_all // count
    return [(n * step, (bytes_in_all if n == count - 1 else (n + 1) * step) - 1) for n in range(count)]


def curl_config(path, entries):
    """One file of options for `curl --parallel`: signed by curl, each transfer on its own."""
    signed = 'aws-sigv4 = "aws:amz:us-east-1:s3"\nuser = "testaccesskey:testsecretkey"\n'
    signed += 'header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"\nfail\nsilent\nshow-error\n'
    path.write_text("next\n".join(signed + entry for entry in entries))
    return ["curl", "--parallel", "--parallel-immediate", "--parallel-max", IN_FLIGHT, "--config", path]


def one_large_object(store, size, only):
    folder = store.work / "large"
    folder.mkdir()
    source, target = folder / "source", folder / "target"
    piece = os.urandom(16 << 20)
    with open(source, "wb") as file:
        for _ in range(size // len(piece)):
            file.write(piece)
    if "up" in only:
        def check_and_remove(name):
            has_size(store, name, size)
            store.run([HOLDFS, "object", "rm", f"bench/{name}"])

        up = [
            ("holdfs", nothing, [HOLDFS, "object", "put", source, "bench/holdfs"]),
            ("rclone", nothing, ["rclone", "copyto", "--ignore-times", "--s3-upload-concurrency", 8, source, "s:bench/rclone"]),
            ("aws", nothing, ["aws", "s3", "cp", "--no-progress", source, "s3://bench/aws"]),
        ]
        best_of(store, f"upload of {size // GIB} GiB", "MB", size / 1e6, up, check_and_remove)
    if "down" in only:
        store.run([HOLDFS, "object", "put", source, "bench/holdfs"])
        pieces = [f'url = "{store.endpoint}/bench/holdfs"\nrange = "{first}-{last}"\noutput = "{target}.{n}"\n'
                  for n, (first, last) in enumerate(ranges(size))]
        curl = curl_config(folder / "curl", pieces)

        def clear():
            for file in folder.glob("target*"):
                file.unlink()

        def check(name):
            got = sum(file.stat().st_size for file in folder.glob("target*"))
            assert got == size, f"{name}: {got} bytes"

        down = [
            ("holdfs", clear, [HOLDFS, "object", "get", "bench/holdfs", target]),
            ("rclone", clear, ["rclone", "copyto", "--multi-thread-streams", 8, "s:bench/holdfs", target]),
            ("aws", clear, ["aws", "s3", "cp", "--no-progress", "s3://bench/holdfs", target]),
            ("curl", clear, curl),
        ]
        best_of(store, f"download of {size // GIB} GiB", "MB", size / 1e6, down, check)
        store.run([HOLDFS, "object", "get", "bench/holdfs", target])
        subprocess.run(["cmp", source, target], check=True)
        store.run([HOLDFS, "object", "rm", "bench/holdfs"])
    shutil.rmtree(folder)


def has_size(store, key, size):
    said = subprocess.run([HOLDFS, "object", "stat", f"bench/{key}"], env=store.environment,
                          stdout=subprocess.PIPE, check=True, text=True).stdout
    assert str(size) in said, said


def many_small_objects(store, count, only):
    folder = store.work / "small"
    source, target = folder / "source", folder / "target"
    source.mkdir(parents=True)
    names = [f"f{number:05}" for number in range(count)]
    for name in names:
        (source / name).write_bytes(os.urandom(4096))
    jobs = IN_FLIGHT
    if "puts" in only:
        entries = [f'url = "{store.endpoint}/bench/curl/{name}"\nupload-file = "{source / name}"\n' for name in names]
        puts = [
            ("holdfs", nothing, [HOLDFS, "object", "put", "--recursive", "--jobs", jobs, source, "bench/holdfs/"]),
            ("rclone", nothing, ["rclone", "copy", "--transfers", jobs, "--checkers", jobs, "--s3-no-check-bucket", "--ignore-times",
                                 source, "s:bench/rclone"]),
            ("aws", nothing, ["aws", "s3", "cp", "--recursive", "--only-show-errors", source, "s3://bench/aws/"]),
            ("curl", nothing, curl_config(folder / "puts", entries)),
        ]

        def check(name):
            said = subprocess.run([HOLDFS, "object", "ls", "--recursive", f"bench/{name}/"], env=store.environment,
                                  stdout=subprocess.PIPE, check=True, text=True).stdout
            assert said.count("\n") == count, f"{name}: {said.count(chr(10))} objects"

        best_of(store, f"{count} PUTs of 4 KiB, {jobs} in flight", "objects", count, puts, check)
    else:
        store.run([HOLDFS, "object", "put", "--recursive", source, "bench/holdfs/"])
    if "gets" in only:
        entries = [f'url = "{store.endpoint}/bench/holdfs/{name}"\noutput = "{target / name}"\n' for name in names]

        def clear():
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()

        def check(name):
            files = [file for file in target.rglob("*") if file.is_file()]
            assert len(files) == count and all(file.stat().st_size == 4096 for file in files), f"{name}: {len(files)}"

        gets = [
            ("holdfs", clear, [HOLDFS, "object", "get", "--recursive", "--jobs", jobs, "bench/holdfs/", target]),
            ("rclone", clear, ["rclone", "copy", "--transfers", jobs, "--checkers", jobs, "s:bench/holdfs", target]),
            ("aws", clear, ["aws", "s3", "cp", "--recursive", "--only-show-errors", "s3://bench/holdfs/", target]),
            ("curl", clear, curl_config(folder / "gets", entries)),
        ]
        best_of(store, f"{count} GETs of 4 KiB, {jobs} in flight", "objects", count, gets, check)
    shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=["embedded", "minio"], action="append")
    parser.add_argument("--size-mib", type=int, default=4096)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--only", choices=["up", "down", "puts", "gets", "keys"], action="append")
    options = parser.parse_args()
    only = options.only or ["up", "down", "puts", "gets", "keys"]
    for name in options.store or ["embedded", "minio"]:
        work = Path(tempfile.mkdtemp(prefix="holdfs-clients-", dir="/dev/shm"))
        store = Store(name, work)
        try:
            if {"up", "down"} & set(only):
                one_large_object(store, options.size_mib << 20, only)
            if {"puts", "gets"} & set(only):
                many_small_objects(store, options.files, only)
        finally:
            store.stop()
            shutil.rmtree(work)
    if "keys" in only:
        subprocess.run([BENCH, "keys"], check=True)


main()
