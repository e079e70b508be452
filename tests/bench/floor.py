"""The floor under the daemon: a process that has imported an HTTP client and a metrics library."""

import httpx  # noqa: F401
import prometheus_client  # noqa: F401

from tests.bench.usage import cpu_seconds, resident_bytes, tell

if __name__ == "__main__":
    tell(cpu_seconds=cpu_seconds(), resident_bytes=resident_bytes())
