# syntax=docker/dockerfile:1
# Builds the service and nothing else; it runs as a user that may write only its data directory.
#
# The base images are named by their release and not by a digest: whoever deploys builds on that day, and gets
# that day's security fixes of Debian. A digest would keep the holes of the day it was written down.
FROM rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# The dependencies first, so that a change of ours does not build them again.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY tests/browser tests/browser
COPY tests/each-engine tests/each-engine
COPY tests/fake-google tests/fake-google
COPY tests/postgres-rig tests/postgres-rig
RUN mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
    && cargo build --release --locked --features postgres --bin doubletick-sheets \
    && rm -r src

COPY src src
# The placeholder's fingerprint must not be mistaken for ours.
RUN touch src/main.rs src/lib.rs && cargo build --release --locked --features postgres --bin doubletick-sheets

FROM debian:trixie-slim
# Google's certificates are checked against the system's.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin doubletick
COPY --from=build /build/target/release/doubletick-sheets /usr/local/bin/
# A volume is mounted as root's, and readable by all. The directory is given to the service's user alone, who
# can gain no rights, and the shell is replaced, so that signals reach the program. That is the service or
# one of its commands; another program of the image runs in its place when it is named, as `sleep inf` is
# while a backup is restored.
COPY --chmod=755 <<'EOF' /usr/local/bin/entrypoint
#!/bin/sh
set -e
umask 077
case "${1-}" in
    "" | -*) set -- doubletick-sheets "$@" ;;
    *) command -v "$1" >/dev/null || set -- doubletick-sheets "$@" ;;
esac
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$DATA_DIR"
    chown -R doubletick: "$DATA_DIR"
    chmod 700 "$DATA_DIR"
    exec setpriv --reuid=doubletick --regid=doubletick --clear-groups --no-new-privs "$@"
fi
exec "$@"
EOF
ENV DATA_DIR=/data
EXPOSE 8080
ENTRYPOINT ["entrypoint"]
