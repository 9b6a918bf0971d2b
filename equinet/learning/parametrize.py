r"""The parametrisation under which wide networks have a limit.

.. math:: w = \sigma\, \omega, \qquad \omega \sim N(0, 1)                              \quad (P1)

The derivative by omega is sigma times that by w, so that every layer moves as much as it
contributes, and gradient descent on omega has a limit as widths grow (arXiv 1806.07572). Under
torch's own parametrisation most of the tangent kernel comes from the last layer and its bias.
"""

from __future__ import annotations

import copy

import torch
from torch import Generator, Tensor, nn
from torch.nn.utils import parametrize

from equinet.numerics.arguments import check_number


class Scaled(nn.Module):
    """start + sigma omega."""

    start: Tensor
    sigma: Tensor

    def __init__(self, start: Tensor, sigma: Tensor) -> None:
        super().__init__()
        self.register_buffer("start", start)
        self.register_buffer("sigma", sigma)

    def forward(self, omega: Tensor) -> Tensor:
        return self.start + self.sigma * omega


def ntk_parametrize(
    net: nn.Module, generator: Generator | None = None, *, constant: float = 1.0
) -> nn.Module:
    r"""A copy of a module whose parameters are w = sigma omega (P1), drawn anew.

    sigma is the root mean square of each parameter as it stands, that is the deviation with which
    its layer draws it. A parameter that starts as one number everywhere, such as a bias at zero,
    stays there and moves with the scale ``constant``: w = w_0 + constant * omega, omega = 0.

    Args:
        net: any module, just made; left as it is.
        generator: of the omega.
        constant: the scale of what starts constant.
    Returns:
        The copy, whose ``parameters()`` are the omega, each under ``parametrizations``.
    Raises:
        TypeError: if ``net`` is no module.
        ValueError: if a parameter is shared by two modules, or ``constant`` is no number >= 0.

    Example:
        >>> net = ntk_parametrize(nn.Linear(100, 100), torch.Generator().manual_seed(0))
        >>> abs(net.parametrizations.weight.original.std() - 1) < 0.02
        tensor(True)
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net: expected a torch.nn.Module, got {type(net).__name__}")
    check_number(constant, "constant", 0)
    net = copy.deepcopy(net)
    owners = [
        (module, name, parameter)
        for module in net.modules()
        for name, parameter in module.named_parameters(recurse=False)
    ]
    if len({id(parameter) for *_, parameter in owners}) < len(owners):
        raise ValueError("net: expected parameters of one module each, got one that two share")
    for module, name, parameter in owners:
        start, sigma = torch.zeros_like(parameter), parameter.detach().square().mean().sqrt()
        omega = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        if parameter.numel() and bool((parameter == parameter.flatten()[0]).all()):
            start, sigma = parameter.detach().clone(), torch.full_like(sigma, constant)
            omega = torch.zeros_like(omega)
        scaled = Scaled(start, sigma)
        # unsafe: at the start omega takes the place of w, which is then another one.
        parametrize.register_parametrization(module, name, scaled, unsafe=True)
        with torch.no_grad():
            module.get_parameter(f"parametrizations.{name}.original").copy_(omega)
    return net
