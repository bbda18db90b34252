"""peer_torch.py — PyTorch's side of script/bench.

    peer_torch.py MODE CASE FOLDER [SETTING]

MODE: `eager` (tries every setting and keeps the fastest), `compile` (torch.compile, in the setting that eager found
fastest), `export` (writes FOLDER/model.onnx and ends). A setting is threads, memory format and, for StyleGAN2, the form of
modulation: "2 channels_last scaled"."""
import itertools
import os
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

import exchange
import models
import training


class Product(nn.Module):
    def forward(self, a, b):
        return a @ b


class Linear(models.Weights):
    def forward(self, x):
        return F.linear(x, self.w("weight"), self.w("bias"))


class Conv(models.Weights):
    def forward(self, x):
        return F.conv2d(x, self.w("weight"), self.w("bias"), padding=1)


def to_format(tensor, layout):
    return tensor.contiguous(memory_format=torch.channels_last) if layout == "channels_last" and tensor.dim() == 4 else tensor


class Case:
    """One case in one setting; `step` computes a repetition and returns {name: tensor}."""

    def __init__(self, name, folder, setting, compiled):
        self.kind, *rest = name.split("/")
        threads, layout, self.form = setting.split(" ")
        torch.set_num_threads(int(threads))
        self.inputs = {k: to_format(v, layout) for k, v in models.tensors(exchange.inputs(folder)).items()}
        self.compile = (lambda f, **options: torch.compile(f, dynamic=False, **options)) if compiled else (lambda f, **options: f)
        arrays = exchange.load(f"{folder}/model.safetensors") if os.path.exists(f"{folder}/model.safetensors") else {}
        loose = models.tensors(exchange.load(f"{folder}/weights.safetensors"))
        self.generator = self.discriminator = None
        if arrays:
            family = "stylegan2" if self.kind == "jacobian" else "dcgan" if self.kind in ("trajectory", "optimise", "dp-lase") else rest[0].split("-")[0]
            state = {k: to_format(v, layout) for k, v in models.tensors(arrays, "G.").items()}
            options = {"fused": self.form == "fused"} if family == "stylegan2" else {}
            options |= {"training": self.kind == "train"} if family == "pggan" else {}
            self.generator = models.GENERATORS[family](state, **options).eval()
            scores = {k: to_format(v, layout) for k, v in models.tensors(arrays, "D.").items()}
            if scores:
                options = {"training": True} if family == "pggan" else {}
                self.discriminator = models.DISCRIMINATORS[family](scores, **options).eval()
        self.state = {k: to_format(v, layout) for k, v in loose.items()}
        self.step = self.build(name)

    def module(self):
        """The forward computation alone, and its inputs."""
        if self.kind == "forward":
            return self.generator, (self.inputs["z"],)
        if self.kind == "product":
            return Product(), (self.inputs["a"], self.inputs["b"])
        return {"linear": Linear, "conv": Conv}[self.kind](self.state).eval(), (self.inputs["x"],)

    def build(self, name):
        if self.kind in ("forward", "product", "linear", "conv"):
            module, arguments = self.module()
            run, output = self.compile(module), "image" if self.kind == "forward" else "y"

            def forward():
                with torch.inference_mode():
                    return {output: run(*arguments)}
            return forward
        if self.kind.startswith("gradient"):
            return self.gradient()
        return training.build(self, name)

    def gradient(self):
        latent = self.inputs["w" if self.kind == "gradient-w" else "z"].requires_grad_()
        run = self.compile(self.generator.synthesize if self.kind == "gradient-w" else self.generator.forward)

        def both():
            image = run(latent)
            return {"image": image.detach(), "gradient": torch.autograd.grad(image.sum(), latent)[0]}
        return both


def settings(name):
    small = name.split("/")[0] in ("linear", "trajectory", "optimise") or name.startswith("forward/dcgan-64")
    cores = str(len(os.sched_getaffinity(0)))
    threads = [cores, "1"] if small and cores != "1" else [cores]
    layouts = ["contiguous"] if name.split("/")[0] in ("product", "linear", "jacobian") else ["contiguous", "channels_last"]
    forms = ["scaled"]
    if name.startswith("forward/stylegan2"):  # as NVIDIA's code: fused where nothing is differentiated
        forms.append("fused")
    if name.startswith("jacobian"):
        forms = training.JACOBIANS
    return [" ".join(parts) for parts in itertools.product(threads, layouts, forms)]


def seconds(step):
    """The second run's time; the first's where that takes more than two seconds."""
    for limit in (2, 0):
        start = time.perf_counter()
        step()
        taken = time.perf_counter() - start
        if taken > limit:
            return taken


def fastest(name, folder):
    choices = {}
    for setting in settings(name):
        try:
            choices[setting] = seconds(Case(name, folder, setting, False).step)
        except (RuntimeError, AttributeError) as error:  # a setting that this version does not know
            print(f"{name}, {setting}: {error}", file=sys.stderr)
    return min(choices, key=choices.get)


def export(name, folder):
    case = Case(name, folder, "1 contiguous scaled", False)
    module, arguments = case.module()
    with torch.no_grad():
        torch.onnx.export(module, arguments, f"{folder}/model.onnx", input_names=list(case.inputs), output_names=["y"])


def main():
    mode, name, folder = sys.argv[1:4]
    if mode == "export":
        return export(name, folder)
    if mode == "compile":
        torch._inductor.config.freezing = not name.startswith("train/")  # weights are constants, but where they are trained
        torch._dynamo.config.automatic_dynamic_shapes = False
    setting = fastest(name, folder) if mode == "eager" else sys.argv[4]
    case = Case(name, folder, setting, mode == "compile")
    exchange.serve(mode, folder, case.step, training.checks(name), setting)
    return None


if __name__ == "__main__":
    main()
