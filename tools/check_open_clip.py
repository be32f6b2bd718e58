"""Compares mmood with open_clip and timm at full size: the LARGE models of make_golden_open_clip.py, made one by one
in a temporary directory, three images and some texts each.

    python tools/check_open_clip.py BUILD [MODEL]...     (torch, timm, open_clip_torch, safetensors, tokenizers, pillow)

The reference is computed in double precision. The weights are random, which makes more of rounding than training
does. Exit code 1 if a cosine is below 0.999999 in f32 or 0.99 in bf16, or if mmood's peak memory in f32 is above
that of open_clip in f32 on the same inputs. What needs torch runs in processes of its own, since a process begins
with the peak memory of the one that starts it.
"""
import os
import shutil
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
TOKENIZER = os.path.join(HERE, "..", "tests", "golden", "b32-quick", "tokenizer.json")
MODELS = ["lite4", "mci2", "mci3", "mci-b", "timm-l14", "vit-h14"]
LEAST = {"f32": 0.999999, "bf16": 0.99}


def make(name, folder):
    """The model's directory with its inputs, and what open_clip computes with it."""
    import make_golden_open_clip as golden
    from PIL import Image
    from safetensors.torch import save_file
    from tokenizers import Tokenizer
    config = golden.LARGE[name]
    golden.TEXTS = [text for text in golden.TEXTS if text]  # mmood embed leaves blank lines out
    model, state, lines = golden.build(config)
    golden.write(folder, config, lines)
    shutil.copy(TOKENIZER, folder)
    save_file(state, os.path.join(folder, "open_clip_model.safetensors"))
    del state
    for i in range(golden.IMAGES):
        crop = golden.crop(i, config["vision_cfg"]["image_size"])
        Image.fromarray(crop).save(os.path.join(folder, f"{i}.png"))
    with open(os.path.join(folder, "texts.txt"), "w") as file:
        file.write("\n".join(golden.TEXTS) + "\n")
    expected, _ = golden.reference(model, config, Tokenizer.from_file(TOKENIZER))
    np.savez(os.path.join(folder, "expected.npz"), images=expected["images"].numpy(), texts=expected["texts"].numpy())


def run_open_clip(name, folder):
    """open_clip in f32 on as many images and texts."""
    import make_golden_open_clip as golden
    import torch
    from safetensors.torch import load_file
    config = golden.LARGE[name]
    kind = golden.open_clip.CustomTextCLIP if config.get("custom_text") else golden.open_clip.CLIP
    model = kind(**{k: v for k, v in config.items() if k not in ("custom_text", "gain")}).eval()
    model.load_state_dict(load_file(os.path.join(folder, "open_clip_model.safetensors")), strict=False)
    size, context = config["vision_cfg"]["image_size"], config["text_cfg"]["context_length"]
    with torch.no_grad():
        model.encode_image(torch.zeros(golden.IMAGES, 3, size, size))
        model.encode_text(torch.zeros(len(golden.TEXTS), context, dtype=torch.long))


def peak_of(command):
    """Runs it; its peak memory in MB."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    messages = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command[:4])} failed: {messages}")
    return usage.ru_maxrss / 1024


def itself(mode, name, folder):
    return peak_of([sys.executable, os.path.abspath(__file__), mode, name, folder])


def embed(program, folder, precision, inputs):
    """Embeddings, and the peak memory."""
    from safetensors import safe_open
    out = os.path.join(folder, "out.safetensors")
    peak = peak_of([program, "embed", "-m", folder, "--no-cache", "--precision", precision, "-o", out, *inputs])
    with safe_open(out, "np") as file:
        return file.get_tensor("embeddings").astype(np.float64), peak


def check(program, name, folder):
    itself("--make", name, folder)
    theirs = itself("--open-clip", name, folder)
    expected = np.load(os.path.join(folder, "expected.npz"))
    paths = [os.path.join(folder, f"{i}.png") for i in range(len(expected["images"]))]
    good = True
    for precision, least in LEAST.items():
        if precision == "bf16" and "avx512_bf16" not in open("/proc/cpuinfo").read():
            print(f"{name:9} bf16: not on this CPU")
            continue
        peak = 0
        for what, inputs in (("images", paths), ("texts", [os.path.join(folder, "texts.txt")])):
            rows, memory = embed(program, folder, precision, ["--" + what, *inputs])
            wanted = expected[what].astype(np.float64)
            cosines = (rows * wanted).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(wanted, axis=1)
            print(f"{name:9} {precision:4} {len(rows)} {what:6}: cosine min {cosines.min():.8f}, mean "
                  f"{cosines.mean():.8f}", flush=True)
            good = good and cosines.min() >= least
            peak = max(peak, memory)
        print(f"{name:9} {precision:4} peak memory {peak:.0f} MB; open_clip's in f32 {theirs:.0f} MB", flush=True)
        good = good and (precision != "f32" or peak <= theirs)
    return good


def main():
    if sys.argv[1] in ("--make", "--open-clip"):
        (make if sys.argv[1] == "--make" else run_open_clip)(*sys.argv[2:4])
        return
    failed = []
    for name in sys.argv[2:] or MODELS:
        with tempfile.TemporaryDirectory() as work:
            if not check(os.path.join(sys.argv[1], "mmood"), name, os.path.join(work, name)):
                failed.append(name)
    if failed:
        sys.exit("failed: " + " ".join(failed))


if __name__ == "__main__":
    main()
