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

    @torch.no_grad()
    def start_as_matcher(self, gallery, targets, sharpness=28.0, gain=5e4):
        """Starts a tower of one layer as a soft nearest neighbour over `gallery` [n, 3, size, size], n at most
        the MLP's width: the class row fetches a thumbnail (as above, one head a patch), layer norm makes
        it unit length, hidden unit i holds picture i and answers exp(1.7 sharpness cosine) (the negative
        tail of quick_gelu is nearly an exponential), and the second layer sums the targets [n, dimension]
        so weighted, in dimensions of their own that the projection reads. The norms' epsilon must be far
        below their usual one, 1e-12. Training goes on from there."""
        patches, block = (self.settings["size"] // self.patch) ** 2, self.blocks[0]
        width = self.cls.numel()
        size = width // patches  # of a head
        head = 16  # components of a patch
        room = width - patches * head
        assert len(self.blocks) == 1 and block.heads == patches and len(gallery) <= block.up.out_features
        x = F.unfold(gallery, self.patch, stride=self.patch).transpose(1, 2).reshape(-1, 3 * self.patch ** 2)
        mean = x.mean(0)
        _, values, directions = torch.linalg.svd((x - mean)[torch.randperm(len(x))[:20000]], full_matrices=False)
        rows = torch.zeros(width, x.shape[1])
        rows[patches + 1:patches + 1 + head] = directions[:head] / (values[:head] / values[0])[:, None] ** 0.25
        rows *= 16 / (rows @ (x - mean).T).norm(dim=0).mean()
        self.embed.weight.copy_(rows.view_as(self.embed.weight))
        self.positions.zero_()
        self.positions[1:] -= rows @ mean
        self.positions[1:, :patches] += torch.eye(patches) * 128
        self.cls.zero_()  # nothing that would have to cancel: the queries are the bias alone
        weight = block.qkv.weight
        weight.zero_()
        block.qkv.bias.zero_()
        block.out.weight.zero_()
        for p in range(patches):
            block.qkv.bias[p * size] = 10
            weight[width + p * size, p] = 0.5
            for j in range(head):
                weight[2 * width + p * size + j, patches + 1 + j] = 1
                block.out.weight[p * head + j, p * size + j] = 0.0002  # little beside what the MLP adds
        block.out.bias.zero_()

        def fetched(pictures):
            y = self.embed(pictures).flatten(2).transpose(1, 2) + self.positions[1:]
            first = (self.cls + self.positions[0]).expand(y.shape[0], 1, -1)
            y = self.before(torch.cat([first, y], 1))
            b, t, w = y.shape
            q, k, v = block.qkv(block.norm1(y)).view(b, t, 3, block.heads, -1).permute(2, 0, 3, 1, 4)
            z = ((q @ k.transpose(2, 3)) * q.shape[3] ** -0.5).softmax(3) @ v
            return y[:, 0] + block.out(z[:, :, 0].reshape(b, w))
        out = torch.cat([fetched(g) for g in gallery.split(256)])
        block.out.bias.copy_(-out.mean(0))
        units = F.normalize(block.norm2(out - out.mean(0)), dim=1)
        n = len(units)
        block.up.weight.zero_()
        block.up.bias.fill_(-30)
        block.up.weight[:n] = units * sharpness / width ** 0.5
        block.up.bias[:n] = -0.92 * sharpness - 3
        # Directions of equal weight on all dimensions are left out: layer norm's mean would disturb them.
        free = torch.cat([torch.ones(room, 1), torch.randn(room, targets.shape[1])], 1)
        basis = torch.zeros(width, targets.shape[1])
        basis[-room:] = torch.linalg.qr(free)[0][:, 1:]
        block.down.weight.zero_()
        block.down.bias.zero_()
        block.down.weight[:, :n] = -gain * basis @ targets.T
        self.project.weight.copy_(basis.T)

    def forward(self, pictures, keep=1.0):
        """[n, 3, size, size] normalised -> [n, dimension] of unit length."""
        x = self.embed(pictures).flatten(2).transpose(1, 2) + self.positions[1:]
        if keep < 1:
            n = int(x.shape[1] * keep)
            chosen = torch.rand(x.shape[:2]).argsort(1)[:, :n]
            x = x.gather(1, chosen[..., None].expand(-1, -1, x.shape[2]))
        first = (self.cls + self.positions[0]).expand(x.shape[0], 1, -1)
        x = self.before(torch.cat([first.to(x.dtype), x], 1))
        for block in self.blocks[:-1]:
            x = block(x)
        x = self.blocks[-1](x, only_first=True)
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
