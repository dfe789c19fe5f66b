import pytest

from errors import UserError
from training.run_folder import RunFolder, read_config


def begun(path, config):
    """A run with a checkpoint."""
    folder = RunFolder(path, role="student")
    folder.open(config, fixed={"seed"})
    folder.checkpoints("pixel").mkdir(parents=True)
    return folder


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
    assert read_config(tmp_path / "run.old-1" / "config.txt") == {"seed": "1"}
    assert (tmp_path / "run.old-1" / "checkpoints" / "pixel").is_dir()
    assert not folder.checkpoints("pixel").exists()


def test_a_run_begun_before_there_was_a_flag_goes_on_with_its_default(tmp_path):
    folder = begun(tmp_path / "run", {"seed": "1"})
    fixed, defaults = {"seed", "grid_weight"}, {"grid_weight": "0.0"}
    with pytest.raises(UserError, match=r"\(--grid_weight was 0\.0, is 5\.0\)"):
        folder.open({"seed": "1", "grid_weight": "5.0"}, fixed=fixed, defaults=defaults)
    assert folder.open({"seed": "1", "grid_weight": "0.0"}, fixed=fixed, defaults=defaults) == {}


def test_a_run_without_a_checkpoint_is_no_run(tmp_path):
    RunFolder(tmp_path, role="student").open({"seed": "1"}, fixed={"seed"})
    assert RunFolder(tmp_path, role="student").open({"seed": "2"}, fixed={"seed"}) == {}


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="--run_dir=.*run: cannot be written"):
        RunFolder(tmp_path / "run", role="student").open({}, fixed=set())


def fail_in(folder, config, **options):
    """As a command that opens its run, writes a first checkpoint and weights, and fails before its first update."""
    with pytest.raises(UserError, match="too large"), folder:
        folder.open(config, fixed={"seed"}, **options)
        folder.checkpoints("pixel").mkdir(parents=True)
        folder.weights.write_text("untrained")
        raise UserError("--patch_size: too large")


def test_a_start_that_fails_leaves_nothing(tmp_path):
    fail_in(RunFolder(tmp_path / "runs/new", role="student"), {"seed": "1"})
    assert list(tmp_path.iterdir()) == []


def test_a_start_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    fail_in(RunFolder(tmp_path, role="student"), {"seed": "1"})
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_new_run_that_fails_to_start_gives_the_old_one_back(tmp_path):
    begun(tmp_path / "run", {"seed": "1"}).close()
    fail_in(RunFolder(tmp_path / "run", role="student"), {"seed": "2"}, new_run=True)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert read_config(tmp_path / "run/config.txt") == {"seed": "1"}
    assert (tmp_path / "run/checkpoints/pixel").is_dir()


def test_after_its_first_update_or_when_continued_a_run_stays(tmp_path):
    folder = RunFolder(tmp_path / "run", role="student")
    with pytest.raises(RuntimeError), folder:
        folder.open({"seed": "1"}, fixed={"seed"})
        folder.checkpoints("pixel").mkdir(parents=True)
        folder.settle()
        raise RuntimeError
    fail = RunFolder(tmp_path / "run", role="student")
    with pytest.raises(RuntimeError), fail:
        fail.open({"seed": "1"}, fixed={"seed"})
        raise RuntimeError
    assert (tmp_path / "run/checkpoints/pixel").is_dir()
    assert read_config(tmp_path / "run/config.txt") == {"seed": "1"}
