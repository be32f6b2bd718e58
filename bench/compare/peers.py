"""The runtimes that bench/compare puts beside mmood: how each is set up to be fast, in one place.

open_peer(runtime, precision, kind, folder, model, threads) gives a function from an array (pixels [n, 3, 224, 224] f32,
or token ids [n, length] int64) to embeddings [n, d], not yet of unit length. A peer loads one tower only.
"""
import os

import convnets


class Absent(Exception):
    """The runtime has no such precision, or its model could not be made."""


def need(path):
    if not os.path.exists(path):
        raise Absent(f"{path} was not made")
    return path


def open_torch(precision, kind, directory, threads, compiled=False):
    """transformers' model in PyTorch, with its default attention (sdpa)."""
    import torch
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    if os.path.exists(f"{directory}/open_clip_config.json"):
        return open_convnet(directory, dtype, compiled)
    import transformers
    cls, key, out = {
        "vision": (transformers.CLIPVisionModelWithProjection, "pixel_values", "image_embeds"),
        "text": (transformers.CLIPTextModelWithProjection, "input_ids", "text_embeds")}[kind]
    model = cls.from_pretrained(directory, dtype=dtype).eval()
    if precision == "int8":
        from torch.ao import quantization
        settings = {torch.nn.Linear: quantization.per_channel_dynamic_qconfig}
        model = quantization.quantize_dynamic(model, settings, dtype=torch.qint8)
    if compiled:
        model = compile_torch(model)

    def embed(array):
        x = torch.from_numpy(array)
        return getattr(model(**{key: x.to(dtype) if kind == "vision" else x}), out).float().numpy()
    return embed


def compile_torch(model):
    import torch
    import torch._inductor.config
    torch._inductor.config.freezing = True  # packs weights for oneDNN
    return torch.compile(model)


def open_convnet(directory, dtype, compiled):
    """open_clip's image tower; PyTorch's convolutions are fastest with the channels last."""
    import torch
    layout = torch.channels_last
    model = convnets.tower(directory).to(dtype=dtype, memory_format=layout)
    if compiled:
        model = compile_torch(model)
    return lambda array: model(torch.from_numpy(array).to(dtype=dtype, memory_format=layout)).float().numpy()


def open_onnxruntime(precision, kind, folder, threads):
    import onnxruntime
    if precision == "bf16":
        raise Absent("onnxruntime computes no bf16 on x86 CPUs")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    path = need(f"{folder}/{kind}{'-int8' if precision == 'int8' else ''}.onnx")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda array: session.run(None, {name: array})[0]


def open_openvino(precision, kind, folder, threads, cache=None):
    """int8: int8 weights, activations quantised as they come; what is not quantised is left in the CPU's default."""
    import openvino
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if precision in ("f32", "bf16"):
        settings["INFERENCE_PRECISION_HINT"] = precision
    if precision == "int8":
        # The fastest of 32 to 3072 when tried: larger groups are faster until one no longer divides a layer's inputs.
        settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = "256"
    if cache:
        settings["CACHE_DIR"] = cache
    path = need(f"{folder}/{kind}{'' if precision in ('f32', 'bf16') else '-' + precision}.xml")
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    return lambda array: request.infer({0: array}, share_inputs=True)[0]


def open_peer(runtime, precision, kind, folder, model, threads, cache=None):
    directory, made = f"{folder}/models/{model}", f"{folder}/peers/{model}"
    if runtime in ("torch", "torch-compile"):
        return open_torch(precision, kind, directory, threads, runtime == "torch-compile")
    if runtime == "onnxruntime":
        return open_onnxruntime(precision, kind, made, threads)
    return open_openvino(precision, kind, made, threads, cache)
