# Assay in a container: `docker run IMAGE` checks the built-in study. The target `predict` holds prediction
# alone. See docs/containers.md.

# What every stage stands on. The base image brings its standard library without bytecode. Lines are appended
# because `useradd` writes today's date, and then no build repeats.
FROM python:3.11-slim AS base
RUN python -m compileall -q -x site-packages --invalidation-mode unchecked-hash \
      "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
 && printf 'assay:x:10001:\n' >> /etc/group \
 && printf 'assay:x:10001:10001::/app:/usr/sbin/nologin\n' >> /etc/passwd

# Empty, unless a build without network names a folder of wheels: --build-context wheels=FOLDER.
FROM scratch AS wheels


FROM base AS predict-build
WORKDIR /app
COPY LICENSE ./
COPY assay/__init__.py assay/errors.py assay/requirements.txt assay/
COPY assay/bundle/requirements.py assay/bundle/
COPY assay/wording assay/wording
COPY assay/formats assay/formats
COPY assay/predict assay/predict
# The lock's own lines for NumPy, onnxruntime and pyarrow, with their hashes. What prediction never loads goes:
# headers, tests, network file systems, a library for programs in C, and tools for making models.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=bind,from=wheels,target=/wheels \
    python -c 'import pathlib; from assay.bundle.requirements import subset; print(subset(pathlib.Path("assay/requirements.txt").read_text()))' \
      > requirements.txt \
 && python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python --no-cache-dir install \
      --no-compile --require-hashes --only-binary=:all: -r requirements.txt \
 && find . -name __pycache__ -prune -exec rm -r {} + \
 && rm -r assay/bundle assay/requirements.txt \
 && chmod -R u=rwX,go=rX .
WORKDIR /opt/venv/lib/python3.11/site-packages
RUN rm -r pyarrow/include pyarrow/src pyarrow/tests pyarrow/*_flight.* pyarrow/libarrow_s3.* pyarrow/_s3fs.* \
      numpy/_core/include onnxruntime/capi/libonnxruntime.so.* \
      onnxruntime/quantization onnxruntime/tools onnxruntime/transformers \
 && find numpy -name tests -prune -exec rm -r {} + \
 && python -m compileall -q --invalidation-mode unchecked-hash /opt/venv \
 && python -m compileall -q --invalidation-mode checked-hash /app


FROM base AS predict
COPY --from=predict-build /opt/venv /opt/venv
COPY --from=predict-build /app /app
WORKDIR /app
# onnxruntime phones home until told not to.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1
USER 10001:10001
STOPSIGNAL SIGINT
ENTRYPOINT ["python", "-m", "assay.predict"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Assay, prediction" \
      org.opencontainers.image.description="Predicts the rows of a table with the model that a check by Assay left." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"


FROM base AS build

# The lock alone decides what is installed. A private index or certificate comes as the secret `pip`
# (a pip.conf) and stays out of the image. Nothing compiles against TensorFlow's 11,000 headers.
COPY requirements.txt /app/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf \
    --mount=type=bind,from=wheels,target=/wheels \
    python -m venv --without-pip /opt/venv \
 && python -m pip --python /opt/venv/bin/python --no-cache-dir install \
      --no-compile --require-hashes --only-binary=:all: -r /app/requirements.txt \
 && rm -rf /opt/venv/lib/python3.11/site-packages/tensorflow/include

# Without bytecode TensorFlow takes 11 s to import instead of 4. It is not checked against times,
# which an image build may rewrite.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/venv

WORKDIR /app
COPY LICENSE prefect.yaml automations.yaml ./
COPY expectations expectations
COPY hypotheses hypotheses
COPY data/catalogue.toml data/
COPY tasks tasks
COPY flows flows
COPY assay assay
# Our own bytecode is checked against its source: an image built on this one may replace a file.
RUN python -m compileall -q --invalidation-mode checked-hash . \
 && chmod -R u=rwX,go=rX .


FROM base
RUN install -d /data \
 && install -d -o 10001 -g 10001 /app/artifacts
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app

# Everything that is written lies in one folder, the Prefect server's web pages too, so that the
# rest can be read-only. Without PYTHONDONTWRITEBYTECODE every run leaves bytecode of TensorFlow's
# temporary modules there. The last three: Prefect and onnxruntime phone home until told not to.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    ASSAY_DATA=/data \
    ASSAY_ARTIFACTS=/app/artifacts \
    HOME=/app/artifacts/.home \
    PREFECT_HOME=/app/artifacts/.prefect \
    PREFECT_SERVER_UI_STATIC_DIRECTORY=/app/artifacts/.prefect/ui \
    TMPDIR=/app/artifacts \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    ORT_DISABLE_TELEMETRY=1
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
