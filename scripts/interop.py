"""What the mount wrote as boto3 sees it, and what boto3 wrote as the mount shows it. Called by scripts/interop."""

import os
import subprocess
import sys
import uuid
from datetime import datetime, timedelta, timezone

import boto3
from botocore.config import Config

work, holdfs = os.environ["WORK"], os.environ["HOLDFS"]
mount = os.path.join(work, "mnt")
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["AWS_ENDPOINT_URL"],
    config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
)
bucket = "interop-" + uuid.uuid4().hex[:12]
passed, failed = 0, 0


def check(what, seen, wanted):
    global passed, failed
    if seen == wanted:
        passed += 1
    else:
        failed += 1
        print(f"FAILED {what}: {seen!r} instead of {wanted!r}", file=sys.stderr)


def path(name):
    return os.path.join(mount, name)


def write(name, data):
    with open(path(name), "wb") as file:
        file.write(data)


def read(name):
    with open(path(name), "rb") as file:
        return file.read()


def get(key):
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def attribute(name, attribute_name):
    return os.getxattr(path(name), attribute_name).decode()


def the_mount_writes():
    write("plain.txt", b"plain")
    check("bytes", get("plain.txt"), b"plain")
    check("content type", s3.head_object(Bucket=bucket, Key="plain.txt")["ContentType"], "text/plain")
    big = os.urandom(40 << 20)
    write("big", big)
    check("a large file", get("big") == big, True)
    os.setxattr(path("plain.txt"), "user.s3.tags", b"a=1&b=two%20words")
    tags = s3.get_object_tagging(Bucket=bucket, Key="plain.txt")["TagSet"]
    check("tags", {tag["Key"]: tag["Value"] for tag in tags}, {"a": "1", "b": "two words"})
    os.setxattr(path("plain.txt"), "user.colour", b"red")
    check("metadata", s3.head_object(Bucket=bucket, Key="plain.txt")["Metadata"].get("colour"), "red")
    tags = s3.get_object_tagging(Bucket=bucket, Key="plain.txt")["TagSet"]
    check("tags after metadata", len(tags), 2)


def locks():
    os.setxattr(path("plain.txt"), "user.s3.legal-hold", b"ON")
    hold = lambda: s3.get_object_legal_hold(Bucket=bucket, Key="plain.txt")["LegalHold"]["Status"]
    check("hold", hold(), "ON")
    refused = False
    try:
        os.unlink(path("plain.txt"))
    except PermissionError:
        refused = True
    check("a held file stays", (refused, get("plain.txt")), (True, b"plain"))
    os.setxattr(path("plain.txt"), "user.s3.legal-hold", b"OFF")
    check("hold off", hold(), "OFF")
    until = (datetime.now(timezone.utc) + timedelta(days=1)).replace(microsecond=0)
    s3.put_object(Bucket=bucket, Key="kept", Body=b"k", ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=until,
                  ChecksumAlgorithm="CRC32")
    check("retention", attribute("kept", "user.s3.retention"), until.strftime("GOVERNANCE %Y-%m-%dT%H:%M:%SZ"))


def versions():
    write("edited", b"one")
    write("edited", b"two")
    listed = s3.list_object_versions(Bucket=bucket, Prefix="edited")["Versions"]
    check("versions", [get_version(entry["VersionId"]) for entry in listed], [b"two", b"one"])
    check("version id", attribute("edited", "user.s3.version-id"), listed[0]["VersionId"])


def get_version(version):
    return s3.get_object(Bucket=bucket, Key="edited", VersionId=version)["Body"].read()


def boto3_writes():
    s3.put_object(Bucket=bucket, Key="foreign", Body=b"f", Metadata={"shape": "round"}, Tagging="t=v",
                  ContentType="image/png")
    check("foreign bytes", read("foreign"), b"f")
    check("foreign tag", attribute("foreign", "user.s3.tag.t"), "v")
    check("foreign metadata", attribute("foreign", "user.shape"), "round")
    check("foreign content type", attribute("foreign", "user.s3.content-type"), "image/png")
    for key in ["odd/sp ace", "odd/plus+plus", "odd/per%25cent", "odd/amp&amp;", "odd/new\nline", "odd/émoji😀", "odd/-a"]:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
        check(f"odd key {key!r}", read(key), key.encode())
    shown = sorted(os.listdir(path("odd")))
    check("odd names", shown, sorted(["sp ace", "plus+plus", "per%25cent", "amp&amp;", "new\nline", "émoji😀", "-a"]))


s3.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
subprocess.run([holdfs, "mount", bucket, mount, "--state", os.path.join(work, "state")], check=True, timeout=30)
for part in (the_mount_writes, locks, versions, boto3_writes):
    part()
print(f"{passed} passed, {failed} failed")
sys.exit(1 if failed else 0)
