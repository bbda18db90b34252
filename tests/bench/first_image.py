"""first_image.py — the least Python that makes an image with PyTorch: first_image.py FAMILY WEIGHTS OUT.png"""
import struct
import sys
import zlib

import numpy as np
import torch

import exchange
import models


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path, pixels):
    """pixels [H, W, 3] of bytes"""
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b""))


family, weights, out = sys.argv[1:]
generator = models.GENERATORS[family](models.tensors(exchange.load(weights), "G.")).eval()
size = {"dcgan": 100}.get(family, 512)
z = torch.from_numpy(np.random.RandomState(0).randn(1, size).astype(np.float32))
with torch.inference_mode():
    image = generator(z)[0]
write_png(out, (image * 127.5 + 128).clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy())
