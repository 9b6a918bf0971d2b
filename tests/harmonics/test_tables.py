"""The tables of the transforms: once in a process, and made in little memory."""

import copy
import gc
import pickle
import subprocess
import sys

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from equinet.harmonics import Analysis, Synthesis, gauss, soft
from equinet.harmonics.grid import (
    field_size,
    spectrum_index,
    spectrum_rows,
    write_field_table,
)
from equinet.harmonics.transform import field_table
from equinet.numerics import wigner_d_real
from equinet.numerics.wigner_tables import write_amplitudes
from equinet.ops.s2_plan import field_chunks, field_rows
from tests.over import over
from tests.tolerances import CONDITION, assert_close

F64 = torch.float64


def pointers(*modules) -> set[int]:
    return {module.d.data_ptr() for module in modules}


@over("order", [0, 2, None])
def test_modules_share_one_table(order):
    """All that ask for the same, in both directions; after copies, pickles and moves as well."""
    analysis = Analysis(4, 3, order)
    others = [Analysis(soft(4), 3, order), copy.deepcopy(analysis)]
    others.append(pickle.loads(pickle.dumps(analysis)))
    others += [Synthesis(4, 3, order)] if order is not None else []
    assert len(pointers(analysis, *others)) == 1
    assert len(pickle.dumps(Analysis(16, 16, order))) < 30_000
    double = [module.double() for module in others]
    assert len(pointers(*double)) == 1 and pointers(*double) != pointers(analysis)
    assert pointers(double[0].float()) == pointers(analysis)
    assert analysis.d.dtype == torch.float32 and double[1].d.dtype == F64
    assert pointers(Analysis(5, 3, order)) != pointers(analysis)
    names = [name for name, _ in torch.nn.ModuleList([analysis, *others]).named_buffers()]
    assert all(f"{i}.d" in names for i in range(1 + len(others)))  # each has its own buffer


def test_they_go_with_the_last_module():
    arguments = (gauss(9), 5, 1, F64, torch.device("cpu"))
    module = Analysis(*arguments[:4])
    there = field_table(*arguments).data_ptr()
    assert there == module.d.data_ptr()
    values = field_table.__closure__
    assert values is not None
    (kept,) = [c.cell_contents for c in values if hasattr(c.cell_contents, "valuerefs")]
    assert arguments in kept
    del module
    gc.collect()
    assert arguments not in kept


def test_tables_on_the_meta_device():
    """They take no memory, and are made where numbers come."""
    with torch.device("meta"):
        module = Analysis(gauss(5), 5, 1)
    assert module.d.is_meta and module.by_ring.is_meta and module.to("meta").d.is_meta
    module = module.to_empty(device="cpu")
    assert pointers(module) == pointers(Analysis(gauss(5), 5, 1))
    assert_close(module.by_ring, Analysis(gauss(5), 5, 1).by_ring, 0)


def test_halves_are_refused_with_a_way_out():
    module = Analysis(4, 4, 1).half()
    assert module.d.dtype == torch.float16
    with pytest.raises(TypeError, match="^dtype: expected float32 or float64.*torch.autocast"):
        module(torch.zeros(1, 2, 8, 8, dtype=torch.float16))


class Largest(TorchDispatchMode):
    """The largest memory that a tensor has, of those that are made within it."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for x in out if isinstance(out, list | tuple) else [out]:
            if isinstance(x, torch.Tensor) and x.untyped_storage().data_ptr() != self.given:
                self.size = max(self.size, x.untyped_storage().nbytes())
        return out


@over("order", [0, 1])
def test_a_table_is_made_in_place(order):
    """Nothing beside it is larger than a part of it that falls with the band."""
    shares = []
    for band in (24, 48):
        table = torch.empty(field_size(gauss(band), band, order))
        mode = Largest()
        mode.given = table.untyped_storage().data_ptr()
        with mode:
            write_field_table(table, gauss(band), band, order)
        shares.append(mode.size / table.nbytes)
    assert shares[0] > 1.5 * shares[1] and shares[1] < 0.5


@over("dtype", [torch.float32, F64])
def test_no_number_is_denormal(dtype):
    """Near the poles numbers of high order are tiny; products with them would take very long."""
    table = Analysis(64, 64, 1, dtype).d
    least = table[table != 0].abs().min()
    assert least > torch.finfo(dtype).tiny ** 0.7
    if dtype == torch.float32:  # the numbers themselves go down to 1e-120
        m, l, beta = 63, 63, torch.tensor(soft(64).beta[:1], dtype=F64)
        assert 0 < wigner_d_real(64, 1, beta)[0, l - 1, m].abs() < 1e-50
        assert (table == 0).sum() > (Analysis(64, 64, 1, F64).d == 0).sum()


BUILD = """
import resource
from equinet.harmonics import Analysis, Synthesis, gauss

def peak():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

Analysis(8, 8, 1)
before = peak()
module = Analysis(gauss(320), 320, 1)
others = [Synthesis(gauss(320), 320, 1) for _ in range(12)]
print((peak() - before) / sum(x.nbytes for x in module.buffers()))
"""


@pytest.mark.slow
def test_a_process_needs_little_more_memory_than_one_table():
    """Twelve modules more of band 320 and all that it took to make the first."""
    done = subprocess.run([sys.executable, "-c", BUILD], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.5


@over("band, n", [(1, 0), (6, 0), (7, 1), (7, 3), (70, 0), (70, 2), (40, 39)])
def test_amplitudes_are_those_of_the_recursion(band, n, generator):
    """A few orders at a time, against all at once."""
    beta = torch.rand(7, dtype=F64, generator=generator) * torch.pi
    beta[0], beta[1] = 0, torch.pi / 2
    cc, ss = wigner_d_real(band, n, beta).transpose(1, 2)
    expected = (cc + ss) / 2 if n else cc
    for m0, m1, l0 in field_chunks(band, n):
        found = torch.empty(m1 - m0, band - l0, 7, dtype=F64)
        write_amplitudes(found, m0, l0, n, beta)
        assert_close(found, expected[m0:m1, l0 - n :], CONDITION)


@over("orders", [(0,), (1,), (3,), (0, 2), tuple(range(5)), ()])
def test_places_of_coefficients_in_closed_form(orders):
    """(l, m, n) degree by degree, and back."""
    triples = [
        (l, m, n)
        for l in range(5)
        for m in range(-l, l + 1)
        for n in sorted({sign * n for n in orders if n <= l for sign in (-1, 1)})
    ]
    found = spectrum_index(5, orders)
    assert found.tolist() == [list(triple) for triple in triples]
    if triples:
        assert spectrum_rows(5, orders, *found.unbind(1)).tolist() == list(range(len(triples)))


@over("band, n", [(1, 0), (5, 0), (9, 1), (17, 3)])
def test_rows_of_fields(band, n):
    """The amplitudes (H3) of a spectrum of numbers, their transpose, and degrees."""
    tables = Analysis(band, band, n, F64).field_tables()
    triples = spectrum_index(band, (n,)).tolist()
    scatter, gather, degrees = field_rows(band, n).split(tables.lists)
    numbers = torch.randn(len(triples), generator=torch.Generator().manual_seed(0), dtype=F64)
    f = {tuple(triple): value for triple, value in zip(triples, numbers.tolist(), strict=True)}
    entries = [
        (m, l)
        for m0, m1, l0 in field_chunks(band, n)
        for m in range(m0, m1)
        for l in range(l0, band)
    ]
    both = torch.cat([numbers, -numbers])  # from this length on the sign is -1
    found = both[scatter].view(-1, len(entries), 4).sum(0).tolist()
    parts = [[] for _ in triples]  # of each coefficient, with signs
    for entry, (m, l) in enumerate(entries):
        if not 0 < m <= l:
            continue
        sign = (-1) ** (l + m + n)
        if n:
            pp, pm, mp, mm = (f[l, a * m, b * n] for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)))
            expected = [pp + mm, pm - mp, sign * (pp - mm), sign * (-mp - pm)]
            pairs = {(1, 1): (1, 2), (-1, -1): (1, -2), (-1, 1): (-3, -4), (1, -1): (3, -4)}
        else:
            p, minus = f[l, m, 0], f[l, -m, 0]
            expected = [p, -minus, sign * p, -sign * minus]
            pairs = {(1, 0): (1, 2), (-1, 0): (-3, -4)}
        assert_close(torch.tensor(found[entry]), torch.tensor(expected), 1e-6)
        for (a, b), wanted in pairs.items():
            order = {1: 0, 2: 2, 3: 1, 4: 3}  # P and Q, real; P and Q, imaginary
            row = triples.index([l, a * m, b * n])
            for part in wanted:
                part_of = order[abs(part)]
                is_minus = (part < 0) != (part_of > 1 and sign < 0)
                parts[row].append(4 * entry + part_of + is_minus * 4 * len(entries))
    transposed = gather.view(2, -1).mT.tolist()
    for (_, m, _), row, wanted in zip(triples, transposed, parts, strict=True):
        assert not m or sorted(row) == sorted(wanted)
    assert degrees.tolist() == [l for l, _, _ in triples]
