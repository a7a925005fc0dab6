"""Modules whose own Python looks at sizes: each would be exported for the size of its trace only."""

# ruff: noqa: B905, PERF401, SIM108 - written as models are

import torch
from torch import nn


class Recurrent(nn.Module):
    """A state from turn to turn, a list that is filled, and what the last turn made."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.1, 0.9, 4))

    def forward(self, x):
        state = torch.zeros_like(x[:, 0])
        seen = []
        for step in range(x.shape[1]):
            state = state * self.weight + x[:, step]
            squared = state * state
            seen.append(squared)
        return torch.stack(seen, dim=1) + state[:, None], squared


class Written(nn.Module):
    """A buffer written at the turn's place, whatever was on the other side of it before."""

    def forward(self, x):
        y = torch.ones_like(x)
        for step in range(1, x.shape[1]):
            y[:, step] = x[:, step] - x[:, step - 1]
        return y


class FromBehind(nn.Module):
    """The turn's place counted from the end, and a sum that is added to in place."""

    def forward(self, x):
        y, total = torch.zeros_like(x), torch.zeros_like(x[:, 0])
        for step in range(x.shape[-2]):
            total += x[..., step, :]
            y[..., step, :] = total
        return y, total


class Lengths(nn.Module):
    """A mean over as much of each row as the row says."""

    def forward(self, x, lengths):
        means = []
        for row, length in enumerate(lengths):
            means.append(x[row, :length].mean(0))
        return torch.stack(means)


class Zipped(nn.Module):
    """Two tensors, row by row, in a comprehension; and a list made of a tensor."""

    def forward(self, x):
        rows = [one.sum(0) * other[0] for one, other in zip(x, x + 1)]
        again = [row + 1 for row in list(x)]
        return torch.stack(rows), torch.cat(again, dim=-1)


class Nested(nn.Module):
    """A loop over what is known around one over what is not."""

    def forward(self, x):
        for power in (1, 2):
            total = torch.zeros_like(x[:, 0])
            for step in range(x.shape[1]):
                total = total + x[:, step] ** power
            x = x * torch.sigmoid(total[:, None])
        return x


class Halved(nn.Module):
    """Whole numbers of sizes."""

    def forward(self, x):
        half = int(x.shape[1] / 2)
        most, least = max(half, 3), min(x.shape[1], 6, half + 4)
        return x[:, :least].sum(1) * most, x[:, : max(half, 1)]


class Padded(nn.Module):
    """Padding that depends on whether a size divides, layer upon layer, as TensorFlow's does."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.ModuleList([nn.Conv1d(4, 4, 3, stride=2) for _ in range(3)])

    def forward(self, x):
        x = x.transpose(1, 2)
        for layer in self.layers:
            length = x.shape[-1]
            if length % 2 == 0:
                pad = max(3 - 2, 0)
            else:
                pad = max(3 - length % 2, 0)
            x = layer(nn.functional.pad(x, (pad // 2, pad - pad // 2)))
        return x


class Chosen(nn.Module):
    """A number chosen by a comparison, and in an expression."""

    def forward(self, x):
        length = x.shape[1]
        if length > 9:
            scale = length - 9
        else:
            scale = 9
        other = 2 if length != 7 else length
        return x * scale + other


class Grid(nn.Module):
    """Tensors made of sizes."""

    def forward(self, x):
        sizes = torch.tensor([[x.shape[0], x.shape[1]]], dtype=torch.long)
        places = torch.linspace(0.5, x.shape[1] - 0.5, x.shape[1])
        return x * places[:, None] / torch.as_tensor(x.shape[1] / 2), sizes


class Pooled(nn.Module):
    """As many windows as asked for, whatever the length."""

    def forward(self, x):
        return nn.functional.adaptive_avg_pool1d(x.transpose(1, 2), 3), nn.functional.adaptive_avg_pool2d(
            x[None], (2, 3)
        )


class Pieces(nn.Module):
    """Rows in pieces of as many as a tensor says, and together again."""

    def forward(self, x, counts):
        pieces = [piece.reshape(-1, piece.shape[-1]) for piece in x.split(counts.tolist())]
        return torch.cat(pieces, dim=0) * 2


class Remembering(nn.Module):
    """Keeps what it made for the last length."""

    def __init__(self):
        super().__init__()
        self.length, self.places = 0, None

    def forward(self, x):
        if x.shape[1] == self.length and self.places is not None:
            return x + self.places
        self.length, self.places = x.shape[1], torch.arange(x.shape[1])[:, None].to(x.dtype)
        return x + self.places


class Scanning(nn.Module):
    """A loop in a function of its own."""

    def forward(self, x):
        return scanned(x)


class Decorated(Scanning):
    """A loop behind a decorator, and the parent's method called from beside it."""

    @torch.no_grad()
    def forward(self, x):
        total = torch.zeros_like(x[:, 0])
        for step in range(x.shape[1]):
            total = total + x[:, step]
        return super().forward(x) + total[:, None]


def scanned(x):
    found = []
    for step in range(x.shape[1]):
        found.append(x[:, step] * 2)
    return torch.stack(found, 1)


ONE = (Recurrent, Written, FromBehind, Zipped, Nested, Halved, Padded, Chosen, Grid, Pooled, Remembering, Decorated)
