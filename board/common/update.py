#!/usr/bin/env python3
"""Make and sign what an appliance updates itself from.

Usage: update.py root KEYS [ROLE...]    begin the root of trust, or give these roles new keys
       update.py sign KEYS SLOT RELEASE MODEL LINE NOTES REPOSITORY OUTPUT

KEYS holds ROLE.key and ROLE-2.key, ROLE-3.key, ... (Ed25519, PEM) for root, targets, snapshot and
timestamp, and N.root.json for every root there ever was. `root` replaces keys and signs the next
root by the old and the new ones; a threshold above one is written by hand, or by any other tool of
The Update Framework (TUF 1.0).

`sign` adds a version to REPOSITORY, a folder to be served as it is (metadata/, targets/), and packs
the same as one file, OUTPUT: magic, length, hash, metadata, payload (src/update/bundle/mod.rs). Nothing but
the time of signing, in the dates, differs from run to run.
"""

import datetime
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time

FILES = ["root.img", "initramfs", "initramfs.sig", "kernel", "kernel.sig", "slot.cfg.sig", "slot.cfg"]
CHUNK = 1 << 20
MAGIC = b"JUMPGATE UPDATE1"
ROLES = ["root", "targets", "snapshot", "timestamp"]
DAYS = {"root": 5 * 365, "targets": 365, "snapshot": 90, "timestamp": 30}


def fail(text):
    sys.exit(f"update.py: {text}")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def canonical(value):
    """What is signed: canonical JSON, as TUF means it. Our metadata is ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def openssl(*arguments):
    run = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
    if run.returncode:
        fail(run.stderr.decode().strip())
    return run.stdout


class Key:
    def __init__(self, path):
        self.path = path
        public = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")[-32:].hex()
        self.public = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}
        self.id = hashlib.sha256(canonical(self.public)).hexdigest()

    def sign(self, message):
        with tempfile.NamedTemporaryFile() as file:
            file.write(message)
            file.flush()
            signed = openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", file.name)
        return {"keyid": self.id, "sig": signed.hex()}


def keys_of(folder, role):
    names = [f"{role}.key"] + [f"{role}-{number}.key" for number in range(2, 10)]
    found = [Key(os.path.join(folder, name)) for name in names if os.path.exists(os.path.join(folder, name))]
    return found or fail(f"no {role}.key in {folder}; scripts/make-keys makes development keys")


def envelope(signed, keys):
    unique = {key.id: key for key in keys}
    signatures = [unique[name].sign(canonical(signed)) for name in sorted(unique)]
    return json.dumps({"signatures": signatures, "signed": signed}, indent=1, sort_keys=True).encode() + b"\n"


def metadata(role, version, **content):
    until = datetime.datetime.fromtimestamp(time.time(), datetime.timezone.utc).replace(microsecond=0)
    until += datetime.timedelta(days=DAYS[role])
    return {"_type": role, "spec_version": "1.0.31", "version": version,
            "expires": until.strftime("%Y-%m-%dT%H:%M:%SZ"), **content}


def roots(folder):
    """Version and bytes of every root, oldest first."""
    found, version = [], 1
    while os.path.exists(path := os.path.join(folder, f"{version}.root.json")):
        found.append((version, read(path)))
        version += 1
    return found


def make_root(folder, replaced):
    before = roots(folder)
    old = keys_of(folder, "root") if before else []
    for role in ROLES:
        path = os.path.join(folder, f"{role}.key")
        if role in replaced or not os.path.exists(path):
            openssl("genpkey", "-algorithm", "ed25519", "-out", path + ".new")
            if role == "root" and before:
                # The old one signs below, so it has to be read before.
                old = [StillThere(key) for key in old]
            os.rename(path + ".new", path)
    keys = {role: keys_of(folder, role) for role in ROLES}
    signed = metadata("root", len(before) + 1, consistent_snapshot=True,
                      keys={key.id: key.public for some in keys.values() for key in some},
                      roles={role: {"keyids": sorted(key.id for key in some), "threshold": 1}
                             for role, some in keys.items()})
    write(os.path.join(folder, f"{len(before) + 1}.root.json"), envelope(signed, old + keys["root"]))


class StillThere(Key):
    """A key whose file is about to be replaced."""

    def __init__(self, key):
        with tempfile.NamedTemporaryFile(delete=False) as copy:
            copy.write(read(key.path))
        super().__init__(copy.name)

    def sign(self, message):
        signature = super().sign(message)
        os.remove(self.path)
        return signature


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "wb") as file:
        file.write(content)
    os.rename(path + ".new", path)


def manifest(slot, release, model, notes):
    """What the update consists of, as JSON, and its payload."""
    files, payload = [], b""
    for name in FILES:
        content = read(os.path.join(slot, name))
        chunks = [hashlib.sha256(content[at:at + CHUNK]).hexdigest() for at in range(0, len(content), CHUNK)]
        files.append({"name": name, "bytes": len(content), "chunks": chunks})
        payload += content
    facts = dict(line.split("=", 1) for line in read(release).decode().splitlines() if "=" in line)
    numbers = {name: int(facts[name]) for name in ("sequence", "epoch", "built", "schema")}
    described = {"format": 1, "product": "jumpgate", "model": model, "notes": notes, "files": files, **numbers,
                 **{name: facts[name] for name in ("profile", "channel", "version")}}
    return json.dumps(described, indent=1, ensure_ascii=False).encode() + b"\n", payload


def target(content):
    return {"length": len(content), "hashes": {"sha256": hashlib.sha256(content).hexdigest()}}


def newest(folder, role):
    """The newest metadata of a role in a repository, if there is any."""
    names = [name for name in os.listdir(folder) if name.endswith(f".{role}.json")] if os.path.isdir(folder) else []
    numbers = [int(name.split(".")[0]) for name in names]
    return json.loads(read(os.path.join(folder, f"{max(numbers)}.{role}.json")))["signed"] if numbers else None


def sign(folder, slot, release, model, line, notes, repository, output):
    described, payload = manifest(slot, release, model, read(notes).decode() if notes else "")
    if not (found := roots(folder)):
        fail(f"no root of trust in {folder}; scripts/make-keys makes one for development")
    place = os.path.join(repository, "metadata")
    before = newest(place, "targets")
    # Without a repository that goes on, later versions of the software still have higher numbers.
    version = max((before or {"version": 0})["version"] + 1, json.loads(described)["sequence"])
    targets = dict(before["targets"]) if before else {}
    for name, content in ((f"{line}/{model}.json", described), (f"{line}/{model}.payload", payload)):
        targets[name] = target(content)
        where, base = os.path.split(name)
        write(os.path.join(repository, "targets", where, f"{targets[name]['hashes']['sha256']}.{base}"), content)
    made = {"targets": envelope(metadata("targets", version, targets=targets), keys_of(folder, "targets"))}
    for role, of in (("snapshot", "targets"), ("timestamp", "snapshot")):
        meta = {f"{of}.json": {"version": version, **target(made[of])}}
        made[role] = envelope(metadata(role, version, meta=meta), keys_of(folder, role))
    files = {f"{number}.root.json": content for number, content in found}
    files |= {"timestamp.json": made["timestamp"], f"{version}.snapshot.json": made["snapshot"],
              f"{version}.targets.json": made["targets"]}
    # What names the others comes last, so that whoever looks meanwhile finds the old ones whole.
    for name in sorted(files, key=lambda name: name == "timestamp.json"):
        write(os.path.join(place, name), files[name])
    packed = b"".join(bytes([len(name)]) + name.encode() + len(content).to_bytes(4, "big") + content
                      for name, content in (files | {"manifest.json": described}).items())
    write(os.path.abspath(output), MAGIC + len(packed).to_bytes(4, "big") + hashlib.sha256(packed).digest() + packed + payload)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["root", folder, *replaced] if all(role in ROLES for role in replaced):
            make_root(folder, replaced)
        case ["sign", *arguments] if len(arguments) == 8:
            sign(*arguments)
        case _:
            fail("see the manual at its top")
