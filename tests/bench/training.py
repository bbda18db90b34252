"""training.py — the loops of training.c, and the Jacobian, in PyTorch. A repetition is one step."""
import math

import torch
from torch import nn
from torch.nn import functional as F

JACOBIANS = ["repeat-svd", "jacfwd-svd", "repeat-eigh", "jacfwd-eigh"]


def checks(name):
    if name == "train/stylegan2-64":
        return 2
    return 3 if name.split("/")[0] in ("train", "trajectory", "optimise", "dp-lase") else 1


def adam(parameters, **options):
    try:
        return torch.optim.Adam(parameters, fused=True, **options)
    except (RuntimeError, TypeError):  # PyTorch 1.13 has no fused one for CPUs
        return torch.optim.Adam(parameters, **options)


def train(net, trainable=True):
    net.train()
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(trainable and not name.endswith(("running_mean", "running_var", "noise_const", "w_avg")))
    return net


def trainable(net):
    return [p for p in net.parameters() if p.requires_grad]


def set_trainable(parameters, yes):
    for parameter in parameters:
        parameter.requires_grad_(yes)


def update(optimiser, loss):
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def dcgan(case):
    g, d = train(case.generator), train(case.discriminator)
    options = {"lr": 2e-4, "betas": (0.5, 0.999)}
    pg, pd = trainable(g), trainable(d)
    step_g, step_d = adam(pg, **options), adam(pd, **options)
    run_g, run_d = case.compile(g), case.compile(d)
    z, real = case.inputs["z"], case.inputs["real"]

    def step():
        with torch.no_grad():
            fake = run_g(z)
        on_d = F.softplus(-run_d(real)).mean() + F.softplus(run_d(fake)).mean()
        update(step_d, on_d)
        set_trainable(pd, False)
        on_g = F.softplus(-run_d(run_g(z))).mean()
        update(step_g, on_g)
        set_trainable(pd, True)
        return {"discriminator loss": on_d.detach(), "generator loss": on_g.detach()}
    return step


def wasserstein(case, drift, **options):
    """A critic update with gradient penalty, and a generator update."""
    g, d = train(case.generator), train(case.discriminator)
    pg, pd = trainable(g), trainable(d)
    step_g, step_d = adam(pg, **options), adam(pd, **options)
    z, real, share = case.inputs["z"], case.inputs["real"], case.inputs["share"]

    def penalise(fake):
        between = (real + share * (fake - real)).requires_grad_()
        (slope,) = torch.autograd.grad(d(between).sum(), between, create_graph=True)
        return 10 * ((slope.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean()

    def step():
        with torch.no_grad():
            fake = g(z)
        on_real = d(real)
        on_d = d(fake).mean() - on_real.mean() + drift * on_real.square().mean()
        penalty = penalise(fake)
        update(step_d, on_d + penalty)
        set_trainable(pd, False)
        on_g = -d(g(z)).mean()
        update(step_g, on_g)
        set_trainable(pd, True)
        return {"critic loss": on_d.detach(), "gradient penalty": penalty.detach(), "generator loss": on_g.detach()}
    return step


def stylegan2(case):
    g, d = train(case.generator), train(case.discriminator)
    options = {"lr": 2e-3, "betas": (0.0, 0.99)}
    pg, pd = trainable(g), trainable(d)
    step_g, step_d = adam(pg, **options), adam(pd, **options)
    z, real, y = case.inputs["z"], case.inputs["real"].requires_grad_(), case.inputs["y"]

    def penalise_path():
        w = g.map(z[: len(z) // 2])[:, None].expand(-1, 2 * len(g.sides), -1)
        (dw,) = torch.autograd.grad((g.synthesize(w) * y).sum(), w, create_graph=True)
        length = dw.square().sum(2).mean(1).sqrt()
        return 2 * (length - 0.01 * length.mean().detach()).square().mean()

    def step():
        with torch.no_grad():
            fake = g(z)
        score = d(real)
        (dx,) = torch.autograd.grad(score.sum(), real, create_graph=True)
        r1 = 5 * dx.square().sum((1, 2, 3)).mean()
        on_d = F.softplus(-score).mean() + F.softplus(d(fake)).mean()
        update(step_d, on_d + r1)
        set_trainable(pd, False)
        on_g, path = F.softplus(-d(g(z))).mean(), penalise_path()
        update(step_g, on_g + path)
        set_trainable(pd, True)
        return {"discriminator loss": on_d.detach(), "R1": r1.detach(), "generator loss": on_g.detach(), "path length": path.detach()}
    return step


def descend(case, optimiser, loss_of, x):
    run = case.compile(loss_of)

    def step():
        loss = run(x)
        update(optimiser, loss)
        return {"loss": loss.detach()}
    return step


def trajectory(case):
    points, z = 10, case.inputs["z"]
    net = nn.Sequential(nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, points * 100))
    net.load_state_dict({k[3:]: v for k, v in case.state.items() if k.startswith("fc.")})
    optimiser = adam(net.parameters(), lr=1e-3)

    def loss_of(z):
        walk = net(z).view(len(z), points, 100)
        images = case.generator(walk.flatten(0, 1))
        strip = images.view(len(z), points, -1)
        spread = (strip - strip.mean(1, keepdim=True)).square().mean() * (2 * points / (points - 1))
        real = torch.sigmoid(case.discriminator(images)).mean()
        return 0.1 * (walk[:, 1:] - walk[:, :-1]).square().mean() - real - 0.05 * spread

    return descend(case, optimiser, loss_of, z)


def optimise(case):
    z = case.state["z"].clone().requires_grad_()
    optimiser = adam([z], lr=0.1)
    target, wanted = case.inputs["target"], case.inputs["target features"]

    def loss_of(z):
        images = case.generator(z)
        features = case.discriminator.features(images).flatten(1)
        norm = (z.norm(dim=1) - math.sqrt(z.shape[1])).square().mean()
        return (features - wanted).abs().mean() + 10 * (images - target).abs().mean() + norm

    return descend(case, optimiser, loss_of, z)


def layers(state, name):
    """Weights and biases of the fully connected layers NAME.0, NAME.1, ... to be trained."""
    return [p.requires_grad_() for key, p in state.items() if key.startswith(name + ".")]


def through(x, weights, activation):
    for weight, bias in zip(weights[:-2:2], weights[1:-2:2]):
        x = activation(F.linear(x, weight, bias))
    return F.linear(x, weights[-2], weights[-1])


def dp_lase(case):
    z, stride, drawn = case.inputs["latent"], case.inputs["stride"], case.inputs["drawn"].long()
    raw, density, correction = case.state["directions"].requires_grad_(), layers(case.state, "F"), layers(case.state, "C")
    optimiser = adam([raw, *density, *correction], lr=1e-4)
    (n, m), count = drawn.shape, len(raw)
    starts, by = z.repeat_interleave(m, 0), stride.repeat_interleave(m, 0)

    def features(x):
        return case.generator.blocks(x, 2).flatten(2)

    def slopes(x, weights):
        y = torch.sigmoid(through(torch.stack([x + 0.01, x]).view(-1, 1), weights, torch.tanh)).view(2, *x.shape)
        return (y[0] - y[1]) / 0.01

    def log(slope):
        return slope.clamp(min=1e-6).log().sum(1)

    def losses_of(raw):
        directions = raw / raw.norm(dim=1, keepdim=True)
        along = directions[drawn.flatten()]
        ends = starts + by * along + through(torch.cat([starts, by / 10, along], 1), correction, torch.relu)
        with torch.no_grad():
            before = features(z)
        change = features(ends).view(n, m, *before.shape[1:]) - before[:, None]
        alike = change[:, 0] @ change[:, 1].transpose(1, 2)
        slope = slopes(z, density)
        here, there = log(slope), log(slopes(ends, [p.detach() for p in density])).view(n, m)
        losses = {
            "variation": (2e-3 * (count - 1) * alike.square().sum() - change.square().sum()) * count / (m * n),
            "orthogonality": (directions @ directions.T - torch.eye(count)).square().sum(),
            "monotone": F.relu(0.01 - slope).sum() / n,
            "likelihood": -here.mean(),
            "density": (here.detach()[:, None] - there).square().sum() * count / (m * n)}
        return losses | {"loss": sum(losses.values()) + 9 * losses["orthogonality"]}

    run = case.compile(losses_of)

    def step():
        losses = run(raw)
        update(optimiser, losses["loss"])
        return {name: loss.detach() for name, loss in losses.items()}
    return step


def jacobian(case):
    z, map_ = case.inputs["z"], case.generator.map
    n, size = z.shape
    way, decomposition = case.form.split("-")

    def repeat():  # every latent once for every row
        many = z.repeat_interleave(size, 0).requires_grad_()
        return torch.autograd.grad(map_(many), many, torch.eye(size).repeat(n, 1))[0].view(n, size, size)

    def forward():
        return torch.func.vmap(torch.func.jacfwd(lambda v: map_(v[None])[0]))(z)

    def eigen(j):
        values, right = torch.linalg.eigh(j.transpose(1, 2) @ j)
        return values.clamp(min=0).sqrt().flip(1), j @ right

    def step():
        j = (repeat() if way == "repeat" else forward()).detach()
        values, _ = eigen(j) if decomposition == "eigh" else torch.linalg.svd(j)[1::-1]
        return {"jacobian": j, "values": (values - 0.05).clamp(min=0)}
    return step


def build(case, name):
    if name.startswith("train/"):
        return {"train/dcgan-64": dcgan,
                "train/wgan-gp-64": lambda case: wasserstein(case, 0, lr=1e-4, betas=(0.0, 0.9)),
                "train/pggan-64": lambda case: wasserstein(case, 1e-3, lr=1e-3, betas=(0.0, 0.99)),
                "train/stylegan2-64": stylegan2}[name](case)
    return {"trajectory": trajectory, "optimise": optimise, "dp-lase": dp_lase, "jacobian": jacobian}[case.kind](case)
