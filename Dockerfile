# Two stages: the first installs the locked dependencies and builds the wheel, the second runs it.
FROM python:3.12-slim-bookworm AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src

# The dependencies first: this layer stays until the lock file changes.
COPY requirements.lock ./
RUN python -m venv --without-pip /opt/vigencia \
    && pip --python /opt/vigencia/bin/python install --no-cache-dir --only-binary :all: \
        --require-hashes --requirement requirements.lock

# What builds the wheel, in the versions and with the hashes of the other lock file.
COPY requirements-dev.lock ./
RUN awk '/^[a-z]/ {keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/} keep' \
        requirements-dev.lock > build.lock \
    && pip install --no-cache-dir --require-hashes --requirement build.lock

COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY templates templates
COPY examples examples
COPY worker worker
RUN pip wheel --no-cache-dir --no-build-isolation --no-deps --wheel-dir dist . \
    && pip --python /opt/vigencia/bin/python install --no-cache-dir --no-deps dist/*.whl


FROM python:3.12-slim-bookworm

# A fixed number, so that files on a volume keep their owner from one image to the next.
RUN groupadd --gid 10001 vigencia \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/vigencia \
        --shell /usr/sbin/nologin vigencia \
    && install --directory --owner 10001 --group 10001 --mode 0750 /var/lib/vigencia

COPY --from=build /opt/vigencia /opt/vigencia

ENV PATH=/opt/vigencia/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

USER 10001:10001
# Without DATABASE_URL the database is var/vigencia.db in here; a config/ mounted here is read.
WORKDIR /var/lib/vigencia

# Of `vigencia web`, once VIGENCIA_WEB__HOST says that others than this container may call it.
EXPOSE 8800
STOPSIGNAL SIGTERM
ENTRYPOINT ["vigencia"]
CMD ["--help"]
