"""What references.py needs to know of a model."""

import dataclasses
import typing

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class Reference:
    """A model, what draws a sample (inputs and label, each with a batch axis of one), and how it is exported."""

    model: nn.Module
    draw: typing.Callable
    names: tuple = ("input",)
    count: int = 2
    opset: int = 13
    dynamic: dict = dataclasses.field(default_factory=dict)
    options: dict = dataclasses.field(default_factory=dict)

    def loss(self, logits, label):
        """Cross-entropy along the last axis for a label of each row, along the second for a label of each pixel."""
        return F.cross_entropy(logits.flatten(0, 1) if logits.dim() == 3 else logits, label.flatten() if logits.dim() == 3 else label)


def lively(model, shape):
    """Gives normalizations scales and statistics that differ from those they start with, as training would."""
    norms = [m for m in model.modules() if getattr(m, "weight", None) is not None and "Norm" in type(m).__name__]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.7, 1.3)
        if getattr(norm, "bias", None) is not None:
            nn.init.normal_(norm.bias, std=0.1)
    batch = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if batch:
        for norm in batch:
            norm.momentum = None
        model.train()
        with torch.no_grad():
            model(torch.randn(8, *shape))
    return model.eval()


def images(model, shape, classes=10, **rest):
    """A model of one float input."""
    lively(model, shape)
    return Reference(model, lambda: ([torch.randn(1, *shape)], torch.randint(classes, (1,))), **rest)


def maps(model, shape, classes=10, **rest):
    """A model of one image that gives scores, and has a label, for each pixel."""
    lively(model, shape)
    return Reference(model, lambda: ([torch.randn(1, *shape)], torch.randint(classes, (1, *shape[1:]))), **rest)


def tokens(model, vocabulary, length, classes=10, **rest):
    """A model of one input of token numbers."""
    lively(model, ())
    return Reference(model, lambda: ([torch.randint(vocabulary, (1, length))], torch.randint(classes, (1,))), **rest)
