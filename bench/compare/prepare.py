"""Makes what bench/compare measures with: labels, pictures, and the models in each peer's own format.

    python prepare.py FOLDER MODEL...       MODEL: b32, b16, l14, the folders in FOLDER that bench_make_model made;
                                            or lite0, mci0, which are made here

What is there already is left as it is. The pictures are generated; ImageNet's labels and the 10,000 words are looked up
in WordNet's data.noun. Every peer gets what its own documentation names as the way to be fast: onnxruntime its
transformer fusions, openvino a model converted from PyTorch (which keeps attention as one operation).
"""
import json
import os
import random
import subprocess
import sys

import convnets
import numpy as np
import torch
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
WORDNET = "/usr/share/wordnet/data.noun"
TEMPLATE = "a photo of a {}"
CROPS, SMALL, LARGE, WORDS, TEXTS = 32, 128, 12, 10000, 200  # TEXTS: compared with PyTorch's embeddings


def once(path, make):
    """Calls make(temporary path) unless `path` is there; a half-made file is never left under the name."""
    if not os.path.exists(path):
        print(f"  {path}", flush=True)
        root, end = os.path.splitext(path)
        part = f"{root}.part{end}"
        make(part)
        os.replace(part, path)


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


# ---- Labels

def synsets():
    """Offset and first word of each noun."""
    out = {}
    with open(WORDNET, encoding="ascii") as file:
        for line in file:
            if not line.startswith(" "):
                fields = line.split(" ", 5)
                out["n" + fields[0]] = fields[4].replace("_", " ")
    return out


def make_labels(folder):
    """NAME.labels has bare labels; NAME.txt is what is encoded, NAME.ids its token ids."""
    from tokenizers import Tokenizer
    os.makedirs(folder, exist_ok=True)
    if all(os.path.exists(f"{folder}/{name}.ids") for name in ("imagenet", "wordnet")):
        return
    if not os.path.exists(WORDNET):
        sys.exit(f"{WORDNET} is missing (Debian: wordnet-base)")
    nouns = synsets()
    with open(f"{HERE}/../../tools/suite_classes/imagenet1k.txt", encoding="ascii") as file:
        imagenet = [nouns[line.strip()] for line in file if not line.startswith("#")]
    words = sorted(set(nouns.values()))
    words = [words[i * len(words) // WORDS] for i in range(WORDS)]
    random.Random(0).shuffle(words)  # the first of them stand for all where a peer is too slow for all
    tokenizer = Tokenizer.from_file(f"{HERE}/../../models/demo/tokenizer.json")
    tokenizer.no_padding()
    for name, labels in (("imagenet", imagenet), ("wordnet", words)):
        texts = [TEMPLATE.format(label) for label in labels]
        write_lines(f"{folder}/{name}.labels", labels)
        write_lines(f"{folder}/{name}.txt", texts)
        write_lines(f"{folder}/{name}.ids", (" ".join(map(str, e.ids)) for e in tokenizer.encode_batch(texts)))


# ---- Pictures

def draw(rng, width, height):
    """Colours that flow, a few shapes and grain: about as hard to compress as a photo."""
    from PIL import ImageDraw
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for _ in range(25):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(4, width // 3), rng.integers(4, height // 3)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        (pen.ellipse if rng.random() < 0.5 else pen.rectangle)((x, y, x + w, y + h), fill=colour)
    pixels = np.asarray(picture).astype(np.int16) + rng.normal(0, 6, (height, width, 1)).astype(np.int16)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def make_pictures(folder):
    for name, count, width, height in (("small", SMALL, 500, 375), ("large", LARGE, 4000, 3000)):
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        for i in range(count):
            once(f"{folder}/{name}/{i:03}.jpg", lambda path, seed=i, w=width, h=height:
                 draw(np.random.default_rng(seed), w, h).save(path, quality=90))


def make_crops(folder, size, path):
    """The first pictures as bytes [n, size, size, 3], cut as CLIP cuts them."""
    crops = []
    for i in range(CROPS):
        picture = Image.open(f"{folder}/small/{i:03}.jpg")
        short = min(picture.size)
        picture = picture.resize([size * side // short for side in picture.size], Image.Resampling.BICUBIC)
        left, top = (picture.width - size) // 2, (picture.height - size) // 2
        crops.append(np.asarray(picture.crop((left, top, left + size, top + size))))
    np.stack(crops).tofile(path)


# ---- Models

class Tower(torch.nn.Module):
    """One tower as a function from one tensor to embeddings, not yet of unit length."""

    def __init__(self, directory, kind):
        super().__init__()
        import transformers
        cls = {"vision": transformers.CLIPVisionModelWithProjection, "text": transformers.CLIPTextModelWithProjection}
        self.model = cls[kind].from_pretrained(directory, dtype=torch.float32).eval()
        self.key, self.out = (("pixel_values", "image_embeds") if kind == "vision" else ("input_ids", "text_embeds"))

    def forward(self, x):
        return getattr(self.model(**{self.key: x}), self.out)


def example(kind):
    return torch.rand(2, 3, 224, 224) if kind == "vision" else torch.randint(1, 400, (2, 9))


def normalised(folder, directory):
    """The crops as a model's input [n, 3, size, size]."""
    size, mean, std = convnets.settings(directory)
    crops = np.fromfile(f"{folder}/crops-{size}.u8", np.uint8).reshape(-1, size, size, 3)
    mean, std = np.array(mean, np.float32), np.array(std, np.float32)
    return np.ascontiguousarray(((crops / np.float32(255) - mean) / std).transpose(0, 3, 1, 2))


def make_onnx(directory, kind, path):
    axes = {0: "batch"} if kind == "vision" else {0: "batch", 1: "length"}
    name = "pixel_values" if kind == "vision" else "input_ids"
    torch.onnx.export(Tower(directory, kind), (example(kind),), path, input_names=[name], output_names=["embeds"],
                      dynamic_axes={name: axes, "embeds": {0: "batch"}}, opset_version=17, dynamo=False)


def fuse_onnx(directory, kind, source, path):
    """onnxruntime's own tool for transformers: fuses what its session does not fuse by itself."""
    from onnxruntime.transformers import optimizer
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        config = json.load(file)[f"{kind}_config"]
    model = optimizer.optimize_model(source, model_type="clip", num_heads=config["num_attention_heads"],
                                     hidden_size=config["hidden_size"], opt_level=0)
    model.save_model_to_file(path, use_external_data_format=False)


def quantize_onnx(source, path):
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(source, path, per_channel=True, weight_type=QuantType.QInt8,
                     extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})  # of results of fused operations


def make_openvino(directory, kind, folder):
    """IR in f32, with int8 weights (activations are quantised as they come), and wholly int8 with ranges of
    activations calibrated beforehand: this needs data that the others do not."""
    import nncf
    import openvino as ov
    core = ov.Core()
    plain = f"{folder}/{kind}.xml"

    def convert(path):
        model = ov.convert_model(Tower(directory, kind), example_input=example(kind))
        model.reshape([-1, 3, 224, 224] if kind == "vision" else [-1, -1])
        save(model, path)

    def save(model, path):
        ov.save_model(model, path, compress_to_fp16=False)
        weights = os.path.splitext(path)[0]
        os.replace(f"{weights}.bin", f"{weights.removesuffix('.part')}.bin")

    def weights(path):
        save(nncf.compress_weights(core.read_model(plain), mode=nncf.CompressWeightsMode.INT8_SYM), path)

    def calibrated(path):
        if kind == "vision":
            items = [item[None] for item in normalised(f"{folder}/../..", directory)]
        else:
            items = [np.array([ids]) for ids in read_ids(f"{folder}/../../labels/imagenet.ids")[:100]]
        save(nncf.quantize(core.read_model(plain), nncf.Dataset(items), model_type=nncf.ModelType.TRANSFORMER), path)

    once(plain, convert)
    once(f"{folder}/{kind}-int8.xml", weights)
    once(f"{folder}/{kind}-int8-calibrated.xml", calibrated)


def read_ids(path):
    with open(path, encoding="ascii") as file:
        return [[int(x) for x in line.split()] for line in file]


def make_gguf(directory, kind, path, half):
    """clip.cpp's layout of a GGUF file, as its loader reads it."""
    import gguf
    from safetensors.numpy import load_file
    import transformers
    with open(f"{directory}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    tower = config[f"{kind}_config"]
    out = gguf.GGUFWriter(path, "clip")
    out.add_bool("clip.has_text_encoder", kind == "text")
    out.add_bool("clip.has_vision_encoder", kind == "vision")
    out.add_bool("clip.use_gelu", tower["hidden_act"] == "gelu")
    out.add_file_type(1 if half else 0)
    out.add_name(os.path.basename(directory))
    out.add_description(f"{kind}-only")
    for key, value in (("embedding_length", tower["hidden_size"]), ("feed_forward_length", tower["intermediate_size"]),
                       ("projection_dim", config["projection_dim"]),
                       ("attention.head_count", tower["num_attention_heads"]),
                       ("block_count", tower["num_hidden_layers"])):
        out.add_uint32(f"clip.{kind}.{key}", value)
    out.add_float32(f"clip.{kind}.attention.layer_norm_epsilon", 1e-5)
    if kind == "text":
        out.add_uint32("clip.text.context_length", tower["max_position_embeddings"])
        vocabulary = transformers.PreTrainedTokenizerFast(tokenizer_file=f"{directory}/tokenizer.json").get_vocab()
        out.add_token_list(sorted(vocabulary, key=vocabulary.get))
    else:
        out.add_uint32("clip.vision.image_size", tower["image_size"])
        out.add_uint32("clip.vision.patch_size", tower["patch_size"])
        out.add_array("clip.vision.image_mean", [0.48145466, 0.4578275, 0.40821073])
        out.add_array("clip.vision.image_std", [0.26862954, 0.26130258, 0.27577711])
    names = {"text_model": "t", "vision_model": "v", "encoder.layers": "blk", "embeddings.": "", "_proj.": ".",
             "self_attn.": "attn_", "layer_norm": "ln", "layernorm": "ln", "layrnorm": "ln", "mlp.fc1": "ffn_down",
             "mlp.fc2": "ffn_up", "embedding": "embd", "final": "post"}
    for name, data in Tower(directory, kind).model.state_dict().items():
        if name.endswith("position_ids"):
            continue
        if "projection" not in name:
            for old, new in names.items():
                name = name.replace(old, new)
        data = data.squeeze().numpy()
        narrow = data.ndim == 4 or (half and data.ndim == 2 and name.endswith(".weight"))
        out.add_tensor(name, data.astype(np.float16 if narrow else np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def make_clip_cpp(directory, kind, folder, program):
    once(f"{folder}/{kind}-f32.gguf", lambda path: make_gguf(directory, kind, path, False))
    once(f"{folder}/{kind}-f16.gguf", lambda path: make_gguf(directory, kind, path, True))
    once(f"{folder}/{kind}-q8_0.gguf", lambda path: subprocess.run(
        [program, f"{folder}/{kind}-f32.gguf", path, "8"], check=True, stdout=subprocess.DEVNULL))


def make_reference(folder, directory, kind, name, path):
    """What PyTorch computes in f32, of unit length, without any padding."""
    tower, out = Tower(directory, kind), []
    with torch.inference_mode():
        if kind == "vision":
            out = [tower(torch.from_numpy(item[None])) for item in normalised(folder, directory)]
        else:
            out = [tower(torch.tensor([ids])) for ids in read_ids(f"{folder}/labels/{name}.ids")[:TEXTS]]
    torch.nn.functional.normalize(torch.cat(out)).numpy().tofile(path)


def attempt(what, make):
    """A peer that cannot take the model is left out of the comparison, with the reason."""
    try:
        make()
    except Exception as error:  # whatever the peer's own converter raises
        print(f"left out: {what}: {type(error).__name__}: {str(error)[:200]!r}", file=sys.stderr)


def make_model(folder, name):
    directory, out = f"{folder}/models/{name}", f"{folder}/peers/{name}"
    os.makedirs(out, exist_ok=True)
    for kind in ("vision", "text"):
        lists = ("crops",) if kind == "vision" else ("imagenet", "wordnet")
        for data in lists:
            once(f"{out}/reference-{data}.f32", lambda path: make_reference(folder, directory, kind, data, path))

        def onnx():
            once(f"{out}/{kind}-plain.onnx", lambda path: make_onnx(directory, kind, path))
            once(f"{out}/{kind}.onnx", lambda path: fuse_onnx(directory, kind, f"{out}/{kind}-plain.onnx", path))
            once(f"{out}/{kind}-int8.onnx", lambda path: quantize_onnx(f"{out}/{kind}.onnx", path))
        attempt(f"onnxruntime {name} {kind}", onnx)
        attempt(f"openvino {name} {kind}", lambda: make_openvino(directory, kind, out))
        quantizer = f"{folder}/clip_cpp/build/bin/quantize"
        if os.path.exists(quantizer):
            attempt(f"clip.cpp {name} {kind}", lambda: make_clip_cpp(directory, kind, out, quantizer))


def make_convnet(folder, name):
    directory, out = f"{folder}/models/{name}", f"{folder}/peers/{name}"
    os.makedirs(out, exist_ok=True)
    once(directory, lambda path: convnets.make(name, path))
    size = convnets.settings(directory)[0]
    visual, sample = convnets.tower(directory), torch.rand(2, 3, size, size)

    def reference(path):
        with torch.inference_mode():
            rows = [visual(torch.from_numpy(item[None])) for item in normalised(folder, directory)]
        torch.nn.functional.normalize(torch.cat(rows)).numpy().tofile(path)

    def count(path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(convnets.flops(visual, size), file)

    def onnx(path):
        torch.onnx.export(visual, (sample,), path, input_names=["pixels"], output_names=["embeds"], dynamo=False,
                          dynamic_axes={"pixels": {0: "batch"}, "embeds": {0: "batch"}}, opset_version=17)

    def openvino(path):
        import openvino as ov
        model = ov.convert_model(visual, example_input=sample)
        model.reshape([-1, 3, size, size])
        ov.save_model(model, path, compress_to_fp16=False)
        weights = os.path.splitext(path)[0]
        os.replace(f"{weights}.bin", f"{weights.removesuffix('.part')}.bin")

    once(f"{out}/reference-crops.f32", reference)
    once(f"{out}/flops.json", count)
    attempt(f"onnxruntime {name}", lambda: once(f"{out}/vision.onnx", onnx))
    attempt(f"openvino {name}", lambda: once(f"{out}/vision.xml", openvino))


def main():
    folder, names = sys.argv[1], sys.argv[2:]
    transformers = [name for name in names if name not in convnets.NAMES]
    print("preparing:")
    if transformers:
        make_labels(f"{folder}/labels")
    make_pictures(f"{folder}/pictures")
    for size in (224, 256):
        once(f"{folder}/crops-{size}.u8", lambda path: make_crops(f"{folder}/pictures", size, path))
    for name in names:
        (make_convnet if name in convnets.NAMES else make_model)(folder, name)


if __name__ == "__main__":
    main()
