#!/usr/bin/env python3
"""Writes fuzz/corpus/packed: files of packed weights as src/clip/packed.h describes them, sound and with one thing wrong.

    tools/make_packed_corpus.py fuzz/corpus/packed
"""
import hashlib
import pathlib
import struct
import sys


SECTIONS = 4  # mm_section of src/clip/onednn.h
RECORD = 8 * (4 + 3 * SECTIONS)


def checksum(data):
    mask, factor = (1 << 64) - 1, 0x9E3779B97F4A7C15
    sums = list(range(1, 9))
    data += bytes(-len(data) % 64)
    for at in range(0, len(data), 64):
        for i, word in enumerate(struct.unpack_from("<8Q", data, at)):
            x = sums[i] ^ word
            sums[i] = ((x << 29 | x >> 35) & mask) * factor & mask
    total = 0
    for s in sums:
        total = (total ^ s) * factor & mask
        total ^= total >> 32
    return total


def tables(merges, change=None):
    """A tokenizer's tables as src/clip/tokenizer_kept.c keeps them: 300 tokens, the last two of them special."""
    table = b"".join(struct.pack("<4I", *merge) for merge in merges)
    specials = b"".join(struct.pack("<3I", i, 0, len(text)) + text for i, text in ((298, b"<s>"), (299, b"<e>")))

    def numbers(all_numbers):
        all_numbers[0:4] = [300, 2, 0, 298 << 32 | 299]
        if change:
            change(all_numbers)
    return packed([(table, struct.pack("<512I", *range(256), *range(256)), specials)], change=numbers)


def packed(sections, key=b"weights", change=None, order=0x0102030405060708, shift=0):
    """`sections`: for each record its first ones, the others are empty. `change` gets the list of numbers of all records."""
    first = 128 + (len(key) + 7) // 8 * 8
    begin = -(-(first + len(sections) * RECORD) // 64) * 64
    at, numbers, body = begin, [], b""
    for i, pair in enumerate(sections):
        numbers += [3 + i, 5, 2, 77]
        for data in pair + (b"",) * (SECTIONS - len(pair)):
            body += bytes(-len(body) % 64)
            at = begin + len(body)
            numbers += [at, len(data), checksum(data)]
            body += data
    if change:
        change(numbers)
    head = b"mmood-packed/1\n\0" + struct.pack("<5Q", order, begin + len(body) + shift, len(key), len(sections), begin) + bytes(8)
    index = key + bytes(-len(key) % 8) + struct.pack(f"<{len(numbers)}Q", *numbers)
    digest = hashlib.sha256(head + index).hexdigest().encode()
    file = head + digest + index
    return file + bytes(begin - len(file)) + body


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    two = [(bytes(range(100)), b""), (b"weights" * 20, b"bias" * 5)]

    def put(at, value):
        def change(numbers):
            numbers[at] = value
        return change

    free = (0, 0, 0xFFFFFFFF, 0)
    merges = [(97, 98, 0, 256), free, (256, 99, 1, 257), free]
    files = {
        "tables": tables(merges),
        "tables_full": tables([(97, 98, 0, 256), (1, 2, 2, 3), (256, 99, 1, 257), (4, 5, 3, 6)]),
        "tables_three": tables(merges[:3]),
        "tables_beyond": tables([(97, 98, 0, 300), free]),
        "tables_small": tables(merges, put(0, 299)),
        "tables_specials": tables(merges, put(1, 3)),
        "sound": packed(two),
        "one": packed([(b"", b"")]),
        "none": packed([]),
        "other_key": packed(two, key=b"of another model"),
        "other_order": packed(two, order=0x0807060504030201),
        "longer": packed(two) + b"x",
        "shorter": packed(two)[:-1],
        "wrong_size": packed(two, shift=64),
        "outside": packed(two, change=put(4, 1 << 40)),
        "too_long": packed(two, change=put(5, (1 << 64) - 1)),
        "unaligned": packed(two, change=put(4, 321)),
        "overlap": packed(two, change=put(16 + 4, 320)),
        "damaged": packed(two, change=put(6, 1)),
        "no_seal": packed(two).replace(b"weights", b"heights", 1),
        "header": packed(two)[:128],
        "empty": b"",
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)


main()
