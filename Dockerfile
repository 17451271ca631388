# The sandbox image: one venv, one supervisor, one unprivileged user. It is made of this folder and of hash-pinned wheels
# only, and knows nothing of the machine that builds it.
ARG BASE_IMAGE=python:3.12-slim
FROM ${BASE_IMAGE}

# curl, where the base has none. Without apt, or with no mirror within reach, the image is made without it.
RUN command -v curl >/dev/null \
 || { command -v apt-get >/dev/null && set -- -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 \
   && apt-get "$@" update && DEBIAN_FRONTEND=noninteractive apt-get "$@" install -y --no-install-recommends curl >/dev/null; } \
 || echo 'note: the sandbox has no curl: its base image has no apt-get, or found no package'; \
    rm -rf /var/lib/apt/lists/* /var/cache/apt/*

# What code finds: core, or data with numpy, pandas and matplotlib.
ARG FLAVOUR=core
COPY sandbox/requirements/${FLAVOUR}.txt /eco/requirements.txt
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-input --no-compile --progress-bar off \
        --require-hashes --only-binary :all: -r /eco/requirements.txt

# The file system is read-only at run time, so every module is compiled here: slim bases come without their own .pyc files.
RUN find "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" /opt/venv/lib -name '*.py' -print0 \
  | xargs -0 -n 400 -P "$(nproc)" python3 -c 'import py_compile, sys; [py_compile.compile(path, quiet=2) for path in sys.argv[1:]]'

RUN echo 'sandbox:x:10001:' >> /etc/group \
 && echo 'sandbox:x:10001:10001::/home/sbx:/bin/sh' >> /etc/passwd \
 && mkdir -p /home/sbx /run/eco

# Some clients look nowhere else for whom to trust: in here that is the session's own authority and nobody else.
RUN ln -sf /run/eco/ca.pem "$(/opt/venv/bin/python -m certifi)"

COPY sandbox/relay /eco/sandbox/relay
RUN /opt/venv/bin/python -m compileall -q /eco

USER 10001:10001
WORKDIR /home/sbx
ENTRYPOINT ["/opt/venv/bin/python", "-I", "-S", "/eco/sandbox/relay/__main__.py"]
