"""Step 3: what the text tower makes of the drawings' names, for the vision tower to answer with.

    python names.py DRAWINGS TEXT.pt TOKENIZER.json NAMES.npy
"""
import sys

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from words import concepts


def main():
    drawings, text, tokenizer, out = sys.argv[1:5]
    stored = torch.load(text, weights_only=True)
    dimension = stored["state"]["text_projection.weight"].shape[0]
    config = CLIPTextConfig(**{k: v for k, v in stored["config"].items() if k != "model_type"}, projection_dim=dimension)
    model = CLIPTextModelWithProjection(config).eval()
    model.load_state_dict({k: v for k, v in stored["state"].items() if "position_ids" not in k})
    tokenizer = Tokenizer.from_file(tokenizer)
    with torch.no_grad():
        rows = [model(torch.tensor([tokenizer.encode("a photo of a " + r["label"]).ids])).text_embeds[0]
                for r in concepts(drawings)]
    np.save(out, torch.nn.functional.normalize(torch.stack(rows), dim=1).numpy())


main()
