"""Makes the golden models of tests/golden: tiny random CLIP models in Hugging Face's layout, each with
inputs and the embeddings that transformers computes from them in double precision.

    python tools/make_golden.py tests/golden        (torch, transformers, safetensors, numpy)

Each folder is a model directory; golden.safetensors beside it holds
    crops   [n, size, size, 3] U8    what the vision tower sees, before normalising
    images  [n, dimension] F32       their unit-length embeddings
    texts   [m, dimension] F32       of the texts in the metadata ("texts", a JSON list)
and in the metadata "ids", the token ids of the texts. Tolerances: cosine 0.999999 in f32, 0.999 in bf16.
"""
import json
import os
import shutil
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import CLIPConfig, CLIPModel

TEXTS = ["a photo of a cat", "a photo of a dog", "cat", "cat!", "", "You should've done this",
         "golden_retriever 1234", "caf\u00e9 na\u00efve \u65e5\u672c", "the wolf and the " + "fox " * 90]
MERGES = ["a t</w>", "c at</w>", "o f</w>", "p h", "ph o", "t o</w>", "pho to</w>", "d o", "do g</w>",
          "t h", "th e</w>", "w o", "l f</w>", "wo lf</w>", "f o", "fo x</w>", "' ve</w>", "v e</w>"]
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]

# name: vision (width, layers, heads, mlp, act, size, patch), text (width, layers, heads, mlp, act),
#       dimension, eos as in config ("old" is 2), dtype of the file, other
MODELS = {
    "b32-quick": dict(vision=(64, 2, 4, 128, "quick_gelu", 64, 32), text=(48, 2, 4, 96, "quick_gelu"),
                      dimension=32, eos="old"),
    "p16-gelu": dict(vision=(48, 3, 3, 96, "gelu", 48, 16), text=(32, 2, 2, 64, "gelu"), dimension=24),
    "p14-odd": dict(vision=(40, 2, 2, 72, "quick_gelu", 30, 14), text=(40, 3, 5, 80, "gelu"), dimension=36),
    "p8-mixed": dict(vision=(32, 2, 1, 64, "gelu", 32, 8), text=(64, 2, 8, 100, "quick_gelu"), dimension=48,
                     eps=1e-3),
    "p7-new": dict(vision=(30, 2, 3, 50, "gelu_new", 28, 7), text=(30, 2, 3, 70, "gelu_new"), dimension=20),
    "f16": dict(vision=(64, 2, 4, 128, "quick_gelu", 32, 8), text=(64, 2, 4, 128, "quick_gelu"),
                dimension=32, dtype=torch.float16),
    "bf16": dict(vision=(64, 2, 4, 128, "quick_gelu", 32, 16), text=(64, 2, 4, 128, "quick_gelu"),
                 dimension=32, dtype=torch.bfloat16),
    "sharded": dict(vision=(48, 2, 2, 96, "quick_gelu", 32, 16), text=(48, 2, 2, 96, "quick_gelu"),
                    dimension=40, shards=True),
    "slow-tokenizer": dict(vision=(32, 2, 2, 64, "quick_gelu", 32, 16), text=(32, 2, 2, 64, "quick_gelu"),
                           dimension=16, files=True),
    "eos-inside": dict(vision=(32, 2, 2, 64, "quick_gelu", 32, 16), text=(32, 2, 2, 64, "quick_gelu"),
                       dimension=16, inside=True),
    "eos-inside-old": dict(vision=(32, 1, 2, 64, "quick_gelu", 32, 16), text=(32, 2, 2, 64, "quick_gelu"),
                           dimension=16, inside=True, eos="old"),
}


def symbols():
    printing = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in printing] + [chr(256 + i) for i in range(256 - len(printing))]


def make_tokenizer(folder, files, inside):
    """A byte-level vocabulary with a few merges. With `inside` the special tokens come before the merges, so that
    EOT is not the largest id of a text."""
    merged, special = [m.replace(" ", "") for m in MERGES], ["<|startoftext|>", "<|endoftext|>"]
    tokens = symbols() + [s + "</w>" for s in symbols()] + (special + merged if inside else merged + special)
    vocab = {t: i for i, t in enumerate(tokens)}
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "..", "models", "demo", "tokenizer.json"), encoding="utf-8") as file:
        tokenizer = json.load(file)
    for token in tokenizer["added_tokens"]:
        token["id"] = vocab[token["content"]]
    tokenizer["post_processor"]["sep"][1] = vocab["<|endoftext|>"]
    tokenizer["post_processor"]["cls"][1] = vocab["<|startoftext|>"]
    tokenizer["model"]["vocab"], tokenizer["model"]["merges"] = vocab, MERGES
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    if files:
        with open(os.path.join(folder, "vocab.json"), "w", encoding="utf-8") as file:
            json.dump(vocab, file, ensure_ascii=False, separators=(",", ":"))
        with open(os.path.join(folder, "merges.txt"), "w", encoding="utf-8") as file:
            file.write("#version: 0.2\n" + "\n".join(MERGES) + "\n")
    else:
        with open(os.path.join(folder, "tokenizer.json"), "w", encoding="utf-8") as file:
            file.write(text)
    return Tokenizer.from_str(text), vocab


def tower(values, text):
    width, layers, heads, mlp, act = values[:5]
    out = dict(hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads,
               intermediate_size=mlp, hidden_act=act)
    if not text:
        out.update(image_size=values[5], patch_size=values[6])
    return out


def randomise(model, seed):
    """Larger than transformers' start, so that a wrong activation or a missing bias shows."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.2 * noise)
            elif p.ndim <= 1 and "class" not in name:
                p.copy_(0.1 * noise + (4.6052 if name == "logit_scale" else 0))
            elif "embedding" in name:
                p.copy_(0.5 * noise)
            else:
                p.copy_(noise * 1.5 / p[0].numel() ** 0.5)


def unit(model, function, **inputs):
    with torch.no_grad():
        out = getattr(model, function)(**inputs)
    out = out if torch.is_tensor(out) else out.pooler_output
    return torch.nn.functional.normalize(out, dim=1).float()


def save_weights(folder, state, shards):
    if not shards:
        save_file(state, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
        return
    names, weight_map = sorted(state), {}
    for i in range(2):
        file = f"model-0000{i + 1}-of-00002.safetensors"
        part = {n: state[n] for n in names[i::2]}
        weight_map.update({n: file for n in part})
        save_file(part, os.path.join(folder, file), metadata={"format": "pt"})
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {}, "weight_map": weight_map}, file)


def make(root, name, m, seed):
    folder = os.path.join(root, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    tokenizer, vocab = make_tokenizer(folder, m.get("files"), m.get("inside"))
    eot = vocab["<|endoftext|>"]
    text, vision = tower(m["text"], True), tower(m["vision"], False)
    text.update(vocab_size=len(vocab), eos_token_id=2 if m.get("eos") == "old" else eot,
                bos_token_id=vocab["<|startoftext|>"], pad_token_id=eot, max_position_embeddings=77)
    for t in (text, vision):
        t["layer_norm_eps"] = m.get("eps", 1e-5)
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=m["dimension"])
    model = CLIPModel(config).eval()
    randomise(model, seed)
    dtype = m.get("dtype", torch.float32)
    model = model.to(dtype)
    state = {k: v.contiguous() for k, v in model.state_dict().items() if "position_ids" not in k}
    if name == "b32-quick":  # older files have these buffers
        state["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    save_weights(folder, state, m.get("shards"))
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({"model_type": "clip", "projection_dim": m["dimension"], "text_config": text,
                   "vision_config": vision}, file, indent=1)
    size = m["vision"][5]
    with open(os.path.join(folder, "preprocessor_config.json"), "w") as file:
        json.dump({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": size},
                   "crop_size": {"height": size, "width": size}, "resample": 3, "image_mean": MEAN,
                   "image_std": STD}, file, indent=1)
    model = model.double()
    crops = np.random.RandomState(seed).randint(0, 256, (5, size, size, 3)).astype(np.uint8)
    crops[3] = 0
    crops[4] = np.linspace(0, 255, size)[None, :, None]
    pixels = (torch.from_numpy(crops).double() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
    images = unit(model, "get_image_features", pixel_values=pixels.permute(0, 3, 1, 2))
    tokenizer.enable_truncation(77)
    written = TEXTS + ["cat <|endoftext|> dog"] * bool(m.get("inside"))  # two EOTs: the first one counts
    ids = [tokenizer.encode(t).ids for t in written]
    texts = torch.cat([unit(model, "get_text_features", input_ids=torch.tensor([i])) for i in ids])
    save_file({"crops": torch.from_numpy(crops), "images": images, "texts": texts},
              os.path.join(folder, "golden.safetensors"),
              metadata={"texts": json.dumps(written), "ids": json.dumps(ids),
                        "transformers": transformers.__version__, "torch": torch.__version__})


def main():
    for seed, (name, settings) in enumerate(MODELS.items(), 1):
        make(sys.argv[1], name, settings, seed)
        print(name)


main()
