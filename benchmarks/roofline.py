"""How near the compiled operators come to what the machine can do.

An operator takes at least the time of its operations at the speed of ``torch.mm`` in float32, and
at least that of moving its arguments and its result once at the speed of ``Tensor.copy_``. Both
speeds are measured in turn with the operator, so that the load of the machine hits all, and the
smallest times are compared. They also sweep the caches before each call, as other layers do.
"""

from dataclasses import dataclass

import torch
from tqdm import tqdm

from benchmarks.measure import alternated
from benchmarks.operators import Work, works

SIZE = 1024  # of the matrices
ENTRIES = 5_000_000  # of what is copied


@dataclass(frozen=True)
class Roof:
    """One operator beside its limit.

    Attributes:
        task: what is done.
        operations: of the products, each multiplication and addition.
        bytes: of arguments and result.
        median, low: milliseconds, and the smallest.
        peak: operations a second of a matrix product.
        bandwidth: bytes a second of a copy, read and written.
    """

    task: str
    operations: int
    bytes: int
    median: float
    low: float
    peak: float
    bandwidth: float

    @property
    def limit(self) -> float:
        """Milliseconds that it takes at least."""
        return 1e3 * max(self.operations / self.peak, self.bytes / self.bandwidth)

    @property
    def bound(self) -> str:
        by_product = self.operations / self.peak > self.bytes / self.bandwidth
        return "product" if by_product else "memory"


def run() -> list[Roof]:
    """All rows, with a progress bar."""
    return [_roof(work) for work in tqdm(works(), desc="roofline", unit="operator")]


def _roof(work: Work) -> Roof:
    arguments = work.on("cpu", torch.float32)
    a, b, x = torch.randn(SIZE, SIZE), torch.randn(SIZE, SIZE), torch.randn(ENTRIES)
    c, y = torch.empty(SIZE, SIZE), torch.empty(ENTRIES)
    with torch.inference_mode():
        own, product, copy = alternated(
            work.task,
            {
                "equinet": lambda: work.operator(*arguments),
                "torch.mm": lambda: torch.mm(a, b, out=c),
                "copy": lambda: y.copy_(x),
            },
            repeats=30,
        )
    assert own.median and own.low and product.low and copy.low
    peak, bandwidth = 2e3 * SIZE**3 / product.low, 8e3 * ENTRIES / copy.low
    return Roof(work.task, work.operations, work.bytes, own.median, own.low, peak, bandwidth)


def table(rows: list[Roof]) -> str:
    """The rows as Markdown."""
    lines = [
        "| task | MFLOP | MB | median ms | min ms | GFLOP/s of torch.mm | GB/s of a copy "
        "| limit ms | limit by | fraction of the limit |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.task} | {row.operations / 1e6:.1f} | {row.bytes / 1e6:.2f} "
            f"| {row.median:.3f} | {row.low:.3f} | {row.peak / 1e9:.0f} "
            f"| {row.bandwidth / 1e9:.1f} | {row.limit:.3f} | {row.bound} "
            f"| {row.limit / row.low:.2f} |"
        )
    return "\n".join(lines)
