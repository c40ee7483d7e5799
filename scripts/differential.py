"""Random sequences of operations, done by boto3 to one bucket and by the client of holdfs to another: every answer,
and in the end everything that the store holds, must be the same. Called by scripts/differential.

What is random comes from the seed of the sequence alone. A sequence that ends differently is done again with ever
fewer operations, and the shortest that still shows the difference is printed.
"""

import base64
import hashlib
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from datetime import datetime, timedelta, timezone

import boto3
import differential_documents as documents
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.handlers import add_expect_header

MIB = 1 << 20
ENDPOINT = os.environ["AWS_ENDPOINT_URL"]
CEPH = documents.CEPH
KEYS = ["a", "b", "a/b", "a/c", "a-", "dir/", "dir/x y", "plus+plus", "per%25cent", "amp&<>\"'", "é/😀", "new\nline", "tab\t",
        "x?y#z", "~tilde", "(par)*!", "back\\slash", "a=b&c", "semi;colon:,", "long/" + "k" * 200]
ODD = ["a//b", "/lead", "./dot", "up/../over", "\x01ctl", "a/."]
TYPES = ["text/plain", "image/png", "application/json; charset=utf-8"]


MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.000)?Z")


def in_order(entries):
    """Pages and kinds of entries come in orders of their own."""
    return sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))


def make_s3():
    config = Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required",
                    response_checksum_validation="when_required", retries={"max_attempts": 2}, signature_version="s3v4")
    s3 = boto3.client("s3", endpoint_url=ENDPOINT, config=config)
    # On a connection whose server answered before it asked for the body, botocore misreads the next reply.
    s3.meta.events.unregister("before-call.s3", add_expect_header)
    return s3


def refusal(error):
    """Status and code; a HEAD has no code."""
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    code = error.response["Error"].get("Code", "")
    return {"error": {"status": status, "code": "" if code.isdigit() else code}}


def bare(etag):
    return etag.strip('"') if etag else None


def compact(**fields):
    return {name: value for name, value in fields.items() if value is not None}


def stamp(date):
    return date.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if date else None


class Boto:
    """Does operations with boto3 and answers in the words of the other side."""

    def __init__(self):
        self.s3 = make_s3()
        self.owner = self.s3.list_buckets()["Owner"]["ID"]

    def run(self, asked):
        try:
            return {"ok": getattr(self, "do_" + asked["do"])(asked)}
        except ClientError as error:
            code = error.response["Error"].get("Code")
            unlocked = code in ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError")
            if unlocked and asked["do"] in ("retention_get", "hold_get"):
                return {"ok": False if asked["do"] == "hold_get" else None}
            return refusal(error)

    @staticmethod
    def where(asked):
        return compact(Bucket=asked["bucket"], Key=asked["key"], VersionId=asked.get("version"))

    @staticmethod
    def given(asked):
        tags = asked.get("tags")
        encoded = None if tags is None else urllib.parse.urlencode(tags, quote_via=urllib.parse.quote)
        return compact(
            ContentType=asked.get("content_type"), ContentEncoding=asked.get("content_encoding"),
            ContentLanguage=asked.get("content_language"), ContentDisposition=asked.get("content_disposition"),
            CacheControl=asked.get("cache_control"), Metadata=asked.get("metadata"), Tagging=encoded,
            StorageClass=asked.get("storage_class"), ACL=asked.get("acl"), ObjectLockMode=asked.get("mode"),
            ObjectLockRetainUntilDate=asked.get("until"),
            ObjectLockLegalHoldStatus={True: "ON", False: "OFF"}.get(asked.get("hold")))

    def do_create_bucket(self, asked):
        self.s3.create_bucket(Bucket=asked["bucket"], ObjectLockEnabledForBucket=asked.get("lock", False))

    def do_delete_bucket(self, asked):
        self.s3.delete_bucket(Bucket=asked["bucket"])

    def do_put(self, asked):
        if "checksum" in asked:
            name = {"crc32": "CRC32", "crc32c": "CRC32C", "sha1": "SHA1", "sha256": "SHA256"}[asked["checksum"]]
            more = {"Checksum" + name: asked["checksum_value"]}
        else:
            more = {}
        more |= compact(IfMatch=asked.get("if_match"), IfNoneMatch="*" if asked.get("if_absent") else None)
        if "mode" in asked or "hold" in asked or "checksum" not in asked:
            # Stores ask for it where the bucket locks what is put.
            more["ContentMD5"] = base64.b64encode(hashlib.md5(base64.b64decode(asked["body"])).digest()).decode()
        reply = self.s3.put_object(Body=base64.b64decode(asked["body"]), **self.where(asked), **self.given(asked), **more)
        return {"etag": bare(reply.get("ETag")), "version": reply.get("VersionId")}

    @staticmethod
    def headers(reply):
        until = reply.get("ObjectLockRetainUntilDate")
        size = reply["ContentLength"]
        if reply.get("ContentRange"):
            size = int(reply["ContentRange"].rsplit("/", 1)[1])
        held = reply.get("ObjectLockLegalHoldStatus")
        return {
            "etag": bare(reply.get("ETag")), "version": reply.get("VersionId"), "size": size, "metadata": reply["Metadata"],
            "content_type": reply.get("ContentType"), "content_encoding": reply.get("ContentEncoding"),
            "content_language": reply.get("ContentLanguage"), "content_disposition": reply.get("ContentDisposition"),
            "cache_control": reply.get("CacheControl"), "storage_class": reply.get("StorageClass"),
            "retention": [reply["ObjectLockMode"], stamp(until)] if until else None,
            "hold": None if held is None else held == "ON", "tag_count": reply.get("TagCount", 0),
            "parts": reply.get("PartsCount"), "encryption": reply.get("ServerSideEncryption")}

    def read(self, asked):
        span = f"bytes={asked['from']}-{asked['to'] - 1}" if "from" in asked else None
        return self.where(asked) | compact(Range=span, IfMatch=asked.get("if_match"),
                                           IfNoneMatch=asked.get("if_none_match"), PartNumber=asked.get("part"))

    def do_get(self, asked):
        reply = self.s3.get_object(**self.read(asked))
        shown, body = self.headers(reply), reply["Body"].read()
        start = 0
        if reply.get("ContentRange"):
            start = int(reply["ContentRange"].split()[1].split("-")[0])
        return shown | {"range": [start, start + len(body)], "body": base64.b64encode(body).decode()}

    def do_head(self, asked):
        return self.headers(self.s3.head_object(**{k: v for k, v in self.read(asked).items() if k != "Range"}))

    def do_delete(self, asked):
        more = {"BypassGovernanceRetention": True} if asked.get("bypass") else {}
        reply = self.s3.delete_object(**self.where(asked), **more)
        return {"marker": reply.get("DeleteMarker", False), "version": reply.get("VersionId")}

    def do_delete_batch(self, asked):
        more = {"BypassGovernanceRetention": True} if asked.get("bypass") else {}
        entries = [compact(Key=key, VersionId=version) for key, version in asked["keys"]]
        reply = self.s3.delete_objects(Bucket=asked["bucket"], Delete={"Objects": entries}, **more)
        return [[error["Key"], error["Code"]] for error in reply.get("Errors", [])]

    @staticmethod
    def source(asked):
        return compact(Bucket=asked["bucket"], Key=asked["key"], VersionId=asked.get("version"))

    def do_copy(self, asked):
        given = self.given(asked)
        if asked.get("replace"):
            given |= {"MetadataDirective": "REPLACE", "Metadata": given.get("Metadata", {})}
            given |= {"TaggingDirective": "REPLACE"} if "tags" in asked else {}
        reply = self.s3.copy_object(Bucket=asked["bucket"], Key=asked["key"], CopySource=self.source(asked["source"]),
                                    **compact(CopySourceIfMatch=asked["source"].get("if_match")), **given)
        return {"etag": bare(reply["CopyObjectResult"].get("ETag")), "version": reply.get("VersionId")}

    def do_create_upload(self, asked):
        return {"upload": self.s3.create_multipart_upload(**self.where(asked), **self.given(asked))["UploadId"]}

    def part_of(self, asked):
        return self.where(asked) | {"UploadId": asked["upload"]}

    def do_part(self, asked):
        reply = self.s3.upload_part(PartNumber=asked["number"], Body=base64.b64decode(asked["body"]), **self.part_of(asked))
        return {"etag": bare(reply["ETag"])}

    def do_part_copy(self, asked):
        span = f"bytes={asked['from']}-{asked['to'] - 1}" if "from" in asked else None
        reply = self.s3.upload_part_copy(PartNumber=asked["number"], CopySource=self.source(asked["source"]),
                                         **compact(CopySourceRange=span), **self.part_of(asked))
        return {"etag": bare(reply["CopyPartResult"]["ETag"])}

    def do_complete(self, asked):
        parts = [{"PartNumber": number, "ETag": f'"{etag}"'} for number, etag, _ in asked["parts"]]
        more = {"IfNoneMatch": "*"} if asked.get("if_absent") else {}
        reply = self.s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **self.part_of(asked), **more)
        return {"etag": bare(reply.get("ETag")), "version": reply.get("VersionId")}

    def do_abort(self, asked):
        self.s3.abort_multipart_upload(**self.part_of(asked))

    def pages(self, name, asked, **more):
        size = {"PageSize": asked["max"]} if "max" in asked else {}
        return self.s3.get_paginator(name).paginate(Bucket=asked["bucket"], PaginationConfig=size, **more)

    def do_parts(self, asked):
        pages = self.pages("list_parts", asked, Key=asked["key"], UploadId=asked["upload"])
        return [[part["PartNumber"], bare(part["ETag"]), part["Size"]] for page in pages for part in page.get("Parts", [])]

    def do_uploads(self, asked):
        pages = self.pages("list_multipart_uploads", asked, Prefix=asked.get("prefix", ""))
        return [[upload["Key"], upload["UploadId"]] for page in pages for upload in page.get("Uploads", [])]

    def do_tags_put(self, asked):
        tags = [{"Key": key, "Value": value} for key, value in asked["tags"].items()]
        self.s3.put_object_tagging(Tagging={"TagSet": tags}, **self.where(asked))

    def do_tags_get(self, asked):
        return {tag["Key"]: tag["Value"] for tag in self.s3.get_object_tagging(**self.where(asked)).get("TagSet", [])}

    def do_tags_delete(self, asked):
        self.s3.delete_object_tagging(**self.where(asked))

    def do_hold_put(self, asked):
        self.s3.put_object_legal_hold(LegalHold={"Status": "ON" if asked["on"] else "OFF"}, **self.where(asked))

    def do_hold_get(self, asked):
        return self.s3.get_object_legal_hold(**self.where(asked))["LegalHold"]["Status"] == "ON"

    def do_retention_put(self, asked):
        retention = {"Mode": asked["mode"], "RetainUntilDate": asked["until"]} if "mode" in asked else {}
        more = {"BypassGovernanceRetention": True} if asked.get("bypass") else {}
        self.s3.put_object_retention(Retention=retention, **self.where(asked), **more)

    def do_retention_get(self, asked):
        kept = self.s3.get_object_retention(**self.where(asked))["Retention"]
        return [kept["Mode"], stamp(kept["RetainUntilDate"])] if kept.get("Mode") else None

    def listed(self, asked, name, after):
        more = compact(Prefix=asked.get("prefix"), Delimiter=asked.get("delimiter"), **{after: asked.get("after")})
        return self.pages(name, asked, **more)

    def plain(self, pages):
        found = []
        for page in pages:
            found += [{"prefix": entry["Prefix"]} for entry in page.get("CommonPrefixes", [])]
            found += [{"key": entry["Key"], "etag": bare(entry["ETag"]), "size": entry["Size"],
                       "storage_class": entry.get("StorageClass")} for entry in page.get("Contents", [])]
        return found

    def do_list_v1(self, asked):
        return self.plain(self.listed(asked, "list_objects", "Marker"))

    def do_list_v2(self, asked):
        return self.plain(self.listed(asked, "list_objects_v2", "StartAfter"))

    def do_list_versions(self, asked):
        more = compact(Prefix=asked.get("prefix"), Delimiter=asked.get("delimiter"))
        found = []
        for page in self.pages("list_object_versions", asked, **more):
            found += [{"prefix": entry["Prefix"]} for entry in page.get("CommonPrefixes", [])]
            for kind in ("Versions", "DeleteMarkers"):
                found += [{"key": entry["Key"], "version": entry["VersionId"], "latest": entry["IsLatest"],
                           "marker": kind == "DeleteMarkers", "etag": bare(entry.get("ETag")), "size": entry.get("Size"),
                           "storage_class": entry.get("StorageClass")} for entry in page.get(kind, [])]
        return found

    def do_presign(self, asked):
        if asked["method"] == "PUT":
            call, params = "put_object", self.where(asked)
        else:
            call, params = "get_object", self.read(asked)
        return {"url": self.s3.generate_presigned_url(call, Params=params, ExpiresIn=60)}

    @staticmethod
    def do_fetch(asked):
        data = base64.b64decode(asked["body"]) if asked["method"] == "PUT" else None
        headers = {"Content-Type": "binary/octet-stream"} if data is not None else {}
        request = urllib.request.Request(asked["url"], data=data, method=asked["method"], headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as reply:
                return {"status": reply.status, "body": base64.b64encode(reply.read()).decode()}
        except urllib.error.HTTPError as error:
            return {"status": error.code, "body": ""}

    def do_acl_put(self, asked):
        if "canned" in asked:
            return self.s3.put_object_acl(ACL=asked["canned"], **self.where(asked)) and None
        shape = documents.input_of(self.s3, "put_object_acl").members["AccessControlPolicy"]
        self.s3.put_object_acl(AccessControlPolicy=documents.words(shape, asked["document"]), **self.where(asked))

    def do_acl_get(self, asked):
        return documents.shown(self.s3, "get_object_acl", self.s3.get_object_acl(**self.where(asked)))

    def do_setting_put(self, asked):
        documents.put(self.s3, asked)

    def do_setting_get(self, asked):
        return documents.get(self.s3, asked)

    def do_setting_delete(self, asked):
        documents.delete(self.s3, asked)

    def do_policy_status(self, asked):
        try:
            return self.s3.get_bucket_policy_status(Bucket=asked["bucket"])["PolicyStatus"]
        except ClientError as error:
            if error.response["Error"].get("Code") == "NoSuchBucketPolicy":
                return None
            raise


class Ours:
    """The same through the example `differential`."""

    def __init__(self, owner):
        self.owner = owner
        self.pipe = subprocess.Popen([os.environ["DIFFERENTIAL"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, asked):
        self.pipe.stdin.write(json.dumps(asked) + "\n")
        self.pipe.stdin.flush()
        line = self.pipe.stdout.readline()
        if not line:
            raise SystemExit(f"the client of holdfs ended at {asked}")
        answer = json.loads(line)
        if "error" in answer:
            self.why = answer["error"].pop("message")
            if answer["error"]["code"].isdigit():
                answer["error"]["code"] = ""
        return answer


# ---------------------------------------------------------------------------------------------------- what is random

def content(rng, most):
    return base64.b64encode(rng.randbytes(rng.choice([0, 1, 17, rng.randrange(most)]))).decode()


def given(rng, lock):
    asked = {}
    if rng.random() < .6:
        asked["content_type"] = rng.choice(TYPES)
    if rng.random() < .4:
        asked["metadata"] = {rng.choice(["colour", "a-b", "x_y", "n1"]): rng.choice(["red", "two words", "a=b;c", "  in  "]).strip()
                             for _ in range(rng.randrange(3))}
    if rng.random() < .3:
        asked["tags"] = some_tags(rng)
    for name, value in [("cache_control", "no-cache"), ("content_language", "de"), ("content_encoding", "gzip"),
                        ("content_disposition", 'attachment; filename="a b"'), ("storage_class", "STANDARD")]:
        if rng.random() < .12:
            asked[name] = value
    if rng.random() < .15:
        asked["acl"] = rng.choice(documents.CANNED)
    if lock and rng.random() < .15:
        asked |= some_retention(rng)
    if lock and rng.random() < .1:
        asked["hold"] = True
    return asked


def some_tags(rng):
    return {rng.choice(["t", "a b", "k:v", "plus+"]): rng.choice(["1", "", "x y", "a/b=c@d"]) for _ in range(rng.randrange(1, 4))}


def some_retention(rng):
    until = datetime.now(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=rng.choice([2, 3, 9]))
    return {"mode": "GOVERNANCE", "until": stamp(until)}


def checksum(rng, body):
    data = base64.b64decode(body)
    kind = rng.choice(["sha1", "sha256", "crc32"])
    if kind == "crc32":
        import zlib
        value = zlib.crc32(data).to_bytes(4, "big")
    else:
        value = hashlib.new(kind, data).digest()
    if rng.random() < .2:
        value = bytes([value[0] ^ 1]) + value[1:]
    return {"checksum": kind, "checksum_value": base64.b64encode(value).decode()}


def sequence(seed):
    """Operations with references instead of ids: `["version", key, n]`, `["etag", key]`, `["upload", n]`."""
    rng = random.Random(seed)
    lock = rng.random() < .4
    keys = rng.sample(KEYS, 5) + ([rng.choice(ODD)] if rng.random() < .3 else [])
    steps = [{"do": "create_bucket", "lock": lock}]
    if not lock and rng.random() < .6:
        steps.append({"do": "setting_put", "kind": "versioning", "document": {"Status": "Enabled"}})
    uploads = 0
    version = lambda key: {"version": ["version", key, rng.randrange(3)]} if rng.random() < .3 else {}
    for _ in range(rng.randrange(8, 26)):
        key, roll = rng.choice(keys), rng.random()
        if roll < .27:
            step = {"do": "put", "key": key, "body": content(rng, 3000)} | given(rng, lock)
            if rng.random() < .2:
                step |= checksum(rng, step["body"])
            elif rng.random() < .15 and not CEPH:
                step |= rng.choice([{"if_absent": True}, {"if_match": ["etag", key]}])
        elif roll < .33:
            step = {"do": "get", "key": key} | version(key)
            if rng.random() < .5:
                start = rng.randrange(40)
                step |= {"from": start, "to": start + rng.randrange(1, 3000)}
            elif rng.random() < .4:
                step |= rng.choice([{"if_match": ["etag", key]}, {"if_none_match": ["etag", key]}, {"if_match": "0" * 32}])
        elif roll < .36:
            step = {"do": "head", "key": key} | version(key)
        elif roll < .43:
            step = {"do": "delete", "key": key} | version(key) | ({"bypass": True} if lock and rng.random() < .3 else {})
        elif roll < .46:
            some = rng.sample(keys, 3)
            named = [[key, ["version", key, 0] if rng.random() < .3 else None] for key in some if "\x01" not in key]
            step = {"do": "delete_batch", "keys": named}
        elif roll < .54:
            source = {"key": rng.choice(keys)} | version(key)
            # Ceph passes over the condition as boto3 spells it, and heeds it as ours does.
            if rng.random() < .2 and not CEPH:
                source["if_match"] = ["etag", source["key"]]
            step = {"do": "copy", "key": key, "source": source}
            if rng.random() < .5 or source["key"] == key:
                step |= {"replace": True} | given(rng, False)
        elif roll < .62:
            # The reply is XML, which cannot hold the one key.
            key = key.replace("\x01", "x")
            step = [{"do": "create_upload", "key": key, "n": uploads} | given(rng, lock)]
            numbers = sorted(rng.sample(range(1, 9), rng.randrange(1, 3)))
            for place, number in enumerate(numbers):
                size = rng.randrange(2000) if place == len(numbers) - 1 else 5 * MIB + rng.randrange(100)
                fill = rng.randbytes(64)
                body = base64.b64encode((fill * (size // 64 + 1))[:size]).decode()
                step.append({"do": "part", "key": key, "upload": ["upload", uploads], "number": number, "body": body})
            if rng.random() < .4:
                source = {"key": rng.choice(keys)}
                step.append({"do": "part_copy", "key": key, "upload": ["upload", uploads], "number": 9, "source": source})
            if rng.random() < .3:
                step.append({"do": "parts", "key": key, "upload": ["upload", uploads], "max": 2})
            end = rng.random()
            if end < .75:
                step.append({"do": "complete", "key": key, "upload": ["upload", uploads]})
            elif end < .9:
                step.append({"do": "abort", "key": key, "upload": ["upload", uploads]})
            uploads += 1
        elif roll < .67:
            which = rng.choice(["tags_put", "tags_get", "tags_delete"])
            step = {"do": which, "key": key} | ({"tags": some_tags(rng)} if which == "tags_put" else {}) | version(key)
        elif roll < .72 and lock:
            which = rng.choice(["hold_put", "hold_get", "retention_put", "retention_get"])
            step = {"do": which, "key": key} | version(key)
            if which == "hold_put":
                step["on"] = rng.random() < .5
            elif which == "retention_put":
                step |= some_retention(rng) | ({"bypass": True} if rng.random() < .5 else {})
        elif roll < .84:
            step = documents.step(rng, lock)
        elif roll < .90:
            step = documents.object_step(rng, key) | version(key)
        elif roll < .94:
            plain = rng.choice([key for key in keys if key not in ODD])
            step = {"do": "exchange", "method": rng.choice(["GET", "PUT"]), "key": plain, "body": content(rng, 500) or "eA=="}
        else:
            step = {"do": rng.choice(["list_v1", "list_v2", "list_versions"])}
            step |= rng.choice([{}, {"prefix": "a"}, {"prefix": "a/", "delimiter": "/"}, {"delimiter": "/"}])
            step |= rng.choice([{}, {"max": 1}, {"max": 2}, {"max": 3}])
            if step["do"] != "list_v2" and CEPH:
                # Its markers hold `+` as it is, which boto3 reads as a blank: it never gets beyond that key.
                step.pop("max", None)
            if step["do"] == "list_v2" and rng.random() < .3:
                step["after"] = "a-"
        steps += step if isinstance(step, list) else [step]
    return steps


# ----------------------------------------------------------------------------------------------------- what is compared

class Side:
    """One client with its bucket, and the ids that its store has given out."""

    def __init__(self, client, bucket):
        self.client, self.bucket = client, bucket
        self.versions, self.etags, self.uploads, self.parts = {}, {}, {}, {}

    def run(self, step):
        asked = self.resolved(step) | {"bucket": self.bucket}
        if "source" in asked:
            asked["source"] = asked["source"] | {"bucket": self.bucket}
        answer = self.client.run(asked)
        self.note(step, asked, answer)
        return self.without_ids(answer)

    def resolved(self, step):
        def real(value):
            if isinstance(value, list) and value and value[0] == "version":
                known = self.versions.get(value[1], [])
                return known[value[2] % len(known)] if known else "null"
            if isinstance(value, list) and value and value[0] == "etag":
                return self.etags.get(value[1], "0" * 32)
            if isinstance(value, list) and value and value[0] == "upload":
                return self.uploads.get(value[1], "no-such-upload")
            if isinstance(value, dict):
                return {name: real(inner) for name, inner in value.items()}
            if isinstance(value, str):
                return self.client.owner if value == "OWNER" else value.replace(":BUCKET/", f":{self.bucket}/")
            return [real(inner) for inner in value] if isinstance(value, list) else value
        asked = real({name: value for name, value in step.items() if name != "n"})
        if step["do"] == "complete":
            asked["parts"] = self.parts.get(asked["upload"], []) or [[1, "0" * 32, 0]]
        return asked

    def learn(self):
        """Ids of what was made without one in the answer: by a batch of deletes, by a URL."""
        listed = self.client.run({"do": "list_versions", "bucket": self.bucket}).get("ok", [])
        for entry in reversed(sorted(listed, key=lambda entry: entry["latest"], reverse=True)):
            known = self.versions.setdefault(entry["key"], [])
            if entry["version"] not in known:
                known.append(entry["version"])

    def note(self, step, asked, answer):
        result = answer.get("ok")
        writes = step["do"] in ("put", "copy", "complete", "delete")
        if step["do"] == "delete_batch" or writes and isinstance(result, dict) and not result.get("version"):
            self.learn()
        if not isinstance(result, dict):
            return
        if step["do"] in ("put", "copy", "complete", "delete"):
            if result.get("version") and not asked.get("version"):
                known = self.versions.setdefault(asked["key"], [])
                if result["version"] not in known:
                    known.append(result["version"])
            if result.get("etag"):
                self.etags[asked["key"]] = result["etag"]
        if step["do"] == "create_upload":
            self.uploads[step["n"]] = result["upload"]
        if step["do"] in ("part", "part_copy"):
            self.parts.setdefault(asked["upload"], []).append([asked["number"], result["etag"], len(asked.get("body", ""))])

    def without_ids(self, answer):
        """Versions and uploads by their number: ids are the store's own."""
        names = {"null": "null"}
        for key, known in self.versions.items():
            names |= {version: f"version {index} of {key}" for index, version in enumerate(known) if version != "null"}
        names |= {upload: f"upload {index}" for index, upload in self.uploads.items()}

        def named(value):
            if isinstance(value, dict):
                return {name: named(inner) for name, inner in value.items() if name not in ("url", "upload")}
            if isinstance(value, list):
                return [named(inner) for inner in value]
            if isinstance(value, str) and value.startswith('{"') and "Statement" in value:
                value = json.dumps(documents.in_order(json.loads(value)))
            return names.get(value, value.replace(self.bucket, "BUCKET")) if isinstance(value, str) else value
        return named(answer)

    def state(self, client):
        """All that the bucket holds, as `client` sees it."""
        def ask(**asked):
            return self.without_ids(client.run(asked | {"bucket": self.bucket}))
        def listed(**asked):
            answer = ask(**asked)
            return in_order(answer["ok"]) if "ok" in answer else answer
        state = {name: listed(do=name) for name in ("list_v1", "list_v2", "list_versions", "uploads")}
        state["folders"] = listed(do="list_v2", delimiter="/", max=2)
        state |= {kind: ask(do="setting_get", kind=kind) for kind in documents.KINDS}
        state["policy status"] = ask(do="policy_status")
        raw = client.run({"do": "list_versions", "bucket": self.bucket})
        for entry in raw.get("ok", []):
            if entry["marker"]:
                continue
            target = {"key": entry["key"], "version": entry["version"]}
            name = self.without_ids([entry["key"], entry["version"]])
            for what in ("get", "head", "tags_get", "acl_get"):
                state[f"{what} {name}"] = ask(do=what, **target)
            if entry["latest"]:
                state[f"anonymous {name}"] = unsigned(self, target)
        return state


def difference(one, other, path=""):
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            found = difference(one.get(name), other.get(name), f"{path}/{name}")
            if found:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = (difference(*pair, f"{path}/{at}") for at, pair in enumerate(zip(one, other)))
        return next((found for found in pairs if found), None)
    same = one == other or is_same_moment(one, other)
    return None if same else f"{path}: {str(one)[:300]} and {str(other)[:300]}"


def is_same_moment(one, other):
    """How long a bucket locks by default begins when each client writes."""
    moments = [datetime.strptime(date[:19], "%Y-%m-%dT%H:%M:%S") if isinstance(date, str) and MOMENT.fullmatch(date) else None
               for date in (one, other)]
    return all(moments) and abs(moments[0] - moments[1]) < timedelta(minutes=5)


def clean(boto, bucket):
    """Best effort: the servers are thrown away in the end."""
    s3 = boto.s3
    try:
        for upload in s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for entry in page.get("Versions", []) + page.get("DeleteMarkers", []):
                where = {"Bucket": bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
                try:
                    s3.delete_object(BypassGovernanceRetention=True, **where)
                except ClientError:
                    s3.put_object_legal_hold(LegalHold={"Status": "OFF"}, **where)
                    s3.delete_object(BypassGovernanceRetention=True, **where)
        s3.delete_bucket(Bucket=bucket)
    except ClientError:
        pass


def attempt(boto, ours, steps):
    """The first difference, or None; and how many answers and facts were compared."""
    name = "diff-" + uuid.uuid4().hex[:16]
    theirs, mine = Side(boto, name + "-b"), Side(ours, name + "-h")
    compared = 0
    try:
        for step in steps:
            if step["do"] == "anonymous":
                answers = [unsigned(side, side.resolved(step)) for side in (theirs, mine)]
            elif step["do"] == "exchange":
                answers = [exchanged(side, maker, bearer, step) for side, maker, bearer in
                           ((theirs, boto, ours), (mine, ours, boto))]
            else:
                answers = [theirs.run(step), mine.run(step)]
            compared += 1
            if step["do"].startswith("list") and all("ok" in answer for answer in answers):
                answers = [in_order(answer["ok"]) for answer in answers]
            found = difference(*answers)
            if found:
                return f"{json.dumps(step)[:300]}\n      boto3 and ours: {found}", compared
        views = [theirs.state(boto), theirs.state(ours), mine.state(boto), mine.state(ours)]
        compared += sum(len(view) for view in views)
        for label, one, other in (("what boto3 made, as boto3 and as ours sees it", 0, 1),
                                  ("what ours made, as boto3 and as ours sees it", 2, 3),
                                  ("what boto3 and what ours made, as boto3 sees it", 0, 2)):
            found = difference(views[one], views[other])
            if found:
                return f"{label}: {found}", compared
        return None, compared
    finally:
        clean(boto, theirs.bucket)
        clean(boto, mine.bucket)


def unsigned(side, asked):
    """What somebody without a key is answered."""
    query = "?versionId=" + urllib.parse.quote(asked["version"]) if "version" in asked else ""
    url = f"{ENDPOINT}/{side.bucket}/{urllib.parse.quote(asked['key'])}{query}"
    return Boto.do_fetch({"url": url, "method": "GET"})


def exchanged(side, maker, bearer, step):
    """A URL that one client signs and the other uses."""
    url = maker.run({"do": "presign", "bucket": side.bucket, "key": step["key"], "method": step["method"]})
    if "error" in url:
        return url
    asked = {"do": "fetch", "url": url["ok"]["url"], "method": step["method"], "body": step["body"]}
    answer = bearer.run(asked)
    side.learn()
    return answer


def shrink(boto, ours, steps):
    """Leaves out what the difference does not need, one step after the other from the end."""
    for at in range(len(steps) - 1, 0, -1):
        fewer = steps[:at] + steps[at + 1:]
        if attempt(boto, ours, fewer)[0]:
            steps = fewer
    return steps


CLIENTS = []


def begin():
    """Each process has clients of its own."""
    boto = Boto()
    CLIENTS.extend([boto, Ours(boto.owner)])


def judge(seed):
    """How many operations and comparisons the sequence has, and what to say of it where the two differ."""
    steps = sequence(seed)
    found, compared = attempt(*CLIENTS, steps)
    if not found:
        return len(steps), compared, None
    lines = [f"seed {seed}: {found}"]
    if os.environ.get("SHRINK", "1") == "1":
        short = shrink(*CLIENTS, steps)
        lines.append("    the shortest that shows it:")
        lines += ["      " + json.dumps(step)[:240] for step in short]
        lines.append(f"    {attempt(*CLIENTS, short)[0]}")
    return len(steps), compared, "\n".join(lines)


def main():
    first, count = int(sys.argv[1]), int(sys.argv[2])
    began, done, operations, facts, failed = time.monotonic(), 0, 0, 0, 0
    with multiprocessing.Pool(int(os.environ.get("JOBS", "4")), begin) as pool:
        for steps, compared, told in pool.imap(judge, range(first, first + count)):
            done, operations, facts = done + 1, operations + steps, facts + compared
            if told:
                failed += 1
                print(told, file=sys.stderr, flush=True)
            if failed == int(os.environ.get("FAILURES_MAX", "10")):
                break
    print(f"{done} sequences, {operations} operations by each client, {facts} comparisons, {failed} different, "
          f"{time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
