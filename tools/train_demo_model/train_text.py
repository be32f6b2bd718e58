"""Step 2: the text tower, a small CLIP text transformer that learns the teacher's embeddings of words,
glosses and names. A prompt such as "a photo of a {}" is to mean what its word means.

    python train_text.py TARGETS.npz TOKENIZER.json OUT.pt --minutes 8
"""
import argparse
import math
import os
import time

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer, CLIPTextConfig, CLIPTextModelWithProjection

from words import TEMPLATES

WIDTH, LAYERS, HEADS = 128, 2, 4


def teacher_tokens(tokenizer, stored):
    """A first guess of each token's meaning: the teacher's input embedding pieces, averaged, in the 128
    directions of the targets."""
    folder = os.environ["TEACHER"]
    words = AutoModel.from_pretrained(folder).embeddings.word_embeddings.weight.detach().numpy()
    theirs = AutoTokenizer.from_pretrained(folder)
    words = words - words.mean(0)
    _, _, directions = np.linalg.svd(words, full_matrices=False)
    words = words @ directions[:WIDTH].T
    words /= words.std()
    size = tokenizer.get_vocab_size()
    table = np.random.default_rng(0).normal(0, 0.3, (size, WIDTH)).astype(np.float32)
    by_id = {i: t for t, i in tokenizer.get_vocab().items()}
    texts = [by_id[i].replace("</w>", "") for i in range(size)]
    for i, ids in enumerate(theirs(texts, add_special_tokens=False)["input_ids"]):
        ids = [j for j in ids if j != theirs.unk_token_id]
        if ids:
            table[i] = words[ids].mean(0) * 0.5
    return torch.from_numpy(table)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("targets")
    p.add_argument("tokenizer")
    p.add_argument("out")
    p.add_argument("--minutes", type=float, default=8)
    p.add_argument("--batch", type=int, default=512)
    p.add_argument("--rate", type=float, default=2e-3)
    a = p.parse_args()
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    tokenizer = Tokenizer.from_file(a.tokenizer)
    stored = np.load(a.targets, allow_pickle=True)
    texts, targets = list(stored["texts"]), torch.from_numpy(stored["targets"])
    held_out = rng.random(len(texts)) < 0.03
    held_out[:4000] = False
    config = CLIPTextConfig(vocab_size=49408, hidden_size=WIDTH, intermediate_size=4 * WIDTH,
                            num_hidden_layers=LAYERS, num_attention_heads=HEADS, projection_dim=WIDTH,
                            max_position_embeddings=77, hidden_act="quick_gelu", bos_token_id=49406,
                            eos_token_id=49407, pad_token_id=49407)
    model = CLIPTextModelWithProjection(config)
    with torch.no_grad():
        model.get_input_embeddings().weight.copy_(teacher_tokens(tokenizer, stored))
        model.text_projection.weight.copy_(torch.eye(WIDTH))
    tokens = tokenizer.encode_batch(texts)
    ids = [e.ids[:24] if len(e.ids) <= 24 else e.ids[:23] + [49407] for e in tokens]
    short = np.array([i for i in range(len(texts)) if len(texts[i]) < 60 and not held_out[i]])
    train = np.where(~held_out)[0]

    def batch_of(chosen, prompts):
        rows = []
        for i in chosen:
            if prompts and rng.random() < 0.5:
                rows.append(tokenizer.encode(TEMPLATES[rng.integers(len(TEMPLATES))].format(texts[i])).ids[:32])
            else:
                rows.append(ids[i])
        length = max(map(len, rows))
        out = torch.full((len(rows), length), 49407)
        for r, row in enumerate(rows):
            out[r, :len(row)] = torch.tensor(row)
        return out

    def embed(inputs):
        return F.normalize(model(input_ids=inputs).text_embeds.float(), dim=1)

    def report():
        model.eval()
        lines = []
        with torch.no_grad():
            check = np.where(held_out)[0][:3000]
            e = torch.cat([embed(batch_of(c, False)) for c in np.array_split(check, 6)])
            top = (e @ targets[check].T).argmax(1).numpy() == np.arange(len(check))
            cos = (e * targets[check]).sum(1).mean().item()
            lines.append(f"held-out texts: cosine {cos:.3f}, top-1 among {len(check)} {100 * top.mean():.1f} %")
            names = np.arange(1906)
            for template in ("{}", "a photo of a {}"):
                rows = [tokenizer.encode(template.format(texts[i])).ids for i in names]
                width = max(map(len, rows))
                x = torch.tensor([r + [49407] * (width - len(r)) for r in rows])
                e = torch.cat([embed(c) for c in x.split(512)])
                top = (e @ targets[names].T).argmax(1).numpy() == names
                lines.append(f'names as "{template}": top-1 {100 * top.mean():.1f} %')
        model.train()
        return "; ".join(lines)

    table = list(model.get_input_embeddings().parameters())
    rest = [q for q in model.parameters() if q is not table[0]]
    optimizer = torch.optim.Adam([{"params": table, "lr": a.rate}, {"params": rest, "lr": a.rate}],
                                 betas=(0.9, 0.98))
    start, step, shown = time.time(), 0, 0
    while (done := (time.time() - start) / 60 / a.minutes) < 1:
        for group in optimizer.param_groups:
            group["lr"] = a.rate * min(1, (step + 1) / 100) * (0.5 * (1 + math.cos(math.pi * done)) + 0.005)
        kind = rng.random()
        if kind < 0.25:
            chosen, prompts = rng.integers(0, 4000, a.batch), True
        elif kind < 0.85:
            chosen, prompts = rng.choice(short, a.batch), True
        else:
            chosen, prompts = rng.choice(train, a.batch // 2), False
        chosen = np.unique(chosen)
        with torch.autocast("cpu", torch.bfloat16):
            e = embed(batch_of(chosen, prompts))
        y = targets[chosen]
        loss = (1 - (e * y).sum(1)).mean() * 2 + F.cross_entropy(e @ y.T * 20, torch.arange(len(y)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        if (time.time() - start) / 60 > shown:
            shown += max(0.5, a.minutes / 8)
            print(f"{(time.time() - start) / 60:.1f} min, step {step}, loss {loss.item():.3f};", report(),
                  flush=True)
    print("end:", report(), flush=True)
    torch.save({"config": config.to_dict(), "state": model.state_dict()}, a.out)


main()
