"""From the settings about images to a data set, and from an earlier run to the settings."""

import pytest
from PIL import Image

from data.choice import open_source
from errors import UserError
from runs import with_pictures_of
from settings.pictures import Pictures
from settings.training import TrainStudent


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with originals, small images and a run that used them; the current one."""
    monkeypatch.chdir(tmp_path)
    for folder, side in (("hr", 128), ("lr", 64)):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            Image.new("RGB", (side, side)).save(tmp_path / folder / f"{name}.png")
    (tmp_path / "run").mkdir()
    config = "--dataset=paired\n--hr_dir=hr\n--lr_dir=lr\n--scale=2\n--degradation_seed=0\n--batch_size=3\n"
    (tmp_path / "run/config.txt").write_text(config)
    return tmp_path


def described(**values):
    return open_source(Pictures(**values), "validation").description


def test_settings_reach_the_data_set(here):
    assert (
        described(dataset="folder", hr_dir="hr", degradation="real", degradation_seed=7)
        == "folder hr/ (1 pictures for validation, LR: second-order x4, seed 7)"
    )
    assert (
        described(dataset="paired", hr_dir="hr", lr_dir="lr", scale=2)
        == "paired hr/ and lr/ (1 pairs for validation, x2)"
    )


def adopted(run, given=(), **values):
    command = TrainStudent(given=frozenset(given)).with_values(**values)
    return open_source(with_pictures_of(run, command).pictures, "validation").description


def test_a_run_says_which_images_unless_the_command_does(here):
    assert adopted(here / "run") == "paired hr/ and lr/ (1 pairs for validation, x2)"
    # A data set of this command's own leaves the run's folders alone, but keeps its scale.
    others = adopted(here / "run", ("dataset", "degradation"), dataset="sample", degradation="blur")
    assert "LR: Gaussian blur 0.8 px, bicubic x2" in others
    assert "MATLAB bicubic x4" in adopted(here / "lr", ("dataset",), dataset="sample")
    with pytest.raises(UserError, match="lr/config.txt: no such file"):
        adopted(here / "lr")


def test_a_config_with_a_value_of_another_type_is_named(here):
    (here / "run/config.txt").write_text("--scale=two\n")
    with pytest.raises(UserError, match="config.txt: --scale=two"):
        adopted(here / "run")
    (here / "run/config.txt").write_bytes(b"\xff\xfe--scale=2")
    with pytest.raises(UserError, match="config.txt: line 1 is no --flag=value"):
        adopted(here / "run")


def test_scale_1_asks_for_something_to_learn():
    for values in ({"dataset": "sample"}, {"dataset": "celeb_a", "degradation": "bicubic"}):
        with pytest.raises(UserError, match="--scale=1: bicubic"):
            described(scale=1, **values)
    assert "LR: Gaussian blur 0.4 px" in described(dataset="sample", scale=1, degradation="blur")
