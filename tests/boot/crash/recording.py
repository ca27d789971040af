"""What a machine wrote, in order, and the disk as any part of that leaves it.

The log is QEMU's (`blklogwrites`), in the format of the kernel's dm-log-writes: sectors of 512 bytes,
the first one says so, then for each write one with where it goes, followed by what was written. An
entry stands there once its write has completed; a flush makes last whatever stands before it. (Of a
write that completes while a flush is under way that is not certain; but whoever asked for that flush
did not wait for this write, so nothing can rest on it.) QEMU makes no marks.
"""

import bisect
import mmap
import struct

SECTOR = 512
MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


class Write:
    """One write: where on the disk, and what."""

    def __init__(self, at, content):
        self.at, self.content, self.size = at, content, len(content)


class Recording:
    """The log `path`: what was written before byte `begin` of it, and the rest up to `end`."""

    def __init__(self, path, begin, end):
        with open(path, "rb") as file:
            self.log = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        magic, version, _, sector = struct.unpack_from("<QQQI", self.log)
        if (magic, version, sector) != (MAGIC, 1, SECTOR):
            raise ValueError(f"{path} is no log of writes")
        self.before, self.writes = [], []
        # How many of `writes` were there at each flush.
        self.flushes = []
        at = SECTOR
        while at < end:
            first, count, flags, extra = struct.unpack_from("<QQQQ", self.log, at)
            content, header = at + SECTOR, at
            # What a discard leaves is not in the log, nor is anybody promised anything of it.
            at = content + (0 if flags & DISCARD else count * SECTOR)
            if extra or flags & MARK:
                raise ValueError(f"{path} has marks, which nobody made")
            if flags & FLUSH and header >= begin and len(self.writes) not in self.flushes[-1:]:
                self.flushes.append(len(self.writes))
            if count and not flags & DISCARD:
                write = Write(first * SECTOR, self.log[content:content + count * SECTOR])
                (self.writes if header >= begin else self.before).append(write)


class Disk:
    """The disk before the recording, to be changed in memory only; `path` stays as it is.

    It is at a point when the first `self.point` writes are there; more can be put on top for a while.
    """

    def __init__(self, path, recording):
        with open(path, "rb") as file:
            self.data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        self.writes, self.point, self.extra, self.saved = recording.writes, 0, [], []
        # Which writes meet a place, by number.
        self.meeting = {}

    def go_to(self, point):
        """Goes on to a later point."""
        assert point >= self.point and not self.extra
        for write in self.writes[self.point:point]:
            self.data[write.at:write.at + write.size] = write.content
        self.point = point

    def put(self, extra):
        """Puts pieces of later writes on top: (number of the write, first byte, byte after the last)."""
        for number, begin, end in extra:
            write = self.writes[number]
            place = slice(write.at + begin, write.at + end)
            self.saved.append((place, self.data[place]))
            self.data[place] = write.content[begin:end]
        self.extra = extra

    def take_back(self):
        while self.saved:
            place, content = self.saved.pop()
            self.data[place] = content
        self.extra = []

    def touched(self, at, size):
        """What was written there: the same answer means the same bytes."""
        if (at, size) not in self.meeting:
            self.meeting[at, size] = [number for number, write in enumerate(self.writes)
                                      if write.at < at + size and at < write.at + write.size]
        meeting = self.meeting[at, size]
        extra = tuple(piece for piece in self.extra if piece[0] in meeting) if meeting else ()
        return bisect.bisect_left(meeting, self.point), extra
