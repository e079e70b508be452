"""Which ledger URLs are accepted: those that the libraries which use them can take apart without
doubt. No part of a password is ever shown."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, make_url

from watchdog.config import ConfigError, load_config
from watchdog.urls.ledger import ledger_url, located, shown

POSTGRES = "postgresql+psycopg://"
SECRETS = ("hunter2", "s3cr3t")


def outcome(url: str) -> tuple[bool, str]:
    """Whether the URL is accepted, and all that a user then sees of it."""
    try:
        return True, shown(ledger_url(url))
    except ValueError as error:
        return False, str(error)


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("user:hunter2@db/ledger", [("db", "")]),
        ("user:hunter2@db:5433/ledger?sslmode=verify-full", [("db", "5433")]),
        ("[::1]:5433/ledger", [("::1", "5433")]),
        ("user:5432,x@db/ledger", [("db", "")]),
        ("user:a/b?c#d:e@db/ledger", [("db", "")]),
        ("user@first,second/ledger", [("first,second", "")]),
        ("user@db?dbname=ledger", [("db", "")]),
        ("/ledger?host=/run/postgresql", [("/run/postgresql", "")]),
        ("db/ledger?gssencmode=require&connect_timeout=3.5", [("db", "")]),
        (
            "user@/ledger?host=first:5432&host=second:5433",
            [("first", "5432"), ("second", "5433")],
        ),
        ("user@/ledger?host=first,second&port=1,2", [("first", "1"), ("second", "2")]),
    ],
)
def test_what_is_accepted_can_be_connected_to(url: str, hosts: list[tuple[str, str]]) -> None:
    engine = create_engine(ledger_url(f"{POSTGRES}{url}"))
    _, arguments = engine.dialect.create_connect_args(engine.url)
    assert arguments["host"] == ",".join(host for host, _ in hosts)
    assert str(arguments.get("port", "")) == ",".join(port for _, port in hosts if port)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("h1:5432,h2:5432/ledger", "several hosts like"),
        ("user:hunter2@h1:5432,h2/ledger", "several hosts like"),
        ("user@/ledger?host=h1&host=h2&port=1", "several hosts like"),
        ("db:postgres/ledger", "write it like"),
        ("[::1]hunter2/ledger", "write it like"),
        ("user:s3cr3t@hunter2@db/ledger", "write each @ as %40"),
        ("user:s3cr3t@hunter2/x@db/ledger", "write each @ as %40"),
        ("user:s3cr3t@hunter2?x@db/ledger", "write each @ as %40"),
        ("user:s3cr3t@db/hunter2?user=x@db/ledger", "write each @ as %40"),
        ("user/hunter2@db/ledger", "write each @ as %40"),
        ("user:hunter2@db", "names no database"),
        ("db/ledger?autocommit=true", "none that PostgreSQL's library"),
        ("db/ledger?plugin=hunter2", "none that PostgreSQL's library"),
        ("db/ledger?Password=hunter2", "none that PostgreSQL's library"),
        ("db/ledger?%2570assword=hunter2", "none that PostgreSQL's library"),
        ("db/ledger?sslmode%3Ddisable%20password=hunter2", "none that PostgreSQL's library"),
        ("db/ledger?password=hunter2&password=s3cr3t", "there twice"),
        ("db/ledger?sslmode=hunter2", "refuses the port or a value"),
        ("db/ledger?keepalives=hunter2", "refuses the port or a value"),
        ("db/ledger?connect_timeout=hunter2", "refuses the port or a value"),
        ("db/ledger?service=nowhere", "refuses the port or a value"),
        ("db:99999/ledger", "refuses the port or a value"),
        ("user:%00@db/ledger", "refuses the port or a value"),
        ("db/ledger&password=hunter2", "a password is where none is expected"),
        ("db/ledger?application_name=x;password=hunter2", "a password is where none is expected"),
        ("user%3Ahunter2@db/ledger", "a password is where none is expected"),
        ("db/x?user=user%3Ahunter2%40db", "a password is where none is expected"),
        ("db/x?dbname=postgresql%3A//u%3Ahunter2%40db/x", "a password is where none is expected"),
    ],
)
def test_what_cannot_be_connected_to_or_is_in_doubt_is_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - the text is checked
        ledger_url(f"{POSTGRES}{url}")
    assert says in str(refused.value)
    assert not any(secret in str(refused.value) for secret in SECRETS)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("user:hunter2@db/ledger", "user:***@db/ledger"),
        ("user:hun%40ter2@db/ledger", "user:***@db/ledger"),
        ("user:hunter2/s3cr3t?s3cr3t#x@db/ledger", "user:***@db/ledger"),
        ("ann@corp:hunter2@db/ledger", "ann%40corp:***@db/ledger"),
        (":hunter2@db/ledger", ":***@db/ledger"),
        ("db/ledger?password=hunter2", "db/ledger?password=***"),
        ("db/ledger?%70ass%77ord=hunter2", "db/ledger?password=***"),
        ("db/ledger?sslpassword=hunter2&user=a", "db/ledger?sslpassword=***&user=a"),
        (
            "user:hunter2@db/ledger?password=s3cr3t%26a%3Db",
            "user:***@db/ledger?password=***",
        ),
    ],
)
def test_every_secret_is_masked(url: str, seen: str) -> None:
    assert outcome(f"{POSTGRES}{url}") == (True, f"{POSTGRES}{seen}")


piece = st.sampled_from(
    ["hunter2", "s3cr3t", *"@:/?#[]&=%;, +\\'\"", "%40", "%3A", "%2F", "%3F", "password="]
)
password = st.lists(piece, max_size=8).map(lambda parts: "".join(["hunter2", *parts, "s3cr3t"]))


@given(
    password,
    st.sampled_from(["user", "", "u%40x"]),
    st.sampled_from(["db/ledger", "db:1/l?user=x"]),
)
def test_no_part_of_a_password_is_shown_whatever_is_in_it(text: str, user: str, rest: str) -> None:
    for url in (f"{user}:{text}@{rest}", f"db/ledger?password={text}"):
        _, seen = outcome(f"{POSTGRES}{url}")
        assert not any(secret in seen for secret in SECRETS)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_an_escaped_password_reaches_the_driver_as_it_is(text: str) -> None:
    engine = create_engine(ledger_url(f"{POSTGRES}user:{quote(text, safe='')}@db/ledger"))
    _, arguments = engine.dialect.create_connect_args(engine.url)
    assert arguments["password"] == text


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///%3Amemory%3A",
        "sqlite:///file%3Ax",
        "sqlite:////tmp/",
        "sqlite:////a%00b",
        "sqlite:////a?uri=true",
        "sqlite:////a#b",
        "sqlite://user:hunter2@host/a",
        "sqlite+aiosqlite:////a",
        "mysql://user:hunter2@host/a",
        "ledger.db",
    ],
)
def test_a_url_that_names_more_or_less_than_a_file_is_refused(url: str) -> None:
    accepted, seen = outcome(url)
    assert not accepted
    assert "hunter2" not in seen


def test_a_relative_file_starts_at_a_folder() -> None:
    folder = Path("/50% of #1?")
    assert make_url(located("sqlite:///a/b%20c.db", folder)).database == f"{folder}/a/b c.db"
    assert located("sqlite:////a.db", folder) == "sqlite:////a.db"
    assert located(f"{POSTGRES}user:hunter2@db/ledger", folder).endswith("user:hunter2@db/ledger")


@pytest.mark.parametrize(
    "url",
    ["https://1.2.3.999", "https://xn--.test", "https://[1:2]", "https://host:0", "https://host:x"],
)
def test_an_address_that_the_http_library_refuses_is_refused(url: str, tmp_path: Path) -> None:
    (tmp_path / "watchdog.yaml").write_text(f"baseten: {{base_url: '{url}'}}")
    with pytest.raises(ConfigError, match=r"baseten\.base_url: not a URL"):
        load_config(tmp_path / "watchdog.yaml")
