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


def test_a_run_without_a_checkpoint_is_no_run(tmp_path):
    RunFolder(tmp_path, role="student").open({"seed": "1"}, fixed={"seed"})
    assert RunFolder(tmp_path, role="student").open({"seed": "2"}, fixed={"seed"}) == {}


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UserError, match="--run_dir=.*run: cannot be written"):
        RunFolder(tmp_path / "run", role="student").open({}, fixed=set())
