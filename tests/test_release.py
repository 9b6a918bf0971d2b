"""What a release rests on: one version, targets that exist, links that lead somewhere, pins."""

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import setuptools
import yaml

import equinet
from equinet.ops.native import compile
from tests.over import over

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HOME = PROJECT["urls"]["Homepage"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
LINK = re.compile(r'\]\(([^)]*)\)|\b(?:href|src|srcset)="([^"]*)"|^\[[^\]]+\]: (\S+)', re.MULTILINE)

pytestmark = pytest.mark.skipif(not (ROOT / "setup.py").exists(), reason="not a checkout")


def program(path: str):
    """A file of the checkout as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup(monkeypatch):
    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    return program("setup.py")


@pytest.fixture(scope="module")
def release():
    return program(".ci/release.py")


# --- one version, one place -----------------------------------------------------------------------


def test_the_citation_agrees():
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert said["version"] == equinet.__version__
    assert said["license"] == PROJECT["license"]
    assert said["url"] == said["repository-code"] == HOME == PROJECT["urls"]["Source"]
    assert all(url.startswith(HOME) for url in PROJECT["urls"].values())


def test_all_that_extras_ask_for_is_pinned():
    """Exactly, and each once."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)
    names = [plain(pin) for pin in pins]
    assert len(set(names)) == len(names)
    extras = PROJECT["optional-dependencies"]
    asked = {plain(name) for extra in extras.values() for name in extra}
    assert asked | {plain(name) for name in PROJECT["dependencies"]} <= {*names}
    assert {"twine", "auditwheel", "build"} <= {*map(plain, extras["release"])}


def plain(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


# --- what the public builds call ------------------------------------------------------------------


def targets_called(text: str) -> list[str]:
    """What shell lines make: ``make -j2 wheel docs TAG=v1`` makes wheel and docs."""
    words = " ".join(re.findall(r"\bmake ((?:[^\s#|&;]+ ?)+)", text)).split()
    return [word for word in words if not word.startswith("-") and "=" not in word]


def targets(makefile: str) -> set[str]:
    found = re.findall(r"^([\w$()./-]+):(?!=)", makefile, re.MULTILINE)
    return {name.replace("$(VENV)", ".venv") for name in found}


def runs(workflow: Path) -> str:
    jobs = yaml.safe_load(workflow.read_text())["jobs"].values()
    return "\n".join(step.get("run", "") for job in jobs for step in job["steps"])


def test_they_call_targets_that_exist():
    there = targets((ROOT / "Makefile").read_text())
    gate = targets_called((ROOT / ".ci" / "run").read_text().partition("all that")[2])
    called = {path.stem: targets_called(runs(path)) for path in WORKFLOWS}
    assert {"lint", "test", "wheel", "release", ".venv/docs"} <= there
    assert {*called} == {"ci", "release"} and "release" in called["release"]
    assert {name for names in called.values() for name in names} <= there
    assert {*gate} <= {*called["ci"]} and len(gate) > 3
    assert targets_called("make -j2 wheel docs TAG=v1 && make no-such") == [
        *("wheel", "docs", "no-such")
    ]
    assert "no-such" not in there  # so a wrong one would be seen


def test_the_tag_of_a_release(release, tmp_path):
    (tmp_path / "equinet").mkdir()
    (tmp_path / "equinet" / "__init__.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("## [1.2.3] - unreleased\n")
    release.check_tag("", tmp_path)
    with pytest.raises(release.ReleaseError, match="expected the tag v1.2.3.*got v1.2.4"):
        release.check_tag("v1.2.4", tmp_path)
    with pytest.raises(release.ReleaseError, match=r"CHANGELOG.md '## \[1.2.3\] - ' with its day"):
        release.check_tag("v1.2.3", tmp_path)
    (tmp_path / "CHANGELOG.md").write_text("## [1.2.3] - 2027-01-31\n")
    release.check_tag("v1.2.3", tmp_path)
    release.check_tag("", ROOT)  # there is a version to read


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("git"), reason="no git")
def test_only_what_is_committed_is_released(release, tmp_path):
    def git(*words: str) -> None:
        own = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *own, *words], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "kept").write_text("one\n")
    git("add", "kept")
    git("commit", "-m", "one")
    (tmp_path / "beside").write_text("not told to git\n")
    out = release.committed(tmp_path / "work" / "source", tmp_path)
    assert [path.name for path in out.iterdir()] == ["kept"]
    (tmp_path / "kept").write_text("two\n")
    with pytest.raises(release.ReleaseError, match="to be committed, got\n M kept"):
        release.committed(tmp_path / "work" / "again", tmp_path)


def wheel(folder: Path, tag: str, names) -> Path:
    path = folder / f"equinet_torch-1-py3-none-{tag}.whl"
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(f"equinet/_compiled/{name}", "")
    return path


def test_a_wheel_is_what_its_name_says(release, monkeypatch, tmp_path):
    """What auditwheel finds in the libraries is the tag; all of them are there."""
    every = [compile.library_name(name) for name in compile.instruction_sets()]
    seen = '{"overall_tag": "manylinux_2_17_x86_64", "external_libs": {%s}}'
    monkeypatch.setattr(release, "run", lambda _: seen % "")
    release.audit(wheel(tmp_path, "manylinux_2_17_x86_64", every))
    for tag, names in (("manylinux_2_17_x86_64", every[1:]), ("manylinux_2_5_x86_64", every)):
        with pytest.raises(release.ReleaseError):
            release.audit(wheel(tmp_path, tag, names))
    with pytest.raises(release.ReleaseError):
        release.audit(wheel(tmp_path, "linux_x86_64", every))
    monkeypatch.setattr(release, "run", lambda _: seen % '"libgomp.so.1": null')
    with pytest.raises(release.ReleaseError, match="libgomp"):
        release.audit(wheel(tmp_path, "manylinux_2_17_x86_64", every))


def test_what_fails_says_what_it_said(release):
    with pytest.raises(release.ReleaseError, match="(?s)-c.*failed\nbefore\nthe reason"):
        release.run([sys.executable, "-c", "print('before'); raise SystemExit('the reason')"])
    found = [{"section": "operators", "name": "CPU", "says": "compiled for avx2"}]
    release.expect(found, "compiled for avx2")
    with pytest.raises(release.ReleaseError, match="they are compiled for avx512, got: compiled"):
        release.expect(found, "compiled for avx512")


# --- links ----------------------------------------------------------------------------------------

PAGES = [*ROOT.glob("*.md"), *ROOT.glob("*/README.md"), *ROOT.glob("examples/*/README.md")]


def links(text: str) -> list[str]:
    code = re.sub(r"(?ms)^```.*?^```|`[^`\n]*`", "", text)
    return [next(filter(None, found), "") for found in LINK.findall(code)]


def missing(page: Path) -> list[str]:
    inside = [link for link in links(page.read_text("utf-8")) if not re.match(r"[a-z]+:|#", link)]
    return [link for link in inside if not (page.parent / link.partition("#")[0]).exists()]


def test_no_link_of_a_page_on_an_index_is_relative(setup):
    text = (ROOT / "README.md").read_text("utf-8")
    found = links(setup.absolute(text))
    assert len(found) == len(links(text)) > 20
    assert all(link.startswith("https://") for link in found), found
    assert f"{HOME}/blob/HEAD/docs/guide/from_torch.md" in found
    assert not all(link.startswith("https://") for link in links(text))


@over(
    "written, read",
    [
        ("[a](docs/a.md#b)", f"[a]({HOME}/blob/HEAD/docs/a.md#b)"),
        ("[a](https://x.org/a)", "[a](https://x.org/a)"),
        ("![a](docs/a.png)", f"![a]({HOME}/raw/HEAD/docs/a.png)"),
        ("[![a](a.png)](b.md)", f"[![a]({HOME}/raw/HEAD/a.png)]({HOME}/blob/HEAD/b.md)"),
        ('<img src="a.png" width="3">', f'<img src="{HOME}/raw/HEAD/a.png" width="3">'),
        ('<a href="b.md">', f'<a href="{HOME}/blob/HEAD/b.md">'),
        ("[a][b]\n\n[b]: c.md", f"[a][b]\n\n[b]: {HOME}/blob/HEAD/c.md"),
        ("[a](#install)", f"[a]({HOME}#install)"),
    ],
)
def test_links_that_lead_somewhere_from_an_index(written, read, setup):
    assert setup.absolute(written) == read
    assert setup.absolute(read) == read


def test_what_pages_link_to_is_there(tmp_path):
    assert not {page: found for page in PAGES if (found := missing(page))} and len(PAGES) > 10
    (tmp_path / "page.md").write_text("[a](page.md#b) [c](none.md)\n```\n[d](none)\n```\n")
    assert missing(tmp_path / "page.md") == ["none.md"]
