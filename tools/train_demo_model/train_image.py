"""Step 4: the vision tower, one layer, set rather than trained. Its attention makes a thumbnail of the picture,
in a metric learnt to ignore what differs between styles; its MLP compares the thumbnail with those of all training
drawings (a soft nearest neighbour: quick_gelu's negative tail is nearly an exponential) and answers with their
names, in the text tower's space.

    python train_image.py DRAWINGS NAMES.npy OUT.pt [--validate STYLE]

With --validate the style is left out of training and reported on: recipes are chosen so. The test style
is looked at by evaluate.py only.
"""
import argparse

import numpy as np
import torch
from torch.nn import functional as F

from drawings import TRAIN_STYLES, load, on_white
from vision import Vision

WIDTH, PATCH, SIZE = 400, 16, 64
GAIN = 5e4  # so that what the MLP writes is far above the thumbnail beside it


def arguments():
    p = argparse.ArgumentParser()
    p.add_argument("drawings")
    p.add_argument("names")
    p.add_argument("out")
    p.add_argument("--validate")
    p.add_argument("--strength", type=float, default=1.0, help="of augmentation")
    p.add_argument("--augmented", type=float, default=3.0, help="weight of augmented differences against styles'")
    p.add_argument("--ridge", type=float, default=0.3, help="of the metric, against the mean of its spectrum")
    p.add_argument("--sharpness", type=float, default=18.0, help="of the nearest neighbour, in 1.7 cosines")
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


def plain(pictures):
    return (torch.from_numpy(on_white(pictures)).permute(0, 3, 1, 2) - 0.5) / 0.5


def fetch(model, pictures):
    return torch.cat([model.fetch(b)[0] for b in pictures.split(512)])


def learn_metric(model, pictures, index, random, a):
    """Features [fetched, n] in which drawings of one concept in two styles, and a drawing and its augmented
    self, differ by little, alike in all directions (whitened within classes); and the mean."""
    fetched = fetch(model, plain(pictures))
    styles = [fetched[i] - fetched[j] for i in range(len(index)) for j in np.where(index[:i] == index[i])[0]]
    styles = torch.stack(styles) / 2 ** 0.5
    moved = torch.cat([fetch(model, augment(pictures, a.strength, random)) - fetched for _ in range(4)])
    within = styles.T @ styles / len(styles) + a.augmented * moved.T @ moved / len(moved)
    within += a.ridge * within.trace() / len(within) * torch.eye(len(within))
    values, directions = torch.linalg.eigh(within)
    mean = fetched.mean(0)
    spread = ((fetched - mean) @ directions).pow(2).mean(0) / values
    kept = spread.argsort(descending=True)[:-1]  # one dimension goes to layer norm
    return directions[:, kept] / values[kept].sqrt(), mean


def report(embedding, names, index, held_out):
    """Top-1 and top-5 among all names, of concepts in training and of held-out ones."""
    similarity = embedding @ names.T
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
    names = torch.from_numpy(np.load(a.names))  # in the order of the index
    ids = np.where(~held_out[index] & (style != a.validate))[0]
    which = (style == a.validate) if a.validate else held_out[index]
    model = Vision(size=SIZE, patch=PATCH, width=WIDTH, layers=1, heads=(SIZE // PATCH) ** 2,
                   dimension=names.shape[1], mlp=len(ids), epsilon=1e-12)
    model.look_at_patches(plain(pictures[ids]))
    metric, mean = learn_metric(model, pictures[ids], index[ids], random, a)
    gallery = F.normalize((fetch(model, plain(pictures[ids])) - mean) @ metric, dim=1)
    with torch.no_grad():
        place = model.write_features(metric, mean, model.fetch(plain(pictures[ids[:1]]))[1])
        # -quick_gelu of this is nearly exp(1.7 sharpness cosine), and largest where the cosine is 1
        bias = torch.full((len(ids),), -0.92 * a.sharpness - 3)
        model.write_mlp(place, gallery * a.sharpness, bias, -GAIN * names[index[ids]])
        tower = torch.cat([model(b) for b in plain(pictures[which]).split(256)])
    print(report(tower, names, index[which], held_out), flush=True)
    torch.save({"settings": model.settings, "state": model.state_dict()}, a.out)


main()
