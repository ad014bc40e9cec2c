"""Models of text and speech for references.py."""

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.onnx import TrainingMode

from reference_model import Reference, images, lively, tokens

BATCH = {"input": {0: "batch", 1: "sequence"}, "logits": {0: "batch"}}


class Encoder(nn.Module):
    """torch.nn's own encoder, with learned positions and a pooled first token."""

    def __init__(self, norm_first, activation, batch_first=True):
        super().__init__()
        self.words, self.places = nn.Embedding(100, 24), nn.Embedding(32, 24)
        layer = nn.TransformerEncoderLayer(24, 3, 48, activation=activation, batch_first=batch_first, norm_first=norm_first)
        self.body, self.batch_first = nn.TransformerEncoder(layer, 2), batch_first
        for value in self.body.parameters():
            nn.init.normal_(value, std=0.2)
        self.pool, self.head = nn.Linear(24, 24), nn.Linear(24, 10)

    def forward(self, input):
        x = self.words(input) + self.places(torch.arange(input.shape[1]))
        x = self.body(x) if self.batch_first else self.body(x.transpose(0, 1)).transpose(0, 1)
        return self.head(torch.tanh(self.pool(x[:, 0])))


class Bert(nn.Module):
    """Written as Hugging Face's BERT is: additive mask, heads by view and permute, types, tanh-GELU."""

    def __init__(self, width=24, heads=3, layers=2, pooled="first"):
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(100, width, padding_idx=0), nn.Embedding(32, width), nn.Embedding(2, width)
        self.norm, self.heads, self.pooled = nn.LayerNorm(width, eps=1e-12), heads, pooled
        self.layers = nn.ModuleList([nn.ModuleDict({
            "query": nn.Linear(width, width), "key": nn.Linear(width, width), "value": nn.Linear(width, width), "out": nn.Linear(width, width),
            "norm1": nn.LayerNorm(width), "up": nn.Linear(width, 2 * width), "down": nn.Linear(2 * width, width), "norm2": nn.LayerNorm(width)})
            for _ in range(layers)])
        self.pooler, self.head = nn.Linear(width, width), nn.Linear(width, 10)

    def split(self, x):
        return x.view(x.size(0), x.size(1), self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, input_ids, attention_mask, token_type_ids):
        places = torch.arange(input_ids.shape[1]).unsqueeze(0)
        x = self.norm(self.words(input_ids) + self.types(token_type_ids) + self.places(places))
        mask = (1.0 - attention_mask[:, None, None, :].to(x.dtype)) * torch.finfo(torch.float32).min
        for layer in self.layers:
            q, k, v = (self.split(layer[n](x)) for n in ("query", "key", "value"))
            scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(q.size(-1)) + mask
            context = torch.matmul(F.softmax(scores, -1), v).permute(0, 2, 1, 3).contiguous()
            x = layer["norm1"](layer["out"](context.view(context.size(0), context.size(1), -1)) + x)
            up = layer["up"](x)
            up = 0.5 * up * (1 + torch.tanh(math.sqrt(2 / math.pi) * (up + 0.044715 * torch.pow(up, 3))))
            x = layer["norm2"](layer["down"](up) + x)
        if self.pooled == "mean":
            weights = attention_mask.unsqueeze(-1).expand(x.size()).to(x.dtype)
            x = F.normalize(torch.sum(x * weights, 1) / torch.clamp(weights.sum(1), min=1e-9), p=2, dim=1)
            return self.head(x) * 5
        return self.head(x) if self.pooled == "none" else self.head(torch.tanh(self.pooler(x[:, 0])))


class RootNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class Llama(nn.Module):
    """RMSNorm, rotary positions, grouped queries, SwiGLU; logits of the last token, by the embedding's own table if tied."""

    def __init__(self, tied=False, width=32, heads=4, pairs=2, layers=2):
        super().__init__()
        self.words, self.heads, self.pairs, self.size = nn.Embedding(60, width), heads, pairs, width // heads
        nn.init.normal_(self.words.weight, std=0.5)
        inner = pairs * self.size
        self.layers = nn.ModuleList([nn.ModuleDict({
            "norm1": RootNorm(width), "q": nn.Linear(width, width, False), "k": nn.Linear(width, inner, False), "v": nn.Linear(width, inner, False),
            "o": nn.Linear(width, width, False), "norm2": RootNorm(width), "gate": nn.Linear(width, 48, False), "up": nn.Linear(width, 48, False),
            "down": nn.Linear(48, width, False)}) for _ in range(layers)])
        self.norm, self.head = RootNorm(width), nn.Linear(width, 60, False)
        if tied:
            self.head.weight = self.words.weight
        self.register_buffer("frequency", 1 / 10000 ** (torch.arange(0, self.size, 2).float() / self.size))

    @staticmethod
    def rotate(x, cosine, sine):
        first, second = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
        return x * cosine + torch.cat((-second, first), -1) * sine

    def forward(self, input):
        batch, length = input.shape
        x = self.words(input)
        angles = torch.arange(length, dtype=x.dtype)[:, None] * self.frequency[None]
        angles = torch.cat((angles, angles), -1)
        mask = torch.full((length, length), torch.finfo(x.dtype).min, dtype=x.dtype).triu(1)
        for layer in self.layers:
            y = layer["norm1"](x)
            q = layer["q"](y).view(batch, length, self.heads, self.size).transpose(1, 2)
            k, v = (layer[n](y).view(batch, length, self.pairs, self.size).transpose(1, 2) for n in ("k", "v"))
            q, k = self.rotate(q, angles.cos(), angles.sin()), self.rotate(k, angles.cos(), angles.sin())
            k, v = (t[:, :, None].expand(batch, self.pairs, self.heads // self.pairs, length, self.size).reshape(batch, self.heads, length, self.size) for t in (k, v))
            scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.size) + mask
            weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(x.dtype) if x.dtype == torch.float32 else F.softmax(scores, -1)
            x = x + layer["o"](torch.matmul(weights, v).transpose(1, 2).reshape(batch, length, -1))
            y = layer["norm2"](x)
            x = x + layer["down"](F.silu(layer["gate"](y)) * layer["up"](y))
        return self.head(self.norm(x)[:, -1])


class Gpt(nn.Module):
    """Fused query, key and value by a Conv1D as GPT-2 has it (addmm), split, and where() for the causal mask."""

    def __init__(self, width=24, heads=3):
        super().__init__()
        self.words, self.places, self.heads = nn.Embedding(60, width), nn.Embedding(32, width), heads
        self.norm1, self.norm2, self.last = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.project = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down, self.head = nn.Linear(width, 64), nn.Linear(64, width), nn.Linear(width, 60, bias=False)
        self.register_buffer("causal", torch.tril(torch.ones(32, 32)).bool().view(1, 1, 32, 32))

    def forward(self, input):
        length = input.shape[1]
        x = self.words(input) + self.places(torch.arange(length))
        q, k, v = (t.reshape(*t.shape[:2], self.heads, 8).transpose(1, 2) for t in self.attend(self.norm1(x)).split(24, 2))
        scores = q @ k.transpose(-1, -2) * 8**-0.5
        scores = torch.where(self.causal[:, :, :length, :length], scores, torch.tensor(torch.finfo(torch.float32).min, dtype=scores.dtype))
        x = x + self.project((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return self.head(self.last(x))[:, -1, :]


class Whisper(nn.Module):
    """A convolutional stem, an encoder, and a decoder that looks at it."""

    def __init__(self, width=24):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(16, width, 3, padding=1), nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.encoder = nn.TransformerEncoderLayer(width, 3, 48, activation="gelu", batch_first=True, norm_first=True)
        self.decoder = nn.TransformerDecoderLayer(width, 3, 48, activation="gelu", batch_first=True, norm_first=True)
        self.words, self.norm = nn.Embedding(50, width), nn.LayerNorm(width)
        self.register_buffer("places", torch.randn(64, width) * 0.3)

    def forward(self, features, tokens):
        x = F.gelu(self.conv2(F.gelu(self.conv1(features)))).permute(0, 2, 1)
        x = self.encoder(x + self.places[: x.shape[1]])
        length = tokens.shape[1]
        y = self.words(tokens) + self.places[:length]
        mask = torch.full((length, length), float("-inf"), dtype=x.dtype).triu(1)
        y = self.norm(self.decoder(y, x, tgt_mask=mask))
        return F.linear(y[:, -1], self.words.weight)


class Speech(nn.Module):
    """As wav2vec 2.0: a convolutional front with GroupNorm, a grouped positional convolution with weight norm, an encoder."""

    def __init__(self, width=24):
        super().__init__()
        self.front = nn.ModuleList([nn.Conv1d(1, 16, 10, 5, bias=False), nn.Conv1d(16, 16, 3, 2, bias=False), nn.Conv1d(16, 16, 2, 2)])
        self.group, self.norm, self.project = nn.GroupNorm(16, 16), nn.LayerNorm(16), nn.Linear(16, width)
        self.places = nn.utils.weight_norm(nn.Conv1d(width, width, 8, padding=4, groups=4), name="weight", dim=2)
        self.body, self.head = nn.TransformerEncoderLayer(width, 3, 48, activation="gelu", batch_first=True), nn.Linear(width, 10)

    def forward(self, x):
        x = F.gelu(self.group(self.front[0](x)))
        for layer in self.front[1:]:
            x = F.gelu(layer(x))
        x = self.project(self.norm(x.transpose(1, 2)))
        x = x + F.gelu(self.places(x.transpose(1, 2))[:, :, :-1]).transpose(1, 2)
        return self.head(self.body(x)).log_softmax(-1).mean(1)


class Conformer(nn.Module):
    """Half-step feed-forward, attention, gated depthwise convolution with BatchNorm1d."""

    def __init__(self, width=24):
        super().__init__()
        self.sub = nn.Sequential(nn.Conv2d(1, 8, 3, 2), nn.ReLU(), nn.Conv2d(8, 8, 3, 2), nn.ReLU())
        self.flat = nn.Linear(8 * 4, width)
        self.feed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 48), nn.SiLU(), nn.Linear(48, width))
        self.norm, self.attention = nn.LayerNorm(width), nn.MultiheadAttention(width, 3, batch_first=True)
        self.point1, self.depth, self.batch, self.point2 = nn.Conv1d(width, 2 * width, 1), nn.Conv1d(width, width, 5, padding=2, groups=width), nn.BatchNorm1d(width), nn.Conv1d(width, width, 1)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.sub(x)
        x = self.flat(x.transpose(1, 2).flatten(2))
        x = x + 0.5 * self.feed(x)
        y = self.norm(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        y = self.point2(F.silu(self.batch(self.depth(F.glu(self.point1(x.transpose(1, 2)), dim=1)))))
        return self.head((x + y.transpose(1, 2)).amax(1))


class Recurrent(nn.Module):
    def __init__(self, kind, layers=1, both=True):
        super().__init__()
        self.words, self.inner = nn.Embedding(40, 12), nn.Linear(12, 16)
        self.cell = kind(16, 12, layers, bidirectional=both, batch_first=True)
        self.mix, self.head = nn.Linear(12 * (1 + both), 20), nn.Linear(20, 10)

    def forward(self, input):
        x, _ = self.cell(torch.relu(self.inner(self.words(input))))
        return self.head(torch.tanh(self.mix(x)).max(1)[0])


class Ocr(nn.Module):
    """CRNN: convolutions, columns as a sequence, a bidirectional LSTM, scores averaged over columns."""

    def __init__(self):
        super().__init__()
        self.front = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.Hardswish(),
            nn.MaxPool2d((2, 1), (2, 1)), nn.Conv2d(16, 16, (4, 1)), nn.ReLU())
        self.lstm, self.hidden, self.head = nn.LSTM(16, 12, 2, bidirectional=True), nn.Linear(24, 24), nn.Linear(24, 10)

    def forward(self, x):
        x = self.front(x).squeeze(2).permute(2, 0, 1)
        return self.head(self.hidden(self.lstm(x)[0])).mean(0)


class Shared(nn.Module):
    """One linear layer used twice, two layers that read one value, inputs of three and four axes, products of all kinds."""

    def __init__(self):
        super().__init__()
        self.first, self.twice, self.left, self.right = nn.Linear(6, 12), nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 12, bias=False)
        self.bilinear, self.head = nn.Parameter(torch.randn(12, 12) * 0.3), nn.Linear(12, 10)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        x = F.elu(self.twice(F.gelu(self.twice(x))))
        a, b = self.left(x).flatten(0, 1), self.right(x).flatten(0, 1)
        scores = torch.einsum("bid,bjd->bij", a, b).softmax(-1)
        x = torch.bmm(scores, b @ self.bilinear)
        x = torch.baddbmm(x, scores.transpose(1, 2), a, beta=0.5, alpha=0.7)
        x = x + torch.matmul(x, torch.matmul(x.transpose(1, 2), x)) * 0.01
        return self.head(x.mean((0, 1))[None])


class Einsum(nn.Module):
    """Attention by einsum with fused heads, and a mixture of two experts by a softmax gate."""

    def __init__(self):
        super().__init__()
        self.words, self.qkv, self.gate = nn.Embedding(40, 16), nn.Linear(16, 48), nn.Linear(16, 2)
        self.experts, self.head = nn.ModuleList([nn.Sequential(nn.Linear(16, 24), nn.SiLU(), nn.Linear(24, 16)) for _ in range(2)]), nn.Linear(16, 10)

    def forward(self, input):
        x = self.words(input)
        q, k, v = self.qkv(x).reshape(*x.shape[:2], 3, 2, 8).unbind(2)
        weights = torch.einsum("bihd,bjhd->bhij", q, k).div(8**0.5).softmax(-1)
        x = x + torch.einsum("bhij,bjhd->bihd", weights, v).reshape(x.shape)
        gate = self.gate(x).softmax(-1)
        x = sum(gate[..., i : i + 1] * expert(x) for i, expert in enumerate(self.experts))
        return self.head(x.std(1))


def bert(dynamic=True, pooled="first", **rest):
    model = lively(Bert(pooled=pooled), ())
    for name, value in model.named_parameters():
        if value.dim() == 2 and "layers" in name:
            nn.init.normal_(value, std=0.25)

    def draw():
        mask = (torch.arange(11) < torch.randint(6, 12, ())).long()[None]
        return [torch.randint(1, 100, (1, 11)), mask, torch.randint(2, (1, 11))], bert_label(pooled)

    names = ("input_ids", "attention_mask", "token_type_ids")
    axes = {n: {0: "batch", 1: "sequence"} for n in names} | {"logits": {0: "batch"} if pooled != "none" else {0: "batch", 1: "sequence"}}
    return Reference(model, draw, names, dynamic=axes if dynamic else {}, **rest)


def bert_label(pooled):
    """A class; for the model of a score for each token, one of each, of which some do not count."""
    return torch.randint(10, (1,)) if pooled != "none" else torch.where(torch.rand(1, 11) < 0.3, torch.tensor(-100), torch.randint(10, (1, 11)))


def whisper(**rest):
    return Reference(
        lively(Whisper(), ()), lambda: ([torch.randn(1, 16, 30), torch.randint(50, (1, 7))], torch.randint(50, (1,))), ("features", "tokens"), **rest)


RAW = dict(training=TrainingMode.PRESERVE, do_constant_folding=False)
MODELS = {
    "torch_encoder_gelu": lambda: tokens(Encoder(True, "gelu"), 100, 12, opset=13, dynamic=BATCH),
    "torch_encoder_relu": lambda: tokens(Encoder(False, "relu", False), 100, 9, opset=17),
    "torch_encoder_raw": lambda: tokens(Encoder(False, "gelu"), 100, 9, opset=14, options=RAW),
    "bert": lambda: bert(opset=11),
    "bert_fixed": lambda: bert(opset=17, dynamic=False),
    "bert_tokens": lambda: bert(opset=13, pooled="none"),
    "minilm": lambda: bert(opset=14, pooled="mean"),
    "llama": lambda: tokens(Llama(), 60, 10, 60, opset=14, dynamic=BATCH),
    "llama_tied": lambda: tokens(Llama(True), 60, 10, 60, opset=17),
    "llama_raw": lambda: tokens(Llama(), 60, 8, 60, opset=15, options=RAW),
    "gpt": lambda: tokens(Gpt(), 60, 10, 60, opset=13, dynamic=BATCH),
    "whisper": lambda: whisper(opset=17, dynamic={"tokens": {0: "batch", 1: "sequence"}, "features": {0: "batch"}, "logits": {0: "batch"}}),
    "whisper_fixed": lambda: whisper(opset=14),
    "wav2vec": lambda: images(Speech(), (1, 400), opset=14, dynamic={"input": {0: "batch", 2: "time"}, "logits": {0: "batch"}}),
    "wav2vec_raw": lambda: images(Speech(), (1, 300), opset=17, options=RAW),
    "conformer": lambda: images(Conformer(), (1, 40, 20), opset=13),
    "lstm": lambda: tokens(Recurrent(nn.LSTM, 2), 40, 8, opset=14, dynamic=BATCH),
    "gru": lambda: tokens(Recurrent(nn.GRU), 40, 8, opset=13),
    "rnn": lambda: tokens(Recurrent(nn.RNN, both=False), 40, 8, opset=11),
    "ocr": lambda: images(Ocr(), (1, 16, 24), opset=12, dynamic={"input": {0: "batch", 3: "width"}, "logits": {0: "batch"}}),
    "shared": lambda: images(Shared(), (2, 5, 6), opset=13),
    "shared_raw": lambda: images(Shared(), (2, 5, 6), opset=12, options=RAW),
    "einsum": lambda: tokens(Einsum(), 40, 9, opset=12, dynamic=BATCH),
}
