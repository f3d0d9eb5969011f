#!/usr/bin/env python3
"""A second reader of the audit log, written from docs/audit.md and not from the code.

    audit_verify.py export FILE PUBLIC_KEY     one customer's export
    audit_verify.py store FOLDER PUBLIC_KEY    a whole log in a folder

Prints one line of JSON: {"ok": bool, "records": n, "why": "..."}. Signatures are checked by the
package `cryptography` where it is installed, else by openssl.
"""
import base64, hashlib, json, os, subprocess, sys, tempfile


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def load(line):
    value = json.loads(line)
    assert canonical(value) + b"\n" == line, "not in canonical form"
    return value


def signed(key, text, signature):
    raw, text, signature = base64.b64decode(key.removeprefix("ed25519:")), text.encode(), base64.b64decode(signature)
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("key", "text", "signature")]
            # The fixed beginning of an Ed25519 key in DER (RFC 8410).
            for path, data in zip(paths, (bytes.fromhex("302a300506032b6570032100") + raw, text, signature)):
                with open(path, "wb") as file:
                    file.write(data)
            command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER",
                       "-inkey", paths[0], "-in", paths[1], "-sigfile", paths[2]]
            assert subprocess.run(command, capture_output=True).returncode == 0, "a signature is wrong"
        return
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, text)
    except Exception:
        raise AssertionError("a signature is wrong")


def chain(customer, records, key):
    before = None
    for number, record in enumerate(records, 1):
        core = {k: v for k, v in record.items() if k not in ("hash", "signature")}
        own = "sha256:" + hashlib.sha256(canonical(core)).hexdigest()
        assert record["hash"] == own, f"record {number}: its hash is not the one of its content"
        assert (record["customer"], record["seq"], record["prev"]) == (customer, number, before), f"record {number}: not in its place"
        signed(key, f"tenantry-audit-record-1 {own}", record["signature"])
        before = own
    return before


def leaf(customer, number, record):
    return hashlib.sha256(b"\0" + f"{customer} {number} {record}".encode()).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node(root(leaves[:split]), root(leaves[split:]))


def head(key, size, top, signature):
    signed(key, f"tenantry-audit-head-1 {size} sha256:{top.hex()}", signature)


def export(path, key):
    with open(path, "rb") as file:
        first, *lines, last = file.read().splitlines(keepends=True)
    first, records, proof = load(first), [load(line) for line in lines], load(last)["proof"]
    assert first["tenantry"] == "audit-export" and first["records"] == len(records), "not all records are there"
    chain(first["customer"], records, key)
    assert len(records) - 1 <= proof["seq"] <= len(records), "the proof is about another record"
    assert records[proof["seq"] - 1]["hash"] == proof["record"], "the proof is about another record"
    # The record's leaf is the last of the tree, so every neighbour stands on its left.
    top = leaf(first["customer"], proof["seq"], proof["record"])
    for neighbour in proof["path"]:
        top = node(bytes.fromhex(neighbour.removeprefix("sha256:")), top)
    assert proof["root"] == "sha256:" + top.hex(), "the proof does not lead to the head"
    head(key, proof["size"], top, proof["signature"])
    return len(records)


def store(folder, key):
    def read(*path):
        with open(os.path.join(folder, "audit", *path), "rb") as file:
            return load(file.read())

    leaves, logged = [], {}
    for number, name in enumerate(sorted(os.listdir(os.path.join(folder, "audit", "log"))), 1):
        entry = read("log", name)
        assert name == f"{number:012}.json" and entry["size"] == number, f"entry {number}: not in its place"
        leaves.append(leaf(entry["customer"], entry["seq"], entry["record"]))
        top = root(leaves)
        assert entry["root"] == "sha256:" + top.hex(), f"entry {number}: its root is not the one of the log"
        head(key, number, top, entry["signature"])
        mine = logged.setdefault(entry["customer"], [])
        assert entry["seq"] == len(mine) + 1, f"entry {number}: out of order"
        mine.append(entry["record"])
    total = 0
    customers = set(os.listdir(os.path.join(folder, "audit", "records"))) | set(logged)
    for customer in sorted(customers):
        there = os.path.join(folder, "audit", "records", customer)
        names = sorted(os.listdir(there)) if os.path.isdir(there) else []
        assert names == [f"{n:010}.json" for n in range(1, len(names) + 1)], f"{customer}: a record is missing"
        records = [read("records", customer, name) for name in names]
        chain(customer, records, key)
        hashes, known = [r["hash"] for r in records], logged.get(customer, [])
        assert known in (hashes, hashes[:-1]), f"{customer}: the log has other records"
        total += len(records)
    return total


try:
    count = {"export": export, "store": store}[sys.argv[1]](sys.argv[2], sys.argv[3])
    print(json.dumps({"ok": True, "records": count, "why": ""}))
except (AssertionError, ValueError, KeyError, TypeError, OSError) as error:
    print(json.dumps({"ok": False, "records": 0, "why": f"{type(error).__name__}: {error}"}))
    sys.exit(1)
