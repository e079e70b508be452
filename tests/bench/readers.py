"""Open pages and scrapers, which ask again and again until this process is ended."""

import argparse
import threading
import time
import urllib.request

_PAGES, _PAGE_SECONDS = 5, 10
"""The interval is that of the page's own script."""

_SCRAPERS, _SCRAPE_SECONDS = 2, 15
_TIMEOUT_SECONDS = 60


def ask(url: str, every: float, first: float) -> None:
    time.sleep(first)
    while True:
        began = time.monotonic()
        asked = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        try:
            with urllib.request.urlopen(asked, timeout=_TIMEOUT_SECONDS) as answer:
                answer.read()
        except OSError:
            pass  # The daemon has not started yet, or it ends.
        time.sleep(max(0.1, began + every - time.monotonic()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    url = parser.parse_args().url
    for path, count, every in (
        ("/", _PAGES, _PAGE_SECONDS),
        ("/metrics", _SCRAPERS, _SCRAPE_SECONDS),
    ):
        for number in range(count):
            given = (f"{url}{path}", every, every * number / count)
            threading.Thread(target=ask, args=given, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
