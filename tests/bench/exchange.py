"""exchange.py — what the processes of script/bench share: .safetensors files of float32, and the loop that answers."""
import json
import struct
import sys
import time

import numpy as np


def load(path):
    """-> {name: array}"""
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(size)), file.read()
    return {name: np.frombuffer(data[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"]).copy()
            for name, entry in header.items() if name != "__metadata__"}


def save(tensors, path):
    header, offset, arrays = {}, 0, []
    for name, array in tensors.items():
        array = np.ascontiguousarray(array, np.float32)
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
        offset += array.nbytes
        arrays.append(array)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays:
            file.write(array.tobytes())


def inputs(folder):
    """What Latentwalk's worker drew for this case."""
    return {name[3:]: array for name, array in load(f"{folder}/latentwalk.safetensors").items() if name.startswith("in.")}


def forget_peak():
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def peak():
    with open("/proc/self/status", encoding="ascii") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM"))


def serve(name, folder, step, checks, note=""):
    """Answers the lines that worker.c answers. `step()` -> {output: array} of one repetition, as something NumPy takes."""
    print("ready", note, flush=True)
    for line in sys.stdin:
        word, _, number = line.strip().partition(" ")
        if word == "check":
            outputs = {}
            for k in range(checks):
                outputs.update({f"out.{output}.{k}": np.asarray(value) for output, value in step().items()})
            save(outputs, f"{folder}/{name}.safetensors")
            del outputs
            forget_peak()
            print("checked", flush=True)
        elif word == "memory":
            print(peak(), flush=True)
        else:
            times = int(number)
            start = time.perf_counter()
            for _ in range(times):
                step()
            print((time.perf_counter() - start) / times, flush=True)
