"""The documents of buckets for scripts/differential.py: random ones, as they are written on the wire, and what boto3
calls their elements. Its own model of S3 says which of its names is which element."""

import json
import os
from datetime import datetime, timezone

from botocore.exceptions import ClientError

STORE = os.environ.get("STORE", "")
MINIO, CEPH = "minio" in STORE, "ceph" in STORE
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
CANNED = ["private", "private", "public-read", "public-read-write", "authenticated-read"]

# kind: what boto3's calls end with, the parameter that takes the document, and the codes that say that there is none
CALLS = {
    "versioning": ("bucket_versioning", "VersioningConfiguration", ()),
    "lock": ("object_lock_configuration", "ObjectLockConfiguration",
             ("ObjectLockConfigurationNotFoundError", "NoSuchObjectLockConfiguration")),
    "acl": ("bucket_acl", "AccessControlPolicy", ()),
    "tagging": ("bucket_tagging", "Tagging", ("NoSuchTagSet", "NoSuchTagSetError")),
    "cors": ("bucket_cors", "CORSConfiguration", ("NoSuchCORSConfiguration",)),
    "lifecycle": ("bucket_lifecycle_configuration", "LifecycleConfiguration", ("NoSuchLifecycleConfiguration",)),
    "policy": ("bucket_policy", "Policy", ("NoSuchBucketPolicy",)),
    "encryption": ("bucket_encryption", "ServerSideEncryptionConfiguration",
                   ("ServerSideEncryptionConfigurationNotFoundError",)),
    "public_access": ("public_access_block", "PublicAccessBlockConfiguration", ("NoSuchPublicAccessBlockConfiguration",)),
    "ownership": ("bucket_ownership_controls", "OwnershipControls", ("OwnershipControlsNotFoundError",)),
}
# What the store does not know as a sub-resource: it takes the request for one about the bucket itself.
UNKNOWN = {"public_access", "ownership"} if MINIO else {"encryption", "ownership"} if CEPH else set()
KINDS = [kind for kind in CALLS if kind not in UNKNOWN]
REPLACED = {"versioning", "lock", "acl"}


def wire(shape, value):
    """What boto3 calls `value`, as it is on the wire."""
    if shape.type_name == "structure":
        found = {}
        for name, inner in shape.members.items():
            if name not in value or inner.serialization.get("xmlAttribute"):
                continue
            element, content = inner.serialization.get("name", name), wire(inner, value[name])
            if inner.type_name == "list" and not inner.serialization.get("flattened"):
                content = {inner.member.serialization.get("name", "member"): content}
            # An empty list that is not wrapped has no element at all.
            if content != [] or inner.type_name != "list":
                found[element] = content
        # MinIO leaves out a value that is empty.
        return {"Value": ""} | found if set(shape.members) == {"Key", "Value"} else found
    if shape.type_name == "list":
        return [wire(shape.member, entry) for entry in value]
    return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value


def words(shape, value):
    """The way back: what is on the wire, as boto3 calls it."""
    if shape.type_name == "structure":
        found = {}
        for name, inner in shape.members.items():
            element = inner.serialization.get("name", name)
            if inner.serialization.get("xmlAttribute"):
                found[name] = "Group" if "URI" in value else "CanonicalUser"
            elif element in value:
                content = value[element]
                if inner.type_name == "list" and not inner.serialization.get("flattened"):
                    content = content[inner.member.serialization.get("name", "member")]
                found[name] = words(inner, content)
        return found
    return [words(shape.member, entry) for entry in value] if shape.type_name == "list" else value


def put(s3, asked):
    call, parameter, _ = CALLS[asked["kind"]]
    if "canned" in asked:
        return s3.put_bucket_acl(Bucket=asked["bucket"], ACL=asked["canned"])
    given, document = asked["document"], {}
    if asked["kind"] == "policy":
        document = given
    elif asked["kind"] == "tagging":
        document = {"TagSet": [{"Key": key, "Value": value} for key, value in given.items()]}
    else:
        document = words(input_of(s3, "put_" + call).members[parameter], given)
    return getattr(s3, "put_" + call)(Bucket=asked["bucket"], **{parameter: document})


def input_of(s3, call):
    return s3.meta.service_model.operation_model(s3.meta.method_to_api_mapping[call]).input_shape


def get(s3, asked):
    """As the client of holdfs shows it."""
    call, parameter, absent = CALLS[asked["kind"]]
    try:
        reply = getattr(s3, "get_" + call)(Bucket=asked["bucket"])
    except ClientError as error:
        if error.response["Error"].get("Code") in absent:
            return None
        raise
    if asked["kind"] == "policy":
        return reply["Policy"]
    if asked["kind"] == "tagging":
        return {tag["Key"]: tag["Value"] for tag in reply["TagSet"]}
    document = shown(s3, "get_" + call, reply)
    if "MFADelete" in document or "MfaDelete" in document:
        document = {"Status": document["Status"], "MfaDelete": "Enabled" in (document.get("MFADelete"), document.get("MfaDelete"))}
    return document


def in_order(policy):
    """MinIO keeps the actions of a statement in an order of the moment."""
    if isinstance(policy, dict):
        return {name: in_order(value) for name, value in policy.items()}
    return sorted(map(in_order, policy), key=json.dumps) if isinstance(policy, list) else policy


def shown(s3, call, reply):
    """A document out of a reply."""
    shape = s3.meta.service_model.operation_model(s3.meta.method_to_api_mapping[call]).output_shape
    payload = shape.serialization.get("payload")
    document = wire(shape, {name: value for name, value in reply.items() if name != "ResponseMetadata"})
    document = document.get(payload, {}) if payload else document
    for grant in document.get("AccessControlList", {}).get("Grant", []):
        # MinIO does not name its only user.
        grant["Grantee"] = {name: value for name, value in grant["Grantee"].items() if value} or {"ID": ""}
    # The elements of rules in the usual order of JSON, for they may come in any.
    return json.loads(json.dumps(document, sort_keys=True))


def delete(s3, asked):
    call = "bucket_lifecycle" if asked["kind"] == "lifecycle" else CALLS[asked["kind"]][0]
    getattr(s3, "delete_" + call)(Bucket=asked["bucket"])


# ---------------------------------------------------------------------------------------------------- what is random

def some(rng, probability, **fields):
    return {name: value() if callable(value) else value for name, value in fields.items() if rng.random() < probability}


def random_acl(rng):
    """`OWNER` stands for the id of whoever asks."""
    everybody = [{"Grantee": {"URI": ALL_USERS}, "Permission": word} for word in rng.sample(["READ", "READ_ACP", "WRITE"], rng.randrange(3))]
    owner = {"Grantee": {"ID": "OWNER"}, "Permission": "FULL_CONTROL"}
    return {"Owner": {"ID": "OWNER"}, "AccessControlList": {"Grant": [owner] + everybody}}


def random_policy(rng):
    """`BUCKET` stands for the bucket. Nothing is forbidden that clearing up needs."""
    statements = []
    for number in range(rng.randrange(1, 3)):
        effect = rng.choice(["Allow", "Allow", "Deny"])
        action = ["s3:PutObjectTagging"] if effect == "Deny" else rng.choice([["s3:GetObject"], ["s3:GetObject", "s3:GetObjectTagging"]])
        resource = rng.choice(["arn:aws:s3:::BUCKET/*", "arn:aws:s3:::BUCKET/a*"])
        statements.append({"Sid": f"s{number}", "Effect": effect, "Principal": {"AWS": ["*"]}, "Action": action, "Resource": [resource]})
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def random_cors(rng):
    def rule(number):
        return {"AllowedMethod": rng.sample(["GET", "PUT", "HEAD", "POST", "DELETE"], rng.randrange(1, 4)),
                "AllowedOrigin": rng.sample(["https://x.example", "*", "http://*.y.example"], rng.randrange(1, 3))} | some(
            rng, .4, ID=f"rule {number} & more", AllowedHeader=["x-amz-*", "content-type"], ExposeHeader=["ETag"], MaxAgeSeconds=30)
    return {"CORSRule": [rule(number) for number in range(rng.randrange(1, 4))]}


def random_lifecycle(rng):
    """No rule is about a key that is ever there: a day may be short."""
    def rule(number):
        tag = {"Key": "a b", "Value": "x&y"}
        choices = [{"Prefix": "tmp/"}, {"And": {"Prefix": "tmp/<&>/", "Tag": [tag]}},
                   {"And": {"Prefix": "tmp/", "Tag": [tag, {"Key": "c", "Value": ""}]}}]
        if not (MINIO or CEPH):
            choices += [{"And": {"Prefix": "tmp/", "ObjectSizeGreaterThan": 1000, "ObjectSizeLessThan": 2000}}]
        actions = some(rng, .5, Expiration=lambda: rng.choice([{"Days": 30}, {"Date": "2099-01-01T00:00:00Z"}]),
                       NoncurrentVersionExpiration={"NoncurrentDays": 7})
        filtered = rng.choice(choices)
        if "Prefix" in filtered:
            actions |= some(rng, .3, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 3})
        return {"ID": f"rule {number}", "Status": rng.choice(["Enabled", "Disabled"]), "Filter": filtered} | (
            actions or {"Expiration": {"Days": 10}})
    return {"Rule": [rule(number) for number in range(rng.randrange(1, 4))]}


def random_lock(rng):
    kept = {"Mode": "GOVERNANCE"} | rng.choice([{"Days": 2}, {"Days": 5}, {"Years": 1}])
    return {"ObjectLockEnabled": "Enabled"} | rng.choice([{}, {"Rule": {"DefaultRetention": kept}}])


RANDOM = {
    "versioning": lambda rng: {"Status": rng.choice(["Enabled", "Enabled", "Suspended"])},
    "lock": random_lock,
    "acl": random_acl,
    "tagging": lambda rng: rng.choice([{"a": "1"}, {"x y": "z", "b": ""}, {"k:v": "a/b=c+d@e"}]),
    "cors": random_cors,
    "lifecycle": random_lifecycle,
    "policy": random_policy,
    "encryption": lambda rng: {"Rule": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                                        | some(rng, .5, BucketKeyEnabled=lambda: rng.random() < .5)]},
    "public_access": lambda rng: some(rng, .6, **{name: lambda: rng.random() < .5 for name in (
        "BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")}),
    "ownership": lambda rng: {"Rule": [{"ObjectOwnership": rng.choice(
        ["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"])}]},
}


def step(rng, lock):
    """One operation on a document of the bucket."""
    kind = rng.choice([kind for kind in KINDS if kind != ("versioning" if lock else "lock")])
    roll = rng.random()
    if roll < .2:
        return {"do": "setting_get", "kind": kind}
    if roll < .4 and kind not in REPLACED:
        return {"do": "setting_delete", "kind": kind}
    if kind == "acl" and rng.random() < .5:
        return {"do": "setting_put", "kind": kind, "canned": rng.choice(CANNED)}
    return {"do": "setting_put", "kind": kind, "document": RANDOM[kind](rng)}


def object_step(rng, key):
    """One operation on the access control list of an object, or what it means for somebody who does not sign."""
    roll = rng.random()
    if roll < .25:
        return {"do": "acl_get", "key": key}
    if roll < .5:
        return {"do": "acl_put", "key": key, "canned": rng.choice(CANNED)}
    if roll < .75:
        return {"do": "acl_put", "key": key, "document": random_acl(rng)}
    return {"do": "anonymous", "key": key}
