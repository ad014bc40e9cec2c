"""Writes models with sensitivities by PyTorch's own differentiation, to compare `mixed-precision calibrate --json` with.

    python3 references.py FOLDER [NAME ...]

Each model gets a folder with model.onnx, data.npz (inputs and `label`, with a leading sample axis), policy.yaml and reference.json:
E[g²], and for each layer E‖x⊙ẋ‖² and E‖w⊙ẇ‖² and the ONNX node. Gradients are those of the exported float weights, computed in double;
ẋ counts every reader of x, ẇ the layer alone. Needs PyTorch 1.13, torchvision 0.14 and onnx. `references FOLDER` of the benchmarks compares.
"""

import json
import os
import sys

import numpy
import onnx
import torch
import torch.nn.functional as F

import reference_sequences
import reference_vision

WEIGHTED = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
PRODUCTS = [(torch, "matmul"), (torch, "bmm"), (torch, "baddbmm"), (torch.Tensor, "matmul"), (torch.Tensor, "bmm"), (torch.Tensor, "__matmul__")]
TOLERANCE = 1e-3
NOISE = 1e-6
ATTEMPTS = 24
LINEAR_NODES = ("MatMul", "Gemm", "Conv", "ConvTranspose")


class Recorder:
    """While entered, keeps the operands of every linear function that is called, in order, with the name of the calling module."""

    def __init__(self, model, separate, noise=0.0):
        self.model, self.separate, self.noise, self.calls, self.stack, self.undo = model, separate, noise, [], [], []

    def __enter__(self):
        for name, module in self.model.named_modules():
            before = module.register_forward_pre_hook(lambda _, __, n=name: self.stack.append(n))
            after = module.register_forward_hook(lambda *_: self.leave())
            self.undo += [before.remove, after.remove]
        for place, name in [(F, name) for name in WEIGHTED] + PRODUCTS:
            original = getattr(place, name)
            setattr(place, name, self.wrap(name, original))
            self.undo.append(lambda p=place, n=name, o=original: setattr(p, n, o))
        return self

    def __exit__(self, *_):
        for undo in reversed(self.undo):
            undo()

    def leave(self):
        self.stack.pop()

    def wrap(self, name, original):
        def call(*arguments, **options):
            arguments = list(arguments)
            at = 1 if name == "baddbmm" else 0
            if self.separate and (name in WEIGHTED or isinstance(arguments[at + 1], torch.nn.Parameter)):
                # A weight that several layers share gets a gradient for each of them.
                arguments[at + 1] = arguments[at + 1].view_as(arguments[at + 1])
            x, second = arguments[at : at + 2]
            if self.separate:
                for operand in (x, second):
                    if operand.requires_grad:
                        operand.retain_grad()
            self.calls.append((name, self.stack[-1], x, second))
            result = original(*arguments, **options)
            return result + torch.randn_like(result) * result.detach().abs().mean() * self.noise if self.noise else result

        return call


def gradients(loss_of, model, inputs, label, noise=0.0):
    """The loss of one sample, and for each linear call the squared norms of operand times gradient."""
    inputs = [x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs]
    model.zero_grad(set_to_none=True)
    with Recorder(model, separate=True, noise=noise) as recorder:
        loss = loss_of(model(*inputs), label)
        loss.backward()
    return loss.item(), numpy.array([(squares(x), squares(second)) for _, _, x, second in recorder.calls])


def squares(value):
    return 0.0 if value.grad is None else (value * value.grad).double().square().sum().item()


def deviation(found, expected):
    """The largest relative deviation; terms below a millionth of the largest are compared with that."""
    floor = numpy.maximum(expected[1], expected[1].max(axis=0) * 1e-6 / TOLERANCE)
    return max(float(numpy.max(numpy.abs(found[1] - expected[1]) / floor)), abs(found[0] / expected[0] - 1))


def samples_of(reference):
    """
    Samples with what they give in double, and how much float deviates from that. Where an activation lies so near a kink (of ReLU, of
    a maximum) that rounding decides on its side, gradients differ without being wrong: such samples are drawn anew.
    """
    kept = []
    for _ in range(ATTEMPTS):
        inputs, label = reference.draw()
        doubled = [x.double() if x.is_floating_point() else x for x in inputs]
        exact = gradients(reference.loss, reference.model.double(), doubled, label)
        noisy = gradients(reference.loss, reference.model, doubled, label, NOISE)
        single = deviation(gradients(reference.loss, reference.model.float(), inputs, label), exact)
        if max(single, deviation(noisy, exact)) < TOLERANCE / 10:
            kept.append((inputs, label, exact, single))
        if len(kept) == reference.count:
            return kept
    raise ValueError(f"only {len(kept)} samples in {ATTEMPTS} are steady")


def nodes_of(path):
    """The linear nodes of a model in order: shape of the second operand if it is stored, name."""
    graph = onnx.load(path).graph
    shapes = {i.name: list(i.dims) for i in graph.initializer}
    return [(shapes.get(n.input[1]), n.name) for n in graph.node if n.op_type in LINEAR_NODES]


def export(reference, path):
    """Writes the ONNX file; the linear calls of the traced run."""
    model, sample = reference.model, reference.draw()[0]
    names = list(reference.names)
    with Recorder(model, separate=False) as recorder:
        torch.onnx.export(
            model, tuple(sample), path, input_names=names, output_names=["logits"], opset_version=reference.opset,
            dynamic_axes={name: axes for name, axes in reference.dynamic.items()}, **reference.options)
    return [(kind, name, list(second.shape)) for kind, name, _, second in recorder.calls]


def layers_of(calls, nodes):
    """Pairs of the number of a call and the ONNX node that it became. The exporter keeps the order of calls."""
    if len(calls) != len(nodes):
        raise ValueError(f"{len(calls)} calls became {len(nodes)} nodes: {[c[:2] for c in calls]} {nodes}")
    for (_, name, shape), (stored, node) in zip(calls, nodes):
        if stored is not None and sorted(stored) != sorted(shape):
            raise ValueError(f"{name} with {shape} is not {node} with {stored}")
    return list(enumerate(node for _, node in nodes))


def write(name, reference, folder):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "model.onnx")
    reference.model.eval()
    calls = export(reference, path)
    pairs = layers_of(calls, nodes_of(path))
    samples = samples_of(reference)
    terms = numpy.mean([terms for _, _, (_, terms), _ in samples], axis=0)
    loss = float(numpy.mean([loss**2 for _, _, (loss, _), _ in samples]))
    layers, seen = {}, {}
    for call, node in pairs:
        kind, module, _ = calls[call]
        seen[module] = seen.get(module, 0) + 1
        key = module if seen[module] == 1 else f"{module}#{seen[module]}"
        layers[key] = {"type": kind, "activation": terms[call][0], "weight": terms[call][1], "node": node}
    with open(os.path.join(folder, "reference.json"), "w") as file:
        json.dump({"loss": "cross-entropy", "mean_square_loss": loss, "samples": len(samples), "layers": layers}, file, indent=1)
    arrays = {n: numpy.stack([inputs[i].numpy() for inputs, *_ in samples]) for i, n in enumerate(reference.names)}
    numpy.savez(os.path.join(folder, "data.npz"), **arrays, label=numpy.stack([label.numpy() for _, label, *_ in samples]))
    with open(os.path.join(folder, "policy.yaml"), "w") as file:
        file.write("model: model.onnx\nbudget: 1%\ncalibration: { data: data.npz, loss: cross-entropy, labels: label }\nformats: [fp32]\n")
    print(f"{name}: {len(layers)} layers, E[g²] {loss:.4g}, PyTorch in float deviates by {max(s[3] for s in samples):.1e}", flush=True)


def main(folder, wanted):
    torch.set_num_threads(1)
    torch.backends.mkldnn.set_flags(False)  # Its GELU in float32 gives wrong gradients where the next operator transposes.
    catalog = {**reference_vision.MODELS, **reference_sequences.MODELS}
    for name in wanted or catalog:
        torch.manual_seed(sum(map(ord, name)))
        try:
            write(name, catalog[name](), os.path.join(folder, name))
        except Exception as error:  # One model that the exporter refuses does not end the run.
            print(f"{name}: not exported: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
