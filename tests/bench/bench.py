"""bench.py — Latentwalk next to PyTorch on DCGAN-64, batch 64, same weights, same cores, in one run.

The peers are timed in turn (A B A B …), outputs are compared first, and only ratios of medians are worth quoting:
the machine is noisy. Called by script/bench; prints a table and writes JSON.
"""
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from torch import nn

BATCH = 64


def load_safetensors(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            array = np.frombuffer(data[start:end], np.float32).reshape(entry["shape"])
            tensors[name] = torch.from_numpy(array.copy())
    return tensors


class Generator(nn.Module):
    """DCGAN-64 in pytorch_GAN_zoo's names."""

    def __init__(self):
        super().__init__()
        self.formatLayer = nn.ConvTranspose2d(100, 512, 4, bias=False)
        self.main = nn.Module()
        self.main.batchNorm0 = nn.BatchNorm2d(512)
        for i in range(1, 4):
            width = 512 >> i
            self.main.add_module(f"convTranspose{i}", nn.ConvTranspose2d(2 * width, width, 4, 2, 1, bias=False))
            self.main.add_module(f"batchNorm{i}", nn.BatchNorm2d(width))
        self.main.outlayer = nn.ConvTranspose2d(64, 3, 4, 2, 1, bias=False)

    def forward(self, z):
        h = torch.relu(self.main.batchNorm0(self.formatLayer(z[:, :, None, None])))
        for i in range(1, 4):
            h = torch.relu(getattr(self.main, f"batchNorm{i}")(getattr(self.main, f"convTranspose{i}")(h)))
        return torch.tanh(self.main.outlayer(h))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        layers = [nn.Conv2d(3, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for width in (64, 128, 256):
            layers += [nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)]
        self.main = nn.Sequential(*layers, nn.Conv2d(512, 1, 4, bias=False))

    def forward(self, x):
        return self.main(x).flatten(1)


class Torch:
    def __init__(self, weights, z, real):
        self.g, self.d = Generator(), Discriminator()
        state = {k[2:]: v for k, v in weights.items() if k.startswith("G.")}
        self.g.load_state_dict(state, strict=False)
        self.z, self.real = z, real
        self.opt_g = torch.optim.Adam(self.g.parameters(), 2e-4, (0.5, 0.999))
        self.opt_d = torch.optim.Adam(self.d.parameters(), 2e-4, (0.5, 0.999))

    def forward(self):
        self.g.eval()
        with torch.no_grad():
            return self.g(self.z)

    def gradient(self):
        self.g.eval()
        z = self.z.clone().requires_grad_()
        return torch.autograd.grad(self.g(z).sum(), z)[0]

    def step(self):
        self.g.train(), self.d.train()
        softplus = nn.functional.softplus
        fake = self.g(torch.randn(BATCH, 100))
        self.opt_d.zero_grad()
        (softplus(-self.d(self.real)).mean() + softplus(self.d(fake.detach())).mean()).backward()
        self.opt_d.step()
        self.opt_g.zero_grad()
        softplus(-self.d(fake)).mean().backward()
        self.opt_g.step()


class Latentwalk:
    def __init__(self, program, plugins):
        self.process = subprocess.Popen([program, plugins], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


def timed(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    torch.set_num_threads(os.cpu_count())
    program, plugins, out, rounds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    ours = Latentwalk(program, plugins)
    with tempfile.TemporaryDirectory() as folder:
        ours.ask(f"save {folder}/model.safetensors")
        ours.ask(f"images {folder}/check")
        z = torch.from_numpy(np.load(f"{folder}/check.z.npy"))
        images = torch.from_numpy(np.load(f"{folder}/check.images.npy"))
        peer = Torch(load_safetensors(f"{folder}/model.safetensors"), z, torch.randn(BATCH, 3, 64, 64))
    error = ((peer.forward() - images).abs().max() / images.std()).item()
    if not error < 1e-4:
        sys.exit(f"the images differ by {error:.2g} deviations: nothing is timed")
    rows = []
    for case in ("forward", "gradient", "step"):
        ours.ask(case), getattr(peer, case)()  # warm up
        a, b = [], []
        for _ in range(rounds):
            a.append(float(ours.ask(case)))
            b.append(timed(getattr(peer, case)))
        ratios = [y / x for x, y in zip(a, b)]
        quartiles = statistics.quantiles(ratios, n=4)
        rows.append({"case": f"DCGAN-64 {case}, batch {BATCH}", "latentwalk_ms": 1e3 * statistics.median(a),
                     "pytorch_ms": 1e3 * statistics.median(b), "times_faster": statistics.median(b) / statistics.median(a),
                     "ratio_quartiles": [quartiles[0], quartiles[2]]})
    result = {"machine": platform.processor() or platform.machine(), "pytorch": torch.__version__,
              "threads": torch.get_num_threads(), "date": time.strftime("%Y-%m-%d"), "largest_image_error": error, "rows": rows}
    with open(out, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads; images agree to {error:.1e} deviations")
    for row in rows:
        print(f"{row['case']:32s} latentwalk {row['latentwalk_ms']:8.1f} ms   pytorch {row['pytorch_ms']:8.1f} ms   "
              f"{row['times_faster']:.2f} times faster (quartiles {row['ratio_quartiles'][0]:.2f} to {row['ratio_quartiles'][1]:.2f})")


main()
