"""Makes a tiny model of LLaVA's shape with random weights, as the two GGUF files that llama.cpp reads.

    python tools/interop/make_model.py DIR     (numpy, gguf)

DIR/model.gguf is a language model of LLaMA's kind, DIR/mmproj.gguf a vision tower of CLIP's kind with LLaVA's projector.
The weights know nothing. Only a bias is set by hand: letters are likelier than other bytes, and a quotation mark comes
often enough for a string to end, else greedy decoding would fill the whole reply with one string.
"""
import os
import sys

import gguf
import numpy as np

WIDTH, HEADS, LAYERS, INNER, CONTEXT = 64, 4, 2, 160, 8192
SIDE, PATCH, VISION_WIDTH, VISION_LAYERS = 56, 14, 32, 3
CONSTANT = 4.0  # first component of every embedding, by which the output's first column is a bias
rng = np.random.RandomState(13)


def random(*shape, scale=None):
    scale = 1 / np.sqrt(shape[-1]) if scale is None else scale
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def vocabulary():
    """SentencePiece's kind: three special tokens, 256 bytes, printable ASCII, and syllables. Text, score, type, bias."""
    kind = gguf.TokenType
    rows = [("<unk>", 0.0, kind.UNKNOWN, -9.0), ("<s>", 0.0, kind.CONTROL, -9.0), ("</s>", 0.0, kind.CONTROL, -9.0)]
    rows += [(f"<0x{byte:02X}>", 0.0, kind.BYTE, -9.0) for byte in range(256)]
    rows.append(("\u2581", -1000.0, kind.NORMAL, -1.0))
    for code in range(33, 127):
        bias = {'"': 2.0, "]": -1.0, ",": -1.0}.get(chr(code), -2.0 if chr(code).isalpha() else -9.0)
        rows.append((chr(code), -1000.0, kind.NORMAL, bias))
    for consonant in "bdfgklmnprstvz":
        rows += [(consonant + vowel, -1.0 - len(rows), kind.NORMAL, 1.0) for vowel in "aeiou"]
    return rows


def write_language_model(path):
    rows = vocabulary()
    out = gguf.GGUFWriter(path, "llama")
    out.add_name("tiny random LLaVA")
    out.add_context_length(CONTEXT)
    out.add_embedding_length(WIDTH)
    out.add_block_count(LAYERS)
    out.add_feed_forward_length(INNER)
    out.add_head_count(HEADS)
    out.add_head_count_kv(HEADS)
    out.add_rope_dimension_count(WIDTH // HEADS)
    out.add_layer_norm_rms_eps(1e-5)
    out.add_vocab_size(len(rows))
    out.add_tokenizer_model("llama")
    out.add_token_list([text for text, _, _, _ in rows])
    out.add_token_scores([score for _, score, _, _ in rows])
    out.add_token_types([int(kind) for _, _, kind, _ in rows])
    out.add_unk_token_id(0)
    out.add_bos_token_id(1)
    out.add_eos_token_id(2)
    embeddings = random(len(rows), WIDTH, scale=1.0)
    embeddings[:, 0] = CONSTANT
    output = random(len(rows), WIDTH, scale=0.2)
    output[:, 0] = [bias for _, _, _, bias in rows]
    out.add_tensor("token_embd.weight", embeddings)
    out.add_tensor("output_norm.weight", np.ones(WIDTH, np.float32))
    out.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for name in "attn_norm", "ffn_norm":
            out.add_tensor(block + name + ".weight", np.ones(WIDTH, np.float32))
        for name in "attn_q", "attn_k", "attn_v", "attn_output":
            out.add_tensor(block + name + ".weight", random(WIDTH, WIDTH, scale=0.3))
        for name in "ffn_gate", "ffn_up":
            out.add_tensor(block + name + ".weight", random(INNER, WIDTH))
        out.add_tensor(block + "ffn_down.weight", random(WIDTH, INNER))
    finish(out)


def write_vision_tower(path):
    width, vision = VISION_WIDTH, "clip.vision."
    out = gguf.GGUFWriter(path, "clip")
    out.add_bool("clip.has_vision_encoder", True)
    out.add_string("clip.projector_type", "mlp")
    out.add_bool("clip.use_gelu", False)
    out.add_uint32(vision + "image_size", SIDE)
    out.add_uint32(vision + "patch_size", PATCH)
    out.add_uint32(vision + "embedding_length", width)
    out.add_uint32(vision + "feed_forward_length", 4 * width)
    out.add_uint32(vision + "projection_dim", width)
    out.add_uint32(vision + "block_count", VISION_LAYERS)
    out.add_uint32(vision + "attention.head_count", 4)
    out.add_float32(vision + "attention.layer_norm_epsilon", 1e-5)
    out.add_array(vision + "image_mean", [0.48145466, 0.4578275, 0.40821073])
    out.add_array(vision + "image_std", [0.26862954, 0.26130258, 0.27577711])
    out.add_tensor("v.class_embd", random(width, scale=1.0))
    out.add_tensor("v.patch_embd.weight", random(width, 3, PATCH, PATCH, scale=0.1))
    out.add_tensor("v.position_embd.weight", random((SIDE // PATCH) ** 2 + 1, width, scale=0.5))

    def norm(name):
        out.add_tensor(name + ".weight", np.ones(width, np.float32))
        out.add_tensor(name + ".bias", np.zeros(width, np.float32))

    def linear(name, outputs, inputs):
        out.add_tensor(name + ".weight", random(outputs, inputs))
        out.add_tensor(name + ".bias", random(outputs, scale=0.1))

    norm("v.pre_ln")
    norm("v.post_ln")
    for layer in range(VISION_LAYERS):
        block = f"v.blk.{layer}."
        norm(block + "ln1")
        norm(block + "ln2")
        for name in "attn_q", "attn_k", "attn_v", "attn_out":
            linear(block + name, width, width)
        linear(block + "ffn_up", 4 * width, width)
        linear(block + "ffn_down", width, 4 * width)
    linear("mm.0", WIDTH, width)
    linear("mm.2", WIDTH, WIDTH)
    finish(out)


def finish(out):
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    write_language_model(os.path.join(folder, "model.gguf"))
    write_vision_tower(os.path.join(folder, "mmproj.gguf"))


if __name__ == "__main__":
    main()
