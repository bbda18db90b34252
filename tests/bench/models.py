"""models.py — the generators and discriminators of script/bench in PyTorch: minimal, in evaluation as fast as plain
PyTorch allows (whatever depends on weights alone is computed when they are loaded). Names are those of the
.safetensors that Latentwalk writes."""
import math

import torch
from torch import nn
from torch.nn import functional as F


class Weights(nn.Module):
    """Weights by their names; dots are kept as slashes."""

    def __init__(self, state):
        super().__init__()
        self.names = set(state)
        for name, value in state.items():
            self.register_parameter(name.replace(".", "/"), nn.Parameter(value, requires_grad=False))

    def w(self, name):
        return getattr(self, name.replace(".", "/"))

    def has(self, name):
        return name in self.names


def batch_norm(net, x, name):
    return F.batch_norm(x, net.w(f"{name}.running_mean"), net.w(f"{name}.running_var"), net.w(f"{name}.weight"),
                        net.w(f"{name}.bias"), net.training, 0.1)


class DCGAN(Weights):
    last = staticmethod(torch.tanh)

    def blocks(self, z, last):
        x = F.conv_transpose2d(z[:, :, None, None], self.w("formatLayer.weight"))
        x = torch.relu(batch_norm(self, x, "main.batchNorm0"))
        for i in range(1, last + 1):
            x = F.conv_transpose2d(x, self.w(f"main.convTranspose{i}.weight"), stride=2, padding=1)
            x = torch.relu(batch_norm(self, x, f"main.batchNorm{i}"))
        return x

    def forward(self, z):
        return self.last(F.conv_transpose2d(self.blocks(z, 3), self.w("main.outlayer.weight"), stride=2, padding=1))


class WGANGP(DCGAN):
    """pytorch_GAN_zoo's: its DCGAN without the last activation."""
    last = staticmethod(lambda x: x)


class DCGANDiscriminator(Weights):
    def features(self, x):
        for i in range(3, -1, -1):
            x = F.conv2d(x, self.w(f"main.convTranspose{i}.weight"), stride=2, padding=1)
            x = F.leaky_relu(batch_norm(self, x, f"main.batchNorm{i}") if i < 3 else x, 0.2)
        return x

    def forward(self, x):
        return F.conv2d(self.features(x), self.w("decisionLayer.weight")).flatten(1)


class Equalised(Weights):
    """He's constants are multiplied into the weights once, or whenever they are used: in training."""

    def __init__(self, state, training):
        self.gains = {n: math.sqrt((1 if self.plain(n) else 2) / state[n][0].numel()) for n in state if n.endswith(".weight")}
        state = {n: self.layout(n, value if training else value * self.gains.get(n, 1)) for n, value in state.items()}
        self.gains = self.gains if training else {}
        super().__init__(state)

    def w(self, name):
        return super().w(name) * self.gains[name] if name in self.gains else super().w(name)


class PGGAN(Equalised):
    """genforce's arithmetic."""

    def __init__(self, state, training=False):
        self.blocks = sum(1 for name in state if name.startswith("layer") and name.endswith(".bias")) // 2
        super().__init__(state, training)

    @staticmethod
    def plain(name):
        return name.startswith("output")

    @staticmethod
    def layout(name, value):
        if name != "layer0.weight":
            return value
        first = value.flip(2, 3)  # a 4x4 convolution, padding 3, of one pixel: a matrix
        return first.permute(0, 2, 3, 1).reshape(-1, first.shape[1]).contiguous()

    @staticmethod
    def normalize(x):
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)

    def forward(self, z):
        x = F.linear(self.normalize(z), self.w("layer0.weight")).view(z.shape[0], -1, 4, 4)
        x = F.leaky_relu(x + self.w("layer0.bias").view(1, -1, 1, 1), 0.2)
        for i in range(1, 2 * self.blocks):
            x = self.normalize(x)
            if i % 2 == 0:
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = F.leaky_relu(F.conv2d(x, self.w(f"layer{i}.weight"), self.w(f"layer{i}.bias"), padding=1), 0.2)
        last = f"output{self.blocks - 1}"
        return F.conv2d(self.normalize(x), self.w(f"{last}.weight"), self.w(f"{last}.bias"))


class PGGANDiscriminator(Equalised):
    def __init__(self, state, training=False):
        self.blocks = sum(1 for name in state if name.startswith("input") and name.endswith(".bias"))
        super().__init__(state, training)

    def plain(self, name):
        return name == f"layer{2 * self.blocks}.weight"

    @staticmethod
    def layout(_, value):
        return value

    def conv(self, x, name, padding=1):
        return F.leaky_relu(F.conv2d(x, self.w(f"{name}.weight"), self.w(f"{name}.bias"), padding=padding), 0.2)

    def linear(self, x, name):
        return F.linear(x, self.w(f"{name}.weight"), self.w(f"{name}.bias"))

    @staticmethod
    def deviation(x, group=4):
        """Over every (N / group)-th image."""
        n, c, h, w = x.shape
        y = x.view(group, n // group, c, h, w)
        y = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt().mean((1, 2, 3))
        return torch.cat([x, y.repeat(group).view(n, 1, 1, 1).expand(n, 1, h, w)], 1)

    def forward(self, x):
        x, last = self.conv(x, "input0", 0), 2 * (self.blocks - 1)
        for i in range(0, last, 2):
            x = F.avg_pool2d(self.conv(self.conv(x, f"layer{i}"), f"layer{i + 1}"), 2)
        x = self.conv(self.deviation(x), f"layer{last}").flatten(1)
        return self.linear(F.leaky_relu(self.linear(x, f"layer{last + 1}"), 0.2), f"layer{last + 2}")


class BigGAN(Weights):
    """BigGAN-PyTorch's network at class 0; spectral norm is divided out once, as u0 stays in evaluation."""

    def __init__(self, state):
        state = dict(state)
        for name in [n[:-3] for n in state if n.endswith(".u0")]:
            weight, u0 = state[f"{name}.weight"], state.pop(f"{name}.u0")
            matrix = weight.flatten(1)
            v = F.normalize(u0 @ matrix, dim=1, eps=1e-12)
            u = F.normalize(v @ matrix.t(), dim=1, eps=1e-12)
            state[f"{name}.weight"] = weight / (v @ matrix.t() @ u.t())
            state.pop(f"{name}.sv0", None)
        super().__init__(state)
        self.blocks = sum(1 for name in state if name.endswith("conv_sc.weight"))

    def norm(self, x, name, gain, bias, eps=1e-5):
        scale = torch.rsqrt(self.w(f"{name}.stored_var") + eps) * gain
        shift = bias - self.w(f"{name}.stored_mean") * scale
        return torch.relu(torch.addcmul(shift[..., None, None], x, scale[..., None, None]))

    def conditional(self, x, y, name):
        gain = 1 + F.linear(y, self.w(f"{name}.gain.weight"))
        return self.norm(x, name, gain, F.linear(y, self.w(f"{name}.bias.weight")))

    def conv(self, x, name, padding):
        return F.conv2d(x, self.w(f"{name}.weight"), self.w(f"{name}.bias"), padding=padding)

    def block(self, x, y, j):
        name = f"blocks.{j}.0"
        h = F.interpolate(self.conditional(x, y, f"{name}.bn1"), scale_factor=2)
        h = self.conditional(self.conv(h, f"{name}.conv1", 1), y, f"{name}.bn2")
        h = self.conv(h, f"{name}.conv2", 1)
        return h + F.interpolate(self.conv(x, f"{name}.conv_sc", 0), scale_factor=2)

    def attention(self, x, name):
        theta = F.conv2d(x, self.w(f"{name}.theta.weight")).flatten(2)
        phi = F.max_pool2d(F.conv2d(x, self.w(f"{name}.phi.weight")), 2).flatten(2)
        g = F.max_pool2d(F.conv2d(x, self.w(f"{name}.g.weight")), 2).flatten(2)
        beta = torch.softmax(theta.transpose(1, 2) @ phi, 2)
        o = (g @ beta.transpose(1, 2)).view(x.shape[0], -1, *x.shape[2:])
        return self.w(f"{name}.gamma") * F.conv2d(o, self.w(f"{name}.o.weight")) + x

    def forward(self, z):
        chunks = z.chunk(self.blocks + 1, 1)
        label = self.w("shared.weight")[:1].expand(z.shape[0], -1)
        x = F.linear(chunks[0], self.w("linear.weight"), self.w("linear.bias")).view(z.shape[0], -1, 4, 4)
        for j in range(self.blocks):
            x = self.block(x, torch.cat([label, chunks[j + 1]], 1), j)
            if self.has(f"blocks.{j}.1.gamma"):
                x = self.attention(x, f"blocks.{j}.1")
        x = self.norm(x, "output_layer.0", self.w("output_layer.0.gain"), self.w("output_layer.0.bias"))
        return torch.tanh(self.conv(x, "output_layer.2", 1))


FILTER = torch.tensor([1.0, 3, 3, 1]).outer(torch.tensor([1.0, 3, 3, 1])) / 64


class StyleGAN2Layers(Weights):
    """What generator and discriminator share."""

    def linear(self, x, name, lr=1.0):
        weight, bias = self.w(f"{name}.weight"), self.w(f"{name}.bias")
        return F.linear(x, weight * (lr / math.sqrt(weight.shape[1])), bias if lr == 1 else bias * lr)

    @staticmethod
    def activate(x, gain=1.0):
        return F.leaky_relu(x, 0.2) * (math.sqrt(2) * gain)

    def fir(self, x, padding, gain=1.0, stride=1):
        kernel = (self.filter * gain).expand(x.shape[1], 1, 4, 4)
        return F.conv2d(x, kernel, padding=padding, stride=stride, groups=x.shape[1])


class StyleGAN2(StyleGAN2Layers):
    """NVIDIA's arithmetic, noise_mode const. `fused`: weights are modulated for every image (their fused_modconv);
    otherwise activations are scaled before and after."""

    def __init__(self, state, fused=False):
        super().__init__(state)
        self.fused = fused
        self.sides = sorted(int(n.split(".")[1][1:]) for n in state if n.endswith("conv1.weight"))
        self.register_buffer("filter", FILTER.clone())
        self.power = {n[:-7]: v.square().sum((2, 3)) for n, v in state.items() if n.endswith(("conv0.weight", "conv1.weight"))}

    def map(self, z):
        x = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for i in range(8):
            x = self.activate(self.linear(x, f"mapping.fc{i}", 0.01))
        return x

    def demodulation(self, name, style):
        weight = self.w(f"{name}.weight")
        power = weight.square().sum((2, 3)) if self.training else self.power[name]
        return torch.rsqrt(F.linear(style.square(), power) + 1e-8)

    def modulated(self, x, style, name, up, demodulate=True):
        weight, n = self.w(f"{name}.weight"), style.shape[0]
        k = weight.shape[2]
        scale = self.demodulation(name, style) if demodulate else None
        if not self.fused:
            x = x * style[:, :, None, None]
            x = F.conv_transpose2d(x, weight.transpose(0, 1), stride=2) if up else F.conv2d(x, weight, padding=k // 2)
            return x * scale[:, :, None, None] if demodulate else x
        weight = weight * style[:, None, :, None, None]
        if demodulate:
            weight = weight * scale[:, :, None, None, None]
        x = x.expand(n, -1, -1, -1).reshape(1, -1, *x.shape[2:])
        if up:
            x = F.conv_transpose2d(x, weight.transpose(1, 2).flatten(0, 1), stride=2, groups=n)
        else:
            x = F.conv2d(x, weight.flatten(0, 1), padding=k // 2, groups=n)
        return x.view(n, -1, *x.shape[2:])

    def layer(self, x, w, name, up):
        x = self.modulated(x, self.linear(w, f"{name}.affine"), name, up)
        if up:
            x = self.fir(x, 1, 4)
        x = x + (self.w(f"{name}.noise_const") * self.w(f"{name}.noise_strength") + self.w(f"{name}.bias").view(1, -1, 1, 1))
        return self.activate(x)

    def colours(self, x, w, name):
        style = self.linear(w, f"{name}.affine") / math.sqrt(x.shape[1])
        return self.modulated(x, style, name, False, False) + self.w(f"{name}.bias").view(1, -1, 1, 1)

    def synthesize(self, w):
        """w [N, w_dim] or [N, num_ws, w_dim]"""
        ws = w[:, None].expand(-1, 2 * len(self.sides), -1) if w.dim() == 2 else w
        x, image = self.w("synthesis.b4.const")[None], None
        for block, side in enumerate(self.sides):
            name = f"synthesis.b{side}"
            if block > 0:
                x = self.layer(x, ws[:, 2 * block - 1], f"{name}.conv0", True)
            x = self.layer(x, ws[:, 2 * block], f"{name}.conv1", False)
            colours = self.colours(x, ws[:, 2 * block + 1], f"{name}.torgb")
            if image is None:
                image = colours
            else:  # zeros between pixels and the filter, at once
                kernel = (self.filter * 4).expand(image.shape[1], 1, 4, 4)
                image = F.conv_transpose2d(image, kernel, stride=2, padding=1, groups=image.shape[1]) + colours
        return image

    def forward(self, z):
        return self.synthesize(self.map(z))


class StyleGAN2Discriminator(StyleGAN2Layers):
    """Residual blocks."""

    def __init__(self, state):
        super().__init__(state)
        self.register_buffer("filter", FILTER.clone())
        self.side = max(int(n.split(".")[0][1:]) for n in state)

    def conv(self, x, name, down=False, gain=1.0, linear=False):
        weight = self.w(f"{name}.weight")
        k = weight.shape[2]
        weight = weight * (1 / math.sqrt(weight[0].numel()))
        if down:
            x = self.fir(x, 1 + k // 2, stride=2 if k == 1 else 1)
        x = F.conv2d(x, weight, stride=2 if down and k > 1 else 1, padding=0 if down else k // 2)
        return x * gain if linear else self.activate(x + self.w(f"{name}.bias").view(1, -1, 1, 1), gain)

    def forward(self, x):
        x = self.conv(x, f"b{self.side}.fromrgb")
        side = self.side
        while side > 4:
            y = self.conv(x, f"b{side}.skip", True, math.sqrt(0.5), True)
            x = self.conv(self.conv(x, f"b{side}.conv0"), f"b{side}.conv1", True, math.sqrt(0.5)) + y
            side //= 2
        n, c, h, w = x.shape
        group = min(4, n)
        y = x.view(group, n // group, c, h, w)
        y = torch.sqrt((y - y.mean(0)).square().mean(0) + 1e-8).mean((1, 2, 3))
        y = y.view(1, -1, 1, 1, 1).expand(group, -1, 1, h, w).reshape(n, 1, h, w)
        x = self.conv(torch.cat([x, y], 1), "b4.conv").flatten(1)
        return self.linear(self.activate(self.linear(x, "b4.fc")), "b4.out")


GENERATORS = {"dcgan": DCGAN, "wgan": WGANGP, "pggan": PGGAN, "biggan": BigGAN, "stylegan2": StyleGAN2}
DISCRIMINATORS = {"dcgan": DCGANDiscriminator, "wgan": DCGANDiscriminator, "pggan": PGGANDiscriminator, "stylegan2": StyleGAN2Discriminator}


def tensors(arrays, prefix=""):
    return {name[len(prefix):]: torch.from_numpy(value) for name, value in arrays.items() if name.startswith(prefix)}
