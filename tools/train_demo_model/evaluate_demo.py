"""The demo's table again, by transformers, Pillow and scikit-learn: the reference for demo/run.sh.

    python evaluate_demo.py DEMO MODEL_DIRECTORY
"""
import csv
import os
import sys

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score
from tokenizers import Tokenizer
from transformers import CLIPModel

from evaluate import embed_texts, features


def fpr95_nearest(id_scores, ood_scores):
    """The threshold is the distinct score, of either kind, whose recall is nearest to 0.95; of equals the
    lowest, so OOD scores that lie between two ID scores count."""
    levels = np.unique(np.concatenate([id_scores, ood_scores]))
    recall = np.array([(id_scores >= t).mean() for t in levels])
    levels, recall = levels[np.sum(recall == 1) - 1:], recall[np.sum(recall == 1) - 1:]
    return (ood_scores >= levels[np.argmin(np.abs(recall - 0.95))]).mean()


def softmax(s, t):
    e = np.exp((s - s.max(1, keepdims=True)) / t)
    return e / e.sum(1, keepdims=True)


def main():
    demo, folder = sys.argv[1:3]
    model = CLIPModel.from_pretrained(folder).eval().float()
    tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(demo, "pictures.tsv")) as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    pixels = np.stack([np.array(Image.open(os.path.join(demo, r["file"])).convert("RGB")) for r in rows])
    with torch.no_grad():
        x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
        pictures = features(model.get_image_features(pixel_values=x)).double().numpy()
    outliers = open(os.path.join(demo, "outliers.txt")).read().split("\n")[:-1]

    def texts(labels):
        return embed_texts(model, tokenizer, ["a photo of a " + w for w in labels]).double().numpy()
    out = texts(outliers)
    group = np.array([r["group"] for r in rows])
    same = [w for w in outliers if w.replace(" ", "-") in
            {os.path.basename(r["file"])[:-4] for r in rows if r["group"] != "id"}]
    print(f"{len(same)} of {len(outliers)} outlier labels are names of OOD pictures:", ", ".join(same))
    results = {}
    for draw in sorted(os.listdir(os.path.join(demo, "draws"))):
        labels = open(os.path.join(demo, "draws", draw)).read().split("\n")[:-1]
        s = pictures @ np.concatenate([texts(labels), out]).T
        k = len(labels)
        p = softmax(s, 1)
        scores = {"mcm": softmax(s[:, :k], 1).max(1), "max-logit": s[:, :k].max(1),
                  "energy": 0.01 * np.log(np.exp(s[:, :k] / 0.01).sum(1)),
                  "mm-ood": p[:, :k].max(1) - 0.25 * p[:, k:].max(1)}
        is_id = np.array([r["group"] == "id" and r["label"] in labels for r in rows])
        for name, v in scores.items():
            for ood in ("ood-far", "ood-near"):
                a, b = v[is_id], v[group == ood]
                truth = np.concatenate([np.ones(len(a)), np.zeros(len(b))])
                results.setdefault((name, ood), []).append(
                    (fpr95_nearest(a, b), roc_auc_score(truth, np.concatenate([a, b]))))
    for (name, ood), values in results.items():
        v = 100 * np.array(values)
        print(f"{name:10} {ood:9} FPR95 {v[:, 0].mean():5.1f} +- {v[:, 0].std(ddof=1):4.1f}   "
              f"AUROC {v[:, 1].mean():5.1f} +- {v[:, 1].std(ddof=1):4.1f}")


main()
