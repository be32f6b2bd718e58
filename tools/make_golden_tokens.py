"""Golden token ids: tests/data/tokenizer/golden.jsonl, one [text, ids] a line, by Hugging Face's tokenizers
with models/demo/tokenizer.json.

    python tools/make_golden_tokens.py models/demo/tokenizer.json tests/data/tokenizer/golden.jsonl
"""
import json
import random
import sys
import unicodedata

from tokenizers import Tokenizer

TEXTS = [
    "", " ", "\t\n ", "You should've done this", "you're, don't, her's", "IT'S", "rock'n'roll", "golden_retriever",
    "1234", "3D printer", "80% off", "Black &amp; white cat", "a photo of a " + "dog " * 80, "a photo of a cat.",
    "A PHOTO OF A CAT", "  spaces   between\twords \n", "<|startoftext|>", "a <|endoftext|> b",
    "<|ENDOFTEXT|><|STARTOFTEXT|>x", "<|endoftext", "!'s", "''ve", "'S 'T 'Re 'VE 'm 'll 'D", "he'sheIsn't",
    "caf\u00e9", "cafe\u0301", "\u1e9bl\u0323\u0307", "\u00c5\u212b", "\u0130stanbul", "\u03a3\u0391\u03a3 \u03c2",
    "\u00df \u1e9e", "\ufb01ne \ufb03", "\u0132ssel", "\u01c4\u01c5\u01c6", "\uff21\uff22", "\u2160\u2161\u216b", "\u00bd\u00b2\u2075",
    "\u0663\u0664", "\u65e5\u672c\u8a9e", "\ud55c\uad6d\uc5b4 \u1112\u1161\u11ab", "\u4e2d\u6587\u5b57\u7b26", "\u0645\u0631\u062d\u0628\u0627",
    "\u05e9\u05dc\u05d5\u05dd", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u041f\u0440\u0438\u0432\u0435\u0442",
    "\U0001f600", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2764\ufe0f",
    "\u00a0nbsp\u00a0", "\u2003em\u2003", "\u200bzero\u200b", "\ufeffbom", "\u0085nel", "\u2028line", "\x1c\x1d\x1e\x1f", "\x00nul", "\x7f",
    "$100.50", "C++/C#", "e=mc^2", "https://example.org/a_b?c=d", "100,000", "x" * 300, "ab" * 40, "...", "--- ***",
    "don\u2019t", "\u201cquoted\u201d", "semi;colon:comma,", "tab\there", "\U00010400\U00010428", "\U000e0041", "\u0378",
]


def main():
    tokenizer = Tokenizer.from_file(sys.argv[1])
    tokenizer.enable_truncation(77)
    rng = random.Random(7)
    texts = list(TEXTS)
    points = [c for c in range(0x3000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
    for _ in range(250):
        texts.append("".join(chr(rng.choice(points) if rng.random() < 0.5 else rng.randrange(32, 127))
                             for _ in range(rng.randrange(1, 16))))
    with open(sys.argv[2], "w", encoding="ascii") as file:
        for text in texts:
            file.write(json.dumps([text, tokenizer.encode(text).ids], separators=(",", ":")) + "\n")


main()
