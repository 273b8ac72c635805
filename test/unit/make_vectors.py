#!/usr/bin/env python3
"""Recompute the frozen vectors with an implementation of its own.

vectors.tsv, derivations.tsv and log.tsv are what test_vectors.c checks the C
code against.  This program shares nothing with that code: HMAC and SHA-256 are
Python's, ChaCha20-Poly1305 and Ed25519 are those of the package cryptography
(OpenSSL), and HChaCha20 is written out below.  So each line is a cross-check
between two implementations, not the C code against itself.

    make_vectors.py             compare the files with what is computed here
    make_vectors.py --append    add the lines that this program has and they lack

The files are frozen: lines are added at the end, never changed or removed,
because whatever was sealed once must open for ever.  --append refuses when the
lines that are there differ.

Needs python3 with the package cryptography (Debian: python3-cryptography).
"""
import base64
import hashlib
import hmac
import os
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = os.path.dirname(os.path.abspath(__file__))

HAS_TOKEN, HAS_SUBJECT, TOKEN_ONLY = 1, 2, 4
TEXT, BYTEA, BOOL, INT, FLOAT8, NUMERIC, DATE, TIMESTAMPTZ, UUID, JSONB = range(1, 11)

VECTORS_HEAD = [
    "# Frozen envelopes of suite 1: lines are added, never changed.  Checked by test_vectors.c,",
    "# cross-checked by make_vectors.py, explained in doc/storage_format.md.",
    "# Bytes are hexadecimal, numbers decimal, - is nothing.  Columns: name, data key, token key,",
    "# key id, key version, type, flags, subject, context, pad, payload, canonical form, nonce,",
    "# envelope.",
]
DERIVATIONS_HEAD = [
    "# Frozen derivations: lines are added, never changed.  Checked by test_vectors.c,",
    "# cross-checked by make_vectors.py, explained in doc/storage_format.md.",
    "# Bytes are hexadecimal, numbers decimal, - is nothing.  Columns: kind, text, key, bytes, result.",
    "#   derive       label, key, context, derived secret",
    "#   hmac         -, key, bytes, HMAC-SHA-256",
    "#   token        type, token key, canonical form, token",
    "#   key id       name, -, -, id",
    "#   fingerprint  -, root, -, fingerprint",
    "#   unwrap       associated data, wrapping key, secret, wrapped secret",
    "#   text         -, -, envelope, text form",
    "#   subject      -, version secret, subject secret, data key of the subject",
    "#   context      -, place secret, place, context",
]
LOG_HEAD = [
    "# Frozen vectors of the log: lines are added, never changed.  Checked by test_vectors.c,",
    "# cross-checked by make_vectors.py, explained in doc/storage_format.md.",
    "# Bytes are hexadecimal, numbers decimal, - is nothing.  Columns: kind, text, key, bytes, result.",
    "# Leaf i of a tree is the number i in 8 bytes, big-endian; proofs are their hashes in a row.",
    "#   leaf         -, -, data, hash",
    "#   root         size, -, -, root",
    "#   inclusion    leaf and size, -, hash of the leaf, proof",
    "#   consistency  old and new size, -, old root, proof",
    "#   key          name, secret, -, verifier key: both as UTF-8, in hexadecimal",
    "#   checkpoint   name, secret, text, note: all three as UTF-8, in hexadecimal",
]


# The primitives.

def quarter_round(x, a, b, c, d):
    """RFC 8439 section 2.1."""
    def rotate(value, bits):
        return (value << bits | value >> (32 - bits)) & 0xFFFFFFFF
    x[a] = (x[a] + x[b]) & 0xFFFFFFFF
    x[d] = rotate(x[d] ^ x[a], 16)
    x[c] = (x[c] + x[d]) & 0xFFFFFFFF
    x[b] = rotate(x[b] ^ x[c], 12)
    x[a] = (x[a] + x[b]) & 0xFFFFFFFF
    x[d] = rotate(x[d] ^ x[a], 8)
    x[c] = (x[c] + x[d]) & 0xFFFFFFFF
    x[b] = rotate(x[b] ^ x[c], 7)


def hchacha20(key, prefix):
    """draft-irtf-cfrg-xchacha-03 section 2.2."""
    x = list(struct.unpack("<16I", b"expand 32-byte k" + key + prefix))
    for _ in range(10):
        quarter_round(x, 0, 4, 8, 12)
        quarter_round(x, 1, 5, 9, 13)
        quarter_round(x, 2, 6, 10, 14)
        quarter_round(x, 3, 7, 11, 15)
        quarter_round(x, 0, 5, 10, 15)
        quarter_round(x, 1, 6, 11, 12)
        quarter_round(x, 2, 7, 8, 13)
        quarter_round(x, 3, 4, 9, 14)
    return struct.pack("<8I", *(x[:4] + x[12:]))


def xchacha20poly1305(key, nonce, plain, bound):
    """Ciphertext and tag, draft-irtf-cfrg-xchacha-03 section 2."""
    short_nonce = bytes(4) + nonce[16:]
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(short_nonce, plain, bound)


def siphash24(key, message):
    """SipHash-2-4 (Aumasson, Bernstein 2012), little-endian."""
    k0, k1 = struct.unpack("<2Q", key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D,
         k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def rotate(value, bits):
        return (value << bits | value >> (64 - bits)) & (2 ** 64 - 1)

    def rounds(count):
        for _ in range(count):
            for a, b, c, d, first, second in ((0, 1, 2, 3, 13, 16), (2, 1, 0, 3, 17, 21)):
                v[a] = (v[a] + v[b]) % 2 ** 64
                v[c] = (v[c] + v[d]) % 2 ** 64
                v[b] = rotate(v[b], first) ^ v[a]
                v[d] = rotate(v[d], second) ^ v[c]
                v[a] = rotate(v[a], 32)

    padded = message + bytes(-(len(message) + 1) % 8) + bytes([len(message) % 256])
    for (word,) in struct.iter_unpack("<Q", padded):
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return struct.pack("<Q", v[0] ^ v[1] ^ v[2] ^ v[3])


def hmac_sha256(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


# What pgseal builds on them.

def derive(label, context, key):
    return hmac_sha256(key, b"pgseal1 " + label.encode() + b"\0" + context)


def token(kind, canonical, key):
    return hmac_sha256(key, struct.pack(">BQ", kind, len(canonical)) + canonical)[:16]


def key_id(name):
    digest = hashlib.sha256(b"pgseal key id " + name.encode()).digest()
    return struct.unpack(">I", digest[:4])[0] & 0x7FFFFFFF or 1


def pad_to(payload, pad):
    padded = payload + b"\x80"
    return padded + bytes(-len(padded) % pad)


def envelope(v):
    head = struct.pack(">BBHIB", 1, v["flags"], v["version"], v["key_id"], v["kind"])
    if v["flags"] & HAS_SUBJECT:
        head += struct.pack(">Q", v["subject"]) + v["context"]
    if v["flags"] & HAS_TOKEN:
        head += token(v["kind"], v["canonical"], v["token_key"])
    if v["flags"] & TOKEN_ONLY:
        return head
    sealed = xchacha20poly1305(v["key"], v["nonce"], pad_to(v["payload"], v["pad"]), head)
    return head + v["nonce"] + sealed


def text_form(sealed):
    return "seal1:" + base64.urlsafe_b64encode(sealed).decode().rstrip("=")


# The log.

def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def split(count):
    """The largest power of two smaller than count."""
    return 1 << (count - 1).bit_length() - 1


def tree(leaves):
    """MTH, RFC 9162 section 2.1.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = split(len(leaves))
    return node_hash(tree(leaves[:k]), tree(leaves[k:]))


def path(m, leaves):
    """PATH, RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return b""
    k = split(len(leaves))
    if m < k:
        return path(m, leaves[:k]) + tree(leaves[k:])
    return path(m - k, leaves[k:]) + tree(leaves[:k])


def subproof(m, leaves, whole):
    """SUBPROOF, RFC 9162 section 2.1.4.1."""
    if m == len(leaves):
        return b"" if whole else tree(leaves)
    k = split(len(leaves))
    if m <= k:
        return subproof(m, leaves[:k], whole) + tree(leaves[k:])
    return subproof(m - k, leaves[k:], False) + tree(leaves[:k])


def numbered(count):
    return [struct.pack(">Q", number) for number in range(count)]


def public_key(seed):
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def note_key_id(name, seed):
    return hashlib.sha256(name.encode() + b"\n\1" + public_key(seed)).digest()[:4]


def base64_text(data):
    return base64.b64encode(data).decode()


def verifier_key(name, seed):
    return "+".join([name, note_key_id(name, seed).hex(), base64_text(b"\1" + public_key(seed))])


def note(text, name, seed):
    signature = Ed25519PrivateKey.from_private_bytes(seed).sign(text.encode())
    signed = base64_text(note_key_id(name, seed) + signature)
    return f"{text}\n\u2014 {name} {signed}\n".encode()


def checkpoint(name, size, extension=""):
    return f"{name}\n{size}\n{base64_text(tree(numbered(size)))}\n{extension}"


# The inputs.  Secrets are hashes of their names, so that nothing here is random.

def secret(name):
    return hashlib.sha256(b"pgseal test vector, " + name.encode()).digest()


ROOT = secret("root")
VERSION = secret("version secret")
SEARCH = secret("search secret")
SUBJECT = secret("subject secret")
DATA_KEY = derive("data", b"", VERSION)
SUBJECT_KEY = derive("subject data", SUBJECT, VERSION)
TOKEN_KEY = derive("token", b"", SEARCH)
WRAP_KEY = derive("wrap", b"", ROOT)

NIR = b"184127645108946"
LOG = "pgseal.example/log"
LOG_SECRET = secret("log signature")
CONTEXT = bytes.fromhex("a1a2a3a4a5a6a7a8")
SUBJECT_NUMBER = 0x0102030405060708


def vector(name, kind, payload, flags=0, canonical=None, **other):
    """One line of vectors.tsv; what is not given has an ordinary value."""
    v = dict(name=name, kind=kind, payload=payload, flags=flags, canonical=b"", key=DATA_KEY,
             token_key=b"", key_id=key_id("clinical"), version=1, subject=0, context=b"", pad=16,
             nonce=hashlib.sha256(b"nonce of " + name.encode()).digest()[:24])
    if flags & HAS_TOKEN:
        v.update(token_key=TOKEN_KEY, key_id=key_id("nir"),
                 canonical=payload if canonical is None else canonical)
    if flags & HAS_SUBJECT:
        v.update(key=SUBJECT_KEY, subject=SUBJECT_NUMBER, context=CONTEXT)
    if flags & TOKEN_ONLY:
        v.update(payload=b"", nonce=b"", version=0)
    v.update(other)
    return v


def vectors():
    both = HAS_TOKEN | HAS_SUBJECT
    probe = HAS_TOKEN | TOKEN_ONLY
    return [
        vector("text", TEXT, "HIV négatif".encode()),
        vector("text-empty", TEXT, b""),
        vector("text-15-of-16", TEXT, b"fifteen bytes .."[:15]),
        vector("text-16-of-16", TEXT, b"sixteen bytes .."),
        vector("text-token", TEXT, NIR, HAS_TOKEN),
        vector("text-token-empty", TEXT, b"", HAS_TOKEN),
        vector("text-subject", TEXT, b"HIV positive", HAS_SUBJECT),
        vector("text-token-subject", TEXT, NIR, both),
        vector("text-token-only", TEXT, NIR, probe),
        vector("text-pad-1", TEXT, b"M", pad=1),
        vector("text-pad-32", TEXT, b"Positif", pad=32),
        vector("text-pad-64-long", TEXT, b"commentaire libre " * 20, both, pad=64),
        vector("text-pad-7", TEXT, b"odd pad", pad=7),
        vector("bytea-like-padding", BYTEA, bytes.fromhex("0080000080000000")),
        vector("bytea-zeros", BYTEA, bytes(15)),
        vector("bytea-1000", BYTEA, bytes(i % 256 for i in range(1000)), pad=256),
        vector("bool-true", BOOL, b"\x01"),
        vector("bool-false", BOOL, b"\x00"),
        vector("int", INT, struct.pack(">q", -42)),
        vector("int-token", INT, struct.pack(">q", 491840), HAS_TOKEN),
        vector("float8", FLOAT8, struct.pack(">d", 37.2)),
        # 1.00 as numeric_send() writes it; its canonical form is that of 1
        vector("numeric-token", NUMERIC, bytes.fromhex("00010000000000020001"), HAS_TOKEN, b"1"),
        vector("date", DATE, struct.pack(">i", -5508), HAS_SUBJECT),
        vector("timestamptz", TIMESTAMPTZ, struct.pack(">q", 667_000_000_000_000)),
        vector("uuid-token", UUID, bytes(range(16)), HAS_TOKEN),
        vector("jsonb", JSONB, b'\x01{"hiv": "n\xc3\xa9gatif"}'),
        vector("int-token-only", INT, struct.pack(">q", 491840), probe),
        vector("largest-numbers", 255, b"\x01null", both, key_id=0x7FFFFFFF, version=65535,
               subject=2 ** 64 - 1, context=b"\xff" * 8, nonce=b"\xff" * 24),
        vector("smallest-numbers", TEXT, b"x", both, key_id=1, version=0, subject=0,
               context=bytes(8), nonce=bytes(24)),
        vector("other-keys", TEXT, NIR, HAS_TOKEN, key=secret("other data key"),
               token_key=secret("other token key"), version=2),
    ]


def vector_line(v):
    return [v["name"], v["key"], v["token_key"], v["key_id"], v["version"], v["kind"], v["flags"],
            v["subject"], v["context"], v["pad"], v["payload"], v["canonical"], v["nonce"],
            envelope(v)]


def wrapped(bound, key, value):
    nonce = hashlib.sha256(b"nonce of wrap " + bound.encode()).digest()[:24]
    return nonce + xchacha20poly1305(key, nonce, value, bound.encode())


def derivation_lines():
    derives = [("data", VERSION, b""), ("subject data", VERSION, SUBJECT), ("token", SEARCH, b""),
               ("wrap", ROOT, b""), ("ring mac", ROOT, b""), ("root fingerprint", ROOT, b""),
               ("data", SEARCH, b""), ("", VERSION, b""), ("label", VERSION, bytes(range(200)))]
    for label, key, context in derives:
        yield ["derive", label, key, context, derive(label, context, key)]
    for key_len in (0, 1, 32, 63, 64, 65, 128):
        key = bytes(range(key_len))
        yield ["hmac", "", key, b"key length", hmac_sha256(key, b"key length")]
    for length in (0, 1, 55, 56, 63, 64, 65, 200):
        yield ["hmac", "", VERSION, b"m" * length, hmac_sha256(VERSION, b"m" * length)]
    tokens = [(TEXT, NIR), (BYTEA, NIR), (TEXT, b""), (BOOL, b"\x01"), (INT, bytes(8)),
              (255, b"x" * 300)]
    for kind, canonical in tokens:
        yield ["token", kind, TOKEN_KEY, canonical, token(kind, canonical, TOKEN_KEY)]
    names = ["literal", "audit", "nir", "identity", "clinical", "a", "_", "k" * 63,
             "key_ah7gz14", "key_b45qqdr"]
    for name in names:
        yield ["key id", name, b"", b"", key_id(name)]
    for root in (ROOT, VERSION, bytes(31) + b"\x01"):
        yield ["fingerprint", "", root, b"", derive("root fingerprint", b"", root).hex()[:16]]
    for bound in ("", "version 1 of clinical"):
        yield ["unwrap", bound, WRAP_KEY, VERSION, wrapped(bound, WRAP_KEY, VERSION)]
    for sealed in [envelope(v) for v in vectors()[:9]] + [b"\x00", b"\xfb\xff", b"\xff\xff\xff"]:
        yield ["text", "", b"", sealed, text_form(sealed)]
    yield ["subject", "", VERSION, SUBJECT, SUBJECT_KEY]
    yield ["subject", "", SUBJECT, VERSION, derive("subject data", VERSION, SUBJECT)]
    place_key = derive("place", b"", VERSION)
    yield ["derive", "place", VERSION, b"", place_key]
    # column number, then each column of the row's key: length and binary form
    row = struct.pack(">Q", SUBJECT_NUMBER) + struct.pack(">IQ", 8, 1)
    for place in (b"", row, row + struct.pack(">I", 5) + b"caf\xc3\xa9", bytes(range(200))):
        yield ["context", "", place_key, place, siphash24(place_key[:16], place)]


def log_lines():
    for data in (b"", b"\0", bytes(8), b"x" * 54, b"x" * 55, b"x" * 63, b"x" * 64, b"x" * 500):
        yield ["leaf", "", b"", data, leaf_hash(data)]
    for size in (0, 1, 2, 3, 4, 5, 7, 8, 9, 31, 32, 33, 100, 255, 256, 257):
        yield ["root", size, b"", b"", tree(numbered(size))]
    for m, size in [(0, 1), (0, 2), (1, 2), (2, 3), (0, 5), (4, 5), (6, 7), (5, 8), (8, 9), (0, 257),
                    (256, 257), (100, 257), (127, 255)]:
        yield ["inclusion", f"{m} {size}", b"", leaf_hash(numbered(size)[m]), path(m, numbered(size))]
    for old, size in [(1, 1), (1, 2), (2, 3), (3, 5), (4, 5), (6, 7), (6, 8), (8, 9), (7, 9), (64, 257),
                      (100, 257), (255, 257), (256, 257), (128, 255)]:
        yield ["consistency", f"{old} {size}", b"", tree(numbered(old)),
               subproof(old, numbered(size), True)]
    for name, seed in ((LOG, LOG_SECRET), ("caf\u00e9", LOG_SECRET), ("n" * 255, SEARCH), (LOG, SEARCH)):
        yield ["key", name.encode(), seed, b"", verifier_key(name, seed).encode()]
    for name, size, extension in ((LOG, 5, ""), (LOG, 0, ""), (LOG, 257, "ring 17\n"),
                                  ("caf\u00e9", 1, "one line\nanother, \u2014 too\n")):
        text = checkpoint(name, size, extension)
        yield ["checkpoint", name.encode(), LOG_SECRET, text.encode(), note(text, name, LOG_SECRET)]


# The files.

def render(field):
    if isinstance(field, bytes):
        field = field.hex()
    return str(field) or "-"


def lines_of(head, rows):
    return head + ["\t".join(render(field) for field in row) for row in rows]


def read_lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="ascii") as file:
        return file.read().splitlines()


def append(path, frozen, computed):
    if computed[:len(frozen)] != frozen:
        sys.exit(os.path.basename(path) + ": frozen lines differ, nothing written")
    with open(path, "a", encoding="ascii") as file:
        file.writelines(line + "\n" for line in computed[len(frozen):])


def compare(path, frozen, computed):
    name = os.path.basename(path)
    for number, (old, new) in enumerate(zip(frozen, computed), 1):
        if old != new:
            print(f"# {name}:{number}: computed {new}")
    if len(frozen) != len(computed):
        print(f"# {name}: {len(frozen)} lines, {len(computed)} computed")
    same = frozen == computed
    print(("ok" if same else "not ok") + f" - {name}: the same from another implementation")
    return same


def main():
    files = {
        "vectors.tsv": lines_of(VECTORS_HEAD, (vector_line(v) for v in vectors())),
        "derivations.tsv": lines_of(DERIVATIONS_HEAD, derivation_lines()),
        "log.tsv": lines_of(LOG_HEAD, log_lines()),
    }
    good = True
    for name, computed in files.items():
        path = os.path.join(HERE, name)
        frozen = read_lines(path)
        if sys.argv[1:] == ["--append"]:
            append(path, frozen, computed)
        else:
            good &= compare(path, frozen, computed)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
