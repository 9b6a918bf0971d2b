"""Spectra in the complex and in the real basis are spectra of the same function."""

import pytest
import torch

from equinet.harmonics.basis_change import to_complex, to_real
from equinet.harmonics.grid import spectrum_index, spectrum_size
from equinet.numerics import angles_to_matrix, real_from_complex, wigner_D
from tests.harmonics.direct import so3_series
from tests.tolerances import ROUNDING, assert_close

F64 = torch.float64

# (band, orders): S^2, SO(3), fields of an irrep, no coefficient at all
CASES = [(1, (0,)), (4, (0,)), (4, (0, 1, 2, 3)), (4, (2,)), (3, (2,)), (2, (2,)), (2, (3,))]


def random_spectrum(band, orders, generator, dtype=torch.complex128):
    return torch.randn(2, spectrum_size(band, orders), dtype=dtype, generator=generator)


@pytest.mark.parametrize(("band", "orders"), CASES)
def test_round_trip(band, orders, generator):
    x = random_spectrum(band, orders, generator)
    assert_close(to_real(to_complex(x, band, orders), band, orders), x, ROUNDING)
    assert_close(to_complex(to_real(x, band, orders), band, orders), x, ROUNDING)


def test_is_the_matrix_of_each_degree(generator):
    """f_complex = Q^T f_real conj(Q)."""
    band, orders = 4, (0, 1, 2, 3)
    x = random_spectrum(band, orders, generator, F64)
    found = to_complex(x, band, orders)
    for l in range(band):
        here = spectrum_index(band, orders)[:, 0] == l
        q = real_from_complex(l)
        block = x[:, here].unflatten(-1, (2 * l + 1, 2 * l + 1)) + 0j
        expected = q.T @ block @ q.conj()
        assert_close(found[:, here], expected.flatten(1), ROUNDING)


def test_the_function_stays_the_same(generator):
    """sum (2l + 1) f_mn D_mn with the real D and with the textbook's complex D."""
    band, orders = 3, (0, 1, 2)
    x = random_spectrum(band, orders, generator, F64)
    angles = 3 * torch.rand(3, 5, dtype=F64, generator=generator)
    real = sum(
        (2 * l + 1)
        * torch.einsum(
            "zmn,pmn->zp",
            x[:, spectrum_index(band, orders)[:, 0] == l].unflatten(-1, (2 * l + 1, 2 * l + 1)),
            wigner_D(l, angles_to_matrix(*angles)),
        )
        for l in range(band)
    )
    complex_spectrum = to_complex(x, band, orders)
    assert_close(so3_series(complex_spectrum, band, *angles), real + 0j, ROUNDING)
    with pytest.raises(AssertionError):  # the conjugate basis
        assert_close(so3_series(complex_spectrum.conj(), band, *angles), real + 0j, ROUNDING)


def test_real_functions(generator):
    """A real spectrum becomes one with f_{-m,-n} = (-1)^(m - n) conj(f_mn)."""
    band, orders = 4, (0, 1, 2, 3)
    f = to_complex(random_spectrum(band, orders, generator, F64), band, orders)
    l, m, n = spectrum_index(band, orders).unbind(1)
    mirror = l * (4 * l**2 - 1) // 3 + (2 * l + 1) * (l - m) + (l - n)
    assert_close(f[:, mirror], (1 - 2 * ((m - n) % 2)) * f.conj(), ROUNDING)
    assert_close(to_real(f, band, orders).imag, torch.zeros(2, len(l), dtype=F64), ROUNDING)


def test_precision_follows_the_input(generator):
    x = random_spectrum(3, (0, 1, 2), generator)
    assert to_complex(x.real.float(), 3, (0, 1, 2)).dtype == torch.complex64
    assert to_real(x.to(torch.complex64), 3, (0, 1, 2)).dtype == torch.complex64
    assert to_complex(x, 3, (0, 1, 2)).dtype == torch.complex128
