"""Makes tests/golden/open_clip: what open_clip and timm compute with models whose weights are numbers of a
generator, so that only the names, shapes and ranges of the weights need to be stored.

    python tools/make_golden_open_clip.py tests/golden/open_clip      (torch, timm, open_clip_torch, tokenizers)

Each folder is one model:
    open_clip_config.json   the configuration
    tensors.tsv             name, offset, scale, shape: element i is float32(offset + scale * uniform(name, i))
    golden.safetensors      images [n, d], texts [m, d] unit-length F32; patches [n, p, d] where the tower is
                            convolutional; "texts" and "ids" in the metadata
uniform() and crop() are in tests/clip/synthetic.c too. The reference is computed in double precision.
Tolerances: cosine 0.999999 in f32, 0.999 in bf16.
"""
import json
import os
import shutil
import sys

import numpy as np
import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
TEXTS = ["a photo of a cat", "a photo of a dog", "cat!", "", "You should've done this", "caf\u00e9 na\u00efve",
         "the wolf and the " + "fox " * 90]
IMAGES = 3
TEXT = dict(context_length=24, vocab_size=532, width=32, heads=2, layers=2)


def vit(**other):
    return dict(dict(image_size=48, patch_size=16, width=48, layers=3, head_width=16), **other)


def timm_tower(name, size, **other):
    return dict(dict(timm_model_name=name, timm_model_pretrained=False, timm_pool="avg", timm_proj="linear",
                     image_size=size), **other)


# gain: of the weights in the trunk, so that images differ and rounding is not amplified beyond measure
MODELS = {
    # OpenAI's shape by open_clip's names; the context of 77 is longer than the tokenizer cuts others to
    "quick": dict(embed_dim=32, quick_gelu=True, vision_cfg=vit(), text_cfg=dict(TEXT, context_length=77)),
    # everything that differs from it
    "unusual": dict(embed_dim=24, custom_text=True, init_logit_bias=-10.0,
                    vision_cfg=vit(image_size=30, patch_size=7, width=60, head_width=20, mlp_ratio=2.71, no_ln_pre=True,
                                   ls_init_value=0.1, pool_type="avg", norm_kwargs={"eps": 1e-3},
                                   act_kwargs={"approximate": "tanh"}),
                    text_cfg=dict(TEXT, no_causal_mask=True, pool_type="eos", eos_id=531, proj_bias=True, mlp_ratio=3.3,
                                  ls_init_value=0.1, norm_kwargs={"eps": 1e-6})),
    "norm-last": dict(embed_dim=40, vision_cfg=vit(pool_type="avg", final_ln_after_pool=True),
                      text_cfg=dict(TEXT, pool_type="last")),
    "first": dict(embed_dim=40, vision_cfg=vit(patch_size=24),
                  text_cfg=dict(TEXT, pool_type="first", no_causal_mask=True)),
    "lite0": dict(embed_dim=48, vision_cfg=timm_tower("tf_efficientnet_lite0", 96), text_cfg=TEXT),
    "lite2-mlp": dict(embed_dim=36, vision_cfg=timm_tower("tf_efficientnet_lite2", 77, timm_proj="mlp",
                                                          timm_proj_bias=True), text_cfg=TEXT),
    "lite0-none": dict(embed_dim=1280, vision_cfg=timm_tower("tf_efficientnet_lite0", 65, timm_proj="none"),
                       text_cfg=TEXT),
    "mci0": dict(embed_dim=48, gain=0.9, custom_text=True, vision_cfg=timm_tower("fastvit_mci0", 96, timm_proj=None),
                 text_cfg=dict(TEXT, no_causal_mask=True)),
    "mci0-folded": dict(embed_dim=48, custom_text=True, fold=True, gain=1.2,
                        vision_cfg=timm_tower("fastvit_mci0", 64, timm_proj="linear"), text_cfg=TEXT),
}
# Too large for quick tests; tools/check_open_clip.py makes and compares them.
LARGE = {
    "mci2": dict(embed_dim=512, gain=0.8, custom_text=True, vision_cfg=timm_tower("fastvit_mci2", 256, timm_proj=None),
                 text_cfg=dict(TEXT, no_causal_mask=True)),
    "mci3": dict(embed_dim=768, gain=0.9, custom_text=True, vision_cfg=timm_tower("fastvit_mci3", 256, timm_proj=None),
                 text_cfg=TEXT),
    "mci-b": dict(embed_dim=512, custom_text=True,
                  vision_cfg=timm_tower("vit_base_mci_224", 224, timm_pool="token", timm_proj=None), text_cfg=TEXT),
    "timm-l14": dict(embed_dim=768, custom_text=True, text_cfg=TEXT,
                     vision_cfg=timm_tower("vit_large_patch14_clip_224", 224, timm_pool="token", timm_proj=None)),
    "vit-h14": dict(embed_dim=1024, text_cfg=dict(context_length=77, vocab_size=532, width=1024, heads=16, layers=24),
                    vision_cfg=vit(image_size=224, patch_size=14, width=1280, layers=32, head_width=80)),
    "lite4": dict(embed_dim=256, vision_cfg=timm_tower("tf_efficientnet_lite4", 300), text_cfg=TEXT),
}


def uniform(name, count):
    """Numbers from -1 to 1: splitmix64 from the FNV-1a hash of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z = z ^ z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0 ** -52 - 1


def crop(index, size):
    """Blocks of 16 pixels with a little noise, [size, size, 3] bytes."""
    blocks = (size + 15) // 16
    coarse = uniform(f"blocks.{index}", blocks * blocks * 3).reshape(blocks, blocks, 3)
    fine = uniform(f"pixels.{index}", size * size * 3).reshape(size, size, 3)
    at = np.arange(size) // 16
    return np.floor(128 + 100 * coarse[at][:, at] + 27 * fine).astype(np.uint8)


def spread(name, tensor, gain):
    """Offset and scale of a tensor's numbers: large enough that a wrong fold or activation shows."""
    if name.endswith("logit_scale"):
        return 4.6, 0.0
    if name.endswith("running_var"):
        return 1.0, 0.5
    if name.endswith("gamma"):
        return (0.3, 0.2) if "trunk" in name else (0.4, 0.3)
    if tensor.ndim <= 1 and name.endswith(".weight"):
        return 1.0, 0.3
    if tensor.ndim <= 1 and "class_embedding" not in name:
        return 0.0, 0.2
    if any(part in name for part in ("embedding", "pos_embed", "cls_token")):
        return 0.0, 0.8
    inputs = tensor.shape[0] if name.endswith(("visual.proj", "text_projection")) else tensor[0].numel()
    return 0.0, (gain if "trunk" in name else 1.5) * (3 / inputs) ** 0.5


def build(config):
    """The model, and the lines of tensors.tsv."""
    arguments = {k: v for k, v in config.items() if k not in ("custom_text", "fold", "gain")}
    kind = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    model = kind(**arguments).eval()
    if config.get("fold"):
        for module in model.visual.modules():
            if hasattr(module, "reparameterize") and module is not model.visual:
                module.reparameterize()
    lines, state = [], {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        offset, scale = spread(name, tensor, config.get("gain", 1.2))
        values = (offset + scale * uniform(name, max(tensor.numel(), 1))).astype(np.float32)
        state[name] = torch.from_numpy(values).reshape(tensor.shape)
        lines.append(f"{name}\t{offset!r}\t{scale!r}\t{','.join(map(str, tensor.shape))}")
    model.load_state_dict(state, strict=False)
    return model, state, lines


def unit(rows):
    return torch.nn.functional.normalize(rows, dim=-1).float().contiguous()


def patches(model, config, images):
    """The head over every pixel of the last map."""
    visual = model.visual
    maps = visual.trunk.forward_features(images).permute(0, 2, 3, 1)
    if config["vision_cfg"]["timm_proj"] is None:
        rows = visual.trunk.head.fc(maps)
    else:
        rows = visual.head(maps)
    return unit(rows.flatten(1, 2))


def reference(model, config, tokenizer):
    size, text = config["vision_cfg"]["image_size"], config["text_cfg"]
    mean, std = (torch.tensor(x, dtype=torch.float64)[:, None, None]
                 for x in (open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD))
    pixels = torch.stack([torch.from_numpy(crop(i, size)).permute(2, 0, 1) for i in range(IMAGES)])
    images = (pixels.double() / 255 - mean) / std
    ids = [tokenizer.encode(t).ids for t in TEXTS]
    ids = [x if len(x) <= text["context_length"] else x[:text["context_length"] - 1] + x[-1:] for x in ids]
    padded = torch.zeros(len(ids), text["context_length"], dtype=torch.long)
    for row, x in zip(padded, ids):
        row[:len(x)] = torch.tensor(x)
    model = model.double()
    with torch.no_grad():
        out = {"images": unit(model.encode_image(images)), "texts": unit(model.encode_text(padded))}
        if "efficientnet" in str(config["vision_cfg"].get("timm_model_name")) or \
                "fastvit" in str(config["vision_cfg"].get("timm_model_name")):
            out["patches"] = patches(model, config, images)
    return out, ids


def write(folder, config, lines):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    model_cfg = {k: v for k, v in config.items() if k not in ("fold", "gain")}
    with open(os.path.join(folder, "open_clip_config.json"), "w") as file:
        json.dump({"model_cfg": model_cfg, "preprocess_cfg": {}}, file, indent=1)
    with open(os.path.join(folder, "tensors.tsv"), "w") as file:
        file.write("\n".join(lines) + "\n")


def main():
    torch.manual_seed(0)
    root = sys.argv[1]
    tokenizer = Tokenizer.from_file(os.path.join(root, "..", "b32-quick", "tokenizer.json"))
    for name, config in MODELS.items():
        if sys.argv[2:] and name not in sys.argv[2:]:
            continue
        model, _, lines = build(config)
        out, ids = reference(model, config, tokenizer)
        folder = os.path.join(root, name)
        write(folder, config, lines)
        save_file(out, os.path.join(folder, "golden.safetensors"),
                  metadata={"texts": json.dumps(TEXTS), "ids": json.dumps(ids)})
        near = (out["images"] @ out["images"].T).fill_diagonal_(-1).max()
        print(f"{name:12} nearest images {near:.3f}, texts "
              f"{(out['texts'] @ out['texts'].T).fill_diagonal_(-1).max():.3f}")


if __name__ == "__main__":
    main()
