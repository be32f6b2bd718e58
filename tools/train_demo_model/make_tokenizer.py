"""Writes CLIP's tokenizer.json (49,408 ids) in Hugging Face's layout, from the merges that the PyPI
package open-clip-torch carries (open_clip/bpe_simple_vocab_16e6.txt.gz).

    python make_tokenizer.py OUT_DIRECTORY [BPE_FILE]
"""
import gzip
import importlib.util
import json
import os
import sys

SPECIALS = ["<|startoftext|>", "<|endoftext|>"]


def byte_symbols():
    """GPT-2's table: bytes that print stand for themselves, the others for U+0100 onwards; in the order
    in which CLIP's vocabulary lists them."""
    printing = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printing]
    return [chr(b) for b in printing] + [chr(256 + i) for i in range(len(others))]


def find_merges():
    folder = os.path.dirname(importlib.util.find_spec("open_clip").origin)
    return os.path.join(folder, "bpe_simple_vocab_16e6.txt.gz")


def main():
    out = sys.argv[1]
    path = sys.argv[2] if len(sys.argv) > 2 else find_merges()
    lines = gzip.open(path, "rt", encoding="utf-8").read().split("\n")
    merges = lines[1:49152 - 256 - 2 + 1]
    symbols = byte_symbols()
    tokens = symbols + [s + "</w>" for s in symbols]
    tokens += [m.replace(" ", "") for m in merges] + SPECIALS
    vocab = {token: i for i, token in enumerate(tokens)}
    assert len(vocab) == 49408
    pattern = r"""'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""
    bos, eot = vocab[SPECIALS[0]], vocab[SPECIALS[1]]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": bos, "content": SPECIALS[0], "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": True, "special": True},
            {"id": eot, "content": SPECIALS[1], "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True},
        ],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}]},
        "post_processor": {"type": "RobertaProcessing", "sep": [SPECIALS[1], eot],
                           "cls": [SPECIALS[0], bos], "trim_offsets": False,
                           "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": SPECIALS[1],
                  "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": False,
                  "vocab": vocab, "merges": merges},
    }
    with open(os.path.join(out, "tokenizer.json"), "w", encoding="utf-8") as file:
        json.dump(tokenizer, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


main()
