"""Compares mmood envision on all of WordNet with transformers and numpy: models/demo, 30 labels of food, both modes.

    python tools/check_mining.py BUILD [WORDNET]     (torch, transformers, numpy; Debian's wordnet-base)

The kept words must be the same but for those whose distance is within 1e-5 of the cut. Exit code 1 if they are not.
"""
import json
import os
import subprocess
import sys
import tempfile

from make_golden_mining import MODES, ROOT, Embedder, mine

TOLERANCE = 1e-5


def food():
    names = sorted(os.listdir(os.path.join(ROOT, "demo", "pictures", "id")))
    return [os.path.splitext(n)[0].replace("-", " ") for n in names][:30]


def main():
    program = os.path.join(sys.argv[1], "mmood")
    wordnet = sys.argv[2] if len(sys.argv) > 2 else "/usr/share/wordnet"
    model = os.path.join(ROOT, "models", "demo")
    embedder = Embedder(model)
    bad = 0
    for mode in MODES:
        with tempfile.TemporaryDirectory() as work:
            labels, out = os.path.join(work, "id.txt"), os.path.join(work, "out.json")
            with open(labels, "w") as file:
                file.write("\n".join(food()))
            subprocess.run([program, "envision", "-m", model, "--id", labels, "--mode", mode, "--wordnet", wordnet,
                            "--precision", "f32", "--quiet", "-o", out], check=True)
            with open(out) as file:
                document = json.load(file)
        got = {e["label"]: e["distance"] for e in document["labels"]}
        for kind, (entries, kept) in mine(embedder, food(), wordnet, mode).items():
            counts = document["settings"]["counts"]["noun" if kind == "noun" else "adjective"]
            cut = entries[kept - 1][0]
            wanted = {e[2] for e in entries[:kept]}
            have = {e[2] for e in entries if e[2] in got}
            distances = {e[2]: e[0] for e in entries}
            differ = wanted ^ have
            far = [w for w in differ if abs(distances[w] - cut) > TOLERANCE]
            error = max(abs(distances[w] - got[w]) for w in have)
            wrong = bool(far) or error > TOLERANCE or counts["candidates"] != len(entries) or counts["kept"] != kept
            bad += wrong
            print(f"{mode} {kind}: {len(entries)} words, {kept} kept, {len(differ)} differ ({len(far)} of them not within "
                  f"{TOLERANCE:g} of the cut), largest error of a distance {error:.2g}{': WRONG' if wrong else ''}")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
