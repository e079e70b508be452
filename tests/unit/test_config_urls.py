"""Which ledger URLs are accepted: those that the library which uses them can parse."""

import pytest
from sqlalchemy import create_engine, make_url

from watchdog.config.model import Store
from watchdog.config.urls import store_url_problem


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("user:hunter2@db/ledger", [("db", "")]),
        ("user:hunter2@db:5433/ledger?sslmode=verify-full", [("db", "5433")]),
        ("[::1]:5433/ledger", [("::1", "5433")]),
        ("user:5432,x@db/ledger", [("db", "")]),
        ("user@first,second/ledger", [("first,second", "")]),
        (
            "user@/ledger?host=first:5432&host=second:5433",
            [("first", "5432"), ("second", "5433")],
        ),
    ],
    ids=["usual", "port", "ipv6", "odd-password", "several-hosts", "several-ports"],
)
def test_what_is_accepted_can_be_connected_to(url: str, hosts: list[tuple[str, str]]) -> None:
    url = f"postgresql+psycopg://{url}"
    assert store_url_problem(url) is None
    engine = create_engine(make_url(url))
    _, arguments = engine.dialect.create_connect_args(engine.url)
    assert arguments["host"] == ",".join(host for host, _ in hosts)
    assert str(arguments.get("port", "")) == ",".join(port for _, port in hosts)


@pytest.mark.parametrize(
    "url",
    ["h1:5432,h2:5432/ledger", "user:hunter2@h1:5432,h2/ledger", "db:postgres/ledger", "db:/x"],
)
def test_what_the_library_cannot_take_apart_is_refused(url: str) -> None:
    problem = store_url_problem(f"postgresql+psycopg://{url}")
    assert problem is not None
    assert "hunter2" not in problem


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_a_newline_at_the_end_of_the_url_is_no_part_of_it(end: str) -> None:
    url = "postgresql+psycopg://user:hunter2@db/ledger"
    assert Store.model_validate({"url": url + end}).url == url
