"""Step 3: the text tower, a small CLIP text transformer that learns the teacher's embeddings, in their DIMENSION main
directions. A prompt such as "a photo of a {}" is to mean what its word means.

    python train_text.py TEACHER.npz TOKENIZER.json OUT.pt [--minutes 15]
"""
import argparse
import math
import os
import time
import zlib

import numpy as np
import torch
from open_clip.transformer import QuickGELU, TextTransformer
from tokenizers import Tokenizer
from torch.nn import functional as F

from words import TEMPLATES

DIMENSION = 144
SETTINGS = {"context_length": 32, "vocab_size": 49408, "width": 144, "heads": 4, "layers": 3}
BOS, EOT = 49406, 49407
KINDS = ["names", "common", "concrete", "other", "phrases", "glosses"]
SHARES = [0.15, 0.02, 0.56, 0.13, 0.10, 0.04]  # of a batch
CHUNK = 128  # texts of like length, padded together


class Tower(TextTransformer):
    """CLIP's text tower, also for token rows shorter than the context."""

    def _embeds(self, text):
        x, mask = super()._embeds(text)
        return x, mask[:text.shape[1], :text.shape[1]]


def make_tower():
    return Tower(**SETTINGS, output_dim=DIMENSION, act_layer=QuickGELU)


def directions(vectors, kinds):
    """[384, DIMENSION]: the main directions of ImageNet's names and the concrete words, half and half."""
    second = sum(vectors[kinds == k].T @ vectors[kinds == k] / (kinds == k).sum() for k in ("names", "concrete"))
    return np.linalg.eigh(second)[1][:, ::-1][:, :DIMENSION].astype(np.float32)


def teacher_tokens(tokenizer, width):
    """A first guess of each token's meaning: the teacher's input embeddings of its pieces, averaged, in their main
    directions."""
    from transformers import AutoModel, AutoTokenizer

    from teacher import teacher_folder
    words = AutoModel.from_pretrained(teacher_folder()).embeddings.word_embeddings.weight.detach().numpy()
    theirs = AutoTokenizer.from_pretrained(teacher_folder())
    words = words - words.mean(0)
    _, main = np.linalg.eigh(words.T @ words)
    words = words @ main[:, ::-1][:, :width]
    words /= words.std()
    size = tokenizer.get_vocab_size()
    table = np.random.default_rng(0).normal(0, 0.3, (size, width)).astype(np.float32)
    by_id = {i: t for t, i in tokenizer.get_vocab().items()}
    pieces = theirs([by_id[i].replace("</w>", "") for i in range(size)], add_special_tokens=False)["input_ids"]
    for i, ids in enumerate(pieces):
        ids = [j for j in ids if j != theirs.unk_token_id]
        if ids:
            table[i] = words[ids].mean(0) * 0.5
    return torch.from_numpy(table)


def pad(rows):
    rows = [[BOS] + row[:SETTINGS["context_length"] - 2] + [EOT] for row in rows]
    out = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for r, row in enumerate(rows):
        out[r, :len(row)] = row
    return torch.from_numpy(out)


class Prompts:
    """Token ids of templates around words; CLIP's tokenizer splits at spaces first, so they can be joined."""

    def __init__(self, tokenizer):
        def ids(texts):
            return [e.ids[1:-1] for e in tokenizer.encode_batch(texts)]
        self.ids, parts = ids, [t.split("{}") for t in TEMPLATES]
        self.before, self.after = ids([p[0] for p in parts]), ids([p[1] for p in parts])

    def around(self, row, template):
        return self.before[template] + row + self.after[template]


def embed_rows(tower, rows):
    """Embeddings of unit length, in the order of `rows`."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts = [order[i:i + CHUNK] for i in range(0, len(order), CHUNK)]
    e = torch.cat([tower(pad([rows[i] for i in part])).float() for part in parts])
    return F.normalize(e, dim=1)[torch.tensor(order).argsort()]


@torch.no_grad()
def embed_texts(tower, tokenizer, texts):
    return embed_rows(tower, [e.ids[1:-1] for e in tokenizer.encode_batch(list(texts))])


def load_tower(path):
    tower = make_tower().eval()
    tower.load_state_dict(torch.load(path, weights_only=True)["state"])
    return tower


def is_held_out(text):
    """3 % of the texts, the same ones whatever else there is."""
    return zlib.crc32(text.encode()) % 33 == 0


def report(tower, tokenizer, texts, targets, kinds, held_out):
    """Share of texts whose embedding is nearest to its own target among those asked."""
    tower.eval()
    lines = []
    for kind, template in (("names", "a photo of a {}"), ("concrete", "a photo of a {}"), ("concrete", "the nice {}"),
                           ("phrases", "a photo of a {}"), ("other", "{}"), ("glosses", "{}")):
        check = np.where((kinds == kind) & (held_out | (kind == "names")))[0][:1500]
        e = embed_texts(tower, tokenizer, [template.format(texts[i]) for i in check])
        y = targets[check]
        top = ((e @ y.T).argmax(1) == torch.arange(len(check))).float().mean().item()
        lines.append(f'{kind} "{template}" cosine {(e * y).sum(1).mean():.3f} top-1 {100 * top:.1f} of {len(check)}')
    tower.train()
    return "; ".join(lines)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("teacher")
    p.add_argument("tokenizer")
    p.add_argument("out")
    p.add_argument("--minutes", type=float, default=15)
    p.add_argument("--batch", type=int, default=512)
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--start", help="an OUT.pt to go on from")
    a = p.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    tokenizer = Tokenizer.from_file(a.tokenizer)
    stored = np.load(a.teacher)
    texts, kinds = stored["texts"].tolist(), stored["kinds"]
    vectors = stored["vectors"].astype(np.float32)
    basis = torch.load(a.start, weights_only=True)["basis"].numpy() if a.start else directions(vectors, kinds)
    targets = F.normalize(torch.from_numpy(vectors @ basis), dim=1)
    held_out = np.array([is_held_out(t) for t in texts]) & ~np.isin(kinds, ["names", "common"])
    pools = [np.where((kinds == kind) & ~held_out)[0] for kind in KINDS]
    prompts = Prompts(tokenizer)
    ids = prompts.ids(texts)
    tower = make_tower()
    if a.start:
        tower = load_tower(a.start).train()
    else:
        with torch.no_grad():
            tower.token_embedding.weight.copy_(teacher_tokens(tokenizer, SETTINGS["width"]))
    optimizer = torch.optim.Adam(tower.parameters(), betas=(0.9, 0.98))
    start, step, shown = time.time(), 0, 0.5
    while (done := (time.time() - start) / 60 / a.minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = a.rate * min(1, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * done)) + 0.005)
        chosen = np.unique(np.concatenate([rng.choice(pool, round(a.batch * share))
                                           for pool, share in zip(pools, SHARES)]))
        templates = rng.integers(len(TEMPLATES), size=len(chosen)) * (kinds[chosen] != "glosses")
        e = embed_rows(tower, [prompts.around(ids[i], t) for i, t in zip(chosen, templates)])
        y = targets[chosen]
        loss = 2 * (1 - (e * y).sum(1)).mean() + F.cross_entropy(e @ y.T * 20, torch.arange(len(y)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if (time.time() - start) / 60 > shown:
            shown += max(0.5, a.minutes / 6)
            print(f"{(time.time() - start) / 60:.1f} min, step {step}, loss {loss.item():.3f};",
                  report(tower, tokenizer, texts, targets, kinds, held_out), flush=True)
    print("end:", report(tower, tokenizer, texts, targets, kinds, held_out), flush=True)
    torch.save({"state": tower.state_dict(), "basis": torch.from_numpy(basis)}, a.out)


if __name__ == "__main__":
    main()
