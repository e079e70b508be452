"""Which model a command is about."""

import pytest

from watchdog.cli.model_argument import resolve
from watchdog.domain.records import Target

WHERE = "in the configuration or the ledger"
KNOWN: list[tuple[str, str | None]] = [("aaaa1111", "sdxl"), ("bbbb1111", None)]
PAST = [Target("cccc1111", name="sdxl"), Target("dddd1111", name="gone")]


@pytest.mark.parametrize(
    ("model", "model_id"),
    [
        ("aaaa1111", "aaaa1111"),
        ("sdxl", "aaaa1111"),
        ("cccc1111", "cccc1111"),
        ("gone", "dddd1111"),
    ],
)
def test_a_configured_name_comes_before_that_of_a_model_that_is_gone(
    model: str, model_id: str
) -> None:
    assert resolve(model, KNOWN, PAST) == model_id


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("twice", "'twice' is the name of 2 models: use an id: a1, a2"),
        ("onse", f"there is no model 'onse' {WHERE}: did you mean once?"),
        ("no-such", f"there is no model 'no-such' {WHERE}: `status` lists those it knows"),
        ("on*", f"there is no model 'on*' {WHERE}: this takes one model, and no pattern"),
    ],
)
def test_a_name_that_is_no_answer_is_an_error(
    model: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    known: list[tuple[str, str | None]] = [("a1", "twice"), ("a2", "twice"), ("a3", "once")]
    with pytest.raises(SystemExit) as ended:
        resolve(model, known)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: {says}\n"
