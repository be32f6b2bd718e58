"""CLIP's vision tower: the layers of Hugging Face's CLIPVisionModelWithProjection, with parts that can be set by
hand, and its weights under Hugging Face's names."""
import torch
from torch import nn
from torch.nn import functional as F


COMPONENTS = 16  # of a patch


def orthogonal_to_ones(rows, columns):
    """Orthonormal columns [rows, columns] whose entries sum to 0."""
    free = torch.cat([torch.ones(rows, 1), torch.randn(rows, columns)], 1)
    return torch.linalg.qr(free)[0][:, 1:]


class Block(nn.Module):
    def __init__(self, width, heads, mlp):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, mlp), nn.Linear(mlp, width)

    def forward(self, x, only_first=False):
        """All rows, or of the last layer the first row alone, which is all that is read."""
        b, t, w = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = ((q @ k.transpose(2, 3)) * q.shape[3] ** -0.5).softmax(3).to(v.dtype) @ v
        if only_first:
            x, y, t = x[:, :1], y[:, :, :1], 1
        x = x + self.out(y.transpose(1, 2).reshape(b, t, w))
        h = self.up(self.norm2(x))
        return x + self.down(h * torch.sigmoid(1.702 * h))


class Vision(nn.Module):
    def __init__(self, size=64, patch=8, width=192, layers=6, heads=6, dimension=128, mlp=None,
                 epsilon=1e-5):
        super().__init__()
        mlp = mlp or 4 * width
        self.settings = dict(size=size, patch=patch, width=width, layers=layers, heads=heads,
                             dimension=dimension, mlp=mlp, epsilon=epsilon)
        self.patch = patch
        self.embed = nn.Conv2d(3, width, patch, patch, bias=False)
        self.cls = nn.Parameter(torch.randn(width) * 0.02)
        self.positions = nn.Parameter(torch.randn((size // patch) ** 2 + 1, width) * 0.02)
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList(Block(width, heads, mlp) for _ in range(layers))
        self.project = nn.Linear(width, dimension, bias=False)
        for layer in self.modules():
            if isinstance(layer, nn.LayerNorm):
                layer.eps = epsilon

    @torch.no_grad()
    def look_at_patches(self, sample):
        """Sets the patch embedding and the attention of a tower of one layer so that head p of the class row
        fetches the COMPONENTS largest principal components of patch p, learnt from `sample`
        [n, 3, size, size]. Needs one head a patch."""
        patches, block = (self.settings["size"] // self.patch) ** 2, self.blocks[0]
        assert len(self.blocks) == 1 and block.heads == patches
        x = F.unfold(sample, self.patch, stride=self.patch).transpose(1, 2).reshape(-1, 3 * self.patch ** 2)
        mean = x.mean(0)
        _, values, directions = torch.linalg.svd((x - mean)[torch.randperm(len(x))[:20000]], full_matrices=False)
        rows = torch.zeros(self.cls.numel(), x.shape[1])
        rows[patches + 1:patches + 1 + COMPONENTS] = directions[:COMPONENTS]
        rows *= 16 / (rows @ (x - mean).T).norm(dim=0).mean()
        self.embed.weight.copy_(rows.view_as(self.embed.weight))
        self.positions.zero_()
        self.positions[1:] -= rows @ mean
        self.positions[1:, :patches] += torch.eye(patches) * 128  # far larger: layer norm hardly scales the rest
        self.cls.zero_()  # nothing that would have to cancel: the queries are the bias alone
        block.qkv.weight.zero_()
        block.qkv.bias.zero_()
        size = self.cls.numel() // patches  # of a head
        for p in range(patches):
            block.qkv.bias[p * size] = 10
            block.qkv.weight[self.cls.numel() + p * size, p] = 0.5
            for j in range(COMPONENTS):
                block.qkv.weight[2 * self.cls.numel() + p * size + j, patches + 1 + j] = 1

    @torch.no_grad()
    def fetch(self, pictures):
        """What the heads fetched, [n, patches * COMPONENTS]; and the class row, a constant."""
        block = self.blocks[0]
        y = self.embed(pictures).flatten(2).transpose(1, 2) + self.positions[1:]
        first = (self.cls + self.positions[0]).expand(y.shape[0], 1, -1)
        y = self.before(torch.cat([first, y], 1))
        b, t, w = y.shape
        q, k, v = block.qkv(block.norm1(y)).view(b, t, 3, block.heads, -1).permute(2, 0, 3, 1, 4)
        z = ((q[:, :, :1] @ k.transpose(2, 3)) * q.shape[3] ** -0.5).softmax(3) @ v
        return z[:, :, 0, :COMPONENTS].reshape(b, -1), y[0, 0]

    @torch.no_grad()
    def write_features(self, metric, mean, row):
        """The class row becomes metric (fetched - mean), small, in dimensions that layer norm's mean does
        not disturb; the room behind is left to what the MLP writes. Returns those dimensions,
        [width, features]."""
        block, width = self.blocks[0], self.cls.numel()
        n = metric.shape[1]
        basis = orthogonal_to_ones(n + 1, n)
        size = width // block.heads
        block.out.weight.zero_()
        write = 0.0002 * basis @ metric.T  # [n + 1, fetched]
        for p in range(block.heads):
            for j in range(COMPONENTS):
                block.out.weight[:n + 1, p * size + j] = write[:, p * COMPONENTS + j]
        block.out.bias.copy_(-row)
        block.out.bias[:n + 1] -= write @ mean
        return torch.cat([basis, torch.zeros(width - n - 1, n)])

    @torch.no_grad()
    def write_mlp(self, place, up, bias, down):
        """Sets the MLP over features [n]: down(quick_gelu(up f + bias)), up [hidden, n] for features of unit
        length, down [hidden, dimension]; the projection reads what it writes."""
        block, width = self.blocks[0], self.cls.numel()
        hidden, dimension = down.shape
        assert hidden == block.up.out_features
        room = width - place.shape[1] - 1
        basis = torch.zeros(width, dimension)
        basis[-room:] = orthogonal_to_ones(room, dimension)
        block.up.weight.copy_(up @ place.T / width ** 0.5)  # layer norm gives the length sqrt(width)
        block.up.bias.copy_(bias)
        block.down.weight.copy_(basis @ down.T)
        block.down.bias.zero_()
        self.project.weight.copy_(basis.T)

    def forward(self, pictures):
        """[n, 3, size, size] normalised -> [n, dimension] of unit length."""
        x = self.embed(pictures).flatten(2).transpose(1, 2) + self.positions[1:]
        first = (self.cls + self.positions[0]).expand(x.shape[0], 1, -1)
        x = self.before(torch.cat([first, x], 1))
        for block in self.blocks[:-1]:
            x = block(x)
        x = self.blocks[-1](x, only_first=True)
        return F.normalize(self.project(self.after(x[:, 0])), dim=1)

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
