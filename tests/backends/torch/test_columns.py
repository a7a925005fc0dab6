"""Columns of an input with a table for each: categories, parts of a date."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.values import Columns, TokenIds, Uniform


class Categories(nn.Module):
    """A table for each column."""

    def __init__(self, *sizes):
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(size, 3) for size in sizes or (3, 11, 5))

    def forward(self, categorical):
        return torch.cat([table(categorical[:, place]) for place, table in enumerate(self.tables)], 1)


class Dates(Categories):
    """Month, day and hour of each step, as floats."""

    def forward(self, dates):
        return sum(table(dates[..., place].long()) for place, table in enumerate(self.tables))


class Codes(Categories):
    """A row of codes for each book."""

    def forward(self, codes):
        return torch.stack([table(codes[:, place, :]) for place, table in enumerate(self.tables)]).sum((0, 2))


def test_each_column_stays_below_its_table():
    spec = dummyio.describe(Categories())
    assert spec["categorical"].shape[1] == 3
    assert spec["categorical"].values == Columns((3, 11, 5))
    assert spec.provenance["input categorical"].endswith("each column indexes a table of its own: of 3, 11, 5 rows")
    drawn = np.concatenate([spec.feeds(seed=seed, batch_size=60)["categorical"] for seed in range(5)])
    assert drawn.max(0).tolist() == [2, 10, 4]
    assert spec.proof.level == "values"
    assert spec.proof.ineffective == {}


def test_columns_of_floats():
    values = dummyio.describe(Dates())["dates"].values
    assert values == Columns((3, 11, 5))


def test_columns_of_another_axis():
    spec = dummyio.describe(Codes())
    assert spec["codes"].values == Columns((3, 11, 5), axis=-2)
    assert [str(size) for size in spec["codes"].shape][1] == "3"


def test_tables_of_one_size_need_no_columns():
    assert isinstance(dummyio.describe(Categories(7, 7))["categorical"].values, (Uniform, TokenIds))


def test_floats_that_index_a_table_reach_all_its_rows():
    class Rounded(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(9, 2)

        def forward(self, hour):
            return self.table(hour.long())

    spec = dummyio.describe(Rounded())
    assert spec["hour"].values == Uniform(0, 9)
    assert spec.proof.ineffective == {}


class Clamped(Categories):
    """Takes larger categories for the third."""

    def forward(self, categorical):
        return super().forward(categorical.clamp(max=2))


def test_columns_after_arithmetic_are_those_of_the_input():
    spec = dummyio.describe(Clamped())
    assert spec["categorical"].values == Columns((3, 11, 5))
    clamped, plain = Clamped(), Categories()
    plain.load_state_dict(clamped.state_dict())
    assert dummyio.validate(clamped, reference=clamped).ok
    report = dummyio.validate(clamped, reference=plain)
    assert not report.ok
    assert {finding.kind for finding in report.findings} == {"values"}
