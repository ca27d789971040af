#!/usr/bin/env python3
"""Pack a raw disk image as a stream-optimized VMDK, the disk of an OVA.

Usage: vmdk.py IMAGE CAPACITY_GIB OUTPUT

The same image gives the same bytes: qemu-img would put a random content identifier into each, and
leaves out the markers and the footer that a reader of a stream goes by. Layout: Virtual Disk Format
5.0, "Stream-Optimized Compressed Sparse Extents":

    header, descriptor | grain... | grain table | grain... | grain table | directory | footer | end

with a marker of one sector in front of each. A grain of zeros is left out. CAPACITY_GIB may be more
than the image: the appliance lets its data partition fill the disk.
"""

import hashlib
import os
import struct
import sys
import zlib

SECTOR = 512
GRAIN_SECTORS = 128
GRAIN = GRAIN_SECTORS * SECTOR
TABLE_ENTRIES = 512
TABLE_SECTORS = TABLE_ENTRIES * 4 // SECTOR
DESCRIPTOR_SECTORS = 20
# Compressed grains, markers, and line ends to check.
FLAGS = 0x30001
DEFLATE = 1
# Where a header says where the directory is, in a file that is written from front to back.
DIRECTORY_AT_END = 0xFFFFFFFFFFFFFFFF
END, TABLE, DIRECTORY, FOOTER = range(4)


def header(capacity: int, directory: int) -> bytes:
    """A SparseExtentHeader; `capacity` and `directory` in sectors."""
    return struct.pack(
        "<4sIIQQQQIQQQ?4sH433x",
        b"KDMV", 3, FLAGS, capacity, GRAIN_SECTORS, 1, DESCRIPTOR_SECTORS, TABLE_ENTRIES,
        0, directory, GRAIN_SECTORS, False, b"\n \r\n", DEFLATE,
    )  # fmt: skip


def marker(kind: int, sectors: int) -> bytes:
    """What announces `sectors` of something else than a grain."""
    return struct.pack("<QII496x", sectors, 0, kind)


def descriptor(capacity: int, content: str, name: str) -> bytes:
    """The text in front; `content` stands for what is in the disk."""
    cylinders = min(capacity // (255 * 63), 65535)
    text = f"""# Disk DescriptorFile
version=1
CID={content[:7]}0
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RDONLY {capacity} SPARSE "{name}"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "{cylinders}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.longContentID = "{content[:24]}{content[:7]}0"
ddb.virtualHWVersion = "13"
"""
    return text.encode().ljust(DESCRIPTOR_SECTORS * SECTOR, b"\0")


def grains(image):
    """Number and bytes of each grain that is not all zeros."""
    zeros = bytes(GRAIN)
    size = os.fstat(image.fileno()).st_size
    at = 0
    while at < size:
        try:
            # What was never written is zeros.
            at = os.lseek(image.fileno(), at, os.SEEK_DATA) // GRAIN * GRAIN
        except OSError:
            return
        image.seek(at)
        grain = image.read(GRAIN).ljust(GRAIN, b"\0")
        if grain != zeros:
            yield at // GRAIN, grain
        at += GRAIN


def pack(image, output, capacity: int, name: str) -> None:
    """Writes the whole file."""
    size = os.fstat(image.fileno()).st_size
    if size > capacity * SECTOR:
        sys.exit(f"vmdk.py: the image has {size} bytes, the disk {capacity * SECTOR}")
    content = hashlib.sha256()

    def sector() -> int:
        output.write(bytes(-output.tell() % SECTOR))
        return output.tell() // SECTOR

    output.write(header(capacity, DIRECTORY_AT_END))
    # The descriptor comes here once the content is known.
    output.write(bytes(GRAIN - output.tell()))
    directory = [0] * -(-capacity // (GRAIN_SECTORS * TABLE_ENTRIES))
    table = [0] * TABLE_ENTRIES

    def close_table(number: int) -> None:
        if any(table):
            output.write(marker(TABLE, TABLE_SECTORS))
            directory[number] = sector()
            output.write(struct.pack(f"<{TABLE_ENTRIES}I", *table))
        table[:] = [0] * TABLE_ENTRIES

    current = 0
    for number, grain in grains(image):
        if number // TABLE_ENTRIES != current:
            close_table(current)
            current = number // TABLE_ENTRIES
        table[number % TABLE_ENTRIES] = sector()
        packed = zlib.compress(grain, 6)
        packed = struct.pack("<QI", number * GRAIN_SECTORS, len(packed)) + packed
        content.update(packed)
        output.write(packed)
        sector()
    close_table(current)

    packed = struct.pack(f"<{len(directory)}I", *directory)
    output.write(marker(DIRECTORY, -(-len(packed) // SECTOR)))
    at = sector()
    output.write(packed)
    sector()
    output.write(marker(FOOTER, 1) + header(capacity, at) + marker(END, 0))
    output.seek(SECTOR)
    output.write(descriptor(capacity, content.hexdigest(), name))


def main() -> None:
    path, gib, to = sys.argv[1:]
    with open(path, "rb") as image, open(to, "wb") as output:
        pack(image, output, int(gib) * 2**30 // SECTOR, os.path.basename(to))


main()
