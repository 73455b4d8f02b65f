# The watchdog with Helm and Docker Compose, for a cluster or a Compose project: docker build -t deploy-watchdog:0.1.0 .
#
# One Helm, version 4: it rolls back releases of Helm 3 and 4 alike (Helm 3 goes on upgrading them afterwards), and it
# alone records which revision was brought back. Helm and Compose are built from their pinned modules, which Go verifies.
# What is in a folder `prebuilt/` beside this file is used instead of being fetched: prebuilt/helm,
# prebuilt/docker-compose, and wheels in prebuilt/wheels (with `--build-arg PIP_NO_INDEX=1` only those).
#
# The bases can be others. BASE_BUILD and BASE_RUNTIME hold the same Python at the same path, on glibc (some wheels are
# native); BASE_BUILD also pip and a shell; BASE_RUNTIME needs no shell.
ARG BASE_GO=golang:1.26-bookworm
ARG BASE_BUILD=python:3.11-slim-bookworm
ARG BASE_RUNTIME=python:3.11-slim-bookworm

FROM ${BASE_GO} AS programs
ARG HELM_VERSION=v4.3.1
ARG COMPOSE_VERSION=v2.40.3
ENV CGO_ENABLED=0 GOBIN=/out
COPY LICENSE prebuil[t] /prebuilt/
RUN mkdir -p /out && if [ -x /prebuilt/helm ]; then cp /prebuilt/helm /out/helm; else \
      go install -trimpath -ldflags="-s -w -X helm.sh/helm/v4/internal/version.version=${HELM_VERSION}" \
        "helm.sh/helm/v4/cmd/helm@${HELM_VERSION}"; fi
RUN if [ -x /prebuilt/docker-compose ]; then cp /prebuilt/docker-compose /out/docker-compose; else \
      module="github.com/docker/compose/v2" \
      && go mod download "$module@${COMPOSE_VERSION}" \
      && cd "$(go env GOMODCACHE)/$module@${COMPOSE_VERSION}" \
      && go build -trimpath -ldflags="-s -w -X $module/internal.Version=${COMPOSE_VERSION}" \
           -o /out/docker-compose ./cmd; fi

FROM ${BASE_BUILD} AS build
ARG PIP_NO_INDEX
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_FIND_LINKS=/prebuilt/wheels
ENV UV_NO_CACHE=1 UV_LINK_MODE=copy UV_FIND_LINKS=/prebuilt/wheels UV_PYTHON_DOWNLOADS=never
WORKDIR /src
COPY LICENSE prebuil[t] /prebuilt/
COPY requirements requirements
# uv, pinned with its hash as all else is, comes by pip and does the rest in seconds.
RUN mkdir -p /prebuilt/wheels && python3 -m venv --without-pip /opt/watchdog && python3 -m venv --without-pip /opt/build \
 && python3 -m pip --python /opt/build/bin/python install --require-hashes --no-deps -r requirements/uv.txt \
 && install="/opt/build/bin/uv pip install ${PIP_NO_INDEX:+--no-index} --require-hashes --no-deps" \
 && $install --python /opt/build/bin/python -r requirements/build.txt \
 && $install --python /opt/watchdog/bin/python -r requirements/image.txt
# What is not used goes: all of scipy but scipy.special, others' tests, the asynchronous client of Kubernetes. What is
# left is compiled, but for Kubernetes' models, which are loaded one by one. tests/real/test_image.py imports every module
# of the program.
RUN packages=$(/opt/watchdog/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') \
 && cd "$packages/scipy" && rm -rf cluster datasets differentiate fft fftpack integrate interpolate io linalg misc \
      ndimage odr optimize signal sparse spatial stats \
 && find "$packages/numpy" "$packages/scipy" -type d -name tests -prune -exec rm -rf {} + \
 && rm -rf "$packages/kubernetes/aio" && mkdir /state \
 && /opt/watchdog/bin/python -m compileall -q -x '/kubernetes/client/' "$packages"
COPY LICENSE README.md CHANGELOG.md pyproject.toml ./
COPY rules rules
COPY watchdog watchdog
RUN /opt/build/bin/uv build --wheel --offline --no-build-isolation --python /opt/build/bin/python --out-dir /dist . \
 && /opt/build/bin/uv pip install --python /opt/watchdog/bin/python --compile-bytecode --offline --no-deps /dist/*.whl

FROM ${BASE_RUNTIME}
LABEL org.opencontainers.image.title="deploy-watchdog" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=programs /out/ /usr/local/bin/
COPY --from=build /opt/watchdog /opt/watchdog
COPY --from=build --chown=65532:65532 /state /var/lib/watchdog
# HOME is where Helm keeps what it asked the API server for; USER, because the uid has no name here.
ENV PATH=/opt/watchdog/bin:/usr/local/bin:/usr/bin:/bin \
    WATCHDOG_CONFIG=/etc/watchdog/watchdog.yaml HOME=/tmp USER=watchdog \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
WORKDIR /var/lib/watchdog
VOLUME /var/lib/watchdog
EXPOSE 9099
ENTRYPOINT ["watchdog"]
CMD ["run"]
