"""Links to Baseten's own pages."""

from watchdog.text.links import APP_URL, logs_link, model_link


def test_a_deployment_has_its_logs() -> None:
    assert logs_link(APP_URL, "m1", "d1") == "https://app.baseten.co/models/m1/logs/d1"


def test_an_id_is_one_part_of_the_path() -> None:
    assert model_link("http://h", "a/../b?c") == "http://h/models/a%2F..%2Fb%3Fc"
    assert logs_link("http://h", "m", "d/#é") == "http://h/models/m/logs/d%2F%23%C3%A9"
