#!/usr/bin/env python3
"""Writes tests/data/torch: files of torch.save, and the same tensors as safetensors. They must agree byte for byte.

    python tools/make_golden_torch.py tests        (torch, safetensors)

    kinds.bin, kinds.safetensors    every type; views in order, at an offset, transposed, with steps; shared storages
    protocol4.bin, protocol5.bin    the same in later pickle protocols
    nested.bin, nested.safetensors  a checkpoint around a state dict of DataParallel
    shard1.bin, shard2.bin          the tensors of kinds.bin, half of them each
    model.bin                       the weights of golden/p7-new, its large ones transposed
    refused_*.bin                   what torch.save and torch.jit write besides state dicts
"""
import os
import sys
import warnings
from collections import OrderedDict

import torch
from safetensors.torch import load_file, save_file

warnings.filterwarnings("ignore")


class Command:
    def __reduce__(self):
        return os.system, ("touch refused_command_was_run",)


def kinds():
    generator = torch.Generator().manual_seed(7)
    base = torch.randn(6, 10, generator=generator)
    cube = torch.randn(3, 4, 5, generator=generator)
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    state = model.state_dict()  # an OrderedDict with _metadata, and num_batches_tracked
    state["parameter"] = torch.nn.Parameter(torch.randn(2, 3, generator=generator))
    state["shared.whole"] = base
    state["shared.rows"] = base[2:4]
    state["shared.columns"] = base[:, 3:7]
    state["shared.steps"] = base[1::2, ::3]
    state["shared.transposed"] = base.t()
    state["cube.permuted"] = cube.permute(2, 0, 1)
    state["cube.one"] = cube[1:2].transpose(0, 1)
    state["expanded"] = torch.randn(4, 1, generator=generator).expand(4, 3)
    state["scalar"] = torch.tensor(2.6592)
    state["scalar.inside"] = base[5, 9]
    state["nothing"] = torch.zeros(0, 3)
    state["nothing.outside"] = torch.zeros(4).as_strided((3, 0), (12, 1))[1::2]  # begins at element 12 of 4
    state["f64"] = torch.randn(5, generator=generator).double()
    state["f16"] = torch.randn(2, 7, generator=generator).half()
    state["f16.transposed"] = torch.randn(2, 7, generator=generator).half().t()
    state["bf16"] = torch.randn(9, generator=generator).bfloat16()
    state["i64"] = torch.arange(77)[None] - 3
    state["i32"] = torch.arange(5, dtype=torch.int32) * -70000
    state["i16"] = torch.arange(5, dtype=torch.int16) * -300
    state["i8"] = torch.arange(5, dtype=torch.int8) - 2
    state["u8"] = torch.arange(5, dtype=torch.uint8) + 200
    state["bool"] = torch.tensor([True, False, True])
    state["name \u00e9 \u65e5"] = torch.ones(1)
    return state


def plain(state):
    """The same in order and apart, as safetensors wants it."""
    return {name: tensor.detach().contiguous().clone() for name, tensor in state.items()}


def nested(path):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = OrderedDict(("module." + name, tensor) for name, tensor in model.state_dict().items())
    torch.save({"epoch": 32, "name": "a run", "state_dict": state, "optimizer": optimizer.state_dict(),
                "scaler": {"scale": 65536.0, "growth_factor": 2.0}}, path + ".bin")
    save_file(plain(model.state_dict()), path + ".safetensors")


def main():
    root = sys.argv[1]
    folder = os.path.join(root, "data", "torch")
    os.makedirs(folder, exist_ok=True)
    torch.manual_seed(7)

    def path(name):
        return os.path.join(folder, name)

    state = kinds()
    torch.save(state, path("kinds.bin"))
    torch.save(state, path("protocol4.bin"), pickle_protocol=4)
    torch.save(state, path("protocol5.bin"), pickle_protocol=5)
    save_file(plain(state), path("kinds.safetensors"))
    names = sorted(state)
    torch.save({name: state[name] for name in names[::2]}, path("shard1.bin"))
    torch.save({name: state[name] for name in names[1::2]}, path("shard2.bin"))
    nested(path("nested"))

    weights = load_file(os.path.join(root, "golden", "p7-new", "model.safetensors"))
    for name, tensor in weights.items():
        if tensor.ndim == 2 and tensor.numel() > 1500:
            weights[name] = tensor.t().contiguous().t()
    torch.save(weights, path("model.bin"))

    linear = torch.nn.Linear(2, 2)
    torch.save(linear.state_dict(), path("refused_legacy.bin"), _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(torch.nn.Identity()), path("refused_script.bin"))
    torch.save(torch.nn.Identity(), path("refused_module.bin"))
    torch.save({"weight": torch.ones(1), "run": Command()}, path("refused_command.bin"))
    torch.save([torch.ones(1)], path("refused_list.bin"))
    torch.save({"weight": torch.ones(1), "epoch": 3}, path("refused_member.bin"))
    torch.save({"weight": torch.ones(1, dtype=torch.complex64)}, path("refused_complex.bin"))
    torch.save({"weight": torch.ones(3, dtype=torch.complex64).conj().imag}, path("refused_negative.bin"))
    torch.save({"weight": torch.ones(2).to_sparse()}, path("refused_sparse.bin"))


main()
