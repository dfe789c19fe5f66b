"""Settings as flags: defined, read, bounded, written and read back."""

from dataclasses import replace

import pytest
from absl import flags

from cli.flags import define, read
from settings.fields import about_fields, as_config, from_text, names_where
from settings.pictures import Pictures
from settings.training import TrainStudent, TrainTeacher
from settings.transfer import TRAINING_GROUPS, Distill


@pytest.fixture
def parse():
    """`f(defaults, *words)`, the settings of a command line, on flags of this test's own."""

    def parse(defaults, *words):
        values = flags.FlagValues()
        define(defaults, values)
        values(["command", *words])
        return read(defaults, values)

    return parse


@pytest.mark.parametrize("command", [TrainTeacher, TrainStudent, Distill])
def test_without_flags_the_settings_are_the_defaults(parse, command):
    assert parse(command()) == command()


def test_flags_reach_their_settings(parse):
    settings = parse(TrainStudent(), "--depth=3", "--deterministic", "--decay_steps=5,9")
    assert (settings.network.depth, settings.machine.deterministic) == (3, True)
    assert settings.training.decay_steps == ("5", "9")
    assert settings.given == {"depth", "deterministic", "decay_steps"}


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("--ema_decay=nan", "no finite number"),
        ("--ema_decay=2", "0.999999"),
        ("--grid_weight=inf", "no finite number"),
        ("--clip_norm=0", "above 0"),
        ("--label_smoothing=0.7", "0.5"),
        ("--seed=4294967296", "4294967295"),
        ("--perceptual_layer=block9_conv1", "block1_conv1"),
        ("--steps=0", "at least 1"),
        ("--decay_steps=abc", "invalid literal"),
        ("--decay_steps=5,0", "at least 1"),
        ("--degradation_seed=-1", "at least 0"),
        ("--worker_timeout=1e300", "at most 2147483647"),
        ("--decay_steps=99999999999999999999", "at most 2147483647"),
        ("--tail=chroma", "rgb|luma"),
    ],
)
def test_values_out_of_bounds_are_refused_when_they_are_read(parse, word, said):
    with pytest.raises(flags.Error, match=said.replace("|", r"\|")):
        parse(Distill(), word)


def test_every_number_refuses_nan_and_infinity(parse):
    for name in [item.name for _, item in Distill().items() if "float" in str(item.type)]:
        for value in ("nan", "inf", "-inf"):
            with pytest.raises(flags.Error):
                parse(Distill(), f"--{name}={value}")


def test_config_is_read_back_to_the_same_settings(parse):
    settings = parse(Distill(), "--kd_weight=0.3", "--hr_dir=photos", "--cache_teacher", "--decay_steps=1,2")
    config = as_config(settings)
    assert config["kd_weight"] == "0.3" and config["cache_teacher"] == "true" and config["decay_steps"] == "1,2"
    assert "new_run" not in config and "clip_norm" not in config
    values = {
        item.name: from_text(group, item, config[item.name]) for group, item in settings.items() if item.name in config
    }
    assert Distill().with_values(**values) == replace(settings, given=frozenset())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("degradation_seed", "-1"),
        ("clip_norm", "0"),
        ("kd_weight", "nan"),
        ("decay_steps", "5,0"),
        ("seed", "4294967296"),
    ],
)
def test_a_config_is_held_to_the_same_bounds(name, text):
    (found,) = [(group, item) for group, item in Distill().items() if item.name == name]
    with pytest.raises(ValueError, match="has to be|finite"):
        from_text(*found, text)


def test_every_setting_has_help_and_one_meaning():
    known = {}
    for group in TRAINING_GROUPS:
        for item in about_fields(group):
            about = item.metadata["about"]
            assert about.help.endswith("."), item.name
            assert known.setdefault(item.name, about) == about or item.name in ("teacher", "init"), item.name


def test_what_names_a_place():
    assert names_where(Pictures, place=True) == {
        "hr_dir",
        "lr_dir",
        "valid_dir",
        "valid_lr_dir",
        "data_dir",
        "cache_dir",
    }


def test_a_name_that_no_setting_has_is_an_error():
    with pytest.raises(ValueError, match="no setting is called kd_wieght"):
        Distill().with_values(kd_wieght=1.0)


@pytest.mark.parametrize(("name", "text"), [("dataset", "imagenet"), ("scale", "0"), ("scale", "two")])
def test_a_text_that_no_flag_would_take_is_refused(name, text):
    (item,) = (item for item in about_fields(Pictures) if item.name == name)
    with pytest.raises(ValueError):
        from_text(Pictures, item, text)


@pytest.mark.parametrize("words", ["0.2,1.1", "x", "nan"])
def test_each_number_of_a_list_has_its_bounds(parse, words):
    assert parse(TrainTeacher(), "--interpolate_alpha=0,0.5,1").interpolation.interpolate_alpha == ("0", "0.5", "1")
    with pytest.raises(flags.Error):
        parse(TrainTeacher(), f"--interpolate_alpha={words}")


@pytest.mark.parametrize(
    ("command", "words", "expected"),
    [
        (TrainStudent(), [], ("muon", 2e-3)),
        (Distill(), [], ("muon", 2e-3)),
        (TrainTeacher(), [], ("adam", 1e-4)),
        (Distill(), ["--optimizer=adam"], ("adam", 5e-4)),
        (TrainTeacher(), ["--optimizer=muon"], ("muon", 2e-3)),
        (TrainStudent(), ["--optimizer=adam", "--learning_rate=3e-3"], ("adam", 3e-3)),
        (TrainStudent(), ["--learning_rate=1e-3"], ("muon", 1e-3)),
    ],
)
def test_an_optimizer_brings_its_own_rate(parse, command, words, expected):
    training = parse(command, *words).training
    assert (training.optimizer, training.learning_rate) == expected
