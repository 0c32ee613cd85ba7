# The newest Python that the whole suite has run on.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    KINORA_DATA_DIR=/data \
    DATABASE_URL=sqlite:////data/kinora.db

# A fixed number, so that whoever mounts a folder of the host at /data knows whom to give it to.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin kinora \
    && install --directory --mode=0700 --owner=kinora --group=kinora /data

WORKDIR /app

# Before the code, so that a change of the code does not install everything again.
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore \
        --only-binary=:all: --require-hashes -r requirements.txt

COPY bot ./bot
COPY cogs ./cogs
# Nothing is written here later, and the health check starts a Python twice a minute.
RUN python -m compileall -q bot cogs

USER kinora
# The database: without a volume, a new container would forget renders that are paid for.
VOLUME /data

STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["python", "-m", "bot", "health"]
CMD ["python", "-m", "bot"]
