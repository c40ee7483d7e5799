"""boto3 drives the embedded server; `scripts/drivers` starts both."""

import gzip
import hashlib
import io
import os
import time
import urllib.error
import urllib.request
import uuid

import boto3
import botocore
from boto3.s3.transfer import TransferConfig
from botocore.client import Config
from botocore.exceptions import ClientError

s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))
BUCKET = "boto3"


def say(what):
    print(f"  {what}")


def code(call, **arguments):
    """The error code of a call, or OK."""
    try:
        call(**arguments)
        return "OK"
    except ClientError as error:
        return error.response["Error"]["Code"]


def body(key, **arguments):
    return s3.get_object(Bucket=BUCKET, Key=key, **arguments)["Body"].read()


def put(key, data=b"text", **arguments):
    return s3.put_object(Bucket=BUCKET, Key=key, Body=data, **arguments)


def keys(**arguments):
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, **arguments)
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def eventually(what, holds):
    for _ in range(100):
        if holds():
            return
        time.sleep(0.2)
    raise AssertionError(what)


def objects():
    say("objects, ranges, conditions")
    s3.create_bucket(Bucket=BUCKET)
    for key in ["plain", "with space", "ключ/ü", "a+b%2F#?&", "x//y", "dir/"]:
        put(key, key.encode())
        assert body(key) == key.encode(), key
    assert body("plain", Range="bytes=1-3") == b"lai"
    etag = s3.head_object(Bucket=BUCKET, Key="plain")["ETag"]
    assert code(s3.put_object, Bucket=BUCKET, Key="plain", Body=b"", IfNoneMatch="*") == "PreconditionFailed"
    assert code(s3.put_object, Bucket=BUCKET, Key="plain", Body=b"plain", IfMatch=etag) == "OK"
    assert code(s3.get_object, Bucket=BUCKET, Key="plain", IfMatch='"other"') == "PreconditionFailed"
    assert code(s3.head_object, Bucket=BUCKET, Key="none") == "404"
    put("described", Metadata={"colour": "red"}, ContentType="text/x", CacheControl="no-store", Tagging="a=1&b=2")
    head = s3.head_object(Bucket=BUCKET, Key="described")
    assert (head["Metadata"], head["ContentType"], head["CacheControl"]) == ({"colour": "red"}, "text/x", "no-store")
    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "ключ/ü"})
    assert body("copy") == "ключ/ü".encode()
    tags = s3.get_object_tagging(Bucket=BUCKET, Key="described")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]


def checksums():
    say("checksums, whole and in parts")
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]:
        try:
            field = f"Checksum{algorithm}"
            stored = put(f"sum/{algorithm}", b"123456789", ChecksumAlgorithm=algorithm)[field]
            got = s3.get_object(Bucket=BUCKET, Key=f"sum/{algorithm}", ChecksumMode="ENABLED")
            assert (got[field], got["Body"].read()) == (stored, b"123456789"), algorithm
            kinds = {"CRC64NVME": ["FULL_OBJECT"], "SHA1": ["COMPOSITE"], "SHA256": ["COMPOSITE"]}
            for kind in kinds.get(algorithm, ["COMPOSITE", "FULL_OBJECT"]):
                in_parts(algorithm, kind, field)
        except botocore.exceptions.MissingDependencyException:
            say(f"{algorithm} needs awscrt, which is not here")


def in_parts(algorithm, kind, field):
    key = f"sum/{algorithm}/{kind}"
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=key, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    parts = []
    for number, data in [(1, b"a" * (5 << 20)), (2, b"b" * 1000)]:
        part = s3.upload_part(
            Bucket=BUCKET, Key=key, UploadId=upload["UploadId"], PartNumber=number, Body=data, ChecksumAlgorithm=algorithm
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
    done = s3.complete_multipart_upload(
        Bucket=BUCKET, Key=key, UploadId=upload["UploadId"], MultipartUpload={"Parts": parts}, ChecksumType=kind
    )
    assert done["ChecksumType"] == kind and done[field].endswith("-2") == (kind == "COMPOSITE"), (algorithm, kind, done)
    asked = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    told = s3.get_object_attributes(Bucket=BUCKET, Key=key, ObjectAttributes=asked, MaxParts=1)
    assert told["ObjectSize"] == (5 << 20) + 1000 and told["ObjectParts"]["TotalPartsCount"] == 2, told
    assert told["ObjectParts"]["IsTruncated"] and told["ObjectParts"]["Parts"][0][field] == parts[0][field], told
    second = s3.get_object(Bucket=BUCKET, Key=key, PartNumber=2)
    assert (second["PartsCount"], second["Body"].read()) == (2, b"b" * 1000)


def transfers():
    say("managed transfers")
    data = os.urandom(17 << 20)
    config = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
    s3.upload_fileobj(io.BytesIO(data), BUCKET, "large", Config=config)
    sink = io.BytesIO()
    s3.download_fileobj(BUCKET, "large", sink, Config=config)
    assert hashlib.sha256(sink.getvalue()).digest() == hashlib.sha256(data).digest()
    s3.copy({"Bucket": BUCKET, "Key": "large"}, BUCKET, "large-copy", Config=config)
    assert hashlib.sha256(body("large-copy")).digest() == hashlib.sha256(data).digest()


def listings():
    say("listings")
    for number in range(25):
        put(f"list/{number % 5}/{number:02}", b"")
    assert keys(Prefix="list/", PaginationConfig={"PageSize": 7}) == sorted(f"list/{n % 5}/{n:02}" for n in range(25))
    page = s3.list_objects_v2(Bucket=BUCKET, Prefix="list/", Delimiter="/")
    assert [entry["Prefix"] for entry in page["CommonPrefixes"]] == [f"list/{n}/" for n in range(5)]
    failed = s3.delete_objects(Bucket=BUCKET, Delete={"Objects": [{"Key": key} for key in keys(Prefix="list/")]})
    assert "Errors" not in failed and keys(Prefix="list/") == []


def versions():
    say("versions, locks")
    s3.create_bucket(Bucket="boto3-lock", ObjectLockEnabledForBucket=True)
    ids = [s3.put_object(Bucket="boto3-lock", Key="k", Body=text)["VersionId"] for text in [b"1", b"2"]]
    assert s3.delete_object(Bucket="boto3-lock", Key="k")["DeleteMarker"]
    assert s3.get_object(Bucket="boto3-lock", Key="k", VersionId=ids[0])["Body"].read() == b"1"
    listed = s3.list_object_versions(Bucket="boto3-lock")
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (2, 1)
    s3.put_object_legal_hold(Bucket="boto3-lock", Key="k", VersionId=ids[0], LegalHold={"Status": "ON"})
    assert code(s3.delete_object, Bucket="boto3-lock", Key="k", VersionId=ids[0]) == "AccessDenied"
    s3.put_object_legal_hold(Bucket="boto3-lock", Key="k", VersionId=ids[0], LegalHold={"Status": "OFF"})
    assert code(s3.delete_object, Bucket="boto3-lock", Key="k", VersionId=ids[0]) == "OK"


def fetch(url, data=None, headers=None):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=data, headers=headers or {})) as reply:
            return reply.status, reply.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def access():
    say("presigned URLs, forms, ACLs, policies")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "plain"})
    assert fetch(url) == (200, b"plain")
    form = s3.generate_presigned_post(BUCKET, "form/${filename}", Conditions=[["starts-with", "$key", "form/"]])
    boundary = uuid.uuid4().hex
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    )
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nposted\r\n--{boundary}--\r\n'
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    assert fetch(form["url"], (fields + file).encode(), headers)[0] == 204
    assert [body(key) for key in keys(Prefix="form/")] == [b"posted"]
    plain = f"{s3.meta.endpoint_url}/{BUCKET}/plain"
    assert fetch(plain)[0] == 403
    s3.put_object_acl(Bucket=BUCKET, Key="plain", ACL="public-read")
    assert fetch(plain) == (200, b"plain")
    grants = s3.get_object_acl(Bucket=BUCKET, Key="plain")["Grants"]
    assert any(grant["Grantee"].get("URI", "").endswith("AllUsers") for grant in grants)
    block = dict.fromkeys(["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"], True)
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=block)
    assert fetch(plain)[0] == 403
    assert code(s3.put_object_acl, Bucket=BUCKET, Key="plain", ACL="public-read") == "AccessDenied"
    s3.delete_public_access_block(Bucket=BUCKET)
    assert fetch(plain)[0] == 200


def select():
    say("select")
    put("people.csv.gz", gzip.compress(b"name,age\nAnn,31\nBob,27\n"))
    answer = s3.select_object_content(
        Bucket=BUCKET,
        Key="people.csv.gz",
        ExpressionType="SQL",
        Expression="SELECT s.name FROM S3Object s WHERE CAST(s.age AS INT) > 30",
        InputSerialization={"CSV": {"FileHeaderInfo": "USE"}, "CompressionType": "GZIP"},
        OutputSerialization={"JSON": {}},
    )
    events = list(answer["Payload"])
    records = b"".join(event["Records"]["Payload"] for event in events if "Records" in event)
    assert records == b'{"name":"Ann"}\n' and "End" in events[-1], events


def changes():
    say("restore, rename, lifecycle")
    put("cold", b"ice", StorageClass="GLACIER")
    assert code(s3.get_object, Bucket=BUCKET, Key="cold") == "InvalidObjectState"
    s3.restore_object(Bucket=BUCKET, Key="cold", RestoreRequest={"Days": 100})
    assert body("cold") == b"ice"
    assert 'ongoing-request="false"' in s3.head_object(Bucket=BUCKET, Key="cold")["Restore"]
    # A day has two seconds here.
    rule = {"ID": "tmp", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [rule]})
    assert 'rule-id="tmp"' in put("tmp/k")["Expiration"]
    eventually("tmp/k expires", lambda: keys(Prefix="tmp/") == [])
    s3.delete_bucket_lifecycle(Bucket=BUCKET)


for step in [objects, checksums, transfers, listings, versions, access, select, changes]:
    step()
