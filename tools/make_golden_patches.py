"""Writes patches.safetensors beside golden.safetensors in some golden models of tests/golden: the patch features that
transformers' own modules give for the crops in golden.safetensors, in double precision.

    python tools/make_golden_patches.py tests/golden        (torch, transformers, safetensors; after make_golden.py)

The file holds patches [n, patches, dimension] F32, of unit length. They are GL-MCM's (Miyai et al.): the last layer with
each token's own value in place of attention, then the last norm and the projection. Printed for each model: the lowest
cosine of a feature to that of the whole last layer, attention included. Tolerances: cosine 0.999999 in f32, 0.999 in bf16.
"""
import os
import sys

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import CLIPModel

# a GELU and three layers; a size that patches do not divide; GELU's approximation; a bf16 file; a single layer
MODELS = ["p16-gelu", "p14-odd", "p7-new", "bf16", "eos-inside-old"]
MEAN, STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def main():
    for name in MODELS:
        folder = os.path.join(sys.argv[1], name)
        model = CLIPModel.from_pretrained(folder, dtype=torch.float32).eval().double()
        crops = load_file(os.path.join(folder, "golden.safetensors"))["crops"]
        pixels = (crops.double() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)
        tower = model.vision_model
        tower = getattr(tower, "vision_model", tower)
        last = tower.encoder.layers[-1]
        entering = []
        last.register_forward_pre_hook(lambda _, inputs: entering.append(inputs[0]))

        def finish(x):
            x = model.visual_projection(tower.post_layernorm(x[:, 1:]))
            return torch.nn.functional.normalize(x, dim=-1)

        with torch.no_grad():
            whole = finish(tower(pixel_values=pixels.permute(0, 3, 1, 2)).last_hidden_state)
            x = entering[0]
            attention = last.self_attn
            x = x + attention.out_proj(attention.v_proj(last.layer_norm1(x)))
            patches = finish(x + last.mlp(last.layer_norm2(x)))
        save_file({"patches": patches.float().contiguous()}, os.path.join(folder, "patches.safetensors"),
                  metadata={"transformers": transformers.__version__, "torch": torch.__version__})
        print(name, list(patches.shape), f"{(whole * patches).sum(-1).min():.3f}")


main()
