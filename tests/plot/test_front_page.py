"""The program that draws the pictures of the first page."""

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "docs" / "pictures.py"
spec = importlib.util.spec_from_file_location("pictures", PATH)
pictures = importlib.util.module_from_spec(spec)
spec.loader.exec_module(pictures)


@pytest.mark.parametrize(
    ("name", "panels"),
    [
        ("kernels", 4 + 3),
        ("winds", 2 * 4),
        ("networks", 4 * 4 + 1),
    ],
)
def test_a_picture_is_drawn_and_kept(name, panels):
    figure = getattr(pictures, name)()
    assert len(figure.axes) >= panels
    assert (pictures.FOLDER / f"{name}.png").stat().st_size > 10_000
