"""report.py — what machine this is, and the results of bench.py as lines, a table and plots."""
import importlib.metadata
import math
import os
import platform
import subprocess
import time

COLUMNS = [("eager", "PyTorch"), ("compile", "torch.compile"), ("onnxruntime", "ONNX Runtime"), ("openvino", "OpenVINO")]


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def unavailable():
    """{peer: why it cannot run here}"""
    missing = {}
    if int((version("torch") or "1").split(".")[0]) < 2:
        missing["compile"] = f"PyTorch {version('torch')} has no torch.compile"
    for peer in ("onnxruntime", "openvino"):
        if not version(peer):
            missing[peer] = "not installed"
    return missing


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        cpu = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    installed = subprocess.run(["dpkg-query", "-W", "-f=${Version}", "libpocl2"], capture_output=True, text=True, check=False).stdout
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    versions = {"Latentwalk": commit or "unknown", "PoCL": installed or "unknown", "PyTorch": version("torch")}
    versions.update({name: version(package) for name, package in (("ONNX Runtime", "onnxruntime"), ("OpenVINO", "openvino")) if version(package)})
    return {"cpu": cpu, "cores": len(os.sched_getaffinity(0)), "memory_gib": round(memory_gib(), 1), "versions": versions, "date": time.strftime("%Y-%m-%d")}


def milliseconds(seconds):
    return "" if seconds is None else f"{1e3 * seconds:.3g}" if seconds < 0.9995 else f"{1e3 * seconds:.0f}"


def best_peer(row):
    return min(row["faster"], key=lambda name: row["seconds"][name]) if row["faster"] else None


def line(row):
    text = f"{row['case']:28s} latentwalk {milliseconds(row['seconds']['latentwalk'])} ms"
    if row["work"]:
        text += f" ({1e-9 * row['work'] / row['seconds']['latentwalk']:.0f} GFLOP/s)"
    for name, faster in row["faster"].items():
        text += f"; {name} {milliseconds(row['seconds'][name])} ({faster['ratio']:.2f}x)"
    if "eager" in row["memory"]:
        text += f"; memory {row['memory']['latentwalk'] / 2**20:.0f} MiB = {row['memory']['latentwalk'] / row['memory']['eager']:.2f} of eager"
    for peer, reason in row["skipped"].items():
        if reason not in QUIET:
            text += f"\n    {peer}: {reason}"
    return text


QUIET = ("runs forward passes only", "a single operator is eager's", "not part of the scaling plot", "not part of this case")


# --- docs/performance.md ---------------------------------------------------------------------------------------------

def table(result):
    rows = ["| case | Latentwalk, ms | GFLOP/s | " + " | ".join(f"{title}, ms" for _, title in COLUMNS)
            + " | times faster than the fastest peer (quartiles) | memory, MiB (share of PyTorch's) |",
            "|---|" + "---:|" * (len(COLUMNS) + 4)]
    for row in result["rows"]:
        seconds, memory, peer = row["seconds"], row["memory"], best_peer(row)
        cells = [row["case"], milliseconds(seconds["latentwalk"]),
                 f"{1e-9 * row['work'] / seconds['latentwalk']:.0f}" if row["work"] else ""]
        cells += [milliseconds(seconds.get(name)) for name, _ in COLUMNS]
        low, high = row["faster"][peer]["quartiles"] if peer else (0, 0)
        cells.append(f"**{row['faster'][peer]['ratio']:.2f}** ({low:.2f}–{high:.2f})" if peer else "")
        share = f" ({memory['latentwalk'] / memory['eager']:.2f})" if "eager" in memory else ""
        cells.append(f"{memory['latentwalk'] / 2**20:.0f}{share}")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def reasons(result):
    """Why cells are empty, each reason once with its cases."""
    lines = {}
    for row in result["rows"]:
        for peer, reason in row["skipped"].items():
            lines.setdefault((dict(COLUMNS)[peer], reason), []).append(row["case"])
    text = [f"- {peer}: {reason} ({cases[0]}{f' and {len(cases) - 1} more' if len(cases) > 1 else ''})." for (peer, reason), cases in lines.items()]
    text += [f"- {case} FAILED: see the run's output." for case in result["failed"]]
    if result.get("again"):
        text.append(f"\nMeasured again after that run: {', '.join(result['again'])}.")
    return "\n".join(text)


def heading(result):
    m = result["machine"]
    versions = ", ".join(f"{name} {value}" for name, value in m["versions"].items())
    return (f"{m['date']}: {m['cores']} cores of {m['cpu']}, {m['memory_gib']} GiB; {versions}. "
            "Medians; ratios of medians, with quartiles of the rounds' ratios.")


def write(result, folder):
    path = f"{folder}/performance.md"
    with open(path, encoding="utf-8") as file:
        before, _, rest = file.read().partition("<!-- bench: written by script/bench -->\n")
        _, _, after = rest.partition("<!-- end of bench -->\n")
    text = "\n\n".join([heading(result), table(result), "Empty cells:", reasons(result)])
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}<!-- bench: written by script/bench -->\n{text}\n<!-- end of bench -->\n{after}")
    with open(f"{folder}/scaling.svg", "w", encoding="utf-8") as file:
        file.write(plot(result))


# --- docs/scaling.svg ------------------------------------------------------------------------------------------------

WIDTH, HEIGHT, MARGIN = 390, 300, 65
COLOURS = {"latentwalk": "#c0392b", "eager": "#7f8c8d"}


def series(result, engine, prefix, place):
    """[(x, seconds)] of the cases that begin with `prefix`; `place`: x from the rest of the name, None: not in the plot"""
    points = [(place(row["case"][len(prefix):]), row["seconds"].get(engine)) for row in result["rows"] if row["case"].startswith(prefix)]
    return sorted((x, y) for x, y in points if x and y)


def panel(left, title, label, curves):
    """Both axes logarithmic. curves: [(engine, name, points)]"""
    xs = [x for _, _, points in curves for x, _ in points]
    ys = [y for _, _, points in curves for _, y in points]
    if not xs:
        return ""
    low, high = min(ys) / 1.5, max(ys) * 1.5
    across = lambda x: left + MARGIN + (WIDTH - MARGIN - 20) * math.log(x / min(xs)) / math.log(max(xs) / min(xs) or 2)
    up = lambda y: HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * math.log(y / low) / math.log(high / low)
    parts = [f'<text x="{left + WIDTH / 2}" y="20" text-anchor="middle" font-weight="bold">{title}</text>',
             f'<text x="{left + WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">{label}</text>',
             f'<text x="{left + WIDTH / 2}" y="38" text-anchor="middle"><tspan fill="{COLOURS["latentwalk"]}">Latentwalk</tspan>'
             f' <tspan fill="{COLOURS["eager"]}">PyTorch</tspan></text>']
    for x in sorted(set(xs)):
        text = f"{math.isqrt(int(x))}²" if label == "pixels" else f"{x:g}"
        parts.append(f'<text x="{across(x):.1f}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{text}</text>')
    for y in (10.0**k for k in range(-4, 3)):
        if low <= y <= high:
            parts.append(f'<path d="M{left + MARGIN} {up(y):.1f}H{left + WIDTH - 20}" stroke="#ddd"/>'
                         f'<text x="{left + MARGIN - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{1e3 * y:g} ms</text>')
    for engine, name, points in curves:
        line = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{COLOURS[engine]}" stroke-width="2"/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{COLOURS[engine]}"/>' for x, y in points]
        if points and engine == "eager":  # ours lies below it
            x, y = points[-1]
            parts.append(f'<text x="{across(x) - 12:.1f}" y="{up(y) - 4:.1f}" text-anchor="end" fill="{COLOURS[engine]}">{name}</text>')
    return "\n".join(parts)


def plot(result):
    """Time against batch and against pixels: a line of slope 1 is linear growth."""
    number = lambda text: int(text) if text.isdigit() else None
    side = lambda text: int(text[:-2]) ** 2 if text.endswith("/1") and text[:-2].isdigit() else None
    batches = [(engine, model, series(result, engine, f"forward/{model}/", number))
               for engine in COLOURS for model in ("dcgan-64", "stylegan2-256")]
    pixels = [(engine, "", series(result, engine, "forward/stylegan2-", side)) for engine in COLOURS]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">\n'
            f'<rect width="100%" height="100%" fill="white"/>\n{panel(0, "Images of one run", "batch", batches)}\n'
            f'{panel(WIDTH, "StyleGAN2, one image", "pixels", pixels)}\n</svg>\n')
