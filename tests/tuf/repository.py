"""Makes a repository with the reference implementation of The Update Framework.

Usage: repository.py FOLDER KEYS

Reads orders from standard input, one a line, and answers "ok" to each. FOLDER gets metadata/ and
targets/ as a web server would have them. KEYS: ed25519, ecdsa or rsa; what every role signs with.

  publish ROLE…                the next version of each, listed where it belongs
  target ROLE NAME TEXT        a target, with its file
  rotate ROLE                  a new key in the place of the role's keys
  add-key ROLE                 a further key, which signs as well
  drop-signer ROLE             a key goes on to be listed, but does not sign
  threshold ROLE NUMBER        how many keys it takes
  stranger ROLE                a key that is not listed signs instead
  retired ROLE                 the keys from before the rotation sign instead
  double ROLE                  it takes two keys, and one of them is the other under another id
  version ROLE NUMBER          the version that was published last, as far as we remember
  expires ROLE DAYS            from today
  delegate FROM TO PATTERN     a further list of targets
  bins FROM BITS               the same, by the beginnings of names' hashes
  listed FILE VERSION          what the snapshot says of a list of targets
  unlist FILE                  … or does not say any more
  plain-names                  files have no versions and hashes in their names any more
  hashes                       lengths and hashes stand beside versions from now on
"""

import datetime
import hashlib
import os
import sys

from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    SuccinctRoles,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization.json import JSONSerializer

MAKE_KEY = {
    "ed25519": CryptoSigner.generate_ed25519,
    "ecdsa": CryptoSigner.generate_ecdsa,
    "rsa": CryptoSigner.generate_rsa,
}
TODAY = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def in_days(days):
    return TODAY + datetime.timedelta(days=days)


class Repository:
    def __init__(self, folder, keys):
        self.folder = folder
        self.make_key = MAKE_KEY[keys]
        self.with_hashes = False
        expires = in_days(30)
        self.roles = {
            "root": Metadata(Root(expires=expires, consistent_snapshot=True)),
            "timestamp": Metadata(Timestamp(expires=expires)),
            "snapshot": Metadata(Snapshot(expires=expires)),
            "targets": Metadata(Targets(expires=expires)),
        }
        self.delegators = dict.fromkeys(self.roles, "root")
        self.signers = {role: [] for role in self.roles}
        self.retired_signers = {}
        self.published = set()
        for part in ("metadata", "targets"):
            os.makedirs(os.path.join(folder, part))
        for role in self.roles:
            self.add_key(role)
        self.target("targets", "a.update", "hello")
        self.publish("root", "targets", "snapshot", "timestamp")

    def publish(self, *roles):
        for role in roles:
            metadata = self.roles[role]
            if role in self.published:
                metadata.signed.version += 1
            self.published.add(role)
            metadata.signatures.clear()
            for signer in self.signers[role]:
                metadata.sign(signer, append=True)
            version = metadata.signed.version
            data = metadata.to_bytes(JSONSerializer())
            plain = role == "timestamp" or (role != "root" and not self.is_consistent())
            name = f"{role}.json" if plain else f"{version}.{role}.json"
            self.write("metadata", name, data)
            listed = MetaFile(version)
            if self.with_hashes:
                listed = MetaFile.from_data(version, data, ["sha256", "sha512"])
            if role == "snapshot":
                self.roles["timestamp"].signed.snapshot_meta = listed
            elif role not in ("root", "timestamp"):
                self.roles["snapshot"].signed.meta[f"{role}.json"] = listed

    def is_consistent(self):
        return self.roles["root"].signed.consistent_snapshot

    def plain_names(self):
        self.roles["root"].signed.consistent_snapshot = False

    def write(self, part, name, data):
        with open(os.path.join(self.folder, part, name), "wb") as file:
            file.write(data)

    def target(self, role, name, text):
        data = text.encode()
        target = TargetFile.from_data(name, data, ["sha256"])
        self.roles[role].signed.targets[name] = target
        prefix = f"{hashlib.sha256(data).hexdigest()}." if self.is_consistent() else ""
        self.write("targets", f"{prefix}{name}", data)

    def list_key(self, role, signer):
        delegator = self.roles[self.delegators[role]].signed
        delegator.add_key(signer.public_key, role)

    def add_key(self, role):
        signer = self.make_key()
        self.list_key(role, signer)
        self.signers[role].append(signer)

    def rotate(self, role):
        delegator = self.roles[self.delegators[role]].signed
        for keyid in list(delegator.roles[role].keyids):
            delegator.revoke_key(keyid, role)
        self.retired_signers[role] = self.signers[role]
        # A root is signed by the old keys as well.
        self.signers[role] = list(self.signers[role]) if role == "root" else []
        self.add_key(role)

    def retired(self, role):
        self.signers[role] = self.retired_signers[role]

    def double(self, role):
        signer = self.signers[role][0]
        words = {**signer.public_key.to_dict(), "note": "the same key"}
        keyid = hashlib.sha256(encode_canonical(words).encode()).hexdigest()
        again = CryptoSigner(signer._private_key, Key.from_dict(keyid, words))
        self.list_key(role, again)
        self.signers[role].append(again)
        self.threshold(role, 2)

    def drop_signer(self, role):
        self.signers[role].pop(0)

    def threshold(self, role, number):
        self.roles["root"].signed.roles[role].threshold = int(number)

    def stranger(self, role):
        self.signers[role] = [self.make_key()]

    def version(self, role, number):
        self.roles[role].signed.version = int(number)

    def expires(self, role, days):
        self.roles[role].signed.expires = in_days(int(days))

    def delegate(self, delegator, role, pattern):
        signed = self.roles[delegator].signed
        if signed.delegations is None:
            signed.delegations = Delegations({}, {})
        signed.delegations.roles[role] = DelegatedRole(role, [], 1, False, [pattern])
        self.roles[role] = Metadata(Targets(expires=in_days(30)))
        self.delegators[role] = delegator
        self.signers[role] = []
        self.add_key(role)

    def bins(self, delegator, bits):
        bins = SuccinctRoles([], 1, int(bits), "bin")
        signed = self.roles[delegator].signed
        signed.delegations = Delegations({}, None, bins)
        signer = self.make_key()
        signed.add_key(signer.public_key)
        for role in bins.get_roles():
            self.roles[role] = Metadata(Targets(expires=in_days(30)))
            self.signers[role] = [signer]
        # In the bin that the reference implementation looks for it.
        self.target(bins.get_role_for_target("binned"), "binned", "hello")
        self.publish(*bins.get_roles())

    def listed(self, name, version):
        self.roles["snapshot"].signed.meta[name] = MetaFile(int(version))

    def unlist(self, name):
        del self.roles["snapshot"].signed.meta[name]

    def hashes(self):
        self.with_hashes = True


def main():
    repository = Repository(*sys.argv[1:])
    print("ok", flush=True)
    for line in sys.stdin:
        order, *words = line.split()
        getattr(repository, order.replace("-", "_"))(*words)
        print("ok", flush=True)


main()
