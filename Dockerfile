# Predicts and evaluates with one quantized model; cannot train, and holds nothing that could.
# `make docker` builds it. The base is any image with Python 3.11 or newer, its venv module and pip.
ARG PYTHON_IMAGE=docker.io/library/python:3.13-slim

# ---- what inference imports, every file checked against its hash, the build backend too
FROM ${PYTHON_IMAGE} AS packages
WORKDIR /build
COPY container/build.lock requirements-image.lock ./
RUN python -m venv venv \
 && venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --quiet \
      --require-hashes -r build.lock \
 && venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --quiet \
      --require-hashes --no-build-isolation --use-pep517 --no-compile \
      --target=/opt/mlrq -r requirements-image.lock \
 && rm -rf /opt/mlrq/bin \
 && find /opt/mlrq -type d -name tests -prune -exec rm -rf {} + \
 && python -m compileall -q -j 0 --invalidation-mode=unchecked-hash /opt/mlrq

# ---- the program and the model, readable by every user whatever the umask of the checkout
FROM ${PYTHON_IMAGE} AS program
COPY mlrq /opt/mlrq/mlrq
COPY conf /opt/mlrq/mlrq/conf
RUN python -m compileall -q --invalidation-mode=unchecked-hash /opt/mlrq \
 && chmod -R a+rX /opt/mlrq
COPY outputs/quantized.json /app/outputs/quantized.json
RUN chmod -R a+rX /app

# ---- the image
FROM ${PYTHON_IMAGE}
ARG PYTHON_IMAGE
LABEL org.opencontainers.image.title="mlrq" \
      org.opencontainers.image.description="A quantized linear regression that evaluates and predicts" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}"
COPY --from=packages /opt/mlrq /opt/mlrq
COPY --from=program /opt/mlrq /opt/mlrq
COPY --from=program /app /app
ENV PYTHONPATH=/opt/mlrq
# The model is where every stage looks for it: outputs/quantized.json in the working folder.
WORKDIR /app
USER 10001:10001
ENTRYPOINT ["python", "-m", "mlrq"]
CMD ["evaluate", "save=false"]
