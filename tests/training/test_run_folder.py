import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from errors import UserError
from training.run_folder import RunFolder, read_config, read_report

FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def start(path, config, **options):
    """As a command does until its first update."""
    folder = RunFolder(path, role="student")
    folder.open(config, fixed={"seed"}, **options)
    folder.begin()
    return folder


def begun(path, config):
    """A run with a checkpoint."""
    folder = start(path, config)
    folder.checkpoints("pixel").mkdir(parents=True)
    return folder


def tree(path):
    """{relative path: content, or where a link points} of all that lies in a folder, but
    the lock.
    """
    found = {}
    for item in path.rglob("*"):
        name = item.relative_to(path).as_posix()
        if item.name != ".lock":
            found[name] = os.readlink(item) if item.is_symlink() else item.is_file() and item.read_bytes()
    return found


def test_config_is_a_flagfile(tmp_path):
    folder = begun(tmp_path / "run", {"seed": "1", "steps": "5"})
    assert folder.config_path.read_text() == "--seed=1\n--steps=5\n"
    assert read_config(folder.config_path) == {"seed": "1", "steps": "5"}


def test_going_on_lists_what_changed(tmp_path):
    folder = begun(tmp_path / "run", {"seed": "1", "steps": "5"})
    assert folder.open({"seed": "1", "steps": "9"}, fixed={"seed"}) == {"steps": ("5", "9")}


def test_another_meaning_is_refused_unless_new(tmp_path):
    folder = begun(tmp_path / "run", {"seed": "1"})
    with pytest.raises(UserError, match=r"run: holds a run of another kind \(--seed was 1, is 2\)"):
        folder.open({"seed": "2"}, fixed={"seed"})
    folder.open({"seed": "2"}, fixed={"seed"}, new_run=True)
    folder.begin()
    assert read_config(tmp_path / "run.old-1" / "config.txt") == {"seed": "1"}
    assert (tmp_path / "run.old-1" / "checkpoints" / "pixel").is_dir()
    assert not folder.checkpoints("pixel").exists()


def test_a_run_begun_before_there_was_a_flag_goes_on_with_its_default(tmp_path):
    folder = begun(tmp_path / "run", {"seed": "1"})
    fixed, defaults = {"seed", "grid_weight"}, {"grid_weight": "0.0"}
    with pytest.raises(UserError, match=r"\(--grid_weight was 0\.0, is 5\.0\)"):
        folder.open({"seed": "1", "grid_weight": "5.0"}, fixed=fixed, defaults=defaults)
    assert folder.open({"seed": "1", "grid_weight": "0.0"}, fixed=fixed, defaults=defaults) == {}


def test_another_teacher_is_refused_unless_new(tmp_path):
    pixel, content = tmp_path / "teacher.weights.h5", tmp_path / "teacher.content.weights.h5"
    pixel.write_bytes(b"after its pixel phase")
    content.write_bytes(b"after its content phase")
    run = tmp_path / "run"
    start(run, {}, teacher=pixel).checkpoints("transfer").mkdir(parents=True)
    start(run, {}, teacher=pixel)
    moved = pixel.rename(tmp_path / "moved")
    start(run, {}, teacher=moved)  # the same network, wherever it lies
    with pytest.raises(
        UserError, match=r"has learned from .*/moved, and would now learn from .*content\.weights.*--teach"
    ):
        start(run, {}, teacher=content)
    moved.write_bytes(b"trained on")
    with pytest.raises(UserError, match=r"has learned from .*/moved, which has changed since; put it"):
        start(run, {}, teacher=moved)
    start(run, {}, teacher=content, new_run=True)
    assert json.loads((run / "teacher.json").read_text())["file"] == str(content)


def test_the_same_teacher_may_have_another_name(tmp_path):
    """As the message about another one says."""
    teacher, other = tmp_path / "teacher.pixel.weights.h5", tmp_path / "teacher.content.weights.h5"
    teacher.write_bytes(b"weights")
    other.write_bytes(b"others")
    run, fixed = tmp_path / "run", {"fixed": {"teacher"}}
    folder = RunFolder(run, role="student")
    folder.open({"teacher": "runs/teacher"}, **fixed, teacher=teacher)
    folder.begin()
    folder.checkpoints("transfer").mkdir(parents=True)
    folder.close()
    changed = RunFolder(run, role="student").open({"teacher": str(teacher)}, **fixed, teacher=teacher)
    assert changed == {"teacher": ("runs/teacher", str(teacher))}
    with pytest.raises(UserError, match="would now learn from"):
        RunFolder(run, role="student").open({"teacher": str(other)}, **fixed, teacher=other)


def test_a_teacher_that_nobody_recorded_is_taken_and_recorded(tmp_path):
    teacher = tmp_path / "teacher.weights.h5"
    teacher.write_bytes(b"weights")
    folder = begun(tmp_path / "run", {})
    folder.close()
    for record in (None, "[]", "{"):
        if record:
            (folder.path / "teacher.json").write_text(record)
        start(folder.path, {}, teacher=teacher).close()
        assert json.loads((folder.path / "teacher.json").read_text())["file"] == str(teacher)
    teacher.unlink()
    with pytest.raises(UserError, match=r"teacher.weights.h5: cannot be read \(No such file"):
        start(folder.path, {}, teacher=teacher)


def test_a_run_without_a_checkpoint_is_no_run(tmp_path):
    start(tmp_path, {"seed": "1"}).close()
    assert RunFolder(tmp_path, role="student").open({"seed": "2"}, fixed={"seed"}) == {}


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="--run_dir=.*run: cannot be written"):
        RunFolder(tmp_path / "run", role="student").open({}, fixed=set())


def fail_in(folder, config, **options):
    """As a command that opens its run, writes a first checkpoint, weights and curves, and fails
    before its first update.
    """
    with pytest.raises(UserError, match="too large"), folder:
        folder.open(config, fixed={"seed"}, **options)
        folder.begin()
        checkpoint = folder.writes(folder.checkpoints("pixel") / "step-000000000")
        checkpoint.mkdir(parents=True)
        for name in ("state.index", "state.data-00000-of-00001", "seal.json"):
            (checkpoint / name).write_text("")
        folder.writes(folder.weights).write_text("untrained")
        folder.logs.mkdir(exist_ok=True)
        (folder.logs / f"events.out.tfevents.17.host.{os.getpid()}.0.v2").write_text("")
        yield folder.path
        raise UserError("--patch_size: too large")


def test_a_start_that_fails_leaves_nothing(tmp_path):
    list(fail_in(RunFolder(tmp_path / "runs/new", role="student"), {"seed": "1"}))
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_fails_leaves_what_was_there_and_what_came_meanwhile(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/raw.bin").write_text("mine")
    (tmp_path / ".backup.2024").mkdir()
    (tmp_path / ".backup.2024/letter").write_text("mine")
    wanted = tree(tmp_path)
    for path in fail_in(RunFolder(tmp_path, role="student"), {"seed": "1"}):
        for name in ("thesis.txt", "data/results.csv", "logs/why.txt", "checkpoints/pixel/step-000000000/plan.txt"):
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text("mine")
            wanted |= {name: b"mine"}
        (path / "link").symlink_to("elsewhere")
        path.joinpath("student.weights.h5").unlink()
        path.joinpath("student.weights.h5").symlink_to("notes.txt")
        wanted |= {"link": "elsewhere", "student.weights.h5": "notes.txt"}
    found = tree(tmp_path)
    assert {name: content for name, content in found.items() if content is not False} == {
        name: content for name, content in wanted.items() if content is not False
    }


def test_a_start_that_fails_puts_an_older_config_back(tmp_path):
    """Of a start that was killed before its first checkpoint."""
    start(tmp_path, {"seed": "1"}).close()
    list(fail_in(RunFolder(tmp_path, role="student"), {"seed": "2"}))
    assert tree(tmp_path) == {"config.txt": b"--seed=1\n"}


def test_a_new_run_that_fails_to_start_gives_the_old_one_back(tmp_path):
    begun(tmp_path / "run", {"seed": "1"}).close()
    list(fail_in(RunFolder(tmp_path / "run", role="student"), {"seed": "2"}, new_run=True))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert read_config(tmp_path / "run/config.txt") == {"seed": "1"}
    assert (tmp_path / "run/checkpoints/pixel").is_dir()


def test_before_it_begins_a_run_changes_nothing(tmp_path):
    """While images are decoded a kill must find the old run in its place."""
    begun(tmp_path / "run", {"seed": "1"}).close()
    (tmp_path / "run/report.json").write_text('{"phases": []}')
    before = tree(tmp_path)
    RunFolder(tmp_path / "run", role="student").open({"seed": "2"}, fixed={"seed"}, new_run=True)
    assert tree(tmp_path) == before


def test_a_new_run_names_the_one_it_replaced(tmp_path, caplog):
    begun(tmp_path / "run", {"seed": "1"}).close()
    start(tmp_path / "run", {"seed": "2"}, new_run=True).close()
    assert (
        f"# begun with --new_run; the run before lies in {tmp_path}/run.old-1\n"
        in (tmp_path / "run/config.txt").read_text()
    )
    (tmp_path / "run/config.txt").unlink()  # as if killed between the renaming and its first file
    caplog.set_level("INFO", logger="absl")
    RunFolder(tmp_path / "run", role="student").open({"seed": "1"}, fixed={"seed"})
    assert f"{tmp_path}/run: holds no run; {tmp_path}/run.old-1 holds an earlier one" in caplog.text


def test_after_its_first_update_or_when_continued_a_run_stays(tmp_path):
    folder = RunFolder(tmp_path / "run", role="student")
    with pytest.raises(RuntimeError), folder:
        folder.open({"seed": "1"}, fixed={"seed"})
        folder.begin()
        folder.writes(folder.checkpoints("pixel")).mkdir(parents=True)
        folder.settle("pixel step 1")
        raise RuntimeError
    fail = RunFolder(tmp_path / "run", role="student")
    with pytest.raises(RuntimeError), fail:
        fail.open({"seed": "1"}, fixed={"seed"})
        fail.begin()
        raise RuntimeError
    assert (tmp_path / "run/checkpoints/pixel").is_dir()
    assert read_config(tmp_path / "run/config.txt") == {"seed": "1"}


@pytest.mark.parametrize(
    "name",
    [
        *("student.weights.h5", "student.pixel.weights.h5", "last.weights.h5", "discriminator.weights.h5"),
        *("report.json", "teacher.json"),
    ],
)
def test_results_of_others_are_not_written_over(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(UserError, match=f"{name}: lies there without a config.txt"):
        RunFolder(tmp_path, role="student").open({}, fixed=set())
    assert tree(tmp_path) == {name: b"mine"}


def test_a_config_of_others_is_not_written_over(tmp_path):
    (tmp_path / "config.txt").write_text("[server]\nport = 80\n")
    with pytest.raises(UserError, match=r"config.txt: line 1 is no --flag=value; .*--run_dir, or --new_run"):
        RunFolder(tmp_path, role="student").open({}, fixed=set())
    assert tree(tmp_path) == {"config.txt": b"[server]\nport = 80\n"}


def test_changed_flags_are_written_at_the_first_update_and_remembered(tmp_path):
    begun(tmp_path, {"seed": "1", "steps": "5"}).close()
    before = tree(tmp_path)
    folder = start(tmp_path, {"seed": "1", "steps": "9"})
    assert tree(tmp_path) == before
    for step in (6, 7):
        folder.settle(f"pixel step {step}")
    folder.close()
    folder = start(tmp_path, {"seed": "1", "steps": "9", "keep": "1"})
    folder.settle("pixel step 10")
    flags, first, second = read_lines(folder.config_path)
    assert flags == ["--seed=1", "--steps=9", "--keep=1"]
    assert first.startswith("# from pixel step 6 on (20") and first.endswith("): --steps was 5, is 9")
    assert second.startswith("# from pixel step 10 on (20") and second.endswith("): --keep was None, is 1")


def read_lines(path):
    lines = path.read_text().splitlines()
    return [line for line in lines if line[0] != "#"], *(line for line in lines if line[0] == "#")


def test_a_report_keeps_the_ones_before_it(tmp_path):
    folder = start(tmp_path, {"seed": "1"})
    for steps, command in ((5, "first"), (9, "second"), (12, "third")):
        folder.write_report({"phases": [{"steps": steps}], "command": command, "seed": 1})
        assert folder.reports([{"steps": steps}]) and not folder.reports([{"steps": steps + 1}])
    report = read_report(tmp_path)
    assert report["command"] == "third"
    assert [(old["command"], old["phases"]) for old in report["earlier"]] == [
        ("first", [{"steps": 5}]),
        ("second", [{"steps": 9}]),
    ]


def test_a_damaged_report_is_set_aside(tmp_path):
    folder = start(tmp_path, {"seed": "1"})
    (tmp_path / "report.json").write_text("[]")
    assert not folder.reports([])
    folder.write_report({"phases": []})
    assert (tmp_path / "report.json.damaged").read_text() == "[]"
    assert read_report(tmp_path) == {"phases": []}


@pytest.mark.parametrize(
    "content", ["{}", "[]", "null", "17", '{"steps": "4"}', '{"steps": 4}', "", "\udcff", "[" * 9999]
)
def test_a_damaged_summary_is_set_aside_or_refused(tmp_path, content):
    folder = begun(tmp_path, {})
    done = folder.checkpoints("pixel") / "done.json"
    done.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="done.json: .*phase adversarial stands on it"):
        folder.finished("pixel", steps=4, begun_after=["adversarial"])
    assert folder.finished("pixel", steps=4, begun_after=[]) is None
    assert done.with_name("done.json.damaged").exists() and not done.exists()


DONE = {"phase": "pixel", "steps": 4, "seconds": 1.5, "metrics": {"psnr_y": 30.25}, "weights_sha256": "0" * 64}
REPORT = {
    "phases": [{**DONE}],
    "method": "g2g",
    "seed": 3,
    "teacher": None,
    "command": "train.py",
    "earlier": [{"a": 1}],
}
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 10**6), st.integers(0, 255), st.sampled_from("sid")), min_size=1, max_size=4
)


def mutated(content, mutations):
    """Bytes set, inserted or deleted."""
    content = bytearray(content)
    for place, byte, kind in mutations:
        place %= len(content) + 1
        content[place : place + (kind != "i")] = b"" if kind == "d" else bytes([byte])
    return bytes(content)


@given(mutations=MUTATIONS)
@FUZZ
def test_whatever_the_files_hold_they_are_used_passed_over_or_refused(tmp_path, mutations):
    folder = RunFolder(tmp_path / "run", role="student")
    done = folder.checkpoints("pixel") / "done.json"
    done.parent.mkdir(parents=True, exist_ok=True)
    done.write_bytes(mutated(json.dumps(DONE).encode(), mutations))
    (folder.path / "report.json").write_bytes(mutated(json.dumps(REPORT).encode(), mutations))
    folder.config_path.write_bytes(mutated(b"--seed=1\n--steps=5\n# from pixel step 6 on\n", mutations))
    with folder:
        try:
            folder.open({"seed": "1", "steps": "9"}, fixed={"seed"})
            folder.begin()
            folder.finished("pixel", steps=4, begun_after=[])
            folder.settle("pixel step 7")
        except UserError as error:
            assert "\n" not in str(error)
        folder.reports([DONE])
        folder.write_report({"phases": []})
        assert read_report(folder.path)["phases"] == []


@pytest.mark.parametrize("length", [251, 255, 256, 5000])
def test_a_long_name_is_one_line(tmp_path, length):
    path = tmp_path / ("r" * length)
    if length <= 255:
        begun(path, {"seed": "1"}).close()
    with pytest.raises(UserError, match="--run_dir=.*: (--new_run cannot|cannot be written).*name too long"):
        start(path, {"seed": "1"}, new_run=True)
    assert length > 255 or read_config(path / "config.txt") == {"seed": "1"}


def test_the_current_folder_is_not_moved_aside(tmp_path, monkeypatch):
    begun(tmp_path, {"seed": "1"}).close()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"--run_dir=\.: --new_run cannot move the current folder"):
        start(".", {"seed": "1"}, new_run=True)


def test_a_lock_that_is_a_link_and_a_line_break_in_a_flag_are_refused(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    (tmp_path / ".lock").symlink_to("thesis.txt")
    with pytest.raises(UserError, match=r"\.lock: a link"):
        start(tmp_path, {})
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    with pytest.raises(UserError, match="--hr_dir='a.*b': config.txt cannot hold a line break"):
        start(tmp_path / "run", {"hr_dir": "a\nb"})
