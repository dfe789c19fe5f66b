import os
from pathlib import Path

import pytest

from errors import UserError
from inference.output_plan import plan_outputs
from inference.session import FileProgress


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Relative paths, as a user types them."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.jpg", "b.PNG", "in/c.png", "in/deep/d.gif", "in/notes.txt", "in/deep/e.webp", "empty/readme.md"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def plan(*arguments, **options):
    return {str(source): str(target) for source, target in plan_outputs(*arguments, **options)}


def test_beside_the_source(tree):
    assert plan(["a.jpg", "b.PNG"]) == {"a.jpg": "a_x4.jpg", "b.PNG": "b_x4.PNG"}
    assert plan("in/c.png", suffix="_large") == {"in/c.png": "in/c_large.png"}


def test_a_file_for_a_file(tree):
    assert plan("a.jpg", "new/result.webp") == {"a.jpg": "new/result.webp"}


def test_a_folder_is_mirrored(tree):
    mirrored = {
        "in/c.png": "out/c_x4.png",
        "in/deep/d.gif": "out/deep/d_x4.gif",
        "in/deep/e.webp": "out/deep/e_x4.webp",
    }
    assert plan("in", "out") == mirrored
    assert plan(["in", "a.jpg"], "out") == mirrored | {"a.jpg": "out/a_x4.jpg"}
    assert plan("in") == {source: target.replace("out/", "in_x4/") for source, target in mirrored.items()}
    assert plan("in", "out", suffix="")["in/c.png"] == "out/c.png"


def test_the_folder_one_stands_in(tree, monkeypatch):
    monkeypatch.chdir("in")
    assert plan(".")["c.png"] == str(Path.cwd().parent / "in_x4" / "c_x4.png")


def test_earlier_results_are_left_out(tree):
    Path("in/out").mkdir()
    Path("in/out/c_x4.png").touch()
    assert plan("in", "in/out").keys() == {"in/c.png", "in/deep/d.gif", "in/deep/e.webp"}


@pytest.mark.parametrize("output", ["in", "in/{folder}/{stem}_x{scale}.{ext}"])
def test_earlier_results_among_the_images_are_left_out(tree, output, monkeypatch):
    """As after one call, and after two of an older version."""
    monkeypatch.chdir("in")
    output = output.replace("in/", "").replace("in", ".")
    first = {"c.png": "c_x4.png", "deep/d.gif": "deep/d_x4.gif", "deep/e.webp": "deep/e_x4.webp"}
    assert plan(".", output) == first
    for name in ("c_x4.png", "deep/d_x4.gif", "c_x4_x4.png"):
        Path(name).touch()
    assert plan(".", output) == first
    with pytest.raises(UserError, match=r"c_x4.png: the result would take the place of an original"):
        plan(["c.png", "c_x4.png"])


@pytest.mark.parametrize("output", ["out.png", "out/{stem}.png"])
def test_a_name_that_says_another_format(tree, output):
    with pytest.raises(UserError, match="its name says the format; leave --format=webp out"):
        plan("a.jpg", output, extension=".webp")
    assert plan("a.jpg", "o.jpeg", extension=".jpg") == {"a.jpg": "o.jpeg"}
    assert plan("a.jpg", "{stem}_2.{ext}", extension=".webp") == {"a.jpg": "a_2.webp"}


def test_a_loop_of_links_ends(tree):
    Path("in/deep/loop").symlink_to(Path("in").resolve(), target_is_directory=True)
    assert len(plan("in", "out")) == 3


@pytest.mark.parametrize(
    "inputs, output, reason",
    [
        ("nowhere.png", None, "nowhere.png: no such file or folder"),
        ("empty", None, "empty: holds no images"),
        (["a.jpg", "b.PNG"], "one.png", "one.png: one image cannot hold the results of several"),
        ("in", "one.png", "one.png: one image cannot hold"),
        (["a.jpg", "in/../a.jpg"], "out", "would be the result of both"),
    ],
)
def test_what_cannot_be_planned(tree, inputs, output, reason):
    with pytest.raises(UserError, match=reason):
        plan_outputs(inputs, output)


def test_a_pattern_is_filled_in(tree):
    assert plan(["in", "a.jpg"], "big/{folder}/{stem}_{scale}x.{ext}", scale="3") == {
        "in/c.png": "big/c_3x.png",
        "in/deep/d.gif": "big/deep/d_3x.gif",
        "in/deep/e.webp": "big/deep/e_3x.webp",
        "a.jpg": "big/a_3x.jpg",
    }
    with pytest.raises(UserError, match=r"not a pattern \('name'\); it may hold \{stem\}"):
        plan("in", "big/{name}.png")
    with pytest.raises(UserError, match="would be the result of both"):
        plan("in", "one{scale}.png")


def test_one_format_for_all(tree):
    assert set(plan(["in", "a.jpg"], "out", extension=".webp").values()) == {
        *("out/c_x4.webp", "out/deep/d_x4.webp", "out/deep/e_x4.webp", "out/a_x4.webp")
    }


@pytest.mark.parametrize("target", ["a.jpg", "./in/../a.jpg"])
def test_an_original_is_never_the_target(tree, target):
    with pytest.raises(UserError, match="would take the place of an original"):
        plan_outputs("a.jpg", target)


def test_a_result_of_two_costs_the_second_only(tree):
    Path("in/c.jpg").touch()
    problems = []
    pairs = plan_outputs("in", extension=".png", problem=problems.append)
    assert [str(source) for source, _ in pairs] == ["in/c.jpg", "in/deep/d.gif", "in/deep/e.webp"]
    assert [str(error) for error in problems] == [
        "in_x4/c_x4.png: would be the result of both in/c.jpg and in/c.png; rename one, or call twice"
    ]


def test_what_a_folder_holds_beside_images_is_counted(tree, monkeypatch):
    lines = []
    monkeypatch.setattr("absl.logging.info", lambda text, *values: lines.append(text % values))
    for name in ("in/f.heic", "in/deep/g.heic", "in/._c.png", "in/.hidden/h.png", "in/__MACOSX/c.png", "in/i.jfif"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
    assert [str(source) for source, _ in plan_outputs("in")] == [
        *("in/c.png", "in/deep/d.gif", "in/deep/e.webp", "in/i.jfif")
    ]
    assert lines == ["in: 3 files of other kinds left alone: .heic (2), .txt (1)"]


def test_links_to_themselves_and_long_names_are_planned_or_a_line(tree):
    Path("in/self.png").symlink_to("self.png")
    long = "l" * 247 + ".png"  # whose result has 254 bytes, and as --scale=2.125 too many
    Path("in", long).touch()
    assert {str(source) for source, _ in plan_outputs("in")} >= {"in/self.png", f"in/{long}"}
    assert len(plan_outputs("in", "in/out")) == 5
    for name in ("m" * 300, "a.jpg/b.png", "self/c.png"):
        with pytest.raises(UserError, match=f"{name}: "):
            plan_outputs(name)


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="modes of files are those of Unix")
def test_a_folder_that_cannot_be_read_or_entered(tree, request):
    """A problem each, not silence; and the bar over what cannot be looked at is drawn all
    the same.
    """
    Path(".").resolve().chmod(0o755)
    Path("in/closed").mkdir(mode=0o000)
    Path("in/listed").mkdir()
    Path("in/listed/x.png").touch()
    Path("in/listed").chmod(0o444)
    request.getfixturevalue("not_root")
    problems = []
    pairs = plan_outputs("in", problem=problems.append)
    assert [str(error) for error in problems] == [
        "in/closed: this folder cannot be read (Permission denied); what it holds is left out"
    ]
    assert Path("in/listed/x.png") in [source for source, _ in pairs]
    with FileProgress([source for source, _ in pairs]) as progress:
        progress.finish(Path("in/listed/x.png"))
