#!/usr/bin/env python3
"""Writes fuzz/corpus/torch_pickle: tiny files as torch.save writes them, good ones and ones with one thing wrong, and
pickles without an archive around them.

    tools/make_torch_corpus.py fuzz/corpus/torch_pickle

Needs no PyTorch: archives and pickles are put together byte by byte. tests/clip/test_torch.c has the messages.
"""
import pathlib
import struct
import sys

GLOBALS = {"dict": b"ccollections\nOrderedDict\n", "tensor": b"ctorch._utils\n_rebuild_tensor_v2\n",
           "parameter": b"ctorch._utils\n_rebuild_parameter\n", "float": b"ctorch\nFloatStorage\n"}
DATA = struct.pack("<6f", 1, 2, 3, 4, 5, 6)


# ---- Pickles

def text(s):
    s = s.encode() if isinstance(s, str) else s
    return b"X" + struct.pack("<I", len(s)) + s


def integer(n):
    if 0 <= n < 256:
        return b"K" + bytes([n])
    if -1 << 31 <= n < 1 << 31:
        return b"J" + struct.pack("<i", n)
    return b"\x8a\x08" + struct.pack("<q", n)


def tuple_of(*items):
    return b"(" + b"".join(items) + b"t"


def storage(key="0", count=6, kind=GLOBALS["float"]):
    return tuple_of(text("storage"), kind, text(key), text("cpu"), integer(count)) + b"Q"


def tensor(shape=(2, 3), stride=(3, 1), offset=0, store=None, more=b""):
    sizes = [tuple_of(*map(integer, numbers)) for numbers in (shape, stride)]
    return GLOBALS["tensor"] + tuple_of(store or storage(), integer(offset), *sizes, b"\x89",
                                        GLOBALS["dict"] + b")R", more) + b"R"


def pickle(value, protocol=2):
    return b"\x80" + bytes([protocol]) + value + b"."


def whole(value):
    return value if value[:1] == b"\x80" else pickle(value)


def state(*pairs):
    return b"}(" + b"".join(text(name) + value for name, value in pairs) + b"u"


# ---- Archives

def local(name, data, method=0, flags=0):
    return struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, flags, method, 0, 0, 0, len(data), len(data), len(name), 0) + name + data


def central(name, size, at, method=0, flags=0, packed=None, extra=b""):
    packed = size if packed is None else packed
    return struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, flags, method, 0, 0, 0, packed, size, len(name),
                       len(extra), 0, 0, 0, 0, at) + name + extra


def end(first, size, count, comment=b""):
    return struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, size, first, len(comment)) + comment


def end64(first, size, count, at=None):
    here = first + size if at is None else at
    return struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 30, 45, 0, 0, count, count, size, first) + \
        struct.pack("<4sIQI", b"PK\6\7", 0, here, 1)


def archive(entries, change=lambda records: records, tail=end, method=0, flags=0):
    """`entries`: names and contents. `change` gets the keyword arguments of the directory's records."""
    body, records = b"", []
    for name, data in entries:
        records.append(dict(name=name.encode(), size=len(data), at=len(body), method=method, flags=flags))
        body += local(name.encode(), data, method, flags)
    directory = b"".join(central(**record) for record in change(records))
    return body + directory + tail(len(body), len(directory), len(records))


def saved(value, *more, data=DATA, **options):
    return archive([("a/data.pkl", whole(value)), ("a/byteorder", b"little"), ("a/data/0", data), ("a/version", b"3\n"),
                    *more], **options)


def wide(records):
    """All numbers of a record in its zip64 field."""
    for record in records:
        record["extra"] = struct.pack("<HHQQQ", 1, 24, record["size"], record["size"], record["at"])
        record.update(size=0xFFFFFFFF, at=0xFFFFFFFF)
    return records


def with_record(index, **changes):
    def change(records):
        for key, value in changes.items():
            records[index][key] = value(records[index][key]) if callable(value) else value
        return records
    return change


def good_archives():
    one = state(("w", tensor()))
    return {
        "plain": saved(one),
        "zip64": saved(one, change=wide, tail=lambda *where: end64(*where) + end(0xFFFFFFFF, 0xFFFFFFFF, 0xFFFF)),
        "comment": saved(one, tail=lambda *where: end(*where, b"a comment")),
    }


def good_pickles():
    return {
        "one": state(("w", tensor())),
        "views": state(("t", tensor((3, 2), (1, 3))), ("o", tensor((2,), (1,), 4)), ("s", tensor((), (), 5)),
                       ("e", tensor((0, 3), (3, 1))), ("x", tensor((2, 2), (0, 0), 5))),
        "parameter": state(("p", GLOBALS["parameter"] + b"(" + tensor() + b"\x88" + GLOBALS["dict"] + b")RtR")),
        "metadata": GLOBALS["dict"] + b")Rq\0(" + text("w") + tensor() + b"u}" + text("_metadata") +
        GLOBALS["dict"] + b")R" + text("") + state() + b"ssb",
        "wrapped_bare": state(("module.", tensor())),
        "memo": state(("a", tensor() + b"q\0"), ("b", b"h\0"), ("c", b"h\0r\1\0\0\0"), ("d", b"j\1\0\0\0")),
        "nested": state(("epoch", integer(-5)), ("lr", b"G" + struct.pack(">d", 0.5)), ("none", b"N"),
                        ("list", b"](K\1K\2eK\3a"), ("big", integer(1 << 40)), ("zero", b"\x8a\0"),
                        ("state_dict", state(("module.w", tensor()), ("module.b", tensor((3,), (1,)))))),
        "protocol4": pickle(b"\x95\x08\0\0\0\0\0\0\0}\x94\x8c\1w\x94\x8c\x0ctorch._utils\x8c\x12_rebuild_tensor_v2\x93("
                            + storage() + b"K\0K\6\x85K\1\x85\x89)NtRs", 4),
    }


def bad_pickles():
    one = state(("w", tensor()))
    deep = b"".join(b"(" for _ in range(500))
    loop = state(("w", b"q\0h\0"))
    return {
        "os_system": b"cos\nsystem\n" + tuple_of(text("touch torch-corpus-was-here")) + b"R",
        "posix_system": b"cposix\nsystem\n" + tuple_of(text("id")) + b"R",
        "eval": b"c__builtin__\neval\n" + tuple_of(text("1")) + b"R",
        "stack_global": pickle(b"\x8c\x02os\x8c\x06system\x93", 4),
        "stack_global_ints": pickle(b"K\1K\2\x93", 4),
        "dict_of_pairs": GLOBALS["dict"] + b"](](K\1K\2ee\x85R",
        "parameter_of_int": GLOBALS["parameter"] + b"K\1\x88N\x87R",
        "near_global": b"ctorch._utils\n_rebuild_tensor_v2x\n",
        "storage_called": GLOBALS["float"] + b")R",
        "inst": b"(ios\nsystem\n",
        "newobj": GLOBALS["dict"] + b")\x81",
        "ext": b"\x82\1",
        "unknown_opcode": b"\xff",
        "protocol0": pickle(one, 0),
        "protocol9": pickle(one, 9),
        "no_stop": pickle(one)[:-1],
        "after_stop": pickle(one) + b"x",
        "nothing": pickle(b""),
        "two_values": pickle(one + b"N"),
        "mark_left": pickle(b"("),
        "list": b"]",
        "member": state(("w", tensor()), ("epoch", b"K\3")),
        "key": b"}K\1" + tensor() + b"s",
        "empty_name": state(("", tensor())),
        "zero_name": state((b"a\0b", tensor())),
        "latin1": state((b"caf\xe9", tensor())),
        "long_name": state(("n" * 600, tensor())),
        "twice": state(("w", tensor()), ("w", tensor((3,), (1,)))),
        "text_cut": b"}X\xff\xff\0\0abc",
        "text_huge": b"}X\xff\xff\xff\xffabc",
        "no_mark": b"K\1t",
        "no_values": b"\x87",
        "mark_in_tuple": b"}(((t",
        "mark_in_pair": b"}(K\1s",
        "odd": b"}(K\1u",
        "add_to_int": b"K\1K\2K\3s",
        "append_to_dict": b"}K\1a",
        "memo_gap": b"}q\5",
        "memo_mark": b"}(q\0",
        "memo_none": b"}h\0",
        "memo_huge": b"}r\xff\xff\xff\xff",
        "build_int": b"K\1}b",
        "reduce_int": b"K\1)R",
        "deep": deep,
        "itself": loop,
        "global_cut": b"ctorch",
        "argument_cut": b"J\1",
        "long_huge": b"\x8a\x09" + bytes(9),
        "persistent_int": b"K\1Q",
        "persistent_type": tuple_of(text("storage"), GLOBALS["dict"], text("0"), text("cpu"), integer(6)) + b"Q",
        "storage_negative": storage(count=-1),
        "storage_larger": state(("w", tensor(store=storage(count=7)))),
        "storage_smaller": state(("w", tensor(store=storage(count=5)))),
        "storage_huge": state(("w", tensor(store=storage(count=1 << 62)))),
        "storage_missing": state(("w", tensor(store=storage("1")))),
        "storage_above": state(("w", tensor(store=storage("../data.pkl")))),
        "offset_outside": state(("w", tensor((1,), (1,), 6))),
        "offset_negative": state(("w", tensor((1,), (1,), -1))),
        "offset_huge": state(("w", tensor((1,), (1,), (1 << 63) - 1))),
        "shape_outside": state(("w", tensor((7,), (1,)))),
        "shape_overflow": state(("w", tensor((1 << 40, 1 << 40), (0, 0)))),
        "shape_negative": state(("w", tensor((-1,), (1,)))),
        "shape_rank": state(("w", tensor((1,) * 9, (1,) * 9))),
        "shape_strides": state(("w", tensor((2, 3), (1,)))),
        "stride_outside": state(("w", tensor((2, 3), (4, 1)))),
        "stride_overflow": state(("w", tensor((3, 2), (1 << 62, 1)))),
        "stride_negative": state(("w", tensor((2, 3), (-3, 1)))),
        "expanded": state(("w", tensor((1000, 1000), (0, 0)))),
        "negated": state(("w", tensor(more=state(("neg", b"\x88"))))),
    }


def bad_archives():
    one = state(("w", tensor()))
    entry = ("a/data/0", DATA)

    def ends(first=0, size=0, count=0):
        return lambda f, s, c: end(f + first, s + size, c + count)

    def no_method(records):
        records[2]["method"] = 8
        return records

    def lying64(records):
        at = records[2]["at"]
        wide(records)[2]["extra"] = struct.pack("<HHQQQ", 1, 24, 1 << 63, 1 << 63, at)
        return records

    return {
        "compressed": saved(one, method=8),
        "compressed_listed": saved(one, change=no_method),
        "encrypted": saved(one, flags=1),
        "packed_size": saved(one, change=with_record(2, packed=3)),
        "size_larger": saved(one, change=with_record(2, size=1 << 20)),
        "at_wrong": saved(one, change=with_record(2, at=lambda at: at + 1)),
        "at_outside": saved(one, change=with_record(2, at=1 << 30)),
        "overlap": saved(one, change=with_record(1, size=lambda size: size + 40)),
        "same_place": saved(one, change=lambda records: records + [dict(records[2])], tail=ends(count=1)),
        "twice": saved(one, entry),
        "two_pickles": saved(one, ("b/data.pkl", pickle(one))),
        "no_pickle": archive([entry]),
        "no_root": archive([("data.pkl", pickle(one)), entry]),
        "empty_name": saved(one, ("", b"")),
        "zero_name": saved(one, ("a\0b", b"")),
        "long_name": saved(one, ("n" * 600, b"")),
        "big_endian": archive([("a/data.pkl", pickle(one)), ("a/byteorder", b"big"), entry]),
        "torchscript": saved(one, ("a/code/__torch__.py", b"")),
        "constants": saved(one, ("a/constants.pkl", b"")),
        "no_entries": b"PK\3\4" + bytes(26) + end(30, 0, 0),
        "no_end": saved(one)[:-1],
        "end_moved": saved(one, tail=ends(first=1)),
        "end_short": saved(one, tail=ends(size=-1)),
        "end_fewer": saved(one, tail=ends(count=-1)),
        "end_more": saved(one, tail=ends(count=1)),
        "end_many": saved(one, tail=ends(count=60000)),
        "split": saved(one, tail=lambda f, s, c: end(f, s, c).replace(b"\5\6\0\0", b"\5\6\1\0", 1)),
        "zip64_place": saved(one, tail=lambda *where: end64(*where, at=3) + end(*where)),
        "zip64_huge_place": saved(one, tail=lambda *where: end64(*where, at=1 << 63) + end(*where)),
        "zip64_differs": saved(one, tail=lambda f, s, c: end64(f, s, c + 1) + end(f, s, c)),
        "zip64_huge": saved(one, tail=lambda f, s, c: end64(*[1 << 63] * 3, f + s) + end(*[0xFFFFFFFF] * 2, 0xFFFF)),
        "zip64_count": saved(one, tail=lambda f, s, c: end64(f, s, 1 << 62) + end(f, s, 0xFFFF)),
        "zip64_entry": saved(one, change=lying64),
        "zip64_missing": saved(one, change=with_record(2, size=0xFFFFFFFF, packed=0xFFFFFFFF)),
        "legacy": b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
        "pickle": b"\x80\x02}.",
        "safetensors": struct.pack("<Q", 2) + b"{}",
        "git_lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "html": b"<!DOCTYPE html><html></html>",
        "other": b"something else altogether",
        "empty": b"",
    }


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    files = {f"good_zip_{name}": data for name, data in good_archives().items()}
    files.update({f"good_pickle_{name}": saved(data) for name, data in good_pickles().items()})
    files.update({f"pickle_{name}": whole(data) for name, data in good_pickles().items()})
    files.update({f"bad_pickle_{name}": saved(data) for name, data in bad_pickles().items()})
    files.update({f"bad_zip_{name}": data for name, data in bad_archives().items()})
    for name, data in files.items():
        (folder / name).write_bytes(data)


main()
