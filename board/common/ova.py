#!/usr/bin/env python3
"""Make an OVA of a packed disk: what the virtual machine is, a manifest, and the disk, in one file.

Usage: ova.py DISK.vmdk OUTPUT.ova --name N --version V --cpus C --memory-mib M --disk-gib G --built T

The same input gives the same bytes; T (seconds since 1970) is the time of everything inside. Format:
DMTF DSP0243 1.1.0: descriptor, manifest, then the files in the order of its References, as USTAR.
The manifest has SHA-256 as in 2.0, which importers of 1.1.0 take as well. The machine has EFI
firmware, one disk on a SATA controller and one network card.
"""

import argparse
import hashlib
import io
import os
import tarfile

# What CIM calls them (DSP8023, DSP8024).
OVF = "http://schemas.dmtf.org/ovf/envelope/1"
CIM = "http://schemas.dmtf.org/wbem/wscim/1"
VMDK = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"
PROCESSOR, MEMORY, NETWORK_CARD, DISK, SATA = 3, 4, 10, 17, 20


def item(number: int, kind: int, name: str, **more: object) -> str:
    """One Item. Its children stand in alphabetical order, which the schema asks for."""
    values = {"ElementName": name, "InstanceID": number, "ResourceType": kind, **more}
    lines = (f"        <rasd:{key}>{values[key]}</rasd:{key}>\n" for key in sorted(values))
    return f"      <Item>\n{''.join(lines)}      </Item>\n"


def descriptor(given: argparse.Namespace, disk: str, size: int) -> str:
    """The OVF file."""
    memory = given.memory_mib
    items = [
        item(1, PROCESSOR, f"{given.cpus} processors", VirtualQuantity=given.cpus,
             AllocationUnits="hertz * 10^6", Description="Processors"),
        item(2, MEMORY, f"{memory} MiB of memory", VirtualQuantity=memory,
             AllocationUnits="byte * 2^20", Description="Memory"),
        item(3, SATA, "SATA controller", Address=0, ResourceSubType="vmware.sata.ahci",
             Description="SATA controller"),
        item(4, DISK, "Disk", AddressOnParent=0, HostResource="ovf:/disk/disk1", Parent=3),
        item(5, NETWORK_CARD, "Network card", AddressOnParent=0, AutomaticAllocation="true",
             Connection="Network", ResourceSubType="VmxNet3"),
    ]  # fmt: skip
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="{OVF}" xmlns:ovf="{OVF}"
  xmlns:rasd="{CIM}/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vssd="{CIM}/cim-schema/2/CIM_VirtualSystemSettingData"
  xmlns:vmw="http://www.vmware.com/schema/ovf" xml:lang="en-US">
  <References>
    <File ovf:id="file1" ovf:href="{disk}" ovf:size="{size}"/>
  </References>
  <DiskSection>
    <Info>Disks</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="{given.disk_gib}"
      ovf:capacityAllocationUnits="byte * 2^30" ovf:format="{VMDK}"/>
  </DiskSection>
  <NetworkSection>
    <Info>Networks</Info>
    <Network ovf:name="Network">
      <Description>Where browsers and customers reach the appliance; it asks for an address by DHCP</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id="jumpgate">
    <Info>A virtual machine</Info>
    <Name>{given.name}</Name>
    <OperatingSystemSection ovf:id="101" vmw:osType="otherLinux64Guest">
      <Info>What runs in it</Info>
      <Description>Linux, 64 bits</Description>
    </OperatingSystemSection>
    <ProductSection>
      <Info>What it is</Info>
      <Product>{given.name}</Product>
      <Vendor>Jumpgate</Vendor>
      <Version>{given.version.partition("+")[0]}</Version>
      <FullVersion>{given.version}</FullVersion>
    </ProductSection>
    <VirtualHardwareSection>
      <Info>What it takes</Info>
      <System>
        <vssd:ElementName>Virtual hardware</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>jumpgate</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-13</vssd:VirtualSystemType>
      </System>
{"".join(items)}      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
      <vmw:Config ovf:required="false" vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="false"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
"""


def add(archive: tarfile.TarFile, name: str, size: int, built: int, content) -> None:
    """Adds a file that belongs to nobody in particular."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.mode = size, built, 0o644
    archive.addfile(entry, content)


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("disk")
    parser.add_argument("output")
    for option in ("--name", "--version"):
        parser.add_argument(option, required=True)
    for option in ("--cpus", "--memory-mib", "--disk-gib", "--built"):
        parser.add_argument(option, required=True, type=int)
    given = parser.parse_args()
    disk = os.path.basename(given.disk)
    size = os.path.getsize(given.disk)
    stem = os.path.splitext(disk)[0]
    ovf = descriptor(given, disk, size).encode()
    with open(given.disk, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        manifest = f"SHA256({stem}.ovf)= {hashlib.sha256(ovf).hexdigest()}\nSHA256({disk})= {digest}\n"
        file.seek(0)
        with tarfile.open(given.output, "w", format=tarfile.USTAR_FORMAT) as archive:
            add(archive, f"{stem}.ovf", len(ovf), given.built, io.BytesIO(ovf))
            add(archive, f"{stem}.mf", len(manifest), given.built, io.BytesIO(manifest.encode()))
            add(archive, disk, size, given.built, file)


main()
