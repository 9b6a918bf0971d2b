"""Batch normalisation of fields, of one process or of several."""

from __future__ import annotations

from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from equinet.field import FieldType
from equinet.nn.arguments import check_share
from equinet.nn.field_norm import widened
from equinet.nn.masks import measures, point_weights, read
from equinet.nn.normalization import SpaceNorm
from equinet.numerics import Constant
from equinet.numerics.arguments import check_flag

_PLAIN = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class BatchNorm(SpaceNorm):
    r"""Normalise every field over batch and space (N1), as ``torch.nn.BatchNorm3d`` does channels.

    In evaluation it uses running statistics, new = (1 - momentum) old + momentum batch. The running
    variance is unbiased: sigma^2 n dim / (n dim - k), over n points of all samples, for a field
    with k invariant vectors; for scalars that is torch's n / (n - 1). Over the sphere the
    expectation is an integral with Haar measure, exact for the band, and is taken as it is.

    Under ``torch.distributed`` every process has the statistics of its part of the batch, as with
    ``torch.nn.BatchNorm3d``, unless ``sync`` is set: ``enn.convert_sync_batchnorm(model)`` and
    ``torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)`` set it in all layers of a model.
    ``torch.optim.swa_utils.update_bn`` takes running statistics anew here as in layers of torch.

    Args:
        in_type: fields over any space.
        eps: added to the variance.
        momentum: of the running statistics; None for the mean over all batches so far.
        affine: learn w, one a field, and b, one for each invariant vector.
        track_running_stats: keep running statistics; else evaluation uses those of the batch.
        centre: take mu away. Without it mu = b = 0: fields are only scaled, and where the input is
            zero, as around an object in an empty volume, the output is zero too and goes on into
            the zeros of the padding.
        sync: take the statistics of a batch over all processes of ``process_group``, as
            ``torch.nn.SyncBatchNorm`` does; each may have another number of samples, or none.
        process_group: of ``torch.distributed``; None for all processes.
        bias: learn b, if ``affine``; False for w alone.
        device, dtype: of the module, as in ``torch.nn``.
    Raises:
        ValueError: if a rho is not orthogonal; in training, if there is a single value of a scalar,
            which is its own mean.
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    taken: Tensor
    over_batch = True

    def __init__(
        self,
        in_type: FieldType,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        centre: bool = True,
        *,
        sync: bool = False,
        process_group: dist.ProcessGroup | None = None,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_type, eps, affine, bias=check_flag(centre, "centre") and bias)
        self.centre, self.sync = centre, check_flag(sync, "sync")
        self.process_group = _checked(process_group)
        scalars = (k == d for k, d in zip(self.means, in_type.dims, strict=True))
        self.has_scalars = self.centre and any(scalars)
        tracked = check_flag(track_running_stats, "track_running_stats")
        self.register_buffer("running_mean", torch.zeros(self.count) if tracked else None)
        self.register_buffer("running_var", torch.ones(in_type.copies) if tracked else None)
        self.register_buffer("num_batches_tracked", None)
        self.momentum = momentum
        self.known = _Known(self)
        self.set_constants()
        self.place(device, dtype)

    @property
    def momentum(self) -> float | None:
        """Of the running statistics; None for the mean over all batches since it was set."""
        return self._momentum

    @momentum.setter
    def momentum(self, value: float | None) -> None:
        if value is not None:
            value = check_share(value, "momentum", "None or a number")
        self._momentum = value
        if value is not None or self.running_mean is None:
            self.num_batches_tracked = None
        elif self.num_batches_tracked is None:
            self.num_batches_tracked = torch.tensor(0, device=self.running_mean.device)

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Take a part; where it is a ``SyncBatchNorm``, torch has converted this layer.

        Args:
            name: of the part.
            module: the part.
        """
        if name == "known" and isinstance(module, nn.SyncBatchNorm):
            self.sync, self.process_group = True, module.process_group
        else:
            super().add_module(name, module)

    def reset_running_stats(self) -> None:
        """Forget the batches so far: mean 0 and variance 1."""
        for name, value in (("running_mean", 0), ("running_var", 1), ("num_batches_tracked", 0)):
            statistic = self._buffers.get(name)
            if statistic is not None:
                statistic.fill_(value)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """W = 1, b = 0 and no batch so far; nothing is drawn."""
        super().reset_parameters(generator)
        self.reset_running_stats()

    def constants(self, dtype: torch.dtype) -> dict[str, Constant]:
        # k / dim of every field: the share of one point that the mean takes.
        triples = list(zip(self.multiplicities, self.means, self.in_type.dims, strict=True))
        taken = [self.centre * k / dim for mul, k, dim in triples for _ in range(mul)]
        return {**super().constants(dtype), "taken": torch.tensor(taken, dtype=torch.float64)}

    def forward(self, x: Tensor, *, weights: Tensor | None = None) -> Tensor:
        """The fields with the statistics of the batch or, in evaluation, of those before.

        Args:
            x: ``in_type.shape(batch, ...)``.
            weights: of the points in the statistics, as in ``GlobalAvgPool``. Where they are 0
                the input is not read, and the output is 0.
        Returns:
            In the shape of ``x``.
        Raises:
            TypeError: if ``weights`` is no real tensor.
            ValueError: if a number in ``weights`` is negative or not finite, and in training for a
                single value of a scalar.
        """
        self.check(x)
        w = point_weights(self.in_type, x, weights)
        x = read(x, w)
        if not self.training and self.running_mean is not None and self.running_var is not None:
            y = self.normalize(x, self.running_mean[None], self.running_var[None])
        else:
            y = self.normalize(x, *self._of_batch(x, w))
        return read(y, w)

    def _of_batch(self, x: Tensor, w: Tensor | None) -> tuple[Tensor, Tensor]:
        """The statistics of a batch, which in training are remembered."""
        n = x.numel() // x.shape[1]
        if w is not None and n:
            w = w.expand(len(x), 1, *x.shape[2:])
        if self._is_shared():
            mean, var, n = self._moments_of_all(x, w, n)
            m, variance = self.of_fields(mean, var)
        else:
            m, variance = self.statistics(x, w)
            if w is not None and n:  # the points that are there
                n = (w > 0).sum()
        if self.training and (isinstance(n, Tensor) or n):
            self._remember(n, m.detach(), variance.detach())
        return m, variance

    def _is_shared(self) -> bool:
        """Whether other processes have parts of the batch."""
        if not self.sync or not (dist.is_available() and dist.is_initialized()):
            return False
        return dist.get_world_size(self.process_group) > 1

    def _moments_of_all(
        self, x: Tensor, w: Tensor | None, n: int
    ) -> tuple[Tensor, Tensor, int | Tensor]:
        """Mean and variance of every channel over all processes, and the number of points."""
        if n:
            mean, var = (row[0] for row in self.moments(x, w))
        else:
            mean = var = widened(x).sum([0, *range(2, x.dim())])  # zeros, with a gradient
        counts = mean.new_full((2,), n)  # the weight of all points, and how many are there
        if w is not None and n:
            counts = torch.stack([measures(w, self.weights).sum(), (w > 0).sum().to(w)]).to(mean)
        counted = torch.cat([mean, var, counts])
        # A row for each process: their sum is the table of all, in one collective.
        rank, size = dist.get_rank(self.process_group), dist.get_world_size(self.process_group)
        table = torch.stack(
            [counted if i == rank else torch.zeros_like(counted) for i in range(size)]
        )
        table = _SumOfAll.apply(table, self.process_group)
        means, variances, counts = torch.split(table, [len(mean), len(var), 2], 1)
        areas, points = counts.detach().split(1, 1)
        shares = areas / areas.sum().clamp(min=torch.finfo(mean.dtype).tiny)
        mean = (shares * means).sum(0, keepdim=True)
        var = (shares * (variances + (means - mean) ** 2)).sum(0, keepdim=True)
        return mean, var, points.sum() if w is not None else int(points.sum())

    def _remember(self, n: int | Tensor, m: Tensor, variance: Tensor) -> None:
        """Move the running statistics, those of n points."""
        if not isinstance(n, Tensor) and n == 1 and self.has_scalars:
            raise ValueError("x: expected more than one value of every scalar in training, got one")
        if self.running_mean is None or self.running_var is None:
            return
        if not self.in_type.space.is_band_limited:
            left = (n - self.taken.to(variance.dtype)).clamp(min=1e-3)  # of a mask it may be none
            variance = variance * (n / left)
        weight: Any = self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            weight = 1 / self.num_batches_tracked.to(self.running_var.dtype)
        if isinstance(n, Tensor):  # a mask that leaves nothing says nothing
            weight = weight * (n > 0).to(variance.dtype)
        self.running_mean.lerp_(m[0].to(self.running_mean.dtype), weight)
        self.running_var.lerp_(variance[0].to(self.running_var.dtype), weight)

    def export(self) -> nn.Module:
        """``torch.nn.BatchNorm1d``, ``2d`` or ``3d`` of the channels, in evaluation mode."""
        if self.running_mean is None or self.running_var is None:
            return super().export()
        state = {
            "running_mean": self.spread(self.running_mean[None])[0],
            "running_var": self.running_var[self.field_of],
        }
        if self.weight is not None:
            state["weight"] = self.weight[self.field_of]
            zero = torch.zeros_like(state["weight"])
            state["bias"] = zero if self.bias is None else self.spread(self.bias[None])[0]
        axes = len(self.in_type.axes)
        sizes: list[Any] = [self.in_type.channels, self.eps, self.momentum, self.weight is not None]
        layer = _PLAIN[axes](*sizes).to(self.running_var)
        layer.load_state_dict(state, strict=False)  # there is no num_batches_tracked
        return layer.eval()

    def extra_repr(self) -> str:
        tracked = self.running_mean is not None
        text = f"{super().extra_repr()}, momentum={self.momentum}, track_running_stats={tracked}"
        text = text if self.centre else f"{text}, centre=False"
        return f"{text}, sync=True" if self.sync else text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"


def convert_sync_batchnorm(
    model: nn.Module, process_group: dist.ProcessGroup | None = None
) -> nn.Module:
    """Let all batch norms of a model, ours and torch's, take statistics over all processes.

    The same as ``torch.nn.SyncBatchNorm.convert_sync_batchnorm``, with its arguments checked; call
    it before ``DistributedDataParallel``.

    Args:
        model: whose ``enn.BatchNorm`` are changed in place.
        process_group: of ``torch.distributed``; None for all processes.
    Returns:
        The model; another module if it is a batch norm of torch itself.
    Raises:
        TypeError: if ``model`` is no module, or ``process_group`` no group of processes.

    Example:
        >>> from equinet.field import Plane
        >>> fields = Plane("C4").fields("4x regular")
        >>> convert_sync_batchnorm(BatchNorm(fields)).sync
        True
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model: expected a torch.nn.Module, got {type(model).__name__}")
    _checked(process_group)
    return nn.SyncBatchNorm.convert_sync_batchnorm(model, process_group)


def _checked(process_group: dist.ProcessGroup | None) -> dist.ProcessGroup | None:
    """The argument; TypeError unless it is a group of processes or None."""
    known = dist.is_available() and isinstance(process_group, dist.ProcessGroup)
    if process_group is not None and not known:
        raise TypeError(
            "process_group: expected one of torch.distributed or None, got "
            f"{type(process_group).__name__}"
        )
    return process_group


class _Known(nn.modules.batchnorm._BatchNorm):
    """The part of a batch norm of ours by which functions of torch know it for one.

    They look for this class of torch: ``SyncBatchNorm.convert_sync_batchnorm`` puts another module
    in its place, and ``swa_utils.update_bn`` resets it and sets its momentum.
    """

    def __init__(self, layer: BatchNorm) -> None:
        self._layer = [layer]  # in a list, since it is no part of this one
        channels, momentum = layer.in_type.channels, layer.momentum
        super().__init__(channels, momentum=momentum, affine=False, track_running_stats=False)

    @property  # where torch has a number
    def momentum(self) -> float | None:
        return self._layer[0].momentum

    @momentum.setter
    def momentum(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, value: float | None
    ) -> None:
        self._layer[0].momentum = value

    def reset_running_stats(self) -> None:
        self._layer[0].reset_running_stats()

    def extra_repr(self) -> str:
        return ""


class _Context(Protocol):
    """What torch hands from the forward pass to the backward pass."""

    process_group: dist.ProcessGroup | None


class _SumOfAll(torch.autograd.Function):
    """The sum over all processes; every one of them has a gradient for it, and these add up too."""

    @staticmethod
    def forward(ctx: _Context, x: Tensor, process_group: dist.ProcessGroup | None) -> Tensor:
        ctx.process_group = process_group
        x = x.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(x, group=process_group)
        return x

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> tuple[Tensor, None]:
        return _SumOfAll.apply(gradients[0], ctx.process_group), None
