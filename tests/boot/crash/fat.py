"""The boot partition, read as the boot loader reads it: FAT32, first table only, read-only.

By Microsoft's "FAT: General Overview of On-Disk Format" 1.03; names are looked up without regard to
case, a long name counts if its pieces are in order and its checksum is that of the short one.
"""

import struct

ENTRY = 32
DIRECTORY, VOLUME, LONG_NAME = 0x10, 0x08, 0x0F


class Broken(Exception):
    """What is there cannot be read."""


class Fat:
    """A file system in `data` (anything that can be sliced), from `start` on."""

    def __init__(self, data, start, size):
        self.data, self.start, self.size = data, start, size
        boot = data[start:start + 512]
        sector, sectors_of_cluster, reserved, tables = struct.unpack_from("<HBHB", boot, 11)
        table_sectors, = struct.unpack_from("<I", boot, 36)
        self.top, = struct.unpack_from("<I", boot, 44)
        if boot[510:] != b"\x55\xaa" or sector != 512 or not sectors_of_cluster or not table_sectors:
            raise Broken("no FAT32")
        self.cluster_bytes = sector * sectors_of_cluster
        table = start + reserved * sector
        self.table_place = table, table_sectors * sector
        self.table = memoryview(data[table:table + table_sectors * sector]).cast("I")
        self.content = table + tables * table_sectors * sector

    def runs(self, first, size):
        """Where `size` bytes from cluster `first` on lie: offset and length of each piece."""
        pieces, cluster, left = [], first, size
        while left > 0:
            if not 2 <= cluster < len(self.table):
                raise Broken(f"the chain leads to cluster {cluster} with {left} bytes to go")
            at, length = self.content + (cluster - 2) * self.cluster_bytes, min(left, self.cluster_bytes)
            if pieces and sum(pieces[-1]) == at:
                pieces[-1] = (pieces[-1][0], pieces[-1][1] + length)
            else:
                pieces.append((at, length))
            left -= length
            cluster = self.table[cluster] & 0x0FFFFFFF
        return pieces

    def entries(self, first):
        """Names, attributes, first clusters and sizes in the folder that begins at cluster `first`."""
        long, expected, checksum = {}, 0, None
        for raw in self.raw_entries(first):
            if raw[0] == 0:
                return
            if raw[0] == 0xE5:
                long, expected = {}, 0
                continue
            if raw[11] & 0x3F == LONG_NAME:
                number = raw[0] & 0x3F
                if raw[0] & 0x40:
                    long, expected, checksum = {}, number, raw[13]
                if number == 0 or number != expected or raw[13] != checksum:
                    long, expected = {}, 0
                    continue
                long[number] = raw[1:11] + raw[14:26] + raw[28:32]
                expected -= 1
                continue
            name = short_name(raw)
            if long and expected == 0 and checksum == checksum_of(raw[:11]):
                units = b"".join(long[number] for number in sorted(long)).decode("utf-16-le", "replace")
                name = units.split("\0")[0]
            long, expected = {}, 0
            high, low, size = struct.unpack_from("<H4xHI", raw, 20)
            yield name.lower(), raw[11], high << 16 | low, size

    def raw_entries(self, cluster):
        seen = set()
        while 2 <= cluster < len(self.table) and cluster not in seen:
            seen.add(cluster)
            at = self.content + (cluster - 2) * self.cluster_bytes
            content = self.data[at:at + self.cluster_bytes]
            for offset in range(0, self.cluster_bytes, ENTRY):
                yield content[offset:offset + ENTRY]
            cluster = self.table[cluster] & 0x0FFFFFFF

    def folder(self, path):
        """What is in a folder: a name's first cluster and size, or nothing if it is not there."""
        cluster = self.top
        for name in path:
            found = [entry for entry in self.entries(cluster) if entry[0] == name and entry[1] & DIRECTORY]
            if not found:
                return {}
            cluster = found[0][2]
        files = {}
        for name, attributes, first, size in self.entries(cluster):
            if not attributes & (DIRECTORY | VOLUME):
                # The first of a name is the one that is found.
                files.setdefault(name, (first, size))
        return files


def short_name(raw):
    name, extension = raw[:8].decode("latin-1").rstrip(), raw[8:11].decode("latin-1").rstrip()
    return f"{name}.{extension}" if extension else name


def checksum_of(name):
    value = 0
    for byte in name:
        value = ((value << 7 | value >> 1) + byte) & 0xFF
    return value
