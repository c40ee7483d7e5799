"""The same random sequences, carried out on the embedded server by boto3, by rclone and by s3cmd, each on a bucket of its
own, end in equal listings and bytes: as was meant, as each tool lists and reads its bucket itself, and as `rclone check
--download` compares them. Called by scripts/drivers with how many sequences and the first seed.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.client import Config

MIB = 1 << 20
WORK = Path(os.environ["WORK"])
KEYS = ["a", "a/b", "a-", "dir/x y", "plus+plus", "per%25cent", "%", "amp&<>\"'", "é/😀", "e\u0301", "x?y#z", "~tilde", "*", "[x]{y}",
        "(par)*!", "back\\slash", "a=b&c", "semi;colon:,", " lead", "trail ", "-dash", "$HOME", "`tick`", "..x", "|pipe^", "\uff0e",
        "ümlaut/ключ", "k" * 900, "long/" + "k" * 200]
# rclone says control characters by their pictures. It takes paths apart at slashes and passes over empty, `.` and `..`
# segments, and what ends in a slash is a directory to it. s3cmd names no key with a line feed and none that ends in a
# slash, takes `*` and `?` for patterns, and its parser does not take a listing with most control characters, as XML has
# none of them; for the same reason none of the three uploads such a key in parts, where replies name it.
CONTROLS = ["tab\t", "cr\r", "new\nline", "\x01ctl", "\x7fdel"]
SEGMENTS = ["dir/", "a//b", "/lead", "./dot", "up/../over", "a/."]


def parts_of(key):
    """From how many MiB on it is uploaded in parts."""
    return 5 if all(character >= " " or character in "\t\n\r" for character in key) else 100


class Boto:
    name = "boto3"

    def __init__(self):
        self.s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))

    @staticmethod
    def parts(key):
        return TransferConfig(multipart_threshold=parts_of(key) * MIB, multipart_chunksize=5 * MIB)

    def says(self, key):
        return True

    lists = says

    def put(self, bucket, key, path):
        self.s3.upload_file(str(path), bucket, key, Config=self.parts(key))

    def copy(self, bucket, source, key):
        self.s3.copy({"Bucket": bucket, "Key": source}, bucket, key, Config=self.parts(key))

    def move(self, bucket, source, key):
        self.copy(bucket, source, key)
        self.delete(bucket, source)

    def delete(self, bucket, key):
        self.s3.delete_object(Bucket=bucket, Key=key)

    def get(self, bucket, key):
        return self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()

    def listed(self, bucket):
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3})
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}


def run(*command):
    done = subprocess.run(command, capture_output=True, timeout=120)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-600:]}")
    return done.stdout


class Rclone:
    name = "rclone"

    def run(self, *arguments):
        return run("rclone", "--retries", "1", "--low-level-retries", "1", *arguments)

    def says(self, key):
        return all(segment not in ("", ".", "..") for segment in key.split("/"))

    lists = says

    @staticmethod
    def at(bucket, key):
        pictures = {code: chr(0x2400 + code) for code in range(1, 32)} | {127: "\u2421"}
        return f"h:{bucket}/{key.translate(pictures)}"

    def put(self, bucket, key, path):
        # It passes over what has the same size and time.
        self.run("copyto", "--ignore-times", f"--s3-upload-cutoff={parts_of(key)}M", str(path), self.at(bucket, key))

    def copy(self, bucket, source, key):
        self.run("copyto", "--ignore-times", self.at(bucket, source), self.at(bucket, key))

    def move(self, bucket, source, key):
        self.run("moveto", "--ignore-times", self.at(bucket, source), self.at(bucket, key))

    def delete(self, bucket, key):
        self.run("deletefile", self.at(bucket, key))

    def get(self, bucket, key):
        return self.run("cat", self.at(bucket, key))

    def listed(self, bucket):
        entries = json.loads(self.run("lsjson", "-R", "--files-only", f"h:{bucket}"))
        characters = {0x2400 + code: chr(code) for code in range(1, 32)} | {0x2421: "\x7f"}
        return {entry["Path"].translate(characters): entry["Size"] for entry in entries}

    def same(self, one, other):
        self.run("check", "--download", f"h:{one}", f"h:{other}")


class S3cmd:
    name = "s3cmd"

    def run(self, *arguments):
        return run("s3cmd", "-c", str(WORK / "s3cfg"), "--no-progress", *arguments)

    def says(self, key):
        return not key.endswith("/") and not any(character in key for character in "\n*?")

    def lists(self, key):
        return all(character >= " " for character in key)

    def put(self, bucket, key, path):
        self.run("put", f"--multipart-chunk-size-mb={parts_of(key)}", str(path), f"s3://{bucket}/{key}")

    def copy(self, bucket, source, key):
        self.run("cp", f"s3://{bucket}/{source}", f"s3://{bucket}/{key}")

    def move(self, bucket, source, key):
        self.run("mv", f"s3://{bucket}/{source}", f"s3://{bucket}/{key}")

    def delete(self, bucket, key):
        self.run("del", f"s3://{bucket}/{key}")

    def get(self, bucket, key):
        with tempfile.TemporaryDirectory(dir=WORK) as there:
            self.run("get", f"s3://{bucket}/{key}", there + "/got")
            return Path(there, "got").read_bytes()

    def listed(self, bucket):
        lines = self.run("ls", "--recursive", f"s3://{bucket}/").decode().split("\n")[:-1]
        parted = [line.split(f"s3://{bucket}/", 1) for line in lines]
        return {key: int(facts.split()[2]) for facts, key in parted}


def sequence(seed):
    """Steps, and what the bucket holds after them: key → number of the file."""
    rng = random.Random(seed)
    keys = rng.sample(KEYS, 6) + rng.sample(CONTROLS, rng.randrange(2)) + rng.sample(SEGMENTS, rng.randrange(2))
    steps, holds, files = [], {}, []
    for _ in range(rng.randrange(8, 17)):
        key, roll = rng.choice(keys), rng.random()
        others = [other for other in holds if other != key]
        if roll < .5 or not others:
            size = rng.choice([0, 1, rng.randrange(3000), rng.randrange(3000), rng.randrange(4 * MIB, 13 * MIB)])
            steps.append(("put", key, len(files)))
            holds[key] = len(files)
            files.append(rng.randbytes(64) * (size // 64) + rng.randbytes(size % 64))
        elif roll < .65:
            steps.append(("copy", source := rng.choice(others), key))
            holds[key] = holds[source]
        elif roll < .75:
            steps.append(("move", source := rng.choice(others), key))
            holds[key] = holds.pop(source)
        elif roll < .85:
            steps.append(("delete", gone := rng.choice(others)))
            del holds[gone]
        else:
            steps.append(("list", dict(holds)))
    return steps, holds, files


def carry_out(tool, boto, bucket, steps, holds, files, paths):
    """A step on a key that the tool cannot say is boto3's."""
    def check_listing(expected):
        if all(map(tool.lists, expected)):
            assert tool.listed(bucket) == {key: len(files[number]) for key, number in expected.items()}, tool.listed(bucket)

    boto.s3.create_bucket(Bucket=bucket)
    for step in steps:
        try:
            if step[0] == "list":
                check_listing(step[1])
                continue
            by = tool if all(tool.says(key) for key in step[1:] if isinstance(key, str)) else boto
            getattr(by, step[0])(bucket, *(paths[value] if isinstance(value, int) else value for value in step[1:]))
        except Exception as error:
            raise AssertionError(f"{tool.name}: {step}: {error}") from error
    check_listing(holds)
    for key, number in holds.items():
        for reader in {tool if tool.says(key) else boto, boto}:
            assert reader.get(bucket, key) == files[number], f"{tool.name}: {reader.name} reads something else at {key!r}"


def attempt(tools, seed):
    boto, rclone, _ = tools
    steps, holds, files = sequence(seed)
    buckets = [f"random-{seed}-{tool.name}" for tool in tools]
    with tempfile.TemporaryDirectory(dir=WORK) as there:
        paths = [Path(there, str(number)) for number in range(len(files))]
        for path, data in zip(paths, files):
            path.write_bytes(data)
        with ThreadPoolExecutor(len(tools)) as pool:
            runs = [pool.submit(carry_out, tool, boto, bucket, steps, holds, files, paths) for tool, bucket in zip(tools, buckets)]
            for done in runs:
                done.result()
    sizes = {key: len(files[number]) for key, number in holds.items()}
    for bucket in buckets:
        assert boto.listed(bucket) == sizes, f"{bucket} holds {boto.listed(bucket)}, not {sizes}"
    if all(map(rclone.lists, holds)):
        rclone.same(buckets[0], buckets[1])
        rclone.same(buckets[0], buckets[2])
    for bucket in buckets:
        for key in holds:
            boto.delete(bucket, key)
        boto.s3.delete_bucket(Bucket=bucket)
    return len(steps), len(holds)


def main():
    count, first = int(sys.argv[1]), int(sys.argv[2])
    tools, began, steps, objects = (Boto(), Rclone(), S3cmd()), time.monotonic(), 0, 0
    for seed in range(first, first + count):
        try:
            done, left = attempt(tools, seed)
        except AssertionError as error:
            sys.exit(f"seed {seed}: {error}")
        steps, objects = steps + done, objects + left
    print(f"  {count} sequences from seed {first}: {steps} steps by each of {len(tools)} tools, {objects} objects compared, "
          f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
