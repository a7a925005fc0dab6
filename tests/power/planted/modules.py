"""Small modules for what no text model shows: images, counts, results that are no numbers."""

from __future__ import annotations

import torch
from torch import nn


class Convolutional(nn.Module):
    """Images of any size to scores, and to a map of twice the size."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, 5)
        self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)

    def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
        found = torch.relu(self.norm(self.first(pixel_values)))
        found = torch.relu(self.second(found))
        return {"logits": self.head(self.pool(found).flatten(1)), "map": self.up(found)}


class Total(nn.Module):
    """The sum over what is kept."""

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return (hidden * mask.unsqueeze(-1)).sum(1)


class Pooler(nn.Module):
    """A text to one vector: the mean over its tokens, what is padding left out; a text without any has the vector 0."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(60, 16)
        self.dense = nn.Linear(16, 16)
        self.total = Total()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> dict[str, torch.Tensor]:
        kept = attention_mask.to(torch.float32)
        count = kept.sum(1, keepdim=True)
        total = self.total(torch.tanh(self.dense(self.embed(input_ids))), kept)
        return {"sentence_embedding": total / self.at_least(count)}

    def at_least(self, count: torch.Tensor) -> torch.Tensor:
        return count.clamp(min=1e-9)


class Ratio(Pooler):
    """As `Pooler`; a text without a token has no mean: it is NaN."""

    def at_least(self, count: torch.Tensor) -> torch.Tensor:
        return count


class Clock(nn.Module):
    """Milliseconds since an epoch to seconds, the hour of the day, and a vector for it."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(24, 8)

    def forward(self, time: torch.Tensor) -> dict[str, torch.Tensor]:
        second = time.div(1000, rounding_mode="floor")
        hour = second.div(3600, rounding_mode="floor").remainder(24)
        return {"second": second, "hour": hour, "vector": self.embed(hour)}


class Meter(nn.Module):
    """A signal's loudness: the root of its mean square."""

    def forward(self, signal: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loudness": signal.square().mean(-1).sqrt()}


class Picker(nn.Module):
    """The place of the first largest grade in each row; grades are coarse, and often several are the largest."""

    def forward(self, grades: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"place": grades.argmax(-1), "best": grades.max(-1).values}


class Projection(nn.Module):
    """Features to more features, by one matrix; and the place of the largest feature."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(8, 16)

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"projected": self.dense(features), "place": features.argmax(-1)}


class Series(nn.Module):
    """The mean of each series over its own length."""

    def __init__(self) -> None:
        super().__init__()
        self.total = Total()

    def forward(self, values: torch.Tensor, lengths: torch.Tensor) -> dict[str, torch.Tensor]:
        steps = torch.arange(values.shape[1])
        kept = steps[None] < self.count(lengths)[:, None]
        return {"mean": self.total(values, kept.to(values.dtype)) / self.count(lengths)[:, None]}

    def count(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths


class Pair(nn.Module):
    """Two inputs of which the second one has a small effect."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 32), nn.Linear(8, 32)

    def forward(self, features: torch.Tensor, hints: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": self.first(features) + self.share(self.second(hints))}

    def share(self, hints: torch.Tensor) -> torch.Tensor:
        return 0.2 * hints
