"""Many networks of one kind at once: their weights are stacked, and a call computes all of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from equinet.learning.tangent import State, check_samples
from equinet.numerics.arguments import check_integer, is_integer, is_row
from equinet.numerics.values import came


class Ensemble(nn.Module):
    r"""The networks ``build(seed)`` for all seeds, as one module.

    Weights are stacked; constants that are the same in all networks are shared.

    Args:
        build: makes the network of a seed; all of one structure.
        seeds: one for each network.
        chunk: networks that are computed at one time, which bounds the memory; None for all.
    Shape:
        ``(n, ...)`` to ``(seeds, n, ...)``.
    Raises:
        TypeError: if ``build`` makes something else.
        ValueError: if there are no seeds, or the networks differ in the shape of a weight.

    Example:
        >>> def build(seed):
        ...     _ = torch.manual_seed(seed)
        ...     return nn.Linear(2, 1)
        >>> Ensemble(build, range(5))(torch.ones(3, 2)).shape
        torch.Size([5, 3, 1])
    """

    def __init__(
        self, build: Callable[[int], nn.Module], seeds: Sequence[int], chunk: int | None = None
    ) -> None:
        super().__init__()
        if not callable(build):
            raise TypeError(f"build: expected a function of the seed, got {type(build).__name__}")
        if not is_row(seeds):
            raise TypeError(f"seeds: expected a sequence of integers, got {type(seeds).__name__}")
        self.seeds = tuple(check_integer(seed, "seeds", -math.inf) for seed in seeds)
        if not self.seeds:
            raise ValueError("seeds: expected at least one, got none")
        if chunk is not None and not is_integer(chunk):
            raise ValueError(f"chunk: expected an integer >= 1 or None, got {chunk!r}")
        self.chunk = chunk
        members = [build(seed) for seed in self.seeds]
        for member in members:
            if not isinstance(member, nn.Module):
                raise TypeError(f"build: expected it to make modules, got {type(member).__name__}")
        shapes = [{name: p.shape for name, p in member.named_parameters()} for member in members]
        for seed, found in zip(self.seeds, shapes, strict=True):
            if found != shapes[0]:
                raise ValueError(
                    f"build: expected networks of one shape, got {_difference(shapes[0], found)} "
                    f"for seed {seed}"
                )
        self.names = list(shapes[0])
        self.weights = nn.ParameterList(
            torch.stack([member.get_parameter(name).detach() for member in members])
            for name in self.names
        )
        self._structure = (_without_weights(members[0]),)  # in a tuple, so that it is no child
        self.varied: list[str] = []
        self.fixed: list[str] = []
        for name, _ in members[0].named_buffers():
            values = [member.get_buffer(name) for member in members]
            same = all(torch.equal(value, values[0]) for value in values)
            kept = values[0].clone() if same else torch.stack(values)
            (self.fixed if same else self.varied).append(name)
            self.register_buffer(_key(name), kept)

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def skeleton(self) -> nn.Module:
        """A network without numbers, on the meta device."""
        return self._structure[0]

    def state(self) -> State:
        """The stacked weights by their names in a network, ``(seeds, *shape)`` each."""
        return dict(zip(self.names, self.weights, strict=True))

    def call(self, weights: State, x: Tensor, members: Tensor | None = None) -> Tensor:
        """The networks of other weights.

        Args:
            weights: as ``state()``, of all or some networks.
            x: ``(n, ...)``.
            members: which ones these are, int64; None for all.
        Returns:
            ``(networks, n, ...)``.
        """
        varied = {name: self.get_buffer(_key(name)) for name in self.varied}
        if members is not None:
            varied = {name: value[members] for name, value in varied.items()}
        fixed = {name: self.get_buffer(_key(name)) for name in self.fixed}

        def one(weights: State, varied: State) -> Tensor:
            return functional_call(self.skeleton, (weights, varied | fixed), (x,))

        return vmap(one, randomness="different", chunk_size=self.chunk)(weights, varied)

    def forward(self, x: Tensor) -> Tensor:
        return self.call(self.state(), x)

    # --- what an ensemble is measured by ----------------------------------------------------------

    def mean_error(self, x: Tensor, y: Tensor) -> float:
        """The mean over the networks of the share of samples with f y <= 0.

        Args:
            x: samples, ``(n, ...)``.
            y: their labels +-1, ``(n,)``.
        Returns:
            From 0 to 1.
        """
        return float(_wrong(self._values(x), check_labels(y)).mean())

    def ensemble_error(self, x: Tensor, y: Tensor) -> float:
        """The share of samples on which the mean of the networks has the wrong sign.

        Args:
            x: samples, ``(n, ...)``.
            y: their labels +-1, ``(n,)``.
        Returns:
            From 0 to 1.
        """
        return float(_wrong(self._values(x).mean(0), check_labels(y)).mean())

    def variance(self, x: Tensor) -> float:
        """The mean over the samples of the variance over the networks, unbiased.

        Args:
            x: samples, ``(n, ...)``.
        Returns:
            A number >= 0.
        Raises:
            ValueError: if there is one network only.
        """
        if len(self) < 2:
            raise ValueError(
                f"seeds: expected at least two networks for a variance, got {len(self)}"
            )
        return float(self._values(x).var(0).mean())

    def _values(self, x: Tensor) -> Tensor:
        check_samples("x", x)
        with torch.no_grad():
            return scalar(self(x))


def scalar(y: Tensor) -> Tensor:
    """Outputs ``(networks, n)`` or ``(networks, n, 1)`` as the first; ValueError for others."""
    if y.dim() == 3 and y.shape[2] == 1:
        return y[..., 0]
    if y.dim() != 2:
        raise ValueError(
            f"ensemble: expected networks with one output, (n, 1) or (n,), got {tuple(y.shape[1:])}"
        )
    return y


def check_labels(y: Tensor) -> Tensor:
    """The labels ``(n,)``; ValueError unless they are +-1."""
    if not isinstance(y, Tensor) or y.dim() != 1:
        got = tuple(y.shape) if isinstance(y, Tensor) else came(y)
        raise ValueError(f"y: expected labels (n,), got {got}")
    if y.is_complex() or y.dtype == torch.bool or y.layout != torch.strided:
        got = y.dtype if y.layout == torch.strided else y.layout
        raise TypeError(f"y: expected real labels 1 and -1, got {got}")
    if not bool((y.abs() == 1).all()):
        raise ValueError(f"y: expected labels 1 and -1, got {y.unique().tolist()[:5]}")
    return y


def _wrong(f: Tensor, y: Tensor) -> Tensor:
    if f.shape[-1] != len(y):
        raise ValueError(f"y: expected {f.shape[-1]} labels, one for each sample, got {len(y)}")
    return (f * y <= 0).double()


def _key(name: str) -> str:
    """A buffer's name in the ensemble: a dot would be a submodule."""
    return "constant:" + name.replace(".", ":")


def _without_weights(member: nn.Module) -> nn.Module:
    """The structure alone: weights and constants come with each call."""
    return copy.deepcopy(member).to("meta")


def _difference(first: dict, other: dict) -> str:
    name = next(iter({*first, *other} - ({*first} & {*other})), None)
    name = name or next(name for name in first if first[name] != other[name])
    return f"{name} of shape {first.get(name)} and {other.get(name)}"
