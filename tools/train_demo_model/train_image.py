"""Step 3: the vision tower. Each drawing is pulled to its name's embedding, against the names of all
concepts in training (a softmax over cosines).

    python train_image.py DRAWINGS TARGETS.npz OUT.pt --minutes 90 [--validate STYLE] [--patch 8] ...

With --validate the style is left out of training and reported on: recipes are chosen so. The test style
is looked at by evaluate.py only.
"""
import argparse
import copy
import math
import time

import numpy as np
import torch
from torch.nn import functional as F

from drawings import TRAIN_STYLES, load, on_white
from vision import Vision

# Concepts whose drawings hardly differ from one another, shown less often.
SELDOM = {"Flags": 0.3, "People & Body": 0.3, "Symbols": 0.6, "Smileys & Emotion": 0.5}


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("drawings")
    p.add_argument("targets")
    p.add_argument("out")
    p.add_argument("--minutes", type=float, default=90)
    p.add_argument("--validate")
    p.add_argument("--patch", type=int, default=8)
    p.add_argument("--width", type=int, default=256)
    p.add_argument("--layers", type=int, default=6)
    p.add_argument("--heads", type=int, default=4)
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--keep", type=float, default=0.5)
    p.add_argument("--decay", type=float, default=0.05)
    p.add_argument("--strength", type=float, default=1.0, help="of augmentation")
    p.add_argument("--scale", type=float, default=20.0, help="cosines to logits")
    p.add_argument("--resume", help="weights to go on from")
    p.add_argument("--mlp", type=int, default=0, help="width of the MLP; default 4 * width")
    p.add_argument("--matcher", action="store_true", help="start as a soft nearest neighbour (one layer)")
    p.add_argument("--thumbnail", action="store_true", help="start as a thumbnail matcher")
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()


def augment(pictures, strength, random):
    """Premultiplied RGBA uint8 [n, 64, 64, 4] -> RGB [n, 3, 64, 64] in -1 .. 1, a little moved, turned,
    recoloured, over a plain background."""
    n = len(pictures)
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255

    def uniform(low, high, *shape):
        return torch.rand(n, *shape, generator=random) * (high - low) + low
    angle = uniform(-0.2, 0.2) * strength
    size = 1 + uniform(-0.04, 0.25) * strength
    stretch = torch.exp(uniform(-0.12, 0.12) * strength)
    shift = uniform(-0.10, 0.10, 2) * strength
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    matrix = torch.stack([torch.stack([cos * stretch, -sin, shift[:, 0]], 1),
                          torch.stack([sin, cos / stretch, shift[:, 1]], 1)], 1)
    x = F.grid_sample(x, F.affine_grid(matrix, list(x.shape), align_corners=False), align_corners=False)
    rgb, alpha = x[:, :3], x[:, 3:]
    gray = rgb.mean(1, keepdim=True)
    rgb = gray + (rgb - gray) * (1 + uniform(-0.6, 0.3, 1, 1, 1) * strength)
    rgb = rgb * (1 + uniform(-0.2, 0.15, 3, 1, 1) * strength) + alpha * uniform(-0.08, 0.08, 3, 1, 1)
    background = uniform(0, 1, 3, 1, 1)
    white = uniform(0, 1, 1, 1, 1)
    background = torch.where(white < 0.6, torch.ones_like(background),
                             torch.where(white < 0.85, 0.7 + 0.3 * background, background))
    return ((rgb + background * (1 - alpha)).clamp(0, 1) - 0.5) / 0.5


@torch.no_grad()
def embed(model, pictures):
    x = (torch.from_numpy(on_white(pictures)).permute(0, 3, 1, 2) - 0.5) / 0.5
    with torch.autocast("cpu", torch.bfloat16, enabled=len(model.blocks) > 1):
        return torch.cat([model(b) for b in x.split(512)])


def report(model, bank, pictures, index, held_out):
    """Top-1 and top-5 among all names, of concepts in training and of held-out ones."""
    similarity = embed(model, pictures) @ bank.T
    truth = similarity.gather(1, torch.from_numpy(index)[:, None])
    rank = (similarity > truth).sum(1).numpy()
    out = []
    for mask in (~held_out[index], held_out[index]):
        out += [100 * np.mean(rank[mask] < 1), 100 * np.mean(rank[mask] < 5)]
    return "seen top-1 %.1f top-5 %.1f, unseen top-1 %.1f top-5 %.1f" % tuple(out)


def main():
    a = arguments()
    torch.manual_seed(a.seed)
    random = torch.Generator().manual_seed(a.seed)
    pictures, index, style, rows, held_out = load(a.drawings, TRAIN_STYLES)
    stored = np.load(a.targets, allow_pickle=True)
    bank = torch.from_numpy(stored["targets"][:len(rows)])  # in the order of the index
    train = ~held_out[index] & (style != a.validate)
    seen = np.where(~held_out)[0]
    place = np.full(len(rows), -1)
    place[seen] = np.arange(len(seen))
    ids = np.where(train)[0]
    odds = np.array([SELDOM.get(rows[index[i]]["category"], 1.0) for i in ids])
    odds /= odds.sum()
    model = Vision(patch=a.patch, width=a.width, layers=a.layers, heads=a.heads, dimension=bank.shape[1],
                   mlp=a.mlp, epsilon=1e-12 if a.matcher else 1e-5)
    if a.thumbnail:
        model.start_as_thumbnail(augment(pictures[ids[:2048]], 0.5, random))
    if a.matcher:
        order = np.random.default_rng(1).permutation(ids)[:a.mlp]
        gallery = (torch.from_numpy(on_white(pictures[order])).permute(0, 3, 1, 2) - 0.5) / 0.5
        model.start_as_matcher(gallery, bank[index[order]])
    if a.resume:
        model.load_state_dict(torch.load(a.resume, weights_only=True)["state"])
    average = copy.deepcopy(model)
    decay = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim <= 1]
    if a.matcher:  # weights of very different sizes: steps in proportion, no decay
        groups = [{"params": [p], "factor": max(p.abs().mean().item() * 10, 1e-3), "weight_decay": 0}
                  for p in model.parameters()]
        optimizer = torch.optim.AdamW(groups, lr=a.rate, betas=(0.9, 0.98), eps=1e-12)
    else:
        optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": a.decay},
                                       {"params": others, "weight_decay": 0}], lr=a.rate, betas=(0.9, 0.98))
    rng = np.random.default_rng(a.seed)
    start, step, shown, losses = time.time(), 0, 0, []
    while (done := (time.time() - start) / 60 / a.minutes) < 1:
        warm = min(1, step / 300)
        for group in optimizer.param_groups:
            group["lr"] = group.get("factor", 1) * a.rate * warm * (0.5 * (1 + math.cos(math.pi * done)) + 0.01)
        chosen = rng.choice(ids, a.batch, p=odds)
        x = augment(pictures[chosen], a.strength, random)
        keep = a.keep if done < 0.85 else 1.0
        with torch.autocast("cpu", torch.bfloat16, enabled=not a.matcher):
            y = model(x, keep)
        target = torch.from_numpy(place[index[chosen]])
        loss = F.cross_entropy(y @ bank[seen].T * a.scale, target, label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0 if not a.matcher else 1e9)
        optimizer.step()
        step += 1
        losses.append(loss.item())
        with torch.no_grad():
            rate = min(0.999, 1 - 1 / (1 + step / 10))
            for p, q in zip(average.parameters(), model.parameters()):
                p.lerp_(q, 1 - rate)
        if (time.time() - start) / 60 > shown:
            shown += max(0.5, a.minutes / 20)
            line = f"{(time.time() - start) / 60:.1f} min, step {step}, loss {np.mean(losses[-100:]):.3f}"
            which = (style == a.validate) if a.validate else (held_out[index])
            print(line, report(average, bank, pictures[which], index[which], held_out), flush=True)
            torch.save({"settings": model.settings, "state": average.state_dict()}, a.out)
    which = (style == a.validate) if a.validate else (held_out[index])
    print("end:", report(average, bank, pictures[which], index[which], held_out), flush=True)
    torch.save({"settings": model.settings, "state": average.state_dict()}, a.out)


main()
