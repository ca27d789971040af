#!/usr/bin/env python3
"""Put Secure Boot keys into an empty variable store of QEMU's firmware.

Usage: ovmf-vars.py TEMPLATE OUTPUT PK.crt KEK.crt db.crt    (certificates in DER)

On a real board the vendor enrols the same three certificates in the factory. With a PK in place
the firmware leaves set-up mode and turns Secure Boot on by itself. Layout: UEFI Platform
Initialization Specification, volume 3 (firmware volume), and EDK II's
MdeModulePkg/Include/Guid/VariableFormat.h (authenticated variables).
"""

import struct
import sys
import uuid

STORE = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792").bytes_le
GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c").bytes_le
DATABASE = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f").bytes_le
X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072").bytes_le
# Whoever asks learns which certificates are ours.
OWNER = uuid.UUID("4a756d70-6761-7465-8000-000000000001").bytes_le
ADDED = 0x3F
# Non-volatile, boot services, runtime, time-based authenticated write.
ATTRIBUTES = 0x27
TIMESTAMP = struct.pack("<HBBBBBxIhBx", 2026, 1, 1, 0, 0, 0, 0, 0, 0)


def signature_list(certificate: bytes) -> bytes:
    """One EFI_SIGNATURE_LIST with one certificate."""
    size = 16 + len(certificate)
    return X509 + struct.pack("<III", 28 + size, 0, size) + OWNER + certificate


def variable(name: str, vendor: bytes, data: bytes) -> bytes:
    """One variable, padded to where the next may begin."""
    wide = (name + "\0").encode("utf-16-le")
    header = struct.pack("<HBxIQ", 0x55AA, ADDED, ATTRIBUTES, 0) + TIMESTAMP
    header += struct.pack("<III", 0, len(wide), len(data)) + vendor
    whole = header + wide + data
    return whole + b"\xff" * (-len(whole) % 4)


def main() -> None:
    template, output, *certificates = sys.argv[1:]
    with open(template, "rb") as file:
        image = bytearray(file.read())
    volume_header = struct.unpack_from("<H", image, 48)[0]
    if image[volume_header : volume_header + 16] != STORE:
        sys.exit(f"ovmf-vars.py: {template} has no store of authenticated variables")
    at = volume_header + 28
    if image[at : at + 2] != b"\xff\xff":
        sys.exit(f"ovmf-vars.py: {template} is not empty")
    for name, vendor, path in zip(
        ("PK", "KEK", "db"), (GLOBAL, GLOBAL, DATABASE), certificates, strict=True
    ):
        with open(path, "rb") as file:
            added = variable(name, vendor, signature_list(file.read()))
        image[at : at + len(added)] = added
        at += len(added)
    with open(output, "wb") as file:
        file.write(image)


main()
