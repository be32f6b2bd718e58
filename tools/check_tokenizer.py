"""Compares mmood's tokenizer with Hugging Face's on all WordNet lemmas and 20,000 random strings.

    python tools/check_tokenizer.py BUILD          (package tokenizers; Debian's wordnet-base)

Random strings are of characters that Unicode 14 has, Python 3.11's: utf8proc 2.8 knows Unicode 15.0, the
tokenizers package later letters, but older combining marks: it leaves some sequences of marks in an order that is not
NFC. Such strings are counted apart, by giving it the NFC to begin with. What differs among all code points is printed.
"""
import json
import os
import random
import subprocess
import sys
import unicodedata

from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "models", "demo")


def lemmas(folder="/usr/share/wordnet"):
    words = set()
    for part in ("noun", "verb", "adj", "adv"):
        with open(os.path.join(folder, "index." + part), encoding="latin-1") as file:
            words.update(line.split()[0] for line in file if not line.startswith("  "))
    return sorted(words)


def random_texts(count):
    rng = random.Random(11)
    points = [chr(c) for c in range(1, 0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
    ascii_letters = [chr(c) for c in range(32, 127)]

    def character():
        kind = rng.random()
        return rng.choice(ascii_letters if kind < 0.4 else points[:8000] if kind < 0.7 else points)
    return ["".join(character() for _ in range(rng.randrange(1, 30))) for _ in range(count)]


def ours(program, texts):
    out = subprocess.run([program, "tokenize", "-m", MODEL, "--quiet", "-"], check=True, stdout=subprocess.PIPE,
                         input=b"\0".join(t.encode() for t in texts) + b"\0").stdout
    return [[int(i) for i in line.split()] for line in out.decode().splitlines()]


def main():
    program = os.path.join(sys.argv[1], "mmood")
    reference = Tokenizer.from_file(os.path.join(MODEL, "tokenizer.json"))
    reference.enable_truncation(77)
    words = lemmas()
    sets = {"WordNet lemmas": words, "with spaces for underscores": [w.replace("_", " ") for w in words],
            "random strings": random_texts(20000)}
    failed = False
    for name, texts in sets.items():
        found, expected = ours(program, texts), reference.encode_batch(texts)
        assert len(found) == len(texts)
        different = [(t, a) for t, a, b in zip(texts, found, expected) if a != b.ids]
        order = [t for t, a in different if a == reference.encode(unicodedata.normalize("NFC", t)).ids]
        different = [t for t, a in different if t not in order]
        print(f"{name}: {len(texts)} texts, {len(different)} differ, {len(order)} more by the order of newer marks",
              *map(repr, different[:5]))
        failed = failed or bool(different)
    points = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    texts = ["a" + c + "b" for c in points]
    different = [c for c, a, b in zip(points, ours(program, texts), reference.encode_batch(texts)) if a != b.ids]
    known = [c for c in different if unicodedata.category(c) != "Cn"]
    print(f"each code point between letters: {len(different)} differ, {len(known)} of them in Unicode 14")
    sys.exit(failed or bool(known))


main()
