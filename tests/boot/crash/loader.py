"""Which slot a disk would start next, and whether that slot is whole.

What board/common/grub.cfg does, said again: environment, order, signatures. Then what it leaves to
the kernel: every block of the root is the description's. No line of it comes from the appliance's
programs, which are what is judged.
"""

import hashlib
import os
import struct
import subprocess
import tempfile
import uuid

from fat import Broken, Fat

BLOCK = 4096
SIGNED = ["slot.cfg", "kernel", "initramfs"]


class Verdict:
    """What would happen."""

    def __init__(self):
        # The slot that starts ("a", "b", "r" or None), and the version it holds if it is whole.
        self.starts, self.version = None, None
        # What the boot loader would try although it is not whole.
        self.half = []

    def is_good(self):
        return self.version in ("old", "new") and not self.half


class Judge:
    """Reads states of one disk. `versions` maps a name to a folder with the files of a slot."""

    def __init__(self, disk, keyring, versions):
        self.disk, self.keyring = disk, os.path.abspath(keyring)
        self.versions = {name: hashes_of(folder) for name, folder in versions.items()}
        self.places = partitions(disk.data)
        self.verdicts, self.chains, self.hashes, self.signatures, self.roots = {}, {}, {}, {}, {}

    def judge(self):
        """The disk as it is now. What was not written since it was last judged is not read again."""
        names = ("jumpgate-esp", "jumpgate-a", "jumpgate-b")
        key = tuple(self.disk.touched(*self.places[name]) for name in names)
        if key not in self.verdicts:
            self.verdicts[key] = self.look()
        return self.verdicts[key]

    def look(self):
        verdict = Verdict()
        try:
            self.fat = Fat(self.disk.data, *self.places["jumpgate-esp"])
            if self.hash(self.fat.folder(["efi", "boot"]).get("bootx64.efi")) is None:
                return verdict
        except (Broken, struct.error):
            return verdict
        self.folders = {slot: self.fat.folder(["jumpgate", slot]) for slot in "abr"}
        described = {slot: self.describe(slot) for slot in "abr"}
        order, left, trial = self.order(described)
        whole = {slot: self.whole(slot, described[slot]) for slot in "ab"}
        if trial and whole[trial] is None:
            verdict.half.append(f"slot {trial} is on trial and not whole")
        for slot in order:
            if left[slot] == "0" or described[slot] is None:
                continue
            if whole[slot] is None:
                verdict.half.append(f"slot {slot} would be tried and is not whole")
            if verdict.starts is None and self.loads(slot):
                verdict.starts, verdict.version = slot, whole[slot]
        if verdict.starts is None and described["r"] and self.loads("r"):
            verdict.starts = "r"
        return verdict

    def order(self, described):
        """The slots in the order they are tried, the tries of each, and the one on trial."""
        environment = self.environment("env")
        if environment is None:
            spare = self.environment("spare") or {}
            environment = {key: spare[key] for key in ("a_left", "b_left") if key in spare}
            for slot in "ab":
                if "good" in self.folders[slot]:
                    environment[f"{slot}_good"] = "1"
        left = {slot: environment.get(f"{slot}_left") or "3" for slot in "ab"}
        good = {slot: environment.get(f"{slot}_good") == "1" for slot in "ab"}
        sequence = {slot: int((described[slot] or {}).get("slot_sequence", 0)) for slot in "ab"}
        first = "b" if sequence["b"] > sequence["a"] else "a"
        if good["a"] != good["b"]:
            first = "a" if good["a"] else "b"
        trial = environment.get("trial")
        trial = trial if trial in ("a", "b") and left[trial] != "0" else None
        first = trial or first
        return [first, "b" if first == "a" else "a"], left, trial

    def environment(self, name):
        content = self.read(self.fat.folder(["jumpgate"]).get(name))
        if content is None or not content.startswith(b"# GRUB Environment Block\n"):
            return None
        lines = [line for line in content.decode("latin-1").split("\n") if not line.startswith("#")]
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def describe(self, slot):
        """The description of a slot, if there is one that is signed."""
        if not self.is_signed(slot, "slot.cfg"):
            return None
        text = self.read(self.folders[slot]["slot.cfg"]).decode()
        lines = [line.removeprefix("set ") for line in text.split("\n")]
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def loads(self, slot):
        return self.is_signed(slot, "kernel") and self.is_signed(slot, "initramfs")

    def whole(self, slot, description):
        """The version that a slot holds, if everything in it is that version's."""
        if description is None or not self.loads(slot):
            return None
        found = {name: self.hash(self.folders[slot].get(name)) for name in SIGNED}
        if not self.root_holds(slot, description):
            return None
        names = [name for name, expected in self.versions.items() if found == expected]
        return names[0] if names else None

    def root_holds(self, slot, description):
        place = self.places[f"jumpgate-{slot}"]
        key = (self.disk.touched(*place), slot, tuple(description.items()))
        if key not in self.roots:
            self.roots[key] = verity(self.disk.data, place[0], description)
        return self.roots[key]

    def is_signed(self, slot, name):
        files = self.folders[slot]
        content, signature = self.hash(files.get(name)), self.hash(files.get(f"{name}.sig"))
        if content is None or signature is None:
            return False
        if (content, signature) not in self.signatures:
            pair = self.read(files[name]), self.read(files[f"{name}.sig"])
            self.signatures[content, signature] = self.verifies(*pair)
        return self.signatures[content, signature]

    def verifies(self, content, signature):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("signature", "content")]
            for path, data in zip(paths, (signature, content)):
                with open(path, "wb") as file:
                    file.write(data)
            words = ["gpgv", "--quiet", "--homedir", folder, "--keyring", self.keyring, *paths]
            return subprocess.run(words, capture_output=True, check=False).returncode == 0

    def read(self, place):
        """A file's content; None if it is not there or its end cannot be reached."""
        runs = self.runs(place)
        return None if runs is None else b"".join(self.disk.data[at:at + length] for at, length in runs)

    def runs(self, place):
        """Where a file's content lies."""
        key = place, self.disk.touched(*self.fat.table_place)
        if key not in self.chains:
            try:
                self.chains[key] = self.fat.runs(*place) if place else None
            except Broken:
                self.chains[key] = None
        return self.chains[key]

    def hash(self, place):
        """Of a file's content, remembered as long as nothing was written there."""
        runs = self.runs(place)
        if runs is None:
            return None
        key = tuple((run, self.disk.touched(*run)) for run in runs)
        if key not in self.hashes:
            digest = hashlib.sha256()
            for at, length in runs:
                digest.update(self.disk.data[at:at + length])
            self.hashes[key] = digest.hexdigest()
        return self.hashes[key]


def partitions(data):
    """Offset and size in bytes of each partition by name, from the primary table."""
    if data[512:520] != b"EFI PART":
        raise Broken("no partition table")
    first, count, size = struct.unpack_from("<QII", data[512:1024], 72)
    found = {}
    for number in range(count):
        begin = first * 512 + number * size
        entry = data[begin:begin + size]
        if uuid.UUID(bytes_le=entry[:16]).int:
            begin, end = struct.unpack_from("<QQ", entry, 32)
            found[entry[56:128].decode("utf-16-le").rstrip("\0")] = begin * 512, (end - begin + 1) * 512
    return found


def hashes_of(folder):
    found = {}
    for name in SIGNED:
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = hashlib.sha256(file.read()).hexdigest()
    return found


def verity(data, at, description):
    """Whether every block of a root and of the hash tree behind it is what the description signs.

    dm-verity, version 1, no superblock: the tree's levels lie behind the data, the top one first.
    """
    salt, blocks = bytes.fromhex(description["slot_salt"]), int(description["slot_blocks"])
    level, count = data[at:at + blocks * BLOCK], blocks
    levels = []
    while True:
        view = memoryview(level)
        digests = b"".join(hashlib.sha256(salt + view[number * BLOCK:(number + 1) * BLOCK]).digest()
                           for number in range(count))
        if count == 1:
            break
        count = -(-len(digests) // BLOCK)
        level = digests.ljust(count * BLOCK, b"\0")
        levels.append(level)
    tree = b"".join(reversed(levels))
    begin = at + blocks * BLOCK
    return digests.hex() == description["slot_root"] and data[begin:begin + len(tree)] == tree
