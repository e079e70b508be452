# docker build -t baseten-watchdog .
# Where no image registry can be reached: --build-arg BASE=<any image with Python 3.11 or newer and pip>
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
RUN python3 -m venv --without-pip /opt/baseten-watchdog
COPY requirements.lock .
# Byte code is compiled once, at the end: pip's is checked against modification times, which layers round.
RUN python3 -m pip --python /opt/baseten-watchdog/bin/python install \
        --no-cache-dir --no-compile --only-binary :all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY watchdog watchdog
# setuptools is in the lock for this step alone.
RUN python3 -m pip --python /opt/baseten-watchdog/bin/python install \
        --no-cache-dir --no-compile --no-deps --no-build-isolation . \
    && python3 -m pip --python /opt/baseten-watchdog/bin/python uninstall --yes setuptools
# Two builds of one commit make the same layer: the byte code depends on the source alone, and all files have one time.
ARG SOURCE_DATE_EPOCH=0
RUN /opt/baseten-watchdog/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/baseten-watchdog/lib \
    && find /opt/baseten-watchdog -exec touch --no-dereference --date "@${SOURCE_DATE_EPOCH}" {} +

FROM ${BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="baseten-watchdog" \
      org.opencontainers.image.description="Keeps Baseten development deployments alive" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/baseten-watchdog /opt/baseten-watchdog
# The ledger's default place is $XDG_STATE_HOME/baseten-watchdog.
ENV PATH="/opt/baseten-watchdog/bin:$PATH" \
    PYTHONUNBUFFERED=1 \
    XDG_STATE_HOME=/var/lib
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/baseten-watchdog
VOLUME /var/lib/baseten-watchdog
USER 65532:65532
EXPOSE 9464
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["baseten-watchdog", "health"]
ENTRYPOINT ["baseten-watchdog"]
CMD ["run"]
