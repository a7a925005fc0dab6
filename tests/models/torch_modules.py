"""Typical modules, by hand: what `describe` and `capture` are tried on."""

import torch
from torch import nn
from torch.nn import functional


class Function(nn.Module):
    """A module that computes a function of one tensor."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 3))

    def forward(self, x):
        return self.layers(x)


class Convolutional(nn.Module):
    """Any size of at least 3, through a global pool; BatchNorm keeps statistics."""

    def __init__(self):
        super().__init__()
        self.convolution, self.norm, self.out = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 5)

    def forward(self, x):
        return self.out(functional.relu(self.norm(self.convolution(x))).mean((2, 3)))


class Digits(nn.Module):
    """One size only: the features are flattened."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.out = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.one(x)), 2)
        x = functional.max_pool2d(functional.relu(self.two(x)), 2)
        return self.out(x.view(x.size(0), -1))


class Residual(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.one, self.two = nn.Conv2d(before, after, 3, 2, 1), nn.Conv2d(after, after, 3, 1, 1)
        self.norm, self.skip = nn.BatchNorm2d(after), nn.Conv2d(before, after, 1, 2)

    def forward(self, x):
        return functional.relu(self.norm(self.two(self.one(x))) + self.skip(x))


class ResidualNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks, self.out = (
            nn.Sequential(nn.Conv2d(3, 8, 7, 2, 3), Residual(8, 16), Residual(16, 32)),
            nn.Linear(32, 4),
        )

    def forward(self, images):
        return self.out(self.blocks(images).mean([2, 3]))


class Tagger(nn.Module):
    def __init__(self, *, batch_first=True):
        super().__init__()
        self.table = nn.Embedding(50, 16, padding_idx=0)
        self.layer, self.out = nn.LSTM(16, 12, batch_first=batch_first, bidirectional=True), nn.Linear(24, 7)

    def forward(self, tokens):
        return self.out(self.layer(self.table(tokens))[0])


class Translator(nn.Module):
    """Positions from a parameter of 40 rows, which bounds both sequences."""

    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(60, 16), nn.Embedding(70, 16)
        self.positions = nn.Parameter(torch.zeros(1, 40, 16))
        self.layers = nn.Transformer(16, 2, 1, 1, 32, batch_first=True)

    def forward(self, src, tgt, src_key_padding_mask=None):
        causal = nn.Transformer.generate_square_subsequent_mask(tgt.size(1))
        return self.layers(
            self.source(src) + self.positions[:, : src.size(1)],
            self.target(tgt) + self.positions[:, : tgt.size(1)],
            tgt_mask=causal,
            src_key_padding_mask=src_key_padding_mask,
        )


class Denoiser(nn.Module):
    """Halves the image twice, so that edges are multiples of four."""

    def __init__(self):
        super().__init__()
        self.time, self.enter = nn.Linear(16, 32), nn.Conv2d(4, 16, 3, 1, 1)
        self.down, self.deeper = nn.Conv2d(16, 32, 3, 2, 1), nn.Conv2d(32, 32, 3, 2, 1)
        self.up, self.higher, self.leave = (
            nn.ConvTranspose2d(32, 32, 2, 2),
            nn.ConvTranspose2d(64, 16, 2, 2),
            nn.Conv2d(32, 4, 1),
        )

    def forward(self, sample, timestep):
        angles = timestep[:, None].float() * torch.exp(torch.arange(8, device=sample.device) * -0.5)
        time = self.time(torch.cat([angles.sin(), angles.cos()], -1))
        a = self.enter(sample)
        b = self.down(a) + time[:, :, None, None]
        up = torch.cat([self.up(self.deeper(b)), b], 1)
        return self.leave(torch.cat([self.higher(up), a], 1))


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        self.users, self.items, self.features = nn.Embedding(30, 8), nn.Embedding(40, 8), nn.Linear(5, 8)

    def forward(self, user_id, item_id, item_features):
        return (self.users(user_id) * (self.items(item_id) + self.features(item_features))).sum(-1)


class Contrast(nn.Module):
    """Every row of one against every row of the other: the batches have nothing to do with each other."""

    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Linear(6, 8), nn.Linear(7, 8)

    def forward(self, a, b):
        return self.one(a) @ self.other(b).T


class FromDict(nn.Module):
    def __init__(self):
        super().__init__()
        self.features, self.table = nn.Linear(6, 8), nn.Embedding(9, 8)

    def forward(self, batch):
        return self.features(batch["features"]) + self.table(batch["category"])


class FromList(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(channels, 4, 1) for channels in (2, 3, 5)])

    def forward(self, maps: list[torch.Tensor]):
        return sum(layer(maps[place]).mean() for place, layer in enumerate(self.layers))


class FromTuple(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.LSTM(6, 8, num_layers=2, batch_first=True)

    def forward(self, x, state: tuple[torch.Tensor, torch.Tensor]):
        return self.layer(x, state)[0]


class Named(nn.Module):
    """Keyword-only arguments."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 8)

    def forward(self, *, left, right):
        return self.layer(left) + self.layer(right)


class Optional(nn.Module):
    """Data, a switch, a number and a target that may all be left out."""

    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(20, 8), nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask=None, weights: torch.Tensor | None = None, steps: int = 1, labels=None):
        x = self.table(input_ids)
        if attention_mask is not None:
            x = x * attention_mask.unsqueeze(-1)
        if weights is not None:
            x = x * weights[:, None, None]
        for _ in range(steps):
            x = x + 1
        return functional.cross_entropy(self.out(x.mean(1)), labels) if labels is not None else self.out(x.mean(1))


class Kept(nn.Module):
    """A mask that is true where something is kept: a row without any would be nan."""

    def __init__(self):
        super().__init__()
        self.query = nn.Linear(8, 8)

    def forward(self, x, mask):
        _, _, _ = x.shape
        scores = (self.query(x) @ x.transpose(1, 2)).masked_fill(~mask[:, None, :], float("-inf"))
        return scores.softmax(-1) @ x


class Hidden(nn.Module):
    """A mask that is true where something is hidden."""

    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, ignored):
        return self.attention(x, x, x, key_padding_mask=ignored)[0]


class Half(Perceptron):
    def __init__(self):
        super().__init__()
        self.to(torch.bfloat16)


class Repeated(nn.Module):
    """Needs a number that is no tensor."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x, steps: int, *, verbose: bool = False):
        for _ in range(steps):
            x = self.layer(x)
        return x


class Patches(nn.Module):
    """As many positions as patches of one size of image."""

    def __init__(self):
        super().__init__()
        self.patches, self.positions = nn.Conv2d(3, 16, 8, 8), nn.Parameter(torch.zeros(1, 17, 16))
        self.first = nn.Parameter(torch.zeros(1, 1, 16))
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.layer(torch.cat([self.first.expand(x.shape[0], -1, -1), x], 1) + self.positions)


class Decoder(nn.Module):
    """Positions from a table of 32 rows."""

    def __init__(self):
        super().__init__()
        self.table, self.positions, self.mix = nn.Embedding(65, 16), nn.Embedding(32, 16), nn.Linear(16, 48)

    def forward(self, idx, targets=None):
        batch, length = idx.shape
        x = self.table(idx) + self.positions(torch.arange(length, device=idx.device))
        query, key, value = (part.view(batch, length, 2, 8).transpose(1, 2) for part in self.mix(x).split(16, -1))
        return functional.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)


class Branching(nn.Module):
    """Its way depends on values."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x):
        return self.layer(x) if x.sum() > 0 else self.layer(-x)


class Packing(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.layer = nn.Embedding(50, 16), nn.LSTM(16, 12, batch_first=True)

    def forward(self, tokens, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.table(tokens), lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        return nn.utils.rnn.pad_packed_sequence(self.layer(packed)[0], batch_first=True)[0]


class Fields(nn.Module):
    """Ids of several fields in one table, each after the one before."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(60, 4)
        self.register_buffer("offsets", torch.tensor([0, 10, 30]))

    def forward(self, x):
        return self.table(x + self.offsets).sum(1)


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Conv1d(1, 8, 10, 5), nn.Conv1d(8, 8, 8, 4))

    def forward(self, waveform):
        return self.layers(waveform.unsqueeze(1)).mean(-1)


class OnTheCpu(nn.Module):
    """Makes a tensor on a device of its own."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return self.layer(x) + torch.arange(4, device="cpu")


class Remembering(nn.Module):
    """Changes itself in every call: none of it may be seen after describing."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm, self.drop = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout()
        self.register_buffer("count", torch.zeros(()))
        self.history, self.last = [], None

    def forward(self, x):
        self.count += 1
        self.history.append(x)
        self.last = x
        return self.norm(self.drop(self.layer(x)) + torch.rand(4, device=x.device))


class Opaque(nn.Module):
    def forward(self, *args, **kwargs):
        return args
