#!/usr/bin/env python3
"""The states that a power cut during a recorded install can leave a disk in, each judged.

Usage: states.py prepare DISK LOG BEGIN
       states.py judge DISK LOG BEGIN END KEYRING BEFORE OLD NEW SEED COUNT [--ignore-flushes]
       states.py write DISK LOG BEGIN END KEYRING BEFORE OLD NEW SEED COUNT NUMBER OUTPUT

prepare   brings DISK from what it was first to what it was when LOG had BEGIN bytes
judge     judges COUNT states of what LOG holds from BEGIN to END, chosen by SEED, and prints as JSON
          how many there were and what was wrong with those that are not good; OLD, NEW and BEFORE
          are the folders of the version that runs, of the one that comes, and of the one that it
          replaces; KEYRING is what the boot loader checks them by
write     makes OUTPUT from DISK: the disk in state NUMBER of those COUNT; prints as JSON what was judged
          of that one

A state is every write before a flush, and then one of: all writes up to some point (each point is a
state), any of the writes after the flush, or all up to some point and a part of the next. A part is some
of its sectors, or begins to be the old content in the middle of a sector. --ignore-flushes is a disk
that loses what it was told to keep: any write of the install may be missing, whatever came later. No
order of writes survives that, so a judge that finds nothing wrong then is no judge.
"""

import json
import random
import subprocess
import sys
import time

from loader import Judge, partitions
from recording import SECTOR, Disk, Recording

# How often another state is drawn, because the one that was drawn was there, for each that is asked for.
TRIES = 50


class Chooser:
    """Chooses states. One is: how many writes are there in order, and the pieces of later ones."""

    def __init__(self, recording, places, seed, ignore_flushes):
        self.writes, self.random = recording.writes, random.Random(seed)
        self.flushes = [0] if ignore_flushes else [0] + recording.flushes
        system = [places[name] for name in ("jumpgate-esp", "jumpgate-a", "jumpgate-b")]
        self.counts = [any(at < write.at + write.size and write.at < at + size for at, size in system)
                       for write in self.writes]

    def choose(self, count):
        points = range(len(self.writes) + 1)
        # Every one, or half of what is asked for.
        points = points if 2 * len(points) <= count else self.random.sample(points, count // 2)
        chosen = {(point, ()) for point in points}
        spans = list(zip(self.flushes, self.flushes[1:] + [len(self.writes)]))
        # Where something of the boot loader's or a slot is on its way.
        spans = [(begin, end) for begin, end in spans if any(self.counts[begin:end])]
        counting = [number for number, counts in enumerate(self.counts) if counts]
        for _ in range(count * TRIES):
            if len(chosen) >= count:
                break
            if self.random.random() < 0.5:
                chosen.add(self.some_of(*self.random.choice(spans)))
            else:
                number = self.random.choice(counting)
                chosen.add((number, self.part_of(number)))
        # In order, so that the disk only ever goes on.
        return sorted(chosen)

    def some_of(self, begin, end):
        """Any of the writes between two flushes: few of them, half, most, or nearly all."""
        share = self.random.choice([0.1, 0.5, 0.9, 0.99])
        if self.random.random() < 0.5:
            end = self.random.randint(begin + 1, end)
        some = [number for number in range(begin, end) if self.random.random() < share]
        return begin, tuple((number, 0, self.writes[number].size) for number in some)

    def part_of(self, number):
        size = self.writes[number].size
        kind = self.random.randrange(3)
        if kind == 0 or size == SECTOR:
            # Ends in the middle of a sector.
            return ((number, 0, self.random.randrange(1, size)),)
        if kind == 1:
            return ((number, 0, self.random.randrange(SECTOR, size, SECTOR)),)
        sectors = [at for at in range(0, size, SECTOR) if self.random.random() < 0.5]
        return tuple((number, at, at + SECTOR) for at in sectors)


def prepare(disk, log, begin):
    with open(disk, "r+b") as file:
        for write in Recording(log, int(begin), int(begin)).before:
            file.seek(write.at)
            # Holes stay holes.
            if file.read(write.size) != write.content:
                file.seek(write.at)
                file.write(write.content)


class States:
    """The states that were asked for, and what is needed to judge them."""

    def __init__(self, path, log, begin, end, keyring, before, old, new, seed, count, *flags):
        self.recording = Recording(log, int(begin), int(end))
        self.disk = Disk(path, self.recording)
        self.reader = Judge(self.disk, keyring, {"old": old, "new": new, "before": before})
        chooser = Chooser(self.recording, self.reader.places, int(seed), "--ignore-flushes" in flags)
        self.chosen = chooser.choose(int(count))

    def judge(self, number):
        point, extra = self.chosen[number]
        self.disk.go_to(point)
        self.disk.put(extra)
        verdict = self.reader.judge()
        self.disk.take_back()
        return verdict


def told(number, verdict):
    return {"state": number, "starts": verdict.starts, "version": verdict.version, "half": verdict.half}


def judge(*arguments):
    started = time.monotonic()
    states = States(*arguments)
    bad, versions = [], {"old": 0, "new": 0}
    for number in range(len(states.chosen)):
        verdict = states.judge(number)
        if verdict.is_good():
            versions[verdict.version] += 1
        else:
            bad.append(told(number, verdict))
    print(json.dumps({
        "states": len(states.chosen), "prefixes": sum(not extra for _, extra in states.chosen),
        "different": len(states.reader.verdicts), "writes": len(states.recording.writes),
        "flushes": len(states.recording.flushes), **versions,
        "not_complete": sum(one["version"] not in versions for one in bad),
        "half_visible": sum(bool(one["half"]) for one in bad), "bad": bad[:5],
        "seconds": round(time.monotonic() - started, 1)}))


def write(path, *arguments):
    *arguments, number, output = arguments
    states = States(path, *arguments)
    point, extra = states.chosen[int(number)]
    subprocess.run(["cp", "--sparse=always", path, output], check=True)
    with open(output, "r+b") as file:
        whole = [(number, 0, write.size) for number, write in enumerate(states.recording.writes[:point])]
        for piece, begin, end in [*whole, *extra]:
            file.seek(states.recording.writes[piece].at + begin)
            file.write(states.recording.writes[piece].content[begin:end])
    print(json.dumps(told(int(number), states.judge(int(number)))))


if __name__ == "__main__":
    commands = {"prepare": prepare, "judge": judge, "write": write}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
