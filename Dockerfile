# The sandbox image: one venv, one supervisor, one unprivileged user. It is made of this folder and of hash-pinned wheels
# only, and knows nothing of the machine that builds it.
ARG BASE_IMAGE=python:3.12-slim
FROM ${BASE_IMAGE}

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

# Debian's Python has a sitecustomize of its own, which hides any other: ours is loaded by a .pth line under another name.
COPY sandbox/relay /eco/sandbox/relay
COPY sandbox/sitecustomize.py /eco/
RUN site="$(/opt/venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && mv /eco/sitecustomize.py "$site/eco_site.py" \
 && echo 'import eco_site' > "$site/eco_site.pth" \
 && /opt/venv/bin/python -m compileall -q "$site/eco_site.py" /eco

USER 10001:10001
WORKDIR /home/sbx
ENTRYPOINT ["/opt/venv/bin/python", "-I", "-S", "/eco/sandbox/relay/__main__.py"]
