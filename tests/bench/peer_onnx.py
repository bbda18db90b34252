"""peer_onnx.py — ONNX Runtime's and OpenVINO's side of script/bench, on the FOLDER/model.onnx that peer_torch.py exported.

    peer_onnx.py onnxruntime|openvino CASE FOLDER"""
import os
import sys

import exchange


def onnxruntime(path, inputs):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, inputs)[0]


def openvino(path, inputs):
    import openvino as ov
    core = ov.Core()
    model = core.compile_model(core.read_model(path), "CPU", {
        "INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": len(os.sched_getaffinity(0)), "PERFORMANCE_HINT": "LATENCY"})
    request = model.create_infer_request()
    return lambda: next(iter(request.infer(inputs, share_inputs=True, share_outputs=True).values()))


def main():
    engine, name, folder = sys.argv[1:4]
    run = {"onnxruntime": onnxruntime, "openvino": openvino}[engine](f"{folder}/model.onnx", exchange.inputs(folder))
    output = "image" if name.startswith("forward") else "y"
    exchange.serve(engine, folder, lambda: {output: run()}, 1)


if __name__ == "__main__":
    main()
