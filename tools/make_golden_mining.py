"""Outlier labels mined with open_clip and numpy, as NegLabel and CSP do it: golden values for tests/cli/test_envision.sh,
and the reference of tools/check_mining.py.

    python tools/make_golden_mining.py     (torch, open_clip_torch, safetensors, numpy)

Writes tests/data/wordnet/mined.tsv from the excerpt in tests/data/wordnet and models/demo: mode, label, source and
distance of every kept word, half of each kind. The test allows 2e-6 in a distance.
"""
import hashlib
import json
import os
import re

import numpy as np
import open_clip
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
FILES = dict(enumerate("""adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body
    noun.cognition noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object
    noun.person noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape noun.state
    noun.substance noun.time""".split()))
FILES[44] = "adj.ppl"
CLASSES = """environment space object scene place item area view thing pattern structure landscape vista creature""".split()
CSP_NOUN = ["a close-up photo of the nice {}.", "a photo with the nice {}.", "a good photo with the nice {}.",
            "a photo of the nice {}.", "{}", "the {}", "the good {}", "the nice {}"]
MODES = {
    "wordnet": {"id": ["the nice {}"], "noun": ["the nice {}"], "adj": ["This is a {} photo"], "near": 2,
                "without": ["noun.animal", "noun.food"]},
    "csp": {"id": CSP_NOUN, "noun": CSP_NOUN, "near": 0.95,
            "adj": ["{}", "a nice photo of {}", "a good photo of {}", "a close-up photo of {}"],
            "without": ["noun.animal", "noun.food", "noun.person", "noun.quantity", "noun.group", "adj.pert"]},
}
GOLDEN_LABELS = ["pizza", "Hot Dog", "dog", "boat", "spaghetti"]


def read_words(folder, without):
    """[(kind, word, source)]: the first word of each synset, once."""
    words, seen = [], set()
    for kind in ("noun", "adj"):
        with open(os.path.join(folder, "data." + kind), encoding="ascii") as file:
            for line in file:
                if line.startswith("  "):
                    continue
                fields = line.split(" ")
                source = FILES[int(fields[1])]
                word = re.sub(r"\((a|p|ip)\)$", "", fields[4]) if kind == "adj" else fields[4]
                word = word.replace("_", " ").lower()
                if source not in without and word not in seen:
                    seen.add(word)
                    words.append((kind, word, source))
    return words


class Embedder:
    def __init__(self, folder):
        with open(os.path.join(folder, "open_clip_config.json")) as file:
            config = json.load(file)["model_cfg"]
        self.model = open_clip.CLIP(**config).float().eval()  # the demo model's file is in half precision
        self.model.load_state_dict(load_file(os.path.join(folder, "open_clip_model.safetensors")))
        self.context = config["text_cfg"]["context_length"]
        self.tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(self.context)

    def texts(self, texts, batch=512):
        """Unit rows, float32. Texts are sorted by length, so that little is padded."""
        ids = [e.ids for e in self.tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        rows = None
        for at in range(0, len(order), batch):
            part = order[at:at + batch]
            padded = torch.tensor([ids[i] + [0] * (self.context - len(ids[i])) for i in part])
            with torch.no_grad():
                out = self.model.encode_text(padded)
            out = (out / out.norm(dim=-1, keepdim=True)).numpy()
            rows = np.zeros((len(ids), out.shape[1]), np.float32) if rows is None else rows
            rows[part] = out
        return rows

    def labels(self, labels, templates):
        """Unit rows, float64: the mean of the unit rows of all templates."""
        mean = sum(self.texts([t.replace("{}", w) for w in labels]).astype(np.float64) for t in templates)
        return mean / np.linalg.norm(mean, axis=1, keepdims=True)


def mine(embedder, id_labels, folder, mode, keep=0.15, without=None, seed=0):
    """{kind: (entries, kept)}: entries are (distance, too near, label, source), sorted; the first `kept` are kept."""
    how = MODES[mode]
    words = read_words(folder, how["without"] if without is None else without)
    nouns = {w for kind, w, _ in words if kind == "noun"}
    forbidden = {w.casefold() for w in id_labels}
    ids = embedder.labels(id_labels, how["id"])
    result = {}
    for kind in ("noun", "adj"):
        mine_words = [(w, s) for k, w, s in words if k == kind]
        if mode == "csp" and kind == "adj":
            number = lambda w: int(hashlib.sha256(f"{seed} {w}".encode()).hexdigest()[:8], 16)
            mine_words = [(f"{w} {CLASSES[number(w) % len(CLASSES)]}", s) for w, s in mine_words]
        mine_words = [(w, s) for w, s in mine_words if w.casefold() not in forbidden and (kind == "noun" or w not in nouns)]
        cosines = embedder.labels([w for w, _ in mine_words], how[kind]) @ ids.T
        distance = np.quantile(cosines, 0.95, axis=1)
        near = cosines.max(axis=1) > how["near"]
        entries = sorted((bool(n), float(d), i) for i, (d, n) in enumerate(zip(distance, near)))
        result[kind] = ([(d, n, *mine_words[i]) for n, d, i in entries], int(len(entries) * keep))
    return result


def main():
    folder = os.path.join(ROOT, "tests", "data", "wordnet")
    embedder = Embedder(os.path.join(ROOT, "models", "demo"))
    with open(os.path.join(folder, "mined.tsv"), "w") as out:
        for mode in MODES:
            for entries, kept in mine(embedder, GOLDEN_LABELS, folder, mode, keep=0.5, without=[]).values():
                for distance, _, label, source in entries[:kept]:
                    out.write(f"{mode}\t{label}\twordnet {source}\t{distance:.9f}\n")


if __name__ == "__main__":
    main()
