"""Step 4: the projection of the trunk's features into the text tower's space. No labels: the trunk's own classifier
says what is on a photo, and the projection learns to say the same by cosines with what the text tower makes of
ImageNet's 1,000 names.

    python train_projection.py TEXT.pt TOKENIZER.json OUT.pt FEATURES.npz... [--labelled GROCERY_TRAIN.npz]

--labelled makes a variant that is not shipped: photos of fruit and vegetables whose labels are learnt, too.
"""
import argparse
import math
import os

import numpy as np
import torch
from timm.layers import Mlp
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional as F

from train_text import DIMENSION, embed_texts, load_tower
from trunk import load_trunk
from words import IMAGENET_CLASSNAMES, kind_of

TEMPLATE = "a photo of a {}"


def make_projection(kind, size, dimension):
    """open_clip's two kinds of head."""
    if kind == "linear":
        return nn.Linear(size, dimension, bias=False)
    return Mlp(size, 2 * dimension, dimension, bias=(True, False))


def fit(classifier, names, strength):
    """The linear projection [dimension, inputs] whose products with the names come nearest to the classifier's logits,
    by ridge regression; no photo takes part."""
    weight = classifier.weight - classifier.weight.mean(0)
    gram = names.T @ names
    return torch.linalg.solve(gram + strength * gram.trace() / len(gram) * torch.eye(len(gram)), names.T @ weight)


@torch.no_grad()
def start(projection, x, classifier, names):
    """A linear projection starts as the fit; the hidden layer of the other kind as the fit, either way round."""
    w = fit(classifier, names, 0.03)
    w *= 0.3 / (x @ w.T).std()
    if isinstance(projection, nn.Linear):
        projection.weight.copy_(w)
        return
    projection.fc1.weight.copy_(torch.cat([w, -w]))
    projection.fc1.bias.copy_(-projection.fc1.weight @ x.mean(0))
    projection.fc2.weight.copy_(torch.cat([torch.eye(len(w)), -torch.eye(len(w))], 1))


def train(projection, features, classifier, names, steps=800, batch=256, rate=1e-3, sharpness=16.0, decay=1e-4,
          mix=0.5, labelled=None, weight=0.3, seed=0):
    """classifier: a linear layer, one logit a row of `names`. labelled: (features, index, embeddings of their names),
    cross-entropy with that weight."""
    random = torch.Generator().manual_seed(seed)
    start(projection, features, classifier, names)
    optimizer = torch.optim.AdamW(projection.parameters(), lr=rate, weight_decay=decay)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / steps))
        i, j = torch.randint(len(features), (2, batch), generator=random)
        share = torch.rand(batch, 1, generator=random) * mix
        x = features[i] * (1 - share) + features[j] * share
        with torch.no_grad():
            p = classifier(x).softmax(1)
        q = F.log_softmax(sharpness * F.normalize(projection(x), dim=1) @ names.T, dim=1)
        loss = -(p * q).sum(1).mean()
        if labelled:
            x, index, own = labelled
            i = torch.randint(len(x), (batch // 4,), generator=random)
            loss = loss + weight * F.cross_entropy(sharpness * F.normalize(projection(x[i]), dim=1) @ own.T, index[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


def load_labelled(path, embed):
    """Fruit and vegetables of the Grocery Store Dataset: (features, index, embeddings of the kinds)."""
    stored = np.load(path)
    mine = np.array([not p.startswith("Packages") for p in stored["paths"]])
    kinds = [kind_of(p) for p in stored["paths"][mine]]
    labels = sorted(set(kinds))
    return (torch.from_numpy(stored["features"][mine]).float(), torch.tensor([labels.index(k) for k in kinds]),
            embed([TEMPLATE.format(k) for k in labels]))


def load_features(paths):
    return torch.cat([torch.from_numpy(np.load(path)["features"]).float() for path in paths])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("text")
    p.add_argument("tokenizer")
    p.add_argument("out")
    p.add_argument("features", nargs="+")
    p.add_argument("--kind", choices=["linear", "mlp"], default="linear")
    p.add_argument("--steps", type=int, default=800)
    p.add_argument("--labelled")
    a = p.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    torch.manual_seed(0)
    tower, tokenizer = load_tower(a.text), Tokenizer.from_file(a.tokenizer)

    def embed(texts):
        return embed_texts(tower, tokenizer, texts)
    names = embed([TEMPLATE.format(n) for n in IMAGENET_CLASSNAMES])
    features = load_features(a.features)
    projection = make_projection(a.kind, features.shape[1], DIMENSION)
    loss = train(projection, features, load_trunk().classifier, names, a.steps,
                 labelled=load_labelled(a.labelled, embed) if a.labelled else None)
    print(f"{len(features)} photos, loss at the end {loss:.3f}")
    torch.save({"kind": a.kind, "state": projection.state_dict()}, a.out)


if __name__ == "__main__":
    main()
