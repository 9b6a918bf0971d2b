"""The tolerances of the tests, absolute, and the one assertion that uses them.

A test compares numbers of order one and names the reason for which they agree. Where a grid makes
an error there is no tolerance: the test shows that the error falls under refinement.
"""

import numpy as np
import torch

ROUNDING = 1e-12  # the same finite sum, taken in another way, in float64
CONDITION = 1e-11  # as above, through long recursions or products: degree 64 and above
SYMMETRY = 1e-10  # exact symmetries through whole layers, in float64
DERIVATIVE = 1e-6  # central differences with a step near the cube root of the float64 precision
SINGLE = 2e-5  # float32 through a transform
STATISTICAL = 5.0  # standard errors of a mean; a seeded draw never crosses it by chance


def assert_close(actual, expected, tolerance: float) -> None:
    """Equal shapes, and every entry within ``tolerance``; NaN is never close."""
    actual, expected = _tensor(actual), _tensor(expected)
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance, check_dtype=False)


def _tensor(x) -> torch.Tensor:
    if isinstance(x, torch.Tensor | np.ndarray):
        return torch.as_tensor(x)
    return torch.tensor(x, dtype=torch.float64)  # Python numbers are not rounded to float32
