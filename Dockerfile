# Assay in a container: `docker run IMAGE` checks the built-in study. See docs/containers.md.

FROM python:3.11-slim AS build

# The lock alone decides what is installed. A private index or certificate comes as the secret `pip`
# (a pip.conf) and stays out of the image. Nothing compiles against TensorFlow's 11,000 headers.
COPY requirements.txt /app/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python --no-cache-dir install \
      --no-compile --require-hashes --only-binary=:all: -r /app/requirements.txt \
 && rm -r /opt/venv/lib/python3.11/site-packages/tensorflow/include

# Without bytecode TensorFlow takes 11 s to import instead of 4. It is not checked against times,
# which an image build may rewrite.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/venv

WORKDIR /app
COPY LICENSE ./
COPY expectations expectations
COPY hypotheses hypotheses
COPY data/catalogue.toml data/
COPY tasks tasks
COPY flows flows
COPY assay assay
# Our own bytecode is checked against its source: an image built on this one may replace a file.
RUN python -m compileall -q --invalidation-mode checked-hash . \
 && chmod -R u=rwX,go=rX .


FROM python:3.11-slim

# The base image brings its standard library without bytecode. Lines are appended because `useradd`
# writes today's date, and then no build repeats.
RUN python -m compileall -q -x site-packages --invalidation-mode unchecked-hash \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && printf 'assay:x:10001:\n' >> /etc/group \
 && printf 'assay:x:10001:10001::/app:/usr/sbin/nologin\n' >> /etc/passwd \
 && install -d /data \
 && install -d -o 10001 -g 10001 /app/artifacts

COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app

# Everything that is written lies in one folder, the Prefect server's web pages too, so that the
# rest can be read-only. Without PYTHONDONTWRITEBYTECODE every run leaves bytecode of TensorFlow's
# temporary modules there. The last two: Prefect's client and server phone home until told not to.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    ASSAY_DATA=/data \
    ASSAY_ARTIFACTS=/app/artifacts \
    HOME=/app/artifacts/.home \
    PREFECT_HOME=/app/artifacts/.prefect \
    PREFECT_SERVER_UI_STATIC_DIRECTORY=/app/artifacts/.prefect/ui \
    TMPDIR=/app/artifacts \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false
VOLUME /app/artifacts
USER 10001:10001

# `docker stop` then ends a check as Ctrl-C does: what was finished is kept.
STOPSIGNAL SIGINT
ENTRYPOINT ["python", "flows/main.py"]

ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Assay" \
      org.opencontainers.image.description="Takes a dataset and a hypothesis and answers, with evidence: signal, claim, deep learning's worth, sameness." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
