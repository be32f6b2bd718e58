"""CLIP's vision tower for training: the layers of Hugging Face's CLIPVisionModelWithProjection, with the
choice to look at some of the patches only, and its weights under Hugging Face's names."""
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, heads, mlp):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, mlp), nn.Linear(mlp, width)

    def forward(self, x):
        b, t, w = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = ((q @ k.transpose(2, 3)) * q.shape[3] ** -0.5).softmax(3).to(v.dtype) @ v
        x = x + self.out(y.transpose(1, 2).reshape(b, t, w))
        h = self.up(self.norm2(x))
        return x + self.down(h * torch.sigmoid(1.702 * h))


class Vision(nn.Module):
    def __init__(self, size=64, patch=8, width=192, layers=6, heads=6, dimension=128):
        super().__init__()
        self.settings = dict(size=size, patch=patch, width=width, layers=layers, heads=heads,
                             dimension=dimension)
        self.patch = patch
        self.embed = nn.Conv2d(3, width, patch, patch, bias=False)
        self.cls = nn.Parameter(torch.randn(width) * 0.02)
        self.positions = nn.Parameter(torch.randn((size // patch) ** 2 + 1, width) * 0.02)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads, 4 * width) for _ in range(layers))
        self.project = nn.Linear(width, dimension, bias=False)

    @torch.no_grad()
    def start_as_thumbnail(self, sample):
        """Starts the first layer so that the class row holds a thumbnail: head p of it looks at patch p
        and fetches the patch's principal components. Training goes on from there instead of first
        having to find out where things are. Needs one head a patch."""
        patches = (self.settings["size"] // self.patch) ** 2
        width, block = self.cls.numel(), self.blocks[0]
        head = width // patches
        assert block.heads == patches
        x = F.unfold(sample, self.patch, stride=self.patch).transpose(1, 2).reshape(-1, 3 * self.patch ** 2)
        _, values, directions = torch.linalg.svd(x[torch.randperm(len(x))[:20000]], full_matrices=False)
        count = width - patches - 1
        rows = torch.zeros(width, x.shape[1])
        spread = (values[:count] / 20000 ** 0.5).clamp_min(values[0] / 20000 ** 0.5 * 0.02)
        rows[patches + 1:] = directions[:count] / spread.sqrt()[:, None] * 0.5
        self.embed.weight.copy_(rows.view_as(self.embed.weight))
        self.positions.mul_(0.1)
        self.positions[1:, :patches] += torch.eye(patches) * 4
        self.cls.mul_(0.1)
        self.cls[patches] += 4
        weight = block.qkv.weight
        weight.mul_(0.2)
        for p in range(patches):
            weight[p * head, patches] = 1.2
            weight[width + p * head, p] = 1.2
            for j in range(head):
                weight[2 * width + p * head + j] = 0
                weight[2 * width + p * head + j, patches + 1 + j] = 1
        block.out.weight.copy_(torch.eye(width))

    def forward(self, pictures, keep=1.0):
        """[n, 3, size, size] normalised -> [n, dimension] of unit length."""
        x = self.embed(pictures).flatten(2).transpose(1, 2) + self.positions[1:]
        if keep < 1:
            n = int(x.shape[1] * keep)
            chosen = torch.rand(x.shape[:2]).argsort(1)[:, :n]
            x = x.gather(1, chosen[..., None].expand(-1, -1, x.shape[2]))
        first = (self.cls + self.positions[0]).expand(x.shape[0], 1, -1)
        x = self.before(torch.cat([first.to(x.dtype), x], 1))
        for block in self.blocks:
            x = block(x)
        return F.normalize(self.project(self.after(x[:, 0])).float(), dim=1)

    def hugging_face(self):
        """State under the names of CLIPModel."""
        s, out = self.state_dict(), {}
        pre = "vision_model."
        out[pre + "embeddings.class_embedding"] = s["cls"]
        out[pre + "embeddings.patch_embedding.weight"] = s["embed.weight"]
        out[pre + "embeddings.position_embedding.weight"] = s["positions"]
        for ours, theirs in (("before", "pre_layrnorm"), ("after", "post_layernorm")):
            for part in ("weight", "bias"):
                out[f"{pre}{theirs}.{part}"] = s[f"{ours}.{part}"]
        out["visual_projection.weight"] = s["project.weight"]
        names = {"norm1": "layer_norm1", "norm2": "layer_norm2", "out": "self_attn.out_proj",
                 "up": "mlp.fc1", "down": "mlp.fc2"}
        for i in range(len(self.blocks)):
            layer = f"{pre}encoder.layers.{i}."
            for part in ("weight", "bias"):
                for ours, theirs in names.items():
                    out[f"{layer}{theirs}.{part}"] = s[f"blocks.{i}.{ours}.{part}"]
                q, k, v = s[f"blocks.{i}.qkv.{part}"].chunk(3)
                for name, value in (("q", q), ("k", k), ("v", v)):
                    out[f"{layer}self_attn.{name}_proj.{part}"] = value
        return out
