"""bench.py — Latentwalk next to PyTorch, torch.compile, ONNX Runtime and OpenVINO; see docs/performance.md.

Every (case, engine) is a process of its own that answers `check`, `time N` and `memory`. Outputs are compared before
anything is timed; then the engines take turns (A B C A B C …), the others stopped meanwhile."""
import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import exchange
import report

HERE = pathlib.Path(__file__).resolve().parent
PEERS = ["eager", "compile", "onnxruntime", "openvino"]
MODELS = ["dcgan-64", "pggan-256", "biggan-128", "stylegan2-256", "stylegan2-1024"]

FORWARD = ["product/512", "product/1024", "product/2048", "linear/1x512x512", "linear/16x512x512", "linear/64x512x512",
           "conv/512-512@32", "conv/512-512@64", "conv/128-128@256", "conv/64-64@64", "conv/64-64@128", "conv/32-32@1024",
           *(f"forward/{model}/1" for model in MODELS), *(f"forward/{model}/16" for model in MODELS[:4])]
GRADIENTS = [*(f"gradient-z/{model}/1" for model in MODELS), "gradient-z/dcgan-64/16",
             "gradient-w/stylegan2-256/1"]
LOOPS = ["train/dcgan-64", "train/wgan-gp-64", "train/pggan-64", "train/stylegan2-64", "jacobian/1", "jacobian/64", "trajectory/1", "optimise/1", "optimise/64", "dp-lase/16"]
START = ["start/dcgan-64", "start/stylegan2-256"]
TWICE = ["train/wgan-gp-64", "train/pggan-64", "train/stylegan2-64"]  # loops with derivatives of derivatives
SCALING = [*(f"forward/dcgan-64/{n}" for n in (2, 4, 8)), *(f"forward/stylegan2-256/{n}" for n in (2, 4, 8)),
           *(f"forward/stylegan2-{side}/1" for side in (64, 128, 512))]
# Further cases run only when named: they take minutes. LARGE is also beyond the memory of a machine with 24 GiB if
# several engines keep theirs.
LARGE = "forward/stylegan2-1024/16"
EXTRA = ["gradient-w/stylegan2-1024/1", *(f"gradient-z/{model}/16" for model in MODELS[1:4]), "gradient-w/stylegan2-256/16",
         "trajectory/8", "optimise/16", LARGE]
LEAST = {"trajectory": 25, "optimise": 25, "dp-lase": 10}  # steps a measurement, at least

# Largest difference of an output, in deviations of ours; losses, also of later training steps: relative. Adam's first
# steps have the size of the learning rate whatever the gradient, so that rounding grows, most where a Wasserstein loss passes
# near 0 (seen: 3e-3, 1e-2); and of 16 images' activations one
# may lie so near a ReLU's kink that rounding puts it on the other side (seen: 3e-3 in one row, 1e-5 in the others). PGGAN's
# gradient with random weights is as sensitive: from float64 ours is off by 4e-4, eager's by 2e-4 (seen between the two: 1.3e-3).
TOLERANCE = {"gradient-z/dcgan-64/16": 1e-2, "gradient-z/pggan-256/1": 3e-3, "train/dcgan-64": 2e-3,
             "train/wgan-gp-64": 1e-2, "train/pggan-64": 2e-2, "train/stylegan2-64": 5e-3, "jacobian": 1e-3, "trajectory": 1e-3, "optimise": 1e-3, "dp-lase": 1e-3}


def tolerance(case):
    return TOLERANCE.get(case) or TOLERANCE.get(case.split("/")[0], 2e-4)


class Failed(Exception):
    pass


class Engine:
    """A process that answers lines."""

    def __init__(self, name, command, folder):
        self.name = name
        self.errors = open(f"{folder}/{name}.log", "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.note = self.read().removeprefix("ready").strip()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            lines = [text.strip() for text in self.errors if text.strip()]
            raise Failed(lines[-1][:300] if lines else f"ended with status {self.process.returncode}")
        return line.strip()

    def ask(self, line):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.read()
        self.process.send_signal(signal.SIGSTOP)
        return answer

    def time(self, count):
        return float(self.ask(f"time {count}"))

    def end(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()


def why_not(peer, case, available):
    """Why this peer does not run this case; None where it does."""
    kind = case.split("/")[0]
    if peer in ("onnxruntime", "openvino") and case not in FORWARD + SCALING + [LARGE]:
        return "runs forward passes only"
    if peer == "compile" and kind in ("product", "linear", "conv"):
        return "a single operator is eager's"
    if peer == "compile" and kind == "jacobian":
        return "next to nothing to fuse"
    if peer == "compile" and case in TWICE:
        return "does not differentiate twice, as the penalties need"
    if peer != "eager" and case in SCALING:
        return "not part of the scaling plot"
    if peer != "eager" and case == LARGE:
        return "too large for several engines at once"
    return available.get(peer)


class Bench:
    def __init__(self, options):
        self.options = options
        self.available = report.unavailable()
        self.rows, self.running = [], []

    def start(self, engine, case, folder, setting=""):
        script = "peer_torch.py" if engine in ("eager", "compile") else "peer_onnx.py"
        command = [sys.executable, HERE / script, engine, case, folder, setting]
        if engine == "latentwalk":
            command = [self.options.worker, self.options.plugins, case, folder]
        self.running.append(Engine(engine, command, folder))
        return self.running[-1]

    def export(self, case, folder):
        done = subprocess.run([sys.executable, HERE / "peer_torch.py", "export", case, folder], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed("export to ONNX: " + (done.stderr.strip().splitlines() or ["failed"])[-1][:300])

    def profile(self, case):
        """Every kernel's share of three repetitions, in build/profile/CASE."""
        folder = pathlib.Path(self.options.out).parent / "profile" / case.replace("/", "-")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run([self.options.worker, self.options.plugins, case, scratch, folder], input="check\ntime 3\n", text=True, check=True)
        print(f"{folder}/profile.txt")

    def compare(self, case, engine, folder):
        ours, theirs = (exchange.load(f"{folder}/{name}.safetensors") for name in ("latentwalk", engine))
        worst = 0.0
        for name in (n for n in ours if n.startswith("out.")):
            a, b = ours[name].reshape(-1).astype(float), theirs[name].reshape(-1).astype(float)
            scale = a.std() if a.size > 1 else abs(a[0])
            error = np.abs(a - b).max() / scale
            if not error <= tolerance(case):
                raise Failed(f"{engine}: MISMATCH, {name} differs by {error:.2g} of its {'deviation' if a.size > 1 else 'size'}")
            worst = max(worst, error)
        return worst

    def gather(self, case, folder):
        """Starts and checks all engines -> {name: engine}, {name: error}, {peer: why it does not run}"""
        engines, errors, skipped = {"latentwalk": self.start("latentwalk", case, folder)}, {}, {}
        engines["latentwalk"].ask("check")
        setting = f"{len(os.sched_getaffinity(0))} contiguous scaled"
        for peer in self.options.peers:
            skipped[peer] = why_not(peer, case, self.available)
            if skipped[peer]:
                continue
            try:
                if peer in ("onnxruntime", "openvino") and not os.path.exists(f"{folder}/model.onnx"):
                    self.export(case, folder)
                engine = self.start(peer, case, folder, setting)
                engine.ask("check")
            except Failed as error:
                skipped[peer] = str(error)
                continue
            setting = engine.note if peer == "eager" else setting
            errors[peer] = self.compare(case, peer, folder)
            engines[peer] = engine
        return engines, errors, {peer: reason for peer, reason in skipped.items() if reason}

    def rounds(self, case, engines):
        """Seconds a repetition of every engine, in turn."""
        once = engines["latentwalk"].time(1)
        count = max(LEAST.get(case.split("/")[0], 1), min(200, round(0.02 / once)))
        times = {name: [] for name in engines}
        for engine in engines.values() if once < 1 else ():  # warmer than the check has made it
            engine.time(1)
        end = time.monotonic() + self.options.seconds
        for done in range(self.options.rounds):
            if done >= min(3, self.options.rounds) and time.monotonic() > end:
                break
            for name, engine in engines.items():
                times[name].append(engine.time(count))
        return times

    def run(self, case):
        with tempfile.TemporaryDirectory() as folder:
            try:
                return (self.run_start if case.startswith("start/") else self.run_turns)(case, folder)
            finally:
                while self.running:
                    self.running.pop().end()

    def run_turns(self, case, folder):
        engines, errors, skipped = self.gather(case, folder)
        times = self.rounds(case, engines)
        row = summary(case, times, {name: int(engine.ask("memory")) for name, engine in engines.items()})
        row.update(work=float(engines["latentwalk"].ask("work")), errors=errors, skipped=skipped,
                   settings={name: engine.note for name, engine in engines.items() if engine.note})
        return row

    def run_start(self, case, folder):
        """From starting a process to its end with an image on disk; weights are those of the forward case."""
        model = case.split("/")[1]
        self.start("latentwalk", f"forward/{model}/1", folder)  # writes them
        commands = {
            "latentwalk": [self.options.program, "generate", "--network", f"{folder}/model.safetensors", "--seeds", "0", "--outdir", folder],
            "eager": [sys.executable, HERE / "first_image.py", model.split("-")[0], f"{folder}/model.safetensors", f"{folder}/image.png"]}
        times, memory = {name: [] for name in commands}, dict.fromkeys(commands, 0)
        for done in range(self.options.rounds + 1):  # the first warms caches
            for name, command in commands.items():
                run = subprocess.run([sys.executable, HERE / "launch.py", *command], capture_output=True, text=True, check=False)
                if run.returncode:
                    raise Failed(f"{name}: {run.stderr.strip()[-300:]}")
                seconds, bytes_ = run.stdout.split()
                memory[name] = max(memory[name], int(bytes_))
                if done:
                    times[name].append(float(seconds))
        row = summary(case, times, memory)
        row.update(work=0, errors={}, settings={}, skipped={peer: "not part of this case" for peer in PEERS[1:]})
        return row


def summary(case, times, memory):
    medians = {name: statistics.median(values) for name, values in times.items()}
    row = {"case": case, "seconds": medians, "times": times, "memory": memory, "faster": {}}
    for name in times:
        if name != "latentwalk":
            ratios = [b / a for a, b in zip(times["latentwalk"], times[name])]
            quartiles = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else [ratios[0]] * 3
            row["faster"][name] = {"ratio": medians[name] / medians["latentwalk"], "quartiles": [quartiles[0], quartiles[2]]}
    return row


def chosen(wanted):
    """The cases of these names, or that begin so."""
    cases = FORWARD + GRADIENTS + LOOPS + START + SCALING
    if not wanted:
        return cases
    cases += EXTRA
    named = [case for case in cases if any(case == name or name not in cases and case.startswith(name) for name in wanted)]
    if not named:
        sys.exit("no such case; there are:\n  " + "\n  ".join(cases))
    return named


def arguments():
    parser = argparse.ArgumentParser(prog="script/bench", description="Latentwalk next to its peers on this machine.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names or their beginnings; none: all, and the documentation is updated")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each case, at most (9)")
    parser.add_argument("--seconds", type=float, default=8, help="begin no further round of a case after this time, 3 rounds at least (8)")
    parser.add_argument("--quick", action="store_true", help="3 rounds")
    parser.add_argument("--again", action="store_true", help="measure the CASEs again: they take their place in build/bench.json and the documentation")
    parser.add_argument("--profile", action="store_true", help="instead of timing, write where Latentwalk's time goes to build/profile/CASE")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=PEERS, help=",".join(PEERS))
    for name in ("worker", "plugins", "program", "out", "docs"):
        parser.add_argument(f"--{name}", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick:
        options.rounds = 3
    if options.again and (not options.cases or not os.path.exists(options.out)):
        parser.error("--again needs CASEs, and the results of an earlier run")
    return options


def put_in_place(result, path):
    """What was measured again among what `path` has of an earlier run; the table says which."""
    with open(path, encoding="utf-8") as file:
        earlier = json.load(file)
    again = {row["case"]: row for row in result["rows"]}
    order = chosen([]) + EXTRA
    rows = sorted([row for row in earlier["rows"] if row["case"] not in again] + result["rows"], key=lambda row: order.index(row["case"]))
    failed = [case for case in earlier["failed"] if case not in again and case not in result["failed"]] + result["failed"]
    return {"machine": earlier["machine"], "rows": rows, "failed": failed, "again": sorted({*earlier.get("again", []), *again}, key=order.index)}


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that stopped engines are ended
    options = arguments()
    bench, failures = Bench(options), []
    cases = chosen(options.cases)
    if options.profile:
        for case in cases:
            bench.profile(case)
        return
    for case in cases:
        started = time.monotonic()
        try:
            row = bench.run(case)
            bench.rows.append(row)
            print(report.line(row), f"[{time.monotonic() - started:.0f} s]", flush=True)
        except Failed as error:
            failures.append(case)
            print(f"{case}: {error}", flush=True)
        result = {"machine": report.machine(), "rows": bench.rows, "failed": failures}
        if options.again:
            result = put_in_place(result, options.out)
        with open(options.out, "w", encoding="utf-8") as file: # after each case: an interrupted run keeps the others
            json.dump(result, file, indent=1)
            file.write("\n")
    if options.again or not options.cases:
        report.write(result, options.docs)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
