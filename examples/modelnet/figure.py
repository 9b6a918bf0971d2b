"""A picture of objects as the networks read them, upright and rotated."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from examples.common.figures import save

from .data import Dataset, fixed_rotations, grids


def objects_figure(path: Path, dataset: Dataset) -> None:
    """A column for each class: one test object from the front, the side and above, then rotated.

    Voxels are summed along the line of sight.

    Args:
        path: of the picture to write.
        dataset: the objects.
    """
    labels = dataset.test.labels
    first = torch.tensor([int((labels == c).nonzero()[0]) for c in labels.unique()])
    upright = grids(dataset.test.voxels[first], None)[:, 0]
    rotated = grids(dataset.test.voxels[first], fixed_rotations(len(labels))[first])[:, 0]
    rows = {
        "front (x, z)": upright.sum(2),
        "side (y, z)": upright.sum(1),
        "above (x, y)": upright.sum(3),
        "rotated (x, z)": rotated.sum(2),
    }
    figure = Figure(figsize=(1.3 * len(first) + 0.5, 1.4 * len(rows) + 0.2), layout="constrained")
    axes = figure.subplots(len(rows), len(first), squeeze=False)
    for row, (name, pictures) in enumerate(rows.items()):
        axes[row, 0].set_ylabel(name, fontsize=8)
        for column, picture in enumerate(pictures):
            axes[row, column].imshow(picture.T.numpy(), origin="lower", cmap="magma")
            axes[row, column].set(xticks=[], yticks=[])
    for axis, index in zip(axes[0], first, strict=True):
        axis.set_title(dataset.classes[int(labels[index])], fontsize=8)
    save(figure, path)
